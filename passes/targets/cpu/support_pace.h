/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Part of support.c: how long strips are (Pace.cpp), corrected by the clock, so that a pass over all threads of a block
 * takes from half a poll's interval to a whole one. Steps by 3/4 and 3/2 stay inside a window of a factor of two.
 *
 * A strip that was not the loop's last is one behind which threads come to the same cut again, and no other that is
 * measured: only after such a one may strips become longer. A loop that always ends before its strip says nothing of how long a
 * strip of a longer loop would take.
 *
 * While the flag is up strips are as planned: who asks for a pause at every poll wants them all.
 */
#ifndef PACE_CLOCK
#define PACE_CLOCK() __builtin_ia32_rdtsc()
#endif
#define PACE_CYCLES 200000u      /* some 80 us */
#define PACE_MOST (1u << 24)

struct pacing {
	uint64_t cuts;  /* at which strips begin, a bit each */
	uint64_t begun; /* clock, when the pass began that at was last met with */
	uint64_t took;  /* by that pass */
	uint32_t at;    /* the last of these cuts; ~0: none */
	uint32_t count; /* threads that must be together */
};

static inline bool pace_measured(const struct pacing *p, uint32_t cut)
{
	return cut < 64 && p->cuts >> cut & 1;
}

static void pace_begin(struct pacing *p, struct hetckpt_cpu_block *b, uint64_t cuts, uint32_t count)
{
	bool up = __atomic_load_n(b->flag, __ATOMIC_RELAXED) != HETCKPT_FLAG_RUN;

	p->cuts = count == b->threads && !up ? cuts : 0;
	p->at = ~0u;
	if (cuts && up)
		for (uint32_t i = 0; i < HETCKPT_CPU_PACES; i++)
			b->pace[i] = HETCKPT_CPU_PACE_PLANNED;
}

/* In front of a pass at cut. */
static inline void pace_met(struct pacing *p, struct hetckpt_cpu_block *b, uint32_t cut)
{
	uint64_t s;

	if (!pace_measured(p, cut))
		return;
	s = b->pace[cut];
	if (p->at == cut && p->took < PACE_CYCLES / 8)
		s *= 4;
	else if (p->at == cut && p->took < PACE_CYCLES / 2)
		s += (s + 1) / 2;
	b->pace[cut] = s < PACE_MOST ? (uint32_t)s : PACE_MOST;
	p->at = cut;
	p->begun = PACE_CLOCK();
}

/* Behind it. */
static inline void pace_passed(struct pacing *p, struct hetckpt_cpu_block *b, uint32_t cut)
{
	uint32_t s, quarter;

	if (!pace_measured(p, cut))
		return;
	p->took = PACE_CLOCK() - p->begun;
	s = b->pace[cut];
	quarter = (s + 3) / 4;
	if (p->took >= 4 * (uint64_t)PACE_CYCLES)
		s = quarter;
	else if (p->took >= PACE_CYCLES)
		s -= quarter;
	b->pace[cut] = s ? s : 1;
}
