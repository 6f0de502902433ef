/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Opening the first device takes a good part of a second on a GPU, and so does the start of many
 * applications: reading and preparing their data. So the application starts while the worker
 * opens its device, and waits for that where it first needs one, when it attaches.
 *
 * The wait is an operation, "start": whoever wants something of the device (attach, pause, a
 * checkpoint) comes after it. It ends before the session does, also if the application has
 * ended long since: hetckpt's own failure is told whatever the program does.
 */
#include "supervisor.h"

#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Any thread, with the lock: the session has no device, and says so. */
static void refuse(struct hetckpt_supervisor *sv, const struct hetckpt_error *error)
{
	sv->refused = true;
	sv->state = HETCKPT_STATE_FAILED;
	snprintf(sv->failure, sizeof sv->failure, "%s", error->text);
	/* It may be about to attach: the reason shall be told once, here. */
	if (sv->application)
		kill(sv->application, SIGTERM);
}

static void *open_device(void *argument)
{
	struct hetckpt_supervisor *sv = argument;
	struct hetckpt_worker_link *link = sv->opening;
	int64_t stage = sv->stage_limit;
	struct hetckpt_error error;
	bool told;
	int rc;

	rc = hetckpt_supervisor_worker_ready(sv, link, NULL, &error);
	if (!rc && stage > 0 && !hetckpt_supervisor_stage(sv, link, stage, NULL, NULL, NULL))
		hetckpt_supervisor_note(sv, "warning: %lld MiB cannot be set aside as the stage now",
					(long long)stage >> 20);
	pthread_mutex_lock(&sv->lock);
	sv->opening = NULL;
	told = rc && sv->state != HETCKPT_STATE_ENDING;
	if (told)
		hetckpt_fail(0, "%s", error.text);
	if (told) {
		refuse(sv, &error);
	} else if (!rc) {
		sv->worker = link;
		if (sv->state == HETCKPT_STATE_STARTING)
			sv->state = HETCKPT_STATE_RUNNING;
	}
	pthread_mutex_unlock(&sv->lock);
	if (rc)
		hetckpt_worker_unref(link);
	hetckpt_operation_end(sv);
	hetckpt_supervisor_wake(sv);
	return NULL;
}

int hetckpt_supervisor_open_begin(struct hetckpt_supervisor *sv, struct hetckpt_error *error)
{
	int rc;

	/* Before there is anybody to wait for another. */
	sv->operation = "start";
	rc = pthread_create(&sv->opener, NULL, open_device, sv);
	return rc ? hetckpt_error_set(error, -rc, 0, "cannot start a thread: %s", strerror(rc)) : 0;
}

bool hetckpt_supervisor_opening(struct hetckpt_supervisor *sv)
{
	bool opening;

	pthread_mutex_lock(&sv->lock);
	opening = sv->opening != NULL;
	pthread_mutex_unlock(&sv->lock);
	return opening;
}

void hetckpt_supervisor_open_end(struct hetckpt_supervisor *sv)
{
	pthread_mutex_lock(&sv->lock);
	if (sv->opening)
		hetckpt_worker_kill(sv->opening);
	pthread_mutex_unlock(&sv->lock);
	pthread_join(sv->opener, NULL);
}
