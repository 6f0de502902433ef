// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A grid's barrier is a place to pause at, with the project's cooperative_groups.h and with
// NVIDIA's: blocks park while they wait for others, and go on.
// RUN: %hetcc --no-toolkit -O2 -Rpass=hetckpt %s -o %t 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: %run --stress every-poll %t | FileCheck %s
// RUN: %if cuda-toolkit %{ %hetcc -O2 -Rpass=hetckpt %s -o %t.toolkit 2>&1 | FileCheck %s --check-prefix=REMARK %}
// RUN: %if cuda-toolkit %{ %run --stress every-poll %t.toolkit | FileCheck %s %}
#include <cooperative_groups.h>
#include <cstdio>
#include <cuda_runtime.h>

namespace cg = cooperative_groups;

// REMARK: {{.*}}diffuse{{.*}} can pause: block scope
__global__ void diffuse(const int *from, int *to, int *other, int rounds)
{
	cg::grid_group grid = cg::this_grid();
	unsigned i = grid.thread_rank(), n = grid.size();

	to[i] = from[i];
	grid.sync();
	for (int round = 0; round < rounds; round++) {
		other[i] = to[i] + to[(i + 1) % n] * 3 + to[(i + n - 33) % n] * 5;
		grid.sync();
		int *swap = to;
		to = other;
		other = swap;
	}
}

int main()
{
	constexpr int threads = 64, blocks = 2, n = threads * blocks, rounds = 13;
	int start[n], now[n], next[n], *from, *to, *other, wrong = 0, count = rounds;
	void *arguments[] = {&from, &to, &other, &count};

	cudaMalloc(&from, sizeof start);
	cudaMalloc(&to, sizeof start);
	cudaMalloc(&other, sizeof start);
	for (int i = 0; i < n; i++)
		now[i] = start[i] = i * i % 97;
	cudaMemcpy(from, start, sizeof start, cudaMemcpyHostToDevice);
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < n; i++)
			next[i] = (int)((unsigned)now[i] + now[(i + 1) % n] * 3u + now[(i + n - 33) % n] * 5u);
		for (int i = 0; i < n; i++)
			now[i] = next[i];
	}
	// Twice: the barrier is as it was when a launch has ended.
	for (int launch = 0; launch < 2; launch++) {
		cudaLaunchCooperativeKernel((void *)diffuse, dim3(blocks), dim3(threads), arguments, 0, 0);
		cudaMemcpy(next, rounds % 2 ? other : to, sizeof next, cudaMemcpyDeviceToHost);
		for (int i = 0; i < n; i++)
			wrong += next[i] != now[i];
	}
	// CHECK: grid: 0 wrong, no error
	printf("grid: %d wrong, %s\n", wrong, cudaGetErrorString(cudaDeviceSynchronize()));
}
