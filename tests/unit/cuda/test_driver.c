/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What is said where there is no driver, an old one, or one that does not start. The
 * library is opened once a process, so each case runs in a child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/backends/cuda/driver.h"

struct outcome {
	int rc;
	struct hetckpt_error error;
};

/* Started again as the child. */
static const char *program;

static struct outcome open_with(const char *library_path, const char *variable, const char *value)
{
	struct outcome out;
	int ends[2], status;
	pid_t child;

	assert_false(pipe(ends));
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		dup2(ends[1], 3);
		setenv("LD_LIBRARY_PATH", library_path, 1);
		if (variable)
			setenv(variable, value, 1);
		execl(program, program, "child", NULL);
		_exit(99);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &out, sizeof out), (int)sizeof out);
	close(ends[0]);
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	return out;
}

static int child_main(void)
{
	const struct cuda_driver *driver;
	struct outcome out = {0};

	out.rc = cuda_driver_open(&driver, &out.error);
	if (!out.rc && (!driver->launch || !driver->function_load || driver->api != 13000))
		return 1;
	/* The answer does not change. */
	if (cuda_driver_open(&driver, NULL) != out.rc)
		return 2;
	return write(3, &out, sizeof out) == sizeof out ? 0 : 3;
}

static void good(void **state)
{
	struct outcome out = open_with(FAKE_PATH, NULL, NULL);

	(void)state;
	assert_int_equal(out.rc, 0);
}

static void missing(void **state)
{
	struct outcome out = open_with("/nonexistent", NULL, NULL);

	(void)state;
	assert_int_equal(out.rc, -ENODEV);
	assert_int_equal(out.error.cuda, 35);
	assert_non_null(strstr(out.error.text, "libcuda.so.1"));
}

static void old(void **state)
{
	struct outcome out = open_with(FAKE_PATH, "FAKE_VERSION", "11040");

	(void)state;
	assert_int_equal(out.rc, -ENOTSUP);
	assert_int_equal(out.error.cuda, 35);
	assert_non_null(strstr(out.error.text, "11.4"));
	assert_non_null(strstr(out.error.text, "12.0"));
}

static void no_gpu(void **state)
{
	struct outcome out = open_with(FAKE_PATH, "FAKE_INIT", "100");

	(void)state;
	assert_int_equal(out.rc, -ENODEV);
	assert_int_equal(out.error.cuda, 100);
	assert_non_null(strstr(out.error.text, "CUDA_ERROR_NO_DEVICE (100)"));
}

static void does_not_start(void **state)
{
	struct outcome out = open_with(FAKE_PATH, "FAKE_INIT", "803");

	(void)state;
	assert_true(out.rc < 0);
	assert_int_equal(out.error.cuda, 803);
	assert_non_null(strstr(out.error.text, "(803)"));
}

static void results(void **state)
{
	(void)state;
	assert_int_equal(cuda_result_facts(0).code, 0);
	assert_int_equal(cuda_result_facts(2).code, -ENOMEM);
	assert_int_equal(cuda_result_facts(2).cuda, 2);
	assert_int_equal(cuda_result_facts(700).code, -EIO);
	assert_true(cuda_result_facts(700).lasting);
	assert_false(cuda_result_facts(701).lasting);
	assert_int_equal(cuda_result_facts(202).cuda, 999);
	assert_int_equal(cuda_result_facts(12345).code, -EREMOTEIO);
	assert_int_equal(cuda_result_facts(12345).cuda, 999);
	/* Failed devices, and only those, say -EIO: the core gives them up. */
	for (int i = 0; i < 2000; i++)
		assert_int_equal(cuda_result_facts(i).code == -EIO, cuda_result_facts(i).lasting);
	assert_string_equal(cuda_result_name(NULL, 1), "an unknown result");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good), cmocka_unit_test(missing), cmocka_unit_test(old), cmocka_unit_test(no_gpu),
		cmocka_unit_test(does_not_start), cmocka_unit_test(results),
	};

	if (argc > 1)
		return child_main();
	program = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
