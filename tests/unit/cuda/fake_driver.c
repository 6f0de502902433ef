/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Devices, contexts, streams and events of the stand-in driver. */
#include "fake.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool initialised;
static int retained;
static _Thread_local int depth;
_Atomic cu_result fake_sticky;

uint64_t fake_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

cu_result fake_enter(bool context)
{
	if (!initialised)
		return 3;
	if (context && (!depth || !retained))
		return 201;
	return context ? atomic_load(&fake_sticky) : CU_OK;
}

/* A number from the environment, to make the driver fail in given ways. */
static int setting(const char *name, int otherwise)
{
	const char *text = getenv(name);

	return text ? atoi(text) : otherwise;
}

ENTRY cu_result cuInit(unsigned flags)
{
	const char *mode = getenv("CUDA_MODULE_LOADING");
	int result = setting("FAKE_INIT", 0);

	if (flags || !mode || strcmp(mode, "EAGER"))
		return 1;
	initialised = !result;
	return result;
}

ENTRY cu_result cuDriverGetVersion(int *version)
{
	*version = setting("FAKE_VERSION", 13000);
	return 0;
}

ENTRY cu_result cuGetErrorName(cu_result result, const char **name)
{
	*name = result == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : result == 100 ? "CUDA_ERROR_NO_DEVICE" :
	        result == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_SOMETHING";
	return 0;
}

ENTRY cu_result cuDeviceGetCount(int *count)
{
	ENTER(false);
	*count = 1;
	return 0;
}

ENTRY cu_result cuDeviceGet(cu_device *device, int ordinal)
{
	ENTER(false);
	*device = 40 + ordinal;
	return ordinal ? 101 : 0;
}

ENTRY cu_result cuDeviceGetName(char *name, int size, cu_device device)
{
	ENTER(false);
	snprintf(name, (size_t)size, "simulated GPU");
	return device == 40 ? 0 : 101;
}

ENTRY cu_result cuDeviceTotalMem_v2(size_t *bytes, cu_device device)
{
	*bytes = FAKE_MEMORY;
	return device == 40 ? 0 : 101;
}

ENTRY cu_result cuDeviceGetAttribute(int *value, unsigned which, cu_device device)
{
	switch (which) {
	case CU_ATTR_MAX_THREADS_PER_BLOCK: *value = 1024; break;
	case CU_ATTR_MAX_BLOCK_X: case CU_ATTR_MAX_BLOCK_X + 1: *value = 1024; break;
	case CU_ATTR_MAX_BLOCK_X + 2: *value = 64; break;
	case CU_ATTR_MAX_GRID_X: *value = 0x7fffffff; break;
	case CU_ATTR_MAX_GRID_X + 1: case CU_ATTR_MAX_GRID_X + 2: *value = 65535; break;
	case CU_ATTR_SHARED_PER_BLOCK: *value = 49152; break;
	case CU_ATTR_SHARED_OPTIN: *value = FAKE_SHARED; break;
	case CU_ATTR_MAX_PITCH: *value = 1 << 20; break; /* small, so that rows are copied singly */
	case CU_ATTR_SM_COUNT: *value = FAKE_SMS; break;
	case CU_ATTR_MAX_BLOCKS_PER_SM: *value = 32; break;
	case CU_ATTR_MAJOR: *value = 9; break;
	case CU_ATTR_MINOR: *value = 0; break;
	case CU_ATTR_VMM: case CU_ATTR_VMM_POSIX_FD: *value = 1; break;
	default: *value = 7; break;
	}
	return device == 40 ? 0 : 101;
}

/* ---- Contexts ---------------------------------------------------------------- */

ENTRY cu_result cuDevicePrimaryCtxSetFlags_v2(cu_device device, unsigned flags)
{
	(void)device;
	(void)flags;
	return retained ? CU_PRIMARY_CONTEXT_ACTIVE : 0;
}

ENTRY cu_result cuDevicePrimaryCtxRetain(cu_context *context, cu_device device)
{
	ENTER(false);
	retained++;
	*context = (cu_context)(uintptr_t)device;
	return 0;
}

ENTRY cu_result cuDevicePrimaryCtxRelease_v2(cu_device device)
{
	(void)device;
	return retained-- > 0 ? 0 : 201;
}

ENTRY cu_result cuDevicePrimaryCtxReset_v2(cu_device device)
{
	(void)device;
	while (getenv("FAKE_HANG"))
		nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	fake_streams_reset();
	fake_modules_reset();
	atomic_store(&fake_sticky, 0);
	return 0;
}

ENTRY cu_result cuCtxPushCurrent_v2(cu_context context)
{
	depth++;
	return context ? 0 : 1;
}

ENTRY cu_result cuCtxPopCurrent_v2(cu_context *context)
{
	if (!depth)
		return 201;
	depth--;
	*context = NULL;
	return 0;
}

ENTRY cu_result cuCtxGetStreamPriorityRange(int *least, int *greatest)
{
	ENTER(true);
	*least = 0;
	*greatest = -5;
	return 0;
}

/* A stack of at most half a MiB, as on GPUs. */
ENTRY cu_result cuCtxSetLimit(unsigned limit, size_t value)
{
	ENTER(true);
	return limit > CU_LIMIT_PRINTF || (limit == CU_LIMIT_STACK && value > 512 << 10) ? CU_INVALID_VALUE : 0;
}

/* ---- Streams -------------------------------------------------------------------- */

