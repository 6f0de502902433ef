/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Queues and markers. A queue is a list of commands and a thread that carries them out.
 * When the device has failed the rest of every queue is passed over, so that nobody
 * waits for what will not come.
 */
#include "cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIGNAL_STACK_BYTES ((size_t)64 << 10)

struct hetckpt_marker {
	struct hetckpt_device *device;
	atomic_uint references;
	bool complete;        /* device's lock */
	bool bad;             /* the device had failed; its error is the marker's */
	uint64_t when;
};

enum command_type { COMMAND_COPY, COMMAND_FILL, COMMAND_LAUNCH, COMMAND_WAIT, COMMAND_MARKER };

struct command {
	struct command *next;
	enum command_type type;
	union {
		struct hetckpt_copy copy;
		struct hetckpt_fill fill;
		struct hetckpt_marker *marker; /* holds a reference */
		struct cpu_launch launch;
	} u;
	char *params; /* of a launch */
};

struct hetckpt_queue {
	struct hetckpt_device *device;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct command *first, **last;
	bool stop;
	struct cpu_guard guard;
	char *signal_stack;
};

/* ---- Markers ---------------------------------------------------------------- */

static struct hetckpt_marker *marker_new(struct hetckpt_device *device, unsigned references)
{
	struct hetckpt_marker *m = calloc(1, sizeof *m);

	if (m) {
		m->device = device;
		atomic_init(&m->references, references);
	}
	return m;
}

void cpu_marker_release(struct hetckpt_marker *marker)
{
	if (atomic_fetch_sub(&marker->references, 1) == 1)
		free(marker);
}

static void marker_complete(struct hetckpt_marker *m)
{
	struct hetckpt_device *device = m->device;

	pthread_mutex_lock(&device->lock);
	m->complete = true;
	m->bad = atomic_load(&device->failed);
	m->when = cpu_now(device);
	pthread_cond_broadcast(&device->changed);
	pthread_mutex_unlock(&device->lock);
	if (device->host.completed)
		device->host.completed(device->host.context);
}

/* With the lock held. */
static int marker_result(const struct hetckpt_marker *m, uint64_t *when, struct hetckpt_error *error)
{
	if (!m->complete)
		return -EBUSY;
	if (m->bad) {
		if (error)
			*error = m->device->error;
		return m->device->error.code;
	}
	*when = m->when;
	return 0;
}

int cpu_marker_query(struct hetckpt_marker *m, uint64_t *when, struct hetckpt_error *error)
{
	int rc;

	pthread_mutex_lock(&m->device->lock);
	rc = marker_result(m, when, error);
	pthread_mutex_unlock(&m->device->lock);
	return rc;
}

int cpu_marker_wait(struct hetckpt_marker *m, uint64_t *when, struct hetckpt_error *error)
{
	int rc;

	pthread_mutex_lock(&m->device->lock);
	while (!m->complete)
		pthread_cond_wait(&m->device->changed, &m->device->lock);
	rc = marker_result(m, when, error);
	pthread_mutex_unlock(&m->device->lock);
	return rc;
}

/* ---- Carrying out ------------------------------------------------------------ */

/* A copy may meet memory that is not there. */
static void transfer(struct hetckpt_queue *queue, const struct command *c)
{
	struct hetckpt_error error;
	int number = sigsetjmp(queue->guard.env, 0);

	if (number) {
		hetckpt_error_set(&error, -EIO, CUDA_ERROR_ILLEGAL_ADDRESS,
		                  "cpu:%u: %s touches memory that is not mapped, at 0x%llx", queue->device->index,
		                  c->type == COMMAND_COPY ? "copy" : "fill",
		                  (unsigned long long)queue->guard.address);
		cpu_device_fail(queue->device, &error);
		return;
	}
	queue->guard.active = 1;
	if (c->type == COMMAND_COPY)
		cpu_copy(&c->u.copy);
	else
		cpu_fill(&c->u.fill);
	queue->guard.active = 0;
}

static void wait_for(struct hetckpt_device *device, const struct hetckpt_marker *m)
{
	pthread_mutex_lock(&device->lock);
	while (!m->complete && !atomic_load(&device->failed))
		pthread_cond_wait(&device->changed, &device->lock);
	pthread_mutex_unlock(&device->lock);
}

