/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Holding the device still.
 *
 *   running --raise--> pausing --quiet--> paused --lower--> running
 *                         |
 *                      timeout--> draining --nothing can park any more, lower--> running
 *
 * The flag goes up first and without core->lock: whatever the executor is doing, running
 * kernels see it within microseconds. From then on stop keeps the executor from handing
 * anything over, so what is on the device only becomes less. It is quiet when launches
 * have no part on the device (each has been collected) and no other command is
 * issued; by the executor's rule (executor.c) all of these end by themselves.
 *
 * Why a pause that is given up does not lower the flag at once: a launch may be half
 * parked. Blocks that it lets in after lowering would park, at the next raise, into the
 * same table, which has room for one raise only. So the flag stays up until every
 * launch that can park has been collected; that takes one poll of its slowest block.
 */
#include "core_internal.h"

#include <errno.h>

#include "launch.h"

/* How long a pause waits awake. Kernels park within microseconds, or it takes longer anyway. */
#define AWAKE_NS 2000000u

int hetckpt_pause_raise(struct hetckpt_core *core, struct hetckpt_error *error)
{
	int rc = 0;

	pthread_mutex_lock(&core->raise);
	atomic_store(&core->stop, 1);
	if (!core->raised && core->open) {
		atomic_fetch_add(&core->epoch, 1);
		rc = hetckpt_dev_raise(&core->dev, core->base, error);
		core->raised = true;
	}
	pthread_mutex_unlock(&core->raise);
	return rc;
}

static int lower(struct hetckpt_core *core, struct hetckpt_error *error)
{
	int rc = 0;

	pthread_mutex_lock(&core->raise);
	if (core->raised && core->open)
		rc = hetckpt_dev_lower(&core->dev, core->base, error);
	if (!rc) {
		core->raised = false;
		atomic_store(&core->stop, 0);
	}
	pthread_mutex_unlock(&core->raise);
	return rc;
}

/* No launch that can park is on the device. */
static bool parked(struct hetckpt_core *core)
{
	for (struct hetckpt_stream *s = core->streams; s; s = s->next)
		if (hetckpt_stream_in_flight(s))
			return false;
	return true;
}

bool hetckpt_pause_quiet(struct hetckpt_core *core)
{
	return !hetckpt_executor_in_flight(core);
}

bool hetckpt_pause_step(struct hetckpt_core *core)
{
	struct hetckpt_error error;

	if (core->state == HETCKPT_CORE_PAUSING && (core->failed || hetckpt_pause_quiet(core))) {
		core->state = HETCKPT_CORE_PAUSED;
		return true;
	}
	if (core->state == HETCKPT_CORE_DRAINING && (core->failed || parked(core))) {
		if (!core->failed && lower(core, &error))
			hetckpt_core_fail(core, &error);
		core->state = HETCKPT_CORE_RUNNING;
		core->host.wake(core->host.context);
		return true;
	}
	return false;
}

/* Names what keeps the device busy. */
static int report_timeout(struct hetckpt_core *core, int timeout_ms, struct hetckpt_error *error)
{
	for (struct hetckpt_stream *s = core->streams; s; s = s->next) {
		const struct hetckpt_command *c = s->first;

		for (; c && c->state == HETCKPT_COMMAND_ISSUED; c = c->behind) {
			const struct hetckpt_function *f = c->flight ? c->flight->function : c->function;

			if (f && (!c->flight || c->flight->parts))
				return hetckpt_error_set(error, -ETIMEDOUT, 0,
					"not paused within %d ms: %.200s is still running%s%.120s", timeout_ms,
					f->map->signature, f->map->pausable ? "" : " and cannot pause: ",
					f->map->pausable || !f->map->reason ? "" : f->map->reason);
		}
	}
	return hetckpt_error_set(error, -ETIMEDOUT, 0, "not paused within %d ms: copies are still running",
	                         timeout_ms);
}

static void report_blocks(struct hetckpt_core *core, struct hetckpt_pause_report *report)
{
	for (struct hetckpt_stream *s = core->streams; s; s = s->next) {
		if (!s->gate || !s->gate->flight)
			continue;
		report->launches++;
		report->parked += s->gate->flight->todo.parked_count;
		report->unstarted += hetckpt_blocks_unstarted(&s->gate->flight->todo);
	}
}

