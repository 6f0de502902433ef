/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * support.c - the vocabulary's functions on a CPU.
 *
 * Compiled to LLVM bitcode for plain x86-64 and linked into every translated module,
 * which optimises it for its own machine. Freestanding: what is used of libm is
 * declared below. Names are those of docs/portable-image.md; __hetckpt_cpu_* take the
 * block in front.
 *
 * support_float.h has rounding modes, conversions and, from exact/approximate.h, approximate
 * instructions,
 * support_bits.h operations on bits and bytes,
 * heap/heap.h the device heap,
 * support_combine.h atomic additions that are collected,
 * support_pace.h how long strips are,
 * support_libcalls.h what code generation itself may call.
 */
#include <hetckpt/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN(name) __hetckpt_nvvm_##name

/* Threads of the machine have stacks of 32 MiB. */
#define HEAP_GLOBAL
#define HEAP_STRIPE ((uint32_t)((uintptr_t)__builtin_frame_address(0) >> 25) % HETCKPT_HEAP_STRIPES)
#define HEAP_STEP 1u

#include "heap/heap.h"

#include "support_bits.h"
#include "support_combine.h"
#include "support_float.h"
#include "support_libcalls.h"
#include "support_pace.h"

/* ---- Services of the runtime ------------------------------------------- */

int32_t __hetckpt_cpu_vprintf(struct hetckpt_cpu_block *b, const char *format, const void *arguments);
int32_t __hetckpt_cpu_vprintf(struct hetckpt_cpu_block *b, const char *format, const void *arguments)
{
	return b->services->print(b, format, arguments);
}

void __hetckpt_cpu_assertfail(struct hetckpt_cpu_block *b, uint32_t tid, const char *message,
			      const char *file, uint32_t line, const char *function,
			      uint64_t charsize);
void __hetckpt_cpu_assertfail(struct hetckpt_cpu_block *b, uint32_t tid, const char *message,
			      const char *file, uint32_t line, const char *function,
			      uint64_t charsize)
{
	(void)charsize;
	b->services->assertfail(b, tid, message, file, line, function);
}

/* ---- For the loop over threads (Threads.cpp) ------------------------------ */

/* In steps without a way out, for vectors. */
#define ALIKE(name, type)                                                    \
	static uint32_t name(const type *word, uint32_t n)                   \
	{                                                                    \
		uint32_t i = 0;                                              \
                                                                             \
		for (; n - i >= 32; i += 32) {                               \
			type differ = 0;                                     \
                                                                             \
			for (uint32_t k = 0; k < 32; k++)                    \
				differ |= word[i + k] ^ word[0];             \
			if (differ)                                          \
				break;                                       \
		}                                                            \
		while (i < n && word[i] == word[0])                          \
			i++;                                                 \
		return i;                                                    \
	}
ALIKE(alike_4, uint32_t)
ALIKE(alike_8, uint64_t)

/* How many of the n elements of bytes bytes at p, from the first on, equal the first. */
uint32_t __hetckpt_cpu_alike(const void *p, uint32_t n, uint32_t bytes);
uint32_t __hetckpt_cpu_alike(const void *p, uint32_t n, uint32_t bytes)
{
	const unsigned char *at = p;
	uint32_t i;

	if (bytes == 4)
		return alike_4(p, n);
	if (bytes == 8)
		return alike_8(p, n);
	for (i = 1; i < n; i++)
		for (uint32_t k = 0; k < bytes; k++)
			if (at[i * bytes + k] != at[k])
				return i;
	return n;
}

/* Sets n words to value. */
void __hetckpt_cpu_fill(uint32_t *word, uint32_t n, uint32_t value);
void __hetckpt_cpu_fill(uint32_t *word, uint32_t n, uint32_t value)
{
	for (uint32_t i = 0; i < n; i++)
		word[i] = value;
}

/* Index of the first of n words that is value; n if there is none. In steps without a way out,
   for vectors: there is none as a rule, which settle() asks for each time that a loop has ended. */
uint32_t __hetckpt_cpu_find(const uint32_t *word, uint32_t n, uint32_t value);
uint32_t __hetckpt_cpu_find(const uint32_t *word, uint32_t n, uint32_t value)
{
	uint32_t i = 0;

	for (; n - i >= 32; i += 32) {
		uint32_t found = 0;

		for (uint32_t k = 0; k < 32; k++)
			found |= word[i + k] == value;
		if (found)
			break;
	}
	while (i < n && word[i] != value)
		i++;
	return i;
}

/* How many of the n words, from the first on, are value. Not inlined, for whether a loop has
   become vector code is seen from its function (Compile.cpp). */
