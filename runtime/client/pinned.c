/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Page-locked memory: a memfd mapped at one address here and in every worker, so copies and
 * kernels name it by address. Addresses come from a window that the project keeps free.
 *
 * Small requests share slabs, because each memfd costs the supervisor and the worker a
 * descriptor and a round trip, and page-locking is slow. Managed memory is page-locked
 * memory too: one address, visible to both sides, coherent at synchronisation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/client/client.h"

#define WINDOW_BASE 0x1f0000000000ull
#define WINDOW_BYTES (1ull << 40)
#define PAGE 4096u
#define GRANULE (2u << 20)    /* addresses of mappings, so that huge pages are possible */
#define SLAB_BYTES (4u << 20)
#define SLAB_PAGES (SLAB_BYTES / PAGE)
#define SMALL_BYTES (512u << 10)

struct mapping {
	uint64_t address, bytes;
	struct mapping *next;      /* by address */
	uint32_t used;             /* slab: pages in use; others: 0 */
	bool slab;
	uint16_t run[SLAB_PAGES];  /* slab: pages of the allocation that starts at this page */
	unsigned char busy[SLAB_PAGES];
};

static struct mapping *mappings;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Where the list has a gap of that many bytes: the link to insert at, and the address. */
static struct mapping **gap_find(uint64_t bytes, uint64_t *address)
{
	struct mapping **link = &mappings;
	uint64_t at = WINDOW_BASE;

	for (; *link && (*link)->address - at < bytes; link = &(*link)->next)
		at = ((*link)->address + (*link)->bytes + GRANULE - 1) & ~(uint64_t)(GRANULE - 1);
	if (at + bytes > WINDOW_BASE + WINDOW_BYTES)
		return NULL;
	*address = at;
	return link;
}

static cudaError_t mapping_new(uint64_t bytes, bool slab, struct mapping **out)
{
	struct mapping *m, **link;
	cudaError_t error = cudaErrorMemoryAllocation;
	void *place = MAP_FAILED;
	int fd = -1;

	m = calloc(1, sizeof *m);
	if (!m)
		return error;
	m->bytes = bytes;
	m->slab = slab;
	link = gap_find(bytes, &m->address);
	if (!link)
		goto failed;
	fd = memfd_create("hetckpt-pinned", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)bytes)) {
		client_say("cannot make a page-locked buffer of %llu bytes: %s", (unsigned long long)bytes,
		           strerror(errno));
		goto failed;
	}
	place = mmap((void *)m->address, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	if (place != (void *)m->address) {
		/* An old kernel takes the address for a hint. */
		client_say("page-locked buffers need address %#llx, which is taken in this process",
		           (unsigned long long)m->address);
		goto failed;
	}
	error = client_request("host", json_pack("{s:I, s:I}", "address", (json_int_t)m->address, "bytes",
	                                         (json_int_t)bytes), fd);
	if (error)
		goto failed;
	close(fd);
	m->next = *link;
	*link = m;
	*out = m;
	return cudaSuccess;
failed:
	if (place != MAP_FAILED)
		munmap(place, bytes);
	if (fd >= 0)
		close(fd);
	free(m);
	return error;
}

static cudaError_t mapping_delete(struct mapping *m)
{
	struct mapping **link = &mappings;
	cudaError_t error;

	while (*link != m)
		link = &(*link)->next;
	*link = m->next;
	error = client_request("host_free", json_pack("{s:I}", "address", (json_int_t)m->address), -1);
	munmap((void *)m->address, m->bytes);
	free(m);
	return error;
}

/* First run of free pages in a slab; SLAB_PAGES if there is none. */
static uint32_t run_find(const struct mapping *m, uint32_t pages)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < SLAB_PAGES; i++) {
		run = m->busy[i] ? 0 : run + 1;
		if (run == pages)
			return i + 1 - pages;
	}
	return SLAB_PAGES;
}

static cudaError_t small_alloc(uint32_t pages, uint64_t *address)
{
	struct mapping *m;
	uint32_t first = SLAB_PAGES;
	cudaError_t error;

	for (m = mappings; m; m = m->next)
		if (m->slab && SLAB_PAGES - m->used >= pages && (first = run_find(m, pages)) < SLAB_PAGES)
			break;
	if (!m) {
		error = mapping_new(SLAB_BYTES, true, &m);
		if (error)
			return error;
		first = 0;
	}
	memset(m->busy + first, 1, pages);
	m->run[first] = (uint16_t)pages;
	m->used += pages;
	*address = m->address + (uint64_t)first * PAGE;
	return cudaSuccess;
}

cudaError_t client_pinned_alloc(void **address, size_t bytes, enum client_range_kind kind, unsigned flags)
{
	struct client_range range = {.bytes = bytes, .kind = kind, .flags = flags};
	struct mapping *m;
	cudaError_t error;

	if (!bytes || bytes > WINDOW_BYTES)
		return bytes ? cudaErrorMemoryAllocation : cudaErrorInvalidValue;
	pthread_mutex_lock(&lock);
	if (bytes <= SMALL_BYTES) {
		error = small_alloc((uint32_t)((bytes + PAGE - 1) / PAGE), &range.address);
	} else {
		error = mapping_new((bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1), false, &m);
		if (!error)
			range.address = m->address;
	}
	pthread_mutex_unlock(&lock);
	if (error)
		return error;
	range.device_address = range.address;
	error = client_range_add(&range);
	if (!error)
		*address = (void *)range.address;
	return error;
}

