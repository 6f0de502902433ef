/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "launch.h"
#include "policy.h"
#include "runtime/common/log.h"

/* Commands that may be queued: far more than any program needs to have in flight, so that
   one stream that waits does not keep the others' commands in the ring. */
#define QUEUE_LIMIT 65536u

uint64_t hetckpt_core_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- Lock -------------------------------------------------------------- */

void hetckpt_core_enter(struct hetckpt_core *core)
{
	atomic_fetch_add(&core->guests, 1);
	pthread_mutex_lock(&core->lock);
	atomic_fetch_sub(&core->guests, 1);
}

/* ---- Bell -------------------------------------------------------------- */

uint64_t hetckpt_core_bell(struct hetckpt_core *core)
{
	return atomic_load(&core->bell_count);
}

void hetckpt_core_bell_ring(struct hetckpt_core *core)
{
	pthread_mutex_lock(&core->bell_lock);
	atomic_fetch_add(&core->bell_count, 1);
	pthread_cond_broadcast(&core->bell);
	pthread_mutex_unlock(&core->bell_lock);
}

void hetckpt_core_bell_wait(struct hetckpt_core *core, uint64_t count, unsigned us)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)us * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&core->bell_lock);
	while (atomic_load(&core->bell_count) == count)
		if (pthread_cond_timedwait(&core->bell, &core->bell_lock, &until))
			break;
	pthread_mutex_unlock(&core->bell_lock);
}

void hetckpt_core_bell_watch(struct hetckpt_core *core, uint64_t count, unsigned us)
{
	uint64_t until = hetckpt_core_now() + (uint64_t)us * 1000;

	while (atomic_load(&core->bell_count) == count && hetckpt_core_now() < until)
		;
}

/* The back end's completed(): from any of its threads, perhaps inside one of its calls. */
static void completed(void *context)
{
	struct hetckpt_core *core = context;

	hetckpt_core_bell_ring(core);
	core->host.wake(core->host.context);
}

/* ---- Opening and closing ----------------------------------------------- */

int hetckpt_core_open_state(struct hetckpt_core *core, struct hetckpt_error *error)
{
	struct hetckpt_backend_host host = {.completed = completed, .context = core};
	uint64_t base = HETCKPT_ARENA_BASE + core->arena_index * HETCKPT_ARENA_BYTES;
	uint64_t own = HETCKPT_ARENA_BYTES - HETCKPT_ARENA_INTERNAL_BYTES;
	int rc;

	if (!core->dev.handle) {
		rc = hetckpt_dev_open(&core->dev, core->backend, core->device_index, base, &host, error);
		if (rc)
			return rc;
	}
	rc = hetckpt_heap_init(&core->app, &core->dev, base, own, error);
	if (!rc)
		rc = hetckpt_heap_init(&core->internal, &core->dev, base + own,
		                         HETCKPT_ARENA_INTERNAL_BYTES, error);
	if (rc)
		return rc;
	hetckpt_frame_pool_init(&core->pool, &core->dev, &core->internal);
	hetckpt_modules_init(&core->modules, &core->dev, &core->app);
	rc = hetckpt_heap_alloc(&core->internal, HETCKPT_FLAG_BYTES, HETCKPT_ARENA_ALIGN, 0,
	                          &core->dev.flags, error);
	if (!rc)
		rc = hetckpt_stream_create(core, 0, 0, 0, NULL, error);
	if (rc)
		return rc;
	pthread_mutex_lock(&core->raise);
	rc = hetckpt_dev_lower(&core->dev, core->base, error);
	core->raised = false;
	core->open = !rc;
	pthread_mutex_unlock(&core->raise);
	return rc;
}

void hetckpt_core_close_state(struct hetckpt_core *core)
{
	pthread_mutex_lock(&core->raise);
	core->open = false;
	core->raised = false;
	pthread_mutex_unlock(&core->raise);
	hetckpt_commands_clear(core);
	hetckpt_streams_clear(core);
	if (core->modules.dev)
		hetckpt_modules_clear(&core->modules);
	if (core->pool.dev)
		hetckpt_frame_pool_trim(&core->pool);
	if (core->app.dev)
		hetckpt_heap_destroy(&core->app);
	if (core->internal.dev)
		hetckpt_heap_destroy(&core->internal);
	core->dev.flags = 0;
	memset(&core->pool, 0, sizeof core->pool);
	memset(&core->modules, 0, sizeof core->modules);
}

