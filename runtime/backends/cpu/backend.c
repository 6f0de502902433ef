/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The CPU back end's table: devices, facts, failures, poke. */
#include "cpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CPU_DEVICES 2u

static uint64_t monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t cpu_now(const struct hetckpt_device *device)
{
	return monotonic() - device->opened;
}

/* ---- Facts ------------------------------------------------------------------ */

static void read_cpuinfo(struct hetckpt_device_facts *facts)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[512], *value;
	double mhz;

	snprintf(facts->name, sizeof facts->name, "CPU");
	if (!f)
		return;
	while (fgets(line, sizeof line, f)) {
		value = strchr(line, ':');
		if (!value)
			continue;
		value++;
		value += strspn(value, " \t");
		value[strcspn(value, "\n")] = 0;
		if (!strncmp(line, "model name", 10))
			snprintf(facts->name, sizeof facts->name, "%.250s", value);
		else if (!strncmp(line, "cpu MHz", 7) && sscanf(value, "%lf", &mhz) == 1 && !facts->clock_khz)
			facts->clock_khz = (uint32_t)(mhz * 1000);
	}
	fclose(f);
}

static int probe(unsigned index, struct hetckpt_device_facts *facts, struct hetckpt_error *error)
{
	long l2;

	if (index >= CPU_DEVICES)
		return hetckpt_error_set(error, -ENODEV, 0, "cpu:%u: there are cpu:0 to cpu:%u", index,
		                         CPU_DEVICES - 1);
	memset(facts, 0, sizeof *facts);
	read_cpuinfo(facts);
	facts->total_bytes = cpu_memory_total();
	/* What programs for compute capability 8.0 may count on. */
	facts->major = 8;
	facts->minor = 0;
	facts->shared_per_block = 48u << 10;
	facts->shared_per_block_optin = CPU_SHARED_OPTIN;
	facts->shared_per_sm = CPU_SHARED_OPTIN + 1024;
	facts->sm_count = cpu_count();
	facts->memory_clock_khz = 2400000;
	facts->bus_width = 64;
	l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
	facts->l2_bytes = l2 > 0 ? (uint32_t)l2 : 0;
	facts->max_threads_per_block = CPU_MAX_THREADS;
	facts->max_threads_per_sm = 2048;
	facts->max_blocks_per_sm = 32;
	facts->regs_per_block = 65536;
	facts->max_grid[0] = 0x7fffffff;
	facts->max_grid[1] = facts->max_grid[2] = 65535;
	facts->max_block[0] = facts->max_block[1] = CPU_MAX_THREADS;
	facts->max_block[2] = 64;
	return 0;
}

/* ---- Open and close ----------------------------------------------------------- */

/* HETCKPT_CPU_SCHEDULE=random:SEED */
static int read_schedule(uint64_t *seed, struct hetckpt_error *error)
{
	const char *text = getenv("HETCKPT_CPU_SCHEDULE");
	char *end;

	*seed = 0;
	if (!text || !*text || !strcmp(text, "ordered"))
		return 0;
	if (strncmp(text, "random", 6) || (text[6] && text[6] != ':'))
		goto bad;
	*seed = text[6] ? strtoull(text + 7, &end, 0) : 1;
	if (text[6] && (end == text + 7 || *end))
		goto bad;
	*seed += !*seed;
	return 0;
bad:
	return hetckpt_error_set(error, -EINVAL, 0,
	                         "HETCKPT_CPU_SCHEDULE=%.100s: neither \"ordered\" nor \"random:SEED\"", text);
}

static void device_close(struct hetckpt_device *device)
{
	cpu_pool_stop(device);
	cpu_unmap_all(device);
	pthread_cond_destroy(&device->changed);
	pthread_mutex_destroy(&device->lock);
	free(device->granules);
	free(device);
}

static int device_open(unsigned index, uint64_t arena_base, uint64_t arena_bytes,
                       const struct hetckpt_backend_host *host, struct hetckpt_device **out,
                       struct hetckpt_error *error)
{
	struct hetckpt_device_facts facts;
	struct hetckpt_device *device;
	int rc = probe(index, &facts, error);

