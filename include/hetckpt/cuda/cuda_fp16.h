/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cuda_fp16.h - half precision: __half, __half2 and the functions that programs use.
 *
 * Arithmetic is clang's _Float16: each operation is rounded once to half precision, on
 * the host and on every target. Elementary functions are those of single precision,
 * rounded.
 */
#ifndef HETCKPT_CUDA_CUDA_FP16_H
#define HETCKPT_CUDA_CUDA_FP16_H

#include "cuda_runtime.h"

#ifdef __cplusplus

#define HETCKPT_HD_ static inline __host__ __device__

typedef struct { unsigned short x; } __half_raw;
typedef struct { unsigned short x, y; } __half2_raw;

struct __align__(2) __half {
	__half() = default;
	__host__ __device__ __half(const __half_raw &raw) : bits_(raw.x) {}
	__host__ __device__ explicit __half(_Float16 v) : bits_(__builtin_bit_cast(unsigned short, v)) {}
	__host__ __device__ __half(float v) : __half((_Float16)v) {}
	__host__ __device__ __half(double v) : __half((_Float16)v) {}
	__host__ __device__ __half(int v) : __half((_Float16)v) {}
	__host__ __device__ __half(unsigned int v) : __half((_Float16)v) {}
	__host__ __device__ operator float() const { return (float)value(); }
	__host__ __device__ operator __half_raw() const { return __half_raw{bits_}; }
	__host__ __device__ explicit operator int() const { return (int)value(); }
	__host__ __device__ explicit operator unsigned int() const { return (unsigned int)value(); }
	__host__ __device__ _Float16 value() const { return __builtin_bit_cast(_Float16, bits_); }

private:
	unsigned short bits_;
};
typedef __half half;

struct __align__(4) __half2 {
	__half x, y;

	__half2() = default;
	__host__ __device__ __half2(__half a, __half b) : x(a), y(b) {}
};
typedef __half2 half2;

/* ---- Conversions */
HETCKPT_HD_ __half __float2half(float v) { return __half(v); }
HETCKPT_HD_ __half __float2half_rn(float v) { return __half(v); }
HETCKPT_HD_ __half __double2half(double v) { return __half(v); }
HETCKPT_HD_ float __half2float(__half v) { return (float)v; }
HETCKPT_HD_ __half __int2half_rn(int v) { return __half((_Float16)v); }
HETCKPT_HD_ __half __uint2half_rn(unsigned int v) { return __half((_Float16)v); }
HETCKPT_HD_ __half __ushort_as_half(unsigned short v) { return __half(__half_raw{v}); }
HETCKPT_HD_ unsigned short __half_as_ushort(__half v) { return ((__half_raw)v).x; }
HETCKPT_HD_ __half2 __floats2half2_rn(float a, float b) { return __half2(__half(a), __half(b)); }
HETCKPT_HD_ __half2 __float2half2_rn(float a) { return __half2(__half(a), __half(a)); }
HETCKPT_HD_ __half2 __float22half2_rn(float2 v) { return __half2(__half(v.x), __half(v.y)); }
HETCKPT_HD_ float2 __half22float2(__half2 v) { return make_float2((float)v.x, (float)v.y); }
HETCKPT_HD_ __half2 __halves2half2(__half a, __half b) { return __half2(a, b); }
HETCKPT_HD_ __half2 __half2half2(__half a) { return __half2(a, a); }
HETCKPT_HD_ __half2 make_half2(__half a, __half b) { return __half2(a, b); }
HETCKPT_HD_ __half __low2half(__half2 v) { return v.x; }
HETCKPT_HD_ __half __high2half(__half2 v) { return v.y; }
HETCKPT_HD_ float __low2float(__half2 v) { return (float)v.x; }
HETCKPT_HD_ float __high2float(__half2 v) { return (float)v.y; }
HETCKPT_HD_ __half2 __lowhigh2highlow(__half2 v) { return __half2(v.y, v.x); }
static inline __device__ int __half2int_rn(__half v) { return __float2int_rn((float)v); }
static inline __device__ int __half2int_rz(__half v) { return __float2int_rz((float)v); }

/* ---- Arithmetic. A sum or product of floats of this size is exact enough to round once. */
HETCKPT_HD_ __half __hadd(__half a, __half b) { return __half((_Float16)(a.value() + b.value())); }
HETCKPT_HD_ __half __hsub(__half a, __half b) { return __half((_Float16)(a.value() - b.value())); }
HETCKPT_HD_ __half __hmul(__half a, __half b) { return __half((_Float16)(a.value() * b.value())); }
HETCKPT_HD_ __half __hdiv(__half a, __half b) { return __half((_Float16)(a.value() / b.value())); }
HETCKPT_HD_ __half __hneg(__half a) { return __ushort_as_half(__half_as_ushort(a) ^ 0x8000); }
HETCKPT_HD_ __half __habs(__half a) { return __ushort_as_half(__half_as_ushort(a) & 0x7fff); }
/* The product of halves is exact in double, and so is nearly every sum; one rounding decides. */
HETCKPT_HD_ __half __hfma(__half a, __half b, __half c)
{
	return __half((_Float16)((double)a.value() * (double)b.value() + (double)c.value()));
}

