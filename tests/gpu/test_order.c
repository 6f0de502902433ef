/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The CUDA back end on a real GPU: queues, markers, time, and pokes past running kernels. */
#include "gpu.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD 0u           /* offsets in the first granule */
#define OUT 256u
#define AREA_AT (4 * MIB)
#define SPIN_LIMIT 5000000000u

static int start_nap(struct gpu *g, struct hetckpt_queue *queue, struct hetckpt_module *module, uint64_t out,
                     uint64_t ns, uint32_t value)
{
	struct nap_params params = {out, ns, value};

	return launch(g, queue, kernel_of(g, module, "nap"), 1, 1, 0, 0, &params, NAP_BYTES);
}

/* As many spinning threads as the device holds, or one. */
static void start_spin(struct gpu *g, struct hetckpt_queue *queue, struct hetckpt_module *module, bool full)
{
	struct hetckpt_kernel *spin = kernel_of(g, module, "spin");
	struct spin_params params = {g->base + WORD, g->base + OUT, SPIN_LIMIT};
	struct hetckpt_occupancy occupancy;

	must(g, g->ops->occupancy(spin, 1024, 0, &occupancy, &g->error), "occupancy");
	must(g, launch(g, queue, spin, full ? occupancy.resident : 1, full ? 1024 : 1, 0, 0, &params, SPIN_BYTES), "launch");
}

static int poke_word(struct gpu *g, uint32_t value)
{
	return g->ops->poke(g->device, g->base + WORD, &value, sizeof value, 1, &g->error);
}

static bool busy(struct gpu *g, struct hetckpt_marker *marker)
{
	uint64_t when;

	return g->ops->marker_query(marker, &when, &g->error) == -EBUSY;
}

static uint64_t wait_for(struct gpu *g, struct hetckpt_marker *marker)
{
	uint64_t when = 0;

	must(g, g->ops->marker_wait(marker, &when, &g->error), "marker_wait");
	g->ops->marker_release(marker);
	return when;
}

/* ---- Order --------------------------------------------------------------------------- */

static void test_queues(struct gpu *g, struct hetckpt_module *module)
{
	struct hetckpt_queue *second, *third;
	struct hetckpt_marker *first_done, *second_done;
	uint64_t out = g->base + OUT, a, b;

	must(g, g->ops->queue_create(g->device, -3, &second, &g->error), "make a queue");
	must(g, g->ops->queue_create(g->device, 99, &third, &g->error), "make a queue");
	set_word(g, out, 0);
	must(g, start_nap(g, second, module, out, 30000000, 1), "launch");
	first_done = mark(g, second);
	check(busy(g, first_done), "a marker behind a running kernel is not reached");
	must(g, g->ops->queue_wait(third, first_done, &g->error), "queue_wait");
	must(g, start_nap(g, third, module, out, 1000, 2), "launch");
	second_done = mark(g, third);
	check(busy(g, second_done), "a queue that waits does not go on");
	check(finish(g, g->queue) > 0, "a queue that does not wait is not held up");
	check(busy(g, first_done), "by one that runs");
	a = wait_for(g, first_done);
	b = wait_for(g, second_done);
	check(a < b, "what waits comes later");
	check(word_at(g, out) == 2, "and writes later");
	g->ops->queue_destroy(second);
	g->ops->queue_destroy(third);
}

/* A queue that runs long must not hold up many others, where each has a hardware channel. */
static void test_independence(struct gpu *g, struct hetckpt_module *module)
{
	struct hetckpt_queue *queue[20];
	uint64_t out = g->base + OUT, begin;
	bool good = true;

	set_word(g, g->base + WORD, 0);
	for (unsigned i = 0; i < 20; i++)
		must(g, g->ops->queue_create(g->device, 0, &queue[i], &g->error), "make a queue");
	start_spin(g, queue[0], module, false);
	begin = now_ns();
	for (unsigned i = 1; i < 20; i++) {
		struct hetckpt_marker *marker;

		set_word(g, out + 64 * i, i);
		must(g, start_nap(g, queue[i], module, out + 64 * i, 1000, 100 + i), "launch");
		marker = mark(g, queue[i]);
		wait_for(g, marker);
		good &= word_at(g, out + 64 * i) == 100 + i;
	}
	check(good, "19 queues run beside one whose kernel does not end");
	check(now_ns() - begin < 1000000000u, "within %.1f ms", (double)(now_ns() - begin) / 1e6);
	must(g, poke_word(g, 1), "poke");
	finish(g, queue[0]);
	check(word_at(g, out) == 1, "which a poke ends");
	for (unsigned i = 0; i < 20; i++)
		g->ops->queue_destroy(queue[i]);
}

