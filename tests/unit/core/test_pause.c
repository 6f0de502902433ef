/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "job.h"

#include <errno.h>
#include <unistd.h>

static int setup(void **state)
{
	(void)state;
	fake_reset();
	atomic_store(&machine_hold, 0);
	return 0;
}

static void undisturbed(void **state)
{
	static const char *const kernels[] = {"mix", "uneven", "short_mix", "add", "barrier"};

	(void)state;
	for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
		struct rig *rig = rig_make(i % 2 ? &fake_backend : &fake_polled_backend);
		bool barrier = !strcmp(kernels[i], "barrier");
		struct job j = job_make(rig, kernels[i], barrier ? 4 : 7, barrier ? 1 : 5, barrier ? 1 : 3,
		                        barrier ? 1 : 16, 20, 5);

		job_launch(rig, &j);
		rig_sync(rig);
		job_check(&j);
		assert_int_equal(atomic_load(&rig->raised), 0);
		rig_free(rig);
	}
}

/* Waits until blocks run, so that a pause has something to meet. */
static void wait_inside(void)
{
	for (int i = 0; i < 2000 && !atomic_load(&machine_inside); i++)
		usleep(100);
}

/* A pause in the middle, looked at closely. */
static void one_pause(void **state)
{
	struct hetckpt_pause_report report;
	struct hetckpt_error error = {0};
	struct rig *rig = rig_make(&fake_backend);
	struct job j = job_make(rig, "mix", 64, 1, 1, 8, 3000, 1);
	json_t *status, *kernel;

	(void)state;
	job_launch(rig, &j);
	wait_inside();
	usleep(3000);
	assert_int_equal(hetckpt_core_pause(rig->core, 20000, &report, &error), 0);
	assert_int_equal(report.launches, 1);
	assert_true(report.parked >= 1 && report.parked <= 4);
	assert_true(report.unstarted > 0 && report.parked + report.unstarted <= 64);
	assert_int_equal(atomic_load(&machine_inside), 0);
	assert_true(hetckpt_core_paused(rig->core));
	/* Pausing again changes nothing. */
	assert_int_equal(hetckpt_core_pause(rig->core, 20000, &report, &error), 0);
	status = hetckpt_core_status(rig->core, true);
	kernel = json_array_get(json_object_get(status, "kernels"), 0);
	assert_string_equal(json_string_value(json_object_get(status, "state")), "paused");
	assert_string_equal(json_string_value(json_object_get(kernel, "kernel")), "mix(machine_params)");
	assert_int_equal(json_integer_value(json_object_get(kernel, "blocks_parked")), report.parked);
	assert_int_equal(json_integer_value(json_object_get(kernel, "blocks_done")) + (json_int_t)report.parked +
	                 (json_int_t)report.unstarted, 64);
	/* Source line and a variable by name. */
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(kernel, "places"), 0), "line")), 7);
	assert_string_equal(json_string_value(json_object_get(json_array_get(
		json_object_get(json_object_get(kernel, "thread"), "values"), 1), "name")), "n");
	json_decref(status);
	/* Nothing moves while paused. */
	usleep(5000);
	assert_int_equal(atomic_load(&machine_inside), 0);
	rig_resume(rig);
	rig_sync(rig);
	job_check(&j);
	assert_true(atomic_load(&fake_count.resumes) >= 1);
	rig_free(rig);
}

/* Random jobs in random streams, paused at random times, moved to another device now and
   then: all results as if nothing had happened. */
static void random_pauses(const struct hetckpt_backend *backend, uint64_t seed, int jobs, bool moves)
{
	static const char *const kernels[] = {"mix", "uneven", "short_mix", "add"};
	uint64_t random = seed;
	struct rig *rig;
	struct job job[8];
	unsigned pauses = 0;

	fake_reset();
	fake.resident = 1 + (unsigned)(test_random(&random) % 8);
	fake.resume_resident = test_random(&random) % 3 ? 0 : 1 + (unsigned)(test_random(&random) % 8);
	fake.run_resident = test_random(&random) % 3 ? 0 : 1 + (unsigned)(test_random(&random) % 8);
	fake.unfinished = test_random(&random) % 2 ? 0 : 1 + (unsigned)(test_random(&random) % 30);
	fake.shuffle = (int)(test_random(&random) % 2);
	rig = rig_make(backend);
	for (uint32_t s = 1; s <= 3; s++)
		rig_stream(rig, s, s == 3 ? HETCKPT_STREAM_NON_BLOCKING : 0);
	for (int i = 0; i < jobs; i++) {
		uint64_t r = test_random(&random);

		job[i] = job_make(rig, kernels[r % 4], 1 + (uint32_t)(r >> 8) % 13, 1 + (uint32_t)(r >> 16) % 5,
		                  1 + (uint32_t)(r >> 24) % 3, 1 + (uint32_t)(r >> 32) % 40,
		                  1 + (uint32_t)(r >> 40) % 300, (uint32_t)r);
		job[i].stream = (uint32_t)(r >> 50) % 4;
	}
	rig_sync(rig);
	for (int i = 0; i < jobs; i++)
		job_launch(rig, &job[i]);
	while (!hetckpt_core_idle(rig->core) && pauses < 200) {
		usleep((useconds_t)(test_random(&random) % 1500));
		rig_pause(rig);
		pauses++;
		if (test_random(&random) % 2)
			usleep((useconds_t)(test_random(&random) % 300));
		if (moves && test_random(&random) % 3 == 0) {
			if (test_random(&random) % 2)
				fake.resident = 1 + (unsigned)(test_random(&random) % 8);
			rig = rig_move(rig, test_random(&random) % 2 ? &fake_backend : &fake_polled_backend);
		}
		rig_resume(rig);
	}
	rig_sync(rig);
	for (int i = 0; i < jobs; i++)
		job_check(&job[i]);
	assert_int_equal(atomic_load(&rig->raised), 0);
	rig_free(rig);
}

