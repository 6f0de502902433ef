/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * devicelib.h - the device mathematics library, for its own sources.
 *
 * clang's CUDA headers call functions named __nv_*. This library defines them in
 * LLVM bitcode, on top of libclc's OpenCL functions and LLVM's intrinsics, so that
 * device code can be compiled without NVIDIA's libdevice and gives the same bits on
 * every target. Compiled for nvptx64 by build.sh; only functions that a program
 * uses survive in it.
 *
 * Rules: no call leaves the library; no approximate instruction; no contraction
 * (fused operations are written as fma); directed rounding and float-to-integer
 * conversions use NVVM intrinsics, for which every target has an exact
 * implementation.
 */
#ifndef HETCKPT_DEVICELIB_H
#define HETCKPT_DEVICELIB_H

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

double __nv_erfinv(double);

#define HETCKPT_INLINE static inline __attribute__((always_inline))

HETCKPT_INLINE u32 float_bits(float x) { return __builtin_bit_cast(u32, x); }
HETCKPT_INLINE float bits_float(u32 x) { return __builtin_bit_cast(float, x); }
HETCKPT_INLINE u64 double_bits(double x) { return __builtin_bit_cast(u64, x); }
HETCKPT_INLINE double bits_double(u64 x) { return __builtin_bit_cast(double, x); }

/* libclc's functions, under the names that OpenCL's mangling gives them. */
#define CLC_F(name, length)                                                    \
	float clc_##name##f(float) __asm__("_Z" #length #name "f");            \
	double clc_##name(double) __asm__("_Z" #length #name "d");
#define CLC_FF(name, length)                                                   \
	float clc_##name##f(float, float) __asm__("_Z" #length #name "ff");    \
	double clc_##name(double, double) __asm__("_Z" #length #name "dd");

CLC_F(acos, 4)
CLC_F(acosh, 5)
CLC_F(asin, 4)
CLC_F(asinh, 5)
CLC_F(atan, 4)
CLC_F(atanh, 5)
CLC_F(cbrt, 4)
CLC_F(cos, 3)
CLC_F(cosh, 4)
CLC_F(cospi, 5)
CLC_F(erf, 3)
CLC_F(erfc, 4)
CLC_F(exp, 3)
CLC_F(exp10, 5)
CLC_F(exp2, 4)
CLC_F(expm1, 5)
CLC_F(lgamma, 6)
CLC_F(log, 3)
CLC_F(log10, 5)
CLC_F(log1p, 5)
CLC_F(log2, 4)
CLC_F(sin, 3)
CLC_F(sinh, 4)
CLC_F(sinpi, 5)
CLC_F(tan, 3)
CLC_F(tanh, 4)
CLC_F(tgamma, 6)
CLC_FF(atan2, 5)
CLC_FF(hypot, 5)
CLC_FF(nextafter, 9)
CLC_FF(pow, 3)

#undef CLC_F
#undef CLC_FF

#endif
