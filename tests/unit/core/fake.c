/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "fake.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "machine.h"

#define SLOTS_MAX 64

struct fake_settings fake;
struct fake_counts fake_count;

void fake_reset(void)
{
	memset(&fake, 0, sizeof fake);
	memset(&fake_count, 0, sizeof fake_count);
	fake.resident = 4;
	fake.memory = (uint64_t)1 << 30;
}

struct hetckpt_device {
	struct hetckpt_backend_host host;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t mapped, opened_ns, clock_ns;
	int failed;
	unsigned running;      /* launches */
	unsigned objects;      /* queues, markers, modules: all must be given back */
	unsigned char *granule;/* mapped or not, by number */
	uint64_t base;
};

struct hetckpt_kernel {
	const struct machine_kernel *machine;
	const struct hetckpt_map_kernel *map;
	int variant;
};

struct hetckpt_module {
	struct hetckpt_device *device;
	const struct hetckpt_map *map;
	struct hetckpt_kernel kernel[3 * 16];
};

struct hetckpt_marker {
	struct hetckpt_device *device;
	int refs, done, failed;
	uint64_t when;
};

struct command {
	struct command *next;
	enum { COPY, FILL, LAUNCH, WAIT, RECORD } kind;
	struct hetckpt_copy copy;
	struct hetckpt_fill fill;
	struct machine_launch launch;
	unsigned char *params;
	struct hetckpt_marker *marker;
};

struct hetckpt_queue {
	struct hetckpt_device *device;
	pthread_t thread;
	struct command *first, **last;
	int end, busy;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(int condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "fake back end: %s\n", what);
		abort();
	}
}

/* ---- Running ----------------------------------------------------------- */

struct grid_run {
	const struct machine_launch *launch;
	uint64_t blocks;
	_Atomic uint64_t next;
	uint32_t *order; /* NULL: ascending */
};

static unsigned resident_of(int variant)
{
	if (variant == MACHINE_RUN && fake.run_resident)
		return fake.run_resident;
	if (variant == MACHINE_RESUME && fake.resume_resident)
		return fake.resume_resident;
	return fake.resident;
}

/* Blocks that can have begun and not ended: others may use the places of threads that have ended. */
static unsigned unfinished_of(int variant)
{
	unsigned resident = resident_of(variant);

	return fake.unfinished > resident ? fake.unfinished : resident;
}

/*
 * Launches that park into one table are parts of one launch, and share the device: each block takes
 * the part of it that its variant needs.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct {
		uint64_t frames;
		double taken; /* of 1 */
		unsigned blocks;
	} table[16];
} places = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void place(const struct machine_launch *launch, bool take)
{
	const struct hetckpt_launch *record = (const void *)(launch->params + ((launch->map->param_bytes + 7) & ~7u));
	double part = 1.0 / unfinished_of(launch->variant);
	size_t i, found;

	pthread_mutex_lock(&places.lock);
	do {
		for (i = 0, found = 16; i < 16; i++)
			if (places.table[i].blocks && places.table[i].frames == record->frames)
				found = i;
		for (i = 0; i < 16 && found == 16; i++)
			if (!places.table[i].blocks)
				found = i;
		must(found < 16, "more tables in use than the test expects");
		if (!take || !places.table[found].blocks || places.table[found].taken + part < 1.000001)
			break;
		pthread_cond_wait(&places.changed, &places.lock);
	} while (1);
	if (take && !places.table[found].blocks)
		places.table[found].taken = 0;
	places.table[found].frames = record->frames;
	places.table[found].taken += take ? part : -part;
	places.table[found].blocks += take ? 1 : -1u;
	pthread_cond_broadcast(&places.changed);
	pthread_mutex_unlock(&places.lock);
}

