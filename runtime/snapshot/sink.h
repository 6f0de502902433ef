/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * sink.h - the end of the writer: bytes in order, to a descriptor that need
 * not be seekable. Gathers small pieces, passes large ones on as they are. In
 * a file a large piece can be given its place now and be written by any thread.
 */
#ifndef HETCKPT_SNAPSHOT_SINK_H
#define HETCKPT_SNAPSHOT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hetckpt_snap_io;

struct hetckpt_snap_sink {
	const struct hetckpt_snap_io *io;
	int fd;
	bool places;       /* a file, written at offsets; its position stays */
	bool writeback;    /* have the system begin to write out what it has got */
	uint64_t offset;   /* bytes taken so far */
	uint64_t begun;    /* up to where writing out has begun */
	size_t gathered;   /* bytes in gather */
	unsigned char *gather;
};

/* 0 or -ENOMEM. */
int hetckpt_snap_sink_init(struct hetckpt_snap_sink *sink, const struct hetckpt_snap_io *io, int fd,
	bool writeback);
void hetckpt_snap_sink_fini(struct hetckpt_snap_sink *sink);

/* Takes bytes; data may be reused when the call returns. 0 or negative errno. */
int hetckpt_snap_sink_put(struct hetckpt_snap_sink *sink, const void *data, size_t bytes);

/*
 * *claimed: the next bytes of the file, from *offset on, are the caller's to fill with
 * hetckpt_snap_sink_fill, which any number of threads may do at once. Not for a
 * small piece, nor where places cannot be given: put it. 0 or negative errno.
 */
int hetckpt_snap_sink_claim(struct hetckpt_snap_sink *sink, size_t bytes, uint64_t *offset, bool *claimed);
int hetckpt_snap_sink_fill(const struct hetckpt_snap_sink *sink, uint64_t offset, const void *data,
	size_t bytes);

/* Hands everything to the system. 0 or negative errno. */
int hetckpt_snap_sink_flush(struct hetckpt_snap_sink *sink);

#endif
