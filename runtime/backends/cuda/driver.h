/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * driver.h - the part of NVIDIA's driver API that this back end uses, declared here so
 * that nothing of NVIDIA's is needed to build it; and the table of its entry points.
 *
 * The names, numbers and layouts are those of the public interface (driver API
 * reference, CUDA 12.0 to 13.0). tests/unit/cuda/toolkit_*.c compare all of them with a
 * toolkit's cuda.h where there is one; such a test defines HETCKPT_CUDA_TYPES_GIVEN and
 * brings the types itself.
 */
#ifndef HETCKPT_BACKENDS_CUDA_DRIVER_H
#define HETCKPT_BACKENDS_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/common/error.h"

/* The oldest driver API that has all of this. 12.0 came with driver 525. */
#define CUDA_DRIVER_NEEDED 12000

#ifndef HETCKPT_CUDA_TYPES_GIVEN
typedef int cu_result;                 /* CUresult */
typedef int cu_device;
typedef unsigned long long cu_address; /* CUdeviceptr */
typedef struct cu_context_object *cu_context;
typedef struct cu_module_object *cu_module;
typedef struct cu_function_object *cu_function;
typedef struct cu_stream_object *cu_stream;
typedef struct cu_event_object *cu_event;
typedef unsigned long long cu_handle;  /* CUmemGenericAllocationHandle */
/* Enumerations in NVIDIA's header: C gives them the type unsigned. */
typedef unsigned cu_device_attribute;
typedef unsigned cu_function_attribute;
typedef unsigned cu_jit_option;
typedef unsigned cu_limit;
typedef unsigned cu_granularity_option;
typedef unsigned cu_handle_type;

typedef struct {
	unsigned type; /* CUmemLocationType */
	int id;
} cu_location;

typedef struct {
	unsigned type;
	unsigned handle_types;
	cu_location location;
	void *win32;
	struct {
		unsigned char compression;
		unsigned char rdma;
		unsigned short usage;
		unsigned char reserved[4];
	} flags;
} cu_memory_properties;

typedef struct {
	cu_location location;
	unsigned flags;
} cu_access;

typedef struct {
	size_t src_x, src_y;
	unsigned src_type;
	const void *src_host;
	cu_address src_device;
	void *src_array;
	size_t src_pitch;
	size_t dst_x, dst_y;
	unsigned dst_type;
	void *dst_host;
	cu_address dst_device;
	void *dst_array;
	size_t dst_pitch;
	size_t width, height;
} cu_copy_2d;

typedef struct {
	size_t src_x, src_y, src_z, src_lod;
	unsigned src_type;
	const void *src_host;
	cu_address src_device;
	void *src_array;
	void *reserved0;
	size_t src_pitch, src_height;
	size_t dst_x, dst_y, dst_z, dst_lod;
	unsigned dst_type;
	void *dst_host;
	cu_address dst_device;
	void *dst_array;
	void *reserved1;
	size_t dst_pitch, dst_height;
	size_t width, height, depth;
} cu_copy_3d;
#endif

/* Numbers of the interface; each appears once here and once in toolkit_numbers.c. */
enum {
	CU_OK = 0,
	CU_INVALID_VALUE = 1,
	CU_OUT_OF_MEMORY = 2,
	CU_NO_DEVICE = 100,
	CU_INVALID_DEVICE = 101,
	CU_NO_BINARY = 209,
	CU_PRIMARY_CONTEXT_ACTIVE = 708,
	CU_NOT_FOUND = 500,
	CU_NOT_READY = 600,
	CU_NOT_PERMITTED = 800,
	CU_NOT_SUPPORTED = 801,
	CU_UNKNOWN = 999,

	CU_ATTR_MAX_THREADS_PER_BLOCK = 1,
	CU_ATTR_MAX_BLOCK_X = 2, /* y and z follow */
	CU_ATTR_MAX_GRID_X = 5,  /* y and z follow */
	CU_ATTR_SHARED_PER_BLOCK = 8,
	CU_ATTR_MAX_PITCH = 11,
	CU_ATTR_REGS_PER_BLOCK = 12,
	CU_ATTR_CLOCK_KHZ = 13,
	CU_ATTR_SM_COUNT = 16,
	CU_ATTR_MEMORY_CLOCK_KHZ = 36,
	CU_ATTR_BUS_WIDTH = 37,
	CU_ATTR_L2_BYTES = 38,
	CU_ATTR_MAX_THREADS_PER_SM = 39,
	CU_ATTR_MAJOR = 75,
	CU_ATTR_MINOR = 76,
	CU_ATTR_SHARED_PER_SM = 81,
	CU_ATTR_SHARED_OPTIN = 97,
	CU_ATTR_VMM = 102,
	CU_ATTR_VMM_POSIX_FD = 103,
	CU_ATTR_MAX_BLOCKS_PER_SM = 106,

