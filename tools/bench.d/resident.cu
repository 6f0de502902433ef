// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
/*
 * resident - a program with much memory on the device, which works on it in long kernels: for
 * measuring how long a checkpoint or a move stops it. Usage: resident [GIB [SECONDS [ROUNDS]]];
 * ROUNDS decides how long a kernel takes. Ends with 1 if memory is not as it must be: the parts
 * that no kernel touches as they were, a few words that one does as the host computes them.
 */
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <cuda_runtime.h>

#define CHECK(call)                                                                                   \
	do {                                                                                          \
		cudaError_t error_ = (call);                                                          \
		if (error_ != cudaSuccess) {                                                          \
			std::fprintf(stderr, "resident: %s: %s\n", #call, cudaGetErrorString(error_)); \
			std::exit(1);                                                                 \
		}                                                                                     \
	} while (0)

using word = unsigned long long;

static constexpr uint64_t PIECE_WORDS = (1ull << 30) / sizeof(word);
static constexpr unsigned BLOCKS = 1024, THREADS = 256;

__host__ __device__ static word mix(word x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 29;
	return x + 0x9e3779b97f4a7c15ull;
}

__global__ void begin(word *data, uint64_t words, word seed)
{
	uint64_t stride = (uint64_t)gridDim.x * blockDim.x;

	for (uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; i < words; i += stride)
		data[i] = mix(seed + i);
}

/* Each thread works for long on one word. */
__global__ void step(word *data, unsigned rounds)
{
	uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
	word x = data[i];

	for (unsigned r = 0; r < rounds; r++)
		x = mix(x ^ r);
	data[i] = x;
}

__global__ void sum(const word *data, uint64_t words, word *total)
{
	uint64_t stride = (uint64_t)gridDim.x * blockDim.x;
	word mine = 0;

	for (uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; i < words; i += stride)
		mine += data[i] * (2 * i + 1);
	atomicAdd(total, mine);
}

int main(int argc, char **argv)
{
	unsigned pieces = argc > 1 ? (unsigned)std::atoi(argv[1]) : 1;
	double seconds = argc > 2 ? std::atof(argv[2]) : 5;
	unsigned rounds = argc > 3 ? (unsigned)std::atoi(argv[3]) : 1000000;
	std::vector<word *> data(pieces);
	word *total, before = 0, after = 0, *first, expected = 0;
	const uint64_t active = (uint64_t)BLOCKS * THREADS;
	unsigned steps = 0;

	CHECK(cudaMalloc(&total, sizeof *total));
	for (unsigned p = 0; p < pieces; p++) {
		CHECK(cudaMalloc(&data[p], PIECE_WORDS * sizeof(word)));
		begin<<<BLOCKS, THREADS>>>(data[p], PIECE_WORDS, (word)p << 40);
	}
	auto checksum = [&](word *into) {
		CHECK(cudaMemset(total, 0, sizeof *total));
		for (unsigned p = 0; p < pieces; p++)
			sum<<<BLOCKS, THREADS>>>(data[p], PIECE_WORDS, total);
		CHECK(cudaMemcpy(into, total, sizeof *total, cudaMemcpyDeviceToHost));
	};
	checksum(&before);
	first = new word[active];
	CHECK(cudaMemcpy(first, data[0], active * sizeof(word), cudaMemcpyDeviceToHost));
	std::printf("ready\n");
	std::fflush(stdout);
	auto start = std::chrono::steady_clock::now();
	while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds) {
		step<<<BLOCKS, THREADS>>>(data[0], rounds);
		CHECK(cudaDeviceSynchronize());
		steps++;
	}
	checksum(&after);
	word *last = new word[active];
	CHECK(cudaMemcpy(last, data[0], active * sizeof(word), cudaMemcpyDeviceToHost));
	expected = before;
	for (uint64_t i = 0; i < active; i++)
		expected += (last[i] - first[i]) * (2 * i + 1);
	bool good = expected == after;
	for (uint64_t i = 0; i < active && good; i += active / 2 + 1) {
		word x = first[i];

		for (unsigned s = 0; s < steps; s++)
			for (unsigned r = 0; r < rounds; r++)
				x = mix(x ^ r);
		good = x == last[i];
	}
	std::printf("resident %u GiB, %u steps, checksum %016llx: %s\n", pieces, steps, after, good ? "PASS" : "FAIL");
	return good ? 0 : 1;
}
