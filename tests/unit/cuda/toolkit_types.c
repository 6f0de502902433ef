/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Compares the entry points of runtime/backends/cuda/driver.h with a toolkit's cuda.h:
 * parameters when this is compiled, symbols when it runs.
 */
#include <cuda.h>
#include <stdio.h>
#include <string.h>

#define HETCKPT_CUDA_TYPES_GIVEN
typedef CUresult cu_result;
typedef CUdevice cu_device;
typedef CUdeviceptr cu_address;
typedef CUcontext cu_context;
typedef CUmodule cu_module;
typedef CUfunction cu_function;
typedef CUstream cu_stream;
typedef CUevent cu_event;
typedef CUmemGenericAllocationHandle cu_handle;
typedef CUdevice_attribute cu_device_attribute;
typedef CUfunction_attribute cu_function_attribute;
typedef CUjit_option cu_jit_option;
typedef CUlimit cu_limit;
typedef CUmemAllocationGranularity_flags cu_granularity_option;
typedef CUmemAllocationHandleType cu_handle_type;
typedef CUmemAllocationProp cu_memory_properties;
typedef CUmemAccessDesc cu_access;
typedef CUDA_MEMCPY2D cu_copy_2d;
typedef CUDA_MEMCPY3D cu_copy_3d;

#include "runtime/backends/cuda/driver.h"

/* The functions as cuda.h knows them, under the fields' names. */
#define NAMES(F) \
	F(init, cuInit) F(version, cuDriverGetVersion) F(device_count, cuDeviceGetCount) F(device_get, cuDeviceGet) \
	F(device_name, cuDeviceGetName) F(device_bytes, cuDeviceTotalMem) F(device_attribute, cuDeviceGetAttribute) \
	F(context_flags, cuDevicePrimaryCtxSetFlags) F(context_retain, cuDevicePrimaryCtxRetain) \
	F(context_release, cuDevicePrimaryCtxRelease) F(context_reset, cuDevicePrimaryCtxReset) \
	F(context_push, cuCtxPushCurrent) F(context_pop, cuCtxPopCurrent) \
	F(context_limit, cuCtxSetLimit) F(context_priorities, cuCtxGetStreamPriorityRange) \
	F(memory_info, cuMemGetInfo) \
	F(address_reserve, cuMemAddressReserve) F(address_free, cuMemAddressFree) F(memory_create, cuMemCreate) \
	F(memory_release, cuMemRelease) F(memory_map, cuMemMap) F(memory_unmap, cuMemUnmap) \
	F(memory_access, cuMemSetAccess) F(memory_granularity, cuMemGetAllocationGranularity) \
	F(memory_export, cuMemExportToShareableHandle) F(memory_import, cuMemImportFromShareableHandle) \
	F(memory_alloc, cuMemAlloc) F(memory_free, cuMemFree) F(host_alloc, cuMemHostAlloc) F(host_free, cuMemFreeHost) \
	F(host_register, cuMemHostRegister) F(host_unregister, cuMemHostUnregister) F(copy_in, cuMemcpyHtoDAsync) \
	F(copy_out, cuMemcpyDtoHAsync) F(copy_device, cuMemcpyDtoDAsync) F(copy_2d, cuMemcpy2DAsync) \
	F(copy_3d, cuMemcpy3DAsync) F(fill_8, cuMemsetD8Async) F(fill_16, cuMemsetD16Async) F(fill_32, cuMemsetD32Async) \
	F(fill_2d_8, cuMemsetD2D8Async) F(fill_2d_16, cuMemsetD2D16Async) F(fill_2d_32, cuMemsetD2D32Async) \
	F(module_load, cuModuleLoadDataEx) F(module_unload, cuModuleUnload) F(module_function, cuModuleGetFunction) \
	F(module_global, cuModuleGetGlobal) F(function_attribute, cuFuncGetAttribute) F(function_set, cuFuncSetAttribute) \
	F(function_blocks, cuOccupancyMaxActiveBlocksPerMultiprocessor) F(launch, cuLaunchKernel) \
	F(launch_cooperative, cuLaunchCooperativeKernel) F(stream_create, cuStreamCreateWithPriority) \
	F(stream_destroy, cuStreamDestroy) F(stream_wait, cuStreamWaitEvent) F(stream_sync, cuStreamSynchronize) \
	F(event_create, cuEventCreate) F(event_destroy, cuEventDestroy) F(event_record, cuEventRecord) \
	F(event_query, cuEventQuery) F(event_sync, cuEventSynchronize) F(event_elapsed, cuEventElapsedTime) \
	F(error_name, cuGetErrorName) F(function_load, cuFuncLoad) F(function_param, cuFuncGetParamInfo)

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* Each field has the type of its function, and each field of the table is compared. */
#define SAME_TYPE(field, function) \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((struct cuda_driver *)0)->field), __typeof__(&function)), \
	               TEXT(function) " has other parameters");
NAMES(SAME_TYPE)

#define ONE(...) +1
enum { COMPARED = 0 NAMES(ONE), ALL = 0 CUDA_ENTRY_POINTS(ONE) CUDA_OPTIONAL_ENTRY_POINTS(ONE) };
_Static_assert(COMPARED == ALL, "an entry point is not compared");

static const char *symbol_of(const char *field)
{
#define SYMBOL(name, symbol, parameters) \
	if (!strcmp(field, #name)) \
		return symbol;
	CUDA_ENTRY_POINTS(SYMBOL)
	CUDA_OPTIONAL_ENTRY_POINTS(SYMBOL)
	return "";
}

int main(void)
{
	unsigned bad = 0;

	/* cuda.h names the newest version of a function. Of this one, 12.8 made a second that
	   tells errors differently; the first is in all drivers and does what is needed. */
#define COMPARE(field, function) \
	if (strcmp(symbol_of(#field), TEXT(function)) && strcmp(#field, "event_elapsed")) { \
		printf("%s is %s here and %s in cuda.h\n", #field, symbol_of(#field), TEXT(function)); \
		bad++; \
	}
	NAMES(COMPARE)
	printf("%d entry points compared with CUDA %d.%d, %u differ\n", (int)ALL, CUDA_VERSION / 1000,
	       CUDA_VERSION % 1000 / 10, bad);
	return bad != 0;
}
