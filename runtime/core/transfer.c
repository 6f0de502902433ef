/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Copies and fills: what a message asks for, checked, and handed to the back end.
 *
 * Addresses are checked when the command is issued, for only then is it known what is
 * still allocated: on the CPU a stray copy would take the worker down.
 */
#include "core_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Copies: a rough figure is enough to bound how far a stream runs ahead. */
#define PAGEABLE_BYTES_PER_NS 10.0
#define PINNED_BYTES_PER_NS 40.0
#define DEVICE_BYTES_PER_NS 500.0

bool hetckpt_box_extent(uint64_t width, uint64_t height, uint64_t depth, uint64_t pitch,
                        uint64_t slice, uint64_t *bytes)
{
	uint64_t rows, slices;

	return !__builtin_mul_overflow(height - 1, pitch, &rows) &&
	       !__builtin_mul_overflow(depth - 1, slice, &slices) &&
	       !__builtin_add_overflow(rows, slices, bytes) &&
	       !__builtin_add_overflow(*bytes, width, bytes);
}

/* Translates one side of a copy. */
static int side(struct hetckpt_core *core, struct hetckpt_command *command,
                const struct hetckpt_msg_copy *msg, bool source, uint64_t *address,
                enum hetckpt_memory *memory, uint64_t *pitch, uint64_t *slice,
                struct hetckpt_error *error)
{
	const char *what = source ? "source" : "destination";
	uint32_t space = source ? msg->src_space : msg->dst_space;
	uint64_t bytes = 0;

	*address = source ? msg->src : msg->dst;
	*pitch = source ? msg->src_pitch : msg->dst_pitch;
	*slice = source ? msg->src_slice : msg->dst_slice;
	if (space == HETCKPT_SPACE_STAGING) {
		*pitch = msg->width;
		*slice = msg->width * msg->height;
	}
	if (!hetckpt_box_extent(msg->width, msg->height, msg->depth, *pitch, *slice, &bytes))
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
		                         "copy: the %s's size overflows", what);
	switch (space) {
	case HETCKPT_SPACE_DEVICE:
		*memory = HETCKPT_MEMORY_DEVICE;
		if (!hetckpt_arena_containing(core->app.arena, *address, bytes))
			return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
				"copy: the %s [0x%" PRIx64 ", +%" PRIu64 ") is not inside an allocation", what,
				*address, bytes);
		return 0;
	case HETCKPT_SPACE_PINNED:
		*memory = HETCKPT_MEMORY_HOST;
		if (!hetckpt_host_find(core, *address, bytes))
			return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
				"copy: the %s [0x%" PRIx64 ", +%" PRIu64 ") is not page-locked memory of this session",
				what, *address, bytes);
		return 0;
	case HETCKPT_SPACE_STAGING:
		*memory = HETCKPT_MEMORY_HOST;
		if (source && command->payload) {
			*address = (uintptr_t)command->payload;
			return 0;
		}
		if (*address > core->host.staging_bytes || bytes > core->host.staging_bytes - *address)
			return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
				"copy: the %s [%" PRIu64 ", +%" PRIu64 ") is outside the staging area", what, *address,
				bytes);
		*address += (uintptr_t)core->host.staging;
		return 0;
	default:
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE, "copy: unknown space %u", space);
	}
}

/* A copy that touches no device memory. Everything before it in the stream has ended. */
static void copy_host(const struct hetckpt_copy *copy)
{
	for (uint64_t z = 0; z < copy->depth; z++)
		for (uint64_t y = 0; y < copy->height; y++)
			memmove((void *)(uintptr_t)(copy->dst + z * copy->dst_slice + y * copy->dst_pitch),
			        (void *)(uintptr_t)(copy->src + z * copy->src_slice + y * copy->src_pitch),
			        copy->width);
}

/* True if source and destination share bytes. CUDA leaves such copies undefined, back ends
   need not take them. */
