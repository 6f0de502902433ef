# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The sections of tools/bench that are about devices other than the host: each is a function of
the benchmark, whose aims stand beside the figures."""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

# One thing that is measured: what, what is aimed at, what was found.
AIMS = []


def aim(bench, what, wanted, got, text=None):
    """Notes a figure beside its aim, which it should not exceed. Aims are for GPUs."""
    if not bench.options.device.startswith("cuda"):
        return
    AIMS.append((what, wanted, got, text or "%.3f" % got))
    bench.raw.setdefault("aims", {})[what] = {"aim": wanted, "result": got}


def aims_print():
    if not AIMS:
        return
    print("\n== aims\n%-58s %10s %12s" % ("measurement", "aim", "result"))
    for what, wanted, got, text in AIMS:
        print("%-58s %10s %12s%s" % (what, "%g" % wanted, text,
                                     "" if got <= wanted else "  missed by %.3g (%+.1f %%)" % (
                                         got - wanted, 100 * (got - wanted) / wanted)))


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def spread(values, unit="us", scale=1.0):
    return "median %.0f %s, 90 %% %.0f, 99 %% %.0f, longest %.0f" % (
        statistics.median(values) * scale, unit, percentile(values, 0.9) * scale,
        percentile(values, 0.99) * scale, max(values) * scale)


def longer(arguments, factor):
    """The same work, so many times."""
    arguments = list(arguments)
    if "--repeat" in arguments:
        at = arguments.index("--repeat") + 1
        arguments[at] = str(min(1000000, int(arguments[at]) * factor))
    else:
        arguments += ["--repeat", str(factor)]
    return arguments


# ---- program ----

def program(bench):
    """Whole programs under hetckpt run, and without it on NVIDIA's own runtime."""
    nvidia = nvidia_runtime(bench)
    print("NVIDIA's runtime: %s" % nvidia)
    env = dict(bench.env, LD_LIBRARY_PATH=os.path.dirname(nvidia) + ":" + os.environ.get("LD_LIBRARY_PATH", ""))
    print("%-34s %11s %11s %8s   %s" % ("sample", "NVIDIA", "hetckpt", "ratio", "the part that computes"))
    ratios, inner = [], []
    for name, arguments in (("nbody", ["--size", "131072", "--repeat", "40"]),
                            ("matmul", ["--size", "4096", "--repeat", "40"]),
                            ("jacobi", ["--size", "4096", "--repeat", "4000"]),
                            ("reduction", ["--size", "200000000", "--repeat", "2000"]),
                            ("vectoradd", ["--size", "100000000", "--repeat", "2000"]),
                            ("pipeline", ["--size", "33554432", "--repeat", "4"])):
        if bench.options.sample and name not in bench.options.sample:
            continue
        path = bench.program("samples", name)
        arguments = arguments + ["--unchecked"]

        def whole(run, found):
            start = time.monotonic()
            out = run()
            found.append((time.monotonic() - start, bench.fact(out, "seconds")))
            return bench.fact(out, "checksum", str)
        sides = {"nvidia": lambda: subprocess.run([path] + arguments, env=env, text=True, capture_output=True,
                                                  stdin=subprocess.DEVNULL, check=True).stdout,
                 "hetckpt": lambda: bench.session(path, arguments)}
        taken, sums = {"nvidia": [], "hetckpt": []}, set()
        try:
            for _ in range(min(bench.options.repeat, 2) + 1):
                for side, run in sides.items():
                    sums.add(whole(run, taken[side]))
        except subprocess.CalledProcessError as error:
            print("%-34s %s" % (name, (error.stderr or "failed").strip().splitlines()[-1:]))
            continue
        if len(sums) != 1:
            raise bench.Wrong("%s: results differ: %s" % (name, ", ".join(sorted(sums))))
        wall = {s: statistics.median(v[0] for v in t[1:]) for s, t in taken.items()}
        part = {s: statistics.median(v[1] for v in t[1:]) for s, t in taken.items()}
        ratios.append(wall["hetckpt"] / wall["nvidia"])
        inner.append(part["hetckpt"] / part["nvidia"])
        bench.note("program", name, {"arguments": arguments, "taken": taken})
        print("%-34s %9.3f s %9.3f s %8.3f   %.3f s, %.3f s: %.3f" % (
            name, wall["nvidia"], wall["hetckpt"], ratios[-1], part["nvidia"], part["hetckpt"], inner[-1]), flush=True)
    if ratios:
        aim(bench, "whole program against NVIDIA's runtime, geometric mean", 1.02, statistics.geometric_mean(ratios))
        aim(bench, "its computing part, geometric mean", 1.02, statistics.geometric_mean(inner))


