/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * histogram - counts bytes: atomics in shared memory, then in global memory.
 *
 * Variants: shared (bins of the block in shared memory first), global (straight to
 * global memory), match (lanes with equal bytes count once, together).
 * Sizes: --size is in bytes. The default takes 1-3 seconds on two cores; 1000000000
 * with --repeat 100 takes minutes.
 */
#include "../common/sample.hpp"
#include "histogram_host.hpp"

__global__ void count_shared(size_t n, const unsigned char *data, unsigned int *bins)
{
	__shared__ unsigned int mine[BINS];

	mine[threadIdx.x] = 0;
	__syncthreads();
	for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += (size_t)gridDim.x * THREADS)
		atomicAdd(&mine[data[i]], 1u);
	__syncthreads();
	if (mine[threadIdx.x])
		atomicAdd(&bins[threadIdx.x], mine[threadIdx.x]);
}

__global__ void count_global(size_t n, const unsigned char *data, unsigned int *bins)
{
	for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += (size_t)gridDim.x * THREADS)
		atomicAdd(&bins[data[i]], 1u);
}

__global__ void count_match(size_t n, const unsigned char *data, unsigned int *bins)
{
	for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += (size_t)gridDim.x * THREADS) {
		unsigned int here = __activemask();
		unsigned int equal = __match_any_sync(here, (unsigned int)data[i]);

		/* the first of the equal lanes counts for all */
		if ((threadIdx.x & 31) == (unsigned int)__ffs((int)equal) - 1)
			atomicAdd(&bins[data[i]], (unsigned int)__popc(equal));
	}
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "histogram", "Counts the values of bytes.", "shared global match", 1 << 24,
	                 60);
	size_t n = (size_t)s.size;
	std::vector<unsigned char> data(n);

	if (s.variant == "match" && !s.repeat_given)
		s.repeat = 5;

	for (size_t i = 0; i < n; i++) {
		uint32_t h = sample::hash32((uint32_t)i);

		/* not evenly spread: some bins are fought over */
		data[i] = (unsigned char)((h & 255) & (h >> 8 & 255));
	}
	std::vector<unsigned int> want(BINS, 0);
	const unsigned blocks = (unsigned)((n + THREADS * 64 - 1) / (THREADS * 64));
	auto tuned = [&] {
		for (int r = 0; r < s.repeat; r++) {
			std::vector<unsigned int> parts((size_t)s.threads * BINS, 0);

			s.host().parallel(s.threads, [&](size_t first, size_t last) {
				for (size_t p = first; p < last; p++)
					histogram_host(n * p / s.threads, n * (p + 1) / s.threads, data.data(),
					               &parts[p * BINS]);
			});
			for (size_t i = 0; i < parts.size(); i++)
				want[i % BINS] += parts[i];
		}
	};
	auto loops = [&] {
		const auto count = s.variant == "global"  ? count_global_block
		                   : s.variant == "match" ? count_match_block
		                                          : count_shared_block;

		for (int r = 0; r < s.repeat; r++)
			s.host().blocks(blocks, [&](dim3 block) { count(block, blocks, n, data.data(), want.data()); });
	};
	if (s.host_bench) {
		s.begin();
		s.tuned ? tuned() : loops();
		s.end();
		s.result(want);
		return s.finish(true);
	}

	sample::Buffer<unsigned char> bytes(data);
	sample::Buffer<unsigned int> bins(BINS);

	bins.clear();
	s.begin();
	for (int r = 0; r < s.repeat; r++) {
		if (s.variant == "global")
			count_global<<<blocks, THREADS>>>(n, bytes.get(), bins.get());
		else if (s.variant == "match")
			count_match<<<blocks, THREADS>>>(n, bytes.get(), bins.get());
		else
			count_shared<<<blocks, THREADS>>>(n, bytes.get(), bins.get());
		CHECK(cudaGetLastError());
	}
	CHECK(cudaDeviceSynchronize());
	s.end();

	std::vector<unsigned int> got = bins.download();
	s.result(got);
	if (s.unchecked)
		return s.finish(true);
	tuned();
	return s.finish(sample::same("bins", got, want));
}
