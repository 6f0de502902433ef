/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The CUDA back end's table: facts about devices, open, close. */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/common/log.h"
#include "runtime/common/timeline.h"

/* How long close waits for a driver whose GPU has failed. */
#define TEARDOWN_SECONDS 5

/* ---- Facts ------------------------------------------------------------------------ */

static cu_result attribute(const struct cuda_driver *api, cu_device ordinal, unsigned which, uint32_t *value)
{
	int number = 0;
	cu_result result = api->device_attribute(&number, which, ordinal);

	*value = number > 0 ? (uint32_t)number : 0;
	return result;
}

static cu_result read_facts(const struct cuda_driver *api, cu_device ordinal, struct hetckpt_device_facts *facts)
{
	uint32_t per_block = 0, optin = 0, per_sm = 0;
	const struct {
		unsigned which;
		uint32_t *value;
	} wanted[] = {
		{CU_ATTR_SHARED_PER_BLOCK, &per_block}, {CU_ATTR_SHARED_OPTIN, &optin}, {CU_ATTR_SHARED_PER_SM, &per_sm},
		{CU_ATTR_SM_COUNT, &facts->sm_count}, {CU_ATTR_CLOCK_KHZ, &facts->clock_khz},
		{CU_ATTR_MEMORY_CLOCK_KHZ, &facts->memory_clock_khz}, {CU_ATTR_BUS_WIDTH, &facts->bus_width},
		{CU_ATTR_L2_BYTES, &facts->l2_bytes}, {CU_ATTR_MAX_THREADS_PER_BLOCK, &facts->max_threads_per_block},
		{CU_ATTR_MAX_THREADS_PER_SM, &facts->max_threads_per_sm},
		{CU_ATTR_MAX_BLOCKS_PER_SM, &facts->max_blocks_per_sm}, {CU_ATTR_REGS_PER_BLOCK, &facts->regs_per_block},
		{CU_ATTR_MAJOR, &facts->major}, {CU_ATTR_MINOR, &facts->minor},
		{CU_ATTR_MAX_GRID_X, &facts->max_grid[0]}, {CU_ATTR_MAX_GRID_X + 1, &facts->max_grid[1]},
		{CU_ATTR_MAX_GRID_X + 2, &facts->max_grid[2]}, {CU_ATTR_MAX_BLOCK_X, &facts->max_block[0]},
		{CU_ATTR_MAX_BLOCK_X + 1, &facts->max_block[1]}, {CU_ATTR_MAX_BLOCK_X + 2, &facts->max_block[2]},
	};
	size_t bytes = 0;
	cu_result result;

	memset(facts, 0, sizeof *facts);
	result = api->device_name(facts->name, sizeof facts->name - 1, ordinal);
	if (!result)
		result = api->device_bytes(&bytes, ordinal);
	facts->total_bytes = bytes;
	for (unsigned i = 0; i < sizeof wanted / sizeof *wanted && !result; i++)
		result = attribute(api, ordinal, wanted[i].which, wanted[i].value);
	facts->shared_per_block = per_block;
	facts->shared_per_block_optin = optin > per_block ? optin : per_block;
	facts->shared_per_sm = per_sm;
	snprintf(facts->version, sizeof facts->version, "%s%sCUDA %d.%d", api->release, *api->release ? ", " : "",
	         api->api / 1000, api->api % 1000 / 10);
	return result;
}

static int find_device(unsigned index, const struct cuda_driver **api, cu_device *ordinal,
                       struct hetckpt_device_facts *facts, struct hetckpt_error *error)
{
	struct cuda_result_facts known;
	int count = 0;
	cu_result result;
	int rc = cuda_driver_open(api, error);

	if (rc)
		return rc;
	result = (*api)->device_count(&count);
	if (!result && count <= 0)
		return hetckpt_error_set(error, -ENODEV, 0, "cuda:%u: NVIDIA's driver finds no GPU", index);
	if (!result && index >= (unsigned)count)
		return hetckpt_error_set(error, -ENODEV, 101,
			"cuda:%u: no such GPU, NVIDIA's driver finds %d (the last is cuda:%d)", index, count, count - 1);
	if (!result)
		result = (*api)->device_get(ordinal, (int)index);
	if (!result)
		result = read_facts(*api, *ordinal, facts);
	if (!result)
		return 0;
	known = cuda_result_facts(result);
	return hetckpt_error_set(error, known.code, known.cuda, "cuda:%u: cannot read the facts of the GPU: %s (%d)",
	                         index, cuda_result_name(*api, result), result);
}

