/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Queues: streams that do not synchronise with the default stream. */
#include "device.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/common/timeline.h"

int cuda_queue_create(struct hetckpt_device *device, int priority, struct hetckpt_queue **out,
                      struct hetckpt_error *error)
{
	uint64_t begin = hetckpt_timeline_now();
	struct hetckpt_queue *queue;
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	/* Lower numbers come first. The range of the device is smaller than what is asked. */
	if (priority > device->priority_lowest)
		priority = device->priority_lowest;
	if (priority < device->priority_highest)
		priority = device->priority_highest;
	queue = calloc(1, sizeof *queue);
	if (!queue) {
		rc = hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory for a queue", device->index);
		goto out;
	}
	queue->device = device;
	queue->last = &queue->first;
	rc = cuda_check(device, device->api->stream_create(&queue->stream, CU_STREAM_NO_DEFAULT_SYNC, priority), error,
	                "cannot make a stream");
	if (rc) {
		free(queue);
		goto out;
	}
	pthread_mutex_lock(&device->lock);
	queue->next = device->queues;
	device->queues = queue;
	pthread_mutex_unlock(&device->lock);
	hetckpt_timeline_step(begin, "queue made");
	*out = queue;
out:
	cuda_leave(device);
	return rc;
}

void cuda_queue_destroy(struct hetckpt_queue *queue)
{
	struct hetckpt_device *device = queue->device;
	struct hetckpt_queue **link = &device->queues;

	/* On a failed device the context takes its streams along. */
	if (!cuda_enter(device, NULL)) {
		device->api->stream_destroy(queue->stream);
		cuda_leave(device);
	}
	pthread_mutex_lock(&device->lock);
	queue->ended = true;
	/* Its last markers may be done without the watcher having seen it. */
	if (!queue->first) {
		while (*link != queue)
			link = &(*link)->next;
		*link = queue->next;
		free(queue);
	}
	pthread_mutex_unlock(&device->lock);
}

void cuda_queues_destroy(struct hetckpt_device *device)
{
	while (device->queues) {
		struct hetckpt_queue *queue = device->queues;

		if (!queue->ended && !atomic_load(&device->failed))
			device->api->stream_destroy(queue->stream);
		while (queue->first) {
			struct hetckpt_marker *marker = queue->first;

			queue->first = marker->next;
			cuda_marker_put(marker);
		}
		device->queues = queue->next;
		free(queue);
	}
	while (device->pooled)
		device->api->event_destroy(device->pool[--device->pooled]);
	free(device->pool);
	device->pool = NULL;
	device->pool_room = 0;
}
