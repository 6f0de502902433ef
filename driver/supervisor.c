/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "supervisor.h"

#include "command.h"
#include "paths.h"
#include "runtime/channel/control.h"
#include "runtime/common/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_MS 3000

/* Passed on to the application. */
static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

const char *hetckpt_state_name(enum hetckpt_state state)
{
	static const char *const name[] = {"starting", "running", "paused", "failed", "ending"};

	return name[state];
}

void hetckpt_supervisor_note(const struct hetckpt_supervisor *sv, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (sv->quiet)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	fprintf(stderr, "hetckpt: %s\n", line);
}

void hetckpt_supervisor_wake(struct hetckpt_supervisor *sv)
{
	uint64_t one = 1;

	if (write(sv->wake_fd, &one, sizeof one) < 0)
		(void)0; /* the counter is full: it is awake already */
}

/* ---- Start ------------------------------------------------------------- */

/* Text that JSON can hold: what is not UTF-8 becomes '?'. */
static void make_utf8(char *text)
{
	json_t *probe = json_string(text);

	if (!probe)
		for (; *text; text++)
			if ((unsigned char)*text >= 0x80)
				*text = '?';
	json_decref(probe);
}

static int describe_command(struct hetckpt_supervisor *sv, char *const *argv)
{
	char *line = hetckpt_command_join(argv);

	sv->command = json_array();
	if (!line || !sv->command) {
		free(line);
		return -ENOMEM;
	}
	snprintf(sv->entry.command, sizeof sv->entry.command, "%s", line);
	make_utf8(sv->entry.command);
	free(line);
	for (; *argv; argv++) {
		char *word = strdup(*argv);

		if (!word)
			return -ENOMEM;
		make_utf8(word);
		json_array_append_new(sv->command, json_string(word));
		free(word);
	}
	return 0;
}

static int signals_open(struct hetckpt_supervisor *sv, struct hetckpt_error *error)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
		sigaddset(&set, forwarded[i]);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* A tool or worker that hangs up while we write is no reason to die. */
	signal(SIGPIPE, SIG_IGN);
	sv->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	sv->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sv->signal_fd < 0 || sv->wake_fd < 0)
		return hetckpt_error_set(error, -errno, 0, "cannot watch signals: %s",
					 strerror(errno));
	return 0;
}

static void release(struct hetckpt_supervisor *sv)
{
	while (sv->module_count)
		hetckpt_supervisor_module_remove(sv, sv->modules[0].number);
	while (sv->host_count)
		hetckpt_supervisor_host_remove(sv, sv->hosts[0].address);
	free(sv->modules);
	free(sv->hosts);
	hetckpt_session_close(&sv->memory);
	if (sv->listener >= 0)
		close(sv->listener);
	if (sv->entry.folder[0])
		hetckpt_registry_remove(&sv->entry, sv->lock_fd);
	if (sv->signal_fd >= 0)
		close(sv->signal_fd);
	if (sv->wake_fd >= 0)
		close(sv->wake_fd);
	if (sv->stage_fd >= 0)
		close(sv->stage_fd);
	json_decref(sv->command);
	json_decref(sv->stress);
	json_decref(sv->last_checkpoint);
	pthread_cond_destroy(&sv->changed);
	pthread_mutex_destroy(&sv->lock);
}

