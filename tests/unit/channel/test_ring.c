/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The ring between two processes: order, wrap-around, a full ring, workers that die. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/channel/ring.h"

#define SMALL_RING (128u << 10)
#define PATIENCE_MS 100
#define COMMANDS 60000u

/* A body whose length and contents follow from the command's number. */
static uint32_t body_bytes(uint64_t seq)
{
	uint64_t h = seq * 0x9e3779b97f4a7c15ull;

	return seq % 500 == 0 ? HETCKPT_MSG_MAX_BYTES - 64 : (uint32_t)(h >> 54);
}

static unsigned char body_byte(uint64_t seq, uint32_t i)
{
	return (unsigned char)(seq * 31 + i * 7 + (i >> 8));
}

static void produce_one(struct hetckpt_ring *ring)
{
	uint64_t seq = ring->seq + 1;
	uint32_t bytes = HETCKPT_MSG_BYTES(body_bytes(seq));
	struct hetckpt_msg *msg;
	unsigned char *body;
	int result;

	while ((result = hetckpt_ring_reserve(ring, bytes, &msg)) == -EAGAIN)
		hetckpt_ring_wait_space(ring, bytes, PATIENCE_MS);
	assert_int_equal(result, 0);
	msg->type = HETCKPT_MSG_LAUNCH;
	body = (unsigned char *)(msg + 1);
	for (uint32_t i = 0; i < bytes - sizeof *msg; i++)
		body[i] = body_byte(seq, i);
	assert_int_equal(hetckpt_ring_commit(ring), seq);
}

/* 0 if the record is what the producer wrote for that number. */
static int check_record(const struct hetckpt_msg *msg, uint32_t bytes, uint64_t seq)
{
	const unsigned char *body = (const unsigned char *)(msg + 1);

	if (msg->seq != seq || bytes != HETCKPT_MSG_BYTES(body_bytes(seq)) || msg->type != HETCKPT_MSG_LAUNCH)
		return -1;
	for (uint32_t i = 0; i < bytes - sizeof *msg; i++)
		if (body[i] != body_byte(seq, i))
			return -1;
	return 0;
}

/* Consumes until command last. Returns 0, or 1 on any surprise. */
static int consume(struct hetckpt_session *session, uint64_t from, uint64_t last, unsigned spin_us)
{
	struct hetckpt_ring ring;

	if (hetckpt_ring_claim(&ring, session, from))
		return 1;
	while (ring.seq < last) {
		uint32_t ticket = hetckpt_ring_ticket(&ring);
		const struct hetckpt_msg *msg;
		uint32_t bytes;
		int result = hetckpt_ring_peek(&ring, &msg, &bytes);

		if (result == -EAGAIN) {
			hetckpt_ring_wait(&ring, ticket, PATIENCE_MS, spin_us);
			continue;
		}
		if (result || check_record(msg, bytes, ring.seq + 1) || hetckpt_ring_advance(&ring))
			return 1;
		hetckpt_ring_retire(session, ring.seq);
	}
	return 0;
}

