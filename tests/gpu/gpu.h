/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * gpu.h - what the programs here share: a device opened through the back end's table,
 * and checks that print a line each. A program ends with gpu_end().
 */
#ifndef HETCKPT_TESTS_GPU_GPU_H
#define HETCKPT_TESTS_GPU_GPU_H

#include <stdatomic.h>
#include <stdbool.h>

#include "hetckpt/abi.h"
#include "module.h"
#include "runtime/backends/backend.h"

#define GPU_SKIP 77
#ifndef ARENA_BASE /* thread sanitizers have other plans for these addresses */
#define ARENA_BASE UINT64_C(0x200000000000)
#endif
#define ARENA_BYTES ((uint64_t)1 << 40)
#define MIB ((uint64_t)1 << 20)

struct gpu {
	const struct hetckpt_backend *ops;
	struct hetckpt_device *device;
	struct hetckpt_device_facts facts;
	struct hetckpt_queue *queue;
	struct hetckpt_error error; /* of the last call that failed */
	uint64_t base;
	unsigned index;
	atomic_uint completed;      /* calls of completed() */
	bool simulated;             /* not a GPU: sizes are smaller */
};

/* Takes the device's number from the command line; ends with GPU_SKIP where there is none. */
void gpu_start(struct gpu *g, int argc, char **argv);
void gpu_open(struct gpu *g);
void gpu_close(struct gpu *g);
int gpu_end(struct gpu *g);

/* Prints "ok ..." or "FAILED ..." with the text of g->error if rc is not what it must be. */
bool check(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool check_rc(struct gpu *g, int rc, int wanted, const char *format, ...) __attribute__((format(printf, 4, 5)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t now_ns(void);
void nap_ns(uint64_t ns);

/* What most tests need; each ends the program if it fails. */
void must(struct gpu *g, int rc, const char *what);
struct hetckpt_marker *mark(struct gpu *g, struct hetckpt_queue *queue);
uint64_t finish(struct gpu *g, struct hetckpt_queue *queue); /* waits; device time */
void put(struct gpu *g, struct hetckpt_queue *queue, uint64_t dst, const void *src, uint64_t bytes);
void get(struct gpu *g, struct hetckpt_queue *queue, void *dst, uint64_t src, uint64_t bytes);
uint32_t word_at(struct gpu *g, uint64_t address);
void set_word(struct gpu *g, uint64_t address, uint32_t value);

/* A launch of blocks x threads; params as the kernel's. */
int launch(struct gpu *g, struct hetckpt_queue *queue, struct hetckpt_kernel *kernel, unsigned blocks,
           unsigned threads, uint32_t dynamic_shared, uint32_t flags, const void *params, uint32_t param_bytes);
struct hetckpt_kernel *kernel_of(struct gpu *g, struct hetckpt_module *module, const char *name);

/* The test module, loaded, with its block of variables at block; 0: without variables. */
struct hetckpt_module *load_kernels(struct gpu *g, struct test_module *m, uint64_t block);

struct spin_params { uint64_t word, out, limit_ns; };
struct fill_params { uint64_t out; uint32_t n, value; };
struct nap_params { uint64_t out, ns; uint32_t value; };
#define FILL_BYTES 16u
#define SPIN_BYTES 24u
#define NAP_BYTES 20u

#endif
