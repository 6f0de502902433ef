/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What the device tells about itself: cudaDeviceProp and cudaDevAttr. Facts that the worker
 * does not know have the value that makes programs do without: no textures, no pools.
 */
#include <string.h>

#include "runtime/client/client.h"

#define PITCH_MAX 0x7fffffff
#define CONSTANT_BYTES 65536
#define WARP 32
#define ALIGNMENT 512

cudaError_t client_device_properties(struct cudaDeviceProp *p)
{
	const struct hetckpt_reply_device *info;
	cudaError_t error = client_device_info(&info);

	if (error)
		return error;
	memset(p, 0, sizeof *p);
	memcpy(p->name, info->name, sizeof p->name); /* terminated by client_device_info */
	/* Stays the same when the session moves, as programs expect of it. */
	memcpy(p->uuid.bytes, "hetckpt-device-0", sizeof p->uuid.bytes);
	p->totalGlobalMem = info->total_bytes;
	p->sharedMemPerBlock = info->shared_per_block;
	p->sharedMemPerBlockOptin = info->shared_per_block_optin;
	p->sharedMemPerMultiprocessor = info->shared_per_sm;
	p->regsPerBlock = p->regsPerMultiprocessor = (int)info->regs_per_block;
	p->warpSize = WARP;
	p->memPitch = PITCH_MAX;
	p->maxThreadsPerBlock = (int)info->max_threads_per_block;
	p->maxThreadsPerMultiProcessor = (int)info->max_threads_per_sm;
	for (int i = 0; i < 3; i++) {
		p->maxThreadsDim[i] = (int)info->max_block[i];
		p->maxGridSize[i] = (int)info->max_grid[i];
	}
	p->totalConstMem = CONSTANT_BYTES;
	p->major = (int)info->major;
	p->minor = (int)info->minor;
	p->textureAlignment = p->texturePitchAlignment = p->surfaceAlignment = ALIGNMENT;
	p->multiProcessorCount = (int)info->sm_count;
	p->canMapHostMemory = 1;
	p->concurrentKernels = 1;
	p->asyncEngineCount = 2;
	p->unifiedAddressing = 1;
	p->memoryBusWidth = (int)info->bus_width;
	p->l2CacheSize = (int)info->l2_bytes;
	p->streamPrioritiesSupported = 1;
	p->globalL1CacheSupported = p->localL1CacheSupported = 1;
	p->managedMemory = 1;
	p->computePreemptionSupported = 1;
	p->cooperativeLaunch = 1;
	p->maxBlocksPerMultiProcessor = (int)info->max_blocks_per_sm;
	p->hostRegisterSupported = p->hostRegisterReadOnlySupported = 1;
	p->memoryPoolsSupported = 1;
	p->deviceNumaId = p->hostNumaId = -1;
	return cudaSuccess;
}

/* An attribute that is a member of the structure. */
#define MEMBER(attribute, member)                                                                  \
	case attribute:                                                                            \
		*value = (int)p.member;                                                            \
		break

