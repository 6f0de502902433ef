/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The CUDA runtime against a session inside the test. The library keeps one session a
 * process, so each test runs in a child of its own.
 *
 * The file includes <cuda_runtime_api.h>: it is compiled with the project's headers and,
 * where a toolkit is installed, once more with NVIDIA's, so that names, values and layouts
 * are tried as programs use them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <cuda_runtime_api.h>
#ifdef HETCKPT_TEST_TOOLKIT
#define __CUDA_INCLUDE_COMPILER_INTERNAL_HEADERS__ /* or it warns about what it includes itself */
#include <driver_functions.h>
#endif

#include "runtime/channel/message.h"
#include "tests/unit/client/fake.h"

#define OK(call) CHECK_INT(call, cudaSuccess)
#define MIB (1u << 20)

void **__cudaRegisterFatBinary(void *wrapper);
void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaUnregisterFatBinary(void **handle);
void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                            int thread_limit, void *tid, void *bid, void *block, void *grid, int *warp);
void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external,
                       size_t bytes, int constant, int global);
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t dynamic_shared, struct CUstream_st *stream);
cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *dynamic_shared, void *stream);
cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t *bytes, const void *function, int blocks,
                                                      int threads);
cudaError_t cudaProfilerStart(void);
cudaError_t __cudaGetKernel(const void **kernel, const void *function);
cudaError_t __cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **arguments,
                               size_t dynamic_shared, cudaStream_t stream);

/* What the host stubs would be. */
static char add_stub[16], nothing_stub[16], unknown_stub[16], other_stub[16], variable_stub[64];
static void **handle;

static void start(void)
{
	fake_start();
	handle = __cudaRegisterFatBinary(fake_fatbin());
	__cudaRegisterFunction(handle, add_stub, add_stub, "add", -1, NULL, NULL, NULL, NULL, NULL);
	__cudaRegisterFunction(handle, nothing_stub, nothing_stub, "nothing", -1, NULL, NULL, NULL, NULL, NULL);
	__cudaRegisterFunction(handle, unknown_stub, unknown_stub, "unknown", -1, NULL, NULL, NULL, NULL, NULL);
	__cudaRegisterVar(handle, variable_stub, variable_stub, "variable", 0, 64, 0, 0);
	__cudaRegisterFatBinaryEnd(handle);
}

static unsigned random_state = 1;
static unsigned random_next(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

static void fill_random(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)random_next();
}

static dim3 dims(unsigned x, unsigned y, unsigned z)
{
	dim3 d = {x, y, z};

	return d;
}

static cudaError_t launch_add(int *p, long long by, int n, cudaStream_t stream)
{
	unsigned char skewed = 0xab;
	void *arguments[] = {&p, &skewed, &by, &n};

	return cudaLaunchKernel(add_stub, dims(1, 1, 1), dims(32, 1, 1), arguments, 0, stream);
}

/* ---- Memory and copies ------------------------------------------------- */

static void copies_1d(void)
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

static void copies_2d_3d(void)
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

static void fills(void)
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

static void symbols(void)
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

static void pinned(void)
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

static void registered(void)
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

/* ---- Launches ---------------------------------------------------------- */

