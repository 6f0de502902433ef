/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cuda_runtime.h - the runtime API with C++ conveniences: typed pointers, symbols
 * by reference, kernels by name.
 */
#ifndef HETCKPT_CUDA_RUNTIME_H
#define HETCKPT_CUDA_RUNTIME_H

#include "cuda_runtime_api.h"
#include "vector_functions.h"

#ifdef __cplusplus

template <class T> static inline __host__ cudaError_t cudaMalloc(T **address, size_t bytes)
{
	return ::cudaMalloc((void **)(void *)address, bytes);
}

template <class T>
static inline __host__ cudaError_t cudaMallocPitch(T **address, size_t *pitch, size_t width,
                                                   size_t height)
{
	return ::cudaMallocPitch((void **)(void *)address, pitch, width, height);
}

template <class T>
static inline __host__ cudaError_t cudaMallocAsync(T **address, size_t bytes, cudaStream_t stream)
{
	return ::cudaMallocAsync((void **)(void *)address, bytes, stream);
}

template <class T>
static inline __host__ cudaError_t cudaMallocFromPoolAsync(T **address, size_t bytes, cudaMemPool_t pool,
                                                           cudaStream_t stream)
{
	return ::cudaMallocFromPoolAsync((void **)(void *)address, bytes, pool, stream);
}

/* As it was before CUDA 12. */
static inline __host__ cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, cudaGraphNode_t *, char *,
                                                        size_t)
{
	return ::cudaGraphInstantiate(exec, graph, 0);
}

/* CUDA's other name for it. */
template <class T>
static inline __host__ cudaError_t cudaMallocAsync(T **address, size_t bytes, cudaMemPool_t pool, cudaStream_t stream)
{
	return ::cudaMallocFromPoolAsync((void **)(void *)address, bytes, pool, stream);
}

template <class T>
static inline __host__ cudaError_t cudaMallocManaged(T **address, size_t bytes,
                                                     unsigned int flags = cudaMemAttachGlobal)
{
	return ::cudaMallocManaged((void **)(void *)address, bytes, flags);
}

template <class T>
static inline __host__ cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, T *address, size_t bytes = 0,
                                                            unsigned int flags = cudaMemAttachSingle)
{
	return ::cudaStreamAttachMemAsync(stream, (void *)address, bytes, flags);
}

template <class T>
static inline __host__ cudaError_t cudaMallocHost(T **address, size_t bytes,
                                                  unsigned int flags = cudaHostAllocDefault)
{
	return ::cudaHostAlloc((void **)(void *)address, bytes, flags);
}

template <class T>
static inline __host__ cudaError_t cudaHostAlloc(T **address, size_t bytes, unsigned int flags)
{
	return ::cudaHostAlloc((void **)(void *)address, bytes, flags);
}

template <class T>
static inline __host__ cudaError_t cudaHostGetDevicePointer(T **device, void *host, unsigned int flags)
{
	return ::cudaHostGetDevicePointer((void **)(void *)device, host, flags);
}

template <class T>
static inline __host__ cudaError_t
cudaMemcpyToSymbol(const T &symbol, const void *src, size_t bytes, size_t offset = 0,
                   enum cudaMemcpyKind kind = cudaMemcpyHostToDevice)
{
	return ::cudaMemcpyToSymbol((const void *)&symbol, src, bytes, offset, kind);
}

template <class T>
static inline __host__ cudaError_t
cudaMemcpyToSymbolAsync(const T &symbol, const void *src, size_t bytes, size_t offset = 0,
                        enum cudaMemcpyKind kind = cudaMemcpyHostToDevice, cudaStream_t stream = 0)
{
	return ::cudaMemcpyToSymbolAsync((const void *)&symbol, src, bytes, offset, kind, stream);
}

template <class T>
static inline __host__ cudaError_t
cudaMemcpyFromSymbol(void *dst, const T &symbol, size_t bytes, size_t offset = 0,
                     enum cudaMemcpyKind kind = cudaMemcpyDeviceToHost)
{
	return ::cudaMemcpyFromSymbol(dst, (const void *)&symbol, bytes, offset, kind);
}

template <class T>
static inline __host__ cudaError_t
cudaMemcpyFromSymbolAsync(void *dst, const T &symbol, size_t bytes, size_t offset = 0,
                          enum cudaMemcpyKind kind = cudaMemcpyDeviceToHost, cudaStream_t stream = 0)
{
	return ::cudaMemcpyFromSymbolAsync(dst, (const void *)&symbol, bytes, offset, kind, stream);
}

template <class T>
static inline __host__ cudaError_t cudaGetSymbolAddress(void **address, const T &symbol)
{
	return ::cudaGetSymbolAddress(address, (const void *)&symbol);
}

