/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * atomics.h - CUDA's atomic functions: relaxed order; device scope, and block or
 * system scope with the suffixes _block and _system. All return the old value.
 *
 * Made of clang's scoped atomics, which become LLVM's atomic instructions with a
 * scope, so that every target understands them.
 */
#ifndef HETCKPT_CUDA_DETAIL_ATOMICS_H
#define HETCKPT_CUDA_DETAIL_ATOMICS_H

#define HETCKPT_FETCH_(type, name, builtin, suffix, scope)                     \
	static inline __device__ type name##suffix(type *p, type v)            \
	{ return builtin(p, v, __ATOMIC_RELAXED, scope); }

#define HETCKPT_FETCH_SCOPES_(type, name, builtin)                             \
	HETCKPT_FETCH_(type, name, builtin, , __MEMORY_SCOPE_DEVICE)           \
	HETCKPT_FETCH_(type, name, builtin, _block, __MEMORY_SCOPE_WRKGRP)     \
	HETCKPT_FETCH_(type, name, builtin, _system, __MEMORY_SCOPE_SYSTEM)

#define HETCKPT_CAS_(type, suffix, scope)                                      \
	static inline __device__ type atomicCAS##suffix(type *p, type expected, type v) \
	{                                                                      \
		__scoped_atomic_compare_exchange_n(p, &expected, v, false, __ATOMIC_RELAXED, \
		                                   __ATOMIC_RELAXED, scope);   \
		return expected;                                               \
	}

#define HETCKPT_CAS_SCOPES_(type)                                              \
	HETCKPT_CAS_(type, , __MEMORY_SCOPE_DEVICE)                            \
	HETCKPT_CAS_(type, _block, __MEMORY_SCOPE_WRKGRP)                      \
	HETCKPT_CAS_(type, _system, __MEMORY_SCOPE_SYSTEM)

#define HETCKPT_INTEGER_(type)                                                 \
	HETCKPT_FETCH_SCOPES_(type, atomicExch, __scoped_atomic_exchange_n)    \
	HETCKPT_FETCH_SCOPES_(type, atomicMin, __scoped_atomic_fetch_min)      \
	HETCKPT_FETCH_SCOPES_(type, atomicMax, __scoped_atomic_fetch_max)      \
	HETCKPT_FETCH_SCOPES_(type, atomicAnd, __scoped_atomic_fetch_and)      \
	HETCKPT_FETCH_SCOPES_(type, atomicOr, __scoped_atomic_fetch_or)        \
	HETCKPT_FETCH_SCOPES_(type, atomicXor, __scoped_atomic_fetch_xor)      \
	HETCKPT_CAS_SCOPES_(type)

HETCKPT_INTEGER_(int)
HETCKPT_INTEGER_(unsigned int)
HETCKPT_INTEGER_(long long)
HETCKPT_INTEGER_(unsigned long long)

HETCKPT_FETCH_SCOPES_(int, atomicAdd, __scoped_atomic_fetch_add)
HETCKPT_FETCH_SCOPES_(unsigned int, atomicAdd, __scoped_atomic_fetch_add)
HETCKPT_FETCH_SCOPES_(unsigned long long, atomicAdd, __scoped_atomic_fetch_add)
HETCKPT_FETCH_SCOPES_(float, atomicAdd, __scoped_atomic_fetch_add)
HETCKPT_FETCH_SCOPES_(double, atomicAdd, __scoped_atomic_fetch_add)
HETCKPT_FETCH_SCOPES_(int, atomicSub, __scoped_atomic_fetch_sub)
HETCKPT_FETCH_SCOPES_(unsigned int, atomicSub, __scoped_atomic_fetch_sub)
HETCKPT_CAS_SCOPES_(unsigned short)

static inline __device__ float atomicExch(float *p, float v)
{
	return __int_as_float(atomicExch((int *)p, __float_as_int(v)));
}

static inline __device__ float atomicExch_block(float *p, float v)
{
	return __int_as_float(atomicExch_block((int *)p, __float_as_int(v)));
}

static inline __device__ float atomicExch_system(float *p, float v)
{
	return __int_as_float(atomicExch_system((int *)p, __float_as_int(v)));
}

/* old >= limit ? 0 : old + 1, and (old == 0 || old > limit) ? limit : old - 1. */
static inline __device__ unsigned int atomicInc(unsigned int *p, unsigned int limit)
{
	return __nvvm_atom_inc_gen_ui(p, limit);
}

static inline __device__ unsigned int atomicDec(unsigned int *p, unsigned int limit)
{
	return __nvvm_atom_dec_gen_ui(p, limit);
}

#undef HETCKPT_INTEGER_
#undef HETCKPT_CAS_SCOPES_
#undef HETCKPT_CAS_
#undef HETCKPT_FETCH_SCOPES_
#undef HETCKPT_FETCH_

#endif
