/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Writes the golden files. They are made once for a version of the format and then
 * kept: a change of the good ones is a change of the format.
 */
#include "golden.h"

#include <stdio.h>
#include <unistd.h>

#include "reseal.h"
#include "runtime/snapshot/format.h"

static const char *folder;

static void save(const char *name, const void *data, size_t bytes)
{
	char *file, *path;

	assert_true(asprintf(&file, "%s.hckpt", name) > 0);
	path = test_path(folder, file);
	test_file_store(path, data, bytes);
	free(file);
	free(path);
}

static struct test_bytes good(enum hetckpt_compress compress)
{
	int fd = test_memfd("", 0);
	struct test_bytes file;
	char path[64];

	golden_write(fd, compress);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = test_file_load(path);
	close(fd);
	return file;
}

/* Saves file with byte at changed by xor. */
static void flip(const char *name, struct test_bytes file, size_t at, unsigned char xor, bool reseal)
{
	unsigned char *copy = malloc(file.bytes);

	memcpy(copy, file.data, file.bytes);
	copy[at] ^= xor;
	if (reseal)
		assert_true(test_reseal(copy, file.bytes));
	save(name, copy, file.bytes);
	free(copy);
}

int main(int argc, char **argv)
{
	struct test_bytes raw = good(HETCKPT_COMPRESS_NONE), file = good(HETCKPT_COMPRESS_ZSTD);
	unsigned char *longer = malloc(file.bytes + 1);
	size_t trailer = file.bytes - HETCKPT_TRAILER_BYTES, names = 0, index, i;

	if (argc != 2) {
		fprintf(stderr, "usage: snapshot_golden FOLDER\n");
		return 2;
	}
	folder = argv[1];
	for (i = 0; i < GOLDEN_SECTIONS; i++)
		names += strlen(golden_sections[i].name);
	/* chunks: 0 + 1 + 3 + 2 + 2 + 1 */
	index = trailer - names - 9 * HETCKPT_CHUNK_ENTRY_BYTES - GOLDEN_SECTIONS * HETCKPT_SECTION_BYTES -
		HETCKPT_INDEX_HEAD_BYTES;
	assert_memory_equal(file.data + index, "HCKINDEX", 8);

	save("good-raw", raw.data, raw.bytes);
	save("good-zstd", file.data, file.bytes);
	flip("bad-magic", file, 0, 0x20, true);
	flip("bad-version", file, 10, 1, true);
	flip("bad-manifest", file, 40, 1, false);
	/* The first block is that of "one", one byte; the next is text's. */
	flip("bad-content", file, HETCKPT_HEADER_BYTES + strlen(GOLDEN_MANIFEST) + 1 + 60, 1, false);
	flip("bad-index", file, index + 40, 1, false);
	/* The second chunk of text/again points one byte further. */
	flip("bad-overlap", file, index + HETCKPT_INDEX_HEAD_BYTES + GOLDEN_SECTIONS * HETCKPT_SECTION_BYTES +
		7 * HETCKPT_CHUNK_ENTRY_BYTES, 1, true);
	flip("bad-trailer", file, trailer + 100, 1, false);
	save("bad-truncated", file.data, file.bytes / 2);
	memcpy(longer, file.data, file.bytes);
	longer[file.bytes] = 0;
	save("bad-trailing", longer, file.bytes + 1);
	save("bad-empty", "", 0);
	/* The length of "zero" becomes 2^48 and more. */
	flip("bad-huge", file, index + HETCKPT_INDEX_HEAD_BYTES + 2 * HETCKPT_SECTION_BYTES + 6, 1, true);
	free(raw.data);
	free(file.data);
	free(longer);
	return 0;
}