static cudaError_t attribute_get(int *value, enum cudaDeviceAttr attribute)
{
	const struct hetckpt_reply_device *info;
	struct cudaDeviceProp p;
	cudaError_t error = client_device_properties(&p);

	if (!error)
		error = client_device_info(&info);
	if (error)
		return error;
	switch ((int)attribute) {
	MEMBER(cudaDevAttrMaxThreadsPerBlock, maxThreadsPerBlock);
	MEMBER(cudaDevAttrMaxBlockDimX, maxThreadsDim[0]);
	MEMBER(cudaDevAttrMaxBlockDimY, maxThreadsDim[1]);
	MEMBER(cudaDevAttrMaxBlockDimZ, maxThreadsDim[2]);
	MEMBER(cudaDevAttrMaxGridDimX, maxGridSize[0]);
	MEMBER(cudaDevAttrMaxGridDimY, maxGridSize[1]);
	MEMBER(cudaDevAttrMaxGridDimZ, maxGridSize[2]);
	MEMBER(cudaDevAttrMaxSharedMemoryPerBlock, sharedMemPerBlock);
	MEMBER(cudaDevAttrTotalConstantMemory, totalConstMem);
	MEMBER(cudaDevAttrWarpSize, warpSize);
	MEMBER(cudaDevAttrMaxPitch, memPitch);
	MEMBER(cudaDevAttrMaxRegistersPerBlock, regsPerBlock);
	MEMBER(cudaDevAttrTextureAlignment, textureAlignment);
	MEMBER(cudaDevAttrTexturePitchAlignment, texturePitchAlignment);
	MEMBER(cudaDevAttrSurfaceAlignment, surfaceAlignment);
	MEMBER(cudaDevAttrMultiProcessorCount, multiProcessorCount);
	MEMBER(cudaDevAttrIntegrated, integrated);
	MEMBER(cudaDevAttrCanMapHostMemory, canMapHostMemory);
	MEMBER(cudaDevAttrConcurrentKernels, concurrentKernels);
	MEMBER(cudaDevAttrAsyncEngineCount, asyncEngineCount);
	MEMBER(cudaDevAttrUnifiedAddressing, unifiedAddressing);
	MEMBER(cudaDevAttrGlobalMemoryBusWidth, memoryBusWidth);
	MEMBER(cudaDevAttrL2CacheSize, l2CacheSize);
	MEMBER(cudaDevAttrMaxThreadsPerMultiProcessor, maxThreadsPerMultiProcessor);
	MEMBER(cudaDevAttrComputeCapabilityMajor, major);
	MEMBER(cudaDevAttrComputeCapabilityMinor, minor);
	MEMBER(cudaDevAttrStreamPrioritiesSupported, streamPrioritiesSupported);
	MEMBER(cudaDevAttrGlobalL1CacheSupported, globalL1CacheSupported);
	MEMBER(cudaDevAttrLocalL1CacheSupported, localL1CacheSupported);
	MEMBER(cudaDevAttrMaxSharedMemoryPerMultiprocessor, sharedMemPerMultiprocessor);
	MEMBER(cudaDevAttrMaxRegistersPerMultiprocessor, regsPerMultiprocessor);
	MEMBER(cudaDevAttrManagedMemory, managedMemory);
	MEMBER(cudaDevAttrComputePreemptionSupported, computePreemptionSupported);
	MEMBER(cudaDevAttrCooperativeLaunch, cooperativeLaunch);
	MEMBER(cudaDevAttrMaxSharedMemoryPerBlockOptin, sharedMemPerBlockOptin);
	MEMBER(cudaDevAttrHostRegisterSupported, hostRegisterSupported);
	MEMBER(cudaDevAttrHostRegisterReadOnlySupported, hostRegisterReadOnlySupported);
	MEMBER(cudaDevAttrMaxBlocksPerMultiprocessor, maxBlocksPerMultiProcessor);
	MEMBER(cudaDevAttrMemoryPoolsSupported, memoryPoolsSupported);
	MEMBER(cudaDevAttrNumaId, deviceNumaId);
	MEMBER(cudaDevAttrHostNumaId, hostNumaId);
	case cudaDevAttrClockRate:
		*value = (int)info->clock_khz;
		break;
	case cudaDevAttrMemoryClockRate:
		*value = (int)info->memory_clock_khz;
		break;
	case cudaDevAttrGpuOverlap:
		*value = 1;
		break;
	default:
		/* Textures, pools, clusters, peers, and what programs ask for to use them. */
		if (attribute < cudaDevAttrMaxThreadsPerBlock ||
		    attribute > cudaDevAttrOnlyPartialHostNativeAtomicSupported)
			return cudaErrorInvalidValue;
		*value = 0;
		break;
	}
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
	cudaError_t error = value ? client_enter() : cudaErrorInvalidValue;

	if (!error)
		error = client_device_check(device);
	return client_result(error ? error : attribute_get(value, attribute));
}
