/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * math.h - what CUDA offers beyond <cmath>: min and max of every pair of types on
 * both sides, single precision overloads, and on the host the functions that the
 * C library lacks.
 */
#ifndef HETCKPT_CUDA_DETAIL_MATH_H
#define HETCKPT_CUDA_DETAIL_MATH_H

#include "host_minmax.h"

#define HETCKPT_MINMAX_(result, first, second)                                 \
	static inline __device__ result min(first a, second b)                 \
	{ return (result)a < (result)b ? (result)a : (result)b; }              \
	static inline __device__ result max(first a, second b)                 \
	{ return (result)a > (result)b ? (result)a : (result)b; }
#define HETCKPT_FMINMAX_(result, first, second, f)                             \
	static inline __device__ result min(first a, second b)                 \
	{ return __builtin_fmin##f(a, b); }                                    \
	static inline __device__ result max(first a, second b)                 \
	{ return __builtin_fmax##f(a, b); }

HETCKPT_INTEGER_PAIRS_(HETCKPT_MINMAX_)
HETCKPT_FLOAT_PAIRS_(HETCKPT_FMINMAX_)
#undef HETCKPT_MINMAX_
#undef HETCKPT_FMINMAX_

/* Overloads that clang's headers declare and leave to the toolkit's to define. */
#define HETCKPT_OVERLOAD_(result, name)                                        \
	static inline __device__ result name(float x) { return ::name##f(x); }
#define HETCKPT_OVERLOAD2_(name)                                               \
	static inline __device__ float name(float a, float b) { return ::name##f(a, b); }
HETCKPT_OVERLOAD_(float, acosh)
HETCKPT_OVERLOAD_(float, asinh)
HETCKPT_OVERLOAD_(float, atanh)
HETCKPT_OVERLOAD_(float, cbrt)
HETCKPT_OVERLOAD_(float, erf)
HETCKPT_OVERLOAD_(float, erfc)
HETCKPT_OVERLOAD_(float, exp2)
HETCKPT_OVERLOAD_(float, expm1)
HETCKPT_OVERLOAD_(int, ilogb)
HETCKPT_OVERLOAD_(float, lgamma)
HETCKPT_OVERLOAD_(long long, llrint)
HETCKPT_OVERLOAD_(long long, llround)
HETCKPT_OVERLOAD_(float, log1p)
HETCKPT_OVERLOAD_(float, log2)
HETCKPT_OVERLOAD_(float, logb)
HETCKPT_OVERLOAD_(long, lrint)
HETCKPT_OVERLOAD_(long, lround)
HETCKPT_OVERLOAD_(float, nearbyint)
HETCKPT_OVERLOAD_(float, rint)
HETCKPT_OVERLOAD_(float, round)
HETCKPT_OVERLOAD_(float, tgamma)
HETCKPT_OVERLOAD_(float, trunc)
HETCKPT_OVERLOAD2_(copysign)
HETCKPT_OVERLOAD2_(fdim)
HETCKPT_OVERLOAD2_(fmax)
HETCKPT_OVERLOAD2_(fmin)
HETCKPT_OVERLOAD2_(hypot)
HETCKPT_OVERLOAD2_(nextafter)
HETCKPT_OVERLOAD2_(remainder)
#undef HETCKPT_OVERLOAD_
#undef HETCKPT_OVERLOAD2_
static inline __device__ float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
static inline __device__ float remquo(float a, float b, int *q) { return ::remquof(a, b, q); }
static inline __device__ float scalbn(float x, int n) { return ::scalbnf(x, n); }
static inline __device__ float scalbln(float x, long n) { return ::scalblnf(x, n); }
static inline __device__ double nan(const char *tag) { return __nv_nan((const signed char *)tag); }
static inline __device__ float nanf(const char *tag) { return __nv_nanf((const signed char *)tag); }

/* Host versions, from what the C library has. */
static inline __host__ double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }
static inline __host__ float rsqrtf(float x) { return (float)(1.0 / __builtin_sqrt((double)x)); }
static inline __host__ double rcbrt(double x) { return 1.0 / __builtin_cbrt(x); }
static inline __host__ float rcbrtf(float x) { return (float)(1.0 / __builtin_cbrt((double)x)); }
static inline __host__ double fdivide(double a, double b) { return a / b; }
static inline __host__ float fdividef(float a, float b) { return a / b; }
static inline __host__ double normcdf(double x)
{ return 0.5 * __builtin_erfc(-x * 0.70710678118654752440); }
static inline __host__ float normcdff(float x) { return (float)normcdf((double)x); }
static inline __host__ double rhypot(double a, double b) { return 1.0 / __builtin_hypot(a, b); }
static inline __host__ float rhypotf(float a, float b) { return (float)rhypot((double)a, (double)b); }
static inline __host__ double norm3d(double a, double b, double c)
{ return __builtin_hypot(__builtin_hypot(a, b), c); }
static inline __host__ float norm3df(float a, float b, float c) { return (float)norm3d(a, b, c); }
static inline __host__ double norm4d(double a, double b, double c, double d)
{ return __builtin_hypot(__builtin_hypot(a, b), __builtin_hypot(c, d)); }
static inline __host__ float norm4df(float a, float b, float c, float d)
{ return (float)norm4d(a, b, c, d); }

/* Exact reduction to [-0.5, 0.5] quarters first: the argument is not rounded by pi. */
static inline __host__ double sinpi(double x)
{
	double q = __builtin_rint(2.0 * x), r = (x - 0.5 * q) * 3.14159265358979323846;
	int quadrant = (int)__builtin_fmod(q, 4.0) & 3;

	if (!__builtin_isfinite(x))
		return x - x;
	switch (quadrant) {
	case 0: return __builtin_sin(r);
	case 1: return __builtin_cos(r);
	case 2: return -__builtin_sin(r);
	default: return -__builtin_cos(r);
	}
}

static inline __host__ double cospi(double x)
{
	double q = __builtin_rint(2.0 * x), r = (x - 0.5 * q) * 3.14159265358979323846;
	int quadrant = (int)__builtin_fmod(q, 4.0) & 3;

	if (!__builtin_isfinite(x))
		return x - x;
	switch (quadrant) {
	case 0: return __builtin_cos(r);
	case 1: return -__builtin_sin(r);
	case 2: return -__builtin_cos(r);
	default: return __builtin_sin(r);
	}
}

static inline __host__ float sinpif(float x) { return (float)sinpi((double)x); }
static inline __host__ float cospif(float x) { return (float)cospi((double)x); }
static inline __host__ void sincospi(double x, double *s, double *c)
{
	*s = sinpi(x);
	*c = cospi(x);
}
static inline __host__ void sincospif(float x, float *s, float *c)
{
	*s = sinpif(x);
	*c = cospif(x);
}

/* Single precision overloads of the names above and of device-only functions. */
#define HETCKPT_OVERLOAD_(name)                                                \
	static inline __host__ float name(float x) { return name##f(x); }      \
	static inline __device__ float name(float x) { return name##f(x); }
HETCKPT_OVERLOAD_(rsqrt)
HETCKPT_OVERLOAD_(rcbrt)
HETCKPT_OVERLOAD_(sinpi)
HETCKPT_OVERLOAD_(cospi)
HETCKPT_OVERLOAD_(normcdf)
#undef HETCKPT_OVERLOAD_
static inline __device__ float erfinv(float x) { return erfinvf(x); }
static inline __device__ float erfcinv(float x) { return erfcinvf(x); }
static inline __device__ float erfcx(float x) { return erfcxf(x); }
static inline __device__ float normcdfinv(float x) { return normcdfinvf(x); }
static inline __device__ float exp10(float x) { return exp10f(x); }
static inline __device__ void sincos(float x, float *s, float *c) { sincosf(x, s, c); }
static inline __device__ void sincospi(float x, float *s, float *c) { sincospif(x, s, c); }

#endif
