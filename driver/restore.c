/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * hetckpt restore: finishes the GPU work of a snapshot, and writes the results.
 *
 * A session without an application. One thread loads, waits and exports; the main
 * loop serves tools meanwhile, so the session can be paused, checkpointed and moved.
 */
#define _GNU_SOURCE
#include "command.h"
#include "devices.h"
#include "output.h"
#include "supervisor.h"
#include "runtime/common/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
	"Usage: hetckpt restore [OPTIONS] FILE --export DIR\n\n"
	"Finishes what the snapshot FILE holds, the kernels that were running and the commands\n"
	"that were queued, and writes the contents of every allocation to DIR. While that runs,\n"
	"it is a session: ps, pause, checkpoint and migrate work on it.\n\n"
	"  --export DIR     where to write results; made if it is missing (required)\n"
	"  --device DEVICE  where to run, as 'hetckpt devices' names it (default: $HETCKPT_DEVICE,\n"
	"                   else the first GPU, else cpu:0)\n"
	"  --name NAME      a name for the session\n"
	"  --json           print facts as JSON\n"
	"  -q, --quiet      no notes\n"
	"  -h, --help       print this\n\n"
	"Exit status: 0 ok, 1 failure, 2 usage, 4 the snapshot is damaged, 128 + N if signal N\n"
	"ended it, 137 if a checkpoint that kills ended it.\n";

/* The worker reads a snapshot with progress; translating code first is silent. */
#define LOAD_MS 600000
#define EXPORT_MS 600000
#define POLL_MS 50

struct choice {
	struct hetckpt_supervisor_options session;
	char device[64];
	const char *file, *directory;
	char *export_path;  /* absolute */
	bool json;
};

struct work {
	struct hetckpt_supervisor *sv;
	const struct choice *choice;
	struct hetckpt_progress bar;
	int fd;
	bool done;               /* results are written */
	int rc;                  /* 0 or negative errno, when the thread has ended */
	struct hetckpt_error error;
	json_t *facts;
};

static int ending(struct work *w)
{
	int yes;

	pthread_mutex_lock(&w->sv->lock);
	yes = w->sv->state == HETCKPT_STATE_ENDING || w->sv->quit_asked ||
	      w->sv->ended_by_checkpoint;
	pthread_mutex_unlock(&w->sv->lock);
	return yes;
}

static int tick(void *context, const json_t *progress)
{
	struct work *w = context;

	if (progress)
		hetckpt_progress_message(&w->bar, progress);
	return ending(w);
}

static int load(struct work *w)
{
	struct hetckpt_worker_wait wait = {.silence_ms = LOAD_MS, .tick = tick, .context = w};
	struct hetckpt_supervisor *sv = w->sv;
	struct hetckpt_worker_link *link;
	json_t *facts = NULL;
	int rc = hetckpt_operation_begin(sv, "load", NULL, &w->error);

	if (rc)
		return rc;
	link = hetckpt_supervisor_worker(sv, &w->error);
	rc = link ? hetckpt_worker_call(link, json_pack("{s:s, s:b}", "op", "load", "detached", 1),
					&w->fd, 1, NULL, &wait, &w->error)
		  : w->error.code;
	hetckpt_worker_unref(link);
	if (!rc) {
		pthread_mutex_lock(&sv->lock);
		if (sv->state == HETCKPT_STATE_STARTING)
			sv->state = HETCKPT_STATE_PAUSED;
		pthread_mutex_unlock(&sv->lock);
	}
	hetckpt_operation_end(sv);
	if (!rc)
		rc = hetckpt_supervisor_resume(sv, NULL, &facts, &w->error);
	json_decref(facts);
	hetckpt_progress_finish(&w->bar);
	return rc;
}

static void show_kernels(struct work *w, const json_t *status)
{
	uint64_t done = 0, total = 0;
	json_t *kernel;
	size_t i;

	json_array_foreach(json_object_get(status, "kernels"), i, kernel) {
		done += (uint64_t)json_integer_value(json_object_get(kernel, "blocks_done"));
		total += (uint64_t)json_integer_value(json_object_get(kernel, "blocks"));
	}
	hetckpt_progress_count(&w->bar, "blocks of running kernels", done, total);
}

/*
 * Waits until the worker, whichever it is by then, has nothing left to do. Asked again
 * and again rather than once, because the session may be paused or moved meanwhile.
 */
