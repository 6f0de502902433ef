/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * host_minmax.h - min and max on the host, of every pair of types that CUDA has them for.
 *
 * NVIDIA's headers define them for nvcc alone; clang, which has those for the device, would find none
 * on the host. They are templates so that a program's own functions of the same kind go first.
 */
#ifndef HETCKPT_CUDA_DETAIL_HOST_MINMAX_H
#define HETCKPT_CUDA_DETAIL_HOST_MINMAX_H

#if defined(__cplusplus) && defined(__CUDA__)
#define HETCKPT_MINMAX_(result, first, second)                                                     \
	template <class = void> static inline __attribute__((host)) result min(first a, second b)  \
	{ return (result)a < (result)b ? (result)a : (result)b; }                                  \
	template <class = void> static inline __attribute__((host)) result max(first a, second b)  \
	{ return (result)a > (result)b ? (result)a : (result)b; }

HETCKPT_MINMAX_(int, int, int)
HETCKPT_MINMAX_(unsigned int, unsigned int, unsigned int)
HETCKPT_MINMAX_(unsigned int, int, unsigned int)
HETCKPT_MINMAX_(unsigned int, unsigned int, int)
HETCKPT_MINMAX_(long, long, long)
HETCKPT_MINMAX_(unsigned long, unsigned long, unsigned long)
HETCKPT_MINMAX_(unsigned long, long, unsigned long)
HETCKPT_MINMAX_(unsigned long, unsigned long, long)
HETCKPT_MINMAX_(long long, long long, long long)
HETCKPT_MINMAX_(unsigned long long, unsigned long long, unsigned long long)
HETCKPT_MINMAX_(unsigned long long, long long, unsigned long long)
HETCKPT_MINMAX_(unsigned long long, unsigned long long, long long)
#undef HETCKPT_MINMAX_

/* A NaN loses against a number, as in C. */
#define HETCKPT_FMINMAX_(result, first, second, f)                                                 \
	template <class = void> static inline __attribute__((host)) result min(first a, second b)  \
	{ return __builtin_fmin##f(a, b); }                                                        \
	template <class = void> static inline __attribute__((host)) result max(first a, second b)  \
	{ return __builtin_fmax##f(a, b); }

HETCKPT_FMINMAX_(float, float, float, f)
HETCKPT_FMINMAX_(double, double, double, )
HETCKPT_FMINMAX_(double, float, double, )
HETCKPT_FMINMAX_(double, double, float, )
#undef HETCKPT_FMINMAX_
#endif

#endif
