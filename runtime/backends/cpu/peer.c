/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory of another worker: a descriptor of that process's memory, which the system lets whoever
 * has it read. All of a range is one piece, whatever is mapped in it.
 */
#include "cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hetckpt_peer {
	uint64_t address, bytes;
	int fd;
};

int cpu_share(struct hetckpt_device *device, uint64_t address, uint64_t bytes, bool open_it,
              struct hetckpt_share *shares, size_t room, size_t *count, struct hetckpt_error *error)
{
	int fd = -1;

	*count = 1;
	if (!room)
		return hetckpt_error_set(error, -ENOSPC, 0, "cpu:%u: one piece of memory, no room", device->index);
	if (open_it)
		fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	if (open_it && fd < 0)
		return hetckpt_error_set(error, -ENOTSUP, 0, "cpu:%u: this system does not share memory: %s", device->index,
		                         strerror(errno));
	shares[0] = (struct hetckpt_share){.address = address, .bytes = bytes, .serial = 1, .fd = fd};
	return 0;
}

int cpu_peer_open(struct hetckpt_device *device, const struct hetckpt_share *share, struct hetckpt_peer **out,
                  struct hetckpt_error *error)
{
	struct hetckpt_peer *peer = calloc(1, sizeof *peer);

	if (peer)
		*peer = (struct hetckpt_peer){share->address, share->bytes, fcntl(share->fd, F_DUPFD_CLOEXEC, 0)};
	if (!peer || peer->fd < 0) {
		free(peer);
		return hetckpt_error_set(error, -ENOMEM, 0, "cpu:%u: cannot reach another worker's memory", device->index);
	}
	*out = peer;
	return 0;
}

void cpu_peer_close(struct hetckpt_device *device, struct hetckpt_peer *peer)
{
	(void)device;
	close(peer->fd);
	free(peer);
}

int cpu_peer_copy(struct hetckpt_queue *queue, struct hetckpt_peer *peer, uint64_t offset, uint64_t dst,
                  uint64_t bytes, struct hetckpt_error *error)
{
	char *to = (char *)(uintptr_t)dst;

	(void)queue;
	if (offset > peer->bytes || bytes > peer->bytes - offset)
		return hetckpt_error_set(error, -ERANGE, 0, "a copy from beyond a piece of another worker's memory");
	while (bytes) {
		ssize_t n = pread(peer->fd, to, bytes, (off_t)(peer->address + offset));

		/* Nothing: that process is gone, and its memory with it. */
		if (n <= 0)
			return hetckpt_error_set(error, n ? -errno : -EIO, 0, "cannot read 0x%llx of another worker's memory: %s",
			                         (unsigned long long)(peer->address + offset),
			                         n ? strerror(errno) : "it is gone");
		to += n;
		offset += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
	return 0;
}
