/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What is libcudart.so.12's own. It does not include the declarations of these functions,
 * which are CUDA 13's: names are the same, parameters are not.
 */
#define cudaGetDeviceProperties cudaGetDeviceProperties_13
#define cudaMemPrefetchAsync cudaMemPrefetchAsync_13
#define cudaMemAdvise cudaMemAdvise_13
#define cudaPointerGetAttributes cudaPointerGetAttributes_13
#define cudaStreamGetCaptureInfo cudaStreamGetCaptureInfo_13
#define cudaStreamUpdateCaptureDependencies cudaStreamUpdateCaptureDependencies_13
#define cudaGraphGetEdges cudaGraphGetEdges_13
#define cudaGraphNodeGetDependencies cudaGraphNodeGetDependencies_13
#define cudaGraphNodeGetDependentNodes cudaGraphNodeGetDependentNodes_13
#define cudaGraphAddDependencies cudaGraphAddDependencies_13
#define cudaGraphRemoveDependencies cudaGraphRemoveDependencies_13
#include "runtime/client/graph.h"
#include "runtime/client/versions.h"
#undef cudaGetDeviceProperties
#undef cudaMemPrefetchAsync
#undef cudaMemAdvise
#undef cudaPointerGetAttributes
#undef cudaStreamGetCaptureInfo
#undef cudaStreamUpdateCaptureDependencies
#undef cudaGraphGetEdges
#undef cudaGraphNodeGetDependencies
#undef cudaGraphNodeGetDependentNodes
#undef cudaGraphAddDependencies
#undef cudaGraphRemoveDependencies

#include <stddef.h>
#include <string.h>

const int client_cudart_version = 12080;

/* As in CUDA 12's driver_types.h, on which this source must not depend. */
_Static_assert(sizeof(struct client_device_prop12) == 1032, "cudaDeviceProp of CUDA 12");
_Static_assert(offsetof(struct client_device_prop12, totalConstMem) == 352, "cudaDeviceProp of CUDA 12");
_Static_assert(offsetof(struct client_device_prop12, surfaceAlignment) == 568, "cudaDeviceProp of CUDA 12");
_Static_assert(offsetof(struct client_device_prop12, hostRegisterSupported) == CLIENT_DEVICE_PROP11_BYTES,
               "cudaDeviceProp of CUDA 11 is a prefix of CUDA 12's");

/* ---- Properties -------------------------------------------------------- */

static cudaError_t properties(struct client_device_prop12 *out)
{
	const struct hetckpt_reply_device *info;
	struct cudaDeviceProp p;
	cudaError_t error = client_device_properties(&p);

	if (!error)
		error = client_device_info(&info);
	if (error)
		return error;
	memset(out, 0, sizeof *out);
#define SAME(member) memcpy(&out->member, &p.member, sizeof out->member)
	SAME(name);
	SAME(uuid);
	SAME(totalGlobalMem);
	SAME(sharedMemPerBlock);
	SAME(regsPerBlock);
	SAME(warpSize);
	SAME(memPitch);
	SAME(maxThreadsPerBlock);
	SAME(maxThreadsDim);
	SAME(maxGridSize);
	SAME(totalConstMem);
	SAME(major);
	SAME(minor);
	SAME(textureAlignment);
	SAME(texturePitchAlignment);
	SAME(multiProcessorCount);
	SAME(canMapHostMemory);
	SAME(surfaceAlignment);
	SAME(concurrentKernels);
	SAME(asyncEngineCount);
	SAME(unifiedAddressing);
	SAME(memoryBusWidth);
	SAME(l2CacheSize);
	SAME(maxThreadsPerMultiProcessor);
	SAME(streamPrioritiesSupported);
	SAME(globalL1CacheSupported);
	SAME(localL1CacheSupported);
	SAME(sharedMemPerMultiprocessor);
	SAME(regsPerMultiprocessor);
	SAME(managedMemory);
	SAME(computePreemptionSupported);
	SAME(cooperativeLaunch);
	SAME(sharedMemPerBlockOptin);
	SAME(maxBlocksPerMultiProcessor);
	SAME(hostRegisterSupported);
	SAME(hostRegisterReadOnlySupported);
#undef SAME
	out->clockRate = (int)info->clock_khz;
	out->memoryClockRate = (int)info->memory_clock_khz;
	out->deviceOverlap = 1;
	return cudaSuccess;
}

static cudaError_t properties_get(void *prop, size_t bytes, int device)
{
	struct client_device_prop12 all;
	cudaError_t error = prop ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		error = client_device_check(device);
	if (!error)
		error = properties(&all);
	if (!error)
		memcpy(prop, &all, bytes);
	return client_result(error);
}

cudaError_t cudaGetDeviceProperties_v2(struct client_device_prop12 *prop, int device);
CLIENT_EXPORT cudaError_t cudaGetDeviceProperties_v2(struct client_device_prop12 *prop, int device)
{
	return properties_get(prop, sizeof *prop, device);
}

