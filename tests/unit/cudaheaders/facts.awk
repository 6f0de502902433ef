# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Enumerators and flags of driver_types.h to lines of C that print their values.
/^enum / { inside = 1 }
inside || /^\t/ {
	line = $0
	while (match(line, /cuda[A-Za-z0-9]+ = [-0-9x]+/)) {
		split(substr(line, RSTART, RLENGTH), part, " ")
		if (part[1] != "cudaMemLocationTypeInvalid")
			print "NUMBER(" part[1] ")"
		line = substr(line, RSTART + RLENGTH)
	}
}
/^};/ { inside = 0 }
/^#define cuda[A-Za-z0-9]+ (0x|\(\(int)/ { print "NUMBER(" $2 ")" }
