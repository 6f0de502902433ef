#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# install.sh CMAKE BUILD ROOT SAMPLE - an installation works after it was moved, without
# the build folder: a program is compiled, run on the CPU, and finds its parts by where
# they are, not by where they were.
set -uo pipefail

cmake=$1 build=$2 root=$3 sample=$4
work=$(mktemp -d /tmp/hetckpt-install.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
export HETCKPT_RUNTIME_DIR=$work/run HETCKPT_CACHE_DIR=$work/cache

fail() { echo "FAIL: $*"; exit 1; }

"$cmake" --install "$build" --prefix "$work/first" >"$work/log" 2>&1 || { tail "$work/log"; fail "cmake --install"; }
mv "$work/first" "$work/moved"
for path in bin/hetckpt bin/hetcc lib/hetckpt-pass.so lib/libhetckpt-translate.so lib/hetckpt/libcudart.so.12 \
	lib/hetckpt/libcudart.so.13 lib/hetckpt/devicelib.bc libexec/hetckpt/hetckpt-worker \
	include/hetckpt/abi.h include/hetckpt/cuda/cuda_runtime.h share/man/man1/hetckpt.1; do
	[ -e "$work/moved/$path" ] || fail "$path is not installed"
done
# No program may look into the build folder or the folder it was first put into.
for file in "$work"/moved/bin/* "$work"/moved/libexec/hetckpt/* "$work"/moved/lib/*.so "$work"/moved/lib/hetckpt/*.so.*; do
	readelf -d "$file" >"$work/dynamic" || fail "$file cannot be read"
	if grep -E 'R(UN)?PATH' "$work/dynamic" | grep -qF -e "$build" -e "$work" -e "$root"; then
		fail "$file has a fixed search path: $(grep -E 'R(UN)?PATH' "$work/dynamic")"
	fi
done

cp -r "$root/samples" "$work/samples"
cd "$work" || exit 1
"$work/moved/bin/hetcc" --no-toolkit -O2 "samples/$sample/$sample.cu" -o program || fail "hetcc"
readelf -d program | grep -qF "$work/moved/lib/hetckpt" || fail "the program does not look for the moved runtime"
"$work/moved/bin/hetckpt" run --device cpu:0 -- ./program >out 2>err || { cat out err; fail "the program"; }
grep -q ' PASS$' out || { cat out err; fail "the program's result"; }
[ ! -s err ] || { cat err; fail "messages of a run that should be silent"; }

echo "installed, moved, compiled and ran $sample"