static void *slot_main(void *context)
{
	struct grid_run *run = context;
	bool shares = run->launch->variant != MACHINE_ORIGINAL;
	uint64_t i;

	while ((i = atomic_fetch_add(&run->next, 1)) < run->blocks) {
		if (shares)
			place(run->launch, true);
		machine_block(run->launch, run->order ? run->order[i] : i);
		if (shares)
			place(run->launch, false);
	}
	return NULL;
}

/* A new block begins as soon as there is room, and never more are unfinished than can be. */
static void run_launch(const struct machine_launch *launch)
{
	struct grid_run run = {.launch = launch,
	                       .blocks = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2]};
	unsigned slots = unfinished_of((int)launch->variant);
	pthread_t thread[SLOTS_MAX];

	if (fake.shuffle) {
		unsigned seed = (unsigned)now();

		run.order = malloc(run.blocks * sizeof *run.order);
		for (uint64_t i = 0; i < run.blocks; i++)
			run.order[i] = (uint32_t)i;
		for (uint64_t i = run.blocks; i > 1; i--) {
			uint64_t k = (uint64_t)rand_r(&seed) % i;
			uint32_t t = run.order[i - 1];

			run.order[i - 1] = run.order[k];
			run.order[k] = t;
		}
	}
	if (slots > run.blocks)
		slots = (unsigned)run.blocks;
	for (unsigned i = 1; i < slots; i++)
		must(!pthread_create(&thread[i], NULL, slot_main, &run), "no thread");
	slot_main(&run);
	for (unsigned i = 1; i < slots; i++)
		pthread_join(thread[i], NULL);
	free(run.order);
}

static void run_copy(const struct hetckpt_copy *c)
{
	for (uint64_t z = 0; z < c->depth; z++)
		for (uint64_t y = 0; y < c->height; y++)
			memcpy((void *)(uintptr_t)(c->dst + z * c->dst_slice + y * c->dst_pitch),
			       (void *)(uintptr_t)(c->src + z * c->src_slice + y * c->src_pitch), c->width);
}

static void run_fill(const struct hetckpt_fill *f)
{
	for (uint64_t y = 0; y < f->height; y++)
		for (uint64_t x = 0; x < f->width; x++)
			memcpy((void *)(uintptr_t)(f->dst + y * f->pitch + x * f->element), &f->value, f->element);
}

static void marker_drop(struct hetckpt_marker *marker)
{
	/* With the device's lock held. */
	if (--marker->refs)
		return;
	marker->device->objects--;
	free(marker);
}

static void *queue_main(void *context)
{
	struct hetckpt_queue *queue = context;
	struct hetckpt_device *device = queue->device;

	pthread_mutex_lock(&device->lock);
	for (;;) {
		struct command *c = queue->first;
		int notify = 0;

		if (!c) {
			if (queue->end)
				break;
			pthread_cond_wait(&device->changed, &device->lock);
			continue;
		}
		if (c->kind == WAIT && !c->marker->done) {
			pthread_cond_wait(&device->changed, &device->lock);
			continue;
		}
		queue->first = c->next;
		if (!queue->first)
			queue->last = &queue->first;
		queue->busy = 1;
		if (!device->failed && c->kind < WAIT) {
			device->running += c->kind == LAUNCH;
			if ((unsigned)device->running > atomic_load(&fake_count.together))
				atomic_store(&fake_count.together, (unsigned)device->running);
			pthread_mutex_unlock(&device->lock);
			if (c->kind == COPY)
				run_copy(&c->copy);
			else if (c->kind == FILL)
				run_fill(&c->fill);
			else
				run_launch(&c->launch);
			pthread_mutex_lock(&device->lock);
			device->running -= c->kind == LAUNCH;
			if (c->kind == LAUNCH)
				device->clock_ns += atomic_load(&fake.launch_ns) + fake.block_ns *
					c->launch.grid[0] * c->launch.grid[1] * c->launch.grid[2];
			if (c->kind == LAUNCH && atomic_load(&fake_count.fail_launches) > 0) {
				atomic_fetch_sub(&fake_count.fail_launches, 1);
				device->failed = 1;
			}
		}
		if (c->kind == RECORD) {
			c->marker->done = 1;
			c->marker->failed = device->failed;
			c->marker->when = atomic_load(&fake.launch_ns) ? 1000 + device->clock_ns : now() - device->opened_ns;
			notify = 1;
		}
		if (c->marker)
			marker_drop(c->marker);
		queue->busy = 0;
		pthread_cond_broadcast(&device->changed);
		if (notify) {
			pthread_mutex_unlock(&device->lock);
			device->host.completed(device->host.context);
			pthread_mutex_lock(&device->lock);
		}
		free(c->params);
		free(c);
	}
	pthread_mutex_unlock(&device->lock);
	return NULL;
}

