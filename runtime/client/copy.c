/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Copies. Where the two ends lie decides how:
 *
 *   device, page-locked   one command, by address
 *   pageable to device    in pieces through the staging area; a call that waits does so
 *                         until they have arrived, for other streams may rely on it
 *   device to pageable    in pieces through the staging area; the call waits
 *   host to host          here, once the stream has come to it
 *   registered memory     like pageable if the call waits anyway; else its part is done by
 *                         a host function in stream order, because the program may fill the
 *                         buffer, or look at it, when the stream gets there and not now; so
 *                         are pageable memory's copies of graphs
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/channel/session.h"
#include "runtime/client/client.h"
#include "runtime/client/graph.h"

/* Large enough that a piece costs little, small enough that several are under way. */
#define PIECE_BYTES (4ull << 20)
/* Pieces of a copy to the host that are under way at once. */
#define PIPELINE 4

/* One end of a copy. */
struct end {
	uint64_t address, pitch, slice;
	enum client_range_kind kind;
};

static bool on_device(const struct end *e)
{
	return e->kind == CLIENT_RANGE_DEVICE || e->kind == CLIENT_RANGE_VARIABLE;
}

/* The worker sees it at the same address. */
static bool is_shared(const struct end *e)
{
	return on_device(e) || e->kind == CLIENT_RANGE_PINNED || e->kind == CLIENT_RANGE_MANAGED;
}

static uint32_t space_of(const struct end *e)
{
	return on_device(e) ? HETCKPT_SPACE_DEVICE : HETCKPT_SPACE_PINNED;
}

/* ---- Checks ------------------------------------------------------------ */

/* Bytes from the first to the last byte that a box touches; false if that overflows. */
static bool extent(const struct client_copy *c, uint64_t pitch, uint64_t slice, uint64_t *bytes)
{
	uint64_t slices, rows;

	return !__builtin_mul_overflow(c->depth - 1, slice, &slices) &&
	       !__builtin_mul_overflow(c->height - 1, pitch, &rows) &&
	       !__builtin_add_overflow(slices, rows, bytes) &&
	       !__builtin_add_overflow(*bytes, c->width, bytes);
}

/* Finds out where an end lies, and that all of it lies there. */
static cudaError_t end_classify(const struct client_copy *c, struct end *e)
{
	struct client_range range;
	uint64_t bytes, end;

	if (!e->address)
		return cudaErrorInvalidValue;
	if (!extent(c, e->pitch, e->slice, &bytes) || __builtin_add_overflow(e->address, bytes, &end))
		return cudaErrorInvalidValue;
	if (!client_range_find(e->address, &range)) {
		/* Nothing is allocated there: what lies in the arena would fault. */
		e->kind = CLIENT_RANGE_NONE;
		return client_is_device(e->address) ? cudaErrorInvalidValue : cudaSuccess;
	}
	e->kind = range.kind;
	if (bytes <= range.bytes - (e->address - range.address))
		return cudaSuccess;
	/* A buffer may be registered in part; then it is ordinary memory. */
	if (range.kind == CLIENT_RANGE_REGISTERED) {
		e->kind = CLIENT_RANGE_NONE;
		return cudaSuccess;
	}
	return cudaErrorInvalidValue;
}

static cudaError_t direction_check(enum cudaMemcpyKind kind, const struct end *dst, const struct end *src)
{
	switch (kind) {
	case cudaMemcpyDefault:
		return cudaSuccess;
	case cudaMemcpyHostToHost:
		return on_device(dst) || on_device(src) ? cudaErrorInvalidValue : cudaSuccess;
	case cudaMemcpyHostToDevice:
		return !is_shared(dst) || on_device(src) ? cudaErrorInvalidValue : cudaSuccess;
	case cudaMemcpyDeviceToHost:
		return on_device(dst) || !is_shared(src) ? cudaErrorInvalidValue : cudaSuccess;
	case cudaMemcpyDeviceToDevice:
		return !is_shared(dst) || !is_shared(src) ? cudaErrorInvalidValue : cudaSuccess;
	default:
		return cudaErrorInvalidMemcpyDirection;
	}
}

