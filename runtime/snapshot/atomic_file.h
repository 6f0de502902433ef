/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * atomic_file.h - replaces a file completely or not at all.
 *
 * open gives a descriptor to write to, which has no name yet or a temporary
 * one; commit puts what was written in place of the target. Whatever happens
 * before that, the target is what it was. See docs/snapshot-format.md.
 *
 * The descriptor may be written to by another process (a worker).
 * One thread at a time a handle.
 */
#ifndef HETCKPT_SNAPSHOT_ATOMIC_FILE_H
#define HETCKPT_SNAPSHOT_ATOMIC_FILE_H

#include <stdbool.h>

#include "runtime/snapshot/snapshot.h"

struct hetckpt_atomic_file;

/*
 * Prepares to replace path; symbolic links are followed, so the link stays. The
 * target must be a regular file or not exist. Removes temporaries that killed
 * writers of the same target left. io: NULL for the system's calls.
 *
 * Returns 0 or a negative errno. *out is a handle also on failure (for its error
 * message), unless there is no memory; close it in either case.
 */
int hetckpt_atomic_open(const char *path, const struct hetckpt_snap_io *io,
	struct hetckpt_atomic_file **out);

/* The descriptor to write to, at offset 0, readable too. It belongs to the handle. */
int hetckpt_atomic_fd(const struct hetckpt_atomic_file *file);

/*
 * Syncs the file, renames it over the target, syncs the folder. sync false leaves
 * out both syncs: then a crash of the machine (not of the process) may lose the
 * file. Once a handle, not after a failure. After an error the target is the old
 * file, but for one case: if only syncing the folder failed, the new file is in
 * place and may not survive a crash of the machine; the message says so.
 */
int hetckpt_atomic_commit(struct hetckpt_atomic_file *file, bool sync);

/* One line about the last failure, "" if none. NULL handle: out of memory. */
const char *hetckpt_atomic_error(const struct hetckpt_atomic_file *file);

/* Removes the temporary unless committed; frees. NULL is allowed. */
void hetckpt_atomic_close(struct hetckpt_atomic_file *file);

#endif
