/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What is on the device ahead of its end: how much of what a pause has to wait for, what is taken
 * back, and what the core makes of times. The device's clock is the test's: each launch takes as
 * long as the test says.
 */
#include "job.h"

#include <pthread.h>
#include <unistd.h>

static int setup(void **state)
{
	(void)state;
	fake_reset();
	atomic_store(&machine_hold, 0);
	atomic_store(&machine_looked, 0);
	return 0;
}

/* Many launches of one block that are not checked. */
static void launch_many(struct rig *rig, const struct job *j, unsigned count)
{
	struct job again = *j;

	again.params.started = again.params.ended = 0;
	for (unsigned i = 0; i < count; i++)
		job_launch(rig, &again);
}

/* Waits until a counter has come to least, and then whether it goes on; returns it. */
static unsigned settled(_Atomic unsigned *counter, unsigned least)
{
	for (int i = 0; i < 6000 && atomic_load(counter) < least; i++)
		usleep(5000);
	usleep(50000);
	return atomic_load(counter);
}

/* Launches that are known to be short use the original kernel, once they are known for long. */
static void learned(void **state)
{
	struct rig *rig;
	struct job j;
	unsigned runs;

	(void)state;
	fake.launch_ns = 5000;
	rig = rig_make(&fake_backend);
	j = job_make(rig, "mix", 1, 1, 1, 1, 1, 3);
	rig_sync(rig);
	launch_many(rig, &j, 300);
	rig_sync(rig);
	runs = atomic_load(&fake_count.runs);
	assert_true(runs >= 64 && runs < 64 + 20);
	assert_int_equal(runs + atomic_load(&fake_count.originals), 300);
	/* One that took long is remembered for hundreds of launches. */
	atomic_store(&fake.launch_ns, 5000000);
	launch_many(rig, &j, 1);
	rig_sync(rig);
	atomic_store(&fake.launch_ns, 5000);
	runs = atomic_load(&fake_count.runs);
	launch_many(rig, &j, 100);
	rig_sync(rig);
	assert_int_equal(atomic_load(&fake_count.runs), runs + 100);
	rig_free(rig);
}

/* A launch of middling length that a fill always follows does not make that wait for the host, also
   if the fill comes only after the launch has been handed over. */
static void followed(void **state)
{
	struct rig *rig;
	struct job j;
	unsigned runs;

	(void)state;
	fake.launch_ns = 100000;
	rig = rig_make(&fake_backend);
	j = job_make(rig, "short_mix", 1, 1, 1, 1, 1, 3);
	rig_sync(rig);
	for (int i = 0; i < 10; i++) {
		launch_many(rig, &j, 1);
		rig_sync(rig);
	}
	/* Nothing follows: it can pause. */
	runs = atomic_load(&fake_count.runs);
	assert_int_equal(runs, 10);
	for (int i = 0; i < 10; i++) {
		launch_many(rig, &j, 1);
		rig_sync(rig);
		rig_fill(rig, j.params.out, 8, 0);
	}
	rig_sync(rig);
	assert_true(atomic_load(&fake_count.runs) <= runs + 1);
	assert_true(atomic_load(&fake_count.originals) >= 9);
	rig_free(rig);
}

/* What a pause has to wait for is bounded by time. */
static void bounded(void **state)
{
	struct rig *rig;
	struct job j;
	unsigned before;

	(void)state;
	fake.launch_ns = 5000;
	rig = rig_make(&fake_backend);
	j = job_make(rig, "held", 1, 1, 1, 1, 1, 3);
	rig_sync(rig);
	/* Nothing is known: one. */
	atomic_store(&machine_hold, 1);
	launch_many(rig, &j, 200);
	assert_int_equal(settled(&fake_count.originals, 1), 1);
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	assert_int_equal(atomic_load(&fake_count.originals), 200);
	/* 5 us each. */
	before = 200;
	atomic_store(&machine_hold, 1);
	launch_many(rig, &j, 200);
	before = settled(&fake_count.originals, before + 20) - before;
	assert_true(before >= 20 && before <= 41);
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	rig_free(rig);
}

/* Two streams share the bound, and each may always have one command. */
static void bounded_together(void **state)
{
	struct rig *rig;
	struct job j;
	unsigned before;

	(void)state;
	fake.launch_ns = 5000;
	rig = rig_make(&fake_backend);
	for (uint32_t s = 1; s <= 3; s++)
		rig_stream(rig, s, HETCKPT_STREAM_NON_BLOCKING);
	j = job_make(rig, "held", 1, 1, 1, 1, 1, 3);
	rig_sync(rig);
	launch_many(rig, &j, 200);
	rig_sync(rig);
	before = atomic_load(&fake_count.originals);
	atomic_store(&machine_hold, 1);
	for (j.stream = 1; j.stream <= 3; j.stream++)
		launch_many(rig, &j, 200);
	before = settled(&fake_count.originals, before + 20) - before;
	assert_true(before >= 20 && before <= 43);
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	rig_free(rig);
}

