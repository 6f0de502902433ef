/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Disks that are full, calls that are cut short or interrupted, sources and
 * destinations that fail, memory that runs out.
 */
#include "helpers.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#define CHUNK HETCKPT_CHUNK_MIN
#define BYTES (20 * (size_t)CHUNK + 123)

struct scene {
	char *folder, *path;
	unsigned char *data, *back;
	struct test_faults faults;
	struct hetckpt_snap_io io;
	struct hetckpt_writer_options options;
	struct hetckpt_reader_options read_options;
};

static struct scene scene_make(void)
{
	struct scene scene = { .folder = test_folder_make() };

	scene.path = test_path(scene.folder, "a.hckpt");
	scene.data = test_content(TEST_MIXED, BYTES, 5, CHUNK);
	scene.back = malloc(BYTES);
	scene.options = (struct hetckpt_writer_options){ .threads = 3, .chunk_bytes = CHUNK };
	scene.read_options = (struct hetckpt_reader_options){ .threads = 3 };
	return scene;
}

static void scene_remove(struct scene *scene)
{
	free(scene->path);
	free(scene->data);
	free(scene->back);
	test_folder_remove(scene->folder);
}

/* As a structure of its own: io points into it. */
static void scene_faults(struct scene *scene)
{
	test_faults_init(&scene->faults, &scene->io);
	scene->options.io = &scene->io;
	scene->read_options.io = &scene->io;
}

static int write_all(struct scene *scene, struct hetckpt_writer **writer)
{
	int rc = hetckpt_writer_open(scene->path, &scene->options, writer);

	if (!rc)
		rc = hetckpt_writer_add(*writer, "small", 0, "0123456789", 10);
	if (!rc)
		rc = hetckpt_writer_add(*writer, "large", 0, scene->data, BYTES);
	if (!rc)
		rc = hetckpt_writer_finish(*writer);
	return rc;
}

static void expect_data(struct scene *scene)
{
	struct hetckpt_reader *reader;

	test_reader_ok(reader, hetckpt_reader_open(scene->path, &scene->read_options, &reader));
	memset(scene->back, 0xee, BYTES);
	test_reader_ok(reader, hetckpt_reader_read(reader, 1, 0, scene->back, BYTES));
	assert_memory_equal(scene->back, scene->data, BYTES);
	hetckpt_reader_close(reader);
}

/* Byte by byte at the start and end, in steps between: the disk is full there. */
static void test_disk_full(void **state)
{
	struct scene scene = scene_make();
	struct hetckpt_writer *writer;
	struct test_bytes old, now;
	uint64_t at;
	unsigned failures = 0;

	test_writer_ok(writer, write_all(&scene, &writer));
	hetckpt_writer_close(writer);
	old = test_file_load(scene.path);
	scene.data[0] ^= 1;
	for (at = 0; at < old.bytes - 64; at += at < 200 || at > old.bytes - 900 ? 1 : 97) {
		scene_faults(&scene);
		scene.faults.fail_write_at = at;
		assert_int_equal(write_all(&scene, &writer), -ENOSPC);
		if (!strstr(hetckpt_writer_error(writer), "No space left") ||
				!strstr(hetckpt_writer_error(writer), scene.path))
			fail_msg("at %llu: %s", (unsigned long long)at, hetckpt_writer_error(writer));
		hetckpt_writer_close(writer);
		now = test_file_load(scene.path);
		assert_int_equal(now.bytes, old.bytes);
		assert_memory_equal(now.data, old.data, old.bytes);
		free(now.data);
		assert_int_equal(test_folder_count(scene.folder), 1);
		failures++;
	}
	assert_true(failures > 1000);
	free(old.data);
	scene_remove(&scene);
}

/* Whatever the system splits or interrupts is continued. */
static void test_short_calls(void **state)
{
	static const size_t sizes[] = { 1, 7, 4096, 5000 };
	struct scene scene = scene_make();
	struct hetckpt_writer *writer;
	unsigned i;

	for (i = 0; i < 4; i++) {
		scene_faults(&scene);
		scene.faults.write_max = sizes[i];
		scene.faults.interrupt = true;
		test_writer_ok(writer, write_all(&scene, &writer));
		hetckpt_writer_close(writer);
		assert_true(scene.faults.interrupts > 4);
		expect_data(&scene);
	}
	scene_remove(&scene);
}

