/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * machine.h - a machine that runs the blocks of one kernel one after another, on the CPU
 * back end's scheduler, and can pause any of them at any poll.
 *
 * It stands for the worker and a device: it fills launch records, raises flags, collects
 * frames into a fresh table and resumes from that. Whatever a pause does not save is
 * overwritten with rubbish in between, so that a value that was forgotten shows.
 */
#ifndef HETCKPT_TESTS_STRESS_MACHINE_H
#define HETCKPT_TESTS_STRESS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/backends/cpu/cpu.h"
#include "runtime/statemap/statemap.h"

#define MACHINE_OUT_BYTES (4u << 20)
#define MACHINE_IN_BYTES (256u << 10)
#define MACHINE_ACC_BYTES (64u << 10)

/* How a kernel is launched. Parameters: the first three are pointers to the output (8-byte
   words), the input (4-byte words) and the accumulators (4-byte words); of the others those
   of 4 bytes are n, the rest hold bytes that follow from n. */
struct machine_launch {
	uint32_t grid[3], block[3];
	uint32_t dynamic_shared;
	uint32_t n;
};

struct machine {
	struct hetckpt_image *image;
	struct hetckpt_map *map;
	const struct hetckpt_cpu_module *code[2]; /* the same, at two places: launches alternate */
	unsigned char *variables;
	/* All memory that kernels see; filled anew before each run. */
	unsigned char *out, *in, *acc;
	unsigned char *flags;
	struct machine_launch launch;
};

/* Opens an image and the code made from it. Prints why and ends the process if it cannot. */
void machine_open(struct machine *m, const char *image, const char *code);

/* When blocks pause. */
enum machine_mode {
	MACHINE_NEVER,   /* the run variant, undisturbed */
	MACHINE_SLICES,  /* the same, a launch of one block for each block */
	MACHINE_EVERY,   /* at every poll */
	MACHINE_RANDOM,  /* now and then, threads and blocks in random order, before they begin too */
	MACHINE_MODES
};
extern const char *const machine_mode_name[MACHINE_MODES];

struct machine_result {
	uint64_t rounds;  /* launches */
	uint64_t parked;  /* threads that left a frame, all rounds together */
	uint64_t *paused; /* [safepoint id]: threads that parked there; the caller's array */
	char error[512];  /* empty: it ended */
};

/* Runs the original to its end. */
void machine_run_original(struct machine *m, const struct hetckpt_map_kernel *kernel, uint64_t seed,
                          struct machine_result *result);

/* Runs the variants to the end, with pauses. */
void machine_run(struct machine *m, const struct hetckpt_map_kernel *kernel, enum machine_mode mode,
                 uint64_t seed, struct machine_result *result);

/* Hash of all memory that kernels see, and the first byte that differs from a copy. */
void machine_memory_copy(const struct machine *m, unsigned char *to);
size_t machine_memory_bytes(const struct machine *m);
/* SIZE_MAX: equal; else the offset, and where that is. */
size_t machine_memory_compare(const struct machine *m, const unsigned char *with, const char **area);

uint64_t machine_random(uint64_t *state);

#endif
