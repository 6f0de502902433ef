#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# quickstart.sh ROOT - the command line of tools/quickstart, what it does where packages
# cannot be installed, and how it counts: never a skipped test as passed, never a test
# that did not start as skipped.
set -uo pipefail

root=$1
quickstart=$root/tools/quickstart
work=$(mktemp -d /tmp/hetckpt-quickstart.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0

# expect STATUS TEXT COMMAND...: exit status, and TEXT in what is printed
expect() {
	local status=$1 text=$2 got
	shift 2
	"$@" >"$work/out" 2>&1
	got=$?
	if [ "$got" -ne "$status" ] || ! grep -qF -- "$text" "$work/out"; then
		echo "FAIL: $*: status $got instead of $status, or no '$text' in:"
		cat "$work/out"
		bad=1
	fi
}

expect 0 "tools/quickstart COMMAND" "$quickstart" --help
expect 2 "tools/quickstart COMMAND" "$quickstart"
expect 2 "fly: unknown command" "$quickstart" fly
expect 2 "--wings: unknown option" "$quickstart" demo --wings
expect 2 "only one command" "$quickstart" demo test
expect 2 "--build: value missing" "$quickstart" test --build
expect 2 "-j 0: not a number" "$quickstart" test -j 0
expect 2 "--seconds is for demo" "$quickstart" test --seconds 3
expect 2 "--seconds soon: not a number" "$quickstart" demo --seconds soon
expect 0 "clang-22" "$quickstart" packages

# Another system: no dpkg-query, no apt-get.
mkdir "$work/bin"
for tool in bash env dirname mkdir cat id nproc awk; do
	ln -s "$(command -v $tool)" "$work/bin/$tool"
done
expect 1 "this is no Debian system" env PATH="$work/bin" bash "$quickstart" build
expect 1 "cmake is missing" env PATH="$work/bin" bash "$quickstart" build --no-packages
expect 1 "0 passed, 0 failed, 0 skipped" env PATH="$work/bin" bash "$quickstart" test --no-packages

# A Debian system where nothing is installed and nobody may: the packages are named.
printf '#!/bin/bash\nexit 1\n' >"$work/bin/dpkg-query"
printf '#!/bin/bash\nexit 0\n' >"$work/bin/apt-get"
rm "$work/bin/id"
printf '#!/bin/bash\necho 1000\n' >"$work/bin/id"
chmod +x "$work/bin/dpkg-query" "$work/bin/apt-get" "$work/bin/id"
expect 1 "needs root" env PATH="$work/bin" bash "$quickstart" build
grep -q "apt-get install .*llvm-22-dev" "$work/out" || { echo "FAIL: packages are not named"; bad=1; }

# Counting, with a tree whose tests end in every way that there is.
if command -v ctest >/dev/null; then
	mkdir "$work/tree"
	cat >"$work/tree/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.25)
project(ways NONE)
enable_testing()
add_test(NAME passes COMMAND true)
add_test(NAME fails COMMAND sh -c "echo '<testcase status=\"run\">'; exit 3")
add_test(NAME absent COMMAND /nonexistent/program)
add_test(NAME skips COMMAND sh -c "exit 77")
set_tests_properties(skips PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME says-so COMMAND echo SKIPPED)
set_tests_properties(says-so PROPERTIES SKIP_REGULAR_EXPRESSION SKIPPED)
add_test(NAME off COMMAND true)
set_tests_properties(off PROPERTIES DISABLED ON)
add_test(NAME slow COMMAND sleep 30)
set_tests_properties(slow PROPERTIES TIMEOUT 1)
EOF
	cmake -S "$work/tree" -B "$work/tree/build" -G Ninja >"$work/out" 2>&1 || { cat "$work/out"; bad=1; }
	# The functions that count, as they are in the script.
	sed -n '/^say()/p; /^# ---- Tests/,/^# ---- What was asked for/p' "$quickstart" >"$work/functions"
	count() {
		bash -c "set -uo pipefail; build=$1; . $work/functions; run_tests"
	}
	expect 1 "1 passed, 3 failed, 3 skipped" count "$work/tree/build"
	tail -n 1 "$work/out" | grep -qx "1 passed, 3 failed, 3 skipped" || { echo "FAIL: the count is not the last line"; bad=1; }
	# No tests at all is a failure too, and so are only skipped ones.
	printf 'cmake_minimum_required(VERSION 3.25)\nproject(none NONE)\nenable_testing()\n' >"$work/tree/CMakeLists.txt"
	cmake -S "$work/tree" -B "$work/tree/none" -G Ninja >"$work/out" 2>&1
	expect 1 "0 passed, 0 failed, 0 skipped" count "$work/tree/none"
	printf 'add_test(NAME off COMMAND true)\nset_tests_properties(off PROPERTIES DISABLED ON)\n' >>"$work/tree/CMakeLists.txt"
	cmake -S "$work/tree" -B "$work/tree/none" >"$work/out" 2>&1
	expect 1 "0 passed, 0 failed, 1 skipped" count "$work/tree/none"
else
	echo "FAIL: ctest is missing"
	bad=1
fi
[ "$bad" -eq 0 ] && echo "all as expected"
exit $bad
