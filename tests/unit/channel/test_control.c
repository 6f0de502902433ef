/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Control messages: round trips, descriptors, and peers that mean harm. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/channel/control.h"

static int pair[2];

static int setup(void **state)
{
	return hetckpt_control_pair(pair);
}

static int teardown(void **state)
{
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_round_trip(void **state)
{
	json_t *sent = json_pack("{s:s, s:[i,i], s:{s:n}}", "op", "hällo", "list", 1, 2, "deep", "none");
	int fds[2] = {memfd_create("a", 0), memfd_create("b", 0)};
	int got[HETCKPT_CONTROL_FDS], count, before = open_descriptors();
	json_t *received;

	assert_int_equal(write(fds[1], "body", 4), 4);
	assert_int_equal(hetckpt_control_send(pair[0], sent, fds, 2, 1000), 0);
	assert_int_equal(hetckpt_control_receive(pair[1], &received, got, &count, 1000), 0);
	assert_true(json_equal(sent, received));
	assert_int_equal(count, 2);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(lseek(got[1], 0, SEEK_END), 4);
	close(got[0]);
	close(got[1]);
	json_decref(received);
	/* Descriptors that the receiver does not want are closed. */
	assert_int_equal(hetckpt_control_send(pair[0], sent, fds, 2, 1000), 0);
	assert_int_equal(hetckpt_control_receive(pair[1], &received, NULL, NULL, 1000), 0);
	json_decref(received);
	json_decref(sent);
	assert_int_equal(open_descriptors(), before);
	close(fds[0]);
	close(fds[1]);
}

static void test_limits(void **state)
{
	char *big = malloc(HETCKPT_CONTROL_BYTES + 1);
	json_t *message, *received;
	int fds[HETCKPT_CONTROL_FDS + 1] = {0};

	memset(big, 'x', HETCKPT_CONTROL_BYTES);
	big[HETCKPT_CONTROL_BYTES] = 0;
	message = json_pack("{s:s}", "op", big);
	assert_int_equal(hetckpt_control_send(pair[0], message, NULL, 0, 0), -EMSGSIZE);
	json_decref(message);
	big[HETCKPT_CONTROL_BYTES - 9] = 0; /* {"op":""} and this are exactly the limit */
	message = json_pack("{s:s}", "op", big);
	assert_int_equal(hetckpt_control_send(pair[0], message, NULL, 0, 0), 0);
	assert_int_equal(hetckpt_control_receive(pair[1], &received, NULL, NULL, 0), 0);
	assert_true(json_equal(message, received));
	json_decref(received);
	assert_int_equal(hetckpt_control_send(pair[0], message, fds, HETCKPT_CONTROL_FDS + 1, 0), -EINVAL);
	assert_int_equal(hetckpt_control_send(pair[0], NULL, NULL, 0, 0), -EINVAL);
	json_decref(message);
	free(big);
	assert_int_equal(hetckpt_control_receive(pair[1], &received, NULL, NULL, 20), -ETIMEDOUT);
}

/* A peer that does not read cannot hold the sender for longer than it allows. */
static void test_full_socket(void **state)
{
	json_t *message = json_pack("{s:i}", "n", 1);
	int result = 0, sent = 0;

	while (!(result = hetckpt_control_send(pair[0], message, NULL, 0, 20)) && sent < 100000)
		sent++;
	assert_int_equal(result, -ETIMEDOUT);
	json_decref(message);
}

static void test_hang_up(void **state)
{
	json_t *message = json_pack("{s:i}", "n", 1), *received;

	assert_false(hetckpt_control_hung_up(pair[0]));
	assert_int_equal(hetckpt_control_send(pair[1], message, NULL, 0, 0), 0);
	shutdown(pair[1], SHUT_RDWR);
	assert_true(hetckpt_control_hung_up(pair[0]));
	/* What was sent before still arrives. */
	assert_int_equal(hetckpt_control_receive(pair[0], &received, NULL, NULL, 0), 0);
	json_decref(received);
	assert_int_equal(hetckpt_control_receive(pair[0], &received, NULL, NULL, -1), -ECONNRESET);
	assert_int_equal(hetckpt_control_send(pair[0], message, NULL, 0, 0), -EPIPE);
	json_decref(message);
}

static void send_raw(const void *data, size_t bytes)
{
	assert_int_equal(send(pair[0], data, bytes, 0), (ssize_t)bytes);
}

static void test_hostile_text(void **state)
{
	static const char *const bad[] = {
		"[]", "1", "null", "{", "}", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}", "{} {}", "{\"a\":1e999}",
		"{\"a\":\"\xff\xfe\"}", "\"", "\"\\", "{\"a\":NaN}", "{'a':1}", "{\"a\":99999999999999999999}",
	};
	char nest[60000];
	json_t *received;
	int result;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		send_raw(bad[i], strlen(bad[i]));
		assert_int_equal(hetckpt_control_receive(pair[1], &received, NULL, NULL, 0), -EBADMSG);
	}
	memset(nest, '[', sizeof nest);
	memcpy(nest, "{\"a\":", 5);
	send_raw(nest, sizeof nest);
	assert_int_equal(hetckpt_control_receive(pair[1], &received, NULL, NULL, 0), -EBADMSG);
	/* Brackets inside a string are text. */
	memset(nest, '[', sizeof nest);
	memcpy(nest, "{\"a\":\"\\\"", 8);
	memcpy(nest + sizeof nest - 2, "\"}", 2);
	send_raw(nest, sizeof nest);
	assert_int_equal(hetckpt_control_receive(pair[1], &received, NULL, NULL, 0), 0);
	json_decref(received);
	/* Too long for one message: refused as a whole, the next one is read. */
	{
		char *big = calloc(1, HETCKPT_CONTROL_BYTES + 100);

		send_raw(big, HETCKPT_CONTROL_BYTES + 100);
		free(big);
	}
	send_raw("{}", 2);
	assert_int_equal(hetckpt_control_receive(pair[1], &received, NULL, NULL, 0), -EMSGSIZE);
	assert_int_equal(hetckpt_control_receive(pair[1], &received, NULL, NULL, 0), 0);
	json_decref(received);
	/* Noise, and single-bit damage to a real message. */
	srand(1);
	for (int round = 0; round < 20000; round++) {
		char text[] = "{\"op\":\"module\",\"id\":12,\"module\":3,\"bytes\":[1,{\"x\":-4.5e3}]}";
		size_t bytes = sizeof text - 1;

		if (round & 1) {
			text[(size_t)rand() % bytes] ^= (char)(1 << rand() % 8);
		} else {
			bytes = 1 + (size_t)rand() % bytes;
			for (size_t i = 0; i < bytes; i++)
				text[i] = (char)rand();
		}
		send_raw(text, bytes);
		received = NULL;
		result = hetckpt_control_receive(pair[1], &received, NULL, NULL, 0);
		assert_true(result == 0 || result == -EBADMSG);
		assert_int_equal(result == 0, json_is_object(received));
		json_decref(received);
	}
}

