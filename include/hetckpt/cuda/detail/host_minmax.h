/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * host_minmax.h - min and max on the host, of every pair of types that CUDA has them for.
 *
 * NVIDIA's headers define them for nvcc alone; clang, which has those for the device, would find none
 * on the host. They are templates so that a program's own functions of the same kind go first.
 */
#ifndef HETCKPT_CUDA_DETAIL_HOST_MINMAX_H
#define HETCKPT_CUDA_DETAIL_HOST_MINMAX_H

/* X(result, first, second) for what is on both sides; clang's header has min(int, int) for the device. */
#define HETCKPT_INTEGER_PAIRS_(X)                                                                  \
	X(unsigned int, unsigned int, unsigned int)                                                \
	X(unsigned int, int, unsigned int)                                                         \
	X(unsigned int, unsigned int, int)                                                         \
	X(long, long, long)                                                                        \
	X(unsigned long, unsigned long, unsigned long)                                             \
	X(unsigned long, long, unsigned long)                                                      \
	X(unsigned long, unsigned long, long)                                                      \
	X(long long, long long, long long)                                                         \
	X(unsigned long long, unsigned long long, unsigned long long)                              \
	X(unsigned long long, long long, unsigned long long)                                       \
	X(unsigned long long, unsigned long long, long long)
/* X(result, first, second, suffix of the built-in function): a NaN loses against a number, as in C. */
#define HETCKPT_FLOAT_PAIRS_(X)                                                                    \
	X(float, float, float, f)                                                                  \
	X(double, double, double, )                                                                \
	X(double, float, double, )                                                                 \
	X(double, double, float, )

#if defined(__cplusplus) && defined(__CUDA__)
#define HETCKPT_MINMAX_(result, first, second)                                                     \
	template <class = void> static inline __attribute__((host)) result min(first a, second b)  \
	{ return (result)a < (result)b ? (result)a : (result)b; }                                  \
	template <class = void> static inline __attribute__((host)) result max(first a, second b)  \
	{ return (result)a > (result)b ? (result)a : (result)b; }
#define HETCKPT_FMINMAX_(result, first, second, f)                                                 \
	template <class = void> static inline __attribute__((host)) result min(first a, second b)  \
	{ return __builtin_fmin##f(a, b); }                                                        \
	template <class = void> static inline __attribute__((host)) result max(first a, second b)  \
	{ return __builtin_fmax##f(a, b); }

HETCKPT_MINMAX_(int, int, int)
HETCKPT_INTEGER_PAIRS_(HETCKPT_MINMAX_)
HETCKPT_FLOAT_PAIRS_(HETCKPT_FMINMAX_)
#undef HETCKPT_MINMAX_
#undef HETCKPT_FMINMAX_
#endif

#endif
