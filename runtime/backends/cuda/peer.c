/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "peer.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "device.h"

void hetckpt_cuda_pieces_close(struct hetckpt_cuda_piece *pieces, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].fd >= 0)
			close(pieces[i].fd);
		pieces[i].fd = -1;
	}
}

int hetckpt_cuda_import(struct hetckpt_device *device, const struct hetckpt_cuda_piece *piece,
                        struct hetckpt_cuda_import *import, struct hetckpt_error *error)
{
	const struct cuda_driver *api = device->api;
	cu_access access = {.location = {.type = CU_MEM_DEVICE, .id = device->ordinal}, .flags = CU_MEM_READ_WRITE};
	cu_handle handle = 0;
	cu_address at = 0;
	cu_result result;
	int rc = cuda_enter(device, error);

	memset(import, 0, sizeof *import);
	if (rc)
		return rc;
	/* The reference says that the descriptor itself is passed, not its address. */
	result = api->memory_import(&handle, (void *)(intptr_t)piece->fd, CU_MEM_POSIX_FD);
	if (result)
		goto out;
	result = api->address_reserve(&at, piece->bytes, 0, 0, 0);
	if (result)
		goto out_handle;
	result = api->memory_map(at, piece->bytes, 0, handle, 0);
	if (result)
		goto out_address;
	result = api->memory_access(at, piece->bytes, &access, 1);
	if (!result) {
		*import = (struct hetckpt_cuda_import){.address = at, .bytes = piece->bytes, .handle = handle};
		goto out;
	}
	api->memory_unmap(at, piece->bytes);
out_address:
	api->address_free(at, piece->bytes);
out_handle:
	api->memory_release(handle);
out:
	rc = cuda_check(device, result, error, "cannot reach the memory of another worker (%" PRIu64 " MiB at 0x%" PRIx64 ")",
	                piece->bytes >> 20, piece->address);
	cuda_leave(device);
	return rc;
}

void hetckpt_cuda_import_release(struct hetckpt_device *device, struct hetckpt_cuda_import *import)
{
	const struct cuda_driver *api = device->api;

	if (!import->bytes || cuda_enter(device, NULL))
		return;
	api->memory_unmap(import->address, import->bytes);
	api->address_free(import->address, import->bytes);
	api->memory_release(import->handle);
	memset(import, 0, sizeof *import);
	cuda_leave(device);
}
