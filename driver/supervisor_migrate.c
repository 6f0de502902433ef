/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Moving a session to another device.
 *
 * While kernels run: the target starts, maps memory and makes code by the source's outline, opens
 * the source's device memory if it can reach it, and both get the stage. While they stand still:
 * the target copies from device to device; or the source copies its memory into the stage, and
 * the target out of it; and resumes.
 */
#define _GNU_SOURCE
#include "supervisor.h"
#include "supervisor_inside.h"

#include "output.h"
#include "runtime/channel/control.h"
#include "runtime/common/log.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct migration {
	struct hetckpt_supervisor *sv;
	struct hetckpt_worker_link *source, *target;
	const struct hetckpt_requester *who;
	struct hetckpt_worker_wait wait;
	const char *via;        /* asked for, see struct hetckpt_migrate_options */
	bool was_paused, staged;
	bool peers;             /* the target can read the source's device */
	int state;              /* memfd, or -1 */
	json_t *facts;
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
	return hetckpt_worker_call(m->target, json_pack("{s:s, s:b}", "op", "load", "take_over", 1), &m->state, 1,
				   NULL, &m->wait, error);
}

/* The target gets to the source's memory, if their devices can. */
static bool reach(struct migration *m)
{
	struct hetckpt_error why;
	int pair[2], rc;

	if (strcmp(m->via, "auto") && strcmp(m->via, "peer"))
		return false;
	rc = hetckpt_control_pair(pair);
	if (rc)
		return false;
	rc = hetckpt_worker_call(m->source, json_pack("{s:s}", "op", "share"), &pair[0], 1, NULL, &m->wait, &why);
	/* The source has its own by now: if it goes, the target hears of it. */
	close(pair[0]);
	if (!rc)
		rc = hetckpt_worker_call(m->target, json_pack("{s:s}", "op", "reach"), &pair[1], 1, NULL, &m->wait, &why);
	close(pair[1]);
	if (rc)
		hetckpt_log(HETCKPT_LOG_INFO, "memory does not go from device to device: %s", why.text);
	return !rc;
}

/* Both workers get the stage, with room for what will go through it. */
static bool stage_both(struct migration *m)
{
	const char *bulk = m->peers ? "peer" : "stage";
	json_int_t bytes;

	if (!strcmp(m->via, "file") || !hetckpt_supervisor_stage(m->sv, m->source, 0, bulk, m->who, m->facts))
		return false;
	bytes = json_integer_value(json_object_get(m->facts, "stage_bytes"));
	return hetckpt_supervisor_stage(m->sv, m->target, bytes, bulk, m->who, NULL);
}

/* The present worker's state into m->state; again: once more, without a look at the ring. */
static int source_save(struct migration *m, const char *bulk, bool again, struct hetckpt_error *error)
{
	json_t *reply = NULL;
	/* Page-locked buffers of an application are shared memory, handed over already; those
	   of a restored session are the worker's own. */
	int rc = hetckpt_worker_call(m->source,
				     json_pack("{s:s, s:s, s:b, s:s, s:b}", "op", "snapshot", "compress", "none",
					       "host", m->sv->restoring, "bulk", bulk, "again", again),
				     &m->state, 1, &reply, &m->wait, error);

	if (!rc)
		hetckpt_inside_merge(m->facts, reply);
	return rc;
}

/*
 * The target maps memory and makes code while the source still computes. What it cannot get
 * ready it cannot take over either: better to hear of it now.
 */
