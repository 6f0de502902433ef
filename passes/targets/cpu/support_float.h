/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Part of support.c: rounding modes, conversions; approximate instructions are in a header of their own. */
#include "exact/approximate.h"

#define CSR_RN 0x0000u
#define CSR_RM 0x2000u
#define CSR_RP 0x4000u
#define CSR_RZ 0x6000u
#define CSR_MODE 0x6000u

/*
 * EXPR, which must use the operand as v, with MXCSR's rounding mode set. The operand
 * goes through the first asm and the result through the second, so that no optimiser
 * can move the operation out from between them.
 */
#define UNDER(mode, CONS, T, R, operand, EXPR)                                                      \
	({                                                                                          \
		uint32_t old_, new_;                                                                \
		T v = (operand);                                                                    \
		R r_;                                                                               \
		__asm__ volatile("stmxcsr %0" : "=m"(old_));                                        \
		new_ = (old_ & ~CSR_MODE) | (mode);                                                 \
		__asm__ volatile("ldmxcsr %1" : "+" CONS(v) : "m"(new_));                           \
		r_ = (EXPR);                                                                        \
		__asm__ volatile("ldmxcsr %1" : "+x"(r_) : "m"(old_));                              \
		r_;                                                                                 \
	})

static inline float keep(float x) { return x; }
static inline double keep_d(double x) { return x; }

/* 0 for NaN and below 0, 1 above 1. */
static inline float sat(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }

#define ARITH1(name, T, mode, OUT, IN, EXPR)                                                        \
	T FN(name)(T a);                                                                            \
	T FN(name)(T a) { return OUT(UNDER(mode, "x", T, T, IN(a), EXPR)); }
#define ARITH2(name, T, mode, OUT, IN, EXPR)                                                        \
	T FN(name)(T a, T b);                                                                       \
	T FN(name)(T a, T b)                                                                        \
	{                                                                                           \
		T w = IN(b);                                                                        \
		return OUT(UNDER(mode, "x", T, T, IN(a), EXPR));                                    \
	}
#define ARITH3(name, T, mode, OUT, IN, EXPR)                                                        \
	T FN(name)(T a, T b, T c);                                                                  \
	T FN(name)(T a, T b, T c)                                                                   \
	{                                                                                           \
		T w = IN(b), u = IN(c);                                                             \
		return OUT(UNDER(mode, "x", T, T, IN(a), EXPR));                                    \
	}
#define sat_ftz(x) sat(ftz(x))

