#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# check_links.sh ROOT - links in README.md, CHANGELOG.md and docs/ lead to files that
# exist, and so do paths in back quotes that begin with a folder of the source tree.
set -uo pipefail

cd "$1" || exit 1
bad=0 checked=0

look() {
	checked=$((checked + 1))
	[ -e "$2" ] || { echo "$1: $2 does not exist"; bad=1; }
}

for page in README.md CHANGELOG.md docs/*.md; do
	for link in $(grep -oE '\]\([^)#: ]+' "$page" | sed 's/^](//' | sort -u); do
		look "$page" "$(dirname "$page")/$link"
	done
	# NAME stands for any name.
	for path in $(grep -oE '`(docs|driver|include|passes|runtime|samples|tests|tools|\.ci)/[A-Za-z0-9_./+-]*`' "$page" |
		tr -d "\`" | grep -v NAME | sort -u); do
		look "$page" "$path"
	done
done
echo "$checked paths looked up"
[ "$bad" -eq 0 ] && [ "$checked" -gt 0 ]