/* ---- Boxes ------------------------------------------------------------- */

/* Copies a box between two places of this process. */
static void box_move(void *dst, uint64_t dst_pitch, uint64_t dst_slice, const void *src, uint64_t src_pitch,
                     uint64_t src_slice, uint64_t width, uint64_t height, uint64_t depth)
{
	for (uint64_t z = 0; z < depth; z++) {
		char *to = (char *)dst + z * dst_slice;
		const char *from = (const char *)src + z * src_slice;

		if (dst_pitch == width && src_pitch == width) {
			memmove(to, from, width * height);
			continue;
		}
		for (uint64_t y = 0; y < height; y++)
			memmove(to + y * dst_pitch, from + y * src_pitch, width);
	}
}

/* A box without gaps on either side is one row. */
static void flatten(struct client_copy *c)
{
	if (c->depth > 1 && c->dst_slice == c->width * c->height && c->src_slice == c->dst_slice &&
	    (c->height == 1 || (c->dst_pitch == c->width && c->src_pitch == c->width))) {
		c->height *= c->depth;
		c->depth = 1;
		c->dst_pitch = c->src_pitch = c->width;
	}
	if (c->depth == 1 && c->height > 1 && c->dst_pitch == c->width && c->src_pitch == c->width) {
		c->width *= c->height;
		c->height = 1;
	}
}

/*
 * Cuts off the next piece of at most limit bytes: whole slices, or rows of one slice, or
 * part of one row. x, y, z is where it starts; all three 0, 0, depth: nothing is left.
 */
struct cutter {
	const struct client_copy *box;
	uint64_t limit, x, y, z;
};

static bool piece_next(struct cutter *k, struct client_copy *piece)
{
	const struct client_copy *b = k->box;
	uint64_t slice = b->width * b->height;

	if (k->z == b->depth)
		return false;
	*piece = *b;
	piece->dst = b->dst + k->z * b->dst_slice + k->y * b->dst_pitch + k->x;
	piece->src = b->src + k->z * b->src_slice + k->y * b->src_pitch + k->x;
	if (slice <= k->limit) {
		piece->depth = k->limit / slice;
		if (piece->depth > b->depth - k->z)
			piece->depth = b->depth - k->z;
		k->z += piece->depth;
		return true;
	}
	piece->depth = 1;
	if (b->width <= k->limit) {
		piece->height = k->limit / b->width;
		if (piece->height > b->height - k->y)
			piece->height = b->height - k->y;
		k->y += piece->height;
	} else {
		piece->height = 1;
		piece->width = b->width - k->x < k->limit ? b->width - k->x : k->limit;
		k->x += piece->width;
		if (k->x == b->width) {
			k->x = 0;
			k->y++;
		}
	}
	if (k->y == b->height) {
		k->y = 0;
		k->z++;
	}
	return true;
}

static uint64_t piece_bytes(const struct client_copy *p)
{
	return p->width * p->height * p->depth;
}

/* ---- Commands ---------------------------------------------------------- */

static void body_fill(struct hetckpt_msg_copy *body, const struct client_copy *c, uint32_t dst_space,
                      uint32_t src_space)
{
	*body = (struct hetckpt_msg_copy){
		.dst = c->dst, .src = c->src, .dst_space = dst_space, .src_space = src_space,
		.width = c->width, .height = c->height, .depth = c->depth,
		.dst_pitch = c->dst_pitch, .dst_slice = c->dst_slice,
		.src_pitch = c->src_pitch, .src_slice = c->src_slice,
	};
}

