/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * device_launch_parameters.h - threadIdx and its like are known to every CUDA
 * source already; the name exists for programs that include it.
 */
#ifndef HETCKPT_CUDA_DEVICE_LAUNCH_PARAMETERS_H
#define HETCKPT_CUDA_DEVICE_LAUNCH_PARAMETERS_H
#include "vector_types.h"
#endif
