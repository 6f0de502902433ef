/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct table {
	const struct hetckpt_map_kernel *kernel;
	const struct machine_launch *launch;
	struct hetckpt_frame_table *header; /* start of the memory */
	size_t bytes;
	uint32_t *keys;
	unsigned char *groups;
	struct hetckpt_block_ref *list;
	uint32_t blocks, threads;
	uint64_t group_bytes;
};

static uint64_t pad16(uint64_t n)
{
	return (n + 15) / 16 * 16;
}

/* The sizes of abi.h. */
static uint64_t group_bytes(const struct hetckpt_map_kernel *k, uint32_t n, uint32_t dynamic)
{
	uint64_t slots = (uint64_t)n * (8ull * k->slots[0] + 4ull * k->slots[1] + 2ull * k->slots[2] + k->slots[3]);
	uint64_t bytes = pad16(4ull * n) + pad16(slots);

	if (k->scope == HETCKPT_SCOPE_BLOCK)
		bytes += pad16(pad16(k->static_shared) + dynamic);
	return bytes;
}

struct table *table_make(const struct hetckpt_map_kernel *kernel, const struct machine_launch *launch,
                         uint32_t blocks)
{
	struct table *t = calloc(1, sizeof *t);
	uint32_t done = HETCKPT_SP_DONE;
	size_t keys, list;
	char *at;

	if (!t)
		abort();
	t->kernel = kernel;
	t->launch = launch;
	t->blocks = blocks;
	t->threads = launch->block[0] * launch->block[1] * launch->block[2];
	t->group_bytes = group_bytes(kernel, t->threads, launch->dynamic_shared);
	keys = pad16(4ull * blocks);
	list = pad16(sizeof *t->list * blocks);
	/* One group more than there are, which nobody may touch. */
	t->bytes = 64 + keys + list + t->group_bytes * (blocks + 1);
	at = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		abort();
	t->header = (void *)at;
	t->keys = (void *)(at + 64);
	t->list = (void *)(at + 64 + keys);
	t->groups = (void *)(at + 64 + keys + list);
	t->header->capacity = blocks;
	t->header->threads = t->threads;
	t->header->group_bytes = t->group_bytes;
	t->header->keys = (uintptr_t)t->keys;
	t->header->groups = (uintptr_t)t->groups;
	memset(t->groups, 0xee, t->group_bytes * (blocks + 1));
	for (uint32_t b = 0; b < blocks; b++)
		for (uint32_t i = 0; i < t->threads; i++)
			memcpy(t->groups + b * t->group_bytes + 4ull * i, &done, 4);
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	memset(t->header, 0xdb, t->bytes);
	munmap(t->header, t->bytes);
	free(t);
}

uint64_t table_address(const struct table *t) { return (uintptr_t)t->header; }
uint64_t table_list(const struct table *t) { return (uintptr_t)t->list; }

uint32_t table_count(const struct table *t)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < t->blocks; i++)
		count += t->keys[i] != 0;
	return count;
}

/* Safepoints of a group: known ids; in block scope one for all that have not returned, in
   warp scope one a warp. fresh: nobody has begun. */
static int check_group(const struct table *t, uint32_t block, const unsigned char *group, bool *fresh,
                       struct machine_result *result)
{
	uint32_t unit = t->kernel->scope == HETCKPT_SCOPE_BLOCK  ? t->threads
	                : t->kernel->scope == HETCKPT_SCOPE_WARP ? 32
	                                                         : 1;
	uint32_t seen = HETCKPT_SP_DONE;

	*fresh = true;
	for (uint32_t i = 0; i < t->threads; i++) {
		uint32_t id;

		memcpy(&id, group + 4ull * i, 4);
		if (i % unit == 0)
			seen = HETCKPT_SP_DONE;
		*fresh &= id == HETCKPT_SP_START;
		if (id == HETCKPT_SP_DONE)
			continue;
		if (id > t->kernel->safepoints) {
			snprintf(result->error, sizeof result->error, "block %u, thread %u parked at safepoint %u of %u",
			         block, i, id, t->kernel->safepoints);
			return -1;
		}
		if (seen != HETCKPT_SP_DONE && id != seen) {
			snprintf(result->error, sizeof result->error,
			         "block %u, thread %u parked at safepoint %u, others of its %s at %u", block, i, id,
			         hetckpt_scope_name(t->kernel->scope), seen);
			return -1;
		}
		seen = id;
		result->parked++;
		result->paused[id]++;
	}
	return 0;
}

struct table *table_move(const struct table *from, uint64_t *random, struct machine_result *result)
{
	uint32_t count = table_count(from), at = 0;
	struct table *to = table_make(from->kernel, from->launch, count);
	unsigned char *guard = from->groups + from->blocks * from->group_bytes;

	for (uint64_t i = 0; i < from->group_bytes; i++)
		if (guard[i] != 0xee) {
			snprintf(result->error, sizeof result->error, "a frame was written behind its group");
			break;
		}
	for (uint32_t slot = 0; slot < from->blocks; slot++) {
		uint32_t group = at;
		bool fresh;

		if (!from->keys[slot])
			continue;
		memcpy(to->groups + group * to->group_bytes, from->groups + slot * from->group_bytes, to->group_bytes);
		if (check_group(from, from->keys[slot] - 1, to->groups + group * to->group_bytes, &fresh, result))
			break;
		to->list[at].block = from->keys[slot] - 1;
		to->list[at].group = fresh && machine_random(random) % 2 ? HETCKPT_NO_GROUP : group;
		at++;
	}
	for (uint32_t i = at; i > 1; i--) {
		uint32_t j = (uint32_t)(machine_random(random) % i);
		struct hetckpt_block_ref t = to->list[i - 1];

		to->list[i - 1] = to->list[j];
		to->list[j] = t;
	}
	return to;
}
