/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Measures checkpoint and restore of a device with so much memory in use, through the core:
 *
 *   gpu-snapshot [--device N] [--repeat N] [--file FOLDER] [--vendor] GIB...
 *
 * For each size: getting the stage ready, stopping the device while its memory is copied there,
 * and a fresh core that takes over from the stage. --file: also writing what was captured to a
 * raw file in FOLDER, and loading that. --vendor: NVIDIA's own checkpoint of a process with
 * the same allocations. One JSON object a line; seconds, GB/s of 10^9. Ends with 77 where there
 * is no GPU, and with 1 if memory is not what it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/backends/backend.h"
#include "runtime/core/core.h"
#include "vendor_checkpoint.h"

#define SKIP 77
#define PIECE ((uint64_t)1 << 30)
#define CHUNK ((uint64_t)1 << 20)
#define REPEAT_MAX 20

extern const struct hetckpt_backend hetckpt_backend_cuda;
extern char **environ;

struct options {
	unsigned device;
	int repeat;
	bool vendor;
	const char *folder;
	const char *self;
};

static struct hetckpt_error error;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "gpu-snapshot: %s: %s\n", what, error.code ? error.text : strerror(-rc));
	exit(1);
}

static void line(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(5));
	putchar('\n');
	fflush(stdout);
	json_decref(object);
}

static int rising(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *value, int count)
{
	qsort(value, (size_t)count, sizeof *value, rising);
	return value[count / 2];
}

/* ---- A core that is fed from here --------------------------------------- */

static struct {
	struct hetckpt_core *core;
	uint64_t seq;
	uint64_t answer;
	uint32_t code;
} session;

static void on_reply(void *context, uint32_t slot, uint64_t seq, uint32_t code, const void *data, uint32_t bytes)
{
	(void)context;
	(void)slot;
	(void)seq;
	session.code = code;
	if (bytes >= sizeof session.answer)
		memcpy(&session.answer, data, sizeof session.answer);
}

static void on_text(void *context, uint32_t cuda, const char *text)
{
	(void)context;
	(void)cuda;
	fprintf(stderr, "gpu-snapshot: %s\n", text);
	exit(1);
}

static void on_release(void *context, uint64_t offset, uint64_t bytes)
{
	(void)context;
	(void)offset;
	(void)bytes;
}

static void on_retire(void *context, uint64_t seq)
{
	(void)context;
	(void)seq;
}

static void on_wake(void *context)
{
	(void)context;
}

static int core_open(const struct options *o)
{
	static const struct hetckpt_core_host host = {.reply = on_reply, .raise = on_text, .fault = on_text,
	                                              .staging_release = on_release, .retire = on_retire, .wake = on_wake};

	return hetckpt_core_create(&hetckpt_backend_cuda, o->device, 0, &host, &session.core, &error);
}

static void core_close(void)
{
	hetckpt_core_destroy(session.core);
	session.core = NULL;
}

static void send(uint32_t type, bool reply, const void *body, uint32_t bytes)
{
	_Alignas(8) unsigned char room[256] = {0};
	struct hetckpt_msg *msg = (void *)room;

	*msg = (struct hetckpt_msg){.bytes = ((uint32_t)sizeof *msg + bytes + 7) / 8 * 8, .type = type,
	                            .seq = ++session.seq, .reply = reply ? 0 : HETCKPT_NO_REPLY};
	memcpy(msg + 1, body, bytes);
	session.code = 0;
	must(hetckpt_core_submit(session.core, msg, &error), "a command");
	must(hetckpt_core_wait_idle(session.core, 60000, &error), "a command");
	must(session.code ? -ENOMEM : 0, "a command");
}

static uint64_t allocate(uint64_t bytes)
{
	struct hetckpt_msg_malloc body = {.bytes = bytes};

	send(HETCKPT_MSG_MALLOC, true, &body, sizeof body);
	return session.answer;
}

