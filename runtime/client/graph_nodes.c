/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Nodes: CUDA's parameters become work, which is added to a graph, or takes the place of a
 * node's in a graph or in an instantiated one.
 */
#include "runtime/client/graph.h"

/* ---- CUDA's parameters ---------------------------------------------------- */

static cudaError_t work_kernel(struct client_work *work, const struct cudaKernelNodeParams *p)
{
	if (!p)
		return cudaErrorInvalidValue;
	if (p->extra) {
		client_say_once("graphs: kernel arguments in one buffer (extra) are not supported");
		return cudaErrorNotSupported;
	}
	*work = (struct client_work){.type = cudaGraphNodeTypeKernel, .launch = {
		p->func, p->gridDim, p->blockDim, p->kernelParams, p->sharedMemBytes, 0}};
	return cudaSuccess;
}

static cudaError_t work_box(struct client_work *work, const struct cudaMemcpy3DParms *p)
{
	work->type = cudaGraphNodeTypeMemcpy;
	return client_copy_from_box(&work->copy, p);
}

static cudaError_t work_flat(struct client_work *work, void *dst, const void *src, size_t bytes,
                             enum cudaMemcpyKind kind)
{
	*work = (struct client_work){.type = cudaGraphNodeTypeMemcpy, .copy = client_copy_of_flat(dst, src, bytes, kind)};
	return cudaSuccess;
}

static cudaError_t work_fill(struct client_work *work, const struct cudaMemsetParams *p)
{
	if (!p || p->width > UINT64_MAX / 4)
		return cudaErrorInvalidValue;
	*work = (struct client_work){.type = cudaGraphNodeTypeMemset, .fill = {
		.address = (uint64_t)p->dst, .width = p->width * p->elementSize, .height = p->height, .depth = 1,
		.pitch = p->pitch, .element = p->elementSize, .value = p->value}};
	if (p->elementSize == 1)
		work->fill.value &= 0xff;
	if (p->elementSize == 2)
		work->fill.value &= 0xffff;
	return p->height > 1 && work->fill.width > p->pitch ? cudaErrorInvalidValue : cudaSuccess;
}

static cudaError_t work_host(struct client_work *work, const struct cudaHostNodeParams *p)
{
	if (!p)
		return cudaErrorInvalidValue;
	*work = (struct client_work){.type = cudaGraphNodeTypeHost, .host = {p->fn, p->userData}};
	return cudaSuccess;
}

static cudaError_t work_event(struct client_work *work, enum cudaGraphNodeType type, cudaEvent_t event)
{
	*work = (struct client_work){.type = type, .event = event};
	return cudaSuccess;
}

/* ---- Adding and changing --------------------------------------------------- */

/* error: of making the work. */
static cudaError_t add(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *from, size_t count,
                       const struct client_work *work, cudaError_t error)
{
	if (!error)
		error = node && client_graph_get(graph) ? client_work_check(work) : cudaErrorInvalidValue;
	return client_result(error ? error : client_node_new(node, graph, from, count, work));
}

static cudaError_t change(cudaGraphNode_t node, const struct client_work *work, cudaError_t error)
{
	struct client_work copy;

	if (!error && (!client_node_get(node) || node->work.type != work->type))
		error = cudaErrorInvalidValue;
	if (!error)
		error = client_work_check(work);
	if (!error)
		error = client_work_copy(&copy, work);
	if (error)
		return client_result(error);
	/* What the new arguments were copied from may be the old ones. */
	client_work_free(&node->work);
	node->work = copy;
	return cudaSuccess;
}

static cudaError_t change_exec(cudaGraphExec_t exec, cudaGraphNode_t node, const struct client_work *work,
                               cudaError_t error)
{
	return error ? client_result(error) : change(client_exec_node(exec, node), work, cudaSuccess);
}

/* A node of that type, or NULL. */
static cudaGraphNode_t typed(cudaGraphNode_t node, enum cudaGraphNodeType type)
{
	return client_node_get(node) && node->work.type == type ? node : NULL;
}

/*
 * For each kind: add to a graph, change in a graph, change in an instantiated one. The parts in
 * brackets are parameters as declared, and as passed to what makes the work.
 */
#define NODE_ADD(name, make, parameters, ...)                                                      \
	CLIENT_EXPORT cudaError_t name(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *from, \
	                               size_t count, parameters)                                   \
	{                                                                                          \
		struct client_work work = {0};                                                     \
		cudaError_t error = make(&work, __VA_ARGS__);                                      \
		return add(node, graph, from, count, &work, error);                                \
	}
#define NODE_SET(name, make, parameters, ...)                                                      \
	CLIENT_EXPORT cudaError_t name(cudaGraphNode_t node, parameters)                           \
	{                                                                                          \
		struct client_work work = {0};                                                     \
		cudaError_t error = make(&work, __VA_ARGS__);                                      \
		return change(node, &work, error);                                                 \
	}
#define EXEC_SET(name, make, parameters, ...)                                                      \
	CLIENT_EXPORT cudaError_t name(cudaGraphExec_t exec, cudaGraphNode_t node, parameters)     \
	{                                                                                          \
		struct client_work work = {0};                                                     \
		cudaError_t error = make(&work, __VA_ARGS__);                                      \
		return change_exec(exec, node, &work, error);                                      \
	}
#define LIST(...) __VA_ARGS__

