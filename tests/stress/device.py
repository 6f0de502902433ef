#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Uses a device beside another one, with every sample and with what can go wrong.

  same     every sample in every variant checks itself on the device; its result buffers are
           those of the other device, bit for bit
  cross    every one of them is paused inside a kernel on the device, moved to the other
           device, paused there, moved back (through the stage, whatever the way there was), and
           ended: the same bits. A snapshot taken where
           it was paused first is finished in fresh processes on both: the same bits
  mixed    tests/gpu/mixed, paused hundreds of times at random while it computes and copies,
           by requests and by the stress mode
  heap     tests/lit/e2e/heap.cu, which allocates in kernels, paused at every poll and at random, and moved to
           the other device and back between kernels: it finds all as it was
  lost     the worker is killed inside a kernel: one clear error, and the last snapshot is
           finished
  bad      devices that are not there, that are full, that run out of memory in the middle of a
           move or a restore, whose addresses are taken, code for other architectures: one
           clear line, and the program goes on where it was

The samples have no approximate instructions where they are compiled without a toolkit
(docs/limits.md), which is the default, so that nothing but equality will do.
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

from rig import Control, Failure, Rig, compare, tail
from samples import scaled
from session import Live, children

# Some ten milliseconds on a large GPU, a second or so on a large CPU. (sample, variant,
# arguments, lengths of the result's allocations: None if it is not made of whole ones)
WHOLE = "whole"
WORK = [
    ("bfs", "levels", ["--size", "1000000", "--repeat", "2"], None),
    ("bfs", "walk", ["--size", "200000", "--repeat", "30"], WHOLE),
    ("convolution3d", "shared", ["--size", "192", "--repeat", "4"], WHOLE),
    ("histogram", "shared", ["--size", "100000000", "--repeat", "20"], WHOLE),
    ("histogram", "global", ["--size", "30000000", "--repeat", "4"], WHOLE),
    ("histogram", "match", ["--size", "20000000", "--repeat", "4"], WHOLE),
    ("jacobi", "steps", ["--size", "1024", "--repeat", "1500"], WHOLE),
    ("jacobi", "blocks", ["--size", "2048", "--repeat", "8"], WHOLE),
    ("mandelbrot", "pixel", ["--size", "1024", "--repeat", "30"], WHOLE),
    ("mandelbrot", "stride", ["--size", "512", "--repeat", "30"], WHOLE),
    ("matmul", "tiled", ["--size", "1536", "--repeat", "3"], WHOLE),
    ("matmul", "simple", ["--size", "1024", "--repeat", "4"], WHOLE),
    ("matmul", "wide", ["--size", "1536", "--repeat", "4"], WHOLE),
    ("montecarlo", "local", ["--size", "65536", "--repeat", "20"], [4 * 65536, 8]),
    ("nbody", "tiled", ["--size", "16384", "--repeat", "6"], [16 * 16384, 16 * 16384]),
    ("pipeline", "streams", ["--size", "4194304", "--repeat", "20"], None),
    ("reduction", "shuffle", ["--size", "50000000", "--repeat", "40"], None),
    ("reduction", "tile", ["--size", "50000000", "--repeat", "40"], None),
    ("reduction", "ballot", ["--size", "20000000", "--repeat", "12"], None),
    ("reduction", "shared", ["--size", "50000000", "--repeat", "40"], None),
    ("spinlock", "lock", ["--size", "4000"], None),
    ("spinlock", "ticket", ["--size", "4000"], None),
    ("spinlock", "barrier", ["--size", "5000", "--repeat", "40"], None),
    ("spinlock", "grid", ["--size", "50000"], None),
    ("spinlock", "ring", ["--size", "5000", "--repeat", "40"], None),
    ("vectoradd", "blocks", ["--size", "30000000", "--repeat", "100"], WHOLE),
    ("vectoradd", "stride", ["--size", "10000000", "--repeat", "20"], WHOLE),
]
# Kernels that wait where a pause would hang run to their end (docs/limits.md): these are moved
# between two launches.
BETWEEN = {("spinlock", "barrier"), ("spinlock", "ring")}
PARTS = ["same", "cross", "mixed", "heap", "lost", "bad"]
# Kernels as they are when they may pause, whatever their length.
RUN = {"HETCKPT_VARIANT": "run"}


