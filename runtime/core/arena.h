/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * arena.h - hands out addresses of a fixed range.
 *
 * Only numbers: what backs the addresses is heap.h's business. The live
 * allocations are the whole state, so a list of them recreates an arena exactly.
 * Best fit: the smallest hole that holds the request, the lowest of equals.
 * Not thread safe.
 */
#ifndef HETCKPT_CORE_ARENA_H
#define HETCKPT_CORE_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* Logical device i owns [BASE + i * BYTES, + BYTES), whatever physical device serves it.
   (A build for ThreadSanitizer, which keeps that range for itself, says others.) */
#ifndef HETCKPT_ARENA_BASE
#define HETCKPT_ARENA_BASE UINT64_C(0x200000000000)
#define HETCKPT_ARENA_BYTES ((uint64_t)1 << 40)
#endif
/* Its last part is the runtime's own: flags, frame tables, lists. Snapshots never name
   an address there, so that it need not look alike on two devices. */
#define HETCKPT_ARENA_INTERNAL_BYTES ((uint64_t)64 << 30)

#define HETCKPT_ARENA_ALIGN 256u /* what cudaMalloc guarantees */

struct hetckpt_arena_allocation {
	uint64_t address;
	uint64_t bytes;  /* as asked for, never 0 */
	uint64_t room;   /* bytes rounded up to HETCKPT_ARENA_ALIGN */
	uint64_t tag;    /* the owner's, 0 at first */
};

struct hetckpt_arena;

/* base and bytes are multiples of HETCKPT_ARENA_ALIGN. NULL: out of memory. */
struct hetckpt_arena *hetckpt_arena_create(uint64_t base, uint64_t bytes);
void hetckpt_arena_destroy(struct hetckpt_arena *arena);

/*
 * Allocates bytes (> 0) aligned to align (a power of two; at least
 * HETCKPT_ARENA_ALIGN is given). -ENOMEM: no hole is large enough, or no host memory.
 */
int hetckpt_arena_alloc(struct hetckpt_arena *arena, uint64_t bytes, uint64_t align, uint64_t tag,
                        uint64_t *address);

/* Allocates exactly there. -EEXIST: some of it is taken; -EINVAL: outside the arena, not
   aligned, or empty. */
int hetckpt_arena_claim(struct hetckpt_arena *arena, uint64_t address, uint64_t bytes, uint64_t tag);

/* Frees the allocation that starts at address. -EINVAL: there is none. */
int hetckpt_arena_free(struct hetckpt_arena *arena, uint64_t address);

/* The allocation that starts at address, or NULL. Valid until the next change. */
const struct hetckpt_arena_allocation *hetckpt_arena_at(const struct hetckpt_arena *arena,
                                                        uint64_t address);

/* The allocation that contains all of [address, address + bytes), or NULL. */
const struct hetckpt_arena_allocation *
hetckpt_arena_containing(const struct hetckpt_arena *arena, uint64_t address, uint64_t bytes);

/* All allocations in order of address; *count is set. Valid until the next change. */
const struct hetckpt_arena_allocation *hetckpt_arena_list(const struct hetckpt_arena *arena,
                                                          size_t *count);

/* Bytes in live allocations, rounded up to the alignment. */
uint64_t hetckpt_arena_used(const struct hetckpt_arena *arena);

#endif
