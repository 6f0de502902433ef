/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "runtime/channel/control.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- Time -------------------------------------------------------------- */

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* Waits for events until the deadline (< 0: none): 0, -ETIMEDOUT, or another error. */
static int wait_for(int fd, short events, long long deadline)
{
	for (;;) {
		struct pollfd watch = {.fd = fd, .events = events};
		long long left = deadline - now_ms();
		int n = poll(&watch, 1, deadline < 0 ? -1 : left < 0 ? 0 : (int)left);

		if (n > 0)
			return watch.revents & POLLNVAL ? -EBADF : 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && deadline >= 0 && now_ms() >= deadline)
			return -ETIMEDOUT;
	}
}

static long long deadline_of(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
}

/* ---- Sending ----------------------------------------------------------- */

int hetckpt_control_send(int fd, const json_t *message, const int *fds, int count, int timeout_ms)
{
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int) * HETCKPT_CONTROL_FDS)]; } ancillary;
	long long deadline = deadline_of(timeout_ms);
	struct iovec part;
	struct msghdr header;
	char *text;
	int result = 0;

	if (count < 0 || count > HETCKPT_CONTROL_FDS || !json_is_object(message))
		return -EINVAL;
	text = json_dumps(message, JSON_COMPACT);
	if (!text)
		return -EINVAL;
	part.iov_base = text;
	part.iov_len = strlen(text);
	if (part.iov_len > HETCKPT_CONTROL_BYTES) {
		result = -EMSGSIZE;
		goto done;
	}
	memset(&header, 0, sizeof header);
	header.msg_iov = &part;
	header.msg_iovlen = 1;
	if (count) {
		struct cmsghdr *c;

		memset(&ancillary, 0, sizeof ancillary);
		header.msg_control = ancillary.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)count);
	}
	while (sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			result = wait_for(fd, POLLOUT, deadline);
			if (result)
				goto done;
		} else if (errno != EINTR) {
			result = errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
			goto done;
		}
	}
done:
	free(text);
	return result;
}

/* ---- Receiving --------------------------------------------------------- */

static void close_all(const int *fds, int count)
{
	for (int i = 0; i < count; i++)
		close(fds[i]);
}

/* Nesting is checked before parsing, because the parser recurses. */
static bool is_shallow(const char *text, size_t bytes)
{
	int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < bytes; i++) {
		if (quoted) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				quoted = false;
		} else if (text[i] == '"') {
			quoted = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > HETCKPT_CONTROL_DEPTH)
				return false;
		} else if (text[i] == '}' || text[i] == ']') {
			depth--;
		}
	}
	return true;
}

/* Collects the descriptors of one datagram; true if all of them came and fit. */
static bool take_fds(struct msghdr *header, int *fds, int *count)
{
	bool all = !(header->msg_flags & MSG_CTRUNC);

	*count = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int one;

			memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
			if (*count < HETCKPT_CONTROL_FDS) {
				fds[(*count)++] = one;
			} else {
				close(one);
				all = false;
			}
		}
	}
	return all;
}

