/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cuda_runtime_api.h - the CUDA runtime API that the project's libcudart exports.
 *
 * Plain C; cuda_runtime.h adds the C++ conveniences. Calls that NVIDIA's library
 * has and this list has not (textures, external memory) are not
 * supported by the runtime, so a program that needs them fails when it is
 * compiled instead of when it runs.
 */
#ifndef HETCKPT_CUDA_RUNTIME_API_H
#define HETCKPT_CUDA_RUNTIME_API_H

#include "driver_types.h"

#define CUDART_VERSION 13000

#ifdef __cplusplus
#define HETCKPT_OR_(value) = value
extern "C" {
#else
#define HETCKPT_OR_(value)
#endif

/* Device */
__host__ cudaError_t cudaGetDeviceCount(int *count);
__host__ cudaError_t cudaSetDevice(int device);
__host__ cudaError_t cudaGetDevice(int *device);
__host__ cudaError_t cudaInitDevice(int device, unsigned int device_flags, unsigned int flags);
__host__ cudaError_t cudaSetValidDevices(int *devices, int count);
__host__ cudaError_t cudaSetDeviceFlags(unsigned int flags);
__host__ cudaError_t cudaGetDeviceFlags(unsigned int *flags);
__host__ cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device);
__host__ cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attr, int device);
__host__ cudaError_t cudaChooseDevice(int *device, const struct cudaDeviceProp *prop);
__host__ cudaError_t cudaDeviceSynchronize(void);
__host__ cudaError_t cudaDeviceReset(void);
__host__ cudaError_t cudaDeviceSetLimit(enum cudaLimit limit, size_t value);
__host__ cudaError_t cudaDeviceGetLimit(size_t *value, enum cudaLimit limit);
__host__ cudaError_t cudaDeviceSetCacheConfig(enum cudaFuncCache config);
__host__ cudaError_t cudaDeviceGetCacheConfig(enum cudaFuncCache *config);
__host__ cudaError_t cudaDeviceSetSharedMemConfig(enum cudaSharedMemConfig config);
__host__ cudaError_t cudaDeviceGetSharedMemConfig(enum cudaSharedMemConfig *config);
__host__ cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest);
__host__ cudaError_t cudaDeviceGetByPCIBusId(int *device, const char *bus_id);
__host__ cudaError_t cudaDeviceGetPCIBusId(char *bus_id, int length, int device);
__host__ cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer);
__host__ cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned int flags);
__host__ cudaError_t cudaDeviceDisablePeerAccess(int peer);
__host__ cudaError_t cudaDeviceGetP2PAttribute(int *value, enum cudaDeviceP2PAttr attr, int source,
                                               int destination);
__host__ cudaError_t cudaDriverGetVersion(int *version);
__host__ cudaError_t cudaRuntimeGetVersion(int *version);
__host__ cudaError_t cudaProfilerStart(void);
__host__ cudaError_t cudaProfilerStop(void);

/* Errors */
__host__ cudaError_t cudaGetLastError(void);
__host__ cudaError_t cudaPeekAtLastError(void);
__host__ const char *cudaGetErrorName(cudaError_t error);
__host__ const char *cudaGetErrorString(cudaError_t error);

/* Memory */
__host__ cudaError_t cudaMalloc(void **address, size_t bytes);
__host__ cudaError_t cudaMallocPitch(void **address, size_t *pitch, size_t width, size_t height);
__host__ cudaError_t cudaMalloc3D(struct cudaPitchedPtr *address, struct cudaExtent extent);
__host__ cudaError_t cudaMallocAsync(void **address, size_t bytes, cudaStream_t stream);
__host__ cudaError_t cudaMallocManaged(void **address, size_t bytes,
                                       unsigned int flags HETCKPT_OR_(cudaMemAttachGlobal));
