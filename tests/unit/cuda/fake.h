/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A stand-in for NVIDIA's driver library, so that the CUDA back end's own work can be
 * tested where there is no GPU: built as libcuda.so.1, it runs streams as threads, keeps
 * "device" memory in memfds mapped at the reserved addresses, and has the kernels of
 * tests/gpu/kernels.ptx as C functions. It is as strict as the driver: a call without a
 * context fails, only whole mappings can be unmapped, memory cannot be touched before
 * access was granted, pageable copies block as the driver's do.
 */
#ifndef HETCKPT_TESTS_CUDA_FAKE_H
#define HETCKPT_TESTS_CUDA_FAKE_H

#include <pthread.h>
#include <stdbool.h>

#include "runtime/backends/cuda/driver.h"

#define FAKE_SMS 4
#define FAKE_BLOCKS_PER_SM 2
#define FAKE_MEMORY ((uint64_t)4 << 30)
#define FAKE_SHARED 232448
#define ENTRY __attribute__((visibility("default")))

/* The result that every call gives once something went wrong on the "device". */
extern _Atomic cu_result fake_sticky;

/* Refuses calls before cuInit, without a context, and on a failed device. */
cu_result fake_enter(bool context);
#define ENTER(context) \
	do { \
		cu_result entered = fake_enter(context); \
		if (entered) \
			return entered; \
	} while (0)

/* Work for a stream: run() is called by its thread, which then frees it. */
struct fake_work {
	struct fake_work *next;
	void (*run)(struct fake_work *work);
};
void fake_submit(cu_stream stream, struct fake_work *work);
void fake_drain(cu_stream stream);     /* waits until all is done */
void fake_streams_reset(void);
void fake_modules_reset(void);

bool fake_mapped(cu_address address);  /* accessible device memory */
bool fake_registered(const void *address, size_t bytes);
uint64_t fake_now(void);

#endif
