/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "supervisor.h"

#include "command.h"
#include "output.h"
#include "runtime/snapshot/atomic_file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Longest silence of a worker that writes or reads state; it reports progress. */
#define STATE_MS 120000
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

static struct hetckpt_worker_wait wait_for(const struct hetckpt_requester *who, int silence_ms)
{
	struct hetckpt_worker_wait wait = {.silence_ms = silence_ms};

	if (who) {
		wait.tick = who->tick;
		wait.context = who->context;
	}
	return wait;
}

static enum hetckpt_state state_get(struct hetckpt_supervisor *sv)
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

/* Moves the facts of a worker's reply to facts, but not what belongs to the message. */
static void facts_merge(json_t *facts, json_t *reply)
{
	if (!reply)
		return;
	json_object_del(reply, "id");
	json_object_del(reply, "ok");
	json_object_update(facts, reply);
	json_decref(reply);
}

/* ---- Pause and resume, inside an operation ----------------------------- */

/* Pauses unless the session is paused. A pause goes on even if nobody waits for it. */
static int pause_inside(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			int timeout_ms, json_t **reply, struct hetckpt_error *error)
{
	struct hetckpt_worker_wait wait = {.silence_ms = timeout_ms + 10000};
	int rc;

	*reply = NULL;
	if (state_get(sv) == HETCKPT_STATE_PAUSED)
		return 0;
	rc = hetckpt_worker_call(link,
				 json_pack("{s:s, s:i}", "op", "pause", "timeout_ms", timeout_ms),
				 NULL, 0, reply, &wait, error);
	if (!rc)
		state_set(sv, HETCKPT_STATE_PAUSED);
	return rc;
}

static int resume_inside(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			 json_t **reply, struct hetckpt_error *error)
{
	struct hetckpt_worker_wait wait = {.silence_ms = RESUME_MS};
	int rc = hetckpt_worker_call(link, json_pack("{s:s}", "op", "resume"), NULL, 0, reply,
				     &wait, error);

	if (!rc)
		state_set(sv, HETCKPT_STATE_RUNNING);
	return rc;
}

/* After a failed operation: what was running goes on. Says so if it cannot. */
static void resume_after_failure(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
				 struct hetckpt_error *error)
{
	struct hetckpt_error second;
	char text[HETCKPT_ERROR_TEXT];

	if (state_get(sv) != HETCKPT_STATE_PAUSED || !resume_inside(sv, link, NULL, &second))
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
	already = state_get(sv) == HETCKPT_STATE_PAUSED;
	link = hetckpt_supervisor_worker(sv, error);
	rc = link ? pause_inside(sv, link, timeout_ms, &reply, error) : error->code;
	if (!rc) {
		*facts = json_pack("{s:b, s:s}", "already", already, "state", "paused");
		facts_merge(*facts, reply);
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
	already = state_get(sv) == HETCKPT_STATE_RUNNING;
	link = hetckpt_supervisor_worker(sv, error);
	rc = !link ? error->code : already ? 0 : resume_inside(sv, link, &reply, error);
	if (!rc) {
		*facts = json_pack("{s:b, s:s}", "already", already, "state", "running");
		facts_merge(*facts, reply);
	}
	hetckpt_worker_unref(link);
	hetckpt_operation_end(sv);
	return rc;
}

/* ---- Checkpoint -------------------------------------------------------- */

/* The worker writes its state into fd; host: with the contents of page-locked buffers. */
static int snapshot_to(struct hetckpt_worker_link *link, int fd, const char *compress, int level,
		       bool host, const struct hetckpt_requester *who, json_t **reply,
		       struct hetckpt_error *error)
{
	struct hetckpt_worker_wait wait = wait_for(who, STATE_MS);

	return hetckpt_worker_call(link,
				   json_pack("{s:s, s:s, s:i, s:b}", "op", "snapshot", "compress",
					     compress, "level", level, "host", host),
				   &fd, 1, reply, &wait, error);
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

static int checkpoint_inside(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			     const struct hetckpt_checkpoint_options *o,
			     const struct hetckpt_requester *who, json_t *facts,
			     struct hetckpt_error *error)
{
	double begun = hetckpt_clock_seconds(), paused;
	struct hetckpt_atomic_file *file = NULL;
	bool was_paused = state_get(sv) == HETCKPT_STATE_PAUSED;
	json_t *reply = NULL;
	struct stat st = {0};
	int rc;

