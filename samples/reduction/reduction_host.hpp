/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef REDUCTION_HOST_HPP
#define REDUCTION_HOST_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "../common/host.hpp"

constexpr int THREADS = 256;

struct Totals {
	unsigned long long sum;
	int least, most;
	unsigned int odd; /* exclusive or of all */
};

inline Totals reduction_host(size_t first, size_t last, const int *v)
{
	Totals t = {0, INT32_MAX, INT32_MIN, 0};

	for (size_t i = first; i < last; i++) {
		t.sum += (unsigned long long)(long long)v[i];
		t.least = v[i] < t.least ? v[i] : t.least;
		t.most = v[i] > t.most ? v[i] : t.most;
		t.odd ^= (unsigned int)v[i];
	}
	return t;
}

/* ---- The kernels as loops over the threads of a block; blocks: gridDim.x ---- */

/* What each thread of a block carries along. */
struct Block {
	unsigned long long sum[THREADS];
	int least[THREADS], most[THREADS];
	unsigned int odd[THREADS];

	Totals of(int t) const { return {sum[t], least[t], most[t], odd[t]}; }

	void combine(int t, const Totals &other)
	{
		sum[t] += other.sum;
		least[t] = std::min(least[t], other.least);
		most[t] = std::max(most[t], other.most);
		odd[t] ^= other.odd;
	}
};

inline void share_host(Block &b, dim3 block, unsigned blocks, size_t n, const int *v)
{
	for (int t = 0; t < THREADS; t++) {
		b.sum[t] = b.odd[t] = 0;
		b.least[t] = INT32_MAX;
		b.most[t] = INT32_MIN;
	}
	for (size_t first = (size_t)block.x * THREADS; first < n; first += (size_t)blocks * THREADS) {
		int threads = (int)std::min((size_t)THREADS, n - first);

		for (int t = 0; t < threads; t++) {
			int x = v[first + t];

			b.combine(t, {(unsigned long long)(long long)x, x, x, (unsigned int)x});
		}
	}
}

inline void deliver_host(const Totals &t, Totals *out)
{
	sample::atomic_add(&out->sum, t.sum);
	sample::atomic_min(&out->least, t.least);
	sample::atomic_max(&out->most, t.most);
	__atomic_fetch_xor(&out->odd, t.odd, __ATOMIC_RELAXED);
}

inline void reduce_shuffle_block(dim3 block, unsigned blocks, size_t n, const int *v, Totals *out)
{
	Block b;

	share_host(b, block, blocks, n, v);
	/* lanes take from lanes above them, which come later: each finds what was there before */
	for (int distance = 16; distance; distance /= 2)
		for (int warp = 0; warp < THREADS; warp += 32)
			for (int lane = 0; lane < 32; lane++)
				b.combine(warp + lane, b.of(warp + (lane + distance < 32 ? lane + distance : lane)));
	for (int warp = 32; warp < THREADS; warp += 32)
		b.combine(0, b.of(warp));
	deliver_host(b.of(0), out);
}

inline void reduce_tile_block(dim3 block, unsigned blocks, size_t n, const int *v, Totals *out)
{
	Block b;

	share_host(b, block, blocks, n, v);
	for (int lanes = 16; lanes; lanes /= 2) {
		const Block before = b;

		for (int t = 0; t < THREADS; t++)
			b.combine(t, before.of(t ^ lanes));
	}
	for (int warp = 0; warp < THREADS; warp += 32)
		deliver_host(b.of(warp), out);
}

/* What a vote gives is the same for all lanes of a warp: sum and odd are those of the warp. */
inline void reduce_ballot_block(dim3 block, unsigned blocks, size_t n, const int *v, Totals *out)
{
	for (int warp = 0; warp < THREADS; warp += 32) {
		Totals t = {0, INT32_MAX, INT32_MIN, 0};

		for (size_t first = (size_t)block.x * THREADS + warp; first < n; first += (size_t)blocks * THREADS) {
			int lanes = (int)std::min((size_t)32, n - first);

			for (int bit = 0; bit < 32; bit++) {
				unsigned int set = 0;

				for (int lane = 0; lane < lanes; lane++)
					set += (unsigned int)v[first + lane] >> bit & 1;
				t.sum += bit == 31 ? 0 - ((unsigned long long)set << 31) : (unsigned long long)set << bit;
				t.odd ^= (set & 1) << bit;
			}
			for (int lane = 0; lane < lanes; lane++) {
				t.least = std::min(t.least, v[first + lane]);
				t.most = std::max(t.most, v[first + lane]);
			}
		}
		deliver_host(t, out);
	}
}

inline void reduce_shared_block(dim3 block, unsigned blocks, size_t n, const int *v, Totals *out)
{
	Block all;

	share_host(all, block, blocks, n, v);
	for (int half = THREADS / 2; half; half /= 2)
		for (int t = 0; t < half; t++)
			all.combine(t, all.of(t + half));
	deliver_host(all.of(0), out);
}

#endif