static void launches(void)
{
	struct cudaFuncAttributes fa;
	cudaLaunchConfig_t config;
	cudaLaunchAttribute attribute;
	int host[100], *d, blocks, n = 100;
	unsigned char skewed = 0xab;
	long long by = 3;
	void *arguments[] = {&d, &skewed, &by, &n};
	const void *kernel;
	dim3 grid, block;
	size_t shared;
	cudaStream_t stream;

	start();
	OK(cudaMalloc((void **)&d, sizeof host));
	OK(cudaMemset(d, 0, sizeof host));
	/* As the compiler writes it. */
	CHECK_INT(__cudaPushCallConfiguration(dims(4, 5, 6), dims(7, 8, 9), 10, (cudaStream_t)0), 0);
	CHECK_INT(__cudaPushCallConfiguration(dims(1, 1, 1), dims(2, 1, 1), 0, cudaStreamPerThread), 0);
	OK(__cudaPopCallConfiguration(&grid, &block, &shared, &stream));
	CHECK_INT(block.x, 2);
	CHECK(stream == cudaStreamPerThread);
	OK(__cudaPopCallConfiguration(&grid, &block, &shared, &stream));
	CHECK_INT(grid.z, 6);
	CHECK_INT(block.y, 8);
	CHECK_INT(shared, 10);
	CHECK_INT(__cudaPopCallConfiguration(&grid, &block, &shared, &stream), cudaErrorMissingConfiguration);
	OK(launch_add(d, 3, 100, 0));
	OK(__cudaGetKernel(&kernel, add_stub));
	OK(__cudaLaunchKernel(kernel, dims(1, 1, 1), dims(32, 1, 1), arguments, 0, 0));
	memset(&config, 0, sizeof config);
	memset(&attribute, 0, sizeof attribute);
	config.gridDim = dims(1, 1, 1);
	config.blockDim = dims(32, 1, 1);
	config.attrs = &attribute;
	config.numAttrs = 1;
	attribute.id = cudaLaunchAttributeCooperative;
	attribute.val.cooperative = 1;
	OK(cudaLaunchKernelExC(&config, add_stub, arguments));
	OK(cudaMemcpy(host, d, sizeof host, cudaMemcpyDeviceToHost));
	for (int i = 0; i < 100; i++)
		CHECK_INT(host[i], 9);
	attribute.id = cudaLaunchAttributeClusterDimension;
	attribute.val.clusterDim.x = 2;
	attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
	CHECK_INT(cudaLaunchKernelExC(&config, add_stub, arguments), cudaErrorNotSupported);
	/* What CUDA refuses at once. */
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(0, 1, 1), dims(1, 1, 1), NULL, 0, 0), cudaErrorInvalidConfiguration);
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(1, 1, 1), dims(1, 1, 65), NULL, 0, 0), cudaErrorInvalidConfiguration);
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(1, 1, 1), dims(64, 17, 1), NULL, 0, 0), cudaErrorInvalidConfiguration);
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(1, 65536, 1), dims(1, 1, 1), NULL, 0, 0), cudaErrorInvalidConfiguration);
	CHECK_INT(cudaLaunchKernel(add_stub, dims(1, 1, 1), dims(1024, 1, 1), arguments, 0, 0), cudaErrorLaunchOutOfResources);
	CHECK_INT(cudaLaunchKernel(other_stub, dims(1, 1, 1), dims(1, 1, 1), NULL, 0, 0), cudaErrorInvalidDeviceFunction);
	CHECK_INT(cudaLaunchKernel(unknown_stub, dims(1, 1, 1), dims(1, 1, 1), NULL, 0, 0), cudaErrorInvalidDeviceFunction);
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(1, 1, 1), dims(1, 1, 1), NULL, 0, (cudaStream_t)arguments),
	          cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaPeekAtLastError(), cudaErrorInvalidResourceHandle);
	OK(cudaLaunchKernel(nothing_stub, dims(2, 2, 2), dims(1, 1, 1), NULL, 0, 0));
	CHECK_INT(cudaGetLastError(), cudaErrorInvalidResourceHandle);
	/* Dynamic shared memory beyond what the kernel has asked for. */
	CHECK_INT(cudaLaunchKernel(nothing_stub, dims(1, 1, 1), dims(1, 1, 1), NULL, 50 << 10, 0), cudaErrorInvalidValue);
	OK(cudaFuncSetAttribute(nothing_stub, cudaFuncAttributeMaxDynamicSharedMemorySize, 64 << 10));
	OK(cudaLaunchKernel(nothing_stub, dims(1, 1, 1), dims(1, 1, 1), NULL, 50 << 10, 0));
	CHECK_INT(cudaFuncSetAttribute(nothing_stub, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 << 10), cudaErrorInvalidValue);
	OK(cudaFuncGetAttributes(&fa, nothing_stub));
	CHECK_INT(fa.maxDynamicSharedSizeBytes, 64 << 10);
	CHECK_INT(fa.numRegs, 32);
	CHECK_INT(fa.maxThreadsPerBlock, 1024);
	CHECK_INT(fa.sharedSizeBytes, 128);
	OK(cudaFuncSetCacheConfig(add_stub, cudaFuncCachePreferL1));
	OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add_stub, 256, 0));
	CHECK_INT(blocks, 8);
	OK(cudaOccupancyAvailableDynamicSMemPerBlock(&shared, add_stub, 2, 256));
	CHECK_INT(shared, 64 << 10);
	CHECK_INT(fake_count(HETCKPT_MSG_FUNCTION_GET), 3);
	CHECK_INT(fake_modules(), 1);
}

