/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * pipeline - chunks of data through several streams: asynchronous copies in, two
 * kernels, a copy out, tied together by events; a table in constant memory, a key and
 * counters in device variables, a host function at the end of each chunk.
 *
 * Sizes: --size is the number of words, --repeat the mixing rounds in hundreds. The
 * default takes 1-3 seconds on two cores; --repeat 100 takes minutes.
 */
#include <atomic>

#include "../common/sample.hpp"
#include "pipeline_host.hpp"

constexpr int STREAMS = 3;
constexpr size_t CHUNK = 1 << 18;

__constant__ uint32_t table[256];
__device__ uint32_t key;
__device__ unsigned long long processed;
__device__ unsigned int highest = 0;

__global__ void substitute(size_t n, const uint32_t *in, uint32_t *out)
{
	for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x)
		out[i] = in[i] ^ table[in[i] & 255];
}

__global__ void mix(size_t n, int rounds, uint32_t *data)
{
	for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) {
		uint32_t v = data[i];

		for (int r = 0; r < rounds; r++)
			v = (v << 5 | v >> 27) * 0x9e3779b1u + (key ^ (uint32_t)r);
		data[i] = v;
		atomicMax(&highest, v);
	}
	if (blockIdx.x == 0 && threadIdx.x == 0)
		atomicAdd(&processed, (unsigned long long)n);
}

static void chunk_done(void *data)
{
	static_cast<std::atomic<int> *>(data)->fetch_add(1);
}

