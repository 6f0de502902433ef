/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * stage.h - the session's stage: host memory into which the state of a paused device is
 * copied at full speed.
 *
 * It is a memory file, so that it goes from worker to worker and outlives each. A worker maps
 * it, has several threads touch it, and registers it with its back end. That takes
 * seconds for tens of GiB and is done while kernels run; what is left to do while they
 * stand still is one series of copies.
 *
 * Memory is added at the end, never moved, and stays until the session ends. It is
 * registered in pieces, because the core's lock is held around each registration; copies
 * never cross from one piece into another, since vendors' libraries take such a range for
 * memory that is not page-locked.
 */
#ifndef HETCKPT_CORE_STAGE_H
#define HETCKPT_CORE_STAGE_H

#include <stdbool.h>

#include "dev.h"

/* No bound was given: half of the memory that is available when more is asked for. */
#define HETCKPT_STAGE_AUTO UINT64_MAX

struct hetckpt_stage_piece {
	uint64_t offset, bytes;
	bool registered;
};

struct hetckpt_stage {
	unsigned char *base;      /* NULL: there is no stage */
	int fd;
	uint64_t limit;           /* bytes, or HETCKPT_STAGE_AUTO */
	uint64_t touched;         /* bytes that are there, from the start */
	uint64_t ready;           /* of these, in pieces; all of them between two calls */
	struct hetckpt_stage_piece *piece;
	size_t pieces, room;
};

/* Maps the file (fd stays the caller's), as yet with nothing in it. */
int hetckpt_stage_open(struct hetckpt_stage *stage, int fd, uint64_t limit, struct hetckpt_error *error);

/* Unregisters and unmaps. Safe on a zeroed struct. dev is the one it was added with. */
void hetckpt_stage_close(struct hetckpt_stage *stage, struct hetckpt_dev *dev);

/* Before the device is closed, and once another one is open. */
void hetckpt_stage_leave(struct hetckpt_stage *stage, struct hetckpt_dev *dev);
void hetckpt_stage_enter(struct hetckpt_stage *stage, struct hetckpt_dev *dev);

/*
 * Makes at least bytes be there, touched by several threads. Contents stay. Blocks, seconds
 * for many GiB; needs no lock but is called by one thread at a time. -ENOSPC: more than
 * the limit; -ENOMEM: the system does not give as much. Then what was there is still there.
 */
int hetckpt_stage_touch(struct hetckpt_stage *stage, uint64_t bytes, struct hetckpt_error *error);

/* Registers the next piece of what has been touched: *more if there is another. A piece that
   the back end does not take is used all the same; copies of it are slower. */
int hetckpt_stage_add(struct hetckpt_stage *stage, struct hetckpt_dev *dev, bool *more,
                      struct hetckpt_error *error);

/* Both, until bytes are ready. */
int hetckpt_stage_grow(struct hetckpt_stage *stage, struct hetckpt_dev *dev, uint64_t bytes,
                       struct hetckpt_error *error);

/* True if all of it is page-locked. */
bool hetckpt_stage_locked(const struct hetckpt_stage *stage);

/* Issues copies between device memory and the stage on the service queue. They have ended
   after hetckpt_dev_settle. offset + bytes is at most ready. */
int hetckpt_stage_out(const struct hetckpt_stage *stage, struct hetckpt_dev *dev, uint64_t offset,
                      uint64_t address, uint64_t bytes, struct hetckpt_error *error);
int hetckpt_stage_in(const struct hetckpt_stage *stage, struct hetckpt_dev *dev, uint64_t address,
                     uint64_t offset, uint64_t bytes, struct hetckpt_error *error);

#endif