/* In the staging area rows are packed. */
static void body_stage(struct hetckpt_msg_copy *body, const struct client_copy *p, uint64_t offset,
                       bool to_device, uint32_t space)
{
	body_fill(body, p, to_device ? space : HETCKPT_SPACE_STAGING, to_device ? HETCKPT_SPACE_STAGING : space);
	if (to_device) {
		body->src = offset;
		body->src_pitch = p->width;
		body->src_slice = p->width * p->height;
	} else {
		body->dst = offset;
		body->dst_pitch = p->width;
		body->dst_slice = p->width * p->height;
	}
}

static void stage_in(const struct client_copy *p, uint64_t offset)
{
	box_move(client_session()->staging + offset, p->width, p->width * p->height, (const void *)p->src,
	         p->src_pitch, p->src_slice, p->width, p->height, p->depth);
}

static void stage_out(const struct client_copy *p, uint64_t offset)
{
	box_move((void *)p->dst, p->dst_pitch, p->dst_slice, client_session()->staging + offset, p->width,
	         p->width * p->height, p->width, p->height, p->depth);
}

static cudaError_t pageable_to_device(const struct client_copy *c, uint32_t stream, uint32_t space)
{
	struct cutter cutter = {.box = c, .limit = PIECE_BYTES};
	struct client_copy piece;

	while (piece_next(&cutter, &piece)) {
		struct hetckpt_msg_copy body;
		cudaError_t error;
		uint64_t offset;

		error = client_staging_take(piece_bytes(&piece), true, &offset);
		if (error)
			return error;
		stage_in(&piece, offset);
		body_stage(&body, &piece, offset, true, space);
		error = client_send(HETCKPT_MSG_COPY, stream, &body, sizeof body);
		if (error) {
			hetckpt_staging_release(client_session(), offset, piece_bytes(&piece));
			return error;
		}
	}
	return cudaSuccess;
}

struct under_way {
	struct client_copy piece;
	uint64_t offset;
	uint32_t slot;
};

/* Waits for a piece and takes it out of the staging area. */
static cudaError_t arrive(struct under_way *u)
{
	cudaError_t error = client_slot_collect(u->slot, NULL, 0);

	if (!error)
		stage_out(&u->piece, u->offset);
	hetckpt_staging_release(client_session(), u->offset, piece_bytes(&u->piece));
	return error;
}

static cudaError_t send_out(struct under_way *u, uint32_t stream, uint32_t space)
{
	struct hetckpt_msg_copy *body;
	cudaError_t error;
	void *place;

	error = client_slot_take(0, &u->slot);
	if (error)
		return error;
	error = client_begin(HETCKPT_MSG_COPY, stream, u->slot, sizeof *body, &place);
	if (error) {
		client_slot_free(u->slot);
		return error;
	}
	body = place;
	body_stage(body, &u->piece, u->offset, false, space);
	client_commit();
	return cudaSuccess;
}

static cudaError_t device_to_pageable(const struct client_copy *c, uint32_t stream, uint32_t space)
{
	struct under_way queue[PIPELINE];
	unsigned head = 0, count = 0;
	struct cutter cutter = {.box = c, .limit = PIECE_BYTES};
	struct client_copy piece;
	cudaError_t error = cudaSuccess, later;

	while (!error && piece_next(&cutter, &piece)) {
		struct under_way *u;

		if (count == PIPELINE) {
			error = arrive(&queue[head++ % PIPELINE]);
			count--;
			if (error)
				break;
		}
		u = &queue[(head + count) % PIPELINE];
		u->piece = piece;
		/* Holding pieces of which others may wait, this thread itself must not wait:
		   it first takes out what it has under way. */
		error = client_staging_take(piece_bytes(&piece), !count, &u->offset);
		while (error == cudaErrorNotReady && count) {
			error = arrive(&queue[head++ % PIPELINE]);
			count--;
			if (!error) {
				u = &queue[(head + count) % PIPELINE];
				u->piece = piece;
				error = client_staging_take(piece_bytes(&piece), !count, &u->offset);
			}
		}
		if (error)
			break;
		error = send_out(u, stream, space);
		if (error)
			hetckpt_staging_release(client_session(), u->offset, piece_bytes(&piece));
		else
			count++;
	}
	while (count) {
		later = arrive(&queue[head++ % PIPELINE]);
		count--;
		error = error ? error : later;
	}
	return error;
}

