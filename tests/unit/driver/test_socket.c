/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Hostile and clumsy peers on a session's socket: the session must go on serving others.
 * Started as: unit-driver-socket PATH-OF-HETCKPT, with the stand-in worker beside it.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/client.h"
#include "driver/registry.h"
#include "runtime/channel/control.h"

#include <hetckpt/abi.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *hetckpt;
static char root[] = "/tmp/hetckpt-socket-XXXXXX";
static struct hetckpt_session_entry session;
static pid_t supervisor;

static int start(void **state)
{
	struct hetckpt_error error;

	supervisor = fork();
	if (!supervisor) {
		execl(hetckpt, "hetckpt", "run", "-q", "--device", "fake:0", "--name", "target", "--",
		      "sleep", "100", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 200; i++) {
		json_t *reply;

		if (!hetckpt_registry_resolve("target", &session, &error) && session.pid &&
		    !hetckpt_client_status(&session, 0, &reply)) {
			json_decref(reply);
			return 0;
		}
		usleep(50000);
	}
	return -1;
}

static int stop(void **state)
{
	int status;

	kill(supervisor, SIGTERM);
	waitpid(supervisor, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 143 ? 0 : -1;
}

static int join(void)
{
	int fd = -1;

	assert_int_equal(hetckpt_control_connect(session.socket, &fd), 0);
	return fd;
}

/* The session answers a well-behaved tool. */
static void expect_alive(void)
{
	json_t *reply = NULL;

	assert_int_equal(hetckpt_client_status(&session, 1, &reply), 0);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(reply, "session"), "state")),
		"running");
	json_decref(reply);
}

/* Running, and nothing under way that could change that. */
static bool running(void)
{
	json_t *reply = NULL, *facts;
	const char *state;
	bool yes;

	assert_int_equal(hetckpt_client_status(&session, 1, &reply), 0);
	facts = json_object_get(reply, "session");
	state = json_string_value(json_object_get(facts, "state"));
	yes = state && !strcmp(state, "running") && !json_string_value(json_object_get(facts, "operation"));
	json_decref(reply);
	return yes;
}

static int call(int fd, json_t *request, const int *give, int count)
{
	json_t *reply = NULL;
	int rc = hetckpt_control_call(fd, request, give, count, &reply, NULL, NULL, 15000, NULL, NULL);

	json_decref(reply);
	json_decref(request);
	return rc;
}

static void survives_nonsense(void **state)
{
	static const char *const texts[] = {
		"", "x", "{", "[]", "7", "null", "{\"op\":7}", "{\"op\":null,\"id\":{}}", "{\"op\":\"nothing\"}",
		"{\"op\":\"resume\",\"timeout_ms\":\"soon\"}", "{\"op\":\"checkpoint\"}",
		"{\"op\":\"checkpoint\",\"path\":\"relative\",\"then\":\"kill\"}",
		"{\"op\":\"checkpoint\",\"path\":\"/proc/x\",\"then\":\"explode\"}",
		"{\"op\":\"checkpoint\",\"path\":\"/proc/x\",\"then\":\"kill\",\"level\":1e9}",
		"{\"op\":\"checkpoint\",\"path\":7,\"then\":[],\"compress\":{}}",
		"{\"op\":\"migrate\"}", "{\"op\":\"migrate\",\"device\":\"../../x\"}",
		"{\"op\":\"migrate\",\"device\":\"--restore\"}",
		"{\"op\":\"module\",\"module\":1,\"bytes\":4}", "{\"op\":\"host\",\"address\":1}",
		"{\"op\":\"host_free\"}", "{\"op\":\"attach\"}", "{\"op\":\"attach\",\"abi\":99}",
		"\xff\xfe\xff", "{\"op\":\"\xc3\x28\"}", "{\"op\":\"status\",\"op\":\"quit\"}",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		int fd = join();

		/* Twice: also what follows nonsense on the same connection. */
		for (int n = 0; n < 2; n++)
			(void)!send(fd, texts[i], strlen(texts[i]), MSG_NOSIGNAL);
		close(fd);
		expect_alive();
	}
}

