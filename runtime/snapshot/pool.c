/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#define THREADS_MAX 1024u
#define THREADS_AUTO_MAX 64

struct worker {
	struct hetckpt_snap_pool *pool;
	pthread_t thread;
	unsigned number;
};

struct hetckpt_snap_pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct hetckpt_snap_job *first, **last;
	bool ending;
	unsigned threads;
	struct worker workers[];
};

unsigned hetckpt_snap_pool_threads(unsigned asked)
{
	cpu_set_t set;
	int cpus;

	if (asked)
		return asked < THREADS_MAX ? asked : THREADS_MAX;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	cpus = CPU_COUNT(&set);
	return cpus < 1 ? 1 : cpus < THREADS_AUTO_MAX ? (unsigned)cpus : THREADS_AUTO_MAX;
}

static void *worker_main(void *arg)
{
	struct worker *self = arg;
	struct hetckpt_snap_pool *pool = self->pool;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct hetckpt_snap_job *job = pool->first;

		if (job) {
			pool->first = job->next;
			if (!pool->first)
				pool->last = &pool->first;
			pthread_mutex_unlock(&pool->lock);
			job->run(job, self->number);
			pthread_mutex_lock(&pool->lock);
		} else if (pool->ending) {
			break;
		} else {
			pthread_cond_wait(&pool->wake, &pool->lock);
		}
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

int hetckpt_snap_pool_create(unsigned threads, struct hetckpt_snap_pool **out)
{
	struct hetckpt_snap_pool *pool;
	sigset_t all, old;
	int rc = 0;

	*out = NULL;
	pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->workers[0]));
	if (!pool)
		return -ENOMEM;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	pool->last = &pool->first;

	/* Signals are for the threads of the program that uses us. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	for (; pool->threads < threads && !rc; pool->threads += !rc) {
		struct worker *worker = &pool->workers[pool->threads];

		worker->pool = pool;
		worker->number = pool->threads;
		rc = pthread_create(&worker->thread, NULL, worker_main, worker);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!pool->threads) {
		hetckpt_snap_pool_destroy(pool);
		return -rc;
	}
	*out = pool;
	return 0;
}

void hetckpt_snap_pool_submit(struct hetckpt_snap_pool *pool, struct hetckpt_snap_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&pool->lock);
	*pool->last = job;
	pool->last = &job->next;
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}

void hetckpt_snap_pool_destroy(struct hetckpt_snap_pool *pool)
{
	unsigned i;

	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (i = 0; i < pool->threads; i++)
		pthread_join(pool->workers[i].thread, NULL);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
