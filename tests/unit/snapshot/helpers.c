/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "helpers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t test_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u; /* SplitMix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void fill_random(unsigned char *to, size_t bytes, uint64_t seed)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		to[i] = (unsigned char)test_random(&seed);
}

static void fill_text(unsigned char *to, size_t bytes, uint64_t seed)
{
	static const char *const word[] = { "block ", "warp ", "lane ", "frame ", "launch ", "safepoint " };
	size_t at = 0;

	while (at < bytes) {
		const char *w = word[test_random(&seed) % 6];

		while (*w && at < bytes)
			to[at++] = (unsigned char)*w++;
	}
}

unsigned char *test_content(enum test_content kind, size_t bytes, uint64_t seed, size_t period)
{
	unsigned char *to = calloc(1, bytes + 1);
	size_t at, n;

	assert_non_null(to);
	switch (kind) {
	case TEST_ZERO:
		break;
	case TEST_RANDOM:
		fill_random(to, bytes, seed);
		break;
	case TEST_TEXT:
		fill_text(to, bytes, seed);
		break;
	case TEST_REPEAT:
		for (at = 0; at < bytes; at += n) {
			n = bytes - at < period ? bytes - at : period;
			fill_random(to + at, n, at / period % 3);
		}
		break;
	case TEST_MIXED:
		for (at = 0; at < bytes; at += n) {
			n = 1 + test_random(&seed) % (3 * period);
			n = bytes - at < n ? bytes - at : n;
			if (test_random(&seed) % 3 == 0)
				fill_random(to + at, n, seed);
			else if (test_random(&seed) % 2)
				fill_text(to + at, n, seed);
		}
		break;
	}
	return to;
}

struct test_bytes test_file_load(const char *path)
{
	struct test_bytes file;
	struct stat st;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	file.bytes = (size_t)st.st_size;
	file.data = malloc(file.bytes + 1);
	assert_non_null(file.data);
	assert_int_equal(read(fd, file.data, file.bytes), file.bytes);
	close(fd);
	return file;
}

void test_file_store(const char *path, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), bytes);
	close(fd);
}

char *test_folder_make(void)
{
	const char *base = getenv("TMPDIR");
	char *folder;

	assert_true(asprintf(&folder, "%s/hetckpt-test-XXXXXX", base ? base : "/tmp") > 0);
	assert_non_null(mkdtemp(folder));
	return folder;
}

static void for_each(const char *folder, void (*visit)(const char *path, void *ctx), void *ctx)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char *path;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		path = test_path(folder, entry->d_name);
		visit(path, ctx);
		free(path);
	}
	closedir(dir);
}

static void visit_remove(const char *path, void *ctx)
{
	if (unlink(path) < 0)
		rmdir(path);
}

static void visit_count(const char *path, void *ctx)
{
	++*(unsigned *)ctx;
}

void test_folder_remove(char *folder)
{
	for_each(folder, visit_remove, NULL);
	assert_int_equal(rmdir(folder), 0);
	free(folder);
}

unsigned test_folder_count(const char *folder)
{
	unsigned count = 0;

	for_each(folder, visit_count, &count);
	return count;
}

char *test_path(const char *folder, const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	return path;
}

int test_memfd(const void *data, size_t bytes)
{
	int fd = memfd_create("hetckpt-test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), bytes);
	return fd;
}

struct test_bytes test_small_snapshot(enum hetckpt_compress compress)
{
	struct hetckpt_writer_options options = {
		.compress = compress, .level = 3, .threads = 1, .chunk_bytes = HETCKPT_CHUNK_MIN
	};
	struct hetckpt_writer *writer;
	unsigned char *zero = test_content(TEST_ZERO, 5000, 0, 0);
	unsigned char *text = test_content(TEST_TEXT, 4500, 1, 0);
	unsigned char *noise = test_content(TEST_RANDOM, 300, 2, 0);
	struct test_bytes file;
	struct stat st;
	int fd = test_memfd("", 0);

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, NULL, &options, &writer));
	test_writer_ok(writer, hetckpt_writer_manifest_text(writer, "{\"kind\": \"test\", \"n\": 7}"));
	test_writer_ok(writer, hetckpt_writer_add(writer, "zero", 0, zero, 5000));
	test_writer_ok(writer, hetckpt_writer_add(writer, "text", HETCKPT_SECTION_REQUIRED, text, 4500));
	test_writer_ok(writer, hetckpt_writer_add(writer, "noise", 0, noise, 300));
	test_writer_ok(writer, hetckpt_writer_add(writer, "empty", 0, NULL, 0));
	test_writer_ok(writer, hetckpt_writer_add(writer, "noise/again", 0, noise, 300));
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	hetckpt_writer_close(writer);

	assert_int_equal(fstat(fd, &st), 0);
	file.bytes = (size_t)st.st_size;
	file.data = malloc(file.bytes);
	assert_int_equal(pread(fd, file.data, file.bytes, 0), file.bytes);
	close(fd);
	free(zero);
	free(text);
	free(noise);
	return file;
}

