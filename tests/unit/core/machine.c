/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#define WORDS 8 /* of shared memory */

_Atomic int machine_hold;
_Atomic int machine_inside;
_Atomic int machine_looked;

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ (x >> 27);
}

/* ---- Kernels ----------------------------------------------------------- */

static uint64_t *out_of(const struct machine_lane *lane)
{
	return (uint64_t *)(uintptr_t)lane->params->out + (uint64_t)lane->block * lane->threads + lane->thread;
}

/* Block scope: threads pass values through shared memory. All do the same number of steps. */
static int step_mix(struct machine_lane *lane, int first)
{
	if (first)
		lane->a = mix(lane->block * 65537u + lane->thread + lane->params->seed);
	lane->a = mix(lane->a + lane->n);
	lane->shared[lane->thread % WORDS] += lane->a >> 7;
	if (++lane->n < lane->params->steps)
		return 0;
	*out_of(lane) = lane->a;
	return 1;
}

uint64_t machine_expect_mix(uint32_t block, uint32_t thread, uint32_t threads, uint32_t steps, uint32_t seed)
{
	uint64_t a = mix(block * 65537u + thread + seed);

	(void)threads;
	for (uint32_t n = 0; n < (steps ? steps : 1); n++)
		a = mix(a + n);
	return a;
}

/* Thread scope: each thread has its own number of steps, so some are done when others park. */
static int step_uneven(struct machine_lane *lane, int first)
{
	uint32_t mine = lane->params->steps / (1 + (lane->block * 7 + lane->thread) % 5);

	if (first)
		lane->a = mix(lane->block * 131071u + lane->thread * 3u + lane->params->seed);
	lane->a = mix(lane->a ^ lane->n);
	if (++lane->n < mine)
		return 0;
	*out_of(lane) = lane->a;
	return 1;
}

uint64_t machine_expect_uneven(uint32_t block, uint32_t thread, uint32_t threads, uint32_t steps, uint32_t seed)
{
	uint32_t mine = steps / (1 + (block * 7 + thread) % 5);
	uint64_t a = mix(block * 131071u + thread * 3u + seed);

	(void)threads;
	for (uint32_t n = 0; n < (mine ? mine : 1); n++)
		a = mix(a ^ n);
	return a;
}

/* Grid barrier, steps times: a block goes on once all have arrived. One thread a block. */
static int step_barrier(struct machine_lane *lane, int first)
{
	_Atomic uint64_t *arrived = (_Atomic uint64_t *)(uintptr_t)lane->params->shared;

	if (first)
		lane->a = 0; /* 1: has arrived in round n */
	if (!lane->a) {
		atomic_fetch_add(arrived, 1);
		lane->a = 1;
	}
	if (atomic_load(arrived) < (uint64_t)lane->blocks * (lane->n + 1)) {
		sched_yield();
		return 0;
	}
	lane->a = 0;
	if (++lane->n < lane->params->steps)
		return 0;
	*out_of(lane) = atomic_load(arrived) >= (uint64_t)lane->blocks * lane->params->steps;
	return 1;
}

/* Ends when the test lets it. */
static int step_held(struct machine_lane *lane, int first)
{
	(void)first;
	if (atomic_load(&machine_hold)) {
		usleep(100);
		return 0;
	}
	*out_of(lane) = 1;
	return 1;
}

/* Blocks of the third quarter end when the test lets them. */
static int step_third_held(struct machine_lane *lane, int first)
{
	return lane->block * 4 / lane->blocks == 2 ? step_held(lane, first) : (*out_of(lane) = 1, 1);
}

/* Writes the order in which launches ran: shared is a counter followed by slots. */
static int step_log(struct machine_lane *lane, int first)
{
	_Atomic uint64_t *log = (_Atomic uint64_t *)(uintptr_t)lane->params->shared;

	if (first)
		lane->a = 0;
	if (++lane->n < lane->params->steps)
		return 0;
	if (!lane->block && !lane->thread)
		atomic_store(&log[1 + atomic_fetch_add(&log[0], 1)], lane->params->seed);
	return 1;
}

/* Adds one to its word: wrong at once if it runs twice, or before what it depends on. */
static int step_add(struct machine_lane *lane, int first)
{
	if (first)
		lane->a = *out_of(lane);
	if (++lane->n < lane->params->steps)
		return 0;
	*out_of(lane) = lane->a * 3 + lane->params->seed;
	return 1;
}

