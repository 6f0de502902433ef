// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Assembly that computes with the bytes and halves of words, as clang's headers have it for
// __vadd4 and the like, and CUDA's for __dp4a: compared with the same in C++.
// RUN: %hetcc --no-toolkit --arch=sm_90 -O2 -Rpass=hetckpt %s -o %t 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: %run %t | FileCheck %s
// REMARK: {{.*}}compare{{.*}} can pause: thread scope
#include <cstdio>
#include <cuda_runtime.h>

#define THREE(op, d, a, b, c) asm(op " %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c))

template <bool Signed> __device__ int lane(unsigned x, int at, int bits)
{
	x <<= 32 - bits - at;
	return Signed ? (int)x >> (32 - bits) : (int)(x >> (32 - bits));
}

template <bool Signed, class F> __device__ unsigned each(unsigned a, unsigned b, int bits, F f)
{
	unsigned all = 0;

	for (int at = 0; at < 32; at += bits)
		all |= ((unsigned)f(lane<Signed>(a, at, bits), lane<Signed>(b, at, bits)) & ((1u << bits) - 1)) << at;
	return all;
}

__device__ int within(int x, int low, int high) { return x < low ? low : x > high ? high : x; }

// Away from zero where it is between two numbers.
__device__ int average(int x) { return x >= 0 ? (x + 1) / 2 : -((-x + 1) / 2); }

__global__ void compare(int *wrong, unsigned a, unsigned b, int rounds)
{
	unsigned d;
	int e;

	for (int i = 0; i < rounds; i++, a = a * 1664525 + 1013904223, b ^= b << 13, b ^= b >> 17, b ^= b << 5) {
		int n = 0;
#define CHECK(op, is_signed, bits, f) \
		THREE(op, d, a, b, 0); \
		if (d != each<is_signed>(a, b, bits, [](int x, int y) -> int { return f; })) \
			atomicAdd(wrong + n, 1); \
		n++
		CHECK("vadd4.u32.u32.u32", false, 8, x + y);
		CHECK("vsub2.u32.u32.u32", false, 16, x - y);
		CHECK("vadd4.s32.s32.s32.sat", true, 8, within(x + y, -128, 127));
		CHECK("vsub2.u32.u32.u32.sat", false, 16, within(x - y, 0, 65535));
		CHECK("vmin4.s32.s32.s32", true, 8, x < y ? x : y);
		CHECK("vmax2.u32.u32.u32", false, 16, x < y ? y : x);
		CHECK("vabsdiff4.u32.u32.u32", false, 8, x < y ? y - x : x - y);
		CHECK("vavrg4.u32.u32.u32", false, 8, (x + y + 1) / 2);
		CHECK("vavrg2.s32.s32.s32", true, 16, average(x + y));
		CHECK("vset4.s32.s32.ge", true, 8, x >= y);
		CHECK("vset2.u32.u32.lt", false, 16, x < y);
#undef CHECK
		THREE("vabsdiff4.u32.u32.u32.add", d, a, b, 7);
		e = 7;
		for (int at = 0; at < 32; at += 8)
			e += abs(lane<false>(a, at, 8) - lane<false>(b, at, 8));
		if (d != (unsigned)e)
			atomicAdd(wrong + n, 1);
		n++;
		THREE("dp4a.s32.u32", d, a, b, -5);
		e = -5;
		for (int at = 0; at < 32; at += 8)
			e += lane<true>(a, at, 8) * lane<false>(b, at, 8);
		if (d != (unsigned)e)
			atomicAdd(wrong + n, 1);
		n++;
		THREE("dp2a.hi.s32.s32", d, a, b, 9);
		e = 9 + lane<true>(a, 0, 16) * lane<true>(b, 16, 8) + lane<true>(a, 16, 16) * lane<true>(b, 24, 8);
		if (d != (unsigned)e)
			atomicAdd(wrong + n, 1);
	}
}

int main()
{
	int *wrong, counts[14];

	cudaMalloc(&wrong, sizeof counts);
	cudaMemset(wrong, 0, sizeof counts);
	compare<<<1, 1>>>(wrong, 1, 2463534242u, 5000);
	cudaMemcpy(counts, wrong, sizeof counts, cudaMemcpyDeviceToHost);
	// CHECK: wrong: 0 0 0 0 0 0 0 0 0 0 0 0 0 0{{$}}
	printf("wrong:");
	for (int n : counts)
		printf(" %d", n);
	printf("\n");
}
