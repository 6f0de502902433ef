# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# clang's forward declarations of device mathematics to a kernel that takes the address
# of each: one that nobody defines stays as an external function in the PTX.
BEGIN { print "#include <cmath>\n__global__ void all(void **out)\n{" }
/^__DEVICE__ .*\);/ && !/long double/ {
	sub(/^__DEVICE__ /, "")
	sub(/^constexpr /, "")
	sub(/\);.*/, "")
	open = index($0, "(")
	head = substr($0, 1, open - 1)
	arguments = substr($0, open + 1)
	match(head, /[a-z0-9_]+$/)
	name = substr(head, RSTART)
	result = substr(head, 1, RSTART - 1)
	print "\t{ " result "(*f)(" arguments ") = &" name "; out[" n++ "] = (void *)f; }"
}
END { print "}" }
