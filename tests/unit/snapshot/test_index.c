/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Indexes that lie, with all hashes right: each rule of the format is broken once.
 */
#include "helpers.h"

#include <errno.h>
#include <unistd.h>

#include "reseal.h"
#include "runtime/snapshot/format.h"

/* Numbers of the small snapshot: 5 sections, 2 + 2 + 1 + 0 + 1 chunks. */
#define SECTIONS 5
#define CHUNKS 6

struct lie {
	const char *message; /* part of it */
	int code;
	enum { HEADER, MANIFEST, HEAD, SECTION, CHUNK, NAMES, TRAILER } part;
	unsigned number;     /* of the section or chunk */
	unsigned offset;     /* in the record */
	unsigned bytes;      /* 1, 4 or 8 */
	uint64_t value;
};

static const struct lie lies[] = {
	{ "not a hetckpt snapshot", -EINVAL, HEADER, 0, 0, 1, 'X' },
	{ "another version", -ENOTSUP, HEADER, 0, 11, 1, '2' },
	{ "version is not a number", -EBADMSG, HEADER, 0, 11, 1, 'x' },
	{ "header: damaged", -EBADMSG, HEADER, 0, 13, 1, 'b' },
	{ "header: damaged", -EBADMSG, HEADER, 0, 30, 1, '1' },
	{ "length of the manifest is impossible", -EBADMSG, HEADER, 0, 16, 1, 'f' },
	{ "manifest: ", -EBADMSG, MANIFEST, 0, 0, 1, '[' },
	{ "not one line", -EBADMSG, MANIFEST, 0, 1, 1, '\n' },
	{ "does not lie between", -EBADMSG, TRAILER, 0, 8, 8, 40 },
	{ "does not lie between", -EBADMSG, TRAILER, 0, 16, 8, 32 },
	{ "index: damaged", -EBADMSG, HEAD, 0, 0, 1, 'h' },
	{ "index: damaged", -EBADMSG, HEAD, 0, 12, 4, 1 },
	{ "do not fill it", -EBADMSG, HEAD, 0, 8, 4, 0xffffffff },
	{ "do not fill it", -EBADMSG, HEAD, 0, 8, 4, SECTIONS - 1 },
	{ "do not fill it", -EBADMSG, HEAD, 0, 16, 8, UINT64_MAX },
	{ "do not fill it", -EBADMSG, HEAD, 0, 16, 8, (uint64_t)1 << 59 },
	{ "do not fill it", -EBADMSG, HEAD, 0, 16, 8, CHUNKS - 1 },
	{ "do not fill it", -EBADMSG, HEAD, 0, 24, 8, 1 },
	{ "number 0: number of chunks does not fit", -EBADMSG, SECTION, 0, 0, 8, 9000 },
	{ "number 0: number of chunks does not fit", -EBADMSG, SECTION, 0, 0, 8, UINT64_MAX },
	{ "number 1: its chunks are not where", -EBADMSG, SECTION, 1, 8, 8, 1 },
	{ "number 0: number of chunks does not fit", -EBADMSG, SECTION, 0, 16, 8, 3 },
	{ "number 0: impossible chunk size", -EBADMSG, SECTION, 0, 24, 4, 0 },
	{ "number 0: impossible chunk size", -EBADMSG, SECTION, 0, 24, 4, 6000 },
	{ "number 0: impossible chunk size", -EBADMSG, SECTION, 0, 24, 4, 1u << 27 },
	{ "number 0: reserved", -EBADMSG, SECTION, 0, 28, 4, 2 },
	{ "number 0: reserved", -EBADMSG, SECTION, 0, 40, 8, 1 },
	{ "number 1: impossible name", -EBADMSG, SECTION, 1, 32, 4, 0 },
	{ "number 0: impossible name", -EBADMSG, SECTION, 0, 36, 4, 0 },
	{ "number 0: impossible name", -EBADMSG, SECTION, 0, 36, 4, 1000 },
	{ "number 0: impossible name", -EBADMSG, NAMES, 0, 0, 1, 0 },
	{ "number 0: impossible name", -EBADMSG, NAMES, 0, 3, 1, ' ' },
	/* One chunk still: fits the number, not the stored length. */
	{ "stored length does not fit", -EBADMSG, SECTION, 2, 0, 8, 4096 },
	{ "section 'zero', chunk 0: a zero chunk with a block", -EBADMSG, CHUNK, 0, 0, 8, 60 },
	{ "section 'zero', chunk 1: a zero chunk with a block", -EBADMSG, CHUNK, 1, 16, 1, 1 },
	{ "section 'zero', chunk 0: stored length", -EBADMSG, CHUNK, 0, 12, 4, HETCKPT_CHUNK_RAW },
	{ "section 'text', chunk 0: stored length", -EBADMSG, CHUNK, 2, 8, 4, 4097 },
	{ "section 'text', chunk 0: a zero chunk with a block", -EBADMSG, CHUNK, 2, 12, 4, HETCKPT_CHUNK_ZERO },
	{ "section 'text', chunk 0: stored length", -EBADMSG, CHUNK, 2, 12, 4, HETCKPT_CHUNK_RAW },
	{ "section 'text', chunk 0: unknown method", -EBADMSG, CHUNK, 2, 12, 4, 3 },
	{ "section 'text', chunk 0: its block is not where", -EBADMSG, CHUNK, 2, 0, 8, 0 },
	{ "section 'text', chunk 1: its block is not where", -EBADMSG, CHUNK, 3, 0, 8, UINT64_MAX },
	/* Names a block that another chunk has, but says something else about it. */
	{ "section 'noise/again', chunk 0: its block is not where", -EBADMSG, CHUNK, 5, 16, 1, 0 },
	{ "section 'noise', chunk 0: its block is not where", -EBADMSG, CHUNK, 3, 8, 4, 100 },
};

