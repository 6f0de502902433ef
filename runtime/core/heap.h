/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * heap.h - device memory at arena addresses: an arena whose allocations are backed.
 *
 * Granules are mapped when the first allocation touches them. Granules that nobody
 * uses any more stay mapped, up to a limit, because mapping costs far more than
 * allocating; they count as free. Not thread safe.
 */
#ifndef HETCKPT_CORE_HEAP_H
#define HETCKPT_CORE_HEAP_H

#include "arena.h"
#include "dev.h"

struct hetckpt_heap {
	struct hetckpt_dev *dev;      /* not owned */
	struct hetckpt_arena *arena;
	uint64_t base, granules;
	uint32_t *users;              /* allocations that touch a granule */
	unsigned char *mapped;        /* one byte a granule */
	uint64_t idle;                /* mapped granules without users */
	uint64_t high;                /* one past the last granule ever mapped */
};

/* base and bytes are multiples of the granule. */
int hetckpt_heap_init(struct hetckpt_heap *memory, struct hetckpt_dev *dev, uint64_t base,
                        uint64_t bytes, struct hetckpt_error *error);

/* Unmaps everything. Safe on a zeroed struct. */
void hetckpt_heap_destroy(struct hetckpt_heap *memory);

/* As hetckpt_arena_alloc and hetckpt_arena_claim, mapped. Contents are unspecified. */
int hetckpt_heap_alloc(struct hetckpt_heap *memory, uint64_t bytes, uint64_t align,
                         uint64_t tag, uint64_t *address, struct hetckpt_error *error);
int hetckpt_heap_claim(struct hetckpt_heap *memory, uint64_t address, uint64_t bytes,
                         uint64_t tag, struct hetckpt_error *error);

/* -EINVAL: no allocation starts there. No queue uses it. */
int hetckpt_heap_free(struct hetckpt_heap *memory, uint64_t address,
                        struct hetckpt_error *error);

/* Unmaps all granules without users. True if there were any. */
int hetckpt_heap_trim(struct hetckpt_heap *memory);

#endif
