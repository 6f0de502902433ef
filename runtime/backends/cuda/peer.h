/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * peer.h - device memory shared between workers of one machine, for moves from GPU to
 * GPU that do not pass through the host.
 *
 * The worker that holds memory exports its pieces as file descriptors; they travel over
 * a socket (SCM_RIGHTS). The worker that takes over imports each piece with its own
 * device, which may be another GPU that can reach the first, and copies from where the
 * import lies to its arena with the back end's copy (both are device memory). Serialised
 * with the other calls on the device.
 */
#ifndef HETCKPT_BACKENDS_CUDA_PEER_H
#define HETCKPT_BACKENDS_CUDA_PEER_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/backends/backend.h"

struct hetckpt_cuda_piece {
	uint64_t address; /* where it lies in the exporter's arena */
	uint64_t bytes;
	int fd;           /* of the whole piece; its owner closes it */
};

/*
 * The pieces that hold [address, address + bytes), whole ones, ascending; the first and
 * last may reach beyond the range. *count is also set when there is no room: -ENOSPC, and
 * nothing is exported. The memory stays while a descriptor or an import of it exists.
 * -ENOTSUP: the system does not share device memory.
 */
int hetckpt_cuda_export(struct hetckpt_device *device, uint64_t address, uint64_t bytes,
                        struct hetckpt_cuda_piece *pieces, size_t room, size_t *count,
                        struct hetckpt_error *error);

/* Closes the descriptors. */
void hetckpt_cuda_pieces_close(struct hetckpt_cuda_piece *pieces, size_t count);

struct hetckpt_cuda_import {
	uint64_t address; /* where the importer's device sees the piece; outside its arena */
	uint64_t bytes;
	unsigned long long handle;
};

/*
 * Maps an exported piece. The descriptor stays the caller's. May block. -ENOTSUP,
 * -EREMOTEIO: this device cannot reach the memory; copy through the host instead.
 */
int hetckpt_cuda_import(struct hetckpt_device *device, const struct hetckpt_cuda_piece *piece,
                        struct hetckpt_cuda_import *import, struct hetckpt_error *error);

/* No queue uses it any more. */
void hetckpt_cuda_import_release(struct hetckpt_device *device, struct hetckpt_cuda_import *import);

#endif
