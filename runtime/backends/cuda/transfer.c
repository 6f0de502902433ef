/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Copies and fills.
 *
 * A box is first made as flat as its pitches allow, then goes to the driver call for
 * that many dimensions; pitches that those do not take are copied slice by slice or row
 * by row.
 *
 * Page-locked memory: the call only hands the copy over. Long copies are handed over in
 * parts, so that a poke that needs the same copy engine gets its turn between two; at
 * 16 MiB that is a third of a millisecond, and the gaps cost less than a per cent.
 * Pageable memory: small copies to the device go through staging.c; the rest is the
 * driver's, which blocks the caller until it has read, or written, the memory.
 */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PART_BYTES ((uint64_t)16 << 20)
/* The driver blocks when a stream holds about a thousand commands. */
#define PARTS_MAX 256u

/* ---- Shapes ---------------------------------------------------------------- */

/* Joins rows and slices that follow each other without gaps on both sides. */
static void flatten(struct hetckpt_copy *c)
{
	if (c->height == 1 && c->depth > 1) {
		c->height = c->depth;
		c->dst_pitch = c->dst_slice;
		c->src_pitch = c->src_slice;
		c->depth = 1;
	}
	if (c->depth > 1 && c->dst_slice == c->dst_pitch * c->height && c->src_slice == c->src_pitch * c->height) {
		c->height *= c->depth;
		c->depth = 1;
	}
	if (c->depth == 1 && c->height > 1 && c->dst_pitch == c->width && c->src_pitch == c->width) {
		c->width *= c->height;
		c->height = 1;
	}
}

/* Bytes from the first to the last one of a side. */
static uint64_t extent(uint64_t width, uint64_t height, uint64_t depth, uint64_t pitch, uint64_t slice)
{
	return (depth - 1) * slice + (height - 1) * pitch + width;
}

