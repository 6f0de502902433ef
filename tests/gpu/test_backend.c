/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The CUDA back end on a real GPU, through its table: memory, copies, fills, modules,
 * variables, launches. What concerns order and time is in test_order.c.
 */
#include "gpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GRANULE HETCKPT_GRANULE

/* ---- Memory --------------------------------------------------------------------- */

static int map(struct gpu *g, uint64_t at, uint64_t bytes)
{
	return g->ops->map(g->device, g->base + at, bytes, &g->error);
}

static int unmap(struct gpu *g, uint64_t at, uint64_t bytes)
{
	return g->ops->unmap(g->device, g->base + at, bytes, &g->error);
}

static uint64_t free_bytes(struct gpu *g)
{
	uint64_t available = 0, total = 0;

	must(g, g->ops->memory_info(g->device, &available, &total, &g->error), "memory_info");
	check(available && available <= total, "memory_info: %llu of %llu MiB free", (unsigned long long)(available / MIB),
	      (unsigned long long)(total / MIB));
	return available;
}

/* Writes a pattern that depends on the address, and reads it back. */
static bool usable(struct gpu *g, uint64_t at, uint64_t bytes)
{
	uint64_t granules = bytes / GRANULE;

	for (uint64_t i = 0; i < granules; i++)
		set_word(g, g->base + at + i * GRANULE + 4 * (i % 1000), (uint32_t)(at / GRANULE + i) * 2654435761u);
	for (uint64_t i = 0; i < granules; i++)
		if (word_at(g, g->base + at + i * GRANULE + 4 * (i % 1000)) != (uint32_t)(at / GRANULE + i) * 2654435761u)
			return false;
	return true;
}

static void test_memory(struct gpu *g)
{
	uint64_t before = free_bytes(g), large = g->simulated ? 600 * MIB : 4096 * MIB, begin;
	uint64_t all = g->facts.total_bytes / GRANULE * GRANULE + 64 * GRANULE;

	check_rc(g, map(g, 0, 40 * GRANULE), 0, "map 80 MiB");
	check(usable(g, 0, 40 * GRANULE), "80 MiB hold what is written");
	check_rc(g, map(g, 39 * GRANULE, 2 * GRANULE), -EEXIST, "mapping what is mapped is refused");
	check_rc(g, map(g, 40 * GRANULE, GRANULE), 0, "map what follows");
	check_rc(g, unmap(g, 10 * GRANULE, 5 * GRANULE), 0, "unmap the middle");
	check_rc(g, unmap(g, 10 * GRANULE, GRANULE), -EINVAL, "unmapping what is not mapped is refused");
	check_rc(g, map(g, 9 * GRANULE, GRANULE), -EEXIST, "what lies before stays mapped");
	check(usable(g, 0, 10 * GRANULE) && usable(g, 15 * GRANULE, 26 * GRANULE), "and usable, and what follows");
	check_rc(g, map(g, 10 * GRANULE, 5 * GRANULE), 0, "map the middle again");
	check_rc(g, unmap(g, 0, 41 * GRANULE), 0, "unmap both and the middle");
	check_rc(g, unmap(g, 0, GRANULE), -EINVAL, "nothing is left");
	check_rc(g, map(g, 4096, GRANULE), -EINVAL, "an address inside a granule is refused");
	check_rc(g, map(g, ARENA_BYTES, GRANULE), -EINVAL, "an address outside the arena is refused");
	check_rc(g, map(g, ARENA_BYTES - GRANULE, GRANULE), 0, "the arena's last granule");
	check(usable(g, ARENA_BYTES - GRANULE, GRANULE), "is usable");
	check_rc(g, unmap(g, ARENA_BYTES - GRANULE, GRANULE), 0, "and can be given back");
	begin = now_ns();
	check_rc(g, map(g, 0, large), 0, "map %llu MiB", (unsigned long long)(large / MIB));
	note("in %.2f ms", (double)(now_ns() - begin) / 1e6);
	check(usable(g, large - 4 * GRANULE, 4 * GRANULE), "its end is usable");
	begin = now_ns();
	check_rc(g, unmap(g, 0, large), 0, "unmap it");
	note("in %.2f ms", (double)(now_ns() - begin) / 1e6);
	begin = now_ns();
	check_rc(g, map(g, 0, all), -ENOMEM, "more than the device has is refused");
	note("in %.2f ms: %s", (double)(now_ns() - begin) / 1e6, g->error.text);
	check(g->error.cuda == 2, "as cudaErrorMemoryAllocation");
	check_rc(g, map(g, 0, 3 * GRANULE), 0, "and leaves nothing behind");
	check_rc(g, unmap(g, 0, 3 * GRANULE), 0, "unmap");
	check(before - free_bytes(g) <= 64 * MIB, "all memory came back");
}

