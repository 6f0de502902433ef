/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * vector_types.h - CUDA's short vectors, dim3 and their alignment.
 *
 * Sizes and alignments are part of the ABI between host code, kernels and
 * libraries: 2- and 4-element vectors are aligned to their size up to 16 bytes,
 * 3-element vectors only to their element.
 */
#ifndef HETCKPT_CUDA_VECTOR_TYPES_H
#define HETCKPT_CUDA_VECTOR_TYPES_H

#include "host_defines.h"

#define HETCKPT_VECTORS_(type, name, size)                                     \
	struct name##1 { type x; };                                            \
	struct __align__(2 * size) name##2 { type x, y; };                     \
	struct name##3 { type x, y, z; };                                      \
	typedef struct name##1 name##1;                                        \
	typedef struct name##2 name##2;                                        \
	typedef struct name##3 name##3;
#define HETCKPT_VECTOR4_(type, name, alignment)                                \
	struct __align__(alignment) name { type x, y, z, w; };                 \
	typedef struct name name;

HETCKPT_VECTORS_(signed char, char, 1)
HETCKPT_VECTORS_(unsigned char, uchar, 1)
HETCKPT_VECTORS_(short, short, 2)
HETCKPT_VECTORS_(unsigned short, ushort, 2)
HETCKPT_VECTORS_(int, int, 4)
HETCKPT_VECTORS_(unsigned int, uint, 4)
HETCKPT_VECTORS_(long, long, 8)
HETCKPT_VECTORS_(unsigned long, ulong, 8)
HETCKPT_VECTORS_(long long, longlong, 8)
HETCKPT_VECTORS_(unsigned long long, ulonglong, 8)
HETCKPT_VECTORS_(float, float, 4)
HETCKPT_VECTORS_(double, double, 8)

HETCKPT_VECTOR4_(signed char, char4, 4)
HETCKPT_VECTOR4_(unsigned char, uchar4, 4)
HETCKPT_VECTOR4_(short, short4, 8)
HETCKPT_VECTOR4_(unsigned short, ushort4, 8)
HETCKPT_VECTOR4_(int, int4, 16)
HETCKPT_VECTOR4_(unsigned int, uint4, 16)
HETCKPT_VECTOR4_(long, long4, 16)
HETCKPT_VECTOR4_(unsigned long, ulong4, 16)
HETCKPT_VECTOR4_(long long, longlong4, 16)
HETCKPT_VECTOR4_(unsigned long long, ulonglong4, 16)
HETCKPT_VECTOR4_(float, float4, 16)
HETCKPT_VECTOR4_(double, double4, 16)

#undef HETCKPT_VECTORS_
#undef HETCKPT_VECTOR4_

struct dim3 {
	unsigned int x, y, z;
#ifdef __cplusplus
	__host__ __device__ constexpr dim3(unsigned int vx = 1, unsigned int vy = 1,
	                                   unsigned int vz = 1)
		: x(vx), y(vy), z(vz) {}
	__host__ __device__ constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
	__host__ __device__ constexpr operator uint3() const { return uint3{x, y, z}; }
#endif
};
typedef struct dim3 dim3;

#endif