static void fill(uint64_t address, uint64_t bytes, uint32_t value)
{
	struct hetckpt_msg_fill body = {.dst = address, .width = bytes / 4, .height = 1, .pitch = bytes, .element = 4,
	                                .value = value};

	send(HETCKPT_MSG_FILL, false, &body, sizeof body);
}

static uint32_t value_of(uint64_t chunk)
{
	return (uint32_t)(chunk + 1) * 2654435761u;
}

/* Looks at memory through a capture. What is looked at is wiped first, so it comes from the device. */
static void check(int stage, uint64_t bytes)
{
	struct hetckpt_capture_report report;
	struct hetckpt_capture *capture;
	struct hetckpt_pause_report paused;
	uint64_t found = 0;
	uint32_t zero = 0;

	for (uint64_t at = 0; at < bytes; at += CHUNK)
		must(pwrite(stage, &zero, 4, (off_t)(at + CHUNK - 4)) != 4 ? -EIO : 0, "wipe the stage");
	must(hetckpt_core_pause(session.core, 10000, &paused, &error), "pause");
	must(hetckpt_core_capture(session.core, true, &capture, &report, &error), "capture");
	for (uint64_t at = 0; at < bytes; at += CHUNK) {
		uint32_t word = 0;

		found += pread(stage, &word, 4, (off_t)(at + CHUNK - 4)) == 4 && word == value_of(at / CHUNK);
	}
	hetckpt_capture_free(capture);
	must(found == bytes / CHUNK ? 0 : -EBADMSG, "memory is not what it was");
}

/* ---- Measuring ----------------------------------------------------------- */

static int memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	must(fd < 0 ? -errno : 0, "memfd");
	return fd;
}

static void prepare_stage(int stage, uint64_t limit, uint64_t bytes, struct hetckpt_stage_report *report)
{
	must(hetckpt_core_stage_set(session.core, stage, limit, &error), "stage");
	must(hetckpt_core_stage_prepare(session.core, bytes, HETCKPT_BULK_FILE, report, &error), "prepare the stage");
}

/* Pause, copy, resume. The last capture is written to fd, unless that is -1. */
static double copy_out(const struct options *o, uint64_t bytes, int fd)
{
	double stop[REPEAT_MAX], copy[REPEAT_MAX], begin;
	struct hetckpt_save_options raw = {.raw = true};
	struct hetckpt_capture_report report;
	struct hetckpt_pause_report paused;
	struct hetckpt_capture *capture;
	double written = 0, c;

	for (int i = 0; i < o->repeat; i++) {
		begin = now();
		must(hetckpt_core_pause(session.core, 10000, &paused, &error), "pause");
		must(hetckpt_core_capture(session.core, true, &capture, &report, &error), "capture");
		must(hetckpt_core_resume(session.core, &error), "resume");
		stop[i] = now() - begin;
		copy[i] = report.seconds;
		begin = now();
		if (fd >= 0 && i == o->repeat - 1) {
			must(hetckpt_capture_write(capture, fd, &raw, &error), "write");
			written = now() - begin;
		}
		hetckpt_capture_free(capture);
	}
	c = median(copy, o->repeat);
	line(json_pack("{s:s, s:f, s:f, s:f, s:f}", "what", "copy out", "gib", (double)bytes / (double)PIECE,
	               "copy_seconds", c, "stop_seconds", median(stop, o->repeat), "gb_per_s", (double)bytes / c / 1e9));
	if (fd >= 0)
		line(json_pack("{s:s, s:f, s:f, s:f}", "what", "write raw file", "gib", (double)bytes / (double)PIECE,
		               "seconds", written, "gb_per_s", (double)bytes / written / 1e9));
	return c;
}

