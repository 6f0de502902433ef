#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The command line of hetckpt: arguments.sh HETCKPT MAN-FOLDER CASE
set -u
hetckpt=$1
man=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
HETCKPT_RUNTIME_DIR=$dir/run
export HETCKPT_RUNTIME_DIR
unset HETCKPT_DEVICE
commands="run ps pause resume checkpoint restore migrate inspect verify devices"
failures=0

fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

# expect STATUS WORDS ARGUMENT...: status, and words in the first line of the error output
expect() {
	status=$1 words=$2
	shift 2
	"$hetckpt" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	got=$?
	[ $got -eq "$status" ] || fail "hetckpt $*: status $got instead of $status: $(cat "$dir/err")"
	head -n 1 "$dir/err" | grep -q -e "$words" || fail "hetckpt $*: no '$words' in: $(cat "$dir/err")"
	[ ! -s "$dir/out" ] || fail "hetckpt $*: something on standard output: $(cat "$dir/out")"
}

case_usage() {
	expect 2 "a command is missing"
	expect 2 "no command 'fly'" fly
	expect 2 "no command '--fly'" --fly
	for c in ps pause resume checkpoint restore migrate inspect verify devices; do
		expect 2 "hetckpt $c: unrecognized option" $c --no-such-option
	done
	expect 125 "hetckpt run: unrecognized option" run --no-such-option
	expect 2 "one argument too many" ps one
	expect 2 "exclude each other" ps --json --quiet
	expect 2 "one argument too many" devices one
	expect 2 "ID of a session is missing" pause
	expect 2 "only one ID" pause a b
	expect 3 "'\?nobody'\?" pause nobody --json
	expect 3 "'\?nobody'\?" resume nobody --json
	expect 2 "timeout 0: not 1" pause --timeout 0 a
	expect 2 "timeout x: not 1" pause --timeout x a
	expect 2 "ID of a session is missing" resume
	expect 2 "timeout is for pause" resume --timeout 3 a
	expect 2 "ID of a session is missing" checkpoint -o x
	expect 2 "o FILE is missing" checkpoint a
	expect 2 "exclude each other" checkpoint a -o x --kill --leave-running
	expect 2 "exclude each other" checkpoint a -o x --leave-paused -R
	expect 2 "compress gzip: not" checkpoint a -o x --compress gzip
	expect 2 "compress zstd:20: not" checkpoint a -o x --compress zstd:20
	expect 2 "requires an argument" checkpoint a -o
	expect 2 "ID of a session is missing" migrate --to cpu:0
	expect 2 "to DEVICE is missing" migrate a
	expect 2 "no name of a device" migrate a --to cpu:x
	expect 2 "via pigeon: not auto" migrate a --to cpu:0 --via pigeon
	expect 2 "snapshot is missing" restore --export x
	expect 2 "export DIR is missing" restore x
	expect 2 "only one snapshot" restore x y --export z
	expect 2 "name a b:" restore x --export z --name "a b"
	expect 2 "snapshot is missing" verify
	expect 2 "only one snapshot" verify a b
	expect 2 "is missing" inspect
	expect 2 "block needs --kernel" inspect x --block 1
	expect 2 "thread needs --block" inspect x --kernel k --thread 1
	expect 2 "block 1,2,3,4: not" inspect x --kernel k --block 1,2,3,4
	expect 2 "kernel needs a snapshot" inspect x --kernel k
	expect 125 "program is missing" run
	expect 125 "program is missing" run --
	expect 125 "device CPU:0: no name" run --device CPU:0 true
	expect 125 "name ../x:" run --name ../x true
	expect 125 "stress often: not" run --stress often true
	expect 125 "env =x: not" run --env =x true
	expect 125 "stage 0: no size" run --stage 0 true
	expect 125 "stage 16GB: no size" run --stage 16GB true
	expect 125 "HETCKPT_DEVICE is 'no device'" run true
}