static void test_sharing(struct gpu *g)
{
	struct hetckpt_share share[8], again[8];
	struct hetckpt_peer *peer;
	uint64_t at = 512 * GRANULE, to = 600 * GRANULE;
	size_t count = 0;
	int rc;

	must(g, map(g, at, 3 * GRANULE), "map");
	must(g, map(g, to, GRANULE), "map");
	set_word(g, g->base + at + GRANULE + 8, 0x5eed);
	rc = g->ops->share(g->device, g->base + at + GRANULE, GRANULE, true, share, 8, &count, &g->error);
	if (rc == -ENOTSUP) {
		note("sharing is not tried: %s", g->error.text);
		unmap(g, at, 3 * GRANULE);
		unmap(g, to, GRANULE);
		return;
	}
	if (check_rc(g, rc, 0, "share a piece")) {
		check(count == 1 && share[0].address == g->base + at + GRANULE && share[0].bytes == GRANULE,
		      "the piece is the one");
		check_rc(g, g->ops->share(g->device, g->base + at + GRANULE, GRANULE, false, again, 8, &count, &g->error), 0,
		         "name it again");
		check(count == 1 && again[0].serial == share[0].serial && again[0].fd < 0, "it is the same");
		rc = g->ops->peer_open(g->device, &share[0], &peer, &g->error);
		close(share[0].fd);
		if (check_rc(g, rc, 0, "reach it")) {
			check_rc(g, unmap(g, at, 3 * GRANULE), 0, "unmap it");
			check_rc(g, g->ops->peer_copy(g->queue, peer, 8, g->base + to, 4, &g->error), 0, "copy from it");
			finish(g, g->queue);
			check(word_at(g, g->base + to) == 0x5eed, "the memory was kept");
			check_rc(g, g->ops->peer_copy(g->queue, peer, GRANULE - 2, g->base + to, 4, &g->error), -ERANGE,
			         "a copy from beyond it is refused");
			g->ops->peer_close(g->device, peer);
		}
	}
	check_rc(g, g->ops->share(g->device, g->base + at, GRANULE, true, share, 8, &count, &g->error), 0,
	         "share where nothing is");
	check(!count, "gives nothing");
	must(g, map(g, at, 3 * GRANULE), "map");
	check_rc(g, g->ops->share(g->device, g->base + at + GRANULE, GRANULE, false, share, 8, &count, &g->error), 0,
	         "name what came after");
	check(count == 1 && share[0].serial != again[0].serial, "it is another piece");
	check_rc(g, unmap(g, at, 3 * GRANULE), 0, "unmap it");
	check_rc(g, unmap(g, to, GRANULE), 0, "and the other");
}

/* ---- Copies ------------------------------------------------------------------------ */

#define AREA (24 * MIB)

struct box {
	uint64_t width, height, depth, dst_pitch, dst_slice, src_pitch, src_slice;
};

