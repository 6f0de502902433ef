/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Commands into the ring and replies out of it.
 *
 * One mutex serialises producers. Whoever holds it while the ring is full waits for the
 * worker, and the others wait behind: order is kept and nobody starves. No lock is held
 * while waiting for a reply.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/channel/ring.h"
#include "runtime/client/client.h"
#include "runtime/client/internal.h"

/* How often a waiter looks whether anybody is still there to answer. */
#define PATIENCE_MS 100

static struct hetckpt_session *session;
static struct hetckpt_ring ring;
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t *free_slot; /* stack */
static uint32_t free_slots;
static pthread_mutex_t slot_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t slot_freed = PTHREAD_COND_INITIALIZER;

static pthread_mutex_t staging_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t staging_hint;

int client_command_start(struct hetckpt_session *opened)
{
	free_slot = malloc(opened->reply_slots * sizeof *free_slot);
	if (!free_slot)
		return -ENOMEM;
	session = opened;
	/* The lowest on top: few slots in use means few pages touched. */
	for (uint32_t i = 0; i < session->reply_slots; i++)
		free_slot[i] = session->reply_slots - 1 - i;
	free_slots = session->reply_slots;
	hetckpt_ring_produce(&ring, session);
	return 0;
}

/* ---- Ring -------------------------------------------------------------- */

cudaError_t client_begin(uint32_t type, uint32_t stream, uint32_t slot, uint32_t body_bytes, void **body)
{
	struct hetckpt_msg *msg;
	cudaError_t error;
	int result;

	if (body_bytes > HETCKPT_MSG_MAX_BYTES - 64)
		return cudaErrorInvalidValue;
	pthread_mutex_lock(&ring_lock);
	while ((result = hetckpt_ring_reserve(&ring, HETCKPT_MSG_BYTES(body_bytes), &msg)) == -EAGAIN) {
		if (hetckpt_ring_wait_space(&ring, HETCKPT_MSG_BYTES(body_bytes), PATIENCE_MS) &&
		    client_lost(&error)) {
			pthread_mutex_unlock(&ring_lock);
			return error;
		}
	}
	if (result) {
		pthread_mutex_unlock(&ring_lock);
		return cudaErrorUnknown;
	}
	msg->type = type;
	msg->stream = stream;
	msg->reply = slot;
	*body = msg + 1;
	return cudaSuccess;
}

void client_commit(void)
{
	hetckpt_ring_commit(&ring);
	pthread_mutex_unlock(&ring_lock);
}

cudaError_t client_send(uint32_t type, uint32_t stream, const void *body, uint32_t bytes)
{
	cudaError_t error;
	void *place;

	error = client_begin(type, stream, HETCKPT_NO_REPLY, bytes, &place);
	if (error)
		return error;
	if (bytes)
		memcpy(place, body, bytes);
	client_commit();
	return cudaSuccess;
}

cudaError_t client_call(uint32_t type, uint32_t stream, const void *body, uint32_t bytes,
                        const void *tail, uint32_t tail_bytes, void *reply, uint32_t reply_bytes)
{
	cudaError_t error;
	uint32_t slot;
	void *place;

	error = client_slot_take(0, &slot);
	if (error)
		return error;
	error = client_begin(type, stream, slot, bytes + tail_bytes, &place);
	if (error) {
		client_slot_free(slot);
		return error;
	}
	if (bytes)
		memcpy(place, body, bytes);
	if (tail_bytes)
		memcpy((char *)place + bytes, tail, tail_bytes);
	client_commit();
	return client_slot_collect(slot, reply, reply_bytes);
}

/* ---- Reply slots ------------------------------------------------------- */

cudaError_t client_slot_take(uint32_t flags, uint32_t *slot)
{
	pthread_mutex_lock(&slot_lock);
	/* Each slot in use belongs to a waiter who frees it when answered or when the
	   session is lost, so this wait ends. */
	while (!free_slots)
		pthread_cond_wait(&slot_freed, &slot_lock);
	*slot = free_slot[--free_slots];
	pthread_mutex_unlock(&slot_lock);
	hetckpt_reply_expect(session, *slot, flags);
	return cudaSuccess;
}

void client_slot_free(uint32_t slot)
{
	hetckpt_reply_forget(session, slot);
	pthread_mutex_lock(&slot_lock);
	free_slot[free_slots++] = slot;
	pthread_cond_signal(&slot_freed);
	pthread_mutex_unlock(&slot_lock);
}

cudaError_t client_slot_collect(uint32_t slot, void *reply, uint32_t reply_bytes)
{
	const struct hetckpt_reply_slot *answer = &session->reply[slot];
	cudaError_t error;
	uint32_t bytes;

	while (hetckpt_reply_wait(session, slot, PATIENCE_MS)) {
		if (client_lost(&error)) {
			client_slot_free(slot);
			return error;
		}
	}
	error = (cudaError_t)answer->code;
	bytes = answer->bytes;
	if (reply) {
		memset(reply, 0, reply_bytes);
		memcpy(reply, answer->data, bytes < reply_bytes ? bytes : reply_bytes);
	}
	client_slot_free(slot);
	return error;
}

/* ---- Staging ----------------------------------------------------------- */

cudaError_t client_staging_take(uint64_t bytes, bool wait, uint64_t *offset)
{
	cudaError_t error;
	int result;

	pthread_mutex_lock(&staging_lock);
	do {
		result = hetckpt_staging_take(session, bytes, &staging_hint, offset, wait ? PATIENCE_MS : 0);
		if (result == -EAGAIN && wait && client_lost(&error)) {
			pthread_mutex_unlock(&staging_lock);
			return error;
		}
	} while (result == -EAGAIN && wait);
	pthread_mutex_unlock(&staging_lock);
	return result == -EAGAIN ? cudaErrorNotReady : result ? cudaErrorInvalidValue : cudaSuccess;
}
