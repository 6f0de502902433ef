/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * launch.h - a launch that can be paused, in flight: its blocks, where they are, and how they come
 * back. The argument why none is lost or run twice is in launch.c.
 *
 * Called under the core's lock.
 */
#ifndef HETCKPT_CORE_LAUNCH_H
#define HETCKPT_CORE_LAUNCH_H

#include "core_internal.h"

#define HETCKPT_LAUNCH_PARTS 8

/* Blocks handed to the device in one hardware launch. */
struct hetckpt_part {
	bool resume;                       /* resume variant over list, else run variant */
	uint64_t first, count;             /* run variant: block numbers */
	struct hetckpt_block_ref *list;    /* resume variant: [count] */
	uint64_t list_address;
	struct hetckpt_marker *marker;
	struct hetckpt_marker *start;      /* NULL: not timed, or follows the part before */
	unsigned lane;                     /* 0: in the stream's queue, else in one beside it */
	bool looks;                        /* its blocks do not begin once the flag is up */
	bool ended;
};

struct hetckpt_flight {
	struct hetckpt_function *function;
	struct hetckpt_queue *lane[HETCKPT_LANES]; /* the stream's queue; those beside it */
	unsigned lanes;                    /* in which parts take turns */
	uint32_t grid[3], block[3], threads, dynamic_shared, flags;
	uint64_t total;
	uint32_t resident;                 /* blocks that run at once */
	uint32_t capacity;                 /* of frame tables */
	uint64_t group_bytes;
	unsigned char *params;             /* padded to 8, then room for the launch record */
	uint32_t param_bytes, record_at;   /* record_at: offset of the record */

	struct hetckpt_blocks todo;        /* not on the device */
	uint64_t done;                     /* ended blocks */
	struct hetckpt_frames *resume;     /* groups of parked blocks in todo and parts */
	struct hetckpt_frames *park;       /* where blocks on the device park */
	struct hetckpt_bytemap *unstarted;  /* where they note that they did not begin */

	struct hetckpt_part part[HETCKPT_LAUNCH_PARTS]; /* on the device, oldest first */
	unsigned parts;
	uint64_t epoch;                    /* of the flag, before the oldest part was issued */
	bool disturbed;                    /* some part may have seen the flag */
	uint64_t slice;                    /* blocks of a part, learned; 0: parts are pieces */
	uint64_t piece;                    /* blocks of a piece */
	double piece_ns;                   /* what the last part took, 0: not known */
	double expected_ns;                /* of the whole launch; 0: not known */
	bool chained;                      /* handed over behind another launch of its stream */
	bool guarded;                      /* one in front may come back: no block may begin then */
	bool cleared;                      /* tables may have been cleared in the queue, and no part was
	                                      handed over since */
	uint64_t last_when;                /* device time when the last part ended, or what was before
	                                      the first one in the stream; 0: not known */
	uint64_t began;                    /* device time when the first part began, 0: not known */
	uint32_t issued;                   /* parts so far, of an undisturbed launch */
	uint64_t timed;                    /* their blocks */
	bool whole;                        /* nothing has disturbed it so far: worth timing */
};

/*
 * Decides how to run a launch message. next (NULL: not there yet) is the command behind it in its
 * stream. *launch NULL: the original kernel, for the caller to issue; *expected is its expected
 * time in ns, 0 if unknown. Fails with a cudaError_t of the application's for a configuration that
 * cannot run.
 */
int hetckpt_launch_prepare(struct hetckpt_core *core, struct hetckpt_stream *stream,
                           const struct hetckpt_msg_launch *msg, const struct hetckpt_command *next,
                           struct hetckpt_flight **launch, double *expected, uint32_t *resident,
                           struct hetckpt_error *error);

/* Makes the queues that the launch goes into, at first use. They stay the same as long as it lasts. */
int hetckpt_launch_queues(struct hetckpt_core *core, struct hetckpt_flight *launch, struct hetckpt_stream *stream,
                          struct hetckpt_error *error);

/* Hands as much to the device as it should have, which already has so many slices of launches in front
   of it in the stream; that may be nothing if the core is just being stopped. Then nothing else of it is
   in the queue either, unless it is chained. */
int hetckpt_launch_issue(struct hetckpt_core *core, struct hetckpt_flight *launch, unsigned in_front,
                         struct hetckpt_error *error);

/* When its parts have ended, blocks of it may be left: they have parked, or have not begun. */
bool hetckpt_launch_may_come_back(const struct hetckpt_flight *launch);

/* How many slices of it are on the device. */
unsigned hetckpt_launch_slices(const struct hetckpt_flight *launch);

/*
 * Notes parts that have ended; *moved if any. What an undisturbed one was of is done; if the flag may have
 * been seen, blocks must be collected once the launch is over. An error means that the device is broken.
 */
int hetckpt_launch_poll(struct hetckpt_core *core, struct hetckpt_flight *launch, bool *moved,
                        struct hetckpt_error *error);

/* All parts have ended, and some may have seen the flag. */
bool hetckpt_launch_over(const struct hetckpt_flight *launch);

/* Launches that stand behind another one in its stream. */
struct hetckpt_behind {
	struct hetckpt_flight *launch[HETCKPT_CHAIN_LAUNCHES];
	unsigned count;
};

/* Finds out, of a launch that is over, who parked and who did not begin; those behind it must be over,
   too. Unless it is finished then, they can be freed, as if they had never been handed over. An error means
   that the device or the kernel's code is broken. */
int hetckpt_launch_collect(struct hetckpt_core *core, struct hetckpt_flight *launch,
                           const struct hetckpt_behind *behind, struct hetckpt_error *error);

/* Frees what a part that is not on the device holds, and zeroes it. */
void hetckpt_part_clear(struct hetckpt_core *core, struct hetckpt_part *part);

/* No block is left anywhere. */
bool hetckpt_launch_finished(const struct hetckpt_flight *launch);

/*
 * A launch as a snapshot knows it: not on the device. params (param_bytes) are copied; todo is
 * moved in. parked groups are numbered 0.. in resume (stolen; NULL if none are parked).
 * Fails if this device cannot carry it on.
 */
int hetckpt_launch_restore(struct hetckpt_core *core, struct hetckpt_function *function,
                           const uint32_t grid[3], const uint32_t block[3],
                           uint32_t dynamic_shared, uint32_t flags, const void *params,
                           uint32_t param_bytes, struct hetckpt_blocks *todo,
                           struct hetckpt_frames *resume, uint64_t done,
                           struct hetckpt_flight **launch, struct hetckpt_error *error);

/* Frees. Nothing of it is on the device, or the device has failed. */
void hetckpt_launch_free(struct hetckpt_core *core, struct hetckpt_flight *launch);

#endif
