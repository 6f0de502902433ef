#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# exact.sh HETCKPT DEVICE PROGRAM EXPECTED - runs the program on a device; same output.
set -u
got=$(mktemp)
trap 'rm -f "$got"' EXIT
"$1" run --device "$2" -- "$3" > "$got" || exit 1
diff "$4" "$got"
