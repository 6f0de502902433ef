/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Compares the numbers and layouts of runtime/backends/cuda/driver.h and results.h with a
 * toolkit's cuda.h and driver_types.h: layouts when this is compiled, numbers when it runs.
 */
#include <cuda.h>
#include <driver_types.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/backends/cuda/driver.h"
#include "runtime/backends/cuda/results.h"

/* ---- Layouts -------------------------------------------------------------------- */

#define SIZE(ours, theirs) _Static_assert(sizeof(ours) == sizeof(theirs), #theirs)
#define FIELD(ours, a, theirs, b) \
	_Static_assert(offsetof(ours, a) == offsetof(theirs, b) && \
	               sizeof(((ours *)0)->a) == sizeof(((theirs *)0)->b), #theirs "." #b)

SIZE(cu_address, CUdeviceptr);
SIZE(cu_handle, CUmemGenericAllocationHandle);
SIZE(cu_device_attribute, CUdevice_attribute);
SIZE(cu_jit_option, CUjit_option);
SIZE(cu_limit, CUlimit);
SIZE(cu_result, CUresult);
SIZE(cu_memory_properties, CUmemAllocationProp);
FIELD(cu_memory_properties, type, CUmemAllocationProp, type);
FIELD(cu_memory_properties, handle_types, CUmemAllocationProp, requestedHandleTypes);
FIELD(cu_memory_properties, location.type, CUmemAllocationProp, location.type);
FIELD(cu_memory_properties, location.id, CUmemAllocationProp, location.id);
FIELD(cu_memory_properties, win32, CUmemAllocationProp, win32HandleMetaData);
FIELD(cu_memory_properties, flags.usage, CUmemAllocationProp, allocFlags.usage);
SIZE(cu_access, CUmemAccessDesc);
FIELD(cu_access, location.id, CUmemAccessDesc, location.id);
FIELD(cu_access, flags, CUmemAccessDesc, flags);
SIZE(cu_copy_2d, CUDA_MEMCPY2D);
FIELD(cu_copy_2d, src_type, CUDA_MEMCPY2D, srcMemoryType);
FIELD(cu_copy_2d, src_host, CUDA_MEMCPY2D, srcHost);
FIELD(cu_copy_2d, src_device, CUDA_MEMCPY2D, srcDevice);
FIELD(cu_copy_2d, src_pitch, CUDA_MEMCPY2D, srcPitch);
FIELD(cu_copy_2d, dst_type, CUDA_MEMCPY2D, dstMemoryType);
FIELD(cu_copy_2d, dst_host, CUDA_MEMCPY2D, dstHost);
FIELD(cu_copy_2d, dst_device, CUDA_MEMCPY2D, dstDevice);
FIELD(cu_copy_2d, dst_pitch, CUDA_MEMCPY2D, dstPitch);
FIELD(cu_copy_2d, width, CUDA_MEMCPY2D, WidthInBytes);
FIELD(cu_copy_2d, height, CUDA_MEMCPY2D, Height);
SIZE(cu_copy_3d, CUDA_MEMCPY3D);
FIELD(cu_copy_3d, src_type, CUDA_MEMCPY3D, srcMemoryType);
FIELD(cu_copy_3d, src_host, CUDA_MEMCPY3D, srcHost);
FIELD(cu_copy_3d, src_device, CUDA_MEMCPY3D, srcDevice);
FIELD(cu_copy_3d, src_pitch, CUDA_MEMCPY3D, srcPitch);
FIELD(cu_copy_3d, src_height, CUDA_MEMCPY3D, srcHeight);
FIELD(cu_copy_3d, dst_type, CUDA_MEMCPY3D, dstMemoryType);
FIELD(cu_copy_3d, dst_host, CUDA_MEMCPY3D, dstHost);
FIELD(cu_copy_3d, dst_device, CUDA_MEMCPY3D, dstDevice);
FIELD(cu_copy_3d, dst_pitch, CUDA_MEMCPY3D, dstPitch);
FIELD(cu_copy_3d, dst_height, CUDA_MEMCPY3D, dstHeight);
FIELD(cu_copy_3d, width, CUDA_MEMCPY3D, WidthInBytes);
FIELD(cu_copy_3d, height, CUDA_MEMCPY3D, Height);
FIELD(cu_copy_3d, depth, CUDA_MEMCPY3D, Depth);

/* ---- Numbers ---------------------------------------------------------------------- */

static unsigned compared, bad;

static void same(const char *name, long ours, long theirs)
{
	compared++;
	if (ours == theirs)
		return;
	bad++;
	printf("%s is %ld here and %ld in the toolkit\n", name, ours, theirs);
}

#define SAME(ours, theirs) same(#ours, (long)(ours), (long)(theirs))

static void compare_numbers(void)
{
	SAME(CU_INVALID_VALUE, CUDA_ERROR_INVALID_VALUE);
	SAME(CU_OUT_OF_MEMORY, CUDA_ERROR_OUT_OF_MEMORY);
	SAME(CU_NO_DEVICE, CUDA_ERROR_NO_DEVICE);
	SAME(CU_INVALID_DEVICE, CUDA_ERROR_INVALID_DEVICE);
	SAME(CU_NO_BINARY, CUDA_ERROR_NO_BINARY_FOR_GPU);
	SAME(CU_PRIMARY_CONTEXT_ACTIVE, CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE);
	SAME(CU_NOT_FOUND, CUDA_ERROR_NOT_FOUND);
	SAME(CU_NOT_READY, CUDA_ERROR_NOT_READY);
	SAME(CU_NOT_PERMITTED, CUDA_ERROR_NOT_PERMITTED);
	SAME(CU_NOT_SUPPORTED, CUDA_ERROR_NOT_SUPPORTED);
	SAME(CU_UNKNOWN, CUDA_ERROR_UNKNOWN);
	SAME(CU_ATTR_MAX_THREADS_PER_BLOCK, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
	SAME(CU_ATTR_MAX_BLOCK_X, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X);
	SAME(CU_ATTR_MAX_BLOCK_X + 1, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y);
	SAME(CU_ATTR_MAX_BLOCK_X + 2, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z);
	SAME(CU_ATTR_MAX_GRID_X, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X);
	SAME(CU_ATTR_MAX_GRID_X + 1, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y);
	SAME(CU_ATTR_MAX_GRID_X + 2, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z);
	SAME(CU_ATTR_SHARED_PER_BLOCK, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
	SAME(CU_ATTR_MAX_PITCH, CU_DEVICE_ATTRIBUTE_MAX_PITCH);
	SAME(CU_ATTR_REGS_PER_BLOCK, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK);
	SAME(CU_ATTR_CLOCK_KHZ, CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
	SAME(CU_ATTR_SM_COUNT, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
	SAME(CU_ATTR_MEMORY_CLOCK_KHZ, CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
	SAME(CU_ATTR_BUS_WIDTH, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
	SAME(CU_ATTR_L2_BYTES, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
	SAME(CU_ATTR_MAX_THREADS_PER_SM, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
	SAME(CU_ATTR_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
	SAME(CU_ATTR_MINOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
	SAME(CU_ATTR_SHARED_PER_SM, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
	SAME(CU_ATTR_SHARED_OPTIN, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
	SAME(CU_ATTR_VMM, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED);
	SAME(CU_ATTR_VMM_POSIX_FD, CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED);
	SAME(CU_FUNC_MAX_THREADS, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
	SAME(CU_FUNC_SHARED, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
	SAME(CU_FUNC_CONST, CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES);
	SAME(CU_FUNC_LOCAL, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
	SAME(CU_FUNC_REGISTERS, CU_FUNC_ATTRIBUTE_NUM_REGS);
	SAME(CU_FUNC_MAX_DYNAMIC, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
	SAME(CU_LIMIT_STACK, CU_LIMIT_STACK_SIZE);
	SAME(CU_LIMIT_PRINTF, CU_LIMIT_PRINTF_FIFO_SIZE);
	SAME(CU_JIT_ERROR_LOG, CU_JIT_ERROR_LOG_BUFFER);
	SAME(CU_JIT_ERROR_LOG_BYTES, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
	SAME(CU_MEM_PINNED, CU_MEM_ALLOCATION_TYPE_PINNED);
	SAME(CU_MEM_DEVICE, CU_MEM_LOCATION_TYPE_DEVICE);
	SAME(CU_MEM_POSIX_FD, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
	SAME(CU_MEM_READ_WRITE, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
	SAME(CU_MEM_GRANULARITY_MINIMUM, CU_MEM_ALLOC_GRANULARITY_MINIMUM);
	SAME(CU_COPY_HOST, CU_MEMORYTYPE_HOST);
	SAME(CU_COPY_DEVICE, CU_MEMORYTYPE_DEVICE);
	SAME(CU_HOST_PORTABLE, CU_MEMHOSTREGISTER_PORTABLE);
	SAME(CU_HOST_PORTABLE, CU_MEMHOSTALLOC_PORTABLE);
	SAME(CU_HOST_DEVICEMAP, CU_MEMHOSTREGISTER_DEVICEMAP);
	SAME(CU_CONTEXT_MAP_HOST, CU_CTX_MAP_HOST);
	SAME(CU_STREAM_NO_DEFAULT_SYNC, CU_STREAM_NON_BLOCKING);
	SAME(CU_EVENT_TIMING, CU_EVENT_DEFAULT);
	SAME(CU_EVENT_NO_TIMING, CU_EVENT_DISABLE_TIMING);
}

int main(void)
{
	compare_numbers();
#define RESULT(number, name, runtime, code, lasting) \
	same(#name, number, name); \
	if ((runtime) != 999) \
		same(#name " as cudaError_t", number, runtime);
	CUDA_RESULTS(RESULT)
	/* One of each kind by its name in the runtime API. */
	same("cudaErrorMemoryAllocation", cuda_result_facts(CUDA_ERROR_OUT_OF_MEMORY).cuda, cudaErrorMemoryAllocation);
	same("cudaErrorIllegalAddress", cuda_result_facts(CUDA_ERROR_ILLEGAL_ADDRESS).cuda, cudaErrorIllegalAddress);
	same("cudaErrorLaunchFailure", cuda_result_facts(CUDA_ERROR_LAUNCH_FAILED).cuda, cudaErrorLaunchFailure);
	same("cudaErrorSymbolNotFound", cuda_result_facts(CUDA_ERROR_NOT_FOUND).cuda, cudaErrorSymbolNotFound);
	same("cudaErrorNoKernelImageForDevice", cuda_result_facts(CUDA_ERROR_NO_BINARY_FOR_GPU).cuda,
	     cudaErrorNoKernelImageForDevice);
	printf("%u numbers compared with CUDA %d.%d, %u differ\n", compared, CUDA_VERSION / 1000, CUDA_VERSION % 1000 / 10,
	       bad);
	return bad != 0;
}