static void test_hostile_descriptors(void **state)
{
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int) * 64)]; } ancillary = {0};
	struct iovec part = {"{}", 2};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = ancillary.bytes};
	struct cmsghdr *c = &ancillary.align;
	int got[HETCKPT_CONTROL_FDS], count, before = open_descriptors();
	json_t *received;

	static const int many[] = {HETCKPT_CONTROL_FDS + 1, HETCKPT_CONTROL_FDS + 2, 64};

	for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
		header.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)many[i]);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)many[i]);
		for (int k = 0; k < many[i]; k++)
			memcpy(CMSG_DATA(c) + k * (int)sizeof(int), &pair[0], sizeof(int));
		assert_int_equal(sendmsg(pair[0], &header, 0), 2);
		assert_int_equal(hetckpt_control_receive(pair[1], &received, got, &count, 0), -EMSGSIZE);
		assert_int_equal(count, 0);
		assert_int_equal(open_descriptors(), before);
	}
	/* Descriptors that come with rubbish are closed too. */
	part.iov_base = "rubbish";
	part.iov_len = 7;
	header.msg_controllen = CMSG_SPACE(sizeof(int));
	c->cmsg_len = CMSG_LEN(sizeof(int));
	assert_int_equal(sendmsg(pair[0], &header, 0), 7);
	assert_int_equal(hetckpt_control_receive(pair[1], &received, got, &count, 0), -EBADMSG);
	assert_int_equal(open_descriptors(), before);
}

