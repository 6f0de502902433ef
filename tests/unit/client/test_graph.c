/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "tests/unit/client/client_test.h"

/* ---- Help -------------------------------------------------------------- */

/* p[0..n) += by, as a node's parameters. */
struct add {
	int *p, n;
	unsigned char skewed;
	long long by;
	void *arguments[4];
	struct cudaKernelNodeParams params;
};

static struct cudaKernelNodeParams *add_params(struct add *a, int *p, long long by, int n)
{
	*a = (struct add){.p = p, .n = n, .skewed = 0xab, .by = by};
	a->arguments[0] = &a->p;
	a->arguments[1] = &a->skewed;
	a->arguments[2] = &a->by;
	a->arguments[3] = &a->n;
	a->params.func = add_stub;
	a->params.gridDim = dims(1, 1, 1);
	a->params.blockDim = dims(32, 1, 1);
	a->params.kernelParams = a->arguments;
	return &a->params;
}

static int first_of(const int *d)
{
	int host;

	OK(cudaMemcpy(&host, d, sizeof host, cudaMemcpyDeviceToHost));
	return host;
}

static void count_up(void *data)
{
	++*(int *)data;
}

/* ---- Graphs ------------------------------------------------------------ */

void graphs(void)
{
	int *d, host[4] = {0}, calls = 0;
	struct add a;
	struct cudaMemsetParams fill = {0};
	struct cudaHostNodeParams call = {count_up, &calls};
	struct cudaKernelNodeParams got;
	cudaGraphNode_t add, set, out, called, node, nodes[8], to[8];
	enum cudaGraphNodeType type;
	cudaGraph_t graph, clone;
	cudaGraphExec_t exec;
	size_t count;

	start();
	OK(cudaMalloc((void **)&d, sizeof host));
	OK(cudaGraphCreate(&graph, 0));
	/* Put in against the order that the dependencies then ask for. */
	OK(cudaGraphAddMemcpyNode1D(&out, graph, NULL, 0, host, d, sizeof host, cudaMemcpyDeviceToHost));
	OK(cudaGraphAddKernelNode(&add, graph, NULL, 0, add_params(&a, d, 5, 4)));
	fill.dst = d;
	fill.value = 1000;
	fill.elementSize = 4;
	fill.width = 4;
	fill.height = 1;
	OK(cudaGraphAddMemsetNode(&set, graph, NULL, 0, &fill));
	OK(cudaGraphAddHostNode(&called, graph, &out, 1, &call));
	OK(cudaGraphAddDependencies(graph, (cudaGraphNode_t[]){set, add}, (cudaGraphNode_t[]){add, out}, NULL, 2));
	/* The arguments were copied. */
	a.by = 77;
	OK(cudaGraphInstantiate(&exec, graph, 0));
	CHECK_INT(fake_count(HETCKPT_MSG_LAUNCH), 0);
	OK(cudaGraphLaunch(exec, 0));
	OK(cudaGraphLaunch(exec, 0));
	OK(cudaDeviceSynchronize());
	CHECK_INT(fake_count(HETCKPT_MSG_LAUNCH), 2);
	for (int i = 0; i < 4; i++)
		CHECK_INT(host[i], 1005);
	CHECK_INT(calls, 2);

	/* Facts. */
	count = 8;
	OK(cudaGraphGetNodes(graph, nodes, &count));
	CHECK_INT(count, 4);
	CHECK(nodes[0] == out && nodes[3] == called && !nodes[4]);
	OK(cudaGraphGetRootNodes(graph, NULL, &count));
	CHECK_INT(count, 1);
	OK(cudaGraphGetRootNodes(graph, &node, &count));
	CHECK(node == set);
	count = 8;
	OK(cudaGraphGetEdges(graph, nodes, to, NULL, &count));
	CHECK_INT(count, 3);
	CHECK(nodes[0] == add && to[0] == out && nodes[1] == set && to[1] == add);
	count = 1;
	OK(cudaGraphNodeGetDependentNodes(out, &node, NULL, &count));
	CHECK(node == called);
	OK(cudaGraphNodeGetType(set, &type));
	CHECK_INT(type, cudaGraphNodeTypeMemset);
	OK(cudaGraphKernelNodeGetParams(add, &got));
	CHECK(got.func == add_stub && *(long long *)got.kernelParams[2] == 5);
	CHECK_INT(cudaGraphKernelNodeGetParams(set, &got), cudaErrorInvalidValue);

	/* A change of an instantiated graph is one of that alone; handles are those of the graph. */
	OK(cudaGraphExecKernelNodeSetParams(exec, add, add_params(&a, d, 6, 4)));
	fill.value = 2000;
	OK(cudaGraphExecMemsetNodeSetParams(exec, set, &fill));
	CHECK_INT(cudaGraphExecMemsetNodeSetParams(exec, add, &fill), cudaErrorInvalidValue);
	OK(cudaGraphLaunch(exec, 0));
	OK(cudaDeviceSynchronize());
	CHECK_INT(host[3], 2006);
	OK(cudaGraphNodeSetEnabled(exec, add, 0));
	OK(cudaGraphLaunch(exec, 0));
	OK(cudaDeviceSynchronize());
	CHECK_INT(host[3], 2000);
	OK(cudaGraphNodeSetEnabled(exec, add, 1));
	OK(cudaGraphExecMemcpyNodeSetParams1D(exec, out, &host[1], d, 4, cudaMemcpyDeviceToHost));
	OK(cudaGraphLaunch(exec, 0));
	OK(cudaDeviceSynchronize());
	CHECK_INT(host[1], 2006);
	CHECK_INT(host[3], 2000);

	/* Clones, and what a child graph is at the time that it is added. */
	OK(cudaGraphClone(&clone, graph));
	OK(cudaGraphNodeFindInClone(&node, add, clone));
	OK(cudaGraphKernelNodeSetParams(node, add_params(&a, d, 7, 4)));
	OK(cudaGraphExecDestroy(exec));
	OK(cudaGraphAddChildGraphNode(&node, graph, &called, 1, clone));
	OK(cudaGraphDestroy(clone));
	OK(cudaGraphInstantiate(&exec, graph, 0));
	OK(cudaGraphLaunch(exec, 0));
	OK(cudaDeviceSynchronize());
	CHECK_INT(host[3], 1007);
	OK(cudaGraphExecDestroy(exec));

	/* Circles, and what is refused at once. */
	OK(cudaGraphAddDependencies(graph, &called, &set, NULL, 1));
	CHECK_INT(cudaGraphInstantiate(&exec, graph, 0), cudaErrorInvalidValue);
	OK(cudaGraphRemoveDependencies(graph, &called, &set, NULL, 1));
	CHECK_INT(cudaGraphAddDependencies(graph, &set, &add, NULL, 1), cudaErrorInvalidValue);
	CHECK_INT(cudaGraphAddMemcpyNode1D(&node, graph, NULL, 0, d + 2, d, 16, cudaMemcpyDefault), cudaErrorInvalidValue);
	a.params.func = other_stub;
	CHECK_INT(cudaGraphAddKernelNode(&node, graph, NULL, 0, &a.params), cudaErrorInvalidDeviceFunction);
	OK(cudaGraphDestroyNode(add));
	count = 8;
	OK(cudaGraphGetEdges(graph, nodes, to, NULL, &count));
	CHECK_INT(count, 2);
	OK(cudaGraphDestroy(graph));
	CHECK_INT(cudaGraphDestroy(NULL), cudaErrorInvalidValue);
}

