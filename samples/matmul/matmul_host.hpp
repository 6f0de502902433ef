/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef MATMUL_HOST_HPP
#define MATMUL_HOST_HPP

#include <cmath>
#include <cstddef>

#include <vector_types.h>

constexpr int TILE = 16;

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

/*
 * ---- The kernels as loops over the threads of a block ----
 * Each sum of multiply_simple waits for itself in each step, as in the kernel: the loop over k
 * is in the thread. In the others the sums are in arrays, for they are kept across barriers.
 */

inline void multiply_simple_block(dim3 block, int n, const float *a, const float *b, float *c)
{
	for (int ty = 0; ty < TILE; ty++)
		for (int tx = 0; tx < TILE; tx++) {
			int column = (int)block.x * TILE + tx, row = (int)block.y * TILE + ty;
			float sum = 0;

			for (int k = 0; k < n; k++)
				sum = std::fma(a[(size_t)row * n + k], b[(size_t)k * n + column], sum);
			c[(size_t)row * n + column] = sum;
		}
}

inline void multiply_tiled_block(dim3 block, int n, const float *a, const float *b, float *c)
{
	float left[TILE][TILE], right[TILE][TILE], sum[TILE][TILE] = {};
	int column = (int)block.x * TILE, row = (int)block.y * TILE;

	for (int base = 0; base < n; base += TILE) {
		for (int ty = 0; ty < TILE; ty++)
			for (int tx = 0; tx < TILE; tx++) {
				left[ty][tx] = a[(size_t)(row + ty) * n + base + tx];
				right[ty][tx] = b[(size_t)(base + ty) * n + column + tx];
			}
		for (int ty = 0; ty < TILE; ty++)
			for (int k = 0; k < TILE; k++)
				for (int tx = 0; tx < TILE; tx++)
					sum[ty][tx] = std::fma(left[ty][k], right[k][tx], sum[ty][tx]);
	}
	for (int ty = 0; ty < TILE; ty++)
		for (int tx = 0; tx < TILE; tx++)
			c[(size_t)(row + ty) * n + column + tx] = sum[ty][tx];
}

inline void multiply_wide_block(dim3 block, int n, const float *a, const float *b, float *c)
{
	float left[TILE][4 * TILE + 1], right[TILE][4 * TILE], sum[TILE][4][4][TILE] = {};
	int column = (int)block.x * 4 * TILE, row = (int)block.y * 4 * TILE;

	for (int base = 0; base < n; base += TILE) {
		for (int i = 0; i < TILE * 4 * TILE; i++) {
			left[i % TILE][i / TILE] = a[(size_t)(row + i / TILE) * n + base + i % TILE];
			right[i / (4 * TILE)][i % (4 * TILE)] =
				b[(size_t)(base + i / (4 * TILE)) * n + column + i % (4 * TILE)];
		}
		for (int ty = 0; ty < TILE; ty++)
			for (int i = 0; i < 4; i++)
				for (int k = 0; k < TILE; k++)
					for (int j = 0; j < 4; j++)
						for (int tx = 0; tx < TILE; tx++)
							sum[ty][i][j][tx] = std::fma(left[k][ty + i * TILE],
							                             right[k][tx + j * TILE],
							                             sum[ty][i][j][tx]);
	}
	for (int ty = 0; ty < TILE; ty++)
		for (int i = 0; i < 4; i++)
			for (int j = 0; j < 4; j++)
				for (int tx = 0; tx < TILE; tx++)
					c[(size_t)(row + ty + i * TILE) * n + column + tx + j * TILE] = sum[ty][i][j][tx];
}

#endif
