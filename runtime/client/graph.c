/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Graphs: nodes, what they depend on, and in what order they can run. */
#include <stdlib.h>
#include <string.h>

#include "runtime/client/graph.h"

#define GRAPH_MAGIC 0x48505247u
#define NODE_MAGIC 0x45444f4eu

/* ---- Lists -------------------------------------------------------------- */

static bool has(const struct client_nodes *list, cudaGraphNode_t node)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->at[i] == node)
			return true;
	return false;
}

cudaError_t client_nodes_add(struct client_nodes *list, const cudaGraphNode_t *nodes, size_t count, bool once)
{
	if (list->room - list->count < count) {
		size_t room = list->count + count + list->count / 2;
		cudaGraphNode_t *at = realloc(list->at, room * sizeof *at);

		if (!at)
			return cudaErrorMemoryAllocation;
		list->at = at;
		list->room = room;
	}
	for (size_t i = 0; i < count; i++)
		if (!once || !has(list, nodes[i]))
			list->at[list->count++] = nodes[i];
	return cudaSuccess;
}

static void nodes_remove(struct client_nodes *list, cudaGraphNode_t node)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (list->at[i] != node)
			list->at[kept++] = list->at[i];
	list->count = kept;
}

void client_nodes_free(struct client_nodes *list)
{
	free(list->at);
	*list = (struct client_nodes){0};
}

/* ---- Making and destroying ---------------------------------------------- */

cudaGraph_t client_graph_get(cudaGraph_t graph)
{
	return graph && graph->magic == GRAPH_MAGIC ? graph : NULL;
}

cudaGraphNode_t client_node_get(cudaGraphNode_t node)
{
	return node && node->magic == NODE_MAGIC ? node : NULL;
}

cudaError_t client_graph_new(cudaGraph_t *graph)
{
	*graph = calloc(1, sizeof **graph);
	if (!*graph)
		return cudaErrorMemoryAllocation;
	(*graph)->magic = GRAPH_MAGIC;
	return cudaSuccess;
}

static void node_free(cudaGraphNode_t node)
{
	node->magic = 0;
	client_work_free(&node->work);
	client_nodes_free(&node->from);
	free(node);
}

void client_graph_free(cudaGraph_t graph)
{
	if (!graph)
		return;
	graph->magic = 0;
	for (size_t i = 0; i < graph->node.count; i++)
		node_free(graph->node.at[i]);
	client_nodes_free(&graph->node);
	client_nodes_free(&graph->order);
	free(graph);
}

cudaError_t client_node_new(cudaGraphNode_t *result, cudaGraph_t graph, const cudaGraphNode_t *from, size_t count,
                            const struct client_work *work)
{
	cudaGraphNode_t node;
	cudaError_t error;

	if (!client_graph_get(graph) || (count && !from))
		return cudaErrorInvalidValue;
	for (size_t i = 0; i < count; i++)
		if (!client_node_get(from[i]) || from[i]->graph != graph)
			return cudaErrorInvalidValue;
	node = calloc(1, sizeof *node);
	if (!node)
		return cudaErrorMemoryAllocation;
	node->magic = NODE_MAGIC;
	node->graph = graph;
	node->index = graph->node.count;
	error = client_work_copy(&node->work, work);
	if (!error)
		error = client_nodes_add(&node->from, from, count, true);
	if (!error)
		error = client_nodes_add(&graph->node, &node, 1, false);
	if (error)
		node_free(node);
	else
		*result = node;
	return error;
}

cudaError_t client_graph_clone(cudaGraph_t *clone, cudaGraph_t graph)
{
	cudaError_t error = client_graph_new(clone);
	cudaGraphNode_t node;

	for (size_t i = 0; i < graph->node.count && !error; i++) {
		error = client_node_new(&node, *clone, NULL, 0, &graph->node.at[i]->work);
		if (!error) {
			node->original = graph->node.at[i];
			node->disabled = graph->node.at[i]->disabled;
		}
	}
	/* Dependencies may lie behind the node that has them. */
	for (size_t i = 0; i < graph->node.count && !error; i++) {
		const struct client_nodes *from = &graph->node.at[i]->from;

		for (size_t k = 0; k < from->count && !error; k++)
			error = client_nodes_add(&(*clone)->node.at[i]->from,
			                         &(*clone)->node.at[from->at[k]->index], 1, false);
	}
	if (error) {
		client_graph_free(*clone);
		*clone = NULL;
	}
	return error;
}

