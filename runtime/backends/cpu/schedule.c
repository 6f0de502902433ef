/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Who of a block's threads goes on when.
 *
 * Mostly all threads stand at one site: then a block is a sequence of calls that each
 * carry all threads from one site to the next, and answering a barrier costs nothing.
 * As soon as threads part, each has a phase of its own, and rounds of "run who is ready,
 * see who is answered" follow until they are together again.
 *
 * What is answered when:
 *   barrier        as many wait as it is for: those that have not ended, or a given count
 *   warp operation all lanes of its mask that have not ended wait at the same operation
 *                  with the same mask
 *   activemask     nothing else in the block can go on
 *   spinning       every other thread has run; then other blocks get a turn first
 *                  The same goes for a block that has run for long, if its kernel waits for
 *                  other blocks: its loop may wait at barriers alone
 *   otherwise      a deadlock, which a GPU would show by hanging
 */
#include "cpu.h"

#include <stdio.h>
#include <string.h>

#define WARP HETCKPT_CPU_WARP

static const struct hetckpt_cpu_site *site_of(const struct cpu_slot *slot, uint32_t site)
{
	return &slot->function->site[site - HETCKPT_CPU_FIRST_SITE];
}

static uint32_t operand(uint32_t varies, uint32_t flag, uint32_t constant, const uint32_t *array,
                        uint32_t tid)
{
	return varies & flag ? array[tid] : constant;
}

static bool is_barrier(uint32_t op)
{
	return op == HETCKPT_CPU_POLL_BLOCK || (op >= HETCKPT_CPU_BAR_SYNC && op <= HETCKPT_CPU_BAR_OR);
}

static uint32_t poll_word(const struct cpu_slot *slot)
{
	return __atomic_load_n(slot->block.flag, __ATOMIC_RELAXED) != HETCKPT_FLAG_RUN;
}

static uint64_t random_next(struct cpu_slot *slot)
{
	uint64_t x = slot->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return slot->random = x;
}

/* Runs threads one by one in a random order. */
static uint32_t run_shuffled(struct cpu_slot *slot, uint32_t site, uint32_t first, uint32_t count)
{
	struct hetckpt_cpu_block *b = &slot->block;
	uint32_t *order = slot->order + first;
	uint32_t any = 0, all = ~0u;

	for (uint32_t i = 0; i < count; i++)
		order[i] = first + i;
	for (uint32_t i = count; i > 1; i--) {
		uint32_t j = (uint32_t)(random_next(slot) % i), t = order[i - 1];

		order[i - 1] = order[j];
		order[j] = t;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t r = slot->function->run(b, site, order[i], 1);

		b->state[order[i]] = r;
		any |= r;
		all &= r;
		if (r == HETCKPT_CPU_FAULT)
			return r;
	}
	return any == all ? any : HETCKPT_CPU_MIXED;
}

/* Runs [first, first + count), which are ready at site. Where all of them are now, or
   HETCKPT_CPU_MIXED and state[] says. */
static uint32_t run_range(struct cpu_slot *slot, uint32_t site, uint32_t first, uint32_t count)
{
	if (slot->random)
		return run_shuffled(slot, site, first, count);
	return slot->function->run(&slot->block, site, first, count);
}

static void state_fill(struct cpu_slot *slot, uint32_t site, uint32_t first, uint32_t count)
{
	uint32_t *state = slot->block.state;

	for (uint32_t i = first; i < first + count; i++)
		state[i] = site;
}

static bool all_equal(const uint32_t *state, uint32_t n)
{
	uint32_t first = state[0], differ = 0;

	for (uint32_t i = 1; i < n; i++)
		differ |= state[i] ^ first;
	return !differ;
}

enum cpu_outcome cpu_slot_fault(struct cpu_slot *slot)
{
	if (!slot->block.fault)
		slot->block.fault = CUDA_ERROR_LAUNCH_FAILURE;
	if (!slot->failure[0])
		snprintf(slot->failure, sizeof slot->failure, "trap");
	return CPU_BLOCK_FAULT;
}

/* ---- Threads together ---------------------------------------------------- */

