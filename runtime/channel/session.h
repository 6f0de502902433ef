/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * session.h - the memory that application, supervisor and workers of one session share.
 *
 * One sealed memfd, made by the supervisor, mapped by everybody:
 *
 *   control page(s)   struct hetckpt_session_control
 *   staging words     one 32-bit word a staging chunk: 0 free, 1 in use
 *   reply slots       struct hetckpt_reply_slot[]
 *   ring              commands, application to worker (ring.h)
 *   staging area      payload of copies from and to pageable memory
 *
 * It outlives workers: what a worker must know to go on lies here or in the state
 * that it was given. All futexes are process-shared. Nobody may assume that a peer
 * is alive: every wait below takes a timeout, and callers loop around it, checking
 * hetckpt_session_failed() and their sockets each time.
 *
 * All functions return 0 or a negative errno unless they say otherwise.
 */
#ifndef HETCKPT_CHANNEL_SESSION_H
#define HETCKPT_CHANNEL_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/channel/message.h"

#define HETCKPT_SESSION_MAGIC "HCKSESSN" /* 8 bytes, no terminator */
#define HETCKPT_SESSION_MESSAGE_BYTES 512

/* Defaults of hetckpt_session_create. */
#define HETCKPT_SESSION_RING_BYTES (4u << 20)
#define HETCKPT_SESSION_STAGING_BYTES (64u << 20)
#define HETCKPT_SESSION_REPLY_SLOTS 1024u

/* The unit in which the staging area is handed out. */
#define HETCKPT_STAGING_CHUNK 16384u

/* ---- What lies in the memory ------------------------------------------- */

/* Fields that different processes write lie on different cache lines. */
struct hetckpt_session_control {
	/* Fixed at creation. Offsets are from the start of the memory, page aligned. */
	char magic[8];
	uint32_t abi;          /* HETCKPT_ABI_VERSION */
	uint32_t reply_slots;
	uint64_t total_bytes;
	uint64_t staging_words_offset;
	uint64_t reply_offset;
	uint64_t ring_offset, ring_bytes;       /* ring_bytes: a power of two */
	uint64_t staging_offset, staging_bytes; /* multiple of HETCKPT_STAGING_CHUNK */

	/* Written by the application. */
	_Alignas(128) _Atomic uint64_t tail;    /* bytes ever committed to the ring */
	_Atomic uint64_t produced_seq;          /* seq of the last command committed */
	_Atomic uint32_t producer_waits;        /* 1: the producer sleeps on space_bell */

	/* Written by the worker. */
	_Alignas(128) _Atomic uint64_t head;    /* bytes ever taken from the ring */
	_Atomic uint64_t taken_seq;             /* seq of the last command taken */
	_Atomic uint64_t retired_seq;           /* all commands up to this one are finished */
	_Atomic uint32_t consumer_waits;        /* 1: the consumer sleeps on doorbell */
	_Atomic uint32_t generation;            /* raised by each worker that claims the ring */

	/* Futexes. */
	_Alignas(128) _Atomic uint32_t doorbell;     /* producer, or anyone, to consumer */
	_Alignas(128) _Atomic uint32_t space_bell;   /* consumer to producer: the ring has space */
	_Alignas(128) _Atomic uint32_t staging_bell; /* consumer to application: chunks are free */
	_Atomic uint32_t staging_waits;              /* 1: a thread sleeps on staging_bell */
	_Alignas(128) _Atomic uint32_t notify_bell;  /* a reply with HETCKPT_REPLY_NOTIFY is ready */

	/* Errors. */
	_Alignas(128) _Atomic uint32_t async_error;  /* cudaError_t, 0 none; see hetckpt_session_raise */
	_Atomic uint32_t device_error;               /* 0, HETCKPT_FAILING, or HETCKPT_FAILED */
	_Atomic uint32_t device_code;                /* cudaError_t of the failure */
	char device_message[HETCKPT_SESSION_MESSAGE_BYTES]; /* valid at HETCKPT_FAILED; terminated */
};

#define HETCKPT_FAILING 1u /* somebody is writing the message */
#define HETCKPT_FAILED 2u  /* code and message are valid, and final */

/*
 * A reply slot: FREE -> WAITING by the application before it commits the command that
 * names the slot; WAITING -> READY by the worker; READY -> FREE by the application.
 * The application alone decides which slots are free. The slot belongs to the command
 * whose seq it holds, so an answer that comes after the application gave up is dropped.
 */
enum hetckpt_reply_state { HETCKPT_REPLY_FREE, HETCKPT_REPLY_WAITING, HETCKPT_REPLY_WRITING,
                           HETCKPT_REPLY_READY };

struct hetckpt_reply_slot {
	_Alignas(64) _Atomic uint32_t state; /* enum hetckpt_reply_state; the futex */
	uint32_t flags;                      /* HETCKPT_REPLY_NOTIFY; set by the application */
	_Atomic uint64_t seq;                /* command that is answered; set by commit */
	int32_t code;                        /* cudaError_t; 0 success */
	uint32_t bytes;                      /* of data */
	_Alignas(16) unsigned char data[HETCKPT_REPLY_BYTES];
};
/* The reply also rings notify_bell, for a thread that watches many slots. */
#define HETCKPT_REPLY_NOTIFY 1u

/* ---- A process's view of it -------------------------------------------- */

