/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/common/log.h"

/* Commands between two looks at the device. */
#define BATCH 64
/* How long to look for the next command before sleeping, and how often to look at a back end
   that does not notify. */
#define SPIN_US 30
#define POLL_US 20
#define POLL_SLOW_US 60
/* After so long the device is not about to end: look less often. */
#define POLL_HOT_NS 2000000u

int worker_claim(struct worker *worker, struct hetckpt_error *error)
{
	int rc = 0;

	pthread_mutex_lock(&worker->ring_lock);
	if (!worker->claimed) {
		rc = hetckpt_ring_claim(&worker->ring, &worker->session, worker->loaded_seq);
		if (rc)
			hetckpt_error_set(error, rc, 0, rc == -ESTALE
				? "commands were taken by another worker since this state was saved"
				: "cannot become the ring's consumer: %s", strerror(-rc));
		else
			worker->claimed = true;
	}
	pthread_mutex_unlock(&worker->ring_lock);
	return rc;
}

/* Takes one command. -EAGAIN: none. With ring_lock held. */
static int take(struct worker *worker, struct hetckpt_error *error)
{
	static _Alignas(16) unsigned char copy[HETCKPT_MSG_MAX_BYTES];
	const struct hetckpt_msg *msg;
	struct hetckpt_msg *mine = (struct hetckpt_msg *)copy;
	uint32_t bytes;
	int rc = hetckpt_ring_peek(&worker->ring, &msg, &bytes);

	if (rc == -EAGAIN || rc == -EOWNERDEAD)
		return rc;
	if (rc || bytes > sizeof copy || bytes < sizeof *msg)
		return hetckpt_error_set(error, -EPROTO, 0, "the application's commands are damaged");
	/* From here on only the copy counts: the ring is the application's to write. */
	memcpy(copy, msg, bytes);
	mine->bytes = bytes;
	rc = hetckpt_core_submit(worker->core, mine, error);
	return rc ? rc : hetckpt_ring_advance(&worker->ring);
}

static void broken(struct worker *worker, const struct hetckpt_error *error)
{
	hetckpt_log(HETCKPT_LOG_ERROR, "%s", error->text);
	hetckpt_session_fail(&worker->session, error->cuda, error->text);
	worker_event(worker, json_pack("{s:s, s:s, s:i}", "event", "fault", "error", error->text, "code",
	                               error->code));
	_exit(1);
}

int worker_drain(struct worker *worker, struct hetckpt_error *error)
{
	uint64_t sent;
	int rc = -EAGAIN;

	pthread_mutex_lock(&worker->ring_lock);
	/* What is there now: an application that always has more to send would never let this end. */
	sent = atomic_load(&worker->session.control->tail);
	while ((int64_t)(sent - worker->ring.position) > 0 && !(rc = take(worker, error)))
		rc = -EAGAIN;
	pthread_mutex_unlock(&worker->ring_lock);
	if (rc == -EPROTO)
		broken(worker, error);
	if (rc == -EOWNERDEAD)
		return hetckpt_error_set(error, rc, 0, "another worker serves this session by now");
	return rc == -EAGAIN ? 0 : rc;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void *worker_ring_main(void *context)
{
	struct worker *worker = context;
	uint64_t moved_at = now_ns();

	for (;;) {
		struct hetckpt_core_progress progress;
		struct hetckpt_error error;
		uint32_t ticket = 0;
		unsigned taken = 0;
		bool mine;
		int rc = 0;

		pthread_mutex_lock(&worker->ring_lock);
		mine = worker->claimed;
		if (mine)
			ticket = hetckpt_ring_ticket(&worker->ring);
		while (worker->claimed && taken < BATCH && hetckpt_core_accepts(worker->core)) {
			rc = take(worker, &error);
			if (rc)
				break;
			taken++;
		}
		if (rc == -EOWNERDEAD)
			worker->claimed = false;
		pthread_mutex_unlock(&worker->ring_lock);
		if (rc == -EPROTO)
			broken(worker, &error);
		hetckpt_core_step(worker->core, &progress);
		if (taken || progress.moved) {
			moved_at = now_ns();
			continue;
		}
		if (!mine) {
			/* Another worker may be the consumer: its sleep is not ours to disturb. */
			usleep(2000);
		} else if (progress.poll) {
			/* Hot while an end is near, then a nap at a time: a kernel of seconds must not
			   cost a core. */
			if (now_ns() - moved_at < POLL_HOT_NS)
				hetckpt_ring_wait(&worker->ring, ticket, 0, POLL_US);
			else if (hetckpt_ring_wait(&worker->ring, ticket, 0, 0))
				usleep(POLL_SLOW_US);
		} else {
			int ms = progress.sleep_us ? (int)((progress.sleep_us + 999) / 1000) : 200;

			hetckpt_ring_wait(&worker->ring, ticket, ms < 200 ? ms : 200,
			                  progress.in_flight ? 0 : SPIN_US);
		}
	}
	return NULL;
}
