/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory of another worker's GPU (or of one's own), mapped outside the arena, and copies from
 * there to the arena: over NVLink or PCIe, whatever connects the two.
 */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct hetckpt_peer {
	cu_address address;
	uint64_t bytes;
	cu_handle handle;
};

int cuda_peer_open(struct hetckpt_device *device, const struct hetckpt_share *share, struct hetckpt_peer **out,
                   struct hetckpt_error *error)
{
	const struct cuda_driver *api = device->api;
	cu_access access = {.location = {.type = CU_MEM_DEVICE, .id = device->ordinal}, .flags = CU_MEM_READ_WRITE};
	struct hetckpt_peer *peer = calloc(1, sizeof *peer);
	cu_result result;
	int rc;

	if (!peer)
		return hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory", device->index);
	rc = cuda_enter(device, error);
	if (rc) {
		free(peer);
		return rc;
	}
	peer->bytes = share->bytes;
	/* The reference says that the descriptor itself is passed, not its address. */
	result = api->memory_import(&peer->handle, (void *)(intptr_t)share->fd, CU_MEM_POSIX_FD);
	if (result)
		goto out;
	result = api->address_reserve(&peer->address, peer->bytes, 0, 0, 0);
	if (result)
		goto out_handle;
	result = api->memory_map(peer->address, peer->bytes, 0, peer->handle, 0);
	if (result)
		goto out_address;
	result = api->memory_access(peer->address, peer->bytes, &access, 1);
	if (!result) {
		*out = peer;
		goto out;
	}
	api->memory_unmap(peer->address, peer->bytes);
out_address:
	api->address_free(peer->address, peer->bytes);
out_handle:
	api->memory_release(peer->handle);
out:
	rc = cuda_check(device, result, error, "cannot reach the memory of another worker (%" PRIu64 " MiB at 0x%" PRIx64 ")",
	                share->bytes >> 20, share->address);
	cuda_leave(device);
	if (rc)
		free(peer);
	return rc;
}

void cuda_peer_close(struct hetckpt_device *device, struct hetckpt_peer *peer)
{
	const struct cuda_driver *api = device->api;

	/* A failed device takes its mappings with it. */
	if (!cuda_enter(device, NULL)) {
		api->memory_unmap(peer->address, peer->bytes);
		api->address_free(peer->address, peer->bytes);
		api->memory_release(peer->handle);
		cuda_leave(device);
	}
	free(peer);
}

int cuda_peer_copy(struct hetckpt_queue *queue, struct hetckpt_peer *peer, uint64_t offset, uint64_t dst,
                   uint64_t bytes, struct hetckpt_error *error)
{
	struct hetckpt_device *device = queue->device;
	int rc;

	if (offset > peer->bytes || bytes > peer->bytes - offset)
		return hetckpt_error_set(error, -ERANGE, 0, "cuda:%u: a copy from beyond a piece of another worker's memory",
		                         device->index);
	rc = cuda_enter(device, error);
	if (rc)
		return rc;
	rc = cuda_check(device, device->api->copy_device(dst, peer->address + offset, bytes, queue->stream), error,
	                "cannot copy %" PRIu64 " bytes of another worker's memory to 0x%" PRIx64, bytes, dst);
	if (!rc)
		rc = cuda_variables_changed(queue, dst, bytes, error);
	cuda_leave(device);
	return rc;
}
