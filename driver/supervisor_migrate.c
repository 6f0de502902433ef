/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Moving a session to another device.
 *
 * While kernels run: the target starts, maps memory and makes code by the source's outline, and
 * both get the stage. While they stand still: the source copies its memory into the stage, the
 * target copies it out and resumes.
 */
#define _GNU_SOURCE
#include "supervisor.h"
#include "supervisor_inside.h"

#include "output.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct migration {
	struct hetckpt_supervisor *sv;
	struct hetckpt_worker_link *source, *target;
	const struct hetckpt_requester *who;
	struct hetckpt_worker_wait wait;
	const char *via;        /* asked for: "auto", "stage", "file" */
	bool was_paused, staged;
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

/* Both workers get the stage, with room for what the source has now. */
static bool stage_both(struct migration *m)
{
	json_int_t bytes;

	if (!strcmp(m->via, "file") || !hetckpt_supervisor_stage(m->sv, m->source, 0, "stage", m->who, m->facts))
		return false;
	bytes = json_integer_value(json_object_get(m->facts, "stage_bytes"));
	return hetckpt_supervisor_stage(m->sv, m->target, bytes, "stage", m->who, NULL);
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
	/* Its device memory first: both may not fit side by side. */
	hetckpt_worker_end(m->source, 0);
	m->wait.tick = NULL;
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
	json_t *reply = NULL;
	int rc;

	/* Page-locked buffers of an application are shared memory, handed over already; those
	   of a restored session are the worker's own. */
	rc = hetckpt_worker_call(m->source,
				 json_pack("{s:s, s:s, s:b, s:s}", "op", "snapshot", "compress", "none", "host",
					   m->sv->restoring, "bulk", m->staged ? "stage" : "file"),
				 &m->state, 1, &reply, &m->wait, error);
	if (rc)
		return rc;
	hetckpt_inside_merge(m->facts, reply);
	json_object_set_new(m->facts, "save_seconds", json_real(hetckpt_clock_seconds() - begun));
	/* The state is safe here: if the source dies now, the target can still go on. */
	hetckpt_worker_expect_end(m->source, true);
	begun = hetckpt_clock_seconds();
	rc = target_load(m, error);
	json_object_set_new(m->facts, "load_seconds", json_real(hetckpt_clock_seconds() - begun));
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
	bool claimed = false;
	json_t *reply = NULL;
	int rc;

	/* The target's device opens while the source still computes. */
	rc = target_start(&m, o->device, error);
	if (!rc)
		rc = target_prepare(&m, error);
	if (rc)
		goto out;
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
		json_object_set_new(facts, "via", json_string(m.staged ? "stage" : "file"));
		json_object_set_new(facts, "from", json_string(hetckpt_worker_device(source)));
		json_object_set_new(facts, "device", json_string(o->device));
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