__attribute__((noinline)) uint32_t __hetckpt_cpu_count(const uint32_t *word, uint32_t n, uint32_t value);
uint32_t __hetckpt_cpu_count(const uint32_t *word, uint32_t n, uint32_t value)
{
	uint32_t i = 0, differ = 0;

	for (uint32_t k = 0; k < n; k++)
		differ |= word[k] ^ value;
	if (!differ)
		return n;
	while (word[i] == value)
		i++;
	return i;
}

typedef uint32_t loops_fn(struct hetckpt_cpu_block *b, uint32_t site, uint32_t first, uint32_t count);

/* The lowest number of a cut among the states. ~0: there is none. */
static uint32_t lowest_cut(const uint32_t *state, uint32_t n, uint32_t first_cut, uint32_t cuts)
{
	uint32_t lowest = ~0u;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t v = state[i] - first_cut < cuts ? state[i] : ~0u;

		lowest = v < lowest ? v : lowest;
	}
	return lowest;
}

/* What a pass reads that others write, the pause flag, is not known from the pass before. */
#define LOOK_ANEW() __asm__ volatile("" ::: "memory")

/* Has those of n threads from first on that are at the cut site of a loop's header go on, by
   masked, until they have left the loop. Returns where they all are, or HETCKPT_CPU_MIXED. */
typedef uint32_t rest_fn(struct hetckpt_cpu_block *b, uint32_t first, uint32_t count);
__attribute__((noinline)) uint32_t __hetckpt_cpu_settle(struct hetckpt_cpu_block *b, uint32_t first,
							uint32_t n, rest_fn *masked, uint32_t site);
uint32_t __hetckpt_cpu_settle(struct hetckpt_cpu_block *b, uint32_t first, uint32_t n, rest_fn *masked,
			      uint32_t site)
{
	const uint32_t *state = b->state + first;
	uint32_t any = 0, all = ~0u;

	while (__hetckpt_cpu_find(state, n, site) < n) {
		LOOK_ANEW();
		masked(b, first, n);
	}
	for (uint32_t i = 0; i < n; i++) {
		any |= state[i];
		all &= state[i];
	}
	return any == all ? any : HETCKPT_CPU_MIXED;
}

/*
 * hetckpt_cpu_function.run of a function with cuts: goes on from those, until every thread is
 * at a site or has ended. Threads that part, because they leave a loop at different
 * times, wait behind it: the lowest cut goes first, and a loop's own is lower than those
 * behind it. So threads at one cut have the same past, as lanes of a GPU have that
 * converge after a loop. If the range was not together to begin with, threads go one by
 * one.
 *
 * Passes at the cuts in combining, a bit each, collect additions (support_combine.h), which go to memory before
 * threads go on anywhere else but from the cuts in keeping. They find the table by a word behind the threads' frames.
 * At the cuts in pacing strips begin whose length is measured.
 */
uint32_t __hetckpt_cpu_drive(struct hetckpt_cpu_block *b, uint32_t site, uint32_t first, uint32_t count,
			     loops_fn *loops, loops_fn *masked, uint32_t first_cut, uint32_t cuts,
			     uint32_t sites, uint64_t combining, uint64_t keeping, uint64_t word,
			     uint64_t pacing);
uint32_t __hetckpt_cpu_drive(struct hetckpt_cpu_block *b, uint32_t site, uint32_t first, uint32_t count,
			     loops_fn *loops, loops_fn *masked, uint32_t first_cut, uint32_t cuts,
			     uint32_t sites, uint64_t combining, uint64_t keeping, uint64_t word,
			     uint64_t pacing)
{
	uint32_t *state = b->state + first;
	uint32_t r;
	const struct combining c = {combining, keeping};
	struct combined k;
	struct pacing p;

	pace_begin(&p, b, pacing, count);
	combine_begin(&k, c, (struct combiner **)(b->frames + b->threads * word));
	r = loops(b, site, first, count);
	for (;;) {
		uint32_t cut;

		while (r - first_cut < cuts) {
			LOOK_ANEW();
			cut = r - first_cut;
			combine_at(&k, c, cut);
			pace_met(&p, b, cut);
			r = loops(b, r, first, count);
			pace_passed(&p, b, cut);
			combine_passed(&k, c, count);
		}
		if (r != HETCKPT_CPU_MIXED || !b->together)
			break;
		cut = lowest_cut(state, count, first_cut, cuts);
		if (cut == ~0u)
			break;
		LOOK_ANEW();
		combine_at(&k, c, cut - first_cut);
		r = masked(b, cut, first, count);
		combine_passed(&k, c, count);
	}
	combine_at(&k, c, COMBINE_NOWHERE);
	if (r != HETCKPT_CPU_MIXED)
		return r;
	if (!b->together) {
		uint32_t any = 0, all = ~0u;

		for (uint32_t i = 0; i < count; i++) {
			while (state[i] - first_cut < cuts) {
				LOOK_ANEW();
				combine_at(&k, c, state[i] - first_cut);
				state[i] = loops(b, state[i], first + i, 1);
				combine_passed(&k, c, 1);
			}
			combine_at(&k, c, COMBINE_NOWHERE);
			any |= state[i];
			all &= state[i];
		}
		if (any == all)
			return any;
	}
	/* Without sites threads can only have ended, some of them by a fault. */
	return sites ? HETCKPT_CPU_MIXED : HETCKPT_CPU_FAULT;
}

