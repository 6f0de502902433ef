# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What samples tools/bench runs, and how large, for each kind of device."""

import collections

# barriers: kernels have barriers or need other threads of a warp. once: a run launches its kernel
# once, or never twice with the same work, so that variants can only be compared run by run.
# pause: a run of so many times the work lasts while it is paused a hundred times; 0: never paused.
Row = collections.namedtuple("Row", "title name arguments barriers once pause")


def row(name, arguments, barriers=False, once=False, pause=0):
    words = arguments.split()
    title = " ".join([name] + words).replace("--variant ", "").replace("--", "")
    return Row(title, name, words, barriers, once, pause)


# A fraction of a second on two cores.
CPU = [
    row("vectoradd", "--repeat 40"),
    row("vectoradd", "--variant stride --size 1048576 --repeat 200", once=True, pause=1000000),
    row("mandelbrot", "--size 2048", once=True, pause=100),
    row("montecarlo", "--repeat 8", once=True, pause=1000),
    row("bfs", "--variant walk --repeat 1", once=True, pause=1000),
    row("histogram", "--variant global --repeat 10"),
    # a power of two would put the rows of a column into few sets of a cache
    row("matmul", "--variant simple --size 576 --repeat 8"),
    row("jacobi", "--repeat 100"),
    row("pipeline", "--size 1048576", once=True),
    row("matmul", "--size 768 --repeat 8", True, pause=100000),
    row("matmul", "--variant wide --size 1024 --repeat 8", True, pause=100000),
    row("nbody", "--size 8192 --repeat 8", True, pause=100000),
    row("jacobi", "--variant blocks --repeat 8", True, pause=100000),
    row("convolution3d", "--repeat 8", True, pause=100000),
    row("histogram", "--repeat 10", True),
    row("reduction", "--repeat 10", True, pause=100000),
]

# 20 ms a kernel and more on a large GPU, except where memory bounds a kernel that passes over its
# data once: that takes less than a millisecond with all the data that is sensible here.
CUDA = [
    row("vectoradd", "--size 268435456 --repeat 24", pause=10000),
    row("vectoradd", "--variant stride --size 67108864 --repeat 40", once=True, pause=10000),
    row("mandelbrot", "--size 4096 --repeat 200", once=True, pause=1000),
    row("mandelbrot", "--variant stride --size 1024 --repeat 100", once=True, pause=1000),
    row("montecarlo", "--size 1000000 --repeat 20", once=True, pause=1000),
    row("bfs", "--variant walk --size 200000 --repeat 100", once=True, pause=1000),
    row("bfs", "--size 4000000 --repeat 4", once=True, pause=1000),
    row("histogram", "--variant global --size 200000000 --repeat 24", pause=100000),
    row("matmul", "--variant simple --size 4096 --repeat 16", pause=10000),
    row("jacobi", "--size 8192 --repeat 40", pause=100000),
    row("pipeline", "--size 8388608 --repeat 100", once=True, pause=1000),
    row("spinlock", "--variant lock --size 20000 --repeat 12", pause=10000),
    row("spinlock", "--variant ticket --size 4000 --repeat 12", pause=10000),
    row("matmul", "--size 5120 --repeat 12", True, pause=10000),
    row("matmul", "--variant wide --size 6144 --repeat 12", True, pause=10000),
    row("nbody", "--size 131072 --repeat 16", True, pause=10000),
    row("jacobi", "--variant blocks --size 8192 --repeat 16", True, pause=10000),
    row("convolution3d", "--size 512 --repeat 12", True, pause=10000),
    row("histogram", "--size 400000000 --repeat 24", True, pause=100000),
    row("histogram", "--variant match --size 100000000 --repeat 16", True, pause=10000),
    row("reduction", "--size 400000000 --repeat 24", True, pause=100000),
    row("reduction", "--variant tile --size 400000000 --repeat 24", True, pause=100000),
    row("reduction", "--variant ballot --size 200000000 --repeat 16", True, pause=10000),
    row("reduction", "--variant shared --size 400000000 --repeat 24", True, pause=100000),
    row("spinlock", "--variant barrier --size 20000 --repeat 12", True, pause=10000),
    row("spinlock", "--variant grid --size 20000 --repeat 12", True, pause=10000),
    row("spinlock", "--variant ring --size 20000 --repeat 12", True, pause=10000),
]


def table(device):
    return CUDA if device.startswith("cuda") else CPU
