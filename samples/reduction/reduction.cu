/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * reduction - sum, least, most and exclusive or of many integers: shuffles inside a
 * warp, shared memory inside a block, atomics between blocks.
 *
 * Variants: shuffle (down-shuffles), tile (cooperative groups, tiles of 32), ballot
 * (counts by vote, bit by bit), shared (a tree in shared memory, no warp operations).
 * Sizes: --size is in elements. The default takes 1-3 seconds on two cores; 200
 * million with --repeat 1000 take minutes.
 */
#include <climits>

#include <cooperative_groups.h>

#include "../common/sample.hpp"
#include "reduction_host.hpp"

namespace cg = cooperative_groups;

constexpr unsigned ALL = 0xffffffffu;

__device__ void combine(Totals &t, const Totals &other)
{
	t.sum += other.sum;
	t.least = min(t.least, other.least);
	t.most = max(t.most, other.most);
	t.odd ^= other.odd;
}

/* The share of one thread: elements a grid apart. */
__device__ Totals share(size_t n, const int *v)
{
	Totals t = {0, INT_MAX, INT_MIN, 0};

	for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += (size_t)gridDim.x * THREADS) {
		int x = v[i];

		combine(t, Totals{(unsigned long long)(long long)x, x, x, (unsigned int)x});
	}
	return t;
}

__device__ void deliver(const Totals &t, Totals *out)
{
	atomicAdd(&out->sum, t.sum);
	atomicMin(&out->least, t.least);
	atomicMax(&out->most, t.most);
	atomicXor(&out->odd, t.odd);
}

__global__ void reduce_shuffle(size_t n, const int *v, Totals *out)
{
	__shared__ Totals warps[THREADS / 32];
	Totals t = share(n, v);

	for (int distance = 16; distance; distance /= 2)
		combine(t, Totals{__shfl_down_sync(ALL, t.sum, distance), __shfl_down_sync(ALL, t.least, distance),
		                  __shfl_down_sync(ALL, t.most, distance), __shfl_down_sync(ALL, t.odd, distance)});
	if (threadIdx.x % 32 == 0)
		warps[threadIdx.x / 32] = t;
	__syncthreads();
	if (threadIdx.x == 0) {
		for (int w = 1; w < THREADS / 32; w++)
			combine(t, warps[w]);
		deliver(t, out);
	}
}

__global__ void reduce_tile(size_t n, const int *v, Totals *out)
{
	cg::thread_block block = cg::this_thread_block();
	cg::thread_block_tile<32> tile = cg::tiled_partition<32>(block);
	Totals t = share(n, v);

	for (int lanes = 16; lanes; lanes /= 2)
		combine(t, Totals{tile.shfl_xor(t.sum, lanes), tile.shfl_xor(t.least, lanes),
		                  tile.shfl_xor(t.most, lanes), tile.shfl_xor(t.odd, lanes)});
	block.sync();
	if (tile.thread_rank() == 0)
		deliver(t, out);
}

/* Counts the set bits of each position by vote; least and most by a vote on each bit from above. */
__global__ void reduce_ballot(size_t n, const int *v, Totals *out)
{
	size_t step = (size_t)gridDim.x * THREADS, rounds = (n + step - 1) / step;
	size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
	Totals t = {0, INT_MAX, INT_MIN, 0};

	/* Every lane makes every round, so that all are there to vote. */
	for (size_t r = 0; r < rounds; r++, i += step) {
		bool live = i < n;
		unsigned int x = live ? (unsigned int)v[i] : 0, parity = 0;
		unsigned long long sum = 0;

		for (int bit = 0; bit < 32; bit++) {
			unsigned int set = __popc(__ballot_sync(ALL, live && (x >> bit & 1)));

			/* the top bit of a two's complement number counts negative */
			sum += bit == 31 ? 0 - ((unsigned long long)set << 31) : (unsigned long long)set << bit;
			parity |= (set & 1) << bit;
		}
		t.sum += sum;
		t.odd ^= parity;
		if (live) {
			t.least = min(t.least, (int)x);
			t.most = max(t.most, (int)x);
		}
	}
	for (int distance = 16; distance; distance /= 2) {
		t.least = min(t.least, __shfl_xor_sync(ALL, t.least, distance));
		t.most = max(t.most, __shfl_xor_sync(ALL, t.most, distance));
	}
	if (threadIdx.x % 32 == 0)
		deliver(t, out);
}

