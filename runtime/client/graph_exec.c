/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Instantiated graphs: a clone of the graph, put in order. A launch sends its nodes one after
 * another, which is one of the orders that the graph allows: branches run one after another. All
 * of them are ordinary commands, so a session can pause and move between and inside of them.
 */
#include <stdlib.h>

#include "runtime/client/graph.h"

#define EXEC_MAGIC 0x43455845u
#define INSTANTIATE_FLAGS                                                                          \
	(cudaGraphInstantiateFlagAutoFreeOnLaunch | cudaGraphInstantiateFlagUpload |               \
	 cudaGraphInstantiateFlagUseNodePriority)

struct CUgraphExec_st {
	uint32_t magic, epoch;
	unsigned long long flags;
	cudaGraph_t graph;
	uint32_t event, stream; /* recorded behind the last launch, which was in this stream */
	bool launched;
};

/* The handle, if it is one that can still be used. */
static bool is_exec(cudaGraphExec_t exec)
{
	return exec && exec->magic == EXEC_MAGIC;
}

cudaGraphNode_t client_exec_node(cudaGraphExec_t exec, cudaGraphNode_t node)
{
	return is_exec(exec) && node ? client_graph_find(exec->graph, node) : NULL;
}

static cudaError_t instantiate(cudaGraphExec_t *result, cudaGraph_t graph, unsigned long long flags)
{
	struct hetckpt_msg_event body = {.flags = HETCKPT_EVENT_NO_TIMING};
	cudaError_t error = client_enter();
	cudaGraphExec_t exec;

	if (error)
		return error;
	if (!result || !client_graph_get(graph))
		return cudaErrorInvalidValue;
	if (flags & cudaGraphInstantiateFlagDeviceLaunch) {
		client_say_once("graphs that are launched by kernels are not supported");
		return cudaErrorNotSupported;
	}
	if (flags & ~(unsigned long long)INSTANTIATE_FLAGS)
		return cudaErrorInvalidValue;
	exec = calloc(1, sizeof *exec);
	if (!exec)
		return cudaErrorMemoryAllocation;
	exec->magic = EXEC_MAGIC;
	exec->flags = flags;
	exec->epoch = client_epoch();
	exec->event = body.event = client_number_next();
	error = client_graph_clone(&exec->graph, graph);
	if (!error)
		error = client_graph_sort(exec->graph);
	if (!error)
		error = client_send(HETCKPT_MSG_EVENT_CREATE, 0, &body, sizeof body);
	if (error) {
		client_graph_free(exec->graph);
		free(exec);
	} else {
		*result = exec;
	}
	return error;
}

CLIENT_EXPORT cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
	return client_result(instantiate(exec, graph, flags));
}

CLIENT_EXPORT cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t graph,
                                                        unsigned long long flags)
{
	return client_result(instantiate(exec, graph, flags));
}

CLIENT_EXPORT cudaError_t cudaGraphInstantiateWithParams(cudaGraphExec_t *exec, cudaGraph_t graph,
                                                         cudaGraphInstantiateParams *params)
{
	cudaError_t error;

	if (!params)
		return client_result(cudaErrorInvalidValue);
	error = instantiate(exec, graph, params->flags);
	params->errNode_out = NULL;
	params->result_out = error ? cudaGraphInstantiateError : cudaGraphInstantiateSuccess;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaGraphExecGetFlags(cudaGraphExec_t exec, unsigned long long *flags)
{
	if (!is_exec(exec) || !flags)
		return client_result(cudaErrorInvalidValue);
	*flags = exec->flags;
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
	struct hetckpt_msg_event body = {0};
	cudaError_t error = client_enter();

	if (!error && !is_exec(exec))
		error = cudaErrorInvalidValue;
	if (error)
		return client_result(error);
	/* Launches under way go on: their commands have been sent. */
	if (exec->epoch == client_epoch()) {
		body.event = exec->event;
		error = client_send(HETCKPT_MSG_EVENT_DESTROY, 0, &body, sizeof body);
	}
	exec->magic = 0;
	client_graph_free(exec->graph);
	free(exec);
	return client_result(error);
}

/* ---- Launching ------------------------------------------------------------- */

static cudaError_t launch(cudaGraphExec_t exec, cudaStream_t stream)
{
	struct client_work work = {.type = cudaGraphNodeTypeGraph};
	struct hetckpt_msg_stream wait = {0};
	struct hetckpt_msg_event record = {0};
	cudaError_t error = client_enter(), later;

	if (!error && (!is_exec(exec) || exec->epoch != client_epoch()))
		error = cudaErrorInvalidValue;
	if (error)
		return error;
	/* Captured: a child graph. */
	work.graph = exec->graph;
	if (client_capture(stream, &work, &error))
		return error;
	error = client_stream_number(stream, &wait.stream);
	if (error)
		return error;
	/* A graph's launches wait for each other, whatever streams they are in. */
	wait.event = record.event = exec->event;
	record.stream = wait.stream;
	if (exec->launched && exec->stream != wait.stream)
		error = client_send(HETCKPT_MSG_STREAM_WAIT, wait.stream, &wait, sizeof wait);
	if (!error)
		error = client_work_send(&work, wait.stream);
	later = client_send(HETCKPT_MSG_EVENT_RECORD, wait.stream, &record, sizeof record);
	exec->stream = wait.stream;
	exec->launched = true;
	return error ? error : later;
}

CLIENT_EXPORT cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
	return client_result(launch(exec, stream));
}

