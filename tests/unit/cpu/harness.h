/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* An open CPU device with one module made from a bitcode file. Failures abort the test. */
#ifndef HETCKPT_TESTS_CPU_HARNESS_H
#define HETCKPT_TESTS_CPU_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/backends/backend.h"

#define HARNESS_ARENA 0x200000000000ull

/* A kernel as the state map lists it. */
struct harness_kernel {
	const char *name;
	const char *params;     /* a letter each: p 8 bytes, i 4, s 2, c 1, P struct Point (24, align 4) */
	uint32_t static_shared;
	/* Pausable: */
	const char *scope;      /* NULL: not pausable */
	uint32_t slots[4];      /* of 8, 4, 2 and 1 bytes */
	uint32_t safepoints;
	bool waits;
};

struct harness {
	const struct hetckpt_backend *ops;
	struct hetckpt_device *device;
	struct hetckpt_queue *queue;
	struct hetckpt_module *module;
	struct hetckpt_map *map;
	unsigned char *image;
	size_t image_bytes;
	uint64_t next;          /* arena memory not yet handed out */
	uint64_t variables;
	struct hetckpt_error error; /* of the last launch */
};

/* variables: JSON list of the state map; bytes and data of the block. */
void harness_open(struct harness *h, const char *bitcode, const struct harness_kernel *kernels,
                  size_t count, const char *variables, const void *data, size_t bytes);
void harness_close(struct harness *h);

/* Device memory, zeroed; ordinary memory of this process. */
void *harness_alloc(struct harness *h, size_t bytes);

struct hetckpt_kernel *harness_kernel(struct harness *h, const char *name, enum hetckpt_variant variant);

/* Queues a launch; parameters are given whole. */
void harness_launch(struct harness *h, struct hetckpt_kernel *kernel, const uint32_t grid[3],
                    const uint32_t block[3], uint32_t dynamic_shared, const void *params,
                    size_t param_bytes);
/* Waits for the queue; the marker's result, its error in h->error. */
int harness_wait(struct harness *h);

/* Original kernel, one dimension, to its end. */
int harness_run(struct harness *h, const char *name, uint32_t grid, uint32_t block, const void *params,
                size_t param_bytes);

/* xorshift, for test data. */
uint32_t harness_random(uint64_t *state);

#endif
