/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * coverage.h - counts at which safepoints blocks were paused and resumed.
 *
 * Kept only while stressing: it reads safepoint ids back from the device. Called
 * under the core's lock.
 */
#ifndef HETCKPT_CORE_COVERAGE_H
#define HETCKPT_CORE_COVERAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "include/hetckpt/abi.h"

struct hetckpt_core;
struct hetckpt_flight;

/* One safepoint of one kernel. id 0 counts blocks that parked before they began. */
struct hetckpt_coverage_line {
	uint8_t hash[16];       /* of the kernel's state map */
	char *kernel;           /* signature */
	char *place;            /* file:line, or "" */
	uint32_t id;
	uint64_t paused, resumed; /* blocks with at least one thread there */
};

struct hetckpt_coverage {
	struct hetckpt_coverage_line *line;
	size_t count, room;
};

/* Blocks that were found parked in launch->park, or go on from launch->resume. Failing to
   count is logged, no more. */
void hetckpt_coverage_paused(struct hetckpt_core *core, const struct hetckpt_flight *launch,
                             const struct hetckpt_block_ref *refs, size_t count);
void hetckpt_coverage_resumed(struct hetckpt_core *core, const struct hetckpt_flight *launch,
                              const struct hetckpt_block_ref *refs, size_t count);

/* [{"kernel":..,"hash":..,"safepoint":..,"place":..,"paused":..,"resumed":..}]; NULL: no memory. */
json_t *hetckpt_coverage_json(const struct hetckpt_coverage *coverage);

/* Appends the table as lines of text, one write, to the file named by HETCKPT_COVERAGE. */
void hetckpt_coverage_append(const struct hetckpt_coverage *coverage);

void hetckpt_coverage_free(struct hetckpt_coverage *coverage);

#endif