/* ---- Registered memory, in stream order --------------------------------- */

struct deferred {
	struct client_copy piece;
	uint64_t offset; /* to the program: in the staging area */
	void *buffer;    /* to the device */
	uint32_t epoch;
};

static void deferred_in(void *data)
{
	const struct deferred *d = data;

	box_move(d->buffer, d->piece.width, d->piece.width * d->piece.height, (const void *)d->piece.src,
	         d->piece.src_pitch, d->piece.src_slice, d->piece.width, d->piece.height, d->piece.depth);
}

static void deferred_give(void *data)
{
	struct deferred *d = data;

	client_bounce_give(d->buffer, d->epoch);
	free(d);
}

static void deferred_out(void *data)
{
	struct deferred *d = data;

	stage_out(&d->piece, d->offset);
	hetckpt_staging_release(client_session(), d->offset, piece_bytes(&d->piece));
	free(d);
}

/* One piece; d is taken over. A failure after the first command means that the session is lost,
   and with it what was taken. */
static cudaError_t piece_in(struct deferred *d, uint32_t stream, uint32_t space)
{
	struct hetckpt_msg_copy body;
	cudaError_t error = client_bounce_take(&d->buffer);

	if (error) {
		free(d);
		return error;
	}
	d->epoch = client_epoch();
	body_fill(&body, &d->piece, space, HETCKPT_SPACE_PINNED);
	body.src = (uint64_t)d->buffer;
	body.src_pitch = d->piece.width;
	body.src_slice = d->piece.width * d->piece.height;
	error = client_host_call(stream, deferred_in, d);
	if (!error)
		error = client_send(HETCKPT_MSG_COPY, stream, &body, sizeof body);
	return error ? error : client_host_call(stream, deferred_give, d);
}

static cudaError_t piece_out(struct deferred *d, uint32_t stream, uint32_t space)
{
	struct hetckpt_msg_copy body;
	cudaError_t error = client_staging_take(piece_bytes(&d->piece), true, &d->offset);

	if (error) {
		free(d);
		return error;
	}
	body_stage(&body, &d->piece, d->offset, false, space);
	error = client_send(HETCKPT_MSG_COPY, stream, &body, sizeof body);
	return error ? error : client_host_call(stream, deferred_out, d);
}

static cudaError_t registered_async(const struct client_copy *c, uint32_t stream, uint32_t space, bool to_device)
{
	struct cutter cutter = {.box = c, .limit = to_device ? CLIENT_BOUNCE_BYTES : PIECE_BYTES};
	cudaError_t error = cudaSuccess;
	struct client_copy piece;

	while (!error && piece_next(&cutter, &piece)) {
		struct deferred *d = calloc(1, sizeof *d);

		if (!d)
			return cudaErrorMemoryAllocation;
		d->piece = piece;
		error = to_device ? piece_in(d, stream, space) : piece_out(d, stream, space);
	}
	return error;
}

/* ---- All of it --------------------------------------------------------- */

static cudaError_t by_address(const struct client_copy *c, uint32_t stream, const struct end *dst,
                              const struct end *src, bool wait)
{
	struct hetckpt_msg_copy body;
	cudaError_t error;

	body_fill(&body, c, space_of(dst), space_of(src));
	if (!wait)
		return client_send(HETCKPT_MSG_COPY, stream, &body, sizeof body);
	error = client_call(HETCKPT_MSG_COPY, stream, &body, sizeof body, NULL, 0, NULL, 0);
	return error ? error : client_async_error();
}

