/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * writer.h - writes a snapshot: manifest first, then sections one after the
 * other, then finish.
 *
 *	rc = hetckpt_writer_open(path, &options, &writer);
 *	if (!rc) rc = hetckpt_writer_manifest(writer, manifest);
 *	if (!rc) rc = hetckpt_writer_add(writer, "memory/0", 0, data, bytes);
 *	if (!rc) rc = hetckpt_writer_finish(writer);
 *	if (rc) complain(hetckpt_writer_error(writer));
 *	hetckpt_writer_close(writer);
 *
 * Chunks are hashed and compressed by a pool of threads and written in order by
 * whichever of them is due. At most 2 * threads + 2 chunks are under way, each
 * with at most two buffers of about the chunk size.
 *
 * A handle is used by one thread at a time. The first failure sticks: calls that
 * follow return it and do nothing.
 */
#ifndef HETCKPT_SNAPSHOT_WRITER_H
#define HETCKPT_SNAPSHOT_WRITER_H

#include <jansson.h>
#include <stdbool.h>

#include "runtime/snapshot/snapshot.h"

struct hetckpt_writer;

enum hetckpt_compress {
	HETCKPT_COMPRESS_ZSTD = 0,
	HETCKPT_COMPRESS_NONE = 1
};

/* All zero: the defaults. */
struct hetckpt_writer_options {
	enum hetckpt_compress compress;
	int level;            /* of zstd; 0: 1, the fastest of the regular ones */
	unsigned threads;     /* 0: one for each CPU that the process may use, at most 64 */
	uint32_t chunk_bytes; /* power of two, HETCKPT_CHUNK_MIN to _MAX; 0: 1 MiB */
	bool no_dedupe;       /* store equal chunks as often as they come */
	bool no_sync;         /* path: finish does not wait until the disk has it all */
	hetckpt_progress_fn progress; /* total is total_bytes */
	void *progress_ctx;
	uint64_t total_bytes; /* only handed to progress */
	const struct hetckpt_buffers *buffers; /* NULL: malloc. Copied */
	const struct hetckpt_snap_io *io;      /* NULL: the system's calls */
};

struct hetckpt_writer_stats {
	uint64_t content_bytes; /* of all sections */
	uint64_t file_bytes;
	uint64_t chunks, zero_chunks, shared_chunks, raw_chunks, zstd_chunks;
};

/*
 * Writes to path: all or nothing, as in atomic_file.h. options NULL: the defaults.
 * *out is a handle also on failure (for its message) unless there is no memory;
 * close it in either case.
 */
int hetckpt_writer_open(const char *path, const struct hetckpt_writer_options *options,
	struct hetckpt_writer **out);

/*
 * Writes to a descriptor: a file, memfd, pipe or socket, blocking or not. It stays
 * open, belongs to the caller, and is not synced. A regular file is truncated and
 * written from its start. name is what messages call it; NULL: "fd N".
 */
int hetckpt_writer_open_fd(int fd, const char *name, const struct hetckpt_writer_options *options,
	struct hetckpt_writer **out);

/* The manifest, an object; at most once and before the first section, or it will
   be {}. The text form is parsed and written out again on one line. */
int hetckpt_writer_manifest(struct hetckpt_writer *writer, const json_t *manifest);
int hetckpt_writer_manifest_text(struct hetckpt_writer *writer, const char *text);

/*
 * Adds a section of bytes at data. flags: HETCKPT_SECTION_*. data may be reused when
 * the call returns, also after a failure. Blocks until everything has been copied,
 * compressed or written; large sections are not copied.
 */
int hetckpt_writer_add(struct hetckpt_writer *writer, const char *name, uint32_t flags,
	const void *data, uint64_t bytes);

/*
 * Produces length bytes of a section from offset on into buffer, which is one of
 * the writer's (options.buffers). Called concurrently by the writer's threads, in no
 * particular order, once for each chunk: offset is a multiple of the chunk size. Must
 * not call the writer. 0 or a negative errno, which ends the writing.
 */
typedef int (*hetckpt_fill_fn)(void *ctx, uint64_t offset, void *buffer, size_t length);

/* Adds a section that fill produces. fill is not called any more when this returns. */
int hetckpt_writer_add_from(struct hetckpt_writer *writer, const char *name, uint32_t flags,
	uint64_t bytes, hetckpt_fill_fn fill, void *ctx);

/* Completes the snapshot: index, trailer; for a path sync and rename. */
int hetckpt_writer_finish(struct hetckpt_writer *writer);

/* Complete after finish; before, without what is still under way. */
void hetckpt_writer_stats_get(struct hetckpt_writer *writer, struct hetckpt_writer_stats *stats);

/* One line about the failure, "" if none. NULL handle: out of memory. */
const char *hetckpt_writer_error(const struct hetckpt_writer *writer);

/* Frees. Without a successful finish, what was written to a path is removed and the
   old file stays; a descriptor keeps what it got, which no reader accepts. */
void hetckpt_writer_close(struct hetckpt_writer *writer);

#endif
