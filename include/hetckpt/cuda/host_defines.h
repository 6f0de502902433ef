/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * host_defines.h - the words of the CUDA dialect as clang's attributes.
 */
#ifndef HETCKPT_CUDA_HOST_DEFINES_H
#define HETCKPT_CUDA_HOST_DEFINES_H

#if defined(__CUDA__)
#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __managed__ __attribute__((managed))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __grid_constant__ __attribute__((grid_constant))
#else
/* A plain C or C++ file that only calls the host API. */
#define __host__
#define __device__
#endif

#define __forceinline__ __inline__ __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __attribute__((aligned(n)))
#define CUDARTAPI
#define CUDART_CB

#endif
