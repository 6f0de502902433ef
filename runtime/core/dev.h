/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * dev.h - an open device: the back end's table with its handle, synchronous copies,
 * and the pause flag.
 *
 * All functions but hetckpt_dev_raise and hetckpt_dev_lower are called by one thread at a
 * time (the core's lock). Errors as in backend.h.
 */
#ifndef HETCKPT_CORE_DEV_H
#define HETCKPT_CORE_DEV_H

#include "include/hetckpt/abi.h"
#include "runtime/backends/backend.h"

struct hetckpt_dev {
	const struct hetckpt_backend *ops;
	struct hetckpt_device *handle;
	struct hetckpt_queue *service;   /* for copies that the host waits for */
	struct hetckpt_device_facts facts;
	unsigned index;
	uint64_t flags;                  /* device address of the flag lines, 0: none yet */
	uint64_t limit[HETCKPT_LIMIT_COUNT]; /* as the device has been told; 0: never */
};

/* Opens device index of ops with the arena at base. Blocks. */
int hetckpt_dev_open(struct hetckpt_dev *dev, const struct hetckpt_backend *ops, unsigned index,
                     uint64_t arena_base, const struct hetckpt_backend_host *host,
                     struct hetckpt_error *error);

/* Safe on a zeroed struct. Blocks. */
void hetckpt_dev_close(struct hetckpt_dev *dev);

/* Has a copy from device to host memory done on the service queue: to is filled once
   hetckpt_dev_settle has returned. */
int hetckpt_dev_fetch(struct hetckpt_dev *dev, void *to, uint64_t from, uint64_t bytes,
                      struct hetckpt_error *error);

/* Copies between device and host memory on the service queue, and waits. */
int hetckpt_dev_read(struct hetckpt_dev *dev, void *to, uint64_t from, uint64_t bytes,
                     struct hetckpt_error *error);
int hetckpt_dev_write(struct hetckpt_dev *dev, uint64_t to, const void *from, uint64_t bytes,
                      struct hetckpt_error *error);

/* height rows of width bytes that lie pitch apart, into packed rows. Waits. */
int hetckpt_dev_read_rows(struct hetckpt_dev *dev, void *to, uint64_t from, uint64_t width,
                          uint64_t height, uint64_t pitch, struct hetckpt_error *error);

/* Waits until the service queue is idle; *when (may be NULL): the device's time then. */
int hetckpt_dev_settle(struct hetckpt_dev *dev, uint64_t *when, struct hetckpt_error *error);

/* Sets a limit, unless it is set so. Back ends without limits take all. May block until running
   kernels have ended. */
int hetckpt_dev_limit(struct hetckpt_dev *dev, enum hetckpt_limit limit, uint64_t value,
                      struct hetckpt_error *error);

/*
 * Raises the flag, which shows flag until then: entry words first, poll words when those are
 * seen everywhere (abi.h says why). Any thread. Takes microseconds.
 */
int hetckpt_dev_raise(struct hetckpt_dev *dev, enum hetckpt_flag flag, struct hetckpt_error *error);

/*
 * Sets the flag to what kernels shall see while nothing pauses: HETCKPT_FLAG_RUN, or
 * HETCKPT_FLAG_PAUSE_STARTED to park at every poll. No pausable launch is running.
 */
int hetckpt_dev_lower(struct hetckpt_dev *dev, enum hetckpt_flag flag, struct hetckpt_error *error);

#endif