static const struct box boxes[] = {
	{1, 1, 1, 1, 1, 1, 1},
	{65537, 1, 1, 65537, 65537, 65537, 65537},
	{20 * MIB + 3, 1, 1, 20 * MIB + 3, 20 * MIB + 3, 20 * MIB + 3, 20 * MIB + 3},
	{100, 7, 1, 128, 896, 100, 700},         /* rows, packed source */
	{100, 7, 1, 100, 700, 513, 3591},        /* rows, odd pitch */
	{64, 16, 5, 64, 1024, 64, 1024},         /* all packed: one row */
	{64, 16, 5, 96, 1536, 80, 1280},         /* slices follow rows: two dimensions */
	{64, 16, 5, 96, 2304, 80, 1600},         /* true three dimensions */
	{64, 16, 5, 96, 2000, 80, 1999},         /* slices that are no whole rows */
	{300, 1, 9, 300, 4096, 300, 300},        /* slices of one row */
	{1024, 1000, 3, 2048, 2048 * 1001, 1024, 1024 * 1000},
};

static unsigned char *fresh(uint64_t bytes, unsigned seed)
{
	unsigned char *memory = malloc(bytes);
	uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;

	if (!memory)
		exit(2);
	for (uint64_t i = 0; i < bytes; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		memory[i] = (unsigned char)(state >> 56);
	}
	return memory;
}

static void host_copy(unsigned char *dst, const unsigned char *src, const struct box *b)
{
	for (uint64_t z = 0; z < b->depth; z++)
		for (uint64_t y = 0; y < b->height; y++)
			memcpy(dst + z * b->dst_slice + y * b->dst_pitch, src + z * b->src_slice + y * b->src_pitch, b->width);
}

static int box_copy(struct gpu *g, const struct box *b, uint64_t dst, enum hetckpt_memory dst_memory, uint64_t src,
                    enum hetckpt_memory src_memory)
{
	struct hetckpt_copy copy = {
		.dst = dst, .src = src, .dst_memory = dst_memory, .src_memory = src_memory, .width = b->width,
		.height = b->height, .depth = b->depth, .dst_pitch = b->dst_pitch, .dst_slice = b->dst_slice,
		.src_pitch = b->src_pitch, .src_slice = b->src_slice,
	};

	return g->ops->copy(g->queue, &copy, &g->error);
}

/* Each box in all directions, compared with the same copy on the host. source and result
   are page-locked or not. */
static void test_copies(struct gpu *g, const char *kind, unsigned char *source, unsigned char *result)
{
	unsigned char *wanted = malloc(AREA), *before = fresh(AREA, 7);
	uint64_t a = g->base, b = g->base + AREA;

	for (unsigned i = 0; i < sizeof boxes / sizeof *boxes; i++) {
		const struct box *box = &boxes[i];
		bool good = true;

		memcpy(wanted, before, AREA);
		host_copy(wanted, source, box);
		put(g, g->queue, a, before, AREA);
		good &= !box_copy(g, box, a, HETCKPT_MEMORY_DEVICE, (uintptr_t)source, HETCKPT_MEMORY_HOST);
		get(g, g->queue, result, a, AREA);
		check(good && !memcmp(result, wanted, AREA), "%s box %u to the device", kind, i);
		good = true;
		put(g, g->queue, b, source, AREA);
		memcpy(result, before, AREA);
		good &= !box_copy(g, box, (uintptr_t)result, HETCKPT_MEMORY_HOST, b, HETCKPT_MEMORY_DEVICE);
		finish(g, g->queue);
		check(good && !memcmp(result, wanted, AREA), "%s box %u from the device", kind, i);
		put(g, g->queue, a, before, AREA);
		good = !box_copy(g, box, a, HETCKPT_MEMORY_DEVICE, b, HETCKPT_MEMORY_DEVICE);
		get(g, g->queue, result, a, AREA);
		check(good && !memcmp(result, wanted, AREA), "%s box %u on the device", kind, i);
	}
	free(wanted);
	free(before);
}

