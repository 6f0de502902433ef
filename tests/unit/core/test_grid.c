/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "test.h"

#include "runtime/core/grid.h"

/* Boxes cover a range, in order, each a run of block numbers, none above the limit. */
static void boxes(void **state)
{
	uint64_t random = test_seed();

	(void)state;
	for (int round = 0; round < 5000; round++) {
		uint32_t grid[3];
		uint64_t total, first, limit;

		for (int i = 0; i < 3; i++)
			grid[i] = 1 + (uint32_t)(test_random(&random) % 9);
		total = hetckpt_grid_blocks(grid);
		first = test_random(&random) % total;
		limit = 1 + test_random(&random) % (total + 3);
		while (first < total) {
			struct hetckpt_box box = hetckpt_grid_box(grid, first, limit);
			uint64_t n = 0;

			assert_true(box.count && box.count <= limit && first + box.count <= total);
			for (uint32_t z = 0; z < box.size[2]; z++)
				for (uint32_t y = 0; y < box.size[1]; y++)
					for (uint32_t x = 0; x < box.size[0]; x++, n++) {
						assert_true(box.base[0] + x < grid[0] && box.base[1] + y < grid[1] &&
						            box.base[2] + z < grid[2]);
						assert_int_equal(first + n, box.base[0] + x + grid[0] *
							(uint64_t)(box.base[1] + y + grid[1] * (box.base[2] + z)));
					}
			assert_int_equal(n, box.count);
			first += box.count;
		}
	}
}

static void whole_grid_is_one_box(void **state)
{
	uint32_t grid[3] = {70000, 60000, 3};
	struct hetckpt_box box = hetckpt_grid_box(grid, 0, UINT64_MAX);

	(void)state;
	assert_int_equal(box.count, hetckpt_grid_blocks(grid));
	assert_int_equal(box.count, 12600000000);
}

static void sets(void **state)
{
	struct hetckpt_blocks blocks = {0};
	struct hetckpt_block_ref list[64];
	uint64_t random = test_seed();

	(void)state;
	/* Any order of adding gives the same ranges. */
	for (int i = 0; i < 32; i++)
		assert_int_equal(hetckpt_blocks_add_range(&blocks, (uint64_t)(i * 11 % 32) * 10, i % 4 ? 10 : 5), 0);
	/* So do parked blocks. */
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(hetckpt_blocks_add_parked(&blocks, 1000 + i * 11 % 32, i), 0);
	hetckpt_blocks_normalize(&blocks);
	for (uint32_t i = 0; i < 32; i++) {
		assert_int_equal(blocks.parked[i].block, 1000 + i);
		assert_int_equal(1000 + blocks.parked[i].group * 11 % 32, 1000 + i);
	}
	blocks.parked_count = 0;
	assert_int_equal(hetckpt_blocks_unstarted(&blocks), 24 * 10 + 8 * 5);
	for (size_t i = 1; i < blocks.range_count; i++)
		assert_true(blocks.ranges[i - 1].first + blocks.ranges[i - 1].count < blocks.ranges[i].first);
	/* Taking them in lists and from the front gives each once, in order. */
	for (uint64_t next = 0, left = 280; left;) {
		uint64_t front = blocks.ranges[0].first, n = 1 + test_random(&random) % 9;

		assert_true(front >= next);
		if (n % 2) {
			size_t got = hetckpt_blocks_take_list(&blocks, list, n);

			assert_int_equal(got, n < left ? n : left);
			for (size_t i = 0; i < got; i++) {
				assert_true(list[i].block >= next);
				assert_int_equal(list[i].group, HETCKPT_NO_GROUP);
				next = list[i].block + 1;
			}
			left -= got;
		} else {
			n = n < blocks.ranges[0].count ? n : blocks.ranges[0].count;
			hetckpt_blocks_take_front(&blocks, n);
			next = front + n;
			left -= n;
		}
		assert_int_equal(hetckpt_blocks_unstarted(&blocks), left);
	}
	assert_true(hetckpt_blocks_empty(&blocks));
	hetckpt_blocks_free(&blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boxes),
		cmocka_unit_test(whole_grid_is_one_box),
		cmocka_unit_test(sets),
	};

	return cmocka_run_group_tests_name("core grid", tests, NULL, NULL);
}
