/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Requests of the supervisor; docs/sessions.md lists them. Those about the session's state are
 * in worker_state.c.
 */
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/common/log.h"
#include "runtime/common/timeline.h"

#define FATBIN_MAX ((uint64_t)8 << 30)

uint64_t worker_number(const json_t *request, const char *name, uint64_t otherwise)
{
	const json_t *value = json_object_get(request, name);

	return json_is_integer(value) && json_integer_value(value) >= 0
		? (uint64_t)json_integer_value(value) : otherwise;
}

const char *worker_text(const json_t *request, const char *name)
{
	const char *value = json_string_value(json_object_get(request, name));

	return value ? value : "";
}

int worker_need_fd(struct worker_request *r)
{
	return r->fd >= 0 ? 0 : hetckpt_error_set(&r->error, -EINVAL, 0, "'%s' needs a descriptor",
	                                          worker_text(r->json, "op"));
}

/* ---- Handing over ------------------------------------------------------ */

static int do_module(struct worker_request *r)
{
	uint64_t bytes = worker_number(r->json, "bytes", 0), done = 0;
	struct stat facts;
	char *data;
	int rc = worker_need_fd(r);

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
	return hetckpt_core_module_add(r->worker->core, worker_number(r->json, "module", 0), data, bytes, &r->error);
}

static int do_host(struct worker_request *r)
{
	int rc = worker_need_fd(r);

	return rc ? rc : hetckpt_core_host_add(r->worker->core, worker_number(r->json, "address", 0),
	                                       worker_number(r->json, "bytes", 0), r->fd, &r->error);
}

static int do_host_free(struct worker_request *r)
{
	return hetckpt_core_host_remove(r->worker->core, worker_number(r->json, "address", 0), &r->error);
}

/* ---- Facts ------------------------------------------------------------- */

static int do_status(struct worker_request *r)
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

static int do_wait_idle(struct worker_request *r)
{
	struct worker *worker = r->worker;

	if (worker->idle_count == WORKER_IDLE_MAX)
		return hetckpt_error_set(&r->error, -EBUSY, 0, "too many requests wait already");
	worker->idle[worker->idle_count++] = json_incref(r->json);
	r->later = true;
	return 0;
}

static int do_export(struct worker_request *r)
{
	return hetckpt_core_export(r->worker->core, worker_text(r->json, "directory"), &r->error);
}

static int do_stress(struct worker_request *r)
{
	return hetckpt_core_stress(r->worker->core, worker_text(r->json, "mode"), worker_number(r->json, "seed", 1),
	                           worker_number(r->json, "period_us", 0), &r->error);
}

/* ---- Loop -------------------------------------------------------------- */

static const struct {
	const char *op;
	int (*act)(struct worker_request *r);
	const char *what;   /* for progress records; NULL: never takes long */
} operations[] = {
	{"module", do_module, NULL},
	{"host", do_host, "page-locking"},
	{"host_free", do_host_free, NULL},
	{"pause", worker_do_pause, "waiting for kernels"},
	{"resume", worker_do_resume, NULL},
	{"status", do_status, NULL},
	{"stage", worker_do_stage, "page-locking"},
	{"capture", worker_do_capture, "copying the state"},
	{"write", worker_do_write, "writing the snapshot"},
	{"snapshot", worker_do_snapshot, "writing the snapshot"},
	{"load", worker_do_load, "loading the snapshot"},
	{"outline", worker_do_outline, NULL},
	{"prepare", worker_do_prepare, "getting ready"},
	{"share", worker_do_share, NULL},
	{"reach", worker_do_reach, "mapping the other device's memory"},
	{"reach_end", worker_do_reach_end, NULL},
	{"wait_idle", do_wait_idle, NULL},
	{"export", do_export, "writing memory to files"},
	{"stress", do_stress, "waiting for kernels"},
};

static void serve(struct worker *worker, json_t *json, int fd)
{
	struct worker_request r = {.worker = worker, .json = json, .fd = fd};
	const char *op = worker_text(json, "op");
	uint64_t begin = hetckpt_timeline_now();
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
	hetckpt_timeline_step(begin, "serves %.40s", op);
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
		if (!strcmp(worker_text(json, "op"), "quit"))
			return;
		serve(worker, json, count ? fds[0] : -1);
		for (int i = 0; i < count; i++)
			close(fds[i]);
		json_decref(json);
	}
}
