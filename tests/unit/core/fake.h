/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * fake.h - a back end for tests: device memory is host memory at arena addresses, queues
 * are threads, kernels are those of machine.h.
 */
#ifndef TESTS_UNIT_CORE_FAKE_H
#define TESTS_UNIT_CORE_FAKE_H

#include "runtime/backends/backend.h"

extern const struct hetckpt_backend fake_backend;         /* calls completed() */
extern const struct hetckpt_backend fake_polled_backend;  /* does not */
extern const struct hetckpt_backend fake_looking_backend; /* looks at the flag before each block */

/* Set before a device is opened. */
struct fake_settings {
	unsigned resident;        /* blocks at once; default 4 */
	unsigned run_resident;    /* of the run variant; 0: the same */
	unsigned resume_resident; /* of the resume variant; 0: the same */
	unsigned unfinished;      /* blocks that can have begun and not ended; 0, or less than those at once: as many */
	uint64_t memory;          /* bytes of the device; default 1 GiB */
	int shuffle;              /* blocks of a launch start in random order */
	uint64_t taken;           /* an address that map says is taken; 0: none */
	_Atomic uint64_t launch_ns; /* what a launch takes by the device's clock, which nothing else
	                               moves then; 0: the clock is the machine's */
	uint64_t block_ns;        /* and each of its blocks */
};
extern struct fake_settings fake;

/* Counters, for tests that look at how things were done. */
struct fake_counts {
	_Atomic unsigned originals, runs, resumes, pokes;
	_Atomic unsigned largest;      /* blocks of the largest run or resume launch */
	_Atomic unsigned together;     /* launches that ran at the same time, at most */
	_Atomic int fail_launches;     /* > 0: so many launches fail with a fault */
	_Atomic unsigned locks, unlocks; /* of host memory */
	_Atomic unsigned limits;       /* set so often */
	_Atomic uint64_t limit[3];     /* to these values; a TiB and more is refused, the device is full */
};
extern struct fake_counts fake_count;

void fake_reset(void);

#endif
