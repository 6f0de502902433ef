/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * abi_facts.h - what must be the same in the project's headers and in NVIDIA's: included by
 * two sources that each make a table of it, one from either headers.
 */
#include <stddef.h>

#include "tests/unit/client/abi.h"

#define VALUE(name) {#name, (long long)(name)},
#define SIZE(type) {"sizeof " #type, (long long)sizeof(type)},
#define OFFSET(type, member) {#type "." #member, (long long)offsetof(type, member)},
#define PROP(member)                                                                               \
	OFFSET(struct cudaDeviceProp, member)                                                      \
	{"sizeof " #member, (long long)sizeof(((struct cudaDeviceProp *)0)->member)},

const struct abi_fact ABI_TABLE[] = {
#define ERROR(name, text) VALUE(name)
#include "runtime/client/error_texts.h"
#undef ERROR
	SIZE(dim3) SIZE(struct cudaDeviceProp) SIZE(struct cudaPointerAttributes) SIZE(struct cudaFuncAttributes)
	SIZE(struct cudaPitchedPtr) SIZE(struct cudaExtent) SIZE(struct cudaPos) SIZE(struct cudaMemcpy3DParms)
	SIZE(struct cudaMemcpy3DPeerParms) SIZE(struct cudaMemLocation) SIZE(cudaLaunchConfig_t)
	SIZE(cudaLaunchAttribute) SIZE(enum cudaMemcpyKind) SIZE(struct cudaMemPoolProps) SIZE(struct cudaMemAccessDesc)
	OFFSET(struct cudaMemPoolProps, handleTypes) OFFSET(struct cudaMemPoolProps, location)
	OFFSET(struct cudaMemPoolProps, maxSize) OFFSET(struct cudaMemAccessDesc, flags)
	OFFSET(struct cudaMemcpy3DParms, srcPos) OFFSET(struct cudaMemcpy3DParms, srcPtr)
	OFFSET(struct cudaMemcpy3DParms, dstArray) OFFSET(struct cudaMemcpy3DParms, dstPos)
	OFFSET(struct cudaMemcpy3DParms, dstPtr) OFFSET(struct cudaMemcpy3DParms, extent)
	OFFSET(struct cudaMemcpy3DParms, kind)
	OFFSET(struct cudaMemcpy3DPeerParms, srcDevice) OFFSET(struct cudaMemcpy3DPeerParms, dstPtr)
	OFFSET(struct cudaMemcpy3DPeerParms, dstDevice) OFFSET(struct cudaMemcpy3DPeerParms, extent)
	OFFSET(struct cudaPointerAttributes, device) OFFSET(struct cudaPointerAttributes, devicePointer)
	OFFSET(struct cudaPointerAttributes, hostPointer)
	OFFSET(struct cudaFuncAttributes, constSizeBytes) OFFSET(struct cudaFuncAttributes, localSizeBytes)
	OFFSET(struct cudaFuncAttributes, maxThreadsPerBlock) OFFSET(struct cudaFuncAttributes, numRegs)
	OFFSET(struct cudaFuncAttributes, ptxVersion) OFFSET(struct cudaFuncAttributes, binaryVersion)
	OFFSET(struct cudaFuncAttributes, maxDynamicSharedSizeBytes)
	OFFSET(struct cudaFuncAttributes, preferredShmemCarveout)
	OFFSET(cudaLaunchConfig_t, blockDim) OFFSET(cudaLaunchConfig_t, dynamicSmemBytes)
	OFFSET(cudaLaunchConfig_t, stream) OFFSET(cudaLaunchConfig_t, attrs) OFFSET(cudaLaunchConfig_t, numAttrs)
	OFFSET(cudaLaunchAttribute, val)
	PROP(name) PROP(uuid) PROP(luid) PROP(luidDeviceNodeMask) PROP(totalGlobalMem) PROP(sharedMemPerBlock)
	PROP(regsPerBlock) PROP(warpSize) PROP(memPitch) PROP(maxThreadsPerBlock) PROP(maxThreadsDim)
	PROP(maxGridSize) PROP(totalConstMem) PROP(major) PROP(minor) PROP(textureAlignment)
	PROP(texturePitchAlignment) PROP(multiProcessorCount) PROP(integrated) PROP(canMapHostMemory)
	PROP(maxTexture1D) PROP(maxTexture2D) PROP(maxTexture2DLinear) PROP(maxTexture3D) PROP(maxTexture3DAlt)
	PROP(maxTextureCubemap) PROP(maxSurface1D) PROP(maxSurface3D) PROP(maxSurfaceCubemapLayered)
	PROP(surfaceAlignment) PROP(concurrentKernels) PROP(ECCEnabled) PROP(pciBusID) PROP(pciDeviceID)
	PROP(pciDomainID) PROP(tccDriver) PROP(asyncEngineCount) PROP(unifiedAddressing) PROP(memoryBusWidth)
	PROP(l2CacheSize) PROP(persistingL2CacheMaxSize) PROP(maxThreadsPerMultiProcessor)
	PROP(streamPrioritiesSupported) PROP(globalL1CacheSupported) PROP(localL1CacheSupported)
	PROP(sharedMemPerMultiprocessor) PROP(regsPerMultiprocessor) PROP(managedMemory) PROP(isMultiGpuBoard)
	PROP(hostNativeAtomicSupported) PROP(pageableMemoryAccess) PROP(concurrentManagedAccess)
	PROP(computePreemptionSupported) PROP(canUseHostPointerForRegisteredMem) PROP(cooperativeLaunch)
	PROP(sharedMemPerBlockOptin) PROP(pageableMemoryAccessUsesHostPageTables) PROP(maxBlocksPerMultiProcessor)
	PROP(accessPolicyMaxWindowSize) PROP(reservedSharedMemPerBlock) PROP(hostRegisterSupported)
	PROP(hostRegisterReadOnlySupported) PROP(memoryPoolsSupported) PROP(gpuDirectRDMAWritesOrdering)
	PROP(memoryPoolSupportedHandleTypes) PROP(clusterLaunch) PROP(unifiedFunctionPointers) PROP(deviceNumaId)
	PROP(hostNumaId) PROP(gpuPciDeviceID) PROP(hostNumaMultinodeIpcSupported) PROP(reserved)
	VALUE(cudaMemcpyHostToHost) VALUE(cudaMemcpyHostToDevice) VALUE(cudaMemcpyDeviceToHost)
	VALUE(cudaMemcpyDeviceToDevice) VALUE(cudaMemcpyDefault) VALUE(cudaMemoryTypeUnregistered)
	VALUE(cudaMemoryTypeHost) VALUE(cudaMemoryTypeDevice) VALUE(cudaMemoryTypeManaged)
	VALUE(cudaFuncAttributeMaxDynamicSharedMemorySize) VALUE(cudaFuncAttributePreferredSharedMemoryCarveout)
	VALUE(cudaFuncCachePreferEqual) VALUE(cudaSharedMemBankSizeEightByte) VALUE(cudaLimitStackSize)
	VALUE(cudaLimitPrintfFifoSize) VALUE(cudaLimitMallocHeapSize) VALUE(cudaLimitPersistingL2CacheSize)
	VALUE(cudaStreamNonBlocking) VALUE(cudaStreamLegacy) VALUE(cudaStreamPerThread)
	VALUE(cudaEventBlockingSync) VALUE(cudaEventDisableTiming) VALUE(cudaEventInterprocess)
	VALUE(cudaEventRecordExternal) VALUE(cudaEventWaitExternal) VALUE(cudaHostAllocPortable)
	VALUE(cudaHostAllocMapped) VALUE(cudaHostAllocWriteCombined) VALUE(cudaHostRegisterPortable)
	VALUE(cudaHostRegisterMapped) VALUE(cudaHostRegisterReadOnly) VALUE(cudaMemAttachGlobal)
	VALUE(cudaMemAttachHost) VALUE(cudaDeviceScheduleSpin) VALUE(cudaDeviceScheduleYield)
	VALUE(cudaDeviceScheduleBlockingSync) VALUE(cudaDeviceMapHost) VALUE(cudaDeviceLmemResizeToMax)
	VALUE(cudaOccupancyDisableCachingOverride) VALUE(cudaStreamCaptureStatusNone)
	VALUE(cudaLaunchAttributeCooperative) VALUE(cudaLaunchAttributeClusterDimension)
	VALUE(cudaDevAttrMaxThreadsPerBlock) VALUE(cudaDevAttrMaxBlockDimX) VALUE(cudaDevAttrMaxBlockDimY)
	VALUE(cudaDevAttrMaxBlockDimZ) VALUE(cudaDevAttrMaxGridDimX) VALUE(cudaDevAttrMaxGridDimY)
	VALUE(cudaDevAttrMaxGridDimZ) VALUE(cudaDevAttrMaxSharedMemoryPerBlock)
	VALUE(cudaDevAttrTotalConstantMemory) VALUE(cudaDevAttrWarpSize) VALUE(cudaDevAttrMaxPitch)
	VALUE(cudaDevAttrMaxRegistersPerBlock) VALUE(cudaDevAttrClockRate) VALUE(cudaDevAttrTextureAlignment)
	VALUE(cudaDevAttrGpuOverlap) VALUE(cudaDevAttrMultiProcessorCount) VALUE(cudaDevAttrIntegrated)
	VALUE(cudaDevAttrCanMapHostMemory) VALUE(cudaDevAttrSurfaceAlignment) VALUE(cudaDevAttrConcurrentKernels)
	VALUE(cudaDevAttrMemoryClockRate) VALUE(cudaDevAttrGlobalMemoryBusWidth) VALUE(cudaDevAttrL2CacheSize)
	VALUE(cudaDevAttrMaxThreadsPerMultiProcessor) VALUE(cudaDevAttrAsyncEngineCount)
	VALUE(cudaDevAttrUnifiedAddressing) VALUE(cudaDevAttrTexturePitchAlignment)
	VALUE(cudaDevAttrComputeCapabilityMajor) VALUE(cudaDevAttrComputeCapabilityMinor)
	VALUE(cudaDevAttrStreamPrioritiesSupported) VALUE(cudaDevAttrGlobalL1CacheSupported)
	VALUE(cudaDevAttrLocalL1CacheSupported) VALUE(cudaDevAttrMaxSharedMemoryPerMultiprocessor)
	VALUE(cudaDevAttrMaxRegistersPerMultiprocessor) VALUE(cudaDevAttrManagedMemory)
	VALUE(cudaDevAttrComputePreemptionSupported) VALUE(cudaDevAttrCooperativeLaunch)
	VALUE(cudaDevAttrMaxSharedMemoryPerBlockOptin) VALUE(cudaDevAttrHostRegisterSupported)
	VALUE(cudaDevAttrMaxBlocksPerMultiprocessor) VALUE(cudaDevAttrHostRegisterReadOnlySupported)
	VALUE(cudaMemAllocationTypePinned) VALUE(cudaMemHandleTypePosixFileDescriptor)
	VALUE(cudaMemAccessFlagsProtReadWrite) VALUE(cudaMemPoolReuseFollowEventDependencies)
	VALUE(cudaMemPoolAttrReleaseThreshold) VALUE(cudaMemPoolAttrUsedMemHigh) VALUE(cudaDevAttrMemoryPoolsSupported)
	VALUE(cudaDevAttrNumaId) VALUE(cudaDevAttrHostNumaId) VALUE(cudaDevAttrOnlyPartialHostNativeAtomicSupported)
};
const unsigned ABI_COUNT = sizeof ABI_TABLE / sizeof *ABI_TABLE;