static bool overlaps(const struct hetckpt_copy *copy)
{
	uint64_t dst = 0, src = 0, pitch = copy->dst_pitch, shift;

	if (copy->dst_memory != copy->src_memory)
		return false;
	hetckpt_box_extent(copy->width, copy->height, copy->depth, copy->dst_pitch, copy->dst_slice, &dst);
	hetckpt_box_extent(copy->width, copy->height, copy->depth, copy->src_pitch, copy->src_slice, &src);
	if (copy->dst + dst <= copy->src || copy->src + src <= copy->dst)
		return false;
	/* Columns of one matrix interleave without touching. */
	if (copy->depth > 1 || copy->src_pitch != pitch || !pitch)
		return true;
	shift = (copy->dst > copy->src ? copy->dst - copy->src : copy->src - copy->dst) % pitch;
	return shift < copy->width || pitch - shift < copy->width;
}

static double rate(const struct hetckpt_msg_copy *copy)
{
	if (copy->src_space == HETCKPT_SPACE_DEVICE && copy->dst_space == HETCKPT_SPACE_DEVICE)
		return DEVICE_BYTES_PER_NS;
	return copy->src_space == HETCKPT_SPACE_PINNED || copy->dst_space == HETCKPT_SPACE_PINNED
		? PINNED_BYTES_PER_NS : PAGEABLE_BYTES_PER_NS;
}

int hetckpt_transfer_copy(struct hetckpt_core *core, struct hetckpt_command *command,
                          struct hetckpt_error *error)
{
	const struct hetckpt_msg_copy *msg = (const void *)(command->msg + 1);
	struct hetckpt_copy copy = {.width = msg->width, .height = msg->height, .depth = msg->depth};
	int rc;

	if (!msg->width || !msg->height || !msg->depth)
		return 0;
	rc = side(core, command, msg, false, &copy.dst, &copy.dst_memory, &copy.dst_pitch,
	          &copy.dst_slice, error);
	if (!rc)
		rc = side(core, command, msg, true, &copy.src, &copy.src_memory, &copy.src_pitch,
		          &copy.src_slice, error);
	if (rc)
		return rc;
	command->estimate_ns += (double)msg->width * (double)msg->height * (double)msg->depth / rate(msg);
	if (copy.dst_memory == HETCKPT_MEMORY_HOST && copy.src_memory == HETCKPT_MEMORY_HOST) {
		copy_host(&copy);
		return 0;
	}
	if (copy.dst == copy.src)
		return 0;
	if (overlaps(&copy))
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
			"copy: source 0x%" PRIx64 " and destination 0x%" PRIx64 " overlap", copy.src, copy.dst);
	return core->dev.ops->copy(command->stream->queue, &copy, error);
}

int hetckpt_transfer_fill(struct hetckpt_core *core, struct hetckpt_command *command,
                          struct hetckpt_error *error)
{
	const struct hetckpt_msg_fill *msg = (const void *)(command->msg + 1);
	struct hetckpt_fill fill = {
		.dst = msg->dst, .width = msg->width, .height = msg->height, .pitch = msg->pitch,
		.element = msg->element, .value = msg->value,
	};
	uint64_t row, bytes;

	if (!msg->width || !msg->height)
		return 0;
	if ((msg->element != 1 && msg->element != 2 && msg->element != 4) || msg->dst % msg->element ||
	    (msg->height > 1 && msg->pitch % msg->element))
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
			"fill of 0x%" PRIx64 ": elements of %u bytes do not fit there", msg->dst, msg->element);
	if (__builtin_mul_overflow(msg->width, (uint64_t)msg->element, &row) ||
	    !hetckpt_box_extent(row, msg->height, 1, msg->pitch, 0, &bytes) ||
	    !hetckpt_arena_containing(core->app.arena, msg->dst, bytes))
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
			"fill: 0x%" PRIx64 " and what follows is not inside an allocation", msg->dst);
	if (msg->height > 1 && msg->pitch < row)
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
			"fill of 0x%" PRIx64 ": rows of %" PRIu64 " bytes overlap at a pitch of %" PRIu64,
			msg->dst, row, msg->pitch);
	command->estimate_ns += (double)bytes / DEVICE_BYTES_PER_NS;
	return core->dev.ops->fill(command->stream->queue, &fill, error);
}