static int probe(unsigned index, struct hetckpt_device_facts *facts, struct hetckpt_error *error)
{
	const struct cuda_driver *api;
	cu_device ordinal;

	return find_device(index, &api, &ordinal, facts, error);
}

/* ---- Close ------------------------------------------------------------------------- */

/* Everything that needs the driver, and the watcher, which may be in a call of it. */
static void tear_down(struct hetckpt_device *device)
{
	const struct cuda_driver *api = device->api;
	bool failed = atomic_load(&device->failed);

	cuda_watcher_stop(device);
	if (device->context) {
		/* Calls that fail, for the context or the GPU has, leave nothing worse behind. */
		bool entered = !api->context_push(device->context);

		while (device->modules)
			cuda_module_unload(device, device->modules);
		cuda_queues_destroy(device);
		cuda_staging_destroy(device);
		cuda_clock_destroy(device);
		cuda_poke_destroy(device);
		cuda_memory_destroy(device);
		if (entered)
			cuda_leave(device);
		/* A context that has failed fails whoever gets it next: start anew. */
		if (failed)
			api->context_reset(device->ordinal);
		api->context_release(device->ordinal);
	}
	cuda_memory_destroy(device);
}

static void device_free(struct hetckpt_device *device)
{
	pthread_mutex_destroy(&device->failure_lock);
	pthread_mutex_destroy(&device->lock);
	pthread_mutex_destroy(&device->poke.lock);
	pthread_cond_destroy(&device->wake);
	free(device->host.range);
	/* Left where memory could not be given back. */
	free(device->memory.piece);
	free(device->memory.granule);
	free(device);
}

struct teardown {
	struct hetckpt_device *device;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done, left; /* torn down; close has gone on without it */
};

static void teardown_free(struct teardown *t)
{
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->changed);
	free(t);
}

static void *tear_down_aside(void *argument)
{
	struct teardown *t = argument;
	bool left;

	tear_down(t->device);
	device_free(t->device);
	pthread_mutex_lock(&t->lock);
	t->done = true;
	left = t->left;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
	if (left)
		teardown_free(t);
	return NULL;
}

/*
 * A driver whose GPU has failed may not return from a call. So its calls are made by a
 * thread of their own; if that does not end in time, it and what it holds are left to the
 * end of the process.
 */
static void close_failed(struct hetckpt_device *device)
{
	unsigned index = device->index;
	struct teardown *t = calloc(1, sizeof *t);
	struct timespec until;
	pthread_t thread;
	bool done;

	if (!t)
		return;
	t->device = device;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TEARDOWN_SECONDS;
	if (pthread_create(&thread, NULL, tear_down_aside, t)) {
		teardown_free(t);
		return;
	}
	pthread_detach(thread);
	pthread_mutex_lock(&t->lock);
	while (!t->done && !pthread_cond_timedwait(&t->changed, &t->lock, &until))
		;
	done = t->done;
	t->left = !done;
	pthread_mutex_unlock(&t->lock);
	if (done)
		teardown_free(t);
	else
		hetckpt_log(HETCKPT_LOG_WARN, "cuda:%u: the driver does not give the failed GPU back; going on without it",
		            index);
}

static void device_close(struct hetckpt_device *device)
{
	if (atomic_load(&device->failed)) {
		close_failed(device);
		return;
	}
	tear_down(device);
	device_free(device);
}

/* ---- Open --------------------------------------------------------------------------- */

static struct hetckpt_device *device_new(unsigned index, const struct hetckpt_backend_host *host)
{
	struct hetckpt_device *device = calloc(1, sizeof *device);
	pthread_condattr_t attributes;