static void carry_out(struct hetckpt_queue *queue, struct command *c)
{
	struct hetckpt_device *device = queue->device;
	bool failed = atomic_load(&device->failed);

	switch (c->type) {
	case COMMAND_COPY:
	case COMMAND_FILL:
		if (!failed)
			transfer(queue, c);
		break;
	case COMMAND_LAUNCH:
		if (!failed && cpu_pool_run(device, &c->u.launch))
			cpu_device_fail(device, &c->u.launch.error);
		break;
	case COMMAND_WAIT:
		wait_for(device, c->u.marker);
		break;
	case COMMAND_MARKER:
		marker_complete(c->u.marker);
		break;
	}
}

static void command_free(struct command *c)
{
	if (c->type == COMMAND_WAIT || c->type == COMMAND_MARKER)
		cpu_marker_release(c->u.marker);
	if (c->type == COMMAND_LAUNCH) {
		pthread_cond_destroy(&c->u.launch.done_cond);
		pthread_mutex_destroy(&c->u.launch.error_lock);
	}
	free(c->params);
	free(c);
}

static void *queue_main(void *argument)
{
	struct hetckpt_queue *queue = argument;

	cpu_fault_thread(&queue->guard, queue->signal_stack, SIGNAL_STACK_BYTES);
	pthread_mutex_lock(&queue->lock);
	for (;;) {
		struct command *c;

		while (!queue->first && !queue->stop)
			pthread_cond_wait(&queue->filled, &queue->lock);
		c = queue->first;
		if (!c)
			break;
		queue->first = c->next;
		if (!queue->first)
			queue->last = &queue->first;
		pthread_mutex_unlock(&queue->lock);
		carry_out(queue, c);
		command_free(c);
		pthread_mutex_lock(&queue->lock);
	}
	pthread_mutex_unlock(&queue->lock);
	cpu_fault_thread_end();
	return NULL;
}

/* ---- Operations ----------------------------------------------------------------- */

int cpu_queue_create(struct hetckpt_device *device, int priority, struct hetckpt_queue **out,
                     struct hetckpt_error *error)
{
	struct hetckpt_queue *queue;
	int rc = cpu_device_check(device, error);

	if (rc)
		return rc;
	queue = calloc(1, sizeof *queue);
	if (queue)
		queue->signal_stack = malloc(SIGNAL_STACK_BYTES);
	if (!queue || !queue->signal_stack) {
		free(queue);
		return hetckpt_error_set(error, -ENOMEM, 0, "cpu:%u: no memory for a queue", device->index);
	}
	queue->device = device;
	queue->last = &queue->first;
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->filled, NULL);
	rc = -pthread_create(&queue->thread, NULL, queue_main, queue);
	if (rc) {
		pthread_cond_destroy(&queue->filled);
		pthread_mutex_destroy(&queue->lock);
		free(queue->signal_stack);
		free(queue);
		return hetckpt_error_set(error, rc, 0, "cpu:%u: cannot start a queue's thread: %s", device->index,
		                         strerror(-rc));
	}
	*out = queue;
	return 0;
}

void cpu_queue_destroy(struct hetckpt_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->stop = true;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
	pthread_join(queue->thread, NULL);
	pthread_cond_destroy(&queue->filled);
	pthread_mutex_destroy(&queue->lock);
	free(queue->signal_stack);
	free(queue);
}

static struct command *command_new(struct hetckpt_queue *queue, enum command_type type,
                                   struct hetckpt_error *error)
{
	struct command *c = calloc(1, sizeof *c);

	if (!c)
		hetckpt_error_set(error, -ENOMEM, 0, "cpu:%u: no memory for a command", queue->device->index);
	else
		c->type = type;
	return c;
}

static int submit(struct hetckpt_queue *queue, struct command *c)
{
	pthread_mutex_lock(&queue->lock);
	*queue->last = c;
	queue->last = &c->next;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
	return 0;
}

int cpu_queue_copy(struct hetckpt_queue *queue, const struct hetckpt_copy *copy, struct hetckpt_error *error)
{
	int rc = cpu_device_check(queue->device, error);
	struct command *c = rc ? NULL : command_new(queue, COMMAND_COPY, error);

	if (!c)
		return rc ? rc : -ENOMEM;
	c->u.copy = *copy;
	return submit(queue, c);
}

int cpu_queue_fill(struct hetckpt_queue *queue, const struct hetckpt_fill *fill, struct hetckpt_error *error)
{
	int rc = cpu_device_check(queue->device, error);
	struct command *c = rc ? NULL : command_new(queue, COMMAND_FILL, error);

	if (!c)
		return rc ? rc : -ENOMEM;
	c->u.fill = *fill;
	return submit(queue, c);
}

