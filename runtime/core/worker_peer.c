/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Requests of the supervisor by which one worker gets to another's device memory. The two talk
 * over a socket of their own, since there can be thousands of descriptors.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From worker to worker: {"backend", "pieces": [[address, bytes, serial], ...]} with a descriptor
   for each piece, and at the end a message without pieces. */
#define PEER_MS 10000

struct sharing {
	int fd;
	const char *backend;
	struct hetckpt_share *shares;
	size_t count;
};

static int send_pieces(const struct sharing *s, size_t first, size_t count)
{
	json_t *message = json_pack("{s:s, s:[]}", "backend", s->backend, "pieces");
	json_t *pieces = json_object_get(message, "pieces");
	int fds[HETCKPT_CONTROL_FDS], rc;

	for (size_t i = 0; i < count; i++) {
		const struct hetckpt_share *share = &s->shares[first + i];

		json_array_append_new(pieces, json_pack("[I, I, I]", (json_int_t)share->address, (json_int_t)share->bytes,
		                                        (json_int_t)share->serial));
		fds[i] = share->fd;
	}
	rc = json_array_size(pieces) == count ? hetckpt_control_send(s->fd, message, fds, (int)count, PEER_MS) : -ENOMEM;
	json_decref(message);
	return rc;
}

/* On a thread of its own: the socket holds few messages, and the other worker is not asked to
   read them before this one has answered. */
static void *share_pieces(void *context)
{
	struct sharing *s = context;
	size_t i = 0, n;
	int rc = 0;

	for (; i < s->count && !rc; i += n) {
		n = s->count - i < HETCKPT_CONTROL_FDS ? s->count - i : HETCKPT_CONTROL_FDS;
		rc = send_pieces(s, i, n);
	}
	if (!rc)
		send_pieces(s, 0, 0);
	for (i = 0; i < s->count; i++)
		close(s->shares[i].fd);
	close(s->fd);
	free(s->shares);
	free(s);
	return NULL;
}

int worker_do_share(struct worker_request *r)
{
	struct sharing *s;
	pthread_t thread;
	int rc = worker_need_fd(r);

	if (rc)
		return rc;
	s = calloc(1, sizeof *s);
	if (!s)
		return hetckpt_error_set(&r->error, -ENOMEM, 0, "out of host memory");
	s->backend = r->worker->backend;
	s->fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
	rc = s->fd < 0 ? hetckpt_error_set(&r->error, -errno, 0, "out of descriptors")
	               : hetckpt_core_share(r->worker->core, &s->shares, &s->count, &r->error);
	if (!rc && pthread_create(&thread, NULL, share_pieces, s)) {
		for (size_t i = 0; i < s->count; i++)
			close(s->shares[i].fd);
		rc = hetckpt_error_set(&r->error, -EAGAIN, 0, "cannot start a thread");
	}
	if (!rc) {
		pthread_detach(thread);
		return 0;
	}
	if (s->fd >= 0)
		close(s->fd);
	free(s->shares);
	free(s);
	return rc;
}

static int reach_pieces(struct worker_request *r, const json_t *message, const int *fds, int count)
{
	json_t *pieces = json_object_get(message, "pieces"), *piece;
	size_t i;
	int rc = 0;

	if (strcmp(worker_text(message, "backend"), r->worker->backend))
		return hetckpt_error_set(&r->error, -ENOTSUP, 0, "a %.40s device does not reach a %.40s device's memory",
		                         r->worker->backend, worker_text(message, "backend"));
	if (json_array_size(pieces) != (size_t)count)
		return hetckpt_error_set(&r->error, -EPROTO, 0, "pieces of memory came without their descriptors");
	json_array_foreach(pieces, i, piece) {
		struct hetckpt_share share = {
			.address = (uint64_t)json_integer_value(json_array_get(piece, 0)),
			.bytes = (uint64_t)json_integer_value(json_array_get(piece, 1)),
			.serial = (uint64_t)json_integer_value(json_array_get(piece, 2)), .fd = fds[i],
		};

		if (!rc)
			rc = hetckpt_core_reach(r->worker->core, &share, &r->error);
	}
	return rc;
}

int worker_do_reach(struct worker_request *r)
{
	bool end = false;
	int rc = worker_need_fd(r);

	hetckpt_core_reach_end(r->worker->core);
	while (!rc && !end) {
		int fds[HETCKPT_CONTROL_FDS], count = 0;
		json_t *message;

		rc = hetckpt_control_receive(r->fd, &message, fds, &count, PEER_MS);
		if (rc) {
			hetckpt_error_set(&r->error, rc, 0, "the other worker does not say what it shares: %s", strerror(-rc));
			break;
		}
		end = !json_array_size(json_object_get(message, "pieces"));
		rc = reach_pieces(r, message, fds, count);
		for (int i = 0; i < count; i++)
			close(fds[i]);
		json_decref(message);
	}
	if (rc)
		hetckpt_core_reach_end(r->worker->core);
	return rc;
}

int worker_do_reach_end(struct worker_request *r)
{
	hetckpt_core_reach_end(r->worker->core);
	return 0;
}
