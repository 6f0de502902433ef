/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * client_test.h - what the tests of the CUDA runtime share.
 *
 * They include <cuda_runtime_api.h>: they are compiled with the project's headers and, where
 * a toolkit is installed, once more with NVIDIA's, so that names, values and layouts are
 * tried as programs use them.
 */
#ifndef CLIENT_TEST_H
#define CLIENT_TEST_H

#include <cuda_runtime_api.h>
#ifdef HETCKPT_TEST_TOOLKIT
#define __CUDA_INCLUDE_COMPILER_INTERNAL_HEADERS__ /* or it warns about what it includes itself */
#include <driver_functions.h>
#endif
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/channel/message.h"
#include "tests/unit/client/fake.h"

#define OK(call) CHECK_INT(call, cudaSuccess)
#define MIB (1u << 20)

/* What compiled code calls, and what the headers of some versions leave out. */
void **__cudaRegisterFatBinary(void *wrapper);
void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaUnregisterFatBinary(void **handle);
void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                            int thread_limit, void *tid, void *bid, void *block, void *grid, int *warp);
void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external,
                       size_t bytes, int constant, int global);
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t dynamic_shared, struct CUstream_st *stream);
cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *dynamic_shared, void *stream);
cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t *bytes, const void *function, int blocks,
                                                      int threads);
cudaError_t cudaProfilerStart(void);
cudaError_t __cudaGetKernel(const void **kernel, const void *function);
cudaError_t __cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **arguments,
                               size_t dynamic_shared, cudaStream_t stream);

/* What the host stubs would be. */
extern char add_stub[16], nothing_stub[16], unknown_stub[16], other_stub[16], variable_stub[64];
extern void **handle; /* of the registered fat binary */

/* Starts the session of this process and registers kernels and a variable. */
void start(void);

unsigned random_next(void);
void fill_random(unsigned char *p, size_t n);
dim3 dims(unsigned x, unsigned y, unsigned z);
cudaError_t launch_add(int *p, long long by, int n, cudaStream_t stream);

/* The tests: each runs in a process of its own. */
#define CLIENT_TESTS(T)                                                                            \
	T(copies_1d) T(memory_pools) T(copies_2d_3d) T(fills) T(symbols) T(pinned) \
	T(registered) T(launches) T(many_launches) T(full_ring) T(graphs) \
	T(graph_launches) T(captures) T(captures_refused) T(streams_and_events) \
	T(host_functions) T(host_function_behind_full_ring) T(threads) T(device) T(reset) \
	T(async_errors) T(lost_device) T(lost_while_waiting) T(supervisor_dies) T(no_session) \
	T(dead_session) T(forked_child) T(missing_names)
#define DECLARE(name) void name(void);
CLIENT_TESTS(DECLARE)

#endif
