// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Device code that is in another file is named, for people.
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run %t 2>&1 | FileCheck %s --check-prefixes=CHECK,CALL
// RUN: %hetcc --no-toolkit -O2 -DVARIABLE %s -o %t
// RUN: %run %t 2>&1 | FileCheck %s --check-prefixes=CHECK,VARIABLE
#include <cstdio>
#include <cuda_runtime.h>

#ifdef VARIABLE
extern __device__ int scale;
static __device__ int other(int x) { return x * scale; }
#else
__device__ int other(int x);
#endif

__global__ void apply(int *p)
{
	p[threadIdx.x] = other(p[threadIdx.x]);
}

int main()
{
	int *p;

	cudaMalloc(&p, 128);
	cudaMemset(p, 0, 128);
	apply<<<1, 32>>>(p);
	// CALL-DAG: call of other(int), which is in another file: files' device code cannot be linked together
	// VARIABLE-DAG: variable scale is not in the state map; if it is in another file: files' device code cannot be linked together
	cudaError_t launch = cudaGetLastError(), end = cudaDeviceSynchronize();
	// CHECK-DAG: {{^}}failed
	printf("%s\n", launch || end ? "failed" : "fine");
}