static struct command *enqueue(struct hetckpt_queue *queue, int kind)
{
	struct command *c = calloc(1, sizeof *c);

	c->kind = kind;
	*queue->last = c;
	queue->last = &c->next;
	return c;
}

/* ---- Operations -------------------------------------------------------- */

static int fake_probe(unsigned index, struct hetckpt_device_facts *facts, struct hetckpt_error *error)
{
	if (index > 3)
		return hetckpt_error_set(error, -ENODEV, 0, "there are four fake devices");
	*facts = (struct hetckpt_device_facts){
		.name = "fake device", .total_bytes = fake.memory, .shared_per_block = 49152,
		.shared_per_block_optin = 65536, .sm_count = 2, .max_threads_per_block = 1024,
		.max_grid = {0x7fffffff, 65535, 65535}, .max_block = {1024, 1024, 64}, .major = 9,
	};
	return 0;
}

static int fake_open(unsigned index, uint64_t base, uint64_t bytes, const struct hetckpt_backend_host *host,
                     struct hetckpt_device **out, struct hetckpt_error *error)
{
	struct hetckpt_device *device = calloc(1, sizeof *device);

	(void)index;
	(void)error;
	device->host = *host;
	device->base = base;
	device->granule = calloc(bytes / HETCKPT_GRANULE, 1);
	device->opened_ns = now();
	pthread_mutex_init(&device->lock, NULL);
	pthread_cond_init(&device->changed, NULL);
	*out = device;
	return 0;
}

static void fake_close(struct hetckpt_device *device)
{
	must(!device->objects, "closed with queues, markers or modules left");
	must(!device->mapped, "closed with memory mapped");
	free(device->granule);
	pthread_mutex_destroy(&device->lock);
	pthread_cond_destroy(&device->changed);
	free(device);
}

static int fake_memory_info(struct hetckpt_device *device, uint64_t *free_bytes, uint64_t *total,
                            struct hetckpt_error *error)
{
	(void)error;
	*total = fake.memory;
	*free_bytes = fake.memory - device->mapped;
	return 0;
}

static int fake_map(struct hetckpt_device *device, uint64_t address, uint64_t bytes, struct hetckpt_error *error)
{
	void *at = (void *)(uintptr_t)address;

	must(address % HETCKPT_GRANULE == 0 && bytes % HETCKPT_GRANULE == 0 && bytes, "map of half a granule");
	if (device->mapped + bytes > fake.memory)
		return hetckpt_error_set(error, -ENOMEM, 0, "the fake device is full");
	if (fake.taken >= address && fake.taken < address + bytes)
		return hetckpt_error_set(error, -EADDRINUSE, 0, "the address 0x%llx is taken", (unsigned long long)fake.taken);
	if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
	         -1, 0) != at)
		return hetckpt_error_set(error, -EADDRINUSE, 0, "mmap at %p: %s", at, strerror(errno));
	/* Fresh memory holds anything. */
	for (uint64_t i = 0; i < bytes; i += HETCKPT_GRANULE) {
		memset((char *)at + i, 0xa5, 4096);
		must(!device->granule[(address + i - device->base) / HETCKPT_GRANULE]++, "mapped twice");
	}
	device->mapped += bytes;
	return 0;
}

