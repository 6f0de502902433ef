/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "supervisor.h"
#include "supervisor_inside.h"

#include "command.h"
#include "output.h"
#include "runtime/common/log.h"
#include "runtime/snapshot/atomic_file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Resuming may translate the resume variants first. */
#define RESUME_MS 600000

/* ---- One operation at a time ------------------------------------------- */

static void until_ms(struct timespec *t, int ms)
{
	clock_gettime(CLOCK_MONOTONIC, t);
	t->tv_nsec += ms * 1000000l;
	t->tv_sec += t->tv_nsec / 1000000000l;
	t->tv_nsec %= 1000000000l;
}

int hetckpt_operation_begin(struct hetckpt_supervisor *sv, const char *name,
			    const struct hetckpt_requester *who, struct hetckpt_error *error)
{
	char what[64];
	int rc = 0;

	pthread_mutex_lock(&sv->lock);
	while (!rc && sv->operation && sv->state != HETCKPT_STATE_ENDING) {
		struct timespec t;

		until_ms(&t, 500);
		pthread_cond_timedwait(&sv->changed, &sv->lock, &t);
		if (!sv->operation || !who || !who->tick)
			continue;
		snprintf(what, sizeof what, "waiting for the %s before this one", sv->operation);
		pthread_mutex_unlock(&sv->lock);
		json_t *progress = json_pack("{s:i, s:i, s:s}", "done", 0, "total", 0, "what", what);
		if (who->tick(who->context, progress))
			rc = hetckpt_error_set(error, -ECANCELED, 0, "cancelled");
		json_decref(progress);
		pthread_mutex_lock(&sv->lock);
	}
	if (!rc && sv->state == HETCKPT_STATE_ENDING)
		rc = hetckpt_error_set(error, -ESHUTDOWN, 0, "the session is ending");
	if (!rc)
		sv->operation = name;
	pthread_mutex_unlock(&sv->lock);
	return rc;
}

void hetckpt_operation_end(struct hetckpt_supervisor *sv)
{
	pthread_mutex_lock(&sv->lock);
	sv->operation = NULL;
	pthread_cond_broadcast(&sv->changed);
	pthread_mutex_unlock(&sv->lock);
}

struct hetckpt_worker_wait hetckpt_inside_wait(const struct hetckpt_requester *who, int silence_ms)
{
	struct hetckpt_worker_wait wait = {.silence_ms = silence_ms};

	if (who) {
		wait.tick = who->tick;
		wait.context = who->context;
	}
	return wait;
}

enum hetckpt_state hetckpt_inside_state(struct hetckpt_supervisor *sv)
{
	enum hetckpt_state state;

	pthread_mutex_lock(&sv->lock);
	state = sv->state;
	pthread_mutex_unlock(&sv->lock);
	return state;
}

/* A state that was reached; a session that failed or ends meanwhile stays so. */
static void state_set(struct hetckpt_supervisor *sv, enum hetckpt_state state)
{
	pthread_mutex_lock(&sv->lock);
	if (sv->state != HETCKPT_STATE_FAILED && sv->state != HETCKPT_STATE_ENDING)
		sv->state = state;
	pthread_cond_broadcast(&sv->changed);
	pthread_mutex_unlock(&sv->lock);
}

void hetckpt_inside_merge(json_t *facts, json_t *reply)
{
	if (!reply)
		return;
	json_object_del(reply, "id");
	json_object_del(reply, "ok");
	json_object_update(facts, reply);
	json_decref(reply);
}

/* ---- Pause and resume, inside an operation ----------------------------- */

int hetckpt_inside_pause(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			 int timeout_ms, json_t **reply, struct hetckpt_error *error)
{
	struct hetckpt_worker_wait wait = {.silence_ms = timeout_ms + 10000};
	int rc;

	*reply = NULL;
	if (hetckpt_inside_state(sv) == HETCKPT_STATE_PAUSED)
		return 0;
	rc = hetckpt_worker_call(link,
				 json_pack("{s:s, s:i}", "op", "pause", "timeout_ms", timeout_ms),
				 NULL, 0, reply, &wait, error);
	if (!rc)
		state_set(sv, HETCKPT_STATE_PAUSED);
	return rc;
}