/* All threads wait at site. True if they were answered. */
static bool answer_together(struct cpu_slot *slot, const struct hetckpt_cpu_site *site)
{
	struct hetckpt_cpu_block *b = &slot->block;
	uint32_t n = b->threads, total = 0, word, full;
	bool barrier = is_barrier(site->op);

	if (barrier && site->varies & (HETCKPT_CPU_MASK_VARIES | HETCKPT_CPU_LANE_VARIES))
		return false;
	switch (site->op) {
	case HETCKPT_CPU_POLL_BLOCK:
	case HETCKPT_CPU_POLL_WARP:
		word = poll_word(slot);
		for (uint32_t i = 0; i < n; i++)
			b->value[i] = word;
		return true;
	case HETCKPT_CPU_BAR_SYNC:
	case HETCKPT_CPU_BAR_POPC:
	case HETCKPT_CPU_BAR_AND:
	case HETCKPT_CPU_BAR_OR:
		if ((site->mask && site->mask != n) || site->lane >= CPU_MAX_BARRIERS ||
		    slot->arrived[site->lane])
			return false;
		if (site->op == HETCKPT_CPU_BAR_SYNC)
			return true;
		for (uint32_t i = 0; i < n; i++)
			total += b->value[i] != 0;
		if (site->op == HETCKPT_CPU_BAR_AND)
			total = total == n;
		else if (site->op == HETCKPT_CPU_BAR_OR)
			total = total != 0;
		for (uint32_t i = 0; i < n; i++)
			b->value[i] = total;
		return true;
	case HETCKPT_CPU_YIELD:
	case HETCKPT_CPU_BAR_ARRIVE:
	case HETCKPT_CPU_ACTIVEMASK:
		return false;
	default:
		break;
	}
	full = site->mask;
	if (site->varies & HETCKPT_CPU_MASK_VARIES) {
		full = ~0u;
		for (uint32_t i = 0; i < n; i++)
			full &= b->mask[i];
	}
	if (full != ~0u)
		return false;
	if (site->op == HETCKPT_CPU_SYNCWARP)
		return true;
	if (site->op >= HETCKPT_CPU_SHFL_IDX && site->op <= HETCKPT_CPU_SHFL_BFLY && n % WARP == 0 &&
	    !(site->varies & (HETCKPT_CPU_LANE_VARIES | HETCKPT_CPU_CLAMP_VARIES))) {
		cpu_shuffle_all(b, site, n / WARP);
		return true;
	}
	for (uint32_t first = 0; first < n; first += WARP)
		cpu_warp_answer(b, site, first, n - first >= WARP ? ~0u : (1u << (n - first)) - 1, ~0u);
	return true;
}

static void arrive(struct cpu_slot *slot, uint32_t tid, const struct hetckpt_cpu_site *site)
{
	uint32_t id = operand(site->varies, HETCKPT_CPU_LANE_VARIES, site->lane, slot->block.lane, tid);

	if (id < CPU_MAX_BARRIERS)
		slot->arrived[id]++;
}

/* A thread has run: its phase, from where it stopped. */
static void settle(struct cpu_slot *slot, uint32_t tid)
{
	const struct hetckpt_cpu_site *site;
	uint32_t state = slot->block.state[tid];

	if (state == HETCKPT_CPU_ENDED) {
		slot->phase[tid] = CPU_ENDED;
		return;
	}
	site = site_of(slot, state);
	slot->phase[tid] = site->op == HETCKPT_CPU_YIELD        ? CPU_SPINNING
	                   : site->op == HETCKPT_CPU_BAR_ARRIVE ? CPU_READY
	                                                        : CPU_WAITING;
	if (site->op == HETCKPT_CPU_BAR_ARRIVE)
		arrive(slot, tid, site);
}

/* Threads are about to part: each is where state[] says, and waits or has ended. */
static void part(struct cpu_slot *slot)
{
	struct hetckpt_cpu_block *b = &slot->block;

	slot->uniform = false;
	b->together = 0;
	for (uint32_t i = 0; i < b->threads; i++)
		settle(slot, i);
}

/* ---- Threads apart ------------------------------------------------------- */

static bool has_fault(const uint32_t *state, uint32_t n)
{
	bool found = false;

	for (uint32_t i = 0; i < n; i++)
		found |= state[i] == HETCKPT_CPU_FAULT;
	return found;
}

/* Carries all that are ready to their next sites. *ran: how many that was. */
static enum cpu_outcome run_ready(struct cpu_slot *slot, uint32_t *ran)
{
	struct hetckpt_cpu_block *b = &slot->block;
	uint32_t n = b->threads;