def inside(kernels):
    """How a paused session stands inside a kernel, or None."""
    for kernel in kernels:
        parked, unstarted = kernel.get("blocks_parked", 0), kernel.get("blocks_unstarted", 0)
        if parked or (kernel.get("blocks_done", 0) and unstarted):
            return "%s: %d of %d blocks done, %d parked" % (
                kernel["kernel"].split("(")[0], kernel["blocks_done"], kernel["blocks"], parked)
    return None


class Test:
    def __init__(self, rig, options):
        self.rig, self.options = rig, options
        self.device, self.other = options.device, options.other
        self.failures, self.lock = [], threading.Lock()
        self.results, self.result_locks = {}, {}

    def say(self, text):
        with self.lock:
            print(text, flush=True)

    def fail(self, text):
        with self.lock:
            self.failures.append(text)
            print("  FAIL  " + text, flush=True)

    def program(self, name):
        if name in ("mixed", "heap", "hold"):
            path = os.path.join(self.rig.build, "tests", "gpu", name)
            if not os.access(path, os.X_OK):
                raise Failure("%s is missing: build the target gpu-programs first" % path)
            return path
        return self.rig.sample(name, False)

    def each(self, what, jobs):
        """Runs jobs, (title, function), side by side."""
        def one(job):
            start = time.monotonic()
            try:
                told = job[1]()
                self.say("  ok    %-34s %5.1f s  %s" % (job[0], time.monotonic() - start, told or ""))
            except (Failure, OSError, subprocess.TimeoutExpired) as failure:
                self.fail("%s: %s: %s" % (what, job[0], failure))
            except EOFError:
                self.fail("%s: %s: the session ended early" % (what, job[0]))
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            list(pool.map(one, jobs))

    def work(self):
        """WORK; ten times as often where no CPU has to do it."""
        for name, variant, arguments, lengths in WORK:
            if not self.options.sample or name in self.options.sample:
                if not self.other.startswith("cpu"):
                    arguments = scaled(arguments, 10)
                yield name, variant, arguments, lengths

    def undisturbed(self, name, variant, arguments):
        """Its result on the device, checked by itself; computed once."""
        key = (name, variant)
        with self.lock:
            guard = self.result_locks.setdefault(key, threading.Lock())
        with guard:
            if key not in self.results:
                self.results[key] = self.rig.result(
                    self.program(name), ["--variant", variant] + arguments, self.device,
                    "dump-%s-%s" % key, timeout=120)
            return self.results[key]

    # ---- same ----

    def same_one(self, name, variant, arguments):
        want = self.undisturbed(name, variant, arguments)
        start = time.monotonic()
        got = self.rig.result(self.program(name), ["--unchecked", "--variant", variant] + arguments, self.other,
                              "dump-other-%s-%s" % (name, variant), timeout=240)
        compare("on %s" % self.other, got, want)
        return "%s alone: %.1f s" % (self.other, time.monotonic() - start)

    def same(self):
        self.each("same", [("%s %s" % w[:2], lambda w=w: self.same_one(*w[:3])) for w in self.work()])

    # ---- cross ----

    def step_into(self, control, longest=0.0015, tries=10000):
        """Pauses until the session stands inside a kernel; it is paused then."""
        for _ in range(tries):
            control.call("pause", timeout_ms=60000)
            where = inside(control.kernels())
            if where:
                return where
            # Kernels come soon after their module.
            near = (control.call("status").get("worker") or {}).get("modules")
            control.call("resume")
            time.sleep(random.uniform(0, longest / 5 if near else longest))
        raise Failure("was never found inside a kernel")

    def step_between(self, control, tries=3000):
        """Pauses once the program has launched something; it is paused then."""
        for _ in range(tries):
            control.call("pause", timeout_ms=60000)
            if (control.call("status").get("worker") or {}).get("modules"):
                return "between kernels"
            control.call("resume")
            time.sleep(0.001)
        raise Failure("never came to launch anything")

    def finish(self, path, where, want, lengths, name):
        """Finishes a snapshot in a process of its own; its results must be among what it exports."""
        folder = "%s.%s.d" % (path, where.replace(":", "-"))
        done = self.rig.tool("restore", "--quiet", "--device", where, "--export", folder, path, timeout=300)
        if done.returncode:
            raise Failure("restore on %s: exit status %d: %s" % (where, done.returncode, tail(done.stderr)))
        exported = set()
        for entry in os.listdir(folder):
            if entry.endswith(".bin"):
                with open(os.path.join(folder, entry), "rb") as file:
                    exported.add(hashlib.sha256(file.read()).digest())
        at = 0
        for length in [len(want[1])] if lengths == WHOLE else lengths:
            if hashlib.sha256(want[1][at:at + length]).digest() not in exported:
                raise Failure("finished on %s: the result's bytes from %d on are in no allocation" % (where, at))
            at += length
        shutil.rmtree(folder)

    @contextlib.contextmanager
    def caught(self, name, variant, arguments, label, want):
        """A sample that stands paused inside a kernel, or, of those that cannot, between two: the
        session, a connection, and where. One that is over before it was caught begins again."""
        for attempt in range(20):
            live = Live(self.rig, self.program(name), ["--unchecked", "--variant", variant] + arguments, self.device,
                        label, RUN)
            try:
                with Control(self.rig, label, live.alive) as control:
                    try:
                        where = self.step_between(control) if (name, variant) in BETWEEN else self.step_into(control)
                    except EOFError:
                        compare("paused between kernels", live.result(), want)
                        continue
                    yield live, control, where
                    return
            finally:
                live.stop()
        raise Failure("was over %d times before a pause found it inside a kernel" % (attempt + 1))

    def there_and_back(self, name, variant, arguments, lengths, label, want):
        """What became of it, for the report. EOFError: it was over before it had been paused again."""
        snapshot = self.rig.path(label + ".hckpt")
        with self.caught(name, variant, arguments, label, want) as (live, control, where):
            if lengths:
                time.sleep(0.1)  # the program hands over the rest of its work meanwhile
                control.call("checkpoint", path=snapshot, compress="none", level=0, then="pause",
                             timeout_ms=10000)
            out = control.call("migrate", device=self.other, timeout_ms=60000)
            control.call("resume")
            time.sleep(random.uniform(0.01, 0.06))
            control.call("pause", timeout_ms=60000)
            there = inside(control.kernels())
            back = control.call("migrate", device=self.device, via="stage", timeout_ms=60000)
            if back.get("via") != "stage":
                raise Failure("moved back by way of %s, not through the stage" % back.get("via"))
            control.call("resume")
            compare("moved to %s and back" % self.other, live.result(), want)
        if lengths:
            for device in (self.device, self.other):
                self.finish(snapshot, device, want, lengths, label)
            os.unlink(snapshot)
        return "%s; by %s to %s, %s%s%s" % (where, out.get("via"), self.other, "inside a kernel" if there else "between kernels",
                                     ", back in %.0f ms" % (1e3 * back.get("stopped_seconds", 0)),
                                     ", snapshot finished on both" if lengths else "")

    def cross_one(self, name, variant, arguments, lengths):
        want = self.undisturbed(name, variant, arguments)
        for attempt in range(8):
            try:
                return self.there_and_back(name, variant, arguments, lengths, "cross-%s-%s" % (name, variant), want)
            except EOFError:
                pass
        raise Failure("was over %d times before it had moved there and back" % (attempt + 1))

    def cross(self):
        self.each("cross", [("%s %s" % w[:2], lambda w=w: self.cross_one(*w)) for w in self.work()])

    # ---- mixed ----

    def mixed_live(self, arguments, want, seed, pauses):
        label, rng = "mixed-%d" % seed, random.Random(seed)
        # With even seeds kernels park however short they are; with odd ones as a session decides.
        live = Live(self.rig, self.program("mixed"), ["--unchecked"] + arguments, self.device, label,
                    None if seed % 2 else RUN)
        done = found = moved = saved = 0
        try:
            with Control(self.rig, label, live.alive) as control:
                try:
                    while True:
                        control.call("pause", timeout_ms=60000)
                        done += 1
                        found += bool(inside(control.kernels()))
                        # Now and then the whole state goes through a snapshot, or another worker.
                        if done % 37 == 0:
                            path = self.rig.path(label + ".hckpt")
                            control.call("checkpoint", path=path, compress="none", level=0, then="pause",
                                         timeout_ms=10000)
                            saved += 1
                        if done % 53 == 0:
                            control.call("migrate", device=self.device, timeout_ms=60000)
                            moved += 1
                        control.call("resume")
                        time.sleep(rng.expovariate(1 / 0.003))
                except EOFError:
                    pass
            compare("with pauses at random", live.result(), want)
        finally:
            live.stop()
        if done < pauses:
            raise Failure("only %d pauses: the run was too short" % done)
        return "%d pauses, %d inside a kernel, %d snapshots, %d moves" % (done, found, saved, moved)

    def mixed_stress(self, arguments, want, seed):
        compare("under stress", self.rig.result(
            self.program("mixed"), ["--unchecked"] + arguments, self.device, "dump-mixed-stress-%d" % seed,
            stress="random:%d:%d" % (seed, 40000 if self.device.startswith("cuda") else 4000), timeout=200), want)

    def mixed(self):
        size = self.options.mixed.split(",")
        arguments = ["--size", size[0], "--repeat", size[1]]
        try:
            want = self.rig.result(self.program("mixed"), arguments, self.device, "dump-mixed", timeout=120)
            compare("on %s" % self.other, self.rig.result(self.program("mixed"), ["--unchecked"] + arguments, self.other,
                                                          "dump-mixed-other", timeout=240), want)
        except Failure as failure:
            return self.fail("mixed, undisturbed: %s" % failure)
        self.each("mixed", [("paused at random, seed %d" % seed, lambda s=seed: self.mixed_live(arguments, want, s, 40))
                            for seed in (1, 2)] +
                  [("stress mode, seed %d" % seed, lambda s=seed: self.mixed_stress(arguments, want, s))
                   for seed in (1, 2)])

    # ---- heap ----

    def heap_run(self, want, arguments=[], **how):
        got = self.rig.run(self.program("heap"), arguments, self.device, timeout=200, **how)
        if got != want:
            raise Failure("it says %r, and %r on %s" % (got, want, self.other))

    def heap(self):
        try:
            want = self.rig.run(self.program("heap"), [], self.other, timeout=200)
        except Failure as failure:
            return self.fail("heap, undisturbed: %s" % failure)
        self.each("heap", [
            ("undisturbed", lambda: self.heap_run(want)),
            ("originals", lambda: self.heap_run(want, env={"HETCKPT_VARIANT": "original"})),
            ("at every poll", lambda: self.heap_run(want, stress="every-poll", env=RUN)),
            ("at random", lambda: self.heap_run(want, stress="random:3:2000", env=RUN)),
            ("moved after each kernel", lambda: self.heap_run(
                want, [self.rig.hetckpt, self.other, self.device], name="heap")),
        ])

    # ---- lost ----

    def lost_one(self, name, variant, arguments, lengths):
        want = self.undisturbed(name, variant, arguments)
        label = "lost-" + name
        snapshot = self.rig.path(label + ".hckpt")
        live = Live(self.rig, self.program(name), ["--unchecked", "--variant", variant] + arguments, self.device,
                    label, RUN)
        try:
            with Control(self.rig, label, live.alive) as control:
                self.step_into(control)
                time.sleep(0.1)
                control.call("checkpoint", path=snapshot, compress="none", level=0, then="pause", timeout_ms=10000)
                workers = children(live.process.pid, "hetckpt-worker")
                control.call("resume")
                for pid in workers:
                    os.kill(pid, signal.SIGKILL)
            out, err = live.end(timeout=60)
            if live.process.returncode != 1 or "PASS" in out or "UNCHECKED" in out:
                raise Failure("the program should have ended with status 1, not %d: %s" % (
                    live.process.returncode, tail(err + out)))
            told = [line for line in err.splitlines() if "device memory is lost" in line and ": session " in line]
            if len(told) != 1 or snapshot not in told[0]:
                raise Failure("no line that names the last checkpoint: %s" % tail(err))
        finally:
            live.stop()
        for device in (self.device, self.other):
            self.finish(snapshot, device, want, lengths, label)
        os.unlink(snapshot)
        return re.sub(r"/\S*/", "", told[0])[:150]

    def lost(self):
        chosen = [w for w in self.work() if w[0] == "nbody" or w[:2] == ("jacobi", "blocks")]
        self.each("lost", [("%s %s" % w[:2], lambda w=w: self.lost_one(*w)) for w in chosen])

    # ---- bad ----

    def refused(self, done, *words):
        """A command failed with one line that has these words. Returns it."""
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        if not done.returncode:
            raise Failure("succeeded")
        if len(lines) != 1:
            raise Failure("%d lines instead of one: %s" % (len(lines), " | ".join(lines[:6])))
        for word in words:
            if word not in lines[0]:
                raise Failure("does not say '%s': %s" % (word, lines[0]))
        return lines[0][:170]

    def long_job(self):
        return next(w for w in WORK if w[0] == "nbody")

    def held_in_kernel(self, label, act):
        """A sample that stands inside a kernel; act(live) must leave it there. It then ends as it should."""
        name, variant, arguments, _ = self.long_job()
        want = self.undisturbed(name, variant, arguments)
        live = Live(self.rig, self.program(name), ["--unchecked", "--variant", variant] + arguments, self.device,
                    label, RUN)
        try:
            with Control(self.rig, label, live.alive) as control:
                before = self.step_into(control)
                told = act(live)
                if inside(control.kernels()) != before:
                    raise Failure("the program is not where it was")
                control.call("resume")
            compare("afterwards", live.result(), want)
            return told
        finally:
            live.stop()

    def no_such_device(self):
        name = self.device.split(":")[0] + ":9"
        done = self.rig.tool("run", "--device", name, "--", self.program("vectoradd"))
        told = self.refused(done, name)
        self.held_in_kernel("bad-migrate", lambda live: self.refused(
            self.rig.tool("migrate", live.name, "--to", name), name))
        return told

    def full_device(self):
        """Another program has nearly all of the device's memory."""
        # 3 GiB of state, on the other device, paused in its kernel.
        arguments = ["--unchecked", "--variant", "stride", "--size", "400000000", "--repeat", "3"]
        live = Live(self.rig, self.program("vectoradd"), arguments, self.other, "bad-full", RUN)
        hold = None
        try:
            with Control(self.rig, "bad-full", live.alive) as control:
                before = self.step_into(control, 0.02)
                hold = subprocess.Popen([self.rig.hetckpt, "run", "--quiet", "--device", self.device, "--",
                                         self.program("hold"), "1500"], env=self.rig.env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                line = hold.stdout.readline()
                if not line.startswith("holding"):
                    raise Failure("the device could not be filled: %s" % line.strip())
                told = self.refused(self.rig.tool("migrate", live.name, "--to", self.device, timeout=120), "memory")
                if inside(control.kernels()) != before:
                    raise Failure("the program is not where it was")
                path = self.rig.path("bad-full.hckpt")
                control.call("checkpoint", path=path, compress="none", level=0, then="pause", timeout_ms=10000)
                self.refused(self.rig.tool("restore", "--quiet", "--device", self.device, "--export",
                                           path + ".d", path, timeout=120), "memory")
                hold.stdin.close()
                hold.wait(30)
                # Now there is room.
                moved = self.rig.tool("migrate", live.name, "--to", self.device, timeout=120)
                if moved.returncode:
                    raise Failure("migrate, with room: %s" % tail(moved.stderr))
                control.call("resume")
            live.result()
            return told
        finally:
            live.stop()
            if hold and hold.poll() is None:
                hold.kill()
                hold.wait()

    def taken_addresses(self):
        squat = os.path.join(self.rig.build, "tests", "gpu", "gpu-squat.so")
        if not os.path.exists(squat):
            raise Failure("%s is missing: build the target gpu-squat first" % squat)
        done = subprocess.run([self.rig.hetckpt, "run", "--device", self.device, "--", self.program("vectoradd")],
                              env=dict(self.rig.env, LD_PRELOAD=squat), text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        return self.refused(done, "address")

    def foreign(self, name, machine, ptx):
        """A copy of a sample whose machine code, and PTX, for NVIDIA GPUs say that they are for others."""
        copy = self.rig.path("foreign-%s-%d" % (name, machine))
        with open(self.program(name), "rb") as file:
            data = bytearray(file.read())
        changed, at = 0, data.find(struct.pack("<I", 0xba55ed50))
        while at >= 0:
            version, header, size = struct.unpack_from("<HHQ", data, at + 4)
            entry, end = at + header, at + header + size
            if version == 1 and header == 16 and end <= len(data):
                while entry + 64 <= end:
                    what, _, header, size = struct.unpack_from("<HHIQ", data, entry)
                    if what in (1, 2) and header >= 64:
                        struct.pack_into("<I", data, entry + 28, machine if what == 2 else ptx)
                        changed += 1
                    entry += header + size
            at = data.find(struct.pack("<I", 0xba55ed50), at + 8)
        if not changed:
            raise Failure("no fat binary in the sample")
        with open(copy, "wb") as file:
            file.write(data)
        os.chmod(copy, 0o755)
        return copy

    def code_too_new(self):
        copy = self.foreign("vectoradd", 999, 999)
        done = self.rig.tool("run", "--device", self.device, "--", copy, "--size", "1000")
        lines = [line for line in done.stderr.splitlines() if "which runs on" in line]
        if not done.returncode or not lines:
            raise Failure("no line about the architectures: %s" % tail(done.stderr + done.stdout))
        return lines[0][:170]

    def code_for_others(self):
        """Machine code of an older architecture and no PTX that the GPU takes: it runs where it is."""
        name, variant, arguments, _ = self.long_job()
        want = self.undisturbed(name, variant, arguments)
        live = Live(self.rig, self.foreign(name, 80, 999), ["--unchecked", "--variant", variant] + arguments,
                    self.other, "bad-foreign", RUN)
        path = self.rig.path("bad-foreign.hckpt")
        try:
            with Control(self.rig, "bad-foreign", live.alive) as control:
                before = self.step_into(control, 0.02)
                told = self.refused(self.rig.tool("migrate", live.name, "--to", self.device, timeout=120), "runs on")
                control.call("checkpoint", path=path, compress="none", level=0, then="pause", timeout_ms=10000)
                self.refused(self.rig.tool("restore", "--quiet", "--device", self.device, "--export", path + ".d",
                                           path, timeout=120), "runs on")
                if inside(control.kernels()) != before:
                    raise Failure("the program is not where it was")
                control.call("resume")
            compare("afterwards", live.result(), want)
            return told
        finally:
            live.stop()

    def short_of_memory(self):
        """The device runs out of memory after one piece, two, and so on, until a move succeeds."""
        library = os.path.join(self.rig.build, "tests", "gpu", "gpu-shortage.so")
        if not os.path.exists(library):
            raise Failure("%s is missing: build the target gpu-shortage first" % library)
        limit, path = self.rig.path("shortage"), self.rig.path("bad-short.hckpt")
        starved = {"LD_PRELOAD": library, "HETCKPT_TEST_SHORTAGE": limit}
        name, variant, arguments, _ = self.long_job()
        want = self.undisturbed(name, variant, arguments)
        # Its own worker starts before there is a limit.
        live = Live(self.rig, self.program(name), ["--unchecked", "--variant", variant] + arguments, self.device,
                    "bad-short", dict(RUN, **starved))
        told, pieces = None, 0
        try:
            with Control(self.rig, "bad-short", live.alive) as control:
                before = self.step_into(control)
                control.call("checkpoint", path=path, compress="none", level=0, then="pause", timeout_ms=10000)
                for pieces in range(60):
                    with open(limit, "w") as file:
                        file.write("%d\n" % pieces)
                    moved = self.rig.tool("migrate", live.name, "--to", self.device, timeout=120)
                    if not moved.returncode:
                        break
                    told = self.refused(moved, "memory")
                    if inside(control.kernels()) != before:
                        raise Failure("with %d pieces of memory the program is not where it was" % pieces)
                    restored = subprocess.run(
                        [self.rig.hetckpt, "restore", "--quiet", "--device", self.device, "--export", path + ".d", path],
                        env=dict(self.rig.env, **starved), text=True, capture_output=True, stdin=subprocess.DEVNULL,
                        timeout=120)
                    # It needs a piece more or less than the move.
                    if restored.returncode:
                        self.refused(restored, "memory")
                if moved.returncode or pieces < 2:
                    raise Failure("moved with %d pieces of memory: %s" % (pieces, tail(moved.stderr)))
                control.call("resume")
            compare("afterwards", live.result(), want)
            return "refused with 0 to %d pieces of memory: %s" % (pieces - 1, told)
        finally:
            live.stop()

    def bad(self):
        jobs = [("no such device", self.no_such_device)]
        if self.device.startswith("cuda"):
            jobs += [("addresses are taken", self.taken_addresses),
                     ("code that is too new", self.code_too_new),
                     ("out of memory in the middle", self.short_of_memory)]
            if self.other.startswith("cpu"):
                jobs += [("code for another architecture", self.code_for_others)]
        self.each("bad", jobs)
        # It fills the device: alone.
        if self.device.startswith("cuda"):
            self.each("bad", [("the device is full", self.full_device)])

    def run(self):
        for part in self.options.part or PARTS:
            start = time.monotonic()
            self.say("== %s: %s beside %s" % (part, self.device, self.other))
            getattr(self, part)()
            self.say("   %.1f s" % (time.monotonic() - start))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", metavar="PART", help="default: all")
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--device", default="cuda:0", help="(default: cuda:0)")
    parser.add_argument("--other", default="cpu:0", help="(default: cpu:0)")
    parser.add_argument("--sample", action="append", help="only this one; may be given again")
    parser.add_argument("--jobs", type=int, default=3, metavar="N", help="sessions at a time (default: 3)")
    parser.add_argument("--mixed", default="262144,1000", metavar="SIZE,ROUNDS", help="of mixed (default: 262144,1000)")
    parser.add_argument("--keep", metavar="DIR", help="leave snapshots and dumps there")
    options = parser.parse_args()
    for part in options.part:
        if part not in PARTS:
            parser.error("%s: no such part; there are %s" % (part, ", ".join(PARTS)))
    try:
        rig = Rig(options.build, options.keep)
        listing = json.loads(rig.tool("devices", "--json").stdout or "{}")
    except (Failure, ValueError) as failure:
        print("device.py: %s" % failure, file=sys.stderr)
        return 2
    there = [d.get("device") or d.get("name") for d in
             (listing if isinstance(listing, list) else listing.get("devices", []))]
    for device in (options.device, options.other):
        if device not in there:
            print("skipped: there is no %s" % device)
            rig.close()
            return 77
    test = Test(rig, options)
    try:
        test.run()
    finally:
        rig.close(bool(test.failures))
    print("\n".join(["", "FAILED:"] + test.failures) if test.failures else "all as it should be")
    return 1 if test.failures else 0


if __name__ == "__main__":
    sys.exit(main())
