/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef MANDELBROT_HOST_HPP
#define MANDELBROT_HOST_HPP

#include <cmath>
#include <cstddef>

/* Iterations until |z| > 2, at most limit, for pixel rows [first, last) of n x n. */
inline void mandelbrot_host(size_t first, size_t last, size_t n, int limit, unsigned int *out)
{
	for (size_t row = first; row < last; row++)
		for (size_t column = 0; column < n; column++) {
			double cx = std::fma((double)column, 3.0 / (double)n, -2.25);
			double cy = std::fma((double)row, 3.0 / (double)n, -1.5);
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
			out[row * n + column] = (unsigned int)i;
		}
}

#endif
