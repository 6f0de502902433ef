/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * heap.h - malloc and free of kernels, in the session's memory (struct hetckpt_device_heap).
 *
 * The one implementation of all targets: part of support.c of the CPU target, and of heap.c,
 * which the pass links into NVIDIA's code. What one has allocated another can free, for all there
 * is lies in memory that moves with the session.
 *
 * A page is free, or a slab of blocks of one size class, or part of a run of pages that is one block.
 * Slabs are found from the bottom up, runs from the top down. Who holds a page is in its state
 * word: what it is, and a count.
 *
 *   malloc in a slab  count + 1, which keeps the page what it is; then a bit of its bitmap, which is
 *                     the block. No bit left: count - 1, and on to the next page
 *   free in a slab    the bit, then count - 1; whoever makes it 0 makes the page free
 *   a page for a slab compare-and-swap of its word from free, with count 1
 *   a run             compare-and-swap of the words of its pages one after the other; if one has
 *                     gone meanwhile, those before it are given back
 *
 * The bitmap alone says what is allocated: a count may be too high for a moment, by threads that look
 * for a bit in vain, or that came for a page that has become something else. They change the count by additions
 * only, and so does everybody whose page it may be, so none is lost.
 *
 * No thread waits for another, but for one case: who finds no place while another is taking a
 * run, or after one has given pages back, looks again, for the pages that were held may be free. Threads that take a
 * run are inside this function and come out of it by themselves: on GPUs, where threads make
 * progress each for itself (sm_70 and later), and on the CPU, where an allocation is never left
 * in the middle for another thread of the block.
 *
 * Nor does a pause see an allocation in the middle: kernels are cut into safepoints while these
 * functions are still calls of a name (transform/DeviceHeap.cpp), so none has a poll, and a block parks
 * before a call or after it.
 *
 * Order: who frees a block has written to it, and these writes must not come after those of who gets it next: a
 * fence before a bit goes, and after it comes. A page whose word says that it is free has an empty bitmap:
 * a fence before the word says so, and after it has been read.
 *
 * The includer defines HEAP_GLOBAL (the address space of device memory), HEAP_STRIPE (a number below
 * HETCKPT_HEAP_STRIPES that threads which run side by side do not share, as far as can be) and HEAP_STEP (a
 * small number, another one for neighbours).
 */
#ifndef HETCKPT_HEAP_HEAP_H
#define HETCKPT_HEAP_HEAP_H

#include <hetckpt/device_heap.h>
#include <stdbool.h>
#include <stdint.h>

typedef HEAP_GLOBAL struct hetckpt_device_heap heap_t;
typedef HEAP_GLOBAL uint32_t heap_word;

/* A page's word: the kind in the high byte, the count below. Kinds 1 to HETCKPT_HEAP_CLASSES are slabs
   of that class. */
#define HEAP_KIND_SHIFT 24
#define HEAP_COUNT 0xffffffu
#define HEAP_FREE 0u
#define HEAP_RUN 0xffu

