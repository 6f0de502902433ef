#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# check_man.sh FOLDER PROGRAM... - every command has a manual page, and the page and
# the command's --help name the same long options.
set -uo pipefail

folder=$1
shift
bad=0 checked=0

# compare NAME COMMAND...: the page NAME.1 against the help of COMMAND
compare() {
	local page=$folder/$1.1 help option
	shift
	checked=$((checked + 1))
	if [ ! -e "$page" ]; then
		echo "$page is missing"
		bad=1
		return
	fi
	help=$("$@" --help) || { echo "$*: --help fails"; bad=1; return; }
	# In the page, "Fl -name" is --name.
	for option in $(grep -oE -- '--[a-z][a-z-]+' <<<"$help" | sort -u); do
		[ "$option" != --help ] || continue
		grep -qE -- "(Fl|,|\|) ${option#-}([= ,].*|$)" "$page" || { echo "$page: no word about $option"; bad=1; }
	done
	for option in $(grep -E '^\.(It|Op)' "$page" | grep -oE -- '(Fl|,|\|) -[a-z][a-z-]+' | sed 's/.* -/--/' | sort -u); do
		[ "$option" != --help ] || continue
		grep -q -- "$option" <<<"$help" || { echo "$page: $option is not in the help"; bad=1; }
	done
}

for program; do
	name=$(basename "$program")
	compare "$name" "$program"
	[ "$name" = hetckpt ] || continue
	for command in $("$program" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
		compare "hetckpt-$command" "$program" "$command"
	done
done
echo "$checked pages compared"
[ "$bad" -eq 0 ] && [ "$checked" -gt 0 ]
