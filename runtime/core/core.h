/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * core.h - the state of one session on one device, and what can be done with it.
 *
 * The core is fed with commands (hetckpt_core_submit) and moved on by
 * hetckpt_core_step. It knows nothing of rings and sockets: what it has to say goes
 * through struct hetckpt_core_host. All functions may be called by any thread; they take
 * the core's lock, except hetckpt_core_pause, which raises the flag before it asks
 * for the lock, so that a pause never waits behind other work.
 *
 * Errors: 0 or a negative errno with *error filled.
 */
#ifndef HETCKPT_CORE_CORE_H
#define HETCKPT_CORE_CORE_H

#include <jansson.h>
#include <stdbool.h>

#include "runtime/backends/backend.h"
#include "runtime/channel/message.h"

struct hetckpt_core;

/* What the core asks of its surroundings. Called with the core's lock held: do not call the
   core from inside. None may block for long; all are required. */
struct hetckpt_core_host {
	void *context;
	/* Answers command seq through its reply slot; never called for HETCKPT_NO_REPLY. code
	   is a cudaError_t. */
	void (*reply)(void *context, uint32_t slot, uint64_t seq, uint32_t code, const void *data,
	              uint32_t bytes);
	/* A command without a reply failed; the line says why. NULL: it ended by a fault, which
	   has been told. */
	void (*raise)(void *context, uint32_t cuda, const char *text);
	/* The device is lost for good, once. */
	void (*fault)(void *context, uint32_t cuda, const char *text);
	/* The payload at this offset of the staging area is no longer read. */
	void (*staging_release)(void *context, uint64_t offset, uint64_t bytes);
	/* All commands up to seq are finished. */
	void (*retire)(void *context, uint64_t seq);
	/* There may be something to do for hetckpt_core_step. Any thread, with or without the
	   lock. */
	void (*wake)(void *context);
	unsigned char *staging;  /* the staging area, or NULL */
	uint64_t staging_bytes;
};

/*
 * Opens device index of backend. arena_index is the session's logical device, which picks
 * the addresses (arena.h). host is copied. Blocks.
 */
int hetckpt_core_create(const struct hetckpt_backend *backend, unsigned index, unsigned arena_index,
                        const struct hetckpt_core_host *host, struct hetckpt_core **core,
                        struct hetckpt_error *error);

/* Ends everything, running kernels included as far as the device lets it. */
void hetckpt_core_destroy(struct hetckpt_core *core);

/* ---- Work -------------------------------------------------------------- */

/*
 * Takes a command (copied) of msg->bytes bytes; its length has been checked against what
 * is readable. Sequence numbers grow. -EPROTO: malformed; the session is broken.
 */
int hetckpt_core_submit(struct hetckpt_core *core, const struct hetckpt_msg *msg,
                        struct hetckpt_error *error);

/* True if it makes sense to submit more: running, and not too far ahead. */
bool hetckpt_core_accepts(struct hetckpt_core *core);

/* What step found. */
struct hetckpt_core_progress {
	bool moved;      /* something changed: step again soon */
	bool in_flight;  /* the device is working */
	bool poll;       /* and the back end does not notify: poll */
	unsigned sleep_us; /* at most this long until the next step, if nothing wakes; 0: any */
};

/* Notes what has ended, issues what can be issued. Does not wait. */
void hetckpt_core_step(struct hetckpt_core *core, struct hetckpt_core_progress *progress);

/* A module's fat binary (malloc'ed, stolen). */
int hetckpt_core_module_add(struct hetckpt_core *core, uint64_t number, void *fatbin, size_t bytes,
                            struct hetckpt_error *error);

/* Maps a page-locked buffer of the application at its address; fd stays the caller's. */
int hetckpt_core_host_add(struct hetckpt_core *core, uint64_t address, uint64_t bytes, int fd,
                          struct hetckpt_error *error);
int hetckpt_core_host_remove(struct hetckpt_core *core, uint64_t address,
                             struct hetckpt_error *error);

/* True when nothing is queued or running. */
bool hetckpt_core_idle(struct hetckpt_core *core);

/* Steps until idle, the device fails or timeout_ms (< 0: no limit) has passed: -ETIMEDOUT. */
int hetckpt_core_wait_idle(struct hetckpt_core *core, int timeout_ms, struct hetckpt_error *error);