static int wait_idle(struct work *w)
{
	struct hetckpt_worker_wait wait = {.silence_ms = 600000, .tick = tick, .context = w};
	struct timespec nap = {0, POLL_MS * 1000000l};
	struct hetckpt_supervisor *sv = w->sv;

	for (;;) {
		struct hetckpt_worker_link *link = NULL;
		json_t *status = NULL;
		bool busy, idle;
		int rc = 0;

		if (ending(w))
			return hetckpt_error_set(&w->error, -ECANCELED, 0, "ended");
		pthread_mutex_lock(&sv->lock);
		busy = sv->operation || sv->state == HETCKPT_STATE_PAUSED;
		pthread_mutex_unlock(&sv->lock);
		if (!busy) {
			link = hetckpt_supervisor_worker(sv, &w->error);
			if (!link)
				return w->error.code;
			rc = hetckpt_worker_call(link, json_pack("{s:s}", "op", "status"), NULL, 0,
						 &status, &wait, &w->error);
		}
		idle = status && !strcmp(json_string_value(json_object_get(status, "state"))
						 ?: "", "idle");
		if (status)
			show_kernels(w, status);
		json_decref(status);
		/* A worker that was replaced while it was asked is no failure. */
		if (rc) {
			pthread_mutex_lock(&sv->lock);
			if (link != sv->worker)
				rc = 0;
			pthread_mutex_unlock(&sv->lock);
		}
		hetckpt_worker_unref(link);
		if (rc || idle)
			return rc;
		nanosleep(&nap, NULL);
	}
}

/* Writes results if the session is still idle: 0, or -EAGAIN if it has been paused. */
static int export(struct work *w)
{
	struct hetckpt_worker_wait wait = {.silence_ms = EXPORT_MS, .tick = tick, .context = w};
	struct hetckpt_supervisor *sv = w->sv;
	struct hetckpt_worker_link *link;
	uint32_t failed;
	int rc = hetckpt_operation_begin(sv, "export", NULL, &w->error);

	if (rc)
		return rc;
	failed = atomic_load(&sv->memory.control->async_error);
	if (sv->state == HETCKPT_STATE_PAUSED) {
		rc = -EAGAIN;
	} else if (failed) {
		rc = hetckpt_error_set(&w->error, -EIO, failed,
				       "a restored command failed with CUDA error %u", failed);
	} else {
		link = hetckpt_supervisor_worker(sv, &w->error);
		rc = link ? hetckpt_worker_call(link,
						json_pack("{s:s, s:s}", "op", "export", "directory",
							  w->choice->export_path),
						NULL, 0, &w->facts, &wait, &w->error)
			  : w->error.code;
		hetckpt_worker_unref(link);
	}
	w->done = !rc;
	hetckpt_operation_end(sv);
	hetckpt_progress_finish(&w->bar);
	return rc;
}

static void *finish(void *argument)
{
	struct work *w = argument;

	hetckpt_progress_begin(&w->bar);
	w->rc = load(w);
	if (!w->rc)
		hetckpt_supervisor_note(w->sv, "session %s: restored on %s", w->sv->entry.id,
					w->sv->entry.device);
	hetckpt_progress_begin(&w->bar);
	while (!w->rc) {
		w->rc = wait_idle(w);
		if (!w->rc)
			w->rc = export(w);
		if (w->rc != -EAGAIN)
			break;
		w->rc = 0;
	}
	hetckpt_progress_finish(&w->bar);
	hetckpt_supervisor_finished(w->sv);
	return NULL;
}

static int report(const struct work *w, const char *id)
{
	if (w->choice->json) {
		json_t *facts = w->facts ? json_copy(w->facts) : json_object();
		int rc;

		json_object_del(facts, "id");
		json_object_del(facts, "ok");
		json_object_set_new(facts, "session", json_string(id));
		json_object_set_new(facts, "export", json_string(w->choice->export_path));
		rc = hetckpt_json_print(facts);
		json_decref(facts);
		return rc;
	}
	printf("%s: finished, results are in %s\n", id, w->choice->directory);
	return hetckpt_stdout_finish();
}

/* The worker has the file as a descriptor and calls it "snapshot". */
static int failed(const struct work *w)
{
	static const char nameless[] = "snapshot: ";
	const char *text = w->error.text;
	bool damaged = w->rc == -EBADMSG || w->rc == -ENOTSUP;

	if (!strncmp(text, nameless, sizeof nameless - 1)) {
		text += sizeof nameless - 1;
		damaged |= w->rc == -EINVAL || w->rc == -EFBIG;
	}
	return hetckpt_fail(damaged ? HETCKPT_EXIT_DAMAGED : HETCKPT_EXIT_FAILURE, "%s: %s",
			    w->choice->file, text);
}