static cudaError_t ends_classify(const struct client_copy *c, struct end *dst, struct end *src)
{
	cudaError_t error;

	*dst = (struct end){c->dst, c->dst_pitch, c->dst_slice, CLIENT_RANGE_NONE};
	*src = (struct end){c->src, c->src_pitch, c->src_slice, CLIENT_RANGE_NONE};
	if ((unsigned)c->kind > cudaMemcpyDefault)
		return cudaErrorInvalidMemcpyDirection;
	if (!c->width || !c->height || !c->depth)
		return cudaSuccess;
	error = end_classify(c, dst);
	if (!error)
		error = end_classify(c, src);
	return error ? error : direction_check(c->kind, dst, src);
}

cudaError_t client_copy_check(const struct client_copy *copy)
{
	struct end dst, src;

	return ends_classify(copy, &dst, &src);
}

static void deferred_move(void *data)
{
	struct client_copy *c = data;

	box_move((void *)c->dst, c->dst_pitch, c->dst_slice, (const void *)c->src, c->src_pitch, c->src_slice,
	         c->width, c->height, c->depth);
	free(c);
}

/* Neither end is on the device. */
static cudaError_t host_to_host(const struct client_copy *c, uint32_t stream, enum client_order order)
{
	struct client_copy *own = malloc(sizeof *own);
	cudaError_t error;

	if (!own)
		return cudaErrorMemoryAllocation;
	*own = *c;
	if (order == CLIENT_IN_STREAM)
		return client_host_call(stream, deferred_move, own);
	error = client_stream_sync(stream);
	if (error)
		free(own);
	else
		deferred_move(own);
	return error;
}

cudaError_t client_copy_send(const struct client_copy *copy, uint32_t stream, enum client_order order)
{
	struct client_copy c = *copy;
	bool async = order != CLIENT_WAIT;
	struct end dst, src;
	cudaError_t error = ends_classify(&c, &dst, &src);

	if (error || !c.width || !c.height || !c.depth)
		return error;
	/* What is to be looked at when the stream comes to it is treated as registered memory is. */
	if (order == CLIENT_IN_STREAM && dst.kind == CLIENT_RANGE_NONE)
		dst.kind = CLIENT_RANGE_REGISTERED;
	if (order == CLIENT_IN_STREAM && src.kind == CLIENT_RANGE_NONE)
		src.kind = CLIENT_RANGE_REGISTERED;
	flatten(&c);
	/* Between two device addresses CUDA does not wait either. */
	if (is_shared(&dst) && is_shared(&src) && (async || on_device(&dst) || on_device(&src)))
		return by_address(&c, stream, &dst, &src, !async && !(on_device(&dst) && on_device(&src)));
	if (on_device(&dst)) {
		if (async && src.kind == CLIENT_RANGE_REGISTERED)
			return registered_async(&c, stream, space_of(&dst), true);
		error = pageable_to_device(&c, stream, space_of(&dst));
		return error || async ? error : client_stream_sync(stream);
	}
	if (on_device(&src)) {
		if (async && dst.kind == CLIENT_RANGE_REGISTERED)
			return registered_async(&c, stream, space_of(&src), false);
		error = device_to_pageable(&c, stream, space_of(&src));
		return error ? error : client_async_error();
	}
	return host_to_host(&c, stream, order);
}

cudaError_t client_copy(const struct client_copy *copy, cudaStream_t stream, bool async)
{
	struct client_work work = {.type = cudaGraphNodeTypeMemcpy, .copy = *copy};
	cudaError_t error;
	uint32_t number;

	if (async && client_capturing()) {
		error = client_copy_check(copy);
		if (error || client_capture(stream, &work, &error))
			return error;
	}
	error = client_stream_number(stream, &number);
	return error ? error : client_copy_send(copy, number, async ? CLIENT_ASYNC : CLIENT_WAIT);
}

cudaError_t client_copy_flat(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
                             cudaStream_t stream, bool async)
{
	struct client_copy c = client_copy_of_flat(dst, src, bytes, kind);

	return client_copy(&c, stream, async);
}
