// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// REQUIRES: cuda-toolkit, ptxas
// Plain clang with the plugin and NVIDIA's headers: the image is in the program, and the
// program runs on the CPU.
// RUN: %clang --cuda-path=%cuda --cuda-gpu-arch=sm_80 -Wno-unknown-cuda-version -O2 -fpass-plugin=%plugin -Xclang -fpass-plugin=%plugin %s -o %t -L%cuda/lib64 -lcudart
// RUN: %run %t | FileCheck %s
#include <cstdio>
#include <cuda_runtime.h>

__global__ void doubles(int *p) { p[threadIdx.x] *= 2; }

int main()
{
	int *p, h[4] = {1, 2, 3, 4};
	cudaMalloc(&p, sizeof h);
	cudaMemcpy(p, h, sizeof h, cudaMemcpyHostToDevice);
	doubles<<<1, 4>>>(p);
	cudaMemcpy(h, p, sizeof h, cudaMemcpyDeviceToHost);
	// CHECK: 2 4 6 8, no error
	printf("%d %d %d %d, %s\n", h[0], h[1], h[2], h[3], cudaGetErrorString(cudaGetLastError()));
}
