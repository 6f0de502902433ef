/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef JACOBI_HOST_HPP
#define JACOBI_HOST_HPP

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <vector_types.h>

constexpr int TILE = 32, ROWS = 8; /* a block is TILE x ROWS threads */

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

/* ---- The kernels as loops over the threads of a block ---- */

inline void heat_step_block(dim3 block, int n, const float *from, float *to)
{
	int left = (int)block.x * TILE + 1, right = std::min(left + TILE, n - 1);
	int top = (int)block.y * ROWS + 1, bottom = std::min(top + ROWS, n - 1);

	for (int y = top; y < bottom; y++)
		for (int x = left; x < right; x++) {
			const float *p = from + (size_t)y * n + x;

			to[(size_t)y * n + x] = ((p[-n] + p[n]) + (p[-1] + p[1])) * 0.25f;
		}
}

/* The rows of a thread are the outer loop: thread x of each row of threads is next to its neighbour. */
inline void heat_blocks_block(dim3 block, int n, int sweeps, const float *from, float *to)
{
	float a[TILE + 2][TILE + 2], b[TILE + 2][TILE + 2];
	int left = (int)block.x * TILE, top = (int)block.y * TILE;

	for (int i = 0; i < (TILE + 2) * (TILE + 2); i++) {
		int x = i % (TILE + 2), y = i / (TILE + 2);

		a[y][x] = b[y][x] = from[(size_t)(top + y) * n + left + x];
	}
	for (int s = 0; s < sweeps; s++) {
		float(*now)[TILE + 2] = s & 1 ? b : a, (*then)[TILE + 2] = s & 1 ? a : b;

		for (int ty = 0; ty < ROWS; ty++)
			for (int y = ty + 1; y <= TILE; y += ROWS)
				for (int x = 1; x <= TILE; x++)
					then[y][x] = ((now[y - 1][x] + now[y + 1][x]) + (now[y][x - 1] + now[y][x + 1])) * 0.25f;
	}
	for (int ty = 0; ty < ROWS; ty++)
		for (int y = ty + 1; y <= TILE; y += ROWS)
			for (int x = 1; x <= TILE; x++)
				to[(size_t)(top + y) * n + left + x] = sweeps & 1 ? b[y][x] : a[y][x];
}

#endif
