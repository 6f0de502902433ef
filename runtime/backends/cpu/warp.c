/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Operations of a warp's lanes on each other, as the PTX ISA defines them. */
#include "cpu.h"

#include <string.h>

#define WARP HETCKPT_CPU_WARP

bool cpu_op_is_warp(uint32_t op)
{
	return op >= HETCKPT_CPU_SYNCWARP || op == HETCKPT_CPU_POLL_WARP;
}

/* Where lane i of a shuffle reads, and whether that lies inside its segment. */
static inline uint32_t source(uint32_t op, uint32_t i, uint32_t by, uint32_t c, bool *inside)
{
	uint32_t segment = c >> 8 & 31, clamp = c & 31;
	uint32_t max = (i & segment) | (clamp & ~segment), j;

	by &= 31;
	switch (op) {
	case HETCKPT_CPU_SHFL_UP:
		j = i - by;
		*inside = (int32_t)j >= (int32_t)max;
		break;
	case HETCKPT_CPU_SHFL_DOWN:
		j = i + by;
		*inside = j <= max;
		break;
	case HETCKPT_CPU_SHFL_BFLY:
		j = i ^ by;
		*inside = j <= max;
		break;
	default:
		j = (i & segment) | (by & ~segment);
		*inside = j <= max;
		break;
	}
	return *inside ? j : i;
}

static void shuffle(struct hetckpt_cpu_block *b, const struct hetckpt_cpu_site *site, uint32_t first,
                    uint32_t lanes)
{
	uint32_t value[WARP];

	for (uint32_t i = 0; i < WARP; i++)
		value[i] = lanes >> i & 1 ? b->value[first + i] : 0;
	for (uint32_t i = 0; i < WARP; i++) {
		uint32_t by, clamp, j;
		bool inside;

		if (!(lanes >> i & 1))
			continue;
		by = site->varies & HETCKPT_CPU_LANE_VARIES ? b->lane[first + i] : site->lane;
		clamp = site->varies & HETCKPT_CPU_CLAMP_VARIES ? b->clamp[first + i] : site->clamp;
		j = source(site->op, i, by, clamp, &inside);
		/* A lane that does not take part has no value to give: keep one's own. */
		b->value[first + i] = lanes >> j & 1 ? value[j] : value[i];
		b->extra[first + i] = inside;
	}
}

void cpu_shuffle_all(struct hetckpt_cpu_block *b, const struct hetckpt_cpu_site *site, uint32_t warps)
{
	uint32_t from[WARP], inside[WARP];

	for (uint32_t i = 0; i < WARP; i++) {
		bool in;

		from[i] = source(site->op, i, site->lane, site->clamp, &in);
		inside[i] = in;
	}
	for (uint32_t w = 0; w < warps; w++) {
		uint32_t value[WARP];

		memcpy(value, b->value + WARP * w, sizeof value);
		for (uint32_t i = 0; i < WARP; i++)
			b->value[WARP * w + i] = value[from[i]];
		memcpy(b->extra + WARP * w, inside, sizeof inside);
	}
}

static uint32_t ballot(const struct hetckpt_cpu_block *b, uint32_t first, uint32_t lanes)
{
	uint32_t r = 0;

	for (uint32_t i = 0; i < WARP; i++)
		if (lanes >> i & 1)
			r |= (uint32_t)(b->value[first + i] != 0) << i;
	return r;
}

static uint32_t reduce(const struct hetckpt_cpu_block *b, uint32_t op, uint32_t first, uint32_t lanes)
{
	uint32_t r = b->value[first + (uint32_t)__builtin_ctz(lanes)];

	for (uint32_t i = (uint32_t)__builtin_ctz(lanes) + 1; i < WARP; i++) {
		uint32_t v;

		if (!(lanes >> i & 1))
			continue;
		v = b->value[first + i];
		switch (op) {
		case HETCKPT_CPU_REDUX_ADD: r += v; break;
		case HETCKPT_CPU_REDUX_UMIN: r = v < r ? v : r; break;
		case HETCKPT_CPU_REDUX_UMAX: r = v > r ? v : r; break;
		case HETCKPT_CPU_REDUX_SMIN: r = (int32_t)v < (int32_t)r ? v : r; break;
		case HETCKPT_CPU_REDUX_SMAX: r = (int32_t)v > (int32_t)r ? v : r; break;
		case HETCKPT_CPU_REDUX_AND: r &= v; break;
		case HETCKPT_CPU_REDUX_OR: r |= v; break;
		default: r ^= v; break;
		}
	}
	return r;
}