/* For programs compiled against CUDA 11's headers, whose structure is shorter. */
cudaError_t cudaGetDeviceProperties(void *prop, int device);
CLIENT_EXPORT cudaError_t cudaGetDeviceProperties(void *prop, int device)
{
	return properties_get(prop, CLIENT_DEVICE_PROP11_BYTES, device);
}

/* ---- Addresses --------------------------------------------------------- */

cudaError_t cudaPointerGetAttributes(struct client_pointer *attributes, const void *address);
CLIENT_EXPORT cudaError_t cudaPointerGetAttributes(struct client_pointer *attributes, const void *address)
{
	return client_result(attributes ? client_pointer_attributes(address, attributes) : cudaErrorInvalidValue);
}

static cudaError_t prefetch(const void *address, size_t bytes, cudaStream_t stream)
{
	uint32_t number;
	cudaError_t error = client_managed_hint(address, bytes);

	return client_result(error ? error : client_stream_number(stream, &number));
}

cudaError_t cudaMemPrefetchAsync(const void *address, size_t bytes, int device, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemPrefetchAsync(const void *address, size_t bytes, int device, cudaStream_t stream)
{
	return prefetch(address, bytes, stream);
}

cudaError_t cudaMemPrefetchAsync_ptsz(const void *address, size_t bytes, int device, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemPrefetchAsync_ptsz(const void *address, size_t bytes, int device,
                                                    cudaStream_t stream)
{
	return prefetch(address, bytes, client_per_thread(stream));
}

cudaError_t cudaMemPrefetchAsync_v2(const void *address, size_t bytes, struct cudaMemLocation location,
                                    unsigned int flags, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemPrefetchAsync_v2(const void *address, size_t bytes,
                                                  struct cudaMemLocation location, unsigned int flags,
                                                  cudaStream_t stream)
{
	return prefetch(address, bytes, stream);
}

cudaError_t cudaMemPrefetchAsync_v2_ptsz(const void *address, size_t bytes, struct cudaMemLocation location,
                                         unsigned int flags, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemPrefetchAsync_v2_ptsz(const void *address, size_t bytes,
                                                       struct cudaMemLocation location, unsigned int flags,
                                                       cudaStream_t stream)
{
	return prefetch(address, bytes, client_per_thread(stream));
}

cudaError_t cudaMemAdvise(const void *address, size_t bytes, enum cudaMemoryAdvise advice, int device);
CLIENT_EXPORT cudaError_t cudaMemAdvise(const void *address, size_t bytes, enum cudaMemoryAdvise advice, int device)
{
	return client_result(client_managed_hint(address, bytes));
}

cudaError_t cudaMemAdvise_v2(const void *address, size_t bytes, enum cudaMemoryAdvise advice,
                             struct cudaMemLocation location);
CLIENT_EXPORT cudaError_t cudaMemAdvise_v2(const void *address, size_t bytes, enum cudaMemoryAdvise advice,
                                           struct cudaMemLocation location)
{
	return client_result(client_managed_hint(address, bytes));
}

/* ---- Events and streams ------------------------------------------------ */

cudaError_t cudaEventElapsedTime_v2(float *milliseconds, cudaEvent_t start, cudaEvent_t end);
CLIENT_EXPORT cudaError_t cudaEventElapsedTime_v2(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
	return cudaEventElapsedTime(milliseconds, start, end);
}

/* ---- Graphs ------------------------------------------------------------ */

/* Names without a number have no data on edges, those of number 2 (of the capture's, 3) have. */
#define GRAPH_CALL(name, parameters, call)                                                         \
	cudaError_t name parameters;                                                               \
	CLIENT_EXPORT cudaError_t name parameters                                                  \
	{                                                                                          \
		return client_result(call);                                                        \
	}
/* The same with the stream that stands for the thread. */
#define STREAM_CALL(name, parameters, call)                                                        \
	GRAPH_CALL(name, parameters, call)                                                         \
	cudaError_t name##_ptsz parameters;                                                        \
	CLIENT_EXPORT cudaError_t name##_ptsz parameters                                           \
	{                                                                                          \
		stream = client_per_thread(stream);                                                \
		return client_result(call);                                                        \
	}

static cudaError_t capture_info(cudaStream_t stream, enum cudaStreamCaptureStatus *status, unsigned long long *id,
                                cudaGraph_t *graph, const cudaGraphNode_t **dependencies,
                                const cudaGraphEdgeData **edges, size_t *count)
{
	struct client_capture_info info = {status, id, graph, dependencies, edges, count};

	return client_capture_info(stream, &info);
}

STREAM_CALL(cudaStreamGetCaptureInfo,
            (cudaStream_t stream, enum cudaStreamCaptureStatus *status, unsigned long long *id),
            capture_info(stream, status, id, NULL, NULL, NULL, NULL))
STREAM_CALL(cudaStreamGetCaptureInfo_v2,
            (cudaStream_t stream, enum cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph,
             const cudaGraphNode_t **dependencies, size_t *count),
            capture_info(stream, status, id, graph, dependencies, NULL, count))
STREAM_CALL(cudaStreamGetCaptureInfo_v3,
            (cudaStream_t stream, enum cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph,
             const cudaGraphNode_t **dependencies, const cudaGraphEdgeData **edges, size_t *count),
            capture_info(stream, status, id, graph, dependencies, edges, count))
STREAM_CALL(cudaStreamUpdateCaptureDependencies,
            (cudaStream_t stream, cudaGraphNode_t *nodes, size_t count, unsigned int flags),
            client_capture_update(stream, nodes, NULL, count, flags))
STREAM_CALL(cudaStreamUpdateCaptureDependencies_v2,
            (cudaStream_t stream, cudaGraphNode_t *nodes, const cudaGraphEdgeData *edges, size_t count,
             unsigned int flags),
            client_capture_update(stream, nodes, edges, count, flags))

GRAPH_CALL(cudaGraphGetEdges, (cudaGraph_t graph, cudaGraphNode_t *from, cudaGraphNode_t *to, size_t *count),
           client_graph_edges(graph, from, to, NULL, count))
GRAPH_CALL(cudaGraphGetEdges_v2,
           (cudaGraph_t graph, cudaGraphNode_t *from, cudaGraphNode_t *to, cudaGraphEdgeData *edges, size_t *count),
           client_graph_edges(graph, from, to, edges, count))
GRAPH_CALL(cudaGraphNodeGetDependencies, (cudaGraphNode_t node, cudaGraphNode_t *nodes, size_t *count),
           client_node_dependencies(node, nodes, NULL, count))
GRAPH_CALL(cudaGraphNodeGetDependencies_v2,
           (cudaGraphNode_t node, cudaGraphNode_t *nodes, cudaGraphEdgeData *edges, size_t *count),
           client_node_dependencies(node, nodes, edges, count))
GRAPH_CALL(cudaGraphNodeGetDependentNodes, (cudaGraphNode_t node, cudaGraphNode_t *nodes, size_t *count),
           client_node_dependents(node, nodes, NULL, count))
GRAPH_CALL(cudaGraphNodeGetDependentNodes_v2,
           (cudaGraphNode_t node, cudaGraphNode_t *nodes, cudaGraphEdgeData *edges, size_t *count),
           client_node_dependents(node, nodes, edges, count))
GRAPH_CALL(cudaGraphAddDependencies,
           (cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to, size_t count),
           client_graph_connect(graph, from, to, NULL, count, true))
GRAPH_CALL(cudaGraphAddDependencies_v2,
           (cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to, const cudaGraphEdgeData *edges,
            size_t count),
           client_graph_connect(graph, from, to, edges, count, true))
GRAPH_CALL(cudaGraphRemoveDependencies,
           (cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to, size_t count),
           client_graph_connect(graph, from, to, NULL, count, false))
GRAPH_CALL(cudaGraphRemoveDependencies_v2,
           (cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to, const cudaGraphEdgeData *edges,
            size_t count),
           client_graph_connect(graph, from, to, edges, count, false))

/* ---- What cudaThread... still means ------------------------------------ */

cudaError_t cudaThreadExit(void);
CLIENT_EXPORT cudaError_t cudaThreadExit(void)
{
	return cudaDeviceReset();
}

cudaError_t cudaThreadSynchronize(void);
CLIENT_EXPORT cudaError_t cudaThreadSynchronize(void)
{
	return cudaDeviceSynchronize();
}

cudaError_t cudaThreadSetLimit(enum cudaLimit limit, size_t value);
CLIENT_EXPORT cudaError_t cudaThreadSetLimit(enum cudaLimit limit, size_t value)
{
	return cudaDeviceSetLimit(limit, value);
}

cudaError_t cudaThreadGetLimit(size_t *value, enum cudaLimit limit);
CLIENT_EXPORT cudaError_t cudaThreadGetLimit(size_t *value, enum cudaLimit limit)
{
	return cudaDeviceGetLimit(value, limit);
}

cudaError_t cudaThreadSetCacheConfig(enum cudaFuncCache config);
CLIENT_EXPORT cudaError_t cudaThreadSetCacheConfig(enum cudaFuncCache config)
{
	return cudaDeviceSetCacheConfig(config);
}

cudaError_t cudaThreadGetCacheConfig(enum cudaFuncCache *config);
CLIENT_EXPORT cudaError_t cudaThreadGetCacheConfig(enum cudaFuncCache *config)
{
	return cudaDeviceGetCacheConfig(config);
}