/* A busy program commits without system calls, and a full ring holds it back. */
static void many_launches(void)
{
	uint64_t before;
	int *d, host;

	start();
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMemset(d, 0, 4));
	OK(launch_add(d, 1, 1, 0));
	OK(cudaDeviceSynchronize());
	before = fake_system_calls();
	for (int i = 0; i < 50000; i++)
		OK(launch_add(d, 1, 1, 0));
	/* The worker may have dozed off a few times on a loaded machine. */
	CHECK(fake_system_calls() - before < 25000);
	OK(cudaMemcpy(&host, d, 4, cudaMemcpyDeviceToHost));
	CHECK_INT(host, 50001);
}

static void *open_ring_later(void *unused)
{
	usleep(30000);
	fake_close_ring(false);
	return NULL;
}

static void full_ring(void)
{
	pthread_t thread;
	int *d, host;

	start();
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMemset(d, 0, 4));
	OK(launch_add(d, 1, 1, 0));
	fake_close_ring(true);
	pthread_create(&thread, NULL, open_ring_later, NULL);
	for (int i = 0; i < 5000; i++)
		OK(launch_add(d, 1, 1, 0));
	CHECK_INT(pthread_join(thread, NULL), 0);
	OK(cudaMemcpy(&host, d, 4, cudaMemcpyDeviceToHost));
	CHECK_INT(host, 5001);
}

/* ---- Streams, events, host functions ------------------------------------ */

static void streams_and_events(void)
{
	cudaEvent_t a, b, quiet;
	cudaStream_t s, t;
	unsigned flags;
	int least, greatest, priority;
	float ms = -1;

	start();
	OK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
	CHECK(greatest <= least);
	OK(cudaStreamCreateWithPriority(&s, cudaStreamNonBlocking, greatest - 3));
	OK(cudaStreamCreate(&t));
	OK(cudaStreamGetFlags(s, &flags));
	CHECK_INT(flags, cudaStreamNonBlocking);
	OK(cudaStreamGetPriority(s, &priority));
	CHECK_INT(priority, greatest);
	CHECK_INT(cudaStreamCreateWithFlags(&t, 8), cudaErrorInvalidValue);
	OK(cudaEventCreate(&a));
	OK(cudaEventCreateWithFlags(&b, cudaEventBlockingSync));
	OK(cudaEventCreateWithFlags(&quiet, cudaEventDisableTiming));
	CHECK_INT(cudaEventCreateWithFlags(&quiet, cudaEventInterprocess | cudaEventDisableTiming), cudaErrorNotSupported);
	OK(cudaEventQuery(a)); /* never recorded: done */
	CHECK_INT(cudaEventElapsedTime(&ms, a, b), cudaErrorInvalidResourceHandle);
	OK(cudaEventRecord(a, s));
	OK(cudaStreamSynchronize(s));
	fake_hold(true);
	usleep(3000);
	OK(cudaEventRecord(b, s));
	OK(cudaStreamWaitEvent(t, b, 0));
	CHECK_INT(cudaEventQuery(b), cudaErrorNotReady);
	CHECK_INT(cudaStreamQuery(s), cudaErrorNotReady);
	OK(cudaEventQuery(a));
	CHECK_INT(cudaGetLastError(), cudaErrorNotReady);
	fake_hold(false);
	OK(cudaEventSynchronize(b));
	OK(cudaStreamQuery(s));
	OK(cudaEventElapsedTime(&ms, a, b));
	CHECK(ms >= 2.9f && ms < 10000);
	CHECK_INT(cudaEventElapsedTime(&ms, a, quiet), cudaErrorInvalidResourceHandle);
	OK(cudaStreamSynchronize(cudaStreamLegacy));
	OK(cudaStreamSynchronize(cudaStreamPerThread));
	OK(cudaStreamDestroy(s));
	CHECK_INT(cudaStreamSynchronize(s), cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaStreamDestroy(s), cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaStreamDestroy(0), cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaEventRecord((cudaEvent_t)t, 0), cudaErrorInvalidResourceHandle);
	OK(cudaEventDestroy(a));
	CHECK_INT(cudaEventDestroy(a), cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaEventRecord(0, 0), cudaErrorInvalidResourceHandle);
}