static int restore(struct choice *choice)
{
	char *words[] = {(char *)choice->file, NULL};
	struct hetckpt_supervisor sv;
	struct work work = {.sv = &sv, .choice = choice, .fd = -1};
	struct hetckpt_error error;
	char id[sizeof sv.entry.id];
	bool by_checkpoint, made = false;
	int ended_by, rc;
	pthread_t thread;
	struct stat st;

	work.fd = open(choice->file, O_RDONLY | O_CLOEXEC);
	if (work.fd < 0)
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "%s: %s", choice->file, strerror(errno));
	made = !mkdir(choice->directory, 0777);
	if (!made && errno != EEXIST) {
		rc = hetckpt_fail(HETCKPT_EXIT_FAILURE, "cannot make %s: %s", choice->directory,
				  strerror(errno));
		goto out;
	}
	choice->export_path = realpath(choice->directory, NULL);
	if (choice->export_path && (stat(choice->export_path, &st) || !S_ISDIR(st.st_mode))) {
		rc = hetckpt_fail(HETCKPT_EXIT_FAILURE, "%s: is no folder", choice->directory);
		goto out;
	}
	if (!choice->export_path || access(choice->export_path, W_OK | X_OK)) {
		rc = hetckpt_fail(HETCKPT_EXIT_FAILURE, "%s: %s", choice->directory, strerror(errno));
		goto out;
	}
	choice->session.kind = "restore";
	choice->session.device = choice->device;
	choice->session.command = words;
	choice->session.restoring = true;
	rc = hetckpt_supervisor_start(&sv, &choice->session, &error);
	if (rc) {
		rc = hetckpt_fail(HETCKPT_EXIT_FAILURE, "%s", error.text);
		goto out;
	}
	memcpy(id, sv.entry.id, sizeof id);
	rc = pthread_create(&thread, NULL, finish, &work);
	if (rc) {
		hetckpt_supervisor_end(&sv);
		rc = hetckpt_fail(HETCKPT_EXIT_FAILURE, "cannot start a thread: %s", strerror(rc));
		goto out;
	}
	hetckpt_supervisor_serve(&sv, &ended_by);
	hetckpt_supervisor_finished(&sv);
	/* A signal must not wait for a worker that hangs in a call. */
	if (ended_by)
		hetckpt_worker_expect_end(sv.worker, true);
	pthread_join(thread, NULL);
	by_checkpoint = sv.ended_by_checkpoint;
	hetckpt_supervisor_end(&sv);
	if (work.done)
		rc = report(&work, id);
	else if (by_checkpoint)
		rc = hetckpt_fail(HETCKPT_EXIT_KILLED, "session %s ended by a checkpoint", id);
	else if (ended_by)
		rc = 128 + ended_by;
	else if (work.rc == -ECANCELED)
		rc = hetckpt_fail(HETCKPT_EXIT_FAILURE, "session %s was ended", id);
	else
		rc = failed(&work);
out:
	/* Fails, as it should, if anything has been written there. */
	if (made && !work.done)
		rmdir(choice->directory);
	json_decref(work.facts);
	free(choice->export_path);
	close(work.fd);
	return rc;
}

int hetckpt_command_restore(int argc, char **argv)
{
	static const struct option options[] = {
		{"export", 1, NULL, 'x'}, {"device", 1, NULL, 'd'}, {"name", 1, NULL, 'n'},
		{"json", 0, NULL, 'j'},	  {"quiet", 0, NULL, 'q'},  {"help", 0, NULL, 'h'},
		{0}};
	struct choice choice = {0};
	struct hetckpt_error error;
	int c;

	hetckpt_timeline_start("supervisor");
	while ((c = getopt_long(argc, argv, "qh", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			return hetckpt_help(help);
		case 'x':
			choice.directory = optarg;
			break;
		case 'd':
			if (!hetckpt_device_valid(optarg))
				return hetckpt_usage_error(argv, "--device %s: no name of a device, such as cpu:0 or cuda:1",
							   optarg);
			snprintf(choice.device, sizeof choice.device, "%s", optarg);
			break;
		case 'n':
			if (!hetckpt_name_valid(optarg))
				return hetckpt_usage_error(argv, "--name %s: letters, digits, '.', '_' and '-', at most 63",
							   optarg);
			choice.session.name = optarg;
			break;
		case 'j':
			choice.json = true;
			break;
		case 'q':
			choice.session.quiet = true;
			break;
		default:
			return hetckpt_usage_hint(argv);
		}
	}
	if (optind + 1 != argc)
		return hetckpt_usage_error(argv, optind == argc ? "the snapshot is missing"
								: "only one snapshot can be given");
	if (!choice.directory || !*choice.directory)
		return hetckpt_usage_error(argv, "--export DIR is missing");
	choice.file = argv[optind];
	if (!choice.device[0] &&
	    hetckpt_device_default(choice.device, sizeof choice.device, &error))
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "%s", error.text);
	return restore(&choice);
}
