/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * dedupe.h - recognises chunks with equal content while they are being written.
 *
 * Chunks are numbered in the order of the file. Workers finish in any order,
 * yet of equal chunks the first in order must be the one that is stored, or the
 * file would depend on timing. So a worker claims the content it has hashed:
 * who comes with a higher number than the claim's need not compress. A lower
 * number takes the claim over. When chunks are then written, in order, the
 * first of each content registers where it is stored.
 *
 * All functions may be called from any thread.
 */
#ifndef HETCKPT_SNAPSHOT_DEDUPE_H
#define HETCKPT_SNAPSHOT_DEDUPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/snapshot/format.h"

struct hetckpt_snap_dedupe;

struct hetckpt_snap_key {
	struct hetckpt_hash hash;
	uint64_t guard;  /* second hash, seeded */
	uint64_t length; /* of the content */
};

/* NULL if there is no memory. */
struct hetckpt_snap_dedupe *hetckpt_snap_dedupe_create(void);
void hetckpt_snap_dedupe_free(struct hetckpt_snap_dedupe *table);

/* 1 if a chunk with a lower number has this content, 0 if chunk number claims it,
   or -ENOMEM. */
int hetckpt_snap_dedupe_claim(struct hetckpt_snap_dedupe *table, const struct hetckpt_snap_key *key,
	uint64_t number);

/* True if a chunk with this content has been stored; *chunk is then its entry. */
bool hetckpt_snap_dedupe_find(struct hetckpt_snap_dedupe *table, const struct hetckpt_snap_key *key,
	struct hetckpt_snap_chunk *chunk);

/* Registers where claimed content is stored. */
void hetckpt_snap_dedupe_stored(struct hetckpt_snap_dedupe *table, const struct hetckpt_snap_key *key,
	const struct hetckpt_snap_chunk *chunk);

#endif