/* ---- Faults ------------------------------------------------------------------ */

/* Reads come from many threads; counting must not race. */
static pthread_mutex_t faults_lock = PTHREAD_MUTEX_INITIALIZER;

static bool interrupted(struct test_faults *f)
{
	if (f->interrupt && f->interrupts++ % 2 == 0) {
		errno = EINTR;
		return true;
	}
	return false;
}

static ssize_t faulty_write(void *ctx, int fd, const void *data, size_t bytes)
{
	struct test_faults *f = ctx;
	ssize_t n;

	f->writes++;
	if (interrupted(f))
		return -1;
	if (f->write_max && bytes > f->write_max)
		bytes = f->write_max;
	if (f->fail_write_at != UINT64_MAX && bytes > f->fail_write_at - f->written)
		bytes = (size_t)(f->fail_write_at - f->written);
	if (!bytes) {
		errno = f->write_errno;
		return -1;
	}
	n = write(fd, data, bytes);
	if (n > 0)
		f->written += (uint64_t)n;
	return n;
}

/* By offset: the disk is full from fail_write_at on, whoever comes first. */
static ssize_t faulty_pwrite(void *ctx, int fd, const void *data, size_t bytes, off_t offset)
{
	struct test_faults *f = ctx;
	bool interrupt;
	ssize_t n;

	pthread_mutex_lock(&faults_lock);
	f->writes++;
	interrupt = interrupted(f);
	pthread_mutex_unlock(&faults_lock);
	if (interrupt) {
		errno = EINTR;
		return -1;
	}
	if (f->write_max && bytes > f->write_max)
		bytes = f->write_max;
	if (f->fail_write_at != UINT64_MAX && (uint64_t)offset >= f->fail_write_at) {
		errno = f->write_errno;
		return -1;
	}
	if (f->fail_write_at != UINT64_MAX && bytes > f->fail_write_at - (uint64_t)offset)
		bytes = (size_t)(f->fail_write_at - (uint64_t)offset);
	n = pwrite(fd, data, bytes, offset);
	pthread_mutex_lock(&faults_lock);
	if (n > 0)
		f->written += (uint64_t)n;
	pthread_mutex_unlock(&faults_lock);
	return n;
}

static ssize_t faulty_pread(void *ctx, int fd, void *data, size_t bytes, off_t offset)
{
	struct test_faults *f = ctx;
	bool interrupt, fail;

	pthread_mutex_lock(&faults_lock);
	interrupt = interrupted(f);
	fail = !interrupt && f->preads++ == f->fail_pread;
	pthread_mutex_unlock(&faults_lock);
	if (interrupt) {
		errno = EINTR;
		return -1;
	}
	if (fail) {
		errno = EIO;
		return f->eof_pread ? 0 : -1;
	}
	if (f->write_max && bytes > f->write_max)
		bytes = f->write_max;
	return pread(fd, data, bytes, offset);
}

static int faulty_fsync(void *ctx, int fd)
{
	struct test_faults *f = ctx;

	if (interrupted(f))
		return -1;
	if (f->fsyncs++ == f->fail_fsync) {
		errno = EIO;
		return -1;
	}
	return fsync(fd);
}

static int faulty_rename(void *ctx, int dirfd, const char *from, const char *to)
{
	struct test_faults *f = ctx;

	if (f->renames++ == f->fail_rename) {
		errno = EACCES;
		return -1;
	}
	return renameat(dirfd, from, dirfd, to);
}

void test_faults_init(struct test_faults *faults, struct hetckpt_snap_io *io)
{
	*faults = (struct test_faults){
		.fail_write_at = UINT64_MAX,
		.write_errno = ENOSPC,
		.fail_fsync = UINT64_MAX,
		.fail_rename = UINT64_MAX,
		.fail_pread = UINT64_MAX,
	};
	*io = (struct hetckpt_snap_io){
		.ctx = faults,
		.write = faulty_write,
		.pwrite = faulty_pwrite,
		.pread = faulty_pread,
		.fsync = faulty_fsync,
		.rename = faulty_rename,
	};
}
