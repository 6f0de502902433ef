/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * supervisor.h - one session: its folder, memory, worker, application and clients.
 *
 *   supervisor.c         start, main loop (signals, application, new connections), end
 *   supervisor_open.c    opens the device while the application starts
 *   supervisor_client.c  one thread a connection: requests of tools and application
 *   supervisor_ops.c     pause, resume, checkpoint
 *   supervisor_migrate.c migrate
 *   supervisor_worker.c  starting workers, giving them what the application handed over, the
 *                        stage
 *   application.c        how the application is started
 *
 * Threads: the main loop; one a connection; one reader a worker (worker_link.h); for a
 * restored session one that finishes it. Operations that change the worker's state run one
 * at a time (operation_begin); everything else is short and under `lock`. Nobody holds
 * `lock` while waiting for anything.
 */
#ifndef HETCKPT_DRIVER_SUPERVISOR_H
#define HETCKPT_DRIVER_SUPERVISOR_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "driver/registry.h"
#include "driver/worker_link.h"
#include "runtime/channel/session.h"

enum hetckpt_state {
	HETCKPT_STATE_STARTING,
	HETCKPT_STATE_RUNNING,
	HETCKPT_STATE_PAUSED,
	HETCKPT_STATE_FAILED,  /* the device is lost */
	HETCKPT_STATE_ENDING
};

struct hetckpt_handed_module { int64_t number; int64_t bytes; int fd; };
struct hetckpt_handed_host { int64_t address, bytes; int fd; };

struct hetckpt_connection {
	struct hetckpt_connection *next;
	struct hetckpt_supervisor *supervisor;
	int fd;
	pid_t pid;             /* of the peer */
	bool application;      /* has attached */
};

struct hetckpt_supervisor {
	/* Fixed once started. */
	bool quiet;
	char worker_program[PATH_MAX];
	int lock_fd, listener, wake_fd, signal_fd;
	pthread_t opener;      /* waits for the first worker, unless restoring */
	json_t *stress;        /* request that each worker gets, or NULL */
	bool restoring;        /* no application: finishes a snapshot */
	int stage_fd;          /* memory file of the stage; -1: there is none */
	int64_t stage_limit;   /* most bytes of it; -1: half of what is available then */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* of state, operation, connections; monotonic clock */

	/* Under lock. */
	struct hetckpt_session_entry entry;
	json_t *command;       /* array of strings */
	enum hetckpt_state state;
	char failure[HETCKPT_ERROR_TEXT];
	struct hetckpt_session memory;
	struct hetckpt_worker_link *worker;   /* the present one; NULL until its device is open */
	struct hetckpt_worker_link *opening;  /* the first one until then */
	bool refused;          /* the first one could not open its device; failure says why */
	struct hetckpt_connection *connections;
	unsigned connection_count;
	const char *operation; /* name of the one that runs, or NULL */
	bool force;            /* end without waiting for operations */
	pid_t application;     /* 0: not started, or reaped */
	pid_t attached;        /* process that holds the ring; 0 none */
	bool used;             /* some process has attached to this memory */
	struct hetckpt_handed_module *modules;
	size_t module_count;
	struct hetckpt_handed_host *hosts;
	size_t host_count;
	json_t *last_checkpoint; /* {"path","time","bytes"}, or NULL */
	bool ended_by_checkpoint;
	bool quit_asked;
};

/* ---- supervisor.c ------------------------------------------------------ */

struct hetckpt_supervisor_options {
	const char *kind;      /* "run" or "restore" */
	const char *name;      /* or NULL */
	const char *device;    /* "": the first one that there is */
	char *const *command;  /* for listings */
	json_t *stress;        /* stolen; or NULL */
	bool quiet, restoring;
	int64_t stage;         /* bytes to set aside as the stage, and no more; 0: as much as is
				  needed then; -1: no stage */
};

