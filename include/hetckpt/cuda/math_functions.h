/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * math_functions.h - mathematics is known to every CUDA source already; the name exists for
 * programs that include it.
 */
#ifndef HETCKPT_CUDA_MATH_FUNCTIONS_H
#define HETCKPT_CUDA_MATH_FUNCTIONS_H
#include "cuda_runtime.h"
#endif
