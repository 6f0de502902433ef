/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "runtime/channel/session.h"

#include <errno.h>
#include <string.h>

#include "runtime/channel/futex.h"

/* A spell of looking before sleeping: most answers of an idle worker come within it. */
#define SPINS 200

int hetckpt_reply_send(struct hetckpt_session *session, uint32_t slot, uint64_t seq, int code,
                       const void *data, uint32_t bytes)
{
	struct hetckpt_reply_slot *reply;
	uint32_t waiting = HETCKPT_REPLY_WAITING;
	uint32_t writing = HETCKPT_REPLY_WRITING;
	bool notify;

	if (slot == HETCKPT_NO_REPLY)
		return 0;
	if (slot >= session->reply_slots || bytes > HETCKPT_REPLY_BYTES || (bytes && !data))
		return -EINVAL;
	reply = &session->reply[slot];
	if (atomic_load(&reply->seq) != seq)
		return -ESTALE;
	/* Only one answer wins, and none once the application has given the slot up. */
	if (!atomic_compare_exchange_strong(&reply->state, &waiting, HETCKPT_REPLY_WRITING))
		return -ESTALE;
	/* The slot may have been given up and taken again between the two looks. */
	if (atomic_load(&reply->seq) != seq) {
		atomic_compare_exchange_strong(&reply->state, &writing, HETCKPT_REPLY_WAITING);
		return -ESTALE;
	}
	notify = reply->flags & HETCKPT_REPLY_NOTIFY;
	reply->code = code;
	reply->bytes = bytes;
	if (bytes)
		memcpy(reply->data, data, bytes);
	if (!atomic_compare_exchange_strong(&reply->state, &writing, HETCKPT_REPLY_READY))
		return -ESTALE;
	hetckpt_futex_wake(&reply->state, INT_MAX);
	if (notify)
		hetckpt_futex_ring(&session->control->notify_bell);
	return 0;
}

void hetckpt_reply_expect(struct hetckpt_session *session, uint32_t slot, uint32_t flags)
{
	struct hetckpt_reply_slot *reply = &session->reply[slot];

	atomic_store(&reply->seq, 0); /* no command has that number */
	reply->flags = flags;
	reply->bytes = 0;
	atomic_store(&reply->state, HETCKPT_REPLY_WAITING);
}

int hetckpt_reply_wait(struct hetckpt_session *session, uint32_t slot, int timeout_ms)
{
	struct hetckpt_reply_slot *reply = &session->reply[slot];
	uint32_t state;

	for (int i = 0; i < SPINS; i++) {
		if (atomic_load_explicit(&reply->state, memory_order_acquire) == HETCKPT_REPLY_READY)
			return 0;
		hetckpt_spin_pause();
	}
	state = atomic_load(&reply->state);
	if (state == HETCKPT_REPLY_READY)
		return 0;
	/* The step to READY wakes sleepers on whatever value they saw, but a worker that
	   dies while WRITING wakes nobody: callers come back after the timeout. One sleep
	   only: whoever is woken early looks for failures before sleeping again. */
	if (timeout_ms)
		hetckpt_futex_wait(&reply->state, state, timeout_ms);
	return atomic_load(&reply->state) == HETCKPT_REPLY_READY ? 0 : -ETIMEDOUT;
}

void hetckpt_reply_forget(struct hetckpt_session *session, uint32_t slot)
{
	atomic_store(&session->reply[slot].seq, 0);
	atomic_store(&session->reply[slot].state, HETCKPT_REPLY_FREE);
}

uint32_t hetckpt_notify_ticket(const struct hetckpt_session *session)
{
	return atomic_load(&session->control->notify_bell);
}

int hetckpt_notify_wait(struct hetckpt_session *session, uint32_t ticket, int timeout_ms)
{
	return hetckpt_futex_wait(&session->control->notify_bell, ticket, timeout_ms);
}

void hetckpt_notify_kick(struct hetckpt_session *session)
{
	hetckpt_futex_ring(&session->control->notify_bell);
}
