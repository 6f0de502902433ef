/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Requests of the supervisor about the session's state: pausing it, taking it, giving it to
 * another worker.
 */
#include "worker.h"

#include <errno.h>
#include <string.h>

#define PAUSE_DEFAULT_MS 10000

int worker_do_pause(struct worker_request *r)
{
	int timeout = (int)worker_number(r->json, "timeout_ms", PAUSE_DEFAULT_MS);
	struct hetckpt_pause_report report;
	int rc = hetckpt_core_pause(r->worker->core, timeout, &report, &r->error);

	if (!rc)
		r->facts = json_pack("{s:I, s:I, s:I, s:f, s:f, s:f}", "launches", (json_int_t)report.launches,
			"parked", (json_int_t)report.parked, "unstarted", (json_int_t)report.unstarted,
			"raised_us", report.raised_us, "ended_us", report.ended_us, "park_us", report.park_us);
	return rc;
}

int worker_do_resume(struct worker_request *r)
{
	int rc = worker_claim(r->worker, &r->error);

	return rc ? rc : hetckpt_core_resume(r->worker->core, &r->error);
}

/* ---- The stage --------------------------------------------------------- */

static enum hetckpt_bulk bulk(const struct worker_request *r)
{
	const char *text = worker_text(r->json, "bulk");

	return !strcmp(text, "peer") ? HETCKPT_BULK_PEER : !strcmp(text, "stage") ? HETCKPT_BULK_STAGE : HETCKPT_BULK_FILE;
}

int worker_do_stage(struct worker_request *r)
{
	struct worker *worker = r->worker;
	struct hetckpt_stage_report report = {0};
	int rc = worker_need_fd(r);

	if (rc)
		return rc;
	if (worker->capture)
		return hetckpt_error_set(&r->error, -EBUSY, 0, "the stage holds a state that is not written yet");
	if (!worker->staged) {
		rc = hetckpt_core_stage_set(worker->core, r->fd, worker_number(r->json, "limit", UINT64_MAX), &r->error);
		worker->staged = !rc;
	}
	if (!rc)
		rc = hetckpt_core_stage_prepare(worker->core, worker_number(r->json, "bytes", 0), bulk(r), &report,
		                                &r->error);
	if (!rc)
		r->facts = json_pack("{s:I, s:b, s:f}", "stage_bytes", (json_int_t)report.bytes, "page_locked",
		                     report.locked, "prepare_seconds", report.seconds);
	return rc;
}

/* ---- Saving ------------------------------------------------------------ */

/* Takes over what the application has sent so far. A second look at the same pause finds
   nothing new, and must not ask: another worker may hold the ring by then. */
static int drain(struct worker_request *r)
{
	int rc = 0;

	if (!hetckpt_core_paused(r->worker->core))
		return hetckpt_error_set(&r->error, -EBUSY, 0, "the session must be paused first");
	if (json_is_true(json_object_get(r->json, "again")))
		return 0;
	rc = worker_claim(r->worker, &r->error);
	return rc ? rc : worker_drain(r->worker, &r->error);
}

static void report_facts(struct worker_request *r, const struct hetckpt_capture_report *report)
{
	r->facts = json_pack("{s:I, s:I, s:I, s:f}", "state_bytes", (json_int_t)report->bytes, "staged_bytes",
	                     (json_int_t)report->staged_bytes, "peer_bytes", (json_int_t)report->peer_bytes,
	                     "copy_seconds", report->seconds);
}

static struct hetckpt_save_options save_options(const struct worker_request *r)
{
	return (struct hetckpt_save_options){
		.raw = !strcmp(worker_text(r->json, "compress"), "none"),
		.level = (int)worker_number(r->json, "level", 0),
		.without_host = json_is_false(json_object_get(r->json, "host")),
		.bulk = bulk(r),
		.progress = worker_progress, .context = r->worker,
	};
}

int worker_do_snapshot(struct worker_request *r)
{
	struct hetckpt_save_options options = save_options(r);
	struct hetckpt_capture_report report = {0};
	int rc = worker_need_fd(r);

	options.report = &report;
	if (!rc)
		rc = drain(r);
	if (!rc)
		rc = hetckpt_core_save(r->worker->core, r->fd, &options, &r->error);
	if (!rc)
		report_facts(r, &report);
	return rc;
}

int worker_do_capture(struct worker_request *r)
{
	struct worker *worker = r->worker;
	struct hetckpt_capture_report report;
	int rc;

	/* One that nobody came to write. */
	hetckpt_capture_free(worker->capture);
	worker->capture = NULL;
	rc = drain(r);
	if (!rc)
		rc = hetckpt_core_capture(worker->core, json_is_false(json_object_get(r->json, "host")),
		                          &worker->capture, &report, &r->error);
	if (!rc)
		report_facts(r, &report);
	return rc;
}

int worker_do_write(struct worker_request *r)
{
	struct worker *worker = r->worker;
	struct hetckpt_save_options options = save_options(r);
	int rc = worker_need_fd(r);

	if (rc)
		return rc;
	if (!worker->capture)
		return hetckpt_error_set(&r->error, -EINVAL, 0, "no state has been captured");
	rc = hetckpt_capture_write(worker->capture, r->fd, &options, &r->error);
	hetckpt_capture_free(worker->capture);
	worker->capture = NULL;
	return rc;
}

/* ---- Loading ----------------------------------------------------------- */

static int only_restoring(struct worker_request *r)
{
	if (r->worker->restore)
		return worker_need_fd(r);
	return hetckpt_error_set(&r->error, -EBUSY, 0, "only a worker started with --restore loads a snapshot");
}

int worker_do_load(struct worker_request *r)
{
	struct worker *worker = r->worker;
	uint64_t taken = 0;
	int rc = only_restoring(r);

	if (rc)
		return rc;
	/* A session that no application has attached to is there to finish the work alone. */
	worker->detached = !atomic_load(&worker->session.control->produced_seq);
	if (json_is_true(json_object_get(r->json, "take_over")))
		rc = hetckpt_core_take_over(worker->core, r->fd, worker->detached, &taken, &r->error);
	else
		rc = hetckpt_core_load(worker->core, r->fd, worker->detached, &taken, &r->error);
	if (!rc)
		worker->loaded_seq = worker->detached ? 0 : taken;
	return rc;
}

int worker_do_outline(struct worker_request *r)
{
	int rc = worker_need_fd(r);

	return rc ? rc : hetckpt_core_outline(r->worker->core, r->fd, &r->error);
}

int worker_do_prepare(struct worker_request *r)
{
	int rc = only_restoring(r);

	return rc ? rc : hetckpt_core_prepare(r->worker->core, r->fd, &r->error);
}