static int fake_unmap(struct hetckpt_device *device, uint64_t address, uint64_t bytes, struct hetckpt_error *error)
{
	(void)error;
	for (uint64_t i = 0; i < bytes; i += HETCKPT_GRANULE)
		must(device->granule[(address + i - device->base) / HETCKPT_GRANULE]-- == 1, "unmapped what is not mapped");
	must(!munmap((void *)(uintptr_t)address, bytes), "munmap failed");
	device->mapped -= bytes;
	return 0;
}

static int fake_module_load(struct hetckpt_device *device, const struct hetckpt_module_source *source,
                            struct hetckpt_module **out, struct hetckpt_error *error)
{
	struct hetckpt_module *module = calloc(1, sizeof *module);

	(void)error;
	must(source->map->kernels <= 16, "too many kernels");
	module->device = device;
	module->map = source->map;
	for (uint32_t i = 0; i < source->map->kernels; i++)
		for (int v = 0; v < 3; v++)
			module->kernel[3 * i + (uint32_t)v] = (struct hetckpt_kernel){
				machine_find(source->map->kernel[i].name), &source->map->kernel[i], v};
	device->objects++;
	*out = module;
	return 0;
}

static void fake_module_unload(struct hetckpt_device *device, struct hetckpt_module *module)
{
	device->objects--;
	free(module);
}

static int fake_kernel_get(struct hetckpt_module *module, const char *name, enum hetckpt_variant variant,
                           struct hetckpt_kernel **kernel, struct hetckpt_kernel_facts *facts,
                           struct hetckpt_error *error)
{
	for (uint32_t i = 0; i < module->map->kernels; i++)
		if (!strcmp(module->map->kernel[i].name, name)) {
			if (variant != HETCKPT_VARIANT_ORIGINAL && !module->map->kernel[i].pausable)
				break;
			/* Kernels without polls have none: nothing of them is ever parked. */
			if (variant == HETCKPT_VARIANT_RESUME && !module->map->kernel[i].polls)
				break;
			*kernel = &module->kernel[3 * i + variant];
			*facts = (struct hetckpt_kernel_facts){
				.registers = 16, .static_shared = module->map->kernel[i].static_shared,
				.max_threads = 1024, .max_dynamic_shared = 65536,
			};
			return 0;
		}
	return hetckpt_error_set(error, -ENOENT, 0, "no kernel %s in variant %d", name, (int)variant);
}

static int fake_occupancy(struct hetckpt_kernel *kernel, uint32_t threads, uint32_t dynamic_shared,
                          struct hetckpt_occupancy *occupancy, struct hetckpt_error *error)
{
	unsigned resident = resident_of(kernel->variant);

	(void)threads;
	(void)dynamic_shared;
	(void)error;
	*occupancy = (struct hetckpt_occupancy){
		.per_sm = (resident + 1) / 2, .resident = resident, .unfinished = unfinished_of(kernel->variant)};
	return 0;
}

static int fake_host_register(struct hetckpt_device *device, void *address, uint64_t bytes, struct hetckpt_error *error)
{
	(void)device;
	(void)error;
	must(address && bytes, "no memory to lock");
	atomic_fetch_add(&fake_count.locks, 1);
	return 0;
}

static void fake_host_unregister(struct hetckpt_device *device, void *address)
{
	(void)device;
	if (address)
		atomic_fetch_add(&fake_count.unlocks, 1);
}

static int fake_queue_create(struct hetckpt_device *device, int priority, struct hetckpt_queue **out,
                             struct hetckpt_error *error)
{
	struct hetckpt_queue *queue = calloc(1, sizeof *queue);

	(void)priority;
	(void)error;
	queue->device = device;
	queue->last = &queue->first;
	device->objects++;
	must(!pthread_create(&queue->thread, NULL, queue_main, queue), "no thread");
	*out = queue;
	return 0;
}

