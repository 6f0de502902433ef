/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Prints how fast the CUDA back end moves and maps memory: copies of page-locked and
 * pageable memory each way and both ways at once, on the device, fills, mapping.
 */
#include "gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REPEAT 5

static uint64_t size;

static struct hetckpt_copy flat(uint64_t dst, enum hetckpt_memory dst_memory, uint64_t src,
                                enum hetckpt_memory src_memory)
{
	return (struct hetckpt_copy){
		.dst = dst, .src = src, .dst_memory = dst_memory, .src_memory = src_memory, .width = size, .height = 1,
		.depth = 1, .dst_pitch = size, .dst_slice = size, .src_pitch = size, .src_slice = size,
	};
}

static void rate(const char *what, uint64_t bytes, uint64_t ns)
{
	note("%-44s %8.2f GB/s", what, (double)bytes / (double)ns);
}

/* The best of a few runs, by the host's clock. */
static uint64_t best_copy(struct gpu *g, const struct hetckpt_copy *copy)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < REPEAT; i++) {
		uint64_t begin = now_ns(), took;

		must(g, g->ops->copy(g->queue, copy, &g->error), "copy");
		finish(g, g->queue);
		took = now_ns() - begin;
		if (took < best)
			best = took;
	}
	return best;
}

static void time_copies(struct gpu *g, const char *kind, void *a, void *b)
{
	struct hetckpt_copy in = flat(g->base, HETCKPT_MEMORY_DEVICE, (uintptr_t)a, HETCKPT_MEMORY_HOST);
	struct hetckpt_copy out = flat((uintptr_t)b, HETCKPT_MEMORY_HOST, g->base + size, HETCKPT_MEMORY_DEVICE);
	struct hetckpt_queue *second;
	char what[64];
	uint64_t begin;

	snprintf(what, sizeof what, "%s, to the device", kind);
	rate(what, size, best_copy(g, &in));
	snprintf(what, sizeof what, "%s, from the device", kind);
	rate(what, size, best_copy(g, &out));
	must(g, g->ops->queue_create(g->device, 0, &second, &g->error), "make a queue");
	begin = now_ns();
	must(g, g->ops->copy(g->queue, &in, &g->error), "copy");
	must(g, g->ops->copy(second, &out, &g->error), "copy");
	finish(g, g->queue);
	finish(g, second);
	snprintf(what, sizeof what, "%s, both ways at once", kind);
	rate(what, 2 * size, now_ns() - begin);
	g->ops->queue_destroy(second);
}

static void time_device(struct gpu *g)
{
	struct hetckpt_copy copy = flat(g->base, HETCKPT_MEMORY_DEVICE, g->base + size, HETCKPT_MEMORY_DEVICE);
	struct hetckpt_fill fill = {.dst = g->base, .width = size, .height = 1, .pitch = size, .element = 1};
	uint64_t best = UINT64_MAX;

	rate("on the device (bytes copied)", size, best_copy(g, &copy));
	for (unsigned i = 0; i < REPEAT; i++) {
		uint64_t begin = now_ns(), took;

		must(g, g->ops->fill(g->queue, &fill, &g->error), "fill");
		finish(g, g->queue);
		took = now_ns() - begin;
		if (took < best)
			best = took;
	}
	rate("fill", size, best);
}

static void time_maps(struct gpu *g)
{
	static const uint64_t sizes[] = {2 * MIB, 32 * MIB, 256 * MIB, 2048 * MIB, 16384 * MIB, 65536 * MIB};

	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t available, total, begin, middle;

		must(g, g->ops->memory_info(g->device, &available, &total, &g->error), "memory_info");
		if (sizes[i] > available / 2)
			break;
		begin = now_ns();
		must(g, g->ops->map(g->device, g->base + ARENA_BYTES / 2, sizes[i], &g->error), "map");
		middle = now_ns();
		must(g, g->ops->unmap(g->device, g->base + ARENA_BYTES / 2, sizes[i], &g->error), "unmap");
		note("map %6llu MiB in %8.2f ms, unmap in %8.2f ms", (unsigned long long)(sizes[i] / MIB),
		     (double)(middle - begin) / 1e6, (double)(now_ns() - middle) / 1e6);
	}
}

static void time_launches(struct gpu *g)
{
	enum { COUNT = 1000 };
	struct test_module m;
	struct hetckpt_module *module = load_kernels(g, &m, 0);
	struct hetckpt_kernel *fill = kernel_of(g, module, "fill");
	struct fill_params params = {g->base + MIB, 32, 0};
	uint64_t begin;

	finish(g, g->queue);
	begin = now_ns();
	for (unsigned i = 0; i < COUNT; i++)
		must(g, launch(g, g->queue, fill, 1, 32, 0, 0, &params, FILL_BYTES), "launch");
	note("%.2f us to hand over a launch", (double)(now_ns() - begin) / 1e3 / COUNT);
	finish(g, g->queue);
	begin = now_ns();
	for (unsigned i = 0; i < COUNT; i++) {
		must(g, launch(g, g->queue, fill, 1, 32, 0, 0, &params, FILL_BYTES), "launch");
		finish(g, g->queue);
	}
	note("%.2f us for a launch and to see it end", (double)(now_ns() - begin) / 1e3 / COUNT);
	g->ops->module_unload(g->device, module);
	test_module_free(&m);
}

int main(int argc, char **argv)
{
	unsigned char *memory;
	struct gpu g;
	uint64_t begin;

	gpu_start(&g, argc, argv);
	gpu_open(&g);
	size = g.simulated ? 64 * MIB : 2048 * MIB;
	memory = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "no host memory\n");
		return 2;
	}
	memset(memory, 5, 2 * size);
	must(&g, g.ops->map(g.device, g.base, 2 * size, &g.error), "map");
	time_copies(&g, "pageable", memory, memory + size);
	begin = now_ns();
	if (check_rc(&g, g.ops->host_register(g.device, memory, 2 * size, &g.error), 0, "page-lock %llu MiB",
	             (unsigned long long)(2 * size / MIB))) {
		note("in %.1f ms", (double)(now_ns() - begin) / 1e6);
		time_copies(&g, "page-locked", memory, memory + size);
		g.ops->host_unregister(g.device, memory);
	}
	time_device(&g);
	time_maps(&g);
	time_launches(&g);
	munmap(memory, 2 * size);
	must(&g, g.ops->unmap(g.device, g.base, 2 * size, &g.error), "unmap");
	gpu_close(&g);
	return gpu_end(&g);
}
