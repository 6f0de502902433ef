/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What nodes do: checked and copied when they are made, sent when their graph is launched. */
#include <stdlib.h>
#include <string.h>

#include "runtime/client/graph.h"

cudaError_t client_work_check(const struct client_work *work)
{
	cudaError_t error = client_enter();

	if (error)
		return error;
	switch (work->type) {
	case cudaGraphNodeTypeKernel:
		return client_launch_check(&work->launch);
	case cudaGraphNodeTypeMemcpy:
		return client_copy_check(&work->copy);
	case cudaGraphNodeTypeMemset:
		return client_fill_check(&work->fill);
	case cudaGraphNodeTypeHost:
		return work->host.function ? cudaSuccess : cudaErrorInvalidValue;
	case cudaGraphNodeTypeGraph:
		return client_graph_get(work->graph) ? cudaSuccess : cudaErrorInvalidValue;
	case cudaGraphNodeTypeWaitEvent:
	case cudaGraphNodeTypeEventRecord:
		return client_object_get(work->event, CLIENT_EVENT) ? cudaSuccess : cudaErrorInvalidResourceHandle;
	default:
		return cudaSuccess;
	}
}

/* One block: the places that CUDA's kernelParams is, and behind it the values. */
static cudaError_t arguments_copy(struct client_launch *launch)
{
	struct client_function *f;
	cudaError_t error = client_function_get(launch->function, &f);
	void **own;
	char *value;

	if (error)
		return error;
	own = malloc(f->params * sizeof *own + f->param_bytes + 1);
	if (!own)
		return cudaErrorMemoryAllocation;
	value = (char *)(own + f->params);
	for (uint32_t i = 0; i < f->params; i++) {
		own[i] = value + f->param[i].offset;
		memcpy(own[i], launch->arguments[i], f->param[i].bytes);
	}
	launch->arguments = own;
	return cudaSuccess;
}

cudaError_t client_work_copy(struct client_work *to, const struct client_work *from)
{
	struct client_work copy = *from;
	cudaError_t error = cudaSuccess;

	if (copy.type == cudaGraphNodeTypeKernel)
		error = arguments_copy(&copy.launch);
	if (copy.type == cudaGraphNodeTypeGraph) {
		error = client_graph_clone(&copy.graph, from->graph);
		if (!error)
			copy.graph->embedded = true;
	}
	if (!error)
		*to = copy;
	return error;
}

void client_work_free(struct client_work *work)
{
	if (work->type == cudaGraphNodeTypeKernel)
		free(work->launch.arguments);
	if (work->type == cudaGraphNodeTypeGraph)
		client_graph_free(work->graph);
}

static cudaError_t event_send(const struct client_work *work, uint32_t stream)
{
	const struct client_object *event = client_object_get(work->event, CLIENT_EVENT);
	struct hetckpt_msg_stream wait = {.stream = stream};
	struct hetckpt_msg_event record = {.stream = stream};

	if (!event)
		return cudaErrorInvalidResourceHandle;
	wait.event = record.event = event->number;
	return work->type == cudaGraphNodeTypeWaitEvent ?
	       client_send(HETCKPT_MSG_STREAM_WAIT, stream, &wait, sizeof wait) :
	       client_send(HETCKPT_MSG_EVENT_RECORD, stream, &record, sizeof record);
}

static cudaError_t graph_send(cudaGraph_t graph, uint32_t stream)
{
	cudaError_t error = cudaSuccess;

	for (size_t i = 0; i < graph->order.count && !error; i++)
		if (!graph->order.at[i]->disabled)
			error = client_work_send(&graph->order.at[i]->work, stream);
	return error;
}

cudaError_t client_work_send(const struct client_work *work, uint32_t stream)
{
	switch (work->type) {
	case cudaGraphNodeTypeKernel:
		return client_launch_send(&work->launch, stream);
	case cudaGraphNodeTypeMemcpy:
		return client_copy_send(&work->copy, stream, CLIENT_IN_STREAM);
	case cudaGraphNodeTypeMemset:
		return client_fill_send(&work->fill, stream, true);
	case cudaGraphNodeTypeHost:
		return client_host_call(stream, work->host.function, work->host.data);
	case cudaGraphNodeTypeGraph:
		return graph_send(work->graph, stream);
	case cudaGraphNodeTypeWaitEvent:
	case cudaGraphNodeTypeEventRecord:
		return event_send(work, stream);
	default:
		return cudaSuccess;
	}
}
