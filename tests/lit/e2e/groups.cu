// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles of tiles, tiles of a size that is known at run time, scans and copies of groups: the
// project's headers do what a toolkit's do.
// RUN: %hetcc --no-toolkit -O2 -Xhetckpt poll-interval=0 -Xhetckpt poll-stride=1 %s -o %t
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// RUN: %if cuda-toolkit %{ %hetcc --cuda-path=%cuda --arch=sm_90 -O2 %s -o %t.toolkit %}
// RUN: %if cuda-toolkit %{ %run --stress every-poll %t.toolkit | FileCheck %s %}
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
#include <cstdio>
#include <cuda_runtime.h>

namespace cg = cooperative_groups;
constexpr int Size = 128;

// What a thread sees of where it is: rank and number of its tile among its parent's.
__device__ int place(const cg::thread_block_tile<4> &tile)
{
	return tile.meta_group_rank() * 10 + tile.meta_group_size();
}

__global__ void tiles(int *out)
{
	cg::thread_block block = cg::this_thread_block();
	auto half = cg::tiled_partition<16>(block);
	auto quarter = cg::tiled_partition<4>(half);
	cg::thread_group some = cg::tiled_partition(block, 8);
	int t = threadIdx.x;

	out[t] = quarter.meta_group_rank() * 10 + quarter.meta_group_size() + place(quarter) * 100 +
	         half.meta_group_rank() * 10000 + some.size() * 1000000 + some.thread_rank() * 10000000;
}

__global__ void scans(const int *in, int *out, int rounds)
{
	auto warp = cg::tiled_partition<32>(cg::this_thread_block());
	auto eight = cg::tiled_partition<8>(warp);
	int t = threadIdx.x, all = 0;

	for (int i = 0; i < rounds; i++) {
		int v = in[(t * 7 + i) % Size];

		all += cg::inclusive_scan(warp, v) + 3 * cg::exclusive_scan(eight, v, cg::plus<int>());
		all ^= cg::inclusive_scan(eight, v, [](int a, int b) { return a > b ? a : b; });
		auto third = cg::binary_partition(warp, v % 3 == 0);
		if (v % 3 == 0) {
			auto those = cg::labeled_partition(third, v % 2);
			all += cg::inclusive_scan(those, v) * 5 + cg::exclusive_scan(those, v) + cg::reduce(those, v, cg::plus<int>());
		}
		warp.sync();
	}
	out[t] = all;
}

__global__ void copies(const int *in, int *out)
{
	__shared__ alignas(16) int room[Size];
	cg::thread_block block = cg::this_thread_block();
	int sum = 0;

	for (int i = 0; i < 4; i++) {
		cg::memcpy_async(block, room, in + i * Size / 4, Size / 4 * sizeof(int));
		cg::wait(block);
		for (int k = 0; k < Size / 4; k++)
			sum += room[k] * (int)(threadIdx.x + k);
		block.sync();
	}
	out[threadIdx.x] = sum;
}

static void tell(const char *name, const int *values)
{
	unsigned sum = 0;

	cudaDeviceSynchronize();
	for (int i = 0; i < Size; i++)
		sum = sum * 31 + (unsigned)values[i];
	printf("%s: %08x\n", name, sum);
}

int main()
{
	int *in, *out;

	cudaMallocManaged(&in, Size * sizeof(int));
	cudaMallocManaged(&out, Size * sizeof(int));
	for (int i = 0; i < Size; i++)
		in[i] = i * i % 101;
	tiles<<<1, Size>>>(out);
	tell("tiles", out);
	// CHECK: tiles: 37285800
	scans<<<1, Size>>>(in, out, 9);
	tell("scans", out);
	// CHECK: scans: f34886ee
	copies<<<1, Size>>>(in, out);
	tell("copies", out);
	// CHECK: copies: f0a76780
	printf("%s\n", cudaGetErrorString(cudaDeviceSynchronize()));
	// CHECK: no error
}