/* ---- Pause and resume -------------------------------------------------- */

struct hetckpt_pause_report {
	uint64_t parked;        /* blocks with frames */
	uint64_t unstarted;     /* blocks of launches in flight that have not begun */
	uint32_t launches;      /* in flight */
	double raised_us;       /* from the call until kernels could see the flag */
	double ended_us;        /* until all that was on the device had parked or ended, as far as it was
	                           looked for; 0: nothing was there */
	double park_us;         /* until all of that was collected, too */
};

/*
 * Holds the device still: raises the flag at once, then waits for launches to park and
 * for what cannot pause to end. -ETIMEDOUT after timeout_ms (< 0: no limit): the
 * line names the kernel; the core goes on running by itself as soon as what did park
 * has been collected. Pausing a paused core is fine.
 */
int hetckpt_core_pause(struct hetckpt_core *core, int timeout_ms,
                       struct hetckpt_pause_report *report, struct hetckpt_error *error);

int hetckpt_core_resume(struct hetckpt_core *core, struct hetckpt_error *error);

bool hetckpt_core_paused(struct hetckpt_core *core);

/* ---- State ------------------------------------------------------------- */

/* Where a save leaves the contents of device memory. */
enum hetckpt_bulk {
	HETCKPT_BULK_FILE,  /* in the snapshot */
	HETCKPT_BULK_STAGE, /* in the stage, named by the snapshot, for another worker of the session;
	                       in the snapshot if the stage cannot hold it */
	HETCKPT_BULK_PEER   /* on the device, for a worker that has reached it, as far as it was shared
	                       and is still the same memory; the rest as with STAGE */
};

/* What was taken. */
struct hetckpt_capture_report {
	uint64_t bytes;         /* of the state */
	uint64_t staged_bytes;  /* copied into the stage */
	uint64_t peer_bytes;    /* left on the device for the other worker */
	double seconds;         /* all of it: listing, growing the stage if need be, copying */
};

struct hetckpt_save_options {
	bool raw;           /* no compression */
	int level;          /* of zstd, 0: the default */
	bool without_host;  /* leave the contents of page-locked buffers out (migration: they are shared) */
	enum hetckpt_bulk bulk;
	int (*progress)(void *context, uint64_t done, uint64_t total); /* may be NULL */
	void *context;
	struct hetckpt_capture_report *report; /* of hetckpt_core_save; may be NULL */
};

/* Writes the state of a paused core to fd. -EBUSY: not paused, or a capture is in the stage. */
int hetckpt_core_save(struct hetckpt_core *core, int fd, const struct hetckpt_save_options *options,
                      struct hetckpt_error *error);

/*
 * Fills a fresh core from a snapshot; it is then paused. detached: no application is
 * attached, so host callbacks count as done and nobody is answered. *taken (may be NULL)
 * is the last command that the state includes. On failure the core is good for nothing
 * but hetckpt_core_destroy.
 */
int hetckpt_core_load(struct hetckpt_core *core, int fd, bool detached, uint64_t *taken,
                      struct hetckpt_error *error);

/*
 * The stage (stage.h): a memory file of the session's, fd, which stays the caller's, and the most
 * bytes it may get: a number, or UINT64_MAX for half of the memory that is available.
 */
int hetckpt_core_stage_set(struct hetckpt_core *core, int fd, uint64_t limit,
                           struct hetckpt_error *error);

struct hetckpt_stage_report {
	uint64_t bytes;     /* ready */
	bool locked;        /* page-locked, all of it */
	double seconds;
};

/*
 * Makes at least bytes of the stage ready while the core goes on; 0: what a capture (bulk FILE)
 * or a save with that bulk would need now. -ENOSPC: more than the limit, or no stage; -ENOMEM.
 * Blocks, seconds for many GiB; by one thread, and not while the core is being captured.
 */
int hetckpt_core_stage_prepare(struct hetckpt_core *core, uint64_t bytes, enum hetckpt_bulk bulk,
                               struct hetckpt_stage_report *report, struct hetckpt_error *error);

struct hetckpt_capture;

/*
 * Takes the state of a paused core into the stage. Then the core may go on, and the capture be
 * written at leisure, by any thread. One at a time: -EBUSY; also if not paused. -ENOSPC, -ENOMEM:
 * the stage cannot hold it; save it instead.
 */