static _Atomic int calls, wrong;
static cudaStream_t seen_stream;

static void count_call(void *data)
{
	if (calls++ != (int)(intptr_t)data)
		wrong++;
	/* CUDA may not be called from here, and says so. */
	if (cudaDeviceSynchronize() != cudaErrorNotPermitted)
		wrong++;
}

static void callback(cudaStream_t stream, cudaError_t status, void *data)
{
	seen_stream = stream;
	calls += status ? 1000 : 1;
}

static void host_functions(void)
{
	cudaStream_t s, t;
	int *d, host;

	start();
	OK(cudaStreamCreate(&s));
	OK(cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking));
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMemset(d, 0, 4));
	/* More than may be pending at once, between kernels. */
	for (intptr_t i = 0; i < 1500; i++) {
		OK(cudaLaunchHostFunc(s, count_call, (void *)i));
		OK(launch_add(d, 1, 1, s));
	}
	OK(cudaStreamSynchronize(s));
	CHECK_INT(calls, 1500);
	CHECK_INT(wrong, 0);
	OK(cudaMemcpy(&host, d, 4, cudaMemcpyDeviceToHost));
	CHECK_INT(host, 1500);
	calls = 0;
	OK(cudaStreamAddCallback(t, callback, NULL, 0));
	OK(cudaDeviceSynchronize());
	CHECK_INT(calls, 1);
	CHECK(seen_stream == t);
	CHECK_INT(cudaStreamAddCallback(t, callback, NULL, 1), cudaErrorInvalidValue);
	CHECK_INT(cudaLaunchHostFunc(t, NULL, NULL), cudaErrorInvalidValue);
}

/* The ring is full of launches behind a host function: its end must still get through. */
static void wait_for_flag(void *data)
{
	while (!*(_Atomic bool *)data)
		usleep(100);
}

static void *raise_flag_later(void *data)
{
	usleep(50000);
	*(_Atomic bool *)data = true;
	return NULL;
}

static void host_function_behind_full_ring(void)
{
	_Atomic bool flag = false;
	pthread_t thread;
	cudaStream_t s;
	int *d, host;

	start();
	OK(cudaStreamCreate(&s));
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMemset(d, 0, 4));
	OK(cudaLaunchHostFunc(s, wait_for_flag, &flag));
	pthread_create(&thread, NULL, raise_flag_later, &flag);
	for (int i = 0; i < 10000; i++)
		OK(launch_add(d, 1, 1, s));
	OK(cudaStreamSynchronize(s));
	OK(cudaMemcpy(&host, d, 4, cudaMemcpyDeviceToHost));
	CHECK_INT(host, 10000);
	pthread_join(thread, NULL);
}