	if (rc)
		return rc;
	device = calloc(1, sizeof *device);
	if (device)
		device->granules = calloc(arena_bytes / HETCKPT_GRANULE / 8 + 1, 1);
	if (!device || !device->granules) {
		free(device);
		return hetckpt_error_set(error, -ENOMEM, 0, "cpu:%u: no memory", index);
	}
	device->index = index;
	device->arena_base = arena_base;
	device->arena_bytes = arena_bytes;
	if (host)
		device->host = *host;
	device->opened = monotonic();
	device->total = facts.total_bytes;
	pthread_mutex_init(&device->lock, NULL);
	pthread_cond_init(&device->changed, NULL);
	rc = read_schedule(&device->schedule, error);
	if (!rc)
		rc = cpu_pool_start(device, error);
	if (rc) {
		device_close(device);
		return rc;
	}
	cpu_code_prepare();
	*out = device;
	return 0;
}

/* ---- Failure ------------------------------------------------------------------- */

void cpu_device_fail(struct hetckpt_device *device, const struct hetckpt_error *error)
{
	pthread_mutex_lock(&device->lock);
	if (!atomic_load(&device->failed)) {
		device->error = *error;
		device->error.code = -EIO;
		atomic_store(&device->failed, true);
		pthread_cond_broadcast(&device->changed);
	}
	pthread_mutex_unlock(&device->lock);
}

int cpu_device_check(struct hetckpt_device *device, struct hetckpt_error *error)
{
	if (!atomic_load(&device->failed))
		return 0;
	if (error)
		*error = device->error;
	return -EIO;
}

/* ---- Memory --------------------------------------------------------------------- */

static int memory_info(struct hetckpt_device *device, uint64_t *free_bytes, uint64_t *total,
                       struct hetckpt_error *error)
{
	uint64_t available = cpu_memory_free();

	(void)error;
	pthread_mutex_lock(&device->lock);
	*total = device->total;
	*free_bytes = device->total - device->mapped;
	pthread_mutex_unlock(&device->lock);
	if (available < *free_bytes)
		*free_bytes = available;
	return 0;
}

/* Any memory of this process is as good as page-locked. */
static int host_register(struct hetckpt_device *device, void *address, uint64_t bytes,
                         struct hetckpt_error *error)
{
	(void)device;
	(void)address;
	(void)bytes;
	(void)error;
	return 0;
}

static void host_unregister(struct hetckpt_device *device, void *address)
{
	(void)device;
	(void)address;
}

static int poke(struct hetckpt_device *device, uint64_t address, const void *source, size_t bytes,
                unsigned images, struct hetckpt_error *error)
{
	uint32_t *to = (uint32_t *)(uintptr_t)address;
	const unsigned char *from = source;

	if (address % 4 || bytes % 4)
		return hetckpt_error_set(error, -EINVAL, 0, "cpu:%u: poke of %zu bytes at 0x%llx", device->index,
		                         bytes, (unsigned long long)address);
	for (size_t i = 0; i < images * (bytes / 4); i++) {
		uint32_t word;

		memcpy(&word, from + 4 * i, 4);
		__atomic_store_n(to + i % (bytes / 4), word, __ATOMIC_RELEASE);
	}
	/* Seen everywhere before anything later is done. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return 0;
}

const struct hetckpt_backend hetckpt_backend_cpu = {
	.version = HETCKPT_BACKEND_VERSION,
	.size = sizeof hetckpt_backend_cpu,
	.name = "cpu",
	.flags = HETCKPT_BACKEND_NOTIFIES | HETCKPT_BACKEND_LOOKS,
	.short_us = 500,
	.probe = probe,
	.open = device_open,
	.close = device_close,
	.memory_info = memory_info,
	.map = cpu_map,
	.unmap = cpu_unmap,
	.host_register = host_register,
	.host_unregister = host_unregister,
	.module_load = cpu_module_load,
	.module_unload = cpu_module_unload,
	.kernel_get = cpu_kernel_get,
	.occupancy = cpu_occupancy,
	.queue_create = cpu_queue_create,
	.queue_destroy = cpu_queue_destroy,
	.copy = cpu_queue_copy,
	.fill = cpu_queue_fill,
	.launch = cpu_queue_launch,
	.queue_wait = cpu_queue_wait,
	.record = cpu_record,
	.marker_query = cpu_marker_query,
	.marker_wait = cpu_marker_wait,
	.marker_release = cpu_marker_release,
	.poke = poke,
	.share = cpu_share,
	.peer_open = cpu_peer_open,
	.peer_close = cpu_peer_close,
	.peer_copy = cpu_peer_copy,
};
