/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * reader_internal.h - the reader's state, shared by reader.c (opening, lists),
 * reader_index.c (metadata), reader_data.c (contents), reader_verify.c.
 */
#ifndef HETCKPT_SNAPSHOT_READER_INTERNAL_H
#define HETCKPT_SNAPSHOT_READER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "buffers.h"
#include "codec.h"
#include "error.h"
#include "pool.h"
#include "reader.h"

/* What one thread needs to read chunks. */
struct hetckpt_snap_lane {
	struct hetckpt_snap_decompressor *decompressor;
	void *raw;           /* content of a chunk, from buffers */
	size_t raw_room;
	void *packed;        /* stored block */
	size_t packed_room;
};

struct hetckpt_reader {
	struct hetckpt_snap_error error; /* under lock while threads run */
	struct hetckpt_reader_options options;
	struct hetckpt_buffers buffers;
	char *what;          /* path, or name of the descriptor; for messages */
	int fd;
	bool fd_owned;
	uint64_t file_bytes;

	json_t *manifest;
	uint64_t data_offset;    /* of the first block */
	uint64_t index_offset;   /* where blocks end */
	size_t sections;
	struct hetckpt_section *section;
	uint64_t *first_chunk;   /* of each section */
	size_t *by_name;         /* section numbers, sorted by name */
	char *names;             /* with terminators */
	uint64_t chunks;
	struct hetckpt_snap_chunk *chunk;

	pthread_mutex_t lock;    /* of error and of progress */
	uint64_t done, total;    /* of the call that runs */
	struct hetckpt_snap_pool *pool; /* started when first needed */
	unsigned threads;
	struct hetckpt_snap_lane *lane; /* threads, and one for the caller's thread */
};

/* Work on number i, in lane. 0 or negative errno, which ends the run; it has set
   the error by then. */
typedef int (*hetckpt_snap_each_fn)(void *ctx, struct hetckpt_snap_lane *lane, uint64_t i);

/* Keeps an error. Any thread. */
int hetckpt_snap_reader_fail(struct hetckpt_reader *reader, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The one place where bytes of the file are read: anything outside of it is refused
 * before. 0, -EBADMSG or what the system says; *wrong then says why, as the end of a
 * sentence. Any thread.
 */
int hetckpt_snap_reader_bytes(struct hetckpt_reader *reader, uint64_t offset, void *data,
	uint64_t bytes, const char **wrong);

/* Reads and checks header, trailer, manifest, index. */
int hetckpt_snap_reader_load(struct hetckpt_reader *reader);

/* Puts the checked content of a chunk to data. NULL, or what is wrong, with *code. */
const char *hetckpt_snap_reader_content(struct hetckpt_reader *reader, struct hetckpt_snap_lane *lane,
	const struct hetckpt_snap_chunk *chunk, void *data, size_t length, int *code);

/* Calls each for 0 .. count - 1, concurrently if there is more than one. Lanes have
   room for chunks of raw_room bytes (0: need no buffer) and blocks of packed_room. */
int hetckpt_snap_reader_run(struct hetckpt_reader *reader, uint64_t count, size_t raw_room,
	size_t packed_room, bool in_order, hetckpt_snap_each_fn each, void *ctx);

/* Counts content as done; -ECANCELED, set, if the caller wants to stop. Any thread. */
int hetckpt_snap_reader_progress(struct hetckpt_reader *reader, uint64_t bytes);

#endif
