/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define THREADS_MAX 16

struct loop {
	_Atomic uint64_t next;
	_Atomic int rc;
	uint64_t count;
	int (*each)(void *context, uint64_t i);
	void *context;
};

static void *run(void *argument)
{
	struct loop *loop = argument;
	uint64_t i;

	while (!atomic_load(&loop->rc) && (i = atomic_fetch_add(&loop->next, 1)) < loop->count) {
		int rc = loop->each(loop->context, i), none = 0;

		if (rc)
			atomic_compare_exchange_strong(&loop->rc, &none, rc);
	}
	return NULL;
}

int hetckpt_parallel(uint64_t count, int (*each)(void *context, uint64_t i), void *context)
{
	struct loop loop = {.count = count, .each = each, .context = context};
	pthread_t thread[THREADS_MAX];
	unsigned wanted = 1, started = 0;
	cpu_set_t cpus;

	if (!sched_getaffinity(0, sizeof cpus, &cpus))
		wanted = (unsigned)CPU_COUNT(&cpus);
	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	if (wanted > count)
		wanted = (unsigned)count;
	while (started + 1 < wanted && !pthread_create(&thread[started], NULL, run, &loop))
		started++;
	run(&loop);
	for (unsigned i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	return atomic_load(&loop.rc);
}
