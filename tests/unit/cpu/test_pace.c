/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How long strips become on the CPU, by a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hetckpt/abi.h>

static uint64_t now;
#define PACE_CLOCK() now
#include "passes/targets/cpu/support_pace.h"

#define THREADS 64u
#define PLANNED HETCKPT_CPU_PACE_PLANNED

static uint32_t flag;
static struct hetckpt_cpu_block block;

static void begin(void)
{
	flag = HETCKPT_FLAG_RUN;
	block = (struct hetckpt_cpu_block){.threads = THREADS, .flag = &flag};
	for (unsigned i = 0; i < HETCKPT_CPU_PACES; i++)
		block.pace[i] = PLANNED;
}

static void pass(struct pacing *p, uint32_t cut, uint64_t cycles)
{
	pace_met(p, &block, cut);
	now += cycles;
	pace_passed(p, &block, cut);
}

/* A pass takes so many cycles for strips as planned: after a few, it takes from half an interval to a whole one. */
static void test_settles(void **state)
{
	const double planned[] = {3, 1000, 0.26 * PACE_CYCLES, 0.75 * PACE_CYCLES, 1.9 * PACE_CYCLES, 150.0 * PACE_CYCLES};
	(void)state;

	for (unsigned k = 0; k < sizeof planned / sizeof *planned; k++) {
		struct pacing p;
		uint32_t settled;

		begin();
		pace_begin(&p, &block, 1u << 2, THREADS);
		for (int i = 0; i < 40; i++)
			pass(&p, 2, (uint64_t)(planned[k] * block.pace[2] / PLANNED));
		settled = block.pace[2];
		assert_true(planned[k] * settled / PLANNED >= PACE_CYCLES / 2.0 - 1);
		assert_true(planned[k] * settled / PLANNED <= PACE_CYCLES);
		for (int i = 0; i < 40; i++)
			pass(&p, 2, (uint64_t)(planned[k] * block.pace[2] / PLANNED));
		assert_int_equal(block.pace[2], settled);
		assert_int_equal(block.pace[1], PLANNED);
	}
}

/* A loop that ends before its strip does comes to its cut once each time that it is entered. */
static void test_short_loops(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 100; i++) {
		struct pacing p;

		pace_begin(&p, &block, 3, THREADS);
		pass(&p, 0, 100);
		pass(&p, 1, 100);
	}
	assert_int_equal(block.pace[0], PLANNED);
	assert_int_equal(block.pace[1], PLANNED);
}

static void test_limits(void **state)
{
	struct pacing p;

	(void)state;
	begin();
	pace_begin(&p, &block, 1, THREADS);
	for (int i = 0; i < 100; i++)
		pass(&p, 0, 0);
	assert_int_equal(block.pace[0], PACE_MOST);
	for (int i = 0; i < 100; i++)
		pass(&p, 0, 1000 * (uint64_t)PACE_CYCLES);
	assert_int_equal(block.pace[0], 1);
	for (int i = 0; i < 3; i++)
		pass(&p, 0, 0);
	assert_true(block.pace[0] > 1);
}

/* Who asks for a pause at every poll wants them all; some threads alone say nothing of the block. */
static void test_not_measured(void **state)
{
	struct pacing p;

	(void)state;
	begin();
	block.pace[0] = 7;
	pace_begin(&p, &block, 1, THREADS / 2);
	for (int i = 0; i < 10; i++)
		pass(&p, 0, i % 2 ? 0 : 100 * (uint64_t)PACE_CYCLES);
	assert_int_equal(block.pace[0], 7);
	flag = HETCKPT_FLAG_PAUSE_STARTED;
	pace_begin(&p, &block, 1, THREADS);
	assert_int_equal(block.pace[0], PLANNED);
	for (int i = 0; i < 10; i++)
		pass(&p, 0, i % 2 ? 0 : 100 * (uint64_t)PACE_CYCLES);
	assert_int_equal(block.pace[0], PLANNED);
	/* Cuts that are no strips. */
	flag = HETCKPT_FLAG_RUN;
	pace_begin(&p, &block, 1, THREADS);
	pass(&p, 70, 0);
	pass(&p, 70, 0);
	for (unsigned i = 0; i < HETCKPT_CPU_PACES; i++)
		assert_int_equal(block.pace[i], PLANNED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settles),
		cmocka_unit_test(test_short_loops),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_not_measured),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
