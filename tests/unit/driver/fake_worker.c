/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Stands in for the worker: speaks its protocol, and computes nothing but a number that
 * grows by one each time it is resumed. The name of the device says how it behaves:
 *
 *   fake:N       well
 *   missing:0    cannot open                late:0          cannot open, after half a second
 *   mute:0       never becomes ready
 *   badload:0    refuses to load           badhand:0    refuses modules
 *   badresume:0  refuses to resume after a load
 *   crashload:0  dies while loading        crashsnap:0  dies while writing
 *   badsnap:0    refuses to write          slow:0       takes two seconds for a snapshot
 *   stuck:0      kernels do not park       fault:0      says that the device failed when paused
 *   garbage:0    sends nonsense between replies
 */
#define _GNU_SOURCE
#include "runtime/channel/control.h"
#include "runtime/channel/ring.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *device;
static int control = -1;
static struct hetckpt_session session;
static struct hetckpt_ring ring;
static int claimed, paused, restored, number = 1;
static json_t *modules;

static int is(const char *name)
{
	return !strncmp(device, name, strlen(name)) && device[strlen(name)] == ':';
}

static void event(const char *name, const char *error)
{
	json_t *message = json_pack("{s:s, s:s*, s:s, s:i}", "event", name, "error", error, "device", device,
				    "code", -EIO);

	hetckpt_control_send(control, message, NULL, 0, 1000);
	json_decref(message);
}

static void progress(const json_t *request, int done)
{
	json_t *message = json_pack("{s:O, s:{s:i, s:i, s:s}}", "id", json_object_get(request, "id"),
				    "progress", "done", done, "total", 100, "what", "writing");

	hetckpt_control_send(control, message, NULL, 0, 1000);
	json_decref(message);
}

static int claim(void)
{
	if (claimed)
		return 0;
	claimed = 1;
	return hetckpt_ring_claim(&ring, &session, atomic_load(&session.control->taken_seq));
}

static void snapshot(const json_t *request, int fd)
{
	if (is("crashsnap"))
		abort();
	if (is("badsnap")) {
		hetckpt_control_refuse(control, request, -ENOSPC, "no space for it");
		return;
	}
	for (int i = 0; is("slow") && i < 20; i++) {
		usleep(100000);
		progress(request, i * 5);
	}
	dprintf(fd, "FAKE %d host=%d\n", number, json_is_true(json_object_get(request, "host")));
	hetckpt_control_reply(control, request, json_pack("{s:i}", "state_bytes", 14), NULL, 0);
}

/* ---- The stage: what is captured stays as it was while the kernels go on ---- */

static int captured = -1, captured_host;

static void stage(const json_t *request, int fd)
{
	if (is("nostage") || fd < 0)
		hetckpt_control_refuse(control, request, -ENOSPC, "a stage of 1 MiB is too much");
	else
		hetckpt_control_reply(control, request, json_pack("{s:i}", "stage_bytes", 4096), NULL, 0);
}

static void capture(const json_t *request)
{
	if (is("nocapture") || !paused) {
		hetckpt_control_refuse(control, request, -ENOSPC, "the stage is too small");
		return;
	}
	captured = number;
	captured_host = json_is_true(json_object_get(request, "host"));
	hetckpt_control_reply(control, request, json_pack("{s:i}", "state_bytes", 14), NULL, 0);
}

static void write_captured(const json_t *request, int fd)
{
	if (is("crashwrite"))
		abort();
	if (captured < 0 || is("badwrite")) {
		hetckpt_control_refuse(control, request, -ENOSPC, "no space for it");
		return;
	}
	dprintf(fd, "FAKE %d host=%d\n", captured, captured_host);
	captured = -1;
	hetckpt_control_reply(control, request, NULL, NULL, 0);
}

static void load(const json_t *request, int fd)
{
	char text[64] = "";

	if (is("crashload"))
		abort();
	if (is("badload") || !restored) {
		hetckpt_control_refuse(control, request, -ENOTSUP, "cannot load that");
		return;
	}
	if (read(fd, text, sizeof text - 1) <= 0 || sscanf(text, "FAKE %d", &number) != 1) {
		hetckpt_control_refuse(control, request, -EBADMSG, "damaged: %s", text);
		return;
	}
	paused = 1;
	hetckpt_control_reply(control, request, NULL, NULL, 0);
}

static void resume(const json_t *request)
{
	/* Claims first and fails then: the worst moment. */
	if (claim()) {
		hetckpt_control_refuse(control, request, -ESTALE, "the ring has moved on");
	} else if (is("badresume")) {
		hetckpt_control_refuse(control, request, -EIO, "cannot resume that");
	} else {
		paused = 0;
		number++;
		hetckpt_control_reply(control, request, NULL, NULL, 0);
	}
}

static void status(const json_t *request)
{
	hetckpt_control_reply(control, request,
			      json_pack("{s:s, s:s, s:i, s:O, s:s}", "device", device, "state",
					paused ? "paused" : "idle", "number", number, "modules_held",
					modules, "device_name", "\033[31mred"),
			      NULL, 0);
}

