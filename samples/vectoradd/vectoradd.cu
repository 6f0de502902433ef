/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * vectoradd - y = y + x, again and again: grids of many short blocks.
 *
 * Variants: blocks (one element a thread), stride (a few blocks whose threads walk
 * over the vector, all repeats in one launch).
 * Sizes: --size is in elements; the default takes 1-3 seconds on two cores, 100
 * million elements with --repeat 2000 take minutes.
 */
#include "../common/sample.hpp"
#include "vectoradd_host.hpp"

__global__ void add(size_t n, const float *x, float *y)
{
	size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		y[i] = y[i] + x[i];
}

__global__ void add_stride(size_t n, int repeat, const float *x, float *y)
{
	size_t step = (size_t)gridDim.x * blockDim.x;

	for (int r = 0; r < repeat; r++)
		for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
			y[i] = y[i] + x[i];
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "vectoradd", "Adds vectors of floats.", "blocks stride", 1 << 23, 300);
	size_t n = (size_t)s.size;
	const unsigned blocks = (unsigned)((n + THREADS - 1) / THREADS);
	std::vector<float> x(n), y(n);

	/* far apart elements in turn: hard on caches that are not a GPU's */
	if (s.variant == "stride" && !s.repeat_given)
		s.repeat = 20;

	for (size_t i = 0; i < n; i++) {
		x[i] = (float)(sample::hash32((uint32_t)i) >> 8) * 0x1p-24f;
		y[i] = (float)(i % 1000);
	}
	if (s.host_bench) {
		s.begin();
		if (s.variant == "stride" && !s.tuned)
			s.host().blocks(STRIDE_BLOCKS, [&](dim3 block) {
				add_stride_block(block, n, s.repeat, x.data(), y.data());
			});
		else
			for (int r = 0; r < s.repeat; r++)
				if (s.tuned)
					s.host().parallel(n, [&](size_t first, size_t last) {
						vectoradd_host(first, last, x.data(), y.data());
					});
				else
					s.host().blocks(blocks, [&](dim3 block) {
						add_block(block, n, x.data(), y.data());
					});
		s.end();
		s.result(y);
		return s.finish(true);
	}

	sample::Buffer<float> dx(x), dy(y);

	s.begin();
	if (s.variant == "stride")
		add_stride<<<STRIDE_BLOCKS, THREADS>>>(n, s.repeat, dx.get(), dy.get());
	else
		for (int r = 0; r < s.repeat; r++)
			add<<<blocks, THREADS>>>(n, dx.get(), dy.get());
	CHECK(cudaGetLastError());
	CHECK(cudaDeviceSynchronize());
	s.end();

	std::vector<float> got = dy.download();
	s.result(got);
	if (s.unchecked)
		return s.finish(true);
	for (int r = 0; r < s.repeat; r++)
		vectoradd_host(0, n, x.data(), y.data());
	return s.finish(sample::same("y", got, y));
}
