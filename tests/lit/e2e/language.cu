// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What CUDA programs are made of, compiled by hetcc and run on the CPU, undisturbed and
// paused at every poll: the results are the same.
// RUN: %hetcc --no-toolkit -O2 -g %s -o %t -Xhetckpt poll-stride=4 -Xhetckpt poll-interval=0
// RUN: %run %t 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=PRINTED < %t.err
// RUN: %run --stress every-poll %t 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=PRINTED < %t.err
#include <cooperative_groups.h>
#include <cstdio>
#include <cuda_runtime.h>

#define GOOD(x) do { cudaError_t e_ = (x); if (e_) { printf("%s: %s\n", #x, cudaGetErrorString(e_)); return 1; } } while (0)

__constant__ int weights[4] = {1, 2, 3, 4};
__device__ unsigned counter = 5;

template <typename T, int N> struct Sum {
	T part[N];
	__device__ T all() const
	{
		T s = 0;
		for (int i = 0; i < N; i++)
			s += part[i] * weights[i];
		return s;
	}
};

template <typename T> __global__ void templates(T *out, int n)
{
	Sum<T, 4> s = {{T(threadIdx.x), T(1), T(2), T(3)}};
	T total = 0;
	for (int i = 0; i < n; i++)
		total += s.all() + T(i);
	out[threadIdx.x] = total;
	atomicAdd(&counter, 1u);
}

__global__ void volume(unsigned *out)
{
	unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
	unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
	out[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 1000 + thread;
}

__global__ void reverse(int *data, int rounds)
{
	extern __shared__ int tile[];
	for (int r = 0; r < rounds; r++) {
		tile[threadIdx.x] = data[threadIdx.x];
		__syncthreads();
		data[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x] + r;
		__syncthreads();
	}
}

__global__ void rings(unsigned *cells, int rounds)
{
	auto grid = cooperative_groups::this_grid();
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x, n = gridDim.x * blockDim.x;
	for (int r = 0; r < rounds; r++) {
		unsigned next = cells[(r & 1) * n + (i + 1) % n];
		cells[(~r & 1) * n + i] = next * 3 + r;
		grid.sync();
	}
}

__global__ void says(int x)
{
	if (threadIdx.x == 1)
		printf("block %d says %d and %s\n", int(blockIdx.x), x, "done");
}

int main()
{
	// CHECK: sums 6010 6011
	// CHECK: counter 21
	double *d;
	GOOD(cudaMallocManaged(&d, 8 * sizeof *d));
	templates<<<2, 8>>>(d, 100);
	GOOD(cudaDeviceSynchronize());
	printf("sums %.0f %.0f\n", d[0] - 940, d[1] - 1039);
	unsigned count;
	GOOD(cudaMemcpyFromSymbol(&count, counter, sizeof count));
	printf("counter %u\n", count);

	// CHECK: volume 0 1011 23023
	unsigned *v, host[24 * 24];
	GOOD(cudaMalloc(&v, sizeof host));
	volume<<<dim3(2, 3, 4), dim3(4, 3, 2)>>>(v);
	GOOD(cudaMemcpy(host, v, sizeof host, cudaMemcpyDeviceToHost));
	printf("volume %u %u %u\n", host[0], host[24 + 11], host[575]);

	// CHECK: reverse 78 141
	int data[64], *r;
	for (int i = 0; i < 64; i++)
		data[i] = i;
	GOOD(cudaMalloc(&r, sizeof data));
	GOOD(cudaMemcpy(r, data, sizeof data, cudaMemcpyHostToDevice));
	reverse<<<1, 64, sizeof data>>>(r, 13);
	GOOD(cudaMemcpy(data, r, sizeof data, cudaMemcpyDeviceToHost));
	printf("reverse %d %d\n", data[63], data[0]);

	// CHECK: rings [[#%u,RINGS:]] same
	unsigned *cells, before[128], mirror[2][64] = {};
	for (int i = 0; i < 64; i++)
		mirror[0][i] = before[i] = i;
	GOOD(cudaMalloc(&cells, sizeof before));
	GOOD(cudaMemcpy(cells, before, sizeof before, cudaMemcpyHostToDevice));
	int rounds = 20;
	void *args[] = {&cells, &rounds};
	GOOD(cudaLaunchCooperativeKernel((void *)rings, dim3(2), dim3(32), args, 0, 0));
	GOOD(cudaMemcpy(before, cells, sizeof before, cudaMemcpyDeviceToHost));
	bool same = true;
	for (int k = 0; k < rounds; k++)
		for (int i = 0; i < 64; i++)
			mirror[~k & 1][i] = mirror[k & 1][(i + 1) % 64] * 3 + k;
	for (int i = 0; i < 64; i++)
		same &= before[i] == mirror[0][i];
	printf("rings %u %s\n", before[7], same ? "same" : "differ");

	// PRINTED: block 0 says 7 and done
	says<<<1, 2>>>(7);
	GOOD(cudaDeviceSynchronize());
}
