/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Capture: what is sent to a stream becomes nodes of a graph instead.
 *
 * Each stream of a capture remembers the nodes that its next one depends on. Recording an event
 * notes them; a stream that waits for the event takes them over, and is part of the capture from
 * then on. The first stream is where the capture began, and where it ends.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/client/graph.h"

/* A stream of a capture, or an event that was recorded in one. */
struct mark {
	uint32_t number;
	bool blocking;            /* the stream synchronises with the default stream */
	bool destroyed;           /* the handle of the stream */
	struct client_nodes last; /* what comes next depends on */
	cudaGraphEdgeData *edges; /* of cudaStreamGetCaptureInfo's last answer */
	struct mark *next;
};

struct capture {
	uint64_t id;
	enum cudaStreamCaptureMode mode;
	pthread_t thread;
	cudaGraph_t graph;
	bool borrowed; /* the graph is the program's (cudaStreamBeginCaptureToGraph) */
	bool invalid;
	struct mark *streams, *events; /* the origin comes first */
	struct capture *next;
};

_Atomic unsigned client_captures;

static struct capture *captures;
static uint64_t ids;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- With the lock held -------------------------------------------------- */

static struct mark *mark_find(struct mark *m, uint32_t number)
{
	while (m && (m->number != number || m->destroyed))
		m = m->next;
	return m;
}

/* Behind the others. */
static struct mark *mark_add(struct mark **list, uint32_t number)
{
	struct mark *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->number = number;
	while (*list)
		list = &(*list)->next;
	*list = m;
	return m;
}

static void marks_free(struct mark *m)
{
	while (m) {
		struct mark *next = m->next;

		client_nodes_free(&m->last);
		free(m->edges);
		free(m);
		m = next;
	}
}

static struct capture *capture_of(uint32_t stream, struct mark **m)
{
	for (struct capture *c = captures; c; c = c->next)
		if ((*m = mark_find(c->streams, stream)))
			return c;
	return NULL;
}

static struct capture *capture_by_id(uint64_t id)
{
	struct capture *c = captures;

	while (c && c->id != id)
		c = c->next;
	return c;
}

static cudaError_t invalidate(struct capture *c, cudaError_t error)
{
	if (c->invalid)
		return cudaErrorStreamCaptureInvalidated;
	c->invalid = true;
	return error;
}

/* Off the list and gone; its graph is the caller's. */
static void capture_drop(struct capture *c)
{
	struct capture **link = &captures;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	client_captures--;
	marks_free(c->streams);
	marks_free(c->events);
	free(c);
}

static void capture_abandon(struct capture *c)
{
	if (!c->borrowed)
		client_graph_free(c->graph);
	capture_drop(c);
}

static cudaError_t work_add(struct capture *c, struct mark *m, const struct client_work *work)
{
	cudaGraphNode_t node;
	cudaError_t error;

	if (c->invalid)
		return cudaErrorStreamCaptureInvalidated;
	error = client_node_new(&node, c->graph, m->last.at, m->last.count, work);
	if (error)
		return error;
	m->last.count = 0;
	return client_nodes_add(&m->last, &node, 1, false);
}

/* ---- What goes into a capture -------------------------------------------- */

/* The stream's capture with the lock held, or NULL without it. */
static struct capture *enter(cudaStream_t stream, uint32_t *number, bool *blocking, struct mark **m)
{
	struct capture *c;

	if (!client_capturing() || client_stream_identify(stream, number, blocking))
		return NULL;
	pthread_mutex_lock(&lock);
	c = capture_of(*number, m);
	if (!c)
		pthread_mutex_unlock(&lock);
	return c;
}

bool client_capture(cudaStream_t stream, const struct client_work *work, cudaError_t *error)
{
	uint32_t number;
	struct mark *m;
	struct capture *c = enter(stream, &number, NULL, &m);

	if (!c)
		return false;
	*error = work_add(c, m, work);
	pthread_mutex_unlock(&lock);
	return true;
}

