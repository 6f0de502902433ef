/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "test.h"

#include "runtime/core/policy.h"

static struct hetckpt_launch_facts facts(uint64_t blocks, double expected_ns)
{
	return (struct hetckpt_launch_facts){.pausable = 1, .polls = 1, .blocks = blocks, .resident = 100,
	                                     .expected_ns = expected_ns};
}

static void choices(void **state)
{
	struct hetckpt_launch_facts f = facts(100000, 0);
	struct hetckpt_launch_choice c;

	(void)state;
	/* Unknown, polls: whole, so that it can pause. */
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	/* Unknown, does not poll: a probing slice. */
	f.polls = 0;
	c = hetckpt_policy_choose(&f);
	assert_int_equal(c.mode, HETCKPT_LAUNCH_SLICED);
	assert_true(c.slice >= 100 && c.slice < 1000);
	/* Known to be short: the original. Kernels that poll must be known for longer. */
	f = facts(100000, 2e4);
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	f.known = 1;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_ORIGINAL);
	f.stress = 1;
	assert_int_not_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_ORIGINAL);
	f = facts(100000, 2e4);
	f.polls = 0;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_ORIGINAL);
	/* Where the next command would have to wait for the host, somewhat longer ones are. */
	f = facts(100000, 2e5);
	f.known = 1;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	f.followed = 1;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_ORIGINAL);
	f.expected_ns = 6e5;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	/* Long, but the original is asked for. */
	f = facts(1000, 1e10);
	f.original = 1;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_ORIGINAL);
	/* Long with short blocks: slices of about a millisecond. */
	f = facts(1000000, 1e8);
	c = hetckpt_policy_choose(&f);
	assert_int_equal(c.mode, HETCKPT_LAUNCH_SLICED);
	assert_true(c.slice >= 5000 && c.slice <= 20000);
	/* Long with long blocks that poll: whole. */
	f = facts(1000, 1e10);
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	/* Never cut what may count on being side by side. */
	f = facts(1000000, 1e8);
	f.waits = 1;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	f.waits = 0;
	f.cooperative = 1;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	/* Blocks that wait and cannot park: not even held back at their beginning. */
	f.polls = 0;
	f.stress = 1;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_ORIGINAL);
	f = facts(100, 1e9);
	f.polls = 0;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	/* What cannot pause, or has too many blocks for a frame table. */
	f = facts(1000, 1e9);
	f.pausable = 0;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_ORIGINAL);
	f = facts(UINT32_MAX, 1e9);
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_ORIGINAL);
}

static void history(void **state)
{
	struct hetckpt_history h = {0};
	double before;

	(void)state;
	assert_true(hetckpt_history_estimate(&h, 128, 1000, 100) == 0);
	assert_true(hetckpt_history_wants(&h, 128));
	/* The first finds everything cold: the second says more. */
	hetckpt_history_note(&h, 128, 1000, 100, 1e7);
	assert_true(hetckpt_history_estimate(&h, 128, 2000, 100) > 1.9e7);
	hetckpt_history_note(&h, 128, 1000, 100, 1e6);
	assert_true(hetckpt_history_estimate(&h, 128, 2000, 100) > 1.9e6);
	assert_true(hetckpt_history_estimate(&h, 128, 2000, 100) < 2.1e6);
	assert_true(hetckpt_history_estimate(&h, 256, 2000, 100) == 0);
	/* A slow launch counts at once, a fast one slowly. */
	hetckpt_history_note(&h, 128, 1000, 100, 1e8);
	assert_true(hetckpt_history_estimate(&h, 128, 1000, 100) > 9e7);
	before = hetckpt_history_estimate(&h, 128, 1000, 100);
	hetckpt_history_note(&h, 128, 1000, 100, 1e6);
	assert_true(hetckpt_history_estimate(&h, 128, 1000, 100) < before);
	for (int i = 0; i < 100; i++)
		hetckpt_history_note(&h, 128, 1000, 100, 1e6);
	assert_true(hetckpt_history_estimate(&h, 128, 1000, 100) > before / 2);
	assert_true(hetckpt_history_knows(&h, 128));
	assert_false(hetckpt_history_knows(&h, 256));
	for (int i = 0; i < 2000; i++)
		hetckpt_history_note(&h, 128, 1000, 100, 1e6);
	assert_true(hetckpt_history_estimate(&h, 128, 1000, 100) < 1.1e6);
	/* After the first few, now and then. */
	int wanted = 0;

	for (int i = 0; i < 320; i++)
		wanted += hetckpt_history_wants(&h, 128);
	assert_int_equal(wanted, 10);
	/* More sizes than there is room for: the most used one stays. */
	for (uint32_t t = 1; t < 40; t++)
		hetckpt_history_note(&h, t, 10, 100, 1e3);
	assert_true(hetckpt_history_estimate(&h, 128, 1000, 100) > 0);
}

