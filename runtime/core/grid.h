/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * grid.h - the blocks of a launch that have not ended: which, and how to launch them.
 *
 * Blocks are numbered x + grid.x * (y + grid.y * z), below 2^32. A set holds parked
 * blocks one by one (there are never more than a device holds at once) and blocks
 * that have not begun as ranges (there may be billions).
 */
#ifndef HETCKPT_CORE_GRID_H
#define HETCKPT_CORE_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "include/hetckpt/abi.h"

struct hetckpt_range {
	uint64_t first, count;
};

struct hetckpt_blocks {
	struct hetckpt_block_ref *parked; /* in order after hetckpt_blocks_normalize */
	size_t parked_count, parked_room;
	struct hetckpt_range *ranges;   /* in order and apart, after hetckpt_blocks_normalize */
	size_t range_count, range_room;
};

/* Zeroed is empty. */
void hetckpt_blocks_free(struct hetckpt_blocks *blocks);

/* Both: 0 or -ENOMEM. */
int hetckpt_blocks_add_parked(struct hetckpt_blocks *blocks, uint32_t block, uint32_t group);
int hetckpt_blocks_add_range(struct hetckpt_blocks *blocks, uint64_t first, uint64_t count);

/* Sorts the parked blocks, and the ranges, of which it joins those that touch. */
void hetckpt_blocks_normalize(struct hetckpt_blocks *blocks);

/* Blocks that have not begun. */
uint64_t hetckpt_blocks_unstarted(const struct hetckpt_blocks *blocks);

/* Nothing left. */
static inline int hetckpt_blocks_empty(const struct hetckpt_blocks *blocks)
{
	return !blocks->parked_count && !blocks->range_count;
}

/* Removes the first count blocks of the first range, which has that many. */
void hetckpt_blocks_take_front(struct hetckpt_blocks *blocks, uint64_t count);

/* Moves up to count blocks out of the ranges to list, as blocks that start afresh.
   Returns how many. */
size_t hetckpt_blocks_take_list(struct hetckpt_blocks *blocks, struct hetckpt_block_ref *list,
                                size_t count);

/* ---- Boxes ------------------------------------------------------------- */

/* A box of blocks that is one run of block numbers. */
struct hetckpt_box {
	uint32_t base[3], size[3];
	uint64_t count;
};

/*
 * The largest box that starts with block first and holds at most limit blocks (> 0):
 * part of a row, whole rows of a plane, or whole planes, as the hardware's grids are boxes
 * and a launch record moves one by an offset. first < the grid's blocks.
 */
struct hetckpt_box hetckpt_grid_box(const uint32_t grid[3], uint64_t first, uint64_t limit);

static inline uint64_t hetckpt_grid_blocks(const uint32_t grid[3])
{
	/* At most 2^31 * 2^16 * 2^16: no overflow for grids that CUDA allows. */
	return (uint64_t)grid[0] * grid[1] * grid[2];
}

#endif