/* A fresh core with everything ready takes over from the stage. */
static void copy_in(const struct options *o, int stage, int outline, int state, uint64_t bytes, uint64_t ready)
{
	struct hetckpt_stage_report report;
	double begin, prepared, loaded, running;

	must(core_open(o), "open the device");
	begin = now();
	prepare_stage(stage, ready, ready, &report);
	line(json_pack("{s:s, s:f, s:f, s:b}", "what", "register stage again", "gib", (double)bytes / (double)PIECE,
	               "seconds", report.seconds, "page_locked", report.locked));
	begin = now();
	must(hetckpt_core_prepare(session.core, outline, &error), "prepare");
	prepared = now() - begin;
	begin = now();
	must(hetckpt_core_take_over(session.core, state, true, NULL, &error), "take over");
	loaded = now() - begin;
	must(hetckpt_core_resume(session.core, &error), "resume");
	running = now() - begin;
	line(json_pack("{s:s, s:f, s:f, s:f, s:f, s:f}", "what", "copy in", "gib", (double)bytes / (double)PIECE,
	               "map_seconds", prepared, "copy_seconds", loaded, "running_seconds", running, "gb_per_s",
	               (double)bytes / running / 1e9));
}

static void from_file(const struct options *o, int fd, uint64_t bytes)
{
	double begin, seconds;

	must(core_open(o), "open the device");
	begin = now();
	must(hetckpt_core_load(session.core, fd, true, NULL, &error), "load");
	must(hetckpt_core_resume(session.core, &error), "resume");
	seconds = now() - begin;
	line(json_pack("{s:s, s:f, s:f, s:f}", "what", "load raw file", "gib", (double)bytes / (double)PIECE, "seconds",
	               seconds, "gb_per_s", (double)bytes / seconds / 1e9));
}

