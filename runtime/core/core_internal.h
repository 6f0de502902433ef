/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * core_internal.h - the structs of the core. For files of this folder only.
 *
 * LOCKS. core->lock guards everything, and serialises calls of the back end. core->raise
 * is taken alone or inside it, for microseconds, around the flag's words: a pause takes
 * it without core->lock.
 */
#ifndef HETCKPT_CORE_INTERNAL_H
#define HETCKPT_CORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core.h"
#include "coverage.h"
#include "frames.h"
#include "heap.h"
#include "modules.h"
#include "peer.h"
#include "stage.h"
#include "times.h"

/* cudaError_t values that the core itself gives. */
enum {
	CUDA_SUCCESS = 0,
	CUDA_INVALID_VALUE = 1,
	CUDA_OUT_OF_MEMORY = 2,
	CUDA_INVALID_CONFIGURATION = 9,
	CUDA_INVALID_SYMBOL = 13,
	CUDA_INVALID_FUNCTION_HANDLE = 98,
	CUDA_INVALID_IMAGE_HANDLE = 200,
	CUDA_INVALID_HANDLE = 400,
	CUDA_NOT_READY = 600,
	CUDA_OUT_OF_RESOURCES = 701,
	CUDA_COOPERATIVE_TOO_LARGE = 720,
	CUDA_NOT_SUPPORTED = 801,
	CUDA_UNKNOWN = 999,
};

/* ---- Commands ---------------------------------------------------------- */

enum hetckpt_command_state {
	HETCKPT_COMMAND_QUEUED,  /* not handed to the device */
	HETCKPT_COMMAND_ISSUED,  /* handed over; or a launch, or a host callback, under way */
	HETCKPT_COMMAND_DONE
};

struct hetckpt_flight;
struct hetckpt_stream;

/*
 * A command of a stream, or (stream NULL) a waiter: something to do once other commands
 * are done. Lives while it is unfinished, or others refer to it.
 */
struct hetckpt_command {
	unsigned refs;
	enum hetckpt_command_state state;
	struct hetckpt_command *previous, *next; /* unfinished ones, by seq */
	struct hetckpt_command *behind;          /* next in its stream, or of the waiters */
	struct hetckpt_stream *stream;
	struct hetckpt_msg *msg;                 /* malloc; NULL once done */
	uint64_t seq;
	uint32_t type, reply;

	/* Earlier commands that must be done first, besides those of the same stream. */
	struct hetckpt_command **dep;
	unsigned deps;

	void *payload;                           /* copies from staging: own copy; else NULL */
	bool staging;                            /* holds a piece of the staging area */
	struct hetckpt_marker *marker, *start;
	uint64_t when;                           /* session time, ns, when it was done */
	double estimate_ns;                      /* of an issued command */
	bool follows;                            /* issued while one before it was under way */
	struct hetckpt_flight *flight;           /* pausable launch under way */
	struct hetckpt_function *function;       /* launch of an original kernel, issued */
	uint64_t blocks;                         /* of that launch, for the history */
	uint32_t threads, resident;
	uint32_t cuda;                           /* result */
	char *text;                              /* what went wrong, malloc */
};

/* Queues of a stream in which slices of a launch take turns, and so many slices are on the device. */
#define HETCKPT_LANES 3

struct hetckpt_stream {
	struct hetckpt_stream *next;
	uint32_t id, flags;
	int32_t priority;
	bool destroyed;                      /* goes once it is empty */
	struct hetckpt_queue *queue;         /* made at first use */
	struct hetckpt_queue *beside[HETCKPT_LANES - 1]; /* take turns with it in slices of a launch; made
	                                        at first use */
	struct hetckpt_command *first, *last;/* commands not done, in order */
	struct hetckpt_command *queued;      /* first that is not issued */
	struct hetckpt_command *issued_last; /* last that is issued, while it is not done */
	struct hetckpt_command *gate;        /* first issued launch that can pause, or host callback:
	                                        what is behind it is only issued if it can be taken
	                                        back (executor.c) */
	unsigned chained;                    /* commands issued behind the gate */
	unsigned ahead;                      /* commands issued before it */
	unsigned unmarked;                   /* issued commands behind the last marker */
	uint64_t launched;                   /* function of the launch that came last, 0: none */
	uint64_t device_when;                /* device time when the last command that is done ended,
	                                        0: not known */
	uint64_t synced;                     /* seq up to which it waits for the other side of
	                                        the default stream already */
};