/* ---- Where a pointer points to ------------------------------------------
 * Global memory is the arena and the page-locked window (docs/sessions.md), constants
 * of the compiler lie in this module, and the rest is some thread's own.
 */
#define ARENA_FIRST 0x200000000000ull
#define ARENA_END 0x300000000000ull
#define PINNED_FIRST 0x1f0000000000ull
#define PINNED_END 0x200000000000ull

/* From the linker: this module. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

bool __hetckpt_cpu_is_shared(struct hetckpt_cpu_block *b, const void *p);
bool __hetckpt_cpu_is_shared(struct hetckpt_cpu_block *b, const void *p)
{
	return (uintptr_t)p - (uintptr_t)b->shared < b->shared_bytes;
}

bool __hetckpt_cpu_is_global(struct hetckpt_cpu_block *b, const void *p);
bool __hetckpt_cpu_is_global(struct hetckpt_cpu_block *b, const void *p)
{
	uintptr_t a = (uintptr_t)p;

	(void)b;
	_Static_assert(PINNED_END == ARENA_FIRST, "one range");
	return a - PINNED_FIRST < ARENA_END - PINNED_FIRST;
}

bool __hetckpt_cpu_is_constant(struct hetckpt_cpu_block *b, const void *p);
bool __hetckpt_cpu_is_constant(struct hetckpt_cpu_block *b, const void *p)
{
	(void)b;
	return (uintptr_t)p - (uintptr_t)__ehdr_start < (uintptr_t)_end - (uintptr_t)__ehdr_start;
}

bool __hetckpt_cpu_is_private(struct hetckpt_cpu_block *b, const void *p);
bool __hetckpt_cpu_is_private(struct hetckpt_cpu_block *b, const void *p)
{
	return p && !__hetckpt_cpu_is_shared(b, p) && !__hetckpt_cpu_is_global(b, p) &&
	       !__hetckpt_cpu_is_constant(b, p) &&
	       (uintptr_t)p - HETCKPT_FUNCTION_BASE >= HETCKPT_FUNCTION_BYTES;
}

/* ---- The device heap ------------------------------------------------------ */

__attribute__((noinline)) void *__hetckpt_heap_malloc(uint64_t heap, uint64_t bytes);
void *__hetckpt_heap_malloc(uint64_t heap, uint64_t bytes)
{
	return (void *)heap_malloc((heap_t *)heap, bytes, 16);
}

__attribute__((noinline)) void *__hetckpt_heap_malloc_aligned(uint64_t heap, uint64_t bytes, uint64_t align);
void *__hetckpt_heap_malloc_aligned(uint64_t heap, uint64_t bytes, uint64_t align)
{
	return (void *)heap_malloc((heap_t *)heap, bytes, align);
}

__attribute__((noinline)) void __hetckpt_heap_free(uint64_t heap, void *address);
void __hetckpt_heap_free(uint64_t heap, void *address)
{
	heap_free((heap_t *)heap, (uint64_t)address);
}

/* ---- Time ---------------------------------------------------------------- */

struct timespec_ { long sec, nsec; };
int clock_gettime(int clock, struct timespec_ *t);

int64_t __hetckpt_clock64(void);
int64_t __hetckpt_clock64(void)
{
	return (int64_t)__builtin_ia32_rdtsc();
}

int32_t __hetckpt_clock(void);
int32_t __hetckpt_clock(void)
{
	return (int32_t)__builtin_ia32_rdtsc();
}

int64_t __hetckpt_globaltimer(void);
int64_t __hetckpt_globaltimer(void)
{
	struct timespec_ t = {0, 0};

	clock_gettime(0, &t);
	return t.sec * 1000000000l + t.nsec;
}
