/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * approximate.h - NVIDIA's approximate instructions, computed accurately.
 *
 * The one implementation of all targets: part of support.c of the CPU target, where the
 * functions stand for instructions that it lacks, and of exact.c, which takes the
 * instructions' place in NVIDIA's own code (the pass's option exact-math).
 *
 * Results are computed in double precision by the series below and rounded once more, so
 * they are within half a unit of the last place of single precision, but for rare ties.
 * Nothing is called, no table is read and nothing may be fused: IEEE arithmetic alone,
 * so the same bits everywhere. The includer defines FN(name), the name of a function.
 */
#ifndef HETCKPT_EXACT_APPROXIMATE_H
#define HETCKPT_EXACT_APPROXIMATE_H

#include <stdint.h>

/* Single precision with denormals taken as zero of the same sign. */
static inline float ftz(float x)
{
	return __builtin_fabsf(x) < 0x1p-126f ? __builtin_copysignf(0.0f, x) : x;
}
static inline double bits_to_double(uint64_t b)
{
	union { uint64_t b; double d; } u = {b};
	return u.d;
}
static inline uint32_t float_to_bits(float f)
{
	union { float f; uint32_t b; } u = {f};
	return u.b;
}
static inline uint64_t double_to_bits(double d)
{
	union { double d; uint64_t b; } u = {d};
	return u.b;
}

/* 2^x, |x| clamped to 1000: 2^n by exponent, 2^f for |f| <= 1/2 by the exponential
   series to the tenth power of f ln 2; error below 2^-42. */
static inline double exp2_series(double x)
{
	const double shift = 0x1.8p52;
	double c = x > 1000 ? 1000 : x < -1000 ? -1000 : x;
	double s = c + shift;
	double f = (c - (s - shift)) * 0.693147180559945309417;
	double p = 1.0 / 3628800;

	p = p * f + 1.0 / 362880;
	p = p * f + 1.0 / 40320;
	p = p * f + 1.0 / 5040;
	p = p * f + 1.0 / 720;
	p = p * f + 1.0 / 120;
	p = p * f + 1.0 / 24;
	p = p * f + 1.0 / 6;
	p = p * f + 0.5;
	p = p * f + 1.0;
	p = p * f + 1.0;
	return p * bits_to_double((double_to_bits(s) + 1023) << 52);
}

/* log2 x for a positive, finite, normal x: exponent plus the series of
   2 atanh((m - 1)/(m + 1)) for m in [sqrt(1/2), sqrt 2); error below 2^-46. */
static inline double log2_series(double x)
{
	uint64_t b = double_to_bits(x);
	uint64_t up = (b & 0xfffffffffffffull) > 0x6a09e667f3bcdull;
	double e = (double)(int32_t)((b >> 52) - 1023 + up);
	double m = bits_to_double((b & 0xfffffffffffffull) | (1023 - up) << 52);
	double s = (m - 1) / (m + 1), q = s * s;
	double p = 1.0 / 17;

	p = p * q + 1.0 / 15;
	p = p * q + 1.0 / 13;
	p = p * q + 1.0 / 11;
	p = p * q + 1.0 / 9;
	p = p * q + 1.0 / 7;
	p = p * q + 1.0 / 5;
	p = p * q + 1.0 / 3;
	p = p * q + 1.0;
	return e + 2 * s * p * 1.44269504088896340736;
}

static inline float log2_single(float x)
{
	if (x != x || x < 0)
		return __builtin_nanf("");
	if (x == 0)
		return -__builtin_inff();
	return x == __builtin_inff() ? x : (float)log2_series(x);
}

static inline double sin_poly(double r)
{
	double q = r * r, p = 1.0 / 6227020800;

	p = p * q - 1.0 / 39916800;
	p = p * q + 1.0 / 362880;
	p = p * q - 1.0 / 5040;
	p = p * q + 1.0 / 120;
	p = p * q - 1.0 / 6;
	/* -0 stays -0. */
	return q == 0 ? r : r + r * q * p;
}
static inline double cos_poly(double r)
{
	double q = r * r, p = -1.0 / 87178291200;

	p = p * q + 1.0 / 479001600;
	p = p * q - 1.0 / 3628800;
	p = p * q + 1.0 / 40320;
	p = p * q - 1.0 / 720;
	p = p * q + 1.0 / 24;
	p = p * q - 0.5;
	return 1 + q * p;
}

/*
 * x - n pi/2 for the nearest n, of a finite x of at least 1 in magnitude (Payne and
 * Hanek). Returns it and the lower bits of n. x is m 2^e with a whole m of 24 bits. Of
 * 2/pi only 96 bits matter: those before give multiples of 4 quarters, those behind less
 * than 2^-70 of one, and no single-precision x is nearer than 2^-31 to a multiple of pi/2.
 * Shifts by a power of two of words find the 96 bits: a table would be memory.
 */
static inline __attribute__((always_inline)) double reduce_large(float x, uint64_t *n)
{
	uint32_t b = float_to_bits(x) & 0x7fffffff;
	uint32_t m = (b & 0x7fffff) | 0x800000;
	/* 2/pi with 32 bits before the point, and where the 96 bits begin in it. */
	uint32_t a0 = 0, a1 = 0xa2f9836e, a2 = 0x4e441529, a3 = 0xfc2757d1, a4 = 0xf534ddc0;
	uint32_t a5 = 0xdb629599, a6 = 0x3c439041, a7 = 0xfe5163ab;
	uint32_t at = (b >> 23) - 150 - 2 + 32, shift = at & 31;
	uint32_t v0, v1, v2, p0, p1, p2;
	uint64_t t, quarters;
	double r;

	if (at & 128)
		a0 = a4, a1 = a5, a2 = a6, a3 = a7;
	if (at & 64)
		a0 = a2, a1 = a3, a2 = a4, a3 = a5, a4 = a6;
	if (at & 32)
		a0 = a1, a1 = a2, a2 = a3, a3 = a4;
	v0 = (uint32_t)((((uint64_t)a0 << 32 | a1) << shift) >> 32);
	v1 = (uint32_t)((((uint64_t)a1 << 32 | a2) << shift) >> 32);
	v2 = (uint32_t)((((uint64_t)a2 << 32 | a3) << shift) >> 32);

	/* m times them: two bits of quarters, 94 of a fraction. */
	t = (uint64_t)m * v2;
	p2 = (uint32_t)t;
	t = (uint64_t)m * v1 + (t >> 32);
	p1 = (uint32_t)t;
	p0 = m * v0 + (uint32_t)(t >> 32);
	quarters = ((p0 >> 29) + 1) >> 1;
	r = (double)(int64_t)((uint64_t)p0 << 34 | (uint64_t)p1 << 2 | p2 >> 30) * 0x1p-64 +
	    (double)(p2 << 2) * 0x1p-96;
	r *= 1.57079632679489661923;
	*n = x < 0 ? 0 - quarters : quarters;
	return x < 0 ? -r : r;
}

/* sin(x + quarter * pi/2). pi/2 in two parts, the first of 33 bits: exact products up
   to 2^20 quarters; beyond that reduce_large. */
static inline float sine(float x, uint64_t quarter)
{
	const double shift = 0x1.8p52;
	double k, r;
	uint64_t n;

	if (__builtin_fabsf(x) < 0x1p20f) {
		k = (double)x * 0.636619772367581343076 + shift;
		n = double_to_bits(k);
		k -= shift;
		r = ((double)x - k * 0x1.921fb544p0) - k * 0x1.0b4611a626331p-34;
	} else if (__builtin_fabsf(x) < __builtin_inff()) {
		r = reduce_large(x, &n);
	} else {
		return __builtin_nanf("");
	}
	n += quarter;
	r = n & 1 ? cos_poly(r) : sin_poly(r);
	return (float)(n & 2 ? -r : r);
}

static inline float tanh_single(float x)
{
	double d = x, q = d * d, e;

	if (q < 0x1p-6)
		return (float)(d * (1 + q * (-1.0 / 3 + q * (2.0 / 15 + q * (-17.0 / 315 + q * (62.0 / 2835 - q * (1382.0 / 155925)))))));
	e = exp2_series(d * 2.88539008177792681472);
	return (float)(1 - 2 / (e + 1));
}

/* rcp.approx.ftz.f64 keeps the upper word only. */
static inline double upper_word(double x)
{
	return bits_to_double(double_to_bits(x) & 0xffffffff00000000ull);
}
static inline double ftz_d(double x)
{
	return __builtin_fabs(x) < 0x1p-1022 ? __builtin_copysign(0.0, x) : x;
}

/* 2^x to the last bits of a double: the series to the 13th power, and the exponent in two
   halves, so that results may be denormal. */
static inline double exp2_double(double x)
{
	const double shift = 0x1.8p52;
	double c = x > 1100 ? 1100 : x < -1100 ? -1100 : x;
	double s = c + shift;
	double f = (c - (s - shift)) * 0.693147180559945309417;
	int32_t n = (int32_t)(uint32_t)double_to_bits(s), h = n / 2;
	double p = 1.0 / 6227020800;

	p = p * f + 1.0 / 479001600;
	p = p * f + 1.0 / 39916800;
	p = p * f + 1.0 / 3628800;
	p = p * f + 1.0 / 362880;
	p = p * f + 1.0 / 40320;
	p = p * f + 1.0 / 5040;
	p = p * f + 1.0 / 720;
	p = p * f + 1.0 / 120;
	p = p * f + 1.0 / 24;
	p = p * f + 1.0 / 6;
	p = p * f + 0.5;
	p = p * f + 1.0;
	p = p * f + 1.0;
	return p * bits_to_double((uint64_t)(h + 1023) << 52) *
	       bits_to_double((uint64_t)(n - h + 1023) << 52);
}

/* log2 x to a few of the last bits of a double: as log2_series, with four terms more. */
static inline double log2_double(double x)
{
	double scaled = x < 0x1p-1022 ? x * 0x1p54 : x;
	uint64_t b = double_to_bits(scaled);
	uint64_t up = (b & 0xfffffffffffffull) > 0x6a09e667f3bcdull;
	double e = (double)(int32_t)((b >> 52) - 1023 + up) - (x < 0x1p-1022 ? 54 : 0);
	double m = bits_to_double((b & 0xfffffffffffffull) | (1023 - up) << 52);
	double s = (m - 1) / (m + 1), q = s * s;
	double p = 1.0 / 25;

	if (x != x || x < 0)
		return __builtin_nan("");
	if (x == 0)
		return -__builtin_inf();
	if (x == __builtin_inf())
		return x;
	p = p * q + 1.0 / 23;
	p = p * q + 1.0 / 21;
	p = p * q + 1.0 / 19;
	p = p * q + 1.0 / 17;
	p = p * q + 1.0 / 15;
	p = p * q + 1.0 / 13;
	p = p * q + 1.0 / 11;
	p = p * q + 1.0 / 9;
	p = p * q + 1.0 / 7;
	p = p * q + 1.0 / 5;
	p = p * q + 1.0 / 3;
	p = p * q + 1.0;
	return e + 2 * s * p * 1.44269504088896340736;
}

#define APPROX(name, f, EXPR)                                                                       \
	float FN(name##_approx_##f)(float a);                                                       \
	float FN(name##_approx_##f)(float a)                                                        \
	{                                                                                           \
		float x = a;                                                                        \
		return EXPR;                                                                        \
	}                                                                                           \
	float FN(name##_approx_ftz_##f)(float a);                                                   \
	float FN(name##_approx_ftz_##f)(float a)                                                    \
	{                                                                                           \
		float x = ftz(a);                                                                   \
		return ftz(EXPR);                                                                   \
	}
APPROX(ex2, f, (float)exp2_series(x))
APPROX(ex2, f32, (float)exp2_series(x))
APPROX(lg2, f, log2_single(x))
APPROX(sin, f, sine(x, 0))
APPROX(cos, f, sine(x, 1))
APPROX(tanh, f, tanh_single(x))
APPROX(tanh, f32, tanh_single(x))
APPROX(rcp, f, 1.0f / x)
APPROX(sqrt, f, __builtin_sqrtf(x))
APPROX(rsqrt, f, (float)(1.0 / __builtin_sqrt((double)x)))

#define APPROX_OF(T, name, PARAMETERS, EXPR)                                                        \
	T FN(name) PARAMETERS;                                                                      \
	T FN(name) PARAMETERS { return EXPR; }
APPROX_OF(float, div_approx_f, (float x, float y), x / y)
APPROX_OF(float, div_approx_ftz_f, (float x, float y), ftz(ftz(x) / ftz(y)))
APPROX_OF(float, div_full, (float x, float y), x / y)
APPROX_OF(float, div_full_ftz, (float x, float y), ftz(ftz(x) / ftz(y)))

APPROX_OF(double, rcp_approx_ftz_d, (double x), ftz_d(upper_word(1.0 / ftz_d(x))))
APPROX_OF(double, rsqrt_approx_d, (double x), 1.0 / __builtin_sqrt(x))
APPROX_OF(double, rsqrt_approx_ftz_d, (double x), ftz_d(upper_word(1.0 / __builtin_sqrt(ftz_d(x)))))
APPROX_OF(double, lg2_approx_d, (double x), log2_double(x))
APPROX_OF(double, ex2_approx_d, (double x), exp2_double(x))

/* ---- Half precision: through single ---------------------------------------- */

/* Denormals of half precision taken as zero. */
static inline _Float16 ftz_h(_Float16 x)
{
	return __builtin_fabsf((float)x) < 0x1p-14f ? (_Float16)__builtin_copysignf(0.0f, (float)x) : x;
}
APPROX_OF(_Float16, ex2_approx_f16, (_Float16 x), (_Float16)(float)exp2_series((double)x))
APPROX_OF(_Float16, ex2_approx_ftz_f16, (_Float16 x),
	  ftz_h((_Float16)(float)exp2_series((double)ftz_h(x))))
APPROX_OF(_Float16, tanh_approx_f16, (_Float16 x), (_Float16)tanh_single((float)x))

/* bfloat16 by its bits: it is the upper half of a float. NaN keeps its quiet bit. */
static inline float bfloat_to_float(__bf16 x)
{
	union { __bf16 h; uint16_t b; } u = {x};
	union { uint32_t b; float f; } w = {(uint32_t)u.b << 16};
	return w.f;
}
static inline __bf16 float_to_bfloat(float x)
{
	uint32_t b = float_to_bits(x);
	union { uint16_t b; __bf16 h; } u;

	u.b = (uint16_t)(x != x ? 0x7fff : (b + 0x7fff + (b >> 16 & 1)) >> 16);
	return u.h;
}
APPROX_OF(__bf16, ex2_approx_bf16, (__bf16 x), float_to_bfloat((float)exp2_series((double)bfloat_to_float(x))))
APPROX_OF(__bf16, ex2_approx_ftz_bf16, (__bf16 x), float_to_bfloat(ftz((float)exp2_series((double)ftz(bfloat_to_float(x))))))
APPROX_OF(__bf16, tanh_approx_bf16, (__bf16 x), float_to_bfloat(tanh_single(bfloat_to_float(x))))

#endif
