/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "worker_link.h"

#include "runtime/channel/control.h"
#include "runtime/common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define TICK_MS 500
#define SEND_MS 10000
#define SILENCE_MS 30000
/* Descriptors that a worker inherits. */
#define WORKER_SESSION_FD 3
#define WORKER_CONTROL_FD 4

struct call {
	struct call *next;
	json_int_t id;
	json_t *reply;              /* the answer, once it is there */
	json_t *progress;           /* the newest record that has not been shown */
	unsigned records;           /* received for this call */
};

struct hetckpt_worker_link {
	_Atomic int references;
	pid_t pid;
	int fd;
	char device[64];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_mutex_t send_lock;
	struct call *calls;
	json_int_t next_id;
	bool named;                 /* device is what the worker has chosen */
	bool ready;
	bool reaped;                /* the process is no more, and status is known */
	bool gone;                  /* and lost has been called, if it was to be */
	bool retired;
	bool fault_told;
	uint32_t fault_cuda;        /* its CUDA error, 0 if it has none */
	char fault[HETCKPT_ERROR_TEXT];
	int status;                 /* of waitpid, when reaped */
	void (*lost)(void *context, struct hetckpt_worker_link *link, const char *why,
		     uint32_t cuda);
	void *context;
};

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* ---- Life -------------------------------------------------------------- */

struct hetckpt_worker_link *hetckpt_worker_ref(struct hetckpt_worker_link *link)
{
	atomic_fetch_add(&link->references, 1);
	return link;
}

void hetckpt_worker_unref(struct hetckpt_worker_link *link)
{
	if (!link || atomic_fetch_sub(&link->references, 1) != 1)
		return;
	if (link->fd >= 0)
		close(link->fd);
	pthread_cond_destroy(&link->changed);
	pthread_mutex_destroy(&link->lock);
	pthread_mutex_destroy(&link->send_lock);
	free(link);
}

static struct hetckpt_worker_link *link_new(const struct hetckpt_worker_options *options)
{
	struct hetckpt_worker_link *link = calloc(1, sizeof *link);
	pthread_condattr_t monotonic;

	if (!link)
		return NULL;
	atomic_init(&link->references, 1);
	link->fd = -1;
	link->named = options->device[0] != 0;
	snprintf(link->device, sizeof link->device, "%s", link->named ? options->device : "the default device");
	link->lost = options->lost;
	link->context = options->context;
	pthread_mutex_init(&link->lock, NULL);
	pthread_mutex_init(&link->send_lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&link->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return link;
}

/* Why a process that nobody asked to end has ended. */
static void describe_end(const struct hetckpt_worker_link *link, char *text, size_t size)
{
	if (link->fault[0])
		snprintf(text, size, "%s", link->fault);
	else if (WIFSIGNALED(link->status))
		snprintf(text, size, "the worker for %s was killed by signal %d (%s)", link->device,
			 WTERMSIG(link->status), strsignal(WTERMSIG(link->status)));
	else
		snprintf(text, size, "the worker for %s exited with status %d", link->device,
			 WEXITSTATUS(link->status));
}

/* ---- Reader thread ----------------------------------------------------- */

static struct call *call_find(struct hetckpt_worker_link *link, const json_t *message)
{
	json_t *id = json_object_get(message, "id");

