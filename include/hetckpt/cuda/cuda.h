/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cuda.h - version and the few driver types that runtime programs mention.
 *
 * The driver API itself (cuLaunchKernel and so on) is not provided.
 */
#ifndef HETCKPT_CUDA_CUDA_H
#define HETCKPT_CUDA_CUDA_H

#include <stdint.h>

#define CUDA_VERSION 13000

typedef uint32_t cuuint32_t;
typedef uint64_t cuuint64_t;
typedef unsigned long long CUdeviceptr;
typedef int CUdevice;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
#ifndef HETCKPT_CUDA_UUID_
#define HETCKPT_CUDA_UUID_
struct CUuuid_st { char bytes[16]; };
#endif
typedef struct CUuuid_st CUuuid;

#endif