static inline uint32_t heap_load(const heap_word *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline uint32_t heap_add(heap_word *p, uint32_t n)
{
	return __atomic_fetch_add(p, n, __ATOMIC_RELAXED);
}

static inline void heap_fence(void)
{
	__atomic_thread_fence(__ATOMIC_ACQ_REL);
}

static inline bool heap_swap(heap_word *p, uint32_t *old, uint32_t new)
{
	return __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static inline heap_word *heap_state(const heap_t *h, uint32_t page)
{
	return (heap_word *)h->states + page;
}

/* A bit for each unit of 16 bytes, of which a slab of larger blocks uses the first ones. */
static inline heap_word *heap_bits(const heap_t *h, uint32_t page)
{
	return (heap_word *)h->bits + ((uint64_t)page << (h->page_shift - 9));
}

/* ---- Size classes: 1, 2, 3, 4, 6, 8, 12, 16 ... units ----------------------- */

static inline uint64_t heap_class_bytes(uint32_t class)
{
	return class == 1 ? 16 : class & 1 ? (uint64_t)48 << (class - 3) / 2 : (uint64_t)16 << class / 2;
}

/* Of power-of-two classes all blocks lie at multiples of their size. */
static inline uint32_t heap_class(uint64_t bytes, uint64_t align)
{
	uint64_t units = ((bytes > align ? bytes : align) + 15) / 16;
	uint32_t log = units > 1 ? 64 - (uint32_t)__builtin_clzll(units - 1) : 0;

	if (!log)
		return 1;
	return align <= 16 && log > 1 && units <= (uint64_t)3 << (log - 2) ? 2 * log - 1 : 2 * log;
}

/* ---- Slabs ------------------------------------------------------------------- */

/* Counts a thread out of a page that is a slab, or was. */
static inline void heap_leave(const heap_t *h, uint32_t page)
{
	uint32_t now = heap_add(heap_state(h, page), -1u) - 1;

	if ((now & HEAP_COUNT) || now >> HEAP_KIND_SHIFT == HEAP_RUN)
		return;
	/* It fails if somebody has come meanwhile, who will see to it. */
	heap_swap(heap_state(h, page), &now, HEAP_FREE);
}

/* A block of a slab that this thread is counted in: its number, or -1 if there is none. */
static inline int32_t heap_take_bit(const heap_t *h, uint32_t page, uint32_t blocks, uint32_t from)
{
	heap_word *bits = heap_bits(h, page);
	uint32_t words = (blocks + 31) / 32, w = from % blocks / 32;

	for (uint32_t i = 0; i < words; i++, w = w + 1 < words ? w + 1 : 0) {
		uint32_t valid = w + 1 < words || blocks % 32 == 0 ? ~0u : (1u << blocks % 32) - 1;
		uint32_t left = ~heap_load(&bits[w]) & valid;

		while (left) {
			uint32_t bit = left & -left;
			uint32_t old = __atomic_fetch_or(&bits[w], bit, __ATOMIC_RELAXED);

			if (!(old & bit))
				return (int32_t)(w * 32 + (uint32_t)__builtin_ctz(bit));
			left = ~old & valid;
		}
	}
	return -1;
}

static inline bool heap_has_bit(const heap_t *h, uint32_t page, uint32_t blocks)
{
	const heap_word *bits = heap_bits(h, page);
	uint32_t whole = blocks / 32, rest = blocks % 32;

	for (uint32_t w = 0; w < whole; w++)
		if (heap_load(&bits[w]) != ~0u)
			return true;
	return rest && ~heap_load(&bits[whole]) & ((1u << rest) - 1);
}

/* Counts this thread into a page as a slab of the class; *count: how many were in it. False: it is
   something else. */
static inline bool heap_enter(const heap_t *h, uint32_t page, uint32_t class, uint32_t seen, uint32_t *count)
{
	while (seen >> HEAP_KIND_SHIFT == HEAP_FREE)
		if (heap_swap(heap_state(h, page), &seen, (seen | class << HEAP_KIND_SHIFT) + 1)) {
			*count = 0;
			heap_fence();
			return true;
		}
	if (seen >> HEAP_KIND_SHIFT != class)
		return false;
	seen = heap_add(heap_state(h, page), 1);
	*count = seen & HEAP_COUNT;
	heap_fence();
	if (seen >> HEAP_KIND_SHIFT == class)
		return true;
	heap_leave(h, page);
	return false;
}

/*
 * Looks through all pages, from where the stripe found a block last. Threads that find a page
 * full by the time that they are in it go on by steps of different lengths, so that they do not all
 * meet at the next one, too. A count that says that a slab is full may be too high: thorough asks the bitmap.
 */
static inline uint64_t heap_find_block(heap_t *h, uint32_t class, bool thorough)
{
	uint64_t bytes = heap_class_bytes(class);
	uint32_t blocks = (uint32_t)(((uint64_t)1 << h->page_shift) / bytes);
	heap_word *hint = &h->hint[class - 1][HEAP_STRIPE];
	uint32_t page = heap_load(hint), step = thorough ? 1 : HEAP_STEP;

	if (!page)
		page = HEAP_STRIPE;
	for (uint32_t looked = 0; looked < h->pages;) {
		uint32_t seen, kind, count;
		int32_t block;

		page = page < h->pages ? page : page % h->pages;
		seen = heap_load(heap_state(h, page));
		kind = seen >> HEAP_KIND_SHIFT;
		if ((kind == class && (thorough ? heap_has_bit(h, page, blocks) : (seen & HEAP_COUNT) < blocks)) ||
		    kind == HEAP_FREE) {
			if (heap_enter(h, page, class, seen, &count)) {
				block = heap_take_bit(h, page, blocks, count);
				if (block >= 0) {
					if (heap_load(hint) != page)
						__atomic_store_n(hint, page, __ATOMIC_RELAXED);
					return h->data + ((uint64_t)page << h->page_shift) + (uint64_t)block * bytes;
				}
				heap_leave(h, page);
			}
			looked += step;
			page += step;
		} else {
			looked++;
			page++;
		}
	}
	return 0;
}

/* ---- Runs --------------------------------------------------------------------- */

static inline void heap_give_pages(const heap_t *h, uint32_t first, uint32_t pages)
{
	for (uint32_t i = 0; i < pages; i++)
		heap_add(heap_state(h, first + i), -(HEAP_RUN << HEAP_KIND_SHIFT));
}

/* Takes free pages from first on; how many of them it got before one was not. */
static inline uint32_t heap_take_pages(const heap_t *h, uint32_t first, uint32_t pages)
{
	for (uint32_t i = 0; i < pages; i++) {
		uint32_t seen = heap_load(heap_state(h, first + i));

		do
			if (seen >> HEAP_KIND_SHIFT != HEAP_FREE)
				return i;
		while (!heap_swap(heap_state(h, first + i), &seen, seen | HEAP_RUN << HEAP_KIND_SHIFT));
	}
	return pages;
}

static inline uint64_t heap_find_run(heap_t *h, uint32_t pages, uint64_t align)
{
	uint64_t page_bytes = (uint64_t)1 << h->page_shift;
	/* What the number of the first page, counted from address 0, is a multiple of. */
	uint32_t apart = align > page_bytes ? (uint32_t)(align >> h->page_shift) : 1;
	uint32_t end = h->pages;

	while (end >= pages) {
		uint32_t first = end - pages, page, got;

		first -= (uint32_t)(((h->data >> h->page_shift) + first) & (apart - 1));
		if (first > end - pages) /* below the first page */
			return 0;
		page = first + pages;
		while (page > first && heap_load(heap_state(h, page - 1)) >> HEAP_KIND_SHIFT == HEAP_FREE)
			page--;
		if (page > first) {
			end = page - 1;
			continue;
		}
		heap_add(&h->taking, 1);
		got = heap_take_pages(h, first, pages);
		if (got == pages) {
			heap_fence();
			*heap_bits(h, first) = pages;
			heap_add(&h->taking, -1u);
			return h->data + first * page_bytes;
		}
		heap_give_pages(h, first, got);
		heap_add(&h->taking, HETCKPT_HEAP_GAVE_UP - 1);
		end = first + got;
	}
	return 0;
}

/* ---- malloc and free -------------------------------------------------------------- */

/* align: a power of two. 0: no memory. */
static inline uint64_t heap_malloc(heap_t *h, uint64_t bytes, uint64_t align)
{
	uint64_t page_bytes = (uint64_t)1 << h->page_shift, found;
	uint32_t before;

	bytes += !bytes;
	if (bytes > page_bytes * h->pages || align > page_bytes * h->pages)
		return 0;
	do {
		before = heap_load(&h->taking);
		if (bytes > page_bytes / 2 || align > page_bytes / 2) {
			found = heap_find_run(h, (uint32_t)((bytes + page_bytes - 1) >> h->page_shift), align);
		} else {
			uint32_t class = heap_class(bytes, align);

			found = heap_find_block(h, class, false);
			if (!found)
				found = heap_find_block(h, class, true);
		}
		/* Pages that were held when they were looked at may be free. */
	} while (!found && (before % HETCKPT_HEAP_GAVE_UP || heap_load(&h->taking) != before));
	heap_fence();
	return found;
}

/* What is no block of this heap, or is free already, is let be. */
static inline void heap_free(heap_t *h, uint64_t address)
{
	uint64_t at = address - h->data, bytes;
	uint32_t page = (uint32_t)(at >> h->page_shift), kind, block;

	if (address < h->data || at >> h->page_shift >= h->pages)
		return;
	at &= ((uint64_t)1 << h->page_shift) - 1;
	kind = heap_load(heap_state(h, page)) >> HEAP_KIND_SHIFT;
	heap_fence();
	if (kind == HEAP_RUN) {
		/* Its length lies in the bitmap of its first page; others have 0 there. */
		uint32_t pages = at ? 0 : __atomic_exchange_n(heap_bits(h, page), 0, __ATOMIC_RELAXED);

		heap_fence();
		heap_give_pages(h, page, pages);
		return;
	}
	if (kind == HEAP_FREE)
		return;
	bytes = heap_class_bytes(kind);
	block = (uint32_t)(at / bytes);
	if (at % bytes == 0 &&
	    __atomic_fetch_and(&heap_bits(h, page)[block / 32], ~(1u << block % 32), __ATOMIC_RELAXED) & 1u << block % 32) {
		heap_fence();
		heap_leave(h, page);
	}
}

#endif
