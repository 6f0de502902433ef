#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles kernels with the pass, translates them for the CPU and lets the harness pause
them everywhere. Kernels are files with a line "// harness: OPTIONS", or random ones.

  stress.py --cases=DIR|FILE ...         files
  stress.py --seeds=1-40                 random kernels (generate.py)
Options: --keep=DIR (keep what was made), --flags="-O3 -g" (compile with these only),
--jobs=N, --verbose. Exits with 1 if any kernel fails; the last line counts."""

import argparse
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import generate  # noqa: E402

# Flags for files that do not say; random kernels take one by their seed. Few iterations, and
# no or little time, between polls: short loops reach them.
VARIANTS = [
    "-O2 -poll-stride=2 -poll-interval=0",
    "-O3 -poll-stride=1 -poll-interval=0",
    "-O1 -poll-stride=3 -poll-interval=1",
    "-O0 -poll-stride=2 -poll-interval=0",
    "-O2 -g -poll-stride=5 -poll-interval=0",
    "-O3 -ffast-math -poll-stride=4 -poll-interval=1",
]


class Failed(Exception):
    pass


def call(command, what):
    r = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if r.returncode:
        text = (r.stderr + r.stdout).strip()
        raise Failed(f"{what} failed ({r.returncode}): {text[-2000:]}")
    return r.stdout + r.stderr


def image_of(ir):
    """The portable image, out of the module's text."""
    m = re.search(r'^@__hetckpt_image = .*? c"((?:[^"\\]|\\..)*)"', ir, re.M)
    if not m:
        raise Failed(f"the module has no portable image: {ir[:200]} ... {ir[-200:]}")
    return re.sub(rb"\\(\\|[0-9A-Fa-f]{2})", lambda x: b"\\" if x[1] == b"\\" else bytes([int(x[1], 16)]),
                  m[1].encode("latin-1"))


def compile_flags(words):
    out = []
    for w in shlex.split(words):
        if w.startswith("-poll-"):
            out += ["-mllvm", "-hetckpt" + w]
        else:
            out.append(w)
    return out


def test(args, source, name, flags, options, directory):
    path = os.path.join(directory, name)
    if source.endswith(".ll"):
        ir = call([args.opt, "-load-pass-plugin=" + args.plugin, "-passes=hetckpt", "-S", source, "-o", "-"]
                  + [f for f in compile_flags(flags) if f.startswith("-hetckpt")], "opt")
    else:
        ir = call([args.clang, "-x", "cuda", "--cuda-device-only", "--cuda-gpu-arch=sm_80", "-nocudainc",
                   "-nocudalib", "--cuda-feature=+ptx70", "-std=c++20", "-Wno-unknown-cuda-version",
                   "-Wno-pass-failed", "-I" + HERE, "-fplugin=" + args.plugin,
                   "-fpass-plugin=" + args.plugin, "-S", "-emit-llvm", source, "-o", "-"]
                  + compile_flags(flags), "clang")
    with open(path + ".image", "wb") as f:
        f.write(image_of(ir))
    call([args.translate, "--target=cpu:x86-64-v2", "--no-cache", path + ".image", "-o", path + ".so"],
         "hetckpt-translate")
    return call([args.harness, path + ".image", path + ".so"] + options, "harness")


def work_of(args):
    """(label, source file or generator, flags, options)"""
    work = []
    for place in args.cases or []:
        files = [place] if os.path.isfile(place) else sorted(
            os.path.join(place, f) for f in os.listdir(place) if f.endswith((".cu", ".ll")))
        for f in files:
            text = open(f, encoding="utf-8").read()
            line = re.search(r"^(?://|;) harness:(.*)$", text, re.M)
            if not line:
                sys.exit(f"{f}: no line '// harness:'")
            own = re.search(r"^(?://|;) flags:(.*)$", text, re.M)
            choices = [args.flags] if args.flags else own[1].split("|") if own else VARIANTS
            for i, flags in enumerate(choices):
                work.append((os.path.basename(f), f, flags, line[1].split(), i))
    for part in (args.seeds or "").split(","):
        if not part:
            continue
        low, _, high = part.partition("-")
        for seed in range(int(low), int(high or low) + 1):
            flags = args.flags or VARIANTS[seed % len(VARIANTS)]
            work.append((f"seed-{seed}", seed, flags, None, 0))
    return work


def run(args, item, directory):
    label, source, flags, options, number = item
    name = f"{label}.{number}"
    if isinstance(source, int):
        text, options = generate.kernel(source)
        path = os.path.join(directory, name + ".cu")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        source = path
    if args.random is not None:
        options = options + [f"--random={args.random}"]
    try:
        return True, test(args, source, name, flags.strip(), options + (["-v"] if args.verbose else []),
                          directory).strip()
    except Failed as e:
        return False, f"{' '.join(options)}\n  {e}"


def main():
    p = argparse.ArgumentParser()
    for tool in ("clang", "plugin", "translate", "harness"):
        p.add_argument("--" + tool, required=True)
    p.add_argument("--opt", default="opt-22")
    p.add_argument("--cases", action="append")
    p.add_argument("--seeds")
    p.add_argument("--flags")
    p.add_argument("--keep")
    p.add_argument("--random", type=int)
    p.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    p.add_argument("--verbose", action="store_true")
    args = p.parse_args()

    failed = 0
    missed = 0
    with tempfile.TemporaryDirectory() as temporary:
        directory = args.keep or temporary
        os.makedirs(directory, exist_ok=True)
        work = work_of(args)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            results = pool.map(lambda item: (item, run(args, item, directory)), work)
            for item, (ok, text) in results:
                missed += text.count("never paused at")
                if not ok:
                    failed += 1
                if not ok or args.verbose:
                    print(f"{'ok' if ok else 'FAILED'} {item[0]} [{item[2].strip()}]: {text}", flush=True)
    print(f"{len(work)} runs, {failed} failed, {missed} safepoints never paused at")
    return 1 if failed or not work else 0


if __name__ == "__main__":
    sys.exit(main())
