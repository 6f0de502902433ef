/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * load.h - a load under way, for load.c (memory, modules, streams) and load_commands.c
 * (commands, launches, events).
 */
#ifndef HETCKPT_CORE_LOAD_H
#define HETCKPT_CORE_LOAD_H

#include "io.h"
#include "runtime/snapshot/reader.h"

struct hetckpt_load {
	struct hetckpt_core *core;
	struct hetckpt_reader *reader;
	struct hetckpt_pump pump;
	struct hetckpt_fields fields;
	struct hetckpt_error *error;
	const json_t *manifest;
	bool detached;
	struct hetckpt_command **commands; /* in order of seq; NULL: not taken over */
	uint64_t *seqs;
	size_t count;
	struct hetckpt_stream **streams;   /* in the manifest's order */
	size_t stream_count;
};

/* Passes rc on; if it is a failure of the reader, it makes it the load's error. */
int hetckpt_load_failed(struct hetckpt_load *load, int rc);

/* Finds a section of exactly bytes bytes. */
int hetckpt_load_section(struct hetckpt_load *load, const char *name, uint64_t bytes, size_t *number);

/* Reads a whole section into fresh memory (free() it). */
int hetckpt_load_read(struct hetckpt_load *load, const char *name, uint64_t bytes, void **data);

/* load_commands.c: in this order. */
int hetckpt_load_commands(struct hetckpt_load *load);
int hetckpt_load_events(struct hetckpt_load *load);

#endif
