/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Which addresses the runtime knows: a sorted array, searched by halves. Programs have
 * thousands of allocations at most, and look addresses up far more often than they allocate.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/client/client.h"

static struct client_range *ranges;
static size_t count, room;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

/* Index of the first range that starts after address. */
static size_t upper(uint64_t address)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool client_range_find(uint64_t address, struct client_range *range)
{
	bool found = false;
	size_t i;

	pthread_rwlock_rdlock(&lock);
	i = upper(address);
	if (i && address - ranges[i - 1].address < ranges[i - 1].bytes) {
		*range = ranges[i - 1];
		found = true;
	} else {
		memset(range, 0, sizeof *range);
		range->kind = CLIENT_RANGE_NONE;
	}
	pthread_rwlock_unlock(&lock);
	return found;
}

cudaError_t client_range_add(const struct client_range *range)
{
	cudaError_t error = cudaSuccess;
	size_t i;

	pthread_rwlock_wrlock(&lock);
	if (count == room) {
		size_t more = room ? room * 2 : 64;
		struct client_range *grown = realloc(ranges, more * sizeof *grown);

		if (!grown) {
			error = cudaErrorMemoryAllocation;
			goto done;
		}
		ranges = grown;
		room = more;
	}
	i = upper(range->address);
	if (i && ranges[i - 1].address == range->address) {
		/* The same variable again, or a device allocation that outlived its owner's epoch. */
		ranges[i - 1] = *range;
		goto done;
	}
	memmove(ranges + i + 1, ranges + i, (count - i) * sizeof *ranges);
	ranges[i] = *range;
	count++;
done:
	pthread_rwlock_unlock(&lock);
	return error;
}

static void remove_at(size_t i, struct client_range *removed)
{
	*removed = ranges[i];
	memmove(ranges + i, ranges + i + 1, (count - i - 1) * sizeof *ranges);
	count--;
}

bool client_range_remove(uint64_t address, enum client_range_kind kind, struct client_range *removed)
{
	bool found = false;
	size_t i;

	pthread_rwlock_wrlock(&lock);
	i = upper(address);
	if (i && ranges[i - 1].address == address && ranges[i - 1].kind == kind) {
		remove_at(i - 1, removed);
		found = true;
	}
	pthread_rwlock_unlock(&lock);
	return found;
}

bool client_range_pop(enum client_range_kind kind, struct client_range *removed)
{
	bool found = false;

	pthread_rwlock_wrlock(&lock);
	for (size_t i = count; i && !found; i--) {
		if (ranges[i - 1].kind == kind) {
			remove_at(i - 1, removed);
			found = true;
		}
	}
	pthread_rwlock_unlock(&lock);
	return found;
}
