// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A program of two files has two modules, whose code is loaded side by side.
// RUN: %hetcc --no-toolkit -O2 -c -DSECOND %s -o %t.2.o
// RUN: %hetcc --no-toolkit -O2 -c %s -o %t.1.o
// RUN: %hetcc --no-toolkit %t.1.o %t.2.o -o %t
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
#include <cstdio>
#include <cuda_runtime.h>

void times_ten(int *p);

#ifdef SECOND
__global__ void multiply(int *p)
{
	p[threadIdx.x] *= 10;
}

void times_ten(int *p)
{
	multiply<<<1, 32>>>(p);
}
#else
__global__ void add(int *p)
{
	p[threadIdx.x] += 1;
}

int main()
{
	int *p, h[32];

	cudaMalloc(&p, sizeof h);
	cudaMemset(p, 0, sizeof h);
	add<<<1, 32>>>(p);
	times_ten(p);
	add<<<1, 32>>>(p);
	// CHECK: no error
	printf("%s\n", cudaGetErrorString(cudaGetLastError()));
	cudaMemcpy(h, p, sizeof h, cudaMemcpyDeviceToHost);
	// CHECK: 11
	printf("%d\n", h[31]);
}
#endif
