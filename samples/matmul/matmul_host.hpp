/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef MATMUL_HOST_HPP
#define MATMUL_HOST_HPP

#include <cmath>
#include <cstddef>

/* Rows [first, last) of c = a b, n x n; each sum in order of k, fused. */
inline void matmul_host(size_t first, size_t last, size_t n, const float *a, const float *b, float *c)
{
	for (size_t i = first; i < last; i++) {
		float *row = c + i * n;

		for (size_t j = 0; j < n; j++)
			row[j] = 0;
		for (size_t k = 0; k < n; k++) {
			float factor = a[i * n + k];
			const float *other = b + k * n;

			for (size_t j = 0; j < n; j++)
				row[j] = std::fma(factor, other[j], row[j]);
		}
	}
}

#endif