static void *host(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

/* ---- Driver calls ------------------------------------------------------------ */

static cu_result copy_row(struct hetckpt_queue *queue, const struct hetckpt_copy *c, uint64_t dst, uint64_t src,
                          uint64_t bytes)
{
	const struct cuda_driver *api = queue->device->api;

	if (c->dst_memory == HETCKPT_MEMORY_DEVICE && c->src_memory == HETCKPT_MEMORY_DEVICE)
		return api->copy_device(dst, src, bytes, queue->stream);
	if (c->dst_memory == HETCKPT_MEMORY_DEVICE)
		return api->copy_in(dst, host(src), bytes, queue->stream);
	return api->copy_out(host(dst), src, bytes, queue->stream);
}

static cu_result copy_1d(struct hetckpt_queue *queue, const struct hetckpt_copy *c)
{
	uint64_t part = c->width, at = 0;
	cu_result result = CU_OK;

	if (c->dst_memory != c->src_memory) {
		part = c->width / PARTS_MAX;
		part = part < PART_BYTES ? PART_BYTES : (part + 0xfffff) & ~(uint64_t)0xfffff;
	}
	while (!result && at < c->width) {
		uint64_t bytes = c->width - at < part ? c->width - at : part;

		result = copy_row(queue, c, c->dst + at, c->src + at, bytes);
		at += bytes;
	}
	return result;
}

static cu_result copy_2d(struct hetckpt_queue *queue, const struct hetckpt_copy *c, uint64_t dst, uint64_t src)
{
	struct hetckpt_device *device = queue->device;
	cu_result result = CU_OK;
	cu_copy_2d box;

	if (c->dst_pitch > device->max_pitch || c->src_pitch > device->max_pitch) {
		for (uint64_t y = 0; y < c->height && !result; y++)
			result = copy_row(queue, c, dst + y * c->dst_pitch, src + y * c->src_pitch, c->width);
		return result;
	}
	memset(&box, 0, sizeof box);
	box.src_type = c->src_memory == HETCKPT_MEMORY_DEVICE ? CU_COPY_DEVICE : CU_COPY_HOST;
	box.src_host = host(src);
	box.src_device = src;
	box.src_pitch = c->src_pitch;
	box.dst_type = c->dst_memory == HETCKPT_MEMORY_DEVICE ? CU_COPY_DEVICE : CU_COPY_HOST;
	box.dst_host = host(dst);
	box.dst_device = dst;
	box.dst_pitch = c->dst_pitch;
	box.width = c->width;
	box.height = c->height;
	return device->api->copy_2d(&box, queue->stream);
}

static cu_result copy_3d(struct hetckpt_queue *queue, const struct hetckpt_copy *c)
{
	struct hetckpt_device *device = queue->device;
	cu_result result = CU_OK;
	cu_copy_3d box;

	/* The driver knows slices as a number of rows. */
	if (c->dst_pitch > device->max_pitch || c->src_pitch > device->max_pitch || !c->dst_pitch || !c->src_pitch ||
	    c->dst_slice % c->dst_pitch || c->src_slice % c->src_pitch || c->dst_slice < c->dst_pitch * c->height ||
	    c->src_slice < c->src_pitch * c->height) {
		for (uint64_t z = 0; z < c->depth && !result; z++)
			result = copy_2d(queue, c, c->dst + z * c->dst_slice, c->src + z * c->src_slice);
		return result;
	}
	memset(&box, 0, sizeof box);
	box.src_type = c->src_memory == HETCKPT_MEMORY_DEVICE ? CU_COPY_DEVICE : CU_COPY_HOST;
	box.src_host = host(c->src);
	box.src_device = c->src;
	box.src_pitch = c->src_pitch;
	box.src_height = c->src_slice / c->src_pitch;
	box.dst_type = c->dst_memory == HETCKPT_MEMORY_DEVICE ? CU_COPY_DEVICE : CU_COPY_HOST;
	box.dst_host = host(c->dst);
	box.dst_device = c->dst;
	box.dst_pitch = c->dst_pitch;
	box.dst_height = c->dst_slice / c->dst_pitch;
	box.width = c->width;
	box.height = c->height;
	box.depth = c->depth;
	return device->api->copy_3d(&box, queue->stream);
}

/* Both sides are the host's. The driver would not wait for the queue. */
static cu_result copy_host(struct hetckpt_queue *queue, const struct hetckpt_copy *c)
{
	cu_result result = queue->device->api->stream_sync(queue->stream);

	if (result)
		return result;
	for (uint64_t z = 0; z < c->depth; z++)
		for (uint64_t y = 0; y < c->height; y++)
			memcpy(host(c->dst + z * c->dst_slice + y * c->dst_pitch),
			       host(c->src + z * c->src_slice + y * c->src_pitch), c->width);
	return CU_OK;
}

/* ---- Operations ----------------------------------------------------------------- */

static int issue_copy(struct hetckpt_queue *queue, const struct hetckpt_copy *c, struct hetckpt_error *error)
{
	struct hetckpt_device *device = queue->device;
	cu_result result;

	if (c->dst_memory == HETCKPT_MEMORY_HOST && c->src_memory == HETCKPT_MEMORY_HOST) {
		result = copy_host(queue, c);
	} else if (c->depth > 1) {
		result = copy_3d(queue, c);
	} else if (c->height > 1) {
		result = copy_2d(queue, c, c->dst, c->src);
	} else {
		if (c->src_memory == HETCKPT_MEMORY_HOST && c->width <= CUDA_STAGING_BYTES &&
		    !cuda_host_registered(device, c->src, c->width)) {
			int rc = cuda_staged_copy(queue, c->dst, host(c->src), c->width, error);

			if (rc != -EAGAIN)
				return rc;
		}
		result = copy_1d(queue, c);
	}
	return cuda_check(device, result, error,
		"cannot copy %" PRIu64 " x %" PRIu64 " x %" PRIu64 " bytes from 0x%" PRIx64 " to 0x%" PRIx64, c->width,
		c->height, c->depth, c->src, c->dst);
}

int cuda_copy(struct hetckpt_queue *queue, const struct hetckpt_copy *copy, struct hetckpt_error *error)
{
	struct hetckpt_device *device = queue->device;
	struct hetckpt_copy flat = *copy;
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	flatten(&flat);
	rc = issue_copy(queue, &flat, error);
	if (!rc && flat.dst_memory == HETCKPT_MEMORY_DEVICE)
		rc = cuda_variables_changed(queue, flat.dst,
			extent(flat.width, flat.height, flat.depth, flat.dst_pitch, flat.dst_slice), error);
	cuda_leave(device);
	return rc;
}

static cu_result fill_row(struct hetckpt_queue *queue, const struct hetckpt_fill *f, uint64_t dst, uint64_t width)
{
	const struct cuda_driver *api = queue->device->api;

	if (f->element == 4)
		return api->fill_32(dst, f->value, width, queue->stream);
	if (f->element == 2)
		return api->fill_16(dst, (unsigned short)f->value, width, queue->stream);
	return api->fill_8(dst, (unsigned char)f->value, width, queue->stream);
}

static cu_result fill_rows(struct hetckpt_queue *queue, const struct hetckpt_fill *f)
{
	const struct cuda_driver *api = queue->device->api;
	cu_result result = CU_OK;

	if (f->pitch > queue->device->max_pitch) {
		for (uint64_t y = 0; y < f->height && !result; y++)
			result = fill_row(queue, f, f->dst + y * f->pitch, f->width);
		return result;
	}
	if (f->element == 4)
		return api->fill_2d_32(f->dst, f->pitch, f->value, f->width, f->height, queue->stream);
	if (f->element == 2)
		return api->fill_2d_16(f->dst, f->pitch, (unsigned short)f->value, f->width, f->height, queue->stream);
	return api->fill_2d_8(f->dst, f->pitch, (unsigned char)f->value, f->width, f->height, queue->stream);
}

int cuda_fill(struct hetckpt_queue *queue, const struct hetckpt_fill *fill, struct hetckpt_error *error)
{
	struct hetckpt_device *device = queue->device;
	uint64_t row = fill->width * fill->element;
	cu_result result;
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	if (fill->height == 1)
		result = fill_row(queue, fill, fill->dst, fill->width);
	else if (fill->pitch == row)
		result = fill_row(queue, fill, fill->dst, fill->width * fill->height);
	else
		result = fill_rows(queue, fill);
	rc = cuda_check(device, result, error, "cannot fill %" PRIu64 " x %" PRIu64 " bytes at 0x%" PRIx64, row,
	                fill->height, fill->dst);
	if (!rc)
		rc = cuda_variables_changed(queue, fill->dst, extent(row, fill->height, 1, fill->pitch, 0), error);
	cuda_leave(device);
	return rc;
}
