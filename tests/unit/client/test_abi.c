/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The client's idea of CUDA's names, values and layouts against the toolkit's headers. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/client/abi.h"

int main(void)
{
	unsigned wrong = abi_ours_count != abi_toolkit_count;

	for (unsigned i = 0; i < abi_ours_count && !wrong; i++)
		if (strcmp(abi_ours[i].name, abi_toolkit[i].name))
			wrong++;
	for (unsigned i = 0; i < abi_ours_count && i < abi_toolkit_count; i++) {
		if (abi_ours[i].value == abi_toolkit[i].value)
			continue;
		fprintf(stderr, "%s: %lld, in the toolkit %lld\n", abi_ours[i].name, abi_ours[i].value,
		        abi_toolkit[i].value);
		wrong++;
	}
	printf("%u facts, %u wrong\n", abi_ours_count, wrong);
	return wrong || abi_ours_count < 300;
}