	*ran = 0;
	for (uint32_t first = 0; first < n;) {
		uint32_t site = b->state[first], end = first + 1;

		if (slot->phase[first] != CPU_READY) {
			first++;
			continue;
		}
		while (end < n && slot->phase[end] == CPU_READY && b->state[end] == site)
			end++;
		site = run_range(slot, site, first, end - first);
		if (site != HETCKPT_CPU_MIXED)
			state_fill(slot, site, first, end - first);
		if (has_fault(b->state + first, end - first))
			return cpu_slot_fault(slot);
		for (uint32_t i = first; i < end; i++)
			settle(slot, i);
		*ran += end - first;
		first = end;
	}
	return CPU_BLOCK_DONE;
}

/* The poll's barrier has a number that programs cannot use. */
static uint32_t barrier_id(const struct cpu_slot *slot, uint32_t tid, const struct hetckpt_cpu_site *site)
{
	uint32_t id;

	if (site->op == HETCKPT_CPU_POLL_BLOCK)
		return CPU_MAX_BARRIERS;
	id = operand(site->varies, HETCKPT_CPU_LANE_VARIES, site->lane, slot->block.lane, tid);
	return id & (CPU_MAX_BARRIERS - 1);
}

/* Answers the barriers that are complete. */
static void answer_barriers(struct cpu_slot *slot)
{
	struct hetckpt_cpu_block *b = &slot->block;
	struct { uint32_t waiting, expected, set; } bar[CPU_MAX_BARRIERS + 1] = {0};
	uint32_t n = b->threads, live = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct hetckpt_cpu_site *site;
		uint32_t id;

		live += slot->phase[i] != CPU_ENDED;
		if (slot->phase[i] != CPU_WAITING)
			continue;
		site = site_of(slot, b->state[i]);
		if (!is_barrier(site->op))
			continue;
		id = barrier_id(slot, i, site);
		bar[id].waiting++;
		bar[id].set += b->value[i] != 0;
		if (site->op != HETCKPT_CPU_POLL_BLOCK)
			bar[id].expected = operand(site->varies, HETCKPT_CPU_MASK_VARIES, site->mask, b->mask, i);
	}
	for (uint32_t id = 0; id <= CPU_MAX_BARRIERS; id++) {
		uint32_t arrived = id < CPU_MAX_BARRIERS ? slot->arrived[id] : 0;
		uint32_t word = 0;

		if (!bar[id].waiting)
			continue;
		if (bar[id].waiting + arrived < (bar[id].expected ? bar[id].expected : live))
			continue;
		if (id == CPU_MAX_BARRIERS)
			word = poll_word(slot);
		else
			slot->arrived[id] = 0;
		for (uint32_t i = 0; i < n; i++) {
			const struct hetckpt_cpu_site *site;

			if (slot->phase[i] != CPU_WAITING)
				continue;
			site = site_of(slot, b->state[i]);
			if (!is_barrier(site->op) || barrier_id(slot, i, site) != id)
				continue;
			switch (site->op) {
			case HETCKPT_CPU_POLL_BLOCK: b->value[i] = word; break;
			case HETCKPT_CPU_BAR_POPC: b->value[i] = bar[id].set; break;
			case HETCKPT_CPU_BAR_AND: b->value[i] = bar[id].set == bar[id].waiting; break;
			case HETCKPT_CPU_BAR_OR: b->value[i] = bar[id].set != 0; break;
			default: break;
			}
			slot->phase[i] = CPU_READY;
		}
	}
}

/* The lanes may stand at different sites of one operation, whose constants differ. */
static void answer_lanes(struct cpu_slot *slot, const struct hetckpt_cpu_site *site, uint32_t first,
                         uint32_t lanes, uint32_t mask)
{
	struct hetckpt_cpu_block *b = &slot->block;
	struct hetckpt_cpu_site any = *site;

	for (uint32_t rest = lanes; rest; rest &= rest - 1) {
		uint32_t tid = first + (uint32_t)__builtin_ctz(rest);
		const struct hetckpt_cpu_site *own = site_of(slot, b->state[tid]);

		if (own == site)
			continue;
		any.varies |= HETCKPT_CPU_LANE_VARIES | HETCKPT_CPU_CLAMP_VARIES;
	}
	for (uint32_t rest = any.varies & ~site->varies ? lanes : 0; rest; rest &= rest - 1) {
		uint32_t tid = first + (uint32_t)__builtin_ctz(rest);
		const struct hetckpt_cpu_site *own = site_of(slot, b->state[tid]);

		if (!(own->varies & HETCKPT_CPU_LANE_VARIES))
			b->lane[tid] = own->lane;
		if (!(own->varies & HETCKPT_CPU_CLAMP_VARIES))
			b->clamp[tid] = own->clamp;
	}
	cpu_warp_answer(b, &any, first, lanes, mask);
}

