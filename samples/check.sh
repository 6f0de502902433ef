#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# check.sh host PROGRAMS              the host's versions
# check.sh DEVICE PROGRAMS HETCKPT    the kernels, under hetckpt run --device DEVICE
#
# Runs each line of checksums.txt and compares the checksum: it is one number for all
# devices and for the host.
set -u
where=$1 programs=$2 hetckpt=${3:-}
list=$(dirname "$0")/checksums.txt
bad=0 count=0

while read -r name variant size repeat checksum; do
	case $name in '#'*) continue ;; esac
	set -- "$programs/$name" --variant "$variant" --size "$size" --repeat "$repeat"
	if [ "$where" = host ]; then
		# spinlock is about waiting: it has no host version
		[ "$name" = spinlock ] && continue
		set -- "$@" --host-bench
	fi
	count=$((count + 1))
	if [ "$where" = host ]; then
		line=$("$@" 2>&1 < /dev/null)
	else
		line=$("$hetckpt" run --device "$where" -- "$@" 2>&1 < /dev/null)
	fi
	status=$?
	case $line in
	*" checksum=$checksum "*) [ $status -eq 0 ] && continue ;;
	esac
	echo "$name $variant: exit status $status, not $checksum: $line" >&2
	bad=$((bad + 1))
done < "$list"
echo "$count samples, $bad failed"
[ $bad -eq 0 ] && [ $count -gt 0 ]
