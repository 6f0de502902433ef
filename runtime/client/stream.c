/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <pthread.h>

#include "runtime/client/client.h"
#include "runtime/client/graph.h"

/* As NVIDIA's devices report; the worker may not tell them apart. */
#define PRIORITY_LOWEST 0
#define PRIORITY_HIGHEST (-5)

/* ---- The stream that stands for a thread ------------------------------- */

static __thread uint32_t thread_number, thread_epoch;
static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;

static cudaError_t stream_send(uint32_t type, uint32_t number, uint32_t flags, int priority)
{
	struct hetckpt_msg_stream body = {.stream = number, .flags = flags, .priority = priority};

	return client_send(type, number, &body, sizeof body);
}

/* The value only says that the thread has a stream: its number is still readable here. */
static void thread_ends(void *unused)
{
	cudaError_t error;

	if (client_attached() && thread_epoch == client_epoch() && !client_lost(&error))
		stream_send(HETCKPT_MSG_STREAM_DESTROY, thread_number, 0, 0);
}

static void thread_key_make(void)
{
	pthread_key_create(&thread_key, thread_ends);
}

/* Made at its first use. It synchronises with the default stream, as CUDA's does. */
static cudaError_t thread_stream(uint32_t *number)
{
	cudaError_t error;

	if (!thread_number || thread_epoch != client_epoch()) {
		uint32_t fresh = client_number_next();

		error = stream_send(HETCKPT_MSG_STREAM_CREATE, fresh, 0, 0);
		if (error)
			return error;
		thread_number = fresh;
		thread_epoch = client_epoch();
		pthread_once(&thread_once, thread_key_make);
		pthread_setspecific(thread_key, &thread_number);
	}
	*number = thread_number;
	return cudaSuccess;
}

cudaError_t client_stream_identify(cudaStream_t stream, uint32_t *number, bool *blocking)
{
	struct client_object *object;

	if (blocking)
		*blocking = true;
	if (!stream || stream == cudaStreamLegacy) {
		*number = 0;
		return cudaSuccess;
	}
	if (stream == cudaStreamPerThread)
		return thread_stream(number);
	object = client_object_get(stream, CLIENT_STREAM);
	if (!object)
		return cudaErrorInvalidResourceHandle;
	*number = object->number;
	if (blocking)
		*blocking = !(object->flags & cudaStreamNonBlocking);
	return cudaSuccess;
}

cudaError_t client_stream_number(cudaStream_t stream, uint32_t *number)
{
	cudaError_t error = client_stream_identify(stream, number, NULL);

	return error ? error : client_capture_refuse(*number);
}

cudaError_t client_stream_sync(uint32_t number)
{
	struct hetckpt_msg_stream body = {.stream = number};
	cudaError_t error;

	error = client_call(HETCKPT_MSG_STREAM_SYNC, number, &body, sizeof body, NULL, 0, NULL, 0);
	return error ? error : client_async_error();
}

/* ---- Making and destroying --------------------------------------------- */

CLIENT_EXPORT cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned int flags, int priority)
{
	struct client_object *object;
	cudaError_t error = client_enter();

	if (error)
		return client_result(error);
	if (!stream || flags & ~(unsigned)cudaStreamNonBlocking)
		return client_result(cudaErrorInvalidValue);
	object = client_object_new(CLIENT_STREAM);
	if (!object)
		return client_result(cudaErrorMemoryAllocation);
	object->flags = flags;
	object->priority = priority > PRIORITY_LOWEST ? PRIORITY_LOWEST :
	                   priority < PRIORITY_HIGHEST ? PRIORITY_HIGHEST : priority;
	error = stream_send(HETCKPT_MSG_STREAM_CREATE, object->number,
	                    flags & cudaStreamNonBlocking ? HETCKPT_STREAM_NON_BLOCKING : 0, object->priority);
	if (error)
		client_object_free(object);
	else
		*stream = (cudaStream_t)object;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
	return cudaStreamCreateWithPriority(stream, cudaStreamDefault, 0);
}

CLIENT_EXPORT cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags)
{
	return cudaStreamCreateWithPriority(stream, flags, 0);
}

CLIENT_EXPORT cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
	struct client_object *object;
	cudaError_t error = client_enter();
	uint32_t number;

	if (error)
		return client_result(error);
	object = client_object_get(stream, CLIENT_STREAM);
	if (!object)
		return client_result(cudaErrorInvalidResourceHandle);
	number = object->number;
	client_object_free(object);
	client_capture_forget(number);
	/* Work in it goes on; the worker forgets it afterwards. */
	return client_result(stream_send(HETCKPT_MSG_STREAM_DESTROY, number, 0, 0));
}

