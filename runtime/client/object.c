/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What cudaStream_t and cudaEvent_t point to. Objects are recycled and never given back to
 * the allocator: a handle that was destroyed can still be read, and is refused by its magic.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/client/client.h"

#define BATCH 64

static struct client_object *free_list;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

uint32_t client_number_next(void)
{
	/* Never used again, so the worker can still be busy with a destroyed stream. 0 is the
	   default stream. */
	static _Atomic uint32_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

struct client_object *client_object_new(uint32_t magic)
{
	struct client_object *object;

	pthread_mutex_lock(&lock);
	if (!free_list) {
		struct client_object *batch = calloc(BATCH, sizeof *batch);

		for (int i = 0; batch && i < BATCH; i++) {
			batch[i].next = free_list;
			free_list = &batch[i];
		}
	}
	object = free_list;
	if (object)
		free_list = object->next;
	pthread_mutex_unlock(&lock);
	if (!object)
		return NULL;
	object->number = client_number_next();
	object->flags = 0;
	object->priority = 0;
	object->capture = 0;
	object->epoch = client_epoch();
	object->next = NULL;
	__atomic_store_n(&object->magic, magic, __ATOMIC_RELEASE);
	return object;
}

void client_object_free(struct client_object *object)
{
	__atomic_store_n(&object->magic, 0, __ATOMIC_RELEASE);
	pthread_mutex_lock(&lock);
	object->next = free_list;
	free_list = object;
	pthread_mutex_unlock(&lock);
}

struct client_object *client_object_get(const void *handle, uint32_t magic)
{
	struct client_object *object = (struct client_object *)handle;

	/* Small numbers are CUDA's special handles or rubbish, never objects. */
	if ((uintptr_t)handle < 4096 || (uintptr_t)handle % _Alignof(struct client_object))
		return NULL;
	if (__atomic_load_n(&object->magic, __ATOMIC_ACQUIRE) != magic || object->epoch != client_epoch())
		return NULL;
	return object;
}
