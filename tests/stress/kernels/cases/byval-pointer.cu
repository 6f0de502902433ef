// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A pointer that walks through a parameter passed by value, or through the input: the
// parameter lies elsewhere after a resume.
// harness: --grid=2,1,1 --block=40,1,1 --n=19 --expect=pausable
#include "prelude.h"

struct Table {
	u32 w[48];
	u32 pick;
};

GLOBAL walk(u64 *out, const u32 *in, u32 *acc, int n, Table t)
{
	const u32 *p = TID & 1 ? &t.w[TID & 7] : &in[TID];
	u64 h = 0;

	for (int i = 0; i < n; i++) {
		h = mix(h, *p++);
		if ((h & 63) == 5)
			p = &t.w[h >> 60];
	}
	out[GTID] = h;
}

GLOBAL index(u64 *out, const u32 *in, u32 *acc, int n, Table t)
{
	u64 h = 0;

	for (int i = 0; i < n; i++)
		h = mix(h, t.w[(in[i] + TID) % 48]);
	out[GTID] = h;
}
