#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Uses hetckpt's commands on running samples, at random moments, as people and scripts would.

  commands  pause, resume, migrate and checkpoint --leave-running, many times in one run;
            the run's result, bit for bit, is that of a run that nobody disturbed
  restore   the checkpoints taken on the way are finished in processes of their own; a result
            buffer must be among the allocations that they export
  kill      the worker is killed at a random moment: the application gets an error and ends,
            the session says what happened, and no process stays behind
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

from rig import Failure, Rig, compare, sample_line, tail

# Samples whose result is one allocation, or the halves of one dump, and whose kernels are
# long; (name, arguments without the length, option of the length, its start, parts of the dump)
JOBS = [
    ("nbody", ["--size", "4096"], "--repeat", 20, 2),
    ("montecarlo", ["--size", "4096"], "--repeat", 20, 0),
    ("matmul", ["--size", "512"], "--repeat", 4, 1),
    ("jacobi", ["--size", "512", "--variant", "blocks"], "--repeat", 4, 1),
]
LONGEST = 1 << 20


class Live:
    """A sample that runs while commands are used on it."""

    def __init__(self, rig, program, arguments, device, name, env=None):
        self.rig, self.name = rig, name
        self.dump = rig.path("dump-" + name)
        self.process = subprocess.Popen(
            [rig.hetckpt, "run", "--name", name, "--device", device, "--", program] + arguments +
            ["--dump", self.dump],
            env=dict(rig.env, **(env or {})), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)

    def alive(self):
        return self.process.poll() is None

    def facts(self):
        """What hetckpt ps says of it, or None."""
        listing = self.rig.tool("ps", "--json")
        if listing.returncode:
            raise Failure("hetckpt ps: %s" % tail(listing.stderr))
        entries = json.loads(listing.stdout)
        if isinstance(entries, dict):
            entries = entries.get("sessions", [])
        return next((e for e in entries if e.get("name") == self.name), None)

    def wait_running(self, timeout=60):
        until = time.monotonic() + timeout
        while self.alive() and time.monotonic() < until:
            facts = self.facts()
            if facts and facts.get("state") == "running":
                return
            time.sleep(0.02)
        out, err = self.process.communicate() if not self.alive() else ("", "")
        raise Failure("%s did not come to compute: %s" % (self.name, tail(err + out)))

    def end(self, timeout=300):
        try:
            return self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            raise Failure("%s did not end within %d s" % (self.name, timeout))

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()

    def result(self):
        out, err = self.end()
        facts = sample_line(out)
        if self.process.returncode or not facts or facts["verdict"] not in ("PASS", "UNCHECKED"):
            raise Failure("%s: exit status %d: %s" % (self.name, self.process.returncode, tail(err + out)))
        with open(self.dump, "rb") as file:
            return facts["checksum"], file.read()


