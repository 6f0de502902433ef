/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A launch of a test kernel whose results can be checked. */
#ifndef TESTS_UNIT_CORE_JOB_H
#define TESTS_UNIT_CORE_JOB_H

#include "rig.h"
#include "test.h"

struct job {
	const char *kernel;
	uint32_t grid[3], threads, stream;
	uint64_t blocks, function;
	struct machine_params params;
};

static inline struct job job_make(struct rig *rig, const char *kernel, uint32_t gx, uint32_t gy, uint32_t gz,
                                  uint32_t threads, uint32_t steps, uint32_t seed)
{
	struct job j = {.kernel = kernel, .grid = {gx, gy, gz}, .threads = threads, .blocks = (uint64_t)gx * gy * gz};

	j.function = rig_function(rig, kernel);
	j.params.steps = steps;
	j.params.seed = seed;
	j.params.out = rig_malloc(rig, j.blocks * threads * 8);
	j.params.started = rig_malloc(rig, j.blocks * 4);
	j.params.ended = rig_malloc(rig, j.blocks * 4);
	j.params.shared = rig_malloc(rig, 4096);
	rig_fill(rig, j.params.out, j.blocks * threads * 8, 0);
	rig_fill(rig, j.params.started, j.blocks * 4, 0);
	rig_fill(rig, j.params.ended, j.blocks * 4, 0);
	rig_fill(rig, j.params.shared, 4096, 0);
	return j;
}

static inline void job_launch(struct rig *rig, const struct job *j)
{
	rig_launch(rig, j->stream, j->function, j->grid[0], j->grid[1], j->grid[2], j->threads, &j->params);
}

/* Every block began once and ended once, and every thread has its result. The rig is idle. */
static inline void job_check(const struct job *j)
{
	const uint32_t *started = (const uint32_t *)(uintptr_t)j->params.started;
	const uint32_t *ended = (const uint32_t *)(uintptr_t)j->params.ended;
	const uint64_t *out = (const uint64_t *)(uintptr_t)j->params.out;
	uint32_t steps = j->params.steps, seed = j->params.seed;

	for (uint32_t b = 0; b < j->blocks; b++) {
		if (started[b] != 1 || ended[b] != 1)
			fail_msg("%s: block %u of %llu began %u times and ended %u times", j->kernel, b,
			         (unsigned long long)j->blocks, started[b], ended[b]);
		for (uint32_t t = 0; t < j->threads; t++) {
			uint64_t want = strstr(j->kernel, "mix") ? machine_expect_mix(b, t, j->threads, steps, seed)
			              : !strcmp(j->kernel, "uneven") ? machine_expect_uneven(b, t, j->threads, steps, seed)
			              : !strcmp(j->kernel, "add") ? seed
			              : 1;

			if (out[(uint64_t)b * j->threads + t] != want)
				fail_msg("%s: block %u thread %u has a wrong result", j->kernel, b, t);
		}
	}
}

#endif
