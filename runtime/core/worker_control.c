/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Requests of the supervisor; docs/sessions.md lists them.
 */
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/common/log.h"

#define FATBIN_MAX ((uint64_t)8 << 30)
#define PAUSE_DEFAULT_MS 10000

struct request {
	struct worker *worker;
	json_t *json;
	int fd;                        /* -1: none came */
	json_t *facts;                 /* of the reply; NULL: none */
	bool later;                    /* answered by somebody else */
	struct hetckpt_error error;
};

static uint64_t number(const json_t *request, const char *name, uint64_t otherwise)
{
	const json_t *value = json_object_get(request, name);

	return json_is_integer(value) && json_integer_value(value) >= 0
		? (uint64_t)json_integer_value(value) : otherwise;
}

static const char *text(const json_t *request, const char *name)
{
	const char *value = json_string_value(json_object_get(request, name));

	return value ? value : "";
}

static int need_fd(struct request *r)
{
	return r->fd >= 0 ? 0 : hetckpt_error_set(&r->error, -EINVAL, 0, "'%s' needs a descriptor",
	                                          text(r->json, "op"));
}

/* ---- Handing over ------------------------------------------------------ */

static int do_module(struct request *r)
{
	uint64_t bytes = number(r->json, "bytes", 0), done = 0;
	struct stat facts;
	char *data;
	int rc = need_fd(r);

	if (rc)
		return rc;
	if (!bytes || bytes > FATBIN_MAX || fstat(r->fd, &facts) || (uint64_t)facts.st_size < bytes)
		return hetckpt_error_set(&r->error, -EINVAL, 0, "module: %llu bytes are not in its memory",
		                         (unsigned long long)bytes);
	data = malloc(bytes);
	if (!data)
		return hetckpt_error_set(&r->error, -ENOMEM, 0, "module: out of host memory");
	while (done < bytes) {
		ssize_t n = pread(r->fd, data + done, bytes - done, (off_t)done);

		if (n <= 0) {
			free(data);
			return hetckpt_error_set(&r->error, -EIO, 0, "module: cannot read its memory");
		}
		done += (uint64_t)n;
	}
	return hetckpt_core_module_add(r->worker->core, number(r->json, "module", 0), data, bytes, &r->error);
}

static int do_host(struct request *r)
{
	int rc = need_fd(r);

	return rc ? rc : hetckpt_core_host_add(r->worker->core, number(r->json, "address", 0),
	                                       number(r->json, "bytes", 0), r->fd, &r->error);
}

static int do_host_free(struct request *r)
{
	return hetckpt_core_host_remove(r->worker->core, number(r->json, "address", 0), &r->error);
}

/* ---- Pause, snapshot, load --------------------------------------------- */

static int do_pause(struct request *r)
{
	int timeout = (int)number(r->json, "timeout_ms", PAUSE_DEFAULT_MS);
	struct hetckpt_pause_report report;
	int rc = hetckpt_core_pause(r->worker->core, timeout, &report, &r->error);

	if (!rc)
		r->facts = json_pack("{s:I, s:I, s:I, s:f}", "launches", (json_int_t)report.launches,
			"parked", (json_int_t)report.parked, "unstarted", (json_int_t)report.unstarted,
			"park_us", report.park_us);
	return rc;
}

static int do_resume(struct request *r)
{
	int rc = worker_claim(r->worker, &r->error);

	return rc ? rc : hetckpt_core_resume(r->worker->core, &r->error);
}

static int do_snapshot(struct request *r)
{
	struct hetckpt_save_options options = {
		.raw = !strcmp(text(r->json, "compress"), "none"),
		.level = (int)number(r->json, "level", 0),
		.without_host = json_is_false(json_object_get(r->json, "host")),
		.progress = worker_progress, .context = r->worker,
	};
	int rc = need_fd(r);

	if (rc)
		return rc;
	if (!hetckpt_core_paused(r->worker->core))
		return hetckpt_error_set(&r->error, -EBUSY, 0, "the session must be paused first");
	rc = worker_claim(r->worker, &r->error);
	if (!rc)
		rc = worker_drain(r->worker, &r->error);
	return rc ? rc : hetckpt_core_save(r->worker->core, r->fd, &options, &r->error);
}

static int do_load(struct request *r)
{
	struct worker *worker = r->worker;
	uint64_t taken = 0;
	int rc = need_fd(r);

	if (rc)
		return rc;
	if (!worker->restore)
		return hetckpt_error_set(&r->error, -EBUSY, 0, "only a worker started with --restore loads a snapshot");
	/* A session that no application has attached to is there to finish the work alone. */
	worker->detached = !atomic_load(&worker->session.control->produced_seq);
	rc = hetckpt_core_load(worker->core, r->fd, worker->detached, &taken, &r->error);
	if (!rc)
		worker->loaded_seq = worker->detached ? 0 : taken;
	return rc;
}