cudaGraphNode_t client_graph_find(cudaGraph_t clone, cudaGraphNode_t original)
{
	for (size_t i = 0; i < clone->node.count; i++) {
		cudaGraphNode_t node = clone->node.at[i];

		if (node->original == original)
			return node;
		if (node->work.type == cudaGraphNodeTypeGraph) {
			node = client_graph_find(node->work.graph, original);
			if (node)
				return node;
		}
	}
	return NULL;
}

/* ---- Order -------------------------------------------------------------- */

/* Depth first, without recursion: chains may be long. Visits node after what it depends on;
   order: where those visited are added. */
static cudaError_t visit(cudaGraphNode_t node, struct client_nodes *stack, struct client_nodes *order)
{
	cudaError_t error = client_nodes_add(stack, &node, 1, false);

	while (stack->count && !error) {
		cudaGraphNode_t top = stack->at[stack->count - 1], next;

		if (top->mark == NODE_NEW) {
			top->mark = NODE_OPEN;
			top->cursor = 0;
		}
		if (top->mark == NODE_OPEN && top->cursor < top->from.count) {
			next = top->from.at[top->cursor++];
			if (next->mark == NODE_OPEN)
				error = cudaErrorInvalidValue;
			else if (next->mark == NODE_NEW)
				error = client_nodes_add(stack, &next, 1, false);
			continue;
		}
		if (top->mark == NODE_OPEN && order)
			error = client_nodes_add(order, &top, 1, false);
		top->mark = NODE_DONE;
		stack->count--;
	}
	stack->count = 0;
	return error;
}

static void unmark(cudaGraph_t graph)
{
	for (size_t i = 0; i < graph->node.count; i++)
		graph->node.at[i]->mark = NODE_NEW;
}

cudaError_t client_graph_sort(cudaGraph_t graph)
{
	struct client_nodes stack = {0};
	cudaError_t error = cudaSuccess;

	unmark(graph);
	graph->order.count = 0;
	for (size_t i = 0; i < graph->node.count && !error; i++) {
		error = visit(graph->node.at[i], &stack, &graph->order);
		if (!error && graph->node.at[i]->work.type == cudaGraphNodeTypeGraph)
			error = client_graph_sort(graph->node.at[i]->work.graph);
	}
	client_nodes_free(&stack);
	return error;
}

cudaError_t client_graph_mark(cudaGraph_t graph, const struct client_nodes *nodes)
{
	struct client_nodes stack = {0};
	cudaError_t error = cudaSuccess;

	unmark(graph);
	for (size_t i = 0; i < nodes->count && !error; i++)
		error = visit(nodes->at[i], &stack, NULL);
	client_nodes_free(&stack);
	return error;
}

/* ---- Dependencies ------------------------------------------------------- */

cudaError_t client_answer_end(struct client_answer *a, size_t *count)
{
	for (size_t i = a->count; a->place && i < a->room; i++)
		a->place[i] = NULL;
	if (!a->place || a->count < a->room)
		*count = a->count;
	return cudaSuccess;
}

/* Programmatic dependencies, which let a kernel begin before another has ended, have data. */
cudaError_t client_edges_check(const cudaGraphEdgeData *edges, size_t count)
{
	static const cudaGraphEdgeData zero;

	for (size_t i = 0; edges && i < count; i++) {
		if (memcmp(&edges[i], &zero, sizeof zero)) {
			client_say_once("graphs: edges with data (programmatic dependencies) are not supported");
			return cudaErrorNotSupported;
		}
	}
	return cudaSuccess;
}

/* Of the answer's places that are filled. */
static void edges_zero(cudaGraphEdgeData *edges, const struct client_answer *a)
{
	if (edges && a->place)
		memset(edges, 0, (a->count < a->room ? a->count : a->room) * sizeof *edges);
}

cudaError_t client_graph_edges(cudaGraph_t graph, cudaGraphNode_t *from, cudaGraphNode_t *to,
                               cudaGraphEdgeData *edges, size_t *count)
{
	if (!client_graph_get(graph) || !count || !from != !to)
		return cudaErrorInvalidValue;
	struct client_answer first = {from, *count, 0}, second = {to, *count, 0};

	for (size_t i = 0; i < graph->node.count; i++) {
		for (size_t k = 0; k < graph->node.at[i]->from.count; k++) {
			client_answer_add(&first, graph->node.at[i]->from.at[k]);
			client_answer_add(&second, graph->node.at[i]);
		}
	}
	edges_zero(edges, &first);
	client_answer_end(&second, count);
	return client_answer_end(&first, count);
}

