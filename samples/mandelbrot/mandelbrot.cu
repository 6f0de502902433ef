/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * mandelbrot - loops that end after very different numbers of iterations.
 *
 * Variants: pixel (one thread a pixel), stride (few blocks; each thread takes the
 * next pixel when it is done with one, in one long kernel).
 * Sizes: --size is the width in pixels; the default takes 1-3 seconds on two cores,
 * 4096 with --repeat 50 takes minutes. --repeat multiplies the iteration limit of 256.
 *
 * The products are written so that no compiler can fuse them in two ways: each sum
 * takes rounded values, or is a fused operation.
 */
#include "../common/sample.hpp"
#include "mandelbrot_host.hpp"

__device__ int escape(int column, int row, int n, int limit)
{
	double cx = fma((double)column, 3.0 / n, -2.25), cy = fma((double)row, 3.0 / n, -1.5);
	double x = 0, y = 0;
	int i = 0;

	while (i < limit) {
		double xx = __dmul_rn(x, x), yy = __dmul_rn(y, y);

		if (__dadd_rn(xx, yy) > 4.0)
			break;
		y = fma(x + x, y, cy);
		x = __dadd_rn(__dadd_rn(xx, -yy), cx);
		i++;
	}
	return i;
}

__global__ void pixels(int n, int limit, unsigned int *out)
{
	int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;

	if (x < n && y < n)
		out[(size_t)y * n + x] = (unsigned int)escape(x, y, n, limit);
}

__global__ void pixels_stride(int n, int limit, unsigned int *next, unsigned int *out)
{
	unsigned int total = (unsigned int)n * (unsigned int)n;

	for (unsigned int p = atomicAdd(next, 1u); p < total; p = atomicAdd(next, 1u))
		out[p] = (unsigned int)escape((int)(p % (unsigned int)n), (int)(p / (unsigned int)n), n, limit);
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "mandelbrot", "Counts iterations of z -> z^2 + c.", "pixel stride", 2048, 1);
	size_t n = (size_t)s.size;
	int limit = 256 * s.repeat;

	if (n > 32768 || s.repeat > 1 << 20)
		s.usage("--size: more than 32768, or --repeat: more than 1048576");
	const unsigned side = (unsigned)((n + SIDE - 1) / SIDE);
	std::vector<unsigned int> want(n * n);
	if (s.host_bench) {
		unsigned int taken = 0;

		s.begin();
		if (s.tuned) /* rows in turns, for they take very different times */
			s.host().parallel(s.threads, [&](size_t first, size_t last) {
				for (size_t t = first; t < last; t++)
					for (size_t row = t; row < n; row += s.threads)
						mandelbrot_host((int)row, (int)n, limit, want.data());
			});
		else if (s.variant == "stride")
			s.host().blocks(32, [&](dim3) { pixels_stride_block((int)n, limit, &taken, want.data()); });
		else
			s.host().blocks(dim3(side, side), [&](dim3 block) {
				pixels_block(block, (int)n, limit, want.data());
			});
		s.end();
		s.result(want);
		return s.finish(true);
	}

	sample::Buffer<unsigned int> out(n * n), next(1);

	out.clear();
	next.clear();
	s.begin();
	if (s.variant == "stride")
		pixels_stride<<<32, 128>>>((int)n, limit, next.get(), out.get());
	else
		pixels<<<dim3(side, side), dim3(SIDE, SIDE)>>>((int)n, limit, out.get());
	CHECK(cudaGetLastError());
	CHECK(cudaDeviceSynchronize());
	s.end();

	std::vector<unsigned int> got = out.download();
	bool pass = true;
	/* Every row of a small picture, some of a large one. */
	size_t step = (double)n * (double)n * limit < 2e9 ? 1 : (n + 63) / 64;
	for (size_t row = 0; row < n && pass && !s.unchecked; row += step) {
		mandelbrot_host((int)row, (int)n, limit, want.data());
		pass = !std::memcmp(&got[row * n], &want[row * n], n * sizeof(unsigned int));
		if (!pass)
			std::fprintf(stderr, "row %zu differs from the reference\n", row);
	}
	s.result(got);
	return s.finish(pass);
}