/* ---- Threads ----------------------------------------------------------- */

#define THREADS 6

static void *thread_work(void *number)
{
	unsigned seed = (unsigned)(intptr_t)number * 7919u + 1;
	cudaStream_t s;

	OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
	for (int round = 0; round < 40; round++) {
		size_t n = 1 + rand_r(&seed) % (round % 8 ? 50000 : 5 * MIB / 4);
		int *d, *h = malloc(n * sizeof *h);
		cudaEvent_t e;
		float ms;

		for (size_t i = 0; i < n; i++)
			h[i] = (int)i;
		OK(cudaMalloc((void **)&d, n * sizeof *d));
		OK(cudaEventCreate(&e));
		OK(cudaMemcpyAsync(d, h, n * sizeof *d, cudaMemcpyHostToDevice, s));
		OK(launch_add(d, round, (int)n, s));
		OK(cudaEventRecord(e, s));
		OK(cudaEventSynchronize(e));
		OK(cudaEventElapsedTime(&ms, e, e));
		OK(cudaMemcpyAsync(h, d, n * sizeof *d, cudaMemcpyDeviceToHost, s));
		for (size_t i = 0; i < n; i++)
			CHECK_INT(h[i], (int)i + round);
		OK(cudaEventDestroy(e));
		OK(cudaFree(d));
		/* Each thread has its own last error. */
		CHECK_INT(cudaPeekAtLastError(), cudaSuccess);
		if ((intptr_t)number == 0) {
			CHECK_INT(cudaFree(h), cudaErrorInvalidValue);
			CHECK_INT(cudaGetLastError(), cudaErrorInvalidValue);
		}
		free(h);
	}
	OK(cudaStreamSynchronize(cudaStreamPerThread));
	OK(cudaStreamDestroy(s));
	return NULL;
}