/* Launches that have become slow are seen by the first marker behind some of them. */
static void corrected(void **state)
{
	struct rig *rig;
	struct job j;
	unsigned before;

	(void)state;
	fake.launch_ns = 5000;
	rig = rig_make(&fake_backend);
	j = job_make(rig, "short_mix", 1, 1, 1, 1, 1, 3);
	rig_sync(rig);
	launch_many(rig, &j, 300);
	rig_sync(rig);
	before = atomic_load(&fake_count.originals);
	assert_true(before >= 290);
	atomic_store(&fake.launch_ns, 1000000);
	launch_many(rig, &j, 500);
	rig_sync(rig);
	/* Those that were on the device already, and what was handed over until the first marker. */
	assert_true(atomic_load(&fake_count.originals) - before <= 80);
	rig_free(rig);
}

/* Launches that can pause stand behind one another on the device; a pause takes those back that
   have not begun, wherever they go on. */
static void chain(void **state)
{
	struct hetckpt_pause_report report;
	struct hetckpt_error error = {0};
	struct job job[12], once;
	struct rig *rig;

	(void)state;
	/* Not too short for it; and known, or only one would wait behind another. */
	fake.launch_ns = 60000;
	rig = rig_make(&fake_backend);
	for (int i = 0; i < 3; i++) {
		once = job_make(rig, !i ? "parked" : i % 2 ? "uneven" : "mix", 3, 1, 1, 4, 30, 0);
		launch_many(rig, &once, 1);
	}
	rig_sync(rig);
	atomic_store(&fake_count.runs, 0);
	rig_event(rig, 1);
	for (int i = 0; i < 12; i++)
		job[i] = job_make(rig, !i ? "parked" : i % 2 ? "uneven" : "mix", 3, 1, 1, 4, 30, (uint32_t)i);
	rig_sync(rig);
	atomic_store(&machine_hold, 1);
	for (int i = 0; i < 12; i++) {
		job_launch(rig, &job[i]);
		if (i == 2)
			rig_record(rig, 1, 0);
	}
	/* The first, and as many behind it as take HETCKPT_CHAIN_NS. */
	assert_int_equal(settled(&fake_count.runs, 6), 6);
	assert_int_equal(hetckpt_core_pause(rig->core, 20000, &report, &error), 0);
	assert_int_equal(report.launches, 1);
	assert_int_equal(report.parked + report.unstarted, 3);
	for (int i = 1; i < 12; i++)
		assert_int_equal(*(uint32_t *)(uintptr_t)job[i].params.started, 0);
	/* Paused and resumed in place, then moved. */
	rig_resume(rig);
	usleep(2000);
	rig_pause(rig);
	rig = rig_move(rig, &fake_backend);
	rig_resume(rig);
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	for (int i = 0; i < 12; i++)
		job_check(&job[i]);
	assert_int_equal(atomic_load(&rig->raised), 0);
	rig_free(rig);
}

/* Behind launches that are long, or of which nothing is known, one is enough. */
static void chain_short(void **state)
{
	struct rig *rig;
	struct job j;

	(void)state;
	fake.launch_ns = 3000000;
	rig = rig_make(&fake_backend);
	j = job_make(rig, "parked", 3, 1, 1, 4, 30, 1);
	rig_sync(rig);
	for (int i = 0; i < 2; i++) {
		atomic_store(&fake_count.runs, 0);
		atomic_store(&machine_hold, 1);
		launch_many(rig, &j, 10);
		assert_int_equal(settled(&fake_count.runs, 2), 2);
		atomic_store(&machine_hold, 0);
		rig_sync(rig);
	}
	rig_free(rig);
}