static int exit_status(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void two_processes(unsigned spin_us)
{
	struct hetckpt_session session, mine;
	struct hetckpt_ring ring;
	pid_t child;

	assert_int_equal(hetckpt_session_create(&session, SMALL_RING, 1 << 20, 16), 0);
	child = fork();
	if (child == 0)
		_exit(hetckpt_session_open(&mine, session.fd) || consume(&mine, 0, COMMANDS, spin_us));
	hetckpt_ring_produce(&ring, &session);
	for (unsigned i = 0; i < COMMANDS; i++)
		produce_one(&ring);
	assert_int_equal(exit_status(child), 0);
	assert_int_equal(session.control->retired_seq, COMMANDS);
	assert_int_equal(session.control->head, session.control->tail);
	assert_true(session.control->tail > 50ull * SMALL_RING);
	hetckpt_session_close(&session);
}

static void test_order_and_wrap(void **state) { two_processes(20); }
static void test_order_without_spinning(void **state) { two_processes(0); }

static void test_full(void **state)
{
	struct hetckpt_session session;
	struct hetckpt_ring producer, consumer;
	const struct hetckpt_msg *seen;
	struct hetckpt_msg *msg;
	uint32_t bytes, count = 0;

	assert_int_equal(hetckpt_session_create(&session, SMALL_RING, 1 << 20, 16), 0);
	hetckpt_ring_produce(&producer, &session);
	while (hetckpt_ring_reserve(&producer, 1024, &msg) == 0) {
		hetckpt_ring_commit(&producer);
		count++;
	}
	assert_int_equal(count, SMALL_RING / 1024);
	assert_int_equal(hetckpt_ring_reserve(&producer, 32, &msg), -EAGAIN);
	assert_int_equal(hetckpt_ring_wait_space(&producer, 32, 10), -ETIMEDOUT);
	assert_int_equal(hetckpt_ring_claim(&consumer, &session, 0), 0);
	assert_int_equal(hetckpt_ring_advance(&consumer), -EINVAL);
	assert_int_equal(hetckpt_ring_peek(&consumer, &seen, &bytes), 0);
	assert_int_equal(bytes, 1024);
	/* Looking at it frees nothing. */
	assert_int_equal(hetckpt_ring_reserve(&producer, 32, &msg), -EAGAIN);
	assert_int_equal(hetckpt_ring_advance(&consumer), 0);
	assert_int_equal(hetckpt_ring_wait_space(&producer, 1024, 0), 0);
	assert_int_equal(hetckpt_ring_reserve(&producer, 1040, &msg), -EAGAIN);
	assert_int_equal(hetckpt_ring_reserve(&producer, 1024, &msg), 0);
	assert_int_equal(hetckpt_ring_commit(&producer), count + 1);
	assert_int_equal(hetckpt_ring_reserve(&producer, HETCKPT_MSG_MAX_BYTES + 16, &msg), -E2BIG);
	assert_int_equal(hetckpt_ring_reserve(&producer, 8, &msg), -EINVAL);
	assert_int_equal(hetckpt_ring_reserve(&producer, 1023, &msg), -EINVAL);
	hetckpt_session_close(&session);
}

/* Workers that are killed while they look at a command leave it to the next one. */
static void test_killed_while_looking(void **state)
{
	enum { WORKERS = 20, EACH = 50 };
	struct hetckpt_session session;
	struct hetckpt_ring ring;

	assert_int_equal(hetckpt_session_create(&session, SMALL_RING, 1 << 20, 16), 0);
	hetckpt_ring_produce(&ring, &session);
	for (unsigned w = 0; w < WORKERS; w++) {
		pid_t child;

		for (unsigned i = 0; i < EACH; i++)
			produce_one(&ring);
		child = fork();
		if (child == 0) {
			struct hetckpt_ring mine;
			const struct hetckpt_msg *msg;
			uint32_t bytes;

			/* All but the last of this batch, then a look at the next, then death. */
			if (hetckpt_ring_claim(&mine, &session, w ? w * EACH - 1 : 0))
				_exit(1);
			while (mine.seq < (w + 1) * EACH - 1)
				if (hetckpt_ring_peek(&mine, &msg, &bytes) ||
				    check_record(msg, bytes, mine.seq + 1) || hetckpt_ring_advance(&mine))
					_exit(1);
			if (hetckpt_ring_peek(&mine, &msg, &bytes))
				_exit(1);
			raise(SIGKILL);
		}
		assert_int_equal(exit_status(child), SIGKILL);
		assert_int_equal(session.control->taken_seq, (w + 1) * EACH - 1);
	}
	assert_int_equal(consume(&session, WORKERS * EACH - 1, WORKERS * EACH, 0), 0);
	hetckpt_session_close(&session);
}

/* Commands that a dead worker had taken are known, and its state cannot be mixed up. */
static void test_killed_with_commands_in_hand(void **state)
{
	struct hetckpt_session session;
	struct hetckpt_ring ring, next;
	pid_t child;

	assert_int_equal(hetckpt_session_create(&session, SMALL_RING, 1 << 20, 16), 0);
	hetckpt_ring_produce(&ring, &session);
	for (int i = 0; i < 10; i++)
		produce_one(&ring);
	child = fork();
	if (child == 0) {
		const struct hetckpt_msg *msg;
		struct hetckpt_ring mine;
		uint32_t bytes;

		if (hetckpt_ring_claim(&mine, &session, 0))
			_exit(1);
		while (mine.seq < 7)
			if (hetckpt_ring_peek(&mine, &msg, &bytes) || hetckpt_ring_advance(&mine))
				_exit(1);
		hetckpt_ring_retire(&session, 4);
		hetckpt_ring_retire(&session, 3); /* never goes back */
		raise(SIGKILL);
	}
	assert_int_equal(exit_status(child), SIGKILL);
	assert_int_equal(session.control->taken_seq, 7);
	assert_int_equal(session.control->retired_seq, 4);
	assert_int_equal(hetckpt_ring_claim(&next, &session, 4), -ESTALE);
	assert_int_equal(hetckpt_ring_claim(&next, &session, 10), -ESTALE);
	/* A snapshot that includes 7, done or queued, goes on at 8. */
	assert_int_equal(consume(&session, 7, 10, 0), 0);
	hetckpt_session_close(&session);
}

static void test_displaced_consumer(void **state)
{
	const struct hetckpt_msg *msg;
	struct hetckpt_session session;
	struct hetckpt_ring ring, old, new;
	uint32_t bytes;

	assert_int_equal(hetckpt_session_create(&session, SMALL_RING, 1 << 20, 16), 0);
	hetckpt_ring_produce(&ring, &session);
	produce_one(&ring);
	assert_int_equal(hetckpt_ring_claim(&old, &session, 0), 0);
	assert_int_equal(hetckpt_ring_peek(&old, &msg, &bytes), 0);
	assert_int_equal(hetckpt_ring_claim(&new, &session, 0), 0);
	assert_int_equal(hetckpt_ring_advance(&old), -EOWNERDEAD);
	assert_int_equal(hetckpt_ring_peek(&old, &msg, &bytes), -EOWNERDEAD);
	assert_int_equal(session.control->taken_seq, 0);
	assert_int_equal(hetckpt_ring_peek(&new, &msg, &bytes), 0);
	assert_int_equal(hetckpt_ring_advance(&new), 0);
	/* It may have the ring back as long as its state is where the ring stands. */
	assert_int_equal(hetckpt_ring_claim(&old, &session, 0), -ESTALE);
	assert_int_equal(hetckpt_ring_claim(&old, &session, 1), 0);
	assert_int_equal(hetckpt_ring_peek(&new, &msg, &bytes), -EOWNERDEAD);
	hetckpt_session_close(&session);
}

/* Whatever lies in the ring, peek refuses what it cannot hold. */
static void test_malformed(void **state)
{
	static const uint32_t lengths[] = {0, 8, 16, 23, 33, 4096, HETCKPT_MSG_MAX_BYTES + 16, 0xfffffff0u};
	const struct hetckpt_msg *msg;
	struct hetckpt_session session;
	struct hetckpt_ring ring, consumer;
	struct hetckpt_msg *record;
	uint32_t bytes;

	assert_int_equal(hetckpt_session_create(&session, SMALL_RING, 1 << 20, 16), 0);
	hetckpt_ring_produce(&ring, &session);
	assert_int_equal(hetckpt_ring_reserve(&ring, 32, &record), 0);
	record->reply = 0xdeadbeef; /* not a slot: must not be written to */
	hetckpt_ring_commit(&ring);
	assert_int_equal(hetckpt_ring_claim(&consumer, &session, 0), 0);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		record->bytes = lengths[i];
		assert_int_equal(hetckpt_ring_peek(&consumer, &msg, &bytes), -EPROTO);
	}
	record->bytes = 32;
	assert_int_equal(hetckpt_ring_peek(&consumer, &msg, &bytes), 0);
	record->seq = 2;
	assert_int_equal(hetckpt_ring_peek(&consumer, &msg, &bytes), -EPROTO);
	record->seq = 1;
	session.control->tail = 16;
	assert_int_equal(hetckpt_ring_peek(&consumer, &msg, &bytes), -EPROTO);
	session.control->tail = SMALL_RING + 16;
	assert_int_equal(hetckpt_ring_peek(&consumer, &msg, &bytes), -EPROTO);
	hetckpt_session_close(&session);
}

