/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "supervisor.h"

#include "command.h"
#include "runtime/channel/control.h"
#include "runtime/common/log.h"
#include "runtime/common/timeline.h"

#include <hetckpt/abi.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Connections at once; a tool that says nothing for this long is dropped. */
#define CONNECTIONS_MAX 64
#define IDLE_MS 60000
#define STATUS_MS 2500
#define MODULE_MS 600000
#define PAUSE_MS 10000

/* ---- Requests: reading fields ------------------------------------------ */

static const char *text_field(const json_t *request, const char *name)
{
	const char *text = json_string_value(json_object_get(request, name));

	return text ? text : "";
}

static int timeout_field(const json_t *request)
{
	json_t *value = json_object_get(request, "timeout_ms");
	json_int_t ms = json_integer_value(value);

	return !json_is_integer(value) ? PAUSE_MS : ms < 1 ? 1 : ms > 86400000 ? 86400000 : (int)ms;
}

/* ---- Who waits --------------------------------------------------------- */

struct waiting { struct hetckpt_connection *connection; const json_t *request; };

/* Passes progress on, and a sign of life otherwise. Non-zero once the peer is gone. */
static int tick(void *context, const json_t *progress)
{
	struct waiting *w = context;
	json_t *record;
	int rc;

	if (hetckpt_control_hung_up(w->connection->fd))
		return -EPIPE;
	record = json_pack("{s:O?, s:o}", "id", json_object_get(w->request, "id"), "progress",
			   progress ? json_incref((json_t *)progress)
				    : json_pack("{s:i, s:i, s:s}", "done", 0, "total", 0, "what",
						"working"));
	/* A peer that reads slowly misses some; only one that is gone counts. */
	rc = record ? hetckpt_control_send(w->connection->fd, record, NULL, 0, 0) : 0;
	json_decref(record);
	return rc == -EPIPE || rc == -EBADF;
}

static int reply_or_refuse(struct hetckpt_connection *c, const json_t *request, int rc,
			   json_t *facts, const struct hetckpt_error *error)
{
	if (rc)
		return hetckpt_control_refuse(c->fd, request, rc, "%s", error->text);
	return hetckpt_control_reply(c->fd, request, facts, NULL, 0);
}

/* ---- Requests of tools ------------------------------------------------- */

/* What the supervisor itself knows. */
static json_t *session_facts(struct hetckpt_supervisor *sv)
{
	struct timespec now;
	json_t *facts;

	clock_gettime(CLOCK_REALTIME, &now);
	pthread_mutex_lock(&sv->lock);
	facts = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:s, s:f, s:f, s:b, s:s?, s:s?, s:o?}",
		"id", sv->entry.id, "name", sv->entry.name, "kind", sv->entry.kind, "state",
		hetckpt_state_name(sv->state), "device", sv->entry.device, "pid",
		(json_int_t)sv->entry.pid, "supervisor_pid", (json_int_t)sv->entry.supervisor_pid,
		"worker_pid", (json_int_t)(sv->worker ? hetckpt_worker_pid(sv->worker) : 0),
		"command", json_deep_copy(sv->command), "command_line", sv->entry.command, "started",
		sv->entry.started, "uptime_seconds",
		(double)now.tv_sec + (double)now.tv_nsec * 1e-9 - sv->entry.started, "attached",
		sv->attached != 0, "operation", sv->operation, "error",
		sv->failure[0] ? sv->failure : NULL, "checkpoint",
		json_deep_copy(sv->last_checkpoint));
	pthread_mutex_unlock(&sv->lock);
	return facts;
}

static int do_status(struct hetckpt_connection *c, json_t *request)
{
	struct hetckpt_supervisor *sv = c->supervisor;
	struct hetckpt_worker_wait wait = {.silence_ms = STATUS_MS};
	struct hetckpt_worker_link *link;
	struct hetckpt_error error;
	json_t *worker = NULL, *facts = session_facts(sv);
	bool busy;

	/* A worker in the middle of an operation answers later; do not wait for that. */
	busy = json_is_string(json_object_get(facts, "operation"));
	link = busy ? NULL : hetckpt_supervisor_worker(sv, &error);
	if (link) {
		json_t *ask = json_pack("{s:s, s:b}", "op", "status", "detail",
					json_is_true(json_object_get(request, "detail")));

		if (!hetckpt_worker_call(link, ask, NULL, 0, &worker, &wait, &error)) {
			json_object_del(worker, "id");
			json_object_del(worker, "ok");
		}
		hetckpt_worker_unref(link);
	}
	return hetckpt_control_reply(c->fd, request,
				     json_pack("{s:o, s:o?}", "session", facts, "worker", worker),
				     NULL, 0);
}

