/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * helpers.h - what the snapshot tests share: content, files, and faulty I/O.
 */
#ifndef HETCKPT_TEST_SNAPSHOT_HELPERS_H
#define HETCKPT_TEST_SNAPSHOT_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/snapshot/io.h"
#include "runtime/snapshot/reader.h"
#include "runtime/snapshot/writer.h"

/* A function of seed; the same on every machine. */
uint64_t test_random(uint64_t *state);

enum test_content {
	TEST_ZERO,   /* all zero */
	TEST_RANDOM, /* does not compress */
	TEST_TEXT,   /* compresses */
	TEST_REPEAT, /* random chunks of period bytes, each of them many times */
	TEST_MIXED   /* stretches of all of these */
};
/* Memory of at least one byte, to be freed. */
unsigned char *test_content(enum test_content kind, size_t bytes, uint64_t seed, size_t period);

struct test_bytes {
	unsigned char *data;
	size_t bytes;
};
struct test_bytes test_file_load(const char *path);
void test_file_store(const char *path, const void *data, size_t bytes);

/* A folder of its own for each test, removed with what is in it. */
char *test_folder_make(void);
void test_folder_remove(char *folder);
unsigned test_folder_count(const char *folder); /* entries */
char *test_path(const char *folder, const char *name);

/* Assert that call returns 0 and show the handle's message if not. Macros, because
   call may be what sets the handle. */
#define TEST_OK_(call, message) \
	do { \
		int test_rc_ = (call); \
		if (test_rc_) \
			fail_msg("%d: %s", test_rc_, message); \
	} while (0)
#define test_writer_ok(writer, call) TEST_OK_(call, hetckpt_writer_error(writer))
#define test_reader_ok(reader, call) TEST_OK_(call, hetckpt_reader_error(reader))

/* Memory as a file. Close it. */
int test_memfd(const void *data, size_t bytes);

/* A snapshot, in memory, with a manifest and sections that use every method and
   share blocks; about 1 KB, or more with larger units. */
struct test_bytes test_small_snapshot(enum hetckpt_compress compress);

/* I/O that fails on purpose. Counts from 0; UINT64_MAX: never. */
struct test_faults {
	uint64_t fail_write_at; /* byte at which writing fails ... */
	int write_errno;        /* ... with this */
	size_t write_max;       /* most bytes a call takes; 0: any */
	bool interrupt;         /* every other call fails with EINTR */
	uint64_t fail_fsync;    /* number of the call that fails */
	uint64_t fail_rename;
	uint64_t fail_pread;    /* number of the call that fails */
	bool eof_pread;         /* ... by reading nothing */
	uint64_t written, writes, fsyncs, renames, preads, interrupts;
};
void test_faults_init(struct test_faults *faults, struct hetckpt_snap_io *io);

#endif