static void pauses(void **state)
{
	uint64_t seed = test_seed();

	(void)state;
	for (int i = 0; i < 25; i++) {
		if (getenv("HETCKPT_TEST_VERBOSE"))
			fprintf(stderr, "seed %llu\n", (unsigned long long)seed + (unsigned)i);
		random_pauses(i % 2 ? &fake_backend : &fake_polled_backend, seed + (unsigned)i, 1 + i % 6, false);
	}
}

static void pauses_and_moves(void **state)
{
	uint64_t seed = test_seed() + 1000;

	(void)state;
	for (int i = 0; i < 25; i++)
		random_pauses(i % 2 ? &fake_backend : &fake_polled_backend, seed + (unsigned)i, 1 + i % 6, true);
}

/* Blocks that wait for each other: all must come back together, wherever they stood. */
static void waiting_blocks(void **state)
{
	uint64_t random = test_seed();

	(void)state;
	for (int round = 0; round < 6; round++) {
		struct rig *rig;
		struct job j;

		fake_reset();
		fake.resident = 6;
		fake.shuffle = round % 2;
		rig = rig_make(&fake_backend);
		j = job_make(rig, "barrier", 6, 1, 1, 1, 400, 0);
		rig_sync(rig);
		job_launch(rig, &j);
		for (int i = 0; i < 12 && !hetckpt_core_idle(rig->core); i++) {
			usleep((useconds_t)(test_random(&random) % 3000));
			rig_pause(rig);
			if (i % 3 == 2)
				rig = rig_move(rig, &fake_backend);
			rig_resume(rig);
		}
		rig_sync(rig);
		job_check(&j);
		rig_free(rig);
	}
}

/* The variants need more room than the original: where not all blocks fit side by side any
   more, only the original may run. */
static void waiting_needs_room(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct rig *rig;
		struct job j;

		fake_reset();
		fake.resident = 6;
		if (i)
			fake.run_resident = 5;
		else
			fake.resume_resident = 5;
		rig = rig_make(&fake_backend);
		j = job_make(rig, "barrier", 6, 1, 1, 1, 50, 0);
		rig_sync(rig);
		job_launch(rig, &j);
		rig_sync(rig);
		job_check(&j);
		assert_int_equal(atomic_load(&fake_count.originals), 1);
		assert_int_equal(atomic_load(&fake_count.runs), 0);
		rig_free(rig);
	}
}

/* A device that cannot hold all of them says so, and the old state is still good. */
static void too_small_for_waiting(void **state)
{
	struct hetckpt_error error = {0};
	struct rig *rig = NULL, *small;
	struct job j;
	int fd;

	(void)state;
	fake.resident = 6;
	rig = rig_make(&fake_backend);
	j = job_make(rig, "barrier", 6, 1, 1, 1, 100000, 0);
	rig_sync(rig);
	job_launch(rig, &j);
	for (int i = 0; i < 2000 && atomic_load(&machine_inside) < 6; i++)
		usleep(100);
	rig_pause(rig);
	fd = rig_save(rig);
	rig_close(rig);
	fake.resident = 3;
	small = rig_make_bare(&fake_backend);
	assert_int_equal(hetckpt_core_load(small->core, fd, false, NULL, &error), -ENOSPC);
	assert_non_null(strstr(error.text, "wait for each other, this device holds 3 at once"));
	rig_free(small);
	fake.resident = 6;
	small = rig_load(&fake_backend, fd, rig);
	rig_resume(small);
	rig_free(small);
	free(rig);
	close(fd);
}

