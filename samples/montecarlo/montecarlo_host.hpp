/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef MONTECARLO_HOST_HPP
#define MONTECARLO_HOST_HPP

#include <algorithm>
#include <cstdint>

#include "../common/sample.hpp"

constexpr unsigned THREADS = 128;

/*
 * A generator with 16 words of state and a running index: an array that cannot live in
 * registers. (A lagged Fibonacci generator with a final mix.)
 */
struct Generator {
	uint32_t state[16];
	int at;

	__host__ __device__ explicit Generator(uint32_t seed) : at(0)
	{
		for (int i = 0; i < 16; i++)
			state[i] = sample::hash32(seed * 16 + (uint32_t)i) | (i == 0);
	}

	__host__ __device__ uint32_t next()
	{
		uint32_t x = state[at] + state[(at + 5) & 15];

		x = x << 7 | x >> 25;
		state[at] = x ^ state[(at + 11) & 15];
		at = (at + 1) & 15;
		return (x ^ x >> 15) * 0x2c1b3c6du;
	}
};

/* How many of samples points of one walker fall inside the quarter circle. */
__host__ __device__ inline unsigned int montecarlo_walker(uint32_t walker, int samples)
{
	Generator random(walker);
	unsigned int inside = 0;

	for (int i = 0; i < samples; i++) {
		uint64_t x = random.next() >> 1, y = random.next() >> 1;

		inside += x * x + y * y < (uint64_t)1 << 62;
	}
	return inside;
}

/* The kernel as a loop over the threads of a block. */
inline void walkers_block(dim3 block, unsigned int n, int samples, unsigned int *inside, unsigned long long *total)
{
	unsigned int first = block.x * THREADS, last = std::min(first + THREADS, n);

	for (unsigned int i = first; i < last; i++) {
		inside[i] = montecarlo_walker(i, samples);
		sample::atomic_add(total, (unsigned long long)inside[i]);
	}
}

#endif