	for (struct call *c = link->calls; c && json_is_integer(id); c = c->next)
		if (c->id == json_integer_value(id))
			return c;
	return NULL;
}

/* Takes one message (stolen). Returns true if it said that the device failed. */
static bool message_take(struct hetckpt_worker_link *link, json_t *message)
{
	json_int_t code = json_integer_value(json_object_get(message, "code"));
	const char *event = json_string_value(json_object_get(message, "event"));
	const char *why = json_string_value(json_object_get(message, "error"));
	bool fault = false;
	struct call *call;

	pthread_mutex_lock(&link->lock);
	call = call_find(link, message);
	if (event && !strcmp(event, "device")) {
		why = json_string_value(json_object_get(message, "device"));
		if (!link->named && why)
			snprintf(link->device, sizeof link->device, "%s", why);
		link->named = true;
	} else if (event && !strcmp(event, "ready")) {
		link->ready = true;
	} else if (event && !strcmp(event, "fault")) {
		snprintf(link->fault, sizeof link->fault, "%s", why ? why : "the device failed");
		/* Negative: an errno, of a worker that cannot go on for a reason of its own. */
		link->fault_cuda = code > 0 && code <= UINT32_MAX ? (uint32_t)code : 0;
		/* One that is to end may have had it before it was told so. */
		fault = !link->fault_told;
		link->fault_told = true;
	} else if (call && json_object_get(message, "ok")) {
		json_decref(call->reply);
		call->reply = json_incref(message);
		call->records++;
	} else if (call && json_object_get(message, "progress")) {
		json_decref(call->progress);
		call->progress = json_incref(json_object_get(message, "progress"));
		call->records++;
	}
	/* Inside the lock: whoever takes a reply out has it alone then. */
	json_decref(message);
	pthread_cond_broadcast(&link->changed);
	pthread_mutex_unlock(&link->lock);
	return fault;
}

/* True once the process has ended; it stays a zombie, so that its number stays its own. */
static bool ended(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == pid;
}

/* Waits for the process to end; kills it if it lives on without its socket. */
static void wait_end(pid_t pid)
{
	long long patience = now_ms() + 2000;
	struct timespec nap = {0, 100000};

	/* It is usually a matter of milliseconds: what the device held is given back. */
	while (!ended(pid)) {
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 5000000)
			nap.tv_nsec += nap.tv_nsec / 2;
		if (now_ms() >= patience)
			kill(pid, SIGKILL);
	}
}

static void *reader(void *argument)
{
	struct hetckpt_worker_link *link = argument;
	char why[HETCKPT_ERROR_TEXT];
	bool unexpected;

	for (;;) {
		json_t *message;
		int rc = hetckpt_control_receive(link->fd, &message, NULL, NULL, 1000);

		/* Something that the worker started may hold the socket open. */
		if (rc == -ETIMEDOUT && !ended(link->pid))
			continue;
		if (rc == -EBADMSG || rc == -EMSGSIZE) {
			hetckpt_log(HETCKPT_LOG_WARN, "the worker for %s sent a message that makes no sense",
				    link->device);
			continue;
		}
		if (rc)
			break;
		if (message_take(link, message))
			link->lost(link->context, link, link->fault, link->fault_cuda);
	}
	wait_end(link->pid);
	pthread_mutex_lock(&link->lock);
	while (waitpid(link->pid, &link->status, 0) < 0 && errno == EINTR)
		;
	link->reaped = true;
	unexpected = !link->retired && !link->fault_told;
	link->fault_told |= unexpected;
	describe_end(link, why, sizeof why);
	pthread_mutex_unlock(&link->lock);
	/* Before those who wait hear of it: they shall find the session in its final state. */
	if (unexpected)
		link->lost(link->context, link, why, 0);
	pthread_mutex_lock(&link->lock);
	link->gone = true;
	pthread_cond_broadcast(&link->changed);
	pthread_mutex_unlock(&link->lock);
	hetckpt_worker_unref(link);
	return NULL;
}

/* ---- Starting ---------------------------------------------------------- */

