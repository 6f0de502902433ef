/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * frames.h - frame tables, and maps of blocks that have not begun, in device memory (abi.h).
 *
 * Both are pooled. An untouched one needs no clearing before its next use, and launches
 * that nobody pauses never touch theirs, so the usual launch costs no extra command.
 * Called under the core's lock.
 */
#ifndef HETCKPT_CORE_FRAMES_H
#define HETCKPT_CORE_FRAMES_H

#include "grid.h"
#include "heap.h"

struct hetckpt_frames {
	struct hetckpt_frames *next;   /* in the pool */
	uint64_t address;              /* of struct hetckpt_frame_table on the device */
	uint64_t bytes;                /* of the whole allocation */
	uint32_t capacity, threads;
	uint64_t group_bytes, keys, groups;
	int dirty;                     /* kernels may have written to it */
};

struct hetckpt_bytemap {
	struct hetckpt_bytemap *next;
	uint64_t address, bytes;       /* bytes: a power of two */
	int dirty;
};

struct hetckpt_frame_pool {
	struct hetckpt_dev *dev;
	struct hetckpt_heap *memory; /* the internal one */
	struct hetckpt_frames *frames;
	struct hetckpt_bytemap *bytemaps;
	uint64_t idle_bytes;
};

void hetckpt_frame_pool_init(struct hetckpt_frame_pool *pool, struct hetckpt_dev *dev,
                             struct hetckpt_heap *memory);

/* Gives all idle memory back to the internal heap. True if there was any. Queues that used
   it have ended. */
int hetckpt_frame_pool_trim(struct hetckpt_frame_pool *pool);

/*
 * A table to park into: keys zero and safepoints HETCKPT_SP_DONE once queue has reached
 * this point. -ENOMEM: the device is full.
 */
int hetckpt_frames_get(struct hetckpt_frame_pool *pool, struct hetckpt_queue *queue,
                       uint32_t capacity, uint32_t threads, uint64_t group_bytes,
                       struct hetckpt_frames **frames, struct hetckpt_error *error);

/* A table to resume from; groups hold anything, keys are not used. */
int hetckpt_frames_get_dense(struct hetckpt_frame_pool *pool, uint32_t capacity, uint32_t threads,
                             uint64_t group_bytes, struct hetckpt_frames **frames,
                             struct hetckpt_error *error);

/* Gives a table back. No queue uses it. NULL is allowed. */
void hetckpt_frames_put(struct hetckpt_frame_pool *pool, struct hetckpt_frames *frames);

/* Has the keys of a table read: capacity of them in *keys, which the caller frees, once
   hetckpt_dev_settle has returned. Key i is the number of the block parked in group i, plus 1; or 0. */
int hetckpt_frames_fetch(struct hetckpt_frame_pool *pool, const struct hetckpt_frames *frames,
                         uint32_t **keys, struct hetckpt_error *error);

/* Copies groups refs[i].group of from to groups[i] of to. Waits. */
int hetckpt_frames_move(struct hetckpt_frame_pool *pool, const struct hetckpt_frames *from,
                        const struct hetckpt_block_ref *refs, size_t count,
                        const struct hetckpt_frames *to, const uint32_t *groups,
                        struct hetckpt_error *error);

/* One group to host memory of group_bytes bytes. Waits. */
int hetckpt_frames_read(struct hetckpt_frame_pool *pool, const struct hetckpt_frames *frames,
                        uint32_t group, void *to, struct hetckpt_error *error);

/* A zeroed map (once queue has reached this point) of at least a byte a block. */
int hetckpt_bytemap_get(struct hetckpt_frame_pool *pool, struct hetckpt_queue *queue, uint64_t blocks,
                        struct hetckpt_bytemap **bytemap, struct hetckpt_error *error);
void hetckpt_bytemap_put(struct hetckpt_frame_pool *pool, struct hetckpt_bytemap *bytemap);

#endif