# ---- start ----

def start(bench):
    """A program that does next to nothing, and where the time of its session goes."""
    path = bench.program("samples", "vectoradd")
    arguments = ["--size", "1024", "--repeat", "1"]
    line = os.path.join(bench.work, "timeline")
    sides = {"hetckpt": lambda: bench.session(path, arguments, {"HETCKPT_TIMELINE": line})}
    try:
        env = dict(bench.env, LD_LIBRARY_PATH=os.path.dirname(nvidia_runtime(bench)) + ":" +
                   os.environ.get("LD_LIBRARY_PATH", ""))
        if bench.options.device.startswith("cuda"):
            sides["NVIDIA"] = lambda: subprocess.run([path] + arguments, env=env, capture_output=True,
                                                     stdin=subprocess.DEVNULL, check=True)
    except bench.Wrong:
        pass
    taken = {side: [] for side in sides}
    for turn in range(bench.options.repeat + 1):
        for side, run in sides.items():
            if os.path.exists(line):
                os.unlink(line)
            begin = time.monotonic()
            run()
            if turn:
                taken[side].append(time.monotonic() - begin)
            if side == "hetckpt":
                with open(line) as file:
                    steps = sorted((s.rstrip("\n").split("\t") for s in file), key=lambda s: float(s[0]))
    for side, seconds in taken.items():
        print("%-8s %s" % (side, spread(seconds, "ms", 1e3)))
    bench.note("start", "vectoradd", {"taken": taken, "timeline": steps})
    print("%9s %9s  %-12s %s" % ("begins", "takes", "process", "step; milliseconds, of the last run"))
    for begins, takes, process, what in steps:
        print("%s %s  %-12s %s" % (begins, takes, process, what))


def nvidia_runtime(bench):
    for folder in (os.path.join(bench.build, "lib", "nvidia"), "/usr/local/cuda/lib64",
                   "/usr/local/cuda/targets/x86_64-linux/lib"):
        path = os.path.join(folder, "libcudart.so.13")
        if os.path.exists(path):
            return path
    raise bench.Wrong("NVIDIA's libcudart.so.13 is not here")


# ---- slices ----

def slices(bench):
    """A million short blocks, in slices and at once, launch by launch."""
    # What ends within a millisecond is one slice; twice as much is cut.
    for power in (28, 29):
        arguments = ["--unchecked", "--size", str(1 << power), "--repeat", "60"]
        times = [t for t in bench.times("vectoradd", arguments, "turns") if t.kernel.startswith("add(")][6:]
        once = [t.ns for t in times if t.how == "original"]
        cut = [t.ns for t in times if t.how != "original"]
        if not once or not cut:
            raise bench.Wrong("no launches of both kinds")
        parts = statistics.median(t.parts for t in times if t.how != "original")
        ratio = statistics.median(cut) / statistics.median(once)
        bench.note("slices", "2^%d" % power, {"original_ns": once, "slices_ns": cut, "parts": parts})
        print("vectoradd of 2^%d: at once %.0f us, in slices (%d hardware launches) %.0f us: %.3f" % (
            power, statistics.median(once) / 1e3, parts, statistics.median(cut) / 1e3, ratio), flush=True)
        aim(bench, "%d million short blocks in slices against one launch" % (1 << power - 28), 1.02, ratio)


# ---- pause ----

# Their kernels wait where a pause would hang, and run to their end (docs/limits.md).
UNPAUSED = ("barrier", "ring")