static void export(const json_t *request)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/result",
		 json_string_value(json_object_get(request, "directory")));
	file = fopen(path, "w");
	if (!file) {
		hetckpt_control_refuse(control, request, -errno, "%s: %s", path, strerror(errno));
		return;
	}
	fprintf(file, "%d\n", number);
	fclose(file);
	hetckpt_control_reply(control, request, NULL, NULL, 0);
}

static void pause_kernels(const json_t *request)
{
	if (is("fault")) {
		event("fault", "the device fell over");
		hetckpt_control_refuse(control, request, -EIO, "the device fell over");
	} else if (is("stuck")) {
		hetckpt_control_refuse(control, request, -ETIMEDOUT, "kernel spin() did not park");
	} else {
		paused = 1;
		hetckpt_control_reply(control, request,
				      json_pack("{s:i, s:f}", "parked", 3, "park_us", 12.5), NULL, 0);
	}
}

static void serve(const json_t *request, int fd)
{
	const char *op = json_string_value(json_object_get(request, "op"));

	if (is("garbage")) {
		send(control, "not json", 8, MSG_NOSIGNAL);
		send(control, "{\"id\":99999,\"ok\":true}", 22, MSG_NOSIGNAL);
	}
	if (!strcmp(op, "pause")) {
		pause_kernels(request);
	} else if (!strcmp(op, "resume")) {
		resume(request);
	} else if (!strcmp(op, "status")) {
		status(request);
	} else if (!strcmp(op, "snapshot")) {
		snapshot(request, fd);
	} else if (!strcmp(op, "stage")) {
		stage(request, fd);
	} else if (!strcmp(op, "capture")) {
		capture(request);
	} else if (!strcmp(op, "write")) {
		write_captured(request, fd);
	} else if (!strcmp(op, "prepare") && is("badprepare")) {
		hetckpt_control_refuse(control, request, -ENOMEM, "the device is full");
	} else if (!strcmp(op, "share") && !is("peer")) {
		hetckpt_control_refuse(control, request, -ENOTSUP, "devices like this do not share memory");
	} else if (!strcmp(op, "reach") && is("noreach")) {
		hetckpt_control_refuse(control, request, -EREMOTEIO, "no way to that device");
	} else if (!strcmp(op, "share") || !strcmp(op, "reach") || !strcmp(op, "reach_end")) {
		hetckpt_control_reply(control, request, NULL, NULL, 0);
	} else if (!strcmp(op, "outline") || !strcmp(op, "prepare")) {
		hetckpt_control_reply(control, request, NULL, NULL, 0);
	} else if (!strcmp(op, "load")) {
		load(request, fd);
	} else if (!strcmp(op, "export")) {
		export(request);
	} else if (!strcmp(op, "module") && is("badhand")) {
		hetckpt_control_refuse(control, request, -EINVAL, "no code for this device");
	} else if (!strcmp(op, "module") || !strcmp(op, "host")) {
		json_array_append(modules, json_object_get(request, "module"));
		hetckpt_control_reply(control, request, NULL, NULL, 0);
	} else if (!strcmp(op, "host_free") || !strcmp(op, "stress")) {
		hetckpt_control_reply(control, request, NULL, NULL, 0);
	} else {
		hetckpt_control_refuse(control, request, -EOPNOTSUPP, "unknown: %s", op);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"session-fd", 1, NULL, 's'}, {"control-fd", 1, NULL, 'c'}, {"device", 1, NULL, 'd'},
		{"restore", 0, NULL, 'r'},    {"list-devices", 0, NULL, 'l'}, {"json", 0, NULL, 'j'},
		{0}};
	int c, fd = -1;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'l') {
			printf("{\"devices\": [{\"device\": \"fake:0\", \"name\": \"stand-in\", "
			       "\"memory_bytes\": 1024, \"multiprocessors\": 2}], \"unavailable\": "
			       "[{\"backend\": \"cuda\", \"reason\": \"no library\"}]}\n");
			return 0;
		}
		fd = c == 's' ? atoi(optarg) : fd;
		control = c == 'c' ? atoi(optarg) : control;
		device = c == 'd' ? optarg : device;
		restored |= c == 'r';
	}
	modules = json_array();
	if (!device) {
		device = "fake:0";
		event("device", NULL);
	}
	if (is("late"))
		usleep(500000);
	if (is("missing") || is("late")) {
		event("fault", "there is no such device");
		return 1;
	}
	if (hetckpt_session_open(&session, fd) || (!restored && claim()))
		return 3;
	if (!is("mute"))
		event("ready", NULL);
	for (;;) {
		int fds[HETCKPT_CONTROL_FDS], count;
		json_t *request;
		int rc = hetckpt_control_receive(control, &request, fds, &count, -1);

		int quit = rc || !strcmp(json_string_value(json_object_get(request, "op")), "quit");

		if (!quit)
			serve(request, count ? fds[0] : -1);
		for (int i = 0; i < count; i++)
			close(fds[i]);
		if (!rc)
			json_decref(request);
		if (quit) {
			json_decref(modules);
			return 0;
		}
	}
}
