/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "runtime/channel/ring.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "runtime/channel/futex.h"

/*
 * Who waits, and who wakes. Both sides use the same pattern: the sleeper stores "I wait",
 * fence, looks once more, sleeps; the waker makes the thing true, fence, reads "waits",
 * wakes if set. With both fences sequentially consistent, either the sleeper sees the thing
 * or the waker sees the sleeper. The waker takes the "I wait" back, so that a sleeper who is
 * slow to get up costs one system call and not one a command.
 */
static int waiter_take(_Atomic uint32_t *waits)
{
	return atomic_load_explicit(waits, memory_order_relaxed) && atomic_exchange(waits, 0);
}

static struct hetckpt_msg *record_at(const struct hetckpt_ring *ring, uint64_t position)
{
	return (struct hetckpt_msg *)(ring->session->ring + (position & (ring->session->ring_bytes - 1)));
}

/* ---- Producer ---------------------------------------------------------- */

void hetckpt_ring_produce(struct hetckpt_ring *ring, struct hetckpt_session *session)
{
	memset(ring, 0, sizeof *ring);
	ring->session = session;
	ring->position = atomic_load(&session->control->tail);
	ring->seq = atomic_load(&session->control->produced_seq);
}

static int has_space(const struct hetckpt_ring *ring, uint32_t bytes)
{
	uint64_t head = atomic_load_explicit(&ring->session->control->head, memory_order_acquire);
	uint64_t used = ring->position - head;

	return used <= ring->session->ring_bytes && bytes <= ring->session->ring_bytes - used;
}

int hetckpt_ring_reserve(struct hetckpt_ring *ring, uint32_t bytes, struct hetckpt_msg **msg)
{
	struct hetckpt_msg *record;

	if (bytes < sizeof *record || bytes % 16)
		return -EINVAL;
	if (bytes > HETCKPT_MSG_MAX_BYTES)
		return -E2BIG;
	if (!has_space(ring, bytes))
		return -EAGAIN;
	record = record_at(ring, ring->position);
	memset(record, 0, bytes);
	record->bytes = bytes;
	record->reply = HETCKPT_NO_REPLY;
	ring->pending = bytes;
	*msg = record;
	return 0;
}

