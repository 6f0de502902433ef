/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "policy.h"

/*
 * Below HETCKPT_SHORT_NS a launch is not worth the run variant: a pause waits for it no longer than
 * for kernels to park, and an event for each launch would be felt. The same where what follows in the
 * stream is no launch, and so would have to wait on the host for the end of one that can pause: that
 * costs some 15 us a launch.
 */
#define FOLLOWED_NS 4e5
#define SLICE_NS 1e6
/*
 * Where slices overlap a cut costs a launch and no more. A pause waits for all blocks on the device that
 * never poll; of those that do, the ones that have not begun still have to begin, 0.7 to 1 ns each on an
 * H200, when others have parked or ended. So slices are short, and there are only as many on the device
 * as the host needs to hand over the next in time.
 */
#define OVERLAPPING_NS 8e4
#define OVERLAPPING_POLLS_NS 1.2e5
/* Waves of such a slice if blocks poll, and what a grid must have for it. */
#define OVERLAPPING_WAVES 2
#define OVERLAPPING_LEAST 8
/*
 * Where not even that fits: blocks are long, and may take very different times. Places that the last
 * slice but one has left empty while its slowest blocks run are filled by what is behind it, if that is
 * enough; and if it is too much, a pause waits for it to begin.
 */
#define OVERLAPPING_LONG_WAVES 6
#define OVERLAPPING_LONG_BLOCKS 8192u
/* A first slice of a kernel that was never measured. */
#define PROBE_WAVES 4
/* Past its first launches a kernel is timed now and then. */
#define MEASURE_FIRST 3
#define MEASURE_EVERY 32
/* How fast a slow launch is forgotten: half after 180 faster ones. */
#define FORGET 256
#define KNOWN_LAUNCHES 64
/*
 * Waves of a piece. When the flag goes up, blocks that have not begun still have to begin and
 * return, a few microseconds a wave: so of a large grid only a part is on the device. A piece ends
 * with some multiprocessors idle for a part of a wave, and costs a launch.
 */
#define PIECE_WAVES 48
#define PIECE_BLOCKS 16384u

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
	 * The same kernel takes a thousand times as long with other arguments or data. Taking a long
	 * launch for a short one costs a pause that waits for it; the other mistake costs a
	 * percent. So the slowest counts, and is forgotten slowly: searches come to their widest level
	 * once in hundreds. Not the very first, which finds everything cold.
	 */
	if (wave >= history->size[at].wave_ns || history->size[at].launches == 2)
		history->size[at].wave_ns = wave;
	else
		history->size[at].wave_ns += (wave - history->size[at].wave_ns) / FORGET;
}