struct hetckpt_event {
	struct hetckpt_event *next;
	uint32_t id, flags;
	struct hetckpt_command *record;      /* latest; NULL: never recorded */
};

/* Page-locked memory of the application. */
struct hetckpt_host_buffer {
	struct hetckpt_host_buffer *next;
	uint64_t address, bytes;
	bool registered;
};

/* ---- The core ---------------------------------------------------------- */

enum hetckpt_core_state {
	HETCKPT_CORE_RUNNING,
	HETCKPT_CORE_PAUSING,  /* the flag is up, launches are ending */
	HETCKPT_CORE_PAUSED,
	HETCKPT_CORE_DRAINING  /* a pause was given up; the flag stays up until all that can park
	                          has ended (launch.c, 3.), then running again */
};

#define HETCKPT_EVENT_BUCKETS 256u

struct hetckpt_stress {
	enum { HETCKPT_STRESS_OFF, HETCKPT_STRESS_EVERY_POLL, HETCKPT_STRESS_RANDOM } mode;
	uint64_t random, seed, period_us;
	uint64_t next_ns;      /* monotonic time of the next random pause */
	bool round;            /* every-poll: a launch has parked */
	uint64_t rounds;       /* done */
	bool busy;             /* a round is being done */
};

struct hetckpt_core {
	pthread_mutex_t lock;
	_Atomic unsigned guests;             /* threads that want the lock besides the executor */
	struct hetckpt_core_host host;
	const struct hetckpt_backend *backend;
	unsigned device_index, arena_index;

	struct hetckpt_dev dev;
	struct hetckpt_heap app, internal;
	struct hetckpt_frame_pool pool;
	struct hetckpt_modules modules;
	struct hetckpt_host_buffer *hosts;
	struct hetckpt_stage stage;
	bool captured;                       /* the stage holds what is still to be written */
	bool staging;                        /* it is being got ready, without the lock */
	struct hetckpt_peers peers;
	bool prepared;                       /* memory and code are there for hetckpt_core_take_over */

	struct hetckpt_stream *streams;      /* the default stream first */
	struct hetckpt_event *events[HETCKPT_EVENT_BUCKETS];
	struct hetckpt_command *oldest, *newest; /* unfinished, by seq */
	struct hetckpt_command *waiters;     /* those without a stream, linked by behind */
	uint64_t unfinished;
	double ahead_ns;                     /* estimates of what the streams have ahead */
	double short_ns;                     /* policy.h */
	uint64_t submitted, retired;         /* seq */
	uint64_t limit[HETCKPT_LIMIT_COUNT]; /* that the program has set; 0: none */
	uint64_t time_offset;                /* session time = device time + this */
	uint64_t last_ended;                 /* hetckpt_core_now when a launch that saw the flag had ended */

	/* The flag. Under raise. */
	pthread_mutex_t raise;
	_Atomic unsigned stop;               /* not 0: issue nothing */
	_Atomic uint64_t epoch;              /* raised so often */
	bool raised;
	enum hetckpt_flag base;              /* what the flag shows while not raised */
	bool open;                           /* the flag's memory is there */

	enum hetckpt_core_state state;
	bool detached;                       /* no application: callbacks count as done */
	unsigned pausers;                    /* threads inside hetckpt_core_pause */

	/* The device is lost. */
	bool failed;
	struct hetckpt_error failure;

