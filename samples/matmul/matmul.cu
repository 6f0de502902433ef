/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * matmul - product of square matrices of floats.
 *
 * Variants: tiled (tiles in shared memory, two barriers a step), simple (one element
 * a thread straight from global memory), wide (4 x 4 elements a thread in registers).
 * Sizes: --size is the order, a multiple of 64; 2048 takes 1-3 seconds on two cores,
 * 8192 minutes.
 */
#include "../common/sample.hpp"
#include "matmul_host.hpp"

__global__ void multiply_simple(int n, const float *a, const float *b, float *c)
{
	int column = blockIdx.x * TILE + threadIdx.x, row = blockIdx.y * TILE + threadIdx.y;
	float sum = 0;

	for (int k = 0; k < n; k++)
		sum = fmaf(a[(size_t)row * n + k], b[(size_t)k * n + column], sum);
	c[(size_t)row * n + column] = sum;
}

__global__ void multiply_tiled(int n, const float *a, const float *b, float *c)
{
	__shared__ float left[TILE][TILE], right[TILE][TILE];
	int tx = threadIdx.x, ty = threadIdx.y;
	int column = blockIdx.x * TILE + tx, row = blockIdx.y * TILE + ty;
	float sum = 0;

	for (int base = 0; base < n; base += TILE) {
		left[ty][tx] = a[(size_t)row * n + base + tx];
		right[ty][tx] = b[(size_t)(base + ty) * n + column];
		__syncthreads();
		for (int k = 0; k < TILE; k++)
			sum = fmaf(left[ty][k], right[k][tx], sum);
		__syncthreads();
	}
	c[(size_t)row * n + column] = sum;
}

/* A block of 16 x 16 threads makes 64 x 64 elements. */
__global__ void multiply_wide(int n, const float *a, const float *b, float *c)
{
	__shared__ float left[TILE][4 * TILE + 1], right[TILE][4 * TILE];
	int tx = threadIdx.x, ty = threadIdx.y, thread = ty * TILE + tx;
	int column = blockIdx.x * 4 * TILE, row = blockIdx.y * 4 * TILE;
	float sum[4][4] = {};

	for (int base = 0; base < n; base += TILE) {
		for (int i = thread; i < TILE * 4 * TILE; i += TILE * TILE) {
			left[i % TILE][i / TILE] = a[(size_t)(row + i / TILE) * n + base + i % TILE];
			right[i / (4 * TILE)][i % (4 * TILE)] =
				b[(size_t)(base + i / (4 * TILE)) * n + column + i % (4 * TILE)];
		}
		__syncthreads();
		for (int k = 0; k < TILE; k++)
			for (int i = 0; i < 4; i++)
				for (int j = 0; j < 4; j++)
					sum[i][j] = fmaf(left[k][ty + i * TILE], right[k][tx + j * TILE], sum[i][j]);
		__syncthreads();
	}
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			c[(size_t)(row + ty + i * TILE) * n + column + tx + j * TILE] = sum[i][j];
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "matmul", "Multiplies square matrices of floats.", "tiled simple wide",
	                 2048, 1);
	size_t n = (size_t)s.size;

	if (n % 64 || n > 32768)
		s.usage("--size: not a multiple of 64 up to 32768");

	const unsigned side = (unsigned)(n / (s.variant == "wide" ? 4 * TILE : TILE));
	const dim3 blocks(side, side), threads(TILE, TILE);
	std::vector<float> a(n * n), b(n * n), c(n * n);
	for (size_t i = 0; i < n * n; i++) {
		a[i] = (float)(int)(sample::hash32((uint32_t)i) >> 24) - 127.5f;
		b[i] = (float)(sample::hash32((uint32_t)(i + n * n)) >> 8) * 0x1p-24f;
	}
	if (s.host_bench) {
		const auto multiply = s.variant == "wide"     ? multiply_wide_block
		                      : s.variant == "simple" ? multiply_simple_block
		                                              : multiply_tiled_block;

		s.begin();
		for (int r = 0; r < s.repeat; r++)
			if (s.tuned)
				s.host().parallel(n, [&](size_t first, size_t last) {
					matmul_host(first, last, n, a.data(), b.data(), c.data());
				});
			else
				s.host().blocks(blocks, [&](dim3 block) {
					multiply(block, (int)n, a.data(), b.data(), c.data());
				});
		s.end();
		s.result(c);
		return s.finish(true);
	}

	sample::Buffer<float> da(a), db(b), dc(n * n);

	dc.clear();
	s.begin();
	for (int r = 0; r < s.repeat; r++) {
		if (s.variant == "wide")
			multiply_wide<<<blocks, threads>>>((int)n, da.get(), db.get(), dc.get());
		else if (s.variant == "simple")
			multiply_simple<<<blocks, threads>>>((int)n, da.get(), db.get(), dc.get());
		else
			multiply_tiled<<<blocks, threads>>>((int)n, da.get(), db.get(), dc.get());
	}
	CHECK(cudaGetLastError());
	CHECK(cudaDeviceSynchronize());
	s.end();

	std::vector<float> got = dc.download();
	bool pass = true;
	/* All rows of a small matrix, 64 of a large one. */
	size_t step = n <= 512 ? 1 : n / 64;
	for (size_t i = 0; i < n && pass && !s.unchecked; i += step) {
		matmul_host(i, i + 1, n, a.data(), b.data(), c.data());
		pass = !std::memcmp(&got[i * n], &c[i * n], n * sizeof(float));
		if (!pass)
			std::fprintf(stderr, "row %zu differs from the reference\n", i);
	}
	s.result(got);
	return s.finish(pass);
}
