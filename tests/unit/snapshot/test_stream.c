/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Through pipes and sockets, which cannot seek, may not block, and may break.
 */
#include "helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BYTES ((size_t)5 << 20)

struct receiver {
	int fd;
	unsigned delay_us;      /* after each read */
	int rc;
	char error[256];
	unsigned char *back;
	uint64_t spool_max;
	pthread_t thread;
};

/* The other end: a reader that has to spool. */
static void *receive(void *arg)
{
	struct receiver *r = arg;
	struct hetckpt_reader_options options = { .threads = 2, .spool_max = r->spool_max };
	struct hetckpt_reader *reader;

	usleep(r->delay_us);
	r->rc = hetckpt_reader_open_fd(r->fd, "stream", &options, &reader);
	if (!r->rc)
		r->rc = hetckpt_reader_read(reader, 0, 0, r->back, BYTES);
	snprintf(r->error, sizeof(r->error), "%s", hetckpt_reader_error(reader));
	hetckpt_reader_close(reader);
	/* Otherwise a writer would wait for ever for somebody to read on. */
	close(r->fd);
	return NULL;
}

static void send_to(int fd, const unsigned char *data, unsigned threads)
{
	struct hetckpt_writer_options options = { .threads = threads };
	struct hetckpt_writer *writer;

	test_writer_ok(writer, hetckpt_writer_open_fd(fd, "stream", &options, &writer));
	test_writer_ok(writer, hetckpt_writer_manifest_text(writer, "{\"through\": \"a pipe\"}"));
	test_writer_ok(writer, hetckpt_writer_add(writer, "a", 0, data, BYTES));
	test_writer_ok(writer, hetckpt_writer_finish(writer));
	hetckpt_writer_close(writer);
}

static void through(int fds[2], unsigned threads)
{
	unsigned char *data = test_content(TEST_MIXED, BYTES, threads, 1 << 20);
	struct receiver r = { .fd = fds[0], .back = malloc(BYTES), .delay_us = 20000 };

	assert_int_equal(pthread_create(&r.thread, NULL, receive, &r), 0);
	send_to(fds[1], data, threads);
	close(fds[1]);
	pthread_join(r.thread, NULL);
	if (r.rc)
		fail_msg("%d: %s", r.rc, r.error);
	assert_memory_equal(r.back, data, BYTES);
	free(r.back);
	free(data);
}

static void test_pipe(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	through(fds, 3);
}

static void test_socket(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	through(fds, 2);
}

static void test_nonblocking(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	through(fds, 1);
}

/* A reader that went away is an error, and no signal. */
static void test_broken(void **state)
{
	unsigned char *data = test_content(TEST_RANDOM, BYTES, 1, 0);
	struct hetckpt_writer *writer;
	sigset_t pending, old;
	int fds[2], rc;

	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	signal(SIGPIPE, SIG_DFL);
	test_writer_ok(writer, hetckpt_writer_open_fd(fds[1], "broken", NULL, &writer));
	rc = hetckpt_writer_add(writer, "a", 0, data, BYTES);
	assert_int_equal(rc, -EPIPE);
	assert_non_null(strstr(hetckpt_writer_error(writer), "broken: cannot write at offset"));
	assert_int_equal(hetckpt_writer_finish(writer), -EPIPE);
	hetckpt_writer_close(writer);

	/* Also when the caller's thread is the one that writes. */
	test_writer_ok(writer, hetckpt_writer_open_fd(fds[1], "broken", NULL, &writer));
	assert_int_equal(hetckpt_writer_finish(writer), -EPIPE);
	hetckpt_writer_close(writer);
	sigpending(&pending);
	assert_false(sigismember(&pending, SIGPIPE));
	pthread_sigmask(SIG_BLOCK, NULL, &old);
	assert_false(sigismember(&old, SIGPIPE));
	close(fds[1]);
	free(data);
}

static void test_spool_limit(void **state)
{
	unsigned char *data = test_content(TEST_RANDOM, BYTES, 1, 0);
	struct receiver r = { .back = malloc(BYTES), .spool_max = 1 << 20 };
	struct hetckpt_writer *writer;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	r.fd = fds[0];
	assert_int_equal(pthread_create(&r.thread, NULL, receive, &r), 0);
	assert_int_equal(hetckpt_writer_open_fd(fds[1], NULL, NULL, &writer), 0);
	assert_int_equal(hetckpt_writer_add(writer, "a", 0, data, BYTES), -EPIPE);
	hetckpt_writer_close(writer);
	close(fds[1]);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.rc, -EFBIG);
	assert_non_null(strstr(r.error, "stream: longer than the 1048576 bytes"));
	free(r.back);
	free(data);
}

/* A stream that ends early is refused like a truncated file. */
static void test_cut(void **state)
{
	struct test_bytes file = test_small_snapshot(HETCKPT_COMPRESS_ZSTD);
	struct hetckpt_reader *reader;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], file.data, file.bytes - 1), file.bytes - 1);
	close(fds[1]);
	assert_int_equal(hetckpt_reader_open_fd(fds[0], "cut", NULL, &reader), -EBADMSG);
	assert_non_null(strstr(hetckpt_reader_error(reader), "cut: no trailer"));
	hetckpt_reader_close(reader);
	close(fds[0]);
	free(file.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_nonblocking),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_spool_limit),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