	/* completed() of the back end, and changes of state, ring this. */
	pthread_mutex_t bell_lock;
	pthread_cond_t bell;
	_Atomic uint64_t bell_count;

	struct hetckpt_stress stress;
	struct hetckpt_coverage coverage;
	struct hetckpt_times times;
	enum hetckpt_core_variant variant;
};

/* core.c */
/* Takes the lock for a request. The executor, which hardly ever lets go of it under load, makes
   way: mutexes are not fair. */
void hetckpt_core_enter(struct hetckpt_core *core);
/* Loses the device: everything unfinished ends with the error. */
void hetckpt_core_fail(struct hetckpt_core *core, const struct hetckpt_error *error);
uint64_t hetckpt_core_bell(struct hetckpt_core *core);
void hetckpt_core_bell_ring(struct hetckpt_core *core);
/* Waits until the bell rings after count was read, at most us microseconds: asleep; or awake, for a
   thread that sleeps takes some 50 us to go on. */
void hetckpt_core_bell_wait(struct hetckpt_core *core, uint64_t count, unsigned us);
void hetckpt_core_bell_watch(struct hetckpt_core *core, uint64_t count, unsigned us);
uint64_t hetckpt_core_now(void);     /* monotonic, ns */
/* Ends the session's state on the device; open again makes an empty one. */
void hetckpt_core_close_state(struct hetckpt_core *core);
int hetckpt_core_open_state(struct hetckpt_core *core, struct hetckpt_error *error);

/* stream.c */
struct hetckpt_stream *hetckpt_stream_find(struct hetckpt_core *core, uint32_t id);
int hetckpt_stream_create(struct hetckpt_core *core, uint32_t id, uint32_t flags, int32_t priority,
                          struct hetckpt_stream **stream, struct hetckpt_error *error);
void hetckpt_stream_reap(struct hetckpt_core *core); /* removes destroyed, empty ones */
int hetckpt_stream_queue(struct hetckpt_core *core, struct hetckpt_stream *stream,
                         struct hetckpt_error *error); /* makes the queue */
int hetckpt_stream_beside(struct hetckpt_core *core, struct hetckpt_stream *stream,
                          struct hetckpt_error *error); /* and those beside it, if the back end overlaps */
struct hetckpt_event *hetckpt_event_find(struct hetckpt_core *core, uint32_t id);
int hetckpt_event_create(struct hetckpt_core *core, uint32_t id, uint32_t flags,
                         struct hetckpt_event **event, struct hetckpt_error *error);
void hetckpt_event_destroy(struct hetckpt_core *core, struct hetckpt_event *event);
void hetckpt_streams_clear(struct hetckpt_core *core);

/* command.c */
struct hetckpt_command *hetckpt_command_make(const struct hetckpt_msg *msg);
void hetckpt_command_hold(struct hetckpt_command *command);
void hetckpt_command_drop(struct hetckpt_core *core, struct hetckpt_command *command);
/* Puts it at the end of the unfinished ones, and of stream unless NULL. */
void hetckpt_command_enqueue(struct hetckpt_core *core, struct hetckpt_command *command,
                             struct hetckpt_stream *stream);
/* Adds a dependency unless it is done. */
int hetckpt_command_after(struct hetckpt_command *command, struct hetckpt_command *dep);
/* What CUDA's default stream makes the command wait for, before it is enqueued. */
int hetckpt_command_order(struct hetckpt_core *core, struct hetckpt_command *command,
                          struct hetckpt_stream *stream);
/* Marks it done: frees what it holds, answers, removes it from the unfinished ones and, if
   it is the first there, from its stream. */
void hetckpt_command_finish(struct hetckpt_core *core, struct hetckpt_command *command,
                            uint32_t cuda, const char *text);
void hetckpt_command_reply(struct hetckpt_core *core, struct hetckpt_command *command, uint32_t cuda,
                           const void *data, uint32_t bytes);

