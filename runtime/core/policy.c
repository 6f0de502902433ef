/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "policy.h"

/* Below this a launch is not worth the run variant: nothing is gained by pausing inside
   it, and the run variant keeps what follows from being issued ahead. */
#define SHORT_NS 1e6
#define SLICE_NS 1e6
/* A first slice of a kernel that was never measured. */
#define PROBE_WAVES 4
/* Past its first launches a kernel is timed now and then. */
#define MEASURE_FIRST 3
#define MEASURE_EVERY 32

static uint64_t waves(uint64_t blocks, uint32_t resident)
{
	return resident ? (blocks + resident - 1) / resident : blocks;
}

static int find(const struct hetckpt_history *history, uint32_t threads)
{
	for (int i = 0; i < HETCKPT_HISTORY_SIZES; i++)
		if (history->size[i].threads == threads)
			return i;
	return -1;
}

void hetckpt_history_note(struct hetckpt_history *history, uint32_t threads, uint64_t blocks,
                          uint32_t resident, double ns)
{
	int at = find(history, threads);
	double wave = ns / (double)(blocks ? waves(blocks, resident) : 1);

	if (at < 0)
		at = find(history, 0);
	if (at < 0) {
		/* A fifth size takes the place of the least used one. */
		at = 0;
		for (int i = 1; i < HETCKPT_HISTORY_SIZES; i++)
			if (history->size[i].launches < history->size[at].launches)
				at = i;
		history->size[at].launches = 0;
	}
	if (history->size[at].threads != threads) {
		history->size[at].wave_ns = 0;
		history->size[at].skipped = 0;
	}
	history->size[at].threads = threads;
	history->size[at].launches++;
	/*
	 * The same kernel takes ten times as long with other arguments. Taking a long launch
	 * for a short one costs a pause that waits for it; the other mistake costs a
	 * percent. So the slowest counts, and is forgotten slowly.
	 */
	if (wave >= history->size[at].wave_ns)
		history->size[at].wave_ns = wave;
	else
		history->size[at].wave_ns += (wave - history->size[at].wave_ns) / 8;
}

double hetckpt_history_estimate(const struct hetckpt_history *history, uint32_t threads,
                                uint64_t blocks, uint32_t resident)
{
	int at = find(history, threads);

	if (at < 0 || !threads)
		return 0;
	return history->size[at].wave_ns * (double)waves(blocks, resident);
}

int hetckpt_history_wants(struct hetckpt_history *history, uint32_t threads)
{
	int at = find(history, threads);

	if (at < 0 || history->size[at].launches < MEASURE_FIRST)
		return 1;
	if (++history->size[at].skipped < MEASURE_EVERY)
		return 0;
	history->size[at].skipped = 0;
	return 1;
}

struct hetckpt_launch_choice hetckpt_policy_choose(const struct hetckpt_launch_facts *facts)
{
	struct hetckpt_launch_choice choice = {HETCKPT_LAUNCH_WHOLE, facts->blocks};
	uint64_t fit;

	/* Only the original exists. Block numbers in frame tables have 32 bits. */
	if (!facts->pausable || !facts->resident || facts->blocks >= UINT32_MAX || facts->original)
		return (struct hetckpt_launch_choice){HETCKPT_LAUNCH_ORIGINAL, facts->blocks};
	/* Blocks that wait for others and cannot park: one that has begun may wait for one that
	   the flag kept from beginning, and no pause would ever end. */
	if ((facts->waits || facts->cooperative) && !facts->polls)
		return (struct hetckpt_launch_choice){HETCKPT_LAUNCH_ORIGINAL, facts->blocks};
	/* A launch that ends within a millisecond is paused by waiting for it. */
	if (!facts->stress && facts->expected_ns > 0 && facts->expected_ns < SHORT_NS)
		return (struct hetckpt_launch_choice){HETCKPT_LAUNCH_ORIGINAL, facts->blocks};
	/* Blocks that wait for each other must be able to meet: never cut such a grid. The same
	   holds for any grid that fits at once, whose author may count on that. */
	if (facts->waits || facts->cooperative || facts->blocks <= facts->resident)
		return choice;
	/* Long blocks that poll park where they stand: cutting the grid would only leave
	   the device half empty at each cut. Short blocks do not poll, and a slice is how far
	   the device must run before it holds still. */
	fit = facts->expected_ns > 0
		? (uint64_t)((double)facts->blocks * (SLICE_NS / facts->expected_ns))
		: (uint64_t)PROBE_WAVES * facts->resident;
	if (facts->polls && (facts->expected_ns <= 0 || fit < (uint64_t)8 * facts->resident))
		return choice;
	if (fit < facts->resident)
		fit = facts->resident;
	if (fit >= facts->blocks)
		return choice;
	choice.mode = HETCKPT_LAUNCH_SLICED;
	choice.slice = fit;
	return choice;
}

uint64_t hetckpt_policy_next_slice(uint64_t slice, uint32_t resident, double ns)
{
	double factor = ns > 0 ? SLICE_NS / ns : 2;
	double next;

	/* Doubling at most: the first slices run on a cold device, and blocks differ. */
	if (factor > 2)
		factor = 2;
	if (factor < 0.25)
		factor = 0.25;
	next = (double)slice * factor;
	/* Whole waves, so that a slice does not end with a nearly empty device. */
	slice = (uint64_t)(next / resident + 0.5) * resident;
	return slice < resident ? resident : slice;
}
