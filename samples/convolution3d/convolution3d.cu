/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * convolution3d - a 5 x 5 x 5 filter over a volume: grids and blocks in three
 * dimensions, dynamic shared memory, weights in constant memory.
 *
 * Sizes: --size is the side of the volume, --repeat the passes. The default takes
 * 1-3 seconds on two cores; 512 with --repeat 20 takes minutes.
 */
#include "../common/sample.hpp"
#include "convolution3d_host.hpp"

__constant__ float weights[WIDTH * WIDTH * WIDTH];

__global__ void convolve(int n, const float *from, float *to)
{
	extern __shared__ float tile[];
	const int sx = BX + 2 * RADIUS, sy = BY + 2 * RADIUS, sz = BZ + 2 * RADIUS;
	int left = blockIdx.x * BX - RADIUS, top = blockIdx.y * BY - RADIUS, front = blockIdx.z * BZ - RADIUS;
	int thread = (threadIdx.z * BY + threadIdx.y) * BX + threadIdx.x;

	for (int i = thread; i < sx * sy * sz; i += BX * BY * BZ) {
		int x = left + i % sx, y = top + i / sx % sy, z = front + i / (sx * sy);
		bool inside = x >= 0 && y >= 0 && z >= 0 && x < n && y < n && z < n;

		tile[i] = inside ? from[((size_t)z * n + y) * n + x] : 0.0f;
	}
	__syncthreads();

	int x = blockIdx.x * BX + threadIdx.x, y = blockIdx.y * BY + threadIdx.y, z = blockIdx.z * BZ + threadIdx.z;
	if (x < n && y < n && z < n) {
		float sum = 0;

		for (int dz = 0; dz < WIDTH; dz++)
			for (int dy = 0; dy < WIDTH; dy++)
				for (int dx = 0; dx < WIDTH; dx++)
					sum = fmaf(weights[(dz * WIDTH + dy) * WIDTH + dx],
					           tile[((threadIdx.z + dz) * sy + threadIdx.y + dy) * sx +
					                threadIdx.x + dx], sum);
		to[((size_t)z * n + y) * n + x] = sum;
	}
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "convolution3d", "Filters a volume of floats.", "shared", 128, 12);
	size_t n = (size_t)s.size, count = n * n * n;
	const float divisor = 1.0f / 125;

	if (n > 2048)
		s.usage("--size: more than 2048");
	std::vector<float> volume(count), other(count), w(WIDTH * WIDTH * WIDTH);
	for (size_t i = 0; i < count; i++)
		volume[i] = (float)(sample::hash32((uint32_t)i) >> 24);
	for (size_t i = 0; i < w.size(); i++)
		w[i] = (float)(i % 7 + 1) * divisor * 0.25f;
	const dim3 blocks((unsigned)((n + BX - 1) / BX), (unsigned)((n + BY - 1) / BY), (unsigned)((n + BZ - 1) / BZ));
	auto tuned = [&] {
		for (int r = 0; r < s.repeat; r++) {
			s.host().parallel(n, [&](size_t first, size_t last) {
				convolution3d_host(first, last, n, w.data(), volume.data(), other.data());
			});
			volume.swap(other);
		}
	};
	auto loops = [&] {
		for (int r = 0; r < s.repeat; r++) {
			s.host().blocks(blocks, [&](dim3 block) {
				convolve_block(block, (int)n, w.data(), volume.data(), other.data());
			});
			volume.swap(other);
		}
	};
	if (s.host_bench) {
		s.begin();
		s.tuned ? tuned() : loops();
		s.end();
		s.result(volume);
		return s.finish(true);
	}

	sample::Buffer<float> da(volume), db(count);
	float *from = da.get(), *to = db.get();
	size_t shared = (BX + 2 * RADIUS) * (BY + 2 * RADIUS) * (BZ + 2 * RADIUS) * sizeof(float);

	db.clear();
	CHECK(cudaMemcpyToSymbol(weights, w.data(), w.size() * sizeof(float)));
	s.begin();
	for (int r = 0; r < s.repeat; r++) {
		convolve<<<blocks, dim3(BX, BY, BZ), shared>>>((int)n, from, to);
		CHECK(cudaGetLastError());
		std::swap(from, to);
	}
	CHECK(cudaDeviceSynchronize());
	s.end();

	std::vector<float> got(count);
	CHECK(cudaMemcpy(got.data(), from, count * sizeof(float), cudaMemcpyDeviceToHost));
	s.result(got);
	if (s.unchecked)
		return s.finish(true);
	tuned();
	return s.finish(sample::same("volume", got, volume));
}