const struct machine_kernel machine_kernels[] = {
	{"mix", HETCKPT_SCOPE_BLOCK, 1, 0, step_mix},
	{"uneven", HETCKPT_SCOPE_THREAD, 1, 0, step_uneven},
	{"short_mix", HETCKPT_SCOPE_BLOCK, 0, 0, step_mix},
	{"barrier", HETCKPT_SCOPE_BLOCK, 1, 1, step_barrier},
	{"held", HETCKPT_SCOPE_NONE, 0, 0, step_held},
	{"parked", HETCKPT_SCOPE_THREAD, 1, 0, step_held},
	{"short_third", HETCKPT_SCOPE_THREAD, 0, 0, step_third_held},
	{"log", HETCKPT_SCOPE_BLOCK, 1, 0, step_log},
	{"add", HETCKPT_SCOPE_THREAD, 1, 0, step_add},
	{0},
};

const struct machine_kernel *machine_find(const char *name)
{
	for (const struct machine_kernel *k = machine_kernels; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

/* ---- The machine ------------------------------------------------------- */

static void broken(const char *what)
{
	fprintf(stderr, "test machine: %s\n", what);
	abort();
}

/* Time passes unevenly between polls. */
static void jitter(void)
{
	static _Thread_local uint64_t state;

	if (!state)
		state = (uint64_t)(uintptr_t)&state ^ (uint64_t)clock();
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	if (state >> 60 == 0)
		sched_yield();
	else if (state >> 54 == 65)
		usleep(20);
}

static uint32_t flag(const struct hetckpt_launch *record, uint32_t block, uint32_t word)
{
	return __atomic_load_n((uint32_t *)(uintptr_t)(record->flags +
		(uint64_t)(block % HETCKPT_FLAG_LINES) * HETCKPT_FLAG_STRIDE + word), __ATOMIC_RELAXED);
}

/* Finds or claims the block's group in the park table. */
static char *claim_group(const struct hetckpt_launch *record, uint32_t block, uint32_t threads,
                         uint64_t group_bytes)
{
	const struct hetckpt_frame_table *table = (const void *)(uintptr_t)record->frames;
	_Atomic uint32_t *keys = (_Atomic uint32_t *)(uintptr_t)table->keys;
	uint32_t slot = block % table->capacity, steps = table->capacity > 1 ? table->capacity - 1 : 1;
	uint32_t step = 1 + ((block * 0x9e3779b1u) >> 16) % steps;

	if (table->threads != threads || table->group_bytes != group_bytes)
		broken("a frame table of another shape");
	for (uint32_t probes = 0; probes < table->capacity; probes++) {
		uint32_t seen = 0;

		if (atomic_compare_exchange_strong(&keys[slot], &seen, block + 1) || seen == block + 1)
			return (char *)(uintptr_t)(table->groups + slot * table->group_bytes);
		slot = (slot + step) % table->capacity;
	}
	broken("a frame table is full");
	return NULL;
}

static void park_lane(const struct hetckpt_frame_layout *layout, char *group, const struct machine_lane *lane,
                      int begun)
{
	uint32_t *safepoint = (uint32_t *)group + lane->thread;

	if (*safepoint != HETCKPT_SP_DONE)
		broken("a thread's safepoint id was not initialised");
	memcpy(group + hetckpt_frame_slot_offset(layout, HETCKPT_CLASS_8, 0, lane->thread), &lane->a, 8);
	memcpy(group + hetckpt_frame_slot_offset(layout, HETCKPT_CLASS_4, 0, lane->thread), &lane->n, 4);
	*safepoint = begun ? 1 : HETCKPT_SP_START;
}

static void load_lane(const struct hetckpt_frame_layout *layout, const char *group, struct machine_lane *lane,
                      int *begun, int *done)
{
	uint32_t id = hetckpt_frame_safepoint(layout, group, lane->thread);

	*done = id == HETCKPT_SP_DONE;
	*begun = id == 1;
	if (id == 1) {
		memcpy(&lane->a, group + hetckpt_frame_slot_offset(layout, HETCKPT_CLASS_8, 0, lane->thread), 8);
		memcpy(&lane->n, group + hetckpt_frame_slot_offset(layout, HETCKPT_CLASS_4, 0, lane->thread), 4);
	} else if (id != HETCKPT_SP_DONE && id != HETCKPT_SP_START) {
		broken("a frame with an unknown safepoint");
	}
}

static void bump(uint64_t array, uint32_t block)
{
	if (array)
		atomic_fetch_add((_Atomic uint32_t *)(uintptr_t)array + block, 1);
}

/* One logical block. record NULL: the original. group: frames to go on from, or NULL. */
static void run_block(const struct machine_launch *launch, const struct hetckpt_launch *record,
                      uint32_t block, uint32_t blocks, const char *group)
{
	const struct machine_kernel *kernel = launch->kernel;
	uint32_t threads = launch->block[0] * launch->block[1] * launch->block[2];
	struct machine_lane *lanes = calloc(threads, sizeof *lanes);
	int *done = calloc(threads, sizeof *done), *begun = calloc(threads, sizeof *begun);
	uint64_t shared[WORDS] = {0};
	struct hetckpt_frame_layout layout = {0};
	struct machine_params params;
	uint32_t left = threads;
	char *parked = NULL;

	memcpy(&params, launch->params, sizeof params);
	if (kernel->scope != HETCKPT_SCOPE_NONE &&
	    hetckpt_frame_layout_compute(launch->map, threads, launch->dynamic_shared, &layout))
		broken("no frame layout");
	if (group && layout.shared_bytes)
		memcpy(shared, group + layout.shared, sizeof shared);
	if (!group)
		bump(params.started, block);
	for (uint32_t t = 0; t < threads; t++) {
		lanes[t] = (struct machine_lane){.block = block, .thread = t, .blocks = blocks,
			.threads = threads, .shared = shared, .params = &params};
		if (group)
			load_lane(&layout, group, &lanes[t], &begun[t], &done[t]);
		left -= (uint32_t)done[t];
	}
	if (kernel->scope == HETCKPT_SCOPE_BLOCK) {
		/* All threads to their next poll, then all park or none. */
		while (left) {
			for (uint32_t t = 0; t < threads; t++)
				if (!done[t]) {
					done[t] = kernel->step(&lanes[t], !begun[t]);
					begun[t] = 1;
					left -= (uint32_t)done[t];
				}
			jitter();
			if (!left || !record || !kernel->polls || !flag(record, block, HETCKPT_FLAG_POLL))
				continue;
			parked = claim_group(record, block, threads, layout.group_bytes);
			for (uint32_t t = 0; t < threads; t++)
				if (!done[t])
					park_lane(&layout, parked, &lanes[t], 1);
			memcpy(parked + layout.shared, shared, sizeof shared);
			break;
		}
	} else {
		for (uint32_t t = 0; t < threads; t++) {
			while (!done[t]) {
				done[t] = kernel->step(&lanes[t], !begun[t]);
				begun[t] = 1;
				if (t % 4 == 0)
					jitter();
				if (done[t] || !record || !kernel->polls || !flag(record, block, HETCKPT_FLAG_POLL))
					continue;
				if (!parked)
					parked = claim_group(record, block, threads, layout.group_bytes);
				park_lane(&layout, parked, &lanes[t], 1);
				break;
			}
		}
	}
	if (!parked)
		bump(params.ended, block);
	free(lanes);
	free(done);
	free(begun);
}

void machine_block(const struct machine_launch *launch, uint64_t h)
{
	uint64_t blocks = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2];
	const struct hetckpt_launch *record;
	const char *group = NULL;
	uint32_t block;

	atomic_fetch_add(&machine_inside, 1);
	if (launch->variant == MACHINE_ORIGINAL) {
		run_block(launch, NULL, (uint32_t)h, (uint32_t)blocks, NULL);
		atomic_fetch_sub(&machine_inside, 1);
		return;
	}
	record = (const void *)(launch->params + ((launch->map->param_bytes + 7) & ~7u));
	if (launch->variant == MACHINE_RESUME) {
		struct hetckpt_block_ref ref = ((const struct hetckpt_block_ref *)(uintptr_t)record->list)[h];
		const struct hetckpt_frame_table *table = (const void *)(uintptr_t)record->resume;

		if (h >= record->count)
			broken("a resume launch with more blocks than its list");
		block = ref.block;
		if (ref.group != HETCKPT_NO_GROUP) {
			if (ref.group >= table->capacity)
				broken("a group outside its table");
			group = (const char *)(uintptr_t)(table->groups + ref.group * table->group_bytes);
		}
	} else {
		uint32_t x = (uint32_t)(h % launch->grid[0]) + record->base[0];
		uint32_t y = (uint32_t)(h / launch->grid[0] % launch->grid[1]) + record->base[1];
		uint32_t z = (uint32_t)(h / ((uint64_t)launch->grid[0] * launch->grid[1])) + record->base[2];

		if (x >= record->grid[0] || y >= record->grid[1] || z >= record->grid[2])
			broken("a slice outside the grid");
		block = x + record->grid[0] * (y + record->grid[1] * z);
	}
	if (launch->map->polls && !record->flags)
		broken("a kernel that polls was not told where");
	if (!launch->map->polls && record->flags)
		atomic_fetch_add(&machine_looked, 1);
	if (record->flags && flag(record, block, HETCKPT_FLAG_ENTRY) == HETCKPT_FLAG_PAUSE) {
		/* Turning a block away takes time too: others see the flag fall meanwhile. */
		((uint8_t *)(uintptr_t)record->unstarted)[block] = 1;
		usleep(20);
	} else {
		run_block(launch, record, block, record->grid[0] * record->grid[1] * record->grid[2], group);
	}
	atomic_fetch_sub(&machine_inside, 1);
}

/* ---- Image ------------------------------------------------------------- */

static void add_kernel(FILE *f, const struct machine_kernel *k, const char *salt, int first)
{
	static const char *const scope[] = {"none", "thread", "warp", "block"};
	uint32_t bytes = sizeof(struct machine_params);
	char hash[33];
	XXH128_hash_t h;
	char text[64];

	snprintf(text, sizeof text, "%s%s", k->name, salt);
	h = XXH3_128bits(text, strlen(text));
	snprintf(hash, sizeof hash, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
	fprintf(f, "%s{\"name\": \"%s\", \"signature\": \"%s(machine_params)\",", first ? "" : ",", k->name, k->name);
	fprintf(f, "\"params\": [{\"offset\": 0, \"bytes\": %u, \"align\": 8}], \"param_bytes\": %u,", bytes, bytes);
	fprintf(f, "\"static_shared\": %u, \"shared_align\": 16, \"dynamic_shared\": false, \"max_threads\": 0,",
	        k->scope == HETCKPT_SCOPE_BLOCK ? WORDS * 8 : 0);
	fprintf(f, "\"shared_variables\": [],\"waits\": %s,", k->waits ? "true" : "false");
	if (k->scope == HETCKPT_SCOPE_NONE) {
		fprintf(f, "\"pausable\": false, \"reason\": \"the test says so\"}");
		return;
	}
	fprintf(f, "\"pausable\": true, \"reason\": null, \"scope\": \"%s\", \"polls\": %s,", scope[k->scope],
	        k->polls ? "true" : "false");
	fprintf(f, "\"slots\": {\"8\": 1, \"4\": 1, \"2\": 0, \"1\": 0}, \"frame_bytes\": 12,"
	        "\"safepoints\": [{\"id\": 1, \"kind\": \"loop\", \"file\": \"machine.cu\", \"line\": 7, \"column\": 1,"
	        "\"function\": \"%s\", \"slots\": ["
	        "{\"class\": 8, \"index\": 0, \"type\": \"i64\", \"kind\": \"value\", \"name\": \"a\"},"
	        "{\"class\": 4, \"index\": 0, \"type\": \"i32\", \"kind\": \"value\", \"name\": \"n\"}],"
	        "\"private\": []}], \"hash\": \"%s\"}", k->name, hash);
}

static void add_part(unsigned char **bytes, size_t *size, struct hetckpt_image_part *part, const void *data, size_t raw)
{
	size_t bound = ZSTD_compressBound(raw);

	*bytes = realloc(*bytes, *size + bound);
	part->offset = *size;
	part->raw = raw;
	part->bytes = ZSTD_compress(*bytes + *size, bound, data, raw, 1);
	*size += part->bytes;
}

static void *image(size_t *bytes, const char *salt)
{
	struct hetckpt_image_header header = {.abi = HETCKPT_ABI_VERSION, .header_bytes = sizeof header};
	unsigned char *data = calloc(1, sizeof header);
	const uint64_t variables[3] = {11, 0, 33};
	size_t size = sizeof header, length;
	XXH128_canonical_t canonical;
	char *text;
	FILE *f = open_memstream(&text, &length);

	fprintf(f, "{\"abi\": 4, \"module\": \"machine.cu\", \"variables\": ["
	        "{\"name\": \"first\", \"offset\": 0, \"bytes\": 8, \"align\": 8, \"constant\": false},"
	        "{\"name\": \"pointer\", \"offset\": 8, \"bytes\": 8, \"align\": 8, \"constant\": false},"
	        "{\"name\": \"third\", \"offset\": 16, \"bytes\": 8, \"align\": 8, \"constant\": true}],"
	        "\"variable_bytes\": 24, \"relocations\": [{\"offset\": 8, \"target\": \"third\", \"addend\": 4}],"
	        "\"kernels\": [");
	for (const struct machine_kernel *k = machine_kernels; k->name; k++)
		add_kernel(f, k, salt, k == machine_kernels);
	fprintf(f, "]}");
	fclose(f);
	memcpy(header.magic, HETCKPT_IMAGE_MAGIC, 8);
	add_part(&data, &size, &header.map, text, length);
	add_part(&data, &size, &header.ir, "none", 4);
	add_part(&data, &size, &header.data, variables, sizeof variables);
	header.total_bytes = size;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits(data + sizeof header, size - sizeof header));
	memcpy(header.hash, canonical.digest, 16);
	memcpy(data, &header, sizeof header);
	free(text);
	*bytes = size;
	return data;
}

void *machine_image(size_t *bytes)
{
	return image(bytes, "");
}

void *machine_image_other(size_t *bytes)
{
	return image(bytes, " changed");
}