def first_launch(control):
    """Returns once the program has handed over a kernel: its copies are behind it then."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        control.call("pause", timeout_ms=10000)
        loaded = (control.call("status").get("worker") or {}).get("modules")
        control.call("resume")
        if loaded:
            return
        time.sleep(0.01)


def pause(bench):
    """From the request until kernels have parked, sample by sample."""
    print("%-41s %s" % ("sample", "flag up; from then until kernels had parked or ended; request until all is "
                        "collected; what the requester sees (medians, and 90 % of the second)"))
    device, all_parked, all_seen = [], [], []
    for row in bench.table():
        if not row.pause or bench.options.sample and row.name not in bench.options.sample:
            continue
        parked, seen, blocks, ended = [], [], [], []
        rng = random.Random(7)
        try:
            with bench.live(row.name, ["--unchecked"] + longer(row.arguments, row.pause)) as live, \
                    bench.control(live) as control:
                first_launch(control)
                for turn in range(bench.options.pauses + 3):
                    time.sleep(rng.uniform(0.01, 0.03))  # so long it has run since it went on
                    start = time.monotonic()
                    facts = control.call("pause", timeout_ms=10000)
                    took = (time.monotonic() - start) * 1e6
                    if turn >= 3:
                        seen.append(took)
                        parked.append(facts["park_us"])
                        ended.append((facts["raised_us"], facts["ended_us"]))
                        blocks.append(facts.get("blocks_parked", facts.get("parked", 0)))
                    control.call("resume")
        except (bench.Wrong, bench.Failure, EOFError, OSError) as wrong:
            print("%-41s %s" % (row.title, str(wrong) or "ended early"), flush=True)
            if len(parked) < 10:
                continue
        if not parked:
            continue
        bench.note("pause", row.title, {"park_us": parked, "raised_ended_us": ended, "seen_us": seen, "blocks": blocks})
        # Where nothing ran that can park nothing ended.
        there = [max(0.0, e - r) for r, e in ended if e]
        pausable = not any(v in row.arguments for v in UNPAUSED)
        if pausable:
            device += there
            all_parked += parked
            all_seen += seen
        print("%-41s %4.0f us; %s; %5.0f us; %5.0f us (%d pauses, %d blocks parked)%s" % (
            row.title, statistics.median(r for r, _ in ended),
            "%5.0f us, %5.0f" % (statistics.median(there), percentile(there, 0.9)) if there else "nothing to park",
            statistics.median(parked), statistics.median(seen), len(parked), statistics.median(blocks),
            "" if pausable else " cannot pause inside"), flush=True)
    if all_parked:
        print("all that can pause")
        if device:
            print("  on the device      %s" % spread(device))
        print("  until collected    %s" % spread(all_parked))
        print("  the requester sees %s" % spread(all_seen))
    if device:
        aim(bench, "flag up until all blocks have parked, median [us]", 50, statistics.median(device),
            "%.0f" % statistics.median(device))
        aim(bench, "the same, 99 % [us]", 200, percentile(device, 0.99), "%.0f" % percentile(device, 0.99))
    if all_parked:
        aim(bench, "what the requester sees, median [us]", 1000, statistics.median(all_seen),
            "%.0f" % statistics.median(all_seen))


# ---- state ----

def state(bench):
    """What a pause saves of each thread, beside all of a thread's registers."""
    lister = bench.program("tests", "stress", "list-safepoints")
    print("%-44s %8s %14s %14s" % ("kernel", "bytes", "of 255*4", "shared, block"))
    parts = []
    for name in sorted({row.name for row in bench.table()}):
        if bench.options.sample and name not in bench.options.sample:
            continue
        seen = set()
        for line in bench.output([lister, bench.program("samples", name)]).splitlines():
            fields = line.split("\t")
            kernel, size, shared = fields[5].split("(")[0], int(fields[6]), int(fields[7])
            if fields[1] == "0" or kernel in seen:
                continue
            seen.add(kernel)
            parts.append(size / (255 * 4))
            bench.note("state", "%s %s" % (name, kernel), {"bytes": size, "shared": shared})
            print("%-44s %8d %13.1f%% %14d" % ("%s %s" % (name, kernel), size, 100 * parts[-1], shared))
    if parts:
        aim(bench, "bytes saved a thread, of 255 registers, geometric mean", 0.25, statistics.geometric_mean(parts))


# ---- migrate ----