class Test:
    def __init__(self, rig, options):
        self.rig, self.options = rig, options
        self.random = random.Random(options.seed)
        self.failures = []

    def length(self, program, job):
        """Arguments with which the sample takes about the wanted time, and its result then. It
        does not compute again what the device has: that would be most of the time, in which
        no command and no kill meets a kernel."""
        _, arguments, option, steps, _ = job
        for _ in range(6):
            these = ["--unchecked"] + arguments + [option, str(steps)]
            start = time.monotonic()
            result = self.rig.result(program, these, self.options.devices[0], "dump-oracle")
            took = time.monotonic() - start
            if took >= self.options.seconds * 0.6 or steps >= LONGEST:
                return these, result
            steps = min(LONGEST, int(steps * min(20, self.options.seconds / max(took, 0.05))) + 1)
        return these, result

    def fail(self, text):
        self.failures.append(text)
        print("  FAIL  " + text, flush=True)

    def command(self, live, counts, checkpoints):
        """One command at random. True if it was carried out."""
        kind = self.random.choice(["pause", "pause", "migrate", "migrate", "checkpoint"])
        if kind == "pause":
            done = self.rig.tool("pause", live.name)
            if not done.returncode:
                time.sleep(self.random.uniform(0, 0.05))
                done = self.rig.tool("resume", live.name)
        elif kind == "migrate":
            facts = live.facts()
            here = facts["device"] if facts else self.options.devices[0]
            there = self.random.choice([d for d in self.options.devices if d != here] or [here])
            done = self.rig.tool("migrate", live.name, "--to", there)
        else:
            path = self.rig.path("%s-%d.hckpt" % (live.name, len(checkpoints)))
            done = self.rig.tool("checkpoint", live.name, "--leave-running", "-o", path)
            if not done.returncode:
                checkpoints.append(path)
            elif os.path.exists(path):
                self.fail("%s: a checkpoint that failed left a file" % live.name)
        if done.returncode:
            # The program may end while a command is on its way, and only then may one fail.
            time.sleep(0.3)
            if live.alive():
                facts = live.facts()
                if facts and facts.get("state") in ("running", "paused"):
                    raise Failure("%s: hetckpt %s: exit status %d: %s" % (
                        live.name, kind, done.returncode, tail(done.stderr + done.stdout)))
            return False
        counts[kind] = counts.get(kind, 0) + 1
        return True

    def disturb(self, program, arguments, want, name):
        live = Live(self.rig, program, arguments, self.options.devices[0], name)
        counts, checkpoints = {}, []
        try:
            live.wait_running()
            while live.alive():
                time.sleep(self.random.expovariate(1 / 0.08))
                if live.alive():
                    self.command(live, counts, checkpoints)
            compare(name, live.result(), want)
        finally:
            live.stop()
        done = ", ".join("%d %s" % (n, kind) for kind, n in sorted(counts.items()))
        if sum(counts.values()) < 3:
            raise Failure("%s: only %s: the run was too short; try --seconds" % (name, done or "nothing"))
        print("  ok    %-24s %s" % (name, done), flush=True)
        return checkpoints

    def restore(self, path, want, parts):
        verified = self.rig.tool("verify", path)
        if verified.returncode:
            raise Failure("hetckpt verify %s: %s" % (os.path.basename(path), tail(verified.stderr)))
        folder = path + ".d"
        device = self.random.choice(self.options.devices)
        done = self.rig.tool("restore", "--quiet", "--device", device, "--export", folder, path,
                             timeout=300)
        if done.returncode:
            raise Failure("hetckpt restore %s on %s: exit status %d: %s" % (
                os.path.basename(path), device, done.returncode, tail(done.stderr)))
        exported = set()
        for name in os.listdir(folder):
            if name.endswith(".bin"):
                with open(os.path.join(folder, name), "rb") as file:
                    exported.add(hashlib.sha256(file.read()).digest())
        size = len(want[1]) // parts
        for part in range(parts):
            if hashlib.sha256(want[1][part * size:(part + 1) * size]).digest() not in exported:
                raise Failure("%s, finished on %s: result buffer %d of %d is not among what it exports"
                              % (os.path.basename(path), device, part + 1, parts))

    def restores(self, checkpoints, want, parts, name):
        # Only when the application had handed over all its work does the file hold it all:
        # the last ones, for a run's launches are all in the ring soon after its start.
        chosen = checkpoints[-self.options.restores:]
        for path in chosen:
            self.restore(path, want, parts)
        if chosen:
            print("  ok    %-24s %d of %d checkpoints finished in processes of their own"
                  % (name, len(chosen), len(checkpoints)), flush=True)

    def kill(self, program, arguments, name):
        live = Live(self.rig, program, arguments, self.options.devices[0], name)
        try:
            live.wait_running()
            time.sleep(self.random.uniform(0, self.options.seconds / 3))
            workers = children(live.process.pid, "hetckpt-worker")
            if not workers:
                raise Failure("%s: the session has no worker" % name)
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            out, err = live.end(timeout=60)
            if live.process.returncode != 1:
                raise Failure("%s: the application should have ended with an error (status 1), not with %d: %s"
                              % (name, live.process.returncode, tail(err + out)))
            if "PASS" in out or "UNCHECKED" in out:
                raise Failure("%s: the application has a result without a device" % name)
            if "device memory is lost" not in err:
                raise Failure("%s: the session does not say that device memory is lost: %s" % (name, tail(err)))
            if "samples/" not in err and ".cu:" not in err:
                raise Failure("%s: no call of the application returned the error: %s" % (name, tail(err)))
            left = [pid for pid in workers if os.path.exists("/proc/%d" % pid)]
            if left or live.facts():
                raise Failure("%s: something of the session stays behind" % name)
        finally:
            live.stop()
        print("  ok    %-24s worker killed, the application got an error" % name, flush=True)

    def run(self):
        jobs = [job for job in JOBS if not self.options.sample or job[0] in self.options.sample]
        for job in jobs:
            name = job[0]
            try:
                program = self.rig.sample(name, False)
                arguments, want = self.length(program, job)
                print("%s %s" % (name, " ".join(arguments)), flush=True)
                for turn in range(self.options.turns):
                    which = "%s-%d" % (name, turn)
                    checkpoints = self.disturb(program, arguments, want, which)
                    if job[4]:
                        self.restores(checkpoints, want, job[4], which)
                    self.kill(program, arguments, which + "-kill")
            except (Failure, subprocess.TimeoutExpired) as failure:
                self.fail("%s: %s" % (name, failure) if name not in str(failure) else str(failure))


def children(pid, name):
    """Processes below pid of this name."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as file:
                text = file.read()
            with open("/proc/%s/cmdline" % entry, "rb") as file:
                program = file.read().split(b"\0")[0].decode(errors="replace")
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == pid and os.path.basename(program) == name:
            found.append(int(entry))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sample", nargs="*", metavar="SAMPLE", help="default: all of %s" % ", ".join(j[0] for j in JOBS))
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--devices", default="cpu:0,cpu:1", help="to migrate between (default: cpu:0,cpu:1)")
    parser.add_argument("--seconds", type=float, default=6, metavar="S", help="of an undisturbed run (default: 6)")
    parser.add_argument("--turns", type=int, default=1, metavar="N", help="of each sample (default: 1)")
    parser.add_argument("--restores", type=int, default=2, metavar="N", help="checkpoints to finish a turn (default: 2)")
    parser.add_argument("--seed", type=int, default=None, help="of the moments (default: by the clock)")
    parser.add_argument("--keep", metavar="DIR", help="leave snapshots and dumps there")
    options = parser.parse_args()
    options.devices = options.devices.split(",")
    if options.seed is None:
        options.seed = int(time.time())
    for name in options.sample:
        if name not in [job[0] for job in JOBS]:
            parser.error("%s: not one of %s" % (name, ", ".join(job[0] for job in JOBS)))
    print("--seed %d" % options.seed, flush=True)
    try:
        rig = Rig(options.build, options.keep)
    except Failure as failure:
        print("session.py: %s" % failure, file=sys.stderr)
        return 2
    test = Test(rig, options)
    try:
        test.run()
    finally:
        rig.close(bool(test.failures))
    print("\n".join(["", "FAILED:"] + test.failures) if test.failures else "all as it should be")
    return 1 if test.failures else 0


if __name__ == "__main__":
    sys.exit(main())
