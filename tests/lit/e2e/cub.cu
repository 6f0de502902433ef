// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// REQUIRES: cuda-toolkit
// CUB of a toolkit: reductions and scans of blocks, warps and devices run on any device, and
// kernels pause inside where they have loops. CUB picks its code by the architecture that the
// runtime says a kernel was compiled for.
// RUN: %hetcc --cuda-path=%cuda --arch=sm_90 -O2 -std=c++17 %s -o %t -Xhetckpt poll-stride=1 -Xhetckpt poll-interval=0 -Rpass=hetckpt > %t.remarks 2>&1
// RUN: FileCheck %s --check-prefix=REMARK < %t.remarks
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// REMARK-DAG: remark: {{.*}}blocks{{.*}} can pause: block scope, {{[1-9]}} safepoints
// REMARK-DAG: remark: {{.*}}warps{{.*}} can pause: {{.*}} scope, {{[1-9]}} safepoints
// REMARK-DAG: remark: {{.*}}DeviceReduceKernel{{.*}} can pause: block scope
// REMARK-DAG: remark: {{.*}}DeviceScanKernel{{.*}} can pause: block scope
#include <cstdio>
#include <cub/block/block_scan.cuh>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_scan.cuh>
#include <cub/warp/warp_reduce.cuh>
#include <cuda_runtime.h>
#include <vector>

constexpr int Width = 128, Rounds = 8, Blocks = 2, Count = Width * Rounds * Blocks;

// Sums up to each number, Width at a time.
__global__ void blocks(const float *in, float *out)
{
	using Scan = cub::BlockScan<float, Width>;
	__shared__ typename Scan::TempStorage storage;
	float before = 0;

	for (int i = 0; i < Rounds; i++) {
		int at = (blockIdx.x * Rounds + i) * Width + threadIdx.x;
		float x, sum;

		Scan(storage).InclusiveSum(in[at], x, sum);
		out[at] = before + x;
		before += sum;
		__syncthreads();
	}
}

__global__ void warps(const float *in, double *sums, unsigned *most)
{
	__shared__ typename cub::WarpReduce<double>::TempStorage a;
	__shared__ typename cub::WarpReduce<unsigned>::TempStorage b;
	double sum = 0;
	unsigned largest = 0;

	for (int i = 0; i < Rounds; i++) {
		float x = in[i * 32 + threadIdx.x];
		unsigned m = cub::WarpReduce<unsigned>(b).Reduce((unsigned)x, cuda::maximum<>());

		sum += cub::WarpReduce<double>(a).Sum(x);
		largest = m > largest ? m : largest;
		__syncwarp();
	}
	if (!threadIdx.x) {
		*sums = sum;
		*most = largest;
	}
}

int main()
{
	std::vector<float> in(Count), out(Count);
	float *x, *y;
	double *sum, total = 0;
	unsigned *most, largest = 0;
	void *room = nullptr;
	size_t bytes = 0;
	int wrong = 0;

	for (int i = 0; i < Count; i++)
		in[i] = i * 7919 % 61;
	cudaMalloc(&x, Count * sizeof *x);
	cudaMalloc(&y, Count * sizeof *y);
	cudaMalloc(&sum, sizeof *sum);
	cudaMalloc(&most, sizeof *most);
	cudaMemcpy(x, in.data(), Count * sizeof *x, cudaMemcpyHostToDevice);

	blocks<<<Blocks, Width>>>(x, y);
	cudaMemcpy(out.data(), y, Count * sizeof *y, cudaMemcpyDeviceToHost);
	float before = 0;
	for (int i = 0; i < Count; i++) {
		before = i % (Width * Rounds) ? before + in[i] : in[i];
		wrong += out[i] != before;
	}
	// CHECK: blocks: 0 wrong
	printf("blocks: %d wrong\n", wrong);

	warps<<<1, 32>>>(x, sum, most);
	for (int i = 0; i < Rounds * 32; i++) {
		total += in[i];
		largest = in[i] > largest ? (unsigned)in[i] : largest;
	}
	double got;
	unsigned seen;
	cudaMemcpy(&got, sum, sizeof got, cudaMemcpyDeviceToHost);
	cudaMemcpy(&seen, most, sizeof seen, cudaMemcpyDeviceToHost);
	// CHECK-NEXT: warps: right, right
	printf("warps: %s, %s\n", got == total ? "right" : "wrong", seen == largest ? "right" : "wrong");

	// Enough for several blocks, and sums of 64 bits: the flags beside them make 128.
	constexpr int N = 40000;
	std::vector<long long> many(N), sums(N);
	long long *in64, *out64, all;

	for (int i = 0; i < N; i++)
		many[i] = (i * 48271ll % 99991) << 20;
	cudaMalloc(&in64, N * sizeof *in64);
	cudaMalloc(&out64, N * sizeof *out64);
	cudaMemcpy(in64, many.data(), N * sizeof *in64, cudaMemcpyHostToDevice);
	cub::DeviceScan::InclusiveSum(nullptr, bytes, in64, out64, N);
	cudaMalloc(&room, bytes);
	// CHECK-NEXT: no error
	printf("%s\n", cudaGetErrorString(cub::DeviceScan::InclusiveSum(room, bytes, in64, out64, N)));
	cudaMemcpy(sums.data(), out64, N * sizeof *out64, cudaMemcpyDeviceToHost);
	wrong = 0;
	all = 0;
	for (int i = 0; i < N; i++)
		wrong += sums[i] != (all += many[i]);
	// CHECK-NEXT: scan: 0 wrong
	printf("scan: %d wrong\n", wrong);
	cudaFree(room);

	long long want = all;
	cub::DeviceReduce::Sum(nullptr, bytes, in64, out64, N);
	cudaMalloc(&room, bytes);
	// CHECK-NEXT: no error
	printf("%s\n", cudaGetErrorString(cub::DeviceReduce::Sum(room, bytes, in64, out64, N)));
	cudaMemcpy(&all, out64, sizeof all, cudaMemcpyDeviceToHost);
	// CHECK-NEXT: sum: right
	printf("sum: %s\n", all == want ? "right" : "wrong");
}
