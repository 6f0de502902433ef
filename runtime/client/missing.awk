# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Turns a list of names into weak functions that say that they are not supported. Those that
# the library implements replace them when it is linked, so no second list has to agree.
BEGIN {
	print "/* Made from " list " by missing.awk. */"
	print "#include <stdbool.h>"
	print "extern int client_missing(const char *name, bool *said);"
}
/^[A-Za-z_]/ {
	print "int " $1 "(void);"
	print "__attribute__((weak, visibility(\"default\"))) int " $1 "(void)"
	print "{"
	print "\tstatic bool said;"
	print "\treturn client_missing(\"" $1 "\", &said);"
	print "}"
}
