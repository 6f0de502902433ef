/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef PIPELINE_HOST_HPP
#define PIPELINE_HOST_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "../common/host.hpp"

constexpr unsigned BLOCKS = 64, THREADS = 128;

/* One chunk: substitution by a table, then rounds of mixing with a key. */
inline void pipeline_host(size_t first, size_t last, const uint32_t *table, uint32_t key, int rounds,
                          const uint32_t *in, uint32_t *out)
{
	for (size_t i = first; i < last; i++) {
		uint32_t v = in[i] ^ table[in[i] & 255];

		for (int r = 0; r < rounds; r++)
			v = (v << 5 | v >> 27) * 0x9e3779b1u + (key ^ (uint32_t)r);
		out[i] = v;
	}
}

/* ---- The kernels as loops over the threads of a block ---- */

inline void substitute_block(dim3 block, size_t n, const uint32_t *table, const uint32_t *in, uint32_t *out)
{
	for (size_t first = (size_t)block.x * THREADS; first < n; first += (size_t)BLOCKS * THREADS) {
		size_t last = std::min(first + THREADS, n);

		for (size_t i = first; i < last; i++)
			out[i] = in[i] ^ table[in[i] & 255];
	}
}

inline void mix_block(dim3 block, size_t n, int rounds, uint32_t key, uint32_t *data, uint32_t *highest,
                      unsigned long long *processed)
{
	for (size_t first = (size_t)block.x * THREADS; first < n; first += (size_t)BLOCKS * THREADS) {
		size_t last = std::min(first + THREADS, n);

		for (size_t i = first; i < last; i++) {
			uint32_t v = data[i];

			for (int r = 0; r < rounds; r++)
				v = (v << 5 | v >> 27) * 0x9e3779b1u + (key ^ (uint32_t)r);
			data[i] = v;
			sample::atomic_max(highest, v);
		}
	}
	if (block.x == 0)
		sample::atomic_add(processed, (unsigned long long)n);
}

#endif
