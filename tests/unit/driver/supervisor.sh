#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Sessions with a stand-in worker: supervisor.sh PREFIX CASE
set -u
prefix=$1
hetckpt=$prefix/bin/hetckpt
app=$prefix/bin/fake-app
dir=$(mktemp -d) || exit 1
HETCKPT_RUNTIME_DIR=$dir/run
export HETCKPT_RUNTIME_DIR
unset HETCKPT_DEVICE
# The application is part of the sanitized build, but what it preloads is not.
ASAN_OPTIONS=verify_asan_link_order=0
export ASAN_OPTIONS
pids=
failures=0

cleanup() {
	for p in $pids; do kill "$p" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT

fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }
# is WHAT EXPECTED ACTUAL
is() { [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"; }
# has WHAT FILE WORDS
has() { grep -q -e "$3" "$2" || fail "$1: no '$3' in: $(cat "$2")"; }
# until COMMAND...: waits until it succeeds, ten seconds at most
until_ok() {
	n=0
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		[ $n -gt 200 ] && { fail "never happened: $*"; return 1; }
		sleep 0.05
	done
}
# start NAME DEVICE [OPTIONS]: an application that waits for input, in the background
start() {
	name=$1 device=$2
	shift 2
	rm -f "$dir/$name.out" # of an earlier one of this name
	mkfifo "$dir/$name.in"
	"$hetckpt" run --quiet --device "$device" --name "$name" "$@" -- "$app" wait \
		<"$dir/$name.in" >"$dir/$name.out" 2>"$dir/$name.err" &
	eval "pid_$name=$!"
	pids="$pids $!"
	exec 8>"$dir/$name.in"
	until_ok grep -q attached "$dir/$name.out" || cat "$dir/$name.err" >&2
}
# finish NAME STATUS: ends its input and compares its exit status
finish() {
	# it may have ended already
	(trap '' PIPE; echo >&8) 2>/dev/null
	exec 8>&-
	eval "wait \$pid_$1"
	is "status of $1" "$2" $?
	is "folders left by $1" "" "$(ls "$HETCKPT_RUNTIME_DIR")"
}
# A fact of a session: fact NAME JSON-KEY
fact() { "$hetckpt" inspect --json "$1" | sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" | head -n 1; }

case_run() {
	"$hetckpt" run -q --device fake:0 -- sh -c 'exit 7'; is "exit status" 7 $?
	"$hetckpt" run -q --device fake:0 -- sh -c 'kill -TERM $$'; is "signal status" 143 $?
	"$hetckpt" run -q --device fake:0 -- "$dir/nothing" 2>"$dir/e"; is "no program" 127 $?
	has "no program" "$dir/e" "$dir/nothing: no such program"
	echo text >"$dir/plain"
	"$hetckpt" run -q --device fake:0 -- "$dir/plain" 2>"$dir/e"; is "not executable" 126 $?
	printf '#!/no/such/interpreter\n' >"$dir/script"; chmod +x "$dir/script"
	"$hetckpt" run -q --device fake:0 -- "$dir/script" 2>"$dir/e"; is "no interpreter" 126 $?
	"$hetckpt" run -q --device missing:0 -- true 2>"$dir/e"; is "no device" 125 $?
	has "no device" "$dir/e" "there is no such device"
	is "folders left" "" "$(ls "$HETCKPT_RUNTIME_DIR")"
	# the default device is the worker's choice
	is "default device" fake:0 "$("$hetckpt" run -q -- sh -c 'sed -n "s/.*\"device\": \"\(.*\)\",/\1/p" "${HETCKPT_SESSION%/*}/session.json"')"
	is "chosen device" fake:3 "$(HETCKPT_DEVICE=fake:3 "$hetckpt" run -q -- sh -c 'sed -n "s/.*\"device\": \"\(.*\)\",/\1/p" "${HETCKPT_SESSION%/*}/session.json"')"
	# environment, standard input and output
	is "env" "a b" "$(X=b "$hetckpt" run -q --device fake:0 -e Y=a --env X -- sh -c 'echo "$Y $X"')"
	is "input" hello "$(echo hello | "$hetckpt" run -q --device fake:0 -- cat)"
	# the CUDA runtime of the prefix is preloaded for programs that need it
	is "cudart" "cudart says 42, session is set" "$("$hetckpt" run -q --device fake:0 -- "$prefix/bin/fake-cuda-app")"
	"$prefix/bin/fake-cuda-app" >/dev/null 2>&1 && fail "the application found a runtime without hetckpt"
	"$hetckpt" run --device fake:0 -- true 2>"$dir/e"
	has "warning" "$dir/e" "does not need libcudart.so"
	# signals that are sent to hetckpt alone reach the program
	"$hetckpt" run -q --device fake:0 --name sig -- sh -c 'trap "exit 33" USR1; echo up; while :; do sleep 0.1; done' >"$dir/sig.out" &
	pid=$!
	pids="$pids $pid"
	until_ok grep -q up "$dir/sig.out"
	kill -USR1 $pid
	wait $pid; is "forwarded signal" 33 $?
	# SIGPIPE kills the program as it would without hetckpt
	"$hetckpt" run -q --device fake:0 -- sh -c 'yes; exit $?' 2>/dev/null | head -n 1 >/dev/null
	# where the time goes, told by every process from one origin
	HETCKPT_TIMELINE=$dir/timeline "$hetckpt" run -q --device fake:0 -- sh -c 'echo "$HETCKPT_TIMELINE_ORIGIN"' >"$dir/o"
	has "timeline" "$dir/o" '^[1-9]'
	has "timeline" "$dir/timeline" "	supervisor	waits for the worker"
	has "timeline" "$dir/timeline" "	supervisor	the worker ends"
	is "its lines" "" "$(awk -F '\t' 'NF != 4 || $1 < 0 || $1 > 60000' "$dir/timeline")"
	# stress is passed on; a worker that cannot do it is a failure
	"$hetckpt" run -q --device fake:0 --stress random:5:200 -- true; is "stress" 0 $?
}

case_session() {
	start one fake:0
	is "listed" one "$("$hetckpt" ps | awk 'NR == 2 { print $2 }')"
	id=$("$hetckpt" ps -q)
	is "json" "$id" "$(fact one id)"
	is "state" running "$(fact one state)"
	"$hetckpt" run -q --device fake:0 --name one -- true 2>"$dir/e"; is "name taken" 125 $?
	has "name taken" "$dir/e" "has the name 'one' already"
	"$hetckpt" pause "$(echo "$id" | cut -c 1-5)" >"$dir/o"; is "pause by prefix" 0 $?
	has "pause" "$dir/o" "3 blocks parked"
	is "state" paused "$(fact one state)"
	"$hetckpt" pause one >"$dir/o"; is "pause again" 0 $?
	has "pause again" "$dir/o" "already"
	"$hetckpt" resume "$(fact one pid)" >"$dir/o"; is "resume by process id" 0 $?
	is "state" running "$(fact one state)"
	"$hetckpt" resume one >"$dir/o"
	has "resume again" "$dir/o" "already"
	"$hetckpt" pause nobody 2>"$dir/e"; is "no session" 3 $?
	# control characters of a device's name do not reach the terminal
	"$hetckpt" inspect one >"$dir/o"
	has "inspect" "$dir/o" "?\[31mred"
	# two tools at once: all of them are served
	for i in 1 2 3 4 5 6; do
		"$hetckpt" pause one >/dev/null & a=$!
		"$hetckpt" resume one >/dev/null & b=$!
		"$hetckpt" ps >/dev/null & c=$!
		wait $a || fail "pause at once"
		wait $b || fail "resume at once"
		wait $c || fail "ps at once"
	done
	finish one 0
	# a killed supervisor leaves a folder, which the next listing removes
	start two fake:0
	kill -KILL "$pid_two"; wait "$pid_two" 2>/dev/null
	until_ok test -z "$("$hetckpt" ps -q)"
	is "stale folder" "" "$(ls "$HETCKPT_RUNTIME_DIR")"
	exec 8>&-
	# one process after the other may use a session
	"$hetckpt" run -q --device fake:0 -- sh -c "$app attach && $app attach" >"$dir/o"; is "twice" 0 $?
	is "twice" 2 "$(grep -c attached "$dir/o")"
	"$hetckpt" run -q --device fake:0 -- sh -c "$app wait & sleep 0.7; $app attach; s=\$?; kill \$!; exit \$s" </dev/null >"$dir/o" 2>"$dir/e"
	is "after one that ended" 0 $?
}

# via SESSION WAY DEVICE: the way that a migration took
via() {
	"$hetckpt" migrate "$1" --via "$2" --to "$3" --json | sed -n 's/.*"via": "\([a-z]*\)".*/\1/p'
}

# staged ARGUMENT...: whether a checkpoint went through the stage
staged() {
	"$hetckpt" checkpoint "$@" --json | sed -n 's/.*"staged": \([a-z]*\).*/\1/p'
}

case_migrate() {
	start m fake:0
	worker=$(fact m worker_pid)
	"$hetckpt" migrate m --to fake:1 >"$dir/o"; is "migrate" 0 $?
	has "migrate" "$dir/o" "fake:0 -> fake:1"
	is "device" fake:1 "$(fact m device)"
	is "state" running "$(fact m state)"
	is "number" 2 "$(fact m number)"
	[ "$(fact m worker_pid)" = "$worker" ] && fail "the worker was not replaced"
	kill -0 "$worker" 2>/dev/null && fail "the source still lives"
	"$hetckpt" inspect --json m | tr -d ' \n' >"$dir/o"
	has "module handed over" "$dir/o" '"modules_held":\[5\]'
	# a target that fails at each step: the session goes on where it was
	for target in missing badload crashload badhand badprepare badresume; do
		"$hetckpt" migrate m --to $target:0 >"$dir/o" 2>"$dir/e"; is "to $target" 1 $?
		is "device after $target" fake:1 "$(fact m device)"
		is "state after $target" running "$(fact m state)"
	done
	has "reason" "$dir/e" "cannot resume that"
	"$hetckpt" pause m >/dev/null; "$hetckpt" resume m >/dev/null; is "still works" 0 $?
	# by each way, and on where one cannot be had
	is "via stage" stage "$(via m stage fake:1)"
	is "via file" file "$(via m file fake:2)"
	is "no stage there" file "$(via m auto nostage:0)"
	is "no stage here" file "$(via m stage fake:1)"
	is "peers that are none" stage "$(via m peer fake:2)"
	is "to a peer" stage "$(via m auto peer:0)"
	is "no way to it" stage "$(via m auto noreach:0)"
	is "to a peer" stage "$(via m auto peer:0)"
	is "from peer to peer" peer "$(via m auto peer:1)"
	is "not if it is not asked for" stage "$(via m stage peer:0)"
	is "state" running "$(fact m state)"
	# its memory is on the source's device alone: nothing of it is lost when the target fails
	count=$(fact m number)
	"$hetckpt" migrate m --to badresume:0 2>"$dir/e"; is "from a peer to badresume" 1 $?
	is "device" peer:0 "$(fact m device)"
	is "state" running "$(fact m state)"
	is "number" $((count + 1)) "$(fact m number)"
	"$hetckpt" migrate m --to fake:2 --via pigeon 2>"$dir/e"; is "no such way" 2 $?
	has "no such way" "$dir/e" "via pigeon: not"
	# a paused session stays paused
	"$hetckpt" pause m >/dev/null
	"$hetckpt" migrate m --to fake:2 >/dev/null; is "migrate paused" 0 $?
	is "state" paused "$(fact m state)"
	"$hetckpt" resume m >/dev/null; is "resume there" 0 $?
	"$hetckpt" migrate m --to 'fake 2' 2>/dev/null; is "bad device" 2 $?
	finish m 0
	# kernels that do not park
	start s stuck:0
	"$hetckpt" migrate s --to fake:1 2>"$dir/e"; is "stuck" 1 $?
	has "stuck" "$dir/e" "kernel spin() did not park"
	is "state" running "$(fact s state)"
	finish s 0
	start g garbage:0
	"$hetckpt" migrate g --to garbage:1 >/dev/null; is "garbage" 0 $?
	finish g 0
}

case_checkpoint() {
	start c fake:0
	"$hetckpt" checkpoint c -o "$dir/a.hck" --leave-running >"$dir/o"; is "leave running" 0 $?
	is "content" "FAKE 1 host=1" "$(cat "$dir/a.hck")"
	is "state" running "$(fact c state)"
	is "remembered" "$dir/a.hck" "$(fact c path)"
	(cd "$dir" && "$hetckpt" checkpoint -R --compress none -o b.hck c >/dev/null); is "relative path" 0 $?
	test -s "$dir/b.hck" || fail "no b.hck"
	"$hetckpt" checkpoint c --leave-paused -o "$dir/b.hck" >/dev/null; is "leave paused" 0 $?
	is "state" paused "$(fact c state)"
	"$hetckpt" resume c >/dev/null
	"$hetckpt" checkpoint c -o "$dir/no/such/folder.hck" 2>"$dir/e"; is "no folder" 1 $?
	has "no folder" "$dir/e" "$dir/no/such"
	is "state" running "$(fact c state)"
	is "json" 14 "$("$hetckpt" checkpoint c -R --json -o "$dir/a.hck" | sed -n 's/.*"file_bytes": \([0-9]*\).*/\1/p')"
	is "staged" true "$(staged c -R -o "$dir/a.hck")"
	is "stage of a program that stays paused" false "$(staged c --leave-paused -o "$dir/a.hck")"
	"$hetckpt" resume c >/dev/null
	# the default ends the program
	"$hetckpt" checkpoint c -o "$dir/k.hck" >"$dir/o"; is "kill" 0 $?
	has "kill" "$dir/o" "ended"
	finish c 137
	for kind in badsnap crashsnap; do
		start d $kind:0
		"$hetckpt" checkpoint d -o "$dir/d.hck" 2>"$dir/e"; is "$kind" 1 $?
		test -e "$dir/d.hck" && fail "$kind left a file"
		is "left-overs" "" "$(ls -A "$dir" | grep hetckpt-tmp)"
		[ $kind = badsnap ] && { is "state" running "$(fact d state)"; finish d 0; }
		[ $kind = crashsnap ] && { wait "$pid_d"; is "application sees it" 9 $?; exec 8>&-; }
		rm "$dir/d.in"
	done
	# as it was started
	start d fake:0 --stage none
	is "--stage none" false "$(staged d -R -o "$dir/d.hck")"
	finish d 0
	rm "$dir/d.in"
	start d fake:0 --stage 8M
	is "--stage 8M" true "$(staged d -R -o "$dir/d.hck")"
	finish d 0
	rm "$dir/d.in" "$dir/d.hck"
	# without a stage, or with one that turns out too small, the program waits for the file
	for kind in nostage nocapture; do
		start d $kind:0
		is "$kind" false "$(staged d -R -o "$dir/$kind.hck")"
		is "content" "FAKE 1 host=1" "$(cat "$dir/$kind.hck")"
		is "state" running "$(fact d state)"
		finish d 0
		rm "$dir/d.in"
	done
	# writing fails while the program runs already
	for kind in badwrite crashwrite; do
		start d $kind:0
		"$hetckpt" checkpoint d -R -o "$dir/d.hck" 2>"$dir/e"; is "$kind" 1 $?
		test -e "$dir/d.hck" && fail "$kind left a file"
		is "left-overs" "" "$(ls -A "$dir" | grep hetckpt-tmp)"
		[ $kind = badwrite ] && { is "state" running "$(fact d state)"; finish d 0; }
		[ $kind = crashwrite ] && { wait "$pid_d"; is "application sees it" 9 $?; exec 8>&-; }
		rm "$dir/d.in"
	done
	# an interrupted tool leaves no file and does not kill
	start w slow:0
	"$hetckpt" checkpoint w -o "$dir/w.hck" >/dev/null 2>&1 & tool=$!
	busy() { [ "$(fact w operation)" = checkpoint ]; }
	until_ok busy
	"$hetckpt" ps >"$dir/o"; has "ps while busy" "$dir/o" checkpoint
	kill -INT $tool 2>/dev/null; kill -KILL $tool; wait $tool 2>/dev/null
	"$hetckpt" resume w >"$dir/o"; is "resume waits" 0 $?
	is "state" running "$(fact w state)"
	test -e "$dir/w.hck" && fail "an interrupted checkpoint left a file"
	finish w 0
}

case_restore() {
	echo "FAKE 40" >"$dir/r.hck"
	"$hetckpt" restore "$dir/r.hck" --device fake:0 --export "$dir/out" >"$dir/o" 2>"$dir/e"; is "restore" 0 $?
	is "result" 41 "$(cat "$dir/out/result")"
	has "restore" "$dir/o" "results are in $dir/out"
	"$hetckpt" restore -q "$dir/r.hck" --device fake:0 --export "$dir/out" --json >"$dir/o"; is "restore json" 0 $?
	has "restore json" "$dir/o" '"export": '
	echo "nonsense" >"$dir/bad.hck"
	"$hetckpt" restore -q "$dir/bad.hck" --device fake:0 --export "$dir/out2" 2>"$dir/e"; is "damaged" 4 $?
	has "damaged" "$dir/e" "bad.hck: damaged"
	"$hetckpt" restore -q "$dir/none.hck" --device fake:0 --export "$dir/out2" 2>"$dir/e"; is "no file" 1 $?
	"$hetckpt" restore -q "$dir/r.hck" --device missing:0 --export "$dir/out2" 2>"$dir/e"; is "no device" 1 $?
	"$hetckpt" restore -q "$dir/r.hck" --device crashload:0 --export "$dir/out2" 2>"$dir/e"; is "crash" 1 $?
	has "crash" "$dir/e" "signal 6"
	"$hetckpt" restore -q "$dir/r.hck" --device fake:0 --export /proc/nothing 2>"$dir/e"; is "bad directory" 1 $?
	[ ! -e "$dir/out2" ]; is "no folder is left" 0 $?
	"$hetckpt" restore -q "$dir/r.hck" --device fake:0 --export "$dir/r.hck" 2>"$dir/e"; is "a file as folder" 1 $?
	has "a file as folder" "$dir/e" "r.hck: is no folder"
	"$hetckpt" inspect "$dir/out" 2>"$dir/e"; is "inspect of a folder" 1 $?
	has "inspect of a folder" "$dir/e" "$dir/out: is a folder"
	is "folders left" "" "$(ls "$HETCKPT_RUNTIME_DIR")"
}

case_failures() {
	# the worker is killed: the application hears of it, with the way back
	start f fake:0
	"$hetckpt" checkpoint f -R -o "$dir/f.hck" >/dev/null
	kill -KILL "$(fact f worker_pid)"
	eval 'wait $pid_f'; is "application sees it" 9 $?
	has "application" "$dir/f.err" "killed by signal 9"
	has "way back" "$dir/f.err" "hetckpt restore $dir/f.hck --export DIR"
	exec 8>&-
	rm "$dir/f.in"
	start f fault:0
	"$hetckpt" pause f 2>"$dir/e"; is "fault" 1 $?
	has "fault" "$dir/e" "the device fell over"
	eval 'wait $pid_f'; is "application sees it" 9 $?
	exec 8>&-
	# a session whose device is lost refuses, with the reason, and says it in ps
	"$hetckpt" run -q --device fake:0 --name lost -- sleep 30 2>/dev/null & pid=$!
	pids="$pids $pid"
	until_ok "$hetckpt" inspect lost
	kill -KILL "$(fact lost worker_pid)"
	until_ok sh -c "'$hetckpt' ps | grep -q failed"
	"$hetckpt" pause lost 2>"$dir/e"; is "pause of a lost session" 1 $?
	has "pause of a lost session" "$dir/e" "there is no checkpoint"
	"$hetckpt" migrate lost --to fake:1 2>"$dir/e"; is "migrate of a lost session" 1 $?
	kill -TERM $pid; wait $pid; is "ended" 143 $?
	# the program starts while the device is being opened, and is ended if that fails
	"$hetckpt" run -q --device mute:0 -- sh -c 'echo begun; exec sleep 30' >"$dir/o" 2>/dev/null & pid=$!
	pids="$pids $pid"
	until_ok grep -q begun "$dir/o"
	is "state" starting "$(fact "$("$hetckpt" ps -q)" state)"
	kill -TERM $pid; wait $pid; is "given up" 125 $?
	"$hetckpt" run -q --device missing:0 -- sleep 30 2>"$dir/e"; is "refused" 125 $?
	is "told once" 1 "$(wc -l <"$dir/e")"
	"$hetckpt" run -q --device late:0 -- "$app" wait 2>"$dir/e"; is "refused when it attaches" 125 $?
	is "told once" 1 "$(wc -l <"$dir/e")"
	"$hetckpt" run -q --device late:0 -- sh -c "trap '' TERM; $app wait" 2>"$dir/e"; is "refused all the same" 125 $?
	has "the program is told" "$dir/e" "app: there is no such device"
	is "folders left" "" "$(ls "$HETCKPT_RUNTIME_DIR")"
	# a worker that never opens its device can be given up on
	"$hetckpt" run -q --device mute:0 -- true 2>/dev/null & pid=$!
	pids="$pids $pid"
	until_ok sh -c "ls '$HETCKPT_RUNTIME_DIR'/*/control.sock"
	sleep 0.3
	kill -TERM $pid; wait $pid; is "given up" 125 $?
	is "folders left" "" "$(ls "$HETCKPT_RUNTIME_DIR")"
}

"case_$2"
[ $failures -eq 0 ] || exit 1
echo "$2: passed"