#define KERNEL const struct cudaKernelNodeParams *params
NODE_ADD(cudaGraphAddKernelNode, work_kernel, KERNEL, params)
NODE_SET(cudaGraphKernelNodeSetParams, work_kernel, KERNEL, params)
EXEC_SET(cudaGraphExecKernelNodeSetParams, work_kernel, KERNEL, params)

#define BOX const struct cudaMemcpy3DParms *params
NODE_ADD(cudaGraphAddMemcpyNode, work_box, BOX, params)
NODE_SET(cudaGraphMemcpyNodeSetParams, work_box, BOX, params)
EXEC_SET(cudaGraphExecMemcpyNodeSetParams, work_box, BOX, params)

#define FLAT LIST(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind)
NODE_ADD(cudaGraphAddMemcpyNode1D, work_flat, FLAT, dst, src, bytes, kind)
NODE_SET(cudaGraphMemcpyNodeSetParams1D, work_flat, FLAT, dst, src, bytes, kind)
EXEC_SET(cudaGraphExecMemcpyNodeSetParams1D, work_flat, FLAT, dst, src, bytes, kind)

#define FILL const struct cudaMemsetParams *params
NODE_ADD(cudaGraphAddMemsetNode, work_fill, FILL, params)
NODE_SET(cudaGraphMemsetNodeSetParams, work_fill, FILL, params)
EXEC_SET(cudaGraphExecMemsetNodeSetParams, work_fill, FILL, params)

#define HOST const struct cudaHostNodeParams *params
NODE_ADD(cudaGraphAddHostNode, work_host, HOST, params)
NODE_SET(cudaGraphHostNodeSetParams, work_host, HOST, params)
EXEC_SET(cudaGraphExecHostNodeSetParams, work_host, HOST, params)

#define EVENT cudaEvent_t event
NODE_ADD(cudaGraphAddEventRecordNode, work_event, EVENT, cudaGraphNodeTypeEventRecord, event)
NODE_SET(cudaGraphEventRecordNodeSetEvent, work_event, EVENT, cudaGraphNodeTypeEventRecord, event)
EXEC_SET(cudaGraphExecEventRecordNodeSetEvent, work_event, EVENT, cudaGraphNodeTypeEventRecord, event)
NODE_ADD(cudaGraphAddEventWaitNode, work_event, EVENT, cudaGraphNodeTypeWaitEvent, event)
NODE_SET(cudaGraphEventWaitNodeSetEvent, work_event, EVENT, cudaGraphNodeTypeWaitEvent, event)
EXEC_SET(cudaGraphExecEventWaitNodeSetEvent, work_event, EVENT, cudaGraphNodeTypeWaitEvent, event)

CLIENT_EXPORT cudaError_t cudaGraphAddEmptyNode(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *from,
                                                size_t count)
{
	struct client_work work = {.type = cudaGraphNodeTypeEmpty};

	return add(node, graph, from, count, &work, cudaSuccess);
}

CLIENT_EXPORT cudaError_t cudaGraphAddChildGraphNode(cudaGraphNode_t *node, cudaGraph_t graph,
                                                     const cudaGraphNode_t *from, size_t count, cudaGraph_t child)
{
	struct client_work work = {.type = cudaGraphNodeTypeGraph, .graph = child};

	return add(node, graph, from, count, &work, child == graph ? cudaErrorInvalidValue : cudaSuccess);
}

/* ---- Asking ---------------------------------------------------------------- */

CLIENT_EXPORT cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, struct cudaKernelNodeParams *params)
{
	const struct client_launch *l;

	if (!params || !typed(node, cudaGraphNodeTypeKernel))
		return client_result(cudaErrorInvalidValue);
	l = &node->work.launch;
	*params = (struct cudaKernelNodeParams){(void *)l->function, l->grid, l->block, (unsigned)l->dynamic_shared,
	                                        l->arguments, NULL};
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaGraphMemsetNodeGetParams(cudaGraphNode_t node, struct cudaMemsetParams *params)
{
	const struct client_fill *f;

	if (!params || !typed(node, cudaGraphNodeTypeMemset))
		return client_result(cudaErrorInvalidValue);
	f = &node->work.fill;
	*params = (struct cudaMemsetParams){(void *)f->address, f->pitch, f->value, f->element, f->width / f->element,
	                                    f->height};
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaGraphHostNodeGetParams(cudaGraphNode_t node, struct cudaHostNodeParams *params)
{
	if (!params || !typed(node, cudaGraphNodeTypeHost))
		return client_result(cudaErrorInvalidValue);
	*params = (struct cudaHostNodeParams){node->work.host.function, node->work.host.data};
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaGraphEventRecordNodeGetEvent(cudaGraphNode_t node, cudaEvent_t *event)
{
	if (!event || !typed(node, cudaGraphNodeTypeEventRecord))
		return client_result(cudaErrorInvalidValue);
	*event = node->work.event;
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaGraphEventWaitNodeGetEvent(cudaGraphNode_t node, cudaEvent_t *event)
{
	if (!event || !typed(node, cudaGraphNodeTypeWaitEvent))
		return client_result(cudaErrorInvalidValue);
	*event = node->work.event;
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaGraphChildGraphNodeGetGraph(cudaGraphNode_t node, cudaGraph_t *graph)
{
	if (!graph || !typed(node, cudaGraphNodeTypeGraph))
		return client_result(cudaErrorInvalidValue);
	*graph = node->work.graph;
	return cudaSuccess;
}
