// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One lane of a warp gets something and tells the others, whose own variable has no value yet.
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// RUN: %if cuda-toolkit %{ %hetcc -O2 %s -o %t.toolkit %}
// RUN: %if cuda-toolkit %{ %run %t.toolkit | FileCheck %s %}
#include <cstdio>
#include <cuda_runtime.h>

__device__ int next;
__device__ unsigned long long wide;

// Warps take work from a counter until there is none.
__global__ void take(int *done, int n)
{
	int lane = threadIdx.x % 32, at;

	if (lane == 0)
		at = atomicAdd(&next, 1);
	at = __shfl_sync(0xffffffffu, at, 0);
	while (at < n) {
		atomicAdd(&done[at], lane + 1);
		if (lane == 0)
			at = atomicAdd(&next, 1);
		at = __shfl_sync(0xffffffffu, at, 0);
	}
}

template <class T> static __device__ T first(T value)
{
	return __shfl_sync(0xffffffffu, value, 0);
}

__global__ void other_types(float *out)
{
	int lane = threadIdx.x % 32;
	unsigned long long big;
	float real;
	double accurate;

	if (lane == 0) {
		big = atomicAdd(&wide, 1ULL << 40);
		real = (float)big * 0.25f;
		accurate = (double)big + 0.5;
	}
	big = first(big);
	real = first(real);
	accurate = first(accurate);
	out[threadIdx.x] = (float)(big >> 40) + real + (float)accurate;
}

int main()
{
	const int n = 200;
	int *done, h[n], wrong = 0, end = 0;
	float *out, o[32];
	unsigned long long w;

	cudaMalloc(&done, sizeof h);
	cudaMemset(done, 0, sizeof h);
	take<<<3, 64>>>(done, n);
	cudaMemcpy(h, done, sizeof h, cudaMemcpyDeviceToHost);
	cudaMemcpyFromSymbol(&end, next, sizeof end);
	for (int i = 0; i < n; i++)
		wrong += h[i] != 32 * 33 / 2;
	// CHECK: 0 wrong, 206 taken
	printf("%d wrong, %d taken\n", wrong, end);

	cudaMalloc(&out, sizeof o);
	other_types<<<1, 32>>>(out);
	cudaMemcpy(o, out, sizeof o, cudaMemcpyDeviceToHost);
	cudaMemcpyFromSymbol(&w, wide, sizeof w);
	wrong = 0;
	for (int i = 0; i < 32; i++)
		wrong += o[i] != 0.5f;
	// CHECK: 0 wrong, 1
	printf("%d wrong, %llu\n", wrong, w >> 40);
	return cudaDeviceSynchronize();
}
