/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * builtin_types.h - the types of the runtime, for programs that include them by this name.
 */
#ifndef HETCKPT_CUDA_BUILTIN_TYPES_H
#define HETCKPT_CUDA_BUILTIN_TYPES_H
#include "cuda_runtime.h"
#endif
