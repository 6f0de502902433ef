// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions that NVIDIA's library or clang's headers write in assembly, and groups of any
// kind by one type: they run on every device, whatever the program was compiled with, and
// kernels that use them can be paused.
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run --stress every-poll %t | FileCheck %s --check-prefixes=CHECK,GROUPS
// RUN: %if cuda-toolkit %{ %hetcc -O2 -DNO_GROUPS %s -o %t.toolkit %}
// RUN: %if cuda-toolkit %{ %run --stress every-poll %t.toolkit | FileCheck %s %}
#include <cmath>
#ifndef NO_GROUPS
#include <cooperative_groups.h>
#endif
#include <cstdio>
#include <cuda_runtime.h>

__global__ void shifts(unsigned *out)
{
	unsigned i = threadIdx.x, low = 0x89abcdefu * (i + 1), high = 0x01234567u + i;

	out[4 * i] = __funnelshift_l(low, high, i);
	out[4 * i + 1] = __funnelshift_lc(low, high, i);
	out[4 * i + 2] = __funnelshift_r(low, high, i);
	out[4 * i + 3] = __funnelshift_rc(low, high, i);
}

__global__ void functions(double *out, int rounds)
{
	double x = 0.01 * (threadIdx.x + 1), sum = 0;

	for (int k = 1; k <= rounds; k++)
		sum += sin(x * k) * sin(x * k) + cos(x * k) * cos(x * k) + cbrt(x * k) * cbrt(x * k) * cbrt(x * k) / (x * k) +
		       powf((float)x, 2.0f) / (x * x) + hypot(3 * x, 4 * x) / (5 * x) + fmodf(k, 1.0f) + tanf(0.0f);
	out[threadIdx.x] = sum;
}

#ifndef NO_GROUPS
namespace cg = cooperative_groups;

__device__ int total(cg::thread_group group, int *room, int value)
{
	int rank = group.thread_rank();

	for (int half = group.size() / 2; half > 0; half /= 2) {
		room[rank] = value;
		group.sync();
		if (rank < half)
			value += room[rank + half];
		group.sync();
	}
	return value;
}

__global__ void groups(int *out)
{
	__shared__ int room[128];
	cg::thread_block block = cg::this_thread_block();
	cg::thread_block_tile<32> tile = cg::tiled_partition<32>(block);
	int all = total(block, room, threadIdx.x);
	block.sync();
	int some = total(tile, room + threadIdx.x / 32 * 32, threadIdx.x);

	if (threadIdx.x == 0)
		out[0] = all;
	if (threadIdx.x == 96)
		out[1] = some;
}
#endif

int main()
{
	unsigned shifted[4 * 40], *device_shifted;
	double sums[64], *device_sums;
	int wrong = 0;

	cudaMalloc(&device_shifted, sizeof shifted);
	cudaMalloc(&device_sums, sizeof sums);
	shifts<<<1, 40>>>(device_shifted);
	functions<<<1, 64>>>(device_sums, 1000);
	cudaMemcpy(shifted, device_shifted, sizeof shifted, cudaMemcpyDeviceToHost);
	cudaMemcpy(sums, device_sums, sizeof sums, cudaMemcpyDeviceToHost);
	for (unsigned i = 0; i < 40; i++) {
		unsigned long long both = (0x01234567ull + i) << 32 | 0x89abcdefu * (i + 1);
		unsigned wrapped = i & 31, clamped = i < 32 ? i : 32;

		wrong += shifted[4 * i] != (unsigned)(both << wrapped >> 32) ||
			 shifted[4 * i + 1] != (unsigned)(both << clamped >> 32) ||
			 shifted[4 * i + 2] != (unsigned)(both >> wrapped) ||
			 shifted[4 * i + 3] != (unsigned)(both >> clamped);
	}
	// CHECK: shifts: 0 wrong
	printf("shifts: %d wrong\n", wrong);
	wrong = 0;
	for (double sum : sums)
		wrong += !(fabs(sum - 4000) < 1e-3);
	// CHECK: functions: 0 wrong
	printf("functions: %d wrong\n", wrong);
#ifndef NO_GROUPS
	int totals[2], *device_totals;

	cudaMalloc(&device_totals, sizeof totals);
	groups<<<1, 128>>>(device_totals);
	cudaMemcpy(totals, device_totals, sizeof totals, cudaMemcpyDeviceToHost);
	// GROUPS: groups: 8128 3568
	printf("groups: %d %d\n", totals[0], totals[1]);
#endif
	// CHECK: no error
	printf("%s\n", cudaGetErrorString(cudaDeviceSynchronize()));
}
