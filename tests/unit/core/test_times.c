/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The table of launches' times. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"
#include "runtime/core/times.h"

static char path[] = "/tmp/hetckpt-times-XXXXXX";

static void content(char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, size - 1, file);
	text[n] = 0;
	fclose(file);
}

static void off_by_default(void **state)
{
	struct hetckpt_times times = {0};

	(void)state;
	assert_int_equal(hetckpt_times_start(&times, NULL), 0);
	assert_int_equal(hetckpt_times_start(&times, ""), 0);
	assert_null(times.path);
	hetckpt_times_append(&times);
	hetckpt_times_free(&times);
}

static void appends_in_order(void **state)
{
	struct hetckpt_times times = {0};
	char name[32], text[65536];
	const char *at = text;
	unsigned lines = 0;

	(void)state;
	assert_int_equal(hetckpt_times_start(&times, path), 0);
	/* More than the first allocation holds, and names that do not live as long. */
	for (unsigned i = 0; i < 600; i++) {
		snprintf(name, sizeof name, "kernel%u(int)", i);
		hetckpt_times_note(&times, &(struct hetckpt_times_line){
			.kernel = name, .how = i & 1 ? "run" : "original", .blocks = i + 1, .ns = 1000 + i,
			.threads = 32, .parts = 1});
	}
	memset(name, 'x', sizeof name);
	hetckpt_times_append(&times);
	hetckpt_times_append(&times); /* nothing is left to write */
	content(text, sizeof text);
	for (; *at; lines++) {
		char want[128];
		int n = snprintf(want, sizeof want, "%s\t%u\t1\t%u\t32\tkernel%u(int)\n",
		                 lines & 1 ? "run" : "original", 1000 + lines, lines + 1, lines);

		assert_memory_equal(at, want, (size_t)n);
		at += n;
	}
	assert_int_equal(lines, 600);
	hetckpt_times_note(&times, &(struct hetckpt_times_line){.kernel = "last", .how = "slices", .parts = 9});
	hetckpt_times_append(&times);
	content(text, sizeof text);
	assert_non_null(strstr(text, "kernel599(int)\nslices\t0\t9\t0\t0\tlast\n"));
	hetckpt_times_free(&times);
}

static void a_bad_path_loses_only_the_table(void **state)
{
	struct hetckpt_times times = {0};

	(void)state;
	assert_int_equal(hetckpt_times_start(&times, "/no/such/folder/times"), 0);
	hetckpt_times_note(&times, &(struct hetckpt_times_line){.kernel = "k", .how = "run"});
	hetckpt_times_append(&times);
	assert_int_equal(times.count, 1);
	hetckpt_times_free(&times);
	assert_int_equal(times.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_by_default),
		cmocka_unit_test(appends_in_order),
		cmocka_unit_test(a_bad_path_loses_only_the_table),
	};
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return 1;
	close(fd);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
