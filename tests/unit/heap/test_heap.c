/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The allocator of kernels (passes/heap/heap.h) on the host: by itself, and with many threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static _Thread_local uint32_t me;

#define HEAP_GLOBAL
#define HEAP_STRIPE (me % HETCKPT_HEAP_STRIPES)
#define HEAP_STEP (1 + me % 16)
#include "heap/heap.h"
#include "runtime/core/device_heap.h"

static void *memory;

static heap_t *heap_new(uint64_t limit)
{
	struct hetckpt_device_heap head;
	uint64_t bytes = hetckpt_device_heap_layout(0, limit, &head);
	heap_t *h;

	free(memory);
	memory = aligned_alloc(1 << 20, (bytes + (1 << 20) - 1) & ~(uint64_t)((1 << 20) - 1));
	assert_non_null(memory);
	h = memory;
	assert_true(hetckpt_device_heap_layout((uintptr_t)h, limit, &head) == bytes);
	/* Pages hold anything. */
	memset(h, 0xa5, bytes);
	memset(h, 0, head.data - (uintptr_t)h);
	memcpy(h, &head, offsetof(struct hetckpt_device_heap, hint));
	return h;
}

/* All pages are free, and nobody is in the middle of anything. */
static void check_empty(const heap_t *h)
{
	for (uint32_t i = 0; i < h->pages; i++)
		assert_int_equal(*heap_state(h, i), 0);
	for (uint64_t i = 0; i < ((uint64_t)h->pages << h->page_shift) / 512; i++)
		assert_int_equal(((uint32_t *)h->bits)[i], 0);
	assert_int_equal(h->taking % HETCKPT_HEAP_GAVE_UP, 0);
}

static void test_classes(void **state)
{
	(void)state;
	for (uint64_t bytes = 1; bytes <= 1 << 19; bytes += bytes < 5000 ? 1 : 997) {
		uint32_t c = heap_class(bytes, 16);

		assert_in_range(c, 1, HETCKPT_HEAP_CLASSES);
		assert_true(heap_class_bytes(c) >= bytes);
		assert_true(c == 1 || heap_class_bytes(c - 1) < bytes);
		for (uint64_t align = 32; align <= 4096; align *= 2) {
			uint64_t room = heap_class_bytes(heap_class(bytes, align));

			assert_true(room >= bytes && room % align == 0 && (room & (room - 1)) == 0);
		}
	}
}

static void test_layout(void **state)
{
	static const uint64_t limits[] = {0, 1, 4096, 4097, 8 << 20, 100 << 20, (uint64_t)1 << 30, (uint64_t)100 << 30};
	const uint64_t base = (uint64_t)1 << 44;

	(void)state;
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct hetckpt_device_heap h;
		uint64_t bytes = hetckpt_device_heap_layout(base, limits[i], &h), page = (uint64_t)1 << h.page_shift;

		assert_true(h.pages * page >= limits[i] && h.pages && h.data % page == 0);
		assert_true(h.states >= base + sizeof h && h.bits >= h.states + 4 * h.pages);
		assert_true(h.data >= h.bits + h.pages * (page / 128) && base + bytes == h.data + h.pages * page);
		assert_true(h.page_shift == HETCKPT_HEAP_PAGE_SHIFT_MAX || h.pages <= 4096);
	}
}

/* Blocks do not overlap, have their alignment, and come back. */
static void test_alone(void **state)
{
	heap_t *h = heap_new(8 << 20);
	uint64_t p[3000], first;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3000; i++) {
			uint64_t bytes = (uint64_t)(i * 37 % 2500) + 1, align = (uint64_t)16 << i % 9;

			p[i] = heap_malloc(h, bytes, align);
			assert_true(p[i] && p[i] % align == 0 && p[i] >= h->data);
			memset((void *)p[i], i, bytes);
		}
		for (int i = 0; i < 3000; i++) {
			uint64_t bytes = (uint64_t)(i * 37 % 2500) + 1;

			for (uint64_t k = 0; k < bytes; k++)
				assert_int_equal(((unsigned char *)p[i])[k], i & 255);
		}
		for (int i = 0; i < 3000; i++)
			heap_free(h, p[i * 7 % 3000]);
		check_empty(h);
	}
	/* What is no block is let be; a block is given back once. */
	first = heap_malloc(h, 100, 16);
	heap_free(h, first + 16);
	heap_free(h, 0);
	heap_free(h, h->data + ((uint64_t)h->pages << h->page_shift));
	heap_free(h, first);
	heap_free(h, first);
	check_empty(h);
	assert_true(heap_malloc(h, 0, 16));
}

