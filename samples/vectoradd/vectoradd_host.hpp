/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef VECTORADD_HOST_HPP
#define VECTORADD_HOST_HPP

#include <algorithm>
#include <cstddef>

#include <vector_types.h>

constexpr unsigned THREADS = 256, STRIDE_BLOCKS = 64;

inline void vectoradd_host(size_t first, size_t last, const float *x, float *y)
{
	for (size_t i = first; i < last; i++)
		y[i] = y[i] + x[i];
}

/* ---- The kernels as loops over the threads of a block ---- */

inline void add_block(dim3 block, size_t n, const float *x, float *y)
{
	size_t first = (size_t)block.x * THREADS, last = std::min(first + THREADS, n);

	for (size_t i = first; i < last; i++)
		y[i] = y[i] + x[i];
}

inline void add_stride_block(dim3 block, size_t n, int repeat, const float *x, float *y)
{
	size_t step = (size_t)STRIDE_BLOCKS * THREADS;

	for (int r = 0; r < repeat; r++)
		for (size_t first = (size_t)block.x * THREADS; first < n; first += step) {
			size_t last = std::min(first + THREADS, n);

			for (size_t i = first; i < last; i++)
				y[i] = y[i] + x[i];
		}
}

#endif
