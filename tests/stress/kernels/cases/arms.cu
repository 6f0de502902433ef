// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops on ways that some threads of a block take and others do not.
// harness: --grid=3,1,1 --block=96,1,1 --n=37 --expect=pausable
#include "prelude.h"

GLOBAL ends(u64 *out, const u32 *in, u32 *acc, int n)
{
	SHARED u32 words[96];
	u64 h = TID;

	words[TID] = in[GTID & 1023];
	SYNC();
	u32 x = words[(TID * 7) % 96];
	if (x & 1) {
		for (u32 i = 0; i < 1 + ((x - 20) & 15); i++)
			h = mix(h, in[(i + x) & 1023]);
	} else {
		for (u32 i = 0; i < (u32)n; i++)
			h = mix(h, in[(i * x) & 1023]);
	}
	out[GTID] = h;
}

GLOBAL meets(u64 *out, const u32 *in, u32 *acc, int n)
{
	SHARED u32 words[96];
	u64 h = TID;

	words[TID] = in[GTID & 1023];
	SYNC();
	for (u32 k = 0; k < 3; k++) {
		u32 x = words[(TID * 7 + k) % 96];
		if (x % 3 == 0) {
			for (u32 i = 0; i < (u32)n; i++)
				h = mix(h, in[(i + x) & 1023]);
		} else if (x % 3 == 1) {
			for (u32 i = TID; i < (u32)n * 9; i += THREADS)
				h = mix(h, in[(i * x) & 1023]);
		}
		for (u32 i = TID; i < (u32)n * 11; i += THREADS)
			h = mix(h, in[(i ^ x) & 1023]);
		SYNC();
		words[TID] += (u32)h;
		SYNC();
	}
	for (u32 i = 0; i < (u32)n; i++)
		h = mix(h, words[i]);
	out[GTID] = h;
}

GLOBAL warps(u64 *out, const u32 *in, u32 *acc, int n)
{
	u64 h = TID;
	u32 x = in[GTID & 1023];

	h += ballot(x & 1);
	if (LANE & 1) {
		for (u32 i = 0; i < (u32)n; i++)
			h = mix(h, in[(i + x) & 1023]);
	} else {
		for (u32 i = 0; i < (x & 31); i++)
			h = mix(h, in[(i * x) & 1023]);
	}
	out[GTID] = h;
}