static void survives_size_and_depth(void **state)
{
	size_t size = 1 << 17;
	char *text = malloc(size);
	int fd = join(), one = 1 << 20;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &one, sizeof one);
	memset(text, '[', size);
	(void)!send(fd, text, size, MSG_NOSIGNAL);
	(void)!send(fd, text, 60000, MSG_NOSIGNAL);
	memset(text, ' ', size);
	(void)!send(fd, text, size, MSG_NOSIGNAL);
	expect_alive();
	/* Nonsense without end: the connection is closed, others are served. */
	for (int i = 0; i < 100000; i++)
		if (send(fd, "nonsense", 8, MSG_NOSIGNAL) < 0)
			break;
	close(fd);
	free(text);
	expect_alive();
}

static void survives_descriptors(void **state)
{
	int fds[HETCKPT_CONTROL_FDS], fd = join();
	json_t *request = json_pack("{s:s}", "op", "status");

	for (int i = 0; i < HETCKPT_CONTROL_FDS; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* More descriptors than the session could ever hold open. */
	for (int i = 0; i < 600; i++) {
		json_t *reply;

		assert_int_equal(hetckpt_control_call(fd, request, fds, HETCKPT_CONTROL_FDS, &reply, NULL,
						      NULL, 15000, NULL, NULL), 0);
		json_decref(reply);
	}
	json_decref(request);
	for (int i = 0; i < HETCKPT_CONTROL_FDS; i++)
		close(fds[i]);
	close(fd);
	expect_alive();
}

/* Peers that never read their answers: the session drops them. */
static void survives_peers_that_do_not_read(void **state)
{
	int fd[4];

	for (int i = 0; i < 4; i++) {
		fd[i] = join();
		fcntl(fd[i], F_SETFL, O_NONBLOCK);
		for (int n = 0; n < 5000; n++)
			(void)!send(fd[i], "{\"op\":\"status\",\"id\":1}", 22, MSG_NOSIGNAL);
	}
	expect_alive();
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	expect_alive();
}

/* A crowd that says nothing is turned away at a limit; afterwards there is room again. */
static void survives_a_crowd(void **state)
{
	int fd[200], alive = 0;
	json_t *reply;

	for (int i = 0; i < 200; i++)
		if (hetckpt_control_connect(session.socket, &fd[i]))
			fd[i] = -1;
	for (int i = 0; i < 200; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	for (int i = 0; i < 100 && !alive; i++) {
		alive = !hetckpt_client_status(&session, 0, &reply);
		if (alive)
			json_decref(reply);
		else
			usleep(50000);
	}
	assert_true(alive);
	expect_alive();
}

static void one_application_at_a_time(void **state)
{
	int first = join(), second = join(), small = memfd_create("small", MFD_CLOEXEC), null, pair[2];
	json_t *attach = json_pack("{s:s, s:i}", "op", "attach", "abi", (int)HETCKPT_ABI_VERSION);

	assert_int_equal(write(small, "four", 4), 4);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	/* before attaching, nothing can be handed over */
	assert_int_equal(call(first, json_pack("{s:s, s:i, s:i}", "op", "module", "module", 1, "bytes", 4),
			      &small, 1), -EPERM);
	assert_int_equal(call(first, json_incref(attach), NULL, 0), 0);
	assert_int_equal(call(first, json_incref(attach), NULL, 0), -EALREADY);
	assert_int_equal(call(second, json_incref(attach), NULL, 0), -EALREADY);
	/* descriptors that are not what they should be */
	assert_int_equal(call(first, json_pack("{s:s, s:i, s:i}", "op", "module", "module", 1, "bytes", 4),
			      NULL, 0), -EINVAL);
	assert_int_equal(call(first, json_pack("{s:s, s:i, s:i}", "op", "module", "module", 1, "bytes", 5),
			      &small, 1), -EINVAL);
	assert_int_equal(call(first, json_pack("{s:s, s:i, s:i}", "op", "module", "module", 1, "bytes", -1),
			      &small, 1), -EINVAL);
	assert_int_equal(call(first, json_pack("{s:s, s:i, s:i}", "op", "module", "module", 1, "bytes", 4),
			      &null, 1), -EINVAL);
	assert_int_equal(call(first, json_pack("{s:s, s:i, s:i}", "op", "module", "module", 1, "bytes", 4),
			      pair, 1), -EINVAL);
	assert_int_equal(call(first, json_pack("{s:s, s:i, s:i}", "op", "module", "module", 1, "bytes", 4),
			      &small, 1), 0);
	assert_int_equal(call(first, json_pack("{s:s, s:i, s:i}", "op", "module", "module", 1, "bytes", 4),
			      &small, 1), -EEXIST);
	/* page-locked buffers outside their window, or over each other */
	assert_int_equal(call(first, json_pack("{s:s, s:I, s:i}", "op", "host", "address",
					       (json_int_t)0x1000, "bytes", 4), &small, 1), -EINVAL);
	assert_int_equal(call(first, json_pack("{s:s, s:I, s:i}", "op", "host", "address",
					       (json_int_t)0x1f0000000000, "bytes", 4), &small, 1), 0);
	assert_int_equal(call(first, json_pack("{s:s, s:I, s:i}", "op", "host", "address",
					       (json_int_t)0x1f0000000000, "bytes", 4), &small, 1), -EEXIST);
	assert_int_equal(call(first, json_pack("{s:s, s:I}", "op", "host_free", "address",
					       (json_int_t)0x1f0000000000), NULL, 0), 0);
	assert_int_equal(call(first, json_pack("{s:s, s:I}", "op", "host_free", "address",
					       (json_int_t)0x1f0000000000), NULL, 0), -ENOENT);
	json_decref(attach);
	close(first);
	close(second);
	close(small);
	close(null);
	close(pair[0]);
	close(pair[1]);
	expect_alive();
}

/* A tool dies in the middle of requests: the next one finds everything in order. */
static void survives_tools_that_die(void **state)
{
	static const char *const ops[] = {"{\"op\":\"pause\",\"id\":1}", "{\"op\":\"resume\",\"id\":2}",
					  "{\"op\":\"migrate\",\"id\":3,\"device\":\"fake:1\"}"};

	for (int i = 0; i < 12; i++) {
		int fd = join();

		assert_true(send(fd, ops[i % 3], strlen(ops[i % 3]), MSG_NOSIGNAL) > 0);
		close(fd);
	}
	/* Operations that wait for each other come in any order, so a pause may be the last. */
	for (int i = 0; i < 250 && !running(); i++) {
		int fd = join();

		assert_int_equal(call(fd, json_pack("{s:s}", "op", "resume"), NULL, 0), 0);
		close(fd);
		usleep(20000);
	}
	expect_alive();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_nonsense),
		cmocka_unit_test(survives_size_and_depth),
		cmocka_unit_test(survives_descriptors),
		cmocka_unit_test(survives_peers_that_do_not_read),
		cmocka_unit_test(survives_a_crowd),
		cmocka_unit_test(one_application_at_a_time),
		cmocka_unit_test(survives_tools_that_die),
	};
	int failed;

	if (argc != 2 || !mkdtemp(root) || setenv("HETCKPT_RUNTIME_DIR", root, 1))
		return 2;
	hetckpt = argv[1];
	failed = cmocka_run_group_tests_name("driver socket", tests, start, stop);
	if (rmdir(root)) {
		fprintf(stderr, "the session left something in %s\n", root);
		failed++;
	}
	return failed;
}