/* Launches of one graph wait for each other in whatever streams. */
void graph_launches(void)
{
	cudaStream_t one, two;
	cudaGraphExecUpdateResultInfo info;
	cudaGraphNode_t add, node;
	cudaGraphExec_t exec;
	cudaGraph_t graph, other;
	struct add a;
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMemset(d, 0, 4));
	OK(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking));
	OK(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
	OK(cudaGraphCreate(&graph, 0));
	OK(cudaGraphAddKernelNode(&add, graph, NULL, 0, add_params(&a, d, 1, 1)));
	OK(cudaGraphInstantiate(&exec, graph, 0));
	fake_hold(true);
	OK(cudaGraphLaunch(exec, one));
	OK(cudaGraphLaunch(exec, two));
	fake_hold(false);
	OK(cudaDeviceSynchronize());
	CHECK_INT(fake_count(HETCKPT_MSG_STREAM_WAIT), 1);
	OK(cudaGraphLaunch(exec, two));
	CHECK_INT(first_of(d), 3);
	CHECK_INT(fake_count(HETCKPT_MSG_STREAM_WAIT), 1);

	/* An update takes the new parameters over and keeps the handles. */
	OK(cudaGraphCreate(&other, 0));
	OK(cudaGraphAddKernelNode(&node, other, NULL, 0, add_params(&a, d, 10, 1)));
	OK(cudaGraphExecUpdate(exec, other, &info));
	CHECK_INT(info.result, cudaGraphExecUpdateSuccess);
	OK(cudaGraphLaunch(exec, 0));
	CHECK_INT(first_of(d), 13);
	OK(cudaGraphExecKernelNodeSetParams(exec, add, add_params(&a, d, 100, 1)));
	OK(cudaGraphLaunch(exec, 0));
	CHECK_INT(first_of(d), 113);
	OK(cudaGraphAddEmptyNode(&node, other, &node, 1));
	CHECK_INT(cudaGraphExecUpdate(exec, other, &info), cudaErrorGraphExecUpdateFailure);
	CHECK_INT(info.result, cudaGraphExecUpdateErrorTopologyChanged);
	OK(cudaGraphExecDestroy(exec));
	OK(cudaGraphDestroy(graph));
	OK(cudaGraphDestroy(other));
}

