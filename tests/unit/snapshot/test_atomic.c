/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A path holds the old file or the complete new one, and nothing is left beside it.
 */
#include "helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/snapshot/atomic_file.h"

static bool no_tmpfile; /* as on file systems without O_TMPFILE */

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);

/* The linker sends the library's calls here. */
int __wrap_openat(int folder, const char *path, int flags, ...)
{
	if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return __real_openat(folder, path, flags, 0600);
}

struct place {
	char *folder, *path;
	struct test_faults faults;
	struct hetckpt_snap_io io;
	struct hetckpt_writer_options options;
};

static struct place place_make(void)
{
	struct place place = { .folder = test_folder_make() };

	place.path = test_path(place.folder, "a.hckpt");
	place.options.threads = 2;
	return place;
}

static void place_remove(struct place *place)
{
	free(place->path);
	test_folder_remove(place->folder);
}

static int write_text(struct place *place, const char *text, struct hetckpt_writer **writer)
{
	int rc = hetckpt_writer_open(place->path, &place->options, writer);

	if (!rc)
		rc = hetckpt_writer_add(*writer, "text", 0, text, strlen(text));
	if (!rc)
		rc = hetckpt_writer_finish(*writer);
	return rc;
}

static void store(struct place *place, const char *text)
{
	struct hetckpt_writer *writer;

	test_writer_ok(writer, write_text(place, text, &writer));
	hetckpt_writer_close(writer);
}

static void expect(struct place *place, const char *text)
{
	struct hetckpt_reader *reader;
	char back[64] = "";

	test_reader_ok(reader, hetckpt_reader_open(place->path, NULL, &reader));
	assert_int_equal(hetckpt_reader_section(reader, 0)->bytes, strlen(text));
	test_reader_ok(reader, hetckpt_reader_read(reader, 0, 0, back, strlen(text)));
	assert_string_equal(back, text);
	hetckpt_reader_close(reader);
	assert_int_equal(test_folder_count(place->folder), 1);
}