__host__ cudaError_t cudaFree(void *address);
__host__ cudaError_t cudaFreeAsync(void *address, cudaStream_t stream);
__host__ cudaError_t cudaMallocHost(void **address, size_t bytes);
__host__ cudaError_t cudaHostAlloc(void **address, size_t bytes, unsigned int flags);
__host__ cudaError_t cudaFreeHost(void *address);
__host__ cudaError_t cudaHostRegister(void *address, size_t bytes, unsigned int flags);
__host__ cudaError_t cudaHostUnregister(void *address);
__host__ cudaError_t cudaHostGetDevicePointer(void **device, void *host, unsigned int flags);
__host__ cudaError_t cudaHostGetFlags(unsigned int *flags, void *host);
__host__ cudaError_t cudaMemGetInfo(size_t *available, size_t *total);
__host__ cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes,
                                              const void *address);
__host__ cudaError_t cudaMemPrefetchAsync(const void *address, size_t bytes,
                                          struct cudaMemLocation location, unsigned int flags,
                                          cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaMemAdvise(const void *address, size_t bytes, enum cudaMemoryAdvise advice,
                                   struct cudaMemLocation location);

/* Memory pools */
__host__ cudaError_t cudaMallocFromPoolAsync(void **address, size_t bytes, cudaMemPool_t pool, cudaStream_t stream);
__host__ cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const struct cudaMemPoolProps *props);
__host__ cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool);
__host__ cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t keep);
__host__ cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr attribute, void *value);
__host__ cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr attribute, void *value);
__host__ cudaError_t cudaMemPoolSetAccess(cudaMemPool_t pool, const struct cudaMemAccessDesc *list, size_t count);
__host__ cudaError_t cudaMemPoolGetAccess(enum cudaMemAccessFlags *flags, cudaMemPool_t pool,
                                          struct cudaMemLocation *location);
__host__ cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device);
__host__ cudaError_t cudaDeviceGetMemPool(cudaMemPool_t *pool, int device);
__host__ cudaError_t cudaDeviceSetMemPool(int device, cudaMemPool_t pool);
__host__ cudaError_t cudaMemGetDefaultMemPool(cudaMemPool_t *pool, struct cudaMemLocation *location,
                                              enum cudaMemAllocationType type);
__host__ cudaError_t cudaMemGetMemPool(cudaMemPool_t *pool, struct cudaMemLocation *location,
                                       enum cudaMemAllocationType type);
__host__ cudaError_t cudaMemSetMemPool(struct cudaMemLocation *location, enum cudaMemAllocationType type,
                                       cudaMemPool_t pool);

/* Copies and fills */
__host__ cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind);
__host__ cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes,
                                     enum cudaMemcpyKind kind, cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaMemcpyPeer(void *dst, int dst_device, const void *src, int src_device,
                                    size_t bytes);
