/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * hold - takes device memory until only so many MiB are free, says "holding", and ends when
 * its standard input does: what a full device looks like to others.
 */
#include <cstdio>
#include <cstdlib>

#include <cuda_runtime.h>

int main(int argc, char **argv)
{
	size_t leave = (size_t)(argc > 1 ? std::atol(argv[1]) : 1024) << 20, free_bytes = 0, total = 0;
	void *held = nullptr;

	if (cudaMemGetInfo(&free_bytes, &total) != cudaSuccess) {
		std::fprintf(stderr, "hold: how much memory is free is not known\n");
		return 1;
	}
	if (free_bytes > leave && cudaMalloc(&held, free_bytes - leave) != cudaSuccess) {
		std::fprintf(stderr, "hold: %zu MiB cannot be had\n", (free_bytes - leave) >> 20);
		return 1;
	}
	std::printf("holding %zu MiB\n", held ? (free_bytes - leave) >> 20 : 0);
	std::fflush(stdout);
	while (std::getchar() != EOF)
		;
	return cudaFree(held) == cudaSuccess ? 0 : 1;
}
