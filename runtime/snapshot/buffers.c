/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "buffers.h"

#include <stdlib.h>

#define ALIGN 4096u

static void *buffer_alloc(void *ctx, size_t bytes)
{
	return aligned_alloc(ALIGN, (bytes + ALIGN - 1) / ALIGN * ALIGN);
}

static void buffer_release(void *ctx, void *buffer, size_t bytes)
{
	free(buffer);
}

const struct hetckpt_buffers hetckpt_snap_buffers_default = {
	.alloc = buffer_alloc,
	.release = buffer_release,
};