static void test_fills(struct gpu *g)
{
	static const struct { uint32_t element; uint64_t width, height, pitch; } fills[] = {
		{1, 1000003, 1, 1000003}, {2, 77, 9, 200}, {4, 33, 12, 132}, {4, 33, 12, 256}, {1, 5, 100, 7},
	};
	unsigned char *wanted = malloc(AREA), *result = malloc(AREA), *before = fresh(AREA, 11);
	const uint32_t value = 0xa1b2c3d4;

	for (unsigned i = 0; i < sizeof fills / sizeof *fills; i++) {
		struct hetckpt_fill fill = {
			.dst = g->base + 64, .width = fills[i].width, .height = fills[i].height, .pitch = fills[i].pitch,
			.element = fills[i].element, .value = value,
		};

		memcpy(wanted, before, AREA);
		for (uint64_t y = 0; y < fill.height; y++)
			for (uint64_t x = 0; x < fill.width; x++)
				memcpy(wanted + 64 + y * fill.pitch + x * fill.element, &value, fill.element);
		put(g, g->queue, g->base, before, AREA);
		check_rc(g, g->ops->fill(g->queue, &fill, &g->error), 0, "fill %u", i);
		get(g, g->queue, result, g->base, AREA);
		check(!memcmp(result, wanted, AREA), "fill %u has the right bytes", i);
	}
	free(wanted);
	free(result);
	free(before);
}

static void test_transfers(struct gpu *g)
{
	unsigned char *source = fresh(AREA, 3), *result = malloc(AREA);
	unsigned char *locked = aligned_alloc(4096, 2 * AREA);

	must(g, map(g, 0, 2 * AREA), "map");
	test_copies(g, "pageable", source, result);
	memcpy(locked, source, AREA);
	if (check_rc(g, g->ops->host_register(g->device, locked, 2 * AREA, &g->error), 0, "register host memory")) {
		test_copies(g, "page-locked", locked, locked + AREA);
		check_rc(g, g->ops->host_register(g->device, locked, 4096, &g->error), -EEXIST, "registering twice is refused");
		g->ops->host_unregister(g->device, locked);
	}
	test_fills(g);
	must(g, unmap(g, 0, 2 * AREA), "unmap");
	free(source);
	free(result);
	free(locked);
}

/* ---- Modules and launches --------------------------------------------------------------- */

static void test_bad_modules(struct gpu *g)
{
	struct hetckpt_module *module;
	struct test_module m;

	test_module_make(&m, 990, true);
	m.source.variables = g->base;
	check_rc(g, g->ops->module_load(g->device, &m.source, &module, &g->error), -ENOTSUP, "code for later GPUs is refused");
	note("%s", g->error.text);
	check(g->error.cuda == 209, "as cudaErrorNoKernelImageForDevice");
	test_module_estrange(&m);
	check_rc(g, g->ops->module_load(g->device, &m.source, &module, &g->error), -ENOTSUP,
	         "code of another compilation is refused");
	note("%s", g->error.text);
	m.source.fatbin = m.image;
	m.source.fatbin_bytes = m.source.image_bytes;
	check_rc(g, g->ops->module_load(g->device, &m.source, &module, &g->error), -ENOTSUP, "a bare image is refused");
	note("%s", g->error.text);
	test_module_free(&m);
}