bool client_capture_record(cudaStream_t stream, cudaEvent_t event, unsigned flags, cudaError_t *error)
{
	struct client_work work = {.type = cudaGraphNodeTypeEventRecord, .event = event};
	struct client_object *object = (struct client_object *)event;
	uint32_t number;
	struct mark *m, *e;
	struct capture *c = enter(stream, &number, NULL, &m);

	if (!c)
		return false;
	if (c->invalid) {
		*error = cudaErrorStreamCaptureInvalidated;
	} else if (flags & cudaEventRecordExternal) {
		*error = work_add(c, m, &work);
	} else {
		e = mark_find(c->events, object->number);
		if (!e)
			e = mark_add(&c->events, object->number);
		if (e) {
			e->last.count = 0;
			*error = client_nodes_add(&e->last, m->last.at, m->last.count, false);
			object->capture = c->id;
		} else {
			*error = cudaErrorMemoryAllocation;
		}
	}
	pthread_mutex_unlock(&lock);
	return true;
}

/* The event was recorded in capture c: the stream goes on behind it. */
static cudaError_t join(struct capture *c, uint32_t event, uint32_t stream, bool blocking, struct mark *m)
{
	struct mark *e = mark_find(c->events, event);

	if (c->invalid)
		return cudaErrorStreamCaptureInvalidated;
	if (!stream)
		return invalidate(c, cudaErrorStreamCaptureImplicit);
	if (!m) {
		m = mark_add(&c->streams, stream);
		if (!m)
			return cudaErrorMemoryAllocation;
		m->blocking = blocking;
	}
	return client_nodes_add(&m->last, e->last.at, e->last.count, true);
}

bool client_capture_wait(cudaStream_t stream, cudaEvent_t event, unsigned flags, cudaError_t *error)
{
	struct client_work work = {.type = cudaGraphNodeTypeWaitEvent, .event = event};
	const struct client_object *object = (const struct client_object *)event;
	struct capture *of_stream, *of_event;
	struct mark *m = NULL;
	uint32_t number;
	bool blocking, done = true;

	if ((!client_capturing() && !object->capture) || client_stream_identify(stream, &number, &blocking))
		return false;
	pthread_mutex_lock(&lock);
	of_stream = capture_of(number, &m);
	of_event = object->capture ? capture_by_id(object->capture) : NULL;
	if (of_stream && flags & cudaEventWaitExternal) {
		*error = work_add(of_stream, m, &work);
	} else if (of_event && of_stream && of_event != of_stream) {
		invalidate(of_event, cudaSuccess);
		*error = invalidate(of_stream, cudaErrorStreamCaptureMerge);
	} else if (of_event) {
		*error = join(of_event, object->number, number, blocking, m);
	} else if (of_stream) {
		/* Recorded outside, or in a capture that has ended. */
		*error = invalidate(of_stream, cudaErrorStreamCaptureIsolation);
	} else if (object->capture) {
		*error = cudaErrorCapturedEvent;
	} else {
		done = false;
	}
	pthread_mutex_unlock(&lock);
	return done;
}

/* ---- What does not -------------------------------------------------------- */

cudaError_t client_capture_refuse(uint32_t stream)
{
	cudaError_t error = cudaSuccess;
	struct capture *c;
	struct mark *m;

	if (!client_capturing())
		return cudaSuccess;
	pthread_mutex_lock(&lock);
	c = capture_of(stream, &m);
	if (c)
		error = invalidate(c, cudaErrorStreamCaptureUnsupported);
	/* The default stream waits for all streams that synchronise with it. */
	for (c = captures; c && !stream; c = c->next) {
		for (m = c->streams; m && !m->blocking; m = m->next)
			;
		if (m) {
			invalidate(c, cudaSuccess);
			error = cudaErrorStreamCaptureImplicit;
		}
	}
	pthread_mutex_unlock(&lock);
	return error;
}