	CU_FUNC_MAX_THREADS = 0,
	CU_FUNC_SHARED = 1,
	CU_FUNC_CONST = 2,
	CU_FUNC_LOCAL = 3,
	CU_FUNC_REGISTERS = 4,
	CU_FUNC_MAX_DYNAMIC = 8,

	CU_LIMIT_STACK = 0,
	CU_LIMIT_PRINTF = 1,

	CU_JIT_ERROR_LOG = 5,
	CU_JIT_ERROR_LOG_BYTES = 6,

	CU_MEM_PINNED = 1,          /* allocation type */
	CU_MEM_DEVICE = 1,          /* location type */
	CU_MEM_POSIX_FD = 1,        /* handle type */
	CU_MEM_READ_WRITE = 3,      /* access */
	CU_MEM_GRANULARITY_MINIMUM = 0,

	CU_COPY_HOST = 1,           /* CUmemorytype */
	CU_COPY_DEVICE = 2,

	CU_HOST_PORTABLE = 1,       /* cuMemHostRegister and cuMemHostAlloc */
	CU_HOST_DEVICEMAP = 2,

	CU_CONTEXT_MAP_HOST = 8,
	CU_STREAM_NO_DEFAULT_SYNC = 1, /* CU_STREAM_NON_BLOCKING */
	CU_EVENT_TIMING = 0,           /* CU_EVENT_DEFAULT */
	CU_EVENT_NO_TIMING = 2,
};

/*
 * Entry points: field, symbol that is looked up, parameters. Symbols carry the version
 * that cuda.h's macros choose since CUDA 12.0, all with ordinary stream semantics.
 */
#define CUDA_ENTRY_POINTS(F) \
	F(init, "cuInit", (unsigned)) \
	F(version, "cuDriverGetVersion", (int *)) \
	F(device_count, "cuDeviceGetCount", (int *)) \
	F(device_get, "cuDeviceGet", (cu_device *, int)) \
	F(device_name, "cuDeviceGetName", (char *, int, cu_device)) \
	F(device_bytes, "cuDeviceTotalMem_v2", (size_t *, cu_device)) \
	F(device_attribute, "cuDeviceGetAttribute", (int *, cu_device_attribute, cu_device)) \
	F(context_flags, "cuDevicePrimaryCtxSetFlags_v2", (cu_device, unsigned)) \
	F(context_retain, "cuDevicePrimaryCtxRetain", (cu_context *, cu_device)) \
	F(context_release, "cuDevicePrimaryCtxRelease_v2", (cu_device)) \
	F(context_reset, "cuDevicePrimaryCtxReset_v2", (cu_device)) \
	F(context_push, "cuCtxPushCurrent_v2", (cu_context)) \
	F(context_pop, "cuCtxPopCurrent_v2", (cu_context *)) \
	F(context_limit, "cuCtxSetLimit", (cu_limit, size_t)) \
	F(context_priorities, "cuCtxGetStreamPriorityRange", (int *, int *)) \
	F(memory_info, "cuMemGetInfo_v2", (size_t *, size_t *)) \
	F(address_reserve, "cuMemAddressReserve", (cu_address *, size_t, size_t, cu_address, unsigned long long)) \
	F(address_free, "cuMemAddressFree", (cu_address, size_t)) \
	F(memory_create, "cuMemCreate", (cu_handle *, size_t, const cu_memory_properties *, unsigned long long)) \
	F(memory_release, "cuMemRelease", (cu_handle)) \
	F(memory_map, "cuMemMap", (cu_address, size_t, size_t, cu_handle, unsigned long long)) \
	F(memory_unmap, "cuMemUnmap", (cu_address, size_t)) \
	F(memory_access, "cuMemSetAccess", (cu_address, size_t, const cu_access *, size_t)) \
	F(memory_granularity, "cuMemGetAllocationGranularity", \
	  (size_t *, const cu_memory_properties *, cu_granularity_option)) \
	F(memory_export, "cuMemExportToShareableHandle", (void *, cu_handle, cu_handle_type, unsigned long long)) \
	F(memory_import, "cuMemImportFromShareableHandle", (cu_handle *, void *, cu_handle_type)) \
	F(memory_alloc, "cuMemAlloc_v2", (cu_address *, size_t)) \
	F(memory_free, "cuMemFree_v2", (cu_address)) \
	F(host_alloc, "cuMemHostAlloc", (void **, size_t, unsigned)) \
	F(host_free, "cuMemFreeHost", (void *)) \
	F(host_register, "cuMemHostRegister_v2", (void *, size_t, unsigned)) \
	F(host_unregister, "cuMemHostUnregister", (void *)) \
	F(copy_in, "cuMemcpyHtoDAsync_v2", (cu_address, const void *, size_t, cu_stream)) \
	F(copy_out, "cuMemcpyDtoHAsync_v2", (void *, cu_address, size_t, cu_stream)) \
	F(copy_device, "cuMemcpyDtoDAsync_v2", (cu_address, cu_address, size_t, cu_stream)) \
	F(copy_2d, "cuMemcpy2DAsync_v2", (const cu_copy_2d *, cu_stream)) \
	F(copy_3d, "cuMemcpy3DAsync_v2", (const cu_copy_3d *, cu_stream)) \
	F(fill_8, "cuMemsetD8Async", (cu_address, unsigned char, size_t, cu_stream)) \
	F(fill_16, "cuMemsetD16Async", (cu_address, unsigned short, size_t, cu_stream)) \
	F(fill_32, "cuMemsetD32Async", (cu_address, unsigned, size_t, cu_stream)) \
	F(fill_2d_8, "cuMemsetD2D8Async", (cu_address, size_t, unsigned char, size_t, size_t, cu_stream)) \
	F(fill_2d_16, "cuMemsetD2D16Async", (cu_address, size_t, unsigned short, size_t, size_t, cu_stream)) \
	F(fill_2d_32, "cuMemsetD2D32Async", (cu_address, size_t, unsigned, size_t, size_t, cu_stream)) \
	F(module_load, "cuModuleLoadDataEx", (cu_module *, const void *, unsigned, cu_jit_option *, void **)) \
	F(module_unload, "cuModuleUnload", (cu_module)) \
	F(module_function, "cuModuleGetFunction", (cu_function *, cu_module, const char *)) \
	F(module_global, "cuModuleGetGlobal_v2", (cu_address *, size_t *, cu_module, const char *)) \
	F(function_attribute, "cuFuncGetAttribute", (int *, cu_function_attribute, cu_function)) \
	F(function_set, "cuFuncSetAttribute", (cu_function, cu_function_attribute, int)) \
	F(function_blocks, "cuOccupancyMaxActiveBlocksPerMultiprocessor", (int *, cu_function, int, size_t)) \
	F(launch, "cuLaunchKernel", (cu_function, unsigned, unsigned, unsigned, unsigned, unsigned, \
	  unsigned, unsigned, cu_stream, void **, void **)) \
	F(launch_cooperative, "cuLaunchCooperativeKernel", (cu_function, unsigned, unsigned, unsigned, \
	  unsigned, unsigned, unsigned, unsigned, cu_stream, void **)) \
	F(stream_create, "cuStreamCreateWithPriority", (cu_stream *, unsigned, int)) \
	F(stream_destroy, "cuStreamDestroy_v2", (cu_stream)) \
	F(stream_wait, "cuStreamWaitEvent", (cu_stream, cu_event, unsigned)) \
	F(stream_sync, "cuStreamSynchronize", (cu_stream)) \
	F(event_create, "cuEventCreate", (cu_event *, unsigned)) \
	F(event_destroy, "cuEventDestroy_v2", (cu_event)) \
	F(event_record, "cuEventRecord", (cu_event, cu_stream)) \
	F(event_query, "cuEventQuery", (cu_event)) \
	F(event_sync, "cuEventSynchronize", (cu_event)) \
	F(event_elapsed, "cuEventElapsedTime", (float *, cu_event, cu_event)) \
	F(error_name, "cuGetErrorName", (cu_result, const char **))

