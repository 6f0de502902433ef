/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Memory, copies and fills of the stand-in driver. */
#include "fake.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GRANULE ((size_t)2 << 20)
#define MAX 65536

struct range {
	uint64_t address, bytes;
	int handle;      /* mappings: index of the allocation */
	bool accessible;
};

struct allocation {
	int fd;
	uint64_t bytes;
	int references; /* the handle and mappings */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct range reserved[64], mapped[MAX], pinned[256];
static int reserved_count, mapped_count, pinned_count, allocation_count;
static struct allocation allocation[MAX];
static uint64_t used;

static int find(const struct range *list, int count, uint64_t address, uint64_t bytes)
{
	for (int i = 0; i < count; i++)
		if (address < list[i].address + list[i].bytes && list[i].address < address + bytes)
			return i;
	return -1;
}

static bool inside(const struct range *r, uint64_t address, uint64_t bytes)
{
	return address >= r->address && address + bytes <= r->address + r->bytes;
}

/* ---- Addresses and pieces --------------------------------------------------------- */

ENTRY cu_result cuMemAddressReserve(cu_address *out, size_t bytes, size_t align, cu_address hint,
                                    unsigned long long flags)
{
	void *at;

	ENTER(true);
	if (flags || align || !bytes)
		return 1;
	at = mmap((void *)(uintptr_t)hint, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return 2;
	pthread_mutex_lock(&lock);
	reserved[reserved_count++] = (struct range){.address = (uintptr_t)at, .bytes = bytes};
	pthread_mutex_unlock(&lock);
	*out = (uintptr_t)at;
	return 0;
}

ENTRY cu_result cuMemAddressFree(cu_address address, size_t bytes)
{
	cu_result result = 1;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < reserved_count; i++)
		if (reserved[i].address == address && reserved[i].bytes == bytes && find(mapped, mapped_count, address, bytes) < 0) {
			reserved[i] = reserved[--reserved_count];
			munmap((void *)(uintptr_t)address, bytes);
			result = 0;
			break;
		}
	pthread_mutex_unlock(&lock);
	return result;
}

static void drop(int handle)
{
	struct allocation *a = &allocation[handle];

	if (--a->references)
		return;
	used -= a->bytes;
	close(a->fd);
}

ENTRY cu_result cuMemCreate(cu_handle *handle, size_t bytes, const cu_memory_properties *p, unsigned long long flags)
{
	cu_result result = 0;

	ENTER(true);
	if (flags || !bytes || bytes % GRANULE || p->type != CU_MEM_PINNED || p->location.type != CU_MEM_DEVICE ||
	    p->location.id != 40)
		return 1;
	if (p->handle_types && getenv("FAKE_NO_SHARING"))
		return CU_NOT_PERMITTED;
	pthread_mutex_lock(&lock);
	if (used + bytes > FAKE_MEMORY) {
		result = 2;
	} else {
		struct allocation *a = &allocation[allocation_count];

		a->fd = memfd_create("fake", MFD_CLOEXEC);
		if (ftruncate(a->fd, (off_t)bytes))
			abort();
		a->bytes = bytes;
		a->references = 1;
		used += bytes;
		*handle = (cu_handle)allocation_count++ + 1;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

ENTRY cu_result cuMemRelease(cu_handle handle)
{
	pthread_mutex_lock(&lock);
	drop((int)handle - 1);
	pthread_mutex_unlock(&lock);
	return 0;
}

ENTRY cu_result cuMemMap(cu_address address, size_t bytes, size_t offset, cu_handle handle, unsigned long long flags)
{
	cu_result result = 1;
	int r;

	ENTER(true);
	pthread_mutex_lock(&lock);
	r = find(reserved, reserved_count, address, bytes);
	if (!flags && !offset && r >= 0 && inside(&reserved[r], address, bytes) &&
	    find(mapped, mapped_count, address, bytes) < 0 && bytes == allocation[handle - 1].bytes) {
		if (mmap((void *)(uintptr_t)address, bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, allocation[handle - 1].fd, 0) ==
		    MAP_FAILED)
			abort();
		mapped[mapped_count++] = (struct range){address, bytes, (int)handle - 1, false};
		allocation[handle - 1].references++;
		result = 0;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

ENTRY cu_result cuMemUnmap(cu_address address, size_t bytes)
{
	cu_result result = 1;
	int m;

	pthread_mutex_lock(&lock);
	m = find(mapped, mapped_count, address, bytes);
	if (m >= 0 && mapped[m].address == address && mapped[m].bytes == bytes) {
		if (mmap((void *)(uintptr_t)address, bytes, PROT_NONE,
		         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
			abort();
		drop(mapped[m].handle);
		mapped[m] = mapped[--mapped_count];
		result = 0;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

ENTRY cu_result cuMemSetAccess(cu_address address, size_t bytes, const cu_access *access, size_t count)
{
	uint64_t covered = 0;

	ENTER(true);
	if (count != 1 || access->flags != CU_MEM_READ_WRITE)
		return 1;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < mapped_count; i++)
		if (mapped[i].address >= address && mapped[i].address + mapped[i].bytes <= address + bytes) {
			mapped[i].accessible = true;
			covered += mapped[i].bytes;
		}
	pthread_mutex_unlock(&lock);
	if (covered != bytes)
		return 1;
	return mprotect((void *)(uintptr_t)address, bytes, PROT_READ | PROT_WRITE) ? 1 : 0;
}

ENTRY cu_result cuMemGetAllocationGranularity(size_t *granularity, const cu_memory_properties *p, unsigned option)
{
	(void)p;
	(void)option;
	*granularity = GRANULE;
	return 0;
}

ENTRY cu_result cuMemExportToShareableHandle(void *out, cu_handle handle, unsigned type, unsigned long long flags)
{
	ENTER(true);
	if (type != CU_MEM_POSIX_FD || flags)
		return 1;
	*(int *)out = dup(allocation[handle - 1].fd);
	return 0;
}

ENTRY cu_result cuMemImportFromShareableHandle(cu_handle *handle, void *os, unsigned type)
{
	struct allocation *a;

	ENTER(true);
	pthread_mutex_lock(&lock);
	a = &allocation[allocation_count];
	a->fd = dup((int)(intptr_t)os);
	a->bytes = (uint64_t)lseek(a->fd, 0, SEEK_END);
	a->references = 1;
	used += a->bytes;
	*handle = (cu_handle)allocation_count++ + 1;
	pthread_mutex_unlock(&lock);
	return type == CU_MEM_POSIX_FD ? 0 : 1;
}

ENTRY cu_result cuMemGetInfo_v2(size_t *available, size_t *total)
{
	ENTER(true);
	*available = FAKE_MEMORY - used;
	*total = FAKE_MEMORY;
	return 0;
}

ENTRY cu_result cuMemAlloc_v2(cu_address *out, size_t bytes)
{
	ENTER(true);
	*out = (uintptr_t)calloc(1, bytes);
	return 0;
}

ENTRY cu_result cuMemFree_v2(cu_address address)
{
	free((void *)(uintptr_t)address);
	return 0;
}

bool fake_mapped(cu_address address)
{
	bool good;
	int m;

	pthread_mutex_lock(&lock);
	m = find(mapped, mapped_count, address, 1);
	good = m >= 0 && mapped[m].accessible;
	pthread_mutex_unlock(&lock);
	return good;
}

/* ---- Page-locked memory --------------------------------------------------------------- */

static void pin(const void *address, size_t bytes)
{
	pthread_mutex_lock(&lock);
	pinned[pinned_count++] = (struct range){.address = (uintptr_t)address, .bytes = bytes};
	pthread_mutex_unlock(&lock);
}

static bool unpin(const void *address)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < pinned_count && !found; i++)
		if (pinned[i].address == (uintptr_t)address) {
			pinned[i] = pinned[--pinned_count];
			found = true;
		}
	pthread_mutex_unlock(&lock);
	return found;
}

bool fake_registered(const void *address, size_t bytes)
{
	bool good = false;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < pinned_count; i++)
		good |= inside(&pinned[i], (uintptr_t)address, bytes);
	pthread_mutex_unlock(&lock);
	return good;
}

ENTRY cu_result cuMemHostAlloc(void **out, size_t bytes, unsigned flags)
{
	ENTER(true);
	(void)flags;
	*out = malloc(bytes);
	memset(*out, 0xee, bytes);
	pin(*out, bytes);
	return 0;
}

ENTRY cu_result cuMemFreeHost(void *memory)
{
	ENTER(true);
	if (!unpin(memory))
		return 1;
	free(memory);
	return 0;
}

ENTRY cu_result cuMemHostRegister_v2(void *address, size_t bytes, unsigned flags)
{
	ENTER(true);
	if (flags != (CU_HOST_PORTABLE | CU_HOST_DEVICEMAP))
		return 1;
	pthread_mutex_lock(&lock);
	flags = find(pinned, pinned_count, (uintptr_t)address, bytes) >= 0;
	pthread_mutex_unlock(&lock);
	if (flags)
		return 712;
	pin(address, bytes);
	return 0;
}

ENTRY cu_result cuMemHostUnregister(void *address)
{
	ENTER(true);
	return unpin(address) ? 0 : 713;
}

/* ---- Copies ------------------------------------------------------------------------------ */

struct copy_work {
	struct fake_work work;
	char *dst;
	const char *src;
	char *taken; /* the source's bytes, taken along */
	size_t width, height, depth, dst_pitch, dst_slice, src_pitch, src_slice;
};

static void copy_run(struct fake_work *work)
{
	struct copy_work *c = (struct copy_work *)work;

	if (c->width == 4 && c->height == 1 && c->depth == 1 && !((uintptr_t)c->dst % 4)) {
		uint32_t word;

		/* A kernel may be looking at it. */
		memcpy(&word, c->src, 4);
		if (!atomic_load(&fake_sticky))
			atomic_store((_Atomic uint32_t *)(void *)c->dst, word);
		free(c->taken);
		return;
	}
	for (size_t z = 0; z < c->depth && !atomic_load(&fake_sticky); z++)
		for (size_t y = 0; y < c->height; y++)
			memcpy(c->dst + z * c->dst_slice + y * c->dst_pitch, c->src + z * c->src_slice + y * c->src_pitch, c->width);
	free(c->taken);
}

static cu_result submit_copy(cu_stream stream, struct copy_work box, const void *host, bool to_device)
{
	struct copy_work *c = malloc(sizeof *c);
	size_t extent = (box.depth - 1) * (to_device ? box.src_slice : box.dst_slice) +
	                (box.height - 1) * (to_device ? box.src_pitch : box.dst_pitch) + box.width;
	bool pageable = host && !fake_registered(host, extent);

	*c = box;
	c->work.run = copy_run;
	c->taken = NULL;
	if (pageable && to_device && extent <= 65536) {
		c->taken = malloc(extent);
		memcpy(c->taken, box.src, extent);
		c->src = c->taken;
		pageable = false;
	}
	fake_submit(stream, &c->work);
	if (pageable)
		fake_drain(stream);
	return atomic_load(&fake_sticky);
}

static struct copy_work flat(void *dst, const void *src, size_t bytes)
{
	return (struct copy_work){.dst = dst, .src = src, .width = bytes, .height = 1, .depth = 1};
}

ENTRY cu_result cuMemcpyHtoDAsync_v2(cu_address dst, const void *src, size_t bytes, cu_stream stream)
{
	ENTER(true);
	return submit_copy(stream, flat((void *)(uintptr_t)dst, src, bytes), src, true);
}

ENTRY cu_result cuMemcpyDtoHAsync_v2(void *dst, cu_address src, size_t bytes, cu_stream stream)
{
	ENTER(true);
	return submit_copy(stream, flat(dst, (const void *)(uintptr_t)src, bytes), dst, false);
}

ENTRY cu_result cuMemcpyDtoDAsync_v2(cu_address dst, cu_address src, size_t bytes, cu_stream stream)
{
	ENTER(true);
	return submit_copy(stream, flat((void *)(uintptr_t)dst, (const void *)(uintptr_t)src, bytes), NULL, true);
}

ENTRY cu_result cuMemcpy3DAsync_v2(const cu_copy_3d *b, cu_stream stream)
{
	bool src_host = b->src_type == CU_COPY_HOST, dst_host = b->dst_type == CU_COPY_HOST;
	struct copy_work c = {
		.dst = dst_host ? b->dst_host : (void *)(uintptr_t)b->dst_device,
		.src = src_host ? b->src_host : (const void *)(uintptr_t)b->src_device,
		.width = b->width, .height = b->height, .depth = b->depth, .dst_pitch = b->dst_pitch,
		.dst_slice = b->dst_pitch * b->dst_height, .src_pitch = b->src_pitch, .src_slice = b->src_pitch * b->src_height,
	};

	ENTER(true);
	if ((src_host && dst_host) || b->src_pitch < b->width || b->dst_pitch < b->width || b->src_pitch > 1 << 20 ||
	    b->dst_pitch > 1 << 20 || b->src_height < b->height || b->dst_height < b->height)
		return 1;
	return submit_copy(stream, c, src_host ? b->src_host : dst_host ? b->dst_host : NULL, src_host);
}

ENTRY cu_result cuMemcpy2DAsync_v2(const cu_copy_2d *b, cu_stream stream)
{
	cu_copy_3d box = {
		.src_type = b->src_type, .src_host = b->src_host, .src_device = b->src_device, .src_pitch = b->src_pitch,
		.src_height = b->height, .dst_type = b->dst_type, .dst_host = b->dst_host, .dst_device = b->dst_device,
		.dst_pitch = b->dst_pitch, .dst_height = b->height, .width = b->width, .height = b->height, .depth = 1,
	};

	return cuMemcpy3DAsync_v2(&box, stream);
}

/* ---- Fills --------------------------------------------------------------------------------- */

struct fill_work {
	struct fake_work work;
	char *dst;
	unsigned value;
	size_t element, pitch, width, height;
};

static void fill_run(struct fake_work *work)
{
	struct fill_work *f = (struct fill_work *)work;

	for (size_t y = 0; y < f->height && !atomic_load(&fake_sticky); y++)
		for (size_t x = 0; x < f->width; x++)
			memcpy(f->dst + y * f->pitch + x * f->element, &f->value, f->element);
}

static cu_result submit_fill(cu_address dst, size_t pitch, unsigned value, size_t element, size_t width, size_t height,
                             cu_stream stream)
{
	struct fill_work *f;

	ENTER(true);
	if (dst % element || (height > 1 && pitch < width * element))
		return 1;
	f = malloc(sizeof *f);
	*f = (struct fill_work){{NULL, fill_run}, (char *)(uintptr_t)dst, value, element, pitch, width, height};
	fake_submit(stream, &f->work);
	return 0;
}

ENTRY cu_result cuMemsetD8Async(cu_address dst, unsigned char value, size_t n, cu_stream stream)
{
	return submit_fill(dst, 0, value, 1, n, 1, stream);
}

ENTRY cu_result cuMemsetD16Async(cu_address dst, unsigned short value, size_t n, cu_stream stream)
{
	return submit_fill(dst, 0, value, 2, n, 1, stream);
}

ENTRY cu_result cuMemsetD32Async(cu_address dst, unsigned value, size_t n, cu_stream stream)
{
	return submit_fill(dst, 0, value, 4, n, 1, stream);
}

ENTRY cu_result cuMemsetD2D8Async(cu_address dst, size_t pitch, unsigned char value, size_t w, size_t h, cu_stream stream)
{
	return submit_fill(dst, pitch, value, 1, w, h, stream);
}

ENTRY cu_result cuMemsetD2D16Async(cu_address dst, size_t pitch, unsigned short value, size_t w, size_t h,
                                   cu_stream stream)
{
	return submit_fill(dst, pitch, value, 2, w, h, stream);
}

ENTRY cu_result cuMemsetD2D32Async(cu_address dst, size_t pitch, unsigned value, size_t w, size_t h, cu_stream stream)
{
	return submit_fill(dst, pitch, value, 4, w, h, stream);
}
