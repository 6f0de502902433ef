/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * vector_functions.h - make_TYPEn for the short vectors.
 */
#ifndef HETCKPT_CUDA_VECTOR_FUNCTIONS_H
#define HETCKPT_CUDA_VECTOR_FUNCTIONS_H

#include "vector_types.h"

#define HETCKPT_MAKE_(type, name)                                              \
	static __inline__ __host__ __device__ struct name##1 make_##name##1(type x) \
	{ struct name##1 v; v.x = x; return v; }                               \
	static __inline__ __host__ __device__ struct name##2 make_##name##2(type x, type y) \
	{ struct name##2 v; v.x = x; v.y = y; return v; }                      \
	static __inline__ __host__ __device__ struct name##3 make_##name##3(type x, type y, type z) \
	{ struct name##3 v; v.x = x; v.y = y; v.z = z; return v; }             \
	static __inline__ __host__ __device__ struct name##4                   \
	make_##name##4(type x, type y, type z, type w)                         \
	{ struct name##4 v; v.x = x; v.y = y; v.z = z; v.w = w; return v; }

HETCKPT_MAKE_(signed char, char)
HETCKPT_MAKE_(unsigned char, uchar)
HETCKPT_MAKE_(short, short)
HETCKPT_MAKE_(unsigned short, ushort)
HETCKPT_MAKE_(int, int)
HETCKPT_MAKE_(unsigned int, uint)
HETCKPT_MAKE_(long, long)
HETCKPT_MAKE_(unsigned long, ulong)
HETCKPT_MAKE_(long long, longlong)
HETCKPT_MAKE_(unsigned long long, ulonglong)
HETCKPT_MAKE_(float, float)
HETCKPT_MAKE_(double, double)

#undef HETCKPT_MAKE_

#endif
