// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory in stream order, from the default pool and from one of the program's own.
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// RUN: %if cuda-toolkit %{ %hetcc -O2 %s -o %t.toolkit %}
// RUN: %if cuda-toolkit %{ %run %t.toolkit | FileCheck %s %}
#include <cstdint>
#include <cstdio>
#include <cuda_runtime.h>

__global__ void add(const int *a, const int *b, int *sum, int n)
{
	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		sum[i] = a[i] + b[i];
}

int main()
{
	const int n = 10000;
	int pools = 0, wrong = 0, *host, *a, *b, *sum;
	cudaMemPool_t standard, own;
	cudaMemPoolProps props = {};
	cudaStream_t stream;
	uint64_t keep = UINT64_MAX, used = 0;

	cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, 0);
	cudaDeviceGetDefaultMemPool(&standard, 0);
	cudaMemPoolSetAttribute(standard, cudaMemPoolAttrReleaseThreshold, &keep);
	props.allocType = cudaMemAllocationTypePinned;
	props.location.type = cudaMemLocationTypeDevice;
	cudaMemPoolCreate(&own, &props);

	cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
	cudaMallocManaged(&host, n * sizeof *host);
	cudaStreamAttachMemAsync(stream, host);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < n; i++)
			host[i] = i * round;
		cudaMallocAsync(&a, n * sizeof *a, stream);
		cudaMallocAsync(&b, n * sizeof *b, own, stream);
		cudaMallocFromPoolAsync(&sum, n * sizeof *sum, own, stream);
		cudaMemcpyAsync(a, host, n * sizeof *a, cudaMemcpyDefault, stream);
		cudaMemcpyAsync(b, host, n * sizeof *b, cudaMemcpyDefault, stream);
		add<<<8, 128, 0, stream>>>(a, b, sum, n);
		cudaFreeAsync(a, stream);
		cudaFreeAsync(b, stream);
		cudaMemcpyAsync(host, sum, n * sizeof *sum, cudaMemcpyDefault, stream);
		cudaFreeAsync(sum, stream);
		cudaStreamSynchronize(stream);
		for (int i = 0; i < n; i++)
			wrong += host[i] != 2 * i * round;
	}
	cudaMemPoolGetAttribute(own, cudaMemPoolAttrUsedMemHigh, &used);
	cudaMemPoolDestroy(own);
	// CHECK: 1, 0 wrong, 80000 bytes: no error
	printf("%d, %d wrong, %llu bytes: %s\n", pools, wrong, (unsigned long long)used,
	       cudaGetErrorString(cudaDeviceSynchronize()));
}
