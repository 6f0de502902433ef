/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What goes in comes out, for every kind of content, length, level and number of threads.
 */
#include "helpers.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define CHUNK HETCKPT_CHUNK_MIN

struct source {
	const unsigned char *data;
	atomic_uint calls;
};

static int fill(void *ctx, uint64_t offset, void *buffer, size_t length)
{
	struct source *source = ctx;

	if (offset % CHUNK)
		return -EINVAL;
	memcpy(buffer, source->data + offset, length);
	atomic_fetch_add(&source->calls, 1);
	return 0;
}

struct target {
	unsigned char *data;
	uint64_t next; /* in order only */
	bool in_order;
	atomic_uint zeros;
};

static int take(void *ctx, uint64_t offset, const void *data, size_t length)
{
	struct target *target = ctx;

	if (target->in_order) {
		assert_int_equal(offset, target->next);
		target->next += length;
	}
	if (data)
		memcpy(target->data + offset, data, length);
	else {
		memset(target->data + offset, 0, length);
		atomic_fetch_add(&target->zeros, 1);
	}
	return 0;
}

/* Writes data both ways, reads it back in every way. */
static void check(enum test_content kind, size_t bytes, const struct hetckpt_writer_options *options)
{
	struct hetckpt_reader_options read_options = { .threads = options->threads };
	unsigned char *data = test_content(kind, bytes, bytes, CHUNK);
	unsigned char *back = malloc(bytes + 1);
	struct source source = { .data = data };
	struct target target = { .data = back };
	struct hetckpt_writer *writer;
	struct hetckpt_reader *reader;
	size_t a, b, i;
	int fd = test_memfd("old content", 11);
	uint64_t seed = bytes;

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, NULL, options, &writer));
	test_writer_ok(writer, hetckpt_writer_add(writer, "memory", 0, data, bytes));
	test_writer_ok(writer, hetckpt_writer_add_from(writer, "callback", 0, bytes, fill, &source));
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	hetckpt_writer_close(writer);
	assert_int_equal(source.calls, (bytes + CHUNK - 1) / CHUNK);

	test_reader_ok(reader, hetckpt_reader_open_fd(fd, NULL, &read_options, &reader));
	assert_int_equal(hetckpt_reader_count(reader), 2);
	test_reader_ok(reader, hetckpt_reader_find(reader, "memory", &a));
	test_reader_ok(reader, hetckpt_reader_find(reader, "callback", &b));
	assert_int_equal(a, 0);
	assert_int_equal(b, 1);
	assert_int_equal(hetckpt_reader_section(reader, a)->bytes, bytes);
	if (!options->no_dedupe)
		assert_int_equal(hetckpt_reader_section(reader, b)->stored_bytes, 0);
	for (i = 0; i < 2; i++) {
		memset(back, 0xee, bytes);
		test_reader_ok(reader, hetckpt_reader_read(reader, i, 0, back, bytes));
		assert_memory_equal(back, data, bytes);
		memset(back, 0xee, bytes);
		target.in_order = false;
		test_reader_ok(reader, hetckpt_reader_each(reader, i, HETCKPT_READ_ANY_ORDER, take, &target));
		assert_memory_equal(back, data, bytes);
		memset(back, 0xee, bytes);
		target.in_order = true;
		target.next = 0;
		test_reader_ok(reader, hetckpt_reader_each(reader, i, HETCKPT_READ_IN_ORDER, take, &target));
		assert_memory_equal(back, data, bytes);
		assert_int_equal(target.next, bytes);
	}
	if (kind == TEST_ZERO)
		assert_int_equal(target.zeros, 4 * ((bytes + CHUNK - 1) / CHUNK));
	for (i = 0; i < 30; i++) {
		uint64_t offset = test_random(&seed) % (bytes + 1);
		size_t length = (size_t)(test_random(&seed) % (bytes - offset + 1));

		memset(back, 0xee, bytes + 1);
		test_reader_ok(reader, hetckpt_reader_read(reader, a, offset, back, length));
		assert_memory_equal(back, data + offset, length);
		assert_int_equal(back[length], 0xee);
	}
	test_reader_ok(reader, hetckpt_reader_verify(reader, NULL, NULL));
	assert_string_equal(hetckpt_reader_error(reader), "");
	hetckpt_reader_close(reader);
	close(fd);
	free(data);
	free(back);
}

