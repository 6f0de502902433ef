/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Facts about kernels, and their settings. */
#include <stdatomic.h>
#include <string.h>

#include "runtime/client/client.h"

static cudaError_t enter(const void *function, struct client_function **f)
{
	cudaError_t error = client_enter();

	return error ? error : client_function_get(function, f);
}

CLIENT_EXPORT cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function)
{
	const struct hetckpt_reply_device *info;
	struct client_function *f;
	cudaError_t error = attributes ? enter(function, &f) : cudaErrorInvalidValue;

	if (!error)
		error = client_device_info(&info);
	if (error)
		return client_result(error);
	memset(attributes, 0, sizeof *attributes);
	attributes->sharedSizeBytes = f->static_shared;
	attributes->constSizeBytes = f->const_bytes;
	attributes->localSizeBytes = f->local_bytes;
	attributes->maxThreadsPerBlock = (int)(f->max_threads ? f->max_threads : info->max_threads_per_block);
	attributes->numRegs = (int)f->registers;
	attributes->binaryVersion = (int)(info->major * 10 + info->minor);
	/* CUB looks here for the architecture that its host code was compiled with. */
	attributes->ptxVersion = f->arch ? (int)f->arch : attributes->binaryVersion;
	attributes->maxDynamicSharedSizeBytes = (int)f->max_dynamic_shared;
	attributes->preferredShmemCarveout = -1;
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value)
{
	struct hetckpt_msg_function_set body = {.attribute = (uint32_t)attribute, .value = value};
	struct client_function *f;
	cudaError_t error = enter(function, &f);

	if (error)
		return client_result(error);
	/* How L1 and shared memory are divided, and how clusters are placed, are hints. */
	if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout)
		return client_result(value < -1 || value > 100 ? cudaErrorInvalidValue : cudaSuccess);
	if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) {
		client_say_once("cudaFuncSetAttribute: attribute %d is not supported", (int)attribute);
		return client_result(cudaErrorNotSupported);
	}
	if (value < 0)
		return client_result(cudaErrorInvalidValue);
	body.function = f->handle;
	error = client_call(HETCKPT_MSG_FUNCTION_SET, 0, &body, sizeof body, NULL, 0, NULL, 0);
	if (!error)
		f->max_dynamic_shared = (uint32_t)value;
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaFuncSetCacheConfig(const void *function, enum cudaFuncCache config)
{
	struct client_function *f;

	/* A hint, which no back end takes. */
	return client_result((unsigned)config > cudaFuncCachePreferEqual ? cudaErrorInvalidValue :
	                     enter(function, &f));
}

cudaError_t cudaFuncSetSharedMemConfig(const void *function, enum cudaSharedMemConfig config);
CLIENT_EXPORT cudaError_t cudaFuncSetSharedMemConfig(const void *function, enum cudaSharedMemConfig config)
{
	struct client_function *f;

	return client_result((unsigned)config > cudaSharedMemBankSizeEightByte ? cudaErrorInvalidValue :
	                     enter(function, &f));
}

cudaError_t cudaFuncGetName(const char **name, const void *function);
CLIENT_EXPORT cudaError_t cudaFuncGetName(const char **name, const void *function)
{
	struct client_function *f;
	cudaError_t error = name ? enter(function, &f) : cudaErrorInvalidValue;

	if (!error)
		*name = f->name;
	return client_result(error);
}

cudaError_t cudaFuncGetParamInfo(const void *function, size_t index, size_t *offset, size_t *bytes);
CLIENT_EXPORT cudaError_t cudaFuncGetParamInfo(const void *function, size_t index, size_t *offset, size_t *bytes)
{
	struct client_function *f;
	cudaError_t error = offset ? enter(function, &f) : cudaErrorInvalidValue;

	if (!error && index >= f->params)
		error = cudaErrorInvalidValue;
	if (error)
		return client_result(error);
	*offset = f->param[index].offset;
	if (bytes)
		*bytes = f->param[index].bytes;
	return cudaSuccess;
}

/* ---- Occupancy --------------------------------------------------------- */

static cudaError_t occupancy(const struct client_function *f, int threads, uint64_t dynamic_shared, int *blocks)
{
	struct hetckpt_msg_occupancy body = {f->handle, (uint32_t)threads, 0, dynamic_shared};
	uint32_t reply = 0;
	cudaError_t error;

	error = client_call(HETCKPT_MSG_OCCUPANCY, 0, &body, sizeof body, NULL, 0, &reply, sizeof reply);
	*blocks = (int)reply;
	return error;
}

/*
 * Launches of a kernel look alike, so the last answer is kept, with what was asked in front of it: threads
 * (12 bits), bytes of dynamic shared memory (32), blocks and one (20). Threads that ask for
 * different ones at once overwrite each other's, which costs a question.
 */
cudaError_t client_function_fit(struct client_function *f, uint32_t threads, uint32_t dynamic_shared, uint32_t *blocks)
{
	uint64_t asked = (uint64_t)threads << 32 | dynamic_shared, known = atomic_load(&f->fit);
	cudaError_t error = cudaSuccess;
	int fit = 0;

	if (!known || known >> 20 != asked) {
		error = occupancy(f, (int)threads, dynamic_shared, &fit);
		known = asked << 20 | ((unsigned)fit + 1);
		if (!error)
			atomic_store(&f->fit, known);
	}
	*blocks = (uint32_t)(known & 0xfffff) - 1;
	return error;
}

CLIENT_EXPORT cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *function,
                                                                                 int threads,
                                                                                 size_t dynamic_shared,
                                                                                 unsigned int flags)
{
	struct client_function *f;
	cudaError_t error = cudaErrorInvalidValue;

	if (blocks && threads > 0 && !(flags & ~(unsigned)cudaOccupancyDisableCachingOverride))
		error = enter(function, &f);
	return client_result(error ? error : occupancy(f, threads, dynamic_shared, blocks));
}

CLIENT_EXPORT cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function,
                                                                        int threads, size_t dynamic_shared)
{
	return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads, dynamic_shared,
	                                                              cudaOccupancyDefault);
}

CLIENT_EXPORT cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t *bytes, const void *function,
                                                                    int blocks, int threads)
{
	const struct hetckpt_reply_device *info;
	struct client_function *f;
	uint64_t low = 0, high;
	cudaError_t error = bytes && blocks > 0 && threads > 0 ? enter(function, &f) : cudaErrorInvalidValue;
	int fit = 0;

	if (!error)
		error = client_device_info(&info);
	if (error)
		return client_result(error);
	/* More shared memory never means more blocks: search by halves. */
	high = info->shared_per_block_optin > f->static_shared ? info->shared_per_block_optin - f->static_shared : 0;
	error = occupancy(f, threads, 0, &fit);
	if (!error && fit < blocks)
		error = cudaErrorInvalidValue;
	while (!error && low < high) {
		uint64_t middle = low + (high - low + 1) / 2;

		error = occupancy(f, threads, middle, &fit);
		if (fit >= blocks)
			low = middle;
		else
			high = middle - 1;
	}
	*bytes = low;
	return client_result(error);
}