__host__ cudaError_t cudaMemcpyPeerAsync(void *dst, int dst_device, const void *src, int src_device,
                                         size_t bytes, cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaMemcpy2D(void *dst, size_t dst_pitch, const void *src, size_t src_pitch,
                                  size_t width, size_t height, enum cudaMemcpyKind kind);
__host__ cudaError_t cudaMemcpy2DAsync(void *dst, size_t dst_pitch, const void *src, size_t src_pitch,
                                       size_t width, size_t height, enum cudaMemcpyKind kind,
                                       cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaMemcpy3D(const struct cudaMemcpy3DParms *copy);
__host__ cudaError_t cudaMemcpy3DAsync(const struct cudaMemcpy3DParms *copy,
                                       cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaMemcpyToSymbol(const void *symbol, const void *src, size_t bytes,
                                        size_t offset HETCKPT_OR_(0),
                                        enum cudaMemcpyKind kind HETCKPT_OR_(cudaMemcpyHostToDevice));
__host__ cudaError_t cudaMemcpyFromSymbol(void *dst, const void *symbol, size_t bytes,
                                          size_t offset HETCKPT_OR_(0),
                                          enum cudaMemcpyKind kind HETCKPT_OR_(cudaMemcpyDeviceToHost));
__host__ cudaError_t cudaMemcpyToSymbolAsync(const void *symbol, const void *src, size_t bytes,
                                             size_t offset, enum cudaMemcpyKind kind,
                                             cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaMemcpyFromSymbolAsync(void *dst, const void *symbol, size_t bytes,
                                               size_t offset, enum cudaMemcpyKind kind,
                                               cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaMemset(void *address, int value, size_t bytes);
__host__ cudaError_t cudaMemset2D(void *address, size_t pitch, int value, size_t width, size_t height);
__host__ cudaError_t cudaMemset3D(struct cudaPitchedPtr address, int value, struct cudaExtent extent);
__host__ cudaError_t cudaMemsetAsync(void *address, int value, size_t bytes,
                                     cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaMemset2DAsync(void *address, size_t pitch, int value, size_t width,
                                       size_t height, cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaMemset3DAsync(struct cudaPitchedPtr address, int value,
                                       struct cudaExtent extent, cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaGetSymbolAddress(void **address, const void *symbol);
__host__ cudaError_t cudaGetSymbolSize(size_t *bytes, const void *symbol);

/* Streams */
__host__ cudaError_t cudaStreamCreate(cudaStream_t *stream);
__host__ cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags);
__host__ cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned int flags, int priority);
__host__ cudaError_t cudaStreamDestroy(cudaStream_t stream);
__host__ cudaError_t cudaStreamGetPriority(cudaStream_t stream, int *priority);
__host__ cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned int *flags);
__host__ cudaError_t cudaStreamGetId(cudaStream_t stream, unsigned long long *id);
__host__ cudaError_t cudaStreamGetDevice(cudaStream_t stream, int *device);
__host__ cudaError_t cudaStreamSynchronize(cudaStream_t stream);
__host__ cudaError_t cudaStreamQuery(cudaStream_t stream);
__host__ cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event,
                                         unsigned int flags HETCKPT_OR_(0));
__host__ cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t callback,
                                           void *data, unsigned int flags);
__host__ cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, void *address, size_t bytes HETCKPT_OR_(0),
                                              unsigned int flags HETCKPT_OR_(cudaMemAttachSingle));
__host__ cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *data);

/* Events */
__host__ cudaError_t cudaEventCreate(cudaEvent_t *event);
__host__ cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags);
__host__ cudaError_t cudaEventDestroy(cudaEvent_t event);
__host__ cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream HETCKPT_OR_(0));
__host__ cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream HETCKPT_OR_(0),
                                              unsigned int flags HETCKPT_OR_(0));
__host__ cudaError_t cudaEventQuery(cudaEvent_t event);
__host__ cudaError_t cudaEventSynchronize(cudaEvent_t event);
__host__ cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end);

/* Launches */
__host__ cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments,
                                      size_t shared_bytes, cudaStream_t stream);
__host__ cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *function,
                                         void **arguments);
__host__ cudaError_t cudaLaunchCooperativeKernel(const void *function, dim3 grid, dim3 block,
                                                 void **arguments, size_t shared_bytes,
                                                 cudaStream_t stream);
__host__ cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function);
__host__ cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attr, int value);
__host__ cudaError_t cudaFuncSetCacheConfig(const void *function, enum cudaFuncCache config);
__host__ cudaError_t cudaFuncSetSharedMemConfig(const void *function, enum cudaSharedMemConfig config);
__host__ cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function,
                                                                   int threads, size_t shared_bytes);
__host__ cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks,
                                                                            const void *function,
                                                                            int threads,
                                                                            size_t shared_bytes,
                                                                            unsigned int flags);
__host__ cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t *bytes, const void *function, int blocks,
                                                               int threads);

/* Capture */
__host__ cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode);
__host__ cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t stream, cudaGraph_t graph,
                                                   const cudaGraphNode_t *from, const cudaGraphEdgeData *edges,
                                                   size_t count, enum cudaStreamCaptureMode mode);
__host__ cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
__host__ cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status);
__host__ cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, enum cudaStreamCaptureStatus *status,
                                              unsigned long long *id HETCKPT_OR_(0),
                                              cudaGraph_t *graph HETCKPT_OR_(0),
                                              const cudaGraphNode_t **dependencies HETCKPT_OR_(0),
                                              const cudaGraphEdgeData **edges HETCKPT_OR_(0),
                                              size_t *count HETCKPT_OR_(0));
