// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pointers that walk through tables which every device puts somewhere else.
// harness: --grid=2,1,1 --block=40,1,1 --n=19 --expect=pausable
#include "prelude.h"

CONSTANT u32 weights[64] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};
VARIABLE u32 counters[64] = {2, 7, 1, 8, 2, 8};
VARIABLE u32 *places[2] = {&counters[3], &counters[10]};

GLOBAL weigh(u64 *out, const u32 *in, u32 *acc, int n)
{
	const u32 *p = &weights[TID & 7];
	u64 h = 0;

	for (int i = 0; i < n; i++)
		h = mix(h, *p++ + i);
	out[GTID] = h;
}

GLOBAL table(u64 *out, const u32 *in, u32 *acc, int n)
{
	static const u32 primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71,
	                             73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151};
	const u32 *p = primes + (TID & 15);
	u64 h = 0;

	for (int i = 0; i < n; i++) {
		h = mix(h, *p++ + i);
		if ((h & 7) == 3)
			p = primes;
	}
	out[GTID] = h;
}

GLOBAL variable(u64 *out, const u32 *in, u32 *acc, int n)
{
	const u32 *p = TID & 1 ? places[TID >> 1 & 1] : &counters[TID & 7];
	u64 h = 0;

	for (int i = 0; i < n; i++)
		h = mix(h, *p++ + i);
	out[GTID] = h;
}
