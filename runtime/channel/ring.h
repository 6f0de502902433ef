/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * ring.h - commands from the application to whichever worker serves the session.
 *
 * One producer (the application, which serialises its threads), one consumer (the
 * worker). Records are struct hetckpt_msg and body, a multiple of 16 bytes, contiguous:
 * the ring is mapped twice in a row.
 *
 * WHEN A COMMAND CHANGES HANDS. Its life is three steps, each a number in the session
 * memory that only grows, so each survives the death of a worker:
 *
 *   produced_seq  committed; the command is in the ring
 *   taken_seq     the worker has advanced over it: it must have its own copy, for the
 *                 bytes are the producer's again. head moves with it.
 *   retired_seq   the worker says that this and all earlier commands are finished: their
 *                 effects are in its state and their replies are sent
 *
 * A command between taken and produced has been seen by nobody who counts: a worker
 * that died while looking at it (peek, no advance) left nothing behind, and the next one
 * finds it first in the ring. A command between retired and taken was in a worker's
 * hands. If that worker has died, it is lost together with the device memory that it
 * worked on, and the session can only go on from a snapshot taken at that very point.
 * Therefore: a state (a snapshot) records the taken_seq that it includes, done or queued,
 * and a worker that loads the state claims the ring with that number. hetckpt_ring_claim
 * refuses with -ESTALE if another worker has taken commands since; then the application
 * must be told that the device is lost (hetckpt_session_fail).
 *
 * Claiming raises the generation. A consumer whose generation is not the present one
 * (the source of a migration, after the target has claimed) gets -EOWNERDEAD from peek
 * and advance, and has consumed nothing. Claims are made one after the other by the
 * supervisor's word; the source stops consuming before the target claims.
 */
#ifndef HETCKPT_CHANNEL_RING_H
#define HETCKPT_CHANNEL_RING_H

#include "runtime/channel/session.h"

/* Longest record. */
#define HETCKPT_MSG_MAX_BYTES 65536u

/* Bytes of a record with a body of that many bytes. */
#define HETCKPT_MSG_BYTES(body) (((uint32_t)sizeof(struct hetckpt_msg) + (uint32_t)(body) + 15u) & ~15u)

/* A process's end of the ring. Not thread safe. */
struct hetckpt_ring {
	struct hetckpt_session *session; /* not owned */
	uint64_t position;               /* producer: next byte to write; consumer: to read */
	uint64_t seq;                    /* last seq committed, or taken */
	uint32_t pending;                /* producer: bytes reserved; consumer: bytes peeked */
	uint32_t generation;             /* consumer */
	uint64_t seen;                   /* consumer: tail when the ticket was read */
};

/* ---- Producer ---------------------------------------------------------- */

/* Goes on where the ring stands. Never fails. */
void hetckpt_ring_produce(struct hetckpt_ring *ring, struct hetckpt_session *session);

/*
 * Reserves a record of bytes (HETCKPT_MSG_BYTES of the body) and gives its zeroed place;
 * msg->bytes is filled in. Reserving again without a commit drops the first. Does not
 * block. -EAGAIN: full now; -E2BIG: longer than HETCKPT_MSG_MAX_BYTES; -EINVAL: size.
 */
int hetckpt_ring_reserve(struct hetckpt_ring *ring, uint32_t bytes, struct hetckpt_msg **msg);

/*
 * Publishes the reserved record: numbers it, gives its reply slot that number, wakes the
 * consumer if it sleeps (the only case with a system call). Returns the seq.
 */
uint64_t hetckpt_ring_commit(struct hetckpt_ring *ring);

/*
 * Waits until bytes can be reserved: 0, or -ETIMEDOUT after timeout_ms. The consumer wakes the
 * producer when half of the ring is free, so call it again (and check for failures) each
 * tenth of a second or so.
 */
int hetckpt_ring_wait_space(struct hetckpt_ring *ring, uint32_t bytes, int timeout_ms);

/* ---- Consumer ---------------------------------------------------------- */

/*
 * Becomes the consumer. seq is the taken_seq that the worker's state includes: 0 for a
 * worker that starts with nothing. -ESTALE: the ring has moved on since.
 */
int hetckpt_ring_claim(struct hetckpt_ring *ring, struct hetckpt_session *session, uint64_t seq);

/*
 * Looks at the next command. *msg points into the ring, stays valid until advance, and has
 * *bytes readable bytes; the application could still overwrite them, so copy before you
 * check what the copy says. -EAGAIN: empty; -EPROTO: the record is malformed (the session
 * is broken for good); -EOWNERDEAD: another worker has claimed the ring.
 */
int hetckpt_ring_peek(struct hetckpt_ring *ring, const struct hetckpt_msg **msg, uint32_t *bytes);

/* Takes the command that peek showed. -EOWNERDEAD as above; -EINVAL: nothing was peeked. */
int hetckpt_ring_advance(struct hetckpt_ring *ring);

/* Says that all commands up to seq are finished. Any thread; never lowers the number. */
void hetckpt_ring_retire(struct hetckpt_session *session, uint64_t seq);

/*
 * Waiting for commands or for a word from another thread. Read the ticket first, then look
 * whether there is anything to do (the ring, your own flags), then wait: 0 when a command
 * has come or somebody has kicked since the ticket was read, -ETIMEDOUT after timeout_ms
 * (< 0: no limit). Commands that were there before and that the consumer left there do not
 * end the wait. Spins spin_us microseconds before it sleeps, so that a busy application
 * commits without system calls.
 */
uint32_t hetckpt_ring_ticket(struct hetckpt_ring *ring);
int hetckpt_ring_wait(struct hetckpt_ring *ring, uint32_t ticket, int timeout_ms, unsigned spin_us);

/* Ends the consumer's wait. Any thread of any process. */
void hetckpt_ring_kick(struct hetckpt_session *session);

#endif
