// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The CPU holds as many blocks at once as a GPU does, so that a grid whose blocks wait for each other can move there.
// RUN: %hetcc --no-toolkit -O2 %s -o %t -Xhetckpt poll-stride=1 -Xhetckpt poll-interval=0
// RUN: env HETCKPT_CPU_THREADS=2 timeout 60 %run %t | FileCheck %s
// RUN: env HETCKPT_CPU_THREADS=2 timeout 100 %run --stress random:3:5000 %t | FileCheck %s
// RUN: env HETCKPT_CPU_THREADS=2 timeout 100 %run --stress every-poll %t | FileCheck %s
// CHECK: no error, 0 wrong
#include <cstdio>
#include <cuda_runtime.h>

constexpr int Blocks = 500, Threads = 64, Rounds = 3;

__device__ unsigned arrived;

/* Neither library nor cooperative launch: what programs wrote before there were these. */
__device__ void all_blocks(unsigned round)
{
	__syncthreads();
	if (!threadIdx.x) {
		__threadfence();
		atomicAdd(&arrived, 1u);
	}
	while (!__syncthreads_and(*(volatile unsigned *)&arrived >= (round + 1) * gridDim.x))
		;
	__threadfence();
	__syncthreads();
}

__global__ void pass_on(int *a, int *b)
{
	int n = gridDim.x * blockDim.x, i = blockIdx.x * blockDim.x + threadIdx.x;

	for (int r = 0; r < Rounds; r++) {
		int *from = r & 1 ? b : a, *to = r & 1 ? a : b;

		to[i] = from[(i + blockDim.x) % n] + 1;
		all_blocks(r);
	}
}

int main()
{
	static int host[Blocks * Threads];
	int *a, *b, wrong = 0;

	for (int i = 0; i < Blocks * Threads; i++)
		host[i] = i;
	cudaMalloc((void **)&a, sizeof host);
	cudaMalloc((void **)&b, sizeof host);
	cudaMemcpy(a, host, sizeof host, cudaMemcpyHostToDevice);
	pass_on<<<Blocks, Threads>>>(a, b);
	cudaMemcpy(host, Rounds & 1 ? b : a, sizeof host, cudaMemcpyDeviceToHost);
	for (int i = 0; i < Blocks * Threads; i++)
		wrong += host[i] != (i + Rounds * Threads) % (Blocks * Threads) + Rounds;
	std::printf("%s, %d wrong\n", cudaGetErrorString(cudaGetLastError()), wrong);
	return wrong != 0;
}