	if (!device)
		return NULL;
	device->index = index;
	if (host)
		device->host_calls = *host;
	pthread_mutex_init(&device->failure_lock, NULL);
	pthread_mutex_init(&device->lock, NULL);
	pthread_mutex_init(&device->poke.lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&device->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	return device;
}

static int open_context(struct hetckpt_device *device, struct hetckpt_error *error)
{
	const struct cuda_driver *api = device->api;
	uint64_t begin = hetckpt_timeline_now();
	cu_result result;

	/* Refused if the context exists already, whose flags are then somebody else's. */
	api->context_flags(device->ordinal, CU_CONTEXT_MAP_HOST);
	result = api->context_retain(&device->context, device->ordinal);
	if (result)
		device->context = NULL;
	hetckpt_timeline_step(begin, "context opened");
	return cuda_check(device, result, error, "cannot open %.100s", device->facts.name);
}

static int open_parts(struct hetckpt_device *device, uint64_t arena_base, uint64_t arena_bytes,
                      struct hetckpt_error *error)
{
	uint64_t begin = hetckpt_timeline_now();
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	rc = cuda_memory_init(device, arena_base, arena_bytes, error);
	hetckpt_timeline_step(begin, "arena reserved");
	begin = hetckpt_timeline_now();
	if (!rc)
		rc = cuda_poke_init(device, error);
	if (!rc)
		rc = cuda_clock_init(device, error);
	if (!rc)
		rc = cuda_watcher_start(device, error);
	hetckpt_timeline_step(begin, "poke, clock and watcher made");
	cuda_leave(device);
	return rc;
}

static int device_open(unsigned index, uint64_t arena_base, uint64_t arena_bytes,
                       const struct hetckpt_backend_host *host, struct hetckpt_device **out,
                       struct hetckpt_error *error)
{
	struct hetckpt_device *device = device_new(index, host);
	uint32_t pitch = 0;
	int rc;

	if (!device)
		return hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory", index);
	rc = find_device(index, &device->api, &device->ordinal, &device->facts, error);
	if (!rc)
		rc = cuda_check(device, attribute(device->api, device->ordinal, CU_ATTR_MAX_PITCH, &pitch), error,
		                "cannot read the largest pitch");
	device->max_pitch = pitch;
	if (!rc)
		rc = open_context(device, error);
	if (!rc)
		rc = open_parts(device, arena_base, arena_bytes, error);
	if (rc)
		device_close(device);
	else
		*out = device;
	return rc;
}

static int memory_info(struct hetckpt_device *device, uint64_t *free_bytes, uint64_t *total,
                       struct hetckpt_error *error)
{
	size_t available = 0, all = 0;
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	rc = cuda_check(device, device->api->memory_info(&available, &all), error, "cannot ask for free memory");
	*free_bytes = available;
	*total = all;
	cuda_leave(device);
	return rc;
}

static int limit_set(struct hetckpt_device *device, enum hetckpt_limit limit, uint64_t value,
                     struct hetckpt_error *error)
{
	static const struct {
		cu_limit number;
		const char *name;
	} known[HETCKPT_LIMIT_MALLOC_HEAP] = {
		[HETCKPT_LIMIT_STACK] = {CU_LIMIT_STACK, "a thread's stack"},
		[HETCKPT_LIMIT_PRINTF] = {CU_LIMIT_PRINTF, "the buffer of printf"},
	};
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	rc = cuda_check(device, device->api->context_limit(known[limit].number, value), error,
	                "cannot set %s to %llu bytes", known[limit].name, (unsigned long long)value);
	cuda_leave(device);
	return rc;
}

const struct hetckpt_backend hetckpt_backend_cuda = {
	.version = HETCKPT_BACKEND_VERSION,
	.size = sizeof hetckpt_backend_cuda,
	.name = "cuda",
	.flags = HETCKPT_BACKEND_NOTIFIES | HETCKPT_BACKEND_APART | HETCKPT_BACKEND_OVERLAPS,
	.probe = probe,
	.open = device_open,
	.close = device_close,
	.memory_info = memory_info,
	.map = cuda_map,
	.unmap = cuda_unmap,
	.host_register = cuda_host_register,
	.host_unregister = cuda_host_unregister,
	.module_load = cuda_module_load,
	.module_unload = cuda_module_unload,
	.kernel_get = cuda_kernel_get,
	.occupancy = cuda_occupancy,
	.queue_create = cuda_queue_create,
	.queue_destroy = cuda_queue_destroy,
	.copy = cuda_copy,
	.fill = cuda_fill,
	.launch = cuda_launch,
	.queue_wait = cuda_queue_wait,
	.record = cuda_record,
	.marker_query = cuda_marker_query,
	.marker_wait = cuda_marker_wait,
	.marker_release = cuda_marker_release,
	.poke = cuda_poke,
	.limit_set = limit_set,
	.share = cuda_share,
	.peer_open = cuda_peer_open,
	.peer_close = cuda_peer_close,
	.peer_copy = cuda_peer_copy,
};
