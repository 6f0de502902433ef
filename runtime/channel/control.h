/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * control.h - JSON messages with file descriptors over SOCK_SEQPACKET sockets.
 *
 * One JSON object a datagram; see docs/sessions.md for what they say. Safe against any
 * input: sizes, nesting and numbers of descriptors are bounded, descriptors of a refused
 * message are closed, and what a peer sends can cost no more than that message.
 *
 * All functions return 0 or a negative errno. Timeouts are in milliseconds; < 0 waits
 * without limit, 0 not at all. A socket may be used by one sender and one receiver thread.
 */
#ifndef HETCKPT_CHANNEL_CONTROL_H
#define HETCKPT_CHANNEL_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#define HETCKPT_CONTROL_BYTES 65536 /* longest message, in UTF-8 */
#define HETCKPT_CONTROL_DEPTH 16    /* deepest nesting of arrays and objects */
#define HETCKPT_CONTROL_FDS 4       /* most descriptors with one message */

/* ---- Sockets ----------------------------------------------------------- */

/*
 * Listens at path (mode 0600); a file that is there already is an error. *fd is
 * non-blocking and close-on-exec. -ENAMETOOLONG: more than a socket address holds.
 */
int hetckpt_control_listen(const char *path, int *fd);

/* Connects to path. */
int hetckpt_control_connect(const char *path, int *fd);

/*
 * Accepts one connection; refuses (-EACCES, connection closed) peers of another user.
 * *pid, if not NULL, gets the peer's process id. -EAGAIN: none waiting.
 */
int hetckpt_control_accept(int listener, int *fd, pid_t *pid);

/* A connected pair, for a worker that inherits one end. Both close-on-exec. */
int hetckpt_control_pair(int fd[2]);

/* True if the peer has closed its end. Does not read. */
bool hetckpt_control_hung_up(int fd);

/* ---- Messages ---------------------------------------------------------- */

/*
 * Sends message (borrowed) and duplicates of fds[count] (the caller keeps its own).
 * -EMSGSIZE: too long; -EPIPE: the peer is gone; -ETIMEDOUT.
 */
int hetckpt_control_send(int fd, const json_t *message, const int *fds, int count, int timeout_ms);

/*
 * Receives one message. *message is a new reference to an object; fds (room for
 * HETCKPT_CONTROL_FDS; NULL: descriptors are closed) receives *count close-on-exec
 * descriptors that the caller owns. On failure nothing is left to free.
 * -ECONNRESET: the peer is gone; -ETIMEDOUT; -EMSGSIZE: too long or too many descriptors;
 * -EBADMSG: not a JSON object, too deep, or not UTF-8. After -EMSGSIZE and -EBADMSG the
 * next message can be received.
 */
int hetckpt_control_receive(int fd, json_t **message, int *fds, int *count, int timeout_ms);

/*
 * Sends request (borrowed; gets a fresh "id") and waits for the reply with that id;
 * messages with another id and progress records are dropped, unless progress is not NULL:
 * then it is called with each "progress" object. 0: *reply is the reply, whose "ok" was
 * true. If the reply says "ok": false: its "code", if that is a negative errno, else -EIO;
 * *reply is set as well, so that "error" can be shown. On other failures *reply is NULL.
 * timeout_ms is the longest silence between two messages.
 */
int hetckpt_control_call(int fd, json_t *request, const int *fds, int count, json_t **reply,
                         int *reply_fds, int *reply_count, int timeout_ms,
                         void (*progress)(void *context, const json_t *progress), void *context);

/*
 * Answers request: {"id":.., "ok":true, facts...} or {"id":.., "ok":false, "error":..,
 * "code":..}. facts (stolen; may be NULL) is extended in place. They wait at most a second
 * for a peer that does not read: -ETIMEDOUT, and the peer is best dropped.
 */
int hetckpt_control_reply(int fd, const json_t *request, json_t *facts, const int *fds, int count);
int hetckpt_control_refuse(int fd, const json_t *request, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
