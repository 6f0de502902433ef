/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * montecarlo - estimates pi; each thread's generator has its state in a local array.
 *
 * Sizes: --size is the number of walkers, --repeat thousands of points of each. The
 * default takes 1-3 seconds on two cores; --repeat 500 takes minutes in one kernel.
 */
#include <cmath>

#include "montecarlo_host.hpp"

__global__ void walkers(unsigned int n, int samples, unsigned int *inside, unsigned long long *total)
{
	unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i >= n)
		return;
	inside[i] = montecarlo_walker(i, samples);
	atomicAdd(total, (unsigned long long)inside[i]);
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "montecarlo", "Estimates pi with random points.", "local", 16384, 20);
	size_t n = (size_t)s.size;
	int samples = 1000 * s.repeat;

	if (n > 1 << 30 || s.repeat > 1000000)
		s.usage("--size: more than 1073741824, or --repeat: more than 1000000");
	const unsigned blocks = (unsigned)((n + THREADS - 1) / THREADS);
	std::vector<unsigned int> want(n);
	if (s.host_bench) {
		unsigned long long all = 0;

		/* nothing here would be done otherwise for a CPU */
		s.begin();
		s.host().blocks(blocks, [&](dim3 block) {
			walkers_block(block, (unsigned)n, samples, want.data(), &all);
		});
		s.end();
		s.result(want);
		s.result(&all, sizeof all);
		return s.finish(true);
	}

	sample::Buffer<unsigned int> inside(n);
	sample::Buffer<unsigned long long> total(1);

	inside.clear();
	total.clear();
	s.begin();
	walkers<<<blocks, THREADS>>>((unsigned)n, samples, inside.get(), total.get());
	CHECK(cudaGetLastError());
	CHECK(cudaDeviceSynchronize());
	s.end();

	std::vector<unsigned int> got = inside.download();
	unsigned long long sum = 0, counted = total.download()[0];
	double estimate, expected_error = 10 / std::sqrt((double)n * samples);
	bool pass = true;

	for (unsigned int x : got)
		sum += x;
	for (size_t i = 0; i < n && pass && !s.unchecked; i += n < 64 ? 1 : n / 64) {
		pass = got[i] == montecarlo_walker((uint32_t)i, samples);
		if (!pass)
			std::fprintf(stderr, "walker %zu differs from the reference\n", i);
	}
	estimate = 4.0 * (double)sum / ((double)n * samples);
	if (sum != counted || std::fabs(estimate - 3.14159265358979) > expected_error) {
		std::fprintf(stderr, "estimate %.6f, sum %llu, counted %llu\n", estimate, sum, counted);
		pass = false;
	}
	s.result(got);
	s.result(&counted, sizeof counted);
	return s.finish(pass);
}
