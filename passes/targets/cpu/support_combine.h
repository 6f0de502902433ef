/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Part of support.c: atomic additions of a loop that is taken over threads (Combine.cpp) are collected by
 * address, and go to memory when the loop is left. A locked instruction takes 20 cycles, and hundreds on a line that
 * another processor has just changed; an addition here takes as many as one to memory of one's own.
 *
 * A direct-mapped table: what was in an address's place goes to memory at once.
 */
#define COMBINE_PLACES 256u
#define COMBINE_PASSES 256u /* until all goes to memory in any case, for who waits to see it */

struct combiner {
	uint64_t low, high; /* all that is collected lies in [low, high) */
	uint32_t bytes;     /* of each number: 4 or 8 */
	uint32_t off;       /* no more is taken in: it does not pay */
	uint32_t driven_out; /* by another address, since the loop was entered */
	uint32_t looks;      /* that found something that may be there */
	struct {
		uint64_t address; /* 0: free */
		uint64_t sum;
	} place[COMBINE_PLACES];
};

static inline uint32_t combine_place(uint64_t address, uint32_t bytes)
{
	return (uint32_t)(address >> (bytes == 8 ? 3 : 2)) % COMBINE_PLACES;
}

static inline void combine_add(uint64_t address, uint64_t sum, uint32_t bytes)
{
	if (bytes == 4)
		__atomic_fetch_add((uint32_t *)address, (uint32_t)sum, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add((uint64_t *)address, sum, __ATOMIC_RELAXED);
}

static void combine_clear(struct combiner *c)
{
	c->low = ~(uint64_t)0;
	c->high = 0;
	for (uint32_t i = 0; i < COMBINE_PLACES; i++)
		c->place[i].address = 0;
}

/* All that is collected goes to memory. */
static __attribute__((noinline)) void combine_flush(struct combiner *c)
{
	uint32_t bytes = c->bytes;

	if (!c->high)
		return;
	for (uint32_t i = 0; i < COMBINE_PLACES; i++)
		if (c->place[i].address)
			combine_add(c->place[i].address, c->place[i].sum, bytes);
	combine_clear(c);
}

/* An address whose place is another's. One that is not aligned may not be apart from its neighbours. */
static __attribute__((noinline)) void combine_take(struct combiner *c, uint64_t address, uint64_t sum, uint32_t bytes)
{
	uint32_t i = combine_place(address, bytes);

	c->bytes = bytes;
	if (address & (bytes - 1)) {
		combine_flush(c);
		combine_add(address, sum, bytes);
		return;
	}
	if (c->off) {
		combine_add(address, sum, bytes);
		return;
	}
	if (c->place[i].address) {
		combine_add(c->place[i].address, c->place[i].sum, bytes);
		c->driven_out++;
	}
	c->place[i].address = address;
	c->place[i].sum = sum;
	c->low = address < c->low ? address : c->low;
	c->high = address + bytes > c->high ? address + bytes : c->high;
}

/* In place of an atomic addition. All of a loop have as many bytes. */
__attribute__((always_inline)) void __hetckpt_cpu_combine(struct combiner *c, uint64_t address, uint64_t sum,
							  uint32_t bytes);
__attribute__((always_inline)) void __hetckpt_cpu_combine(struct combiner *c, uint64_t address, uint64_t sum,
							  uint32_t bytes)
{
	uint32_t i = combine_place(address, bytes);

	if (__builtin_expect(c->place[i].address == address, 1))
		c->place[i].sum += sum;
	else
		combine_take(c, address, sum, bytes);
}

static __attribute__((noinline)) void combine_meet(struct combiner *c)
{
	c->looks++;
	combine_flush(c);
}

/* In front of an access to bytes bytes at address: if a sum for what lies there may be here, it
   goes to memory before. */
__attribute__((always_inline)) void __hetckpt_cpu_look(struct combiner *c, uint64_t address, uint64_t bytes);
__attribute__((always_inline)) void __hetckpt_cpu_look(struct combiner *c, uint64_t address, uint64_t bytes)
{
	if (__builtin_expect(address < c->high && address + bytes > c->low, 0))
		combine_meet(c);
}

/* Everything goes to memory, as what follows might be told from it. */
__attribute__((noinline)) void __hetckpt_cpu_empty(struct combiner *c);
void __hetckpt_cpu_empty(struct combiner *c)
{
	combine_flush(c);
}

/* ---- For the driver ------------------------------------------------------- */

#define COMBINE_NOWHERE (~0u)

/* Which cuts, a bit each. Apart from what follows, which others know the address of: where they are none, nothing of it all
   is left. */
struct combining {
	uint64_t at;      /* additions are collected at */
	uint64_t keeping; /* threads may go on from while they are */
};

struct combined {
	uint32_t at;            /* the cut that threads go on from */
	uint32_t passes;        /* since they came there */
	bool ready;
	struct combiner table;
};

/* word: where threads find the table. */
static inline void combine_begin(struct combined *k, struct combining cuts, struct combiner **word)
{
	if (!cuts.at)
		return;
	*word = &k->table;
	k->at = COMBINE_NOWHERE;
	k->ready = false;
	k->table.high = 0;
}

/* Threads go on from the cut, or somewhere else. */
static inline void combine_at(struct combined *k, struct combining cuts, uint32_t cut)
{
	if (!cuts.at || cut == k->at || (cut < 64 && cuts.keeping >> cut & 1))
		return;
	if (k->ready)
		combine_flush(&k->table);
	k->at = cut;
	k->passes = 0;
	if (cut >= 64 || !(cuts.at >> cut & 1))
		return;
	if (!k->ready) {
		combine_clear(&k->table);
		k->ready = true;
	}
	k->table.off = k->table.driven_out = k->table.looks = 0;
}

/* Behind a pass of n threads. Where every second addition drives another out, or threads look at what they add to,
   nothing is collected any more. */
static inline void combine_passed(struct combined *k, struct combining cuts, uint32_t n)
{
	struct combiner *c = &k->table;

	if (!cuts.at || !k->ready)
		return;
	if (++k->passes % COMBINE_PASSES == 0)
		combine_flush(c);
	if (!c->off && ((k->passes >= 4 && c->driven_out > k->passes * (uint64_t)n / 2) || c->looks > 16)) {
		combine_flush(c);
		c->off = 1;
	}
}