cudaError_t client_capture_refuse_all(void)
{
	cudaError_t error = cudaSuccess;

	if (!client_capturing())
		return cudaSuccess;
	pthread_mutex_lock(&lock);
	for (struct capture *c = captures; c; c = c->next) {
		invalidate(c, cudaSuccess);
		error = cudaErrorStreamCaptureUnsupported;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

cudaError_t client_capture_refuse_event(uint64_t capture)
{
	struct capture *c;

	pthread_mutex_lock(&lock);
	c = capture_by_id(capture);
	if (c)
		invalidate(c, cudaSuccess);
	pthread_mutex_unlock(&lock);
	return cudaErrorCapturedEvent;
}

/* A stream that was joined may go before the capture ends; without its origin no capture can end. */
void client_capture_forget(uint32_t stream)
{
	struct capture *c;
	struct mark *m;

	if (!client_capturing())
		return;
	pthread_mutex_lock(&lock);
	c = capture_of(stream, &m);
	if (c && m == c->streams)
		capture_abandon(c);
	else if (c)
		m->destroyed = true;
	pthread_mutex_unlock(&lock);
}

void client_capture_reset(void)
{
	pthread_mutex_lock(&lock);
	while (captures)
		capture_abandon(captures);
	pthread_mutex_unlock(&lock);
}

/* ---- Begin and end -------------------------------------------------------- */

/* graph NULL: a new one. */
static cudaError_t begin(cudaStream_t stream, cudaGraph_t graph, const cudaGraphNode_t *from, size_t count,
                         enum cudaStreamCaptureMode mode)
{
	struct capture *c = NULL;
	struct mark *m;
	cudaError_t error = client_enter();
	uint32_t number;
	bool blocking;

	if (!error && (unsigned)mode > cudaStreamCaptureModeRelaxed)
		error = cudaErrorInvalidValue;
	if (!error)
		error = client_stream_identify(stream, &number, &blocking);
	if (!error && !number)
		error = cudaErrorStreamCaptureUnsupported;
	for (size_t i = 0; i < count && !error; i++)
		if (!from || !client_node_get(from[i]) || from[i]->graph != graph)
			error = cudaErrorInvalidValue;
	if (error)
		return error;
	pthread_mutex_lock(&lock);
	if (capture_of(number, &m)) {
		error = cudaErrorIllegalState;
		goto done;
	}
	c = calloc(1, sizeof *c);
	m = c ? mark_add(&c->streams, number) : NULL;
	error = m ? client_nodes_add(&m->last, from, count, true) : cudaErrorMemoryAllocation;
	if (!error && !graph)
		error = client_graph_new(&c->graph);
	if (error) {
		if (c)
			marks_free(c->streams);
		free(c);
		goto done;
	}
	if (graph)
		c->graph = graph;
	c->borrowed = graph;
	m->blocking = blocking;
	c->id = ++ids;
	c->mode = mode;
	c->thread = pthread_self();
	c->next = captures;
	captures = c;
	client_captures++;
done:
	pthread_mutex_unlock(&lock);
	return error;
}

/* All that was captured must come before what would come next in the origin. */
static cudaError_t joined_check(struct capture *c)
{
	cudaError_t error = client_graph_mark(c->graph, &c->streams->last);

	for (const struct mark *m = c->streams->next; m && !error; m = m->next)
		for (size_t i = 0; i < m->last.count; i++)
			if (m->last.at[i]->mark != NODE_DONE)
				error = cudaErrorStreamCaptureUnjoined;
	return error;
}

static cudaError_t end(cudaStream_t stream, cudaGraph_t *graph)
{
	cudaError_t error = client_enter();
	struct capture *c;
	uint32_t number;
	struct mark *m;

	if (!error)
		error = client_stream_identify(stream, &number, NULL);
	if (error)
		return error;
	pthread_mutex_lock(&lock);
	c = capture_of(number, &m);
	if (!c)
		error = cudaErrorIllegalState;
	else if (m != c->streams)
		error = invalidate(c, cudaErrorStreamCaptureUnmatched);
	else if (c->mode != cudaStreamCaptureModeRelaxed && !pthread_equal(c->thread, pthread_self()))
		error = cudaErrorStreamCaptureWrongThread;
	if (!error) {
		error = c->invalid ? cudaErrorStreamCaptureInvalidated : joined_check(c);
		if (error) {
			capture_abandon(c);
		} else {
			*graph = c->graph;
			capture_drop(c);
		}
	}
	pthread_mutex_unlock(&lock);
	return error;
}

/* ---- Facts ---------------------------------------------------------------- */

cudaError_t client_capture_info(cudaStream_t stream, const struct client_capture_info *info)
{
	cudaError_t error = info->status ? client_enter() : cudaErrorInvalidValue;
	struct capture *c;
	uint32_t number;
	struct mark *m;

	if (!error)
		error = client_stream_identify(stream, &number, NULL);
	if (error)
		return error;
	*info->status = cudaStreamCaptureStatusNone;
	if (!client_capturing())
		return cudaSuccess;
	pthread_mutex_lock(&lock);
	c = capture_of(number, &m);
	/* What the default stream's state would be cannot be said. */
	for (struct capture *other = captures; other && !number; other = other->next)
		for (const struct mark *s = other->streams; s; s = s->next)
			if (s->blocking)
				error = cudaErrorStreamCaptureImplicit;
	if (c) {
		*info->status = c->invalid ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
		if (info->id)
			*info->id = c->id;
		if (info->graph)
			*info->graph = c->graph;
		if (info->dependencies)
			*info->dependencies = m->last.at;
		if (info->count)
			*info->count = m->last.count;
		if (info->edges) {
			free(m->edges);
			*info->edges = m->edges = calloc(m->last.count + 1, sizeof *m->edges);
			if (!m->edges)
				error = cudaErrorMemoryAllocation;
		}
	}
	pthread_mutex_unlock(&lock);
	return error;
}

cudaError_t client_capture_update(cudaStream_t stream, cudaGraphNode_t *nodes, const cudaGraphEdgeData *edges,
                                  size_t count, unsigned flags)
{
	cudaError_t error = client_enter();
	struct capture *c;
	uint32_t number;
	struct mark *m;

	if (!error)
		error = client_edges_check(edges, count);
	if (!error && (flags > cudaStreamSetCaptureDependencies || (count && !nodes)))
		error = cudaErrorInvalidValue;
	if (error)
		return error;
	c = enter(stream, &number, NULL, &m);
	if (!c)
		return cudaErrorIllegalState;
	if (c->invalid)
		error = cudaErrorStreamCaptureInvalidated;
	for (size_t i = 0; i < count && !error; i++)
		if (!client_node_get(nodes[i]) || nodes[i]->graph != c->graph)
			error = cudaErrorInvalidValue;
	if (!error && flags == cudaStreamSetCaptureDependencies)
		m->last.count = 0;
	if (!error)
		error = client_nodes_add(&m->last, nodes, count, true);
	pthread_mutex_unlock(&lock);
	return error;
}

/* ---- CUDA's names --------------------------------------------------------- */

CLIENT_EXPORT cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
	return client_result(begin(stream, NULL, NULL, 0, mode));
}

CLIENT_EXPORT cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t stream, cudaGraph_t graph,
                                                        const cudaGraphNode_t *from, const cudaGraphEdgeData *edges,
                                                        size_t count, enum cudaStreamCaptureMode mode)
{
	cudaError_t error = client_graph_get(graph) ? client_edges_check(edges, count) : cudaErrorInvalidValue;

	return client_result(error ? error : begin(stream, graph, from, count, mode));
}

CLIENT_EXPORT cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
	if (!graph)
		return client_result(cudaErrorInvalidValue);
	*graph = NULL;
	return client_result(end(stream, graph));
}

CLIENT_EXPORT cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status)
{
	return client_result(client_capture_info(stream, &(struct client_capture_info){.status = status}));
}

/* Calls that CUDA finds unsafe in a capture are safe here, so the mode changes nothing. */
CLIENT_EXPORT cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode)
{
	static __thread enum cudaStreamCaptureMode own;
	enum cudaStreamCaptureMode before = own;

	if (!mode || (unsigned)*mode > cudaStreamCaptureModeRelaxed)
		return client_result(cudaErrorInvalidValue);
	own = *mode;
	*mode = before;
	return cudaSuccess;
}