static void test_markers(struct gpu *g, struct hetckpt_module *module)
{
	enum { COUNT = 2000 };
	static struct hetckpt_marker *marker[COUNT];
	unsigned before;
	uint64_t last = 0, when, begin, device, before_ns, least, most;
	bool good = true;

	nap_ns(10000000);
	before = atomic_load(&g->completed);
	begin = now_ns();
	for (unsigned i = 0; i < COUNT; i++)
		marker[i] = mark(g, g->queue);
	note("%.2f us to record a marker", (double)(now_ns() - begin) / 1e3 / COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		when = wait_for(g, marker[i]);
		good &= when >= last;
		last = when;
	}
	check(good, "%u markers come in order", COUNT);
	nap_ns(20000000);
	check(atomic_load(&g->completed) != before, "completed() was called (%u times)", atomic_load(&g->completed) - before);

	/* Markers that are released at once are told of too, and so are those of a queue that
	   is gone. */
	before = atomic_load(&g->completed);
	must(g, start_nap(g, g->queue, module, g->base + OUT, 10000000, 1), "launch");
	g->ops->marker_release(mark(g, g->queue));
	nap_ns(60000000);
	check(atomic_load(&g->completed) == before + 1, "completed() is called for a marker that was released");

	/* The device's clock against the host's. The host may be kept from its reading for a while on
	   either side of a marker, so what it saw go by is between a least and a most. */
	before_ns = now_ns();
	device = finish(g, g->queue);
	must(g, start_nap(g, g->queue, module, g->base + OUT, 2000000, 1), "launch");
	when = finish(g, g->queue);
	check(when - device >= 2000000 && when - device < now_ns() - before_ns + 1000000,
	      "a nap of 2 ms takes %.3f ms by markers", (double)(when - device) / 1e6);
	before_ns = now_ns();
	device = finish(g, g->queue);
	least = now_ns();
	nap_ns(2500000000u);
	least = now_ns() - least;
	when = finish(g, g->queue) - device;
	most = now_ns() - before_ns;
	check(when + 3000000 > least && when < most + 3000000, "over seconds the clocks differ by at most %.1f us",
	      when < least ? (double)(least - when) / 1e3 : when > most ? (double)(when - most) / 1e3 : 0.0);
	before_ns = now_ns();
	device = finish(g, g->queue);
	must(g, start_nap(g, g->queue, module, g->base + OUT, 5000, 1), "launch");
	when = finish(g, g->queue);
	check(when - device >= 5000 && when - device < now_ns() - before_ns + 1000000,
	      "and a nap of 5 us still takes %.2f us", (double)(when - device) / 1e3);
}

/* ---- Poke ------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_times(const char *what, double *us, unsigned count)
{
	qsort(us, count, sizeof *us, by_value);
	note("%s: median %.1f us, 90 %% %.1f us, longest %.1f us", what, us[count / 2], us[count * 9 / 10],
	     us[count - 1]);
}

#define POKES 200

static void time_pokes(struct gpu *g, const char *what, uint64_t address, size_t bytes, uint64_t pause)
{
	static unsigned char buffer[HETCKPT_FLAG_BYTES];
	static double us[POKES];

	for (unsigned i = 0; i < POKES; i++) {
		uint64_t begin = now_ns();

		must(g, g->ops->poke(g->device, address, buffer, bytes, 1, &g->error), "poke");
		us[i] = (double)(now_ns() - begin) / 1e3;
		if (pause)
			nap_ns(pause);
	}
	print_times(what, us, POKES);
}

/* Kernels that hold every multiprocessor see a poke, and the host sees that they end. */
static void test_latency(struct gpu *g, struct hetckpt_module *module)
{
	static double seen[30], told[30];
	bool good = true;

	for (unsigned i = 0; i < 30; i++) {
		struct hetckpt_marker *marker;
		unsigned before;
		uint64_t begin;

		set_word(g, g->base + WORD, 0);
		start_spin(g, g->queue, module, true);
		marker = mark(g, g->queue);
		nap_ns(3000000);
		good &= busy(g, marker);
		before = atomic_load(&g->completed);
		begin = now_ns();
		must(g, poke_word(g, i + 1), "poke");
		wait_for(g, marker);
		seen[i] = (double)(now_ns() - begin) / 1e3;
		while (atomic_load(&g->completed) == before && now_ns() - begin < 1000000000u)
			;
		told[i] = (double)(now_ns() - begin) / 1e3;
		good &= word_at(g, g->base + OUT) == i + 1;
	}
	check(good, "kernels on the whole device run until a poke and see its word");
	print_times("from before a poke to the kernel's end, waiting", seen, 30);
	print_times("from before a poke to completed()", told, 30);
}

