// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Run and resume variants by hand: what the compiler pass makes of a kernel, reduced to
// what the CPU target must carry out. One kernel of scope thread, one of scope warp,
// one of scope block. test_pause.c drives them.
#include "hetckpt/abi.h"
#include "vocabulary.h"

using Launch = hetckpt_launch;
using Table = hetckpt_frame_table;

static u32 logicalBlock(const Launch &l, bool resume) {
  if (resume)
    return ((const hetckpt_block_ref *)l.list)[ctaid_x()].block;
  return l.base[0] + ctaid_x() + l.grid[0] * (l.base[1] + ctaid_y());
}

// The block's group in the table to park into.
static char *claim(const Launch &l, u32 block) {
  const Table *t = (const Table *)l.frames;
  u32 *keys = (u32 *)t->keys;
  u32 step = 1 + ((block * 0x9e3779b1u) >> 16) % (t->capacity > 1 ? t->capacity - 1 : 1);
  for (u32 at = block % t->capacity;; at = (at + step) % t->capacity) {
    u32 seen = 0;
    if (__scoped_atomic_compare_exchange_n(&keys[at], &seen, block + 1, false, __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE) ||
        seen == block + 1)
      return (char *)t->groups + at * t->group_bytes;
  }
}

static char *found(const Launch &l) {
  const hetckpt_block_ref *ref = &((const hetckpt_block_ref *)l.list)[ctaid_x()];
  const Table *t = (const Table *)l.resume;
  return ref->group == HETCKPT_NO_GROUP ? nullptr : (char *)t->groups + ref->group * t->group_bytes;
}

static u32 *safepoints(char *group) { return (u32 *)group; }
static u32 *slot4(char *group, u32 n, u32 index) {
  return (u32 *)(group + (4 * n + 15) / 16 * 16) + index * n;
}
static char *sharedArea(char *group, u32 n, u32 slots) {
  return group + (4 * n + 15) / 16 * 16 + (4 * n * slots + 15) / 16 * 16;
}

static u32 mix(u32 x) {
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return x * 0x9e3779b1u + 1;
}

// ---- Thread --------------------------------------------------------------------------

// out[i] = a long chain; parks with k and x. Threads run for different numbers of rounds.
static void threads(u32 *out, int rounds, const Launch &l, bool resume) {
  u32 n = ntid_x(), t = tid_x(), block = logicalBlock(l, resume);
  int k = 0;
  u32 x = block * n + t;
  char *from = resume ? found(l) : nullptr;
  u32 at = from ? safepoints(from)[t] : HETCKPT_SP_START;
  if (at == HETCKPT_SP_DONE)
    return;
  int entry = poll_entry(&l);
  if (entry == 1)
    return;
  if (at == 1) {
    k = slot4(from, n, 0)[t];
    x = slot4(from, n, 1)[t];
  } else if (entry == 2) {
    safepoints(claim(l, block))[t] = HETCKPT_SP_START;
    return;
  }
  int mine = rounds + (int)(t % 7);
  while (k < mine) {
    if (poll_thread(&l)) {
      char *g = claim(l, block);
      safepoints(g)[t] = 1;
      slot4(g, n, 0)[t] = k;
      slot4(g, n, 1)[t] = x;
      return;
    }
    for (int i = 0; i < 64; i++)
      x = mix(x);
    k++;
  }
  out[block * n + t] = x;
}

KERNEL __hetckpt_run_threads(u32 *out, int rounds, Launch l) { threads(out, rounds, l, false); }
KERNEL __hetckpt_resume_threads(u32 *out, int rounds, Launch l) { threads(out, rounds, l, true); }

// ---- Warp ----------------------------------------------------------------------------

// Lanes mix their values with shuffles; warps run for different numbers of rounds.
static void warps(u32 *out, int rounds, const Launch &l, bool resume) {
  u32 n = ntid_x(), t = tid_x(), block = logicalBlock(l, resume);
  int k = 0;
  u32 x = block * n + t;
  char *from = resume ? found(l) : nullptr;
  u32 at = from ? safepoints(from)[t] : HETCKPT_SP_START;
  if (at == HETCKPT_SP_DONE)
    return;
  if (poll_entry(&l))
    return;
  if (at == 1) {
    k = slot4(from, n, 0)[t];
    x = slot4(from, n, 1)[t];
  }
  int mine = rounds + (int)(warpid() * 3);
  while (k < mine) {
    if (poll_warp(&l)) {
      char *g = claim(l, block);
      safepoints(g)[t] = 1;
      slot4(g, n, 0)[t] = k;
      slot4(g, n, 1)[t] = x;
      return;
    }
    x = mix(x) + shfl_bfly(FULL, x, 1 << (k & 3), CLAMP_DOWN);
    k++;
  }
  out[block * n + t] = x;
}

KERNEL __hetckpt_run_warps(u32 *out, int rounds, Launch l) { warps(out, rounds, l, false); }
KERNEL __hetckpt_resume_warps(u32 *out, int rounds, Launch l) { warps(out, rounds, l, true); }

// ---- Block ---------------------------------------------------------------------------

extern "C" SHARED u32 __hetckpt_shared_blocks[128];

// A ring of values in shared memory; the last threads leave before the loop.
static void blocks(u32 *out, int rounds, const Launch &l, bool resume) {
  SHARED u32 *ring = __hetckpt_shared_blocks;
  u32 n = ntid_x(), t = tid_x(), block = logicalBlock(l, resume);
  int k = 0;
  u32 x = block * n + t;
  char *from = resume ? found(l) : nullptr;
  u32 at = from ? safepoints(from)[t] : HETCKPT_SP_START;
  if (poll_entry(&l))
    return;
  if (from)
    for (u32 i = t; i < 128; i += n)
      ring[i] = ((u32 *)sharedArea(from, n, 2))[i];
  barrier(0, 0);
  if (at == HETCKPT_SP_DONE)
    return;
  u32 live = n - n / 8;
  if (at == 1) {
    k = slot4(from, n, 0)[t];
    x = slot4(from, n, 1)[t];
  } else {
    if (t >= live) {
      out[block * n + t] = 1;
      return;
    }
    ring[t] = x;
  }
  for (; k < rounds; k++) {
    if (poll_block(&l)) {
      char *g = claim(l, block);
      safepoints(g)[t] = 1;
      slot4(g, n, 0)[t] = k;
      slot4(g, n, 1)[t] = x;
      for (u32 i = t; i < 128; i += live)
        ((u32 *)sharedArea(g, n, 2))[i] = ring[i];
      return;
    }
    x += mix(ring[(t + 1) % live]);
    barrier(0, 0);
    ring[t] = x;
    barrier(0, 0);
  }
  out[block * n + t] = x;
}

KERNEL __hetckpt_run_blocks(u32 *out, int rounds, Launch l) { blocks(out, rounds, l, false); }
KERNEL __hetckpt_resume_blocks(u32 *out, int rounds, Launch l) { blocks(out, rounds, l, true); }

// ---- Short blocks ----------------------------------------------------------------------

// Without polls, and blocks that may run side by side. The thread in the middle of block traps traps.
static void marks(u32 *out, int traps, const Launch &l) {
  u32 block = logicalBlock(l, false), i = block * ntid_x() + tid_x();
  if (poll_entry(&l))
    return;
  if ((int)block == traps && tid_x() == ntid_x() / 2)
    trap();
  out[i]++;
}

KERNEL __hetckpt_run_marks(u32 *out, int traps, Launch l) { marks(out, traps, l); }