template <class T> static inline __host__ cudaError_t cudaGetSymbolSize(size_t *bytes, const T &symbol)
{
	return ::cudaGetSymbolSize(bytes, (const void *)&symbol);
}

static inline __host__ cudaError_t cudaEventCreate(cudaEvent_t *event, unsigned int flags)
{
	return ::cudaEventCreateWithFlags(event, flags);
}

template <class T>
static inline __host__ cudaError_t cudaFuncSetAttribute(T *function, enum cudaFuncAttribute attr,
                                                        int value)
{
	return ::cudaFuncSetAttribute((const void *)function, attr, value);
}

template <class T>
static inline __host__ cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes,
                                                         T *function)
{
	return ::cudaFuncGetAttributes(attributes, (const void *)function);
}

template <class T>
static inline __host__ cudaError_t cudaFuncSetCacheConfig(T *function, enum cudaFuncCache config)
{
	return ::cudaFuncSetCacheConfig((const void *)function, config);
}

template <class T>
static inline __host__ cudaError_t cudaLaunchKernel(T *function, dim3 grid, dim3 block,
                                                    void **arguments, size_t shared_bytes = 0,
                                                    cudaStream_t stream = 0)
{
	return ::cudaLaunchKernel((const void *)function, grid, block, arguments, shared_bytes, stream);
}

template <class T>
static inline __host__ cudaError_t cudaLaunchCooperativeKernel(T *function, dim3 grid, dim3 block,
                                                               void **arguments,
                                                               size_t shared_bytes = 0,
                                                               cudaStream_t stream = 0)
{
	return ::cudaLaunchCooperativeKernel((const void *)function, grid, block, arguments,
	                                     shared_bytes, stream);
}

/* The addresses of the parameters after conversion to what the kernel takes. */
template <class... Parameters, class... Arguments>
static inline __host__ cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config,
                                                      void (*kernel)(Parameters...),
                                                      Arguments &&...arguments)
{
	return [&](Parameters... converted) {
		void *addresses[sizeof...(Parameters) + 1] = {(void *)&converted...};

		return ::cudaLaunchKernelExC(config, (const void *)kernel, addresses);
	}(static_cast<Arguments &&>(arguments)...);
}

template <class T>
static inline __host__ cudaError_t
cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, T function, int threads, size_t shared_bytes)
{
	return ::cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, (const void *)function, threads,
	                                                       shared_bytes);
}

template <class T>
static inline __host__ cudaError_t
cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, T function, int threads, size_t shared_bytes,
                                                       unsigned int flags)
{
	return ::cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, (const void *)function, threads,
	                                                                shared_bytes, flags);
}

template <class T>
static inline __host__ cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t *bytes, T function, int blocks,
                                                                             int threads)
{
	return ::cudaOccupancyAvailableDynamicSMemPerBlock(bytes, (const void *)function, blocks, threads);
}

/*
 * The block size with the most resident threads a multiprocessor, from the
 * kernel's limit down in whole warps; among equals the largest block.
 */
template <class F, class T>
static inline __host__ cudaError_t
cudaOccupancyMaxPotentialBlockSizeVariableSMem(int *grid, int *block, T function, F shared_bytes_for,
                                               int limit = 0)
{
	struct cudaFuncAttributes attributes;
	int device, processors, best = 0, best_threads = 0;
	cudaError_t error = ::cudaFuncGetAttributes(&attributes, (const void *)function);

	if (error == cudaSuccess)
		error = ::cudaGetDevice(&device);
	if (error == cudaSuccess)
		error = ::cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
	if (error != cudaSuccess)
		return error;
	if (limit <= 0 || limit > attributes.maxThreadsPerBlock)
		limit = attributes.maxThreadsPerBlock;
	for (int threads = (limit + 31) / 32 * 32; threads > 0; threads -= 32) {
		int size = threads < limit ? threads : limit, blocks = 0;

		error = ::cudaOccupancyMaxActiveBlocksPerMultiprocessor(
			&blocks, (const void *)function, size, shared_bytes_for(size));
		if (error != cudaSuccess)
			return error;
		if (size * blocks > best_threads) {
			best_threads = size * blocks;
			best = size;
			*grid = blocks * processors;
		}
	}
	*block = best;
	return best ? cudaSuccess : cudaErrorInvalidConfiguration;
}

template <class T>
static inline __host__ cudaError_t cudaOccupancyMaxPotentialBlockSize(int *grid, int *block, T function,
                                                                      size_t shared_bytes = 0,
                                                                      int limit = 0)
{
	return cudaOccupancyMaxPotentialBlockSizeVariableSMem(
		grid, block, function, [=](int) { return shared_bytes; }, limit);
}

#endif
#endif
