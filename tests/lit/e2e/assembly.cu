// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Assembly with no neutral form ends the threads that come to it, elsewhere than on the GPU
// that it was written for. Other threads, and the other kernels of the file, run.
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run %t 2>&1 | FileCheck %s
#include <cstdio>
#include <cuda_runtime.h>

__global__ void marks(int *p, bool really)
{
	if (really) {
		asm volatile("pmevent 1;");
		asm volatile("pmevent 2;");
	}
	p[threadIdx.x] = 2;
}

__global__ void plain(int *p)
{
	p[threadIdx.x] = 1;
}

int main()
{
	int *p, x = 0;

	cudaMalloc(&p, 32 * sizeof *p);
	plain<<<1, 32>>>(p);
	cudaMemcpy(&x, p, sizeof x, cudaMemcpyDeviceToHost);
	// CHECK: plain: 1
	printf("plain: %d\n", x);
	marks<<<1, 32>>>(p, false);
	cudaMemcpy(&x, p, sizeof x, cudaMemcpyDeviceToHost);
	// CHECK-NEXT: not reached: 2
	printf("not reached: %d\n", x);
	fflush(stdout);
	marks<<<1, 32>>>(p, true);
	// CHECK-DAG: inline assembly of marks(int*, bool)
	// CHECK-DAG: reached: failed
	printf("reached: %s\n", cudaDeviceSynchronize() ? "failed" : "no error");
}
