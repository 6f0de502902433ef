/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "runtime/channel/session.h"

#include <errno.h>

#include "runtime/channel/futex.h"

/* A word is 0 when its chunk is free, 1 when it is taken. Only the application takes, so a
   chunk that it sees free stays free; anybody may free. */

static int chunks_take(struct hetckpt_session *session, uint64_t need, uint64_t *hint,
                       uint64_t *offset)
{
	uint64_t chunks = session->staging_bytes / HETCKPT_STAGING_CHUNK;
	uint64_t start = *hint < chunks ? *hint : 0;
	uint64_t run = 0;

	/* Once round from the hint, and far enough past it to see runs that straddle it. A run
	   does not go over the end of the area. */
	for (uint64_t step = 0; step < chunks + need; step++) {
		uint64_t i = (start + step) % chunks;

		if (i == 0)
			run = 0;
		run = atomic_load_explicit(&session->staging_word[i], memory_order_acquire) ? 0 : run + 1;
		if (run == need) {
			uint64_t first = i + 1 - need;

			for (uint64_t k = first; k <= i; k++)
				atomic_store_explicit(&session->staging_word[k], 1, memory_order_relaxed);
			*offset = first * HETCKPT_STAGING_CHUNK;
			*hint = (i + 1) % chunks;
			return 0;
		}
	}
	return -EAGAIN;
}

int hetckpt_staging_take(struct hetckpt_session *session, uint64_t bytes, uint64_t *hint,
                         uint64_t *offset, int timeout_ms)
{
	struct hetckpt_session_control *c = session->control;
	uint64_t need = bytes / HETCKPT_STAGING_CHUNK + (bytes % HETCKPT_STAGING_CHUNK != 0);
	uint32_t ticket;
	int result;

	if (!bytes || need > session->staging_bytes / HETCKPT_STAGING_CHUNK)
		return -E2BIG;
	result = chunks_take(session, need, hint, offset);
	if (result != -EAGAIN || timeout_ms == 0)
		return result;
	/* Announce first, look again, then sleep: see hetckpt_staging_release. */
	atomic_store(&c->staging_waits, 1);
	atomic_thread_fence(memory_order_seq_cst);
	ticket = atomic_load(&c->staging_bell);
	result = chunks_take(session, need, hint, offset);
	if (result == -EAGAIN) {
		hetckpt_futex_wait(&c->staging_bell, ticket, timeout_ms);
		result = chunks_take(session, need, hint, offset);
	}
	atomic_store(&c->staging_waits, 0);
	return result;
}

int hetckpt_staging_release(struct hetckpt_session *session, uint64_t offset, uint64_t bytes)
{
	uint64_t first = offset / HETCKPT_STAGING_CHUNK;
	uint64_t count = bytes / HETCKPT_STAGING_CHUNK + (bytes % HETCKPT_STAGING_CHUNK != 0);

	if (!bytes || offset % HETCKPT_STAGING_CHUNK || !hetckpt_staging_valid(session, offset, bytes))
		return -EINVAL;
	for (uint64_t i = first; i < first + count; i++)
		atomic_store_explicit(&session->staging_word[i], 0, memory_order_release);
	/* Freed before looking whether somebody waits; the waiter announces itself before it
	   looks for free chunks again. One of the two sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&session->control->staging_waits) && atomic_exchange(&session->control->staging_waits, 0))
		hetckpt_futex_ring(&session->control->staging_bell);
	return 0;
}