/* ---- Facts ------------------------------------------------------------- */

static int do_status(struct request *r)
{
	struct hetckpt_session_control *c = r->worker->session.control;
	uint64_t produced = atomic_load(&c->produced_seq), taken = atomic_load(&c->taken_seq);

	r->facts = hetckpt_core_status(r->worker->core, json_is_true(json_object_get(r->json, "detail")));
	if (!r->facts)
		return hetckpt_error_set(&r->error, -ENOMEM, 0, "out of host memory");
	json_object_set_new(r->facts, "ring_commands",
	                    json_integer(produced > taken ? (json_int_t)(produced - taken) : 0));
	json_object_set_new(r->facts, "pid", json_integer(getpid()));
	return 0;
}

static int do_wait_idle(struct request *r)
{
	struct worker *worker = r->worker;

	if (worker->idle_count == WORKER_IDLE_MAX)
		return hetckpt_error_set(&r->error, -EBUSY, 0, "too many requests wait already");
	worker->idle[worker->idle_count++] = json_incref(r->json);
	r->later = true;
	return 0;
}

static int do_export(struct request *r)
{
	return hetckpt_core_export(r->worker->core, text(r->json, "directory"), &r->error);
}

static int do_stress(struct request *r)
{
	return hetckpt_core_stress(r->worker->core, text(r->json, "mode"), number(r->json, "seed", 1),
	                           number(r->json, "period_us", 0), &r->error);
}

/* ---- Loop -------------------------------------------------------------- */

static const struct {
	const char *op;
	int (*act)(struct request *r);
	const char *what;   /* for progress records; NULL: never takes long */
} operations[] = {
	{"module", do_module, NULL},
	{"host", do_host, "page-locking"},
	{"host_free", do_host_free, NULL},
	{"pause", do_pause, "waiting for kernels"},
	{"resume", do_resume, NULL},
	{"status", do_status, NULL},
	{"snapshot", do_snapshot, "writing the snapshot"},
	{"load", do_load, "loading the snapshot"},
	{"wait_idle", do_wait_idle, NULL},
	{"export", do_export, "writing memory to files"},
	{"stress", do_stress, "waiting for kernels"},
};

static void serve(struct worker *worker, json_t *json, int fd)
{
	struct request r = {.worker = worker, .json = json, .fd = fd};
	const char *op = text(json, "op");
	int rc = -EOPNOTSUPP;

	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		if (strcmp(operations[i].op, op))
			continue;
		if (operations[i].what)
			worker_busy_begin(worker, json, operations[i].what);
		rc = operations[i].act(&r);
		if (operations[i].what)
			worker_busy_end(worker);
		goto answer;
	}
	hetckpt_error_set(&r.error, rc, 0, "the worker knows no request '%.40s'", op);
answer:
	if (rc) {
		json_decref(r.facts);
		r.error.code = rc;
		worker_refuse(worker, json, &r.error);
	} else if (!r.later) {
		worker_reply(worker, json, r.facts);
	}
}

/* Answers those who wait for the end of all work. */
static void tell_idle(struct worker *worker)
{
	struct hetckpt_session_control *c = worker->session.control;
	bool idle = worker->idle_count && hetckpt_core_idle(worker->core) &&
	            (worker->detached || atomic_load(&c->produced_seq) == atomic_load(&c->taken_seq)) &&
	            !hetckpt_core_paused(worker->core);

	/* Once a second they hear that it goes on. */
	worker->idle_told++;
	for (unsigned i = 0; i < worker->idle_count; i++) {
		if (idle) {
			worker_reply(worker, worker->idle[i], NULL);
			json_decref(worker->idle[i]);
		} else if (worker->idle_told % 50 == 0) {
			worker_event(worker, json_pack("{s:O?, s:{s:i, s:i, s:s}}", "id",
				json_object_get(worker->idle[i], "id"), "progress", "done", 0, "total", 0,
				"what", "waiting for the work to end"));
		}
	}
	if (idle)
		worker->idle_count = 0;
}

void worker_control(struct worker *worker)
{
	for (;;) {
		int fds[HETCKPT_CONTROL_FDS], count = 0;
		json_t *json;
		int rc = hetckpt_control_receive(worker->control, &json, fds, &count,
		                                 worker->idle_count ? 20 : 1000);

		tell_idle(worker);
		if (rc == -ETIMEDOUT || rc == -EMSGSIZE || rc == -EBADMSG)
			continue;
		if (rc)
			return; /* the supervisor is gone */
		if (!strcmp(text(json, "op"), "quit"))
			return;
		serve(worker, json, count ? fds[0] : -1);
		for (int i = 0; i < count; i++)
			close(fds[i]);
		json_decref(json);
	}
}
