/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * snapshot.h - what the writer and the reader of snapshots have in common.
 *
 * The format is in docs/snapshot-format.md. A snapshot has one JSON manifest
 * and any number of named sections of bytes, kept in chunks.
 *
 * Errors, everywhere here: 0 or a negative errno; the handle keeps one line
 * that says what happened to which file, section and offset. Codes:
 *   -EINVAL      the caller's arguments, or the file is no snapshot
 *   -ENOTSUP     a newer format, or a required section that nobody knows
 *   -EBADMSG     damage
 *   -ENOENT      no such file or section
 *   -ERANGE      outside a section
 *   -EFBIG       a limit of the format
 *   -ECANCELED   a progress callback asked to stop
 * and whatever the system's calls, or the caller's callbacks, return.
 */
#ifndef HETCKPT_SNAPSHOT_SNAPSHOT_H
#define HETCKPT_SNAPSHOT_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#define HETCKPT_SNAPSHOT_VERSION 1u
#define HETCKPT_CHUNK_DEFAULT (1u << 20)
#define HETCKPT_CHUNK_MIN (1u << 12)
#define HETCKPT_CHUNK_MAX (1u << 26)
#define HETCKPT_MANIFEST_MAX (64u << 20)
#define HETCKPT_NAME_MAX 255u

/* Section flags. */
#define HETCKPT_SECTION_REQUIRED 1u /* a restore that does not know it must refuse */

/* How a chunk's content is stored. */
enum hetckpt_chunk_method {
	HETCKPT_CHUNK_ZERO = 0,
	HETCKPT_CHUNK_RAW = 1,
	HETCKPT_CHUNK_ZSTD = 2
};

/*
 * Memory for the buffers that chunks pass through: page-locked, for example,
 * so that a device can copy to and from them at full speed. Called on the
 * thread that calls the writer or reader, never concurrently for one handle.
 * alloc returns memory aligned to at least 64 bytes, or NULL.
 */
struct hetckpt_buffers {
	void *ctx;
	void *(*alloc)(void *ctx, size_t bytes);
	void (*release)(void *ctx, void *buffer, size_t bytes);
};

/*
 * Tells how far a long operation is, in bytes of content. total is 0 where it
 * is not known. Calls never overlap but come from any thread. A return value
 * other than 0 ends the operation with -ECANCELED.
 */
typedef int (*hetckpt_progress_fn)(void *ctx, uint64_t done, uint64_t total);

/* Calls into the operating system, replaced by tests (io.h). */
struct hetckpt_snap_io;

#endif
