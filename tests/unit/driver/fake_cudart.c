/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
int hetckpt_test_cudart(void);
int hetckpt_test_cudart(void)
{
	return 42;
}
