/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What ordinary programs use, in one file: host and device headers, launches, symbols. */
#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include <cooperative_groups.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <math_constants.h>

#ifndef FACTOR
#error "FACTOR is not defined"
#endif

extern "C" int from_c(int);
int from_cpp(int);

__constant__ float table[4];
__device__ int total;
static __device__ unsigned hidden = 3;

struct Counter {
	int value;
	__device__ explicit Counter(int v) : value(v) {}
};

template <class T> __global__ void scale(int n, T *data, T factor)
{
	extern __shared__ char raw[];
	T *tile = reinterpret_cast<T *>(raw);
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	assert(n > 0);
	tile[threadIdx.x] = i < n ? data[i] : T(0);
	__syncthreads();
	if (i < n)
		data[i] = tile[threadIdx.x] * factor + T(table[i & 3]);
	atomicAdd(&total, 1);
	if (i == 0)
		printf("total %d\n", total);
}

__global__ static void maths(int n, float *f, double *d, half *h, unsigned *u)
{
	namespace cg = cooperative_groups;
	cg::thread_block_tile<16> tile = cg::tiled_partition<16>(cg::this_thread_block());
	dim3 size = blockDim;
	uint3 me = threadIdx;
	float x = f[me.x];
	double y = d[me.x];
	Counter *counter = new Counter((int)hidden);

	f[me.x] = std::sin(x) + cosf(x) + std::pow(x, 2.5f) + fmaf(x, x, CUDART_PI_F) + rsqrtf(x) + __expf(x) +
	          std::min(x, 2.0f) + max(x, 1.0f) + tgammaf(x) + erff(x) + normcdff(x) + std::hypot(x, 3.0f);
	d[me.x] = std::exp(y) + tanh(y) + lgamma(y) + fmod(y, 3.0) + std::floor(y) + j0(y) + erfinv(y) + cbrt(y);
	h[me.x] = __hadd(h[me.x], __float2half(x)) * __float2half(2.0f);
	u[me.x] = __popc(u[me.x]) + __ballot_sync(~0u, x > 0) + tile.shfl_down(u[me.x], 1) + __vadd4(u[me.x], 7) +
	          __ldg(u + n) + (unsigned)__clzll((long long)y) + __funnelshift_l(1, 2, 3) + size.y +
	          (unsigned)counter->value + atomicMax(&u[0], 5u) + __syncthreads_count(x > 1) + __dp4a(1u, 2u, 3u);
	delete counter;
	__threadfence();
	__stcs(&u[n], __ldcg(&u[1]));
	if (std::isnan(x) || !isfinite(y))
		__trap();
}

int main()
{
	std::vector<int> v{3, 1, 2};
	float values[4] = {1, 2, 3, 4};

	std::sort(v.begin(), v.end());
	cudaMemcpyToSymbol(table, values, sizeof values);
	scale<<<dim3(2, 3, 4), dim3(32, 2), 256>>>(FACTOR, (float *)nullptr, 2.0f);
	maths<<<1, 64>>>(v[2], nullptr, nullptr, nullptr, nullptr);
	cudaDeviceSynchronize();
	std::printf("host %d %d %.3f %.3f\n", from_c(1), from_cpp(2), std::sin(1.0), (double)rsqrtf(4.0f));
	return 0;
}