/* SIGINT and the like while the worker opens its device: give up. */
static int start_tick(void *context, const json_t *progress)
{
	struct hetckpt_supervisor *sv = context;
	struct signalfd_siginfo info;

	while (read(sv->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
		if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM ||
		    info.ssi_signo == SIGHUP || info.ssi_signo == SIGQUIT)
			return 1;
	return 0;
}

/* A worker that was given no device chooses one. */
static int name_device(struct hetckpt_supervisor *sv, const struct hetckpt_worker_wait *wait,
		       struct hetckpt_error *error)
{
	int rc = sv->entry.device[0] ? 0 : hetckpt_worker_named_wait(sv->opening, wait, error);

	if (!rc)
		snprintf(sv->entry.device, sizeof sv->entry.device, "%s",
			 hetckpt_worker_device(sv->opening));
	return rc;
}

int hetckpt_supervisor_start(struct hetckpt_supervisor *sv,
			     const struct hetckpt_supervisor_options *options,
			     struct hetckpt_error *error)
{
	struct hetckpt_worker_wait wait = {.silence_ms = -1, .tick = start_tick, .context = sv};
	uint64_t begin = hetckpt_timeline_now();
	pthread_condattr_t monotonic;
	struct timespec now;
	int rc;

	memset(sv, 0, sizeof *sv);
	sv->lock_fd = sv->listener = sv->wake_fd = sv->signal_fd = sv->stage_fd = -1;
	sv->memory.fd = -1;
	sv->quiet = options->quiet;
	sv->restoring = options->restoring;
	sv->stress = options->stress;
	sv->stage_limit = options->stage > 0 ? options->stage : -1;
	pthread_mutex_init(&sv->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&sv->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);

	clock_gettime(CLOCK_REALTIME, &now);
	sv->entry.started = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
	sv->entry.supervisor_pid = getpid();
	snprintf(sv->entry.kind, sizeof sv->entry.kind, "%s", options->kind);
	snprintf(sv->entry.device, sizeof sv->entry.device, "%s", options->device);
	snprintf(sv->entry.name, sizeof sv->entry.name, "%s", options->name ? options->name : "");

	rc = signals_open(sv, error);
	if (!rc)
		rc = hetckpt_path_worker(sv->worker_program, error);
	if (!rc && describe_command(sv, options->command))
		rc = hetckpt_error_set(error, -ENOMEM, 0, "no memory");
	if (!rc)
		rc = hetckpt_registry_create(&sv->entry, &sv->lock_fd, error);
	if (rc)
		goto failed;
	rc = hetckpt_control_listen(sv->entry.socket, &sv->listener);
	if (rc) {
		hetckpt_error_set(error, rc, 0, "cannot listen at %.350s: %s", sv->entry.socket,
				  strerror(-rc));
		goto failed;
	}
	rc = hetckpt_session_create(&sv->memory, 0, 0, 0);
	if (rc) {
		hetckpt_error_set(error, rc, 0, "cannot make session memory: %s", strerror(-rc));
		goto failed;
	}
	if (options->stage >= 0) {
		sv->stage_fd = memfd_create("hetckpt-stage", MFD_CLOEXEC);
		if (sv->stage_fd < 0)
			hetckpt_supervisor_note(sv, "warning: no stage: %s", strerror(errno));
	}
	hetckpt_timeline_step(begin, "session made");
	sv->state = HETCKPT_STATE_STARTING;
	rc = hetckpt_supervisor_worker_spawn(sv, options->device, options->restoring, &sv->opening, error);
	if (rc)
		goto failed;
	begin = hetckpt_timeline_now();
	rc = name_device(sv, &wait, error);
	/* Before the application is: it may look there. */
	if (!rc)
		rc = hetckpt_registry_publish(&sv->entry, error);
	hetckpt_timeline_step(begin, "device named");
	if (!rc && options->restoring)
		rc = hetckpt_supervisor_worker_ready(sv, sv->opening, &wait, error);
	else if (!rc)
		rc = hetckpt_supervisor_open_begin(sv, error);
	if (rc) {
		hetckpt_worker_end(sv->opening, 0);
		hetckpt_worker_unref(sv->opening);
		goto failed;
	}
	if (options->restoring) {
		sv->worker = sv->opening;
		sv->opening = NULL;
	}
	return 0;
failed:
	release(sv);
	return rc;
}

/* ---- Main loop --------------------------------------------------------- */

/*
 * A signal that came for us. What the terminal sends goes to the whole foreground group, so
 * the application has it already; only what somebody sent to us alone is passed on. It also ends
 * our patience with a device that is not open yet.
 */
static void pass_signal(struct hetckpt_supervisor *sv, const struct signalfd_siginfo *info,
			int *ended_by)
{
	bool terminal = info->ssi_code == SI_KERNEL;
	pid_t application;
	bool alone;

	pthread_mutex_lock(&sv->lock);
	application = sv->application;
	alone = !application || sv->opening;
	if (application && !terminal)
		kill(application, (int)info->ssi_signo);
	pthread_mutex_unlock(&sv->lock);
	if (alone && (info->ssi_signo == SIGINT || info->ssi_signo == SIGTERM ||
			     info->ssi_signo == SIGHUP || info->ssi_signo == SIGQUIT))
		*ended_by = (int)info->ssi_signo;
}

/* True once the application has ended; *status is then its wait status. */
static bool application_ended(struct hetckpt_supervisor *sv, int *status)
{
	bool ended = false;

	pthread_mutex_lock(&sv->lock);
	if (sv->application && waitpid(sv->application, status, WNOHANG) == sv->application) {
		sv->application = 0;
		ended = true;
	}
	pthread_mutex_unlock(&sv->lock);
	return ended;
}

int hetckpt_supervisor_serve(struct hetckpt_supervisor *sv, int *ended_by)
{
	struct pollfd watch[] = {
		{.fd = sv->signal_fd, .events = POLLIN},
		{.fd = sv->wake_fd, .events = POLLIN},
		{.fd = sv->listener, .events = POLLIN},
	};
	bool had_application = sv->application != 0, ended = false;
	uint64_t begin = hetckpt_timeline_now();
	int status = -1;

	*ended_by = 0;
	for (;;) {
		struct signalfd_siginfo info;
		uint64_t count;
		bool done;

		ended |= had_application && application_ended(sv, &status);
		if (ended && (*ended_by || !hetckpt_supervisor_opening(sv)))
			break;
		pthread_mutex_lock(&sv->lock);
		done = !had_application && (sv->quit_asked || sv->ended_by_checkpoint);
		pthread_mutex_unlock(&sv->lock);
		if (done || (*ended_by && !had_application))
			break;
		if (poll(watch, 3, -1) < 0 && errno != EINTR)
			break;
		while (read(sv->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
			if (info.ssi_signo != SIGCHLD)
				pass_signal(sv, &info, ended_by);
		if (read(sv->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
			break;
		if (watch[2].revents)
			hetckpt_supervisor_accept(sv);
	}
	hetckpt_timeline_step(begin, "the program runs");
	return status;
}

void hetckpt_supervisor_finished(struct hetckpt_supervisor *sv)
{
	pthread_mutex_lock(&sv->lock);
	sv->quit_asked = true;
	pthread_mutex_unlock(&sv->lock);
	hetckpt_supervisor_wake(sv);
}

/* ---- End --------------------------------------------------------------- */

/*
 * Lets the operation under way come to its end: a checkpoint is wanted all the more when
 * the application has ended meanwhile. A signal ends the patience.
 */
static void wait_operation(struct hetckpt_supervisor *sv)
{
	struct signalfd_siginfo info;
	bool killed = false, busy = true;

	while (busy) {
		struct pollfd watch = {.fd = sv->signal_fd, .events = POLLIN};

		pthread_mutex_lock(&sv->lock);
		busy = sv->operation != NULL;
		pthread_mutex_unlock(&sv->lock);
		if (!busy)
			break;
		if (poll(&watch, 1, 50) <= 0)
			continue;
		while (read(sv->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
			killed |= info.ssi_signo != SIGCHLD && info.ssi_signo != SIGWINCH;
		if (killed && sv->worker)
			hetckpt_worker_kill(sv->worker);
	}
}

void hetckpt_supervisor_end(struct hetckpt_supervisor *sv)
{
	uint64_t begin = hetckpt_timeline_now();

	pthread_mutex_lock(&sv->lock);
	sv->state = HETCKPT_STATE_ENDING;
	pthread_cond_broadcast(&sv->changed);
	pthread_mutex_unlock(&sv->lock);
	if (!sv->restoring)
		hetckpt_supervisor_open_end(sv);
	wait_operation(sv);
	close(sv->listener);
	sv->listener = -1;
	hetckpt_supervisor_connections_end(sv);
	hetckpt_timeline_step(begin, "connections end");
	begin = hetckpt_timeline_now();
	if (sv->worker)
		hetckpt_worker_end(sv->worker, END_MS);
	hetckpt_worker_unref(sv->worker);
	hetckpt_timeline_step(begin, "the worker ends");
	begin = hetckpt_timeline_now();
	release(sv);
	hetckpt_timeline_step(begin, "session removed");
}