static void threads(void)
{
	pthread_t thread[THREADS];

	start();
	for (intptr_t i = 0; i < THREADS; i++)
		CHECK_INT(pthread_create(&thread[i], NULL, thread_work, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_INT(pthread_join(thread[i], NULL), 0);
	OK(cudaDeviceSynchronize());
	CHECK_INT(fake_staging_used(), 0);
	CHECK_INT(fake_modules(), 1);
	/* A stream a thread, made and destroyed. */
	CHECK_INT(fake_count(HETCKPT_MSG_STREAM_CREATE), 2 * THREADS);
	CHECK_INT(fake_count(HETCKPT_MSG_STREAM_DESTROY), 2 * THREADS);
}

/* ---- Device ------------------------------------------------------------ */

static void device(void)
{
	struct cudaDeviceProp p;
	char bus[32];
	int n = -1, value;
	size_t limit;
	unsigned flags;

	start();
	OK(cudaGetDeviceCount(&n));
	CHECK_INT(n, 1);
	OK(cudaSetDevice(0));
	CHECK_INT(cudaSetDevice(1), cudaErrorInvalidDevice);
	OK(cudaGetDevice(&n));
	CHECK_INT(n, 0);
	memset(&p, 0xee, sizeof p);
	OK(cudaGetDeviceProperties(&p, 0));
	CHECK(!strcmp(p.name, "Fake Device"));
	CHECK_INT(p.totalGlobalMem, 256 * MIB);
	CHECK_INT(p.multiProcessorCount, 3);
	CHECK_INT(p.warpSize, 32);
	CHECK_INT(p.major, 9);
	CHECK_INT(p.maxThreadsDim[2], 64);
	CHECK_INT(p.sharedMemPerBlockOptin, 96 << 10);
	CHECK_INT(p.memoryPoolsSupported, 0);
	CHECK_INT(p.managedMemory, 1);
	CHECK_INT(p.hostNumaId, -1);
	OK(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
	CHECK_INT(value, 96 << 10);
	OK(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMajor, 0));
	CHECK_INT(value, 9);
	OK(cudaDeviceGetAttribute(&value, cudaDevAttrMemoryClockRate, 0));
	CHECK_INT(value, 2000);
	OK(cudaDeviceGetAttribute(&value, cudaDevAttrClusterLaunch, 0));
	CHECK_INT(value, 0);
	CHECK_INT(cudaDeviceGetAttribute(&value, (enum cudaDeviceAttr)5000, 0), cudaErrorInvalidValue);
	OK(cudaDeviceGetPCIBusId(bus, sizeof bus, 0));
	n = 5;
	OK(cudaDeviceGetByPCIBusId(&n, bus));
	CHECK_INT(n, 0);
	OK(cudaDeviceCanAccessPeer(&n, 0, 0));
	CHECK_INT(n, 0);
	OK(cudaDeviceSetLimit(cudaLimitPrintfFifoSize, 12345));
	OK(cudaDeviceGetLimit(&limit, cudaLimitPrintfFifoSize));
	CHECK_INT(limit, 12345);
	CHECK_INT(cudaDeviceSetLimit(cudaLimitPersistingL2CacheSize, 1), cudaErrorUnsupportedLimit);
	OK(cudaSetDeviceFlags(cudaDeviceScheduleSpin));
	OK(cudaGetDeviceFlags(&flags));
	CHECK_INT(flags, cudaDeviceScheduleSpin | cudaDeviceMapHost);
	CHECK_INT(cudaSetDeviceFlags(cudaDeviceScheduleSpin | cudaDeviceScheduleYield), cudaErrorInvalidValue);
	OK(cudaRuntimeGetVersion(&n));
	CHECK_INT(n, 13000);
	OK(cudaDriverGetVersion(&n));
	CHECK_INT(n, 13000);
	OK(cudaProfilerStart());
	CHECK_INT(fake_count(HETCKPT_MSG_DEVICE_INFO), 1);
}

static void reset(void)
{
	cudaStream_t s;
	cudaEvent_t e;
	int *d, *h;

	start();
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMallocHost((void **)&h, 4));
	OK(cudaStreamCreate(&s));
	OK(cudaEventCreate(&e));
	OK(launch_add(d, 1, 1, cudaStreamPerThread));
	OK(cudaDeviceReset());
	CHECK_INT(fake_buffers(), 0);
	CHECK_INT(cudaFree(d), cudaErrorInvalidValue);
	CHECK_INT(cudaFreeHost(h), cudaErrorInvalidValue);
	CHECK_INT(cudaStreamSynchronize(s), cudaErrorInvalidResourceHandle);
	CHECK_INT(cudaEventRecord(e, 0), cudaErrorInvalidResourceHandle);
	/* And everything can be made again. */
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaMallocHost((void **)&h, 4));
	OK(cudaMemset(d, 0, 4));
	OK(launch_add(d, 1, 1, cudaStreamPerThread));
	OK(cudaMemcpyAsync(h, d, 4, cudaMemcpyDeviceToHost, cudaStreamPerThread));
	OK(cudaStreamSynchronize(cudaStreamPerThread));
	CHECK_INT(*h, 1);
	CHECK_INT(fake_modules(), 2);
	__cudaUnregisterFatBinary(handle);
	CHECK_INT(launch_add(d, 1, 1, 0), cudaErrorInvalidDeviceFunction);
}

/* ---- Errors ------------------------------------------------------------ */