/* ---- Capture ----------------------------------------------------------- */

void captures(void)
{
	enum cudaStreamCaptureStatus status;
	const cudaGraphNode_t *dependencies;
	unsigned long long id;
	cudaStream_t one, two;
	cudaEvent_t fork, join, plain;
	cudaGraph_t graph, under_way;
	cudaGraphExec_t exec;
	int *d, *pinned, host = 1, got = 0, calls = 0;
	size_t count;

	start();
	OK(cudaMalloc((void **)&d, 8));
	OK(cudaMallocHost((void **)&pinned, 4));
	OK(cudaStreamCreate(&one));
	OK(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
	OK(cudaEventCreate(&fork));
	OK(cudaEventCreate(&join));
	OK(cudaEventCreate(&plain));
	OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal));
	CHECK_INT(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal), cudaErrorIllegalState);
	OK(cudaStreamIsCapturing(one, &status));
	CHECK_INT(status, cudaStreamCaptureStatusActive);
	OK(cudaStreamIsCapturing(two, &status));
	CHECK_INT(status, cudaStreamCaptureStatusNone);
	/* What is in pageable memory when the graph runs counts, not what is now. */
	OK(cudaMemcpyAsync(d, &host, 4, cudaMemcpyHostToDevice, one));
	OK(cudaMemsetAsync(d + 1, 0, 4, one));
	OK(cudaEventRecord(fork, one));
	OK(cudaStreamWaitEvent(two, fork, 0));
	OK(launch_add(d, 10, 1, one));
	OK(launch_add(d + 1, 20, 1, two));
	OK(cudaEventRecord(join, two));
	OK(cudaStreamWaitEvent(one, join, 0));
	OK(cudaStreamGetCaptureInfo(one, &status, &id, &under_way, &dependencies, NULL, &count));
	CHECK_INT(count, 2);
	CHECK(id);
	OK(launch_add(d, 100, 2, one));
	OK(cudaMemcpyAsync(&got, d, 4, cudaMemcpyDeviceToHost, one));
	OK(cudaMemcpyAsync(pinned, d + 1, 4, cudaMemcpyDeviceToHost, one));
	OK(cudaLaunchHostFunc(one, count_up, &calls));
	CHECK_INT(cudaStreamEndCapture(two, &graph), cudaErrorStreamCaptureUnmatched);
	/* That was the end of it; and again without. */
	CHECK_INT(cudaStreamEndCapture(one, &graph), cudaErrorStreamCaptureInvalidated);
	CHECK(!graph);
	OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeRelaxed));
	OK(cudaMemcpyAsync(d, &host, 4, cudaMemcpyHostToDevice, one));
	OK(cudaMemsetAsync(d + 1, 0, 4, one));
	OK(cudaEventRecord(fork, one));
	OK(cudaStreamWaitEvent(two, fork, 0));
	OK(launch_add(d, 10, 1, one));
	OK(launch_add(d + 1, 20, 1, two));
	OK(cudaEventRecord(join, two));
	OK(cudaStreamWaitEvent(one, join, 0));
	OK(launch_add(d, 100, 2, one));
	OK(cudaMemcpyAsync(&got, d, 4, cudaMemcpyDeviceToHost, one));
	OK(cudaMemcpyAsync(pinned, d + 1, 4, cudaMemcpyDeviceToHost, one));
	OK(cudaLaunchHostFunc(one, count_up, &calls));
	OK(cudaStreamEndCapture(one, &graph));
	CHECK_INT(fake_count(HETCKPT_MSG_LAUNCH), 0);
	OK(cudaGraphGetNodes(graph, NULL, &count));
	CHECK_INT(count, 8);
	OK(cudaGraphGetEdges(graph, NULL, NULL, NULL, &count));
	CHECK_INT(count, 8);
	OK(cudaGraphInstantiate(&exec, graph, 0));
	OK(cudaGraphDestroy(graph));
	for (int i = 0; i < 100; i++) {
		host = i;
		OK(cudaGraphLaunch(exec, one));
		OK(cudaStreamSynchronize(one));
		CHECK_INT(got, i + 110);
		CHECK_INT(*pinned, 120);
	}
	CHECK_INT(calls, 100);
	/* A launch that is captured is a child graph. */
	OK(cudaStreamBeginCapture(two, cudaStreamCaptureModeThreadLocal));
	OK(cudaGraphLaunch(exec, two));
	OK(cudaStreamEndCapture(two, &graph));
	OK(cudaGraphExecDestroy(exec));
	OK(cudaGraphInstantiate(&exec, graph, 0));
	OK(cudaGraphLaunch(exec, two));
	OK(cudaStreamSynchronize(two));
	CHECK_INT(calls, 101);
}

