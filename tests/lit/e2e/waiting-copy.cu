// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A copy from pageable memory that waits comes after what its stream had before, and before what other streams,
// which do not wait for that one, are given next.
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run %t | FileCheck %s
#include <cstdio>
#include <cuda_runtime.h>

__constant__ int value;

__global__ void busy(int *flag, int n)
{
	int s = 0;
	for (int i = 0; i < n; i++)
		s = s * 1664525 + i;
	*flag = s | 1;
}

__global__ void look(int *out) { *out = value; }

int main()
{
	int *flag, *out, seven = 7;
	cudaStream_t other;

	cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
	cudaHostAlloc(&flag, sizeof *flag, 0);
	cudaHostAlloc(&out, sizeof *out, 0);
	*flag = 0;
	busy<<<1, 1>>>(flag, 500000000);
	cudaMemcpyToSymbol(value, &seven, sizeof seven);
	// CHECK: set
	puts(*(volatile int *)flag ? "set" : "not yet");
	look<<<1, 1, 0, other>>>(out);
	cudaStreamSynchronize(other);
	// CHECK: 7, no error
	printf("%d, %s\n", *out, cudaGetErrorString(cudaDeviceSynchronize()));
}
