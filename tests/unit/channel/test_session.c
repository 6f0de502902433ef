/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Session memory: what an opener refuses, replies, staging, failures. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/channel/ring.h"

static int setup(void **state)
{
	struct hetckpt_session *session = calloc(1, sizeof *session);

	*state = session;
	return !session || hetckpt_session_create(session, 1 << 17, 64 * HETCKPT_STAGING_CHUNK, 8);
}

static int teardown(void **state)
{
	hetckpt_session_close(*state);
	free(*state);
	return 0;
}

static void test_create_limits(void **state)
{
	struct hetckpt_session s;

	assert_int_equal(hetckpt_session_create(&s, 1 << 16, 0, 0), -EINVAL);
	assert_int_equal(hetckpt_session_create(&s, (1 << 20) + 4096, 0, 0), -EINVAL);
	assert_int_equal(hetckpt_session_create(&s, 0, 100, 0), -EINVAL);
	assert_int_equal(hetckpt_session_create(&s, 0, 0, 1 << 20), -EINVAL);
	assert_int_equal(hetckpt_session_create(&s, 0, 0, 0), 0);
	assert_int_equal(s.reply_slots, HETCKPT_SESSION_REPLY_SLOTS);
	assert_int_equal(ftruncate(s.fd, 4096), -1); /* sealed */
	hetckpt_session_close(&s);
	hetckpt_session_close(&s);
}

static void test_open_refuses(void **state)
{
	struct hetckpt_session *s = *state, other;
	struct hetckpt_session_control *c = s->control;
	int fd;

	assert_int_equal(hetckpt_session_open(&other, s->fd), 0);
	s->ring[5] = 77;
	assert_int_equal(other.ring[5], 77);
	assert_int_equal(other.ring[other.ring_bytes + 5], 77);
	hetckpt_session_close(&other);

	/* Each fixed field matters. */
	for (size_t i = 0; i < offsetof(struct hetckpt_session_control, staging_bytes) + 8; i++) {
		unsigned char *byte = (unsigned char *)c + i;

		*byte ^= 0x41;
		assert_true(hetckpt_session_open(&other, s->fd) < 0);
		*byte ^= 0x41;
	}
	c->abi++;
	assert_int_equal(hetckpt_session_open(&other, s->fd), -EPROTONOSUPPORT);
	c->abi--;

	fd = memfd_create("empty", MFD_CLOEXEC);
	assert_int_equal(hetckpt_session_open(&other, fd), -EPROTO);
	close(fd);
	/* A copy that could be shrunk under its readers. */
	fd = memfd_create("unsealed", MFD_CLOEXEC);
	assert_int_equal(write(fd, c, 4096), 4096);
	assert_int_equal(ftruncate(fd, (off_t)s->total_bytes), 0);
	assert_int_equal(hetckpt_session_open(&other, fd), -EPROTO);
	close(fd);
	assert_int_equal(hetckpt_session_open(&other, -1), -EBADF);
	assert_null(other.control);
}

static uint64_t command(struct hetckpt_session *s, uint32_t slot)
{
	struct hetckpt_ring ring;
	struct hetckpt_msg *msg;

	hetckpt_ring_produce(&ring, s);
	assert_int_equal(hetckpt_ring_reserve(&ring, 32, &msg), 0);
	msg->reply = slot;
	return hetckpt_ring_commit(&ring);
}

static void test_replies(void **state)
{
	struct hetckpt_session *s = *state;
	uint32_t bell = s->control->notify_bell;
	uint64_t seq;

	hetckpt_reply_expect(s, 3, 0);
	seq = command(s, 3);
	assert_int_equal(hetckpt_reply_wait(s, 3, 5), -ETIMEDOUT);
	assert_int_equal(hetckpt_reply_send(s, 3, seq + 1, 0, NULL, 0), -ESTALE);
	assert_int_equal(hetckpt_reply_send(s, 8, seq, 0, NULL, 0), -EINVAL);
	assert_int_equal(hetckpt_reply_send(s, 3, seq, 0, "x", HETCKPT_REPLY_BYTES + 1), -EINVAL);
	assert_int_equal(hetckpt_reply_send(s, HETCKPT_NO_REPLY, seq, 0, NULL, 0), 0);
	assert_int_equal(hetckpt_reply_send(s, 3, seq, 17, "answer", 7), 0);
	assert_int_equal(hetckpt_reply_wait(s, 3, 0), 0);
	assert_int_equal(s->reply[3].code, 17);
	assert_int_equal(s->reply[3].bytes, 7);
	assert_string_equal((char *)s->reply[3].data, "answer");
	/* Once only. */
	assert_int_equal(hetckpt_reply_send(s, 3, seq, 18, NULL, 0), -ESTALE);
	assert_int_equal(s->reply[3].code, 17);
	hetckpt_reply_forget(s, 3);
	assert_int_equal(s->control->notify_bell, bell);

	/* Given up and reused: the late answer to the first must not answer the second. */
	hetckpt_reply_expect(s, 3, 0);
	seq = command(s, 3);
	hetckpt_reply_forget(s, 3);
	assert_int_equal(hetckpt_reply_send(s, 3, seq, 0, NULL, 0), -ESTALE);
	hetckpt_reply_expect(s, 3, HETCKPT_REPLY_NOTIFY);
	assert_int_equal(hetckpt_reply_send(s, 3, seq, 0, NULL, 0), -ESTALE);
	assert_int_equal(hetckpt_reply_send(s, 3, command(s, 3), 0, NULL, 0), 0);
	assert_int_equal(s->control->notify_bell, bell + 1);
	hetckpt_reply_forget(s, 3);
}

