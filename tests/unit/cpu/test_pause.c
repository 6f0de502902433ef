/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Pausing and resuming, driven by launch records: kernels of each scope are paused at
 * random moments and at every poll, and resumed until they are done. Their results are
 * those of an undisturbed run, and no block is lost or run twice.
 */
#include "harness.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hetckpt/abi.h>

#define THREADS 96u
#define SLOTS 2u

static const struct harness_kernel kernels[] = {
	{.name = "threads", .params = "pi", .scope = "thread", .slots = {0, SLOTS}, .safepoints = 1},
	{.name = "warps", .params = "pi", .scope = "warp", .slots = {0, SLOTS}, .safepoints = 1},
	{.name = "blocks", .params = "pi", .static_shared = 512, .scope = "block", .slots = {0, SLOTS},
	 .safepoints = 1},
	{.name = "marks", .params = "pi", .scope = "thread", .slots = {0, SLOTS}, .safepoints = 1},
};

static struct harness h;

/* What the kernels take: the record is at the next multiple of 8 behind 12 bytes. */
struct params {
	uint32_t *out;
	int32_t rounds, pad;
	struct hetckpt_launch launch;
};

struct table {
	struct hetckpt_frame_table *head;
	uint32_t *keys;
	char *groups;
};

static uint64_t group_bytes(bool shared)
{
	return (4 * THREADS + 15) / 16 * 16 + (4 * THREADS * SLOTS + 15) / 16 * 16 + (shared ? 512 : 0);
}

static struct table table_new(uint32_t capacity, bool shared)
{
	struct table t = {harness_alloc(&h, sizeof *t.head), harness_alloc(&h, 4 * capacity),
	                  harness_alloc(&h, capacity * group_bytes(shared))};

	*t.head = (struct hetckpt_frame_table){capacity, THREADS, group_bytes(shared), (uintptr_t)t.keys,
	                                       (uintptr_t)t.groups};
	return t;
}

static void table_clear(struct table *t)
{
	memset(t->keys, 0, 4 * t->head->capacity);
	for (uint32_t g = 0; g < t->head->capacity; g++)
		memset(t->groups + g * t->head->group_bytes, 0xff, 4 * THREADS);
}

static char *flags;

static void raise_flag(uint32_t poll, uint32_t entry)
{
	for (int word = 1; word >= 0; word--)
		for (uint32_t i = 0; i < HETCKPT_FLAG_LINES; i++) {
			uint32_t value = word ? entry : poll;

			assert_int_equal(h.ops->poke(h.device,
			                             (uintptr_t)flags + i * HETCKPT_FLAG_STRIDE +
			                                     (word ? HETCKPT_FLAG_ENTRY : HETCKPT_FLAG_POLL),
			                             &value, 4, 1, &h.error), 0);
		}
}

/* Raises the flag some time after it is told to. */
static atomic_int raise_after = -1;
static atomic_bool raiser_stops;

static void *raiser(void *argument)
{
	(void)argument;
	while (!atomic_load(&raiser_stops)) {
		int us = atomic_load(&raise_after);

		if (us < 0) {
			usleep(20);
			continue;
		}
		for (volatile int spin = 0; spin < us * 200; spin++)
			;
		raise_flag(HETCKPT_FLAG_PAUSE, HETCKPT_FLAG_PAUSE);
		atomic_store(&raise_after, -1);
	}
	return NULL;
}

struct outcome { unsigned pauses, parked, unstarted; };

/* Runs a kernel to its end in as many launches as it takes; the flag rises up to us
   microseconds after each begins. */
static struct outcome run_paused(const char *name, uint32_t grid, int rounds, uint32_t *out, int us, bool shared)
{
	struct hetckpt_kernel *run = harness_kernel(&h, name, HETCKPT_VARIANT_RUN);
	struct hetckpt_kernel *resume = harness_kernel(&h, name, HETCKPT_VARIANT_RESUME);
	struct hetckpt_block_ref *list = harness_alloc(&h, grid * sizeof *list);
	uint8_t *unstarted = harness_alloc(&h, grid);
	struct table table[2] = {table_new(grid + 3, shared), table_new(grid + 3, shared)};
	const uint32_t block[3] = {THREADS, 1, 1};
	struct outcome outcome = {0};
	bool first = true;
	uint32_t count = grid;
	uint64_t seed = (uint64_t)us + 77;

