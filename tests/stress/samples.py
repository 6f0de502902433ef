#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs samples with pauses everywhere and compares every bit with undisturbed runs.

For each variant of a sample, in this order:
  1. undisturbed: its checksum and its result buffers are what all others must give;
  2. the build that polls all the time, paused at every poll;
  3. the same build, paused at random times, with threads and blocks in random order;
  4. the ordinary build, paused at random times.
Every pause takes the state off the device, empties the device and puts it back. At the end
the table of safepoints that were paused at and resumed from is compared with the list of
those in the program: one that is missing there is a failure.
"""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import time

from rig import Failure, Rig, compare

# Arguments of each variant: small, but every loop that polls goes round several times.
# The first list is for pauses at every poll, which cost a restored device each; the second
# for random pauses of the ordinary build; the third, where there is one, for random pauses of
# the build that polls all the time, in place of the first, or on a GPU of the second.
PLAN = {
    "bfs": [
        # Threads stride over the nodes by 8192: only a large graph has strips of strides.
        ("levels", ["--size", "1200", "--repeat", "1"], ["--size", "50000", "--repeat", "2"],
         ["--size", "200000", "--repeat", "2"]),
        ("walk", ["--size", "200", "--repeat", "1"], ["--size", "2000", "--repeat", "2"]),
    ],
    "convolution3d": [("shared", ["--size", "16", "--repeat", "1"], ["--size", "40", "--repeat", "3"])],
    "histogram": [
        ("shared", ["--size", "20000", "--repeat", "1"], ["--size", "1000000", "--repeat", "6"]),
        ("global", ["--size", "20000", "--repeat", "1"], ["--size", "1000000", "--repeat", "6"]),
        ("match", ["--size", "20000", "--repeat", "1"], ["--size", "1000000", "--repeat", "3"]),
    ],
    "jacobi": [
        ("steps", ["--size", "64", "--repeat", "2"], ["--size", "256", "--repeat", "40"]),
        ("blocks", ["--size", "64", "--repeat", "1"], ["--size", "128", "--repeat", "4"]),
    ],
    "mandelbrot": [
        ("pixel", ["--size", "24", "--repeat", "1"], ["--size", "256", "--repeat", "1"]),
        ("stride", ["--size", "24", "--repeat", "1"], ["--size", "256", "--repeat", "1"]),
    ],
    "matmul": [
        ("tiled", ["--size", "128"], ["--size", "256"]),
        ("simple", ["--size", "64"], ["--size", "256"]),
        ("wide", ["--size", "192"], ["--size", "256"]),
    ],
    "montecarlo": [("local", ["--size", "200", "--repeat", "1"], ["--size", "2000", "--repeat", "4"])],
    "nbody": [("tiled", ["--size", "1024", "--repeat", "1"], ["--size", "2048", "--repeat", "3"])],
    "pipeline": [("streams", ["--size", "60000", "--repeat", "1"], ["--size", "600000", "--repeat", "1"])],
    "reduction": [
        ("shuffle", ["--size", "20000", "--repeat", "1"], ["--size", "1000000", "--repeat", "6"]),
        ("tile", ["--size", "20000", "--repeat", "1"], ["--size", "1000000", "--repeat", "6"]),
        ("ballot", ["--size", "20000", "--repeat", "1"], ["--size", "1000000", "--repeat", "3"]),
        ("shared", ["--size", "20000", "--repeat", "1"], ["--size", "1000000", "--repeat", "6"]),
    ],
    "spinlock": [
        # Locks are held when a block comes only now and then.
        ("lock", ["--size", "203"], ["--size", "2000"], ["--size", "4003"]),
        ("ticket", ["--size", "130"], ["--size", "200"]),
        ("barrier", ["--size", "20"], ["--size", "1000"]),
        ("grid", ["--size", "20"], ["--size", "1000"]),
        ("ring", ["--size", "20"], ["--size", "1000"]),
    ],
    "vectoradd": [
        ("blocks", ["--size", "10000", "--repeat", "3"], ["--size", "500000", "--repeat", "20"]),
        ("stride", ["--size", "100000", "--repeat", "7"], ["--size", "300000", "--repeat", "60"]),
    ],
}

# (sample, kernel, id): why no run can pause at this safepoint. One that is used all the same, or
# is not there, is a failure.
UNREACHABLE = {
    ("bfs", "walk", 1): "the rest of an unrolled loop, and hops are a multiple of 1000",
    ("matmul", "multiply_simple", 1): "the rest of an unrolled loop, and sizes are multiples of 64",
}


# (sample, kernel, id): safepoints that a run may meet or miss, and why.
BY_CHANCE = {
    ("bfs", "expand", 1): "the retry of an exchange, when two threads meet",
}


def scaled(arguments, factor):
    """More repetitions of a larger work; sizes have conditions, repetitions have none."""
    arguments = list(arguments)
    if "--repeat" in arguments:
        at = arguments.index("--repeat") + 1
        arguments[at] = str(int(arguments[at]) * factor)
    else:
        arguments += ["--repeat", str(factor)]
    return arguments


class Sample:
    def __init__(self, rig, name, options):
        self.rig, self.name, self.options = rig, name, options
        self.stressed = rig.sample(name, True)
        self.ordinary = rig.sample(name, False)
        self.coverage = rig.path("coverage-%s-%d" % (name, os.getpid()))
        self.failures = []

    def attempt(self, what, program, arguments, want, stress, schedule=None):
        env = {"HETCKPT_COVERAGE": self.coverage}
        if schedule:
            env["HETCKPT_CPU_SCHEDULE"] = schedule
        how = "%s %s%s" % (what, stress, ", order %s" % schedule if schedule else "")
        start = time.monotonic()
        try:
            got = self.rig.result(program, arguments, self.options.device, "dump-" + self.name,
                                  stress=stress, env=env, timeout=self.options.timeout)
            compare(how, got, want)
            print("  ok    %-64s %6.1f s" % (how, time.monotonic() - start), flush=True)
        except Failure as failure:
            text = str(failure)
            self.failures.append("%s: %s" % (self.name, text if text.startswith(how) else "%s: %s" % (how, text)))
            print("  FAIL  %s" % self.failures[-1], flush=True)

    def oracle(self, program, arguments):
        return self.rig.result(program, arguments, self.options.device, "dump-" + self.name,
                               timeout=self.options.timeout)

    def variant(self, variant, small, large, middle=None):
        seeds = range(self.options.first_seed, self.options.first_seed + self.options.seeds)
        cpu = self.options.device.startswith("cpu")
        # A GPU is through with what is small before it is paused.
        middle = ["--variant", variant] + (
            middle or small if cpu else scaled(middle or large, self.options.scale))
        small = ["--variant", variant] + small
        large = ["--variant", variant] + scaled(large, self.options.scale)
        try:
            want_small = self.oracle(self.ordinary, small)
            compare("%s: the build that polls all the time, undisturbed" % variant,
                    self.oracle(self.stressed, small), want_small)
            want_large = self.oracle(self.ordinary, large)
            want_middle = want_small if middle == small else self.oracle(self.ordinary, middle)
        except Failure as failure:
            self.failures.append("%s: %s, undisturbed: %s" % (self.name, variant, failure))
            print("  FAIL  %s" % self.failures[-1], flush=True)
            return
        self.attempt("%s, polls everywhere," % variant, self.stressed, small, want_small, "every-poll")
        for seed in seeds:
            schedule = "random:%d" % seed if cpu else None
            if cpu:
                self.attempt("%s, polls everywhere," % variant, self.stressed, small, want_small,
                             "every-poll", schedule)
            self.attempt("%s, polls everywhere," % variant, self.stressed, middle, want_middle,
                         "random:%d:%d" % (seed, self.options.period), schedule)
            self.attempt("%s, as shipped," % variant, self.ordinary, large, want_large,
                         "random:%d:%d" % (seed, 4 * self.options.period),
                         schedule if seed % 2 else None)

    # ---- Coverage ----

    def counts(self):
        """(hash, id, kernel) -> [paused, resumed]"""
        counts = {}
        if not os.path.exists(self.coverage):
            return counts
        with open(self.coverage) as file:
            for line in file:
                digest, number, paused, resumed, _, kernel = line.rstrip("\n").split("\t")
                at = counts.setdefault((digest, int(number), kernel), [0, 0])
                at[0] += int(paused)
                at[1] += int(resumed)
        return counts

    def cover(self):
        lister = os.path.join(self.rig.build, "tests", "stress", "list-safepoints")
        listing = subprocess.run([lister, self.stressed], capture_output=True, text=True)
        if listing.returncode:
            raise Failure(listing.stderr.strip())
        counts = self.counts()
        table, missing = [], []
        excuses = {key: why for key, why in UNREACHABLE.items() if key[0] == self.name}
        for line in listing.stdout.splitlines():
            digest, number, scope, kind, place, kernel = line.split("\t")[:6]
            place = place.split("/samples/")[-1]
            if number == "0":
                table.append("  %9s %9s  %-6s %-8s %-40s %s" % ("-", "-", scope, kind, "", kernel))
                continue
            paused, resumed = counts.get((digest, int(number), kernel), (0, 0))
            excuse = excuses.pop((self.name, kernel.split("(")[0], int(number)), None)
            table.append("  %9d %9d  %-6s %-8s %-40s %s" % (paused, resumed, scope, kind,
                                                            "%s #%s" % (place, number), kernel))
            if excuse and paused:
                missing.append("%s: safepoint %s of %s is used, and must not be excused" % (self.name, number, kernel))
            elif excuse:
                table.append("  " + " " * 20 + "(" + excuse + ")")
            elif not paused and (self.name, kernel.split("(")[0], int(number)) in BY_CHANCE:
                table.append("  " + " " * 20 + "(" + BY_CHANCE[self.name, kernel.split("(")[0], int(number)] + ")")
            elif not paused:
                missing.append("%s: never paused at safepoint %s of %s at %s" % (self.name, number, kernel, place))
            elif not resumed:
                missing.append("%s: never resumed from safepoint %s of %s at %s" % (self.name, number, kernel, place))
        missing += ["%s: %s has no safepoint %d to be excused" % key for key in excuses]
        return table, missing

    def test(self):
        print("%s on %s" % (self.name, self.options.device), flush=True)
        chosen = [v for v in PLAN[self.name]
                  if not self.options.variant or v[0] in self.options.variant]
        for work in chosen:
            self.variant(*work)
        table, missing = self.cover()
        print("  %9s %9s  %-6s %-8s %-40s %s" % ("paused", "resumed", "scope", "kind", "safepoint", "kernel"))
        print("\n".join(table), flush=True)
        if self.options.variant:
            return  # the others' safepoints are not expected
        self.failures += missing
        for line in missing:
            print("  FAIL  %s" % line, flush=True)


def side_by_side(options):
    """A process for each sample, so many at a time; each one's output as a whole."""
    names = list(options.sample or PLAN)
    others = [a for a in sys.argv[1:] if a not in names]

    def one(name):
        return name, subprocess.run([sys.executable, os.path.abspath(__file__)] + others + [name],
                                    text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    failed = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for job in concurrent.futures.as_completed([pool.submit(one, name) for name in names]):
            name, done = job.result()
            print(done.stdout, flush=True)
            if done.returncode:
                failed.append(name)
    print("FAILED: %s" % ", ".join(failed) if failed else "all samples as they should be")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sample", nargs="*", metavar="SAMPLE", help="default: all")
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--device", default="cpu:0", help="where to run (default: cpu:0)")
    parser.add_argument("--variant", action="append", help="only this one; may be given again")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="seeds to try (default: 2)")
    parser.add_argument("--first-seed", type=int, default=1, metavar="N", help="(default: 1)")
    parser.add_argument("--scale", type=int, default=1, metavar="N",
                        help="repetitions of the ordinary build's runs, times N (default: 1)")
    parser.add_argument("--period", type=int, default=3000, metavar="US",
                        help="mean time between random pauses (default: 3000)")
    parser.add_argument("--timeout", type=int, default=300, metavar="S", help="of one run (default: 300)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="samples at a time (default: 1)")
    parser.add_argument("--keep", metavar="DIR", help="leave coverage tables there")
    options = parser.parse_args()
    for name in options.sample:
        if name not in PLAN:
            parser.error("%s: no such sample; there are %s" % (name, ", ".join(PLAN)))
    if options.jobs > 1 and len(options.sample) != 1:
        return side_by_side(options)
    failures = []
    try:
        rig = Rig(options.build, options.keep)
    except Failure as failure:
        print("samples.py: %s" % failure, file=sys.stderr)
        return 2
    try:
        for name in options.sample or PLAN:
            try:
                sample = Sample(rig, name, options)
                sample.test()
                failures += sample.failures
            except Failure as failure:
                failures.append("%s: %s" % (name, failure))
    finally:
        rig.close(bool(failures))
    passed = "all runs gave the same bits" + ("" if options.variant else ", all safepoints were used")
    print("\n".join(["", "FAILED:"] + failures) if failures else passed)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
