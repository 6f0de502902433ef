/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>

#include "runtime/client/client.h"
#include "runtime/client/graph.h"

#define EVENT_FLAGS (cudaEventBlockingSync | cudaEventDisableTiming)

static cudaError_t event_enter(cudaEvent_t event, struct client_object **object)
{
	cudaError_t error = client_enter();

	if (error)
		return error;
	*object = client_object_get(event, CLIENT_EVENT);
	return *object ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

CLIENT_EXPORT cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
	struct hetckpt_msg_event body = {0};
	struct client_object *object;
	cudaError_t error = client_enter();

	if (error)
		return client_result(error);
	if (flags & cudaEventInterprocess) {
		client_say_once("events cannot be shared with other processes");
		return client_result(cudaErrorNotSupported);
	}
	if (!event || flags & ~(unsigned)EVENT_FLAGS)
		return client_result(cudaErrorInvalidValue);
	object = client_object_new(CLIENT_EVENT);
	if (!object)
		return client_result(cudaErrorMemoryAllocation);
	object->flags = flags;
	body.event = object->number;
	body.flags = flags & cudaEventDisableTiming ? HETCKPT_EVENT_NO_TIMING : 0;
	error = client_send(HETCKPT_MSG_EVENT_CREATE, 0, &body, sizeof body);
	if (error)
		client_object_free(object);
	else
		*event = (cudaEvent_t)object;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaEventCreate(cudaEvent_t *event)
{
	return cudaEventCreateWithFlags(event, cudaEventDefault);
}

CLIENT_EXPORT cudaError_t cudaEventDestroy(cudaEvent_t event)
{
	struct hetckpt_msg_event body = {0};
	struct client_object *object;
	cudaError_t error = event_enter(event, &object);

	if (error)
		return client_result(error);
	body.event = object->number;
	client_object_free(object);
	return client_result(client_send(HETCKPT_MSG_EVENT_DESTROY, 0, &body, sizeof body));
}

CLIENT_EXPORT cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned int flags)
{
	struct hetckpt_msg_event body = {0};
	struct client_object *object;
	cudaError_t error = event_enter(event, &object);

	if (!error && flags & ~(unsigned)cudaEventRecordExternal)
		error = cudaErrorInvalidValue;
	if (error || client_capture_record(stream, event, flags, &error))
		return client_result(error);
	error = client_stream_number(stream, &body.stream);
	if (error)
		return client_result(error);
	object->capture = 0;
	body.event = object->number;
	return client_result(client_send(HETCKPT_MSG_EVENT_RECORD, body.stream, &body, sizeof body));
}

CLIENT_EXPORT cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
	return cudaEventRecordWithFlags(event, stream, cudaEventRecordDefault);
}

static cudaError_t event_ask(uint32_t type, cudaEvent_t event)
{
	struct hetckpt_msg_event body = {0};
	struct client_object *object;
	cudaError_t error = event_enter(event, &object);

	if (!error && object->capture)
		error = client_capture_refuse_event(object->capture);
	if (error)
		return error;
	body.event = object->number;
	error = client_call(type, 0, &body, sizeof body, NULL, 0, NULL, 0);
	return error ? error : client_async_error();
}

CLIENT_EXPORT cudaError_t cudaEventQuery(cudaEvent_t event)
{
	return client_result(event_ask(HETCKPT_MSG_EVENT_QUERY, event));
}

CLIENT_EXPORT cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
	return client_result(event_ask(HETCKPT_MSG_EVENT_SYNC, event));
}

CLIENT_EXPORT cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
	struct hetckpt_msg_event body = {0};
	struct client_object *first, *second;
	cudaError_t error = event_enter(start, &first);
	uint32_t bits = 0;

	if (!error)
		error = event_enter(end, &second);
	if (!error && !milliseconds)
		error = cudaErrorInvalidValue;
	if (!error && (first->capture || second->capture))
		error = cudaErrorCapturedEvent;
	if (!error && (first->flags | second->flags) & cudaEventDisableTiming)
		error = cudaErrorInvalidResourceHandle;
	if (error)
		return client_result(error);
	body.event = first->number;
	body.event2 = second->number;
	error = client_call(HETCKPT_MSG_EVENT_ELAPSED, 0, &body, sizeof body, NULL, 0, &bits, sizeof bits);
	if (!error)
		memcpy(milliseconds, &bits, sizeof bits);
	return client_result(error);
}
