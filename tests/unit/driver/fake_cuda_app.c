/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Needs libcudart.so.13, which the loader only finds if it was preloaded. */
#include <stdio.h>
#include <stdlib.h>

int hetckpt_test_cudart(void);

int main(void)
{
	printf("cudart says %d, session %s\n", hetckpt_test_cudart(),
	       getenv("HETCKPT_SESSION") ? "is set" : "is missing");
	return 0;
}