/* Begins a capture, does what is not allowed, sees that it is lost. */
#define LOST(stream, call, error)                                                                  \
	do {                                                                                       \
		cudaGraph_t lost_;                                                                 \
		OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));                  \
		OK(launch_add(d, 1, 1, stream));                                                   \
		CHECK_INT(call, error);                                                            \
		CHECK_INT(launch_add(d, 1, 1, stream), cudaErrorStreamCaptureInvalidated);         \
		CHECK_INT(cudaStreamEndCapture(stream, &lost_), cudaErrorStreamCaptureInvalidated); \
	} while (0)

static cudaError_t ask_recorded(cudaEvent_t event, cudaStream_t stream)
{
	OK(cudaEventRecord(event, stream));
	return cudaEventQuery(event);
}

static cudaError_t merge(cudaEvent_t event, cudaStream_t other, cudaStream_t stream)
{
	cudaGraph_t graph;
	cudaError_t error;

	OK(cudaStreamBeginCapture(other, cudaStreamCaptureModeRelaxed));
	OK(cudaEventRecord(event, other));
	error = cudaStreamWaitEvent(stream, event, 0);
	CHECK_INT(cudaStreamEndCapture(other, &graph), cudaErrorStreamCaptureInvalidated);
	return error;
}

static void *end_elsewhere(void *stream)
{
	cudaGraph_t graph;

	CHECK_INT(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureWrongThread);
	return NULL;
}