/* Answers what is complete in the warp from thread first on. */
static void answer_warp(struct cpu_slot *slot, uint32_t first)
{
	struct hetckpt_cpu_block *b = &slot->block;
	uint32_t lanes = b->threads - first < WARP ? b->threads - first : WARP;
	uint32_t live = 0, waiting = 0;

	for (uint32_t i = 0; i < lanes; i++) {
		live |= (uint32_t)(slot->phase[first + i] != CPU_ENDED) << i;
		waiting |= (uint32_t)(slot->phase[first + i] == CPU_WAITING &&
		                      cpu_op_is_warp(site_of(slot, b->state[first + i])->op)) << i;
	}
	for (uint32_t left = waiting; left;) {
		uint32_t i = (uint32_t)__builtin_ctz(left), tid = first + i, need, mask, group = 0;
		const struct hetckpt_cpu_site *site = site_of(slot, b->state[tid]);

		left &= left - 1;
		if (site->op == HETCKPT_CPU_ACTIVEMASK)
			continue;
		mask = site->op == HETCKPT_CPU_POLL_WARP
		               ? ~0u
		               : operand(site->varies, HETCKPT_CPU_MASK_VARIES, site->mask, b->mask, tid);
		need = (mask | 1u << i) & live;
		if (need & ~waiting)
			continue;
		for (uint32_t rest = need; rest; rest &= rest - 1) {
			uint32_t j = (uint32_t)__builtin_ctz(rest);
			const struct hetckpt_cpu_site *other = site_of(slot, b->state[first + j]);
			uint32_t other_mask = other->op == HETCKPT_CPU_POLL_WARP
			                              ? ~0u
			                              : operand(other->varies, HETCKPT_CPU_MASK_VARIES,
			                                        other->mask, b->mask, first + j);

			if (other->op == site->op && other_mask == mask)
				group |= 1u << j;
		}
		if (group != need)
			continue;
		answer_lanes(slot, site, first, need, mask);
		for (uint32_t rest = need; rest; rest &= rest - 1)
			slot->phase[first + (uint32_t)__builtin_ctz(rest)] = CPU_READY;
		waiting &= ~need;
		left &= waiting;
	}
}

/* Nobody can go on otherwise: the lanes that stand at one activemask are together. How
   many go on. */
static uint32_t answer_activemask(struct cpu_slot *slot)
{
	struct hetckpt_cpu_block *b = &slot->block;
	uint32_t freed = 0;

	for (uint32_t first = 0; first < b->threads; first += WARP) {
		uint32_t lanes = b->threads - first < WARP ? b->threads - first : WARP;

		for (uint32_t i = 0; i < lanes; i++) {
			uint32_t group = 0, site = b->state[first + i];

			if (slot->phase[first + i] != CPU_WAITING ||
			    site_of(slot, site)->op != HETCKPT_CPU_ACTIVEMASK)
				continue;
			for (uint32_t j = i; j < lanes; j++)
				if (slot->phase[first + j] == CPU_WAITING && b->state[first + j] == site) {
					group |= 1u << j;
					slot->phase[first + j] = CPU_READY;
				}
			cpu_warp_answer(b, site_of(slot, site), first, group, group);
			freed += (uint32_t)__builtin_popcount(group);
		}
	}
	return freed;
}

static enum cpu_outcome deadlock(struct cpu_slot *slot)
{
	struct hetckpt_cpu_block *b = &slot->block;
	uint32_t tid = 0, waiting = 0;
	const struct hetckpt_cpu_site *site;