static void test_launches(struct gpu *g, struct hetckpt_module *module, uint64_t out)
{
	struct hetckpt_kernel *fill = kernel_of(g, module, "fill"), *dynamic = kernel_of(g, module, "dynamic"), *other;
	struct fill_params params = {out, 100000, 7};
	struct { uint64_t out; uint32_t bytes; } shared = {out, 0};
	uint32_t *host = malloc(100000 * 4);
	struct hetckpt_kernel_facts facts;
	struct hetckpt_occupancy occupancy;
	bool good = true;

	check_rc(g, g->ops->kernel_get(module, "fill", HETCKPT_VARIANT_ORIGINAL, &other, &facts, &g->error), 0, "kernel_get");
	check(other == fill, "gives the same handle again");
	note("fill: %u registers, %u bytes of constants, %u threads, %u bytes of dynamic shared memory", facts.registers,
	     facts.const_bytes, facts.max_threads, facts.max_dynamic_shared);
	check(facts.max_threads >= 512 && facts.max_dynamic_shared > 49152, "its facts make sense");
	check_rc(g, g->ops->kernel_get(module, "nobody", HETCKPT_VARIANT_ORIGINAL, &other, &facts, &g->error), -ENOENT,
	         "an unknown kernel");
	check_rc(g, g->ops->kernel_get(module, "fill", HETCKPT_VARIANT_RUN, &other, &facts, &g->error), -ENOENT,
	         "a variant that is not there");
	check_rc(g, g->ops->kernel_get(module, "count", HETCKPT_VARIANT_RUN, &other, &facts, &g->error), 0,
	         "a variant that is there");
	check_rc(g, launch(g, g->queue, fill, 100000 / 256 + 1, 256, 0, 0, &params, FILL_BYTES), 0, "launch");
	params.out = 0; /* it was copied */
	get(g, g->queue, host, out, 100000 * 4);
	for (uint32_t i = 0; i < 100000; i++)
		good &= host[i] == 7 + i;
	check(good, "its results are right");
	check_rc(g, launch(g, g->queue, fill, 1, facts.max_threads + 32, 0, 0, &params, FILL_BYTES), -EINVAL,
	         "too many threads are refused");
	check(g->error.cuda == 9, "as cudaErrorInvalidConfiguration");
	check_rc(g, launch(g, g->queue, fill, 1, 32, 0, 0, &params, 8), -EINVAL, "too few parameters are refused");
	check_rc(g, g->ops->kernel_get(module, "dynamic", HETCKPT_VARIANT_ORIGINAL, &dynamic, &facts, &g->error), 0,
	         "kernel_get");
	shared.bytes = facts.max_dynamic_shared / 16 * 16;
	check_rc(g, launch(g, g->queue, dynamic, 1, 32, shared.bytes, 0, &shared, 12), 0, "%u bytes of dynamic shared memory",
	         shared.bytes);
	check(word_at(g, out) == shared.bytes, "are all there");
	check_rc(g, launch(g, g->queue, dynamic, 1, 32, facts.max_dynamic_shared + 16, 0, &shared, 12), -EINVAL,
	         "more are refused");
	check_rc(g, g->ops->occupancy(fill, 256, 0, &occupancy, &g->error), 0, "occupancy");
	note("fill with 256 threads: %u blocks a multiprocessor, %u in all", occupancy.per_sm, occupancy.resident);
	check(occupancy.per_sm && occupancy.resident == occupancy.per_sm * g->facts.sm_count, "makes sense");
	check(occupancy.unfinished == g->facts.max_blocks_per_sm * g->facts.sm_count &&
	          occupancy.unfinished >= occupancy.resident, "warps that have ended make room for other blocks' warps");
	check_rc(g, g->ops->occupancy(fill, 32, 0, &occupancy, &g->error), 0, "occupancy of blocks of a warp");
	check(occupancy.unfinished == occupancy.resident, "there they do not");
	check_rc(g, g->ops->occupancy(fill, 4096, 0, &occupancy, &g->error), 0, "occupancy of what cannot run");
	check(!occupancy.per_sm && !occupancy.resident, "is zero");
	free(host);
}

