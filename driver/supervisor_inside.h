/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * supervisor_inside.h - steps of operations, for supervisor_ops.c and supervisor_migrate.c. All
 * are called inside an operation (hetckpt_operation_begin).
 */
#ifndef HETCKPT_DRIVER_SUPERVISOR_INSIDE_H
#define HETCKPT_DRIVER_SUPERVISOR_INSIDE_H

#include "supervisor.h"

/* Longest silence of a worker that writes or reads state; it reports progress. */
#define HETCKPT_INSIDE_STATE_MS 120000

struct hetckpt_worker_wait hetckpt_inside_wait(const struct hetckpt_requester *who, int silence_ms);

enum hetckpt_state hetckpt_inside_state(struct hetckpt_supervisor *sv);

/* Moves the facts of a worker's reply (stolen, may be NULL) to facts, but not what belongs to
   the message. */
void hetckpt_inside_merge(json_t *facts, json_t *reply);

/* Pauses unless the session is paused. A pause goes on even if nobody waits for it. */
int hetckpt_inside_pause(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			 int timeout_ms, json_t **reply, struct hetckpt_error *error);

int hetckpt_inside_resume(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			  json_t **reply, struct hetckpt_error *error);

/* After a failed operation: what was running goes on. error says so if it cannot. */
void hetckpt_inside_go_on(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			  struct hetckpt_error *error);

#endif
