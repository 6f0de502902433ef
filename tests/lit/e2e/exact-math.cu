// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// REQUIRES: cuda-toolkit, ptxas
// With exact-math no approximate instruction is left of what NVIDIA's headers and libdevice
// use, and the CPU computes what it computes without the option.
// RUN: %hetcc --cuda-path=%cuda -arch sm_80 -O2 --ptx %s -o %t.plain.ptx
// RUN: grep -c "[a-z2]\.approx" %t.plain.ptx
// RUN: %hetcc --cuda-path=%cuda -arch sm_80 -O2 -Xhetckpt exact-math --ptx %s -o %t.ptx
// RUN: not grep -E "\.(approx|full)" %t.ptx
// RUN: %ptxas -arch=sm_80 %t.ptx -o %t.cubin
// RUN: %hetcc --cuda-path=%cuda -arch sm_80 -O2 -ffast-math -Xhetckpt exact-math --ptx %s -o %t.fast.ptx
// RUN: not grep -E "\.(approx|full)" %t.fast.ptx
// RUN: %hetcc --cuda-path=%cuda -arch sm_80 -O2 %s -o %t.plain
// RUN: %hetcc --cuda-path=%cuda -arch sm_80 -O2 -Xhetckpt exact-math %s -o %t.exact
// RUN: %run %t.plain > %t.plain.out
// RUN: %run %t.exact > %t.exact.out
// RUN: diff %t.plain.out %t.exact.out
// RUN: FileCheck %s < %t.exact.out
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

static const int functions = 24, threads = 128, blocks = 32;

static __device__ float of(int k, float x, float y)
{
	switch (k) {
	case 0: return __expf(x);
	case 1: return __logf(x);
	case 2: return __sinf(x);
	case 3: return __cosf(x * 1e6f);
	case 4: return __tanf(x);
	case 5: return __powf(x, y);
	case 6: return __fdividef(x, y);
	case 7: return rsqrtf(x);
	case 8: return tanhf(x);
	case 9: return erff(x);
	case 10: return expf(x);
	case 11: return exp2f(x);
	case 12: return cbrtf(x);
	case 13: return log2f(x);
	case 14: return normcdff(x);
	case 15: return tgammaf(x);
	case 16: return (float)log((double)x);
	case 17: return (float)tanh((double)x);
	case 18: return (float)pow((double)x, (double)y);
	case 19: return x / y + sqrtf(y);
	case 20: return __half2float(hexp(__float2half(x)));
	case 21: return __half2float(hlog(__float2half(y)));
	case 22: return __half2float(hrsqrt(__float2half(y)));
	default: break;
	}
	float r;
	asm("{ lg2.approx.ftz.f32 %0, %1;\n\tex2.approx.f32 %0, %0; }" : "=f"(r) : "f"(y));
	return r;
}

__global__ void compute(float *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	float x = (i - 2048) * 0.0137f, y = (i + 1) * 0.0211f;

	for (int k = 0; k < functions; k++)
		out[k * threads * blocks + i] = of(k, x, y);
}

int main()
{
	static float h[functions * threads * blocks];
	float *p;

	cudaMalloc(&p, sizeof h);
	compute<<<blocks, threads>>>(p);
	cudaMemcpy(h, p, sizeof h, cudaMemcpyDeviceToHost);
	for (int k = 0; k < functions; k++) {
		uint64_t hash = 0;
		int nan = 0;

		for (int i = k * threads * blocks; i < (k + 1) * threads * blocks; i++) {
			union { float f; uint32_t b; } u = {h[i]};

			nan += h[i] != h[i];
			hash = (hash ^ (h[i] != h[i] ? 0x7fffffff : u.b)) * 0x9e3779b97f4a7c15ull ^ hash >> 29;
		}
		printf("%2d %016llx, %d NaN\n", k, (unsigned long long)hash, nan);
	}
	// CHECK: no error
	printf("%s\n", cudaGetErrorString(cudaGetLastError()));
}
