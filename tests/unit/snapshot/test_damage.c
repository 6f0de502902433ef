/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Damage is found, named, and never becomes data.
 */
#include "helpers.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/snapshot/format.h"

/* What the undamaged small snapshot holds. */
struct reference {
	struct test_bytes file;
	size_t sections;
	unsigned char *content[8];
	uint64_t bytes[8];
	const char *name[8];
	struct hetckpt_reader *reader;
	int fd;
};

static struct reference reference_make(enum hetckpt_compress compress)
{
	struct reference ref = { .file = test_small_snapshot(compress) };
	size_t i;

	ref.fd = test_memfd(ref.file.data, ref.file.bytes);
	test_reader_ok(ref.reader, hetckpt_reader_open_fd(ref.fd, NULL, NULL, &ref.reader));
	ref.sections = hetckpt_reader_count(ref.reader);
	for (i = 0; i < ref.sections; i++) {
		const struct hetckpt_section *section = hetckpt_reader_section(ref.reader, i);

		ref.name[i] = section->name;
		ref.bytes[i] = section->bytes;
		ref.content[i] = malloc(section->bytes + 1);
		test_reader_ok(ref.reader, hetckpt_reader_read(ref.reader, i, 0, ref.content[i], section->bytes));
	}
	return ref;
}

static void reference_free(struct reference *ref)
{
	size_t i;

	for (i = 0; i < ref->sections; i++)
		free(ref->content[i]);
	hetckpt_reader_close(ref->reader);
	close(ref->fd);
	free(ref->file.data);
}

/* True if the file in fd is refused, or some of its contents are. If it is not,
   everything in it must be what it was. */
static bool detected(const struct reference *ref, int fd)
{
	struct hetckpt_reader_options options = { .threads = 1 };
	struct hetckpt_reader *reader;
	unsigned char back[8192];
	bool found;
	size_t i;
	int rc = hetckpt_reader_open_fd(fd, "file", &options, &reader);

	found = rc != 0;
	if (!rc) {
		found = hetckpt_reader_verify(reader, NULL, NULL) != 0;
		assert_int_equal(hetckpt_reader_count(reader), ref->sections);
		assert_true(json_equal(hetckpt_reader_manifest(reader), hetckpt_reader_manifest(ref->reader)));
	}
	if (found)
		assert_int_equal(strncmp(hetckpt_reader_error(reader), "file: ", 6), 0);
	for (i = 0; !rc && i < ref->sections; i++) {
		assert_string_equal(hetckpt_reader_section(reader, i)->name, ref->name[i]);
		assert_int_equal(hetckpt_reader_section(reader, i)->bytes, ref->bytes[i]);
		assert_true(ref->bytes[i] <= sizeof(back));
		if (hetckpt_reader_read(reader, i, 0, back, ref->bytes[i]) != 0)
			assert_true(found);
		else
			assert_memory_equal(back, ref->content[i], ref->bytes[i]);
	}
	hetckpt_reader_close(reader);
	return found;
}

static bool in_frame(const struct reference *ref, size_t at)
{
	struct hetckpt_chunk_info info;
	size_t i;
	uint64_t k;

	for (i = 0; i < ref->sections; i++)
		for (k = 0; hetckpt_reader_chunk(ref->reader, i, k, &info) == 0; k++)
			if (info.method == HETCKPT_CHUNK_ZSTD && at >= info.file_offset &&
					at < info.file_offset + info.stored_bytes)
				return true;
	return false;
}

/* Every byte, with each bit flipped and a few other values. A compressed frame has
   bits that change nothing; all other changes must be found. */
static void every_byte(enum hetckpt_compress compress)
{
	struct reference ref = reference_make(compress);
	int fd = test_memfd(ref.file.data, ref.file.bytes);
	unsigned harmless = 0, tried = 0;
	size_t at;
	unsigned k;

	assert_false(detected(&ref, fd));
	for (at = 0; at < ref.file.bytes; at++)
		for (k = 0; k < 10; k++) {
			unsigned char old = ref.file.data[at];
			unsigned char now = k < 8 ? old ^ (unsigned char)(1u << k) : k == 8 ? 0 : 0xff;

			if (now == old)
				continue;
			assert_int_equal(pwrite(fd, &now, 1, (off_t)at), 1);
			tried++;
			if (!detected(&ref, fd)) {
				/* Unused bits of a frame, and nothing else. */
				assert_true(in_frame(&ref, at));
				harmless++;
			}
			assert_int_equal(pwrite(fd, &old, 1, (off_t)at), 1);
		}
	assert_false(detected(&ref, fd));
	print_message("%u of %u changes are harmless\n", harmless, tried);
	if (compress == HETCKPT_COMPRESS_NONE)
		assert_int_equal(harmless, 0);
	else
		assert_true(harmless < tried / 100);
	close(fd);
	reference_free(&ref);
}

