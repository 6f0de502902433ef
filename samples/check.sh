#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# check.sh host PROGRAMS              the host's versions: loops over threads, and tuned ones
# check.sh DEVICE PROGRAMS HETCKPT    the kernels, under hetckpt run --device DEVICE
#
# Runs each line of checksums.txt and compares the checksum: it is one number for all
# devices and for the host.
set -u
where=$1 programs=$2 hetckpt=${3:-}
list=$(dirname "$0")/checksums.txt
bad=0 count=0

# check CHECKSUM COMMAND...
check() {
	wanted=$1
	shift
	count=$((count + 1))
	line=$("$@" 2>&1 < /dev/null)
	status=$?
	case $line in
	*" checksum=$wanted "*) [ $status -eq 0 ] && return ;;
	esac
	echo "$name $variant: exit status $status, not $wanted: $line" >&2
	bad=$((bad + 1))
}

while read -r name variant size repeat checksum; do
	case $name in '#'*) continue ;; esac
	set -- "$programs/$name" --variant "$variant" --size "$size" --repeat "$repeat"
	if [ "$where" != host ]; then
		check "$checksum" "$hetckpt" run --device "$where" -- "$@"
	elif [ "$name" != spinlock ]; then # which is about waiting, and has no host version
		check "$checksum" "$@" --host-bench --threads 3
		check "$checksum" "$@" --host-bench=tuned --threads 3
	fi
done < "$list"
echo "$count samples, $bad failed"
[ $bad -eq 0 ] && [ $count -gt 0 ]
