/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* client.h - a tool's side of the conversation with a session. */
#ifndef HETCKPT_DRIVER_CLIENT_H
#define HETCKPT_DRIVER_CLIENT_H

#include <jansson.h>

#include "driver/registry.h"

struct hetckpt_client {
	struct hetckpt_session_entry session;
	int fd;
};

/*
 * Finds the session that text means and connects. 0, or an exit status after
 * printing why: HETCKPT_EXIT_NO_SESSION, HETCKPT_EXIT_FAILURE.
 */
int hetckpt_client_open(struct hetckpt_client *client, const char *text);
void hetckpt_client_close(struct hetckpt_client *client);

/*
 * Sends request (stolen) and waits for the reply with a progress bar. silence_ms is how
 * long the session may say nothing; supervisors of busy sessions speak every second.
 * 0 and *reply (new reference), or an exit status after printing why.
 */
int hetckpt_client_call(struct hetckpt_client *client, json_t *request, json_t **reply,
			int silence_ms);

/* Status of a session without printing: 0 and *reply, or a negative errno. */
int hetckpt_client_status(const struct hetckpt_session_entry *session, int detail, json_t **reply);

#define HETCKPT_CLIENT_SILENCE_MS 30000
/* Resuming on a device may translate code first. */
#define HETCKPT_CLIENT_RESUME_MS 660000

#endif