def migrate(bench):
    """How long a program stands still while it moves."""
    there = [d["device"] for d in json.loads(bench.output([bench.hetckpt, "devices", "--json"]))["devices"]]
    vendor = bench.options.device.split(":")[0]
    others = [d for d in there if d.startswith(vendor + ":") and d != bench.options.device][:1]
    others += [d for d in there if d == "cpu:0" and d != bench.options.device]
    others += [bench.options.device]
    # Bytes of state: small, and what --mib says, half of it inputs that look random.
    # Few launches: what is queued would be most of the state.
    works = (("nbody", ["--size", "131072", "--repeat", "2000"], 8),
             ("vectoradd", ["--variant", "stride", "--size", str(bench.options.mib << 17), "--repeat", "1000000"],
              bench.options.mib))
    for name, arguments, mib in works:
        with bench.live(name, ["--unchecked"] + arguments) as live, bench.control(live) as control:
            first_launch(control)
            for other in others:
                out, back = [], []
                for _ in range(max(3, bench.options.repeat)):
                    for device, taken in ((other, out), (bench.options.device, back)):
                        facts = control.call("migrate", device=device, timeout_ms=60000)
                        taken.append(facts.get("stopped_seconds", 0))
                        time.sleep(0.05)
                bench.note("migrate", "%s %s" % (name, other), {"mib": mib, "there": out, "back": back, "facts": facts})
                print("%-10s %6d MiB: %s -> %s stopped for %.1f ms, back %.1f ms (medians of %d)" % (
                    name, mib, bench.options.device, other, 1e3 * statistics.median(out),
                    1e3 * statistics.median(back), len(out)), flush=True)
                if other.startswith(vendor + ":") and other != bench.options.device:
                    aim(bench, "%s moved to %s, %d MiB [s]" % (name, other, mib), 0.15, statistics.median(out))


# ---- checkpoint ----

def checkpoint(bench):
    """Sessions' snapshots to memory and to disk, of data that packs and of data that does not."""
    side = int((bench.options.mib << 17) ** 0.5) // 32 * 32
    # Long kernels and few launches, or what is queued would be most of the state.
    works = (("random", "histogram", ["--variant", "match", "--size", str(bench.options.mib << 20), "--repeat", "400"]),
             ("real", "jacobi", ["--variant", "blocks", "--size", str(side), "--repeat", "2000"]))
    for data, name, arguments in works:
        with bench.live(name, ["--unchecked"] + arguments) as live, bench.control(live) as control:
            first_launch(control)
            for place in ("/dev/shm", bench.work):
                if not os.access(place, os.W_OK):
                    continue
                folder = tempfile.mkdtemp(prefix="hetckpt-bench-", dir=place)
                path = os.path.join(folder, "state.hckpt")
                for method in ("none", "zstd"):
                    taken = []
                    try:
                        for turn in range(bench.options.repeat + 1):
                            start = time.monotonic()
                            facts = control.call("checkpoint", path=path, compress=method, level=0, then="resume",
                                                 timeout_ms=10000)
                            if turn:
                                taken.append(time.monotonic() - start)
                            time.sleep(0.05)
                        size = os.path.getsize(path)
                    finally:
                        if os.path.exists(path):
                            os.unlink(path)
                    seconds = statistics.median(taken)
                    print("%-7s %5d MiB to %-9s %-4s: %.3f s, %.2f GB/s of state, a file of %d MiB%s" % (
                        data, bench.options.mib, "memory" if place == "/dev/shm" else "disk", method, seconds,
                        bench.options.mib * 1.048576e-3 / seconds, size >> 20,
                        "".join(", %s %.3f" % (k, facts[k]) for k in sorted(facts)
                                if k.endswith("seconds") and isinstance(facts[k], (int, float)))), flush=True)
                    bench.note("checkpoint", "%s %s %s" % (data, place, method),
                               {"seconds": taken, "mib": bench.options.mib, "file_bytes": size, "facts": facts})
                os.rmdir(folder)


# ---- gpu-snapshot ----

def gpu_snapshot(bench):
    """Device memory to page-locked memory and back, beside NVIDIA's own checkpoint."""
    out = bench.output([bench.program("bin", "gpu-snapshot"), "--vendor", "1", "8"])
    print(out.rstrip())
    bench.note("gpu-snapshot", "lines", out.splitlines())


SECTIONS = {"gpu-snapshot": gpu_snapshot, "program": program, "start": start, "slices": slices, "pause": pause, "state": state, "migrate": migrate,
            "checkpoint": checkpoint}