int hetckpt_inside_resume(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			  json_t **reply, struct hetckpt_error *error)
{
	struct hetckpt_worker_wait wait = {.silence_ms = RESUME_MS};
	int rc = hetckpt_worker_call(link, json_pack("{s:s}", "op", "resume"), NULL, 0, reply,
				     &wait, error);

	if (!rc)
		state_set(sv, HETCKPT_STATE_RUNNING);
	return rc;
}

void hetckpt_inside_go_on(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			  struct hetckpt_error *error)
{
	struct hetckpt_error second;
	char text[HETCKPT_ERROR_TEXT];

	if (hetckpt_inside_state(sv) != HETCKPT_STATE_PAUSED || !hetckpt_inside_resume(sv, link, NULL, &second))
		return;
	snprintf(text, sizeof text, "%.200s; the session stays paused, for it could not resume: %.180s",
		 error->text, second.text);
	memcpy(error->text, text, sizeof text);
}

int hetckpt_supervisor_pause(struct hetckpt_supervisor *sv, int timeout_ms,
			     const struct hetckpt_requester *who, json_t **facts,
			     struct hetckpt_error *error)
{
	struct hetckpt_worker_link *link;
	json_t *reply = NULL;
	bool already;
	int rc = hetckpt_operation_begin(sv, "pause", who, error);

	if (rc)
		return rc;
	already = hetckpt_inside_state(sv) == HETCKPT_STATE_PAUSED;
	link = hetckpt_supervisor_worker(sv, error);
	rc = link ? hetckpt_inside_pause(sv, link, timeout_ms, &reply, error) : error->code;
	if (!rc) {
		*facts = json_pack("{s:b, s:s}", "already", already, "state", "paused");
		hetckpt_inside_merge(*facts, reply);
	}
	hetckpt_worker_unref(link);
	hetckpt_operation_end(sv);
	return rc;
}

int hetckpt_supervisor_resume(struct hetckpt_supervisor *sv, const struct hetckpt_requester *who,
			      json_t **facts, struct hetckpt_error *error)
{
	struct hetckpt_worker_link *link;
	json_t *reply = NULL;
	bool already;
	int rc = hetckpt_operation_begin(sv, "resume", who, error);

	if (rc)
		return rc;
	already = hetckpt_inside_state(sv) == HETCKPT_STATE_RUNNING;
	link = hetckpt_supervisor_worker(sv, error);
	rc = !link ? error->code : already ? 0 : hetckpt_inside_resume(sv, link, &reply, error);
	if (!rc) {
		*facts = json_pack("{s:b, s:s}", "already", already, "state", "running");
		hetckpt_inside_merge(*facts, reply);
	}
	hetckpt_worker_unref(link);
	hetckpt_operation_end(sv);
	return rc;
}

/* ---- Checkpoint -------------------------------------------------------- */

/* Straight into fd, by a worker that stands still. */
static int write_paused(struct hetckpt_worker_link *link, const struct hetckpt_checkpoint_options *o, int fd,
			const struct hetckpt_requester *who, json_t **reply, struct hetckpt_error *error)
{
	struct hetckpt_worker_wait wait = hetckpt_inside_wait(who, HETCKPT_INSIDE_STATE_MS);

	return hetckpt_worker_call(link,
				   json_pack("{s:s, s:s, s:i, s:b}", "op", "snapshot", "compress", o->compress,
					     "level", o->level, "host", 1),
				   &fd, 1, reply, &wait, error);
}

