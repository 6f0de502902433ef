/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * fuzz_snapshot.c - the reader of snapshots gets any bytes: as they are, and
 * with the hashes of the metadata made right, so that what lies behind them is
 * reached too.
 *
 * Beyond not crashing: failures have a negative code and a message that begins
 * with the file's name, success has none; and what verify finds right can be read.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/snapshot/reader.h"
#include "tests/unit/snapshot/reseal.h"

#define NAME "input"
#define READ_MAX (64u << 10)
/* A section of zeros may claim to be as long as it likes. */
#define CHUNKS_MAX 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(const struct hetckpt_reader *reader, int rc)
{
	const char *error = hetckpt_reader_error(reader);

	if (rc > 0 || (rc < 0 && strncmp(error, NAME ": ", strlen(NAME ": ")) != 0) || (rc == 0 && *error)) {
		fprintf(stderr, "rc %d with message '%s'\n", rc, error);
		abort();
	}
}

struct taken {
	unsigned chunks;
	uint64_t next;
	unsigned sum;
};

static int take(void *ctx, uint64_t offset, const void *data, size_t length)
{
	struct taken *taken = ctx;

	if (offset != taken->next)
		abort();
	taken->next += length;
	if (data) /* touch both ends */
		taken->sum += ((const uint8_t *)data)[0] + ((const uint8_t *)data)[length - 1];
	return ++taken->chunks >= CHUNKS_MAX ? -ENOBUFS : 0;
}

static int known(void *ctx, const char *name)
{
	return name[0] != 'x';
}

static void read_section(struct hetckpt_reader *reader, size_t number, bool verified)
{
	static uint8_t buffer[READ_MAX];
	const struct hetckpt_section *section = hetckpt_reader_section(reader, number);
	struct hetckpt_chunk_info info;
	struct taken taken = { 0 };
	uint64_t offset;
	size_t found, n;
	int rc;

	rc = hetckpt_reader_find(reader, section->name, &found);
	check(reader, rc);
	if (rc || found != number)
		abort();
	rc = hetckpt_reader_each(reader, number, HETCKPT_READ_IN_ORDER, take, &taken);
	check(reader, rc);
	if (verified && rc && rc != -ENOBUFS)
		abort();
	n = section->bytes < READ_MAX ? (size_t)section->bytes : READ_MAX;
	offset = section->bytes - n;
	rc = hetckpt_reader_read(reader, number, offset / 2, buffer, n);
	check(reader, rc);
	if (verified && rc)
		abort();
	rc = hetckpt_reader_read(reader, number, section->bytes, buffer, 1);
	check(reader, rc);
	if (rc != -ERANGE)
		abort();
	if (section->chunks) {
		rc = hetckpt_reader_chunk(reader, number, section->chunks - 1, &info);
		check(reader, rc);
		if (rc || !info.bytes || info.file_offset + info.stored_bytes > hetckpt_reader_file_bytes(reader))
			abort();
	}
}

static void read_all(const uint8_t *data, size_t bytes)
{
	struct hetckpt_reader_options options = { .threads = bytes % 16 == 0 ? 2 : 1 };
	struct hetckpt_reader *reader;
	size_t i, sections;
	bool verified;
	int fd, rc;

	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		abort();
	rc = hetckpt_reader_open_fd(fd, NAME, &options, &reader);
	check(reader, rc);
	if (!rc) {
		rc = hetckpt_reader_verify(reader, NULL, NULL);
		check(reader, rc);
		verified = rc == 0;
		check(reader, hetckpt_reader_check_required(reader, known, NULL));
		if (!json_is_object(hetckpt_reader_manifest(reader)))
			abort();
		sections = hetckpt_reader_count(reader);
		for (i = 0; i < sections && i < CHUNKS_MAX; i++)
			read_section(reader, i, verified);
	}
	hetckpt_reader_close(reader);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t *copy;

	read_all(data, bytes);
	copy = malloc(bytes ? bytes : 1);
	if (!copy)
		return 0;
	memcpy(copy, data, bytes);
	if (test_reseal(copy, bytes))
		read_all(copy, bytes);
	free(copy);
	return 0;
}