/* What depends on a launch of a chain waits in other streams, and what would run waits in its own. */
static void chain_order(void **state)
{
	struct hetckpt_msg_stream wait = {.stream = 2, .event = 1};
	struct hetckpt_msg_fill fill = {.width = 8, .height = 1, .pitch = 8, .element = 1, .value = 0x5a};
	struct rig *rig = rig_make(&fake_backend);
	struct job j[3];
	uint64_t *out;

	(void)state;
	rig_stream(rig, 1, HETCKPT_STREAM_NON_BLOCKING);
	rig_stream(rig, 2, HETCKPT_STREAM_NON_BLOCKING);
	rig_event(rig, 1);
	j[0] = job_make(rig, "parked", 2, 1, 1, 4, 20, 1);
	j[1] = job_make(rig, "mix", 2, 1, 1, 4, 20, 2);
	j[2] = job_make(rig, "add", 2, 1, 1, 4, 20, 7);
	out = (uint64_t *)(uintptr_t)j[1].params.out;
	rig_sync(rig);
	for (int i = 0; i < 3; i++)
		j[i].stream = i < 2 ? 1 : 2;
	atomic_store(&machine_hold, 1);
	job_launch(rig, &j[0]);
	job_launch(rig, &j[1]);
	rig_record(rig, 1, 1);
	rig_send(rig, HETCKPT_MSG_STREAM_WAIT, 2, false, &wait, sizeof wait);
	job_launch(rig, &j[2]);
	/* In stream 1 a fill, which would overwrite what the launch before it has yet to write. */
	fill.dst = j[1].params.out;
	rig_send(rig, HETCKPT_MSG_FILL, 1, false, &fill, sizeof fill);
	assert_int_equal(settled(&fake_count.runs, 2), 2);
	assert_int_equal(out[0], 0);
	for (int i = 0; i < 5; i++) {
		rig_pause(rig);
		assert_int_equal(*(uint32_t *)(uintptr_t)j[2].params.started, 0);
		rig_resume(rig);
		usleep(1000);
	}
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	assert_true(out[0] == UINT64_C(0x5a5a5a5a5a5a5a5a));
	out[0] = machine_expect_mix(0, 0, 4, 20, 2);
	for (int i = 0; i < 3; i++)
		job_check(&j[i]);
	rig_free(rig);
}

/* Blocks that never poll look at no flag, but behind a launch that may park they do, and behind one
   that may come back. */
static void chain_guarded(void **state)
{
	static const char *const kernel[] = {"parked", "short_mix", "short_mix"};
	struct job job[3], once;
	struct rig *rig;

	(void)state;
	fake.launch_ns = 60000;
	rig = rig_make(&fake_backend);
	for (int i = 0; i < 2; i++) {
		once = job_make(rig, kernel[i], 3, 1, 1, 4, 30, 0);
		launch_many(rig, &once, 1);
		rig_sync(rig);
	}
	assert_int_equal(atomic_load(&machine_looked), 0);
	atomic_store(&fake_count.runs, 0);
	for (int i = 0; i < 3; i++)
		job[i] = job_make(rig, kernel[i], 3, 1, 1, 4, 30, (uint32_t)i);
	rig_sync(rig);
	atomic_store(&machine_hold, 1);
	for (int i = 0; i < 3; i++)
		job_launch(rig, &job[i]);
	assert_int_equal(settled(&fake_count.runs, 3), 3);
	for (int i = 0; i < 5; i++) {
		rig_pause(rig);
		for (int k = 1; k < 3; k++)
			assert_int_equal(*(uint32_t *)(uintptr_t)job[k].params.started, 0);
		if (i == 2)
			rig = rig_move(rig, &fake_backend);
		rig_resume(rig);
		usleep(2000);
	}
	assert_true(atomic_load(&machine_looked) > 0);
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	for (int i = 0; i < 3; i++)
		job_check(&job[i]);
	rig_free(rig);
}

/* Short blocks go to the device in slices side by side; what follows in the stream follows all of them. */
static void overlapping(void **state)
{
	uint64_t random = test_seed();
	struct rig *rig = rig_make(&fake_backend);
	struct job job[4], once;

	(void)state;
	once = job_make(rig, "short_mix", 304, 1, 1, 4, 200, 0);
	launch_many(rig, &once, 2);
	rig_sync(rig);
	atomic_store(&fake_count.runs, 0);
	atomic_store(&fake_count.together, 0);
	for (int round = 0; round < 6; round++) {
		for (int i = 0; i < 3; i++)
			job[i] = job_make(rig, i ? "short_mix" : "mix", 304, 1, 1, 4, 200, (uint32_t)i);
		/* Wrong if it begins before the last blocks of the one in front have ended. */
		job[3] = job_make(rig, "add", 4, 1, 1, 4, 1, 3);
		job[3].params.started = job[3].params.ended = 0;
		job[3].params.out = job[2].params.out + 300 * 4 * 8;
		rig_sync(rig);
		for (int i = 0; i < 4; i++)
			job_launch(rig, &job[i]);
		for (int i = 0; round && i < 8; i++) {
			usleep((unsigned)(test_random(&random) % 4000));
			rig_pause(rig);
			if (i == 3)
				rig = rig_move(rig, &fake_backend);
			rig_resume(rig);
		}
		rig_sync(rig);
		for (uint32_t i = 0; i < 16; i++) {
			uint64_t *out = (uint64_t *)(uintptr_t)job[3].params.out + i;

			assert_true(*out == machine_expect_mix(300 + i / 4, i % 4, 4, 200, 2) * 3 + 3);
			*out = (*out - 3) * UINT64_C(0xaaaaaaaaaaaaaaab); /* by 3 */
		}
		for (int i = 0; i < 3; i++)
			job_check(&job[i]);
	}
	assert_true(atomic_load(&fake_count.runs) > 20);
	assert_true(atomic_load(&fake_count.together) > 1);
	rig_free(rig);
}

