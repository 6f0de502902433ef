/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * memory.h - loads and stores with cache hints, fences' relatives, and questions
 * about addresses.
 *
 * Of the hints only __ldg's (nobody writes this while the kernel runs) changes
 * what the compiler may do, so it alone is kept; the others are plain accesses,
 * and those that must reach other threads are volatile.
 */
#ifndef HETCKPT_CUDA_DETAIL_MEMORY_H
#define HETCKPT_CUDA_DETAIL_MEMORY_H

#define HETCKPT_SCALARS_(each)                                                 \
	each(char) each(signed char) each(unsigned char) each(short)           \
	each(unsigned short) each(int) each(unsigned int) each(long)           \
	each(unsigned long) each(long long) each(unsigned long long)           \
	each(float) each(double)
#define HETCKPT_SHORT_VECTORS_(each)                                           \
	each(char2) each(char4) each(uchar2) each(uchar4) each(short2)         \
	each(short4) each(ushort2) each(ushort4) each(int2) each(int4)         \
	each(uint2) each(uint4) each(longlong2) each(ulonglong2) each(float2)  \
	each(float4) each(double2)

/*
 * A vector is moved as one clang vector of its words: one access instead of one a
 * member. The type may alias anything, for the memory holds the struct.
 */
template <unsigned Bytes> struct __hetckpt_words;
template <> struct __hetckpt_words<2> { typedef unsigned short __attribute__((may_alias)) words; };
template <> struct __hetckpt_words<4> { typedef unsigned int __attribute__((may_alias)) words; };
template <> struct __hetckpt_words<8> {
	typedef unsigned int __attribute__((ext_vector_type(2), may_alias)) words;
};
template <> struct __hetckpt_words<16> {
	typedef unsigned int __attribute__((ext_vector_type(4), may_alias)) words;
};

#define HETCKPT_LOADS_(type)                                                   \
	static inline __device__ type __ldca(const type *p) { return *p; }     \
	static inline __device__ type __ldcg(const type *p) { return *p; }     \
	static inline __device__ type __ldcs(const type *p) { return *p; }     \
	static inline __device__ type __ldlu(const type *p) { return *p; }     \
	static inline __device__ void __stwb(type *p, type v) { *p = v; }      \
	static inline __device__ void __stcg(type *p, type v) { *p = v; }      \
	static inline __device__ void __stcs(type *p, type v) { *p = v; }
HETCKPT_SCALARS_(HETCKPT_LOADS_)
HETCKPT_SHORT_VECTORS_(HETCKPT_LOADS_)
#undef HETCKPT_LOADS_

#define HETCKPT_VOLATILE_(type)                                                \
	static inline __device__ type __ldcv(const type *p)                    \
	{ return *(const volatile type *)p; }                                  \
	static inline __device__ void __stwt(type *p, type v)                  \
	{ *(volatile type *)p = v; }
HETCKPT_SCALARS_(HETCKPT_VOLATILE_)
#undef HETCKPT_VOLATILE_

#define HETCKPT_VOLATILE_VECTOR_(type)                                         \
	static inline __device__ type __ldcv(const type *p)                    \
	{                                                                      \
		typedef __hetckpt_words<sizeof(type)>::words words;             \
		return __builtin_bit_cast(type, *(const volatile words *)p);   \
	}                                                                      \
	static inline __device__ void __stwt(type *p, type v)                  \
	{                                                                      \
		typedef __hetckpt_words<sizeof(type)>::words words;             \
		*(volatile words *)p = __builtin_bit_cast(words, v);           \
	}
HETCKPT_SHORT_VECTORS_(HETCKPT_VOLATILE_VECTOR_)
#undef HETCKPT_VOLATILE_VECTOR_

static inline __device__ char __ldg(const char *p) { return __nvvm_ldg_c(p); }
static inline __device__ signed char __ldg(const signed char *p)
{ return (signed char)__nvvm_ldg_uc((const unsigned char *)p); }
static inline __device__ unsigned char __ldg(const unsigned char *p) { return __nvvm_ldg_uc(p); }
static inline __device__ short __ldg(const short *p) { return __nvvm_ldg_s(p); }
static inline __device__ unsigned short __ldg(const unsigned short *p) { return __nvvm_ldg_us(p); }
static inline __device__ int __ldg(const int *p) { return __nvvm_ldg_i(p); }
static inline __device__ unsigned int __ldg(const unsigned int *p) { return __nvvm_ldg_ui(p); }
static inline __device__ long __ldg(const long *p) { return __nvvm_ldg_l(p); }
static inline __device__ unsigned long __ldg(const unsigned long *p) { return __nvvm_ldg_ul(p); }
static inline __device__ long long __ldg(const long long *p) { return __nvvm_ldg_ll(p); }
static inline __device__ unsigned long long __ldg(const unsigned long long *p)
{ return __nvvm_ldg_ull(p); }
static inline __device__ float __ldg(const float *p) { return __nvvm_ldg_f(p); }
static inline __device__ double __ldg(const double *p) { return __nvvm_ldg_d(p); }

/* A vector as 2, 4, 8 or 16 bytes of unsigned words. */
template <class T> static inline __device__ T __hetckpt_ldg_vector(const T *p)
{
	if constexpr (sizeof(T) == 2) {
		return __builtin_bit_cast(T, __nvvm_ldg_us((const unsigned short *)p));
	} else if constexpr (sizeof(T) == 4) {
		return __builtin_bit_cast(T, __nvvm_ldg_ui((const unsigned int *)p));
	} else if constexpr (sizeof(T) == 8) {
		typedef unsigned int words __attribute__((ext_vector_type(2)));
		return __builtin_bit_cast(T, __nvvm_ldg_ui2((const words *)p));
	} else {
		typedef unsigned int words __attribute__((ext_vector_type(4)));
		return __builtin_bit_cast(T, __nvvm_ldg_ui4((const words *)p));
	}
}
#define HETCKPT_LDG_VECTOR_(type)                                              \
	static inline __device__ type __ldg(const type *p) { return __hetckpt_ldg_vector(p); }
HETCKPT_SHORT_VECTORS_(HETCKPT_LDG_VECTOR_)
#undef HETCKPT_LDG_VECTOR_
#undef HETCKPT_SHORT_VECTORS_
#undef HETCKPT_SCALARS_

static inline __device__ unsigned int __isGlobal(const void *p) { return __nvvm_isspacep_global(p); }
static inline __device__ unsigned int __isShared(const void *p) { return __nvvm_isspacep_shared(p); }
static inline __device__ unsigned int __isConstant(const void *p) { return __nvvm_isspacep_const(p); }
static inline __device__ unsigned int __isLocal(const void *p) { return __nvvm_isspacep_local(p); }

/* Clocks differ between runs and devices; nothing that must be repeatable may use them. */
static inline __device__ unsigned long long __globaltimer(void)
{
	return __nvvm_read_ptx_sreg_globaltimer();
}
static inline __device__ void __nanosleep(unsigned int nanoseconds) { __nvvm_nanosleep(nanoseconds); }

#endif