/* Only 64-bit operands set extra[]; with others it holds what an earlier site left. */
static bool same(const struct hetckpt_cpu_block *b, bool wide, uint32_t x, uint32_t y)
{
	return b->value[x] == b->value[y] && (!wide || b->extra[x] == b->extra[y]);
}

static void match(struct hetckpt_cpu_block *b, const struct hetckpt_cpu_site *site, uint32_t first,
                  uint32_t lanes, uint32_t mask)
{
	bool wide = site->varies & HETCKPT_CPU_WIDE;
	uint32_t result[WARP] = {0};

	for (uint32_t i = 0; i < WARP; i++)
		for (uint32_t j = 0; j < WARP; j++)
			if (lanes >> i & lanes >> j & 1 && same(b, wide, first + i, first + j))
				result[i] |= 1u << j;
	for (uint32_t i = 0; i < WARP; i++) {
		if (!(lanes >> i & 1))
			continue;
		if (site->op == HETCKPT_CPU_MATCH_ALL) {
			bool all = result[i] == lanes;

			b->value[first + i] = all ? mask & lanes : 0;
			b->extra[first + i] = all;
		} else {
			b->value[first + i] = result[i];
		}
	}
}

static void all_get(struct hetckpt_cpu_block *b, uint32_t first, uint32_t lanes, uint32_t value)
{
	if (lanes == ~0u) {
		for (uint32_t i = 0; i < WARP; i++)
			b->value[first + i] = value;
		return;
	}
	for (uint32_t i = 0; i < WARP; i++)
		if (lanes >> i & 1)
			b->value[first + i] = value;
}

void cpu_warp_answer(struct hetckpt_cpu_block *b, const struct hetckpt_cpu_site *site, uint32_t first,
                     uint32_t lanes, uint32_t mask)
{
	uint32_t bits;

	switch (site->op) {
	case HETCKPT_CPU_SYNCWARP:
		return;
	case HETCKPT_CPU_SHFL_IDX:
	case HETCKPT_CPU_SHFL_UP:
	case HETCKPT_CPU_SHFL_DOWN:
	case HETCKPT_CPU_SHFL_BFLY:
		shuffle(b, site, first, lanes);
		return;
	case HETCKPT_CPU_MATCH_ANY:
	case HETCKPT_CPU_MATCH_ALL:
		match(b, site, first, lanes, mask);
		return;
	case HETCKPT_CPU_POLL_WARP:
		all_get(b, first, lanes,
		        __atomic_load_n(b->flag, __ATOMIC_RELAXED) != HETCKPT_FLAG_RUN);
		return;
	case HETCKPT_CPU_ACTIVEMASK:
		all_get(b, first, lanes, lanes);
		return;
	case HETCKPT_CPU_BALLOT:
	case HETCKPT_CPU_ANY:
	case HETCKPT_CPU_ALL:
	case HETCKPT_CPU_UNI:
		bits = ballot(b, first, lanes);
		if (site->op == HETCKPT_CPU_ANY)
			bits = bits != 0;
		else if (site->op == HETCKPT_CPU_ALL)
			bits = bits == lanes;
		else if (site->op == HETCKPT_CPU_UNI)
			bits = bits == 0 || bits == lanes;
		all_get(b, first, lanes, bits);
		return;
	default:
		all_get(b, first, lanes, reduce(b, site->op, first, lanes));
		return;
	}
}
