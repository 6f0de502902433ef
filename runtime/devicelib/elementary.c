/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Elementary functions, most of them libclc's; roots, norms and powers made here.
 *
 * The names with "fast" are NVIDIA's approximate instructions. Here they are the
 * accurate functions, because an approximation of one vendor has no equal elsewhere.
 */
#include "devicelib.h"

#define FORWARD(name)                                                          \
	float __nv_##name##f(float x) { return clc_##name##f(x); }             \
	double __nv_##name(double x) { return clc_##name(x); }
FORWARD(acos)
FORWARD(acosh)
FORWARD(asin)
FORWARD(asinh)
FORWARD(atan)
FORWARD(atanh)
FORWARD(cbrt)
FORWARD(cos)
FORWARD(cosh)
FORWARD(cospi)
FORWARD(erf)
FORWARD(erfc)
FORWARD(expm1)
FORWARD(log)
FORWARD(log10)
FORWARD(log1p)
FORWARD(log2)
FORWARD(sin)
FORWARD(sinh)
FORWARD(sinpi)
FORWARD(tan)
FORWARD(tanh)

/*
 * libclc's single precision exponentials flush subnormal results to zero; where
 * they could arise, the double function is rounded.
 */
#define EXPONENTIAL(name, subnormal)                                           \
	double __nv_##name(double x) { return clc_##name(x); }                 \
	float __nv_##name##f(float x)                                          \
	{ return x < subnormal ? (float)clc_##name((double)x) : clc_##name##f(x); }
EXPONENTIAL(exp, -87.0f)
EXPONENTIAL(exp2, -125.0f)
EXPONENTIAL(exp10, -37.5f)

float __nv_atan2f(float y, float x) { return clc_atan2f(y, x); }
double __nv_atan2(double y, double x) { return clc_atan2(y, x); }
float __nv_powf(float x, float y) { return clc_powf(x, y); }
double __nv_pow(double x, double y) { return clc_pow(x, y); }
float __nv_hypotf(float x, float y) { return clc_hypotf(x, y); }
double __nv_hypot(double x, double y) { return clc_hypot(x, y); }

void __nv_sincosf(float x, float *s, float *c)
{
	*s = clc_sinf(x);
	*c = clc_cosf(x);
}

void __nv_sincos(double x, double *s, double *c)
{
	*s = clc_sin(x);
	*c = clc_cos(x);
}

void __nv_sincospif(float x, float *s, float *c)
{
	*s = clc_sinpif(x);
	*c = clc_cospif(x);
}

void __nv_sincospi(double x, double *s, double *c)
{
	*s = clc_sinpi(x);
	*c = clc_cospi(x);
}

float __nv_fast_sinf(float x) { return clc_sinf(x); }
float __nv_fast_cosf(float x) { return clc_cosf(x); }
float __nv_fast_tanf(float x) { return clc_tanf(x); }
float __nv_fast_expf(float x) { return __nv_expf(x); }
float __nv_fast_exp10f(float x) { return __nv_exp10f(x); }
float __nv_fast_logf(float x) { return clc_logf(x); }
float __nv_fast_log2f(float x) { return clc_log2f(x); }
float __nv_fast_log10f(float x) { return clc_log10f(x); }
float __nv_fast_powf(float x, float y) { return clc_powf(x, y); }
float __nv_fast_fdividef(float x, float y) { return x / y; }
void __nv_fast_sincosf(float x, float *s, float *c) { __nv_sincosf(x, s, c); }

/* In double precision nothing is lost, so one rounding decides the float. */
float __nv_rsqrtf(float x) { return (float)(1.0 / __builtin_sqrt((double)x)); }
float __nv_frsqrt_rn(float x) { return (float)(1.0 / __builtin_sqrt((double)x)); }
float __nv_rcbrtf(float x) { return (float)(1.0 / clc_cbrt((double)x)); }
double __nv_rcbrt(double x) { return 1.0 / clc_cbrt(x); }

/* 1 / sqrt(x), with one Newton step on the error that the two roundings made. */
double __nv_rsqrt(double x)
{
	double y, h, scale = 1;

	/* Scaled by an even power of two, so that subnormals keep their bits. */
	if (x < 0x1p-1020 && x > 0) {
		x *= 0x1p104;
		scale = 0x1p52;
	}
	y = 1.0 / __builtin_sqrt(x);
	h = x * y;
	/* 1 - x y^2 = (1 - h y) - (x y - h) y */
	h = __builtin_fma(-h, y, 1.0) - __builtin_fma(x, y, -h) * y;
	return (x > 0 && x < __builtin_inf() ? __builtin_fma(0.5 * y, h, y) : y) * scale;
}

/* Upper half of 1 / x: what the hardware's seed instruction gives, but exact. */
double __nv_rcp64h(double x) { return bits_double(double_bits(1.0 / x) & 0xffffffff00000000ull); }

/* By squaring; a negative power is the reciprocal, as in libdevice. */
float __nv_powif(float x, int n)
{
	u32 m = n < 0 ? 0u - (u32)n : (u32)n;
	float r = 1;

	for (; m; m >>= 1, x *= x)
		if (m & 1)
			r *= x;
	return n < 0 ? 1 / r : r;
}

double __nv_powi(double x, int n)
{
	u32 m = n < 0 ? 0u - (u32)n : (u32)n;
	double r = 1;

	for (; m; m >>= 1, x *= x)
		if (m & 1)
			r *= x;
	return n < 0 ? 1 / r : r;
}

/* Squares of floats neither overflow nor lose a bit in double precision. */
static double squares_float(int n, const float *v)
{
	double sum = 0;

	for (int i = 0; i < n; i++)
		sum = __builtin_fma((double)v[i], (double)v[i], sum);
	return sum;
}

float __nv_normf(int n, const float *v) { return (float)__builtin_sqrt(squares_float(n, v)); }
float __nv_rnormf(int n, const float *v) { return (float)(1.0 / __builtin_sqrt(squares_float(n, v))); }

float __nv_norm3df(float a, float b, float c)
{
	const float v[] = {a, b, c};
	return __nv_normf(3, v);
}
float __nv_norm4df(float a, float b, float c, float d)
{
	const float v[] = {a, b, c, d};
	return __nv_normf(4, v);
}
float __nv_rnorm3df(float a, float b, float c)
{
	const float v[] = {a, b, c};
	return __nv_rnormf(3, v);
}
float __nv_rnorm4df(float a, float b, float c, float d)
{
	const float v[] = {a, b, c, d};
	return __nv_rnormf(4, v);
}
float __nv_rhypotf(float a, float b)
{
	const float v[] = {a, b};
	return __nv_rnormf(2, v);
}

/*
 * sqrt of the sum of squares, scaled by the power of two of the largest so that no
 * square overflows or vanishes. Answers norm * *scale with *scale a power of two.
 */
static double scaled_norm(int n, const double *v, double *scale)
{
	double largest = 0, sum = 0, rest = 0, s;
	int infinite = 0;
	u64 e;

	for (int i = 0; i < n; i++) {
		double a = __builtin_fabs(v[i]);

		infinite |= a == __builtin_inf();
		largest = a > largest || a != a ? a : largest;
	}
	*scale = 1;
	if (infinite)
		return __builtin_inf();
	if (largest == 0 || largest != largest)
		return largest;
	e = double_bits(largest) >> 52;
	/* 2^-exponent, kept in the range of normal numbers */
	s = bits_double((e > 2045 ? 1 : e < 64 ? 2046 - 64 : 2046 - e) << 52);
	for (int i = 0; i < n; i++) {
		double a = v[i] * s, square = a * a, next = sum + square;

		/* error of the square and of the addition (sum is kept the larger by no test: two-sum) */
		double part = next - sum;
		rest += __builtin_fma(a, a, -square) + ((sum - (next - part)) + (square - part));
		sum = next;
	}
	*scale = s;
	return __builtin_sqrt(sum + rest);
}

double __nv_norm(int n, const double *v)
{
	double s, r = scaled_norm(n, v, &s);
	return r / s;
}
double __nv_rnorm(int n, const double *v)
{
	double s, r = scaled_norm(n, v, &s);
	return s / r;
}
double __nv_norm3d(double a, double b, double c)
{
	const double v[] = {a, b, c};
	return __nv_norm(3, v);
}
double __nv_norm4d(double a, double b, double c, double d)
{
	const double v[] = {a, b, c, d};
	return __nv_norm(4, v);
}
double __nv_rnorm3d(double a, double b, double c)
{
	const double v[] = {a, b, c};
	return __nv_rnorm(3, v);
}
double __nv_rnorm4d(double a, double b, double c, double d)
{
	const double v[] = {a, b, c, d};
	return __nv_rnorm(4, v);
}
double __nv_rhypot(double a, double b)
{
	const double v[] = {a, b};
	return __nv_rnorm(2, v);
}