int hetckpt_core_capture(struct hetckpt_core *core, bool without_host, struct hetckpt_capture **capture,
                         struct hetckpt_capture_report *report, struct hetckpt_error *error);

/* Writes it as hetckpt_core_save would have. raw, level and progress of options count. */
int hetckpt_capture_write(struct hetckpt_capture *capture, int fd,
                          const struct hetckpt_save_options *options, struct hetckpt_error *error);

/* Before the core is destroyed. NULL is allowed. */
void hetckpt_capture_free(struct hetckpt_capture *capture);

/*
 * A worker that takes a session over from another, in two steps. outline, on the old one, which
 * may be running: writes what memory and code it has, without contents. prepare, on a fresh one:
 * maps that memory and makes that code.
 */
int hetckpt_core_outline(struct hetckpt_core *core, int fd, struct hetckpt_error *error);
int hetckpt_core_prepare(struct hetckpt_core *core, int fd, struct hetckpt_error *error);

/*
 * Memory that the new worker is to read from the old one's device (peer.h). share, on the old
 * one: *shares (free it) are all its pieces, their descriptors the caller's. reach, on the new one:
 * one piece after the other. An error: go another way. reach_end gives them back: until then
 * the old device's memory stays in use.
 */
int hetckpt_core_share(struct hetckpt_core *core, struct hetckpt_share **shares, size_t *count,
                       struct hetckpt_error *error);
int hetckpt_core_reach(struct hetckpt_core *core, const struct hetckpt_share *share,
                       struct hetckpt_error *error);
void hetckpt_core_reach_end(struct hetckpt_core *core);

/*
 * As hetckpt_core_load, of what hetckpt_core_save of the old worker has written, with contents
 * that may lie in the session's stage or on the old worker's device, into a core that may be prepared. What has changed
 * since the outline is put right.
 */
int hetckpt_core_take_over(struct hetckpt_core *core, int fd, bool detached, uint64_t *taken,
                           struct hetckpt_error *error);

/* Writes ADDRESS.bin for each allocation and page-locked buffer, and manifest.json, to a
   directory, made if need be. The core is idle or paused. */
int hetckpt_core_export(struct hetckpt_core *core, const char *directory,
                        struct hetckpt_error *error);

/* Facts as an object, a new reference. detail adds kernels in flight, with source lines and
   variables if paused. NULL: out of memory. */
json_t *hetckpt_core_status(struct hetckpt_core *core, bool detail);

/* ---- Measuring --------------------------------------------------------- */

enum hetckpt_core_variant {
	HETCKPT_CORE_AUTO = 0, /* by policy.c */
	HETCKPT_CORE_ORIGINAL, /* kernels as they are in the source, which cannot pause inside */
	HETCKPT_CORE_RUN,      /* kernels that can pause run so, however short they are */
	HETCKPT_CORE_TURNS     /* the two in turn, launch by launch of each kernel */
};

/*
 * Fixes which variant launches use from now on; text is "original", "run", "turns" or "auto". To be
 * called before the first launch. -EINVAL: another text.
 */
int hetckpt_core_variant_text(struct hetckpt_core *core, const char *text,
                              struct hetckpt_error *error);

/* Keeps the time on the device of each launch from now on, for the file path (times.h); to
   be called before the first launch. NULL or "": does not. */
int hetckpt_core_times(struct hetckpt_core *core, const char *path, struct hetckpt_error *error);

/* ---- Stress ------------------------------------------------------------ */

/*
 * mode "every-poll": every pausable launch parks at every poll, round after round; "random":
 * pauses at random times with a mean distance of period_us; "off". At each pause the
 * whole state is saved, thrown away and loaded again. See stress.c.
 */
int hetckpt_core_stress(struct hetckpt_core *core, const char *mode, uint64_t seed,
                        uint64_t period_us, struct hetckpt_error *error);

/* The same from "every-poll" or "random[:SEED[:PERIOD_US]]". */
int hetckpt_core_stress_text(struct hetckpt_core *core, const char *text,
                             struct hetckpt_error *error);

/* Appends the safepoint coverage to the file named by HETCKPT_COVERAGE, and the times of
   launches to that of hetckpt_core_times, if any. */
void hetckpt_core_tables_write(struct hetckpt_core *core);

#endif