/* A wait for what is over does nothing any more, whether the queue's thread has come to it or not. */
static int has_work(const struct hetckpt_queue *queue)
{
	for (const struct command *c = queue->first; c; c = c->next)
		if (c->kind != WAIT || !c->marker->done)
			return 1;
	return queue->busy;
}

static void fake_queue_destroy(struct hetckpt_queue *queue)
{
	struct hetckpt_device *device = queue->device;

	pthread_mutex_lock(&device->lock);
	must(!has_work(queue) || device->failed, "a queue was destroyed with work in it");
	queue->end = 1;
	pthread_cond_broadcast(&device->changed);
	pthread_mutex_unlock(&device->lock);
	pthread_join(queue->thread, NULL);
	device->objects--;
	free(queue);
}

static int fake_copy(struct hetckpt_queue *queue, const struct hetckpt_copy *copy, struct hetckpt_error *error)
{
	(void)error;
	must(copy->width && copy->height && copy->depth, "an empty copy");
	pthread_mutex_lock(&queue->device->lock);
	enqueue(queue, COPY)->copy = *copy;
	pthread_cond_broadcast(&queue->device->changed);
	pthread_mutex_unlock(&queue->device->lock);
	return 0;
}

static int fake_fill(struct hetckpt_queue *queue, const struct hetckpt_fill *fill, struct hetckpt_error *error)
{
	(void)error;
	pthread_mutex_lock(&queue->device->lock);
	enqueue(queue, FILL)->fill = *fill;
	pthread_cond_broadcast(&queue->device->changed);
	pthread_mutex_unlock(&queue->device->lock);
	return 0;
}

static int fake_launch(struct hetckpt_queue *queue, const struct hetckpt_launch_command *launch,
                       struct hetckpt_error *error)
{
	struct hetckpt_kernel *kernel = launch->kernel;
	unsigned blocks = launch->grid[0] * launch->grid[1] * launch->grid[2];
	struct command *c;

	(void)error;
	atomic_fetch_add(kernel->variant == MACHINE_ORIGINAL ? &fake_count.originals
	                 : kernel->variant == MACHINE_RUN ? &fake_count.runs : &fake_count.resumes, 1);
	if (kernel->variant != MACHINE_ORIGINAL && blocks > atomic_load(&fake_count.largest))
		atomic_store(&fake_count.largest, blocks);
	pthread_mutex_lock(&queue->device->lock);
	c = enqueue(queue, LAUNCH);
	c->params = malloc(launch->param_bytes);
	memcpy(c->params, launch->params, launch->param_bytes);
	c->launch = (struct machine_launch){
		.kernel = kernel->machine, .map = kernel->map, .variant = kernel->variant,
		.grid = {launch->grid[0], launch->grid[1], launch->grid[2]},
		.block = {launch->block[0], launch->block[1], launch->block[2]},
		.dynamic_shared = launch->dynamic_shared, .params = c->params,
	};
	pthread_cond_broadcast(&queue->device->changed);
	pthread_mutex_unlock(&queue->device->lock);
	return 0;
}

static int fake_queue_wait(struct hetckpt_queue *queue, struct hetckpt_marker *marker, struct hetckpt_error *error)
{
	(void)error;
	pthread_mutex_lock(&queue->device->lock);
	enqueue(queue, WAIT)->marker = marker;
	marker->refs++;
	pthread_cond_broadcast(&queue->device->changed);
	pthread_mutex_unlock(&queue->device->lock);
	return 0;
}

static int fake_record(struct hetckpt_queue *queue, struct hetckpt_marker **out, struct hetckpt_error *error)
{
	struct hetckpt_marker *marker = calloc(1, sizeof *marker);

	(void)error;
	marker->device = queue->device;
	marker->refs = 2;
	pthread_mutex_lock(&queue->device->lock);
	queue->device->objects++;
	enqueue(queue, RECORD)->marker = marker;
	pthread_cond_broadcast(&queue->device->changed);
	pthread_mutex_unlock(&queue->device->lock);
	*out = marker;
	return 0;
}

