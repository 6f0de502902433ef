/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * fmod, remainder and remquo: long division of the integers that the two numbers are,
 * a few bits of the quotient at a time. Exact for every argument. (libclc's functions
 * fail for quotients beyond 2^970 and lose subnormal results in single precision.)
 */
#include "devicelib.h"

/* mantissa * 2^exponent; of finite numbers, without sign. */
struct parts { u64 mantissa; int exponent; };

struct division {
	u64 rest;      /* of the division that rounds down, times 2^exponent */
	int exponent;
	u32 quotient;  /* its low bits */
	int above;     /* twice the rest against the divisor: -1, 0, 1 */
};

HETCKPT_INLINE struct parts parts_double(double x)
{
	u64 b = double_bits(x) & 0x7fffffffffffffffull;
	int e = (int)(b >> 52);

	return e ? (struct parts){(b & 0xfffffffffffffull) | 1ull << 52, e - 1075} : (struct parts){b, -1074};
}

HETCKPT_INLINE struct parts parts_float(float x)
{
	u32 b = float_bits(x) & 0x7fffffffu;
	int e = (int)(b >> 23);

	return e ? (struct parts){(b & 0x7fffffu) | 1u << 23, e - 150} : (struct parts){b, -149};
}

/* chunk: how far a mantissa can be shifted in 64 bits. */
HETCKPT_INLINE struct division divide(struct parts a, struct parts b, int chunk)
{
	struct division d = {a.mantissa, a.exponent, 0, -1};
	int left = a.exponent - b.exponent;

	if (left < 0) {
		/* The divisor is normal then, and more than the dividend; perhaps not twice. */
		if (left == -1)
			d.above = a.mantissa > b.mantissa ? 1 : a.mantissa == b.mantissa ? 0 : -1;
		return d;
	}
	d.exponent = b.exponent;
	d.rest = a.mantissa % b.mantissa;
	d.quotient = (u32)(a.mantissa / b.mantissa);
	while (left > 0) {
		int bits = left < chunk ? left : chunk;
		u64 shifted = d.rest << bits;

		/* More bits than a word has are shifted out, for only the low ones count. */
		d.quotient = (bits < 32 ? d.quotient << bits : 0) | (u32)(shifted / b.mantissa);
		d.rest = shifted % b.mantissa;
		left -= bits;
	}
	d.above = 2 * d.rest > b.mantissa ? 1 : 2 * d.rest == b.mantissa ? 0 : -1;
	return d;
}

/* To the nearest quotient, of two the even one. Tells whether the rest became negative. */
HETCKPT_INLINE int nearest(struct division *d, struct parts b)
{
	if (d->above < 0 || (d->above == 0 && !(d->quotient & 1)))
		return 0;
	/* A rest in units below the divisor's (left was -1) is one bit finer. */
	d->rest = (b.mantissa << (b.exponent - d->exponent)) - d->rest;
	d->quotient++;
	return 1;
}

#define FUNCTIONS(type, f, chunk)                                              \
	static type value_##type(struct division d, type sign, int negate)     \
	{                                                                      \
		type r = __builtin_copysign##f(__nv_scalbn##f((type)d.rest, d.exponent), sign); \
		return negate ? -r : r;                                        \
	}                                                                      \
	static int defined_##type(type a, type b)                              \
	{ return a - a == 0 && b == b && b != 0; }                             \
	type __nv_fmod##f(type a, type b)                                      \
	{                                                                      \
		if (!defined_##type(a, b))                                     \
			return (a * b) / (a * b);                              \
		if (b - b != 0)                                                \
			return a;                                              \
		return value_##type(divide(parts_##type(a), parts_##type(b), chunk), a, 0); \
	}                                                                      \
	type __nv_remquo##f(type a, type b, int *quotient)                     \
	{                                                                      \
		struct parts divisor = parts_##type(b);                        \
		struct division d;                                             \
		int negative, q;                                               \
		*quotient = 0;                                                 \
		if (!defined_##type(a, b))                                     \
			return (a * b) / (a * b);                              \
		if (b - b != 0)                                                \
			return a;                                              \
		d = divide(parts_##type(a), divisor, chunk);                   \
		negative = nearest(&d, divisor);                               \
		q = (int)(d.quotient & 7);                                     \
		*quotient = (a < 0) != (b < 0) ? -q : q;                       \
		return value_##type(d, a, negative);                           \
	}                                                                      \
	type __nv_remainder##f(type a, type b)                                 \
	{                                                                      \
		int quotient;                                                  \
		return __nv_remquo##f(a, b, &quotient);                        \
	}

float __nv_scalbnf(float, int);
double __nv_scalbn(double, int);
FUNCTIONS(float, f, 40)
FUNCTIONS(double, , 11)