#define ROUNDED(r, mode)                                                                            \
	ARITH2(add_##r##_f, float, mode, keep, keep, v + w)                                         \
	ARITH2(add_##r##_ftz_f, float, mode, ftz, ftz, v + w)                                       \
	ARITH2(add_##r##_sat_f, float, mode, sat, keep, v + w)                                      \
	ARITH2(add_##r##_ftz_sat_f, float, mode, sat_ftz, ftz, v + w)                               \
	ARITH2(add_##r##_d, double, mode, keep_d, keep_d, v + w)                                    \
	ARITH2(mul_##r##_f, float, mode, keep, keep, v *w)                                          \
	ARITH2(mul_##r##_ftz_f, float, mode, ftz, ftz, v *w)                                        \
	ARITH2(mul_##r##_d, double, mode, keep_d, keep_d, v *w)                                     \
	ARITH2(div_##r##_f, float, mode, keep, keep, v / w)                                         \
	ARITH2(div_##r##_ftz_f, float, mode, ftz, ftz, v / w)                                       \
	ARITH2(div_##r##_d, double, mode, keep_d, keep_d, v / w)                                    \
	ARITH3(fma_##r##_f, float, mode, keep, keep, __builtin_fmaf(v, w, u))                       \
	ARITH3(fma_##r##_ftz_f, float, mode, ftz, ftz, __builtin_fmaf(v, w, u))                     \
	ARITH3(fma_##r##_sat_f, float, mode, sat, keep, __builtin_fmaf(v, w, u))                    \
	ARITH3(fma_##r##_ftz_sat_f, float, mode, sat_ftz, ftz, __builtin_fmaf(v, w, u))             \
	ARITH3(fma_##r##_d, double, mode, keep_d, keep_d, __builtin_fma(v, w, u))                   \
	ARITH1(rcp_##r##_f, float, mode, keep, keep, 1.0f / v)                                      \
	ARITH1(rcp_##r##_ftz_f, float, mode, ftz, ftz, 1.0f / v)                                    \
	ARITH1(rcp_##r##_d, double, mode, keep_d, keep_d, 1.0 / v)                                  \
	ARITH1(sqrt_##r##_f, float, mode, keep, keep, __builtin_sqrtf(v))                           \
	ARITH1(sqrt_##r##_ftz_f, float, mode, ftz, ftz, __builtin_sqrtf(v))                         \
	ARITH1(sqrt_##r##_d, double, mode, keep_d, keep_d, __builtin_sqrt(v))
ROUNDED(rm, CSR_RM)
ROUNDED(rp, CSR_RP)
ROUNDED(rz, CSR_RZ)
/* The machine's own mode needs no setting. */
#undef UNDER
#define UNDER(mode, CONS, T, R, operand, EXPR)                                                      \
	({                                                                                          \
		T v = (operand);                                                                    \
		(R)(EXPR);                                                                          \
	})
ROUNDED(rn, CSR_RN)
#undef UNDER
#define UNDER(mode, CONS, T, R, operand, EXPR)                                                      \
	({                                                                                          \
		uint32_t old_, new_;                                                                \
		T v = (operand);                                                                    \
		R r_;                                                                               \
		__asm__ volatile("stmxcsr %0" : "=m"(old_));                                        \
		new_ = (old_ & ~CSR_MODE) | (mode);                                                 \
		__asm__ volatile("ldmxcsr %1" : "+" CONS(v) : "m"(new_));                           \
		r_ = (EXPR);                                                                        \
		__asm__ volatile("ldmxcsr %1" : "+x"(r_) : "m"(old_));                              \
		r_;                                                                                 \
	})

/* ---- Conversions ---------------------------------------------------------- */

#define CONVERT(name, T, R, mode, CONS, OUT)                                                        \
	R FN(name)(T a);                                                                            \
	R FN(name)(T a) { return OUT(UNDER(mode, CONS, T, R, a, (R)v)); }
#define FROM_INT(r, mode)                                                                           \
	CONVERT(i2f_##r, int32_t, float, mode, "r", keep)                                           \
	CONVERT(ui2f_##r, uint32_t, float, mode, "r", keep)                                         \
	CONVERT(ll2f_##r, int64_t, float, mode, "r", keep)                                          \
	CONVERT(ull2f_##r, uint64_t, float, mode, "r", keep)                                        \
	CONVERT(i2d_##r, int32_t, double, mode, "r", keep_d)                                        \
	CONVERT(ui2d_##r, uint32_t, double, mode, "r", keep_d)                                      \
	CONVERT(ll2d_##r, int64_t, double, mode, "r", keep_d)                                       \
	CONVERT(ull2d_##r, uint64_t, double, mode, "r", keep_d)                                     \
	CONVERT(d2f_##r, double, float, mode, "x", keep)                                            \
	CONVERT(d2f_##r##_ftz, double, float, mode, "x", ftz)
FROM_INT(rn, CSR_RN)
FROM_INT(rm, CSR_RM)
FROM_INT(rp, CSR_RP)
FROM_INT(rz, CSR_RZ)

/* To integers: saturating; NaN is 0 from single precision to 32 bits, and the highest
   bit alone otherwise (PTX ISA, cvt). */
#define TO_INT(name, F, I, IN, ROUND, low, high, min, max, nan)                                     \
	I FN(name)(F a);                                                                            \
	I FN(name)(F a)                                                                             \
	{                                                                                           \
		F v = ROUND(IN(a));                                                                 \
		if (v != v)                                                                         \
			return (I)(nan);                                                            \
		return v >= (high) ? (max) : v <= (low) ? (min) : (I)v;                             \
	}
#define TO_INTS(r, RF, RD)                                                                          \
	TO_INT(f2i_##r, float, int32_t, keep, RF, -0x1p31f, 0x1p31f, INT32_MIN, INT32_MAX, 0)        \
	TO_INT(f2i_##r##_ftz, float, int32_t, ftz, RF, -0x1p31f, 0x1p31f, INT32_MIN, INT32_MAX, 0)   \
	TO_INT(f2ui_##r, float, uint32_t, keep, RF, 0.0f, 0x1p32f, 0, UINT32_MAX, 0)                 \
	TO_INT(f2ui_##r##_ftz, float, uint32_t, ftz, RF, 0.0f, 0x1p32f, 0, UINT32_MAX, 0)            \
	TO_INT(f2ll_##r, float, int64_t, keep, RF, -0x1p63f, 0x1p63f, INT64_MIN, INT64_MAX,          \
	       INT64_MIN)                                                                           \
	TO_INT(f2ll_##r##_ftz, float, int64_t, ftz, RF, -0x1p63f, 0x1p63f, INT64_MIN, INT64_MAX,     \
	       INT64_MIN)                                                                           \
	TO_INT(f2ull_##r, float, uint64_t, keep, RF, 0.0f, 0x1p64f, 0, UINT64_MAX, 1ull << 63)       \
	TO_INT(f2ull_##r##_ftz, float, uint64_t, ftz, RF, 0.0f, 0x1p64f, 0, UINT64_MAX, 1ull << 63)  \
	TO_INT(d2i_##r, double, int32_t, keep_d, RD, -0x1p31, 0x1p31, INT32_MIN, INT32_MAX,          \
	       INT32_MIN)                                                                           \
	TO_INT(d2ui_##r, double, uint32_t, keep_d, RD, 0.0, 0x1p32, 0, UINT32_MAX, 1u << 31)         \
	TO_INT(d2ll_##r, double, int64_t, keep_d, RD, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX,         \
	       INT64_MIN)                                                                           \
	TO_INT(d2ull_##r, double, uint64_t, keep_d, RD, 0.0, 0x1p64, 0, UINT64_MAX, 1ull << 63)
TO_INTS(rn, __builtin_roundevenf, __builtin_roundeven)
TO_INTS(rm, __builtin_floorf, __builtin_floor)
TO_INTS(rp, __builtin_ceilf, __builtin_ceil)
TO_INTS(rz, __builtin_truncf, __builtin_trunc)

/* ---- Single operations, flushing or saturating --------------------------- */

#define SINGLE(name, EXPR) float FN(name)(float x); float FN(name)(float x) { return EXPR; }
#define PAIR(name, EXPR) float FN(name)(float x, float y); float FN(name)(float x, float y) { return EXPR; }
SINGLE(fabs_ftz_f32, __builtin_fabsf(ftz(x)))
SINGLE(sqrt_f, __builtin_sqrtf(x))
SINGLE(floor_ftz_f, __builtin_floorf(ftz(x)))
SINGLE(ceil_ftz_f, __builtin_ceilf(ftz(x)))
SINGLE(trunc_ftz_f, __builtin_truncf(ftz(x)))
SINGLE(round_ftz_f, __builtin_roundevenf(ftz(x)))
SINGLE(saturate_f, sat(x))
SINGLE(saturate_ftz_f, sat_ftz(x))
double FN(saturate_d)(double x);
double FN(saturate_d)(double x) { return x > 0 ? (x < 1 ? x : 1.0) : 0.0; }

/* -0 is below +0; a number wins over NaN. */
static inline float min_f(float x, float y)
{
	if (x != x || y != y)
		return x != x ? y : x;
	return x < y || (x == y && __builtin_signbit(x)) ? x : y;
}
static inline float max_f(float x, float y)
{
	if (x != x || y != y)
		return x != x ? y : x;
	return x > y || (x == y && !__builtin_signbit(x)) ? x : y;
}
static inline float xor_sign(float r, float x, float y)
{
	return __builtin_copysignf(r, __builtin_signbit(x) != __builtin_signbit(y) ? -1.0f : 1.0f);
}
#define NAN_FIRST(r) (x != x || y != y ? __builtin_nanf("") : (r))
#define MINMAX(op, OP)                                                                              \
	PAIR(op##_ftz_f, OP(ftz(x), ftz(y)))                                                        \
	PAIR(op##_nan_f, NAN_FIRST(OP(x, y)))                                                       \
	PAIR(op##_ftz_nan_f, NAN_FIRST(OP(ftz(x), ftz(y))))                                         \
	PAIR(op##_xorsign_abs_f, xor_sign(OP(__builtin_fabsf(x), __builtin_fabsf(y)), x, y))        \
	PAIR(op##_ftz_xorsign_abs_f,                                                                \
	     xor_sign(OP(__builtin_fabsf(ftz(x)), __builtin_fabsf(ftz(y))), x, y))                  \
	PAIR(op##_nan_xorsign_abs_f,                                                                \
	     NAN_FIRST(xor_sign(OP(__builtin_fabsf(x), __builtin_fabsf(y)), x, y)))
MINMAX(fmin, min_f)
MINMAX(fmax, max_f)

/* ---- Half precision -------------------------------------------------------- */

_Float16 FN(fmin_f16)(_Float16 x, _Float16 y);
_Float16 FN(fmin_f16)(_Float16 x, _Float16 y) { return (_Float16)min_f((float)x, (float)y); }
_Float16 FN(fmax_f16)(_Float16 x, _Float16 y);
_Float16 FN(fmax_f16)(_Float16 x, _Float16 y) { return (_Float16)max_f((float)x, (float)y); }
int16_t FN(f2h_rn)(float x);
int16_t FN(f2h_rn)(float x)
{
	union { _Float16 h; int16_t i; } u = {(_Float16)x};
	return u.i;
}
int16_t FN(f2h_rn_ftz)(float x);
int16_t FN(f2h_rn_ftz)(float x) { return FN(f2h_rn)(ftz(x)); }
_Float16 FN(f2f16_rn)(float x);
_Float16 FN(f2f16_rn)(float x) { return (_Float16)x; }
