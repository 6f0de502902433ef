/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * io.h - every call of the snapshot code that moves bytes to or from a file.
 *
 * The calls go through a table so that tests can make them fail. Each entry
 * behaves as the system call of its name: -1 and errno on failure.
 */
#ifndef HETCKPT_SNAPSHOT_IO_H
#define HETCKPT_SNAPSHOT_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct hetckpt_snap_io {
	void *ctx;
	ssize_t (*write)(void *ctx, int fd, const void *data, size_t bytes);
	/* NULL: everything is written in order. */
	ssize_t (*pwrite)(void *ctx, int fd, const void *data, size_t bytes, off_t offset);
	ssize_t (*pread)(void *ctx, int fd, void *data, size_t bytes, off_t offset);
	int (*fsync)(void *ctx, int fd);
	int (*rename)(void *ctx, int dirfd, const char *from, const char *to);
};

extern const struct hetckpt_snap_io hetckpt_snap_io_system;

/* Writes all of data, however often that takes; waits where fd does not block.
   No SIGPIPE reaches the process. 0 or negative errno. */
int hetckpt_snap_write(const struct hetckpt_snap_io *io, int fd, const void *data, size_t bytes);

/* Writes all of data at offset. 0 or negative errno. */
int hetckpt_snap_pwrite(const struct hetckpt_snap_io *io, int fd, const void *data, size_t bytes,
	uint64_t offset);

/* Reads exactly bytes at offset. 0, negative errno, or -ENODATA if the file
   ends before. */
int hetckpt_snap_pread(const struct hetckpt_snap_io *io, int fd, void *data, size_t bytes,
	uint64_t offset);

/* 0 or negative errno. */
int hetckpt_snap_fsync(const struct hetckpt_snap_io *io, int fd);

#endif
