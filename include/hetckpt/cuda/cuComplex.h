/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cuComplex.h - complex numbers as pairs, float2 and double2, with CUDA's functions.
 *
 * Quotients and absolute values are scaled, so that squares do not overflow.
 */
#ifndef HETCKPT_CUDA_CUCOMPLEX_H
#define HETCKPT_CUDA_CUCOMPLEX_H

#include <math.h>

#include "cuda_runtime.h"

typedef float2 cuFloatComplex;
typedef double2 cuDoubleComplex;
typedef cuFloatComplex cuComplex;

#define HETCKPT_COMPLEX_(C, T, f, abs_, sqrt_, type) \
	static inline __host__ __device__ T cuCreal##f(C x) { return x.x; } \
	static inline __host__ __device__ T cuCimag##f(C x) { return x.y; } \
	static inline __host__ __device__ C make_##type(T re, T im) \
	{ \
		C z; \
		z.x = re; \
		z.y = im; \
		return z; \
	} \
	static inline __host__ __device__ C cuConj##f(C x) { return make_##type(x.x, -x.y); } \
	static inline __host__ __device__ C cuCadd##f(C x, C y) { return make_##type(x.x + y.x, x.y + y.y); } \
	static inline __host__ __device__ C cuCsub##f(C x, C y) { return make_##type(x.x - y.x, x.y - y.y); } \
	static inline __host__ __device__ C cuCmul##f(C x, C y) \
	{ \
		return make_##type(x.x * y.x - x.y * y.y, x.x * y.y + x.y * y.x); \
	} \
	static inline __host__ __device__ C cuCfma##f(C x, C y, C d) \
	{ \
		return make_##type(x.x * y.x - x.y * y.y + d.x, x.x * y.y + x.y * y.x + d.y); \
	} \
	static inline __host__ __device__ C cuCdiv##f(C x, C y) \
	{ \
		T scale = 1 / (abs_(y.x) + abs_(y.y)); \
		T a = x.x * scale, b = x.y * scale, c = y.x * scale, d = y.y * scale; \
		T square = 1 / (c * c + d * d); \
		return make_##type((a * c + b * d) * square, (b * c - a * d) * square); \
	} \
	static inline __host__ __device__ T cuCabs##f(C x) \
	{ \
		T a = abs_(x.x), b = abs_(x.y), large = a > b ? a : b, small = a > b ? b : a; \
		T ratio = small / large; \
		/* 0, infinity and NaN have no ratio */ \
		if (large == 0 || large > (sizeof(T) == 4 ? 3.402823466e38 : 1.79769313486231570e308) || small > large) \
			return a + b; \
		return large * sqrt_(1 + ratio * ratio); \
	}

HETCKPT_COMPLEX_(cuFloatComplex, float, f, fabsf, sqrtf, cuFloatComplex)
HETCKPT_COMPLEX_(cuDoubleComplex, double, , fabs, sqrt, cuDoubleComplex)
#undef HETCKPT_COMPLEX_

static inline __host__ __device__ cuComplex make_cuComplex(float re, float im) { return make_cuFloatComplex(re, im); }
static inline __host__ __device__ cuDoubleComplex cuComplexFloatToDouble(cuFloatComplex x)
{
	return make_cuDoubleComplex(x.x, x.y);
}
static inline __host__ __device__ cuFloatComplex cuComplexDoubleToFloat(cuDoubleComplex x)
{
	return make_cuFloatComplex((float)x.x, (float)x.y);
}

#endif
