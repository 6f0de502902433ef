/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "runtime/channel/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int hetckpt_futex_wait(const _Atomic uint32_t *word, uint32_t value, int timeout_ms)
{
	struct timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	int saved = errno;
	int result = 0;

	/* Not FUTEX_PRIVATE: the sleepers live in several processes. */
	if (syscall(SYS_futex, word, FUTEX_WAIT, value, timeout_ms < 0 ? NULL : &limit, NULL, 0) < 0 &&
	    errno == ETIMEDOUT)
		result = -ETIMEDOUT;
	errno = saved;
	return result;
}

void hetckpt_futex_wake(const _Atomic uint32_t *word, int count)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
	errno = saved;
}