static size_t place_of(const struct lie *lie, const unsigned char *data, size_t bytes)
{
	const unsigned char *trailer = data + bytes - HETCKPT_TRAILER_BYTES;
	size_t index = 0;
	int i;

	for (i = 7; i >= 0; i--)
		index = index << 8 | trailer[8 + i];
	switch (lie->part) {
	case HEADER:
		return lie->offset;
	case MANIFEST:
		return HETCKPT_HEADER_BYTES + lie->offset;
	case TRAILER:
		return bytes - HETCKPT_TRAILER_BYTES + lie->offset;
	case HEAD:
		return index + lie->offset;
	case SECTION:
		return index + HETCKPT_INDEX_HEAD_BYTES + lie->number * HETCKPT_SECTION_BYTES + lie->offset;
	case CHUNK:
		return index + HETCKPT_INDEX_HEAD_BYTES + SECTIONS * HETCKPT_SECTION_BYTES +
			lie->number * HETCKPT_CHUNK_ENTRY_BYTES + lie->offset;
	default:
		return index + HETCKPT_INDEX_HEAD_BYTES + SECTIONS * HETCKPT_SECTION_BYTES +
			CHUNKS * HETCKPT_CHUNK_ENTRY_BYTES + lie->offset;
	}
}

static int open_bytes(const unsigned char *data, size_t bytes, struct hetckpt_reader **reader)
{
	struct hetckpt_reader_options options = { .threads = 1 };
	int fd = test_memfd(data, bytes), rc;

	rc = hetckpt_reader_open_fd(fd, "liar", &options, reader);
	close(fd); /* nothing is read from it any more */
	return rc;
}

static void test_lies(void **state)
{
	struct test_bytes file = test_small_snapshot(HETCKPT_COMPRESS_ZSTD);
	unsigned char *copy = malloc(file.bytes);
	struct hetckpt_reader *reader;
	unsigned i, k;

	memcpy(copy, file.data, file.bytes);
	assert_true(test_reseal(copy, file.bytes));
	assert_memory_equal(copy, file.data, file.bytes);
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		const struct lie *lie = &lies[i];
		size_t at = place_of(lie, file.data, file.bytes);
		int rc;

		memcpy(copy, file.data, file.bytes);
		for (k = 0; k < lie->bytes; k++)
			copy[at + k] = (unsigned char)(lie->value >> (8 * k));
		test_reseal(copy, file.bytes);
		rc = open_bytes(copy, file.bytes, &reader);
		if (rc != lie->code || !strstr(hetckpt_reader_error(reader), lie->message) ||
				strncmp(hetckpt_reader_error(reader), "liar: ", 6) != 0)
			fail_msg("lie %u: expected %d '%s', got %d '%s'", i, lie->code, lie->message, rc,
				hetckpt_reader_error(reader));
		hetckpt_reader_close(reader);
	}
	free(copy);
	free(file.data);
}

/* Two sections of one name: the second's is made that of the first, of equal length. */
static void test_same_name(void **state)
{
	struct test_bytes file = test_small_snapshot(HETCKPT_COMPRESS_ZSTD);
	struct lie name = { .part = NAMES, .offset = 4 };
	size_t at = place_of(&name, file.data, file.bytes);
	struct hetckpt_reader *reader;

	assert_memory_equal(file.data + at, "text", 4);
	memcpy(file.data + at, "zero", 4);
	assert_true(test_reseal(file.data, file.bytes));
	assert_int_equal(open_bytes(file.data, file.bytes, &reader), -EBADMSG);
	assert_non_null(strstr(hetckpt_reader_error(reader), "two sections 'zero'"));
	hetckpt_reader_close(reader);
	free(file.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_same_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