static int do_checkpoint(struct hetckpt_connection *c, json_t *request,
			 const struct hetckpt_requester *who)
{
	struct hetckpt_checkpoint_options options = {
		.path = text_field(request, "path"),
		.compress = text_field(request, "compress"),
		.level = (int)json_integer_value(json_object_get(request, "level")),
		.then = text_field(request, "then"),
		.timeout_ms = timeout_field(request),
	};
	struct hetckpt_error error;
	json_t *facts = NULL;
	int rc;

	if (!options.compress[0])
		options.compress = "zstd";
	if (options.path[0] != '/')
		return hetckpt_control_refuse(c->fd, request, -EINVAL, "'path' is not absolute");
	if (strcmp(options.compress, "zstd") && strcmp(options.compress, "none"))
		return hetckpt_control_refuse(c->fd, request, -EINVAL,
					      "'compress' is '%.20s', not zstd or none",
					      options.compress);
	if (options.level < 0 || options.level > 19)
		return hetckpt_control_refuse(c->fd, request, -EINVAL, "'level' is not in 0..19");
	if (strcmp(options.then, "resume") && strcmp(options.then, "pause") &&
	    strcmp(options.then, "kill"))
		return hetckpt_control_refuse(c->fd, request, -EINVAL,
					      "'then' is '%.20s', not resume, pause or kill",
					      options.then);
	rc = hetckpt_supervisor_checkpoint(c->supervisor, &options, who, &facts, &error);
	return reply_or_refuse(c, request, rc, facts, &error);
}

static int do_migrate(struct hetckpt_connection *c, json_t *request,
		      const struct hetckpt_requester *who)
{
	struct hetckpt_migrate_options options = {
		.device = text_field(request, "device"),
		.via = text_field(request, "via"),
		.timeout_ms = timeout_field(request),
	};
	struct hetckpt_error error;
	json_t *facts = NULL;
	int rc;

	if (!hetckpt_device_valid(options.device))
		return hetckpt_control_refuse(c->fd, request, -EINVAL,
					      "'%.40s' is not the name of a device", options.device);
	if (!options.via[0])
		options.via = "auto";
	if (!hetckpt_via_valid(options.via))
		return hetckpt_control_refuse(c->fd, request, -EINVAL, "'via' is '%.20s', not " HETCKPT_VIA_LIST,
					      options.via);
	rc = hetckpt_supervisor_migrate(c->supervisor, &options, who, &facts, &error);
	return reply_or_refuse(c, request, rc, facts, &error);
}

static int do_quit(struct hetckpt_connection *c, json_t *request)
{
	struct hetckpt_supervisor *sv = c->supervisor;

	pthread_mutex_lock(&sv->lock);
	sv->quit_asked = true;
	if (sv->application)
		kill(sv->application, SIGTERM);
	pthread_mutex_unlock(&sv->lock);
	hetckpt_supervisor_wake(sv);
	return hetckpt_control_reply(c->fd, request, NULL, NULL, 0);
}

/* ---- Requests of the application --------------------------------------- */

static int do_attach(struct hetckpt_connection *c, json_t *request,
		     const struct hetckpt_requester *who)
{
	struct hetckpt_supervisor *sv = c->supervisor;
	json_int_t abi = json_integer_value(json_object_get(request, "abi"));
	struct hetckpt_error error;
	int rc;

	if (abi != HETCKPT_ABI_VERSION)
		return hetckpt_control_refuse(c->fd, request, -EPROTONOSUPPORT,
					      "the CUDA runtime has ABI %lld, this session %u",
					      (long long)abi, HETCKPT_ABI_VERSION);
	if (sv->restoring)
		return hetckpt_control_refuse(c->fd, request, -EPERM,
					      "a restored session takes no application");
	rc = hetckpt_operation_begin(sv, "attach", who, &error);
	if (rc)
		return hetckpt_control_refuse(c->fd, request, rc, "%s", error.text);
	pthread_mutex_lock(&sv->lock);
	if (sv->refused)
		rc = hetckpt_error_set(&error, -ENODEV, 0, "%s", sv->failure);
	else if (sv->attached && sv->attached != c->pid && !kill(sv->attached, 0))
		rc = hetckpt_error_set(&error, -EBUSY, 0,
				       "process %d has this session's device already",
				       (int)sv->attached);
	else if (c->application || (sv->attached && sv->attached == c->pid))
		rc = hetckpt_error_set(&error, -EALREADY, 0, "this process is attached already");
	else
		sv->attached = c->pid;
	pthread_mutex_unlock(&sv->lock);
	/* Memory that another process has used holds its commands: start afresh. */
	if (!rc && sv->used) {
		rc = hetckpt_supervisor_renew(sv, &error);
		if (rc) {
			pthread_mutex_lock(&sv->lock);
			sv->attached = 0;
			pthread_mutex_unlock(&sv->lock);
		}
	}
	if (!rc) {
		c->application = true;
		sv->used = true;
		rc = hetckpt_control_reply(c->fd, request,
					   json_pack("{s:s, s:s}", "session", sv->entry.id, "device",
						     sv->entry.device),
					   &sv->memory.fd, 1);
	} else {
		rc = hetckpt_control_refuse(c->fd, request, rc, "%s", error.text);
	}
	hetckpt_operation_end(sv);
	return rc;
}

