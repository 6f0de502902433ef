/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Page-locked buffers through which memory that only the program sees goes to the device when
 * the stream comes to it. The staging area does not do for that: when the session is saved, what
 * queued copies have there is taken as it is, and a host function that is to fill it may not
 * have run. Page-locked memory is the program's until the copy begins.
 */
#include <pthread.h>
#include <time.h>

#include "runtime/client/client.h"

#define BUFFERS 16

static void *idle[BUFFERS];
static unsigned idle_count, made;
static uint32_t of_epoch;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given = PTHREAD_COND_INITIALIZER;

cudaError_t client_bounce_take(void **buffer)
{
	cudaError_t error = cudaSuccess;

	pthread_mutex_lock(&lock);
	/* A reset has unmapped all of them. */
	if (of_epoch != client_epoch()) {
		of_epoch = client_epoch();
		idle_count = made = 0;
	}
	/* All in use: streams that go on give them back. */
	while (!idle_count && made == BUFFERS && !client_lost(&error)) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&given, &lock, &until);
	}
	if (idle_count) {
		*buffer = idle[--idle_count];
	} else if (!error) {
		error = client_pinned_alloc(buffer, CLIENT_BOUNCE_BYTES, CLIENT_RANGE_PINNED, 0);
		made += !error;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

void client_bounce_give(void *buffer, uint32_t epoch)
{
	pthread_mutex_lock(&lock);
	if (epoch == of_epoch)
		idle[idle_count++] = buffer;
	pthread_cond_signal(&given);
	pthread_mutex_unlock(&lock);
}
