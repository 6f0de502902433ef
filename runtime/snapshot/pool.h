/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * pool.h - a fixed number of threads and a queue of jobs.
 */
#ifndef HETCKPT_SNAPSHOT_POOL_H
#define HETCKPT_SNAPSHOT_POOL_H

struct hetckpt_snap_pool;

/* Embedded in what the job works on; belongs to the pool until run is called. */
struct hetckpt_snap_job {
	struct hetckpt_snap_job *next;
	/* worker: 0 .. threads - 1, the thread that runs it. */
	void (*run)(struct hetckpt_snap_job *job, unsigned worker);
};

/* As many threads as asked for; 0: one for each CPU that this process may use,
   at most 64. */
unsigned hetckpt_snap_pool_threads(unsigned asked);

/* Starts threads, which receive no signals. Fewer than asked for will do, none
   will not. 0 or negative errno. */
int hetckpt_snap_pool_create(unsigned threads, struct hetckpt_snap_pool **out);

/* Queues a job. Jobs are begun in the order in which they came. Never blocks. */
void hetckpt_snap_pool_submit(struct hetckpt_snap_pool *pool, struct hetckpt_snap_job *job);

/* Runs what is queued, then ends the threads. NULL is allowed. */
void hetckpt_snap_pool_destroy(struct hetckpt_snap_pool *pool);

#endif
