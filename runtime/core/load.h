/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * load.h - a load under way, for load.c (memory, modules, streams), load_data.c (contents),
 * load_prepared.c (what is there already) and load_commands.c (commands, launches, events).
 */
#ifndef HETCKPT_CORE_LOAD_H
#define HETCKPT_CORE_LOAD_H

#include "io.h"
#include "runtime/snapshot/reader.h"

#define HETCKPT_WINDOW_PIECES 4u

/* Page-locked memory through which contents pass from the file to the device. */
struct hetckpt_window {
	unsigned char *base;               /* NULL: not needed so far */
	uint64_t piece;                    /* bytes of each */
	unsigned next;
	struct hetckpt_marker *busy[HETCKPT_WINDOW_PIECES]; /* behind the copy out of it */
	bool registered;
};

/* Where a section's contents lie. */
struct hetckpt_place {
	enum { HETCKPT_PLACE_FILE, HETCKPT_PLACE_STAGE, HETCKPT_PLACE_PEER } where;
	const char *name;
	uint64_t bytes;
	size_t section;                    /* file: its number */
	uint64_t at;                       /* stage: offset; peer: address */
};

struct hetckpt_load {
	struct hetckpt_core *core;
	struct hetckpt_reader *reader;
	struct hetckpt_window window;
	void *pack;                        /* small allocations: a whole section, as read last */
	size_t pack_section;
	bool issued;                       /* copies may be under way */
	bool elsewhere;                    /* contents may be in the stage or with a peer */
	bool outline;                      /* the snapshot has no contents: hetckpt_core_prepare */
	bool prepared;                     /* memory and code may be there already */
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

/* The tag of the manifest's allocation. */
uint64_t hetckpt_load_tag(struct hetckpt_load *load, const json_t *entry);

/* Reads a whole section into fresh memory (free() it). */
int hetckpt_load_read(struct hetckpt_load *load, const char *name, uint64_t bytes, void **data);

/* load_data.c: finds a section, in the file or where the manifest says it is. name stays. */
int hetckpt_load_find(struct hetckpt_load *load, const char *name, struct hetckpt_place *place);

/* Hands the copies of a whole section to device memory over; they have ended after
   hetckpt_dev_settle. */
int hetckpt_load_device(struct hetckpt_load *load, const struct hetckpt_place *place, uint64_t address);

/* The same for a part of a section of small allocations; the caller has checked offset. */
int hetckpt_load_small(struct hetckpt_load *load, const struct hetckpt_place *place, uint64_t offset,
                       uint64_t address, uint64_t bytes);

/* Waits for copies and frees what they read from. Also after a failure. */
void hetckpt_load_data_end(struct hetckpt_load *load);

/*
 * load_prepared.c: takes away what was prepared and is not, or not so, in the snapshot. What is
 * left is right: allocations with their address, size and owner, loaded modules with the
 * address of their variables.
 */
int hetckpt_load_reconcile(struct hetckpt_load *load);

/* load_commands.c: in this order. */
int hetckpt_load_commands(struct hetckpt_load *load);
int hetckpt_load_events(struct hetckpt_load *load);

#endif
