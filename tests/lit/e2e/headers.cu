// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Headers that programs include beside cuda_runtime.h are there without a toolkit: complex
// numbers, groups that are parts of a warp with their reductions, names that only include.
// RUN: %hetcc --no-toolkit -O2 -Rpass=hetckpt %s -o %t 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: %run --stress every-poll %t | FileCheck %s
#include <builtin_types.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cstdio>
#include <cuComplex.h>
#include <cuda_profiler_api.h>
#include <cuda_runtime.h>
#include <device_atomic_functions.h>
#include <device_functions.h>
#include <math_functions.h>

namespace cg = cooperative_groups;

// REMARK-DAG: {{.*}}julia{{.*}} can pause: thread scope
__global__ void julia(cuDoubleComplex *z, int rounds)
{
	cuDoubleComplex a = z[threadIdx.x];

	for (int i = 0; i < rounds; i++) {
		a = cuCadd(cuCmul(a, a), make_cuDoubleComplex(-0.1, 0.2));
		a = cuCdiv(a, make_cuDoubleComplex(1.0, cuCabs(a)));
	}
	z[threadIdx.x] = a;
}

// REMARK-DAG: {{.*}}parts{{.*}} can pause: warp scope
__global__ void parts(int *out)
{
	auto tile = cg::tiled_partition<32>(cg::this_thread_block());
	int value = tile.thread_rank();
	auto odd = cg::binary_partition(tile, value & 1);
	auto third = cg::labeled_partition(tile, value % 3);

	atomicAdd(&out[0], cg::reduce(tile, value, cg::plus<int>()));
	atomicAdd(&out[1], cg::reduce(odd, value, cg::greater<int>()));
	atomicAdd(&out[2], cg::reduce(third, value, cg::less<int>()) + (int)cg::group_size(third));
}

int main()
{
	cuDoubleComplex z[32], *dz;
	int sums[3], *out, wrong = 0;

	cudaProfilerStart();
	cudaDeviceSetSharedMemConfig(cudaSharedMemBankSizeEightByte);
	cudaFuncSetSharedMemConfig((const void *)parts, cudaSharedMemBankSizeEightByte);
	for (int i = 0; i < 32; i++)
		z[i] = make_cuDoubleComplex(i / 32.0, 0.5 - i / 64.0);
	cudaMalloc(&dz, sizeof z);
	cudaMalloc(&out, sizeof sums);
	cudaMemset(out, 0, sizeof sums);
	cudaMemcpy(dz, z, sizeof z, cudaMemcpyHostToDevice);
	julia<<<1, 32>>>(dz, 100);
	for (cuDoubleComplex &a : z)
		for (int i = 0; i < 100; i++) {
			a = cuCadd(cuCmul(a, a), make_cuDoubleComplex(-0.1, 0.2));
			a = cuCdiv(a, make_cuDoubleComplex(1.0, cuCabs(a)));
		}
	cuDoubleComplex got[32];
	cudaMemcpy(got, dz, sizeof got, cudaMemcpyDeviceToHost);
	for (int i = 0; i < 32; i++)
		wrong += !(cuCabs(cuCsub(got[i], z[i])) < 1e-9);
	// CHECK: julia: 0 wrong
	printf("julia: %d wrong\n", wrong);
	// CHECK: large: 5e+300 0 inf
	printf("large: %g %g %g\n", cuCabs(make_cuDoubleComplex(3e300, -4e300)), cuCabs(make_cuDoubleComplex(0, 0)),
	       cuCabs(make_cuDoubleComplex(1, -1.0 / 0.0)));
	parts<<<1, 32>>>(out);
	cudaMemcpy(sums, out, sizeof sums, cudaMemcpyDeviceToHost);
	// 32 * 496; 16 * 31 + 16 * 30; 0 * 11 + 1 * 11 + 2 * 10, and 11 * 11 * 2 + 10 * 10
	// CHECK: parts: 15872 976 373
	printf("parts: %d %d %d\n", sums[0], sums[1], sums[2]);
	// CHECK: no error
	printf("%s\n", cudaGetErrorString(cudaDeviceSynchronize()));
}
