// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Assembly by which threads notice each other, in the ways of CUB and libcu++: warp
// operations with a predicate, atomics and flags with an order, a block's barrier and ids,
// bytes, and sums that are taken or not.
// The kernels can be paused, blocks that wait for each other too, and run on any device.
// RUN: %hetcc --no-toolkit -O2 --arch=sm_90 -Xhetckpt poll-stride=2 -Xhetckpt poll-interval=0 -Rpass=hetckpt %s -o %t 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: %run --stress every-poll %t | FileCheck %s
#include <cstdio>
#include <cuda_runtime.h>

// REMARK-DAG: {{.*}}scan{{.*}} can pause: block scope
// REMARK-DAG: {{.*}}chain{{.*}} can pause: thread scope
// REMARK-DAG: {{.*}}chain_of_pairs{{.*}} can pause: thread scope
// REMARK-DAG: {{.*}}sum{{.*}} can pause: warp scope
// REMARK-DAG: {{.*}}bytes{{.*}} can pause: thread scope
// REMARK-DAG: {{.*}}votes{{.*}} can pause: warp scope

__device__ int add_from_below(int x, int distance)
{
	int y;

	asm volatile("{ .reg .s32 r; .reg .pred p; shfl.sync.up.b32 r|p, %1, %2, 0, 0xffffffff;"
	             " @p add.s32 r, r, %1; @!p mov.s32 r, %1; mov.s32 %0, r; }"
	             : "=r"(y)
	             : "r"(x), "r"(distance));
	return y;
}

// Sums of a block's numbers up to each, a warp at a time.
__global__ void scan(int *data, int rounds)
{
	__shared__ int sums[8];
	int thread, block, width;

	asm("mov.u32 %0, %%tid.x;" : "=r"(thread));
	asm("mov.u32 %0, %%ctaid.x;" : "=r"(block));
	asm("mov.u32 %0, %%ntid.x;" : "=r"(width));
	for (int round = 0; round < rounds; round++) {
		int x = data[block * width + thread];

		for (int d = 1; d < 32; d *= 2)
			x = add_from_below(x, d);
		if (thread % 32 == 31)
			sums[thread / 32] = x;
		asm volatile("bar.sync 0;" ::: "memory");
		for (int w = 0; w < thread / 32; w++)
			x += sums[w];
		asm volatile("barrier.sync.aligned 0, %0;" ::"r"(width) : "memory");
		data[block * width + thread] = round + 1 < rounds ? 1 : x;
	}
}

// Each block waits for the one before it: a flag and a value in one word of two halves.
__global__ void chain(uint2 *state, int *order)
{
	unsigned flag = 0, value = 0, ticket;
	unsigned block = blockIdx.x;

	while (block && !flag)
		asm volatile("ld.relaxed.gpu.v2.u32 {%0, %1}, [%2];"
		             : "=r"(flag), "=r"(value)
		             : "l"(&state[block - 1])
		             : "memory");
	asm volatile("atom.add.acq_rel.gpu.u32 %0, [%1], %2;" : "=r"(ticket) : "l"(order), "r"(1) : "memory");
	value += ticket == block;
	asm volatile("st.relaxed.gpu.v2.u32 [%0], {%1, %2};" ::"l"(&state[block]), "r"(1), "r"(value) : "memory");
}

// The same with words of 128 bits, released and acquired.
__global__ void chain_of_pairs(ulonglong2 *state)
{
	unsigned long long flag = 0, value = 0;
	unsigned block = blockIdx.x;

	while (block && !flag)
		asm volatile("ld.acquire.gpu.v2.u64 {%0, %1}, [%2];"
		             : "=l"(flag), "=l"(value)
		             : "l"(&state[block - 1])
		             : "memory");
	value += block;
	asm volatile("st.release.gpu.v2.u64 [%0], {%1, %2};" ::"l"(&state[block]), "l"(1ull), "l"(value) : "memory");
}

// A warp's sums: each lane adds the sum of the lanes above it, if there are any.
__global__ void sum(const double *in, double *out, int rounds)
{
	double all = 0;

	for (int round = 0; round < rounds; round++) {
		double x = in[round * 32 + threadIdx.x];

		for (int d = 1; d < 32; d *= 2)
			asm volatile("{ .reg .u32 lo, hi; .reg .pred p; .reg .f64 y; mov.b64 %0, %1; mov.b64 {lo, hi}, %1;"
			             " shfl.sync.down.b32 lo|p, lo, %2, 31, 0xffffffff;"
			             " shfl.sync.down.b32 hi|p, hi, %2, 31, 0xffffffff;"
			             " mov.b64 y, {lo, hi}; @p add.f64 %0, %0, y; }"
			             : "=d"(x)
			             : "d"(x), "r"(d));
		all += x;
	}
	if (!threadIdx.x)
		*out = all;
}

