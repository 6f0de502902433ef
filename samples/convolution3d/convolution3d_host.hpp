/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef CONVOLUTION3D_HOST_HPP
#define CONVOLUTION3D_HOST_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <vector_types.h>

constexpr int RADIUS = 2, WIDTH = 2 * RADIUS + 1;
constexpr int BX = 32, BY = 4, BZ = 2; /* threads of a block */

/* Slices [first, last) of an n^3 volume; weights in order z, y, x; zero outside. */
inline void convolution3d_host(size_t first, size_t last, size_t n, const float *weights,
                               const float *from, float *to)
{
	for (size_t z = first; z < last; z++)
		for (size_t y = 0; y < n; y++) {
			float *row = to + (z * n + y) * n;

			for (size_t x = 0; x < n; x++)
				row[x] = 0;
			for (int dz = -RADIUS; dz <= RADIUS; dz++)
				for (int dy = -RADIUS; dy <= RADIUS; dy++) {
					ptrdiff_t sz = (ptrdiff_t)z + dz, sy = (ptrdiff_t)y + dy;
					bool inside = sz >= 0 && sy >= 0 && sz < (ptrdiff_t)n && sy < (ptrdiff_t)n;
					const float *w = weights + ((dz + RADIUS) * WIDTH + dy + RADIUS) * WIDTH;

					if (!inside)
						continue; /* adding w * 0 changes nothing */
					const float *in = from + ((size_t)sz * n + (size_t)sy) * n;
					for (size_t x = 0; x < n; x++)
						for (int dx = -RADIUS; dx <= RADIUS; dx++) {
							ptrdiff_t sx = (ptrdiff_t)x + dx;
							float v = sx >= 0 && sx < (ptrdiff_t)n ? in[sx] : 0.0f;

							row[x] = std::fma(w[dx + RADIUS], v, row[x]);
						}
				}
		}
}

/* ---- The kernel as loops over the threads of a block ---- */

inline void convolve_block(dim3 block, int n, const float *weights, const float *from, float *to)
{
	constexpr int sx = BX + 2 * RADIUS, sy = BY + 2 * RADIUS, sz = BZ + 2 * RADIUS;
	float tile[sx * sy * sz];
	int left = (int)block.x * BX, top = (int)block.y * BY, front = (int)block.z * BZ;

	for (int i = 0; i < sx * sy * sz; i++) {
		int x = left - RADIUS + i % sx, y = top - RADIUS + i / sx % sy, z = front - RADIUS + i / (sx * sy);
		bool inside = x >= 0 && y >= 0 && z >= 0 && x < n && y < n && z < n;

		tile[i] = inside ? from[((size_t)z * n + y) * n + x] : 0.0f;
	}
	int width = std::min(BX, n - left), height = std::min(BY, n - top), depth = std::min(BZ, n - front);

	for (int tz = 0; tz < depth; tz++)
		for (int ty = 0; ty < height; ty++) {
			float sum[BX] = {};

			for (int dz = 0; dz < WIDTH; dz++)
				for (int dy = 0; dy < WIDTH; dy++)
					for (int dx = 0; dx < WIDTH; dx++)
						for (int tx = 0; tx < BX; tx++)
							sum[tx] = std::fma(weights[(dz * WIDTH + dy) * WIDTH + dx],
							                   tile[((tz + dz) * sy + ty + dy) * sx + tx + dx],
							                   sum[tx]);
			std::copy(sum, sum + width, to + ((size_t)(front + tz) * n + top + ty) * n + left);
		}
}

#endif