static void test_staging(void **state)
{
	enum { CHUNK = HETCKPT_STAGING_CHUNK };
	struct hetckpt_session *s = *state;
	uint64_t hint = 0, a, b, c;

	assert_int_equal(hetckpt_staging_take(s, 0, &hint, &a, 0), -E2BIG);
	assert_int_equal(hetckpt_staging_take(s, 64 * CHUNK + 1, &hint, &a, 0), -E2BIG);
	assert_int_equal(hetckpt_staging_take(s, 60 * CHUNK, &hint, &a, 0), 0);
	assert_int_equal(a, 0);
	assert_int_equal(hetckpt_staging_take(s, 3 * CHUNK + 1, &hint, &b, 0), 0);
	assert_int_equal(b, 60 * CHUNK);
	assert_int_equal(hetckpt_staging_take(s, 1, &hint, &c, 0), -EAGAIN);
	assert_int_equal(hetckpt_staging_take(s, 1, &hint, &c, 5), -EAGAIN);
	assert_int_equal(hetckpt_staging_release(s, 1, 1), -EINVAL);
	assert_int_equal(hetckpt_staging_release(s, 64 * CHUNK, 1), -EINVAL);
	assert_int_equal(hetckpt_staging_release(s, 0, 64 * CHUNK + 1), -EINVAL);
	assert_int_equal(hetckpt_staging_release(s, UINT64_MAX - CHUNK + 1, 2 * CHUNK), -EINVAL);
	assert_int_equal(hetckpt_staging_release(s, a, 60 * CHUNK), 0);
	/* A run does not go over the end, and is found beyond it. */
	hint = 63;
	assert_int_equal(hetckpt_staging_take(s, 60 * CHUNK, &hint, &c, 0), 0);
	assert_int_equal(c, 0);
	assert_int_equal(hetckpt_staging_take(s, 1, &hint, &a, 0), -EAGAIN);
	assert_int_equal(hetckpt_staging_release(s, b + 2 * CHUNK, CHUNK), 0);
	assert_int_equal(hetckpt_staging_take(s, CHUNK, &hint, &a, 0), 0);
	assert_int_equal(a, 62 * CHUNK);
}

static void *release_later(void *session)
{
	usleep(20000);
	hetckpt_staging_release(session, 0, 1);
	return NULL;
}

static void test_staging_wait(void **state)
{
	struct hetckpt_session *s = *state;
	uint64_t hint = 0, offset;
	pthread_t thread;

	assert_int_equal(hetckpt_staging_take(s, s->staging_bytes, &hint, &offset, 0), 0);
	pthread_create(&thread, NULL, release_later, s);
	assert_int_equal(hetckpt_staging_take(s, 1, &hint, &offset, 20000), 0);
	assert_int_equal(offset, 0);
	pthread_join(thread, NULL);
}

static void test_failure(void **state)
{
	struct hetckpt_session *s = *state;
	char line[HETCKPT_SESSION_MESSAGE_BYTES];
	char longest[2 * HETCKPT_SESSION_MESSAGE_BYTES];
	uint32_t code;

	assert_false(hetckpt_session_failed(s));
	assert_int_equal(hetckpt_session_failure(s, &code, line, sizeof line), -ENOENT);
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = 0;
	hetckpt_session_fail(s, 0, longest);
	hetckpt_session_fail(s, 1, "second");
	assert_true(hetckpt_session_failed(s));
	assert_int_equal(hetckpt_session_failure(s, &code, line, sizeof line), 0);
	assert_int_equal(code, 46);
	assert_int_equal(strlen(line), sizeof line - 1);
	assert_int_equal(hetckpt_session_failure(s, NULL, line, 4), 0);
	assert_string_equal(line, "xxx");

	hetckpt_session_raise(s, 700);
	hetckpt_session_raise(s, 701);
	assert_int_equal(s->control->async_error, 700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_limits),
		cmocka_unit_test_setup_teardown(test_open_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_staging, setup, teardown),
		cmocka_unit_test_setup_teardown(test_staging_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure, setup, teardown),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