	for (unsigned turn = 0; count; turn ^= 1) {
		struct params p = {.out = out, .rounds = rounds};
		uint32_t size[3] = {count, 1, 1};

		table_clear(&table[turn]);
		memset(unstarted, 0, grid);
		p.launch.flags = (uintptr_t)flags;
		p.launch.frames = (uintptr_t)table[turn].head;
		p.launch.resume = first ? 0 : (uintptr_t)table[turn ^ 1].head;
		p.launch.list = first ? 0 : (uintptr_t)list;
		p.launch.unstarted = (uintptr_t)unstarted;
		p.launch.grid[0] = grid;
		p.launch.grid[1] = p.launch.grid[2] = 1;
		p.launch.count = first ? 0 : count;
		atomic_store(&raise_after, (int)(harness_random(&seed) % (uint32_t)(us + 1)));
		harness_launch(&h, first ? run : resume, size, block, 0, &p, sizeof p);
		if (harness_wait(&h))
			fail_msg("%s", h.error.text);
		while (atomic_load(&raise_after) >= 0)
			;
		raise_flag(HETCKPT_FLAG_RUN, HETCKPT_FLAG_RUN);
		first = false;

		/* What is left: parked groups, and blocks that have not begun, which keep the
		   group that they had. */
		struct hetckpt_block_ref *left = calloc(grid + 1, sizeof *left);
		uint32_t n = 0;

		assert_non_null(left);
		for (uint32_t g = 0; g < table[turn].head->capacity; g++)
			if (table[turn].keys[g]) {
				left[n++] = (struct hetckpt_block_ref){table[turn].keys[g] - 1, g};
				outcome.parked++;
			}
		for (uint32_t b = 0; b < grid; b++) {
			struct hetckpt_block_ref ref = {b, HETCKPT_NO_GROUP};

			if (!unstarted[b])
				continue;
			outcome.unstarted++;
			for (uint32_t i = 0; p.launch.list && i < count; i++)
				if (list[i].block == b && list[i].group != HETCKPT_NO_GROUP) {
					/* Into the table that is read next. */
					uint32_t g = 0;

					while (table[turn].keys[g])
						g++;
					table[turn].keys[g] = b + 1;
					memcpy(table[turn].groups + g * table[turn].head->group_bytes,
					       table[turn ^ 1].groups + list[i].group * table[turn].head->group_bytes,
					       table[turn].head->group_bytes);
					ref.group = g;
				}
			left[n++] = ref;
		}
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t j = i + 1; j < n; j++)
				assert_true(left[i].block != left[j].block);
		memcpy(list, left, n * sizeof *left);
		free(left);
		count = n;
		outcome.pauses += n != 0;
	}
	return outcome;
}

enum { GRID = 37, ROUNDS = 23 };

/* The run variant, never paused. */
static void run_undisturbed(const char *name, uint32_t *want)
{
	const uint32_t size[3] = {GRID, 1, 1}, block[3] = {THREADS, 1, 1};
	struct params p = {.out = harness_alloc(&h, 4 * GRID * THREADS), .rounds = ROUNDS};

	raise_flag(HETCKPT_FLAG_RUN, HETCKPT_FLAG_RUN);
	p.launch.flags = (uintptr_t)flags;
	p.launch.grid[0] = GRID;
	p.launch.grid[1] = p.launch.grid[2] = 1;
	harness_launch(&h, harness_kernel(&h, name, HETCKPT_VARIANT_RUN), size, block, 0, &p, sizeof p);
	if (harness_wait(&h))
		fail_msg("%s", h.error.text);
	memcpy(want, p.out, 4 * GRID * THREADS);
}

static void pause_kernel(const char *name, bool shared)
{
	uint64_t mark = h.next;
	uint32_t *want = calloc(GRID * THREADS, 4), *out;
	unsigned pauses = 0;
	struct outcome o;

	assert_non_null(want);
	run_undisturbed(name, want);
	for (int us = 0; us < 3000; us = us * 3 / 2 + 1) {
		h.next = mark;
		out = harness_alloc(&h, 4 * GRID * THREADS);
		o = run_paused(name, GRID, ROUNDS, out, us, shared);
		pauses += o.pauses;
		assert_memory_equal(out, want, 4 * GRID * THREADS);
	}
	assert_true(pauses > 0);
	free(want);
}

static void test_threads(void **state)
{
	(void)state;
	pause_kernel("threads", false);
}

static void test_warps(void **state)
{
	(void)state;
	pause_kernel("warps", false);
}

static void test_blocks(void **state)
{
	(void)state;
	pause_kernel("blocks", true);
}

/* The entry word alone keeps every block from beginning. */
static void test_entry(void **state)
{
	static const char *const names[] = {"threads", "warps", "blocks"};
	const uint32_t size[3] = {50, 1, 1}, block[3] = {THREADS, 1, 1};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct params p = {.out = harness_alloc(&h, 4 * 100 * THREADS), .rounds = 3};
		uint8_t *unstarted = harness_alloc(&h, 128);

		raise_flag(HETCKPT_FLAG_RUN, HETCKPT_FLAG_PAUSE);
		p.launch.flags = (uintptr_t)flags;
		p.launch.unstarted = (uintptr_t)unstarted;
		p.launch.grid[0] = 100;
		p.launch.grid[1] = p.launch.grid[2] = 1;
		p.launch.base[0] = 50;
		harness_launch(&h, harness_kernel(&h, names[i], HETCKPT_VARIANT_RUN), size, block, 0, &p, sizeof p);
		if (harness_wait(&h))
			fail_msg("%s", h.error.text);
		for (uint32_t b = 0; b < 128; b++)
			assert_int_equal(unstarted[b], b >= 50 && b < 100);
		for (uint32_t k = 0; k < 100 * THREADS; k++)
			assert_int_equal(p.out[k], 0);
		raise_flag(HETCKPT_FLAG_RUN, HETCKPT_FLAG_RUN);
	}
}

