/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <cuda_runtime.h>

int from_cpp(int);
int from_cpp(int x)
{
	dim3 d(x);

	return (int)(d.x + d.y) * 10;
}