	/* Before pausing, so that a path which cannot be written costs nothing. */
	rc = hetckpt_atomic_open(o->path, NULL, &file);
	if (rc) {
		hetckpt_error_set(error, rc, 0, "%s", hetckpt_atomic_error(file));
		hetckpt_atomic_close(file);
		return rc;
	}
	rc = pause_inside(sv, link, o->timeout_ms, &reply, error);
	if (rc)
		goto out;
	facts_merge(facts, reply);
	paused = hetckpt_clock_seconds();
	rc = snapshot_to(link, hetckpt_atomic_fd(file), o->compress, o->level, true, who, &reply,
			 error);
	if (rc)
		goto resume;
	facts_merge(facts, reply);
	/* Who interrupted the tool does not want a file, and surely not a killed program. */
	if (who && who->tick && who->tick(who->context, NULL)) {
		rc = hetckpt_error_set(error, -ECANCELED, 0, "cancelled");
		goto resume;
	}
	if (fstat(hetckpt_atomic_fd(file), &st) || (rc = hetckpt_atomic_commit(file, true))) {
		rc = rc ? rc : -errno;
		hetckpt_error_set(error, rc, 0, "%s", hetckpt_atomic_error(file));
		goto resume;
	}
	remember_checkpoint(sv, o->path, st.st_size);
	json_object_set_new(facts, "path", json_string(o->path));
	json_object_set_new(facts, "file_bytes", json_integer(st.st_size));
	json_object_set_new(facts, "then", json_string(o->then));
	json_object_set_new(facts, "pause_seconds", json_real(paused - begun));
	json_object_set_new(facts, "seconds", json_real(hetckpt_clock_seconds() - begun));
	if (!strcmp(o->then, "resume"))
		rc = resume_inside(sv, link, NULL, error);
	goto out;
resume:
	if (!was_paused)
		resume_after_failure(sv, link, error);
out:
	hetckpt_atomic_close(file);
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

/* ---- Migration --------------------------------------------------------- */

struct migration {
	struct hetckpt_supervisor *sv;
	struct hetckpt_worker_link *source, *target;
	struct hetckpt_worker_wait wait;
	bool was_paused;
	int state;              /* memfd, or -1 */
};

static void target_end(struct migration *m)
{
	if (!m->target)
		return;
	hetckpt_worker_end(m->target, 0);
	hetckpt_worker_unref(m->target);
	m->target = NULL;
}

/* Starts a worker that has everything the application handed over, and no state yet. */
static int target_start(struct migration *m, const char *device, struct hetckpt_error *error)
{
	int rc = hetckpt_supervisor_worker_start(m->sv, device, true, &m->wait, &m->target, error);

	return rc ? rc : hetckpt_supervisor_hand_over(m->sv, m->target, &m->wait, error);
}

static int target_load(struct migration *m, struct hetckpt_error *error)
{
	if (lseek(m->state, 0, SEEK_SET) < 0)
		return hetckpt_error_set(error, -errno, 0, "state: %s", strerror(errno));
	return hetckpt_worker_call(m->target, json_pack("{s:s}", "op", "load"), &m->state, 1, NULL,
				   &m->wait, error);
}

/*
 * A target that failed while resuming may have claimed the ring, and then the source can
 * take no commands any more. Its state is here: a new worker on its device gets it.
 */
static void source_again(struct migration *m, struct hetckpt_error *error)
{
	char device[64], text[HETCKPT_ERROR_TEXT];
	struct hetckpt_error second;
	int rc;

	snprintf(device, sizeof device, "%s", hetckpt_worker_device(m->source));
	/* Its device memory first: both may not fit side by side. */
	hetckpt_worker_end(m->source, 0);
	m->wait.tick = NULL;
	rc = target_start(m, device, &second);
	if (!rc)
		rc = target_load(m, &second);
	if (!rc)
		rc = resume_inside(m->sv, m->target, NULL, &second);
	if (!rc) {
		hetckpt_supervisor_worker_replace(m->sv, m->target);
		m->target = NULL;
		return;
	}
	target_end(m);
	snprintf(text, sizeof text, "%.180s; and going back to %s failed: %.180s", error->text, device,
		 second.text);
	memcpy(error->text, text, sizeof text);
	hetckpt_worker_expect_end(m->source, false);
}

/* From a paused source to a running target. *claimed: the source is of no more use. */
static int move(struct migration *m, const struct hetckpt_requester *who, json_t *facts,
		bool *claimed, struct hetckpt_error *error)
{
	struct hetckpt_session_control *control = m->sv->memory.control;
	uint32_t generation = atomic_load(&control->generation);
	json_t *reply = NULL;
	int rc;

	/* Page-locked buffers of an application are shared memory, handed over already; those
	   of a restored session are the worker's own. */
	rc = snapshot_to(m->source, m->state, "none", 0, m->sv->restoring, who, &reply, error);
	if (rc)
		return rc;
	facts_merge(facts, reply);
	/* The state is safe here: if the source dies now, the target can still go on. */
	hetckpt_worker_expect_end(m->source, true);
	rc = target_load(m, error);
	if (!rc && !m->was_paused)
		rc = resume_inside(m->sv, m->target, NULL, error);
	*claimed = atomic_load(&control->generation) != generation;
	return rc;
}

/*
 * The source keeps everything until the target runs: whatever fails before that, the
 * source resumes as if nothing had been. Only then is it ended.
 */
static int migrate_inside(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *source,
			  const char *device, int timeout_ms, const struct hetckpt_requester *who,
			  json_t *facts, struct hetckpt_error *error)
{
	struct migration m = {.sv = sv,
			      .source = source,
			      .wait = wait_for(who, STATE_MS),
			      .was_paused = state_get(sv) == HETCKPT_STATE_PAUSED,
			      .state = -1};
	bool claimed = false;
	json_t *reply = NULL;
	struct stat st = {0};
	double begun;
	int rc;

	/* The target's device opens while the source still computes. */
	rc = target_start(&m, device, error);
	if (rc)
		goto out;
	m.state = memfd_create("hetckpt-state", MFD_CLOEXEC);
	if (m.state < 0) {
		rc = hetckpt_error_set(error, -errno, 0, "no memory for the state: %s",
				       strerror(errno));
		goto out;
	}
	rc = pause_inside(sv, source, timeout_ms, &reply, error);
	if (rc)
		goto out;
	facts_merge(facts, reply);
	begun = hetckpt_clock_seconds();
	rc = move(&m, who, facts, &claimed, error);
	if (!rc) {
		fstat(m.state, &st);
		json_object_set_new(facts, "stopped_seconds",
				    json_real(hetckpt_clock_seconds() - begun));
		json_object_set_new(facts, "state_bytes", json_integer(st.st_size));
		json_object_set_new(facts, "from", json_string(hetckpt_worker_device(source)));
		json_object_set_new(facts, "device", json_string(device));
		hetckpt_supervisor_worker_replace(sv, m.target);
		m.target = NULL;
		goto out;
	}
	/* The target first: two workers must not both take commands. */
	target_end(&m);
	if (claimed) {
		source_again(&m, error);
	} else {
		hetckpt_worker_expect_end(source, false);
		if (!m.was_paused)
			resume_after_failure(sv, source, error);
	}
out:
	target_end(&m);
	if (m.state >= 0)
		close(m.state);
	return rc;
}

int hetckpt_supervisor_migrate(struct hetckpt_supervisor *sv, const char *device, int timeout_ms,
			       const struct hetckpt_requester *who, json_t **facts,
			       struct hetckpt_error *error)
{
	struct hetckpt_worker_link *link;
	int rc = hetckpt_operation_begin(sv, "migration", who, error);

	if (rc)
		return rc;
	*facts = json_object();
	link = hetckpt_supervisor_worker(sv, error);
	if (!*facts)
		rc = hetckpt_error_set(error, -ENOMEM, 0, "no memory");
	else
		rc = link ? migrate_inside(sv, link, device, timeout_ms, who, *facts, error)
			  : error->code;
	if (rc) {
		json_decref(*facts);
		*facts = NULL;
	}
	hetckpt_worker_unref(link);
	hetckpt_operation_end(sv);
	return rc;
}
