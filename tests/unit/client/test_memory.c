/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "tests/unit/client/client_test.h"

/* ---- Memory and copies ------------------------------------------------- */

void copies_1d(void)
{
	static const size_t sizes[] = {1, 3, 4096, 16384, 16385, 100000, 4 * MIB, 4 * MIB + 1, 40 * MIB + 77};
	unsigned char *d, *e, *h = malloc(48 * MIB), *back = malloc(48 * MIB);
	size_t available, total;

	start();
	OK(cudaFree(0));
	OK(cudaMemGetInfo(&available, &total));
	CHECK_INT(total, 256 * MIB);
	CHECK_INT(available, 128 * MIB);
	OK(cudaMalloc((void **)&d, 48 * MIB));
	OK(cudaMalloc((void **)&e, 48 * MIB));
	CHECK(d != e && (uintptr_t)d % 256 == 0);
	fill_random(h, 48 * MIB);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = sizes[i];

		memset(back, 0, n + 1);
		OK(cudaMemcpy(d + 5, h + i, n, cudaMemcpyHostToDevice));
		OK(cudaMemcpy(e + 1, d + 5, n, cudaMemcpyDeviceToDevice));
		OK(cudaMemcpy(back, e + 1, n, i & 1 ? cudaMemcpyDeviceToHost : cudaMemcpyDefault));
		CHECK(!memcmp(back, h + i, n));
		CHECK_INT(back[n], 0);
	}
	CHECK_INT(fake_staging_used(), 0);
	/* A pageable source has been captured when the call returns. */
	fake_hold(true);
	OK(cudaMemcpyAsync(d, h, 1000, cudaMemcpyHostToDevice, 0));
	back[0] = h[0];
	h[0] ^= 0xff;
	fake_hold(false);
	OK(cudaMemcpy(back + 1, d, 1, cudaMemcpyDeviceToHost));
	CHECK_INT(back[1], back[0]);
	/* Memory of the executable and its heap is the program's, wherever it was loaded. */
	static unsigned char image[2];
	unsigned char *heap = malloc(2);
	CHECK(heap);
	heap[0] = 17;
	OK(cudaMemcpy(d, heap, 1, cudaMemcpyHostToDevice));
	OK(cudaMemcpy(image + 1, d, 1, cudaMemcpyDeviceToHost));
	OK(cudaMemcpy(heap + 1, image + 1, 1, cudaMemcpyDefault));
	CHECK_INT(heap[1], 17);
	free(heap);
	/* Host to host, and nothing at all. */
	OK(cudaMemcpy(back, h, 1000, cudaMemcpyHostToHost));
	CHECK(!memcmp(back, h, 1000));
	OK(cudaMemcpy(d, h, 0, cudaMemcpyHostToDevice));
	/* What cannot be right. */
	CHECK_INT(cudaMemcpy(d, h, 10, (enum cudaMemcpyKind)7), cudaErrorInvalidMemcpyDirection);
	CHECK_INT(cudaMemcpy(back, h, 10, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
	CHECK_INT(cudaMemcpy(d, h, 10, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
	CHECK_INT(cudaMemcpy(d + 48 * MIB - 1, h, 2, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
	CHECK_INT(cudaMemcpy((char *)d + (1ull << 39), h, 2, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
	CHECK_INT(cudaMemcpy(d, h, SIZE_MAX - 3, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
	CHECK_INT(cudaMemcpy(NULL, h, 1, cudaMemcpyDefault), cudaErrorInvalidValue);
	CHECK_INT(cudaGetLastError(), cudaErrorInvalidValue);
	CHECK_INT(cudaGetLastError(), cudaSuccess);
	OK(cudaFree(d));
	CHECK_INT(cudaFree(d), cudaErrorInvalidValue);
	CHECK_INT(cudaFree(e + 1), cudaErrorInvalidValue);
	OK(cudaFree(e));
	CHECK_INT(cudaMalloc((void **)&d, 1ull << 40), cudaErrorMemoryAllocation);
	CHECK(!d);
	OK(cudaMallocAsync((void **)&d, 1000, 0));
	OK(cudaFreeAsync(d, 0));
	OK(cudaDeviceSynchronize());
	CHECK_INT(fake_count(HETCKPT_MSG_FREE), 3);
}

static uint64_t pool_number(cudaMemPool_t pool, enum cudaMemPoolAttr attribute)
{
	uint64_t value = 0;

	OK(cudaMemPoolGetAttribute(pool, attribute, &value));
	return value;
}

void memory_pools(void)
{
	struct cudaMemPoolProps props = {cudaMemAllocationTypePinned, cudaMemHandleTypeNone, {cudaMemLocationTypeDevice, 0},
	                                 .maxSize = 3 * MIB};
	struct cudaMemAccessDesc access = {{cudaMemLocationTypeDevice, 0}, cudaMemAccessFlagsProtReadWrite};
	enum cudaMemAccessFlags flags;
	cudaMemPool_t standard, own, other;
	char *a, *b, *c;
	uint64_t threshold = UINT64_MAX, zero = 0;
	int on = 7;

	start();
	OK(cudaDeviceGetAttribute(&on, cudaDevAttrMemoryPoolsSupported, 0));
	CHECK_INT(on, 1);
	OK(cudaDeviceGetDefaultMemPool(&standard, 0));
	CHECK_INT(cudaDeviceGetDefaultMemPool(&own, 1), cudaErrorInvalidDevice);
	OK(cudaMemPoolSetAttribute(standard, cudaMemPoolAttrReleaseThreshold, &threshold));
	CHECK(pool_number(standard, cudaMemPoolAttrReleaseThreshold) == UINT64_MAX);
	OK(cudaMemPoolGetAttribute(standard, cudaMemPoolReuseAllowOpportunistic, &on));
	CHECK_INT(on, 1);
	on = 0;
	OK(cudaMemPoolSetAttribute(standard, cudaMemPoolReuseAllowOpportunistic, &on));
	on = 5;
	OK(cudaMemPoolGetAttribute(standard, cudaMemPoolReuseAllowOpportunistic, &on));
	CHECK_INT(on, 0);
	CHECK_INT(cudaMemPoolSetAttribute(standard, cudaMemPoolAttrUsedMemCurrent, &zero), cudaErrorInvalidValue);
	CHECK_INT(cudaMemPoolDestroy(standard), cudaErrorInvalidValue);

	/* Two pools, the second with a limit; memory counts where it came from. */
	OK(cudaMemPoolCreate(&own, &props));
	OK(cudaMallocAsync((void **)&a, MIB, 0));
	OK(cudaMallocFromPoolAsync((void **)&b, 2 * MIB, own, 0));
	CHECK_INT(cudaMallocFromPoolAsync((void **)&c, 2 * MIB, own, 0), cudaErrorMemoryAllocation);
	CHECK(!c);
	CHECK(pool_number(standard, cudaMemPoolAttrUsedMemCurrent) == MIB);
	CHECK(pool_number(own, cudaMemPoolAttrUsedMemCurrent) == 2 * MIB);
	OK(cudaMemcpy(b, "abc", 4, cudaMemcpyHostToDevice));
	OK(cudaFreeAsync(b, 0));
	CHECK(pool_number(own, cudaMemPoolAttrUsedMemCurrent) == 0);
	CHECK(pool_number(own, cudaMemPoolAttrUsedMemHigh) == 2 * MIB);
	OK(cudaMemPoolSetAttribute(own, cudaMemPoolAttrUsedMemHigh, &zero));
	CHECK(pool_number(own, cudaMemPoolAttrUsedMemHigh) == 0);
	OK(cudaMemPoolTrimTo(own, 0));
	OK(cudaMemPoolSetAccess(own, &access, 1));
	OK(cudaMemPoolGetAccess(&flags, own, &access.location));
	CHECK_INT(flags, cudaMemAccessFlagsProtReadWrite);
	access.location.id = 1;
	CHECK_INT(cudaMemPoolSetAccess(own, &access, 1), cudaErrorInvalidDevice);

	/* The current pool is what cudaMallocAsync takes from; what outlives its pool can be freed. */
	OK(cudaDeviceSetMemPool(0, own));
	OK(cudaDeviceGetMemPool(&other, 0));
	CHECK(other == own);
	OK(cudaMallocAsync((void **)&b, MIB, 0));
	CHECK(pool_number(own, cudaMemPoolAttrReservedMemCurrent) == MIB);
	OK(cudaMemPoolDestroy(own));
	OK(cudaDeviceGetMemPool(&other, 0));
	CHECK(other == standard);
	CHECK_INT(cudaMemPoolDestroy(own), cudaErrorInvalidValue);
	CHECK_INT(cudaMallocFromPoolAsync((void **)&c, 1, own, 0), cudaErrorInvalidValue);
	OK(cudaFree(b));
	OK(cudaFree(a));
	CHECK(pool_number(standard, cudaMemPoolAttrUsedMemCurrent) == 0);

	/* A reset takes pools and settings with it. */
	OK(cudaMemPoolCreate(&own, &props));
	OK(cudaMallocFromPoolAsync((void **)&a, 1, own, 0));
	OK(cudaDeviceReset());
	CHECK_INT(cudaMemPoolTrimTo(own, 0), cudaErrorInvalidValue);
	CHECK(pool_number(standard, cudaMemPoolAttrReleaseThreshold) == 0);
	props.handleTypes = cudaMemHandleTypePosixFileDescriptor;
	CHECK_INT(cudaMemPoolCreate(&own, &props), cudaErrorNotSupported);
}

void copies_2d_3d(void)
{
	unsigned char *h = malloc(32 * MIB), *back = malloc(32 * MIB), *d;
	struct cudaMemcpy3DParms p;
	struct cudaPitchedPtr box;
	size_t pitch;

	start();
	fill_random(h, 32 * MIB);
	for (int round = 0; round < 60; round++) {
		size_t width = 1 + random_next() % (round % 10 ? 700 : 70000), height = 1 + random_next() % 90;
		size_t host_pitch = width + random_next() % 50;

		OK(cudaMallocPitch((void **)&d, &pitch, width, height));
		CHECK(pitch >= width && pitch % 256 == 0);
		memset(back, 0x55, height * host_pitch + 1);
		OK(cudaMemset2D(d, pitch, 0x11, pitch, height));
		OK(cudaMemcpy2D(d, pitch, h, host_pitch, width, height, cudaMemcpyHostToDevice));
		OK(cudaMemcpy2DAsync(back, host_pitch, d, pitch, width, height, cudaMemcpyDeviceToHost, 0));
		for (size_t y = 0; y < height; y++) {
			CHECK(!memcmp(back + y * host_pitch, h + y * host_pitch, width));
			for (size_t x = width; x < host_pitch && y + 1 < height; x++)
				CHECK_INT(back[y * host_pitch + x], 0x55);
		}
		OK(cudaFree(d));
	}
	CHECK_INT(cudaMemcpy2D(back, 10, h, 20, 15, 2, cudaMemcpyHostToHost), cudaErrorInvalidPitchValue);
	for (int round = 0; round < 40; round++) {
		struct cudaExtent extent = make_cudaExtent(1 + random_next() % 300, 1 + random_next() % 40,
		                                           1 + random_next() % 20);
		size_t hx = extent.width + random_next() % 30, hy = extent.height + random_next() % 4;
		struct cudaPos at = make_cudaPos(random_next() % 20, random_next() % 3, random_next() % 3);
		struct cudaExtent room = make_cudaExtent(extent.width + at.x, extent.height + at.y, extent.depth + at.z);

		OK(cudaMalloc3D(&box, room));
		CHECK_INT(box.ysize, room.height);
		OK(cudaMemset3D(box, 0x22, room));
		memset(&p, 0, sizeof p);
		p.srcPtr = make_cudaPitchedPtr(h, hx, extent.width, hy);
		p.dstPtr = box;
		p.dstPos = at;
		p.extent = extent;
		p.kind = cudaMemcpyHostToDevice;
		OK(cudaMemcpy3D(&p));
		memset(back, 0, hx * hy * (extent.depth + 1));
		p.dstPtr = make_cudaPitchedPtr(back, hx, extent.width, hy);
		p.dstPos = make_cudaPos(0, 0, 0);
		p.srcPtr = box;
		p.srcPos = at;
		p.kind = cudaMemcpyDeviceToHost;
		OK(cudaMemcpy3DAsync(&p, 0));
		for (size_t z = 0; z < extent.depth; z++)
			for (size_t y = 0; y < extent.height; y++)
				CHECK(!memcmp(back + (z * hy + y) * hx, h + (z * hy + y) * hx, extent.width));
		/* The copy left alone what lies before the box. */
		if (at.x) {
			OK(cudaMemcpy(back, (char *)box.ptr + box.pitch * box.ysize * at.z + box.pitch * at.y, at.x,
			              cudaMemcpyDeviceToHost));
			CHECK_INT(back[0], 0x22);
			CHECK_INT(back[at.x - 1], 0x22);
		}
		OK(cudaFree(box.ptr));
	}
	/* A box larger than a piece in each way: slices, rows, and one long row. */
	for (int shape = 0; shape < 3; shape++) {
		static const size_t w[] = {1000, 3000, 5 * MIB + 3}, y[] = {1000, 2000, 1}, z[] = {9, 2, 2};
		struct cudaExtent extent = make_cudaExtent(w[shape], y[shape], z[shape]);

		OK(cudaMalloc3D(&box, extent));
		memset(&p, 0, sizeof p);
		p.srcPtr = make_cudaPitchedPtr(h, w[shape], w[shape], y[shape]);
		p.dstPtr = box;
		p.extent = extent;
		p.kind = cudaMemcpyDefault;
		OK(cudaMemcpy3D(&p));
		p.srcPtr = box;
		p.dstPtr = make_cudaPitchedPtr(back, w[shape], w[shape], y[shape]);
		OK(cudaMemcpy3D(&p));
		CHECK(!memcmp(back, h, w[shape] * y[shape] * z[shape]));
		OK(cudaFree(box.ptr));
	}
	p.extent.depth = SIZE_MAX / 2;
	CHECK_INT(cudaMemcpy3D(&p), cudaErrorInvalidValue);
	CHECK_INT(fake_staging_used(), 0);
}

void fills(void)
{
	unsigned char back[4096], *d, *m;

	start();
	OK(cudaMalloc((void **)&d, 4096));
	OK(cudaMemset(d, 0, 4096));
	OK(cudaMemset(d + 1, 0x1ff, 10));
	OK(cudaMemset2D(d + 100, 64, 7, 10, 5));
	OK(cudaMemsetAsync(d + 1000, 9, 3, 0));
	OK(cudaMemset3D(make_cudaPitchedPtr(d + 2048, 16, 16, 8), 5, make_cudaExtent(3, 2, 4)));
	OK(cudaMemcpy(back, d, 4096, cudaMemcpyDeviceToHost));
	for (int i = 0; i < 4096; i++) {
		int wanted = i >= 1 && i < 11 ? 0xff : 0;

		if (i >= 100 && i < 100 + 5 * 64 && (i - 100) % 64 < 10)
			wanted = 7;
		if (i >= 1000 && i < 1003)
			wanted = 9;
		if (i >= 2048 && i < 2048 + 4 * 128 && (i - 2048) % 128 / 16 < 2 && (i - 2048) % 16 < 3)
			wanted = 5;
		CHECK_INT(back[i], wanted);
	}
	CHECK_INT(cudaMemset(d + 4000, 0, 97), cudaErrorInvalidValue);
	CHECK_INT(cudaMemset(back, 0, 97), cudaErrorInvalidValue);
	CHECK_INT(cudaMemset2D(d, 8, 0, 9, 2), cudaErrorInvalidPitchValue);
	/* Managed memory is filled in stream order. */
	OK(cudaMallocManaged((void **)&m, 100, cudaMemAttachGlobal));
	OK(cudaMemset(m, 3, 100));
	CHECK_INT(m[99], 3);
	fake_hold(true);
	OK(cudaMemsetAsync(m, 4, 50, 0));
	OK(cudaMemcpyAsync(d, m, 100, cudaMemcpyDefault, 0));
	CHECK_INT(m[0], 3);
	fake_hold(false);
	OK(cudaDeviceSynchronize());
	CHECK_INT(m[0], 4);
	CHECK_INT(m[50], 3);
	OK(cudaMemcpy(back, d, 100, cudaMemcpyDeviceToHost));
	CHECK_INT(back[0], 4);
	OK(cudaFree(m));
}

void symbols(void)
{
	int in[4] = {1, 2, 3, 4}, out[4];
	size_t bytes;
	void *address;

	start();
	OK(cudaGetSymbolSize(&bytes, variable_stub));
	CHECK_INT(bytes, 64);
	OK(cudaGetSymbolAddress(&address, variable_stub));
	OK(cudaMemcpyToSymbol(variable_stub, in, sizeof in, 16, cudaMemcpyHostToDevice));
	OK(cudaMemcpyFromSymbol(out, variable_stub, sizeof out, 16, cudaMemcpyDeviceToHost));
	CHECK(!memcmp(in, out, sizeof in));
	OK(cudaMemcpy(out, (char *)address + 16, 8, cudaMemcpyDeviceToHost));
	CHECK_INT(out[1], 2);
	in[0] = 77;
	OK(cudaMemcpyToSymbolAsync(variable_stub, in, 4, 60, cudaMemcpyHostToDevice, 0));
	OK(cudaMemcpyFromSymbolAsync(out, variable_stub, 4, 60, cudaMemcpyDeviceToHost, 0));
	CHECK_INT(out[0], 77);
	CHECK_INT(cudaMemcpyToSymbol(variable_stub, in, 8, 60, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
	CHECK_INT(cudaMemcpyToSymbol(variable_stub, in, 8, SIZE_MAX, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
	CHECK_INT(cudaMemcpyToSymbol(variable_stub, in, 4, 0, cudaMemcpyDeviceToHost), cudaErrorInvalidMemcpyDirection);
	CHECK_INT(cudaGetSymbolSize(&bytes, other_stub), cudaErrorInvalidSymbol);
	CHECK_INT(fake_modules(), 1);
	CHECK_INT(fake_count(HETCKPT_MSG_VARIABLE_GET), 1);
}

/* ---- Page-locked memory ------------------------------------------------ */

void pinned(void)
{
	struct cudaPointerAttributes a;
	unsigned char *p, *q, *big, *d, heap[64], *many[300];
	unsigned flags;
	void *device;

	start();
	OK(cudaMallocHost((void **)&p, 100));
	OK(cudaHostAlloc((void **)&q, 100, cudaHostAllocPortable | cudaHostAllocWriteCombined));
	CHECK(p != q && (uintptr_t)p % 4096 == 0);
	OK(cudaHostGetFlags(&flags, q));
	CHECK_INT(flags, cudaHostAllocPortable | cudaHostAllocWriteCombined | cudaHostAllocMapped);
	OK(cudaHostGetDevicePointer(&device, p + 7, 0));
	CHECK(device == p + 7);
	CHECK_INT(cudaHostAlloc((void **)&q, 100, 0x80), cudaErrorInvalidValue);
	OK(cudaMallocHost((void **)&big, 9 * MIB));
	CHECK_INT(fake_buffers(), 2);
	memset(big, 0xee, 9 * MIB);
	OK(cudaMalloc((void **)&d, 9 * MIB));
	/* By address: the source counts when the command runs. */
	fake_hold(true);
	OK(cudaMemcpyAsync(d, big, 9 * MIB, cudaMemcpyHostToDevice, 0));
	OK(cudaMemcpyAsync(p, d + 5 * MIB, 100, cudaMemcpyDeviceToHost, 0));
	CHECK_INT(fake_staging_used(), 0);
	big[5 * MIB] = 1;
	p[0] = p[1] = 0;
	fake_hold(false);
	OK(cudaDeviceSynchronize());
	CHECK_INT(p[0], 1);
	CHECK_INT(p[1], 0xee);
	/* Pitched, to page-locked memory. */
	OK(cudaMemset(d, 3, 1000));
	OK(cudaMemcpy2D(p, 10, d, 100, 5, 9, cudaMemcpyDeviceToHost));
	CHECK_INT(p[84], 3);
	OK(cudaPointerGetAttributes(&a, p + 1));
	CHECK_INT(a.type, cudaMemoryTypeHost);
	CHECK(a.hostPointer == p + 1 && a.devicePointer == p + 1);
	OK(cudaPointerGetAttributes(&a, d + 1));
	CHECK_INT(a.type, cudaMemoryTypeDevice);
	CHECK_INT(a.device, 0);
	CHECK(a.devicePointer == d + 1 && !a.hostPointer);
	OK(cudaPointerGetAttributes(&a, heap));
	CHECK_INT(a.type, cudaMemoryTypeUnregistered);
	OK(cudaFreeHost(big));
	CHECK_INT(fake_buffers(), 1);
	CHECK_INT(cudaFreeHost(big), cudaErrorInvalidValue);
	CHECK_INT(cudaFreeHost(p + 1), cudaErrorInvalidValue);
	OK(cudaFreeHost(p));
	OK(cudaFreeHost(NULL));
	/* Small buffers share mappings, and space is used again. */
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++) {
			OK(cudaMallocHost((void **)&many[i], 1 + random_next() % 20000));
			memset(many[i], i, 1);
		}
		for (int i = 0; i < 300; i++)
			CHECK_INT(many[i][0], (unsigned char)i);
		for (int i = 0; i < 300; i++)
			OK(cudaFreeHost(many[(i * 7) % 300]));
	}
	CHECK(fake_buffers() <= 3);
	OK(cudaMallocManaged((void **)&q, 100, cudaMemAttachGlobal));
	OK(cudaPointerGetAttributes(&a, q));
	CHECK_INT(a.type, cudaMemoryTypeManaged);
	OK(cudaFree(q));
}

static void set_byte(void *data)
{
	usleep(2000);
	*(unsigned char *)data = 42;
}

void registered(void)
{
	unsigned char *h = malloc(10 * MIB), *d;
	cudaStream_t s;
	void *device;

	start();
	OK(cudaStreamCreate(&s));
	OK(cudaMalloc((void **)&d, 10 * MIB));
	OK(cudaHostRegister(h, 10 * MIB, cudaHostRegisterPortable));
	CHECK_INT(cudaHostRegister(h + 5, 10, 0), cudaErrorHostMemoryAlreadyRegistered);
	/* The program fills the buffer in the stream; the copy must see that. */
	memset(h, 1, 10 * MIB);
	OK(cudaLaunchHostFunc(s, set_byte, h + 9 * MIB));
	OK(cudaMemcpyAsync(d, h, 10 * MIB, cudaMemcpyHostToDevice, s));
	OK(cudaStreamSynchronize(s));
	OK(cudaMemset(h ? d : 0, 7, 1));
	memset(h, 0, 10 * MIB);
	fake_hold(true);
	OK(cudaMemcpyAsync(h, d, 10 * MIB, cudaMemcpyDeviceToHost, s));
	CHECK_INT(h[1], 0);
	fake_hold(false);
	OK(cudaStreamSynchronize(s));
	CHECK_INT(h[0], 7);
	CHECK_INT(h[1], 1);
	CHECK_INT(h[9 * MIB], 42);
	CHECK_INT(h[10 * MIB - 1], 1);
	/* Waiting copies need no detour. */
	OK(cudaMemcpy(d, h + 9 * MIB, 1, cudaMemcpyHostToDevice));
	OK(cudaMemcpy(h, d, 1, cudaMemcpyDeviceToHost));
	CHECK_INT(h[0], 42);
	CHECK_INT(cudaHostGetDevicePointer(&device, h, 0), cudaErrorNotSupported);
	OK(cudaHostUnregister(h));
	CHECK_INT(cudaHostUnregister(h), cudaErrorHostMemoryNotRegistered);
	CHECK_INT(fake_staging_used(), 0);
}