static int fake_marker_query(struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error)
{
	int rc = 0;

	pthread_mutex_lock(&marker->device->lock);
	*when = marker->when;
	if (!marker->done)
		rc = -EBUSY;
	else if (marker->failed)
		rc = hetckpt_error_set(error, -EIO, 719, "a fake kernel failed");
	pthread_mutex_unlock(&marker->device->lock);
	return rc;
}

static int fake_marker_wait(struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error)
{
	pthread_mutex_lock(&marker->device->lock);
	while (!marker->done)
		pthread_cond_wait(&marker->device->changed, &marker->device->lock);
	pthread_mutex_unlock(&marker->device->lock);
	return fake_marker_query(marker, when, error);
}

static void fake_marker_release(struct hetckpt_marker *marker)
{
	struct hetckpt_device *device = marker->device;

	pthread_mutex_lock(&device->lock);
	marker_drop(marker);
	pthread_mutex_unlock(&device->lock);
}

static int fake_poke(struct hetckpt_device *device, uint64_t address, const void *source, size_t bytes,
                     unsigned images, struct hetckpt_error *error)
{
	const uint32_t *words = source;

	(void)device;
	(void)error;
	must(bytes % 4 == 0 && bytes <= 32768, "a poke too large");
	atomic_fetch_add(&fake_count.pokes, 1);
	for (size_t i = 0; i < images * (bytes / 4); i++)
		__atomic_store_n((uint32_t *)(uintptr_t)address + i % (bytes / 4), words[i], __ATOMIC_SEQ_CST);
	return 0;
}

static int fake_limit_set(struct hetckpt_device *device, enum hetckpt_limit limit, uint64_t value,
                          struct hetckpt_error *error)
{
	pthread_mutex_lock(&device->lock);
	must(!device->running, "a limit was set while a kernel ran");
	pthread_mutex_unlock(&device->lock);
	atomic_fetch_add(&fake_count.limits, 1);
	if (value >= (uint64_t)1 << 40)
		return hetckpt_error_set(error, -ENOMEM, 2, "the fake device is full");
	atomic_store(&fake_count.limit[limit], value);
	return 0;
}

#define FAKE_TABLE(NAME, FLAGS) { \
	.version = HETCKPT_BACKEND_VERSION, .size = sizeof(struct hetckpt_backend), .name = NAME, .flags = FLAGS, \
	.probe = fake_probe, .open = fake_open, .close = fake_close, .memory_info = fake_memory_info, \
	.map = fake_map, .unmap = fake_unmap, .host_register = fake_host_register, \
	.host_unregister = fake_host_unregister, .module_load = fake_module_load, \
	.module_unload = fake_module_unload, .kernel_get = fake_kernel_get, .occupancy = fake_occupancy, \
	.queue_create = fake_queue_create, .queue_destroy = fake_queue_destroy, .copy = fake_copy, \
	.fill = fake_fill, .launch = fake_launch, .queue_wait = fake_queue_wait, .record = fake_record, \
	.marker_query = fake_marker_query, .marker_wait = fake_marker_wait, \
	.marker_release = fake_marker_release, .poke = fake_poke, .limit_set = fake_limit_set}

const struct hetckpt_backend fake_backend = FAKE_TABLE("fake", HETCKPT_BACKEND_NOTIFIES | HETCKPT_BACKEND_OVERLAPS);
const struct hetckpt_backend fake_polled_backend = FAKE_TABLE("polled", 0);
const struct hetckpt_backend fake_looking_backend = FAKE_TABLE("looking", HETCKPT_BACKEND_NOTIFIES | HETCKPT_BACKEND_LOOKS);