/*
 * Makes a session: folder, socket, memory, worker. SIGINT and the like are blocked for this
 * process from here on, and come through signal_fd. If restoring, the worker's device is open
 * at the end; else it is opened meanwhile (supervisor_open.c), and whoever needs it waits.
 * After a failure there is nothing to end.
 */
int hetckpt_supervisor_start(struct hetckpt_supervisor *sv,
			     const struct hetckpt_supervisor_options *options,
			     struct hetckpt_error *error);

/*
 * Serves the session until the application has ended and the device is open or refused (or, if
 * restoring, until somebody called hetckpt_supervisor_finished). Returns the application's wait
 * status, or -1 if there was none. A signal that ended a session without application, or
 * the wait for the device, is in *signal.
 */
int hetckpt_supervisor_serve(struct hetckpt_supervisor *sv, int *signal);

/* Restoring: ends serve. Any thread. */
void hetckpt_supervisor_finished(struct hetckpt_supervisor *sv);

/* Ends worker and connections, removes the folder, frees everything. */
void hetckpt_supervisor_end(struct hetckpt_supervisor *sv);

/* Wakes the main loop. Any thread. */
void hetckpt_supervisor_wake(struct hetckpt_supervisor *sv);

/* "running", ... */
const char *hetckpt_state_name(enum hetckpt_state state);