struct hetckpt_session {
	struct hetckpt_session_control *control;
	_Atomic uint32_t *staging_word;      /* [staging_bytes / HETCKPT_STAGING_CHUNK] */
	struct hetckpt_reply_slot *reply;    /* [reply_slots] */
	unsigned char *ring;                 /* mapped twice in a row: records never wrap */
	unsigned char *staging;
	/* Copies of the fixed fields, checked when opened: what is in the memory could
	   be overwritten by a broken peer. */
	uint64_t total_bytes, ring_bytes, staging_bytes;
	uint32_t reply_slots;
	int fd;                              /* owned */
};

/*
 * Makes the memory and maps it. Zero sizes mean the defaults; ring_bytes must be a
 * power of two of at least 64 KiB + a page. The file is sealed against resizing.
 */
int hetckpt_session_create(struct hetckpt_session *session, uint64_t ring_bytes,
                           uint64_t staging_bytes, uint32_t reply_slots);

/*
 * Maps the memory behind fd, checking every field of its head. Takes a duplicate of fd;
 * the caller keeps its own. -EPROTO: not a session; -EPROTONOSUPPORT: other ABI version.
 */
int hetckpt_session_open(struct hetckpt_session *session, int fd);

/* Unmaps and closes; the memory lives as long as anyone has it. Safe on a zeroed struct. */
void hetckpt_session_close(struct hetckpt_session *session);

/* ---- Errors ------------------------------------------------------------ */

/*
 * Declares the device lost: supervisor or worker, once. The first caller's code (a
 * cudaError_t; 0 is taken as cudaErrorDevicesUnavailable) and message stay. Wakes
 * every sleeper.
 */
void hetckpt_session_fail(struct hetckpt_session *session, uint32_t code, const char *message);

/* True once the device is lost; cheap. */
static inline bool hetckpt_session_failed(const struct hetckpt_session *session)
{
	return atomic_load_explicit(&session->control->device_error, memory_order_acquire) ==
	       HETCKPT_FAILED;
}

/* Copies code and message (terminated, at most bytes) of the failure; -ENOENT if none. */
int hetckpt_session_failure(const struct hetckpt_session *session, uint32_t *code, char *message,
                            size_t bytes);

/*
 * Worker: an asynchronous command failed. code is a cudaError_t. The first error stays
 * until the application has seen it; the application knows which codes it never forgets
 * (a kernel's fault) and clears the others once it has returned them.
 */
void hetckpt_session_raise(struct hetckpt_session *session, uint32_t code);

/* ---- Replies ----------------------------------------------------------- */

/*
 * Worker: answers command seq through slot (HETCKPT_NO_REPLY: does nothing and returns
 * 0). bytes <= HETCKPT_REPLY_BYTES; data may be NULL when bytes is 0. Any thread, any
 * order, never blocks. -EINVAL: no such slot or too long; -ESTALE: the slot does not wait
 * for seq (the application gave up, or the command has been answered before).
 */
int hetckpt_reply_send(struct hetckpt_session *session, uint32_t slot, uint64_t seq, int code,
                       const void *data, uint32_t bytes);

/* Application: makes a free slot wait; flags as above. Commit gives it its seq. */
void hetckpt_reply_expect(struct hetckpt_session *session, uint32_t slot, uint32_t flags);

/* Application: 0 when the slot is ready; else waits up to timeout_ms: -ETIMEDOUT. */
int hetckpt_reply_wait(struct hetckpt_session *session, uint32_t slot, int timeout_ms);

/* Application: true if the slot is answered; does not wait. */
static inline bool hetckpt_reply_ready(const struct hetckpt_session *session, uint32_t slot)
{
	return atomic_load_explicit(&session->reply[slot].state, memory_order_acquire) ==
	       HETCKPT_REPLY_READY;
}

/*
 * Application: sleeps until an answer with HETCKPT_REPLY_NOTIFY comes (or anybody rings
 * notify_bell) after ticket was read; at most timeout_ms. 0 or -ETIMEDOUT.
 */
uint32_t hetckpt_notify_ticket(const struct hetckpt_session *session);
int hetckpt_notify_wait(struct hetckpt_session *session, uint32_t ticket, int timeout_ms);
void hetckpt_notify_kick(struct hetckpt_session *session);

/* Application: gives the slot up, answered or not. An answer on its way is dropped. */
void hetckpt_reply_forget(struct hetckpt_session *session, uint32_t slot);

/* ---- Staging ----------------------------------------------------------- */

/*
 * Payload of a copy whose src_space is HETCKPT_SPACE_STAGING: the application takes
 * chunks, fills them and sends the command; the worker frees them with
 * hetckpt_staging_release(offset, bytes) when it no longer reads them, once for each
 * command: because the copy is done, or because it has taken a copy of its own (a
 * snapshot inlines payloads; whoever inlines releases).
 * With dst_space HETCKPT_SPACE_STAGING the worker writes and replies, and the
 * application frees.
 */

/* True if [offset, offset + bytes) lies in the staging area. */
static inline bool hetckpt_staging_valid(const struct hetckpt_session *session, uint64_t offset,
                                         uint64_t bytes)
{
	return offset <= session->staging_bytes && bytes <= session->staging_bytes - offset;
}

/*
 * Application, one thread at a time: takes a run of chunks for bytes (> 0) bytes, searching
 * from *hint, which is moved on. Waits up to timeout_ms for releases. -EAGAIN: no such run
 * was free; -E2BIG: never will be. A thread that itself holds chunks which only it will
 * release must not wait.
 */
int hetckpt_staging_take(struct hetckpt_session *session, uint64_t bytes, uint64_t *hint,
                         uint64_t *offset, int timeout_ms);

/* Frees the chunks of a run. -EINVAL: not in the staging area, or not at a chunk's start. */
int hetckpt_staging_release(struct hetckpt_session *session, uint64_t offset, uint64_t bytes);

#endif