struct cu_stream_object {
	struct cu_stream_object *next;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fake_work *first, **last;
	bool busy, stop;
};

static pthread_mutex_t streams_lock = PTHREAD_MUTEX_INITIALIZER;
static cu_stream streams;

static void *stream_main(void *argument)
{
	cu_stream s = argument;

	pthread_mutex_lock(&s->lock);
	while (s->first || !s->stop) {
		struct fake_work *work = s->first;

		if (!work) {
			pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		s->first = work->next;
		if (!s->first)
			s->last = &s->first;
		s->busy = true;
		pthread_mutex_unlock(&s->lock);
		work->run(work);
		free(work);
		pthread_mutex_lock(&s->lock);
		s->busy = false;
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
	free(s);
	return NULL;
}

void fake_submit(cu_stream s, struct fake_work *work)
{
	pthread_mutex_lock(&s->lock);
	work->next = NULL;
	*s->last = work;
	s->last = &work->next;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void fake_drain(cu_stream s)
{
	pthread_mutex_lock(&s->lock);
	while (s->first || s->busy)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

ENTRY cu_result cuStreamCreateWithPriority(cu_stream *stream, unsigned flags, int priority)
{
	cu_stream s;

	ENTER(true);
	if (flags != CU_STREAM_NO_DEFAULT_SYNC || priority > 0 || priority < -5)
		return 1;
	s = calloc(1, sizeof *s);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->last = &s->first;
	pthread_create(&s->thread, NULL, stream_main, s);
	pthread_detach(s->thread);
	pthread_mutex_lock(&streams_lock);
	s->next = streams;
	streams = s;
	pthread_mutex_unlock(&streams_lock);
	*stream = s;
	return 0;
}

/* The thread frees the stream once its work is done. */
static void stream_end(cu_stream s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

ENTRY cu_result cuStreamDestroy_v2(cu_stream stream)
{
	cu_stream *link = &streams;

	ENTER(true);
	pthread_mutex_lock(&streams_lock);
	while (*link && *link != stream)
		link = &(*link)->next;
	if (*link)
		*link = stream->next;
	pthread_mutex_unlock(&streams_lock);
	stream_end(stream);
	return 0;
}

void fake_streams_reset(void)
{
	pthread_mutex_lock(&streams_lock);
	while (streams) {
		cu_stream s = streams;

		streams = s->next;
		stream_end(s);
	}
	pthread_mutex_unlock(&streams_lock);
}

ENTRY cu_result cuStreamSynchronize(cu_stream stream)
{
	ENTER(true);
	fake_drain(stream);
	return atomic_load(&fake_sticky);
}

/* ---- Events ------------------------------------------------------------------------ */

struct cu_event_object {
	unsigned flags;
	atomic_uint recorded, done; /* how often */
	atomic_uint references;     /* the caller's and those of work in streams */
	_Atomic uint64_t time;
};

struct event_work {
	struct fake_work work;
	cu_event event;
	unsigned count;
};

static void event_drop(cu_event event)
{
	if (atomic_fetch_sub(&event->references, 1) == 1)
		free(event);
}

static void event_run(struct fake_work *work)
{
	struct event_work *w = (struct event_work *)work;

	atomic_store(&w->event->time, fake_now());
	atomic_store(&w->event->done, w->count);
	event_drop(w->event);
}

static void wait_run(struct fake_work *work)
{
	struct event_work *w = (struct event_work *)work;

	while ((int)(atomic_load(&w->event->done) - w->count) < 0 && !atomic_load(&fake_sticky))
		nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
	event_drop(w->event);
}

static void event_submit(cu_stream stream, cu_event event, unsigned count, void (*run)(struct fake_work *))
{
	struct event_work *w = calloc(1, sizeof *w);

	w->work.run = run;
	w->event = event;
	w->count = count;
	atomic_fetch_add(&event->references, 1);
	fake_submit(stream, &w->work);
}

ENTRY cu_result cuEventCreate(cu_event *event, unsigned flags)
{
	ENTER(true);
	*event = calloc(1, sizeof **event);
	(*event)->flags = flags;
	atomic_store(&(*event)->references, 1);
	return 0;
}

ENTRY cu_result cuEventDestroy_v2(cu_event event)
{
	event_drop(event);
	return 0;
}

ENTRY cu_result cuEventRecord(cu_event event, cu_stream stream)
{
	ENTER(true);
	event_submit(stream, event, atomic_fetch_add(&event->recorded, 1) + 1, event_run);
	return 0;
}

ENTRY cu_result cuEventQuery(cu_event event)
{
	ENTER(true);
	return atomic_load(&event->done) == atomic_load(&event->recorded) ? 0 : CU_NOT_READY;
}

ENTRY cu_result cuEventSynchronize(cu_event event)
{
	while (cuEventQuery(event) == CU_NOT_READY)
		nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
	return atomic_load(&fake_sticky);
}

ENTRY cu_result cuEventElapsedTime(float *ms, cu_event from, cu_event to)
{
	ENTER(true);
	if (from->flags || to->flags || !from->recorded || !to->recorded)
		return 400;
	if (cuEventQuery(from) || cuEventQuery(to))
		return CU_NOT_READY;
	*ms = (float)((double)(int64_t)(to->time - from->time) / 1e6);
	return 0;
}

ENTRY cu_result cuStreamWaitEvent(cu_stream stream, cu_event event, unsigned flags)
{
	ENTER(true);
	event_submit(stream, event, atomic_load(&event->recorded), wait_run);
	return flags ? 1 : 0;
}
