/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef CONVOLUTION3D_HOST_HPP
#define CONVOLUTION3D_HOST_HPP

#include <cmath>
#include <cstddef>

constexpr int RADIUS = 2, WIDTH = 2 * RADIUS + 1;

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

#endif
