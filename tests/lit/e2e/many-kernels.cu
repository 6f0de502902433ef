// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Of a file with many kernels, the CPU gets code for those that are launched.
// RUN: rm -rf %t.cache %t.run
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run --stress every-poll %t | FileCheck %s
// RUN: mkdir %t.cache
// RUN: %python -c "import os, sys; os.mkdir(sys.argv[1], 0o700)" %t.run
// RUN: cd %t.run
// RUN: env HETCKPT_RUNTIME_DIR=. HETCKPT_CACHE_DIR=%t.cache %hetckpt run -q --device cpu:0 %t > %t.out
// RUN: FileCheck %s < %t.out
// RUN: ls %t.cache | grep -c hckcode > %t.count
// RUN: FileCheck %s --check-prefix=CODE < %t.count
#include <cstdio>
#include <cuda_runtime.h>

__device__ int calls;

template <int N> __global__ void step(int *p, int rounds)
{
	__shared__ int sum;

	if (threadIdx.x == 0)
		sum = 0;
	__syncthreads();
	for (int i = 0; i < rounds; i++) {
		atomicAdd(&sum, N);
		__syncthreads();
	}
	if (threadIdx.x == 0) {
		atomicAdd(&calls, 1);
		*p += sum;
	}
}

int main(int argc, char **)
{
	void (*const kernels[])(int *, int) = {step<1>, step<2>, step<3>, step<4>, step<5>, step<6>,
	                                      step<7>, step<8>, step<9>, step<10>, step<11>, step<12>};
	int *p, h = 0, n = 0;

	cudaMalloc(&p, sizeof h);
	cudaMemset(p, 0, sizeof h);
	for (int round = 0; round < 2; round++)
		for (int k = 2; k < 12; k += 4)
			kernels[k]<<<1, 64>>>(p, 100 * argc);
	cudaMemcpy(&h, p, sizeof h, cudaMemcpyDeviceToHost);
	cudaMemcpyFromSymbol(&n, calls, sizeof n);
	// CHECK: 268800 6: no error
	printf("%d %d: %s\n", h, n, cudaGetErrorString(cudaDeviceSynchronize()));
}

// CODE: {{^}}3{{$}}
