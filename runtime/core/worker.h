/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * worker.h - the process around the core: two threads of its own, the ring's and the
 * control socket's (the main thread), and one that reports progress.
 *
 * For the worker's files only.
 */
#ifndef HETCKPT_CORE_WORKER_H
#define HETCKPT_CORE_WORKER_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core.h"
#include "runtime/channel/control.h"
#include "runtime/channel/ring.h"

/* wait_idle requests that are waiting. */
#define WORKER_IDLE_MAX 16

struct worker {
	struct hetckpt_session session;
	struct hetckpt_core *core;
	int control;
	bool restore;                  /* started to load a snapshot */
	bool detached;                 /* no application on the ring */
	bool staged;                   /* the session's stage is here */
	const char *backend;           /* its name */
	struct hetckpt_capture *capture; /* taken, not written yet; main thread only */

	/* The consumer's end; under ring_lock. */
	pthread_mutex_t ring_lock;
	struct hetckpt_ring ring;
	bool claimed;
	uint64_t loaded_seq;           /* what the loaded state includes */

	/* One sender on the socket. */
	pthread_mutex_t send_lock;

	/* The operation under way, for progress records. */
	pthread_mutex_t busy_lock;
	json_t *busy;                  /* its request, or NULL */
	const char *busy_what;
	_Atomic uint64_t done, total;

	json_t *idle[WORKER_IDLE_MAX]; /* requests, main thread only */
	unsigned idle_count;
	uint64_t idle_told;
};

/* worker_ring.c */
/* Becomes the ring's consumer, once. */
int worker_claim(struct worker *worker, struct hetckpt_error *error);
/* Takes what is in the ring now, though the core is paused. */
int worker_drain(struct worker *worker, struct hetckpt_error *error);
/* The ring thread: consumes and steps for ever. */
void *worker_ring_main(void *worker);

/* worker_reply.c: what the core has to say. */
void worker_host(struct worker *worker, struct hetckpt_core_host *host);
/* All steal facts and take no descriptors. */
void worker_reply(struct worker *worker, const json_t *request, json_t *facts);
void worker_refuse(struct worker *worker, const json_t *request, const struct hetckpt_error *error);
int worker_event(struct worker *worker, json_t *event);
void worker_busy_begin(struct worker *worker, json_t *request, const char *what);
void worker_busy_end(struct worker *worker);
int worker_progress(void *worker, uint64_t done, uint64_t total);
void *worker_progress_main(void *worker);

/* A request of the supervisor while it is served. */
struct worker_request {
	struct worker *worker;
	json_t *json;
	int fd;                        /* -1: none came */
	json_t *facts;                 /* of the reply; NULL: none */
	bool later;                    /* answered by somebody else */
	struct hetckpt_error error;
};

/* worker_control.c: fields of a request. */
uint64_t worker_number(const json_t *request, const char *name, uint64_t otherwise);
const char *worker_text(const json_t *request, const char *name); /* never NULL */
int worker_need_fd(struct worker_request *r);

/* worker_state.c: the requests of those names. */
int worker_do_pause(struct worker_request *r);
int worker_do_resume(struct worker_request *r);
int worker_do_stage(struct worker_request *r);
int worker_do_snapshot(struct worker_request *r);
int worker_do_capture(struct worker_request *r);
int worker_do_write(struct worker_request *r);
int worker_do_load(struct worker_request *r);
int worker_do_outline(struct worker_request *r);
int worker_do_prepare(struct worker_request *r);

/* worker_peer.c */
int worker_do_share(struct worker_request *r);
int worker_do_reach(struct worker_request *r);
int worker_do_reach_end(struct worker_request *r);

/* worker_control.c: the control loop; returns when asked to quit or when the supervisor
   is gone. */
void worker_control(struct worker *worker);

#endif