void hetckpt_history_confirm(struct hetckpt_history *history, uint32_t threads)
{
	int at = find(history, threads);

	if (at >= 0 && threads)
		history->size[at].launches++;
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

int hetckpt_history_knows(const struct hetckpt_history *history, uint32_t threads)
{
	int at = find(history, threads);

	return at >= 0 && threads && history->size[at].launches >= KNOWN_LAUNCHES;
}

uint64_t hetckpt_policy_piece(uint64_t blocks, uint32_t resident)
{
	uint64_t most = (uint64_t)PIECE_WAVES * resident, pieces;

	if (most < PIECE_BLOCKS)
		most = PIECE_BLOCKS;
	if (!resident || blocks <= most)
		return blocks;
	/* Equal ones, of whole waves. */
	pieces = (blocks + most - 1) / most;
	return ((blocks + pieces - 1) / pieces + resident - 1) / resident * resident;
}

/* Ends so soon that a pause had better wait for it? */
static int ends_soon(const struct hetckpt_launch_facts *facts)
{
	if (facts->stress || facts->expected_ns <= 0)
		return 0;
	/* Kernels that poll have loops whose length nobody knows. */
	if (facts->polls && !facts->known)
		return 0;
	return facts->expected_ns < (facts->short_ns > 0 ? facts->short_ns : HETCKPT_SHORT_NS) ||
	       (facts->followed && facts->expected_ns < FOLLOWED_NS);
}

/* What a slice should take. */
static double slice_ns(int polls, int overlaps)
{
	return !overlaps ? SLICE_NS : polls ? OVERLAPPING_POLLS_NS : OVERLAPPING_NS;
}

/* Blocks of a slice if `fit` would take that long. */
static uint64_t slice_blocks(double fit, uint32_t resident, int polls, int overlaps)
{
	uint64_t waves;

	if (!polls || !overlaps)
		return fit > resident ? (uint64_t)fit : resident;
	if (fit >= resident)
		return fit > OVERLAPPING_WAVES * resident ? (uint64_t)fit : (uint64_t)OVERLAPPING_WAVES * resident;
	waves = OVERLAPPING_LONG_BLOCKS / resident;
	waves = waves > OVERLAPPING_LONG_WAVES ? OVERLAPPING_LONG_WAVES : waves;
	return (waves < OVERLAPPING_WAVES ? OVERLAPPING_WAVES : waves) * resident;
}

struct hetckpt_launch_choice hetckpt_policy_choose(const struct hetckpt_launch_facts *facts)
{
	struct hetckpt_launch_choice choice = {HETCKPT_LAUNCH_WHOLE, facts->blocks};
	double fit;

	/* Only the original exists. Block numbers in frame tables have 32 bits. */
	if (!facts->pausable || !facts->resident || facts->blocks >= UINT32_MAX || facts->original)
		return (struct hetckpt_launch_choice){HETCKPT_LAUNCH_ORIGINAL, facts->blocks};
	/* Blocks that wait for others and cannot park: one that has begun may wait for one that
	   the flag kept from beginning, and no pause would ever end. */
	if ((facts->waits || facts->cooperative) && !facts->polls)
		return (struct hetckpt_launch_choice){HETCKPT_LAUNCH_ORIGINAL, facts->blocks};
	if (ends_soon(facts))
		return (struct hetckpt_launch_choice){HETCKPT_LAUNCH_ORIGINAL, facts->blocks};
	/* Blocks that wait for each other must be able to meet: never cut such a grid. The same
	   holds for any grid that fits at once, whose author may count on that. */
	if (facts->waits || facts->cooperative || facts->blocks <= facts->resident)
		return choice;
	/* Where the device looks before a block begins, those that need not begin cost next to nothing, whether
	   the others poll or end soon. */
	if (facts->looks)
		return choice;
	/* Long blocks that poll park where they stand: cutting the grid finely would only leave
	   the device half empty at each cut, unless slices overlap. Short blocks do not poll, and end or do not begin; a slice
	   bounds how many of them have to begin in vain. */
	choice.slice = hetckpt_policy_piece(facts->blocks, facts->resident);
	fit = facts->expected_ns > 0
		? (double)facts->blocks * (slice_ns(facts->polls, facts->overlaps) / facts->expected_ns)
		: (double)PROBE_WAVES * facts->resident;
	if (facts->polls && facts->overlaps) {
		if (facts->blocks < (uint64_t)OVERLAPPING_LEAST * facts->resident)
			return choice;
	} else if (facts->polls && (facts->expected_ns <= 0 || fit < 8.0 * facts->resident)) {
		return choice;
	}
	choice.slice = slice_blocks(fit, facts->resident, facts->polls, facts->overlaps);
	if (choice.slice >= facts->blocks)
		choice.slice = facts->blocks;
	else
		choice.mode = HETCKPT_LAUNCH_SLICED;
	return choice;
}

uint64_t hetckpt_policy_next_slice(uint64_t slice, uint32_t resident, double ns, int polls, int overlaps)
{
	double factor = ns > 0 ? slice_ns(polls, overlaps) / ns : 2, next;

	/* Doubling at most: the first slices run on a cold device, and blocks differ. */
	if (factor > 2)
		factor = 2;
	if (factor < 0.25)
		factor = 0.25;
	next = (double)slice * factor;
	/* Whole waves, so that a slice does not end with a nearly empty device. */
	next = (double)((uint64_t)(next / resident + 0.5) * resident);
	if (next < resident)
		next = resident;
	/* What a wave takes decides whether blocks are long, not how far one step goes. */
	if (ns / (double)slice * resident > slice_ns(polls, overlaps))
		next = 0;
	return slice_blocks(next, resident, polls, overlaps);
}