void captures_refused(void)
{
	enum cudaStreamCaptureStatus status;
	cudaStream_t blocking, other, third;
	cudaEvent_t event, outside;
	cudaGraph_t graph;
	pthread_t thread;
	void *memory;
	int *d, host;

	start();
	OK(cudaMalloc((void **)&d, 8));
	OK(cudaMemset(d, 0, 8));
	OK(cudaStreamCreate(&blocking));
	OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
	OK(cudaStreamCreateWithFlags(&third, cudaStreamNonBlocking));
	OK(cudaEventCreate(&event));
	OK(cudaEventCreate(&outside));
	OK(cudaEventRecord(outside, other));
	CHECK_INT(cudaStreamBeginCapture(0, cudaStreamCaptureModeGlobal), cudaErrorStreamCaptureUnsupported);
	CHECK_INT(cudaStreamEndCapture(other, &graph), cudaErrorIllegalState);
	LOST(other, cudaStreamSynchronize(other), cudaErrorStreamCaptureUnsupported);
	LOST(other, cudaStreamQuery(other), cudaErrorStreamCaptureUnsupported);
	LOST(other, cudaDeviceSynchronize(), cudaErrorStreamCaptureUnsupported);
	LOST(other, cudaMallocAsync(&memory, 16, other), cudaErrorStreamCaptureUnsupported);
	LOST(other, cudaStreamWaitEvent(other, outside, 0), cudaErrorStreamCaptureIsolation);
	LOST(other, ask_recorded(event, other), cudaErrorCapturedEvent);
	LOST(other, merge(event, third, other), cudaErrorStreamCaptureMerge);
	LOST(blocking, launch_add(d, 1, 1, 0), cudaErrorStreamCaptureImplicit);
	LOST(blocking, cudaMemcpy(&host, d, 4, cudaMemcpyDefault), cudaErrorStreamCaptureImplicit);
	LOST(cudaStreamPerThread, launch_add(d, 1, 1, 0), cudaErrorStreamCaptureImplicit);
	/* An event of a capture is of no use after it, until it is recorded again. */
	CHECK_INT(cudaEventSynchronize(event), cudaErrorCapturedEvent);
	CHECK_INT(cudaStreamWaitEvent(other, event, 0), cudaErrorCapturedEvent);
	OK(cudaEventRecord(event, other));
	OK(cudaEventSynchronize(event));

	/* Streams that do not synchronise with the default stream do not mind it. */
	OK(cudaStreamBeginCapture(other, cudaStreamCaptureModeGlobal));
	OK(launch_add(d, 1, 1, 0));
	CHECK_INT(first_of(d), 1);
	CHECK_INT(pthread_create(&thread, NULL, end_elsewhere, other), 0);
	pthread_join(thread, NULL);
	OK(cudaStreamEndCapture(other, &graph));
	OK(cudaGraphDestroy(graph));

	/* A fork that is not joined. */
	OK(cudaStreamBeginCapture(other, cudaStreamCaptureModeGlobal));
	OK(cudaEventRecord(event, other));
	OK(cudaStreamWaitEvent(third, event, 0));
	OK(launch_add(d, 1, 1, third));
	CHECK_INT(cudaStreamEndCapture(other, &graph), cudaErrorStreamCaptureUnjoined);
	OK(cudaStreamIsCapturing(third, &status));
	CHECK_INT(status, cudaStreamCaptureStatusNone);
	OK(launch_add(d, 1, 1, third));
	OK(cudaStreamSynchronize(third));
	CHECK_INT(first_of(d), 2);
	/* Events that go into the graph, and a capture whose stream is gone. */
	OK(cudaStreamBeginCapture(other, cudaStreamCaptureModeGlobal));
	OK(cudaEventRecordWithFlags(outside, other, cudaEventRecordExternal));
	OK(cudaStreamWaitEvent(other, event, cudaEventWaitExternal));
	OK(cudaStreamDestroy(other));
	OK(cudaDeviceSynchronize());
}
