// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pointers that lie the same distance into each thread's private array, across operations
// of the warp and of the block.
// harness: --grid=2,1,1 --block=64,1,1 --n=7 --expect=pausable
#include "prelude.h"

GLOBAL votes(u64 *out, const u32 *in, u32 *acc, int n)
{
	u32 a[8], b[16];
	u64 h = TID;

	for (u32 i = 0; i < 8; i++)
		a[i] = in[GTID & 1023] / ((u32)n | 1) + i;
	for (u32 i = 0; i < 16; i++)
		b[i] = in[(GTID + i) & 1023];
	for (u32 i = 0; i < (u32)n; i++) {
		u32 *p = &a[((u32)n / (i | 1)) & 7];
		u32 *q = &b[((u32)n * i) & 15];
		a[in[(TID + i) & 1023] & 7] = (u32)n ^ TID;
		u32 v = ballot(TID + *p < TID + *q);
		*p += v;
		h = mix(h, *q + any(*p & 1));
		*q ^= (u32)h;
	}
	for (u32 i = 0; i < 8; i++)
		h = mix(h, a[i]);
	out[GTID] = h;
}

GLOBAL meets(u64 *out, const u32 *in, u32 *acc, int n)
{
	SHARED u32 words[64];
	u32 a[8];
	u64 h = TID;

	for (u32 i = 0; i < 8; i++)
		a[i] = in[(GTID * 3 + i) & 1023];
	for (u32 i = 0; i < (u32)n; i++) {
		u32 *p = &a[((u32)n / (i | 1)) & 7];
		words[TID] = *p;
		SYNC();
		*p += words[(TID + i) & 63];
		SYNC();
		a[TID & 7] ^= *p;
		h = mix(h, a[(TID + i) & 7]);
	}
	out[GTID] = h;
}