static void async_errors(void)
{
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	/* One that is forgotten once it has been told. */
	fake_raise(cudaErrorCooperativeLaunchTooLarge);
	CHECK_INT(cudaPeekAtLastError(), cudaErrorCooperativeLaunchTooLarge);
	CHECK_INT(cudaGetLastError(), cudaErrorCooperativeLaunchTooLarge);
	OK(cudaGetLastError());
	OK(cudaMemset(d, 0, 4));
	fake_raise(cudaErrorLaunchOutOfResources);
	CHECK_INT(cudaDeviceSynchronize(), cudaErrorLaunchOutOfResources);
	OK(cudaDeviceSynchronize());
	CHECK_INT(cudaGetLastError(), cudaErrorLaunchOutOfResources);
	/* A kernel's fault is never forgotten. */
	fake_raise(cudaErrorIllegalAddress);
	CHECK_INT(cudaMemset(d, 0, 4), cudaErrorIllegalAddress);
	CHECK_INT(cudaGetLastError(), cudaErrorIllegalAddress);
	/* But programs clear errors until there is none. */
	for (int i = 0; cudaGetLastError(); i++)
		CHECK(i < 3);
	CHECK_INT(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
	CHECK_INT(cudaMalloc((void **)&d, 4), cudaErrorIllegalAddress);
	CHECK(!strcmp(cudaGetErrorName(cudaErrorIllegalAddress), "cudaErrorIllegalAddress"));
	CHECK(!strcmp(cudaGetErrorName(cudaErrorNotReady), "cudaErrorNotReady"));
	CHECK(!strcmp(cudaGetErrorString(cudaSuccess), "no error"));
	CHECK(!strcmp(cudaGetErrorString((cudaError_t)12345), "unrecognized error code"));
}

static char *read_stderr(int fd)
{
	static char text[8192];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	CHECK(n >= 0);
	text[n] = 0;
	return text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* Sends stderr to a file that can be read back. */
static int capture_stderr(void)
{
	FILE *f = tmpfile();

	CHECK(f);
	CHECK(dup2(fileno(f), 2) == 2);
	return fileno(f);
}

static void lost_device(void)
{
	int out = capture_stderr(), n;
	cudaStream_t s;
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	OK(cudaStreamCreate(&s));
	fake_hold(true);
	OK(cudaStreamAddCallback(s, callback, NULL, 0));
	fake_device_lost(cudaErrorDevicesUnavailable, "the worker for cpu:0 died of signal 9");
	CHECK_INT(cudaDeviceSynchronize(), cudaErrorDevicesUnavailable);
	CHECK_INT(launch_add(d, 1, 1, 0), cudaErrorDevicesUnavailable);
	CHECK_INT(cudaGetDeviceCount(&n), cudaErrorDevicesUnavailable);
	for (int i = 0; i < 100 && calls != 1000; i++)
		usleep(10000);
	CHECK_INT(calls, 1000);
	CHECK(strstr(read_stderr(out), "the device is lost: the worker for cpu:0 died of signal 9\n"));
	CHECK_INT(lines(read_stderr(out)), 1);
}

static void *wait_for_device(void *unused)
{
	return (void *)(intptr_t)cudaDeviceSynchronize();
}

static void lost_while_waiting(void)
{
	pthread_t thread;
	void *result;
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	fake_hold(true);
	OK(launch_add(d, 1, 1, 0));
	CHECK_INT(pthread_create(&thread, NULL, wait_for_device, NULL), 0);
	usleep(20000);
	fake_device_lost(0, "gone");
	pthread_join(thread, &result);
	CHECK_INT((intptr_t)result, cudaErrorDevicesUnavailable);
}

static void supervisor_dies(void)
{
	int out = capture_stderr();
	pthread_t thread;
	void *result;
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	fake_hold(true);
	OK(launch_add(d, 1, 1, 0));
	CHECK_INT(pthread_create(&thread, NULL, wait_for_device, NULL), 0);
	usleep(20000);
	fake_supervisor_die();
	pthread_join(thread, &result);
	CHECK_INT((intptr_t)result, cudaErrorInitializationError);
	CHECK_INT(launch_add(d, 1, 1, 0), cudaErrorInitializationError);
	CHECK(strstr(read_stderr(out), "supervisor has gone"));
	CHECK_INT(lines(read_stderr(out)), 1);
}

static void no_session(void)
{
	int out = capture_stderr(), n = 7;
	void *d = &n;

	unsetenv("HETCKPT_SESSION");
	CHECK_INT(cudaGetDeviceCount(&n), cudaErrorInitializationError);
	CHECK_INT(n, 0);
	CHECK_INT(cudaMalloc(&d, 4), cudaErrorInitializationError);
	CHECK_INT(cudaGetLastError(), cudaErrorInitializationError);
	CHECK_INT(cudaDeviceSynchronize(), cudaErrorInitializationError);
	CHECK_INT(lines(read_stderr(out)), 1);
	CHECK(strstr(read_stderr(out), "hetckpt run -- ./app"));
}

static void dead_session(void)
{
	int out = capture_stderr(), n;

	setenv("HETCKPT_SESSION", "/nonexistent/control.sock", 1);
	CHECK_INT(cudaGetDeviceCount(&n), cudaErrorInitializationError);
	CHECK_INT(cudaDeviceSynchronize(), cudaErrorInitializationError);
	CHECK_INT(lines(read_stderr(out)), 1);
	CHECK(strstr(read_stderr(out), "/nonexistent/control.sock"));
	CHECK(strstr(read_stderr(out), "hetckpt run -- ./app"));
}

static void forked_child(void)
{
	int out = capture_stderr(), status;
	pid_t child;
	int *d;

	start();
	OK(cudaMalloc((void **)&d, 4));
	child = fork();
	if (!child) {
		CHECK_INT(cudaMalloc((void **)&d, 4), cudaErrorInitializationError);
		CHECK_INT(cudaDeviceSynchronize(), cudaErrorInitializationError);
		__cudaUnregisterFatBinary(handle);
		_exit(0);
	}
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	CHECK_INT(lines(read_stderr(out)), 1);
	CHECK(strstr(read_stderr(out), "fork()"));
	OK(cudaDeviceSynchronize());
}

int cudaGraphCreate_test(void) __asm__("cudaGraphCreate");
static void missing_names(void)
{
	int out = capture_stderr();

	CHECK_INT(cudaGraphCreate_test(), cudaErrorNotSupported);
	CHECK_INT(cudaGraphCreate_test(), cudaErrorNotSupported);
	CHECK_INT(cudaGetLastError(), cudaErrorNotSupported);
	CHECK(!strcmp(read_stderr(out), "hetckpt: error: cudaGraphCreate is not supported\n"));
}

/* ---- Running ----------------------------------------------------------- */

static void in_child(void (*body)(void))
{
	int status;
	pid_t child = fork();

	if (!child) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define TEST(name) static void test_##name(void **state) { in_child(name); }
TEST(copies_1d)
TEST(copies_2d_3d)
TEST(fills)
TEST(symbols)
TEST(pinned)
TEST(registered)
TEST(launches)
TEST(many_launches)
TEST(full_ring)
TEST(streams_and_events)
TEST(host_functions)
TEST(host_function_behind_full_ring)
TEST(threads)
TEST(device)
TEST(reset)
TEST(async_errors)
TEST(lost_device)
TEST(lost_while_waiting)
TEST(supervisor_dies)
TEST(no_session)
TEST(dead_session)
TEST(forked_child)
TEST(missing_names)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies_1d),
		cmocka_unit_test(test_copies_2d_3d),
		cmocka_unit_test(test_fills),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_registered),
		cmocka_unit_test(test_launches),
		cmocka_unit_test(test_many_launches),
		cmocka_unit_test(test_full_ring),
		cmocka_unit_test(test_streams_and_events),
		cmocka_unit_test(test_host_functions),
		cmocka_unit_test(test_host_function_behind_full_ring),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_async_errors),
		cmocka_unit_test(test_lost_device),
		cmocka_unit_test(test_lost_while_waiting),
		cmocka_unit_test(test_supervisor_dies),
		cmocka_unit_test(test_no_session),
		cmocka_unit_test(test_dead_session),
		cmocka_unit_test(test_forked_child),
		cmocka_unit_test(test_missing_names),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