static int steps;

static void count_progress(void *context, const json_t *progress)
{
	steps += (int)json_integer_value(json_object_get(progress, "done"));
}

static void *serve(void *unused)
{
	for (int i = 0; i < 3; i++) {
		json_t *request, *other;
		int got[HETCKPT_CONTROL_FDS], count;

		if (hetckpt_control_receive(pair[1], &request, got, &count, 5000))
			return NULL;
		/* Noise between request and reply: another's reply, an event, progress. */
		other = json_pack("{s:i,s:b}", "id", -5, "ok", 1);
		hetckpt_control_send(pair[1], other, NULL, 0, 0);
		json_decref(other);
		other = json_pack("{s:s}", "event", "ready");
		hetckpt_control_send(pair[1], other, NULL, 0, 0);
		json_decref(other);
		other = json_pack("{s:O,s:{s:i}}", "id", json_object_get(request, "id"), "progress", "done", 21);
		hetckpt_control_send(pair[1], other, NULL, 0, 0);
		json_decref(other);
		if (i == 0)
			hetckpt_control_reply(pair[1], request, json_pack("{s:i}", "fact", 5), got, count);
		else if (i == 1)
			hetckpt_control_refuse(pair[1], request, -ENOSPC, "disk %s is full", "x");
		else
			hetckpt_control_refuse(pair[1], request, 12345, "no errno");
		while (count)
			close(got[--count]);
		json_decref(request);
	}
	return NULL;
}

static void test_calls(void **state)
{
	json_t *request = json_pack("{s:s}", "op", "x"), *reply;
	int fds[HETCKPT_CONTROL_FDS], count;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
	steps = 0;
	assert_int_equal(hetckpt_control_call(pair[0], request, pair, 1, &reply, fds, &count, 5000,
	                                      count_progress, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(reply, "fact")), 5);
	assert_int_equal(steps, 21);
	assert_int_equal(count, 1);
	close(fds[0]);
	json_decref(reply);
	assert_int_equal(hetckpt_control_call(pair[0], request, NULL, 0, &reply, NULL, NULL, 5000, NULL, NULL),
	                 -ENOSPC);
	assert_string_equal(json_string_value(json_object_get(reply, "error")), "disk x is full");
	json_decref(reply);
	assert_int_equal(hetckpt_control_call(pair[0], request, NULL, 0, &reply, NULL, NULL, 5000, NULL, NULL),
	                 -EIO);
	json_decref(reply);
	pthread_join(thread, NULL);
	assert_int_equal(hetckpt_control_call(pair[0], request, NULL, 0, &reply, NULL, NULL, 20, NULL, NULL),
	                 -ETIMEDOUT);
	assert_null(reply);
	json_decref(request);
}

static void test_sockets(void **state)
{
	char dir[] = "/tmp/hetckpt-test-XXXXXX", path[64], longest[300];
	int listener, client, server;
	struct stat file;
	pid_t pid;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/s", dir);
	assert_int_equal(hetckpt_control_connect(path, &client), -ENOENT);
	assert_int_equal(hetckpt_control_listen(path, &listener), 0);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	assert_int_equal(hetckpt_control_listen(path, &server), -EADDRINUSE);
	assert_int_equal(hetckpt_control_accept(listener, &server, NULL), -EAGAIN);
	assert_int_equal(hetckpt_control_connect(path, &client), 0);
	assert_int_equal(hetckpt_control_accept(listener, &server, &pid), 0);
	assert_int_equal(pid, getpid());
	close(server);
	assert_true(hetckpt_control_hung_up(client));
	close(client);
	close(listener);
	assert_int_equal(hetckpt_control_connect(path, &client), -ECONNREFUSED);
	memset(longest, 'a', sizeof longest);
	longest[sizeof longest - 1] = 0;
	assert_int_equal(hetckpt_control_listen(longest, &listener), -ENAMETOOLONG);
	assert_int_equal(hetckpt_control_connect("", &client), -EINVAL);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hang_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calls, setup, teardown),
		cmocka_unit_test(test_sockets),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
