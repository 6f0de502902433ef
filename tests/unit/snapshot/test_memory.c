/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory runs out at each allocation in turn: an error, no leak, the old file stays.
 * The linker sends the library's allocations through the functions below.
 */
#include "helpers.h"

#include <errno.h>
#include <stdatomic.h>

#define CHUNK HETCKPT_CHUNK_MIN
#define CHUNKS 700 /* more than half of the first table of contents */

static atomic_bool armed;
static atomic_ulong left; /* allocations until one fails */
static bool json_refused;  /* it was one of jansson's, which may then blame the text */

static bool refused(void)
{
	return atomic_load(&armed) && atomic_fetch_sub(&left, 1) == 0;
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_reallocarray(void *old, size_t count, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_reallocarray(void *old, size_t count, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t bytes)
{
	return refused() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return refused() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
	return refused() ? NULL : __real_realloc(old, bytes);
}

void *__wrap_reallocarray(void *old, size_t count, size_t bytes)
{
	return refused() ? NULL : __real_reallocarray(old, count, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
	return refused() ? NULL : __real_aligned_alloc(align, bytes);
}

char *__wrap_strdup(const char *text)
{
	return refused() ? NULL : __real_strdup(text);
}

static void *json_malloc(size_t bytes)
{
	if (refused()) {
		json_refused = true;
		return NULL;
	}
	return __real_malloc(bytes);
}

static int write_all(const char *path, const unsigned char *data)
{
	struct hetckpt_writer_options options = { .threads = 1, .chunk_bytes = CHUNK, .no_sync = true };
	struct hetckpt_writer *writer;
	int rc = hetckpt_writer_open(path, &options, &writer);

	if (!rc)
		rc = hetckpt_writer_manifest_text(writer, "{\"a\": [1, 2, \"text\"]}");
	if (!rc)
		rc = hetckpt_writer_add(writer, "small", 0, data, 100);
	if (!rc)
		rc = hetckpt_writer_add(writer, "large", 0, data, CHUNKS * CHUNK);
	if (!rc)
		rc = hetckpt_writer_finish(writer);
	if (rc && !*hetckpt_writer_error(writer))
		rc = 1;
	hetckpt_writer_close(writer);
	return rc;
}

static int read_all(const char *path, unsigned char *back)
{
	struct hetckpt_reader_options options = { .threads = 2 };
	struct hetckpt_reader *reader;
	int rc = hetckpt_reader_open(path, &options, &reader);

	if (!rc)
		rc = hetckpt_reader_read(reader, 1, 1, back, CHUNKS * CHUNK - 1);
	if (!rc)
		rc = hetckpt_reader_verify(reader, NULL, NULL);
	if (rc && !*hetckpt_reader_error(reader))
		rc = 1;
	hetckpt_reader_close(reader);
	return rc;
}

static int armed_run(unsigned long n, int (*work)(const char *path, unsigned char *data), const char *path,
	unsigned char *data)
{
	int rc;

	json_refused = false;
	atomic_store(&left, n);
	atomic_store(&armed, true);
	rc = work(path, data);
	atomic_store(&armed, false);
	return rc;
}

static int work_write(const char *path, unsigned char *data)
{
	return write_all(path, data);
}

static void test_memory(void **state)
{
	unsigned char *data = test_content(TEST_RANDOM, CHUNKS * CHUNK, 1, 0), *back = malloc(CHUNKS * CHUNK);
	char *folder = test_folder_make(), *path = test_path(folder, "a.hckpt");
	struct test_bytes old, now;
	unsigned long n;
	int rc;

	assert_int_equal(write_all(path, data), 0);
	old = test_file_load(path);
	data[5] ^= 1;
	for (n = 0; (rc = armed_run(n, work_write, path, data)) != 0; n++) {
		if (rc != -ENOMEM && !(rc == -EINVAL && json_refused))
			fail_msg("writing, allocation %lu refused: %d", n, rc);
		now = test_file_load(path);
		assert_int_equal(now.bytes, old.bytes);
		assert_memory_equal(now.data, old.data, old.bytes);
		free(now.data);
		assert_int_equal(test_folder_count(folder), 1);
	}
	print_message("writing: %lu allocations\n", n);
	assert_true(n > 25);

	for (n = 0; (rc = armed_run(n, read_all, path, back)) != 0; n++)
		if (rc != -ENOMEM && !(rc == -EBADMSG && json_refused))
			fail_msg("reading, allocation %lu refused: %d", n, rc);
	print_message("reading: %lu allocations\n", n);
	assert_true(n > 25);
	assert_memory_equal(back, data + 1, CHUNKS * CHUNK - 1);
	free(old.data);
	free(data);
	free(back);
	free(path);
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
	};

	json_set_alloc_funcs(json_malloc, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
