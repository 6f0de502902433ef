/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cudaMemset and its family. Device memory is filled by a command; page-locked memory is
 * filled here, when the stream comes to it.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/client/client.h"
#include "runtime/client/graph.h"

static void fill_here(const struct client_fill *f)
{
	for (uint64_t z = 0; z < f->depth; z++) {
		for (uint64_t y = 0; y < f->height; y++) {
			char *row = (char *)f->address + z * f->slice + y * f->pitch;

			if (f->element == 1)
				memset(row, (int)f->value, f->width);
			else
				for (uint64_t x = 0; x < f->width; x += f->element)
					memcpy(row + x, &f->value, f->element);
		}
	}
}

static void fill_deferred(void *data)
{
	fill_here(data);
	free(data);
}

static cudaError_t fill_host(const struct client_fill *f, uint32_t stream, bool async)
{
	struct client_fill *copy;
	cudaError_t error;

	if (!async) {
		error = client_stream_sync(stream);
		if (!error)
			fill_here(f);
		return error;
	}
	copy = malloc(sizeof *copy);
	if (!copy)
		return cudaErrorMemoryAllocation;
	*copy = *f;
	return client_host_call(stream, fill_deferred, copy);
}

static cudaError_t fill_device(const struct client_fill *f, uint32_t stream)
{
	struct hetckpt_msg_fill body = {
		.dst = f->address, .width = f->width / f->element, .height = f->height, .pitch = f->pitch,
		.element = f->element, .value = f->value,
	};
	cudaError_t error = cudaSuccess;

	for (uint64_t z = 0; z < f->depth && !error; z++) {
		error = client_send(HETCKPT_MSG_FILL, stream, &body, sizeof body);
		body.dst += f->slice;
	}
	return error;
}

static bool is_empty(const struct client_fill *f)
{
	return !f->width || !f->height || !f->depth;
}

/* *kind: where it lies. */
static cudaError_t classify(const struct client_fill *f, enum client_range_kind *kind)
{
	struct client_range range;
	uint64_t bytes, slices, rows;

	if (__builtin_mul_overflow(f->depth - 1, f->slice, &slices) ||
	    __builtin_mul_overflow(f->height - 1, f->pitch, &rows) ||
	    __builtin_add_overflow(slices, rows, &bytes) || __builtin_add_overflow(bytes, f->width, &bytes) ||
	    !client_range_find(f->address, &range) || bytes > range.bytes - (f->address - range.address) ||
	    (f->element != 1 && f->element != 2 && f->element != 4) || f->address % f->element ||
	    f->width % f->element || (f->height > 1 && f->pitch % f->element))
		return cudaErrorInvalidValue;
	*kind = range.kind;
	return range.kind == CLIENT_RANGE_REGISTERED ? cudaErrorInvalidValue : cudaSuccess;
}

cudaError_t client_fill_check(const struct client_fill *fill)
{
	enum client_range_kind kind;

	return is_empty(fill) ? cudaSuccess : classify(fill, &kind);
}

cudaError_t client_fill_send(const struct client_fill *fill, uint32_t stream, bool async)
{
	struct client_fill f = *fill;
	enum client_range_kind kind;
	cudaError_t error;

	if (is_empty(&f))
		return cudaSuccess;
	error = classify(&f, &kind);
	if (error)
		return error;
	/* Slices without a gap between them are rows of one, rows without a gap one row. */
	if (f.depth > 1 && f.slice == f.pitch * f.height) {
		f.height *= f.depth;
		f.depth = 1;
	}
	if (f.depth == 1 && f.height > 1 && f.pitch == f.width) {
		f.width *= f.height;
		f.height = 1;
	}
	return kind == CLIENT_RANGE_DEVICE || kind == CLIENT_RANGE_VARIABLE ? fill_device(&f, stream) :
	                                                                      fill_host(&f, stream, async);
}

/* Of bytes, as all that are not nodes of graphs. */
static cudaError_t fill(struct client_fill f, cudaStream_t stream, bool async)
{
	struct client_work work = {.type = cudaGraphNodeTypeMemset};
	cudaError_t error = client_enter();
	uint32_t number;

	f.value = (unsigned char)f.value;
	work.fill = f;
	if (!error && async && client_capturing()) {
		error = client_fill_check(&f);
		if (error || client_capture(stream, &work, &error))
			return error;
	}
	if (!error)
		error = client_stream_number(stream, &number);
	return error ? error : client_fill_send(&f, number, async);
}

/* ---- 1D ---------------------------------------------------------------- */

