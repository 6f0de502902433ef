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

/* Jobs of all kinds in several streams, all started, then waited for. */
static void run_jobs(struct rig *rig, uint64_t seed)
{
	static const char *const kernels[] = {"mix", "uneven", "add", "short_mix", "barrier"};
	struct job job[5];

	for (uint32_t s = 1; s <= 2; s++)
		rig_stream(rig, s, HETCKPT_STREAM_NON_BLOCKING);
	for (int i = 0; i < 5; i++) {
		bool barrier = !strcmp(kernels[i], "barrier");

		job[i] = barrier ? job_make(rig, kernels[i], 3, 1, 1, 1, 6, 0)
		                 : job_make(rig, kernels[i], 5, 2, 1, 6, 25, (uint32_t)seed + (uint32_t)i);
		job[i].stream = (uint32_t)i % 3;
	}
	rig_sync(rig);
	for (int i = 0; i < 5; i++)
		job_launch(rig, &job[i]);
	rig_sync(rig);
	for (int i = 0; i < 5; i++)
		job_check(&job[i]);
	assert_int_equal(atomic_load(&rig->raised), 0);
	assert_int_equal(atomic_load(&rig->faulted), 0);
}

static json_int_t count(const json_t *status, const char *kernel, const char *what)
{
	json_t *line;
	size_t i;

	json_array_foreach(json_object_get(status, "coverage"), i, line)
		if (!strncmp(json_string_value(json_object_get(line, "kernel")), kernel, strlen(kernel)) &&
		    json_integer_value(json_object_get(line, "safepoint")) == 1)
			return json_integer_value(json_object_get(line, what));
	return 0;
}

static void every_poll(void **state)
{
	static const char *const parks[] = {"mix", "uneven", "add", "barrier"};
	char path[] = "/tmp/hetckpt-coverage-XXXXXX", text[4096];
	struct hetckpt_error error = {0};
	struct rig *rig;
	json_t *status;
	ssize_t n;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	setenv("HETCKPT_COVERAGE", path, 1);
	fake.resident = 3;
	rig = rig_make(&fake_backend);
	assert_int_equal(hetckpt_core_stress_text(rig->core, "every-poll", &error), 0);
	run_jobs(rig, 1);
	status = hetckpt_core_status(rig->core, false);
	for (size_t i = 0; i < sizeof parks / sizeof *parks; i++) {
		/* Each block goes on from where it parked, so both counts are the same. */
		assert_true(count(status, parks[i], "paused") > 20);
		assert_int_equal(count(status, parks[i], "paused"), count(status, parks[i], "resumed"));
	}
	/* 10 blocks of 25 steps, a poll after each but the last. */
	assert_int_equal(count(status, "mix", "paused"), 240);
	assert_int_equal(count(status, "short_mix", "paused"), 0);
	assert_true(json_integer_value(json_object_get(json_object_get(status, "stress"), "rounds")) > 20);
	json_decref(status);
	hetckpt_core_tables_write(rig->core);
	n = read(fd, text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = 0;
	assert_non_null(strstr(text, "\t1\t240\t240\tmachine.cu:7\tmix(machine_params)\n"));
	unsetenv("HETCKPT_COVERAGE");
	unlink(path);
	close(fd);
	rig_free(rig);
}

static void random_times(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct hetckpt_error error = {0};
		json_int_t rounds = 0;
		struct rig *rig;
		json_t *status;

		fake_reset();
		fake.resident = 3 + i;
		fake.shuffle = i % 2;
		rig = rig_make(i % 2 ? &fake_polled_backend : &fake_backend);
		for (unsigned k = 0; k < 3; k++) {
			struct job j = job_make(rig, k ? "mix" : "uneven", 12, 1, 1, 8, 600, i);

			rig_sync(rig);
			assert_int_equal(hetckpt_core_stress(rig->core, "random", test_seed() + i, 200, &error), 0);
			job_launch(rig, &j);
			rig_sync(rig);
			status = hetckpt_core_status(rig->core, false);
			rounds += json_integer_value(json_object_get(json_object_get(status, "stress"), "rounds"));
			json_decref(status);
			/* A round takes the memory that is about to be read away for a moment. */
			assert_int_equal(hetckpt_core_stress(rig->core, "off", 0, 0, &error), 0);
			job_check(&j);
		}
		assert_true(rounds > 0);
		rig_free(rig);
	}
}

