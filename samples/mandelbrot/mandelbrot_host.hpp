/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef MANDELBROT_HOST_HPP
#define MANDELBROT_HOST_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "../common/sample.hpp"

constexpr int SIDE = 16; /* a block is SIDE x SIDE threads */

/* Iterations until |z| > 2, at most limit, for a pixel of n x n. */
inline unsigned int escape_host(int column, int row, int n, int limit)
{
	double cx = std::fma((double)column, 3.0 / n, -2.25), cy = std::fma((double)row, 3.0 / n, -1.5);
	double x = 0, y = 0;
	int i = 0;

	while (i < limit) {
		double xx = x * x, yy = y * y;

		if (xx + yy > 4.0)
			break;
		y = std::fma(x + x, y, cy);
		x = (xx - yy) + cx;
		i++;
	}
	return (unsigned int)i;
}

/* A row of pixels. */
inline void mandelbrot_host(int row, int n, int limit, unsigned int *out)
{
	for (int column = 0; column < n; column++)
		out[(size_t)row * n + column] = escape_host(column, row, n, limit);
}

/* ---- The kernels as loops over the threads of a block ---- */

inline void pixels_block(dim3 block, int n, int limit, unsigned int *out)
{
	int left = (int)block.x * SIDE, right = std::min(left + SIDE, n);
	int top = (int)block.y * SIDE, bottom = std::min(top + SIDE, n);

	for (int y = top; y < bottom; y++)
		for (int x = left; x < right; x++)
			out[(size_t)y * n + x] = escape_host(x, y, n, limit);
}

/* All threads of a block take the next pixel until there is none: so does the first of them alone. */
inline void pixels_stride_block(int n, int limit, unsigned int *next, unsigned int *out)
{
	unsigned int total = (unsigned int)n * (unsigned int)n;

	for (unsigned int p = sample::atomic_add(next, 1u); p < total; p = sample::atomic_add(next, 1u))
		out[p] = escape_host((int)(p % (unsigned int)n), (int)(p / (unsigned int)n), n, limit);
}

#endif
