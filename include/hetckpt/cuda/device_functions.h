/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * device_functions.h - device functions are known to every CUDA source already; the name exists for
 * programs that include it.
 */
#ifndef HETCKPT_CUDA_DEVICE_FUNCTIONS_H
#define HETCKPT_CUDA_DEVICE_FUNCTIONS_H
#include "cuda_runtime.h"
#endif
