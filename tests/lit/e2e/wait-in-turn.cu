// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Threads that wait for threads of later blocks in a loop that all of a block go round together,
// done or not: on the CPU, too, those they wait for must get a turn.
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
#include <cstdio>
#include <cuda_runtime.h>

// Cell k is ready when 2k + 1 and 2k + 2 have been counted, which later blocks do.
__global__ void tree(volatile int *count, int n)
{
	int k = blockIdx.x * blockDim.x + threadIdx.x;

	while (k < n) {
		int left = 2 * k + 1 < n ? count[2 * k + 1] : 0, right = 2 * k + 2 < n ? count[2 * k + 2] : 0;

		if (left >= 0 && right >= 0) {
			count[k] = left + right + 1;
			k += gridDim.x * blockDim.x;
		}
		__syncthreads();
	}
}

int main()
{
	const int n = 512;
	int *count, h[n];

	cudaMalloc(&count, sizeof h);
	cudaMemset(count, 0xff, sizeof h);
	tree<<<8, 64>>>(count, n);
	cudaMemcpy(h, count, sizeof h, cudaMemcpyDeviceToHost);
	// CHECK: 512 255 1
	printf("%d %d %d\n", h[0], h[2], h[n - 1]);
	return cudaDeviceSynchronize();
}
