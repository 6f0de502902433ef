// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels that cannot pause say why, where they stand; the rest of the file can.
// RUN: %hetcc --no-toolkit -O2 -g -Rpass=hetckpt -Rpass-missed=hetckpt -c %s -o %t.o 2>&1 | FileCheck %s
#include <cuda_runtime.h>

struct Shape {
	__device__ virtual float area() const = 0;
};

// No object of that class can exist.
// CHECK-DAG: refused.cu:[[@LINE+4]]:{{[0-9]+}}: remark: a call through a pointer always fails: no function of this file can be behind it
// CHECK-DAG: refused.cu:[[@LINE+2]]:1: remark: {{.*}}areas{{.*}} can pause: thread scope
__global__ void areas(const Shape *const *s, float *out)
{
	out[threadIdx.x] = s[threadIdx.x]->area();
}

__device__ __noinline__ unsigned ackermann(unsigned m, unsigned n)
{
	return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

// CHECK-DAG: refused.cu:[[@LINE+2]]:1: remark: {{.*}}recurses{{.*}} cannot pause inside: a recursive call of {{.*}}ackermann
__global__ void recurses(unsigned *out)
{
	out[threadIdx.x] = ackermann(2, threadIdx.x);
}

// CHECK-DAG: refused.cu:[[@LINE+2]]:1: remark: {{.*}}allocates{{.*}} can pause: thread scope, 0 safepoints, 0 bytes a thread
__global__ void allocates(int **out)
{
	out[threadIdx.x] = (int *)malloc(4);
}

// CHECK-DAG: refused.cu:[[@LINE+2]]:1: remark: {{.*}}fine{{.*}} can pause: thread scope, 0 safepoints, 0 bytes a thread
__global__ void fine(unsigned *out)
{
	out[threadIdx.x] = 1;
}
// CHECK-NOT: remark:
