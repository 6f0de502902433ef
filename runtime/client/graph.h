/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * graph.h - graphs, and the capture of streams into them.
 *
 * Graphs live in the client alone: a node is what would have been sent as a command, and a
 * launch of a graph sends its nodes one after another into a stream. CUDA does not synchronise
 * calls on the same graph from several threads, and neither is it done here; captures are
 * guarded by a lock of their own.
 */
#ifndef HETCKPT_CLIENT_GRAPH_H
#define HETCKPT_CLIENT_GRAPH_H

#include "runtime/client/client.h"

/* ---- Work (graph_work.c) ------------------------------------------------ */

/* What a node does. */
struct client_work {
	enum cudaGraphNodeType type;
	union {
		struct client_launch launch;
		struct client_copy copy;
		struct client_fill fill;
		struct { cudaHostFn_t function; void *data; } host;
		cudaEvent_t event;
		cudaGraph_t graph; /* the child */
	};
};

/* What CUDA refuses when a node is made or changed. */
cudaError_t client_work_check(const struct client_work *work);
/* A copy that owns its kernel's arguments or child graph. */
cudaError_t client_work_copy(struct client_work *to, const struct client_work *from);
void client_work_free(struct client_work *work);
cudaError_t client_work_send(const struct client_work *work, uint32_t stream);

/* ---- Graphs (graph.c) --------------------------------------------------- */

struct client_nodes {
	cudaGraphNode_t *at;
	size_t count, room;
};
/* Appends; with once only what is not there yet. */
cudaError_t client_nodes_add(struct client_nodes *list, const cudaGraphNode_t *nodes, size_t count, bool once);
void client_nodes_free(struct client_nodes *list);

struct CUgraphNode_st {
	uint32_t magic;
	bool disabled;
	cudaGraph_t graph;          /* which it is part of */
	cudaGraphNode_t original;   /* of which it is a clone, never followed; NULL */
	struct client_work work;
	struct client_nodes from;   /* what it depends on */
	size_t index, cursor;       /* place in the graph; for walks */
	enum { NODE_NEW, NODE_OPEN, NODE_DONE } mark;
};

struct CUgraph_st {
	uint32_t magic;
	bool embedded;              /* the child of a node, which owns it */
	struct client_nodes node;   /* in order of insertion */
	struct client_nodes order;  /* as they are sent; of instantiated graphs */
};

/* The handle, if it is one, else NULL. Of what was destroyed that is only a guess. */
cudaGraph_t client_graph_get(cudaGraph_t graph);
cudaGraphNode_t client_node_get(cudaGraphNode_t node);

cudaError_t client_graph_new(cudaGraph_t *graph);
void client_graph_free(cudaGraph_t graph);
cudaError_t client_graph_clone(cudaGraph_t *clone, cudaGraph_t graph);
/* A node with that work, which is copied, behind count others of the graph; nothing is checked but these. */
cudaError_t client_node_new(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *from, size_t count,
                            const struct client_work *work);
/* Each after those that it depends on, otherwise in order of insertion; also in child graphs.
   cudaErrorInvalidValue: there is a cycle. */
cudaError_t client_graph_sort(cudaGraph_t graph);
/* Marks NODE_DONE what the nodes depend on, and themselves; all others NODE_NEW. */
cudaError_t client_graph_mark(cudaGraph_t graph, const struct client_nodes *nodes);
/* The clone of a node of another graph, also in child graphs; NULL. */
cudaGraphNode_t client_graph_find(cudaGraph_t clone, cudaGraphNode_t original);

/* An answer of CUDA's: as many of count nodes as *room allows; the rest of the places NULL;
   without places the number alone. */
struct client_answer {
	cudaGraphNode_t *place;
	size_t room, count;
};
static inline void client_answer_add(struct client_answer *a, cudaGraphNode_t node)
{
	if (a->place && a->count < a->room)
		a->place[a->count] = node;
	a->count++;
}
cudaError_t client_answer_end(struct client_answer *a, size_t *count);

/* What CUDA 12 and 13 declare differently; none of it may have data on edges other than zero. */
cudaError_t client_graph_edges(cudaGraph_t graph, cudaGraphNode_t *from, cudaGraphNode_t *to,
                               cudaGraphEdgeData *edges, size_t *count);
cudaError_t client_node_dependencies(cudaGraphNode_t node, cudaGraphNode_t *nodes, cudaGraphEdgeData *edges,
                                     size_t *count);
cudaError_t client_node_dependents(cudaGraphNode_t node, cudaGraphNode_t *nodes, cudaGraphEdgeData *edges,
                                   size_t *count);
cudaError_t client_graph_connect(cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to,
                                 const cudaGraphEdgeData *edges, size_t count, bool connect);
cudaError_t client_edges_check(const cudaGraphEdgeData *edges, size_t count);

/* The node of an instantiated graph (graph_exec.c) that stands for one of the graph it was made
   from; NULL. */
cudaGraphNode_t client_exec_node(cudaGraphExec_t exec, cudaGraphNode_t node);

/* ---- Capture (capture.c) ------------------------------------------------ */

/* Is any stream being captured? Almost never, so this is asked first. */
extern _Atomic unsigned client_captures;
static inline bool client_capturing(void)
{
	return client_captures != 0;
}

/*
 * If the stream is being captured, work becomes a node of its graph: true, and *error says
 * whether that went well. False: nothing was done.
 */
bool client_capture(cudaStream_t stream, const struct client_work *work, cudaError_t *error);
/* The same for the two that connect streams. */
bool client_capture_record(cudaStream_t stream, cudaEvent_t event, unsigned flags, cudaError_t *error);
bool client_capture_wait(cudaStream_t stream, cudaEvent_t event, unsigned flags, cudaError_t *error);

/* What may not be done to the stream, to any stream, to an event while it is being captured:
   then that capture is lost. */
cudaError_t client_capture_refuse(uint32_t stream);
cudaError_t client_capture_refuse_all(void);
cudaError_t client_capture_refuse_event(uint64_t capture);

/* A stream was destroyed; the device was reset. */
void client_capture_forget(uint32_t stream);
void client_capture_reset(void);

/* Any of the places may be NULL. */
struct client_capture_info {
	enum cudaStreamCaptureStatus *status;
	unsigned long long *id;
	cudaGraph_t *graph;
	const cudaGraphNode_t **dependencies; /* valid until the stream's next command */
	const cudaGraphEdgeData **edges;
	size_t *count;
};
cudaError_t client_capture_info(cudaStream_t stream, const struct client_capture_info *info);
cudaError_t client_capture_update(cudaStream_t stream, cudaGraphNode_t *nodes, const cudaGraphEdgeData *edges,
                                  size_t count, unsigned flags);

#endif
