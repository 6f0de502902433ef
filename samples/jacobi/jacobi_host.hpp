/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef JACOBI_HOST_HPP
#define JACOBI_HOST_HPP

#include <cstddef>
#include <cstring>

/* One step of rows [first, last), inside the border, of an n x n grid. */
inline void jacobi_host(size_t first, size_t last, size_t n, const float *from, float *to)
{
	for (size_t y = first; y < last; y++)
		for (size_t x = 1; x + 1 < n; x++) {
			const float *p = from + y * n + x;

			to[y * n + x] = ((p[-(ptrdiff_t)n] + p[n]) + (p[-1] + p[1])) * 0.25f;
		}
}

/*
 * sweeps steps of one tile (tx, ty) of tile x tile points whose surroundings stand
 * still: what one block of the blocked variant does.
 */
inline void jacobi_tile_host(size_t tx, size_t ty, size_t tile, int sweeps, size_t n, const float *from,
                             float *to)
{
	constexpr size_t SIDE = 34;
	float a[SIDE][SIDE], b[SIDE][SIDE];

	for (size_t y = 0; y < tile + 2; y++)
		for (size_t x = 0; x < tile + 2; x++)
			a[y][x] = b[y][x] = from[(ty * tile + y) * n + tx * tile + x];
	for (int s = 0; s < sweeps; s++) {
		for (size_t y = 1; y <= tile; y++)
			for (size_t x = 1; x <= tile; x++)
				b[y][x] = ((a[y - 1][x] + a[y + 1][x]) + (a[y][x - 1] + a[y][x + 1])) * 0.25f;
		std::memcpy(a, b, sizeof a);
	}
	for (size_t y = 1; y <= tile; y++)
		for (size_t x = 1; x <= tile; x++)
			to[(ty * tile + y) * n + tx * tile + x] = a[y][x];
}

#endif
