/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Files from when the format was fixed: good ones stay readable, and are written to the
 * byte the same; corrupt ones are refused with the message that they deserve.
 */
#include "golden.h"

#include <stdio.h>
#include <unistd.h>

static char *golden_path(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "golden/%s.hckpt", name) > 0);
	return path;
}

static void check_good(const char *name)
{
	char *path = golden_path(name);
	json_t *manifest = json_loads(GOLDEN_MANIFEST, 0, NULL);
	struct hetckpt_reader *reader;
	size_t i, found;

	test_reader_ok(reader, hetckpt_reader_open(path, NULL, &reader));
	assert_true(json_equal(hetckpt_reader_manifest(reader), manifest));
	assert_int_equal(hetckpt_reader_count(reader), GOLDEN_SECTIONS);
	for (i = 0; i < GOLDEN_SECTIONS; i++) {
		const struct golden_section *s = &golden_sections[i];
		unsigned char *data = test_content(s->content, s->bytes, s->seed, 0);
		unsigned char *back = malloc(s->bytes + 1);

		test_reader_ok(reader, hetckpt_reader_find(reader, s->name, &found));
		assert_int_equal(found, i);
		assert_int_equal(hetckpt_reader_section(reader, i)->bytes, s->bytes);
		assert_int_equal(hetckpt_reader_section(reader, i)->flags, s->flags);
		test_reader_ok(reader, hetckpt_reader_read(reader, i, 0, back, s->bytes));
		assert_memory_equal(back, data, s->bytes);
		free(data);
		free(back);
	}
	test_reader_ok(reader, hetckpt_reader_verify(reader, NULL, NULL));
	hetckpt_reader_close(reader);
	json_decref(manifest);
	free(path);
}

static void test_good(void **state)
{
	check_good("good-raw");
	check_good("good-zstd");
}

/* Without compression, whose output may change with zstd, every byte is fixed. */
static void test_same_bytes(void **state)
{
	char *path = golden_path("good-raw"), now_path[64];
	struct test_bytes golden = test_file_load(path), now;
	int fd = test_memfd("", 0);

	golden_write(fd, HETCKPT_COMPRESS_NONE);
	snprintf(now_path, sizeof(now_path), "/proc/self/fd/%d", fd);
	now = test_file_load(now_path);
	assert_int_equal(now.bytes, golden.bytes);
	assert_memory_equal(now.data, golden.data, golden.bytes);
	close(fd);
	free(now.data);
	free(golden.data);
	free(path);
}

static void test_bad(void **state)
{
	size_t i;

	for (i = 0; i < GOLDEN_BAD; i++) {
		const struct golden_bad *bad = &golden_bad[i];
		char *path = golden_path(bad->name);
		struct hetckpt_reader *reader;
		int rc = hetckpt_reader_open(path, NULL, &reader);

		if (!rc)
			rc = hetckpt_reader_verify(reader, NULL, NULL);
		if (rc != bad->code || !strstr(hetckpt_reader_error(reader), bad->message) ||
				!strstr(hetckpt_reader_error(reader), path))
			fail_msg("%s: expected %d '%s', got %d '%s'", bad->name, bad->code, bad->message, rc,
				hetckpt_reader_error(reader));
		hetckpt_reader_close(reader);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
