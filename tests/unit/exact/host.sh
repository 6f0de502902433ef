#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# host.sh TOOLS BITCODE OUT - the exact forms of approximate instructions as a host object.
# bfloat16 is left out: not every compiler of tests has the type.
set -eu
tools=$1 bitcode=$2 out=$3

names=$("$tools/llvm-nm" --defined-only --format=just-symbols "$bitcode" | grep -v 'bf16$' | tr '\n' ',')
"$tools/llvm-dis" "$bitcode" -o - | sed '/^target /d' |
	"$tools/opt" -passes=internalize,globaldce -internalize-public-api-list="$names" -o "$out.bc"
"$tools/clang" -Wno-override-module -O2 -fPIC -ffp-contract=off -c "$out.bc" -o "$out"
