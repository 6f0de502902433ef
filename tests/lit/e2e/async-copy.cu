// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies into shared memory that go on beside the kernel, as CUDA's pipelines and cooperative
// groups make them: a kernel with them runs on every device and can pause.
// REQUIRES: cuda-toolkit
// RUN: %hetcc --cuda-path=%cuda --arch=sm_90 -O2 -Xhetckpt poll-interval=0 -Xhetckpt poll-stride=1 \
// RUN:   -Rpass-missed=hetckpt %s -o %t 2>&1 | FileCheck %s --check-prefix=REMARK --allow-empty
// RUN: %run %t | FileCheck %s
// RUN: env HETCKPT_VARIANT=original %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// REMARK-NOT: cannot pause inside
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cstdio>
#include <cuda_pipeline.h>
#include <cuda_runtime.h>

namespace cg = cooperative_groups;
constexpr int Size = 128, Tiles = 12, Stages = 3;

// Each thread copies ahead for itself; the next tiles are under way while one is used.
__global__ void ahead(const float *in, float *out)
{
	__shared__ alignas(16) float tile[Stages][Size];
	float sum = 0;

	for (int i = 0; i < Stages - 1; i++) {
		__pipeline_memcpy_async(&tile[i][threadIdx.x], &in[i * Size + threadIdx.x], 4);
		__pipeline_commit();
	}
	for (int i = 0; i < Tiles; i++) {
		__pipeline_wait_prior(Stages - 2);
		__syncthreads();
		if (i + Stages - 1 < Tiles)
			__pipeline_memcpy_async(&tile[(i + Stages - 1) % Stages][threadIdx.x],
			                        &in[(i + Stages - 1) * Size + threadIdx.x], 4);
		__pipeline_commit();
		for (int k = 0; k < Size; k++)
			sum += tile[i % Stages][k] * (float)(threadIdx.x + 1);
	}
	out[threadIdx.x] = sum;
}

// Four numbers at once, of which some are filled with zeros.
__global__ void filled(const float *in, float *out)
{
	extern __shared__ float4 four[];

	__pipeline_memcpy_async(&four[threadIdx.x], (const float4 *)in + threadIdx.x, 16, threadIdx.x % 4 ? 0 : 8);
	__pipeline_commit();
	__pipeline_wait_prior(0);
	float4 f = four[threadIdx.x];
	out[threadIdx.x] = f.x + f.y + 1000 * (f.z + f.w);
}

// All threads of a block copy together.
__global__ void together(const float *in, float *out)
{
	__shared__ float tile[2 * Size];
	auto block = cg::this_thread_block();
	float sum = 0;

	for (int i = 0; i < Tiles; i += 2) {
		cg::memcpy_async(block, tile, in + i * Size, sizeof(tile));
		cg::wait(block);
		for (int k = 0; k < 2 * Size; k++)
			sum += tile[k] * (float)(threadIdx.x + 1);
		block.sync();
	}
	out[threadIdx.x] = sum;
}

int main()
{
	static float host[Size * Tiles];
	float *in, *out, sum = 0;
	bool ok = true;

	cudaMallocManaged(&in, sizeof(host));
	cudaMallocManaged(&out, 3 * Size * sizeof(float));
	for (int i = 0; i < Size * Tiles; i++)
		sum += in[i] = (float)(i % 7);
	ahead<<<1, Size>>>(in, out);
	filled<<<1, Size, Size * 16>>>(in, out + Size);
	together<<<1, Size>>>(in, out + 2 * Size);
	if (cudaDeviceSynchronize() != cudaSuccess)
		return 1;
	for (int t = 0; t < Size; t++) {
		ok = ok && out[t] == sum * (float)(t + 1) && out[2 * Size + t] == out[t];
		ok = ok && out[Size + t] == (t % 4 ? in[4 * t] + in[4 * t + 1] + 1000 * (in[4 * t + 2] + in[4 * t + 3])
		                                   : in[4 * t] + in[4 * t + 1]);
	}
	printf("%s\n", ok ? "same" : "different");
	// CHECK: same
	return !ok;
}
