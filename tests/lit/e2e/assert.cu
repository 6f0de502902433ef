// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A failed assertion says where, and the program learns of it.
// RUN: %hetcc --no-toolkit -O2 %s -o %t
// RUN: %run %t 2>&1 | FileCheck %s
#include <cassert>
#include <cstdio>
#include <cuda_runtime.h>

__global__ void checks(int limit)
{
	assert(int(threadIdx.x) < limit && "too many");
}

int main()
{
	// CHECK: first: no error
	checks<<<1, 4>>>(4);
	printf("first: %s\n", cudaGetErrorString(cudaDeviceSynchronize()));
	fflush(stdout);
	// CHECK-DAG: assert.cu:{{[0-9]+}}: {{.*}}checks{{.*}}block: [0,0,0], thread: [3,0,0] Assertion `{{.*}}limit{{.*}}failed
	// CHECK-DAG: second: failed
	checks<<<1, 4>>>(3);
	printf("second: %s\n", cudaDeviceSynchronize() ? "failed" : "no error");
}
