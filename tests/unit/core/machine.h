/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * machine.h - kernels for tests: C functions that honour the launch record, the flag and
 * frame tables as compiled kernels do (abi.h), so that the core's part of the pause
 * protocol can be attacked without a compiler.
 *
 * A kernel is a step function, called again and again for each thread until it says
 * that the thread is done; between steps the machine polls.
 */
#ifndef TESTS_UNIT_CORE_MACHINE_H
#define TESTS_UNIT_CORE_MACHINE_H

#include <stdatomic.h>
#include <stdint.h>

#include "include/hetckpt/abi.h"
#include "runtime/statemap/statemap.h"

/* Parameters of all kernels. Addresses are device memory. */
struct machine_params {
	uint64_t out;      /* uint64_t[blocks * threads]: results */
	uint64_t started;  /* uint32_t[blocks]: how often each block began; 0: not counted */
	uint64_t ended;    /* uint32_t[blocks]: how often each ended */
	uint64_t shared;   /* uint64_t: memory that blocks share */
	uint32_t steps, seed;
};

struct machine_lane {
	uint64_t a;        /* slot 8.0 */
	uint32_t n;        /* slot 4.0 */
	uint32_t block, thread, blocks, threads;
	uint64_t *shared;  /* the block's shared memory: 8 words, block scope only */
	const struct machine_params *params;
};

struct machine_kernel {
	const char *name;
	enum hetckpt_scope scope;  /* NONE: cannot pause */
	int polls, waits;
	/* One step of a thread; true: it is done. first: it has just begun. */
	int (*step)(struct machine_lane *lane, int first);
};

extern const struct machine_kernel machine_kernels[];
const struct machine_kernel *machine_find(const char *name);

/* What the undisturbed kernel leaves in out. */
uint64_t machine_expect_mix(uint32_t block, uint32_t thread, uint32_t threads, uint32_t steps, uint32_t seed);
uint64_t machine_expect_uneven(uint32_t block, uint32_t thread, uint32_t threads, uint32_t steps, uint32_t seed);

struct machine_launch {
	const struct machine_kernel *kernel;
	const struct hetckpt_map_kernel *map;
	enum { MACHINE_ORIGINAL, MACHINE_RUN, MACHINE_RESUME } variant;
	uint32_t grid[3], block[3], dynamic_shared; /* grid: the hardware's */
	const unsigned char *params;
};

/* Runs hardware block h (linear). Any thread. */
void machine_block(const struct machine_launch *launch, uint64_t h);

/* A portable image with all kernels and a few variables. free() it. */
void *machine_image(size_t *bytes);
/* The same with another map, so that hashes differ. */
void *machine_image_other(size_t *bytes);

/* While not 0, the kernel "held" does not end, nor does "parked", which can pause. */
extern _Atomic int machine_hold;
/* Blocks inside kernels now. */
extern _Atomic int machine_inside;
/* Blocks of kernels without polls that were told to look at the flag. */
extern _Atomic int machine_looked;

#endif
