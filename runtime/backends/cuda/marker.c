/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Markers: events with timing, pooled. A marker is in its queue's list until the watcher
 * has seen it done, so completed() is called for every one, also for those that the core
 * has released. An event goes back to the pool only then: nobody looks at it any more.
 */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* marker_wait polls this long before it begins to sleep, and then sleeps that long. */
#define SPIN_NS 100000u
#define NAP_NS 10000u
#define NAP_LATER_NS 50000u
#define LATER_NS 5000000u

static int event_take(struct hetckpt_device *device, cu_event *event, struct hetckpt_error *error)
{
	pthread_mutex_lock(&device->lock);
	*event = device->pooled ? device->pool[--device->pooled] : NULL;
	pthread_mutex_unlock(&device->lock);
	if (*event)
		return 0;
	return cuda_check(device, device->api->event_create(event, CU_EVENT_TIMING), error, "cannot make an event");
}

/* With the lock held. */
static void event_give(struct hetckpt_device *device, cu_event event)
{
	if (device->pooled == device->pool_room) {
		size_t room = device->pool_room ? 2 * device->pool_room : 64;
		cu_event *grown = realloc(device->pool, room * sizeof *grown);

		if (!grown) {
			device->api->event_destroy(event);
			return;
		}
		device->pool = grown;
		device->pool_room = room;
	}
	device->pool[device->pooled++] = event;
}

void cuda_marker_put(struct hetckpt_marker *marker)
{
	if (--marker->references)
		return;
	event_give(marker->device, marker->event);
	free(marker);
}

void cuda_marker_look(struct hetckpt_marker *marker)
{
	struct hetckpt_device *device = marker->device;
	cu_result result;

	if (marker->done)
		return;
	if (atomic_load(&device->failed)) {
		marker->done = marker->bad = true;
		return;
	}
	result = device->api->event_query(marker->event);
	if (result == CU_NOT_READY)
		return;
	marker->done = true;
	if (cuda_check(device, result, NULL, "what was running on the device failed")) {
		marker->bad = true;
		return;
	}
	if (atomic_load(&device->prints)) {
		/* What kernels print comes out in a few calls only, of which this is one; and a
		   worker does not end in a way that writes buffers out. */
		device->api->event_sync(marker->event);
		fflush(stdout);
	}
	marker->when = cuda_clock_time(device, marker->event);
}

bool cuda_marker_reached(struct hetckpt_marker *marker)
{
	bool done;

	pthread_mutex_lock(&marker->device->lock);
	cuda_marker_look(marker);
	done = marker->done;
	pthread_mutex_unlock(&marker->device->lock);
	return done;
}

/* ---- Operations ------------------------------------------------------------ */

int cuda_record(struct hetckpt_queue *queue, struct hetckpt_marker **out, struct hetckpt_error *error)
{
	struct hetckpt_device *device = queue->device;
	struct hetckpt_marker *marker;
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	marker = calloc(1, sizeof *marker);
	if (!marker) {
		rc = hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory for a marker", device->index);
		goto out;
	}
	marker->device = device;
	marker->references = 2; /* the caller's and the queue's list */
	rc = event_take(device, &marker->event, error);
	if (rc) {
		free(marker);
		goto out;
	}
	rc = cuda_check(device, device->api->event_record(marker->event, queue->stream), error,
	                "cannot record an event");
	pthread_mutex_lock(&device->lock);
	if (rc) {
		marker->references = 1;
		cuda_marker_put(marker);
	} else {
		marker->sequence = ++device->sequence;
		*queue->last = marker;
		queue->last = &marker->next;
		if (!device->outstanding++)
			pthread_cond_signal(&device->wake);
		*out = marker;
	}
	pthread_mutex_unlock(&device->lock);
out:
	cuda_leave(device);
	return rc;
}

static int tell(const struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error)
{
	if (!marker->done)
		return -EBUSY;
	if (!marker->bad) {
		*when = marker->when;
		return 0;
	}
	if (!cuda_failed(marker->device, error))
		return hetckpt_error_set(error, -EREMOTEIO, 0, "cuda:%u: a marker cannot be read", marker->device->index);
	return -EIO;
}

int cuda_marker_query(struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error)
{
	struct hetckpt_device *device = marker->device;
	int rc;

	/* A failed device has no context to enter, but its markers have an answer. */
	bool entered = !cuda_enter(device, NULL);

	pthread_mutex_lock(&device->lock);
	cuda_marker_look(marker);
	rc = tell(marker, when, error);
	pthread_mutex_unlock(&device->lock);
	if (entered)
		cuda_leave(device);
	return rc;
}

int cuda_marker_wait(struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error)
{
	uint64_t begin = cuda_now(), waited;
	int rc;

	while ((rc = cuda_marker_query(marker, when, error)) == -EBUSY) {
		waited = cuda_now() - begin;
		if (waited < SPIN_NS)
			continue;
		nanosleep(&(struct timespec){.tv_nsec = waited < LATER_NS ? NAP_NS : NAP_LATER_NS}, NULL);
	}
	return rc;
}

void cuda_marker_release(struct hetckpt_marker *marker)
{
	struct hetckpt_device *device = marker->device;

	pthread_mutex_lock(&device->lock);
	cuda_marker_put(marker);
	pthread_mutex_unlock(&device->lock);
}

int cuda_queue_wait(struct hetckpt_queue *queue, struct hetckpt_marker *marker, struct hetckpt_error *error)
{
	struct hetckpt_device *device = queue->device;
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	if (!cuda_marker_reached(marker))
		rc = cuda_check(device, device->api->stream_wait(queue->stream, marker->event, 0), error,
		                "cannot make a stream wait");
	else
		rc = cuda_failed(device, error);
	if (!rc && queue->waited < marker->sequence)
		queue->waited = marker->sequence;
	cuda_leave(device);
	return rc;
}
