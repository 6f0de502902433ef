/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * policy.h - how a launch is run: the original kernel, the run variant whole, or in slices.
 *
 * Pure decisions, no device. The reasons are in policy.c.
 */
#ifndef HETCKPT_CORE_POLICY_H
#define HETCKPT_CORE_POLICY_H

#include <stdint.h>

/* What past launches of a function cost, by threads a block. A wave is as many blocks as
   are resident at once; a launch of less than that is one wave. */
#define HETCKPT_HISTORY_SIZES 4
struct hetckpt_history {
	struct {
		uint32_t threads;  /* 0: free */
		uint32_t launches; /* whose time is known */
		uint32_t skipped;  /* not measured since */
		double wave_ns;    /* slowest of late: rises at once, decays slowly */
	} size[HETCKPT_HISTORY_SIZES];
};

/* Notes that blocks of threads threads took ns with resident of them at once. */
void hetckpt_history_note(struct hetckpt_history *history, uint32_t threads, uint64_t blocks,
                          uint32_t resident, double ns);

/* Notes that a launch took about as long as was expected, or less. */
void hetckpt_history_confirm(struct hetckpt_history *history, uint32_t threads);

/* Expected ns of such a launch; 0: nothing is known. */
double hetckpt_history_estimate(const struct hetckpt_history *history, uint32_t threads,
                                uint64_t blocks, uint32_t resident);

/* True if the launch that is about to begin should be timed. */
int hetckpt_history_wants(struct hetckpt_history *history, uint32_t threads);

/* True if so many launches have been seen that the slowest of them says what to expect. */
int hetckpt_history_knows(const struct hetckpt_history *history, uint32_t threads);

struct hetckpt_launch_facts {
	int pausable, polls, waits, cooperative;
	int stress;           /* every pausable launch must be run so that it can pause */
	int original;         /* every launch must be run as the source has it (measurements) */
	int known;            /* hetckpt_history_knows */
	int followed;         /* what comes next in its stream cannot be queued behind a launch that pauses */
	uint64_t blocks;
	uint32_t resident;    /* of the run variant on this device */
	int overlaps;         /* slices of a launch follow one another without a gap */
	int looks;            /* the device looks at the flag before a block begins, whether it polls or not */
	double short_ns;      /* what is too short for the run variant; 0: 50 us */
	double expected_ns;   /* 0: unknown */
};

enum hetckpt_launch_mode {
	HETCKPT_LAUNCH_ORIGINAL, /* cannot pause; ends by itself */
	HETCKPT_LAUNCH_WHOLE,    /* run variant, all blocks at once or in equal pieces */
	HETCKPT_LAUNCH_SLICED    /* run variant, slices of learned size */
};

struct hetckpt_launch_choice {
	enum hetckpt_launch_mode mode;
	uint64_t slice;          /* blocks of the first slice, or of a piece */
};

struct hetckpt_launch_choice hetckpt_policy_choose(const struct hetckpt_launch_facts *facts);

/* Blocks of the next slice after one of slice blocks that took ns. */
uint64_t hetckpt_policy_next_slice(uint64_t slice, uint32_t resident, double ns, int polls, int overlaps);

/* Blocks of a piece of a grid whose blocks park where they stand; at most all of them. */
uint64_t hetckpt_policy_piece(uint64_t blocks, uint32_t resident);

/* What is too short for the run variant, if the back end does not say otherwise. */
#define HETCKPT_SHORT_NS 5e4
/* All streams together may have this much expected work on the device that a pause has to wait
   for; a stream that has none may have one command, however long. */
#define HETCKPT_RUN_AHEAD_NS(short_ns) (4 * (short_ns))
/* What any command takes of the device. */
#define HETCKPT_COMMAND_NS 2e3
/* What a launch is taken for that cannot pause, if little is known of it, or nothing. */
#define HETCKPT_DOUBTFUL_NS(short_ns) ((short_ns) / 2)
#define HETCKPT_UNKNOWN_NS(short_ns) HETCKPT_RUN_AHEAD_NS(short_ns)
/* Launches that can pause wait behind one another on the device, at most so many, and with at most
   so many bytes of frame tables: when the first is paused, the others begin only to return. */
#define HETCKPT_CHAIN_LAUNCHES 8
/* And no more once those that wait are expected to take so long: the host has time then. */
#define HETCKPT_CHAIN_NS 2.5e5
#define HETCKPT_CHAIN_BYTES ((uint64_t)384 << 20)

#endif