/* Blocks that run side by side, in a slice of a grid: each looks at its own copy of the entry word. */
static void test_neighbours(void **state)
{
	const uint32_t size[3] = {150, 2, 1}, block[3] = {THREADS, 1, 1}, on = HETCKPT_FLAG_PAUSE, off = HETCKPT_FLAG_RUN;
	struct params p = {.out = harness_alloc(&h, 4 * 1000 * THREADS), .rounds = -1};
	uint8_t *unstarted = harness_alloc(&h, 1000);

	(void)state;
	p.launch.flags = (uintptr_t)flags;
	p.launch.unstarted = (uintptr_t)unstarted;
	p.launch.grid[0] = 250;
	p.launch.grid[1] = 4;
	p.launch.grid[2] = 1;
	p.launch.base[0] = 100;
	p.launch.base[1] = 1;
	for (uint32_t i = 0; i < HETCKPT_FLAG_LINES; i++)
		if (i % 11 == 5 || i % 32 == 7)
			assert_int_equal(h.ops->poke(h.device, (uintptr_t)flags + i * HETCKPT_FLAG_STRIDE + HETCKPT_FLAG_ENTRY,
			                             &on, 4, 1, &h.error), 0);
	/* Several times: how many run side by side depends on how long they took. */
	for (uint32_t turn = 1; turn <= 8; turn++) {
		memset(unstarted, 0, 1000);
		harness_launch(&h, harness_kernel(&h, "marks", HETCKPT_VARIANT_RUN), size, block, 0, &p, sizeof p);
		if (harness_wait(&h))
			fail_msg("%s", h.error.text);
		for (uint32_t b = 0; b < 1000; b++) {
			uint32_t line = b % HETCKPT_FLAG_LINES;
			bool in = b % 250 >= 100 && b / 250 >= 1 && b / 250 < 3, kept = line % 11 == 5 || line % 32 == 7;

			assert_int_equal(unstarted[b], in && kept);
			for (uint32_t t = 0; t < THREADS; t++)
				assert_int_equal(p.out[b * THREADS + t], in && !kept ? turn : 0);
		}
	}
	for (uint32_t i = 0; i < HETCKPT_FLAG_LINES; i++)
		assert_int_equal(h.ops->poke(h.device, (uintptr_t)flags + i * HETCKPT_FLAG_STRIDE + HETCKPT_FLAG_ENTRY,
		                             &off, 4, 1, &h.error), 0);
}

static void open_device(void)
{
	harness_open(&h, CPU_TEST_BITCODE "/pausing.bc", kernels, sizeof kernels / sizeof *kernels, NULL, NULL, 0);
	flags = harness_alloc(&h, HETCKPT_FLAG_BYTES);
}

/* The logical block is named that trapped, whichever of those that run side by side it is. */
static void test_trap(void **state)
{
	const uint32_t size[3] = {150, 2, 1}, block[3] = {THREADS, 1, 1};

	(void)state;
	for (uint32_t x = 144; x < 147; x++) {
		struct params p = {.out = harness_alloc(&h, 4 * 1000 * THREADS), .rounds = (int32_t)(250 + x)};
		char name[40];

		p.launch.flags = (uintptr_t)flags;
		p.launch.grid[0] = 250;
		p.launch.grid[1] = 4;
		p.launch.grid[2] = 1;
		p.launch.base[0] = 100;
		p.launch.base[1] = 1;
		harness_launch(&h, harness_kernel(&h, "marks", HETCKPT_VARIANT_RUN), size, block, 0, &p, sizeof p);
		assert_int_equal(harness_wait(&h), -EIO);
		snprintf(name, sizeof name, "block %u,1,0: trap", x);
		if (!strstr(h.error.text, name))
			fail_msg("%s", h.error.text);
		/* The device is no good any more. */
		harness_close(&h);
		open_device();
	}
}

static pthread_t raiser_thread;

static int setup(void **state)
{
	(void)state;
	open_device();
	return pthread_create(&raiser_thread, NULL, raiser, NULL);
}

static int teardown(void **state)
{
	(void)state;
	atomic_store(&raiser_stops, true);
	pthread_join(raiser_thread, NULL);
	harness_close(&h);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_warps),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_trap),
	};

	return cmocka_run_group_tests_name("cpu pause", tests, setup, teardown);
}