static void test_contents(void **state)
{
	static const size_t lengths[] = { 0, 1, 15, 1023, CHUNK / 4, CHUNK / 4 + 1, CHUNK - 1, CHUNK, CHUNK + 1,
		3 * CHUNK, 17 * CHUNK + 5, 100 * CHUNK + 4095 };
	unsigned kind, i, threads, mode;

	for (kind = TEST_ZERO; kind <= TEST_MIXED; kind++)
		for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
			for (threads = 1; threads <= 5; threads += 2)
				for (mode = 0; mode < 3; mode++) {
					struct hetckpt_writer_options options = {
						.compress = mode == 1 ? HETCKPT_COMPRESS_NONE : HETCKPT_COMPRESS_ZSTD,
						.level = mode == 2 ? -5 : 0,
						.no_dedupe = mode == 2,
						.threads = threads,
						.chunk_bytes = CHUNK,
					};

					check((enum test_content)kind, lengths[i], &options);
				}
}

static struct test_bytes write_mixed(unsigned threads, const unsigned char *data, size_t bytes)
{
	struct hetckpt_writer_options options = { .threads = threads, .chunk_bytes = CHUNK };
	struct source source = { .data = data };
	struct hetckpt_writer *writer;
	struct test_bytes file;
	char path[64];
	int fd = test_memfd("", 0);

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, NULL, &options, &writer));
	test_writer_ok(writer, hetckpt_writer_add(writer, "a", 0, data, bytes));
	test_writer_ok(writer, hetckpt_writer_add(writer, "b", 0, data, 700));
	test_writer_ok(writer, hetckpt_writer_add_from(writer, "c", 0, bytes, fill, &source));
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	hetckpt_writer_close(writer);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = test_file_load(path);
	close(fd);
	return file;
}

/* The file does not depend on the number of threads, nor on their timing. */
static void test_same_bytes(void **state)
{
	size_t bytes = 400 * CHUNK + 77, half = 200 * CHUNK;
	unsigned char *data = test_content(TEST_REPEAT, bytes, 3, CHUNK);
	unsigned char *mixed = test_content(TEST_MIXED, half, 4, CHUNK);
	struct test_bytes one, many;
	unsigned threads, round;

	memcpy(data, mixed, half);
	one = write_mixed(1, data, bytes);
	for (threads = 2; threads <= 8; threads++)
		for (round = 0; round < 3; round++) {
			many = write_mixed(threads, data, bytes);
			assert_int_equal(many.bytes, one.bytes);
			assert_memory_equal(many.data, one.data, one.bytes);
			free(many.data);
		}
	free(one.data);
	free(data);
	free(mixed);
}

static void test_many_sections(void **state)
{
	enum { SECTIONS = 5000 };
	struct hetckpt_writer_options options = { .threads = 3 };
	struct hetckpt_writer *writer;
	struct hetckpt_reader *reader;
	struct hetckpt_writer_stats stats;
	char name[32], back[64];
	unsigned char data[64];
	size_t found;
	unsigned i;
	int fd = test_memfd("", 0);

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, NULL, &options, &writer));
	for (i = 0; i < SECTIONS; i++) {
		/* One buffer for all: add has to have taken what it needs. */
		memset(data, (int)(i % 250), sizeof(data));
		snprintf(name, sizeof(name), "allocation/%u", i);
		test_writer_ok(writer, hetckpt_writer_add(writer, name, i % 2, data, i % 65));
	}
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	hetckpt_writer_stats_get(writer, &stats);
	assert_true(stats.shared_chunks > 0);
	assert_int_equal(stats.chunks, stats.zero_chunks + stats.shared_chunks + stats.raw_chunks +
		stats.zstd_chunks);
	hetckpt_writer_close(writer);

	test_reader_ok(reader, hetckpt_reader_open_fd(fd, NULL, NULL, &reader));
	assert_int_equal(hetckpt_reader_count(reader), SECTIONS);
	assert_int_equal(hetckpt_reader_file_bytes(reader), stats.file_bytes);
	for (i = 0; i < SECTIONS; i++) {
		const struct hetckpt_section *section;

		snprintf(name, sizeof(name), "allocation/%u", i);
		test_reader_ok(reader, hetckpt_reader_find(reader, name, &found));
		assert_int_equal(found, i);
		section = hetckpt_reader_section(reader, found);
		assert_string_equal(section->name, name);
		assert_int_equal(section->bytes, i % 65);
		assert_int_equal(section->flags, i % 2);
		memset(data, (int)(i % 250), sizeof(data));
		test_reader_ok(reader, hetckpt_reader_read(reader, found, 0, back, i % 65));
		assert_memory_equal(back, data, i % 65);
	}
	assert_int_equal(hetckpt_reader_find(reader, "allocation/x", &found), -ENOENT);
	assert_non_null(strstr(hetckpt_reader_error(reader), "allocation/x"));
	hetckpt_reader_close(reader);
	close(fd);
}

