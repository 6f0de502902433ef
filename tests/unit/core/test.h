/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What cmocka wants before it is included, and a random generator with a seed to print. */
#ifndef TESTS_UNIT_CORE_TEST_H
#define TESTS_UNIT_CORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* HETCKPT_TEST_SEED repeats a run. */
static inline uint64_t test_seed(void)
{
	const char *text = getenv("HETCKPT_TEST_SEED");

	return text ? strtoull(text, NULL, 10) : 20240601;
}

static inline uint64_t test_random(uint64_t *state)
{
	uint64_t x = (*state += UINT64_C(0x9e3779b97f4a7c15));

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

#endif
