#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# host_library.sh TOOLS DEVICELIB SOURCES OUT - the device library as a host object, cut
# down to the functions that accuracy.c and rows.h name.
set -eu
tools=$1 library=$2 sources=$3 out=$4

names=$(cat "$sources/accuracy.c" "$sources/rows.h" |
	grep -oE '(ONE|TWO|ROW|ROW_F|ROW2)\([a-z0-9_]+|__nv_[a-z0-9_]+' |
	sed -E 's/^[A-Z_0-9]+\(|^__nv_//' | sort -u | sed -E 's/.*/__nv_&,__nv_&f/' | tr '\n' ',')
"$tools/llvm-dis" "$library" -o - | sed '/^target /d' |
	"$tools/opt" -passes=internalize,globaldce -internalize-public-api-list="$names" -o "$out.bc"
"$tools/clang" -Wno-override-module -O2 -fPIC -ffp-contract=off -c "$out.bc" -o "$out"
