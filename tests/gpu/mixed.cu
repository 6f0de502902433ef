/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * mixed - everything at once, for pauses that come at any moment: long queues on several
 * streams; kernels that park inside, kernels too short to poll, kernels that cannot pause;
 * copies in both directions, of page-locked and of pageable memory, in flight while kernels
 * run; events across streams; host functions.
 *
 * Each stream turns a vector over and over, and takes in what its neighbour had a round
 * before, through a mailbox. All of it is integers and depends on nothing but the order that
 * the streams and events prescribe, so a command that is lost, repeated or too early
 * changes the result. The host does the same, tile by tile.
 *
 * --size is in words a stream, --repeat the rounds. The options are those of the samples.
 */
#include <atomic>

#include "samples/common/sample.hpp"

constexpr int STREAMS = 4, THREADS = 128, PASSES = 24, DEPTH = 6, STIRS = 64;

static __host__ __device__ inline uint32_t turn(uint32_t v, uint32_t by, uint32_t r)
{
	return (v << 5 | v >> 27) * 0x9e3779b1u + (by ^ r);
}

static __host__ __device__ inline uint32_t fresh(uint32_t stream, uint32_t round, uint32_t i)
{
	return sample::hash32(i * 64 + stream * 16 + round % 16);
}

/* Threads on their own, in a long loop: parks anywhere. */
__global__ void stir(size_t n, int stirs, const uint32_t *by, uint32_t *data)
{
	for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) {
		uint32_t v = data[i], b = by[i];

		for (int r = 0; r < stirs; r++)
			v = turn(v, b, (uint32_t)r);
		data[i] = v;
	}
}

/* Barriers and shared memory: blocks park as a whole. */
__global__ void blend(size_t tiles, int passes, uint32_t *data)
{
	__shared__ uint32_t tile[THREADS];

	for (size_t at = blockIdx.x; at < tiles; at += gridDim.x) {
		uint32_t v = data[at * THREADS + threadIdx.x];

		for (int p = 0; p < passes; p++) {
			tile[threadIdx.x] = v;
			__syncthreads();
			v = v * 31 + tile[(threadIdx.x + p + 1) % THREADS];
			__syncthreads();
		}
		data[at * THREADS + threadIdx.x] = v;
	}
}

/* Many blocks that end at once: no polls. */
__global__ void take_in(size_t n, const uint32_t *mail, uint32_t *data)
{
	size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		data[i] ^= mail[i];
}

static __host__ __device__ __attribute__((noinline)) uint32_t fold(uint32_t v, int depth)
{
	return depth ? fold(sample::hash32(v), depth - 1) * 3 + v : v;
}

/* Recursion: cannot pause. */
__global__ void fold_all(size_t n, int depth, uint32_t *data)
{
	size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		data[i] = fold(data[i], depth);
}

static void called(void *data)
{
	static_cast<std::atomic<unsigned> *>(data)->fetch_add(1);
}

struct Lane {
	cudaStream_t stream;
	cudaEvent_t posted[2], taken[2]; /* of the mailboxes */
	uint32_t *data, *by, *mail[2];   /* on the device */
	uint32_t *in, *out;              /* page-locked: 16 rounds' input, the state now and then */
	std::vector<uint32_t> start, pageable, result;
};

/* The same for one tile of all streams. */
static void tile_host(size_t tile, int rounds, uint32_t (*state)[THREADS], uint32_t (*seen)[THREADS])
{
	uint32_t by[STREAMS][THREADS], mail[STREAMS][THREADS], line[THREADS];

	for (int r = 0; r < rounds; r++)
		for (int pass = 0; pass < 2; pass++)
			for (int s = 0; s < STREAMS; s++) {
				if (pass) {
					for (int t = 0; t < THREADS; t++)
						state[s][t] ^= mail[(s + 1) % STREAMS][t];
					if (r % 3 == 1)
						for (int t = 0; t < THREADS; t++)
							state[s][t] = fold(state[s][t], DEPTH);
					if (r % 5 == 4)
						std::memcpy(seen[s], state[s], sizeof state[s]);
					continue;
				}
				if (r % 4 == 0)
					for (int t = 0; t < THREADS; t++)
						by[s][t] = fresh((uint32_t)s, (uint32_t)r, (uint32_t)(tile * THREADS + (size_t)t));
				for (int t = 0; t < THREADS; t++)
					for (int k = 0; k < STIRS; k++)
						state[s][t] = turn(state[s][t], by[s][t], (uint32_t)k);
				for (int p = 0; p < PASSES; p++) {
					std::memcpy(line, state[s], sizeof line);
					for (int t = 0; t < THREADS; t++)
						state[s][t] = state[s][t] * 31 + line[(t + p + 1) % THREADS];
				}
				std::memcpy(mail[s], state[s], sizeof mail[s]);
			}
}

