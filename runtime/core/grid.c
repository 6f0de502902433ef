/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "grid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void hetckpt_blocks_free(struct hetckpt_blocks *blocks)
{
	free(blocks->parked);
	free(blocks->ranges);
	memset(blocks, 0, sizeof *blocks);
}

static int grow(void **array, size_t *room, size_t count, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *grown;

	if (count < *room)
		return 0;
	grown = realloc(*array, wanted * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = wanted;
	return 0;
}

int hetckpt_blocks_add_parked(struct hetckpt_blocks *blocks, uint32_t block, uint32_t group)
{
	int rc = grow((void **)&blocks->parked, &blocks->parked_room, blocks->parked_count,
	              sizeof *blocks->parked);

	if (!rc)
		blocks->parked[blocks->parked_count++] = (struct hetckpt_block_ref){block, group};
	return rc;
}

int hetckpt_blocks_add_range(struct hetckpt_blocks *blocks, uint64_t first, uint64_t count)
{
	struct hetckpt_range *last;
	int rc;

	if (!count)
		return 0;
	/* The usual case: one behind the other. */
	last = blocks->range_count ? &blocks->ranges[blocks->range_count - 1] : NULL;
	if (last && last->first + last->count == first) {
		last->count += count;
		return 0;
	}
	rc = grow((void **)&blocks->ranges, &blocks->range_room, blocks->range_count,
	          sizeof *blocks->ranges);
	if (!rc)
		blocks->ranges[blocks->range_count++] = (struct hetckpt_range){first, count};
	return rc;
}

static int by_first(const void *a, const void *b)
{
	const struct hetckpt_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static int by_block(const void *a, const void *b)
{
	const struct hetckpt_block_ref *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

void hetckpt_blocks_normalize(struct hetckpt_blocks *blocks)
{
	size_t kept = 0, ordered = 1;

	while (ordered < blocks->parked_count && blocks->parked[ordered - 1].block <= blocks->parked[ordered].block)
		ordered++;
	if (ordered < blocks->parked_count)
		qsort(blocks->parked, blocks->parked_count, sizeof *blocks->parked, by_block);
	if (blocks->range_count < 2)
		return;
	qsort(blocks->ranges, blocks->range_count, sizeof *blocks->ranges, by_first);
	for (size_t i = 1; i < blocks->range_count; i++) {
		struct hetckpt_range *last = &blocks->ranges[kept];

		if (last->first + last->count == blocks->ranges[i].first)
			last->count += blocks->ranges[i].count;
		else
			blocks->ranges[++kept] = blocks->ranges[i];
	}
	blocks->range_count = kept + 1;
}

uint64_t hetckpt_blocks_unstarted(const struct hetckpt_blocks *blocks)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < blocks->range_count; i++)
		sum += blocks->ranges[i].count;
	return sum;
}

void hetckpt_blocks_take_front(struct hetckpt_blocks *blocks, uint64_t count)
{
	struct hetckpt_range *front = blocks->ranges;

	front->first += count;
	front->count -= count;
	if (front->count)
		return;
	blocks->range_count--;
	memmove(front, front + 1, blocks->range_count * sizeof *front);
}

size_t hetckpt_blocks_take_list(struct hetckpt_blocks *blocks, struct hetckpt_block_ref *list,
                                size_t count)
{
	size_t used = 0, range = 0;

	while (used < count && range < blocks->range_count) {
		struct hetckpt_range *r = &blocks->ranges[range];

		for (; used < count && r->count; r->first++, r->count--)
			list[used++] = (struct hetckpt_block_ref){(uint32_t)r->first, HETCKPT_NO_GROUP};
		if (!r->count)
			range++;
	}
	if (!range)
		return used;
	blocks->range_count -= range;
	memmove(blocks->ranges, blocks->ranges + range, blocks->range_count * sizeof *blocks->ranges);
	return used;
}

struct hetckpt_box hetckpt_grid_box(const uint32_t grid[3], uint64_t first, uint64_t limit)
{
	uint64_t row = grid[0], plane = (uint64_t)grid[0] * grid[1];
	uint32_t x = (uint32_t)(first % row), y = (uint32_t)(first / row % grid[1]);
	uint32_t z = (uint32_t)(first / plane);
	struct hetckpt_box box = {.base = {x, y, z}, .size = {1, 1, 1}};
	uint64_t n;

	if (x || limit < row) {
		n = row - x;
		box.size[0] = (uint32_t)(n < limit ? n : limit);
	} else if (y || limit < plane) {
		n = grid[1] - y;
		box.size[0] = grid[0];
		box.size[1] = (uint32_t)(n < limit / row ? n : limit / row);
	} else {
		n = grid[2] - z;
		box.size[0] = grid[0];
		box.size[1] = grid[1];
		box.size[2] = (uint32_t)(n < limit / plane ? n : limit / plane);
	}
	box.count = (uint64_t)box.size[0] * box.size[1] * box.size[2];
	return box;
}