__global__ void bytes(unsigned char *p, unsigned *sums)
{
	unsigned short x, old;
	unsigned most;

	for (int i = threadIdx.x; i < 256; i += blockDim.x) {
		asm volatile("{ .reg .u8 t; ld.cg.u8 t, [%1]; cvt.u16.u8 %0, t; }" : "=h"(x) : "l"(p + i) : "memory");
		asm volatile("{ .reg .u8 t; cvt.u8.u16 t, %1; st.cg.u8 [%0], t; }" ::"l"(p + i), "h"((unsigned short)~x)
		             : "memory");
		asm volatile("red.relaxed.gpu.add.u32 [%0], %1;" ::"l"(sums), "r"((unsigned)x) : "memory");
		asm volatile("atom.max.relaxed.sys.u32 %0, [%1], %2;" : "=r"(most) : "l"(sums + 1), "r"((unsigned)x) : "memory");
		asm volatile("atom.cas.relaxed.cta.b16 %0, [%1], %2, %3;"
		             : "=h"(old)
		             : "l"(sums + 2), "h"((unsigned short)0), "h"((unsigned short)7)
		             : "memory");
	}
}

__global__ void votes(unsigned *out)
{
	unsigned odd, same, all, lane;

	asm("mov.u32 %0, %%laneid;" : "=r"(lane));
	asm volatile("{ .reg .pred p; and.b32 %0, %1, 1; setp.ne.u32 p, %0, 0;"
	             " vote.sync.ballot.b32 %0, p, 0xffffffff; }"
	             : "=r"(odd)
	             : "r"(lane));
	asm volatile("{ .reg .pred p; setp.lt.u32 p, %1, 64; vote.sync.ballot.b32 %0, p, 0xffffffff; }"
	             : "=r"(all)
	             : "r"(lane));
	asm volatile("match.any.sync.b32 %0, %1, 0xffffffff;" : "=r"(same) : "r"(lane / 8));
	out[lane] = odd ^ same ^ all;
}

int main()
{
	int *data, sums[512], wrong = 0;
	uint2 *state, last;
	unsigned *out, voted[32];

	cudaMalloc(&data, sizeof sums);
	for (int i = 0; i < 512; i++)
		sums[i] = i;
	cudaMemcpy(data, sums, sizeof sums, cudaMemcpyHostToDevice);
	scan<<<2, 256>>>(data, 20);
	cudaMemcpy(sums, data, sizeof sums, cudaMemcpyDeviceToHost);
	for (int i = 0; i < 512; i++)
		wrong += sums[i] != i % 256 + 1;
	// CHECK: scan: 0 wrong
	printf("scan: %d wrong\n", wrong);

	cudaMalloc(&state, 65 * sizeof *state);
	cudaMemset(state, 0, 65 * sizeof *state);
	chain<<<64, 1>>>(state, (int *)&state[64]);
	cudaMemcpy(&last, &state[63], sizeof last, cudaMemcpyDeviceToHost);
	// CHECK: chain: 1 64
	printf("chain: %u %u\n", last.x, last.y);

	ulonglong2 *pairs, end;

	cudaMalloc(&pairs, 64 * sizeof *pairs);
	cudaMemset(pairs, 0, 64 * sizeof *pairs);
	chain_of_pairs<<<64, 1>>>(pairs);
	cudaMemcpy(&end, &pairs[63], sizeof end, cudaMemcpyDeviceToHost);
	// CHECK: chain of pairs: 1 2016
	printf("chain of pairs: %llu %llu\n", end.x, end.y);

	double *numbers, total[320];

	for (int i = 0; i < 320; i++)
		total[i] = i;
	cudaMalloc(&numbers, sizeof total);
	cudaMemcpy(numbers, total, sizeof total, cudaMemcpyHostToDevice);
	sum<<<1, 32>>>(numbers, numbers, 10);
	cudaMemcpy(total, numbers, sizeof *total, cudaMemcpyDeviceToHost);
	// CHECK: sum: 51040
	printf("sum: %g\n", total[0]);

	unsigned char *text, letters[256];
	unsigned *marks, three[3];

	for (int i = 0; i < 256; i++)
		letters[i] = i;
	cudaMalloc(&text, sizeof letters);
	cudaMemcpy(text, letters, sizeof letters, cudaMemcpyHostToDevice);
	cudaMalloc(&marks, sizeof three);
	cudaMemset(marks, 0, sizeof three);
	bytes<<<1, 64>>>(text, marks);
	cudaMemcpy(letters, text, sizeof letters, cudaMemcpyDeviceToHost);
	cudaMemcpy(three, marks, sizeof three, cudaMemcpyDeviceToHost);
	wrong = 0;
	for (int i = 0; i < 256; i++)
		wrong += letters[i] != 255 - i;
	// CHECK: bytes: 0 wrong, 32640 255 7
	printf("bytes: %d wrong, %u %u %u\n", wrong, three[0], three[1], three[2]);

	cudaMalloc(&out, sizeof voted);
	votes<<<1, 32>>>(out);
	cudaMemcpy(voted, out, sizeof voted, cudaMemcpyDeviceToHost);
	wrong = 0;
	for (unsigned i = 0; i < 32; i++)
		wrong += voted[i] != (0xaaaaaaaau ^ 0xffu << i / 8 * 8 ^ ~0u);
	// CHECK: votes: 0 wrong
	printf("votes: %d wrong\n", wrong);
	// CHECK: no error
	printf("%s\n", cudaGetErrorString(cudaDeviceSynchronize()));
}