static void test_manifest(void **state)
{
	struct test_bytes file;
	struct hetckpt_writer *writer;
	struct hetckpt_reader *reader;
	json_t *manifest = json_pack("{s:s, s:I, s:{s:[f,f]}}", "name", "line\nfeed \xc3\xa9", "big",
		(json_int_t)INT64_MIN, "nested", "list", 0.1, 1e300);
	char *folder = test_folder_make(), *path = test_path(folder, "m.hckpt"), *line, *end;
	json_t *parsed;

	test_writer_ok(writer, hetckpt_writer_open(path, NULL, &writer));
	test_writer_ok(writer, hetckpt_writer_manifest(writer, manifest));
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	hetckpt_writer_close(writer);
	test_reader_ok(reader, hetckpt_reader_open(path, NULL, &reader));
	assert_true(json_equal(hetckpt_reader_manifest(reader), manifest));
	hetckpt_reader_close(reader);

	/* As the documentation promises: the second line, for any tool. */
	file = test_file_load(path);
	line = memchr(file.data, '\n', file.bytes);
	assert_non_null(line);
	line++;
	end = memchr(line, '\n', file.bytes - (size_t)(line - (char *)file.data));
	assert_non_null(end);
	parsed = json_loadb(line, (size_t)(end - line), 0, NULL);
	assert_true(json_equal(parsed, manifest));
	json_decref(parsed);
	json_decref(manifest);
	free(file.data);
	free(path);
	test_folder_remove(folder);
}

static int known(void *ctx, const char *name)
{
	return strcmp(name, ctx) == 0;
}

static void test_required(void **state)
{
	struct test_bytes file = test_small_snapshot(HETCKPT_COMPRESS_ZSTD);
	int fd = test_memfd(file.data, file.bytes);
	struct hetckpt_reader *reader;

	test_reader_ok(reader, hetckpt_reader_open_fd(fd, NULL, NULL, &reader));
	test_reader_ok(reader, hetckpt_reader_check_required(reader, known, "text"));
	assert_int_equal(hetckpt_reader_check_required(reader, known, "other"), -ENOTSUP);
	assert_non_null(strstr(hetckpt_reader_error(reader), "'text'"));
	hetckpt_reader_close(reader);
	close(fd);
	free(file.data);
}

/* On threads of the writer or reader, where nothing can be asserted: stops instead. */
static int count_progress(void *ctx, uint64_t done, uint64_t total)
{
	uint64_t *last = ctx;
	int wrong = done <= *last || done > total;

	*last = done;
	return wrong;
}

static int stop_progress(void *ctx, uint64_t done, uint64_t total)
{
	return done >= 5 * CHUNK;
}