__global__ void reduce_shared(size_t n, const int *v, Totals *out)
{
	__shared__ Totals all[THREADS];

	all[threadIdx.x] = share(n, v);
	__syncthreads();
	for (int half = THREADS / 2; half; half /= 2) {
		if ((int)threadIdx.x < half)
			combine(all[threadIdx.x], all[threadIdx.x + half]);
		__syncthreads();
	}
	if (threadIdx.x == 0)
		deliver(all[0], out);
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "reduction", "Reduces integers to a sum, extremes and a parity.",
	                 "shuffle tile ballot shared", 1 << 24, 100);
	size_t n = (size_t)s.size;
	const unsigned blocks = (unsigned)((n + THREADS * 64 - 1) / (THREADS * 64));
	std::vector<int> v(n);

	if (s.variant == "ballot" && !s.repeat_given)
		s.repeat = 5; /* 32 votes an element */

	for (size_t i = 0; i < n; i++)
		v[i] = (int)sample::hash32((uint32_t)i);
	auto finish = [&](const Totals &t, bool pass) {
		s.result(&t.sum, sizeof t.sum);
		s.result(&t.least, sizeof t.least);
		s.result(&t.most, sizeof t.most);
		s.result(&t.odd, sizeof t.odd);
		return s.finish(pass);
	};
	if (s.host_bench) {
		std::vector<Totals> parts(s.threads);
		Totals t = {0, INT_MAX, INT_MIN, 0};
		const auto reduce = s.variant == "tile"     ? reduce_tile_block
		                    : s.variant == "ballot" ? reduce_ballot_block
		                    : s.variant == "shared" ? reduce_shared_block
		                                            : reduce_shuffle_block;

		s.begin();
		for (int r = 0; r < s.repeat; r++) {
			if (!s.tuned) {
				s.host().blocks(blocks, [&](dim3 block) { reduce(block, blocks, n, v.data(), &t); });
				continue;
			}
			s.host().parallel(s.threads, [&](size_t first, size_t last) {
				for (size_t p = first; p < last; p++)
					parts[p] = reduction_host(n * p / s.threads, n * (p + 1) / s.threads, v.data());
			});
			for (const Totals &part : parts) {
				t.sum += part.sum;
				t.least = part.least < t.least ? part.least : t.least;
				t.most = part.most > t.most ? part.most : t.most;
				t.odd ^= part.odd;
			}
		}
		s.end();
		return finish(t, true);
	}

	sample::Buffer<int> dv(v);
	sample::Buffer<Totals> out(std::vector<Totals>{{0, INT_MAX, INT_MIN, 0}});

	s.begin();
	for (int r = 0; r < s.repeat; r++) {
		if (s.variant == "tile")
			reduce_tile<<<blocks, THREADS>>>(n, dv.get(), out.get());
		else if (s.variant == "ballot")
			reduce_ballot<<<blocks, THREADS>>>(n, dv.get(), out.get());
		else if (s.variant == "shared")
			reduce_shared<<<blocks, THREADS>>>(n, dv.get(), out.get());
		else
			reduce_shuffle<<<blocks, THREADS>>>(n, dv.get(), out.get());
		CHECK(cudaGetLastError());
	}
	CHECK(cudaDeviceSynchronize());
	s.end();

	Totals got = out.download()[0];
	if (s.unchecked)
		return finish(got, true);
	Totals want = reduction_host(0, n, v.data());
	bool pass = got.sum == want.sum * (unsigned long long)s.repeat && got.least == want.least &&
	            got.most == want.most && got.odd == (s.repeat & 1 ? want.odd : 0);
	return finish(got, pass);
}
