// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cycles with two ways in, alone and in loops.
// harness: --grid=2,1,1 --block=64,1,1 --n=37 --expect=polls
#include "prelude.h"

GLOBAL threads(u64 *out, const u32 *in, u32 *acc, int n)
{
	u64 h = TID;
	u32 x = in[GTID & 1023] % 50;

	if (x & 1)
		goto middle;
top:
	h = mix(h, x);
	x += 1;
middle:
	h = mix(h, x ^ 5u);
	x += 2;
	atomic_add(&acc[x & 255], 1);
	if (x < (u32)n + 200)
		goto top;
	out[GTID] = h;
}

GLOBAL blocks(u64 *out, const u32 *in, u32 *acc, int n)
{
	SHARED u32 words[64];
	u64 h = TID;

	words[TID] = in[GTID & 1023];
	SYNC();
	for (u32 k = 0; k < (u32)n; k++) {
		u32 x = k & 3;

		if (k & 1)
			goto middle;
top:
		words[TID] += x;
		SYNC();
middle:
		h = mix(h, words[(TID + x) & 63]);
		x += 1;
		SYNC();
		if (x < 20)
			goto top;
	}
	out[GTID] = h;
}
