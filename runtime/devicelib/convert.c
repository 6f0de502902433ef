/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Conversions with a rounding direction, and arithmetic with one.
 *
 * To nearest is LLVM's own arithmetic. The other directions, and conversions to
 * integers (which saturate, and give a fixed value for a NaN) are NVVM intrinsics:
 * LLVM has nothing of the kind that is free of a target. CUDA's rd, ru, rz are
 * NVVM's rm, rp, rz.
 */
#include "devicelib.h"

#define TO_INTEGER(from, f, to, t, name)                                       \
	to __nv_##from##2##name##_rn(from x) { return (to)__nvvm_##f##2##t##_rn(x); } \
	to __nv_##from##2##name##_rd(from x) { return (to)__nvvm_##f##2##t##_rm(x); } \
	to __nv_##from##2##name##_ru(from x) { return (to)__nvvm_##f##2##t##_rp(x); } \
	to __nv_##from##2##name##_rz(from x) { return (to)__nvvm_##f##2##t##_rz(x); }
TO_INTEGER(float, f, int, i, int)
TO_INTEGER(float, f, u32, ui, uint)
TO_INTEGER(float, f, i64, ll, ll)
TO_INTEGER(float, f, u64, ull, ull)
TO_INTEGER(double, d, int, i, int)
TO_INTEGER(double, d, u32, ui, uint)
TO_INTEGER(double, d, i64, ll, ll)
TO_INTEGER(double, d, u64, ull, ull)

#define FROM_INTEGER(from, f, name, to, t)                                     \
	to __nv_##name##2##to##_rn(from x) { return (to)x; }                   \
	to __nv_##name##2##to##_rd(from x) { return __nvvm_##f##2##t##_rm(x); } \
	to __nv_##name##2##to##_ru(from x) { return __nvvm_##f##2##t##_rp(x); } \
	to __nv_##name##2##to##_rz(from x) { return __nvvm_##f##2##t##_rz(x); }
FROM_INTEGER(int, i, int, float, f)
FROM_INTEGER(u32, ui, uint, float, f)
FROM_INTEGER(i64, ll, ll, float, f)
FROM_INTEGER(u64, ull, ull, float, f)
FROM_INTEGER(i64, ll, ll, double, d)
FROM_INTEGER(u64, ull, ull, double, d)
/* Every 32-bit integer is a double. */
double __nv_int2double_rn(int x) { return x; }
double __nv_uint2double_rn(u32 x) { return x; }

float __nv_double2float_rn(double x) { return (float)x; }
float __nv_double2float_rd(double x) { return __nvvm_d2f_rm(x); }
float __nv_double2float_ru(double x) { return __nvvm_d2f_rp(x); }
float __nv_double2float_rz(double x) { return __nvvm_d2f_rz(x); }

unsigned short __nv_float2half_rn(float x)
{
	return __builtin_bit_cast(unsigned short, (_Float16)x);
}
float __nv_half2float(unsigned short h) { return (float)__builtin_bit_cast(_Float16, h); }

#define DIRECTED(type, t, p, cuda, nvvm)                                       \
	type __nv_##p##add_##cuda(type a, type b) { return __nvvm_add_##nvvm##_##t(a, b); } \
	type __nv_##p##sub_##cuda(type a, type b) { return __nvvm_add_##nvvm##_##t(a, -b); } \
	type __nv_##p##mul_##cuda(type a, type b) { return __nvvm_mul_##nvvm##_##t(a, b); } \
	type __nv_##p##div_##cuda(type a, type b) { return __nvvm_div_##nvvm##_##t(a, b); } \
	type __nv_##p##rcp_##cuda(type a) { return __nvvm_rcp_##nvvm##_##t(a); } \
	type __nv_##p##sqrt_##cuda(type a) { return __nvvm_sqrt_##nvvm##_##t(a); }
DIRECTED(float, f, f, rd, rm)
DIRECTED(float, f, f, ru, rp)
DIRECTED(float, f, f, rz, rz)
DIRECTED(double, d, d, rd, rm)
DIRECTED(double, d, d, ru, rp)
DIRECTED(double, d, d, rz, rz)

#define NEAREST(type, p)                                                       \
	type __nv_##p##add_rn(type a, type b) { return a + b; }                \
	type __nv_##p##sub_rn(type a, type b) { return a - b; }                \
	type __nv_##p##mul_rn(type a, type b) { return a * b; }                \
	type __nv_##p##div_rn(type a, type b) { return a / b; }                \
	type __nv_##p##rcp_rn(type a) { return 1 / a; }
NEAREST(float, f)
NEAREST(double, d)
float __nv_fsqrt_rn(float a) { return __builtin_sqrtf(a); }
double __nv_dsqrt_rn(double a) { return __builtin_sqrt(a); }

/* The "ieee" names keep subnormals whatever the module's mode; this library has one mode. */
#define FUSED(cuda, nvvm)                                                      \
	float __nv_fmaf_##cuda(float a, float b, float c) { return __nvvm_fma_##nvvm##_f(a, b, c); } \
	float __nv_fmaf_ieee_##cuda(float a, float b, float c) { return __nvvm_fma_##nvvm##_f(a, b, c); } \
	double __nv_fma_##cuda(double a, double b, double c) { return __nvvm_fma_##nvvm##_d(a, b, c); }
FUSED(rd, rm)
FUSED(ru, rp)
FUSED(rz, rz)
float __nv_fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
float __nv_fmaf_ieee_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
double __nv_fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
