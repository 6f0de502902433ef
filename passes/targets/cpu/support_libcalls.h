/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Part of support.c: functions that LLVM's code generator calls for operations that the
 * machine lacks. Compilers bring them in a library of their own; a translated module has
 * to bring them itself. Only linked where the types they are for occur (Compile.cpp).
 */

static inline uint32_t float_bits(float f)
{
	union { float f; uint32_t u; } v = {f};
	return v.u;
}
static inline float bits_float(uint32_t u)
{
	union { uint32_t u; float f; } v = {u};
	return v.f;
}
static inline _Float16 bits_half(uint16_t u)
{
	union { uint16_t u; _Float16 h; } v = {u};
	return v.h;
}
static inline __bf16 bits_bfloat(uint16_t u)
{
	union { uint16_t u; __bf16 h; } v = {u};
	return v.h;
}

/* The upper bits of a sign-exponent-mantissa pattern, rounded to nearest even. Exponent
   fields of the source and the target: src_bias - dst_bias is taken off; below that the
   mantissa is shifted out. */
static inline uint16_t narrow(uint64_t bits, int src_mantissa, int src_exponent, int dst_mantissa,
			      int dst_exponent)
{
	uint64_t src_max = (1u << src_exponent) - 1, dst_max = (1u << dst_exponent) - 1;
	uint64_t hidden = 1ull << src_mantissa;
	uint16_t sign = (uint16_t)((bits >> (src_mantissa + src_exponent) & 1) << 15);
	uint64_t mantissa = bits & (hidden - 1);
	int64_t e = (int64_t)(bits >> src_mantissa & src_max);
	/* Denormal numbers have the exponent of the smallest normal one. */
	int64_t at = (e ? e : 1) - (int64_t)(src_max >> 1) + (int64_t)(dst_max >> 1);
	int drop = src_mantissa - dst_mantissa;
	uint64_t r, low, half;

	if (e == (int64_t)src_max) /* infinity, or NaN, quiet and with its upper bits */
		return sign | (uint16_t)(dst_max << dst_mantissa) |
		       (mantissa ? (uint16_t)(1u << (dst_mantissa - 1) | mantissa >> drop) : 0);
	if (at >= (int64_t)dst_max)
		return sign | (uint16_t)(dst_max << dst_mantissa);
	if (e)
		mantissa |= hidden;
	if (at <= 0) {
		/* denormal in the target */
		int64_t more = 1 - at;

		if (more > dst_mantissa + 2)
			return sign;
		drop += (int)more;
		at = 0;
	} else if (!e) {
		at = 0;
	} else {
		mantissa &= hidden - 1;
	}
	low = mantissa & ((1ull << drop) - 1);
	half = 1ull << (drop - 1);
	r = ((uint64_t)at << dst_mantissa) + (mantissa >> drop);
	/* A carry out of the mantissa moves the exponent on, up to infinity. */
	r += low > half || (low == half && (r & 1));
	return sign | (uint16_t)r;
}

_Float16 __truncsfhf2(float x);
_Float16 __truncsfhf2(float x) { return bits_half(narrow(float_bits(x), 23, 8, 10, 5)); }
_Float16 __truncdfhf2(double x);
_Float16 __truncdfhf2(double x) { return bits_half(narrow(double_to_bits(x), 52, 11, 10, 5)); }
__bf16 __truncsfbf2(float x);
__bf16 __truncsfbf2(float x) { return bits_bfloat(narrow(float_bits(x), 23, 8, 7, 8)); }
__bf16 __truncdfbf2(double x);
__bf16 __truncdfbf2(double x) { return bits_bfloat(narrow(double_to_bits(x), 52, 11, 7, 8)); }

float __extendhfsf2(_Float16 x);
float __extendhfsf2(_Float16 x)
{
	union { _Float16 h; uint16_t u; } v = {x};
	uint32_t sign = (uint32_t)(v.u & 0x8000) << 16, e = v.u >> 10 & 31, m = v.u & 1023;

	if (e == 31)
		return bits_float(sign | 0x7f800000u | m << 13 | (m ? 0x400000u : 0));
	if (!e) /* zero or denormal: m * 2^-24 */
		return __builtin_copysignf((float)m * 0x1p-24f, bits_float(sign));
	return bits_float(sign | (e + 112) << 23 | m << 13);
}

typedef unsigned __int128 u128;

/* Long division, bit by bit from the divisor's top. */
static inline u128 divide(u128 a, u128 b, u128 *rest)
{
	u128 q = 0;
	int shift = 0;

	if (!b) {
		*rest = a;
		return ~(u128)0;
	}
	while (b <= a >> 1 && !(b >> 127)) {
		b <<= 1;
		shift++;
	}
	for (; shift >= 0; shift--, b >>= 1) {
		q <<= 1;
		if (a >= b) {
			a -= b;
			q |= 1;
		}
	}
	*rest = a;
	return q;
}

u128 __udivti3(u128 a, u128 b);
u128 __udivti3(u128 a, u128 b)
{
	u128 rest;

	return divide(a, b, &rest);
}
u128 __umodti3(u128 a, u128 b);
u128 __umodti3(u128 a, u128 b)
{
	u128 rest;

	divide(a, b, &rest);
	return rest;
}
__int128 __divti3(__int128 a, __int128 b);
__int128 __divti3(__int128 a, __int128 b)
{
	u128 rest, q = divide(a < 0 ? -(u128)a : (u128)a, b < 0 ? -(u128)b : (u128)b, &rest);

	return (__int128)((a < 0) != (b < 0) ? -q : q);
}
__int128 __modti3(__int128 a, __int128 b);
__int128 __modti3(__int128 a, __int128 b)
{
	u128 rest;

	divide(a < 0 ? -(u128)a : (u128)a, b < 0 ? -(u128)b : (u128)b, &rest);
	return (__int128)(a < 0 ? -rest : rest);
}
