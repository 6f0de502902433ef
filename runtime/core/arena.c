/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct hole {
	uint64_t address, bytes;
};

/*
 * Two arrays sorted by address. Programs hold thousands of allocations, not millions:
 * a scan over the holes costs less than the call through the ring that asked for it.
 */
struct hetckpt_arena {
	uint64_t base, bytes, used;
	struct hetckpt_arena_allocation *live;
	size_t live_count, live_room;
	struct hole *holes;
	size_t hole_count, hole_room;
};

struct hetckpt_arena *hetckpt_arena_create(uint64_t base, uint64_t bytes)
{
	struct hetckpt_arena *arena = calloc(1, sizeof *arena);

	if (!arena)
		return NULL;
	arena->base = base;
	arena->bytes = bytes;
	arena->hole_room = 16;
	arena->holes = malloc(arena->hole_room * sizeof *arena->holes);
	if (!arena->holes) {
		free(arena);
		return NULL;
	}
	arena->holes[arena->hole_count++] = (struct hole){base, bytes};
	return arena;
}

void hetckpt_arena_destroy(struct hetckpt_arena *arena)
{
	if (!arena)
		return;
	free(arena->live);
	free(arena->holes);
	free(arena);
}

/* Index of the first live allocation that starts after address. */
static size_t live_after(const struct hetckpt_arena *arena, uint64_t address)
{
	size_t low = 0, high = arena->live_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (arena->live[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Index of the first hole that starts after address. */
static size_t hole_after(const struct hetckpt_arena *arena, uint64_t address)
{
	size_t low = 0, high = arena->hole_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (arena->holes[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Room for one more of each, so that the changes themselves cannot fail half way. */
static int make_room(struct hetckpt_arena *arena)
{
	if (arena->live_count == arena->live_room) {
		size_t room = arena->live_room ? arena->live_room * 2 : 64;
		void *grown = realloc(arena->live, room * sizeof *arena->live);

		if (!grown)
			return -ENOMEM;
		arena->live = grown;
		arena->live_room = room;
	}
	/* Cutting a hole makes at most one more; freeing an allocation needs one. Every
	   hole lies between allocations, so live_count + 2 is always enough. */
	if (arena->hole_room < arena->live_room + 2) {
		size_t room = arena->live_room + 2;
		void *grown = realloc(arena->holes, room * sizeof *arena->holes);

		if (!grown)
			return -ENOMEM;
		arena->holes = grown;
		arena->hole_room = room;
	}
	return 0;
}

static void hole_insert(struct hetckpt_arena *arena, size_t at, uint64_t address, uint64_t bytes)
{
	memmove(arena->holes + at + 1, arena->holes + at,
	        (arena->hole_count - at) * sizeof *arena->holes);
	arena->holes[at] = (struct hole){address, bytes};
	arena->hole_count++;
}

static void hole_remove(struct hetckpt_arena *arena, size_t at)
{
	arena->hole_count--;
	memmove(arena->holes + at, arena->holes + at + 1,
	        (arena->hole_count - at) * sizeof *arena->holes);
}

/* Takes [address, address + room) out of hole number at, which contains it. */
static void take(struct hetckpt_arena *arena, size_t at, uint64_t address, uint64_t bytes,
                 uint64_t room, uint64_t tag)
{
	struct hole hole = arena->holes[at];
	uint64_t before = address - hole.address;
	uint64_t after = hole.bytes - before - room;
	size_t place = live_after(arena, address);

	if (before && after) {
		arena->holes[at].bytes = before;
		hole_insert(arena, at + 1, address + room, after);
	} else if (before) {
		arena->holes[at].bytes = before;
	} else if (after) {
		arena->holes[at] = (struct hole){address + room, after};
	} else {
		hole_remove(arena, at);
	}
	memmove(arena->live + place + 1, arena->live + place,
	        (arena->live_count - place) * sizeof *arena->live);
	arena->live[place] = (struct hetckpt_arena_allocation){address, bytes, room, tag};
	arena->live_count++;
	arena->used += room;
}

static uint64_t round_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

int hetckpt_arena_alloc(struct hetckpt_arena *arena, uint64_t bytes, uint64_t align, uint64_t tag,
                        uint64_t *address)
{
	uint64_t room, best_address = 0, best_bytes = UINT64_MAX;
	size_t best = SIZE_MAX;

	if (!bytes || (align & (align - 1)))
		return -EINVAL;
	if (bytes > arena->bytes || align > arena->bytes)
		return -ENOMEM;
	if (align < HETCKPT_ARENA_ALIGN)
		align = HETCKPT_ARENA_ALIGN;
	room = round_up(bytes, HETCKPT_ARENA_ALIGN);
	if (make_room(arena))
		return -ENOMEM;
	for (size_t i = 0; i < arena->hole_count; i++) {
		struct hole hole = arena->holes[i];
		uint64_t at = round_up(hole.address, align);

		if (hole.bytes >= best_bytes || at - hole.address >= hole.bytes ||
		    hole.bytes - (at - hole.address) < room)
			continue;
		best = i;
		best_address = at;
		best_bytes = hole.bytes;
	}
	if (best == SIZE_MAX)
		return -ENOMEM;
	take(arena, best, best_address, bytes, room, tag);
	*address = best_address;
	return 0;
}

int hetckpt_arena_claim(struct hetckpt_arena *arena, uint64_t address, uint64_t bytes, uint64_t tag)
{
	uint64_t room;
	size_t at;

	if (!bytes || address % HETCKPT_ARENA_ALIGN || address < arena->base ||
	    address - arena->base >= arena->bytes ||
	    bytes > arena->bytes - (address - arena->base))
		return -EINVAL;
	room = round_up(bytes, HETCKPT_ARENA_ALIGN);
	if (make_room(arena))
		return -ENOMEM;
	at = hole_after(arena, address);
	if (!at)
		return -EEXIST;
	at--;
	if (address - arena->holes[at].address >= arena->holes[at].bytes ||
	    room > arena->holes[at].bytes - (address - arena->holes[at].address))
		return -EEXIST;
	take(arena, at, address, bytes, room, tag);
	return 0;
}

int hetckpt_arena_free(struct hetckpt_arena *arena, uint64_t address)
{
	size_t place = live_after(arena, address), at;
	uint64_t room;

	if (!place || arena->live[place - 1].address != address)
		return -EINVAL;
	place--;
	room = arena->live[place].room;
	arena->live_count--;
	memmove(arena->live + place, arena->live + place + 1,
	        (arena->live_count - place) * sizeof *arena->live);
	arena->used -= room;

	at = hole_after(arena, address);
	if (at && arena->holes[at - 1].address + arena->holes[at - 1].bytes == address) {
		arena->holes[at - 1].bytes += room;
		if (at < arena->hole_count && address + room == arena->holes[at].address) {
			arena->holes[at - 1].bytes += arena->holes[at].bytes;
			hole_remove(arena, at);
		}
	} else if (at < arena->hole_count && address + room == arena->holes[at].address) {
		arena->holes[at].address = address;
		arena->holes[at].bytes += room;
	} else {
		hole_insert(arena, at, address, room);
	}
	return 0;
}

const struct hetckpt_arena_allocation *hetckpt_arena_at(const struct hetckpt_arena *arena,
                                                        uint64_t address)
{
	size_t place = live_after(arena, address);

	return place && arena->live[place - 1].address == address ? &arena->live[place - 1] : NULL;
}

const struct hetckpt_arena_allocation *
hetckpt_arena_containing(const struct hetckpt_arena *arena, uint64_t address, uint64_t bytes)
{
	size_t place = live_after(arena, address);
	const struct hetckpt_arena_allocation *a;

	if (!place)
		return NULL;
	a = &arena->live[place - 1];
	return address - a->address <= a->bytes && bytes <= a->bytes - (address - a->address) ? a : NULL;
}

const struct hetckpt_arena_allocation *hetckpt_arena_list(const struct hetckpt_arena *arena,
                                                          size_t *count)
{
	*count = arena->live_count;
	return arena->live;
}

uint64_t hetckpt_arena_used(const struct hetckpt_arena *arena)
{
	return arena->used;
}