static cudaError_t flat(void *address, int value, size_t bytes, cudaStream_t stream, bool async)
{
	return client_result(fill((struct client_fill){(uint64_t)address, bytes, 1, 1, bytes, bytes, 1, (uint32_t)value}, stream, async));
}

CLIENT_EXPORT cudaError_t cudaMemset(void *address, int value, size_t bytes)
{
	return flat(address, value, bytes, NULL, false);
}

CLIENT_EXPORT cudaError_t cudaMemsetAsync(void *address, int value, size_t bytes, cudaStream_t stream)
{
	return flat(address, value, bytes, stream, true);
}

cudaError_t cudaMemset_ptds(void *address, int value, size_t bytes);
CLIENT_EXPORT cudaError_t cudaMemset_ptds(void *address, int value, size_t bytes)
{
	return flat(address, value, bytes, cudaStreamPerThread, false);
}

cudaError_t cudaMemsetAsync_ptsz(void *address, int value, size_t bytes, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemsetAsync_ptsz(void *address, int value, size_t bytes, cudaStream_t stream)
{
	return flat(address, value, bytes, client_per_thread(stream), true);
}

/* ---- 2D ---------------------------------------------------------------- */

static cudaError_t rows(void *address, size_t pitch, int value, size_t width, size_t height,
                        cudaStream_t stream, bool async)
{
	if (height > 1 && width > pitch)
		return client_result(cudaErrorInvalidPitchValue);
	return client_result(fill((struct client_fill){(uint64_t)address, width, height, 1, pitch, 0, 1, (uint32_t)value}, stream, async));
}

CLIENT_EXPORT cudaError_t cudaMemset2D(void *address, size_t pitch, int value, size_t width, size_t height)
{
	return rows(address, pitch, value, width, height, NULL, false);
}

CLIENT_EXPORT cudaError_t cudaMemset2DAsync(void *address, size_t pitch, int value, size_t width,
                                            size_t height, cudaStream_t stream)
{
	return rows(address, pitch, value, width, height, stream, true);
}

cudaError_t cudaMemset2D_ptds(void *address, size_t pitch, int value, size_t width, size_t height);
CLIENT_EXPORT cudaError_t cudaMemset2D_ptds(void *address, size_t pitch, int value, size_t width, size_t height)
{
	return rows(address, pitch, value, width, height, cudaStreamPerThread, false);
}

cudaError_t cudaMemset2DAsync_ptsz(void *address, size_t pitch, int value, size_t width, size_t height,
                                   cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemset2DAsync_ptsz(void *address, size_t pitch, int value, size_t width,
                                                 size_t height, cudaStream_t stream)
{
	return rows(address, pitch, value, width, height, client_per_thread(stream), true);
}

/* ---- 3D ---------------------------------------------------------------- */

static cudaError_t box(struct cudaPitchedPtr p, int value, struct cudaExtent extent, cudaStream_t stream,
                       bool async)
{
	struct client_fill f = {(uint64_t)p.ptr, extent.width, extent.height, extent.depth, p.pitch, 0, 1, (uint32_t)value};

	if ((extent.height > 1 || extent.depth > 1) && extent.width > p.pitch)
		return client_result(cudaErrorInvalidPitchValue);
	if (__builtin_mul_overflow(p.pitch, p.ysize, &f.slice) || (extent.depth > 1 && p.ysize < extent.height))
		return client_result(cudaErrorInvalidValue);
	return client_result(fill(f, stream, async));
}

CLIENT_EXPORT cudaError_t cudaMemset3D(struct cudaPitchedPtr p, int value, struct cudaExtent extent)
{
	return box(p, value, extent, NULL, false);
}

CLIENT_EXPORT cudaError_t cudaMemset3DAsync(struct cudaPitchedPtr p, int value, struct cudaExtent extent,
                                            cudaStream_t stream)
{
	return box(p, value, extent, stream, true);
}

cudaError_t cudaMemset3D_ptds(struct cudaPitchedPtr p, int value, struct cudaExtent extent);
CLIENT_EXPORT cudaError_t cudaMemset3D_ptds(struct cudaPitchedPtr p, int value, struct cudaExtent extent)
{
	return box(p, value, extent, cudaStreamPerThread, false);
}

cudaError_t cudaMemset3DAsync_ptsz(struct cudaPitchedPtr p, int value, struct cudaExtent extent,
                                   cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemset3DAsync_ptsz(struct cudaPitchedPtr p, int value, struct cudaExtent extent,
                                                 cudaStream_t stream)
{
	return box(p, value, extent, client_per_thread(stream), true);
}
