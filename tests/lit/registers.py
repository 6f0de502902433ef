# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""registers.py PTXAS ARCH FILE.ptx: assembles, prints the registers of each kernel's
original and variants, and fails if a kernel spills where its original does not."""
import re
import subprocess
import sys

ptxas, arch, path = sys.argv[1:4]
r = subprocess.run([ptxas, "-v", f"-arch={arch}", path, "-o", "/dev/null"], capture_output=True, text=True)
if r.returncode:
    sys.exit(r.stderr)
kernels = {}
name = None
for line in r.stderr.splitlines():
    if m := re.search(r"Compiling entry function '(\S+)'", line):
        name = m[1]
        kernels[name] = [0, 0]
    elif name and (m := re.search(r"(\d+) bytes spill stores", line)):
        kernels[name][1] = int(m[1])
    elif name and (m := re.search(r"Used (\d+) registers", line)):
        kernels[name][0] = int(m[1])
for name, (used, spilled) in sorted(kernels.items()):
    print(f"{arch} {name}: {used} registers, {spilled} bytes spilled")
for name, (used, spilled) in kernels.items():
    run = kernels.get("__hetckpt_run_" + name)
    if run and run[1] and not spilled:
        sys.exit(f"{arch} {name}: the run variant spills")
