/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Stands in for an application: attaches, hands over a module, says so, and waits until
 * the device is lost, a line comes on standard input, or it is killed.
 *
 *   fake-app wait      exit status 0 at the end of input, 9 if the device is lost
 *   fake-app attach    attaches and exits at once with status 0
 */
#define _GNU_SOURCE
#include "runtime/channel/control.h"
#include "runtime/channel/session.h"

#include <hetckpt/abi.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int call(int fd, json_t *request, int *give, int *take)
{
	json_t *reply = NULL;
	int fds[HETCKPT_CONTROL_FDS], count = 0;
	int rc = hetckpt_control_call(fd, request, give, give ? 1 : 0, &reply, fds, &count, 20000,
				      NULL, NULL);

	if (rc)
		fprintf(stderr, "app: %s\n", json_string_value(json_object_get(reply, "error")));
	if (!rc && take && count)
		*take = fds[0];
	json_decref(reply);
	json_decref(request);
	return rc;
}

int main(int argc, char **argv)
{
	struct hetckpt_session session;
	char message[512];
	int fd, memory = -1, module;
	uint32_t code;

	if (argc < 2 || hetckpt_control_connect(getenv("HETCKPT_SESSION"), &fd) ||
	    call(fd, json_pack("{s:s, s:i, s:i}", "op", "attach", "pid", getpid(), "abi",
			       (int)HETCKPT_ABI_VERSION),
		 NULL, &memory) ||
	    hetckpt_session_open(&session, memory))
		return 3;
	module = memfd_create("module", MFD_CLOEXEC);
	if (write(module, "code", 4) != 4 ||
	    call(fd, json_pack("{s:s, s:i, s:i}", "op", "module", "module", 5, "bytes", 4), &module,
		 NULL))
		return 4;
	printf("attached\n");
	fflush(stdout);
	if (!strcmp(argv[1], "attach"))
		return 0;
	for (;;) {
		struct pollfd input = {.fd = 0, .events = POLLIN};

		if (poll(&input, 1, 50) > 0)
			return 0;
		if (!hetckpt_session_failure(&session, &code, message, sizeof message)) {
			fprintf(stderr, "app: lost: %s\n", message);
			return 9;
		}
	}
}
