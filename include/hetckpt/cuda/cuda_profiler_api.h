/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cuda_profiler_api.h - cudaProfilerStart() and cudaProfilerStop(), which do nothing here.
 */
#ifndef HETCKPT_CUDA_CUDA_PROFILER_API_H
#define HETCKPT_CUDA_CUDA_PROFILER_API_H
#include "cuda_runtime_api.h"
#endif
