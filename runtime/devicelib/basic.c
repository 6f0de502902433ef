/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions whose result is exact or correctly rounded, and classification. */
#include "devicelib.h"

/* One definition for float (suffix f) and double (no suffix). */
#define BOTH(type, f)                                                          \
	type __nv_fabs##f(type x) { return __builtin_fabs##f(x); }             \
	type __nv_ceil##f(type x) { return __builtin_ceil##f(x); }             \
	type __nv_floor##f(type x) { return __builtin_floor##f(x); }           \
	type __nv_trunc##f(type x) { return __builtin_trunc##f(x); }           \
	type __nv_rint##f(type x) { return __builtin_rint##f(x); }             \
	type __nv_nearbyint##f(type x) { return __builtin_rint##f(x); }        \
	type __nv_round##f(type x) { return __builtin_round##f(x); }           \
	type __nv_sqrt##f(type x) { return __builtin_sqrt##f(x); }             \
	type __nv_fma##f(type a, type b, type c) { return __builtin_fma##f(a, b, c); } \
	type __nv_fmax##f(type a, type b) { return __builtin_fmax##f(a, b); }  \
	type __nv_fmin##f(type a, type b) { return __builtin_fmin##f(a, b); }  \
	type __nv_copysign##f(type a, type b) { return __builtin_copysign##f(a, b); } \
	type __nv_fdim##f(type a, type b)                                      \
	{ return a > b ? a - b : __builtin_isunordered(a, b) ? a + b : 0; }    \
	type __nv_nextafter##f(type a, type b) { return clc_nextafter##f(a, b); } \
	type __nv_modf##f(type x, type *whole)                                 \
	{                                                                      \
		type t = __builtin_trunc##f(x);                                \
		*whole = t;                                                    \
		/* of an infinity nothing is left, with its sign */            \
		return __builtin_copysign##f(__builtin_isinf(x) ? 0 : x - t, x); \
	}                                                                      \
	i64 __nv_llrint##f(type x) { return (i64)llrint_##type(x); }           \
	i64 __nv_llround##f(type x) { return (i64)llround_##type(x); }         \
	type __nv_scalbn##f(type x, int n) { return scale_##type(x, n); }      \
	type __nv_ldexp##f(type x, int n) { return scale_##type(x, n); }

HETCKPT_INLINE i64 llrint_float(float x) { return __nvvm_f2ll_rn(x); }
HETCKPT_INLINE i64 llrint_double(double x) { return __nvvm_d2ll_rn(x); }
HETCKPT_INLINE i64 llround_float(float x) { return __nvvm_f2ll_rz(__builtin_roundf(x)); }
HETCKPT_INLINE i64 llround_double(double x) { return __nvvm_d2ll_rz(__builtin_round(x)); }

/*
 * x * 2^n with one rounding: n is applied in steps that stay exact, and only the
 * last can round. Steps downwards leave the value normal until the last one.
 */
static float scale_float(float x, int n)
{
	const float up = 0x1p127f, down = 0x1p-126f * 0x1p24f;

	if (n > 127) {
		x *= up;
		n -= 127;
		if (n > 127) {
			x *= up;
			n -= 127;
			if (n > 127)
				n = 127;
		}
	} else if (n < -126) {
		x *= down;
		n += 126 - 24;
		if (n < -126) {
			x *= down;
			n += 126 - 24;
			if (n < -126)
				n = -126;
		}
	}
	return x * bits_float((u32)(n + 127) << 23);
}

static double scale_double(double x, int n)
{
	const double up = 0x1p1023, down = 0x1p-1022 * 0x1p53;

	if (n > 1023) {
		x *= up;
		n -= 1023;
		if (n > 1023) {
			x *= up;
			n -= 1023;
			if (n > 1023)
				n = 1023;
		}
	} else if (n < -1022) {
		x *= down;
		n += 1022 - 53;
		if (n < -1022) {
			x *= down;
			n += 1022 - 53;
			if (n < -1022)
				n = -1022;
		}
	}
	return x * bits_double((u64)(n + 1023) << 52);
}

BOTH(float, f)
BOTH(double, )

float __nv_saturatef(float x) { return __builtin_fminf(__builtin_fmaxf(x, 0.0f), 1.0f); }

int __nv_isnanf(float x) { return x != x; }
int __nv_isnand(double x) { return x != x; }
int __nv_isinff(float x) { return __builtin_fabsf(x) == __builtin_inff(); }
int __nv_isinfd(double x) { return __builtin_fabs(x) == __builtin_inf(); }
int __nv_finitef(float x) { return __builtin_fabsf(x) < __builtin_inff(); }
int __nv_isfinited(double x) { return __builtin_fabs(x) < __builtin_inf(); }
int __nv_signbitf(float x) { return (int)(float_bits(x) >> 31); }
int __nv_signbitd(double x) { return (int)(double_bits(x) >> 63); }

float __nv_nanf(const signed char *tag) { return bits_float(0x7fffffffu); }
double __nv_nan(const signed char *tag) { return bits_double(0x7fffffffffffffffull); }

/* Binary exponent of a finite number that is not zero, subnormal or not. */
HETCKPT_INLINE int exponent_float(float x)
{
	u32 b = float_bits(x) & 0x7fffffffu;

	return b >> 23 ? (int)(b >> 23) - 127 : -126 - (__builtin_clz(b) - 8);
}

HETCKPT_INLINE int exponent_double(double x)
{
	u64 b = double_bits(x) & 0x7fffffffffffffffull;

	return b >> 52 ? (int)(b >> 52) - 1023 : -1022 - (__builtin_clzll(b) - 11);
}

/* CUDA: INT_MIN for zero and for a NaN, INT_MAX for an infinity. */
int __nv_ilogbf(float x)
{
	if (x == 0 || x != x)
		return -0x7fffffff - 1;
	return __nv_isinff(x) ? 0x7fffffff : exponent_float(x);
}

int __nv_ilogb(double x)
{
	if (x == 0 || x != x)
		return -0x7fffffff - 1;
	return __nv_isinfd(x) ? 0x7fffffff : exponent_double(x);
}

float __nv_logbf(float x)
{
	if (x == 0)
		return -__builtin_inff();
	return __nv_finitef(x) ? (float)exponent_float(x) : x * x;
}

double __nv_logb(double x)
{
	if (x == 0)
		return -__builtin_inf();
	return __nv_isfinited(x) ? (double)exponent_double(x) : x * x;
}

float __nv_frexpf(float x, int *exponent)
{
	int e;

	*exponent = 0;
	if (x == 0 || !__nv_finitef(x))
		return x + x;
	e = exponent_float(x) + 1;
	*exponent = e;
	return scale_float(x, -e);
}

double __nv_frexp(double x, int *exponent)
{
	int e;

	*exponent = 0;
	if (x == 0 || !__nv_isfinited(x))
		return x + x;
	e = exponent_double(x) + 1;
	*exponent = e;
	return scale_double(x, -e);
}
