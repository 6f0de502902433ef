/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * writer_internal.h - the writer's state, shared by writer.c (calls, metadata) and
 * writer_pipeline.c (chunks).
 *
 * The pipeline is a ring of slots. Chunk number n of the file passes through slot
 * n mod slots: the caller's thread fills in what to do and queues it, a worker
 * processes it, and then it waits for its turn to be placed. Whoever finishes the
 * chunk that is next in order places it and all finished ones behind it; so there
 * is one placing thread at any time, without one set aside for it. In a file a placed
 * block is a job of its own: blocks are written side by side, each at its offset, and
 * a slot is free again when its block is there. To a pipe who places writes.
 */
#ifndef HETCKPT_SNAPSHOT_WRITER_INTERNAL_H
#define HETCKPT_SNAPSHOT_WRITER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "atomic_file.h"
#include "buffers.h"
#include "codec.h"
#include "dedupe.h"
#include "error.h"
#include "pool.h"
#include "sink.h"
#include "writer.h"

/* One call that adds a section; lives on the caller's stack until pending is 0. */
struct hetckpt_snap_feed {
	const char *name;
	const char *data;      /* or NULL, then fill */
	hetckpt_fill_fn fill;
	void *ctx;
	uint64_t bytes;
	unsigned pending;      /* chunks that still need data or fill; under lock */
};

struct hetckpt_snap_slot {
	struct hetckpt_snap_job job; /* first */
	struct hetckpt_writer *writer;
	bool done;             /* processed, waits to be placed; under lock */
	bool filling;          /* placed, its block is being written; under lock */

	/* Set by the caller's thread. */
	struct hetckpt_snap_feed *feed; /* NULL once it needs the source no longer */
	uint64_t number;       /* of the chunk, in the file */
	uint64_t offset;       /* of the chunk, in the section */
	size_t length;
	const void *content;   /* the caller's memory, or raw */

	/* Set by the worker. */
	struct hetckpt_snap_key key;
	enum hetckpt_chunk_method method;
	bool shared;           /* a chunk before this one has the same content */
	size_t stored;

	/* Set by whoever places it. */
	bool claimed;          /* at is its own to fill */
	uint64_t at;

	void *raw;             /* buffer of chunk_bytes, or NULL */
	void *packed;          /* buffer of packed_bytes, or NULL */
};

struct hetckpt_writer {
	struct hetckpt_snap_error error; /* under lock */
	atomic_bool failed;
	const char *what;      /* path, or name of the descriptor; for messages */
	char *what_owned;
	struct hetckpt_writer_options options;
	struct hetckpt_buffers buffers;
	struct hetckpt_atomic_file *file; /* NULL: a descriptor of the caller's */
	int fd;
	bool started, finished;  /* header and manifest written; all written */

	pthread_mutex_t lock;
	pthread_cond_t moved;  /* a slot became free or a feed was served */
	struct hetckpt_snap_pool *pool;
	unsigned threads, slots;
	struct hetckpt_snap_slot *slot;
	size_t packed_bytes;
	struct hetckpt_snap_compressor **compressor; /* one a worker */
	struct hetckpt_snap_dedupe *dedupe;          /* NULL: off */
	uint64_t seed;         /* of the second hash */
	uint64_t queued;       /* chunks handed to the pool; caller's thread only */
	uint64_t written;      /* chunks placed, under lock */
	uint64_t filling;      /* of these, blocks not yet written, under lock */
	bool writing;          /* some worker places, under lock */

	/* Used by whoever places; by the caller's thread when nothing is under way. */
	struct hetckpt_snap_sink sink;
	struct hetckpt_snap_chunk *chunk;
	size_t chunk_room;
	struct hetckpt_writer_stats stats; /* chunks = entries in chunk; under lock */

	struct hetckpt_snap_section *section;
	size_t sections, section_room;
	json_t *taken;         /* object with a key for each name: they are unique */
	char *names;
	size_t name_bytes, name_room;
	struct hetckpt_hash header_hash, manifest_hash;
};

/* Keeps an error and stops the pipeline. Returns the code that is kept. */
int hetckpt_snap_writer_fail(struct hetckpt_writer *writer, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Makes slots, threads and their contexts. 0 or negative errno, kept. */
int hetckpt_snap_pipeline_start(struct hetckpt_writer *writer);

/* Passes all chunks of a feed through. The source is free when it returns. */
int hetckpt_snap_pipeline_feed(struct hetckpt_writer *writer, struct hetckpt_snap_feed *feed);

/* Waits until every chunk is written. */
void hetckpt_snap_pipeline_drain(struct hetckpt_writer *writer);

/* Ends the threads, frees the slots. */
void hetckpt_snap_pipeline_stop(struct hetckpt_writer *writer);

#endif