#define HETCKPT_HALF_OPERATOR_(op, name)                                       \
	HETCKPT_HD_ __half operator op(__half a, __half b) { return name(a, b); } \
	HETCKPT_HD_ __half &operator op##=(__half &a, __half b) { return a = name(a, b); } \
	HETCKPT_HD_ __half2 name##2(__half2 a, __half2 b)                      \
	{ return __half2(name(a.x, b.x), name(a.y, b.y)); }                    \
	HETCKPT_HD_ __half2 operator op(__half2 a, __half2 b) { return name##2(a, b); } \
	HETCKPT_HD_ __half2 &operator op##=(__half2 &a, __half2 b) { return a = name##2(a, b); }
HETCKPT_HALF_OPERATOR_(+, __hadd)
HETCKPT_HALF_OPERATOR_(-, __hsub)
HETCKPT_HALF_OPERATOR_(*, __hmul)
HETCKPT_HALF_OPERATOR_(/, __hdiv)
#undef HETCKPT_HALF_OPERATOR_
HETCKPT_HD_ __half operator-(__half a) { return __hneg(a); }
HETCKPT_HD_ __half2 __hneg2(__half2 a) { return __half2(__hneg(a.x), __hneg(a.y)); }
HETCKPT_HD_ __half2 operator-(__half2 a) { return __hneg2(a); }
HETCKPT_HD_ __half2 __habs2(__half2 a) { return __half2(__habs(a.x), __habs(a.y)); }
HETCKPT_HD_ __half2 __h2div(__half2 a, __half2 b) { return __hdiv2(a, b); }
HETCKPT_HD_ __half2 __hfma2(__half2 a, __half2 b, __half2 c)
{
	return __half2(__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y));
}

/* ---- Comparisons */
#define HETCKPT_HALF_COMPARE_(op, name)                                        \
	HETCKPT_HD_ bool name(__half a, __half b) { return a.value() op b.value(); } \
	HETCKPT_HD_ bool operator op(__half a, __half b) { return a.value() op b.value(); }
HETCKPT_HALF_COMPARE_(==, __heq)
HETCKPT_HALF_COMPARE_(!=, __hne)
HETCKPT_HALF_COMPARE_(<, __hlt)
HETCKPT_HALF_COMPARE_(<=, __hle)
HETCKPT_HALF_COMPARE_(>, __hgt)
HETCKPT_HALF_COMPARE_(>=, __hge)
#undef HETCKPT_HALF_COMPARE_
HETCKPT_HD_ bool __hisnan(__half a) { return (__half_as_ushort(a) & 0x7fff) > 0x7c00; }
HETCKPT_HD_ int __hisinf(__half a)
{
	unsigned short bits = __half_as_ushort(a);

	return bits == 0x7c00 ? 1 : bits == 0xfc00 ? -1 : 0;
}
HETCKPT_HD_ __half __hmin(__half a, __half b) { return __hisnan(a) || b < a ? b : a; }
HETCKPT_HD_ __half __hmax(__half a, __half b) { return __hisnan(a) || b > a ? b : a; }

#ifdef __CUDA__
#define HETCKPT_HALF_FUNCTION_(name, single)                                   \
	static inline __device__ __half name(__half v) { return __half(single((float)v)); }
HETCKPT_HALF_FUNCTION_(hsqrt, sqrtf)
HETCKPT_HALF_FUNCTION_(hrsqrt, rsqrtf)
HETCKPT_HALF_FUNCTION_(hrcp, 1.0f /)
HETCKPT_HALF_FUNCTION_(hexp, expf)
HETCKPT_HALF_FUNCTION_(hexp2, exp2f)
HETCKPT_HALF_FUNCTION_(hlog, logf)
HETCKPT_HALF_FUNCTION_(hlog2, log2f)
HETCKPT_HALF_FUNCTION_(hsin, sinf)
HETCKPT_HALF_FUNCTION_(hcos, cosf)
HETCKPT_HALF_FUNCTION_(hfloor, floorf)
HETCKPT_HALF_FUNCTION_(hceil, ceilf)
HETCKPT_HALF_FUNCTION_(htrunc, truncf)
HETCKPT_HALF_FUNCTION_(hrint, rintf)
#undef HETCKPT_HALF_FUNCTION_

static inline __device__ __half __shfl_sync(unsigned int mask, __half v, int lane, int width = 32)
{
	return __ushort_as_half((unsigned short)__shfl_sync(mask, (unsigned int)__half_as_ushort(v), lane, width));
}
static inline __device__ __half __shfl_xor_sync(unsigned int mask, __half v, int lanes, int width = 32)
{
	return __ushort_as_half((unsigned short)__shfl_xor_sync(mask, (unsigned int)__half_as_ushort(v), lanes, width));
}
static inline __device__ __half __shfl_down_sync(unsigned int mask, __half v, unsigned int delta, int width = 32)
{
	return __ushort_as_half((unsigned short)__shfl_down_sync(mask, (unsigned int)__half_as_ushort(v), delta, width));
}
#endif

#undef HETCKPT_HD_
#endif
#endif
