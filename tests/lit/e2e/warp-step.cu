// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lanes of a warp that exchange values through volatile shared memory with no barrier, as
// code from before Volta does: they go in step on every device.
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
#include <cstdio>
#include <cuda_runtime.h>

__global__ void sums(const int *in, int *out, int n)
{
	__shared__ int room[96];
	volatile int *s = room;
	int t = threadIdx.x, sum = 0;

	for (int i = blockIdx.x * blockDim.x + t; i < n; i += gridDim.x * blockDim.x)
		sum += in[i];
	s[t] = sum;
	__syncthreads();
	if (t < 32) {
		s[t] += s[t + 32];
		s[t] += s[t + 16];
		s[t] += s[t + 8];
		s[t] += s[t + 4];
		s[t] += s[t + 2];
		s[t] += s[t + 1];
	}
	if (t == 0)
		out[blockIdx.x] = s[0];
}

// All lanes read before one writes.
__global__ void rotate(int *out)
{
	__shared__ volatile int s[33];
	int t = threadIdx.x;

	s[t] = t;
	for (int round = 0; round < 5; round++)
		s[t] = s[(t + 1) % 32];
	out[t] = s[t];
}

int main()
{
	constexpr int n = 10000, blocks = 5;
	static int numbers[n];
	int *in, *out, got[32], sum = 0, expected = 0, wrong = 0;

	cudaMalloc(&in, sizeof numbers);
	cudaMalloc(&out, sizeof got);
	for (int i = 0; i < n; i++)
		expected += numbers[i] = i % 1001;
	cudaMemcpy(in, numbers, sizeof numbers, cudaMemcpyHostToDevice);
	sums<<<blocks, 64>>>(in, out, n);
	cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost);
	for (int b = 0; b < blocks; b++)
		sum += got[b];
	// CHECK: sums: 0 off
	printf("sums: %d off\n", sum - expected);
	rotate<<<1, 32>>>(out);
	cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost);
	for (int t = 0; t < 32; t++)
		wrong += got[t] != (t + 5) % 32;
	// CHECK: rotate: 0 wrong
	printf("rotate: %d wrong\n", wrong);
}