static void test_every_byte_raw(void **state)
{
	every_byte(HETCKPT_COMPRESS_NONE);
}

static void test_every_byte_zstd(void **state)
{
	every_byte(HETCKPT_COMPRESS_ZSTD);
}

static void test_every_length(void **state)
{
	struct reference ref = reference_make(HETCKPT_COMPRESS_ZSTD);
	struct hetckpt_reader *reader;
	int fd = test_memfd(ref.file.data, ref.file.bytes);
	size_t length = ref.file.bytes;

	while (length--) {
		int rc;

		assert_int_equal(ftruncate(fd, (off_t)length), 0);
		rc = hetckpt_reader_open_fd(fd, "short", NULL, &reader);
		assert_true(rc == -EBADMSG || (rc == -EINVAL && length < HETCKPT_HEADER_BYTES));
		hetckpt_reader_close(reader);
	}
	/* And longer ones: nothing may follow the trailer. */
	close(fd);
	fd = test_memfd(ref.file.data, ref.file.bytes);
	for (length = 0; length < 300; length++) {
		assert_int_equal(pwrite(fd, ref.file.data + length, 1, (off_t)(ref.file.bytes + length)), 1);
		assert_int_equal(hetckpt_reader_open_fd(fd, "long", NULL, &reader), -EBADMSG);
		hetckpt_reader_close(reader);
	}
	close(fd);
	reference_free(&ref);
}

struct reports {
	unsigned count;
	char line[8][128];
};

static void report(void *ctx, const struct hetckpt_damage *damage)
{
	struct reports *reports = ctx;

	assert_true(reports->count < 8);
	snprintf(reports->line[reports->count++], 128, "%s %s %llu %llu %llu %s", damage->file, damage->section,
		(unsigned long long)damage->chunk, (unsigned long long)damage->section_offset,
		(unsigned long long)damage->file_offset, damage->what);
}

/* verify names each chunk that is hit, also where a block is shared; the others can
   still be read. */
static void test_reports(void **state)
{
	struct reference ref = reference_make(HETCKPT_COMPRESS_NONE);
	struct hetckpt_reader_options options = { .threads = 3 };
	struct reports reports = { 0 };
	struct hetckpt_chunk_info text, noise;
	struct hetckpt_reader *reader;
	unsigned char back[8192];
	char line[128];
	int fd = test_memfd(ref.file.data, ref.file.bytes);

	assert_int_equal(hetckpt_reader_chunk(ref.reader, 1, 1, &text), 0);
	assert_int_equal(hetckpt_reader_chunk(ref.reader, 2, 0, &noise), 0);
	assert_int_equal(hetckpt_reader_chunk(ref.reader, 2, 1, &noise), -ERANGE);
	assert_int_equal(pwrite(fd, "!", 1, (off_t)text.file_offset + 5), 1);
	assert_int_equal(pwrite(fd, "\0", 1, (off_t)noise.file_offset), 1);

	test_reader_ok(reader, hetckpt_reader_open_fd(fd, "f", &options, &reader));
	assert_int_equal(hetckpt_reader_verify(reader, report, &reports), -EBADMSG);
	assert_int_equal(reports.count, 3);
	snprintf(line, sizeof(line), "f text 1 4096 %llu content is damaged, its hash differs",
		(unsigned long long)text.file_offset);
	assert_string_equal(reports.line[0], line);
	snprintf(line, sizeof(line), "f noise 0 0 %llu content is damaged, its hash differs",
		(unsigned long long)noise.file_offset);
	assert_string_equal(reports.line[1], line);
	snprintf(line, sizeof(line), "f noise/again 0 0 %llu content is damaged, its hash differs",
		(unsigned long long)noise.file_offset);
	assert_string_equal(reports.line[2], line);
	snprintf(line, sizeof(line), "f: section 'text', chunk 1, at file offset %llu: content is damaged",
		(unsigned long long)text.file_offset);
	assert_non_null(strstr(hetckpt_reader_error(reader), line));

	test_reader_ok(reader, hetckpt_reader_read(reader, 1, 0, back, 4096));
	assert_memory_equal(back, ref.content[1], 4096);
	assert_int_equal(hetckpt_reader_read(reader, 1, 4000, back, 200), -EBADMSG);
	assert_non_null(strstr(hetckpt_reader_error(reader), "section 'text', chunk 1"));
	hetckpt_reader_close(reader);
	close(fd);
	reference_free(&ref);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_raw),
		cmocka_unit_test(test_every_byte_zstd),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