static void *kick_later(void *session)
{
	usleep(20000);
	hetckpt_ring_kick(session);
	return NULL;
}

static void test_kick(void **state)
{
	struct hetckpt_session session;
	struct hetckpt_ring consumer, producer;
	pthread_t thread;
	uint32_t ticket;

	assert_int_equal(hetckpt_session_create(&session, SMALL_RING, 1 << 20, 16), 0);
	assert_int_equal(hetckpt_ring_claim(&consumer, &session, 0), 0);
	ticket = hetckpt_ring_ticket(&consumer);
	assert_int_equal(hetckpt_ring_wait(&consumer, ticket, 5, 0), -ETIMEDOUT);
	/* A kick before the wait is not lost. */
	hetckpt_ring_kick(&session);
	assert_int_equal(hetckpt_ring_wait(&consumer, ticket, -1, 0), 0);
	/* Nor is a command; but one that was there before, and stays there, is no news. */
	hetckpt_ring_produce(&producer, &session);
	ticket = hetckpt_ring_ticket(&consumer);
	produce_one(&producer);
	assert_int_equal(hetckpt_ring_wait(&consumer, ticket, -1, 0), 0);
	ticket = hetckpt_ring_ticket(&consumer);
	assert_int_equal(hetckpt_ring_wait(&consumer, ticket, 5, 10), -ETIMEDOUT);
	produce_one(&producer);
	assert_int_equal(hetckpt_ring_wait(&consumer, ticket, -1, 0), 0);
	ticket = hetckpt_ring_ticket(&consumer);
	assert_int_equal(pthread_create(&thread, NULL, kick_later, &session), 0);
	assert_int_equal(hetckpt_ring_wait(&consumer, ticket, 20000, 0), 0);
	pthread_join(thread, NULL);
	hetckpt_session_close(&session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_wrap),
		cmocka_unit_test(test_order_without_spinning),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_killed_while_looking),
		cmocka_unit_test(test_killed_with_commands_in_hand),
		cmocka_unit_test(test_displaced_consumer),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_kick),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
