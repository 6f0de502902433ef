/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * hetckpt_cuda_wrapper.h - what every CUDA source sees before its first line.
 *
 * hetcc includes this file by force (-include, with -nocudainc) where no CUDA
 * toolkit is used: it stands where clang would otherwise include a wrapper around
 * NVIDIA's headers. Device mathematics and the basic device functions come from
 * clang's own headers, which call __nv_* functions of devicelib.bc; atomics, warp
 * operations, cache hints and the like are in detail/. None of it uses inline
 * assembly, because PTX text cannot be translated for other targets.
 *
 * Order matters: clang's forward declarations must precede <cmath>, and its
 * definitions must follow the vector types.
 */
#ifndef HETCKPT_CUDA_WRAPPER_H
#define HETCKPT_CUDA_WRAPPER_H

#if !defined(__CUDA__) || !defined(__clang__)
#error "hetckpt_cuda_wrapper.h is for CUDA sources compiled by clang"
#endif

#include <__clang_cuda_math_forward_declares.h>

/* libstdc++ leaves __float128 alone where it sees __CUDACC__. */
#define __CUDACC__ 1
#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0

#include <climits>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda.h"
#include "host_defines.h"

/* clang's headers mean this by __forceinline__ in device code. */
#include <__clang_cuda_builtin_vars.h>

#include "cuda_runtime.h"

#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

extern "C" {
__device__ int vprintf(const char *, const char *);
__device__ int printf(const char *, ...);
__device__ void free(void *) __attribute__((nothrow));
__device__ void *malloc(size_t) __attribute__((nothrow)) __attribute__((malloc));
__device__ void *__nv_aligned_device_malloc_impl(size_t, size_t) __attribute__((nothrow));
__device__ static inline void *__nv_aligned_device_malloc(size_t bytes, size_t align)
{
	return __nv_aligned_device_malloc_impl(bytes, align);
}
/* Not noreturn: control flow after a failed assertion stays ordinary. */
__device__ void __assertfail(const char *message, const char *file, unsigned line,
                             const char *function, size_t char_size);
__device__ static inline void __assert_fail(const char *message, const char *file, unsigned line,
                                            const char *function)
{
	__assertfail(message, file, line, function, sizeof(char));
}
}

namespace std {
__device__ static inline void free(void *address) { ::free(address); }
__device__ static inline void *malloc(size_t bytes) { return ::malloc(bytes); }
}

/*
 * Seen as 9.1, clang's headers call __nv_* functions for the packed byte and
 * half-word operations; for later versions they hold PTX assembly.
 */
#pragma push_macro("CUDA_VERSION")
#undef CUDA_VERSION
#define CUDA_VERSION 9010
#include <__clang_cuda_libdevice_declares.h>
#include <__clang_cuda_device_functions.h>
#include <__clang_cuda_math.h>
#pragma pop_macro("CUDA_VERSION")

#include "detail/math.h"

__device__ inline __cuda_builtin_threadIdx_t::operator dim3() const { return dim3(x, y, z); }
__device__ inline __cuda_builtin_threadIdx_t::operator uint3() const { return {x, y, z}; }
__device__ inline __cuda_builtin_blockIdx_t::operator dim3() const { return dim3(x, y, z); }
__device__ inline __cuda_builtin_blockIdx_t::operator uint3() const { return {x, y, z}; }
__device__ inline __cuda_builtin_blockDim_t::operator dim3() const { return dim3(x, y, z); }
__device__ inline __cuda_builtin_blockDim_t::operator uint3() const { return {x, y, z}; }
__device__ inline __cuda_builtin_gridDim_t::operator dim3() const { return dim3(x, y, z); }
__device__ inline __cuda_builtin_gridDim_t::operator uint3() const { return {x, y, z}; }

#include <__clang_cuda_cmath.h>
#include <__clang_cuda_complex_builtins.h>

#include "detail/atomics.h"
#include "detail/integer.h"
#include "detail/memory.h"
#include "detail/warp.h"

#endif