# Exit statuses for sessions and files that are not there or not what they should be.
case_files() {
	expect 3 "no session 'nobody'" pause nobody
	expect 3 "no session 'nobody'" resume nobody
	expect 3 "no session 'nobody'" checkpoint nobody -o "$dir/x"
	expect 3 "no session 'nobody'" migrate nobody --to cpu:0
	expect 3 "no session 'nobody'" inspect nobody
	expect 1 "none.hck" verify "$dir/none.hck"
	expect 1 "none.hck" inspect "$dir/none.hck"
	expect 1 "none.hck" restore "$dir/none.hck" --device cpu:0 --export "$dir/out.d"
	[ -e "$dir/out.d" ] && fail "restore made a folder for a snapshot that is not there"
	echo "no snapshot" >"$dir/text"
	expect 4 "text" verify "$dir/text"
	expect 4 "text" inspect "$dir/text"
	expect 1 "" verify "$dir"
	# a folder that others can enter holds no sessions
	mkdir "$dir/open"
	chmod 755 "$dir/open"
	HETCKPT_RUNTIME_DIR=$dir/open expect 1 "chmod 700" ps
	HETCKPT_RUNTIME_DIR=$dir/text expect 1 "not a folder" ps
	# output that cannot be written is a failure
	"$hetckpt" ps >/dev/full 2>"$dir/err" && fail "ps to a full disk succeeded"
	"$hetckpt" --help >/dev/full 2>"$dir/err" && fail "--help to a full disk succeeded"
	# no sessions
	[ "$("$hetckpt" ps --json)" = "[]" ] || fail "ps --json without sessions is not []"
	[ -z "$("$hetckpt" ps --quiet)" ] || fail "ps --quiet without sessions says something"
	# JSON also of what is damaged, with the same keys
	"$hetckpt" verify --json "$dir/text" >"$dir/out" 2>/dev/null
	[ $? -eq 4 ] || fail "status of verify --json"
	for fact in '"sound": false' '"file_bytes": 12,' '"sections": 0' '"damage": \[\]' '"error": ".*text'; do
		grep -q "$fact" "$dir/out" || fail "verify --json has no $fact: $(cat "$dir/out")"
	done
}

case_help() {
	for c in $commands; do
		for form in "$c --help" "$c -h" "help $c"; do
			"$hetckpt" $form >"$dir/out" 2>"$dir/err" || fail "hetckpt $form: status $?"
			[ ! -s "$dir/err" ] || fail "hetckpt $form: $(cat "$dir/err")"
			grep -q "^Usage: hetckpt $c" "$dir/out" || fail "hetckpt $form: no usage line"
			grep -q "Exit status" "$dir/out" || fail "hetckpt $form: no exit statuses"
		done
		[ "$(awk 'length > 100' "$dir/out")" = "" ] || fail "help of $c: a line over 100 columns"
		"$hetckpt" --help | grep -q "^  $c " || fail "$c is not in hetckpt --help"
	done
	for form in --version -V version; do
		"$hetckpt" $form | grep -q '^hetckpt [0-9]*\.[0-9]*\.[0-9]*$' || fail "hetckpt $form"
	done
}

# Each command has a page, each option of its help is on it, and nothing else.
case_manual() {
	[ -f "$man/hetckpt.1" ] || fail "no page hetckpt.1"
	for c in $commands; do
		page=$man/hetckpt-$c.1
		[ -f "$page" ] || { fail "no page $page"; continue; }
		grep -q "hetckpt-$c" "$man/hetckpt.1" || fail "hetckpt.1 does not name hetckpt-$c"
		"$hetckpt" $c --help | grep -o -e '--[a-z][a-z-]*' | sort -u >"$dir/in-help"
		sed 's/\\-/-/g; s/^\.It Fl -/.It Fl --/' "$page" | tr ' ' '\n' | sed 's/^-\([a-z]\)/--\1/' |
			grep -o -e '--[a-z][a-z-]*' | sort -u >"$dir/in-page"
		for option in $(cat "$dir/in-help"); do
			grep -q -x -e "$option" "$dir/in-page" || fail "$page lacks $option"
		done
		for section in NAME SYNOPSIS DESCRIPTION "EXIT STATUS" EXAMPLES "SEE ALSO"; do
			grep -q "^\.Sh $section" "$page" || fail "$page has no section $section"
		done
	done
}

case $3 in
usage) HETCKPT_DEVICE="no device"; export HETCKPT_DEVICE ;;
esac
"case_$3"
[ $failures -eq 0 ] || exit 1
echo "$3: passed"