__host__ cudaError_t cudaStreamUpdateCaptureDependencies(cudaStream_t stream, cudaGraphNode_t *nodes,
                                                         const cudaGraphEdgeData *edges, size_t count,
                                                         unsigned int flags HETCKPT_OR_(0));
__host__ cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode);

/* Graphs */
__host__ cudaError_t cudaGraphCreate(cudaGraph_t *graph, unsigned int flags);
__host__ cudaError_t cudaGraphDestroy(cudaGraph_t graph);
__host__ cudaError_t cudaGraphClone(cudaGraph_t *clone, cudaGraph_t graph);
__host__ cudaError_t cudaGraphNodeFindInClone(cudaGraphNode_t *node, cudaGraphNode_t original,
                                              cudaGraph_t clone);
__host__ cudaError_t cudaGraphDestroyNode(cudaGraphNode_t node);
__host__ cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, enum cudaGraphNodeType *type);
__host__ cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count);
__host__ cudaError_t cudaGraphGetRootNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count);
__host__ cudaError_t cudaGraphGetEdges(cudaGraph_t graph, cudaGraphNode_t *from, cudaGraphNode_t *to,
                                       cudaGraphEdgeData *edges, size_t *count);
__host__ cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t node, cudaGraphNode_t *nodes,
                                                  cudaGraphEdgeData *edges, size_t *count);
__host__ cudaError_t cudaGraphNodeGetDependentNodes(cudaGraphNode_t node, cudaGraphNode_t *nodes,
                                                    cudaGraphEdgeData *edges, size_t *count);
__host__ cudaError_t cudaGraphAddDependencies(cudaGraph_t graph, const cudaGraphNode_t *from,
                                              const cudaGraphNode_t *to, const cudaGraphEdgeData *edges,
                                              size_t count);
__host__ cudaError_t cudaGraphRemoveDependencies(cudaGraph_t graph, const cudaGraphNode_t *from,
                                                 const cudaGraphNode_t *to, const cudaGraphEdgeData *edges,
                                                 size_t count);

/* Nodes */
__host__ cudaError_t cudaGraphAddKernelNode(cudaGraphNode_t *node, cudaGraph_t graph,
                                            const cudaGraphNode_t *from, size_t count,
                                            const struct cudaKernelNodeParams *params);
__host__ cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, struct cudaKernelNodeParams *params);
__host__ cudaError_t cudaGraphKernelNodeSetParams(cudaGraphNode_t node,
                                                  const struct cudaKernelNodeParams *params);
__host__ cudaError_t cudaGraphAddMemcpyNode(cudaGraphNode_t *node, cudaGraph_t graph,
                                            const cudaGraphNode_t *from, size_t count,
                                            const struct cudaMemcpy3DParms *params);
__host__ cudaError_t cudaGraphAddMemcpyNode1D(cudaGraphNode_t *node, cudaGraph_t graph,
                                              const cudaGraphNode_t *from, size_t count, void *dst,
                                              const void *src, size_t bytes, enum cudaMemcpyKind kind);
__host__ cudaError_t cudaGraphMemcpyNodeSetParams(cudaGraphNode_t node, const struct cudaMemcpy3DParms *params);
__host__ cudaError_t cudaGraphMemcpyNodeSetParams1D(cudaGraphNode_t node, void *dst, const void *src,
                                                    size_t bytes, enum cudaMemcpyKind kind);
__host__ cudaError_t cudaGraphAddMemsetNode(cudaGraphNode_t *node, cudaGraph_t graph,
                                            const cudaGraphNode_t *from, size_t count,
                                            const struct cudaMemsetParams *params);
__host__ cudaError_t cudaGraphMemsetNodeGetParams(cudaGraphNode_t node, struct cudaMemsetParams *params);
__host__ cudaError_t cudaGraphMemsetNodeSetParams(cudaGraphNode_t node, const struct cudaMemsetParams *params);
__host__ cudaError_t cudaGraphAddHostNode(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *from,
                                          size_t count, const struct cudaHostNodeParams *params);
