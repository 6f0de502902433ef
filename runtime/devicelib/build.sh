#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# build.sh - makes devicelib.bc, the bitcode library of device mathematics.
#
#   build.sh TOOLS LIBCLC SOURCES OUT     TOOLS: folder with clang, llvm-link, opt, ...
#
# libclc's bitcode is written for speed in OpenCL's terms: it leaves fusing to the
# target (fmuladd), allows relaxed division (fpmath) and carries a target's
# attributes. All that is settled here once, so that the library's code means the
# same bits everywhere and takes on the attributes of the module that uses it.
set -eu

if [ $# -ne 4 ]; then
	echo "usage: build.sh TOOLS LIBCLC SOURCES OUT" >&2
	exit 2
fi
tools=$1 libclc=$2 sources=$3 out=$4
work=$out.parts
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

parts=
for file in "$sources"/*.c; do
	part=$work/$(basename "$file" .c).bc
	"$tools/clang" --target=nvptx64-nvidia-cuda -nogpulib -ffreestanding -std=c17 -O1 \
		-ffp-contract=off -fno-math-errno -Wall -Wextra -Werror -Wno-unused-parameter \
		-Wno-missing-prototypes -emit-llvm -c "$file" -o "$part"
	parts="$parts $part"
done
# shellcheck disable=SC2086 # parts are words
"$tools/llvm-link" $parts -o "$work/own.bc"
"$tools/llvm-link" --suppress-warnings --internalize --only-needed "$work/own.bc" "$libclc" \
	-o "$work/linked.bc"
"$tools/opt" -passes=globaldce,strip-dead-prototypes -S "$work/linked.bc" |
	sed -E \
		-e 's/@llvm\.fmuladd\./@llvm.fma./g' \
		-e 's/, !(fpmath|tbaa|tbaa\.struct|srcloc) ![0-9]+//g' \
		-e ':flags' -e '/^ /s/ (contract|nnan|ninf|nsz|arcp|afn|reassoc|fast) / /' -e 't flags' \
		-e '/^attributes /s/"(target-cpu|target-features|no-trapping-math|stack-protector-buffer-size|frame-pointer|uniform-work-group-size|no-builtins|denormal-fp-math[a-z0-9-]*)"(="[^"]*")? ?//g' \
		-e '/^!(opencl|nvvm|llvm)\./d' \
		-e 's/^target triple = .*/target triple = "nvptx64-nvidia-cuda"/' \
	| awk '/^declare/ { match($0, /@[^(]*/); if (seen[substr($0, RSTART, RLENGTH)]++) next } { print }' \
		> "$work/neutral.ll"
"$tools/opt" -passes='default<O2>,globaldce,strip-dead-prototypes' "$work/neutral.ll" -o "$work/done.bc"
mv "$work/done.bc" "$out"