/* What was captured, into fd. */
static int write_captured(struct hetckpt_worker_link *link, const struct hetckpt_checkpoint_options *o, int fd,
			  const struct hetckpt_requester *who, struct hetckpt_error *error)
{
	struct hetckpt_worker_wait wait = hetckpt_inside_wait(who, HETCKPT_INSIDE_STATE_MS);

	return hetckpt_worker_call(link,
				   json_pack("{s:s, s:s, s:i}", "op", "write", "compress", o->compress, "level",
					     o->level),
				   &fd, 1, NULL, &wait, error);
}

/*
 * Copies the state of a paused worker into the stage. False: the stage cannot hold it, or there is
 * none; nothing has changed.
 */
static bool capture(struct hetckpt_worker_link *link, const struct hetckpt_requester *who, json_t *facts)
{
	struct hetckpt_worker_wait wait = hetckpt_inside_wait(who, HETCKPT_INSIDE_STATE_MS);
	struct hetckpt_error why;
	json_t *reply;

	if (hetckpt_worker_call(link, json_pack("{s:s, s:b}", "op", "capture", "host", 1), NULL, 0, &reply, &wait, &why)) {
		hetckpt_log(HETCKPT_LOG_INFO, "the state is written without a stage: %s", why.text);
		return false;
	}
	hetckpt_inside_merge(facts, reply);
	return true;
}

static void remember_checkpoint(struct hetckpt_supervisor *sv, const char *path, int64_t bytes)
{
	pthread_mutex_lock(&sv->lock);
	json_decref(sv->last_checkpoint);
	sv->last_checkpoint = json_pack("{s:s, s:I, s:I}", "path", path, "time",
					(json_int_t)time(NULL), "bytes", (json_int_t)bytes);
	pthread_mutex_unlock(&sv->lock);
}

/* Ends application and session after the snapshot is safe. */
static void kill_session(struct hetckpt_supervisor *sv)
{
	pthread_mutex_lock(&sv->lock);
	sv->ended_by_checkpoint = true;
	if (sv->application)
		kill(sv->application, SIGKILL);
	pthread_mutex_unlock(&sv->lock);
	hetckpt_supervisor_wake(sv);
}

/* A checkpoint under way. */
struct checkpoint {
	const struct hetckpt_checkpoint_options *o;
	const struct hetckpt_requester *who;
	struct hetckpt_atomic_file *file;
	struct stat st;           /* of the complete file */
	double begun, asked;      /* when; asked: to pause */
	bool was_paused, staged;
	json_t *facts;
};

/* Ends the time in which the program stands still. */
static int go_on(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link, struct checkpoint *c,
		 struct hetckpt_error *error)
{
	int rc = hetckpt_inside_resume(sv, link, NULL, error);

	if (!rc)
		json_object_set_new(c->facts, "stop_seconds", json_real(hetckpt_clock_seconds() - c->asked));
	return rc;
}

/* The worker knows the file by a descriptor alone: puts its name where the worker could not. */
static void name_file(const char *path, struct hetckpt_error *error)
{
	static const char nameless[] = "snapshot: ";
	char text[HETCKPT_ERROR_TEXT];

	if (strncmp(error->text, nameless, sizeof nameless - 1))
		return;
	snprintf(text, sizeof text, "%.230s: %.230s", path, error->text + sizeof nameless - 1);
	memcpy(error->text, text, sizeof text);
}

/*
 * From a paused session to a complete file. With a stage the program goes on as soon as its
 * state has been copied.
 */
static int take_and_write(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link, struct checkpoint *c,
			  struct hetckpt_error *error)
{
	int fd = hetckpt_atomic_fd(c->file), rc;
	json_t *reply = NULL;
	double begun;