/* Pauses from outside, and modes that change, in the middle of it. */
static void interference(void **state)
{
	static const char *const modes[] = {"every-poll", "off", "random", "every-poll", "random", "off"};
	struct hetckpt_error error = {0};
	struct rig *rig;
	struct job j;

	(void)state;
	rig = rig_make(&fake_backend);
	j = job_make(rig, "mix", 30, 1, 1, 8, 300, 9);
	rig_sync(rig);
	job_launch(rig, &j);
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(hetckpt_core_stress(rig->core, modes[i % 6], i, 300, &error), 0);
		usleep(2000);
		rig_pause(rig);
		if (i % 4 == 3)
			rig = rig_move(rig, &fake_backend);
		rig_resume(rig);
	}
	rig_sync(rig);
	job_check(&j);
	assert_int_equal(hetckpt_core_stress(rig->core, "sometimes", 1, 1, &error), -EINVAL);
	assert_int_equal(hetckpt_core_stress_text(rig->core, "random:", &error), -EINVAL);
	assert_int_equal(hetckpt_core_stress_text(rig->core, "random:5:", &error), -EINVAL);
	assert_int_equal(hetckpt_core_stress_text(rig->core, "random:5:x", &error), -EINVAL);
	assert_int_equal(hetckpt_core_stress_text(rig->core, "random:5:100", &error), 0);
	rig_free(rig);
}

/* Copies, events and callbacks between stressed kernels. */
static void with_commands(void **state)
{
	struct hetckpt_error error = {0};
	struct rig *rig;
	uint64_t want = 0;
	struct job j;

	(void)state;
	rig = rig_make(&fake_backend);
	rig_stream(rig, 1, 0);
	rig_event(rig, 1);
	j = job_make(rig, "add", 4, 1, 1, 4, 6, 0);
	j.params.started = j.params.ended = 0;
	assert_int_equal(hetckpt_core_stress_text(rig->core, "every-poll", &error), 0);
	for (uint32_t i = 0; i < 12; i++) {
		uint64_t words[16];
		struct hetckpt_msg_host token = {.token = i};
		uint32_t slot;

		for (unsigned k = 0; k < 16; k++)
			words[k] = i * 1000;
		rig_upload(rig, i % 2, j.params.out, words, sizeof words);
		j.params.seed = i;
		rig_launch(rig, i % 2, j.function, 4, 1, 1, 4, &j.params);
		slot = rig_send(rig, HETCKPT_MSG_HOST_CALL, i % 2, true, &token, sizeof token);
		rig_launch(rig, i % 2, j.function, 4, 1, 1, 4, &j.params);
		assert_int_equal(rig_wait(rig, slot), 0);
		assert_int_equal(((uint64_t *)(uintptr_t)j.params.out)[5], (uint64_t)i * 3000 + i);
		rig_send(rig, HETCKPT_MSG_HOST_DONE, 0, false, &token, sizeof token);
		want = ((uint64_t)i * 3000 + i) * 3 + i;
		rig_sync(rig);
		for (unsigned k = 0; k < 16; k++)
			assert_int_equal(((uint64_t *)(uintptr_t)j.params.out)[k], want);
	}
	assert_int_equal(atomic_load(&rig->staged), 0);
	assert_int_equal(atomic_load(&rig->raised), 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_poll, setup),
		cmocka_unit_test_setup(random_times, setup),
		cmocka_unit_test_setup(interference, setup),
		cmocka_unit_test_setup(with_commands, setup),
	};

	return cmocka_run_group_tests_name("core stress", tests, NULL, NULL);
}
