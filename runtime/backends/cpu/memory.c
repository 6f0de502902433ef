/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Device memory: anonymous pages at the addresses that the core names. Granules are
 * 2 MiB and huge pages are asked for, which memory files get only where the system is
 * set up for it.
 */
#include "cpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Bytes that this process may use: the machine's, or its control group's. */
uint64_t cpu_memory_total(void)
{
	uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/sys/fs/cgroup/memory.max", "re");
	unsigned long long limit;

	if (f) {
		if (fscanf(f, "%llu", &limit) == 1 && limit < total)
			total = limit;
		fclose(f);
	}
	return total;
}

uint64_t cpu_memory_free(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	if (!f)
		return cpu_memory_total();
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	fclose(f);
	return kib << 10;
}

static bool granule_get(const struct hetckpt_device *device, uint64_t g)
{
	return device->granules[g / 8] >> (g % 8) & 1;
}

static void granules_set(struct hetckpt_device *device, uint64_t first, uint64_t count, bool on)
{
	for (uint64_t g = first; g < first + count; g++) {
		unsigned char bit = (unsigned char)(1u << (g % 8));

		device->granules[g / 8] = (unsigned char)(on ? device->granules[g / 8] | bit
		                                             : device->granules[g / 8] & ~bit);
	}
}

static int check_range(const struct hetckpt_device *device, uint64_t address, uint64_t bytes,
                       struct hetckpt_error *error)
{
	if (address % HETCKPT_GRANULE || bytes % HETCKPT_GRANULE || !bytes || address < device->arena_base ||
	    bytes > device->arena_bytes || address - device->arena_base > device->arena_bytes - bytes)
		return hetckpt_error_set(error, -EINVAL, 0, "cpu:%u: range 0x%llx + 0x%llx is not in the arena",
		                         device->index, (unsigned long long)address,
		                         (unsigned long long)bytes);
	return 0;
}

int cpu_map(struct hetckpt_device *device, uint64_t address, uint64_t bytes, struct hetckpt_error *error)
{
	void *wanted = (void *)(uintptr_t)address, *got;
	int rc = check_range(device, address, bytes, error);

	if (rc)
		return rc;
	pthread_mutex_lock(&device->lock);
	if (bytes > device->total - device->mapped) {
		rc = hetckpt_error_set(error, -ENOMEM, 0, "cpu:%u: out of memory: %llu MiB asked for, %llu MiB free",
		                       device->index, (unsigned long long)(bytes >> 20),
		                       (unsigned long long)((device->total - device->mapped) >> 20));
		goto out;
	}
	got = mmap(wanted, bytes, PROT_READ | PROT_WRITE,
	           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (got == MAP_FAILED) {
		rc = errno == EEXIST ? -EADDRINUSE : -errno;
		hetckpt_error_set(error, rc, 0, "cpu:%u: cannot map 0x%llx + 0x%llx: %s", device->index,
		                  (unsigned long long)address, (unsigned long long)bytes,
		                  rc == -EADDRINUSE ? "something else is there" : strerror(-rc));
		goto out;
	}
	/* Kernels before 4.17 take the address for a hint. */
	if (got != wanted) {
		munmap(got, bytes);
		rc = hetckpt_error_set(error, -EADDRINUSE, 0, "cpu:%u: asked for memory at 0x%llx, got it at %p",
		                       device->index, (unsigned long long)address, got);
		goto out;
	}
	(void)madvise(got, bytes, MADV_HUGEPAGE);
	granules_set(device, (address - device->arena_base) / HETCKPT_GRANULE, bytes / HETCKPT_GRANULE, true);
	device->mapped += bytes;
out:
	pthread_mutex_unlock(&device->lock);
	return rc;
}

int cpu_unmap(struct hetckpt_device *device, uint64_t address, uint64_t bytes, struct hetckpt_error *error)
{
	uint64_t first = (address - device->arena_base) / HETCKPT_GRANULE, count = bytes / HETCKPT_GRANULE;
	int rc = check_range(device, address, bytes, error);

	if (rc)
		return rc;
	pthread_mutex_lock(&device->lock);
	for (uint64_t g = first; g < first + count && !rc; g++)
		if (!granule_get(device, g))
			rc = hetckpt_error_set(error, -EINVAL, 0, "cpu:%u: 0x%llx is not mapped", device->index,
			                       (unsigned long long)(device->arena_base + g * HETCKPT_GRANULE));
	if (!rc && munmap((void *)(uintptr_t)address, bytes))
		rc = hetckpt_error_set(error, -errno, 0, "cpu:%u: munmap: %s", device->index, strerror(errno));
	if (!rc) {
		granules_set(device, first, count, false);
		device->mapped -= bytes;
	}
	pthread_mutex_unlock(&device->lock);
	return rc;
}

void cpu_unmap_all(struct hetckpt_device *device)
{
	for (uint64_t g = 0; g < device->arena_bytes / HETCKPT_GRANULE && device->mapped; g++)
		if (granule_get(device, g)) {
			munmap((void *)(uintptr_t)(device->arena_base + g * HETCKPT_GRANULE), HETCKPT_GRANULE);
			device->mapped -= HETCKPT_GRANULE;
		}
}
