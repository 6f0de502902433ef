// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Some threads of a block return before the loop: the others save all of its shared memory.
// harness: --grid=3,1,1 --block=96,1,1 --n=13 --expect=polls
#include "prelude.h"

GLOBAL early(u64 *out, const u32 *in, u32 *acc, int n)
{
	SHARED u32 tile[331];

	for (u32 i = TID; i < 331; i += THREADS)
		tile[i] = in[i] + BLOCK;
	SYNC();
	if (TID % 3 == 1 || TID > 70)
		return;
	u64 h = TID;
	for (int k = 0; k < n; k++) {
		for (int i = 0; i < 331; i++)
			h = mix(h, tile[i]);
		SYNC();
		tile[TID] += (u32)k;
		SYNC();
	}
	out[GTID] = h;
}
