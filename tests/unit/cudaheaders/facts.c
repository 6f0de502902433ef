/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * facts.c - values and layouts of the runtime API as the headers on the include path
 * have them. Compiled with the project's headers and with a toolkit's, it must print
 * the same.
 */
#include <stddef.h>
#include <stdio.h>

#include <cuda_runtime_api.h>

#define NUMBER(name) printf(#name " %ld\n", (long)(name));
#define SIZE(type) printf("sizeof " #type " %zu align %zu\n", sizeof(type), _Alignof(type));
#define FIELD(type, field) \
	printf(#type "." #field " %zu %zu\n", offsetof(type, field), sizeof(((type *)0)->field));

int main(void)
{
#include "facts.inc"
	NUMBER(CUDART_VERSION)
	SIZE(char2) SIZE(char3) SIZE(char4) SIZE(uchar4) SIZE(short2) SIZE(short3) SIZE(short4) SIZE(int2)
	SIZE(int3) SIZE(int4) SIZE(uint4) SIZE(long2) SIZE(long3) SIZE(ulong2) SIZE(longlong2) SIZE(float1)
	SIZE(float2) SIZE(float3) SIZE(float4) SIZE(double2) SIZE(double3) SIZE(dim3)
	SIZE(struct cudaDeviceProp) SIZE(struct cudaFuncAttributes) SIZE(struct cudaPointerAttributes)
	SIZE(struct cudaMemcpy3DParms) SIZE(struct cudaMemcpy3DPeerParms) SIZE(struct cudaPitchedPtr)
	SIZE(struct cudaExtent) SIZE(struct cudaPos) SIZE(struct cudaMemLocation) SIZE(cudaLaunchConfig_t)
	SIZE(cudaLaunchAttribute) SIZE(cudaUUID_t)
#define P(field) FIELD(struct cudaDeviceProp, field)
	P(name) P(uuid) P(luid) P(luidDeviceNodeMask) P(totalGlobalMem) P(sharedMemPerBlock) P(regsPerBlock)
	P(warpSize) P(memPitch) P(maxThreadsPerBlock) P(maxThreadsDim) P(maxGridSize) P(totalConstMem) P(major)
	P(minor) P(textureAlignment) P(texturePitchAlignment) P(multiProcessorCount) P(integrated)
	P(canMapHostMemory) P(maxTexture1D) P(maxTexture2D) P(maxTexture3D) P(maxTextureCubemap)
	P(maxSurface1D) P(maxSurfaceCubemapLayered) P(surfaceAlignment) P(concurrentKernels) P(ECCEnabled)
	P(pciBusID) P(pciDeviceID) P(pciDomainID) P(tccDriver) P(asyncEngineCount) P(unifiedAddressing)
	P(memoryBusWidth) P(l2CacheSize) P(persistingL2CacheMaxSize) P(maxThreadsPerMultiProcessor)
	P(sharedMemPerMultiprocessor) P(regsPerMultiprocessor) P(managedMemory) P(isMultiGpuBoard)
	P(pageableMemoryAccess) P(cooperativeLaunch) P(sharedMemPerBlockOptin) P(maxBlocksPerMultiProcessor)
	P(reservedSharedMemPerBlock) P(memoryPoolsSupported) P(memoryPoolSupportedHandleTypes) P(clusterLaunch)
	P(deviceNumaId) P(hostNumaId) P(hostNumaMultinodeIpcSupported) P(reserved)
#define A(field) FIELD(struct cudaFuncAttributes, field)
	A(sharedSizeBytes) A(constSizeBytes) A(localSizeBytes) A(maxThreadsPerBlock) A(numRegs) A(ptxVersion)
	A(binaryVersion) A(cacheModeCA) A(maxDynamicSharedSizeBytes) A(preferredShmemCarveout)
	A(clusterDimMustBeSet) A(nonPortableClusterSizeAllowed)
	FIELD(struct cudaPointerAttributes, type) FIELD(struct cudaPointerAttributes, device)
	FIELD(struct cudaPointerAttributes, devicePointer) FIELD(struct cudaPointerAttributes, hostPointer)
	FIELD(struct cudaMemcpy3DParms, srcPos) FIELD(struct cudaMemcpy3DParms, srcPtr)
	FIELD(struct cudaMemcpy3DParms, dstPos) FIELD(struct cudaMemcpy3DParms, dstPtr)
	FIELD(struct cudaMemcpy3DParms, extent) FIELD(struct cudaMemcpy3DParms, kind)
	FIELD(struct cudaMemcpy3DPeerParms, srcDevice) FIELD(struct cudaMemcpy3DPeerParms, dstDevice)
	FIELD(cudaLaunchConfig_t, blockDim) FIELD(cudaLaunchConfig_t, dynamicSmemBytes)
	FIELD(cudaLaunchConfig_t, stream) FIELD(cudaLaunchConfig_t, attrs) FIELD(cudaLaunchConfig_t, numAttrs)
	FIELD(cudaLaunchAttribute, id) FIELD(cudaLaunchAttribute, val)
	return 0;
}