/* What cannot pause: the pause says which kernel, and everything goes on by itself. */
static void unpausable(void **state)
{
	struct hetckpt_pause_report report;
	struct hetckpt_error error = {0};
	struct rig *rig = rig_make(&fake_backend);
	struct job held = job_make(rig, "held", 2, 1, 1, 1, 1, 0);
	struct job j = job_make(rig, "mix", 40, 1, 1, 8, 2000, 1);

	(void)state;
	rig_stream(rig, 1, HETCKPT_STREAM_NON_BLOCKING);
	rig_stream(rig, 2, HETCKPT_STREAM_NON_BLOCKING);
	held.stream = 1;
	j.stream = 2;
	rig_sync(rig);
	atomic_store(&machine_hold, 1);
	job_launch(rig, &held);
	job_launch(rig, &j);
	for (int i = 0; i < 3; i++) {
		wait_inside();
		usleep(2000);
		assert_int_equal(hetckpt_core_pause(rig->core, 50, &report, &error), -ETIMEDOUT);
		assert_non_null(strstr(error.text, "held(machine_params) is still running and cannot pause: the test says so"));
		assert_false(hetckpt_core_paused(rig->core));
	}
	/* The other stream gets on although nobody said resume. */
	struct hetckpt_msg_stream sync = {.stream = 2};

	assert_int_equal(rig_call(rig, HETCKPT_MSG_STREAM_SYNC, 2, &sync, sizeof sync), 0);
	job_check(&j);
	atomic_store(&machine_hold, 0);
	assert_int_equal(hetckpt_core_pause(rig->core, 20000, &report, &error), 0);
	rig_resume(rig);
	rig_sync(rig);
	job_check(&held);
	rig_free(rig);
}

/* Pauses that are given up while blocks are parking, one after the other: the next raise must
   not meet blocks that the last one has half parked. */
static void given_up(void **state)
{
	struct hetckpt_pause_report report;
	struct hetckpt_error error = {0};
	uint64_t random = test_seed();
	struct rig *rig;
	struct job held, slow, j;

	(void)state;
	fake.resident = 6;
	rig = rig_make(&fake_backend);
	held = job_make(rig, "held", 1, 1, 1, 1, 1, 0);
	slow = job_make(rig, "mix", 60, 1, 1, 100, 200, 2);
	j = job_make(rig, "uneven", 300, 1, 1, 8, 2000, 1);
	for (uint32_t s = 1; s <= 3; s++)
		rig_stream(rig, s, HETCKPT_STREAM_NON_BLOCKING);
	held.stream = 1;
	slow.stream = 2;
	j.stream = 3;
	rig_sync(rig);
	atomic_store(&machine_hold, 1);
	job_launch(rig, &held);
	wait_inside();
	job_launch(rig, &slow);
	job_launch(rig, &j);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(hetckpt_core_pause(rig->core, i % 3, &report, &error), -ETIMEDOUT);
		usleep((useconds_t)(test_random(&random) % 200));
	}
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	job_check(&held);
	job_check(&slow);
	job_check(&j);
	rig_free(rig);
}

/* Resume, pause again at once, many times: few blocks get to move, none is lost. */
static void hasty(void **state)
{
	struct rig *rig;
	struct job j;

	(void)state;
	fake.resident = 5;
	fake.shuffle = 1;
	rig = rig_make(&fake_backend);
	j = job_make(rig, "mix", 9, 4, 1, 12, 400, 77);
	rig_sync(rig);
	job_launch(rig, &j);
	for (int i = 0; i < 300 && !hetckpt_core_idle(rig->core); i++) {
		rig_pause(rig);
		rig_resume(rig);
		if (i % 8 == 0)
			usleep(300);
	}
	rig_sync(rig);
	job_check(&j);
	rig_free(rig);
}

/* Short blocks go in slices, and these grow to about a millisecond. */
static void slices(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	struct job j = job_make(rig, "short_mix", 5000, 1, 1, 2, 4, 3);
	unsigned launches;

	(void)state;
	rig_sync(rig);
	job_launch(rig, &j);
	usleep(3000);
	rig_pause(rig);
	rig_resume(rig);
	rig_sync(rig);
	job_check(&j);
	launches = atomic_load(&fake_count.runs) + atomic_load(&fake_count.resumes);
	assert_true(launches > 3);
	assert_true(atomic_load(&fake_count.largest) < 5000);
	rig_free(rig);
}

/* Where blocks look at the flag before they begin they go whole, out of a snapshot as well. */
static void looking(void **state)
{
	struct rig *rig = rig_make(&fake_looking_backend);
	struct job j = job_make(rig, "short_mix", 50000, 1, 1, 2, 4, 3);

	(void)state;
	rig_sync(rig);
	job_launch(rig, &j);
	while (!atomic_load(&fake_count.runs))
		usleep(50);
	rig_pause(rig);
	rig = rig_move(rig, &fake_looking_backend);
	rig_resume(rig);
	rig_sync(rig);
	job_check(&j);
	/* A few, if blocks began in another order than their numbers'. */
	assert_true(atomic_load(&fake_count.runs) < 10);
	rig_free(rig);
}

