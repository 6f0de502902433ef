/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * reader.h - reads a snapshot: manifest, list of sections, contents.
 *
 * Opening checks everything but the contents: header, manifest, index, trailer.
 * Contents are checked as they are read; nothing is handed on before its hash
 * was found right. The file is trusted in nothing: damage gives an error, and no
 * memory is allocated by a size in the file without a limit.
 *
 * A handle is used by one thread at a time; a call may itself use many. Calls fail
 * one by one: after a failed read, others may be tried.
 */
#ifndef HETCKPT_SNAPSHOT_READER_H
#define HETCKPT_SNAPSHOT_READER_H

#include <jansson.h>

#include "runtime/snapshot/snapshot.h"

struct hetckpt_reader;

/* All zero: the defaults. */
struct hetckpt_reader_options {
	unsigned threads;    /* 0: one for each CPU that the process may use, at most 64 */
	uint64_t spool_max;  /* most bytes to take from a pipe; 0: half of the machine's memory */
	hetckpt_progress_fn progress; /* of one call that reads; total is that call's */
	void *progress_ctx;
	const struct hetckpt_buffers *buffers; /* NULL: malloc. Copied. For read_each */
	const struct hetckpt_snap_io *io;      /* NULL: the system's calls */
};

struct hetckpt_section {
	const char *name;      /* belongs to the reader */
	uint64_t bytes;        /* of content: as the file says, compare with what is plausible */
	uint64_t stored_bytes; /* in the file; shared blocks count where they come first */
	uint64_t chunks;
	uint32_t chunk_bytes;
	uint32_t flags;        /* HETCKPT_SECTION_* */
};

struct hetckpt_chunk_info {
	enum hetckpt_chunk_method method;
	uint64_t file_offset;  /* 0 for zero chunks */
	uint32_t stored_bytes;
	uint32_t bytes;        /* of content */
	uint8_t hash[16];      /* XXH3-128, canonical; 0 for zero chunks */
};

/*
 * Opens path, or a descriptor that belongs to the caller and must stay open as
 * long as the handle. A file is read with pread: its position is neither used
 * nor changed, the snapshot starts at its first byte. A pipe or socket is read to
 * its end into memory first. name: for messages; NULL: "fd N". options NULL: the
 * defaults. *out is a handle also on failure (for its message) unless there is no
 * memory; close it in either case.
 */
int hetckpt_reader_open(const char *path, const struct hetckpt_reader_options *options,
	struct hetckpt_reader **out);
int hetckpt_reader_open_fd(int fd, const char *name, const struct hetckpt_reader_options *options,
	struct hetckpt_reader **out);

/* Belongs to the reader. */
const json_t *hetckpt_reader_manifest(const struct hetckpt_reader *reader);

uint64_t hetckpt_reader_file_bytes(const struct hetckpt_reader *reader);

/* Sections are numbered from 0 in the order in which they were written. number must
   be below the count. */
size_t hetckpt_reader_count(const struct hetckpt_reader *reader);
const struct hetckpt_section *hetckpt_reader_section(const struct hetckpt_reader *reader, size_t number);

/* Finds a section by name. 0, or -ENOENT with a message that names it. */
int hetckpt_reader_find(struct hetckpt_reader *reader, const char *name, size_t *number);

/* Facts from the index. 0 or -ERANGE. */
int hetckpt_reader_chunk(struct hetckpt_reader *reader, size_t section, uint64_t chunk,
	struct hetckpt_chunk_info *info);

/* -ENOTSUP if a section is flagged required and known says no to its name. */
int hetckpt_reader_check_required(struct hetckpt_reader *reader,
	int (*known)(void *ctx, const char *name), void *ctx);

/*
 * Reads bytes of a section from offset on into data, with all threads if it is more
 * than a chunk. Blocks. On failure data is partly overwritten, with anything.
 */
int hetckpt_reader_read(struct hetckpt_reader *reader, size_t section, uint64_t offset, void *data,
	size_t bytes);

/*
 * Takes length bytes of a section's content from offset on. data is NULL where they
 * are all zero; else it is one of the reader's buffers (options.buffers) and valid
 * during the call. 0 or a negative errno, which ends the reading.
 */
typedef int (*hetckpt_take_fn)(void *ctx, uint64_t offset, const void *data, size_t length);

/* Hands a section to take, chunk by chunk. */
enum hetckpt_read_order {
	HETCKPT_READ_ANY_ORDER, /* take is called concurrently, by the reader's threads */
	HETCKPT_READ_IN_ORDER   /* from the first to the last, on this thread */
};
int hetckpt_reader_each(struct hetckpt_reader *reader, size_t section, enum hetckpt_read_order order,
	hetckpt_take_fn take, void *ctx);

/* One damaged chunk. Strings are valid during the call. */
struct hetckpt_damage {
	const char *file;
	const char *section;
	uint64_t chunk;          /* number in the section */
	uint64_t section_offset; /* of the chunk's content */
	uint64_t file_offset;    /* of its block */
	uint32_t stored_bytes;   /* of its block */
	const char *what;
};

/*
 * Reads and checks every block, each once. 0; or -EBADMSG if any chunk is damaged,
 * after report (may be NULL) has been called for each of them, in order, on this
 * thread; or another error, when the check could not be completed.
 */
int hetckpt_reader_verify(struct hetckpt_reader *reader,
	void (*report)(void *ctx, const struct hetckpt_damage *damage), void *ctx);

/* One line about the last failure, "" if the last call did not fail. NULL handle: out
   of memory. */
const char *hetckpt_reader_error(const struct hetckpt_reader *reader);

/* NULL is allowed. */
void hetckpt_reader_close(struct hetckpt_reader *reader);

#endif