/* ---- Facts ------------------------------------------------------------- */

/* What a handle says of itself; the default streams have neither flags nor priority. */
static cudaError_t stream_facts(cudaStream_t stream, uint32_t *number, uint32_t *flags, int *priority)
{
	struct client_object *object = client_object_get(stream, CLIENT_STREAM);
	cudaError_t error = client_enter();

	if (!error)
		error = client_stream_identify(stream, number, NULL);
	if (error)
		return error;
	*flags = object ? object->flags : 0;
	*priority = object ? object->priority : 0;
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned int *flags)
{
	uint32_t number;
	int priority;

	return client_result(flags ? stream_facts(stream, &number, flags, &priority) : cudaErrorInvalidValue);
}

CLIENT_EXPORT cudaError_t cudaStreamGetPriority(cudaStream_t stream, int *priority)
{
	uint32_t number, flags;

	return client_result(priority ? stream_facts(stream, &number, &flags, priority) : cudaErrorInvalidValue);
}

CLIENT_EXPORT cudaError_t cudaStreamGetId(cudaStream_t stream, unsigned long long *id)
{
	uint32_t number = 0, flags;
	int priority;
	cudaError_t error;

	if (!id)
		return client_result(cudaErrorInvalidValue);
	error = stream_facts(stream, &number, &flags, &priority);
	*id = number;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaStreamGetDevice(cudaStream_t stream, int *device)
{
	uint32_t number, flags;
	int priority;

	if (!device)
		return client_result(cudaErrorInvalidValue);
	*device = 0;
	return client_result(stream_facts(stream, &number, &flags, &priority));
}

CLIENT_EXPORT cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest)
{
	cudaError_t error = client_enter();

	if (least)
		*least = PRIORITY_LOWEST;
	if (greatest)
		*greatest = PRIORITY_HIGHEST;
	return client_result(error);
}

/* ---- Waiting ----------------------------------------------------------- */

CLIENT_EXPORT cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
	cudaError_t error = client_enter();
	uint32_t number;

	if (!error)
		error = client_stream_number(stream, &number);
	return client_result(error ? error : client_stream_sync(number));
}

CLIENT_EXPORT cudaError_t cudaStreamQuery(cudaStream_t stream)
{
	struct hetckpt_msg_stream body = {0};
	cudaError_t error = client_enter();

	if (!error)
		error = client_stream_number(stream, &body.stream);
	if (!error)
		error = client_call(HETCKPT_MSG_STREAM_QUERY, body.stream, &body, sizeof body, NULL, 0, NULL, 0);
	if (!error)
		error = client_async_error();
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags)
{
	struct hetckpt_msg_stream body = {0};
	struct client_object *object;
	cudaError_t error = client_enter();

	if (error)
		return client_result(error);
	object = client_object_get(event, CLIENT_EVENT);
	if (!object)
		return client_result(cudaErrorInvalidResourceHandle);
	if (flags & ~(unsigned)cudaEventWaitExternal)
		return client_result(cudaErrorInvalidValue);
	if (client_capture_wait(stream, event, flags, &error))
		return client_result(error);
	error = client_stream_number(stream, &body.stream);
	if (error)
		return client_result(error);
	body.event = object->number;
	return client_result(client_send(HETCKPT_MSG_STREAM_WAIT, body.stream, &body, sizeof body));
}

CLIENT_EXPORT cudaError_t cudaDeviceSynchronize(void)
{
	cudaError_t error = client_enter();

	if (!error)
		error = client_capture_refuse_all();
	if (!error)
		error = client_call(HETCKPT_MSG_DEVICE_SYNC, 0, NULL, 0, NULL, 0, NULL, 0);
	if (!error)
		error = client_async_error();
	return client_result(error);
}

/* There is nothing to attach: managed memory is visible to all streams. */
CLIENT_EXPORT cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, void *address, size_t bytes,
                                                   unsigned int flags);
CLIENT_EXPORT cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, void *address, size_t bytes,
                                                   unsigned int flags)
{
	struct client_range range;
	cudaError_t error = client_enter();
	uint32_t number;

	if (!error)
		error = client_stream_number(stream, &number);
	if (!error && (!client_range_find((uint64_t)address, &range) || range.kind != CLIENT_RANGE_MANAGED))
		error = cudaErrorInvalidValue;
	return client_result(error);
}