int hetckpt_core_alloc(struct hetckpt_core *core, uint64_t bytes, uint64_t align, uint64_t *address,
                       struct hetckpt_error *error); /* commands.c: application memory */
int hetckpt_core_claim(struct hetckpt_core *core, uint64_t address, uint64_t bytes, uint64_t tag,
                       struct hetckpt_error *error); /* the same at an address */
/* commands.c: sets a limit of the session on its device; 0: CUDA's default, set by nobody. */
int hetckpt_core_limit(struct hetckpt_core *core, enum hetckpt_limit limit, uint64_t value,
                       struct hetckpt_error *error);
/* commands.c: hetckpt_command_act carries out a waiter that others do not hold up any more; false:
   it has to be asked again when something has ended. */
int hetckpt_command_free(struct hetckpt_core *core, const struct hetckpt_command *command,
                         struct hetckpt_error *error); /* carries out a FREE */
bool hetckpt_command_act(struct hetckpt_core *core, struct hetckpt_command *command);

/* True if a launch that can pause, or a host callback, that is not done yet is this command or
   before it in its stream. */
bool hetckpt_command_gated(const struct hetckpt_command *command);

/* It may stand on the device behind a launch that can pause; of launches, it is only seen later
   whether they can. */
bool hetckpt_command_chainable(const struct hetckpt_command *command);

/* Notes that issuing it failed; it ends in its turn. */
void hetckpt_command_spoil(struct hetckpt_command *command, const struct hetckpt_error *error);
void hetckpt_commands_clear(struct hetckpt_core *core); /* forgets all, answers nobody */

/* transfer.c */
int hetckpt_transfer_copy(struct hetckpt_core *core, struct hetckpt_command *command,
                          struct hetckpt_error *error);
int hetckpt_transfer_fill(struct hetckpt_core *core, struct hetckpt_command *command,
                          struct hetckpt_error *error);
/* Bytes between the first and one past the last byte of a box; false: overflow. */
bool hetckpt_box_extent(uint64_t width, uint64_t height, uint64_t depth, uint64_t pitch,
                        uint64_t slice, uint64_t *bytes);

/* executor.c: with the lock held; true if something changed. */
bool hetckpt_executor_collect(struct hetckpt_core *core);
bool hetckpt_executor_issue(struct hetckpt_core *core);
/* Something is on the device; or only launches that can pause, and what is behind them. */
bool hetckpt_executor_in_flight(struct hetckpt_core *core);
bool hetckpt_stream_in_flight(const struct hetckpt_stream *stream);

/* pause.c */
bool hetckpt_pause_step(struct hetckpt_core *core); /* moves a pause under way on */
int hetckpt_pause_raise(struct hetckpt_core *core, struct hetckpt_error *error);
/* Nothing is on the device that could still run. */
bool hetckpt_pause_quiet(struct hetckpt_core *core);
int hetckpt_pause_resume_locked(struct hetckpt_core *core, struct hetckpt_error *error);

/* stress.c */
bool hetckpt_stress_step(struct hetckpt_core *core); /* does a round if one is due */
unsigned hetckpt_stress_sleep(struct hetckpt_core *core); /* us until one may be due; 0: none */

/* save.c, load.c: with the lock held. */
int hetckpt_save_locked(struct hetckpt_core *core, int fd, const struct hetckpt_save_options *options,
                        struct hetckpt_error *error);
int hetckpt_load_locked(struct hetckpt_core *core, int fd, bool detached, bool elsewhere, uint64_t *taken,
                        struct hetckpt_error *error);

/* host.c */
struct hetckpt_host_buffer *hetckpt_host_find(struct hetckpt_core *core, uint64_t address,
                                              uint64_t bytes);
int hetckpt_host_map(struct hetckpt_core *core, uint64_t address, uint64_t bytes, int fd,
                     struct hetckpt_error *error);
void hetckpt_host_unmap(struct hetckpt_core *core, struct hetckpt_host_buffer *buffer);

#endif