static void measure(const struct options *o, uint64_t gib)
{
	int stage = memory_file("stage"), outline = memory_file("outline"), state = memory_file("state"), file = -1;
	struct hetckpt_save_options bulk = {.raw = true, .without_host = true, .bulk = HETCKPT_BULK_STAGE};
	uint64_t bytes = gib * PIECE, limit = bytes + ((uint64_t)64 << 20);
	struct hetckpt_stage_report report;
	struct hetckpt_pause_report paused;

	session.seq = 0;
	must(core_open(o), "open the device");
	/* No two MiB are equal: a file holds equal chunks only once. */
	for (uint64_t i = 0; i < gib; i++) {
		uint64_t address = allocate(PIECE);

		for (uint64_t at = 0; at < PIECE; at += CHUNK)
			fill(address + at, CHUNK, value_of((i * PIECE + at) / CHUNK));
	}
	prepare_stage(stage, limit, 0, &report);
	line(json_pack("{s:s, s:f, s:f, s:b}", "what", "prepare stage", "gib", (double)gib, "seconds", report.seconds,
	               "page_locked", report.locked));
	if (o->folder) {
		file = open(o->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		must(file < 0 ? -errno : 0, o->folder);
	}
	copy_out(o, bytes, file);
	must(hetckpt_core_outline(session.core, outline, &error), "outline");
	must(hetckpt_core_pause(session.core, 10000, &paused, &error), "pause");
	must(hetckpt_core_save(session.core, state, &bulk, &error), "save");
	core_close();
	copy_in(o, stage, outline, state, bytes, report.bytes);
	check(stage, bytes);
	core_close();
	if (file >= 0) {
		from_file(o, file, bytes);
		core_close();
		close(file);
	}
	close(stage);
	close(outline);
	close(state);
}

/* ---- NVIDIA's ------------------------------------------------------------- */

/* Starts this program again; what it prints comes through *out. */
static pid_t again(const struct options *o, const char *mode, const char *argument, int *in, int *out)
{
	char device[16], *argv[] = {(char *)o->self, (char *)mode, device, (char *)argument, NULL};
	posix_spawn_file_actions_t actions;
	int from[2], to[2];
	pid_t pid;

	snprintf(device, sizeof device, "%u", o->device);
	must(pipe2(from, O_CLOEXEC) || pipe2(to, O_CLOEXEC) ? -errno : 0, "pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], 0);
	posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	must(-posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), "start a process");
	posix_spawn_file_actions_destroy(&actions);
	close(from[1]);
	close(to[0]);
	*in = to[1];
	*out = from[0];
	return pid;
}

static void vendor(const struct options *o, uint64_t gib)
{
	char text[32], buffer[400] = "";
	int in, out, in2, out2;
	pid_t holder, measurer;
	ssize_t n;

	snprintf(text, sizeof text, "%llu", (unsigned long long)gib);
	holder = again(o, "--hold", text, &in, &out);
	if (read(out, buffer, sizeof buffer - 1) > 0) {
		snprintf(text, sizeof text, "%d", (int)holder);
		measurer = again(o, "--measure", text, &in2, &out2);
		close(in2);
		memset(buffer, 0, sizeof buffer);
		n = read(out2, buffer, sizeof buffer - 1);
		buffer[n > 0 ? n : 0] = 0;
		buffer[strcspn(buffer, "\n")] = 0;
		printf("{\"what\":\"vendor\",\"gib\":%llu,%s}\n", (unsigned long long)gib, buffer);
		fflush(stdout);
		close(out2);
		waitpid(measurer, NULL, 0);
	}
	close(in);
	close(out);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

static int vendor_main(const char *mode, unsigned device, const char *argument)
{
	struct vendor_times t = {0};
	char why[200] = "";
	int rc;

	if (!strcmp(mode, "--hold"))
		return vendor_hold(device, strtoull(argument, NULL, 10) * PIECE, PIECE);
	rc = vendor_measure(atoi(argument), &t, why);
	if (rc)
		printf("\"skipped\":\"%s\"\n", why);
	else
		printf("\"lock_seconds\":%.4f,\"checkpoint_seconds\":%.4f,\"restore_seconds\":%.4f,\"unlock_seconds\":%.4f\n",
		       t.lock, t.checkpoint, t.restore, t.unlock);
	return rc;
}

/* ---- Arguments ------------------------------------------------------------ */

int main(int argc, char **argv)
{
	struct options o = {.repeat = 3, .self = argv[0]};
	struct hetckpt_device_facts facts = {0};
	int i = 1, rc;

	if (argc == 4 && (!strcmp(argv[1], "--hold") || !strcmp(argv[1], "--measure")))
		return vendor_main(argv[1], (unsigned)atoi(argv[2]), argv[3]);
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--vendor"))
			o.vendor = true;
		else if (i + 1 < argc && !strcmp(argv[i], "--device"))
			o.device = (unsigned)atoi(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "--repeat"))
			o.repeat = atoi(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "--file"))
			o.folder = argv[++i];
		else
			break;
	}
	if ((i < argc && argv[i][0] == '-') || o.repeat < 1 || o.repeat > REPEAT_MAX) {
		fprintf(stderr, "usage: gpu-snapshot [--device N] [--repeat 1..%d] [--file FOLDER] [--vendor] GIB...\n",
		        REPEAT_MAX);
		return 2;
	}
	rc = hetckpt_backend_cuda.probe(o.device, &facts, &error);
	if (rc) {
		printf("skipped: %s\n", error.text);
		return SKIP;
	}
	line(json_pack("{s:s, s:s, s:s, s:i}", "what", "machine", "device", facts.name, "driver", facts.version,
	               "processors", (int)sysconf(_SC_NPROCESSORS_ONLN)));
	if (i == argc)
		measure(&o, 1);
	for (; i < argc; i++) {
		long gib = strtol(argv[i], NULL, 10);

		must(gib < 1 || gib > 1024 ? -EINVAL : 0, argv[i]);
		measure(&o, (uint64_t)gib);
		if (o.vendor)
			vendor(&o, (uint64_t)gib);
	}
	return 0;
}