__host__ cudaError_t cudaGraphHostNodeGetParams(cudaGraphNode_t node, struct cudaHostNodeParams *params);
__host__ cudaError_t cudaGraphHostNodeSetParams(cudaGraphNode_t node, const struct cudaHostNodeParams *params);
__host__ cudaError_t cudaGraphAddEmptyNode(cudaGraphNode_t *node, cudaGraph_t graph,
                                           const cudaGraphNode_t *from, size_t count);
__host__ cudaError_t cudaGraphAddChildGraphNode(cudaGraphNode_t *node, cudaGraph_t graph,
                                                const cudaGraphNode_t *from, size_t count, cudaGraph_t child);
__host__ cudaError_t cudaGraphChildGraphNodeGetGraph(cudaGraphNode_t node, cudaGraph_t *graph);
__host__ cudaError_t cudaGraphAddEventRecordNode(cudaGraphNode_t *node, cudaGraph_t graph,
                                                 const cudaGraphNode_t *from, size_t count, cudaEvent_t event);
__host__ cudaError_t cudaGraphEventRecordNodeGetEvent(cudaGraphNode_t node, cudaEvent_t *event);
__host__ cudaError_t cudaGraphEventRecordNodeSetEvent(cudaGraphNode_t node, cudaEvent_t event);
__host__ cudaError_t cudaGraphAddEventWaitNode(cudaGraphNode_t *node, cudaGraph_t graph,
                                               const cudaGraphNode_t *from, size_t count, cudaEvent_t event);
__host__ cudaError_t cudaGraphEventWaitNodeGetEvent(cudaGraphNode_t node, cudaEvent_t *event);
__host__ cudaError_t cudaGraphEventWaitNodeSetEvent(cudaGraphNode_t node, cudaEvent_t event);

/* Instantiated graphs */
__host__ cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                                          unsigned long long flags HETCKPT_OR_(0));
__host__ cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t graph,
                                                   unsigned long long flags HETCKPT_OR_(0));
__host__ cudaError_t cudaGraphInstantiateWithParams(cudaGraphExec_t *exec, cudaGraph_t graph,
                                                    cudaGraphInstantiateParams *params);
__host__ cudaError_t cudaGraphExecGetFlags(cudaGraphExec_t exec, unsigned long long *flags);
__host__ cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                         cudaGraphExecUpdateResultInfo *info);
__host__ cudaError_t cudaGraphExecKernelNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                      const struct cudaKernelNodeParams *params);
__host__ cudaError_t cudaGraphExecMemcpyNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                      const struct cudaMemcpy3DParms *params);
__host__ cudaError_t cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t exec, cudaGraphNode_t node, void *dst,
                                                        const void *src, size_t bytes,
                                                        enum cudaMemcpyKind kind);
__host__ cudaError_t cudaGraphExecMemsetNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                      const struct cudaMemsetParams *params);
__host__ cudaError_t cudaGraphExecHostNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                    const struct cudaHostNodeParams *params);
__host__ cudaError_t cudaGraphExecChildGraphNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                          cudaGraph_t graph);
__host__ cudaError_t cudaGraphExecEventRecordNodeSetEvent(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                          cudaEvent_t event);
__host__ cudaError_t cudaGraphExecEventWaitNodeSetEvent(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                        cudaEvent_t event);
__host__ cudaError_t cudaGraphNodeSetEnabled(cudaGraphExec_t exec, cudaGraphNode_t node, unsigned int enabled);
__host__ cudaError_t cudaGraphNodeGetEnabled(cudaGraphExec_t exec, cudaGraphNode_t node, unsigned int *enabled);
__host__ cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream);
__host__ cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
__host__ cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

/* What compiled launches call: f<<<grid, block, shared_bytes, stream>>>(). */
__host__ unsigned int __cudaPushCallConfiguration(dim3 grid, dim3 block,
                                                  size_t shared_bytes HETCKPT_OR_(0),
                                                  struct CUstream_st *stream HETCKPT_OR_(0));
__host__ cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes,
                                                void *stream);

#ifdef __cplusplus
}
#endif
#undef HETCKPT_OR_

#endif
