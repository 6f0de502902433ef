// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the CPU cannot run harms no other kernel of its file: a launch of it says why, and
// fails. Recursion that does not wait runs.
// RUN: %hetcc --no-toolkit --arch=sm_90 -O2 -w %s -o %t
// RUN: %run %t fine | FileCheck %s
// RUN: %run %t waits 2>&1 | FileCheck %s --check-prefixes=CHECK,WAITS
// RUN: %run %t exits 2>&1 | FileCheck %s --check-prefixes=CHECK,EXITS
// RUN: %run %t room 2>&1 | FileCheck %s --check-prefixes=CHECK,ROOM
// Ahead of time, too.
// RUN: %hetcc --no-toolkit --arch=sm_90 -O2 -w --targets=cpu:x86-64-v2 %s -o %t.ahead
// RUN: %run %t.ahead waits 2>&1 | FileCheck %s --check-prefixes=CHECK,WAITS
#include <cstdio>
#include <cstring>
#include <cuda_runtime.h>

__device__ __noinline__ int fibonacci(int n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__device__ __noinline__ int meet(int n)
{
	__syncthreads();
	return n < 2 ? n : meet(n - 1) + meet(n - 2);
}

__device__ __noinline__ int leave(int n)
{
	if (n < 0)
		asm volatile("exit;");
	return n < 2 ? n : leave(n - 1) + leave(n - 2) * n;
}

__global__ void plain(int *p) { *p = 1; }

__global__ void recursive(int *p) { *p = fibonacci(*p); }

__global__ void waits(int *p) { p[threadIdx.x] = meet(7); }

__global__ void exits(int *p) { p[threadIdx.x] = leave(7); }

// An array of a size that is known at run time, kept while threads wait.
__global__ void room(int *p, int n)
{
	int *array = (int *)__builtin_alloca(n * sizeof *array);

	for (int i = 0; i < n; i++)
		array[i] = p[i];
	__syncthreads();
	for (int i = 0; i < n; i++)
		p[threadIdx.x] += array[(i + threadIdx.x) % n];
}

int main(int, char **argv)
{
	int *p, x = 20;

	cudaMalloc(&p, 4096);
	plain<<<1, 1>>>(p);
	cudaMemcpy(p, &x, sizeof x, cudaMemcpyHostToDevice);
	recursive<<<1, 1>>>(p);
	cudaMemcpy(&x, p, sizeof x, cudaMemcpyDeviceToHost);
	// CHECK: recursive: 6765
	printf("recursive: %d\n", x);
	fflush(stdout);
	// WAITS-DAG: no code for the CPU: waits(int*) calls meet(int), which is recursive and waits for other threads or exits
	// WAITS-DAG: failed
	if (!strcmp(argv[1], "waits"))
		waits<<<1, 64>>>(p);
	// EXITS-DAG: no code for the CPU: exits(int*) calls leave(int), which is recursive and waits for other threads or exits
	// EXITS-DAG: failed
	if (!strcmp(argv[1], "exits"))
		exits<<<1, 64>>>(p);
	// ROOM-DAG: no code for the CPU: room(int*, int) has a private array of variable size
	// ROOM-DAG: failed
	if (!strcmp(argv[1], "room"))
		room<<<1, 64>>>(p, 16);
	if (cudaDeviceSynchronize())
		printf("failed\n");
}
