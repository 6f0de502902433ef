/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * worker_link.h - one worker process and the conversation with it.
 *
 * A reader thread owns the receiving side: it hands replies to the calls that wait for
 * them, keeps events, and reaps the process when its socket closes. Calls may come
 * from several threads at once. A link is counted: whoever keeps one holds a
 * reference, the reader thread holds its own until the process is reaped.
 */
#ifndef HETCKPT_DRIVER_WORKER_LINK_H
#define HETCKPT_DRIVER_WORKER_LINK_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "runtime/common/error.h"

struct hetckpt_worker_link;

struct hetckpt_worker_options {
	const char *program;
	const char *device;   /* "": the first one that the worker finds */
	int session_fd;       /* the session memory; the worker inherits a duplicate */
	bool restore;         /* started with --restore: waits for "load" */
	/* Called on the reader thread, without locks, when the device failed or the process
	   is gone unasked. The link must not be released in it. */
	void (*lost)(void *context, struct hetckpt_worker_link *link, const char *why,
		     uint32_t cuda);
	void *context;
};

/* Starts a worker. It is not ready yet. */
int hetckpt_worker_start(const struct hetckpt_worker_options *options,
			 struct hetckpt_worker_link **out, struct hetckpt_error *error);

/*
 * How a caller waits. tick is called about every half second and for each progress
 * record (progress NULL for a mere tick); if it returns non-zero the wait ends with
 * -ECANCELED, and the worker goes on with the request all the same. silence_ms: longest
 * time without a record from the worker, < 0 none. A NULL wait: 30 s, no tick.
 */
struct hetckpt_worker_wait {
	int silence_ms;
	int (*tick)(void *context, const json_t *progress);
	void *context;
};

/* Waits until a worker that was given no device has chosen one, and hetckpt_worker_device has its
   name. Errors as for a call. */
int hetckpt_worker_named_wait(struct hetckpt_worker_link *link,
			      const struct hetckpt_worker_wait *wait, struct hetckpt_error *error);

/* Waits until the worker's device is open. Errors as for a call. */
int hetckpt_worker_ready_wait(struct hetckpt_worker_link *link,
			      const struct hetckpt_worker_wait *wait, struct hetckpt_error *error);

/*
 * Sends request (stolen) with descriptors (borrowed) and waits. 0 and *reply (new
 * reference; reply may be NULL). -ECONNRESET: the worker is gone; -ETIMEDOUT: silent for
 * too long; -ECANCELED; or the code that the worker answered, with its message.
 */
int hetckpt_worker_call(struct hetckpt_worker_link *link, json_t *request, const int *fds,
			int count, json_t **reply, const struct hetckpt_worker_wait *wait,
			struct hetckpt_error *error);

/*
 * Ends the process: asks it to quit, waits grace_ms, kills it. Returns once it is
 * reaped. lost is not called. Does nothing to a process that is gone already.
 */
void hetckpt_worker_end(struct hetckpt_worker_link *link, int grace_ms);

/*
 * Says whether the end of the process is to be expected from now on; nothing is asked of
 * it. If it is not, and the process has ended meanwhile, lost is called here.
 */
void hetckpt_worker_expect_end(struct hetckpt_worker_link *link, bool expected);

/* Kills the process at once; calls that wait return -ECONNRESET soon after. */
void hetckpt_worker_kill(struct hetckpt_worker_link *link);

pid_t hetckpt_worker_pid(const struct hetckpt_worker_link *link);
const char *hetckpt_worker_device(const struct hetckpt_worker_link *link);
bool hetckpt_worker_alive(struct hetckpt_worker_link *link);

struct hetckpt_worker_link *hetckpt_worker_ref(struct hetckpt_worker_link *link);
void hetckpt_worker_unref(struct hetckpt_worker_link *link); /* NULL is allowed */

#endif
