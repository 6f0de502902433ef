/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cudaMemcpy and its family. Every call exists up to four times: waiting or not, and with
 * the legacy or the per-thread default stream (names in _ptds and _ptsz).
 */
#include "runtime/client/client.h"

/* ---- 1D ---------------------------------------------------------------- */

static cudaError_t flat(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
                        cudaStream_t stream, bool async)
{
	cudaError_t error = client_enter();

	return client_result(error ? error : client_copy_flat(dst, src, bytes, kind, stream, async));
}

CLIENT_EXPORT cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind)
{
	return flat(dst, src, bytes, kind, NULL, false);
}

CLIENT_EXPORT cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
                                          cudaStream_t stream)
{
	return flat(dst, src, bytes, kind, stream, true);
}

cudaError_t cudaMemcpy_ptds(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind);
CLIENT_EXPORT cudaError_t cudaMemcpy_ptds(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind)
{
	return flat(dst, src, bytes, kind, cudaStreamPerThread, false);
}

cudaError_t cudaMemcpyAsync_ptsz(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
                                 cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemcpyAsync_ptsz(void *dst, const void *src, size_t bytes,
                                               enum cudaMemcpyKind kind, cudaStream_t stream)
{
	return flat(dst, src, bytes, kind, client_per_thread(stream), true);
}

/* There is one device, so a peer is that device. */
static cudaError_t peer(void *dst, int dst_device, const void *src, int src_device, size_t bytes,
                        cudaStream_t stream, bool async)
{
	cudaError_t error = client_enter();

	if (!error)
		error = client_device_check(dst_device);
	if (!error)
		error = client_device_check(src_device);
	if (!error)
		error = client_copy_flat(dst, src, bytes, cudaMemcpyDeviceToDevice, stream, async);
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaMemcpyPeer(void *dst, int dst_device, const void *src, int src_device,
                                         size_t bytes)
{
	return peer(dst, dst_device, src, src_device, bytes, NULL, false);
}

CLIENT_EXPORT cudaError_t cudaMemcpyPeerAsync(void *dst, int dst_device, const void *src, int src_device,
                                              size_t bytes, cudaStream_t stream)
{
	return peer(dst, dst_device, src, src_device, bytes, stream, true);
}

/* ---- 2D ---------------------------------------------------------------- */

static cudaError_t rows(void *dst, size_t dst_pitch, const void *src, size_t src_pitch, size_t width,
                        size_t height, enum cudaMemcpyKind kind, cudaStream_t stream, bool async)
{
	struct client_copy c = {
		.dst = (uint64_t)dst, .src = (uint64_t)src, .width = width, .height = height, .depth = 1,
		.dst_pitch = dst_pitch, .src_pitch = src_pitch, .kind = kind,
	};
	cudaError_t error = client_enter();

	if (!error && height > 1 && (width > dst_pitch || width > src_pitch))
		error = cudaErrorInvalidPitchValue;
	return client_result(error ? error : client_copy(&c, stream, async));
}

CLIENT_EXPORT cudaError_t cudaMemcpy2D(void *dst, size_t dst_pitch, const void *src, size_t src_pitch,
                                       size_t width, size_t height, enum cudaMemcpyKind kind)
{
	return rows(dst, dst_pitch, src, src_pitch, width, height, kind, NULL, false);
}

CLIENT_EXPORT cudaError_t cudaMemcpy2DAsync(void *dst, size_t dst_pitch, const void *src, size_t src_pitch,
                                            size_t width, size_t height, enum cudaMemcpyKind kind,
                                            cudaStream_t stream)
{
	return rows(dst, dst_pitch, src, src_pitch, width, height, kind, stream, true);
}

cudaError_t cudaMemcpy2D_ptds(void *dst, size_t dst_pitch, const void *src, size_t src_pitch, size_t width,
                              size_t height, enum cudaMemcpyKind kind);
CLIENT_EXPORT cudaError_t cudaMemcpy2D_ptds(void *dst, size_t dst_pitch, const void *src, size_t src_pitch,
                                            size_t width, size_t height, enum cudaMemcpyKind kind)
{
	return rows(dst, dst_pitch, src, src_pitch, width, height, kind, cudaStreamPerThread, false);
}

cudaError_t cudaMemcpy2DAsync_ptsz(void *dst, size_t dst_pitch, const void *src, size_t src_pitch,
                                   size_t width, size_t height, enum cudaMemcpyKind kind,
                                   cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemcpy2DAsync_ptsz(void *dst, size_t dst_pitch, const void *src,
                                                 size_t src_pitch, size_t width, size_t height,
                                                 enum cudaMemcpyKind kind, cudaStream_t stream)
{
	return rows(dst, dst_pitch, src, src_pitch, width, height, kind, client_per_thread(stream), true);
}

/* ---- 3D ---------------------------------------------------------------- */

/* Address and slice of one end. Without arrays, extent and position are in bytes and rows. */
static cudaError_t corner(const struct cudaPitchedPtr *p, const struct cudaPos *pos,
                          const struct cudaExtent *extent, uint64_t *address, uint64_t *slice)
{
	uint64_t z, y;

	if (!p->ptr)
		return cudaErrorInvalidValue;
	if ((extent->height > 1 || extent->depth > 1) && extent->width > p->pitch)
		return cudaErrorInvalidPitchValue;
	/* ysize is how many rows a slice has; only boxes of several slices need it. */
	if (extent->depth > 1 && p->ysize < extent->height)
		return cudaErrorInvalidValue;
	if (__builtin_mul_overflow(p->pitch, p->ysize, slice) || __builtin_mul_overflow(pos->z, *slice, &z) ||
	    __builtin_mul_overflow(pos->y, p->pitch, &y) || __builtin_add_overflow(y, z, &z) ||
	    __builtin_add_overflow(z, pos->x, &z) || __builtin_add_overflow((uint64_t)p->ptr, z, address))
		return cudaErrorInvalidValue;
	return cudaSuccess;
}

cudaError_t client_copy_from_box(struct client_copy *c, const struct cudaMemcpy3DParms *p)
{
	cudaError_t error;

	if (!p)
		return cudaErrorInvalidValue;
	if (p->srcArray || p->dstArray) {
		client_say_once("cudaMemcpy3D: arrays are not supported");
		return cudaErrorNotSupported;
	}
	*c = (struct client_copy){
		.width = p->extent.width, .height = p->extent.height, .depth = p->extent.depth,
		.dst_pitch = p->dstPtr.pitch, .src_pitch = p->srcPtr.pitch, .kind = p->kind,
	};
	if (!c->width || !c->height || !c->depth)
		return cudaSuccess;
	error = corner(&p->dstPtr, &p->dstPos, &p->extent, &c->dst, &c->dst_slice);
	return error ? error : corner(&p->srcPtr, &p->srcPos, &p->extent, &c->src, &c->src_slice);
}

static cudaError_t box(const struct cudaMemcpy3DParms *p, cudaStream_t stream, bool async)
{
	struct client_copy c;
	cudaError_t error = client_enter();

	if (!error)
		error = client_copy_from_box(&c, p);
	if (!error && c.width && c.height && c.depth)
		error = client_copy(&c, stream, async);
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaMemcpy3D(const struct cudaMemcpy3DParms *p)
{
	return box(p, NULL, false);
}

CLIENT_EXPORT cudaError_t cudaMemcpy3DAsync(const struct cudaMemcpy3DParms *p, cudaStream_t stream)
{
	return box(p, stream, true);
}

cudaError_t cudaMemcpy3D_ptds(const struct cudaMemcpy3DParms *p);
CLIENT_EXPORT cudaError_t cudaMemcpy3D_ptds(const struct cudaMemcpy3DParms *p)
{
	return box(p, cudaStreamPerThread, false);
}

cudaError_t cudaMemcpy3DAsync_ptsz(const struct cudaMemcpy3DParms *p, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemcpy3DAsync_ptsz(const struct cudaMemcpy3DParms *p, cudaStream_t stream)
{
	return box(p, client_per_thread(stream), true);
}

static cudaError_t box_peer(const struct cudaMemcpy3DPeerParms *p, cudaStream_t stream, bool async)
{
	struct cudaMemcpy3DParms plain = {0};
	cudaError_t error;

	if (!p)
		return client_result(cudaErrorInvalidValue);
	error = client_device_check(p->srcDevice);
	if (!error)
		error = client_device_check(p->dstDevice);
	if (error)
		return client_result(error);
	plain.srcArray = p->srcArray;
	plain.srcPos = p->srcPos;
	plain.srcPtr = p->srcPtr;
	plain.dstArray = p->dstArray;
	plain.dstPos = p->dstPos;
	plain.dstPtr = p->dstPtr;
	plain.extent = p->extent;
	plain.kind = cudaMemcpyDeviceToDevice;
	return box(&plain, stream, async);
}

cudaError_t cudaMemcpy3DPeer(const struct cudaMemcpy3DPeerParms *p);
CLIENT_EXPORT cudaError_t cudaMemcpy3DPeer(const struct cudaMemcpy3DPeerParms *p)
{
	return box_peer(p, NULL, false);
}

cudaError_t cudaMemcpy3DPeer_ptds(const struct cudaMemcpy3DPeerParms *p);
CLIENT_EXPORT cudaError_t cudaMemcpy3DPeer_ptds(const struct cudaMemcpy3DPeerParms *p)
{
	return box_peer(p, cudaStreamPerThread, false);
}

cudaError_t cudaMemcpy3DPeerAsync(const struct cudaMemcpy3DPeerParms *p, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemcpy3DPeerAsync(const struct cudaMemcpy3DPeerParms *p, cudaStream_t stream)
{
	return box_peer(p, stream, true);
}

cudaError_t cudaMemcpy3DPeerAsync_ptsz(const struct cudaMemcpy3DPeerParms *p, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemcpy3DPeerAsync_ptsz(const struct cudaMemcpy3DPeerParms *p,
                                                     cudaStream_t stream)
{
	return box_peer(p, client_per_thread(stream), true);
}

/* ---- Symbols ----------------------------------------------------------- */

static cudaError_t symbol(const void *symbol, void *host, const void *from, size_t bytes, size_t offset,
                          enum cudaMemcpyKind kind, cudaStream_t stream, bool async)
{
	cudaError_t error = client_enter();
	uint64_t address, size;

	if (!error)
		error = client_variable_get(symbol, &address, &size);
	if (!error && (offset > size || bytes > size - offset))
		error = cudaErrorInvalidValue;
	if (!error && kind != cudaMemcpyDefault && kind != cudaMemcpyDeviceToDevice &&
	    kind != (from ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost))
		error = cudaErrorInvalidMemcpyDirection;
	if (error)
		return client_result(error);
	address += offset;
	if (from)
		error = client_copy_flat((void *)address, from, bytes, kind, stream, async);
	else
		error = client_copy_flat(host, (const void *)address, bytes, kind, stream, async);
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaMemcpyToSymbol(const void *to, const void *src, size_t bytes, size_t offset,
                                             enum cudaMemcpyKind kind)
{
	return src ? symbol(to, NULL, src, bytes, offset, kind, NULL, false) : client_result(cudaErrorInvalidValue);
}

CLIENT_EXPORT cudaError_t cudaMemcpyFromSymbol(void *dst, const void *from, size_t bytes, size_t offset,
                                               enum cudaMemcpyKind kind)
{
	return symbol(from, dst, NULL, bytes, offset, kind, NULL, false);
}

CLIENT_EXPORT cudaError_t cudaMemcpyToSymbolAsync(const void *to, const void *src, size_t bytes, size_t offset,
                                                  enum cudaMemcpyKind kind, cudaStream_t stream)
{
	return src ? symbol(to, NULL, src, bytes, offset, kind, stream, true) : client_result(cudaErrorInvalidValue);
}

CLIENT_EXPORT cudaError_t cudaMemcpyFromSymbolAsync(void *dst, const void *from, size_t bytes, size_t offset,
                                                    enum cudaMemcpyKind kind, cudaStream_t stream)
{
	return symbol(from, dst, NULL, bytes, offset, kind, stream, true);
}

cudaError_t cudaMemcpyToSymbol_ptds(const void *to, const void *src, size_t bytes, size_t offset,
                                    enum cudaMemcpyKind kind);
CLIENT_EXPORT cudaError_t cudaMemcpyToSymbol_ptds(const void *to, const void *src, size_t bytes,
                                                  size_t offset, enum cudaMemcpyKind kind)
{
	return src ? symbol(to, NULL, src, bytes, offset, kind, cudaStreamPerThread, false) :
	             client_result(cudaErrorInvalidValue);
}

cudaError_t cudaMemcpyFromSymbol_ptds(void *dst, const void *from, size_t bytes, size_t offset,
                                      enum cudaMemcpyKind kind);
CLIENT_EXPORT cudaError_t cudaMemcpyFromSymbol_ptds(void *dst, const void *from, size_t bytes, size_t offset,
                                                    enum cudaMemcpyKind kind)
{
	return symbol(from, dst, NULL, bytes, offset, kind, cudaStreamPerThread, false);
}

cudaError_t cudaMemcpyToSymbolAsync_ptsz(const void *to, const void *src, size_t bytes, size_t offset,
                                         enum cudaMemcpyKind kind, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemcpyToSymbolAsync_ptsz(const void *to, const void *src, size_t bytes,
                                                       size_t offset, enum cudaMemcpyKind kind,
                                                       cudaStream_t stream)
{
	return cudaMemcpyToSymbolAsync(to, src, bytes, offset, kind, client_per_thread(stream));
}

cudaError_t cudaMemcpyFromSymbolAsync_ptsz(void *dst, const void *from, size_t bytes, size_t offset,
                                           enum cudaMemcpyKind kind, cudaStream_t stream);
CLIENT_EXPORT cudaError_t cudaMemcpyFromSymbolAsync_ptsz(void *dst, const void *from, size_t bytes,
                                                         size_t offset, enum cudaMemcpyKind kind,
                                                         cudaStream_t stream)
{
	return cudaMemcpyFromSymbolAsync(dst, from, bytes, offset, kind, client_per_thread(stream));
}
