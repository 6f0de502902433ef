/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * spinlock - blocks that wait for each other in global memory.
 *
 * Variants:
 *   lock     one thread of each block takes a spin lock and changes plain variables
 *   ticket   every thread does, one at a time, by ticket
 *   barrier  all blocks meet after each round, at a barrier made by hand
 *   grid     the same with cooperative groups, in a cooperative launch
 *   ring     a chain of blocks, each waits for items of the one before it
 * A block waits for others, so all blocks must run side by side: there are only 8.
 * Sizes: --size is the number of rounds or items. The default takes a second or so;
 * 10000000 rounds take minutes, in one kernel.
 */
#include <cooperative_groups.h>

#include "spinlock_host.hpp"

struct Shared {
	unsigned int lock, ticket, serving;      /* the locks */
	unsigned int arrived, opened;            /* the barrier */
	unsigned int written[BLOCKS], read[BLOCKS]; /* items of the ring */
	unsigned long long counter, checksum;    /* what the locks protect */
};

__device__ unsigned int look(const unsigned int *word)
{
	return *(const volatile unsigned int *)word;
}

__global__ void lock_blocks(int rounds, Shared *shared)
{
	if (threadIdx.x)
		return;
	for (int r = 0; r < rounds; r++) {
		while (atomicCAS(&shared->lock, 0u, 1u))
			;
		__threadfence();
		volatile unsigned long long *counter = &shared->counter, *checksum = &shared->checksum;
		unsigned long long now = *counter;

		*counter = now + 1;
		*checksum = *checksum + now * now;
		__threadfence();
		atomicExch(&shared->lock, 0u);
	}
}

/* Threads of one warp wait for each other here, which needs independent threads. */
__global__ void lock_tickets(int rounds, Shared *shared)
{
	for (int r = 0; r < rounds; r++) {
		unsigned int mine = atomicAdd(&shared->ticket, 1u);

		while (look(&shared->serving) != mine)
			;
		__threadfence();
		volatile unsigned long long *counter = &shared->counter, *checksum = &shared->checksum;
		unsigned long long now = *counter;

		*counter = now + 1;
		*checksum = *checksum + now * now;
		__threadfence();
		atomicAdd(&shared->serving, 1u);
	}
}

__device__ void all_blocks(Shared *shared)
{
	__syncthreads();
	if (threadIdx.x == 0) {
		unsigned int before = look(&shared->opened);

		__threadfence();
		if (atomicAdd(&shared->arrived, 1u) == gridDim.x - 1) {
			atomicExch(&shared->arrived, 0u);
			__threadfence();
			atomicAdd(&shared->opened, 1u);
		} else {
			while (look(&shared->opened) == before)
				;
		}
		__threadfence();
	}
	__syncthreads();
}

__global__ void meet(int rounds, Shared *shared, uint32_t *a, uint32_t *b)
{
	unsigned int i = blockIdx.x * THREADS + threadIdx.x, right = (i + THREADS) % (BLOCKS * THREADS);

	for (int r = 0; r < rounds; r++) {
		volatile uint32_t *from = r & 1 ? b : a, *to = r & 1 ? a : b;

		to[i] = from[i] * 3 + sample::hash32(from[right]);
		all_blocks(shared);
	}
}

__global__ void meet_grid(int rounds, uint32_t *a, uint32_t *b)
{
	cooperative_groups::grid_group grid = cooperative_groups::this_grid();
	unsigned int i = blockIdx.x * THREADS + threadIdx.x, right = (i + THREADS) % (BLOCKS * THREADS);

	for (int r = 0; r < rounds; r++) {
		volatile uint32_t *from = r & 1 ? b : a, *to = r & 1 ? a : b;

		to[i] = from[i] * 3 + sample::hash32(from[right]);
		grid.sync();
	}
}