uint64_t hetckpt_ring_commit(struct hetckpt_ring *ring)
{
	struct hetckpt_session_control *c = ring->session->control;
	struct hetckpt_msg *record = record_at(ring, ring->position);
	uint32_t slot = record->reply;

	record->bytes = ring->pending;
	record->seq = ++ring->seq;
	if (slot != HETCKPT_NO_REPLY && slot < ring->session->reply_slots)
		atomic_store_explicit(&ring->session->reply[slot].seq, ring->seq, memory_order_relaxed);
	ring->position += ring->pending;
	ring->pending = 0;
	/* produced_seq is for people and checks; tail is what publishes. */
	atomic_store_explicit(&c->produced_seq, ring->seq, memory_order_relaxed);
	atomic_store_explicit(&c->tail, ring->position, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	if (waiter_take(&c->consumer_waits))
		hetckpt_ring_kick(ring->session);
	return ring->seq;
}

int hetckpt_ring_wait_space(struct hetckpt_ring *ring, uint32_t bytes, int timeout_ms)
{
	struct hetckpt_session_control *c = ring->session->control;
	uint32_t ticket;

	if (has_space(ring, bytes))
		return 0;
	atomic_store(&c->producer_waits, 1);
	atomic_thread_fence(memory_order_seq_cst);
	ticket = atomic_load(&c->space_bell);
	if (!has_space(ring, bytes))
		hetckpt_futex_wait(&c->space_bell, ticket, timeout_ms);
	atomic_store(&c->producer_waits, 0);
	return has_space(ring, bytes) ? 0 : -ETIMEDOUT;
}

/* ---- Consumer ---------------------------------------------------------- */

int hetckpt_ring_claim(struct hetckpt_ring *ring, struct hetckpt_session *session, uint64_t seq)
{
	struct hetckpt_session_control *c = session->control;

	if (atomic_load(&c->taken_seq) != seq)
		return -ESTALE;
	memset(ring, 0, sizeof *ring);
	ring->session = session;
	ring->generation = atomic_fetch_add(&c->generation, 1) + 1;
	ring->position = atomic_load(&c->head);
	ring->seq = seq;
	/* A predecessor may have died asleep. */
	atomic_store(&c->consumer_waits, 0);
	return 0;
}

static int is_owner(const struct hetckpt_ring *ring)
{
	return atomic_load_explicit(&ring->session->control->generation, memory_order_acquire) ==
	       ring->generation;
}

int hetckpt_ring_peek(struct hetckpt_ring *ring, const struct hetckpt_msg **msg, uint32_t *bytes)
{
	const struct hetckpt_msg *record = record_at(ring, ring->position);
	uint64_t tail = atomic_load_explicit(&ring->session->control->tail, memory_order_acquire);
	uint64_t ready = tail - ring->position;
	uint32_t length;

	if (!is_owner(ring))
		return -EOWNERDEAD;
	if (!ready)
		return -EAGAIN;
	if (ready > ring->session->ring_bytes || ready < sizeof *record)
		return -EPROTO;
	/* Read once: the value checked is the value used. */
	length = *(const volatile uint32_t *)&record->bytes;
	if (length < sizeof *record || length % 16 || length > HETCKPT_MSG_MAX_BYTES ||
	    length > ready || *(const volatile uint64_t *)&record->seq != ring->seq + 1)
		return -EPROTO;
	ring->pending = length;
	*msg = record;
	*bytes = length;
	return 0;
}

int hetckpt_ring_advance(struct hetckpt_ring *ring)
{
	struct hetckpt_session_control *c = ring->session->control;

	if (!ring->pending)
		return -EINVAL;
	if (!is_owner(ring))
		return -EOWNERDEAD;
	ring->position += ring->pending;
	ring->pending = 0;
	ring->seq++;
	/*
	 * Two words cannot change at once, and a worker may die between them. taken_seq goes
	 * first: a successor that finds it ahead is refused by claim, so a command is never
	 * run twice; head behind only means a ring that looks a little fuller.
	 */
	atomic_store_explicit(&c->taken_seq, ring->seq, memory_order_release);
	atomic_store_explicit(&c->head, ring->position, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	/* Not before half of the ring is free, or the two would take turns record by record. A
	   producer that waits longer than its timeout looks for itself. */
	if (atomic_load(&c->tail) - ring->position <= ring->session->ring_bytes / 2 &&
	    waiter_take(&c->producer_waits))
		hetckpt_futex_ring(&c->space_bell);
	return 0;
}

void hetckpt_ring_retire(struct hetckpt_session *session, uint64_t seq)
{
	_Atomic uint64_t *retired = &session->control->retired_seq;
	uint64_t now = atomic_load_explicit(retired, memory_order_relaxed);

	while (now < seq && !atomic_compare_exchange_weak(retired, &now, seq))
		;
}

uint32_t hetckpt_ring_ticket(struct hetckpt_ring *ring)
{
	const struct hetckpt_session_control *c = ring->session->control;
	uint32_t ticket = atomic_load(&c->doorbell);

	ring->seen = atomic_load(&c->tail);
	return ticket;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int has_news(const struct hetckpt_ring *ring, uint32_t ticket)
{
	const struct hetckpt_session_control *c = ring->session->control;

	/* Not "the ring is not empty": a consumer that will not take what is there, because it
	   is paused or far enough ahead, wants to sleep all the same. */
	return atomic_load_explicit(&c->tail, memory_order_acquire) != ring->seen ||
	       atomic_load_explicit(&c->doorbell, memory_order_acquire) != ticket;
}

int hetckpt_ring_wait(struct hetckpt_ring *ring, uint32_t ticket, int timeout_ms, unsigned spin_us)
{
	struct hetckpt_session_control *c = ring->session->control;
	uint64_t start = spin_us ? now_ns() : 0;
	int result = 0;

	while (!has_news(ring, ticket)) {
		if (!spin_us || now_ns() - start >= spin_us * 1000ull)
			goto sleep;
		for (int i = 0; i < 32; i++)
			hetckpt_spin_pause();
	}
	return 0;
sleep:
	atomic_store(&c->consumer_waits, 1);
	atomic_thread_fence(memory_order_seq_cst);
	if (!has_news(ring, ticket))
		result = hetckpt_futex_wait(&c->doorbell, ticket, timeout_ms);
	atomic_store(&c->consumer_waits, 0);
	return has_news(ring, ticket) ? 0 : result ? result : -ETIMEDOUT;
}

void hetckpt_ring_kick(struct hetckpt_session *session)
{
	hetckpt_futex_ring(&session->control->doorbell);
}
