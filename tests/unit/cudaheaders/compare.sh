#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# compare.sh OWN TOOLKIT - both print the same facts, and not only a few.
set -u
own=$(mktemp) theirs=$(mktemp)
trap 'rm -f "$own" "$theirs"' EXIT
"$1" > "$own" && "$2" > "$theirs" || exit 1
[ "$(wc -l < "$own")" -gt 350 ] || { echo "cudaheaders: only $(wc -l < "$own") facts" >&2; exit 1; }
diff "$own" "$theirs"