/* Each read fails in turn: an error that names the file, never wrong data. */
static void test_read_errors(void **state)
{
	struct scene scene = scene_make();
	struct hetckpt_writer *writer;
	struct hetckpt_reader *reader;
	uint64_t n, failures = 0;
	unsigned eof;

	test_writer_ok(writer, write_all(&scene, &writer));
	hetckpt_writer_close(writer);
	for (eof = 0; eof < 2; eof++)
		for (n = 0;; n++) {
			int rc, expected = eof ? -EBADMSG : -EIO;

			scene_faults(&scene);
			scene.faults.fail_pread = n;
			scene.faults.eof_pread = eof;
			rc = hetckpt_reader_open(scene.path, &scene.read_options, &reader);
			if (!rc)
				rc = hetckpt_reader_read(reader, 1, 0, scene.back, BYTES);
			if (!rc) {
				assert_memory_equal(scene.back, scene.data, BYTES);
				rc = hetckpt_reader_verify(reader, NULL, NULL);
			}
			if (!rc) {
				hetckpt_reader_close(reader);
				break;
			}
			assert_int_equal(rc, expected);
			if (!strstr(hetckpt_reader_error(reader), scene.path) ||
					!strstr(hetckpt_reader_error(reader), "at file offset"))
				fail_msg("%s", hetckpt_reader_error(reader));
			failures++;
			/* The next call starts afresh. */
			if (n > 10)
				test_reader_ok(reader, hetckpt_reader_read(reader, 1, 0, scene.back, BYTES));
			hetckpt_reader_close(reader);
		}
	assert_true(failures > 20);
	scene_remove(&scene);
}

struct failing {
	uint64_t at;
	int code;
	atomic_uint calls;
	const unsigned char *data;
};

static int failing_fill(void *ctx, uint64_t offset, void *buffer, size_t length)
{
	struct failing *failing = ctx;

	atomic_fetch_add(&failing->calls, 1);
	if (offset == failing->at)
		return failing->code;
	memcpy(buffer, failing->data + offset, length);
	return 0;
}

static int failing_take(void *ctx, uint64_t offset, const void *data, size_t length)
{
	struct failing *failing = ctx;

	return offset == failing->at ? failing->code : 0;
}

static void test_callbacks(void **state)
{
	struct scene scene = scene_make();
	struct hetckpt_writer *writer;
	struct hetckpt_reader *reader;
	struct failing failing = { .data = scene.data, .code = -ENODEV };

	for (failing.at = 0; failing.at < BYTES; failing.at += 4 * CHUNK) {
		test_writer_ok(writer, hetckpt_writer_open(scene.path, &scene.options, &writer));
		assert_int_equal(hetckpt_writer_add_from(writer, "vram", 0, BYTES, failing_fill, &failing),
			-ENODEV);
		assert_non_null(strstr(hetckpt_writer_error(writer), "section 'vram': its source failed"));
		assert_int_equal(hetckpt_writer_add(writer, "more", 0, "x", 1), -ENODEV);
		hetckpt_writer_close(writer);
		assert_int_equal(test_folder_count(scene.folder), 0);
	}
	test_writer_ok(writer, write_all(&scene, &writer));
	hetckpt_writer_close(writer);
	test_reader_ok(reader, hetckpt_reader_open(scene.path, &scene.read_options, &reader));
	failing.at = 3 * CHUNK;
	assert_int_equal(hetckpt_reader_each(reader, 1, HETCKPT_READ_ANY_ORDER, failing_take, &failing),
		-ENODEV);
	assert_non_null(strstr(hetckpt_reader_error(reader), "section 'large': its destination failed at offset 12288"));
	failing.at = 1; /* never */
	test_reader_ok(reader, hetckpt_reader_each(reader, 1, HETCKPT_READ_ANY_ORDER, failing_take, &failing));
	hetckpt_reader_close(reader);
	scene_remove(&scene);
}

static void *limited_alloc(void *ctx, size_t bytes)
{
	unsigned *left = ctx;

	return *left && (*left)-- ? malloc(bytes) : NULL;
}

static void limited_release(void *ctx, void *buffer, size_t bytes)
{
	free(buffer);
}

static void test_no_buffers(void **state)
{
	struct scene scene = scene_make();
	unsigned left;
	struct hetckpt_buffers buffers = { .ctx = &left, .alloc = limited_alloc, .release = limited_release };
	struct failing failing = { .at = 1, .data = scene.data };
	struct hetckpt_writer *writer;
	struct hetckpt_reader *reader;
	unsigned n;

	scene.options.buffers = &buffers;
	scene.read_options.buffers = &buffers;
	for (n = 0; n < 8; n++) {
		left = n;
		test_writer_ok(writer, hetckpt_writer_open(scene.path, &scene.options, &writer));
		assert_int_equal(hetckpt_writer_add_from(writer, "vram", 0, BYTES, failing_fill, &failing),
			-ENOMEM);
		assert_non_null(strstr(hetckpt_writer_error(writer), "no memory for chunk buffers"));
		hetckpt_writer_close(writer);
	}
	left = 9;
	test_writer_ok(writer, write_all(&scene, &writer));
	hetckpt_writer_close(writer);
	test_reader_ok(reader, hetckpt_reader_open(scene.path, &scene.read_options, &reader));
	for (n = 0; n < 3; n++) {
		left = 0;
		assert_int_equal(hetckpt_reader_each(reader, 1, HETCKPT_READ_ANY_ORDER, failing_take, &failing),
			-ENOMEM);
	}
	left = 3;
	test_reader_ok(reader, hetckpt_reader_each(reader, 1, HETCKPT_READ_ANY_ORDER, failing_take, &failing));
	hetckpt_reader_close(reader);
	scene_remove(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_short_calls),
		cmocka_unit_test(test_read_errors),
		cmocka_unit_test(test_callbacks),
		cmocka_unit_test(test_no_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
