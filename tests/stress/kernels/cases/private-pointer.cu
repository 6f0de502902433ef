// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pointers into private arrays: past the end of one may be the beginning of another, and
// the arrays lie elsewhere after a resume.
// harness: --grid=2,1,1 --block=33,1,1 --n=23 --expect=pausable
#include "prelude.h"

NOINLINE void fill(u32 *a, const u32 *in, u32 x)
{
	for (u32 i = 0; i < 8; i++)
		a[i] = in[(i * 5 + x) & 1023];
}

GLOBAL ends(u64 *out, const u32 *in, u32 *acc, int n)
{
	u32 a[8], b[8], c[8];
	u64 h = TID;

	fill(a, in, TID);
	fill(b, in, TID + 100);
	fill(c, in, TID + 300);
	const u32 *p = TID & 1 ? a : TID & 2 ? b : c;
	const u32 *end = p + 8, *first = p;
	for (int i = 0; i < n; i++) {
		h = mix(h, *p++);
		if (p == end) {
			p = first;
			h += 1;
		}
	}
	out[GTID] = h;
	for (u32 i = 0; i < 8; i++)
		out[4096 + GTID * 8 + i] = a[i] ^ b[i] ^ c[i];
}

/* Written through, and read by its own name later. */
GLOBAL writes(u64 *out, const u32 *in, u32 *acc, int n)
{
	u32 a[8], b[12];
	u64 h = TID;

	fill(a, in, TID);
	for (u32 i = 0; i < 12; i++)
		b[i] = i * TID;
	u32 *p = in[TID] & 1 ? a : b;
	for (int i = 0; i < n; i++) {
		p[i & 7] += (u32)h;
		h = mix(h, b[(i * 3) % 12]);
		if (h & 1024)
			p = h & 2048 ? &a[0] : &b[4];
	}
	for (u32 i = 0; i < 8; i++)
		h = mix(h, a[i]);
	out[GTID] = h + (u64)(p == a);
}

/* Lives in one iteration of the outer loop only. */
GLOBAL lifetimes(u64 *out, const u32 *in, u32 *acc, int n)
{
	u64 h = TID;

	for (int k = 0; k < n; k++) {
		u32 a[16];

		for (u32 i = 0; i < 16; i++)
			a[i] = in[(u32)h % 1000 + i];
		for (int i = 0; i < n; i++)
			a[(h + (u64)i) & 15] += (u32)(h >> 32) + a[i & 15];
		for (u32 i = 0; i < 16; i++)
			h = mix(h, a[i]);
	}
	out[GTID] = h;
}