/* Prints a note to stderr unless quiet. */
void hetckpt_supervisor_note(const struct hetckpt_supervisor *sv, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Who waits for an operation. tick (may be NULL) as for a worker's call, with progress
 * records or NULL; non-zero means that nobody waits any more.
 */
struct hetckpt_requester {
	int (*tick)(void *context, const json_t *progress);
	void *context;
};

/* ---- supervisor_open.c ------------------------------------------------- */

/* Waits for the first worker's device aside, in an operation of its own; then sets the stage
   aside. If the device cannot be opened it says so and ends the application. */
int hetckpt_supervisor_open_begin(struct hetckpt_supervisor *sv, struct hetckpt_error *error);

/* Nobody has heard yet whether the device is open. */
bool hetckpt_supervisor_opening(struct hetckpt_supervisor *sv);

/* Gives up on a device that is not open yet, and waits for the thread's end. */
void hetckpt_supervisor_open_end(struct hetckpt_supervisor *sv);

/* ---- supervisor_worker.c ----------------------------------------------- */

/* Starts a worker for this session. Its device is not open yet. */
int hetckpt_supervisor_worker_spawn(struct hetckpt_supervisor *sv, const char *device,
				    bool restore, struct hetckpt_worker_link **out,
				    struct hetckpt_error *error);

/* Waits until its device is open. After a failure it has ended; the reference stays the caller's. */
int hetckpt_supervisor_worker_ready(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
				    const struct hetckpt_worker_wait *wait,
				    struct hetckpt_error *error);

/* Both. */
int hetckpt_supervisor_worker_start(struct hetckpt_supervisor *sv, const char *device,
				    bool restore, const struct hetckpt_worker_wait *wait,
				    struct hetckpt_worker_link **out,
				    struct hetckpt_error *error);

/* Gives a fresh worker all modules and page-locked buffers. Only inside an operation. */
int hetckpt_supervisor_hand_over(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
				 const struct hetckpt_worker_wait *wait,
				 struct hetckpt_error *error);

/*
 * Gives a worker the stage, with at least bytes of it ready, 0: with as much as its state needs
 * now: all of it, what lies on the device (bulk "stage"), or of that what no peer can read
 * ("peer"). facts (may be NULL) gets what it
 * says. False, and a line in the log: it cannot be had. Only inside an operation.
 */
bool hetckpt_supervisor_stage(struct hetckpt_supervisor *sv, struct hetckpt_worker_link *link,
			      int64_t bytes, const char *bulk, const struct hetckpt_requester *who,
			      json_t *facts);

/* Makes link (reference stolen) the present worker and publishes it; ends the one before. */
void hetckpt_supervisor_worker_replace(struct hetckpt_supervisor *sv,
				       struct hetckpt_worker_link *link);

/* A new reference to the present worker; NULL if there is none or the device is lost. */
struct hetckpt_worker_link *hetckpt_supervisor_worker(struct hetckpt_supervisor *sv,
						      struct hetckpt_error *error);

/*
 * A second process attaches after the first has gone: fresh memory, fresh worker, nothing
 * of the first. Only inside an operation.
 */
int hetckpt_supervisor_renew(struct hetckpt_supervisor *sv, struct hetckpt_error *error);

/* Keeps what an application handed over; descriptors are stolen on success. */
int hetckpt_supervisor_module_add(struct hetckpt_supervisor *sv, int64_t number, int64_t bytes,
				  int fd, struct hetckpt_error *error);
int hetckpt_supervisor_host_add(struct hetckpt_supervisor *sv, int64_t address, int64_t bytes,
				int fd, struct hetckpt_error *error);
/* Forgets one again; -ENOENT. */
int hetckpt_supervisor_module_remove(struct hetckpt_supervisor *sv, int64_t number);
int hetckpt_supervisor_host_remove(struct hetckpt_supervisor *sv, int64_t address);

/* ---- supervisor_ops.c -------------------------------------------------- */

/* Waits for other operations to end. -ECANCELED: nobody waits; -ESHUTDOWN: the session ends. */
int hetckpt_operation_begin(struct hetckpt_supervisor *sv, const char *name,
			    const struct hetckpt_requester *who, struct hetckpt_error *error);
void hetckpt_operation_end(struct hetckpt_supervisor *sv);

/* Each begins and ends an operation itself. *facts is a new reference on success. */
int hetckpt_supervisor_pause(struct hetckpt_supervisor *sv, int timeout_ms,
			     const struct hetckpt_requester *who, json_t **facts,
			     struct hetckpt_error *error);
int hetckpt_supervisor_resume(struct hetckpt_supervisor *sv, const struct hetckpt_requester *who,
			      json_t **facts, struct hetckpt_error *error);

struct hetckpt_checkpoint_options {
	const char *path;     /* absolute */
	const char *compress; /* "zstd" or "none" */
	int level;            /* 0: default */
	const char *then;     /* "resume", "pause" or "kill" */
	int timeout_ms;       /* for pausing */
};
int hetckpt_supervisor_checkpoint(struct hetckpt_supervisor *sv,
				  const struct hetckpt_checkpoint_options *options,
				  const struct hetckpt_requester *who, json_t **facts,
				  struct hetckpt_error *error);

/* ---- supervisor_migrate.c ---------------------------------------------- */

struct hetckpt_migrate_options {
	const char *device;
	const char *via;      /* "auto", or one way and, where that cannot be had, the next: "peer",
				 "stage", "file" */
	int timeout_ms;       /* for pausing */
};
int hetckpt_supervisor_migrate(struct hetckpt_supervisor *sv,
			       const struct hetckpt_migrate_options *options,
			       const struct hetckpt_requester *who, json_t **facts,
			       struct hetckpt_error *error);

/* ---- supervisor_client.c ----------------------------------------------- */

/* Takes one connection that waits at the listener and starts its thread. */
void hetckpt_supervisor_accept(struct hetckpt_supervisor *sv);

/* Closes all connections and waits for their threads. */
void hetckpt_supervisor_connections_end(struct hetckpt_supervisor *sv);

/* ---- application.c ----------------------------------------------------- */

/*
 * Starts the program with the project's CUDA runtime in place. 0 and *pid; -ENOENT no
 * such program, -EACCES cannot be executed, others.
 */
int hetckpt_application_start(struct hetckpt_supervisor *sv, char *const *argv,
			      char *const *extra_env, pid_t *pid, struct hetckpt_error *error);

#endif
