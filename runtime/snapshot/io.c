/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "io.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Linux moves at most 2 GiB less a page a call; stay well below. */
#define CALL_MAX ((size_t)1 << 30)

static ssize_t system_write(void *ctx, int fd, const void *data, size_t bytes)
{
	return write(fd, data, bytes);
}

static ssize_t system_pwrite(void *ctx, int fd, const void *data, size_t bytes, off_t offset)
{
	return pwrite(fd, data, bytes, offset);
}

static ssize_t system_pread(void *ctx, int fd, void *data, size_t bytes, off_t offset)
{
	return pread(fd, data, bytes, offset);
}

static int system_fsync(void *ctx, int fd)
{
	return fsync(fd);
}

static int system_rename(void *ctx, int dirfd, const char *from, const char *to)
{
	return renameat(dirfd, from, dirfd, to);
}

const struct hetckpt_snap_io hetckpt_snap_io_system = {
	.write = system_write,
	.pwrite = system_pwrite,
	.pread = system_pread,
	.fsync = system_fsync,
	.rename = system_rename,
};

/* A descriptor that does not block has no room now: wait until it has. */
static int wait_writable(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLOUT };

	while (poll(&poller, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int write_all(const struct hetckpt_snap_io *io, int fd, const char *data, size_t bytes)
{
	while (bytes) {
		size_t step = bytes < CALL_MAX ? bytes : CALL_MAX;
		ssize_t n = io->write(io->ctx, fd, data, step);

		if (n > 0) {
			data += n;
			bytes -= (size_t)n;
		} else if (n == 0) {
			return -EIO; /* would loop for ever */
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			int rc = wait_writable(fd);

			if (rc)
				return rc;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int hetckpt_snap_write(const struct hetckpt_snap_io *io, int fd, const void *data, size_t bytes)
{
	static const struct timespec now = { 0, 0 };
	sigset_t pipe_set, old, pending;
	bool was_pending;
	int rc;

	/*
	 * The reader of a pipe may go away. That is an error to report, not a
	 * signal that ends the process; and changing the signal's disposition
	 * would be seen by the whole process. So it is blocked in this thread,
	 * and taken off again if our write raised it.
	 */
	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
	rc = write_all(io, fd, data, bytes);
	if (rc == -EPIPE && !was_pending)
		while (sigtimedwait(&pipe_set, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

int hetckpt_snap_pwrite(const struct hetckpt_snap_io *io, int fd, const void *data, size_t bytes,
	uint64_t offset)
{
	const char *at = data;

	while (bytes) {
		size_t step = bytes < CALL_MAX ? bytes : CALL_MAX;
		ssize_t n = io->pwrite(io->ctx, fd, at, step, (off_t)offset);

		if (n > 0) {
			at += n;
			offset += (uint64_t)n;
			bytes -= (size_t)n;
		} else if (n == 0) {
			return -EIO; /* would loop for ever */
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int hetckpt_snap_pread(const struct hetckpt_snap_io *io, int fd, void *data, size_t bytes,
	uint64_t offset)
{
	char *at = data;

	while (bytes) {
		size_t step = bytes < CALL_MAX ? bytes : CALL_MAX;
		ssize_t n = io->pread(io->ctx, fd, at, step, (off_t)offset);

		if (n > 0) {
			at += n;
			offset += (uint64_t)n;
			bytes -= (size_t)n;
		} else if (n == 0) {
			return -ENODATA;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int hetckpt_snap_fsync(const struct hetckpt_snap_io *io, int fd)
{
	while (io->fsync(io->ctx, fd) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}