static void test_progress(void **state)
{
	size_t bytes = 40 * CHUNK;
	unsigned char *data = test_content(TEST_MIXED, bytes, 9, CHUNK);
	uint64_t done = 0, read = 0;
	struct hetckpt_writer_options options = { .threads = 2, .chunk_bytes = CHUNK, .total_bytes = bytes,
		.progress = count_progress, .progress_ctx = &done };
	struct hetckpt_reader_options read_options = { .threads = 2, .progress = count_progress,
		.progress_ctx = &read };
	struct hetckpt_writer *writer;
	struct hetckpt_reader *reader;
	int fd = test_memfd("", 0);

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, NULL, &options, &writer));
	test_writer_ok(writer, hetckpt_writer_add(writer, "a", 0, data, bytes));
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	hetckpt_writer_close(writer);
	assert_int_equal(done, bytes);
	test_reader_ok(reader, hetckpt_reader_open_fd(fd, NULL, &read_options, &reader));
	test_reader_ok(reader, hetckpt_reader_read(reader, 0, 0, data, bytes));
	assert_int_equal(read, bytes);
	hetckpt_reader_close(reader);

	read_options.progress = stop_progress;
	test_reader_ok(reader, hetckpt_reader_open_fd(fd, NULL, &read_options, &reader));
	assert_int_equal(hetckpt_reader_read(reader, 0, 0, data, bytes), -ECANCELED);
	assert_int_equal(hetckpt_reader_verify(reader, NULL, NULL), -ECANCELED);
	hetckpt_reader_close(reader);

	options.progress = stop_progress;
	test_writer_ok(writer, hetckpt_writer_open_fd(fd, NULL, &options, &writer));
	hetckpt_writer_add(writer, "a", 0, data, bytes);
	assert_int_equal(hetckpt_writer_finish(writer), -ECANCELED);
	assert_non_null(strstr(hetckpt_writer_error(writer), "cancelled"));
	hetckpt_writer_close(writer);
	close(fd);
	free(data);
}

static void refused(const char *part, int code, const char *name, uint32_t flags, const void *data,
	uint64_t bytes)
{
	struct hetckpt_writer *writer;
	int fd = test_memfd("", 0);

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, NULL, NULL, &writer));
	test_writer_ok(writer, hetckpt_writer_add(writer, "taken", 0, "x", 1));
	assert_int_equal(hetckpt_writer_add(writer, name, flags, data, bytes), code);
	if (!strstr(hetckpt_writer_error(writer), part))
		fail_msg("'%s' not in: %s", part, hetckpt_writer_error(writer));
	/* It sticks. */
	assert_int_equal(hetckpt_writer_finish(writer), code);
	hetckpt_writer_close(writer);
	close(fd);
}

static void test_misuse(void **state)
{
	struct hetckpt_writer_options options = { .chunk_bytes = 5000 };
	struct hetckpt_writer *writer;
	struct hetckpt_reader *reader;
	char longer[300], byte;
	int fd = test_memfd("", 0);

	memset(longer, 'n', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	refused("'taken' exists", -EINVAL, "taken", 0, "x", 1);
	refused("a name is", -EINVAL, "", 0, "x", 1);
	refused("a name is", -EINVAL, "with space", 0, "x", 1);
	refused("a name is", -EINVAL, "\xc3\xa9", 0, "x", 1);
	refused("a name is", -EINVAL, longer, 0, "x", 1);
	refused("unknown flags 0x2", -EINVAL, "a", 2, "x", 1);
	refused("no source", -EINVAL, "a", 0, NULL, 1);
	refused("too long", -EFBIG, "a", 0, "x", UINT64_MAX);
	refused("use larger chunks", -EFBIG, "a", 0, "x", (uint64_t)1 << 50);

	assert_int_equal(hetckpt_writer_open_fd(fd, "f", &options, &writer), -EINVAL);
	assert_non_null(strstr(hetckpt_writer_error(writer), "f: chunk size 5000"));
	hetckpt_writer_close(writer);
	options = (struct hetckpt_writer_options){ .level = 99 };
	assert_int_equal(hetckpt_writer_open_fd(fd, "f", &options, &writer), -EINVAL);
	assert_non_null(strstr(hetckpt_writer_error(writer), "level 99"));
	hetckpt_writer_close(writer);

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, "f", NULL, &writer));
	assert_int_equal(hetckpt_writer_manifest_text(writer, "[1]"), -EINVAL);
	hetckpt_writer_close(writer);
	test_writer_ok(writer, hetckpt_writer_open_fd(fd, "f", NULL, &writer));
	assert_int_equal(hetckpt_writer_manifest_text(writer, "{\"a\":"), -EINVAL);
	hetckpt_writer_close(writer);
	test_writer_ok(writer, hetckpt_writer_open_fd(fd, "f", NULL, &writer));
	test_writer_ok(writer, hetckpt_writer_add(writer, "a", 0, "abc", 3));
	assert_int_equal(hetckpt_writer_manifest_text(writer, "{}"), -EINVAL);
	assert_non_null(strstr(hetckpt_writer_error(writer), "before the first section"));
	hetckpt_writer_close(writer);

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, "f", NULL, &writer));
	test_writer_ok(writer, hetckpt_writer_add(writer, "a", 0, "abc", 3));
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	assert_int_equal(hetckpt_writer_finish(writer), -EINVAL);
	hetckpt_writer_close(writer);
	test_reader_ok(reader, hetckpt_reader_open_fd(fd, "f", NULL, &reader));
	assert_int_equal(hetckpt_reader_read(reader, 0, 3, &byte, 1), -ERANGE);
	assert_non_null(strstr(hetckpt_reader_error(reader), "'a': bytes 3 to 4, but it has 3"));
	assert_int_equal(hetckpt_reader_read(reader, 0, UINT64_MAX, &byte, 2), -ERANGE);
	assert_int_equal(hetckpt_reader_read(reader, 1, 0, &byte, 1), -ERANGE);
	test_reader_ok(reader, hetckpt_reader_read(reader, 0, 3, NULL, 0));
	hetckpt_reader_close(reader);
	assert_string_equal(hetckpt_writer_error(NULL), "out of memory");
	assert_string_equal(hetckpt_reader_error(NULL), "out of memory");
	hetckpt_writer_close(NULL);
	hetckpt_reader_close(NULL);
	close(fd);
}