static void slices(void **state)
{
	uint64_t slice = 400;

	(void)state;
	/* 1 us a block of each wave of 100: settles at a millisecond. */
	for (int i = 0; i < 20; i++)
		slice = hetckpt_policy_next_slice(slice, 100, (double)slice / 100 * 1000, 0, 0);
	assert_true(slice >= 80000 && slice <= 120000);
	assert_int_equal(slice % 100, 0);
	/* Never less than a wave. */
	for (int i = 0; i < 20; i++)
		slice = hetckpt_policy_next_slice(slice, 100, 1e9, 0, 0);
	assert_int_equal(slice, 100);
}

/* Where slices overlap they are short, and grids of long blocks go in slices as well. */
static void overlapping(void **state)
{
	struct hetckpt_launch_facts f = facts(100000, 1e7);
	struct hetckpt_launch_choice c;
	uint64_t slice = 400;

	(void)state;
	f.overlaps = 1;
	/* A wave takes 10 us: 12 waves. */
	c = hetckpt_policy_choose(&f);
	assert_int_equal(c.mode, HETCKPT_LAUNCH_SLICED);
	assert_int_equal(c.slice, 1200);
	f.polls = 0;
	c = hetckpt_policy_choose(&f);
	assert_int_equal(c.mode, HETCKPT_LAUNCH_SLICED);
	assert_int_equal(c.slice, 800);
	/* A device that looks before each block needs no slices. */
	f.looks = 1;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	f.polls = 1;
	f.overlaps = 0;
	c = hetckpt_policy_choose(&f);
	assert_int_equal(c.mode, HETCKPT_LAUNCH_WHOLE);
	assert_int_equal(c.slice, 100000);
	f.overlaps = 1;
	f.looks = 0;
	/* Blocks of 70 us: two waves. Longer ones: more, for they may differ. */
	f.polls = 1;
	f.expected_ns = 7e7;
	assert_int_equal(hetckpt_policy_choose(&f).slice, 200);
	f.expected_ns = 1e10;
	c = hetckpt_policy_choose(&f);
	assert_int_equal(c.mode, HETCKPT_LAUNCH_SLICED);
	assert_int_equal(c.slice, 600);
	/* But no more blocks than begin in vain within microseconds. */
	f.resident = 2000;
	assert_int_equal(hetckpt_policy_choose(&f).slice, 8000);
	f.resident = 5000;
	assert_int_equal(hetckpt_policy_choose(&f).slice, 10000);
	f.resident = 100;
	/* Unknown ones: the first slice finds out. */
	f.expected_ns = 0;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_SLICED);
	/* Few waves are not worth it; blocks that wait for each other are never cut. */
	f.blocks = 700;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	f.blocks = 100000;
	f.waits = 1;
	assert_int_equal(hetckpt_policy_choose(&f).mode, HETCKPT_LAUNCH_WHOLE);
	for (int i = 0; i < 20; i++)
		slice = hetckpt_policy_next_slice(slice, 100, (double)slice / 100 * 1000, 1, 1);
	assert_int_equal(slice, 12000);
	for (int i = 0; i < 20; i++)
		slice = hetckpt_policy_next_slice(slice, 100, (double)slice / 100 * 1e5, 1, 1);
	assert_int_equal(slice, 200);
	slice = hetckpt_policy_next_slice(slice, 100, 1e9, 1, 1);
	assert_int_equal(slice, 600);
}

/* A grid of long blocks is cut into few pieces of whole waves. */
static void pieces(void **state)
{
	struct hetckpt_launch_facts f = facts(100000, 1e10);
	struct hetckpt_launch_choice c = hetckpt_policy_choose(&f);

	(void)state;
	assert_int_equal(c.mode, HETCKPT_LAUNCH_WHOLE);
	assert_true(c.slice < 20000 && c.slice % 100 == 0);
	assert_true(c.slice * 7 >= 100000);
	/* Not one that fits, or whose blocks wait for each other. */
	f.waits = 1;
	assert_int_equal(hetckpt_policy_choose(&f).slice, 100000);
	assert_int_equal(hetckpt_policy_piece(1000, 100), 1000);
	assert_int_equal(hetckpt_policy_piece(1000, 0), 1000);
	/* No small rest at the end. */
	c.slice = hetckpt_policy_piece(1000000, 1000);
	assert_true(1000000 % c.slice == 0 || 1000000 % c.slice > c.slice / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choices),
		cmocka_unit_test(history),
		cmocka_unit_test(slices),
		cmocka_unit_test(overlapping),
		cmocka_unit_test(pieces),
	};

	return cmocka_run_group_tests_name("core policy", tests, NULL, NULL);
}
