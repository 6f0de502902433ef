/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Small copies of pageable memory to the device.
 *
 * The driver copies such memory in the caller's thread once its turn in the stream has
 * come, if it is more than 64 KiB. The core hands over lists of blocks behind kernels
 * that run until a pause, and it must be able to pause meanwhile. So these copies take
 * their bytes along in page-locked slots of the back end.
 */
#include "device.h"

#include <errno.h>
#include <string.h>

static bool make(struct hetckpt_device *device)
{
	struct cuda_staging *staging = &device->staging;
	const struct cuda_driver *api = device->api;
	void *memory = NULL;

	if (staging->memory || staging->refused)
		return !staging->refused;
	staging->refused = true;
	for (unsigned i = 0; i < CUDA_STAGING_SLOTS; i++)
		if (!staging->event[i] && api->event_create(&staging->event[i], CU_EVENT_NO_TIMING))
			return false;
	if (api->host_alloc(&memory, CUDA_STAGING_SLOTS * CUDA_STAGING_BYTES, CU_HOST_PORTABLE))
		return false;
	staging->memory = memory;
	staging->refused = false;
	return true;
}

void cuda_staging_destroy(struct hetckpt_device *device)
{
	struct cuda_staging *staging = &device->staging;

	for (unsigned i = 0; i < CUDA_STAGING_SLOTS; i++)
		if (staging->event[i])
			device->api->event_destroy(staging->event[i]);
	if (staging->memory)
		device->api->host_free(staging->memory);
	memset(staging, 0, sizeof *staging);
}

/* A slot whose last copy has ended, or CUDA_STAGING_SLOTS. */
static unsigned find_slot(struct hetckpt_device *device)
{
	struct cuda_staging *staging = &device->staging;

	for (unsigned n = 0; n < CUDA_STAGING_SLOTS; n++) {
		unsigned slot = (staging->next + n) % CUDA_STAGING_SLOTS;

		if (!staging->busy[slot] || !device->api->event_query(staging->event[slot])) {
			staging->next = (slot + 1) % CUDA_STAGING_SLOTS;
			return slot;
		}
	}
	return CUDA_STAGING_SLOTS;
}

int cuda_staged_copy(struct hetckpt_queue *queue, uint64_t dst, const void *src, size_t bytes,
                     struct hetckpt_error *error)
{
	struct hetckpt_device *device = queue->device;
	struct cuda_staging *staging = &device->staging;
	const struct cuda_driver *api = device->api;
	unsigned char *memory;
	unsigned slot;
	cu_result result;

	if (bytes > CUDA_STAGING_BYTES || !make(device))
		return -EAGAIN;
	slot = find_slot(device);
	if (slot == CUDA_STAGING_SLOTS)
		return -EAGAIN;
	memory = staging->memory + slot * CUDA_STAGING_BYTES;
	memcpy(memory, src, bytes);
	result = api->copy_in(dst, memory, bytes, queue->stream);
	if (!result) {
		result = api->event_record(staging->event[slot], queue->stream);
		staging->busy[slot] = true;
	}
	return cuda_check(device, result, error, "cannot copy %zu bytes to the device", bytes);
}