static void *release(void *context)
{
	usleep(20000);
	atomic_store(&machine_hold, 0);
	return context;
}

/* What is in front of a launch may come back though it is guarded no more itself: slices of it are on the
   device that were handed over while it was. */
static void chain_half_guarded(void **state)
{
	static const char *const kernel[] = {"mix", "short_third", "short_mix"};
	static const uint32_t blocks[] = {3, 64, 100};
	struct job job[3], once;
	pthread_t thread;
	struct rig *rig;

	(void)state;
	/* The second goes in four slices, each of which takes 80 us. */
	fake.launch_ns = 1;
	fake.block_ns = 4999;
	rig = rig_make(&fake_backend);
	for (int round = 0; round < 12; round++) {
		for (int i = 0; i < 3; i++) {
			once = job_make(rig, kernel[i], blocks[i], 1, 1, 4, 100, 0);
			launch_many(rig, &once, 1);
			rig_sync(rig);
			job[i] = job_make(rig, kernel[i], blocks[i], 1, 1, 4, 100, (uint32_t)i);
		}
		rig_sync(rig);
		atomic_store(&machine_hold, 1);
		for (int i = 0; i < 3; i++)
			job_launch(rig, &job[i]);
		/* Of the second one slice is held, which may be one that looks; the third stands behind it. */
		usleep(20000);
		assert_int_equal(pthread_create(&thread, NULL, release, NULL), 0);
		rig_pause(rig);
		pthread_join(thread, NULL);
		rig_resume(rig);
		rig_sync(rig);
		for (int i = 0; i < 3; i++)
			job_check(&job[i]);
	}
	assert_true(atomic_load(&machine_looked) > 0);
	rig_free(rig);
}

/* Slices of launches that stand behind one another are counted together: a pause waits for all of them. */
static void chain_slices(void **state)
{
	struct job job[6], once;
	struct rig *rig;

	(void)state;
	/* A launch is two slices. */
	fake.launch_ns = 90000;
	rig = rig_make(&fake_backend);
	once = job_make(rig, "parked", 32, 1, 1, 4, 30, 0);
	launch_many(rig, &once, 3);
	rig_sync(rig);
	for (int i = 0; i < 6; i++)
		job[i] = job_make(rig, "parked", 32, 1, 1, 4, 30, (uint32_t)i);
	rig_sync(rig);
	atomic_store(&fake_count.runs, 0);
	atomic_store(&machine_hold, 1);
	for (int i = 0; i < 6; i++)
		job_launch(rig, &job[i]);
	/* The first, and half of the second. */
	assert_int_equal(settled(&fake_count.runs, 3), 3);
	for (int i = 0; i < 3; i++) {
		rig_pause(rig);
		for (int k = 1; k < 6; k++)
			assert_int_equal(*(uint32_t *)(uintptr_t)job[k].params.started, 0);
		rig_resume(rig);
		usleep(2000);
	}
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	for (int i = 0; i < 6; i++)
		job_check(&job[i]);
	/* Undisturbed, each is handed over in two halves, wherever it stood in the chain. */
	atomic_store(&fake_count.runs, 0);
	launch_many(rig, &once, 40);
	rig_sync(rig);
	assert_int_equal(atomic_load(&fake_count.runs), 80);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(learned, setup),
		cmocka_unit_test_setup(followed, setup),
		cmocka_unit_test_setup(bounded, setup),
		cmocka_unit_test_setup(bounded_together, setup),
		cmocka_unit_test_setup(corrected, setup),
		cmocka_unit_test_setup(chain, setup),
		cmocka_unit_test_setup(chain_short, setup),
		cmocka_unit_test_setup(chain_order, setup),
		cmocka_unit_test_setup(chain_guarded, setup),
		cmocka_unit_test_setup(chain_half_guarded, setup),
		cmocka_unit_test_setup(chain_slices, setup),
		cmocka_unit_test_setup(overlapping, setup),
	};

	return cmocka_run_group_tests_name("core ahead", tests, NULL, NULL);
}