int hetckpt_core_variant_text(struct hetckpt_core *core, const char *text,
                              struct hetckpt_error *error)
{
	if (!strcmp(text, "original"))
		core->variant = HETCKPT_CORE_ORIGINAL;
	else if (!strcmp(text, "run"))
		core->variant = HETCKPT_CORE_RUN;
	else if (!strcmp(text, "turns"))
		core->variant = HETCKPT_CORE_TURNS;
	else if (!strcmp(text, "auto"))
		core->variant = HETCKPT_CORE_AUTO;
	else
		return hetckpt_error_set(error, -EINVAL, 0,
			"HETCKPT_VARIANT=%.100s: there are original, run, turns and auto", text);
	return 0;
}

int hetckpt_core_times(struct hetckpt_core *core, const char *path, struct hetckpt_error *error)
{
	return hetckpt_times_start(&core->times, path)
		? hetckpt_error_set(error, -ENOMEM, 0, "out of host memory") : 0;
}

int hetckpt_core_create(const struct hetckpt_backend *backend, unsigned index, unsigned arena_index,
                        const struct hetckpt_core_host *host, struct hetckpt_core **out,
                        struct hetckpt_error *error)
{
	struct hetckpt_core *core = calloc(1, sizeof *core);
	pthread_condattr_t monotonic;
	int rc;

	if (!core)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
	core->host = *host;
	core->backend = backend;
	core->device_index = index;
	core->arena_index = arena_index;
	core->base = HETCKPT_FLAG_RUN;
	core->short_ns = backend->short_us ? backend->short_us * 1e3 : HETCKPT_SHORT_NS;
	pthread_mutex_init(&core->lock, NULL);
	pthread_mutex_init(&core->raise, NULL);
	pthread_mutex_init(&core->bell_lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&core->bell, &monotonic);
	pthread_condattr_destroy(&monotonic);
	rc = hetckpt_core_open_state(core, error);
	if (rc) {
		hetckpt_core_destroy(core);
		return rc;
	}
	*out = core;
	return 0;
}

void hetckpt_core_destroy(struct hetckpt_core *core)
{
	if (!core)
		return;
	/* Let what is running stop soon: the flag ends pausable launches, and queues must be
	   empty before what they use is taken away. */
	pthread_mutex_lock(&core->lock);
	if (!core->failed && core->open && hetckpt_executor_in_flight(core)) {
		struct hetckpt_error ignored;

		hetckpt_pause_raise(core, &ignored);
		while (!core->failed && !hetckpt_pause_quiet(core)) {
			uint64_t bell = hetckpt_core_bell(core);

			if (!hetckpt_executor_collect(core))
				hetckpt_core_bell_wait(core, bell, 200);
		}
	}
	while (core->hosts)
		hetckpt_host_unmap(core, core->hosts);
	hetckpt_stage_close(&core->stage, &core->dev);
	hetckpt_peers_clear(&core->peers, &core->dev);
	hetckpt_core_close_state(core);
	hetckpt_dev_close(&core->dev);
	hetckpt_coverage_free(&core->coverage);
	hetckpt_times_free(&core->times);
	pthread_mutex_unlock(&core->lock);
	pthread_cond_destroy(&core->bell);
	pthread_mutex_destroy(&core->bell_lock);
	pthread_mutex_destroy(&core->raise);
	pthread_mutex_destroy(&core->lock);
	free(core);
}

void hetckpt_core_fail(struct hetckpt_core *core, const struct hetckpt_error *error)
{
	if (core->failed)
		return;
	core->failed = true;
	core->failure = *error;
	if (!core->failure.cuda)
		core->failure.cuda = CUDA_UNKNOWN;
	/* Whoever hears of the fault tells people, once; the commands that end by it do not. */
	core->host.fault(core->host.context, core->failure.cuda, core->failure.text);
	while (core->oldest)
		hetckpt_command_finish(core, core->oldest, core->failure.cuda, NULL);
	for (struct hetckpt_stream *s = core->streams; s; s = s->next)
		s->ahead = s->unmarked = s->chained = 0;
	core->ahead_ns = 0;
	hetckpt_core_bell_ring(core);
}

/* ---- Work -------------------------------------------------------------- */