	c->staged = c->staged && capture(link, c->who, c->facts);
	json_object_set_new(c->facts, "staged", json_boolean(c->staged));
	if (c->staged) {
		rc = go_on(sv, link, c, error);
		if (rc)
			return rc;
	}
	begun = hetckpt_clock_seconds();
	if (c->staged) {
		rc = write_captured(link, c->o, fd, c->who, error);
	} else {
		rc = write_paused(link, c->o, fd, c->who, &reply, error);
		if (!rc)
			hetckpt_inside_merge(c->facts, reply);
	}
	if (rc) {
		name_file(c->o->path, error);
		return rc;
	}
	/* Who interrupted the tool does not want a file, and surely not a killed program. */
	if (c->who && c->who->tick && c->who->tick(c->who->context, NULL))
		return hetckpt_error_set(error, -ECANCELED, 0, "cancelled");
	rc = fstat(fd, &c->st) ? -errno : 0;
	if (rc)
		return hetckpt_error_set(error, rc, 0, "%s: %s", c->o->path, strerror(-rc));
	rc = hetckpt_atomic_commit(c->file, true);
	if (rc)
		return hetckpt_error_set(error, rc, 0, "%s", hetckpt_atomic_error(c->file));
	json_object_set_new(c->facts, "write_seconds", json_real(hetckpt_clock_seconds() - begun));
	return 0;
}

static int checkpoint_inside(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			     const struct hetckpt_checkpoint_options *o,
			     const struct hetckpt_requester *who, json_t *facts,
			     struct hetckpt_error *error)
{
	struct checkpoint c = {.o = o, .who = who, .begun = hetckpt_clock_seconds(), .facts = facts,
			       .was_paused = hetckpt_inside_state(sv) == HETCKPT_STATE_PAUSED};
	json_t *reply = NULL;
	int rc;

	/* Before pausing, so that a path which cannot be written costs nothing. */
	rc = hetckpt_atomic_open(o->path, NULL, &c.file);
	if (rc) {
		hetckpt_error_set(error, rc, 0, "%s", hetckpt_atomic_error(c.file));
		hetckpt_atomic_close(c.file);
		return rc;
	}
	/* While kernels run. Only a program that goes on afterwards gains by it. */
	c.staged = !strcmp(o->then, "resume") && hetckpt_supervisor_stage(sv, link, 0, NULL, who, facts);
	c.asked = hetckpt_clock_seconds();
	rc = hetckpt_inside_pause(sv, link, o->timeout_ms, &reply, error);
	if (rc)
		goto out;
	hetckpt_inside_merge(facts, reply);
	json_object_set_new(facts, "pause_seconds", json_real(hetckpt_clock_seconds() - c.asked));
	rc = take_and_write(sv, link, &c, error);
	if (!rc && !strcmp(o->then, "resume") && hetckpt_inside_state(sv) == HETCKPT_STATE_PAUSED)
		rc = go_on(sv, link, &c, error);
	if (rc) {
		if (!c.was_paused)
			hetckpt_inside_go_on(sv, link, error);
		goto out;
	}
	remember_checkpoint(sv, o->path, c.st.st_size);
	json_object_set_new(facts, "path", json_string(o->path));
	json_object_set_new(facts, "file_bytes", json_integer(c.st.st_size));
	json_object_set_new(facts, "then", json_string(o->then));
	json_object_set_new(facts, "seconds", json_real(hetckpt_clock_seconds() - c.begun));
out:
	hetckpt_atomic_close(c.file);
	return rc;
}

int hetckpt_supervisor_checkpoint(struct hetckpt_supervisor *sv,
				  const struct hetckpt_checkpoint_options *options,
				  const struct hetckpt_requester *who, json_t **facts,
				  struct hetckpt_error *error)
{
	struct hetckpt_worker_link *link;
	int rc = hetckpt_operation_begin(sv, "checkpoint", who, error);

	if (rc)
		return rc;
	*facts = json_object();
	link = hetckpt_supervisor_worker(sv, error);
	if (!*facts)
		rc = hetckpt_error_set(error, -ENOMEM, 0, "no memory");
	else
		rc = link ? checkpoint_inside(sv, link, options, who, *facts, error) : error->code;
	if (rc) {
		json_decref(*facts);
		*facts = NULL;
	}
	hetckpt_worker_unref(link);
	hetckpt_operation_end(sv);
	if (!rc && !strcmp(options->then, "kill"))
		kill_session(sv);
	return rc;
}