static void test_poke(struct gpu *g, struct hetckpt_module *module)
{
	unsigned char lines[HETCKPT_FLAG_BYTES], back[HETCKPT_FLAG_BYTES], both[2][HETCKPT_FLAG_BYTES];
	uint64_t flags = g->base + MIB;

	for (unsigned i = 0; i < sizeof lines; i++)
		lines[i] = (unsigned char)(i * 7 + i / 256);
	memset(both[0], 0x55, sizeof both[0]);
	memcpy(both[1], lines, sizeof both[1]);
	check_rc(g, g->ops->poke(g->device, flags, both, sizeof lines, 2, &g->error), 0, "poke of two images");
	get(g, g->queue, back, flags, sizeof back);
	check(!memcmp(lines, back, sizeof lines), "the second is what stays");
	check_rc(g, g->ops->poke(g->device, flags, both, sizeof lines, 3, &g->error), -EINVAL, "three are refused");
	check_rc(g, g->ops->poke(g->device, flags, lines, sizeof lines, 1, &g->error), 0, "poke of all flag lines");
	get(g, g->queue, back, flags, sizeof back);
	check(!memcmp(lines, back, sizeof lines), "is what is read");
	check_rc(g, g->ops->poke(g->device, flags, lines, sizeof lines + 4, 1, &g->error), -EINVAL, "one too long is refused");
	check_rc(g, g->ops->poke(g->device, flags + 2, lines, 4, 1, &g->error), -EINVAL, "and one at an odd address");
	time_pokes(g, "poke of 4 bytes, idle", g->base + MIB, 4, 0);
	time_pokes(g, "poke of 32 KiB, idle", g->base + MIB, sizeof lines, 0);
	test_latency(g, module);
	set_word(g, g->base + WORD, 0);
	start_spin(g, g->queue, module, true);
	time_pokes(g, "poke of 32 KiB, all multiprocessors busy", g->base + MIB, sizeof lines, 0);
	must(g, poke_word(g, 1), "poke");
	finish(g, g->queue);
}

/* Pokes from another thread while this one makes calls. */
struct poker {
	struct gpu *g;
	atomic_bool stop;
	unsigned count;
	uint64_t longest;
	int rc;
};

static void *poke_on(void *argument)
{
	struct poker *p = argument;
	struct hetckpt_error error;

	while (!atomic_load(&p->stop) && !p->rc) {
		uint32_t value = p->count++;
		uint64_t begin = now_ns(), took;

		p->rc = p->g->ops->poke(p->g->device, p->g->base + MIB, &value, sizeof value, 1, &error);
		took = now_ns() - begin;
		if (took > p->longest)
			p->longest = took;
	}
	return NULL;
}

static void test_threads(struct gpu *g, struct hetckpt_module *module)
{
	struct poker p = {.g = g};
	pthread_t thread;
	struct test_module m;
	uint64_t begin = now_ns();
	unsigned rounds = 0;

	pthread_create(&thread, NULL, poke_on, &p);
	while (now_ns() - begin < 1000000000u) {
		struct hetckpt_queue *queue;
		struct hetckpt_module *other;

		must(g, g->ops->map(g->device, g->base + 64 * MIB, 8 * MIB, &g->error), "map");
		must(g, g->ops->queue_create(g->device, 0, &queue, &g->error), "make a queue");
		must(g, start_nap(g, queue, module, g->base + OUT, 100000, 3), "launch");
		finish(g, queue);
		g->ops->queue_destroy(queue);
		must(g, g->ops->unmap(g->device, g->base + 64 * MIB, 8 * MIB, &g->error), "unmap");
		if (rounds++ % 16)
			continue;
		test_module_make(&m, 75, true);
		m.source.variables = g->base + 2 * MIB;
		must(g, g->ops->module_load(g->device, &m.source, &other, &g->error), "load a module");
		g->ops->module_unload(g->device, other);
		test_module_free(&m);
	}
	atomic_store(&p.stop, true);
	pthread_join(thread, NULL);
	check(!p.rc && p.count > 1, "%u pokes from another thread during %u rounds of other calls; the longest took %.1f us",
	      p.count, rounds, (double)p.longest / 1e3);
}