/* Waits for the device to tell of something, in a pause that began then. */
static void await(struct hetckpt_core *core, uint64_t bell, uint64_t begin)
{
	const uint32_t awake = HETCKPT_BACKEND_NOTIFIES | HETCKPT_BACKEND_APART;

	if ((core->backend->flags & awake) == awake && hetckpt_core_now() - begin < AWAKE_NS)
		hetckpt_core_bell_watch(core, bell, 500);
	else
		hetckpt_core_bell_wait(core, bell, core->backend->flags & HETCKPT_BACKEND_NOTIFIES ? 500 : 10);
}

int hetckpt_core_pause(struct hetckpt_core *core, int timeout_ms,
                       struct hetckpt_pause_report *report, struct hetckpt_error *error)
{
	uint64_t begin = hetckpt_core_now(), still = 0;
	int rc = hetckpt_pause_raise(core, error);

	*report = (struct hetckpt_pause_report){.raised_us = (double)(hetckpt_core_now() - begin) / 1e3};
	hetckpt_core_enter(core);
	core->last_ended = 0;
	/* Somebody may have resumed between the raise and the lock. */
	if (!rc)
		rc = hetckpt_pause_raise(core, error);
	if (rc) {
		hetckpt_core_fail(core, error);
		pthread_mutex_unlock(&core->lock);
		return rc;
	}
	if (core->state != HETCKPT_CORE_PAUSED)
		core->state = HETCKPT_CORE_PAUSING;
	core->pausers++;
	while (core->state != HETCKPT_CORE_PAUSED) {
		uint64_t bell = hetckpt_core_bell(core);
		bool moved = hetckpt_executor_collect(core);

		if (core->failed) {
			rc = core->failure.code;
			if (error)
				*error = core->failure;
			break;
		}
		if (hetckpt_pause_step(core) || moved)
			continue;
		if (timeout_ms >= 0 && hetckpt_core_now() - begin > (uint64_t)timeout_ms * 1000000) {
			rc = report_timeout(core, timeout_ms, error);
			break;
		}
		/* The executor may use the lock meanwhile: it drains the ring of a session that
		   is being paused only when asked to. */
		pthread_mutex_unlock(&core->lock);
		await(core, bell, begin);
		hetckpt_core_enter(core);
	}
	core->pausers--;
	still = hetckpt_core_now();
	if (rc && core->state == HETCKPT_CORE_PAUSING && !core->pausers)
		core->state = HETCKPT_CORE_DRAINING;
	if (!rc)
		report_blocks(core, report);
	if (core->last_ended > begin)
		report->ended_us = (double)(core->last_ended - begin) / 1e3;
	report->park_us = (double)(still - begin) / 1e3;
	pthread_mutex_unlock(&core->lock);
	core->host.wake(core->host.context);
	return rc;
}

int hetckpt_pause_resume_locked(struct hetckpt_core *core, struct hetckpt_error *error)
{
	int rc = 0;

	if (core->state != HETCKPT_CORE_PAUSED)
		return 0;
	if (!core->failed)
		rc = lower(core, error);
	if (!rc)
		core->state = HETCKPT_CORE_RUNNING;
	return rc;
}

int hetckpt_core_resume(struct hetckpt_core *core, struct hetckpt_error *error)
{
	int rc;

	hetckpt_core_enter(core);
	if (core->failed) {
		if (error)
			*error = core->failure;
		rc = core->failure.code ? core->failure.code : -EIO;
	} else if (core->state == HETCKPT_CORE_PAUSING) {
		rc = hetckpt_error_set(error, -EBUSY, 0, "a pause is under way");
	} else {
		rc = hetckpt_pause_resume_locked(core, error);
	}
	pthread_mutex_unlock(&core->lock);
	core->host.wake(core->host.context);
	return rc;
}

bool hetckpt_core_paused(struct hetckpt_core *core)
{
	bool paused;

	hetckpt_core_enter(core);
	paused = core->state == HETCKPT_CORE_PAUSED;
	pthread_mutex_unlock(&core->lock);
	return paused;
}
