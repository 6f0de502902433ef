// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What C++ leaves undefined of integers, and GPUs define: signed overflow, shifts by the width or more.
// RUN: %hetcc --no-toolkit -O2 %s -o %t -Xhetckpt poll-stride=4 -Xhetckpt poll-interval=0
// RUN: env HETCKPT_VARIANT=original %run %t | FileCheck %s
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// CHECK: shuffled 0
// CHECK-NEXT: shifts 0
// CHECK-NEXT: least 0
#include <cstdint>
#include <cstdio>
#include <cuda_runtime.h>

constexpr int Threads = 128, Rounds = 7;

/* A generator in int, extended to 64 bits and handed on. */
__global__ void shuffled(const int *in, int64_t *out, int rounds)
{
	int v = in[threadIdx.x];
	int64_t h = 0;

	for (int r = 0; r < rounds; r++) {
		v = v * 1664525 + 1013904223;
		long long wide = ((long long)v << 20) ^ v;
		h ^= __shfl_xor_sync(0xffffffff, (int)(wide >> 32), 1);
	}
	out[threadIdx.x] = h;
}

__global__ void shifts(const int *by, unsigned long long *out)
{
	int n = by[threadIdx.x] & 127;
	unsigned ones = ~0u;
	int sign = INT32_MIN;
	unsigned long long wide = ~0ull;

	out[threadIdx.x] = (ones << n) + 3ull * (ones >> n) + 5ull * (unsigned)(sign >> n) + 7 * (wide << n) + 11 * (wide >> n);
}

/* -(x), abs(x) of the least integer. */
__global__ void least(const int *in, int64_t *out)
{
	int x = in[threadIdx.x] | INT32_MIN;

	out[threadIdx.x] = (int64_t)-(x & INT32_MIN) + (int64_t)abs(x & INT32_MIN);
}

template <typename T> static T *device(const void *from, size_t bytes)
{
	T *p = nullptr;

	cudaMalloc((void **)&p, bytes);
	if (from)
		cudaMemcpy(p, from, bytes, cudaMemcpyHostToDevice);
	return p;
}

static int wrong(const int64_t *want, const void *at, int threads = Threads)
{
	int64_t got[Threads];
	int n = 0;

	cudaMemcpy(got, at, sizeof got, cudaMemcpyDeviceToHost);
	for (int i = 0; i < threads; i++)
		n += got[i] != want[i];
	return n;
}

int main()
{
	int in[Threads];
	int64_t want[Threads];
	uint32_t seed = 1;

	for (int &x : in) {
		seed = seed * 1103515245u + 12345u;
		x = (int)(seed ^ (seed >> 13) * 77u);
	}
	int *d = device<int>(in, sizeof in);
	int64_t *out = device<int64_t>(nullptr, sizeof want);

	shuffled<<<1, Threads>>>(d, out, Rounds);
	for (int i = 0; i < Threads; i++) {
		uint32_t v = (uint32_t)in[i ^ 1];
		want[i] = 0;
		for (int r = 0; r < Rounds; r++) {
			v = v * 1664525u + 1013904223u;
			want[i] ^= (int32_t)((int64_t)(((uint64_t)(int64_t)(int32_t)v << 20) ^ (int32_t)v) >> 32);
		}
	}
	std::printf("shuffled %d\n", wrong(want, out));

	/* Not a multiple of what is done at once. */
	shifts<<<1, Threads - 3>>>(d, (unsigned long long *)out);
	for (int i = 0; i < Threads; i++) {
		unsigned n = in[i] & 127, m = n & 63;
		uint64_t ones = n < 32 ? ~0u << n : 0, less = n < 32 ? ~0u >> n : 0;
		uint64_t sign = n < 32 ? (uint32_t)(INT32_MIN >> n) : ~0u;
		uint64_t left = n < 64 ? ~0ull << m : 0, right = n < 64 ? ~0ull >> m : 0;
		want[i] = (int64_t)(ones + 3 * less + 5 * sign + 7 * left + 11 * right);
	}
	std::printf("shifts %d\n", wrong(want, out, Threads - 3));

	least<<<1, Threads>>>(d, out);
	for (int i = 0; i < Threads; i++)
		want[i] = 2 * (int64_t)INT32_MIN;
	std::printf("least %d\n", wrong(want, out));
	return 0;
}