static void test_replace(void **state)
{
	struct place place = place_make();
	struct stat st;

	store(&place, "old");
	expect(&place, "old");
	assert_int_equal(stat(place.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	store(&place, "new");
	expect(&place, "new");
	place_remove(&place);
}

static void test_abandon(void **state)
{
	struct place place = place_make();
	struct hetckpt_writer *writer;

	test_writer_ok(writer, hetckpt_writer_open(place.path, NULL, &writer));
	test_writer_ok(writer, hetckpt_writer_add(writer, "a", 0, "abc", 3));
	hetckpt_writer_close(writer);
	assert_int_equal(test_folder_count(place.folder), 0);
	store(&place, "old");
	test_writer_ok(writer, hetckpt_writer_open(place.path, NULL, &writer));
	test_writer_ok(writer, hetckpt_writer_add(writer, "a", 0, "abc", 3));
	assert_int_equal(test_folder_count(place.folder), no_tmpfile ? 2 : 1);
	hetckpt_writer_close(writer);
	expect(&place, "old");
	place_remove(&place);
}

/* A link stays one; what it points to is replaced. */
static void test_link(void **state)
{
	struct place place = place_make();
	char *link = test_path(place.folder, "latest");
	struct stat st;
	char *target = place.path;

	store(&place, "old");
	assert_int_equal(symlink("a.hckpt", link), 0);
	place.path = link;
	store(&place, "new");
	place.path = target;
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink(link), 0);
	expect(&place, "new");
	free(link);
	place_remove(&place);
}

static void refused(const char *path, int code, const char *part)
{
	struct hetckpt_writer *writer;

	assert_int_equal(hetckpt_writer_open(path, NULL, &writer), code);
	if (!strstr(hetckpt_writer_error(writer), part) || !strstr(hetckpt_writer_error(writer), path))
		fail_msg("'%s' and '%s' not in: %s", path, part, hetckpt_writer_error(writer));
	hetckpt_writer_close(writer);
}

static void test_refused(void **state)
{
	struct place place = place_make();
	char *nowhere = test_path(place.folder, "none/a"), *fifo = test_path(place.folder, "fifo");
	char name[250];
	char *longer;

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	longer = test_path(place.folder, name);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	refused(nowhere, -ENOENT, "cannot open folder");
	refused(place.folder, -EISDIR, "is a folder");
	refused(fifo, -EINVAL, "is not a regular file");
	refused("/", -EISDIR, "");
	refused("", -EISDIR, "");
	refused(longer, -ENAMETOOLONG, "too long");
	free(nowhere);
	free(fifo);
	free(longer);
	place_remove(&place);
}

/* Each step of putting the file in place fails once. */
static void test_steps(void **state)
{
	struct place place = place_make();
	struct hetckpt_writer *writer;

	store(&place, "old");
	place.options.io = &place.io;

	test_faults_init(&place.faults, &place.io);
	place.faults.fail_fsync = 0;
	assert_int_equal(write_text(&place, "new", &writer), -EIO);
	assert_non_null(strstr(hetckpt_writer_error(writer), "cannot sync"));
	hetckpt_writer_close(writer);
	expect(&place, "old");

	test_faults_init(&place.faults, &place.io);
	place.faults.fail_rename = 0;
	assert_int_equal(write_text(&place, "new", &writer), -EACCES);
	assert_non_null(strstr(hetckpt_writer_error(writer), "cannot rename"));
	hetckpt_writer_close(writer);
	expect(&place, "old");

	test_faults_init(&place.faults, &place.io);
	place.faults.fail_fsync = 1;
	assert_int_equal(write_text(&place, "new", &writer), -EIO);
	assert_non_null(strstr(hetckpt_writer_error(writer), "its folder cannot be synced"));
	hetckpt_writer_close(writer);
	expect(&place, "new");

	test_faults_init(&place.faults, &place.io);
	store(&place, "newer");
	assert_int_equal(place.faults.fsyncs, 2);
	test_faults_init(&place.faults, &place.io);
	place.options.no_sync = true;
	store(&place, "newest");
	assert_int_equal(place.faults.fsyncs, 0);
	expect(&place, "newest");
	place_remove(&place);
}

/* Killed in the middle: the old file stays, and nothing else does once the next
   writer has come by. */
static void test_killed(void **state)
{
	struct place place = place_make();
	struct hetckpt_writer *writer;
	int status;
	pid_t child;

	store(&place, "old");
	child = fork();
	if (child == 0) {
		if (hetckpt_writer_open(place.path, NULL, &writer) == 0 &&
				hetckpt_writer_add(writer, "a", 0, "abc", 3) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(test_folder_count(place.folder), no_tmpfile ? 2 : 1);
	store(&place, "new");
	expect(&place, "new");
	place_remove(&place);
}

/* Temporaries with a name: those that nobody holds go, others stay. */
static void test_sweep(void **state)
{
	struct place place = place_make();
	char *orphan = test_path(place.folder, ".a.hckpt.0123abcd.hetckpt-tmp");
	char *held = test_path(place.folder, ".a.hckpt.89abcdef.hetckpt-tmp");
	char *other = test_path(place.folder, ".b.hckpt.0123abcd.hetckpt-tmp");
	char *similar = test_path(place.folder, ".a.hckpt.0123abcd.hetckpt-tmp.bak");
	int fd;

	test_file_store(orphan, "x", 1);
	test_file_store(held, "x", 1);
	test_file_store(other, "x", 1);
	test_file_store(similar, "x", 1);
	fd = open(held, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	store(&place, "new");
	assert_int_equal(access(orphan, F_OK), -1);
	assert_int_equal(access(held, F_OK), 0);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(access(similar, F_OK), 0);
	close(fd);
	store(&place, "newer");
	assert_int_equal(access(held, F_OK), -1);
	free(orphan);
	free(held);
	free(other);
	free(similar);
	place_remove(&place);
}

/* A descriptor from an atomic file, written by somebody else: how a supervisor
   has a worker write. */
static void test_handed_over(void **state)
{
	struct place place = place_make();
	struct hetckpt_atomic_file *file;
	struct hetckpt_writer *writer;

	store(&place, "old");
	assert_int_equal(hetckpt_atomic_open(place.path, NULL, &file), 0);
	test_writer_ok(writer, hetckpt_writer_open_fd(hetckpt_atomic_fd(file), NULL, NULL, &writer));
	test_writer_ok(writer, hetckpt_writer_add(writer, "text", 0, "new", 3));
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	hetckpt_writer_close(writer);
	assert_int_equal(hetckpt_atomic_commit(file, true), 0);
	assert_int_equal(hetckpt_atomic_commit(file, true), -EINVAL);
	hetckpt_atomic_close(file);
	expect(&place, "new");

	assert_int_equal(hetckpt_atomic_open(place.path, NULL, &file), 0);
	hetckpt_atomic_close(file);
	hetckpt_atomic_close(NULL);
	expect(&place, "new");
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_abandon),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_handed_over),
	};

	int failed = cmocka_run_group_tests_name("without a name", tests, NULL, NULL);

	no_tmpfile = true;
	return failed + cmocka_run_group_tests_name("with a temporary name", tests, NULL, NULL);
}
