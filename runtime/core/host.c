/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Page-locked buffers of the application: memfds mapped at one address in both
 * processes, and known to the device.
 */
#include "core_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "runtime/common/log.h"

/* docs/sessions.md */
#define WINDOW_BASE UINT64_C(0x1f0000000000)
#define WINDOW_BYTES ((uint64_t)1 << 40)

struct hetckpt_host_buffer *hetckpt_host_find(struct hetckpt_core *core, uint64_t address,
                                              uint64_t bytes)
{
	for (struct hetckpt_host_buffer *b = core->hosts; b; b = b->next)
		if (address >= b->address && address - b->address <= b->bytes &&
		    bytes <= b->bytes - (address - b->address))
			return b;
	return NULL;
}

int hetckpt_host_map(struct hetckpt_core *core, uint64_t address, uint64_t bytes, int fd,
                     struct hetckpt_error *error)
{
	struct hetckpt_host_buffer *buffer;
	struct stat facts;
	void *mapped;

	if (address % 4096 || !bytes || address < WINDOW_BASE || bytes > WINDOW_BYTES ||
	    address - WINDOW_BASE > WINDOW_BYTES - bytes)
		return hetckpt_error_set(error, -EINVAL, 0,
			"page-locked buffer at 0x%" PRIx64 ", %" PRIu64 " bytes: not in the window for them",
			address, bytes);
	/* A file that is shorter than it says would kill the worker at the first touch. */
	if (fstat(fd, &facts) || facts.st_size < 0 || (uint64_t)facts.st_size < bytes)
		return hetckpt_error_set(error, -EINVAL, 0,
			"page-locked buffer at 0x%" PRIx64 ": its memory is shorter than %" PRIu64 " bytes",
			address, bytes);
	buffer = calloc(1, sizeof *buffer);
	if (!buffer)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
	mapped = mmap((void *)(uintptr_t)address, bytes, PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	if (mapped == MAP_FAILED) {
		int code = errno;

		free(buffer);
		return hetckpt_error_set(error, -code, 0,
			"cannot map the page-locked buffer at 0x%" PRIx64 " (%" PRIu64 " bytes): %s", address,
			bytes, strerror(code));
	}
	if (mapped != (void *)(uintptr_t)address) {
		munmap(mapped, bytes);
		free(buffer);
		return hetckpt_error_set(error, -EADDRINUSE, 0,
			"the address 0x%" PRIx64 " of a page-locked buffer is taken", address);
	}
	buffer->address = address;
	buffer->bytes = bytes;
	if (core->dev.ops->host_register) {
		struct hetckpt_error why;

		buffer->registered = !core->dev.ops->host_register(core->dev.handle, mapped, bytes, &why);
		if (!buffer->registered)
			hetckpt_log(HETCKPT_LOG_WARN, "copies of the buffer at 0x%" PRIx64 " will be slow: %s",
			            address, why.text);
	}
	buffer->next = core->hosts;
	core->hosts = buffer;
	return 0;
}

void hetckpt_host_unmap(struct hetckpt_core *core, struct hetckpt_host_buffer *buffer)
{
	struct hetckpt_host_buffer **link = &core->hosts;

	while (*link != buffer)
		link = &(*link)->next;
	*link = buffer->next;
	if (buffer->registered)
		core->dev.ops->host_unregister(core->dev.handle, (void *)(uintptr_t)buffer->address);
	munmap((void *)(uintptr_t)buffer->address, buffer->bytes);
	free(buffer);
}
