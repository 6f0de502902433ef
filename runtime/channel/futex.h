/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * futex.h - sleeping on a 32-bit word that several processes share.
 */
#ifndef HETCKPT_CHANNEL_FUTEX_H
#define HETCKPT_CHANNEL_FUTEX_H

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>

/*
 * Sleeps while *word is value, at most timeout_ms (< 0: no limit). 0 when woken, when the
 * value differs, or for no reason (callers look again); -ETIMEDOUT.
 */
int hetckpt_futex_wait(const _Atomic uint32_t *word, uint32_t value, int timeout_ms);

/* Wakes up to count sleepers. */
void hetckpt_futex_wake(const _Atomic uint32_t *word, int count);

/* One turn of a spin loop. */
static inline void hetckpt_spin_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb");
#endif
}

/* Changes *word and wakes everybody who sleeps on it. */
static inline void hetckpt_futex_ring(_Atomic uint32_t *word)
{
	atomic_fetch_add(word, 1);
	hetckpt_futex_wake(word, INT_MAX);
}

#endif
