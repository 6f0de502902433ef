/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "test.h"

#include <errno.h>

#include "fake.h"
#include "runtime/core/arena.h"
#include "runtime/core/heap.h"

#define BASE UINT64_C(0x200000000000)
#define BYTES ((uint64_t)1 << 24)
#define LIVE_MAX 512

struct model {
	uint64_t address[LIVE_MAX], bytes[LIVE_MAX];
	unsigned count;
};

static uint64_t room(uint64_t bytes)
{
	return (bytes + 255) / 256 * 256;
}

/* Inside, aligned, and apart from all others. */
static void check_place(const struct model *m, uint64_t address, uint64_t bytes, uint64_t align)
{
	assert_int_equal(address % (align < 256 ? 256 : align), 0);
	assert_true(address >= BASE && address + bytes <= BASE + BYTES);
	for (unsigned i = 0; i < m->count; i++)
		assert_true(address + room(bytes) <= m->address[i] || m->address[i] + room(m->bytes[i]) <= address);
}

/* The size of the largest hole, found the slow way. */
static uint64_t largest_hole(const struct hetckpt_arena *arena)
{
	const struct hetckpt_arena_allocation *list;
	uint64_t at = BASE, best = 0;
	size_t count;

	list = hetckpt_arena_list(arena, &count);
	for (size_t i = 0; i <= count; i++) {
		uint64_t end = i < count ? list[i].address : BASE + BYTES;

		best = end - at > best ? end - at : best;
		at = i < count ? list[i].address + list[i].room : end;
	}
	return best;
}

static void check_same(const struct hetckpt_arena *arena, const struct model *m)
{
	const struct hetckpt_arena_allocation *list;
	uint64_t used = 0;
	size_t count;

	list = hetckpt_arena_list(arena, &count);
	assert_int_equal(count, m->count);
	for (size_t i = 1; i < count; i++)
		assert_true(list[i - 1].address + list[i - 1].room <= list[i].address);
	for (unsigned i = 0; i < m->count; i++) {
		const struct hetckpt_arena_allocation *a = hetckpt_arena_at(arena, m->address[i]);

		assert_non_null(a);
		assert_int_equal(a->bytes, m->bytes[i]);
		assert_ptr_equal(hetckpt_arena_containing(arena, m->address[i] + m->bytes[i] - 1, 1), a);
		assert_null(hetckpt_arena_containing(arena, m->address[i], m->bytes[i] + 1));
		used += room(m->bytes[i]);
	}
	assert_int_equal(hetckpt_arena_used(arena), used);
}

static void random_use(void **state)
{
	uint64_t random = test_seed();

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct hetckpt_arena *arena = hetckpt_arena_create(BASE, BYTES), *copy;
		struct model m = {.count = 0};
		size_t count;

		for (int i = 0; i < 2000; i++) {
			uint64_t r = test_random(&random);

			if (r % 5 < 3 && m.count < LIVE_MAX) {
				uint64_t bytes = 1 + test_random(&random) % (r % 7 ? 20000 : 2000000);
				uint64_t align = (uint64_t)1 << test_random(&random) % 14, address = 0;
				uint64_t hole = largest_hole(arena);
				int rc = hetckpt_arena_alloc(arena, bytes, align, i, &address);

				if (rc) {
					/* Only for want of space. */
					assert_int_equal(rc, -ENOMEM);
					assert_true(room(bytes) + align > hole);
					continue;
				}
				check_place(&m, address, bytes, align);
				m.address[m.count] = address;
				m.bytes[m.count++] = bytes;
			} else if (m.count) {
				unsigned k = (unsigned)(test_random(&random) % m.count);

				/* Only by the address it was given at. */
				if (m.bytes[k] > 256)
					assert_int_equal(hetckpt_arena_free(arena, m.address[k] + 256), -EINVAL);
				assert_int_equal(hetckpt_arena_free(arena, m.address[k]), 0);
				m.count--;
				m.address[k] = m.address[m.count];
				m.bytes[k] = m.bytes[m.count];
			}
			if (i % 100 == 0)
				check_same(arena, &m);
		}
		check_same(arena, &m);

		/* The list recreates it exactly: the same requests get the same addresses. */
		const struct hetckpt_arena_allocation *list = hetckpt_arena_list(arena, &count);

		copy = hetckpt_arena_create(BASE, BYTES);
		for (size_t i = 0; i < count; i++) {
			const struct hetckpt_arena_allocation *a = &list[(i * 7919) % count];

			/* 7919 is prime: each once, in another order, unless it divides count. */
			if (count % 7919)
				assert_int_equal(hetckpt_arena_claim(copy, a->address, a->bytes, a->tag), 0);
		}
		check_same(copy, &m);
		for (int i = 0; i < 50; i++) {
			uint64_t bytes = 1 + test_random(&random) % 30000, one = 0, two = 0;

			assert_int_equal(hetckpt_arena_alloc(arena, bytes, 0, 0, &one),
			                 hetckpt_arena_alloc(copy, bytes, 0, 0, &two));
			assert_int_equal(one, two);
		}
		/* When all is given back there is one hole again. */
		while (list = hetckpt_arena_list(arena, &count), count)
			assert_int_equal(hetckpt_arena_free(arena, list[count / 2].address), 0);
		assert_int_equal(largest_hole(arena), BYTES);
		assert_int_equal(hetckpt_arena_claim(arena, BASE, BYTES, 0), 0);
		hetckpt_arena_destroy(arena);
		hetckpt_arena_destroy(copy);
	}
}