/* Pokes while long copies run, page-locked, each way. */
static void test_copies(struct gpu *g)
{
	uint64_t bytes = g->simulated ? 64 * MIB : 1024 * MIB;
	void *locked = aligned_alloc(4096, bytes);

	if (!locked)
		return;
	memset(locked, 1, bytes);
	must(g, g->ops->map(g->device, g->base + 64 * MIB, bytes, &g->error), "map");
	must(g, g->ops->host_register(g->device, locked, bytes, &g->error), "host_register");
	for (int out = 0; out < 2; out++) {
		struct hetckpt_copy copy = {
			.dst = g->base + 64 * MIB, .src = (uintptr_t)locked, .dst_memory = HETCKPT_MEMORY_DEVICE,
			.src_memory = HETCKPT_MEMORY_HOST, .width = bytes, .height = 1, .depth = 1, .dst_pitch = bytes,
			.dst_slice = bytes, .src_pitch = bytes, .src_slice = bytes,
		};
		uint64_t begin, issued;

		if (out) {
			copy.src = copy.dst;
			copy.dst = (uintptr_t)locked;
			copy.dst_memory = HETCKPT_MEMORY_HOST;
			copy.src_memory = HETCKPT_MEMORY_DEVICE;
		}
		begin = now_ns();
		for (unsigned i = 0; i < 8; i++)
			must(g, g->ops->copy(g->queue, &copy, &g->error), "copy");
		issued = now_ns();
		time_pokes(g, out ? "poke of 32 KiB beside copies to the host" : "poke of 32 KiB beside copies from the host",
		           g->base + MIB, HETCKPT_FLAG_BYTES, 100000);
		finish(g, g->queue);
		check(issued - begin < now_ns() - begin, "copies of page-locked memory do not block (%.2f of %.2f ms)",
		      (double)(issued - begin) / 1e6, (double)(now_ns() - begin) / 1e6);
	}
	g->ops->host_unregister(g->device, locked);
	must(g, g->ops->unmap(g->device, g->base + 64 * MIB, bytes, &g->error), "unmap");
	free(locked);
}

/* A small pageable copy behind a kernel that does not end. */
static void test_staging(struct gpu *g, struct hetckpt_module *module)
{
	size_t bytes = 512 << 10;
	unsigned char *data = malloc(bytes), *back = malloc(bytes);
	uint64_t begin, took;

	for (size_t i = 0; i < bytes; i++)
		data[i] = (unsigned char)(i * 31 >> 3);
	set_word(g, g->base + WORD, 0);
	put(g, g->queue, g->base + AREA_AT, data, bytes); /* the buffers are made at first use */
	finish(g, g->queue);
	start_spin(g, g->queue, module, false);
	begin = now_ns();
	put(g, g->queue, g->base + AREA_AT + MIB, data, bytes);
	took = now_ns() - begin;
	memset(data, 0, bytes);
	check(took < 1000000000u, "512 KiB of pageable memory behind a running kernel do not block (%.1f us)",
	      (double)took / 1e3);
	must(g, poke_word(g, 1), "poke");
	get(g, g->queue, back, g->base + AREA_AT + MIB, bytes);
	for (size_t i = 0; i < bytes; i++)
		data[i] = (unsigned char)(i * 31 >> 3);
	check(!memcmp(data, back, bytes), "and arrive as they were");
	free(data);
	free(back);
}

int main(int argc, char **argv)
{
	struct hetckpt_module *module;
	struct test_module m;
	struct gpu g;

	/* One for each of its queues. */
	setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
	gpu_start(&g, argc, argv);
	gpu_open(&g);
	must(&g, g.ops->map(g.device, g.base, 8 * MIB, &g.error), "map");
	module = load_kernels(&g, &m, 0);
	test_queues(&g, module);
	test_independence(&g, module);
	test_markers(&g, module);
	test_poke(&g, module);
	test_threads(&g, module);
	test_staging(&g, module);
	test_copies(&g);
	g.ops->module_unload(g.device, module);
	test_module_free(&m);
	gpu_close(&g);
	return gpu_end(&g);
}