static void configurations(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	struct hetckpt_msg_launch *msg = calloc(1, 256);
	struct machine_params params = {0};
	uint32_t bytes = (uint32_t)(sizeof *msg + sizeof params);

	(void)state;
	msg->function = rig_function(rig, "mix");
	msg->param_bytes = sizeof params;
	msg->grid[0] = msg->grid[1] = msg->grid[2] = msg->block[0] = msg->block[1] = msg->block[2] = 1;
	msg->grid[1] = 70000;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_LAUNCH, 0, msg, bytes), 9);
	msg->grid[1] = 0;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_LAUNCH, 0, msg, bytes), 9);
	msg->grid[1] = 1;
	msg->block[0] = 1024;
	msg->block[1] = 2;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_LAUNCH, 0, msg, bytes), 9);
	msg->block[0] = msg->block[1] = 1;
	msg->dynamic_shared = 60000;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_LAUNCH, 0, msg, bytes), 1);
	msg->dynamic_shared = 0;
	msg->param_bytes = 8;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_LAUNCH, 0, msg, bytes), 1);
	msg->param_bytes = sizeof params;
	msg->function += 100;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_LAUNCH, 0, msg, bytes), 98);
	msg->function -= 100;
	/* Cooperative: all blocks at once, or not at all. */
	msg->flags = HETCKPT_LAUNCH_COOPERATIVE;
	msg->grid[0] = 5;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_LAUNCH, 0, msg, bytes), 720);
	/* Without a reply the error is the application's next. */
	rig_send(rig, HETCKPT_MSG_LAUNCH, 0, false, msg, bytes);
	rig_sync(rig);
	assert_int_equal(atomic_load(&rig->raised), 720);
	/* And all of it left the device in order. */
	struct job j = job_make(rig, "mix", 4, 1, 1, 4, 4, 4);

	job_launch(rig, &j);
	rig_sync(rig);
	job_check(&j);
	free(msg);
	rig_free(rig);
}

/* A device without room for frames runs the kernel all the same. */
static void full_device(void **state)
{
	struct rig *rig;
	struct job j;

	(void)state;
	fake.memory = (uint64_t)16 << 20;
	fake.resident = 64;
	rig = rig_make(&fake_backend);
	j = job_make(rig, "mix", 100, 1, 1, 1000, 2, 4);
	while (1) {
		struct hetckpt_msg_malloc body = {.bytes = 1 << 20};

		if (rig_call(rig, HETCKPT_MSG_MALLOC, 0, &body, sizeof body))
			break;
	}
	rig_sync(rig);
	job_launch(rig, &j);
	rig_sync(rig);
	job_check(&j);
	assert_int_equal(atomic_load(&rig->raised), 0);
	rig_free(rig);
}

/* A kernel that fails takes the device with it: everybody is told, nothing hangs. */
static void fault(void **state)
{
	struct hetckpt_pause_report report;
	struct hetckpt_error error = {0};
	struct rig *rig = rig_make(&fake_backend);
	struct job j = job_make(rig, "mix", 4, 1, 1, 4, 4, 4);
	uint32_t slot;

	(void)state;
	rig_sync(rig);
	atomic_store(&fake_count.fail_launches, 1);
	job_launch(rig, &j);
	job_launch(rig, &j);
	slot = rig_send(rig, HETCKPT_MSG_DEVICE_SYNC, 0, true, NULL, 0);
	assert_int_equal(rig_wait(rig, slot), 719);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_DEVICE_SYNC, 0, NULL, 0), 719);
	assert_int_equal(atomic_load(&rig->faulted), 719);
	assert_int_not_equal(hetckpt_core_pause(rig->core, 1000, &report, &error), 0);
	assert_string_equal(error.text, "a fake kernel failed");
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(undisturbed, setup),
		cmocka_unit_test_setup(one_pause, setup),
		cmocka_unit_test_setup(pauses, setup),
		cmocka_unit_test_setup(pauses_and_moves, setup),
		cmocka_unit_test_setup(waiting_blocks, setup),
		cmocka_unit_test_setup(waiting_needs_room, setup),
		cmocka_unit_test_setup(too_small_for_waiting, setup),
		cmocka_unit_test_setup(unpausable, setup),
		cmocka_unit_test_setup(given_up, setup),
		cmocka_unit_test_setup(hasty, setup),
		cmocka_unit_test_setup(slices, setup),
		cmocka_unit_test_setup(looking, setup),
		cmocka_unit_test_setup(configurations, setup),
		cmocka_unit_test_setup(full_device, setup),
		cmocka_unit_test_setup(fault, setup),
	};

	return cmocka_run_group_tests_name("core pause", tests, NULL, NULL);
}