static void refusals(void **state)
{
	struct hetckpt_arena *arena = hetckpt_arena_create(BASE, BYTES);
	uint64_t address;

	(void)state;
	assert_int_equal(hetckpt_arena_claim(arena, BASE + 256, 1000, 0), 0);
	assert_int_equal(hetckpt_arena_claim(arena, BASE + 256, 1, 0), -EEXIST);
	assert_int_equal(hetckpt_arena_claim(arena, BASE + 1024, 1, 0), -EEXIST);
	assert_int_equal(hetckpt_arena_claim(arena, BASE, 257, 0), -EEXIST);
	assert_int_equal(hetckpt_arena_claim(arena, BASE, 256, 0), 0);
	assert_int_equal(hetckpt_arena_claim(arena, BASE + 1280, 100, 0), 0);
	assert_int_equal(hetckpt_arena_claim(arena, BASE + 100, 1, 0), -EINVAL);
	assert_int_equal(hetckpt_arena_claim(arena, BASE - 256, 256, 0), -EINVAL);
	assert_int_equal(hetckpt_arena_claim(arena, BASE + BYTES - 256, 257, 0), -EINVAL);
	assert_int_equal(hetckpt_arena_claim(arena, BASE + BYTES, 1, 0), -EINVAL);
	assert_int_equal(hetckpt_arena_claim(arena, BASE + BYTES - 256, 0, 0), -EINVAL);
	assert_int_equal(hetckpt_arena_claim(arena, UINT64_MAX - 255, 1000, 0), -EINVAL);
	assert_int_equal(hetckpt_arena_claim(arena, BASE + 4096, UINT64_MAX - 100, 0), -EINVAL);
	assert_int_equal(hetckpt_arena_alloc(arena, UINT64_MAX - 100, 0, 0, &address), -ENOMEM);
	assert_int_equal(hetckpt_arena_alloc(arena, 16, UINT64_C(1) << 63, 0, &address), -ENOMEM);
	assert_int_equal(hetckpt_arena_alloc(arena, 0, 0, 0, &address), -EINVAL);
	assert_int_equal(hetckpt_arena_alloc(arena, 16, 3, 0, &address), -EINVAL);
	assert_int_equal(hetckpt_arena_free(arena, BASE + 4096), -EINVAL);
	hetckpt_arena_destroy(arena);
}

static void ignore(void *context)
{
	(void)context;
}

/* Every byte of every allocation can be written, nothing stays mapped. */
static void backed(void **state)
{
	struct hetckpt_backend_host host = {0};
	struct hetckpt_error error = {0};
	struct hetckpt_heap heap;
	struct hetckpt_dev dev;
	uint64_t random = test_seed(), address[64] = {0}, bytes[64];

	(void)state;
	fake_reset();
	fake.memory = (uint64_t)64 << 20;
	host.completed = ignore;
	assert_int_equal(hetckpt_dev_open(&dev, &fake_backend, 0, BASE, &host, &error), 0);
	assert_int_equal(hetckpt_heap_init(&heap, &dev, BASE, (uint64_t)1 << 30, &error), 0);
	for (int i = 0; i < 3000; i++) {
		unsigned k = (unsigned)(test_random(&random) % 64);

		if (address[k]) {
			for (uint64_t b = 0; b < bytes[k]; b += 4096)
				assert_int_equal(((unsigned char *)(uintptr_t)address[k])[b], k);
			assert_int_equal(hetckpt_heap_free(&heap, address[k], &error), 0);
			address[k] = 0;
			continue;
		}
		bytes[k] = 1 + test_random(&random) % 6000000;
		if (hetckpt_heap_alloc(&heap, bytes[k], 0, 0, &address[k], &error)) {
			assert_int_equal(error.code, -ENOMEM);
			address[k] = 0;
			hetckpt_heap_trim(&heap);
			continue;
		}
		memset((void *)(uintptr_t)address[k], (int)k, bytes[k]);
	}
	for (unsigned k = 0; k < 64; k++)
		if (address[k])
			assert_int_equal(hetckpt_heap_free(&heap, address[k], &error), 0);
	hetckpt_heap_trim(&heap);
	/* What is in the way is named, and nothing is half taken. */
	fake.taken = BASE + ((uint64_t)512 << 20) + 4096;
	assert_int_equal(hetckpt_heap_claim(&heap, BASE + ((uint64_t)512 << 20), 8192, 0, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, "0x200020001000"));
	fake.taken = 0;
	hetckpt_heap_trim(&heap);
	assert_int_equal(hetckpt_heap_claim(&heap, BASE + ((uint64_t)512 << 20), 8192, 0, &error), 0);
	hetckpt_heap_destroy(&heap);
	hetckpt_dev_close(&dev); /* aborts if anything is left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_use),
		cmocka_unit_test(refusals),
		cmocka_unit_test(backed),
	};

	return cmocka_run_group_tests_name("core arena", tests, NULL, NULL);
}