/* Random schedules begin blocks in the order k * stride + shift, stride coprime to total. */
static void shuffle_blocks(struct cpu_launch *l, uint64_t seed)
{
	uint64_t stride = (seed * 0x9e3779b97f4a7c15u >> 16) % l->total;

	for (stride |= 1;; stride++) {
		uint64_t a = stride, b = l->total;

		while (b) {
			uint64_t t = a % b;

			a = b;
			b = t;
		}
		if (a == 1)
			break;
	}
	l->stride = stride;
	l->shift = seed % l->total;
}

int cpu_queue_launch(struct hetckpt_queue *queue, const struct hetckpt_launch_command *launch,
                     struct hetckpt_error *error)
{
	struct hetckpt_device *device = queue->device;
	struct hetckpt_kernel *kernel = launch->kernel;
	int rc = cpu_device_check(device, error);
	uint64_t threads = (uint64_t)launch->block[0] * launch->block[1] * launch->block[2];
	size_t room = (launch->param_bytes + 63) / 64 * 64 + 64;
	struct cpu_launch *l;
	struct command *c;

	if (rc)
		return rc;
	if (!threads || threads > kernel->max_threads || !launch->grid[0] || !launch->grid[1] || !launch->grid[2])
		return hetckpt_error_set(error, -EINVAL, 9 /* cudaErrorInvalidConfiguration */,
		                         "kernel %.200s: %u x %u x %u blocks of %u x %u x %u threads (at most %u)",
		                         kernel->signature, launch->grid[0], launch->grid[1], launch->grid[2],
		                         launch->block[0], launch->block[1], launch->block[2], kernel->max_threads);
	if (launch->dynamic_shared > CPU_SHARED_OPTIN ||
	    kernel->function->static_shared + launch->dynamic_shared > CPU_SHARED_OPTIN)
		return hetckpt_error_set(error, -EINVAL, 1, "kernel %.200s: %u bytes of shared memory a block",
		                         kernel->signature,
		                         kernel->function->static_shared + launch->dynamic_shared);
	if (launch->param_bytes < kernel->function->param_bytes)
		return hetckpt_error_set(error, -EINVAL, 1, "kernel %.200s: %u bytes of parameters instead of %u",
		                         kernel->signature, launch->param_bytes, kernel->function->param_bytes);
	c = command_new(queue, COMMAND_LAUNCH, error);
	if (!c)
		return -ENOMEM;
	c->params = aligned_alloc(64, room);
	if (!c->params) {
		free(c);
		return hetckpt_error_set(error, -ENOMEM, 0, "cpu:%u: no memory for parameters", device->index);
	}
	if (launch->param_bytes)
		memcpy(c->params, launch->params, launch->param_bytes);
	l = &c->u.launch;
	l->device = device;
	l->kernel = kernel;
	memcpy(l->grid, launch->grid, sizeof l->grid);
	memcpy(l->block, launch->block, sizeof l->block);
	l->threads = (uint32_t)threads;
	l->dynamic_shared = launch->dynamic_shared;
	l->total = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2];
	l->params = c->params;
	if (kernel->record_offset || kernel->variant != HETCKPT_VARIANT_ORIGINAL)
		l->record = (const void *)(c->params + kernel->record_offset);
	l->in_flight = cpu_pool_in_flight(kernel, l->threads, l->dynamic_shared);
	if (device->schedule)
		shuffle_blocks(l, device->schedule + l->total);
	atomic_init(&l->next, 0);
	atomic_init(&l->left, l->total);
	atomic_init(&l->failed, false);
	pthread_mutex_init(&l->error_lock, NULL);
	pthread_cond_init(&l->done_cond, NULL);
	return submit(queue, c);
}

int cpu_queue_wait(struct hetckpt_queue *queue, struct hetckpt_marker *marker, struct hetckpt_error *error)
{
	struct command *c = command_new(queue, COMMAND_WAIT, error);

	if (!c)
		return -ENOMEM;
	atomic_fetch_add(&marker->references, 1);
	c->u.marker = marker;
	return submit(queue, c);
}

int cpu_record(struct hetckpt_queue *queue, struct hetckpt_marker **marker, struct hetckpt_error *error)
{
	struct command *c = command_new(queue, COMMAND_MARKER, error);

	if (!c)
		return -ENOMEM;
	c->u.marker = marker_new(queue->device, 2);
	if (!c->u.marker) {
		free(c);
		return hetckpt_error_set(error, -ENOMEM, 0, "cpu:%u: no memory for a marker", queue->device->index);
	}
	*marker = c->u.marker;
	return submit(queue, c);
}