/* There is nothing to upload. */
CLIENT_EXPORT cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream)
{
	cudaError_t error = client_enter();
	uint32_t number;

	if (!error)
		error = is_exec(exec) ? client_stream_number(stream, &number) : cudaErrorInvalidValue;
	return client_result(error);
}

/* ---- Changing -------------------------------------------------------------- */

/* Is now like before, but for what its nodes do? *at: the first node that is not. */
static enum cudaGraphExecUpdateResult compare(cudaGraph_t before, cudaGraph_t now, cudaGraphNode_t *at)
{
	enum cudaGraphExecUpdateResult result = cudaGraphExecUpdateSuccess;

	*at = NULL;
	if (before->node.count != now->node.count)
		return cudaGraphExecUpdateErrorTopologyChanged;
	for (size_t i = 0; i < now->node.count && !result; i++) {
		const struct CUgraphNode_st *a = before->node.at[i];
		cudaGraphNode_t b = now->node.at[i];

		if (a->work.type != b->work.type)
			result = cudaGraphExecUpdateErrorNodeTypeChanged;
		else if (a->from.count != b->from.count)
			result = cudaGraphExecUpdateErrorTopologyChanged;
		for (size_t k = 0; k < a->from.count && !result; k++)
			if (a->from.at[k]->index != b->from.at[k]->index)
				result = cudaGraphExecUpdateErrorTopologyChanged;
		if (result)
			*at = b;
		else if (b->work.type == cudaGraphNodeTypeGraph)
			result = compare(a->work.graph, b->work.graph, at);
	}
	return result;
}

/* What has been changed goes on under the handles of the nodes that the graph was made from. */
static void keep_handles(cudaGraph_t before, cudaGraph_t now)
{
	for (size_t i = 0; i < now->node.count; i++) {
		now->node.at[i]->original = before->node.at[i]->original;
		now->node.at[i]->disabled = before->node.at[i]->disabled;
		if (now->node.at[i]->work.type == cudaGraphNodeTypeGraph)
			keep_handles(before->node.at[i]->work.graph, now->node.at[i]->work.graph);
	}
}

CLIENT_EXPORT cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                              cudaGraphExecUpdateResultInfo *info)
{
	cudaGraphExecUpdateResultInfo found = {0};
	cudaError_t error = cudaSuccess;
	cudaGraph_t clone = NULL;

	if (!is_exec(exec) || !client_graph_get(graph) || !info)
		return client_result(cudaErrorInvalidValue);
	found.result = compare(exec->graph, graph, &found.errorNode);
	if (found.result)
		error = cudaErrorGraphExecUpdateFailure;
	if (!error)
		error = client_graph_clone(&clone, graph);
	if (!error)
		error = client_graph_sort(clone);
	if (error) {
		client_graph_free(clone);
		if (!found.result)
			found.result = cudaGraphExecUpdateError;
	} else {
		keep_handles(exec->graph, clone);
		client_graph_free(exec->graph);
		exec->graph = clone;
	}
	*info = found;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaGraphExecChildGraphNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t original,
                                                               cudaGraph_t graph)
{
	cudaGraphNode_t node = client_exec_node(exec, original), at;
	cudaGraph_t clone;
	cudaError_t error;

	if (!node || node->work.type != cudaGraphNodeTypeGraph || !client_graph_get(graph) ||
	    compare(node->work.graph, graph, &at))
		return client_result(cudaErrorInvalidValue);
	error = client_graph_clone(&clone, graph);
	if (error)
		return client_result(error);
	error = client_graph_sort(clone);
	if (error) {
		client_graph_free(clone);
		return client_result(error);
	}
	keep_handles(node->work.graph, clone);
	clone->embedded = true;
	client_graph_free(node->work.graph);
	node->work.graph = clone;
	return cudaSuccess;
}

/* Only these can be left out. */
static bool can_disable(const struct CUgraphNode_st *node)
{
	return node && (node->work.type == cudaGraphNodeTypeKernel || node->work.type == cudaGraphNodeTypeMemcpy ||
	                node->work.type == cudaGraphNodeTypeMemset);
}

CLIENT_EXPORT cudaError_t cudaGraphNodeSetEnabled(cudaGraphExec_t exec, cudaGraphNode_t original, unsigned int enabled)
{
	cudaGraphNode_t node = client_exec_node(exec, original);

	if (!can_disable(node))
		return client_result(cudaErrorInvalidValue);
	node->disabled = !enabled;
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaGraphNodeGetEnabled(cudaGraphExec_t exec, cudaGraphNode_t original, unsigned int *enabled)
{
	cudaGraphNode_t node = client_exec_node(exec, original);

	if (!enabled || !can_disable(node))
		return client_result(cudaErrorInvalidValue);
	*enabled = !node->disabled;
	return cudaSuccess;
}
