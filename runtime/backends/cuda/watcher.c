/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The watcher: a thread that sees markers complete and calls completed().
 *
 * It polls the first marker of each queue that is not done. The other ways were not
 * taken: cuLaunchHostFunc makes the queue itself wait for a host thread, tens of
 * microseconds a marker; blocking on an event wakes by an interrupt, as late, and only
 * for one queue. Polling an event is a look at a word that the device wrote. The pauses
 * between polls grow from 5 to 50 us while nothing happens, so that long kernels cost a
 * few per cent of a core; a poke makes the watcher look at once and without pauses for a
 * while, for the core is then waiting for kernels to park. Without markers it sleeps.
 */
#include "device.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

/* Pauses by how long nothing has completed. */
static const struct {
	uint64_t quiet_ns, pause_ns;
} pauses[] = {{200000, 5000}, {5000000, 20000}, {UINT64_MAX, 50000}};

/* With the lock held: takes what is done off the lists. Returns how many. */
static size_t sweep(struct hetckpt_device *device)
{
	struct hetckpt_queue **link = &device->queues;
	size_t seen = 0;

	while (*link) {
		struct hetckpt_queue *queue = *link;

		while (queue->first) {
			struct hetckpt_marker *marker = queue->first;

			cuda_marker_look(marker);
			if (!marker->done)
				break;
			queue->first = marker->next;
			if (!queue->first)
				queue->last = &queue->first;
			cuda_marker_put(marker);
			device->outstanding--;
			seen++;
		}
		if (queue->ended && !queue->first) {
			*link = queue->next;
			free(queue);
		} else {
			link = &queue->next;
		}
	}
	return seen;
}

/* With the lock held. */
static void rest(struct hetckpt_device *device, uint64_t quiet)
{
	struct timespec until;
	uint64_t at = cuda_now();
	unsigned i = 0;

	if (at < atomic_load(&device->hurry_until)) {
		/* Others want the lock too. */
		pthread_mutex_unlock(&device->lock);
		sched_yield();
		pthread_mutex_lock(&device->lock);
		return;
	}
	while (quiet > pauses[i].quiet_ns)
		i++;
	at += pauses[i].pause_ns;
	until = (struct timespec){.tv_sec = (time_t)(at / 1000000000u), .tv_nsec = (long)(at % 1000000000u)};
	pthread_cond_timedwait(&device->wake, &device->lock, &until);
}

static void *watch(void *argument)
{
	struct hetckpt_device *device = argument;
	uint64_t last = 0;

	/* Timers of a thread are rounded to 50 us if it does not ask for better. */
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	device->api->context_push(device->context);
	pthread_mutex_lock(&device->lock);
	while (!device->stop) {
		size_t seen;

		if (!device->outstanding) {
			pthread_cond_wait(&device->wake, &device->lock);
			last = cuda_now();
			continue;
		}
		seen = sweep(device);
		if (seen) {
			last = cuda_now();
			if (device->host_calls.completed) {
				pthread_mutex_unlock(&device->lock);
				device->host_calls.completed(device->host_calls.context);
				pthread_mutex_lock(&device->lock);
			}
			continue;
		}
		rest(device, cuda_now() - last);
	}
	pthread_mutex_unlock(&device->lock);
	cuda_leave(device);
	return NULL;
}

int cuda_watcher_start(struct hetckpt_device *device, struct hetckpt_error *error)
{
	int rc = -pthread_create(&device->watcher, NULL, watch, device);

	if (rc)
		return hetckpt_error_set(error, rc, 0, "cuda:%u: cannot start a thread: %s", device->index, strerror(-rc));
	device->watching = true;
	return 0;
}

void cuda_watcher_stop(struct hetckpt_device *device)
{
	if (!device->watching)
		return;
	pthread_mutex_lock(&device->lock);
	device->stop = true;
	pthread_cond_signal(&device->wake);
	pthread_mutex_unlock(&device->lock);
	pthread_join(device->watcher, NULL);
	device->watching = false;
}