bool hetckpt_core_accepts(struct hetckpt_core *core)
{
	bool host_call = false, accepts;

	pthread_mutex_lock(&core->lock);
	accepts = core->failed || core->state == HETCKPT_CORE_RUNNING;
	/* The end of a host callback comes through the same ring: it must get through. */
	if (accepts && core->unfinished >= QUEUE_LIMIT) {
		for (struct hetckpt_stream *s = core->streams; s; s = s->next)
			host_call |= s->gate && !s->gate->flight;
		accepts = host_call || core->failed;
	}
	pthread_mutex_unlock(&core->lock);
	return accepts;
}

static void update_retired(struct hetckpt_core *core)
{
	uint64_t retired = core->oldest ? core->oldest->seq - 1 : core->submitted;

	if (retired <= core->retired)
		return;
	core->retired = retired;
	core->host.retire(core->host.context, retired);
}

void hetckpt_core_step(struct hetckpt_core *core, struct hetckpt_core_progress *progress)
{
	bool moved, any = false;
	unsigned rounds = 0;

	memset(progress, 0, sizeof *progress);
	if (atomic_load(&core->guests))
		nanosleep(&(struct timespec){0, 20000}, NULL);
	pthread_mutex_lock(&core->lock);
	do {
		moved = hetckpt_executor_collect(core);
		moved |= hetckpt_pause_step(core);
		if (!core->failed && core->state == HETCKPT_CORE_RUNNING) {
			moved |= hetckpt_stress_step(core);
			moved |= hetckpt_executor_issue(core);
		}
		any |= moved;
	} while (moved && ++rounds < 64);
	update_retired(core);
	progress->moved = moved;
	progress->in_flight = !core->failed && hetckpt_executor_in_flight(core);
	progress->poll = progress->in_flight && !(core->backend->flags & HETCKPT_BACKEND_NOTIFIES);
	progress->sleep_us = hetckpt_stress_sleep(core);
	pthread_mutex_unlock(&core->lock);
	if (any)
		hetckpt_core_bell_ring(core);
}

int hetckpt_core_module_add(struct hetckpt_core *core, uint64_t number, void *fatbin, size_t bytes,
                            struct hetckpt_error *error)
{
	int rc;

	hetckpt_core_enter(core);
	rc = hetckpt_modules_add(&core->modules, number, fatbin, bytes, error);
	pthread_mutex_unlock(&core->lock);
	return rc;
}

int hetckpt_core_host_add(struct hetckpt_core *core, uint64_t address, uint64_t bytes, int fd,
                          struct hetckpt_error *error)
{
	int rc;

	hetckpt_core_enter(core);
	rc = hetckpt_host_map(core, address, bytes, fd, error);
	pthread_mutex_unlock(&core->lock);
	return rc;
}

/* A buffer goes once nothing that is queued can use it. */
int hetckpt_core_host_remove(struct hetckpt_core *core, uint64_t address,
                             struct hetckpt_error *error)
{
	struct hetckpt_host_buffer *buffer;
	int rc = 0;

	hetckpt_core_enter(core);
	buffer = hetckpt_host_find(core, address, 1);
	if (!buffer || buffer->address != address)
		rc = hetckpt_error_set(error, -ENOENT, 0, "no page-locked buffer at 0x%llx",
		                       (unsigned long long)address);
	else
		hetckpt_host_unmap(core, buffer);
	pthread_mutex_unlock(&core->lock);
	return rc;
}

bool hetckpt_core_idle(struct hetckpt_core *core)
{
	bool idle;

	pthread_mutex_lock(&core->lock);
	idle = !core->unfinished;
	pthread_mutex_unlock(&core->lock);
	return idle;
}

int hetckpt_core_wait_idle(struct hetckpt_core *core, int timeout_ms, struct hetckpt_error *error)
{
	uint64_t limit = hetckpt_core_now() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms) * 1000000;
	struct hetckpt_core_progress progress;
	bool failed, idle;

	for (;;) {
		uint64_t bell = hetckpt_core_bell(core);

		hetckpt_core_step(core, &progress);
		pthread_mutex_lock(&core->lock);
		failed = core->failed;
		idle = !core->unfinished;
		if (failed)
			*error = core->failure;
		pthread_mutex_unlock(&core->lock);
		if (failed)
			return error->code ? error->code : -EIO;
		if (idle)
			return 0;
		if (timeout_ms >= 0 && hetckpt_core_now() >= limit)
			return hetckpt_error_set(error, -ETIMEDOUT, 0, "the device is still busy after %d ms",
			                         timeout_ms);
		if (!progress.moved)
			hetckpt_core_bell_wait(core, bell, progress.poll ? 50 : 1000);
	}
}
