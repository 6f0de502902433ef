/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Streams and events for programs compiled with a default stream a thread: NULL means that. */
#include "runtime/client/client.h"

#define ON_STREAM(name, parameters, arguments)                                                     \
	cudaError_t name##_ptsz parameters;                                                        \
	CLIENT_EXPORT cudaError_t name##_ptsz parameters                                           \
	{                                                                                          \
		stream = client_per_thread(stream);                                                \
		return name arguments;                                                             \
	}

ON_STREAM(cudaStreamGetFlags, (cudaStream_t stream, unsigned int *flags), (stream, flags))
ON_STREAM(cudaStreamGetPriority, (cudaStream_t stream, int *priority), (stream, priority))
ON_STREAM(cudaStreamGetId, (cudaStream_t stream, unsigned long long *id), (stream, id))
ON_STREAM(cudaStreamGetDevice, (cudaStream_t stream, int *device), (stream, device))
ON_STREAM(cudaStreamIsCapturing, (cudaStream_t stream, enum cudaStreamCaptureStatus *status), (stream, status))
ON_STREAM(cudaStreamBeginCapture, (cudaStream_t stream, enum cudaStreamCaptureMode mode), (stream, mode))
ON_STREAM(cudaStreamBeginCaptureToGraph,
          (cudaStream_t stream, cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphEdgeData *edges,
           size_t count, enum cudaStreamCaptureMode mode),
          (stream, graph, from, edges, count, mode))
ON_STREAM(cudaStreamEndCapture, (cudaStream_t stream, cudaGraph_t *graph), (stream, graph))
ON_STREAM(cudaGraphUpload, (cudaGraphExec_t exec, cudaStream_t stream), (exec, stream))
ON_STREAM(cudaGraphLaunch, (cudaGraphExec_t exec, cudaStream_t stream), (exec, stream))
ON_STREAM(cudaStreamSynchronize, (cudaStream_t stream), (stream))
ON_STREAM(cudaStreamQuery, (cudaStream_t stream), (stream))
ON_STREAM(cudaStreamWaitEvent, (cudaStream_t stream, cudaEvent_t event, unsigned int flags),
          (stream, event, flags))
ON_STREAM(cudaStreamAddCallback,
          (cudaStream_t stream, cudaStreamCallback_t callback, void *data, unsigned int flags),
          (stream, callback, data, flags))
ON_STREAM(cudaLaunchHostFunc, (cudaStream_t stream, cudaHostFn_t function, void *data),
          (stream, function, data))
ON_STREAM(cudaEventRecord, (cudaEvent_t event, cudaStream_t stream), (event, stream))
ON_STREAM(cudaEventRecordWithFlags, (cudaEvent_t event, cudaStream_t stream, unsigned int flags),
          (event, stream, flags))

cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, void *address, size_t bytes, unsigned int flags);
ON_STREAM(cudaStreamAttachMemAsync, (cudaStream_t stream, void *address, size_t bytes, unsigned int flags),
          (stream, address, bytes, flags))

/* Its stream would only be uploaded in. */
cudaError_t cudaGraphInstantiateWithParams_ptsz(cudaGraphExec_t *exec, cudaGraph_t graph,
                                                cudaGraphInstantiateParams *params);
CLIENT_EXPORT cudaError_t cudaGraphInstantiateWithParams_ptsz(cudaGraphExec_t *exec, cudaGraph_t graph,
                                                              cudaGraphInstantiateParams *params)
{
	return cudaGraphInstantiateWithParams(exec, graph, params);
}
