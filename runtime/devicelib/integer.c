/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Integer functions and reinterpretations of bits. */
#include "devicelib.h"

int __nv_abs(int a) { return a < 0 ? (int)(0u - (u32)a) : a; }
i64 __nv_llabs(i64 a) { return a < 0 ? (i64)(0ull - (u64)a) : a; }
int __nv_min(int a, int b) { return a < b ? a : b; }
int __nv_max(int a, int b) { return a > b ? a : b; }
u32 __nv_umin(u32 a, u32 b) { return a < b ? a : b; }
u32 __nv_umax(u32 a, u32 b) { return a > b ? a : b; }
i64 __nv_llmin(i64 a, i64 b) { return a < b ? a : b; }
i64 __nv_llmax(i64 a, i64 b) { return a > b ? a : b; }
u64 __nv_ullmin(u64 a, u64 b) { return a < b ? a : b; }
u64 __nv_ullmax(u64 a, u64 b) { return a > b ? a : b; }

u32 __nv_brev(u32 a) { return __builtin_bitreverse32(a); }
u64 __nv_brevll(u64 a) { return __builtin_bitreverse64(a); }
/* Of zero: the width. */
int __nv_clz(u32 a) { return a ? __builtin_clz(a) : 32; }
int __nv_clzll(u64 a) { return a ? __builtin_clzll(a) : 64; }
int __nv_ffs(u32 a) { return a ? __builtin_ctz(a) + 1 : 0; }
int __nv_ffsll(u64 a) { return a ? __builtin_ctzll(a) + 1 : 0; }
int __nv_popc(u32 a) { return __builtin_popcount(a); }
int __nv_popcll(u64 a) { return __builtin_popcountll(a); }

/* Of the 8 bytes b:a, those that the low nibbles of s name; bit 3 spreads the sign. */
u32 __nv_byte_perm(u32 a, u32 b, u32 s)
{
	u64 bytes = (u64)b << 32 | a;
	u32 result = 0;

	for (int i = 0; i < 4; i++) {
		u32 pick = s >> (4 * i) & 7;

		result |= (u32)(bytes >> (8 * pick) & 255) << (8 * i);
	}
	return result;
}

/* Products of the low 24 bits, lower 32 bits of the result. */
int __nv_mul24(int a, int b)
{
	return (int)((u32)((int)((u32)a << 8) >> 8) * (u32)((int)((u32)b << 8) >> 8));
}
u32 __nv_umul24(u32 a, u32 b) { return (a & 0xffffff) * (b & 0xffffff); }
int __nv_mulhi(int a, int b) { return (int)((i64)a * b >> 32); }
u32 __nv_umulhi(u32 a, u32 b) { return (u32)((u64)a * b >> 32); }
i64 __nv_mul64hi(i64 a, i64 b) { return (i64)((__int128)a * b >> 64); }
u64 __nv_umul64hi(u64 a, u64 b) { return (u64)((unsigned __int128)a * b >> 64); }

/* Averages without overflow; r: rounded up. */
int __nv_hadd(int a, int b) { return (int)(((i64)a + b) >> 1); }
int __nv_rhadd(int a, int b) { return (int)(((i64)a + b + 1) >> 1); }
u32 __nv_uhadd(u32 a, u32 b) { return (u32)(((u64)a + b) >> 1); }
u32 __nv_urhadd(u32 a, u32 b) { return (u32)(((u64)a + b + 1) >> 1); }
u32 __nv_sad(int a, int b, u32 c) { return c + (a > b ? (u32)a - (u32)b : (u32)b - (u32)a); }
u32 __nv_usad(u32 a, u32 b, u32 c) { return c + (a > b ? a - b : b - a); }

int __nv_float_as_int(float a) { return (int)float_bits(a); }
u32 __nv_float_as_uint(float a) { return float_bits(a); }
float __nv_int_as_float(int a) { return bits_float((u32)a); }
float __nv_uint_as_float(u32 a) { return bits_float(a); }
i64 __nv_double_as_longlong(double a) { return (i64)double_bits(a); }
double __nv_longlong_as_double(i64 a) { return bits_double((u64)a); }
int __nv_double2hiint(double a) { return (int)(double_bits(a) >> 32); }
int __nv_double2loint(double a) { return (int)double_bits(a); }
double __nv_hiloint2double(int high, int low) { return bits_double((u64)(u32)high << 32 | (u32)low); }