static int target_prepare(struct migration *m, struct hetckpt_error *error)
{
	int fd = memfd_create("hetckpt-outline", MFD_CLOEXEC), rc;

	if (fd < 0)
		return hetckpt_error_set(error, -errno, 0, "no memory for the outline of the state: %s", strerror(errno));
	rc = hetckpt_worker_call(m->source, json_pack("{s:s}", "op", "outline"), &fd, 1, NULL, &m->wait, error);
	if (!rc)
		rc = hetckpt_worker_call(m->target, json_pack("{s:s}", "op", "prepare"), &fd, 1, NULL, &m->wait,
					 error);
	close(fd);
	return rc;
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
	m->wait.tick = NULL;
	/* What the target was to read from its device comes here now: it stands as it did. */
	rc = m->peers ? source_save(m, m->staged ? "stage" : "file", true, &second) : 0;
	/* Its device memory first: both may not fit side by side. */
	hetckpt_worker_end(m->source, 0);
	if (!rc)
		rc = target_start(m, device, &second);
	/* What the source left in the stage is still there. */
	if (!rc && m->staged &&
	    !hetckpt_supervisor_stage(m->sv, m->target, json_integer_value(json_object_get(m->facts, "stage_bytes")),
				      "stage", NULL, NULL))
		rc = hetckpt_error_set(&second, -ENOMEM, 0, "the stage cannot be had again");
	if (!rc)
		rc = target_load(m, &second);
	if (!rc)
		rc = hetckpt_inside_resume(m->sv, m->target, NULL, &second);
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
static int move(struct migration *m, bool *claimed, struct hetckpt_error *error)
{
	struct hetckpt_session_control *control = m->sv->memory.control;
	uint32_t generation = atomic_load(&control->generation);
	double begun = hetckpt_clock_seconds();
	int rc = source_save(m, m->peers ? "peer" : m->staged ? "stage" : "file", false, error);

	if (rc)
		return rc;
	json_object_set_new(m->facts, "save_seconds", json_real(hetckpt_clock_seconds() - begun));
	/* The state is safe here: if the source dies now, the target can still go on. Not so while
	   memory is on the source's device alone. */
	if (!m->peers)
		hetckpt_worker_expect_end(m->source, true);
	begun = hetckpt_clock_seconds();
	rc = target_load(m, error);
	json_object_set_new(m->facts, "load_seconds", json_real(hetckpt_clock_seconds() - begun));
	if (!rc)
		hetckpt_worker_expect_end(m->source, true);
	if (!rc && !m->was_paused)
		rc = hetckpt_inside_resume(m->sv, m->target, NULL, error);
	*claimed = atomic_load(&control->generation) != generation;
	return rc;
}

/*
 * The source keeps everything until the target runs: whatever fails before that, the
 * source resumes as if nothing had been. Only then is it ended.
 */
static int migrate_inside(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *source,
			  const struct hetckpt_migrate_options *o, const struct hetckpt_requester *who,
			  json_t *facts, struct hetckpt_error *error)
{
	struct migration m = {.sv = sv,
			      .source = source,
			      .who = who,
			      .wait = hetckpt_inside_wait(who, HETCKPT_INSIDE_STATE_MS),
			      .via = o->via,
			      .was_paused = hetckpt_inside_state(sv) == HETCKPT_STATE_PAUSED,
			      .state = -1,
			      .facts = facts};
	double begun = hetckpt_clock_seconds();
	struct hetckpt_error ignored;
	bool claimed = false;
	json_t *reply = NULL;
	int rc;

	/* The target's device opens while the source still computes. */
	rc = target_start(&m, o->device, error);
	if (!rc)
		rc = target_prepare(&m, error);
	if (rc)
		goto out;
	m.peers = reach(&m);
	m.staged = stage_both(&m);
	m.state = memfd_create("hetckpt-state", MFD_CLOEXEC);
	if (m.state < 0) {
		rc = hetckpt_error_set(error, -errno, 0, "no memory for the state: %s",
				       strerror(errno));
		goto out;
	}
	json_object_set_new(facts, "prepare_seconds", json_real(hetckpt_clock_seconds() - begun));
	begun = hetckpt_clock_seconds();
	rc = hetckpt_inside_pause(sv, source, o->timeout_ms, &reply, error);
	if (rc)
		goto out;
	hetckpt_inside_merge(facts, reply);
	rc = move(&m, &claimed, error);
	if (!rc) {
		json_object_set_new(facts, "stopped_seconds",
				    json_real(hetckpt_clock_seconds() - begun));
		json_object_set_new(facts, "via", json_string(m.peers ? "peer" : m.staged ? "stage" : "file"));
		json_object_set_new(facts, "from", json_string(hetckpt_worker_device(source)));
		json_object_set_new(facts, "device", json_string(o->device));
		if (m.peers && hetckpt_worker_call(m.target, json_pack("{s:s}", "op", "reach_end"), NULL, 0, NULL,
						   NULL, &ignored))
			hetckpt_log(HETCKPT_LOG_WARN, "%s", ignored.text);
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
			hetckpt_inside_go_on(sv, source, error);
	}
out:
	target_end(&m);
	if (m.state >= 0)
		close(m.state);
	return rc;
}

int hetckpt_supervisor_migrate(struct hetckpt_supervisor *sv, const struct hetckpt_migrate_options *options,
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
		rc = link ? migrate_inside(sv, link, options, who, *facts, error) : error->code;
	if (rc) {
		json_decref(*facts);
		*facts = NULL;
	}
	hetckpt_worker_unref(link);
	hetckpt_operation_end(sv);
	return rc;
}