cudaError_t client_node_dependencies(cudaGraphNode_t node, cudaGraphNode_t *nodes, cudaGraphEdgeData *edges,
                                     size_t *count)
{
	if (!client_node_get(node) || !count)
		return cudaErrorInvalidValue;
	struct client_answer answer = {nodes, *count, 0};

	for (size_t i = 0; i < node->from.count; i++)
		client_answer_add(&answer, node->from.at[i]);
	edges_zero(edges, &answer);
	return client_answer_end(&answer, count);
}

cudaError_t client_node_dependents(cudaGraphNode_t node, cudaGraphNode_t *nodes, cudaGraphEdgeData *edges,
                                   size_t *count)
{
	if (!client_node_get(node) || !count)
		return cudaErrorInvalidValue;
	struct client_answer answer = {nodes, *count, 0};

	for (size_t i = 0; i < node->graph->node.count; i++)
		if (has(&node->graph->node.at[i]->from, node))
			client_answer_add(&answer, node->graph->node.at[i]);
	edges_zero(edges, &answer);
	return client_answer_end(&answer, count);
}

cudaError_t client_graph_connect(cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to,
                                 const cudaGraphEdgeData *edges, size_t count, bool connect)
{
	cudaError_t error = client_edges_check(edges, count);

	if (!error && (!client_graph_get(graph) || (count && (!from || !to))))
		error = cudaErrorInvalidValue;
	for (size_t i = 0; i < count && !error; i++)
		if (!client_node_get(from[i]) || !client_node_get(to[i]) || from[i] == to[i] ||
		    from[i]->graph != graph || to[i]->graph != graph || has(&to[i]->from, from[i]) == connect)
			error = cudaErrorInvalidValue;
	for (size_t i = 0; i < count && !error; i++) {
		if (connect)
			error = client_nodes_add(&to[i]->from, &from[i], 1, true);
		else
			nodes_remove(&to[i]->from, from[i]);
	}
	return error;
}

/* ---- CUDA's names ------------------------------------------------------- */

CLIENT_EXPORT cudaError_t cudaGraphCreate(cudaGraph_t *graph, unsigned int flags)
{
	return client_result(graph && !flags ? client_graph_new(graph) : cudaErrorInvalidValue);
}

CLIENT_EXPORT cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
	if (!client_graph_get(graph) || graph->embedded)
		return client_result(cudaErrorInvalidValue);
	client_graph_free(graph);
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaGraphClone(cudaGraph_t *clone, cudaGraph_t graph)
{
	return client_result(clone && client_graph_get(graph) ? client_graph_clone(clone, graph) :
	                                                        cudaErrorInvalidValue);
}

CLIENT_EXPORT cudaError_t cudaGraphNodeFindInClone(cudaGraphNode_t *node, cudaGraphNode_t original,
                                                   cudaGraph_t clone)
{
	if (!node || !original || !client_graph_get(clone))
		return client_result(cudaErrorInvalidValue);
	*node = client_graph_find(clone, original);
	return client_result(*node ? cudaSuccess : cudaErrorInvalidValue);
}

CLIENT_EXPORT cudaError_t cudaGraphDestroyNode(cudaGraphNode_t node)
{
	cudaGraph_t graph;

	if (!client_node_get(node))
		return client_result(cudaErrorInvalidValue);
	graph = node->graph;
	nodes_remove(&graph->node, node);
	for (size_t i = 0; i < graph->node.count; i++) {
		graph->node.at[i]->index = i;
		nodes_remove(&graph->node.at[i]->from, node);
	}
	node_free(node);
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, enum cudaGraphNodeType *type)
{
	if (!client_node_get(node) || !type)
		return client_result(cudaErrorInvalidValue);
	*type = node->work.type;
	return cudaSuccess;
}

static cudaError_t nodes_get(cudaGraph_t graph, bool roots, cudaGraphNode_t *nodes, size_t *count)
{
	if (!client_graph_get(graph) || !count)
		return client_result(cudaErrorInvalidValue);
	struct client_answer answer = {nodes, *count, 0};

	for (size_t i = 0; i < graph->node.count; i++)
		if (!roots || !graph->node.at[i]->from.count)
			client_answer_add(&answer, graph->node.at[i]);
	return client_result(client_answer_end(&answer, count));
}

CLIENT_EXPORT cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count)
{
	return nodes_get(graph, false, nodes, count);
}

CLIENT_EXPORT cudaError_t cudaGraphGetRootNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count)
{
	return nodes_get(graph, true, nodes, count);
}