/* Blocks of a launch of resident blocks run side by side: they wait for each other. */
static void test_together(struct gpu *g, struct hetckpt_module *module, uint64_t out)
{
	static const unsigned threads[] = {32, 256, 1024};
	struct hetckpt_kernel *meet = kernel_of(g, module, "meet");

	for (unsigned i = 0; i < 2 * sizeof threads / sizeof *threads; i++) {
		uint32_t flags = i % 2 ? HETCKPT_LAUNCH_FLAG_COOPERATIVE : 0;
		struct hetckpt_occupancy occupancy;
		struct { uint64_t arrived, late, limit; uint32_t blocks; } params = {out, out + 4, 3000000000u, 0};

		must(g, g->ops->occupancy(meet, threads[i / 2], 0, &occupancy, &g->error), "occupancy");
		params.blocks = occupancy.resident;
		set_word(g, out, 0);
		set_word(g, out + 4, 0);
		check_rc(g, launch(g, g->queue, meet, occupancy.resident, threads[i / 2], 0, flags, &params, 28), 0,
		         "%s launch of %u blocks of %u threads", flags ? "cooperative" : "plain", occupancy.resident,
		         threads[i / 2]);
		finish(g, g->queue);
		check(word_at(g, out) == occupancy.resident && !word_at(g, out + 4), "all blocks met");
		if (!flags)
			continue;
		params.blocks = 0;
		check_rc(g, launch(g, g->queue, meet, occupancy.resident + 1, threads[i / 2], 0, flags, &params, 28), -EINVAL,
		         "one more block is refused");
	}
}

/* ---- Variables ------------------------------------------------------------------------- */

struct counted { uint32_t sum, old; uint64_t pointer; };

static struct counted count(struct gpu *g, struct hetckpt_queue *queue, struct hetckpt_kernel *kernel, uint64_t out)
{
	struct counted result = {0};

	must(g, launch(g, queue, kernel, 1, 1, 0, 0, &out, sizeof out), "launch");
	get(g, queue, &result, out, sizeof result);
	return result;
}

static void test_variables(struct gpu *g, struct hetckpt_module *module, struct hetckpt_module *plain, uint64_t block,
                           uint64_t out)
{
	struct hetckpt_kernel *by_run = kernel_of(g, module, "count"), *native = kernel_of(g, module, "count_native");
	struct hetckpt_kernel *nap = kernel_of(g, plain, "nap");
	struct nap_params sleep = {out + 64, 20000000, 1};
	struct hetckpt_queue *second;
	struct hetckpt_marker *marker;
	struct counted c;
	uint32_t table[4] = {10, 20, 30, 40};

	must(g, g->ops->queue_create(g->device, 0, &second, &g->error), "make a queue");
	c = count(g, g->queue, by_run, out);
	check(c.sum == 10 && c.old == 100, "an original sees the block's variables (%u, %u)", c.sum, c.old);
	check(c.pointer == block + BLOCK_COUNTER, "pointers in constants point into the block");
	check(word_at(g, block + BLOCK_COUNTER) == 101, "and changes them there");
	c = count(g, g->queue, native, out);
	check(c.sum == 10 && c.old == 101, "one that cannot pause too (%u, %u)", c.sum, c.old);
	check(word_at(g, block + BLOCK_COUNTER) == 102, "and its changes come back");
	c = count(g, second, by_run, out);
	check(c.old == 102, "one in another queue sees them");

	put(g, g->queue, block + BLOCK_TABLE, table, sizeof table);
	c = count(g, g->queue, by_run, out);
	check(c.sum == 100, "a change of a constant is seen by the next launch of its queue (%u)", c.sum);
	c = count(g, second, by_run, out);
	check(c.sum == 100, "and by other queues (%u)", c.sum);

	/* A change that is on its way while others launch. */
	table[0] = 1010;
	must(g, launch(g, second, nap, 1, 1, 0, 0, &sleep, NAP_BYTES), "launch");
	put(g, second, block + BLOCK_TABLE, table, sizeof table);
	marker = mark(g, second);
	c = count(g, g->queue, by_run, out);
	check(c.sum == 100, "a launch that does not wait for a change does not see it (%u)", c.sum);
	must(g, g->ops->queue_wait(g->queue, marker, &g->error), "queue_wait");
	g->ops->marker_release(marker);
	c = count(g, g->queue, by_run, out);
	check(c.sum == 1100, "one that waits for it does (%u)", c.sum);
	c = count(g, second, native, out);
	check(c.sum == 1100, "and so does its own queue (%u)", c.sum);
	set_word(g, block + BLOCK_TABLE, 1);
	c = count(g, second, by_run, out);
	check(c.sum == 91, "a change that has ended is seen everywhere (%u)", c.sum);

	/* Two that work on native storage, in two queues. */
	set_word(g, block + BLOCK_COUNTER, 0);
	for (unsigned i = 0; i < 50; i++) {
		must(g, launch(g, i % 2 ? second : g->queue, native, 1, 1, 0, 0, &out, sizeof out), "launch");
	}
	finish(g, second);
	finish(g, g->queue);
	check(word_at(g, block + BLOCK_COUNTER) == 50, "no change of 50 launches in two queues is lost (%u)",
	      word_at(g, block + BLOCK_COUNTER));
	finish(g, second);
	g->ops->queue_destroy(second);
}

