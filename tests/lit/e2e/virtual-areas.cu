// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Threads of a block that call different functions through a pointer, one of them with a loop, between barriers: the
// loop is no place where all of the block meet.
// RUN: %hetcc --no-toolkit -O2 %s -o %t -Xhetckpt poll-stride=4 -Xhetckpt poll-interval=0
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// RUN: %hetcc --no-toolkit -O2 %s -o %t.paced
// RUN: %run %t.paced | FileCheck %s
// CHECK: 0 wrong, no error
#include <cstdio>
#include <cuda_runtime.h>
#include <new>

constexpr int Threads = 64, Turns = 6;

struct Shape {
	__device__ virtual int area() const = 0;
};
struct Square : Shape {
	int side;
	__device__ explicit Square(int side) : side(side) {}
	__device__ int area() const override { return side * side; }
};
struct Many : Shape {
	const int *sides;
	int count;
	__device__ Many(const int *sides, int count) : sides(sides), count(count) {}
	__device__ int area() const override
	{
		int sum = 0;

		for (int i = 0; i < count; i++)
			sum += sides[i];
		return sum;
	}
};

__device__ char rooms[Threads][64];
__device__ Shape *scene[Threads];

__global__ void stage(const int *sides)
{
	int me = threadIdx.x;

	scene[me] = me % 3 ? (Shape *)new (rooms[me]) Square(me % 10) : new (rooms[me]) Many(sides, me);
}

__global__ void act(int *sum)
{
	__shared__ int areas[Threads];

	for (int turn = 0; turn < Turns; turn++) {
		areas[threadIdx.x] = scene[(threadIdx.x + turn) % Threads]->area();
		__syncthreads();
		if (!threadIdx.x)
			for (int i = 0; i < Threads; i++)
				*sum += areas[i];
		__syncthreads();
	}
}

int main()
{
	int sides[Threads], want = 0, got = 0, *d, *sum;

	for (int i = 0; i < Threads; i++)
		sides[i] = i * 3 + 1;
	for (int me = 0; me < Threads; me++)
		for (int i = 0; i < (me % 3 ? 1 : me); i++)
			want += me % 3 ? me % 10 * (me % 10) : sides[i];
	cudaMalloc((void **)&d, sizeof sides);
	cudaMalloc((void **)&sum, sizeof(int));
	cudaMemcpy(d, sides, sizeof sides, cudaMemcpyHostToDevice);
	cudaMemset(sum, 0, sizeof(int));
	stage<<<1, Threads>>>(d);
	act<<<1, Threads>>>(sum);
	cudaMemcpy(&got, sum, sizeof(int), cudaMemcpyDeviceToHost);
	std::printf("%d wrong, %s\n", got - want * Turns, cudaGetErrorString(cudaGetLastError()));
	return 0;
}
