/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * jacobi - heat on a square plate: each point becomes the mean of its neighbours.
 *
 * Variants: steps (one kernel a step), blocks (one kernel makes 256 steps of each
 * tile in shared memory, with the tile's surroundings standing still).
 * Sizes: --size is the inner width, a multiple of 32; --repeat counts kernels (of
 * blocks, 12 unless given). The default takes 1-3 seconds on two cores; --size 8192 --repeat 2000 takes minutes.
 */
#include "../common/sample.hpp"
#include "jacobi_host.hpp"

constexpr int SWEEPS = 256;

__global__ void heat_step(int n, const float *from, float *to)
{
	int x = blockIdx.x * blockDim.x + threadIdx.x + 1, y = blockIdx.y * blockDim.y + threadIdx.y + 1;

	if (x + 1 < n && y + 1 < n) {
		const float *p = from + (size_t)y * n + x;

		to[(size_t)y * n + x] = ((p[-n] + p[n]) + (p[-1] + p[1])) * 0.25f;
	}
}

/* 32 x 8 threads, four rows each. */
__global__ void heat_blocks(int n, int sweeps, const float *from, float *to)
{
	__shared__ float a[TILE + 2][TILE + 2], b[TILE + 2][TILE + 2];
	int left = blockIdx.x * TILE, top = blockIdx.y * TILE;
	int thread = threadIdx.y * TILE + threadIdx.x;

	for (int i = thread; i < (TILE + 2) * (TILE + 2); i += TILE * ROWS) {
		int x = i % (TILE + 2), y = i / (TILE + 2);

		a[y][x] = b[y][x] = from[(size_t)(top + y) * n + left + x];
	}
	__syncthreads();
	for (int s = 0; s < sweeps; s++) {
		float(*now)[TILE + 2] = s & 1 ? b : a, (*then)[TILE + 2] = s & 1 ? a : b;
		int x = threadIdx.x + 1;

		for (int y = threadIdx.y + 1; y <= TILE; y += ROWS)
			then[y][x] = ((now[y - 1][x] + now[y + 1][x]) + (now[y][x - 1] + now[y][x + 1])) * 0.25f;
		__syncthreads();
	}
	for (int y = threadIdx.y + 1; y <= TILE; y += ROWS) {
		int x = threadIdx.x + 1;

		to[(size_t)(top + y) * n + left + x] = sweeps & 1 ? b[y][x] : a[y][x];
	}
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "jacobi", "Spreads heat on a plate.", "steps blocks", 1024, 800);
	size_t n = (size_t)s.size + 2;
	bool blocks = s.variant == "blocks";

	if (s.size % TILE || s.size > 32768)
		s.usage("--size: not a multiple of 32 up to 32768");

	std::vector<float> plate(n * n), other;
	for (size_t i = 0; i < n * n; i++) {
		bool border = i < n || i >= n * (n - 1) || i % n == 0 || i % n == n - 1;

		plate[i] = border ? (float)(i % 97) : (float)(sample::hash32((uint32_t)i) >> 24);
	}
	other = plate;

	const unsigned tiles = (unsigned)(s.size / TILE);
	const dim3 grid(tiles, blocks ? tiles : tiles * (TILE / ROWS)), threads(TILE, ROWS);
	auto tuned = [&] {
		for (int r = 0; r < s.repeat; r++) {
			if (blocks)
				s.host().parallel(tiles, [&](size_t first, size_t last) {
					for (size_t ty = first; ty < last; ty++)
						for (size_t tx = 0; tx < tiles; tx++)
							jacobi_tile_host(tx, ty, TILE, SWEEPS, n, plate.data(), other.data());
				});
			else
				s.host().parallel(n - 2, [&](size_t first, size_t last) {
					jacobi_host(first + 1, last + 1, n, plate.data(), other.data());
				});
			plate.swap(other);
		}
	};
	auto loops = [&] {
		for (int r = 0; r < s.repeat; r++) {
			s.host().blocks(grid, [&](dim3 block) {
				if (blocks)
					heat_blocks_block(block, (int)n, SWEEPS, plate.data(), other.data());
				else
					heat_step_block(block, (int)n, plate.data(), other.data());
			});
			plate.swap(other);
		}
	};
	if (blocks && !s.repeat_given)
		s.repeat = 12;
	if (s.host_bench) {
		s.begin();
		s.tuned ? tuned() : loops();
		s.end();
		s.result(plate);
		return s.finish(true);
	}

	sample::Buffer<float> da(plate), db(other);
	float *from = da.get(), *to = db.get();

	s.begin();
	for (int r = 0; r < s.repeat; r++) {
		if (blocks)
			heat_blocks<<<grid, threads>>>((int)n, SWEEPS, from, to);
		else
			heat_step<<<grid, threads>>>((int)n, from, to);
		CHECK(cudaGetLastError());
		std::swap(from, to);
	}
	CHECK(cudaDeviceSynchronize());
	s.end();

	std::vector<float> got(n * n);
	CHECK(cudaMemcpy(got.data(), from, got.size() * sizeof(float), cudaMemcpyDeviceToHost));
	s.result(got);
	if (s.unchecked)
		return s.finish(true);
	tuned();
	return s.finish(sample::same("plate", got, plate));
}
