#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# check_ir.sh TOOLS DEVICELIB - rules that the library's code keeps: every function that
# clang's headers declare is there, nothing outside is called, no function calls itself
# (a kernel that used it could not pause), no approximate instruction, no licence to change
# a result, no target's attributes.
set -u
tools=$1 library=$2
bad=0
text=$(mktemp)
trap 'rm -f "$text"' EXIT

"$tools/llvm-dis" "$library" -o "$text" || exit 1
complain() {
	echo "devicelib: $1" >&2
	bad=1
}
headers=$("$tools/clang" -print-resource-dir)/include/__clang_cuda_libdevice_declares.h
count=0
for name in $(grep -oE '__nv_[a-zA-Z0-9_]+' "$headers" | sort -u); do
	count=$((count + 1))
	grep -qE "^define .*@$name\(" "$text" || complain "$name is missing"
done
[ "$count" -gt 400 ] || complain "only $count functions found in clang's header"
outside=$(grep -E '^declare' "$text" | grep -oE '@[^(]+' | grep -v '^@llvm\.')
[ -z "$outside" ] || complain "calls to functions outside: $outside"
recursive=$(awk '/^define / { match($0, /@[^(]+/); self = substr($0, RSTART, RLENGTH) "(" }
	/^ .*call / && index($0, self) { print self }' "$text" | sort -u)
[ -z "$recursive" ] || complain "functions that call themselves: $recursive"
approximate=$(grep -oE '@llvm\.nvvm\.[a-z0-9.]*(approx|ftz)[a-z0-9.]*|@llvm\.(sin|cos|tan|exp|exp2|log|log2|log10|pow)\.[a-z0-9]+' "$text" | sort -u)
[ -z "$approximate" ] || complain "approximate: $approximate"
loose=$(grep -E '^ ' "$text" | grep -cE ' (contract|afn|reassoc|nnan|ninf|nsz|arcp|fast) |fmuladd|!fpmath')
[ "$loose" -eq 0 ] || complain "$loose instructions may change their result"
! grep -E '^attributes' "$text" | grep -qE 'target-cpu|target-features|denormal-fp-math' ||
	complain "functions are bound to a target"
exit $bad
