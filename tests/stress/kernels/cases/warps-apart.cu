// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Warps that go round an inner loop different numbers of times: all stand at one operation,
// each in an iteration of its own.
// harness: --grid=3,1,1 --block=96,1,1 --n=26 --expect=pausable
#include "prelude.h"

GLOBAL way(u64 *out, const u32 *in, u32 *acc, int n)
{
	u64 q = GTID;

	for (int i = 3; i > 0; i--)
		for (u32 k = 0; k < 1 + TID / 32; k++) {
			if (BLOCK == 0)
				q += mix(q, (u64)n);
			if (all(n < 7))
				q++;
		}
	out[GTID] = q;
}

GLOBAL counts(u64 *out, const u32 *in, u32 *acc, int n)
{
	u64 q = GTID;

	for (u32 i = 0; i < (u32)n; i++)
		for (u32 k = 0; k < 1 + (TID / 32 + i) % 3; k++) {
			q = mix(q, i * 16 + k);
			if (n & 1)
				q += k;
			q += shfl_xor((u32)q, 1);
		}
	out[GTID] = q;
}
