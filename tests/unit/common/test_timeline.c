/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The timeline: one file of several processes, one origin, whole lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/common/timeline.h"

static char path[] = "/tmp/hetckpt-timeline-XXXXXX";

/* What a process of a session does; ends the process. */
static void process(const char *name, int steps)
{
	hetckpt_timeline_start(name);
	for (int i = 0; i < steps; i++) {
		uint64_t begin = hetckpt_timeline_now();

		usleep(1000);
		hetckpt_timeline_step(begin, "step %d", i);
	}
	_exit(0);
}

static void run(const char *name, int steps)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid)
		process(name, steps);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_off(void **state)
{
	/* Nothing has been started in this process. */
	assert_int_equal(hetckpt_timeline_now(), 0);
	errno = 42;
	hetckpt_timeline_step(0, "nothing");
	assert_int_equal(errno, 42);
	unsetenv("HETCKPT_TIMELINE");
	hetckpt_timeline_start("test");
	assert_int_equal(hetckpt_timeline_now(), 0);
	assert_null(getenv("HETCKPT_TIMELINE_ORIGIN"));
}

static void test_lines(void **state)
{
	double begin, length, last = -1;
	char line[500], name[20], step[400];
	int lines = 0;
	FILE *file;

	/* The first process sets the origin for those that it starts. */
	setenv("HETCKPT_TIMELINE", path, 1);
	hetckpt_timeline_start("first");
	assert_non_null(getenv("HETCKPT_TIMELINE_ORIGIN"));
	run("second", 2);
	run("third", 1);
	errno = 42;
	hetckpt_timeline_mark("an end with a text that is much too long: %0600d", 7);
	assert_int_equal(errno, 42);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		static const char *const names[] = {"second", "second", "third", "first"};

		assert_int_equal(sscanf(line, "%lf %lf %19s %399[^\n]", &begin, &length, name, step), 4);
		assert_string_equal(name, names[lines]);
		assert_true(line[strlen(line) - 1] == '\n');
		assert_true(begin >= last && begin < 60000);
		assert_true(length >= (lines < 3 ? 1 : 0) && length < 60000);
		if (lines < 2)
			assert_int_equal(step[5], '0' + lines);
		last = begin;
		lines++;
	}
	fclose(file);
	assert_int_equal(lines, 4);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_lines),
	};
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	unsetenv("HETCKPT_TIMELINE_ORIGIN");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
