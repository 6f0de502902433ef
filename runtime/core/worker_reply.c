/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/common/log.h"

#define SEND_MS 10000

/* ---- To the application ------------------------------------------------ */

static void reply(void *context, uint32_t slot, uint64_t seq, uint32_t code, const void *data,
                  uint32_t bytes)
{
	struct worker *worker = context;
	/* -ESTALE: the application has given up waiting. */
	int rc = hetckpt_reply_send(&worker->session, slot, seq, (int)code, data, bytes);

	if (rc && rc != -ESTALE)
		hetckpt_log(HETCKPT_LOG_WARN, "cannot answer command %llu: %s", (unsigned long long)seq,
		            strerror(-rc));
}

static void raise_error(void *context, uint32_t cuda, const char *text)
{
	struct worker *worker = context;

	if (text)
		hetckpt_log(HETCKPT_LOG_WARN, "%s", text);
	hetckpt_session_raise(&worker->session, cuda);
}

/* A kernel's fault, as on any device, is the program's affair: every later call returns the
   error. The supervisor is told, so that tools can say what happened. */
static void fault(void *context, uint32_t cuda, const char *text)
{
	struct worker *worker = context;

	/* First, for an application that sees the error may end the session with it. */
	if (worker_event(worker, json_pack("{s:s, s:s, s:i}", "event", "fault", "error", text, "code", (int)cuda)))
		hetckpt_log(HETCKPT_LOG_ERROR, "%s", text);
	hetckpt_session_raise(&worker->session, cuda);
}

static void staging_release(void *context, uint64_t offset, uint64_t bytes)
{
	struct worker *worker = context;

	if (bytes && hetckpt_staging_release(&worker->session, offset, bytes))
		hetckpt_log(HETCKPT_LOG_WARN, "a copy named %llu bytes at %llu of the staging area, which are not there",
		            (unsigned long long)bytes, (unsigned long long)offset);
}

static void retire(void *context, uint64_t seq)
{
	struct worker *worker = context;

	hetckpt_ring_retire(&worker->session, seq);
}

static void wake(void *context)
{
	struct worker *worker = context;

	hetckpt_ring_kick(&worker->session);
}

void worker_host(struct worker *worker, struct hetckpt_core_host *host)
{
	*host = (struct hetckpt_core_host){
		.context = worker, .reply = reply, .raise = raise_error, .fault = fault,
		.staging_release = staging_release, .retire = retire, .wake = wake,
		.staging = worker->session.staging, .staging_bytes = worker->session.staging_bytes,
	};
}

/* ---- To the supervisor ------------------------------------------------- */

int worker_event(struct worker *worker, json_t *event)
{
	int rc;

	if (!event)
		return -ENOMEM;
	pthread_mutex_lock(&worker->send_lock);
	rc = hetckpt_control_send(worker->control, event, NULL, 0, SEND_MS);
	pthread_mutex_unlock(&worker->send_lock);
	if (rc && rc != -EPIPE)
		hetckpt_log(HETCKPT_LOG_WARN, "cannot send to the supervisor: %s", strerror(-rc));
	json_decref(event);
	return rc;
}

void worker_reply(struct worker *worker, const json_t *request, json_t *facts)
{
	int rc;

	pthread_mutex_lock(&worker->send_lock);
	rc = hetckpt_control_reply(worker->control, request, facts, NULL, 0);
	if (rc == -EMSGSIZE)
		hetckpt_control_refuse(worker->control, request, rc, "the answer is too long for one message");
	pthread_mutex_unlock(&worker->send_lock);
}

void worker_refuse(struct worker *worker, const json_t *request, const struct hetckpt_error *error)
{
	pthread_mutex_lock(&worker->send_lock);
	hetckpt_control_refuse(worker->control, request, error->code ? error->code : -EIO, "%s", error->text);
	pthread_mutex_unlock(&worker->send_lock);
}

/* ---- Progress ---------------------------------------------------------- */

void worker_busy_begin(struct worker *worker, json_t *request, const char *what)
{
	pthread_mutex_lock(&worker->busy_lock);
	worker->busy = request;
	worker->busy_what = what;
	atomic_store(&worker->done, 0);
	atomic_store(&worker->total, 0);
	pthread_mutex_unlock(&worker->busy_lock);
}

void worker_busy_end(struct worker *worker)
{
	pthread_mutex_lock(&worker->busy_lock);
	worker->busy = NULL;
	pthread_mutex_unlock(&worker->busy_lock);
}

int worker_progress(void *context, uint64_t done, uint64_t total)
{
	struct worker *worker = context;

	atomic_store(&worker->done, done);
	atomic_store(&worker->total, total);
	return 0;
}

/* Whoever waits for a long operation hears from it, also while it has nothing to count. */
void *worker_progress_main(void *context)
{
	struct worker *worker = context;

	for (;;) {
		json_t *record = NULL;

		usleep(250000);
		pthread_mutex_lock(&worker->busy_lock);
		if (worker->busy)
			record = json_pack("{s:O?, s:{s:I, s:I, s:s}}", "id", json_object_get(worker->busy, "id"),
				"progress", "done", (json_int_t)atomic_load(&worker->done),
				"total", (json_int_t)atomic_load(&worker->total), "what", worker->busy_what);
		pthread_mutex_unlock(&worker->busy_lock);
		worker_event(worker, record);
	}
	return NULL;
}
