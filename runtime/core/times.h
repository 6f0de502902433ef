/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * times.h - how long launches took on the device, for measurements.
 *
 * Kept while the file to write to is known (HETCKPT_TIMES). A launch's time is what lies
 * between a marker before its first part and the one behind its last, so gaps between
 * slices count. Launches that a pause has disturbed have no time. Called under the core's
 * lock.
 */
#ifndef HETCKPT_CORE_TIMES_H
#define HETCKPT_CORE_TIMES_H

#include <stddef.h>
#include <stdint.h>

/* At most so many launches are kept; the rest is counted. */
#define HETCKPT_TIMES_MAX (1u << 20)

struct hetckpt_times_line {
	const char *kernel;     /* signature; copied */
	const char *how;        /* "original", "run" or "slices" */
	uint64_t blocks, ns;
	uint32_t threads, parts; /* a block; hardware launches */
};

struct hetckpt_times {
	char *path;             /* NULL: nothing is kept */
	struct hetckpt_times_line *line; /* with kernels of its own */
	size_t count, room;
	uint64_t lost;          /* for want of memory or room */
};

/* Keeps times from now on, for the file path; NULL or "": does not. 0 or -ENOMEM. */
int hetckpt_times_start(struct hetckpt_times *times, const char *path);

void hetckpt_times_note(struct hetckpt_times *times, const struct hetckpt_times_line *line);

/* Appends "HOW \t NS \t PARTS \t BLOCKS \t THREADS \t KERNEL" lines to the file, and forgets
   them. Failing is logged, no more. */
void hetckpt_times_append(struct hetckpt_times *times);

void hetckpt_times_free(struct hetckpt_times *times);

#endif