cudaError_t client_pinned_free(void *address, enum client_range_kind kind)
{
	struct client_range removed;
	struct mapping *m;
	cudaError_t error;

	if (!client_range_remove((uint64_t)address, kind, &removed))
		return cudaErrorInvalidValue;
	/* Nobody may still read or write it. */
	error = client_call(HETCKPT_MSG_DEVICE_SYNC, 0, NULL, 0, NULL, 0, NULL, 0);
	pthread_mutex_lock(&lock);
	for (m = mappings; m && (uint64_t)address - m->address >= m->bytes; m = m->next)
		;
	if (m && m->slab) {
		uint32_t first = (uint32_t)(((uint64_t)address - m->address) / PAGE);

		memset(m->busy + first, 0, m->run[first]);
		m->used -= m->run[first];
		m->run[first] = 0;
	}
	/* An empty slab stays, for the next one. */
	if (m && !m->slab) {
		cudaError_t freed = mapping_delete(m);

		error = error ? error : freed;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

void client_pinned_reset(void)
{
	struct client_range removed;

	while (client_range_pop(CLIENT_RANGE_PINNED, &removed) ||
	       client_range_pop(CLIENT_RANGE_MANAGED, &removed))
		;
	pthread_mutex_lock(&lock);
	while (mappings && !mapping_delete(mappings))
		;
	pthread_mutex_unlock(&lock);
}

/* ---- CUDA's names ------------------------------------------------------ */

#define HOST_ALLOC_FLAGS (cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined)
#define REGISTER_FLAGS (cudaHostRegisterPortable | cudaHostRegisterMapped)

CLIENT_EXPORT cudaError_t cudaHostAlloc(void **address, size_t bytes, unsigned int flags)
{
	cudaError_t error;

	if (!address || flags & ~(unsigned)HOST_ALLOC_FLAGS)
		return client_result(cudaErrorInvalidValue);
	*address = NULL;
	error = client_enter();
	if (!error && bytes)
		error = client_pinned_alloc(address, bytes, CLIENT_RANGE_PINNED, flags);
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaMallocHost(void **address, size_t bytes)
{
	return cudaHostAlloc(address, bytes, cudaHostAllocDefault);
}

CLIENT_EXPORT cudaError_t cudaFreeHost(void *address)
{
	cudaError_t error = client_enter();

	return client_result(error || !address ? error : client_pinned_free(address, CLIENT_RANGE_PINNED));
}

CLIENT_EXPORT cudaError_t cudaMallocManaged(void **address, size_t bytes, unsigned int flags)
{
	cudaError_t error;

	if (!address || !bytes || (flags != cudaMemAttachGlobal && flags != cudaMemAttachHost))
		return client_result(cudaErrorInvalidValue);
	error = client_enter();
	if (!error)
		error = client_pinned_alloc(address, bytes, CLIENT_RANGE_MANAGED, flags);
	return client_result(error);
}

CLIENT_EXPORT cudaError_t cudaHostRegister(void *address, size_t bytes, unsigned int flags)
{
	struct client_range range = {(uint64_t)address, bytes, CLIENT_RANGE_REGISTERED, flags, 0, NULL}, other;
	cudaError_t error = client_enter();

	if (error)
		return client_result(error);
	if (!address || !bytes || client_is_device((uint64_t)address) || flags & ~(unsigned)(REGISTER_FLAGS | cudaHostRegisterReadOnly))
		return client_result(cudaErrorInvalidValue);
	if (client_range_find(range.address, &other) || client_range_find(range.address + bytes - 1, &other))
		return client_result(cudaErrorHostMemoryAlreadyRegistered);
	return client_result(client_range_add(&range));
}

CLIENT_EXPORT cudaError_t cudaHostUnregister(void *address)
{
	struct client_range removed;
	cudaError_t error = client_enter();

	if (error)
		return client_result(error);
	if (!address)
		return client_result(cudaErrorInvalidValue);
	if (!client_range_remove((uint64_t)address, CLIENT_RANGE_REGISTERED, &removed))
		return client_result(cudaErrorHostMemoryNotRegistered);
	/* Copies that were queued still use it. */
	return client_result(client_call(HETCKPT_MSG_DEVICE_SYNC, 0, NULL, 0, NULL, 0, NULL, 0));
}

CLIENT_EXPORT cudaError_t cudaHostGetDevicePointer(void **device, void *host, unsigned int flags)
{
	struct client_range range;
	cudaError_t error = client_enter();

	if (error)
		return client_result(error);
	if (!device || !host || flags)
		return client_result(cudaErrorInvalidValue);
	if (!client_range_find((uint64_t)host, &range) || client_is_device((uint64_t)host))
		return client_result(cudaErrorInvalidValue);
	if (!range.device_address) {
		client_say_once("kernels cannot use memory registered with cudaHostRegister; "
		                "allocate it with cudaHostAlloc");
		return client_result(cudaErrorNotSupported);
	}
	*device = host;
	return cudaSuccess;
}

CLIENT_EXPORT cudaError_t cudaHostGetFlags(unsigned int *flags, void *host)
{
	struct client_range range;
	cudaError_t error = client_enter();

	if (error)
		return client_result(error);
	if (!flags || !host || !client_range_find((uint64_t)host, &range) ||
	    (range.kind != CLIENT_RANGE_PINNED && range.kind != CLIENT_RANGE_REGISTERED))
		return client_result(cudaErrorInvalidValue);
	/* All of it is mapped, as with unified addressing on NVIDIA's devices. */
	*flags = range.flags | (range.kind == CLIENT_RANGE_PINNED ? cudaHostAllocMapped : 0);
	return cudaSuccess;
}