/* A memfd of at least bytes bytes, which must not shrink under the worker's feet. */
static int check_handed(int fd, int64_t bytes, struct hetckpt_error *error)
{
	struct stat st;

	if (fstat(fd, &st))
		return hetckpt_error_set(error, -errno, 0, "descriptor: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) || bytes <= 0 || st.st_size < bytes)
		return hetckpt_error_set(error, -EINVAL, 0,
					 "the descriptor does not hold %lld bytes",
					 (long long)bytes);
	return 0;
}

/* module and host: keep what was handed over, then pass it on to the worker. */
static int do_hand(struct hetckpt_connection *c, json_t *request, const char *op, int *fd)
{
	struct hetckpt_supervisor *sv = c->supervisor;
	bool module = !strcmp(op, "module");
	int64_t key = json_integer_value(json_object_get(request, module ? "module" : "address"));
	int64_t bytes = json_integer_value(json_object_get(request, "bytes"));
	struct hetckpt_worker_wait wait = {.silence_ms = MODULE_MS};
	struct hetckpt_worker_link *link = NULL;
	struct hetckpt_error error;
	json_t *facts = NULL;
	int rc;

	if (*fd < 0)
		return hetckpt_control_refuse(c->fd, request, -EINVAL, "'%s' needs a descriptor", op);
	rc = check_handed(*fd, bytes, &error);
	if (rc)
		return hetckpt_control_refuse(c->fd, request, rc, "%s: %s", op, error.text);
	rc = hetckpt_operation_begin(sv, op, NULL, &error);
	if (rc)
		return hetckpt_control_refuse(c->fd, request, rc, "%s", error.text);
	rc = module ? hetckpt_supervisor_module_add(sv, key, bytes, *fd, &error)
		    : hetckpt_supervisor_host_add(sv, key, bytes, *fd, &error);
	if (!rc) {
		*fd = -1; /* the session's now */
		link = hetckpt_supervisor_worker(sv, &error);
		rc = link ? 0 : error.code;
		if (!rc)
			rc = hetckpt_worker_call(
				link,
				json_pack("{s:s, s:I, s:I}", "op", op, module ? "module" : "address",
					  (json_int_t)key, "bytes", (json_int_t)bytes),
				module ? &sv->modules[sv->module_count - 1].fd
				       : &sv->hosts[sv->host_count - 1].fd,
				1, &facts, &wait, &error);
		if (rc && module)
			hetckpt_supervisor_module_remove(sv, key);
		else if (rc)
			hetckpt_supervisor_host_remove(sv, key);
	}
	hetckpt_worker_unref(link);
	hetckpt_operation_end(sv);
	if (facts)
		json_object_del(facts, "id");
	return reply_or_refuse(c, request, rc, facts, &error);
}

static int do_host_free(struct hetckpt_connection *c, json_t *request)
{
	struct hetckpt_supervisor *sv = c->supervisor;
	int64_t address = json_integer_value(json_object_get(request, "address"));
	struct hetckpt_worker_link *link;
	struct hetckpt_error error;
	int rc = hetckpt_operation_begin(sv, "host_free", NULL, &error);

	if (rc)
		return hetckpt_control_refuse(c->fd, request, rc, "%s", error.text);
	rc = hetckpt_supervisor_host_remove(sv, address);
	if (rc)
		hetckpt_error_set(&error, rc, 0, "there is no page-locked buffer at 0x%llx",
				  (unsigned long long)address);
	link = rc ? NULL : hetckpt_supervisor_worker(sv, &error);
	if (!rc && !link)
		rc = error.code;
	if (link)
		rc = hetckpt_worker_call(link,
					 json_pack("{s:s, s:I}", "op", "host_free", "address",
						   (json_int_t)address),
					 NULL, 0, NULL, NULL, &error);
	hetckpt_worker_unref(link);
	hetckpt_operation_end(sv);
	return reply_or_refuse(c, request, rc, NULL, &error);
}

/* ---- Connections ------------------------------------------------------- */

/* Non-zero: the connection is of no more use. */
static int dispatch(struct hetckpt_connection *c, json_t *request, int *fd)
{
	struct waiting waiting = {c, request};
	struct hetckpt_requester who = {tick, &waiting};
	const char *op = text_field(request, "op");
	uint64_t begin = hetckpt_timeline_now();
	struct hetckpt_error error;
	json_t *facts = NULL;
	int rc;

	if (!strcmp(op, "status"))
		return do_status(c, request);
	if (!strcmp(op, "pause")) {
		rc = hetckpt_supervisor_pause(c->supervisor, timeout_field(request), &who, &facts,
					      &error);
		return reply_or_refuse(c, request, rc, facts, &error);
	}
	if (!strcmp(op, "resume")) {
		rc = hetckpt_supervisor_resume(c->supervisor, &who, &facts, &error);
		return reply_or_refuse(c, request, rc, facts, &error);
	}
	if (!strcmp(op, "checkpoint"))
		return do_checkpoint(c, request, &who);
	if (!strcmp(op, "migrate"))
		return do_migrate(c, request, &who);
	if (!strcmp(op, "quit"))
		return do_quit(c, request);
	/* The application's client waits for replies alone: no signs of life for it. */
	who.tick = NULL;
	if (!strcmp(op, "attach")) {
		rc = do_attach(c, request, &who);
		hetckpt_timeline_step(begin, "serves attach");
		return rc;
	}
	if (!strcmp(op, "module") || !strcmp(op, "host") || !strcmp(op, "host_free")) {
		if (!c->application)
			return hetckpt_control_refuse(c->fd, request, -EPERM,
						      "'%s' is for the attached application", op);
		rc = op[0] == 'h' && op[4] ? do_host_free(c, request) : do_hand(c, request, op, fd);
		hetckpt_timeline_step(begin, "serves %s", op);
		return rc;
	}
	return hetckpt_control_refuse(c->fd, request, -EOPNOTSUPP, "there is no request '%.40s'", op);
}

static void connection_remove(struct hetckpt_connection *c)
{
	struct hetckpt_supervisor *sv = c->supervisor;

	pthread_mutex_lock(&sv->lock);
	for (struct hetckpt_connection **at = &sv->connections; *at; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	if (c->application && sv->attached == c->pid)
		sv->attached = 0;
	close(c->fd);
	sv->connection_count--;
	pthread_cond_broadcast(&sv->changed);
	pthread_mutex_unlock(&sv->lock);
	free(c);
}

static void *serve(void *argument)
{
	struct hetckpt_connection *c = argument;
	int nonsense = 0, rc = 0;

	while (!rc) {
		int fds[HETCKPT_CONTROL_FDS], count = 0;
		json_t *request;

		rc = hetckpt_control_receive(c->fd, &request, fds, &count,
					     c->application ? -1 : IDLE_MS);
		if (rc == -EBADMSG || rc == -EMSGSIZE) {
			/* Say so, and give up on a peer that goes on like this. */
			rc = ++nonsense > 8 ? -EPROTO
					    : hetckpt_control_refuse(c->fd, NULL, rc,
								     "the request makes no sense");
			continue;
		}
		if (rc)
			break;
		for (int i = 1; i < count; i++)
			close(fds[i]);
		if (!count)
			fds[0] = -1;
		rc = dispatch(c, request, &fds[0]);
		if (fds[0] >= 0)
			close(fds[0]);
		json_decref(request);
	}
	connection_remove(c);
	return NULL;
}

void hetckpt_supervisor_accept(struct hetckpt_supervisor *sv)
{
	struct hetckpt_connection *c;
	pthread_attr_t detached;
	pthread_t thread;
	pid_t pid;
	int fd, rc;
	bool full;

	rc = hetckpt_control_accept(sv->listener, &fd, &pid);
	if (rc == -EACCES)
		hetckpt_log(HETCKPT_LOG_WARN, "refused a connection of another user");
	if (rc)
		return;
	c = calloc(1, sizeof *c);
	pthread_mutex_lock(&sv->lock);
	full = !c || sv->connection_count >= CONNECTIONS_MAX;
	if (!full) {
		c->supervisor = sv;
		c->fd = fd;
		c->pid = pid;
		c->next = sv->connections;
		sv->connections = c;
		sv->connection_count++;
	}
	pthread_mutex_unlock(&sv->lock);
	if (full) {
		hetckpt_log(HETCKPT_LOG_INFO, "refused a connection: too many");
		close(fd);
		free(c);
		return;
	}
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &detached, serve, c))
		connection_remove(c);
	pthread_attr_destroy(&detached);
}

void hetckpt_supervisor_connections_end(struct hetckpt_supervisor *sv)
{
	pthread_mutex_lock(&sv->lock);
	for (struct hetckpt_connection *c = sv->connections; c; c = c->next)
		shutdown(c->fd, SHUT_RD);
	while (sv->connection_count)
		pthread_cond_wait(&sv->changed, &sv->lock);
	pthread_mutex_unlock(&sv->lock);
}