static void test_modules(struct gpu *g)
{
	uint64_t block = g->base + 8 * MIB, out = g->base;
	struct hetckpt_module *module, *again, *plain;
	struct test_module m, m2, m3;

	must(g, map(g, 0, 16 * MIB), "map");
	test_bad_modules(g);
	module = load_kernels(g, &m, block);
	test_launches(g, module, out);
	plain = load_kernels(g, &m3, 0);
	test_together(g, plain, out);
	test_variables(g, module, plain, block, out);
	again = load_kernels(g, &m2, block + 256);
	set_word(g, block + 256 + BLOCK_TABLE, 501);
	check(count(g, g->queue, kernel_of(g, again, "count"), out).sum == 510, "two modules have their own variables");
	check(count(g, g->queue, kernel_of(g, module, "count"), out).sum == 91, "each");
	g->ops->module_unload(g->device, module);
	check(count(g, g->queue, kernel_of(g, again, "count"), out).sum == 510, "one is unloaded");
	g->ops->module_unload(g->device, again);
	g->ops->module_unload(g->device, plain);
	test_module_free(&m);
	test_module_free(&m2);
	test_module_free(&m3);
	must(g, unmap(g, 0, 16 * MIB), "unmap");
}

static void test_limits(struct gpu *g)
{
	check_rc(g, g->ops->limit_set(g->device, HETCKPT_LIMIT_STACK, 16384, &g->error), 0, "a stack of 16 KiB");
	check_rc(g, g->ops->limit_set(g->device, HETCKPT_LIMIT_PRINTF, 2 * MIB, &g->error), 0, "a buffer of 2 MiB for printf");
	check(g->ops->limit_set(g->device, HETCKPT_LIMIT_STACK, (uint64_t)1 << 40, &g->error) < 0,
	      "a stack of 1 TiB is refused");
	note("%s", g->error.text);
	check_rc(g, g->ops->limit_set(g->device, HETCKPT_LIMIT_STACK, 1024, &g->error), 0, "the stack as it was");
}

int main(int argc, char **argv)
{
	struct hetckpt_device_facts facts;
	struct hetckpt_backend_host host = {0};
	struct hetckpt_device *second;
	struct gpu g;

	gpu_start(&g, argc, argv);
	check_rc(&g, g.ops->probe(999, &facts, &g.error), -ENODEV, "there is no cuda:999");
	note("%s", g.error.text);
	gpu_open(&g);
	check_rc(&g, g.ops->open(g.index, g.base, ARENA_BYTES, &host, &second, &g.error), -EADDRINUSE,
	         "an arena whose addresses are taken is refused");
	note("%s", g.error.text);
	test_memory(&g);
	test_sharing(&g);
	test_transfers(&g);
	test_modules(&g);
	test_limits(&g);
	gpu_close(&g);
	return gpu_end(&g);
}