static int spawn(struct hetckpt_worker_link *link, const struct hetckpt_worker_options *options,
		 int control, struct hetckpt_error *error)
{
	char *argv[] = {(char *)options->program, "--session-fd", "3", "--control-fd", "4",
			NULL, NULL, NULL, NULL};
	char **more = &argv[5];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int high_session, high_control, rc;

	if (options->device[0]) {
		*more++ = "--device";
		*more++ = (char *)options->device;
	}
	if (options->restore)
		*more = "--restore";
	/* Out of the way first, because a dup2 onto 3 or 4 could hit the other one. */
	high_session = fcntl(options->session_fd, F_DUPFD_CLOEXEC, 16);
	high_control = fcntl(control, F_DUPFD_CLOEXEC, 16);
	if (high_session < 0 || high_control < 0) {
		rc = hetckpt_error_set(error, -errno, 0, "cannot start a worker: %s",
				       strerror(errno));
		goto out;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, high_session, WORKER_SESSION_FD);
	posix_spawn_file_actions_adddup2(&actions, high_control, WORKER_CONTROL_FD);
	/* A group of its own: the terminal's interrupt is for the application. */
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setpgroup(&attributes, 0);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	rc = -posix_spawn(&link->pid, options->program, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (rc)
		hetckpt_error_set(error, rc, 0, "cannot start %s: %s", options->program,
				  strerror(-rc));
out:
	if (high_session >= 0)
		close(high_session);
	if (high_control >= 0)
		close(high_control);
	return rc;
}

int hetckpt_worker_start(const struct hetckpt_worker_options *options,
			 struct hetckpt_worker_link **out, struct hetckpt_error *error)
{
	struct hetckpt_worker_link *link = link_new(options);
	pthread_attr_t detached;
	pthread_t thread;
	int pair[2], rc;

	*out = NULL;
	if (!link)
		return hetckpt_error_set(error, -ENOMEM, 0, "no memory for a worker");
	rc = hetckpt_control_pair(pair);
	if (rc) {
		hetckpt_error_set(error, rc, 0, "cannot make a socket for the worker: %s",
				  strerror(-rc));
		goto failed;
	}
	link->fd = pair[0];
	rc = spawn(link, options, pair[1], error);
	close(pair[1]);
	if (rc)
		goto failed;
	hetckpt_worker_ref(link);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	rc = -pthread_create(&thread, &detached, reader, link);
	pthread_attr_destroy(&detached);
	if (rc) {
		hetckpt_error_set(error, rc, 0, "cannot start a thread: %s", strerror(-rc));
		hetckpt_worker_unref(link);
		kill(link->pid, SIGKILL);
		waitpid(link->pid, NULL, 0);
		goto failed;
	}
	*out = link;
	return 0;
failed:
	hetckpt_worker_unref(link);
	return rc;
}

/* ---- Waiting ----------------------------------------------------------- */

/*
 * Waits, with the lock held, for call (or, if that is NULL, for *told). The lock is released
 * while tick runs.
 */
static int wait_locked(struct hetckpt_worker_link *link, struct call *call, const bool *told,
		       const struct hetckpt_worker_wait *wait, struct hetckpt_error *error)
{
	int silence = wait ? wait->silence_ms : SILENCE_MS;
	long long heard = now_ms(), ticked = heard;
	unsigned records = 0;
	char why[HETCKPT_ERROR_TEXT];

	for (;;) {
		json_t *progress = NULL;
		struct timespec until;
		long long now;

		if (call ? call->reply != NULL : *told)
			return 0;
		if (link->gone) {
			describe_end(link, why, sizeof why);
			return hetckpt_error_set(error, -ECONNRESET, 0, "%s", why);
		}
		if (!call && link->fault[0])
			return hetckpt_error_set(error, -ENODEV, 0, "%s", link->fault);
		now = now_ms();
		if (call && call->records != records) {
			records = call->records;
			heard = now;
			progress = call->progress;
			call->progress = NULL;
		}
		if (silence >= 0 && now - heard > silence) {
			json_decref(progress);
			return hetckpt_error_set(error, -ETIMEDOUT, 0,
						 "the worker for %s has not answered for %d seconds",
						 link->device, silence / 1000);
		}
		if (progress || now - ticked >= TICK_MS) {
			int stop = 0;

			ticked = now;
			if (wait && wait->tick) {
				pthread_mutex_unlock(&link->lock);
				stop = wait->tick(wait->context, progress);
				pthread_mutex_lock(&link->lock);
			}
			json_decref(progress);
			if (stop)
				return hetckpt_error_set(error, -ECANCELED, 0, "cancelled");
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += 100 * 1000000l;
		if (until.tv_nsec >= 1000000000l) {
			until.tv_nsec -= 1000000000l;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&link->changed, &link->lock, &until);
	}
}

int hetckpt_worker_ready_wait(struct hetckpt_worker_link *link,
			      const struct hetckpt_worker_wait *wait, struct hetckpt_error *error)
{
	int rc;

	pthread_mutex_lock(&link->lock);
	rc = wait_locked(link, NULL, &link->ready, wait, error);
	pthread_mutex_unlock(&link->lock);
	return rc;
}

int hetckpt_worker_named_wait(struct hetckpt_worker_link *link,
			      const struct hetckpt_worker_wait *wait, struct hetckpt_error *error)
{
	int rc;

	pthread_mutex_lock(&link->lock);
	rc = wait_locked(link, NULL, &link->named, wait, error);
	pthread_mutex_unlock(&link->lock);
	return rc;
}

static void call_remove(struct hetckpt_worker_link *link, struct call *call)
{
	for (struct call **at = &link->calls; *at; at = &(*at)->next) {
		if (*at == call) {
			*at = call->next;
			break;
		}
	}
}

/* Turns the worker's answer into a return value. */
static int answer_take(json_t *answer, json_t **reply, const char *device,
		       struct hetckpt_error *error)
{
	json_int_t code = json_integer_value(json_object_get(answer, "code"));
	const char *why = json_string_value(json_object_get(answer, "error"));

	if (json_is_true(json_object_get(answer, "ok"))) {
		if (reply)
			*reply = json_incref(answer);
		return 0;
	}
	return hetckpt_error_set(error, code < 0 && code > -4096 ? (int)code : -EIO, 0, "%s",
				 why ? why : device);
}

int hetckpt_worker_call(struct hetckpt_worker_link *link, json_t *request, const int *fds,
			int count, json_t **reply, const struct hetckpt_worker_wait *wait,
			struct hetckpt_error *error)
{
	struct call call = {0};
	int rc;

	if (reply)
		*reply = NULL;
	pthread_mutex_lock(&link->lock);
	call.id = ++link->next_id;
	if (!request || json_object_set_new(request, "id", json_integer(call.id))) {
		pthread_mutex_unlock(&link->lock);
		json_decref(request);
		return hetckpt_error_set(error, -ENOMEM, 0, "no memory for a request");
	}
	call.next = link->calls;
	link->calls = &call;
	pthread_mutex_unlock(&link->lock);

	pthread_mutex_lock(&link->send_lock);
	rc = hetckpt_control_send(link->fd, request, fds, count, SEND_MS);
	pthread_mutex_unlock(&link->send_lock);

	pthread_mutex_lock(&link->lock);
	/* A closed socket is the reader's to explain: it knows how the process ended. */
	if (!rc || rc == -EPIPE)
		rc = wait_locked(link, &call, NULL, wait, error);
	else
		hetckpt_error_set(error, rc, 0, "cannot reach the worker for %s: %s", link->device,
				  strerror(-rc));
	if (!rc)
		rc = answer_take(call.reply, reply, link->device, error);
	call_remove(link, &call);
	pthread_mutex_unlock(&link->lock);
	json_decref(call.reply);
	json_decref(call.progress);
	json_decref(request);
	return rc;
}

/* ---- Ending ------------------------------------------------------------ */

void hetckpt_worker_expect_end(struct hetckpt_worker_link *link, bool expected)
{
	char why[HETCKPT_ERROR_TEXT] = "";
	bool tell;

	pthread_mutex_lock(&link->lock);
	link->retired = expected;
	tell = !expected && !link->fault_told && (link->reaped || link->fault[0]);
	if (tell) {
		link->fault_told = true;
		describe_end(link, why, sizeof why);
	}
	pthread_mutex_unlock(&link->lock);
	if (tell)
		link->lost(link->context, link, why, 0);
}

void hetckpt_worker_kill(struct hetckpt_worker_link *link)
{
	pthread_mutex_lock(&link->lock);
	/* Until then the number is still its own. */
	if (!link->reaped)
		kill(link->pid, SIGKILL);
	pthread_mutex_unlock(&link->lock);
}

void hetckpt_worker_end(struct hetckpt_worker_link *link, int grace_ms)
{
	json_t *quit = json_pack("{s:s}", "op", "quit");
	long long until = now_ms() + grace_ms;
	bool killed = false;

	hetckpt_worker_expect_end(link, true);
	pthread_mutex_lock(&link->send_lock);
	if (quit && hetckpt_control_send(link->fd, quit, NULL, 0, 100))
		until = now_ms();
	pthread_mutex_unlock(&link->send_lock);
	json_decref(quit);
	pthread_mutex_lock(&link->lock);
	while (!link->gone) {
		struct timespec t;

		if (!killed && !link->reaped && now_ms() >= until) {
			kill(link->pid, SIGKILL);
			killed = true;
		}
		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_nsec += 20 * 1000000l;
		if (t.tv_nsec >= 1000000000l) {
			t.tv_nsec -= 1000000000l;
			t.tv_sec++;
		}
		pthread_cond_timedwait(&link->changed, &link->lock, &t);
	}
	pthread_mutex_unlock(&link->lock);
}

pid_t hetckpt_worker_pid(const struct hetckpt_worker_link *link)
{
	return link->pid;
}

const char *hetckpt_worker_device(const struct hetckpt_worker_link *link)
{
	return link->device;
}

bool hetckpt_worker_alive(struct hetckpt_worker_link *link)
{
	bool alive;

	pthread_mutex_lock(&link->lock);
	alive = !link->reaped && !link->fault[0];
	pthread_mutex_unlock(&link->lock);
	return alive;
}
