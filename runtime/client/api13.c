/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is libcudart.so.13's own. */
#include <string.h>

#include "runtime/client/graph.h"
#include "runtime/client/versions.h"

const int client_cudart_version = 13000;

CLIENT_EXPORT cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device)
{
	cudaError_t error = prop ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		error = client_device_check(device);
	return client_result(error ? error : client_device_properties(prop));
}

CLIENT_EXPORT cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *address)
{
	struct client_pointer p;
	cudaError_t error = attributes ? client_pointer_attributes(address, &p) : cudaErrorInvalidValue;

	if (error)
		return client_result(error);
	memset(attributes, 0, sizeof *attributes);
	attributes->type = p.type;
	attributes->device = p.device;
	attributes->devicePointer = p.device_pointer;
	attributes->hostPointer = p.host_pointer;
	return cudaSuccess;
}

static cudaError_t prefetch(const void *address, size_t bytes, cudaStream_t stream)
{
	uint32_t number;
	cudaError_t error = client_managed_hint(address, bytes);

	return client_result(error ? error : client_stream_number(stream, &number));
}

CLIENT_EXPORT cudaError_t cudaMemPrefetchAsync(const void *address, size_t bytes, struct cudaMemLocation location,
                                               unsigned int flags, cudaStream_t stream)
{
	return prefetch(address, bytes, stream);
}

cudaError_t cudaMemPrefetchAsync_ptsz(const void *address, size_t bytes, struct cudaMemLocation location,
                                      unsigned int flags, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemPrefetchAsync_ptsz(const void *address, size_t bytes,
                                                    struct cudaMemLocation location, unsigned int flags,
                                                    cudaStream_t stream)
{
	return prefetch(address, bytes, client_per_thread(stream));
}

CLIENT_EXPORT cudaError_t cudaMemAdvise(const void *address, size_t bytes, enum cudaMemoryAdvise advice,
                                        struct cudaMemLocation location)
{
	return client_result(client_managed_hint(address, bytes));
}

/* ---- Graphs ------------------------------------------------------------ */

CLIENT_EXPORT cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, enum cudaStreamCaptureStatus *status,
                                                   unsigned long long *id, cudaGraph_t *graph,
                                                   const cudaGraphNode_t **dependencies,
                                                   const cudaGraphEdgeData **edges, size_t *count)
{
	return client_result(client_capture_info(stream, &(struct client_capture_info){status, id, graph, dependencies,
	                                                                               edges, count}));
}

cudaError_t cudaStreamGetCaptureInfo_ptsz(cudaStream_t stream, enum cudaStreamCaptureStatus *status,
                                          unsigned long long *id, cudaGraph_t *graph,
                                          const cudaGraphNode_t **dependencies, const cudaGraphEdgeData **edges,
                                          size_t *count);
CLIENT_EXPORT cudaError_t cudaStreamGetCaptureInfo_ptsz(cudaStream_t stream, enum cudaStreamCaptureStatus *status,
                                                        unsigned long long *id, cudaGraph_t *graph,
                                                        const cudaGraphNode_t **dependencies,
                                                        const cudaGraphEdgeData **edges, size_t *count)
{
	return cudaStreamGetCaptureInfo(client_per_thread(stream), status, id, graph, dependencies, edges, count);
}

CLIENT_EXPORT cudaError_t cudaStreamUpdateCaptureDependencies(cudaStream_t stream, cudaGraphNode_t *nodes,
                                                              const cudaGraphEdgeData *edges, size_t count,
                                                              unsigned int flags)
{
	return client_result(client_capture_update(stream, nodes, edges, count, flags));
}

cudaError_t cudaStreamUpdateCaptureDependencies_ptsz(cudaStream_t stream, cudaGraphNode_t *nodes,
                                                     const cudaGraphEdgeData *edges, size_t count, unsigned int flags);
CLIENT_EXPORT cudaError_t cudaStreamUpdateCaptureDependencies_ptsz(cudaStream_t stream, cudaGraphNode_t *nodes,
                                                                   const cudaGraphEdgeData *edges, size_t count,
                                                                   unsigned int flags)
{
	return cudaStreamUpdateCaptureDependencies(client_per_thread(stream), nodes, edges, count, flags);
}

CLIENT_EXPORT cudaError_t cudaGraphGetEdges(cudaGraph_t graph, cudaGraphNode_t *from, cudaGraphNode_t *to,
                                            cudaGraphEdgeData *edges, size_t *count)
{
	return client_result(client_graph_edges(graph, from, to, edges, count));
}

CLIENT_EXPORT cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t node, cudaGraphNode_t *nodes,
                                                       cudaGraphEdgeData *edges, size_t *count)
{
	return client_result(client_node_dependencies(node, nodes, edges, count));
}

CLIENT_EXPORT cudaError_t cudaGraphNodeGetDependentNodes(cudaGraphNode_t node, cudaGraphNode_t *nodes,
                                                         cudaGraphEdgeData *edges, size_t *count)
{
	return client_result(client_node_dependents(node, nodes, edges, count));
}

CLIENT_EXPORT cudaError_t cudaGraphAddDependencies(cudaGraph_t graph, const cudaGraphNode_t *from,
                                                   const cudaGraphNode_t *to, const cudaGraphEdgeData *edges,
                                                   size_t count)
{
	return client_result(client_graph_connect(graph, from, to, edges, count, true));
}

CLIENT_EXPORT cudaError_t cudaGraphRemoveDependencies(cudaGraph_t graph, const cudaGraphNode_t *from,
                                                      const cudaGraphNode_t *to, const cudaGraphEdgeData *edges,
                                                      size_t count)
{
	return client_result(client_graph_connect(graph, from, to, edges, count, false));
}

/* ---- Pools ------------------------------------------------------------- */

/* Memory of pools is the device's. */
static cudaError_t pool_device(const struct cudaMemLocation *location, enum cudaMemAllocationType type, int *device)
{
	if (!location)
		return cudaErrorInvalidValue;
	if (type != cudaMemAllocationTypePinned || location->type != cudaMemLocationTypeDevice)
		return cudaErrorNotSupported;
	*device = location->id;
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaMemGetDefaultMemPool(cudaMemPool_t *pool, struct cudaMemLocation *location,
                                                   enum cudaMemAllocationType type)
{
	int device;
	cudaError_t error = pool_device(location, type, &device);

	return error ? client_result(error) : cudaDeviceGetDefaultMemPool(pool, device);
}

CLIENT_EXPORT cudaError_t cudaMemGetMemPool(cudaMemPool_t *pool, struct cudaMemLocation *location,
                                            enum cudaMemAllocationType type)
{
	int device;
	cudaError_t error = pool_device(location, type, &device);

	return error ? client_result(error) : cudaDeviceGetMemPool(pool, device);
}

CLIENT_EXPORT cudaError_t cudaMemSetMemPool(struct cudaMemLocation *location, enum cudaMemAllocationType type,
                                            cudaMemPool_t pool)
{
	int device;
	cudaError_t error = pool_device(location, type, &device);

	return error ? client_result(error) : cudaDeviceSetMemPool(device, pool);
}
