// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
/*
 * ring - what calls cost that travel through the ring to a worker, beside the same thing
 * done directly: a call of a function, memcpy. Prints one "NAME VALUE UNIT" a line; the
 * median of several rounds, after one that does not count.
 */
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <cuda_runtime.h>

#define CHECK(call)                                                                                   \
	do {                                                                                          \
		cudaError_t error_ = (call);                                                          \
		if (error_ != cudaSuccess) {                                                          \
			std::fprintf(stderr, "ring: %s: %s\n", #call, cudaGetErrorString(error_));    \
			std::exit(1);                                                                 \
		}                                                                                     \
	} while (0)

static constexpr int ROUNDS = 7;

__global__ void nothing(int *word)
{
	if (word)
		*word = 1;
}

__attribute__((noinline)) static void direct(int *word)
{
	__asm__ volatile("" : : "r"(word) : "memory");
}

template <class Body> static double median(Body body)
{
	std::vector<double> taken;

	for (int i = 0; i <= ROUNDS; i++) {
		auto start = std::chrono::steady_clock::now();

		body();
		if (i)
			taken.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
	}
	std::sort(taken.begin(), taken.end());
	return taken[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	const size_t bytes = (argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 64) << 20;
	const int launches = 2000, calls = 10000000, syncs = 200;
	char *device, *pinned;

	if (!bytes) {
		std::fprintf(stderr, "usage: ring [MIB]\n");
		return 2;
	}
	CHECK(cudaMalloc((void **)&device, bytes));
	CHECK(cudaMallocHost((void **)&pinned, bytes));
	std::vector<char> pageable(bytes, 1), other(bytes, 2);
	std::memset(pinned, 3, bytes);

	double t = median([&] {
		for (int i = 0; i < launches; i++)
			nothing<<<1, 32>>>(nullptr);
		CHECK(cudaDeviceSynchronize());
	});
	std::printf("launch %.3f us\n", t / launches * 1e6);
	t = median([&] {
		for (int i = 0; i < calls; i++)
			direct(nullptr);
	});
	std::printf("direct-call %.6f us\n", t / calls * 1e6);
	t = median([&] {
		for (int i = 0; i < syncs; i++)
			CHECK(cudaDeviceSynchronize());
	});
	std::printf("synchronise %.3f us\n", t / syncs * 1e6);
	t = median([&] {
		for (int i = 0; i < syncs; i++) {
			nothing<<<1, 32>>>(nullptr);
			CHECK(cudaDeviceSynchronize());
		}
	});
	std::printf("launch-and-synchronise %.3f us\n", t / syncs * 1e6);
	t = median([&] { CHECK(cudaMemcpy(device, pageable.data(), bytes, cudaMemcpyHostToDevice)); });
	std::printf("h2d-pageable %.3f GB/s\n", (double)bytes / t * 1e-9);
	t = median([&] { CHECK(cudaMemcpy(pageable.data(), device, bytes, cudaMemcpyDeviceToHost)); });
	std::printf("d2h-pageable %.3f GB/s\n", (double)bytes / t * 1e-9);
	t = median([&] { CHECK(cudaMemcpy(device, pinned, bytes, cudaMemcpyHostToDevice)); });
	std::printf("h2d-pinned %.3f GB/s\n", (double)bytes / t * 1e-9);
	t = median([&] { CHECK(cudaMemcpy(pinned, device, bytes, cudaMemcpyDeviceToHost)); });
	std::printf("d2h-pinned %.3f GB/s\n", (double)bytes / t * 1e-9);
	t = median([&] { std::memcpy(other.data(), pageable.data(), bytes); });
	std::printf("memcpy %.3f GB/s\n", (double)bytes / t * 1e-9);
	CHECK(cudaFree(device));
	CHECK(cudaFreeHost(pinned));
	return other[bytes / 2] == pageable[bytes / 2] ? 0 : 1;
}