/* slots: RING rows of THREADS words between each block and the next. */
__global__ void chain(int items, Shared *shared, uint32_t *slots, uint32_t *sums)
{
	unsigned int block = blockIdx.x, t = threadIdx.x;
	uint32_t sum = 0;

	for (int i = 0; i < items; i++) {
		uint32_t v;

		if (block == 0) {
			v = sample::hash32((uint32_t)(i * THREADS) + t);
		} else {
			if (t == 0) {
				while (look(&shared->written[block - 1]) <= (unsigned int)i)
					;
				__threadfence();
			}
			__syncthreads();
			v = ((volatile uint32_t *)slots)[((block - 1) * RING + i % RING) * THREADS + t];
			v = sample::hash32(v + block);
			__syncthreads();
			if (t == 0)
				atomicAdd(&shared->read[block], 1u);
		}
		if (block == BLOCKS - 1) {
			sum = sum * 31 + v;
			continue;
		}
		if (t == 0)
			while (i - (int)look(&shared->read[block + 1]) >= RING)
				;
		__syncthreads();
		((volatile uint32_t *)slots)[(block * RING + i % RING) * THREADS + t] = v;
		__threadfence();
		__syncthreads();
		if (t == 0)
			atomicAdd(&shared->written[block], 1u);
	}
	if (block == BLOCKS - 1)
		sums[t] = sum;
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "spinlock", "Blocks that wait for each other.", "lock ticket barrier grid ring",
	                 20000, 1);
	int rounds = (int)s.size;
	size_t cells = BLOCKS * THREADS;

	if (s.size > 1 << 30)
		s.usage("--size: more than 1073741824");
	if (s.host_bench)
		s.usage("--host-bench: this sample measures waiting, there is no host version");

	std::vector<uint32_t> first(cells);
	for (size_t i = 0; i < cells; i++)
		first[i] = (uint32_t)i;
	sample::Buffer<Shared> shared(1);
	sample::Buffer<uint32_t> a(first), b(first), slots((size_t)BLOCKS * RING * THREADS), sums(THREADS);
	bool pass = true;

	s.begin();
	for (int r = 0; r < s.repeat && pass; r++) {
		shared.clear();
		slots.clear();
		a.upload(first);
		if (s.variant == "ticket")
			lock_tickets<<<BLOCKS, THREADS>>>((rounds + 63) / 64, shared.get());
		else if (s.variant == "barrier")
			meet<<<BLOCKS, THREADS>>>(rounds, shared.get(), a.get(), b.get());
		else if (s.variant == "grid") {
			uint32_t *pa = a.get(), *pb = b.get();
			void *arguments[] = {&rounds, &pa, &pb};

			CHECK(cudaLaunchCooperativeKernel((const void *)meet_grid, dim3(BLOCKS), dim3(THREADS),
			                                  arguments, 0, nullptr));
		} else if (s.variant == "ring")
			chain<<<BLOCKS, THREADS>>>(rounds, shared.get(), slots.get(), sums.get());
		else
			lock_blocks<<<BLOCKS, THREADS>>>(rounds, shared.get());
		CHECK(cudaGetLastError());
		CHECK(cudaDeviceSynchronize());
	}
	s.end();

	if (s.variant == "barrier" || s.variant == "grid") {
		std::vector<uint32_t> want = first, got = rounds & 1 ? b.download() : a.download();

		barrier_host(rounds, want);
		pass = sample::same("cells", got, want);
		s.result(got);
	} else if (s.variant == "ring") {
		std::vector<uint32_t> want(THREADS), got = sums.download();

		ring_host(rounds, want);
		pass = sample::same("sums", got, want);
		s.result(got);
	} else {
		Shared got = shared.download()[0];
		unsigned long long count = s.variant == "ticket" ? (unsigned long long)((rounds + 63) / 64) * cells
		                                                 : (unsigned long long)rounds * BLOCKS;
		unsigned long long squares = 0;

		for (unsigned long long i = 0; i < count; i++)
			squares += i * i;
		pass = got.counter == count && got.checksum == squares;
		if (!pass)
			std::fprintf(stderr, "counter %llu instead of %llu\n", got.counter, count);
		s.result(&got.counter, sizeof got.counter);
		s.result(&got.checksum, sizeof got.checksum);
	}
	return s.finish(pass);
}
