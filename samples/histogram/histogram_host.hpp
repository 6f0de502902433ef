/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef HISTOGRAM_HOST_HPP
#define HISTOGRAM_HOST_HPP

#include <algorithm>
#include <cstddef>

#include "../common/sample.hpp"

constexpr int THREADS = 256, BINS = 256;

/* Counts the bytes [first, last) into 256 bins. */
inline void histogram_host(size_t first, size_t last, const unsigned char *data, unsigned int *bins)
{
	for (size_t i = first; i < last; i++)
		bins[data[i]]++;
}

/* ---- The kernels as loops over the threads of a block; blocks: gridDim.x ---- */

inline void count_shared_block(dim3 block, unsigned blocks, size_t n, const unsigned char *data, unsigned int *bins)
{
	unsigned int mine[BINS] = {}; /* one thread of the host runs the block: nothing needs to be atomic */

	for (size_t first = (size_t)block.x * THREADS; first < n; first += (size_t)blocks * THREADS) {
		size_t last = std::min(first + THREADS, n);

		for (size_t i = first; i < last; i++)
			mine[data[i]]++;
	}
	for (int t = 0; t < BINS; t++)
		if (mine[t])
			sample::atomic_add(&bins[t], mine[t]);
}

inline void count_global_block(dim3 block, unsigned blocks, size_t n, const unsigned char *data, unsigned int *bins)
{
	for (size_t first = (size_t)block.x * THREADS; first < n; first += (size_t)blocks * THREADS) {
		size_t last = std::min(first + THREADS, n);

		for (size_t i = first; i < last; i++)
			sample::atomic_add(&bins[data[i]], 1u);
	}
}

inline void count_match_block(dim3 block, unsigned blocks, size_t n, const unsigned char *data, unsigned int *bins)
{
	for (size_t first = (size_t)block.x * THREADS; first < n; first += (size_t)blocks * THREADS)
		for (size_t warp = first; warp < first + THREADS && warp < n; warp += 32) {
			size_t lanes = std::min((size_t)32, n - warp);

			for (size_t lane = 0; lane < lanes; lane++) {
				unsigned int equal = 0;

				for (size_t other = 0; other < lanes; other++)
					equal |= (unsigned int)(data[warp + other] == data[warp + lane]) << other;
				if (lane == (size_t)__builtin_ctz(equal))
					sample::atomic_add(&bins[data[warp + lane]], (unsigned int)__builtin_popcount(equal));
			}
		}
}

#endif
