// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Graphs: captured with a fork and a join, made by hand, changed, and launched again and again.
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run %t | FileCheck %s
// RUN: %run --stress every-poll %t | FileCheck %s
// RUN: %if cuda-toolkit %{ %hetcc -O2 %s -o %t.toolkit %}
// RUN: %if cuda-toolkit %{ %run %t.toolkit | FileCheck %s %}
#include <cstdio>
#include <cuda_runtime.h>

const int n = 1000;

__global__ void scale(int *p, int by)
{
	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
		p[i] *= by;
}

__global__ void sum(const int *a, const int *b, int *out)
{
	__shared__ int part[64];

	for (int i = blockIdx.x * blockDim.x; i < n; i += gridDim.x * blockDim.x) {
		part[threadIdx.x] = i + threadIdx.x < n ? a[i + threadIdx.x] + b[i + threadIdx.x] : 0;
		__syncthreads();
		if (i + threadIdx.x < n)
			out[i + threadIdx.x] += part[threadIdx.x ^ 1] - part[threadIdx.x] + part[threadIdx.x];
		__syncthreads();
	}
}

static void count(void *calls)
{
	++*(int *)calls;
}

static int wrong(const int *got, int factor)
{
	int bad = 0;

	for (int i = 0; i < n; i++)
		bad += got[i] != factor * (i ^ 1);
	return bad;
}

int main()
{
	int host[n], got[n], *a, *b, *out, bad = 0, calls = 0, by = 7;
	cudaStream_t one, two;
	cudaEvent_t fork, join;
	cudaGraph_t graph;
	cudaGraphExec_t exec;
	size_t nodes = 0, roots = 0;

	cudaMalloc(&a, sizeof host);
	cudaMalloc(&b, sizeof host);
	cudaMalloc(&out, sizeof host);
	cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking);
	cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking);
	cudaEventCreateWithFlags(&fork, cudaEventDisableTiming);
	cudaEventCreateWithFlags(&join, cudaEventDisableTiming);

	cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal);
	cudaMemsetAsync(out, 0, sizeof host, one);
	cudaEventRecord(fork, one);
	cudaStreamWaitEvent(two, fork);
	cudaMemcpyAsync(a, host, sizeof host, cudaMemcpyHostToDevice, one);
	scale<<<4, 64, 0, one>>>(a, 2);
	cudaMemcpyAsync(b, host, sizeof host, cudaMemcpyHostToDevice, two);
	scale<<<4, 64, 0, two>>>(b, 3);
	cudaEventRecord(join, two);
	cudaStreamWaitEvent(one, join);
	sum<<<4, 64, 0, one>>>(a, b, out);
	cudaMemcpyAsync(got, out, sizeof host, cudaMemcpyDeviceToHost, one);
	cudaLaunchHostFunc(one, count, &calls);
	cudaStreamEndCapture(one, &graph);
	cudaGraphGetNodes(graph, nullptr, &nodes);
	cudaGraphInstantiate(&exec, graph, 0);
	cudaGraphDestroy(graph);
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < n; i++)
			host[i] = i * round;
		cudaGraphLaunch(exec, one);
		cudaStreamSynchronize(one);
		bad += wrong(got, 5 * round);
	}
	// CHECK: captured: 8 nodes, 0 wrong, 100 calls: no error
	printf("captured: %zu nodes, %d wrong, %d calls: %s\n", nodes, bad, calls,
	       cudaGetErrorString(cudaDeviceSynchronize()));

	cudaGraphNode_t fill, scaled, added, copied, child;
	cudaMemsetParams fill_params = {};
	cudaKernelNodeParams scale_params = {}, sum_params = {};
	void *scale_arguments[] = {&a, &by}, *sum_arguments[] = {&a, &b, &out};
	cudaGraphExec_t own;
	cudaGraph_t part, whole;
	cudaGraphExecUpdateResultInfo info;

	fill_params.dst = out;
	fill_params.elementSize = 4;
	fill_params.width = n;
	fill_params.height = 1;
	scale_params.func = (void *)scale;
	scale_params.gridDim = sum_params.gridDim = dim3(4);
	scale_params.blockDim = sum_params.blockDim = dim3(64);
	scale_params.kernelParams = scale_arguments;
	sum_params.func = (void *)sum;
	sum_params.kernelParams = sum_arguments;
	for (int i = 0; i < n; i++)
		host[i] = i;
	cudaMemcpy(a, host, sizeof host, cudaMemcpyHostToDevice);
	cudaMemset(b, 0, sizeof host);
	cudaDeviceSynchronize();
	cudaGraphCreate(&part, 0);
	cudaGraphAddMemsetNode(&fill, part, nullptr, 0, &fill_params);
	cudaGraphAddKernelNode(&scaled, part, nullptr, 0, &scale_params);
	cudaGraphNode_t both[] = {fill, scaled};
	cudaGraphAddKernelNode(&added, part, both, 2, &sum_params);
	cudaGraphGetRootNodes(part, nullptr, &roots);
	cudaGraphCreate(&whole, 0);
	cudaGraphAddChildGraphNode(&child, whole, nullptr, 0, part);
	cudaGraphAddMemcpyNode1D(&copied, whole, &child, 1, got, out, sizeof got, cudaMemcpyDeviceToHost);
	cudaGraphInstantiate(&own, whole, nullptr, nullptr, 0);
	cudaGraphLaunch(own, one);
	cudaStreamSynchronize(one);
	// CHECK: by hand: 2 roots, 0 wrong: no error
	printf("by hand: %zu roots, %d wrong: %s\n", roots, wrong(got, 7), cudaGetErrorString(cudaDeviceSynchronize()));

	by = 3;
	cudaGraphDestroy(whole);
	cudaGraphKernelNodeSetParams(scaled, &scale_params);
	cudaGraphCreate(&whole, 0);
	cudaGraphAddChildGraphNode(&child, whole, nullptr, 0, part);
	cudaGraphAddMemcpyNode1D(&copied, whole, &child, 1, got, out, sizeof got, cudaMemcpyDeviceToHost);
	cudaGraphExecUpdate(own, whole, &info);
	cudaGraphLaunch(own, two);
	cudaStreamSynchronize(two);
	// CHECK: updated: 0, 0 wrong: no error
	printf("updated: %d, %d wrong: %s\n", info.result, wrong(got, 21), cudaGetErrorString(cudaDeviceSynchronize()));
	cudaGraphAddEmptyNode(&child, whole, nullptr, 0);
	// CHECK: another: the graph could not be updated, 2
	printf("another: %s, ", cudaGetErrorString(cudaGraphExecUpdate(own, whole, &info)));
	printf("%d\n", info.result);

	cudaGraphExecDestroy(exec);
	cudaGraphExecDestroy(own);
	cudaGraphDestroy(part);
	cudaGraphDestroy(whole);
}
