/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* cudaMalloc and its family. Page-locked memory is in pinned.c, memory of pools in pool.c. */
#include "runtime/client/client.h"

/* Rows of pitched memory start at multiples of this, as texturePitchAlignment and
   coalescing want it. */
#define PITCH_ALIGN 512u
#define ALLOC_ALIGN 256u

cudaError_t client_device_alloc(struct client_range *range)
{
	struct hetckpt_msg_malloc body = {range->bytes, ALLOC_ALIGN};
	cudaError_t error;

	error = client_call(HETCKPT_MSG_MALLOC, 0, &body, sizeof body, NULL, 0, &range->address, sizeof range->address);
	if (error)
		return error;
	range->device_address = range->address;
	return client_range_add(range);
}

static cudaError_t alloc_checked(void **address, uint64_t bytes)
{
	struct client_range range = {.bytes = bytes, .kind = CLIENT_RANGE_DEVICE};
	cudaError_t error;

	if (!address)
		return cudaErrorInvalidValue;
	*address = NULL;
	error = client_enter();
	if (error || !bytes)
		return error;
	error = client_device_alloc(&range);
	if (!error)
		*address = (void *)range.address;
	return error;
}

CLIENT_EXPORT cudaError_t cudaMalloc(void **address, size_t bytes)
{
	return client_result(alloc_checked(address, bytes));
}

/* Bytes of height rows of at least width bytes; 0 if that overflows. */
static uint64_t pitch_bytes(size_t width, size_t height, size_t *pitch)
{
	uint64_t total;

	if (width > UINT64_MAX - PITCH_ALIGN)
		return 0;
	*pitch = (width + PITCH_ALIGN - 1) & ~(size_t)(PITCH_ALIGN - 1);
	return __builtin_mul_overflow(*pitch, height, &total) ? 0 : total;
}

CLIENT_EXPORT cudaError_t cudaMallocPitch(void **address, size_t *pitch, size_t width, size_t height)
{
	uint64_t bytes;

	if (!address || !pitch)
		return client_result(cudaErrorInvalidValue);
	bytes = pitch_bytes(width, height, pitch);
	if (!bytes && width && height)
		return client_result(cudaErrorMemoryAllocation);
	return client_result(alloc_checked(address, bytes));
}

CLIENT_EXPORT cudaError_t cudaMalloc3D(struct cudaPitchedPtr *result, struct cudaExtent extent)
{
	size_t pitch = 0, rows;
	uint64_t bytes;
	void *address;
	cudaError_t error;

	if (!result)
		return client_result(cudaErrorInvalidValue);
	if (__builtin_mul_overflow(extent.height, extent.depth, &rows))
		return client_result(cudaErrorMemoryAllocation);
	bytes = pitch_bytes(extent.width, rows, &pitch);
	if (!bytes && extent.width && rows)
		return client_result(cudaErrorMemoryAllocation);
	error = alloc_checked(&address, bytes);
	if (!error)
		*result = make_cudaPitchedPtr(address, pitch, extent.width, extent.height);
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaFree(void *address)
{
	struct hetckpt_msg_free body = {(uint64_t)address};
	struct client_range removed;
	cudaError_t error = client_enter();

	/* cudaFree(0) is how programs start the runtime. */
	if (error || !address)
		return client_result(error);
	if (client_range_remove(body.address, CLIENT_RANGE_DEVICE, &removed)) {
		client_pool_freed(&removed);
		return client_result(client_call(HETCKPT_MSG_FREE, 0, &body, sizeof body, NULL, 0, NULL, 0));
	}
	return client_result(client_pinned_free(address, CLIENT_RANGE_MANAGED));
}

CLIENT_EXPORT cudaError_t cudaFreeAsync(void *address, cudaStream_t stream)
{
	struct hetckpt_msg_free body = {(uint64_t)address};
	struct client_range removed;
	cudaError_t error = client_enter();
	uint32_t number;

	if (!error)
		error = client_stream_number(stream, &number);
	if (error || !address)
		return client_result(error);
	if (!client_range_remove(body.address, CLIENT_RANGE_DEVICE, &removed))
		return client_result(cudaErrorInvalidValue);
	client_pool_freed(&removed);
	return client_result(client_send(HETCKPT_MSG_FREE, number, &body, sizeof body));
}

CLIENT_EXPORT cudaError_t cudaFreeAsync_ptsz(void *address, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaFreeAsync_ptsz(void *address, cudaStream_t stream)
{
	return cudaFreeAsync(address, client_per_thread(stream));
}

CLIENT_EXPORT cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
	uint64_t reply[2] = {0, 0};
	cudaError_t error;

	if (!available || !total)
		return client_result(cudaErrorInvalidValue);
	error = client_enter();
	if (!error)
		error = client_call(HETCKPT_MSG_MEM_INFO, 0, NULL, 0, NULL, 0, reply, sizeof reply);
	*available = reply[0];
	*total = reply[1];
	return client_result(error);
}