static void enqueue(Lane *lanes, size_t n, int rounds, std::atomic<unsigned> *calls)
{
	unsigned small = (unsigned)((n + THREADS - 1) / THREADS);

	for (int r = 0; r < rounds; r++) {
		int box = r & 1;

		for (int s = 0; s < STREAMS; s++) {
			Lane &l = lanes[s];

			if (r % 4 == 0)
				CHECK(cudaMemcpyAsync(l.by, l.in + (size_t)(r % 16 / 4) * n, n * 4, cudaMemcpyHostToDevice, l.stream));
			stir<<<64, THREADS, 0, l.stream>>>(n, STIRS, l.by, l.data);
			blend<<<48, THREADS, 0, l.stream>>>(n / THREADS, PASSES, l.data);
			/* The neighbour must have read what was in the box two rounds ago. */
			if (r > 1)
				CHECK(cudaStreamWaitEvent(l.stream, lanes[(s + STREAMS - 1) % STREAMS].taken[box], 0));
			CHECK(cudaMemcpyAsync(l.mail[box], l.data, n * 4, cudaMemcpyDeviceToDevice, l.stream));
			CHECK(cudaEventRecord(l.posted[box], l.stream));
		}
		for (int s = 0; s < STREAMS; s++) {
			Lane &l = lanes[s], &next = lanes[(s + 1) % STREAMS];

			CHECK(cudaStreamWaitEvent(l.stream, next.posted[box], 0));
			take_in<<<small, THREADS, 0, l.stream>>>(n, next.mail[box], l.data);
			CHECK(cudaEventRecord(l.taken[box], l.stream));
			if (r % 3 == 1)
				fold_all<<<small, THREADS, 0, l.stream>>>(n, DEPTH, l.data);
			if (r % 5 == 4)
				CHECK(cudaMemcpyAsync(l.out, l.data, n * 4, cudaMemcpyDeviceToHost, l.stream));
			if (r % 8 == 7)
				CHECK(cudaLaunchHostFunc(l.stream, called, calls));
		}
		CHECK(cudaGetLastError());
	}
	/* Pageable memory, behind all of it. */
	for (int s = 0; s < STREAMS; s++)
		CHECK(cudaMemcpyAsync(lanes[s].pageable.data(), lanes[s].data, n * 4, cudaMemcpyDeviceToHost, lanes[s].stream));
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "mixed", "Kernels, copies and events of every kind on several streams.",
	                 "streams", 1 << 18, 40);
	size_t n = (size_t)s.size;
	std::atomic<unsigned> calls{0};
	Lane lanes[STREAMS];
	bool pass = true;

	if (n % THREADS || n > 1 << 26)
		s.usage("--size: not a multiple of 128 up to 67108864");
	if (s.host_bench)
		s.usage("--host-bench: this program measures nothing");
	for (int i = 0; i < STREAMS; i++) {
		Lane &l = lanes[i];

		CHECK(cudaStreamCreateWithFlags(&l.stream, cudaStreamNonBlocking));
		for (int b = 0; b < 2; b++) {
			CHECK(cudaEventCreateWithFlags(&l.posted[b], cudaEventDisableTiming));
			CHECK(cudaEventCreateWithFlags(&l.taken[b], cudaEventDisableTiming));
			CHECK(cudaMalloc((void **)&l.mail[b], n * 4));
		}
		CHECK(cudaMalloc((void **)&l.data, n * 4));
		CHECK(cudaMalloc((void **)&l.by, n * 4));
		CHECK(cudaMallocHost((void **)&l.in, 4 * n * 4));
		CHECK(cudaMallocHost((void **)&l.out, n * 4));
		l.start.resize(n);
		l.pageable.resize(n);
		l.result.resize(n);
		std::memset(l.out, 0, n * 4);
		for (size_t w = 0; w < n; w++) {
			l.start[w] = sample::hash32((uint32_t)(w + (size_t)i * n));
			for (uint32_t part = 0; part < 4; part++)
				l.in[part * n + w] = fresh((uint32_t)i, part * 4, (uint32_t)w);
		}
		CHECK(cudaMemcpy(l.data, l.start.data(), n * 4, cudaMemcpyHostToDevice));
	}
	s.begin();
	enqueue(lanes, n, s.repeat, &calls);
	CHECK(cudaDeviceSynchronize());
	s.end();

	for (Lane &l : lanes)
		CHECK(cudaMemcpy(l.result.data(), l.data, n * 4, cudaMemcpyDeviceToHost));
	if (calls.load() != (unsigned)(s.repeat / 8 * STREAMS)) {
		std::fprintf(stderr, "%u host functions ran, not %d\n", calls.load(), s.repeat / 8 * STREAMS);
		pass = false;
	}
	if (!s.unchecked) {
		std::atomic<size_t> wrong{SIZE_MAX};

		s.host().parallel(n / THREADS, [&](size_t first, size_t last) {
			uint32_t state[STREAMS][THREADS], seen[STREAMS][THREADS];

			for (size_t tile = first; tile < last; tile++) {
				std::memset(seen, 0, sizeof seen);
				for (int i = 0; i < STREAMS; i++)
					std::memcpy(state[i], &lanes[i].start[tile * THREADS], sizeof state[i]);
				tile_host(tile, s.repeat, state, seen);
				for (int i = 0; i < STREAMS; i++)
					if (std::memcmp(state[i], &lanes[i].result[tile * THREADS], sizeof state[i]) ||
					    std::memcmp(state[i], &lanes[i].pageable[tile * THREADS], sizeof state[i]) ||
					    std::memcmp(seen[i], &lanes[i].out[tile * THREADS], sizeof seen[i]))
						wrong.store(tile);
			}
		});
		if (wrong.load() != SIZE_MAX) {
			std::fprintf(stderr, "tile %zu differs from the reference\n", wrong.load());
			pass = false;
		}
	}
	for (Lane &l : lanes) {
		s.result(l.result);
		s.result(l.pageable);
		s.result(l.out, n * 4);
	}
	return s.finish(pass);
}