static void test_exhausted(void **state)
{
	heap_t *h = heap_new(1 << 20);
	static uint64_t p[1 << 16];
	int count = 0;

	(void)state;
	while ((p[count] = heap_malloc(h, 16, 16)))
		count++;
	assert_int_equal(count, 1 << 16);
	assert_true(!heap_malloc(h, 1, 16) && !heap_malloc(h, 5000, 16) && !heap_malloc(h, UINT64_MAX - 7, 16));
	heap_free(h, p[777]);
	assert_true(!heap_malloc(h, 17, 16));
	assert_true(heap_malloc(h, 16, 16) == p[777]);
	for (int i = 0; i < count; i++)
		heap_free(h, p[i]);
	check_empty(h);
	/* One block may be all there is. */
	p[0] = heap_malloc(h, 1 << 20, 16);
	assert_true(p[0] == h->data && !heap_malloc(h, 1, 16));
	heap_free(h, p[0]);
	/* Runs beside each other, a hole in which one fits again, and alignment beyond a page. */
	for (int i = 0; i < 25; i++)
		assert_true(p[i] = heap_malloc(h, 40000, 16));
	assert_true(!heap_malloc(h, 40000, 16));
	heap_free(h, p[11]);
	assert_true(heap_malloc(h, 40000, 16) == p[11]);
	for (int i = 0; i < 25; i++)
		heap_free(h, p[i]);
	p[0] = heap_malloc(h, 100, 65536);
	p[1] = heap_malloc(h, 200000, 131072);
	assert_true(p[0] && p[0] % 65536 == 0 && p[1] && p[1] % 131072 == 0);
	heap_free(h, p[0]);
	heap_free(h, p[1]);
	check_empty(h);
}

/* ---- Many at once ------------------------------------------------------- */

#define THREADS 16
#define SLOTS 64

struct job {
	pthread_t thread;
	heap_t *h;
	uint32_t number, largest, rounds;
	uint64_t failed;
};

/* Blocks that one thread has made and another frees. */
static _Atomic uint64_t handed[THREADS * 4];

static void give(heap_t *h, uint64_t block)
{
	uint64_t *p = (void *)block, bytes = p[0];

	for (uint64_t i = 1; i < bytes / 8; i++)
		if (p[i] != block + i)
			abort();
	p[0] = 0;
	heap_free(h, block);
}

static void *work(void *argument)
{
	struct job *job = argument;
	uint64_t own[SLOTS] = {0}, random = job->number + 1;

	me = job->number;
	for (uint32_t round = 0; round < job->rounds; round++) {
		uint64_t bytes, block, *p;
		uint32_t slot;

		random = random * 6364136223846793005u + 1442695040888963407u;
		slot = (uint32_t)(random >> 33) % SLOTS;
		if (own[slot])
			give(job->h, own[slot]);
		own[slot] = 0;
		bytes = ((random >> 40) % job->largest + 16) & ~(uint64_t)7;
		block = heap_malloc(job->h, bytes, 16);
		if (!block) {
			job->failed++;
			continue;
		}
		p = (void *)block;
		p[0] = bytes;
		for (uint64_t i = 1; i < bytes / 8; i++)
			p[i] = block + i;
		if (random >> 63) {
			own[slot] = block;
			continue;
		}
		block = atomic_exchange(&handed[(random >> 50) % (THREADS * 4)], block);
		if (block)
			give(job->h, block);
	}
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		if (own[slot])
			give(job->h, own[slot]);
	return NULL;
}

/* The most of failed allocations of a thread. */
static uint64_t together(uint64_t limit, uint32_t largest, uint32_t rounds)
{
	heap_t *h = heap_new(limit);
	struct job job[THREADS];
	uint64_t failed = 0;

	for (uint32_t i = 0; i < THREADS; i++) {
		job[i] = (struct job){.h = h, .number = i, .largest = largest, .rounds = rounds};
		assert_int_equal(pthread_create(&job[i].thread, NULL, work, &job[i]), 0);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(job[i].thread, NULL);
		failed += job[i].failed;
	}
	for (size_t i = 0; i < THREADS * 4; i++) {
		uint64_t block = atomic_exchange(&handed[i], 0);

		if (block)
			give(h, block);
	}
	check_empty(h);
	return failed;
}

static void test_together(void **state)
{
	(void)state;
	/* Room for all that is ever held. */
	assert_int_equal(together(64 << 20, 300, 20000), 0);
	assert_int_equal(together(256 << 20, 40000, 2000), 0);
	/* Not for all, not even for one. */
	assert_true(together(256 << 10, 16000, 20000) > 0);
	assert_true(together(2 << 20, 100000, 3000) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes), cmocka_unit_test(test_layout), cmocka_unit_test(test_alone),
		cmocka_unit_test(test_exhausted), cmocka_unit_test(test_together),
	};
	int failed = cmocka_run_group_tests_name("heap", tests, NULL, NULL);

	free(memory);
	return failed;
}