int main(int argc, char **argv)
{
	sample::Sample s(argc, argv, "pipeline", "Processes chunks in several streams.", "streams", 1 << 22, 1);
	size_t n = (size_t)s.size, chunks = (n + CHUNK - 1) / CHUNK;
	int rounds = 100 * s.repeat;
	std::vector<uint32_t> substitution(256), want(n);
	uint32_t secret = 0x12345678u;

	for (uint32_t i = 0; i < 256; i++)
		substitution[i] = sample::hash32(i + 7);
	auto most_of = [](const std::vector<uint32_t> &words) {
		uint32_t most = 0;

		for (uint32_t v : words)
			most = v > most ? v : most;
		return most;
	};
	if (s.host_bench) {
		std::vector<uint32_t> input(n);
		unsigned long long processed_words = 0;
		uint32_t most = 0;

		for (size_t i = 0; i < n; i++)
			input[i] = sample::hash32((uint32_t)i);
		s.begin();
		if (s.tuned) {
			s.host().parallel(n, [&](size_t first, size_t last) {
				pipeline_host(first, last, substitution.data(), secret, rounds, input.data(), want.data());
			});
			processed_words = n;
			most = most_of(want);
		} else {
			/* the host's memory is one: nothing is copied to it and back */
			for (size_t first = 0; first < n; first += CHUNK) {
				size_t count = std::min(CHUNK, n - first);
				uint32_t *chunk = &want[first];

				s.host().blocks(BLOCKS, [&](dim3 block) {
					substitute_block(block, count, substitution.data(), &input[first], chunk);
				});
				s.host().blocks(BLOCKS, [&](dim3 block) {
					mix_block(block, count, rounds, secret, chunk, &most, &processed_words);
				});
			}
		}
		s.end();
		s.result(want);
		s.result(&processed_words, sizeof processed_words);
		s.result(&most, sizeof most);
		return s.finish(true);
	}

	uint32_t *in, *out, *da[STREAMS], *db[STREAMS];
	cudaStream_t stream[STREAMS];
	cudaEvent_t copied[STREAMS], started, stopped;
	std::atomic<int> done{0};
	float milliseconds = 0;

	CHECK(cudaMallocHost((void **)&in, n * sizeof *in));
	CHECK(cudaHostAlloc((void **)&out, n * sizeof *out, cudaHostAllocDefault));
	for (size_t i = 0; i < n; i++) {
		in[i] = sample::hash32((uint32_t)i);
		out[i] = 0;
	}
	for (int i = 0; i < STREAMS; i++) {
		CHECK(cudaStreamCreateWithFlags(&stream[i], cudaStreamNonBlocking));
		CHECK(cudaEventCreateWithFlags(&copied[i], cudaEventDisableTiming));
		CHECK(cudaMalloc((void **)&da[i], CHUNK * sizeof *in));
		CHECK(cudaMalloc((void **)&db[i], CHUNK * sizeof *in));
	}
	CHECK(cudaEventCreate(&started));
	CHECK(cudaEventCreate(&stopped));
	CHECK(cudaMemcpyToSymbol(table, substitution.data(), sizeof table));
	CHECK(cudaMemcpyToSymbol(key, &secret, sizeof secret));
	unsigned long long zero = 0;
	CHECK(cudaMemcpyToSymbol(processed, &zero, sizeof zero));
	CHECK(cudaDeviceSynchronize());

	s.begin();
	CHECK(cudaEventRecord(started, stream[0]));
	for (size_t c = 0; c < chunks; c++) {
		int i = (int)(c % STREAMS), helper = (int)((c + 1) % STREAMS);
		size_t first = c * CHUNK, count = n - first < CHUNK ? n - first : CHUNK;

		CHECK(cudaMemcpyAsync(da[i], in + first, count * sizeof *in, cudaMemcpyHostToDevice, stream[i]));
		substitute<<<BLOCKS, THREADS, 0, stream[i]>>>(count, da[i], db[i]);
		CHECK(cudaGetLastError());
		/* The second kernel runs in the neighbour's stream, after an event of this one. */
		CHECK(cudaEventRecord(copied[i], stream[i]));
		CHECK(cudaStreamWaitEvent(stream[helper], copied[i], 0));
		mix<<<BLOCKS, THREADS, 0, stream[helper]>>>(count, rounds, db[i]);
		CHECK(cudaGetLastError());
		CHECK(cudaMemcpyAsync(out + first, db[i], count * sizeof *in, cudaMemcpyDeviceToHost, stream[helper]));
		CHECK(cudaLaunchHostFunc(stream[helper], chunk_done, &done));
		/* The buffers are used again by stream i. */
		CHECK(cudaEventRecord(copied[i], stream[helper]));
		CHECK(cudaStreamWaitEvent(stream[i], copied[i], 0));
	}
	for (int i = 0; i < STREAMS; i++)
		CHECK(cudaStreamSynchronize(stream[i]));
	CHECK(cudaEventRecord(stopped, stream[0]));
	CHECK(cudaEventSynchronize(stopped));
	CHECK(cudaEventElapsedTime(&milliseconds, started, stopped));
	s.end();

	unsigned long long counted = 0;
	unsigned int most = 0, want_most = 0;
	CHECK(cudaMemcpyFromSymbol(&counted, processed, sizeof counted));
	CHECK(cudaMemcpyFromSymbol(&most, highest, sizeof most));
	std::vector<uint32_t> got(out, out + n);
	bool pass = true;
	if (!s.unchecked) {
		s.host().parallel(n, [&](size_t first, size_t last) {
			pipeline_host(first, last, substitution.data(), secret, rounds, in, want.data());
		});
		want_most = most_of(want);
		pass = sample::same("words", got, want);
	}
	if (counted != n || (!s.unchecked && most != want_most) || done.load() != (int)chunks || !(milliseconds >= 0)) {
		std::fprintf(stderr, "processed %llu of %zu words, highest %08x instead of %08x, %d of %zu chunks, %g ms\n",
		             counted, n, most, want_most, done.load(), chunks, (double)milliseconds);
		pass = false;
	}
	s.result(got);
	s.result(&counted, sizeof counted);
	s.result(&most, sizeof most);
	for (int i = 0; i < STREAMS; i++) {
		CHECK(cudaStreamDestroy(stream[i]));
		CHECK(cudaEventDestroy(copied[i]));
		CHECK(cudaFree(da[i]));
		CHECK(cudaFree(db[i]));
	}
	CHECK(cudaFreeHost(in));
	CHECK(cudaFreeHost(out));
	return s.finish(pass);
}