struct arena {
	unsigned live, made;
};

static void *arena_alloc(void *ctx, size_t bytes)
{
	struct arena *arena = ctx;

	arena->live++;
	arena->made++;
	return aligned_alloc(64, bytes);
}

static void arena_release(void *ctx, void *buffer, size_t bytes)
{
	((struct arena *)ctx)->live--;
	free(buffer);
}

static void test_buffers(void **state)
{
	size_t bytes = 64 * CHUNK;
	unsigned char *data = test_content(TEST_RANDOM, bytes, 1, 0), *back = malloc(bytes);
	struct arena arena = { 0 };
	struct hetckpt_buffers buffers = { .ctx = &arena, .alloc = arena_alloc, .release = arena_release };
	struct hetckpt_writer_options options = { .threads = 2, .chunk_bytes = CHUNK, .buffers = &buffers };
	struct hetckpt_reader_options read_options = { .threads = 2, .buffers = &buffers };
	struct source source = { .data = data };
	struct target target = { .data = back };
	struct hetckpt_writer *writer;
	struct hetckpt_reader *reader;
	int fd = test_memfd("", 0);

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, NULL, &options, &writer));
	/* Large memory goes past the buffers, a callback through them. */
	test_writer_ok(writer, hetckpt_writer_add(writer, "m", 0, data, bytes));
	assert_int_equal(arena.made, 0);
	test_writer_ok(writer, hetckpt_writer_add_from(writer, "c", 0, bytes, fill, &source));
	assert_int_equal(arena.made, 6); /* 2 * threads + 2: bounded */
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	hetckpt_writer_close(writer);
	assert_int_equal(arena.live, 0);

	arena.made = 0;
	test_reader_ok(reader, hetckpt_reader_open_fd(fd, NULL, &read_options, &reader));
	test_reader_ok(reader, hetckpt_reader_read(reader, 0, 0, back, bytes));
	assert_int_equal(arena.made, 0);
	test_reader_ok(reader, hetckpt_reader_each(reader, 1, HETCKPT_READ_ANY_ORDER, take, &target));
	assert_int_equal(arena.made, 2);
	assert_memory_equal(back, data, bytes);
	hetckpt_reader_close(reader);
	assert_int_equal(arena.live, 0);
	close(fd);
	free(data);
	free(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_many_sections),
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