/* Entry points of newer drivers; NULL where the driver has none. */
#define CUDA_OPTIONAL_ENTRY_POINTS(F) \
	F(function_load, "cuFuncLoad", (cu_function)) \
	F(function_param, "cuFuncGetParamInfo", (cu_function, size_t, size_t *, size_t *))

#define CUDA_ENTRY_POINT_FIELD(field, symbol, parameters) cu_result (*field) parameters;
struct cuda_driver {
	CUDA_ENTRY_POINTS(CUDA_ENTRY_POINT_FIELD)
	CUDA_OPTIONAL_ENTRY_POINTS(CUDA_ENTRY_POINT_FIELD)
	int api;           /* cuDriverGetVersion: 13000 for 13.0 */
	char release[32];  /* "580.95.05", empty if it cannot be told */
};
#undef CUDA_ENTRY_POINT_FIELD

/*
 * Loads libcuda.so.1 and initialises it, once a process; later calls give the same
 * answer. Sets CUDA_MODULE_LOADING=EAGER in the environment, which the
 * library reads in cuInit. Any thread. -ENODEV: no library,
 * or no GPU; -ENOTSUP: too old; others: what cuInit said. The line names the cause.
 */
int cuda_driver_open(const struct cuda_driver **driver, struct hetckpt_error *error);

/* ---- Results ----------------------------------------------------------- */

struct cuda_result_facts {
	int code;      /* negative errno; -EIO only for lasting ones */
	uint32_t cuda; /* cudaError_t */
	int lasting;   /* the context, or the GPU, is of no more use */
};

/* What a result means. Unknown ones are -EREMOTEIO and cudaErrorUnknown. */
struct cuda_result_facts cuda_result_facts(cu_result result);

/* The driver's name of a result ("CUDA_ERROR_OUT_OF_MEMORY"); never NULL. */
const char *cuda_result_name(const struct cuda_driver *driver, cu_result result);

#endif