	for (uint32_t i = b->threads; i-- > 0;)
		if (slot->phase[i] == CPU_WAITING) {
			tid = i;
			waiting++;
		}
	site = site_of(slot, b->state[tid]);
	b->fault = CUDA_ERROR_LAUNCH_FAILURE;
	if (site->line)
		snprintf(slot->failure, sizeof slot->failure,
		         "deadlock: %u threads wait and none can go on, the first is thread %u at a %s in line %u",
		         waiting, tid, is_barrier(site->op) ? "barrier" : "warp operation", site->line);
	else
		snprintf(slot->failure, sizeof slot->failure,
		         "deadlock: %u threads wait and none can go on, the first is thread %u at a %s",
		         waiting, tid, is_barrier(site->op) ? "barrier" : "warp operation");
	return CPU_BLOCK_FAULT;
}

/* If all threads are ready at one site, they are together again. */
static void join(struct cpu_slot *slot)
{
	struct hetckpt_cpu_block *b = &slot->block;
	uint8_t not_ready = 0;

	for (uint32_t i = 0; i < b->threads; i++)
		not_ready |= slot->phase[i] ^ CPU_READY;
	if (!not_ready && all_equal(b->state, b->threads)) {
		slot->uniform = true;
		slot->site = b->state[0];
	}
}

/* One round. DONE here means: go on. */
static enum cpu_outcome round_apart(struct cpu_slot *slot, bool *ended)
{
	struct hetckpt_cpu_block *b = &slot->block;
	uint32_t ran, live = 0, ready = 0, spinning = 0;
	enum cpu_outcome r = run_ready(slot, &ran);

	if (r != CPU_BLOCK_DONE)
		return r;
	answer_barriers(slot);
	for (uint32_t first = 0; first < b->threads; first += WARP)
		answer_warp(slot, first);
	for (uint32_t i = 0; i < b->threads; i++) {
		live += slot->phase[i] != CPU_ENDED;
		ready += slot->phase[i] == CPU_READY;
		spinning += slot->phase[i] == CPU_SPINNING;
	}
	*ended = !live;
	if (!live)
		return CPU_BLOCK_DONE;
	if (!ready)
		ready = answer_activemask(slot);
	if (ready) {
		join(slot);
		return CPU_BLOCK_DONE;
	}
	if (!spinning)
		return deadlock(slot);
	for (uint32_t i = 0; i < b->threads; i++)
		if (slot->phase[i] == CPU_SPINNING)
			slot->phase[i] = CPU_READY;
	join(slot);
	return CPU_BLOCK_YIELDS;
}

/* Sites after which a block whose kernel waits for others lets these run. */
#define SLICE 64u

enum cpu_outcome cpu_slot_run(struct cpu_slot *slot)
{
	struct hetckpt_cpu_block *b = &slot->block;
	uint32_t n = b->threads, left = slot->launch->in_flight > 1 ? SLICE : UINT32_MAX;

	if (!slot->function->sites)
		return run_range(slot, HETCKPT_CPU_START, 0, n) ? cpu_slot_fault(slot) : CPU_BLOCK_DONE;
	for (;;) {
		bool ended = false;
		enum cpu_outcome r;

		while (slot->uniform) {
			uint32_t site;

			if (!left)
				return CPU_BLOCK_YIELDS;
			left -= left != UINT32_MAX;
			site = run_range(slot, slot->site, 0, n);
			if (site == HETCKPT_CPU_MIXED) {
				if (has_fault(b->state, n))
					return cpu_slot_fault(slot);
				part(slot);
				break;
			}
			slot->site = site;
			if (slot->site == HETCKPT_CPU_ENDED)
				return CPU_BLOCK_DONE;
			if (slot->site == HETCKPT_CPU_FAULT)
				return cpu_slot_fault(slot);
			if (answer_together(slot, site_of(slot, slot->site)))
				continue;
			if (site_of(slot, slot->site)->op == HETCKPT_CPU_YIELD)
				return CPU_BLOCK_YIELDS;
			if (site_of(slot, slot->site)->op == HETCKPT_CPU_BAR_ARRIVE) {
				for (uint32_t i = 0; i < n; i++)
					arrive(slot, i, site_of(slot, slot->site));
				continue;
			}
			state_fill(slot, site, 0, n);
			part(slot);
		}
		if (!left)
			return CPU_BLOCK_YIELDS;
		left -= left != UINT32_MAX;
		r = round_apart(slot, &ended);
		if (r != CPU_BLOCK_DONE || ended)
			return r;
	}
}
