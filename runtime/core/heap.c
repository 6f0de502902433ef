/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "heap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/common/log.h"

/* Unused granules that stay mapped: 256 MiB. */
#define IDLE_LIMIT 128

int hetckpt_heap_init(struct hetckpt_heap *memory, struct hetckpt_dev *dev, uint64_t base,
                        uint64_t bytes, struct hetckpt_error *error)
{
	memset(memory, 0, sizeof *memory);
	memory->dev = dev;
	memory->base = base;
	memory->granules = bytes / HETCKPT_GRANULE;
	memory->arena = hetckpt_arena_create(base, bytes);
	/* Half a million granules; the pages of these arrays appear as they are used. */
	memory->users = calloc(memory->granules, sizeof *memory->users);
	memory->mapped = calloc(memory->granules, 1);
	if (!memory->arena || !memory->users || !memory->mapped) {
		hetckpt_heap_destroy(memory);
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory for the arena's tables");
	}
	return 0;
}

void hetckpt_heap_destroy(struct hetckpt_heap *memory)
{
	if (memory->users && memory->mapped) {
		memset(memory->users, 0, memory->high * sizeof *memory->users);
		hetckpt_heap_trim(memory);
	}
	hetckpt_arena_destroy(memory->arena);
	free(memory->users);
	free(memory->mapped);
	memset(memory, 0, sizeof *memory);
}

/* Unmaps [first, end), all mapped and without users. */
static void unmap(struct hetckpt_heap *memory, uint64_t first, uint64_t end)
{
	struct hetckpt_error error;
	int rc = memory->dev->ops->unmap(memory->dev->handle, memory->base + first * HETCKPT_GRANULE,
	                                 (end - first) * HETCKPT_GRANULE, &error);

	/* What cannot be unmapped stays with the device until it is closed. */
	if (rc)
		hetckpt_log(HETCKPT_LOG_WARN, "cannot give back device memory: %s", error.text);
	memset(memory->mapped + first, 0, end - first);
}

int hetckpt_heap_trim(struct hetckpt_heap *memory)
{
	int found = 0;

	for (uint64_t g = 0; g < memory->high;) {
		uint64_t end = g;

		while (end < memory->high && memory->mapped[end] && !memory->users[end])
			end++;
		if (end == g) {
			g++;
			continue;
		}
		unmap(memory, g, end);
		found = 1;
		g = end;
	}
	memory->idle = 0;
	return found;
}

/* Counts one user out of [first, end). */
static void release(struct hetckpt_heap *memory, uint64_t first, uint64_t end)
{
	uint64_t run = first; /* start of the granules that just lost their last user */

	for (uint64_t g = first; g < end; g++)
		if (--memory->users[g]) {
			/* Only the ends can be shared, so this cuts a run in few pieces. */
			if (run < g && memory->idle + (g - run) > IDLE_LIMIT)
				unmap(memory, run, g);
			else
				memory->idle += g - run;
			run = g + 1;
		}
	if (run < end && memory->idle + (end - run) > IDLE_LIMIT)
		unmap(memory, run, end);
	else if (run < end)
		memory->idle += end - run;
}

/* Backs an allocation that the arena has just made; takes it back if that fails. */
static int back(struct hetckpt_heap *memory, uint64_t address, uint64_t bytes,
                struct hetckpt_error *error)
{
	uint64_t first = (address - memory->base) / HETCKPT_GRANULE;
	uint64_t end = (address + bytes - 1 - memory->base) / HETCKPT_GRANULE + 1;
	uint64_t g = first;
	int rc = 0;

	while (g < end && !rc) {
		uint64_t stop = g;

		if (memory->mapped[g]) {
			memory->idle -= !memory->users[g];
			memory->users[g++]++;
			continue;
		}
		while (stop < end && !memory->mapped[stop])
			stop++;
		rc = memory->dev->ops->map(memory->dev->handle, memory->base + g * HETCKPT_GRANULE,
		                           (stop - g) * HETCKPT_GRANULE, error);
		if (rc)
			break;
		memset(memory->mapped + g, 1, stop - g);
		for (; g < stop; g++)
			memory->users[g]++;
		if (memory->high < stop)
			memory->high = stop;
	}
	if (rc) {
		if (g > first)
			release(memory, first, g);
		hetckpt_arena_free(memory->arena, address);
	}
	return rc;
}

int hetckpt_heap_alloc(struct hetckpt_heap *memory, uint64_t bytes, uint64_t align,
                         uint64_t tag, uint64_t *address, struct hetckpt_error *error)
{
	int rc = hetckpt_arena_alloc(memory->arena, bytes, align, tag, address);

	if (rc)
		return hetckpt_error_set(error, rc, 0, "no room for %" PRIu64 " bytes in the arena", bytes);
	return back(memory, *address, bytes, error);
}

int hetckpt_heap_claim(struct hetckpt_heap *memory, uint64_t address, uint64_t bytes,
                         uint64_t tag, struct hetckpt_error *error)
{
	int rc = hetckpt_arena_claim(memory->arena, address, bytes, tag);

	if (rc)
		return hetckpt_error_set(error, rc, 0,
			"cannot take the address 0x%" PRIx64 " (%" PRIu64 " bytes): %s", address, bytes,
			rc == -EEXIST ? "something else is there" :
			rc == -EINVAL ? "it is not in this arena" : "out of host memory");
	return back(memory, address, bytes, error);
}

int hetckpt_heap_free(struct hetckpt_heap *memory, uint64_t address,
                        struct hetckpt_error *error)
{
	const struct hetckpt_arena_allocation *a = hetckpt_arena_at(memory->arena, address);
	uint64_t first, end;

	if (!a)
		return hetckpt_error_set(error, -EINVAL, 0, "no allocation starts at 0x%" PRIx64, address);
	first = (address - memory->base) / HETCKPT_GRANULE;
	end = (address + a->bytes - 1 - memory->base) / HETCKPT_GRANULE + 1;
	hetckpt_arena_free(memory->arena, address);
	release(memory, first, end);
	return 0;
}
