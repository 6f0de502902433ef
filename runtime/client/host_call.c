/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Functions of the program that run in stream order.
 *
 * HOST_CALL asks the worker to say when the stream has come to it; the stream then waits
 * until HOST_DONE. One thread of the client watches all replies that are due, runs the
 * functions, and answers. At most one function of a stream is due at a time, so the order
 * within a stream is kept by the worker.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "runtime/channel/session.h"
#include "runtime/client/client.h"
#include "runtime/client/graph.h"

#define PATIENCE_MS 100
#define PENDING_MAX 512 /* of the reply slots; the rest stay for calls that wait */

struct pending {
	uint32_t slot, stream;
	uint64_t token;
	void (*function)(void *data);
	void *data;
	cudaStream_t handle;
	cudaStreamCallback_t callback;
	struct pending *next;
};

__thread bool client_in_callback;

static struct pending *first, **last = &first;
static unsigned count;
static bool running;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t shorter = PTHREAD_COND_INITIALIZER;

/* Takes a pending call whose reply is there (or any, if the session is lost) off the list. */
static struct pending *due_take(bool any)
{
	struct pending **link, *p = NULL;

	pthread_mutex_lock(&lock);
	for (link = &first; *link; link = &(*link)->next) {
		if (any || hetckpt_reply_ready(client_session(), (*link)->slot)) {
			p = *link;
			*link = p->next;
			if (!*link)
				last = link;
			count--;
			pthread_cond_signal(&shorter);
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	return p;
}

static void due_run(struct pending *p, cudaError_t status)
{
	struct hetckpt_msg_host body = {p->token};

	client_in_callback = true;
	if (p->callback)
		p->callback(p->handle, status, p->data);
	else if (!status)
		p->function(p->data);
	client_in_callback = false;
	client_slot_free(p->slot);
	if (!status)
		client_send(HETCKPT_MSG_HOST_DONE, p->stream, &body, sizeof body);
	free(p);
}

static void *watch(void *unused)
{
	for (;;) {
		uint32_t ticket = hetckpt_notify_ticket(client_session());
		struct pending *p;
		cudaError_t error;

		while ((p = due_take(false)))
			due_run(p, cudaSuccess);
		if (client_lost(&error)) {
			/* Callbacks are called with the error, host functions are not. */
			while ((p = due_take(true)))
				due_run(p, error);
		}
		hetckpt_notify_wait(client_session(), ticket, PATIENCE_MS);
	}
	return NULL;
}

/* Starts the thread at the first use. Signals are the program's, not this thread's. */
static cudaError_t watch_start(void)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int result;

	if (running)
		return cudaSuccess;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&thread, &attributes, watch, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	running = !result;
	return result ? cudaErrorOperatingSystem : cudaSuccess;
}

/* Takes p off the list, unless the watching thread has done so. */
static bool pending_remove(struct pending *p)
{
	struct pending **link;
	bool found;

	pthread_mutex_lock(&lock);
	for (link = &first; *link && *link != p; link = &(*link)->next)
		;
	found = *link == p;
	if (found) {
		*link = p->next;
		if (!*link)
			last = link;
		count--;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

static cudaError_t enqueue(struct pending *p)
{
	static _Atomic uint64_t tokens;
	struct hetckpt_msg_host *body;
	cudaError_t error;
	void *place;

	error = client_slot_take(HETCKPT_REPLY_NOTIFY, &p->slot);
	if (error) {
		free(p);
		return error;
	}
	p->token = ++tokens;
	/* Listed first, sent without the lock: the ring may be full until a function that is
	   due has run, which needs the lock. */
	pthread_mutex_lock(&lock);
	error = watch_start();
	while (!error && count >= PENDING_MAX)
		pthread_cond_wait(&shorter, &lock);
	if (!error) {
		*last = p;
		last = &p->next;
		count++;
	}
	pthread_mutex_unlock(&lock);
	if (!error) {
		uint64_t token = p->token;

		error = client_begin(HETCKPT_MSG_HOST_CALL, p->stream, p->slot, sizeof *body, &place);
		if (!error) {
			body = place;
			body->token = token;
			client_commit();
			return cudaSuccess;
		}
		/* Only a lost session fails here, and then the watching thread may have seen
		   to it already. */
		if (!pending_remove(p))
			return error;
	}
	client_slot_free(p->slot);
	free(p);
	return error;
}

cudaError_t client_host_call(uint32_t stream, void (*function)(void *data), void *data)
{
	struct pending *p = calloc(1, sizeof *p);

	if (!p)
		return cudaErrorMemoryAllocation;
	p->stream = stream;
	p->function = function;
	p->data = data;
	return enqueue(p);
}

cudaError_t client_host_callback(uint32_t stream, cudaStream_t handle, cudaStreamCallback_t callback,
                                 void *data)
{
	struct pending *p = calloc(1, sizeof *p);

	if (!p)
		return cudaErrorMemoryAllocation;
	p->stream = stream;
	p->handle = handle;
	p->callback = callback;
	p->data = data;
	return enqueue(p);
}

/* ---- CUDA's names ------------------------------------------------------ */

CLIENT_EXPORT cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *data)
{
	struct client_work work = {.type = cudaGraphNodeTypeHost, .host = {function, data}};
	cudaError_t error = client_enter();
	uint32_t number;

	if (!error && !function)
		error = cudaErrorInvalidValue;
	if (error || client_capture(stream, &work, &error))
		return client_result(error);
	error = client_stream_number(stream, &number);
	return client_result(error ? error : client_host_call(number, function, data));
}

CLIENT_EXPORT cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t callback,
                                                void *data, unsigned int flags)
{
	cudaError_t error = client_enter();
	uint32_t number;

	if (!error && (!callback || flags))
		error = cudaErrorInvalidValue;
	if (!error)
		error = client_stream_number(stream, &number);
	return client_result(error ? error : client_host_callback(number, stream, callback, data));
}
