/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef SPINLOCK_HOST_HPP
#define SPINLOCK_HOST_HPP

#include <cstdint>
#include <vector>

#include "../common/sample.hpp"

constexpr int BLOCKS = 8, THREADS = 64, RING = 4;

/* barrier: in each round every thread's cell takes in its right neighbour's old value. */
inline void barrier_host(int rounds, std::vector<uint32_t> &cells)
{
	std::vector<uint32_t> next(cells.size());

	for (int r = 0; r < rounds; r++) {
		for (size_t i = 0; i < cells.size(); i++)
			next[i] = cells[i] * 3 + sample::hash32(cells[(i + THREADS) % cells.size()]);
		cells.swap(next);
	}
}

/* ring: what the last block of the chain adds up. */
inline void ring_host(int items, std::vector<uint32_t> &sums)
{
	for (int t = 0; t < THREADS; t++) {
		uint32_t sum = 0;

		for (int i = 0; i < items; i++) {
			uint32_t v = sample::hash32((uint32_t)(i * THREADS + t));

			for (int b = 1; b < BLOCKS; b++)
				v = sample::hash32(v + (uint32_t)b);
			sum = sum * 31 + v;
		}
		sums[(size_t)t] = sum;
	}
}

#endif