int hetckpt_control_receive(int fd, json_t **message, int *fds, int *count, int timeout_ms)
{
	/* Room for one more than is allowed, so that too many is told from just enough. */
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int) * (HETCKPT_CONTROL_FDS + 1))]; } ancillary;
	long long deadline = deadline_of(timeout_ms);
	int got[HETCKPT_CONTROL_FDS], n = 0;
	struct iovec part;
	struct msghdr header;
	json_t *parsed = NULL;
	ssize_t bytes;
	bool all;
	char *text;
	int result = 0;

	if (count)
		*count = 0;
	text = malloc(HETCKPT_CONTROL_BYTES);
	if (!text)
		return -ENOMEM;
	for (;;) {
		memset(&header, 0, sizeof header);
		part.iov_base = text;
		part.iov_len = HETCKPT_CONTROL_BYTES;
		header.msg_iov = &part;
		header.msg_iovlen = 1;
		header.msg_control = ancillary.bytes;
		header.msg_controllen = sizeof ancillary.bytes;
		bytes = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (bytes >= 0)
			break;
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			result = wait_for(fd, POLLIN, deadline);
			if (result)
				goto done;
		} else if (errno != EINTR) {
			result = errno == ENOTCONN || errno == EPIPE ? -ECONNRESET : -errno;
			goto done;
		}
	}
	all = take_fds(&header, got, &n);
	if (bytes == 0) {
		/* End of stream; an empty datagram looks the same and is no message either. */
		result = -ECONNRESET;
		goto done;
	}
	if (header.msg_flags & MSG_TRUNC || !all) {
		result = -EMSGSIZE;
		goto done;
	}
	if (!is_shallow(text, (size_t)bytes)) {
		result = -EBADMSG;
		goto done;
	}
	parsed = json_loadb(text, (size_t)bytes, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(parsed)) {
		json_decref(parsed);
		result = -EBADMSG;
		goto done;
	}
	*message = parsed;
	if (fds && count) {
		memcpy(fds, got, sizeof(int) * (size_t)n);
		*count = n;
		n = 0;
	}
done:
	close_all(got, n);
	free(text);
	return result;
}

/* ---- Requests and replies ---------------------------------------------- */

int hetckpt_control_call(int fd, json_t *request, const int *fds, int count, json_t **reply,
                         int *reply_fds, int *reply_count, int timeout_ms,
                         void (*progress)(void *context, const json_t *progress), void *context)
{
	static _Atomic json_int_t last_id;
	json_int_t id = atomic_fetch_add(&last_id, 1) + 1;
	int result;

	*reply = NULL;
	if (reply_count)
		*reply_count = 0;
	if (!json_is_object(request) || json_object_set_new(request, "id", json_integer(id)))
		return -EINVAL;
	result = hetckpt_control_send(fd, request, fds, count, timeout_ms);
	while (!result) {
		int got[HETCKPT_CONTROL_FDS], n = 0;
		json_t *message, *found, *ok;
		json_int_t code;

		result = hetckpt_control_receive(fd, &message, got, &n, timeout_ms);
		if (result)
			break;
		found = json_object_get(message, "id");
		ok = json_object_get(message, "ok");
		if (!json_is_integer(found) || json_integer_value(found) != id || !ok) {
			json_t *step = json_object_get(message, "progress");

			if (progress && step && json_is_integer(found) && json_integer_value(found) == id)
				progress(context, step);
			json_decref(message);
			close_all(got, n);
			continue;
		}
		if (reply_fds && reply_count) {
			memcpy(reply_fds, got, sizeof(int) * (size_t)n);
			*reply_count = n;
		} else {
			close_all(got, n);
		}
		*reply = message;
		if (json_is_true(ok))
			return 0;
		code = json_integer_value(json_object_get(message, "code"));
		return code < 0 && code > -4096 ? (int)code : -EIO;
	}
	return result;
}

int hetckpt_control_reply(int fd, const json_t *request, json_t *facts, const int *fds, int count)
{
	json_t *id = json_object_get(request, "id");
	int result = -ENOMEM;

	if (!facts)
		facts = json_object();
	if (facts && !json_object_set_new(facts, "ok", json_true()) &&
	    (!id || !json_object_set(facts, "id", id)))
		result = hetckpt_control_send(fd, facts, fds, count, 1000);
	json_decref(facts);
	return result;
}

int hetckpt_control_refuse(int fd, const json_t *request, int code, const char *format, ...)
{
	json_t *id = json_object_get(request, "id");
	json_t *message = NULL;
	char line[1024];
	va_list args;
	int result = -ENOMEM;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	/* A cut line may end inside a character; then say it without the text. */
	message = json_pack("{s:b, s:s, s:i}", "ok", 0, "error", line, "code", code);
	if (!message)
		message = json_pack("{s:b, s:s, s:i}", "ok", 0, "error", strerror(-code), "code", code);
	if (message && (!id || !json_object_set(message, "id", id)))
		result = hetckpt_control_send(fd, message, NULL, 0, 1000);
	json_decref(message);
	return result;
}
