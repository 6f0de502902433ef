/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "gpu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern const struct hetckpt_backend hetckpt_backend_cuda;

static unsigned passed, failed;

/* ---- Checks ----------------------------------------------------------------- */

static bool report(bool good, const char *more, const char *format, va_list args)
{
	printf("%s ", good ? "ok    " : "FAILED");
	vprintf(format, args);
	if (!good && more)
		printf(": %s", more);
	printf("\n");
	fflush(stdout);
	*(good ? &passed : &failed) += 1;
	return good;
}

bool check(bool good, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(good, NULL, format, args);
	va_end(args);
	return good;
}

bool check_rc(struct gpu *g, int rc, int wanted, const char *format, ...)
{
	char more[HETCKPT_ERROR_TEXT + 64];
	va_list args;

	snprintf(more, sizeof more, "%d instead of %d%s%s", rc, wanted, rc ? ": " : "", rc ? g->error.text : "");
	va_start(args, format);
	report(rc == wanted, more, format, args);
	va_end(args);
	return rc == wanted;
}

void note(const char *format, ...)
{
	va_list args;

	printf("       ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

void must(struct gpu *g, int rc, const char *what)
{
	if (!rc)
		return;
	check_rc(g, rc, 0, "%s", what);
	printf("%u passed, %u failed, the rest not tried\n", passed, failed);
	fflush(stdout);
	_Exit(1);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void nap_ns(uint64_t ns)
{
	nanosleep(&(struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)}, NULL);
}

/* ---- Device ------------------------------------------------------------------- */

static void completed(void *context)
{
	struct gpu *g = context;

	atomic_fetch_add(&g->completed, 1);
}

void gpu_start(struct gpu *g, int argc, char **argv)
{
	int rc;

	memset(g, 0, sizeof *g);
	g->ops = &hetckpt_backend_cuda;
	g->index = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	g->base = ARENA_BASE + g->index * ARENA_BYTES;
	rc = g->ops->probe(g->index, &g->facts, &g->error);
	if (rc) {
		printf("skipped: %s\n", g->error.text);
		exit(rc == -ENODEV || rc == -ENOTSUP ? GPU_SKIP : 1);
	}
	g->simulated = strstr(g->facts.name, "simulated") != NULL;
	note("cuda:%u is %s, compute capability %u.%u, %s, %llu MiB, %u multiprocessors", g->index, g->facts.name,
	     g->facts.major, g->facts.minor, g->facts.version, (unsigned long long)(g->facts.total_bytes / MIB),
	     g->facts.sm_count);
}

void gpu_open(struct gpu *g)
{
	struct hetckpt_backend_host host = {completed, g};
	uint64_t begin = now_ns();

	must(g, g->ops->open(g->index, g->base, ARENA_BYTES, &host, &g->device, &g->error), "open the device");
	note("opened in %.1f ms", (double)(now_ns() - begin) / 1e6);
	must(g, g->ops->queue_create(g->device, 0, &g->queue, &g->error), "make a queue");
}

void gpu_close(struct gpu *g)
{
	uint64_t begin = now_ns();

	g->ops->queue_destroy(g->queue);
	g->ops->close(g->device);
	note("closed in %.1f ms", (double)(now_ns() - begin) / 1e6);
	g->device = NULL;
}

int gpu_end(struct gpu *g)
{
	(void)g;
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}

/* ---- Shorthands ------------------------------------------------------------------ */

struct hetckpt_marker *mark(struct gpu *g, struct hetckpt_queue *queue)
{
	struct hetckpt_marker *marker = NULL;

	must(g, g->ops->record(queue, &marker, &g->error), "record a marker");
	return marker;
}

uint64_t finish(struct gpu *g, struct hetckpt_queue *queue)
{
	struct hetckpt_marker *marker = mark(g, queue);
	uint64_t when = 0;

	must(g, g->ops->marker_wait(marker, &when, &g->error), "wait for a queue");
	g->ops->marker_release(marker);
	return when;
}

static void copy_flat(struct gpu *g, struct hetckpt_queue *queue, uint64_t dst, enum hetckpt_memory dst_memory,
                      uint64_t src, enum hetckpt_memory src_memory, uint64_t bytes)
{
	struct hetckpt_copy copy = {
		.dst = dst, .src = src, .dst_memory = dst_memory, .src_memory = src_memory, .width = bytes, .height = 1,
		.depth = 1, .dst_pitch = bytes, .dst_slice = bytes, .src_pitch = bytes, .src_slice = bytes,
	};

	must(g, g->ops->copy(queue, &copy, &g->error), "copy");
}

void put(struct gpu *g, struct hetckpt_queue *queue, uint64_t dst, const void *src, uint64_t bytes)
{
	copy_flat(g, queue, dst, HETCKPT_MEMORY_DEVICE, (uintptr_t)src, HETCKPT_MEMORY_HOST, bytes);
}

void get(struct gpu *g, struct hetckpt_queue *queue, void *dst, uint64_t src, uint64_t bytes)
{
	copy_flat(g, queue, (uintptr_t)dst, HETCKPT_MEMORY_HOST, src, HETCKPT_MEMORY_DEVICE, bytes);
	finish(g, queue);
}

uint32_t word_at(struct gpu *g, uint64_t address)
{
	uint32_t value = 0;

	get(g, g->queue, &value, address, sizeof value);
	return value;
}

void set_word(struct gpu *g, uint64_t address, uint32_t value)
{
	put(g, g->queue, address, &value, sizeof value);
	finish(g, g->queue);
}

int launch(struct gpu *g, struct hetckpt_queue *queue, struct hetckpt_kernel *kernel, unsigned blocks,
           unsigned threads, uint32_t dynamic_shared, uint32_t flags, const void *params, uint32_t param_bytes)
{
	struct hetckpt_launch_command command = {
		.kernel = kernel, .grid = {blocks, 1, 1}, .block = {threads, 1, 1}, .dynamic_shared = dynamic_shared,
		.flags = flags, .params = params, .param_bytes = param_bytes,
	};

	return g->ops->launch(queue, &command, &g->error);
}

struct hetckpt_kernel *kernel_of(struct gpu *g, struct hetckpt_module *module, const char *name)
{
	struct hetckpt_kernel_facts facts;
	struct hetckpt_kernel *kernel = NULL;

	must(g, g->ops->kernel_get(module, name, HETCKPT_VARIANT_ORIGINAL, &kernel, &facts, &g->error), name);
	return kernel;
}

struct hetckpt_module *load_kernels(struct gpu *g, struct test_module *m, uint64_t block)
{
	uint32_t contents[BLOCK_BYTES / 4] = {1, 2, 3, 4, 0, 0, 100, 0};
	uint64_t pointer = block + BLOCK_COUNTER, begin;
	struct hetckpt_module *module = NULL;

	test_module_make(m, 75, block != 0);
	m->source.variables = block;
	memcpy((char *)contents + BLOCK_POINTER, &pointer, sizeof pointer);
	if (block)
		put(g, g->queue, block, contents, sizeof contents);
	finish(g, g->queue);
	begin = now_ns();
	must(g, g->ops->module_load(g->device, &m->source, &module, &g->error), "load the module");
	note("module loaded in %.1f ms", (double)(now_ns() - begin) / 1e6);
	return module;
}
