// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// new and delete in kernels of a source without <new>, which nvcc does not ask for: arrays, virtual destructors (whose
// delete has a size), and a type that is aligned to more than 16 bytes. Plain clang with the plugin, too.
// RUN: %hetcc --no-toolkit -O2 %s -o %t -Xhetckpt poll-stride=64 -Xhetckpt poll-interval=0
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// RUN: %if cuda-toolkit && ptxas %{ %clang --cuda-path=%cuda --cuda-gpu-arch=sm_80 -Wno-unknown-cuda-version -O2 -fpass-plugin=%plugin %s -o %t.clang -L%cuda/lib64 -lcudart %}
// RUN: %if cuda-toolkit && ptxas %{ %run %t.clang | FileCheck %s %}
#include <cstdio>
#include <cuda_runtime.h>

struct Rule {
	int k[4];
	__device__ virtual int next(int x) const { return x + k[x & 3]; }
	__device__ virtual ~Rule() {}
};
struct Twice : Rule {
	__device__ int next(int x) const override { return 2 * x + k[x & 3]; }
};
struct alignas(64) Line {
	int word[16];
};

__global__ void play(unsigned *out, int rounds)
{
	Rule *rule = threadIdx.x & 1 ? new Twice : new Rule;
	Line *line = new Line;
	int *seen = new int[10];
	for (int i = 0; i < 4; i++)
		rule->k[i] = i + threadIdx.x;
	for (int i = 0; i < 10; i++)
		seen[i] = 0;
	for (int i = 0; i < 16; i++)
		line->word[i] = i;
	unsigned x = threadIdx.x;
	for (int i = 0; i < rounds; i++) {
		x = rule->next(x & 0xffff) ^ line->word[x & 15];
		seen[x % 10] += i;
	}
	for (int i = 0; i < 10; i++)
		x = x * 31 + seen[i];
	out[threadIdx.x] = (unsigned long long)line % 64 ? 0 : x;
	delete rule;
	delete line;
	delete[] seen;
}

int main()
{
	unsigned *p, h[32], sum = 0;
	cudaMalloc(&p, sizeof h);
	for (int i = 0; i < 4; i++)
		play<<<1, 32>>>(p, 1000);
	cudaMemcpy(h, p, sizeof h, cudaMemcpyDeviceToHost);
	for (int t = 0; t < 32; t++) {
		unsigned x = t, seen[10] = {};
		for (int i = 0; i < 1000; i++) {
			unsigned v = x & 0xffff;
			x = (v + (t & 1 ? v : 0) + (v & 3) + t) ^ (x & 15);
			seen[x % 10] += i;
		}
		for (int i = 0; i < 10; i++)
			x = x * 31 + seen[i];
		sum += h[t] == x;
	}
	// CHECK: 32 of 32, no error
	printf("%u of 32, %s\n", sum, cudaGetErrorString(cudaGetLastError()));
}
