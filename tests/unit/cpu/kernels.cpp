// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels in the neutral vocabulary, one for each thing that the CPU target must get
// right. Their results are checked in test_kernels.c.
#include "vocabulary.h"

// ---- No thread waits -----------------------------------------------------------

KERNEL vadd(const float *a, const float *b, float *c, int n) {
  int i = global_tid();
  if (i < n)
    c[i] = a[i] + b[i];
}

// Every id, in a grid and block of three dimensions.
KERNEL ids(u32 *out) {
  int block = ctaid_x() + nctaid_x() * (ctaid_y() + nctaid_y() * ctaid_z());
  int threads = ntid_x() * ntid_y() * ntid_z();
  u32 *p = out + 8 * (u64)(block * threads + linear_tid());
  p[0] = tid_x() | tid_y() << 10 | tid_z() << 20;
  p[1] = ctaid_x() | ctaid_y() << 10 | ctaid_z() << 20;
  p[2] = ntid_x() | ntid_y() << 10 | ntid_z() << 20;
  p[3] = nctaid_x() | nctaid_y() << 10 | nctaid_z() << 20;
  p[4] = laneid();
  p[5] = warpid();
  p[6] = lanemask_lt();
  p[7] = lanemask_ge();
}

struct Point {
  float x[4];
  int n;
  char tag;
};

// A struct by value that the kernel writes to: each thread has its own copy.
KERNEL by_value(float *out, char first, Point p, short last) {
  int i = global_tid();
  p.x[i & 3] += i;
  p.n += first;
  out[i] = p.x[0] + p.x[1] + p.x[2] + p.x[3] + p.n + last + p.tag;
}

extern GLOBAL u32 counter;
extern GLOBAL float weights[8];
extern CONSTANT float scale;
static const int table[8] = {3, 1, 4, 1, 5, 9, 2, 6};

// Module variables, constants of the compiler, atomics.
KERNEL variables(float *out) {
  int i = global_tid();
  u32 old = __scoped_atomic_fetch_add((u32 *)&counter, 1, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
  out[i] = ((float *)weights)[i & 7] * *(const float *)&scale + table[i & 7];
  if (old & 0x80000000u)
    out[i] = 0;
}

// Division of everything by everything, conversions out of range.
KERNEL arithmetic(const int *a, const int *b, const float *f, int *out) {
  int i = global_tid();
  int *o = out + 8 * i;
  o[0] = a[i] / b[i];
  o[1] = a[i] % b[i];
  o[2] = (u32)a[i] / (u32)b[i];
  o[3] = (u32)a[i] % (u32)b[i];
  o[4] = (int)f[i];
  o[5] = (u32)f[i];
  o[6] = nvvm_f2i_rn(f[i]);
  o[7] = nvvm_bfe_s32(a[i], b[i], 5) ^ nvvm_prmt(a[i], b[i], 0x3715);
}

KERNEL rounding(const float *a, const float *b, const float *c, double *out) {
  int i = global_tid();
  double *o = out + 8 * i;
  o[0] = nvvm_add_rz_f(a[i], b[i]);
  o[1] = nvvm_fma_rm_f(a[i], b[i], c[i]);
  o[2] = nvvm_div_rp_d(a[i], b[i]);
  o[3] = nvvm_sqrt_rm_d(a[i] * a[i]);
  o[4] = nvvm_ex2_approx_f32(a[i]);
  o[5] = nvvm_lg2_approx_f(a[i]);
  o[6] = nvvm_sin_approx_f(a[i]);
  o[7] = nvvm_tanh_approx_f(a[i]);
}

static __attribute__((noinline)) u32 fibonacci(u32 n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

KERNEL recursion(u32 *out) { out[global_tid()] = fibonacci(global_tid() % 12); }

KERNEL half_fma(const _Float16 *a, const _Float16 *b, const _Float16 *c, _Float16 *out) {
  int i = global_tid();
  out[i] = __builtin_elementwise_fma(a[i], b[i], c[i]);
}

// ---- Barriers -------------------------------------------------------------------

extern "C" SHARED float __hetckpt_shared_matmul[2 * 16 * 16];

// Blocks of 16 x 16.
KERNEL matmul(const float *a, const float *b, float *c, int n) {
  SHARED float *as = __hetckpt_shared_matmul, *bs = as + 256;
  int tx = tid_x(), ty = tid_y();
  int row = ctaid_y() * 16 + ty, col = ctaid_x() * 16 + tx;
  float acc = 0;
  for (int t = 0; t < n; t += 16) {
    as[ty * 16 + tx] = a[row * n + t + tx];
    bs[ty * 16 + tx] = b[(t + ty) * n + col];
    barrier(0, 0);
    for (int k = 0; k < 16; k++)
      acc = __builtin_fmaf(as[ty * 16 + k], bs[k * 16 + tx], acc);
    barrier(0, 0);
  }
  c[row * n + col] = acc;
}

extern "C" SHARED u32 __hetckpt_dynamic_shared[];

// Sum of a block in dynamic shared memory; threads beyond n leave before the barrier.
KERNEL block_sum(const u32 *in, u32 *out, int n) {
  int t = tid_x();
  int count = n < ntid_x() ? n : ntid_x();
  if (t >= count)
    return;
  __hetckpt_dynamic_shared[t] = in[ctaid_x() * ntid_x() + t];
  for (int half = 512; half; half >>= 1) {
    barrier(0, 0);
    if (t < half && t + half < count)
      __hetckpt_dynamic_shared[t] += __hetckpt_dynamic_shared[t + half];
  }
  if (!t)
    out[ctaid_x()] = __hetckpt_dynamic_shared[0] + dynamic_smem_size();
}

extern "C" SHARED int __hetckpt_shared_private_arrays[256];

// A private array with computed indices, live across barriers and moved by pointer.
KERNEL private_arrays(int *out, int rounds) {
  int t = tid_x(), n = ntid_x();
  int own[16];
  for (int i = 0; i < 16; i++)
    own[i] = t * 16 + i;
  int *p = own;
  for (int r = 0; r < rounds; r++) {
    p = own + ((t + r) & 15);
    __hetckpt_shared_private_arrays[t] = *p;
    barrier(0, 0);
    *p += __hetckpt_shared_private_arrays[(t + 1) % n];
    barrier(0, 0);
  }
  int sum = 0;
  for (int i = 0; i < 16; i++)
    sum = sum * 31 + own[i];
  out[global_tid()] = sum + (int)(p - own);
}

// Functions that wait, called from two places, one in a loop; another one that ends.
static __attribute__((noinline)) u32 rotate(u32 v, int by) {
  v = shfl_idx(FULL, v, laneid() + by, CLAMP_DOWN);
  barrier(0, 0);
  return v;
}
static __attribute__((noinline)) void leave(int t) {
  if (t == 7)
    exit();
}
KERNEL calls(u32 *out, int rounds) {
  u32 v = tid_x();
  for (int r = 0; r < rounds; r++)
    v = rotate(v, r) * 3 + 1;
  v ^= rotate(v, 5);
  leave(tid_x());
  out[tid_x()] = v;
}

// Reductions of a barrier, and barriers that different threads reach at different places.
KERNEL barrier_kinds(u32 *out) {
  int t = tid_x();
  u32 *o = out + 4 * t;
  o[0] = barrier_red_popc(0, 0, t % 3 == 0);
  o[1] = barrier_red_and(0, 0, t >= 0) | barrier_red_and(0, 0, t > 0) << 1;
  o[2] = barrier_red_or(0, 0, t == 5) | barrier_red_or(0, 0, t < 0) << 1;
  u32 r;
  if (t & 1) {
    r = 1;
    barrier(0, 0);
    r += t;
  } else {
    r = 2;
    barrier(0, 0);
    r *= t;
  }
  o[3] = r;
}

extern "C" SHARED int __hetckpt_shared_pipeline[64 + 1];

// Half of the block produces, half consumes, with two counted barriers.
KERNEL pipeline(int *out, int items) {
  SHARED int *slot = __hetckpt_shared_pipeline;
  int t = tid_x(), half = ntid_x() / 2;
  if (t < half) {
    for (int i = 0; i < items; i++) {
      barrier(2, 2 * half); // the slots are free
      slot[t] = i * 1000 + t;
      barrier_arrive(1, 2 * half);
    }
  } else {
    int sum = 0;
    for (int i = 0; i < items; i++) {
      barrier_arrive(2, 2 * half);
      barrier(1, 2 * half); // the slots are full
      sum = sum * 7 + slot[t - half];
    }
    out[t - half] = sum;
  }
}

// ---- Warps -----------------------------------------------------------------------

extern "C" SHARED u32 __hetckpt_shared_reduce[32];

KERNEL reduce(const u32 *in, u32 *out, int n) {
  u32 sum = 0;
  for (int i = global_tid(); i < n; i += ntid_x() * nctaid_x())
    sum += in[i];
  for (int d = 16; d; d >>= 1)
    sum += shfl_down(FULL, sum, d, CLAMP_DOWN);
  if (!laneid())
    __hetckpt_shared_reduce[warpid()] = sum;
  barrier(0, 0);
  if (!warpid()) {
    u32 warps = (ntid_x() + 31) / 32;
    sum = laneid() < warps ? __hetckpt_shared_reduce[laneid()] : 0;
    for (int d = 16; d; d >>= 1)
      sum += shfl_bfly(FULL, sum, d, CLAMP_DOWN);
    if (!laneid())
      __scoped_atomic_fetch_add(out, sum, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
  }
}

// Each warp operation, with masks that depend on data, in warps that part and meet.
KERNEL warp_kinds(const u32 *in, u32 *out) {
  int i = global_tid();
  u32 v = in[i], lane = laneid();
  u32 *o = out + 16 * i;
  o[0] = ballot(FULL, v & 1);
  o[1] = any(FULL, v == 7) | all(FULL, v < 100) << 1 | uni(FULL, (v >> 3) & 1) << 2;
  o[2] = match_any_i32(FULL, v & 3);
  o[3] = match_any_i64(FULL, (u64)(v & 1) << 40 | (v & 2));
  u64 m = match_all_p(FULL, in[i & ~31] < 4 ? v & 4 : 9); // in some warps all agree
  o[4] = (u32)m ^ (u32)(m >> 32);
  u64 up = shfl_up_p(FULL, v, 3, 0x1000); // segments of 16
  o[5] = (u32)up;
  o[6] = up >> 32;
  o[7] = shfl_idx(FULL, v, v, 0x181f); // segments of 8, index from data
  u32 odd = ballot(FULL, v & 1);
  if (v & 1) {
    o[8] = redux_add(odd, v) ^ redux_umin(odd, v) << 16;
    o[9] = shfl_bfly(odd, v, 1, CLAMP_DOWN) == v;
    syncwarp(odd);
  } else {
    o[8] = redux_smax(~odd, v - 50) ^ redux_xor(~odd, v) << 16;
    o[9] = shfl_bfly(~odd, v, 2, CLAMP_DOWN) == v;
  }
  u32 active = activemask();
  o[10] = active;
  if (lane % 5 == 4) {
    o[11] = activemask();
    return; // the rest of the warp goes on without these
  }
  o[11] = shfl_down(FULL, lane, 1, CLAMP_DOWN);
  o[12] = ballot(FULL, lane < 20);
}

// ---- Waiting on memory --------------------------------------------------------------

// A barrier of the whole grid, made of an atomic counter: blocks must run side by side.
KERNEL grid_barrier(u32 *count, u32 *data, int rounds) {
  int blocks = nctaid_x();
  for (int r = 0; r < rounds; r++) {
    if (!tid_x())
      data[r & 1 ? blocks + ctaid_x() : ctaid_x()] += data[r & 1 ? (ctaid_x() + 1) % blocks
                                                                 : blocks + (ctaid_x() + 1) % blocks] + 1;
    barrier(0, 0);
    if (!tid_x()) {
      fence_device();
      __scoped_atomic_fetch_add(count, 1, __ATOMIC_ACQ_REL, __MEMORY_SCOPE_DEVICE);
      while (__scoped_atomic_load_n(count, __ATOMIC_ACQUIRE, __MEMORY_SCOPE_DEVICE) < (r + 1) * blocks)
        spin();
    }
    barrier(0, 0);
  }
}

// A lock that every thread of a warp takes in turn.
KERNEL lock(u32 *mutex, u32 *value, int times) {
  for (int k = 0; k < times; k++) {
    for (bool mine = false; !mine; spin()) {
      u32 free = 0;
      mine = __scoped_atomic_compare_exchange_n(mutex, &free, 1, false, __ATOMIC_ACQUIRE,
                                                __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
      if (mine) {
        *(volatile u32 *)value = *(volatile u32 *)value * 3 + 1;
        __scoped_atomic_store_n(mutex, 0, __ATOMIC_RELEASE, __MEMORY_SCOPE_DEVICE);
      }
    }
  }
}

// ---- Addresses, output, ends ---------------------------------------------------------

extern "C" SHARED int __hetckpt_shared_classify[4];

KERNEL classify(u32 *out) {
  int own[4];
  int i = tid_x();
  for (int k = 0; k < 4; k++)
    own[k] = i;
  const void *p[4] = {(const void *)__hetckpt_shared_classify, own, out, table};
  barrier(0, 0);
  for (int k = 0; k < 4; k++) {
    const void *q = p[(k + i) & 3];
    out[4 * i + ((k + i) & 3)] = is_shared(q) | is_private(q) << 1 | is_global(q) << 2 | is_constant(q) << 3;
  }
}

KERNEL print(int n) {
  struct {
    int i;
    double d;
    const char *s;
    long l;
  } args = {(int)tid_x(), 1.5 * tid_x(), "text", -5};
  if (tid_x() < n)
    vprintf("thread %d: %5.2f %s %ld %%\n", &args);
}

static __attribute__((noinline)) u32 deep(u32 n) {
  u32 below = n ? deep(n - 1) : 1;
  return (below ^ below >> 3) * (n | 1);
}

KERNEL ends(u32 *out, int what) {
  int i = tid_x();
  if (i == 3) {
    if (what == 1)
      exit();
    if (what == 2)
      trap();
    if (what == 3)
      assertfail("x == 1", "ends.cu", 42, "ends", 1);
    if (what == 4)
      *(volatile int *)0x40 = 1;
    if (what == 5)
      barrier(3, 77);
    if (what >= 6)
      out[63] = deep(what);
  }
  if (what < 6 || i < 63)
    out[i] = i + 1;
}

extern "C" int malloc_like(int);

KERNEL lacks(int *out) { out[tid_x()] = malloc_like(tid_x()); }

KERNEL forever(int *out) {
  while (!*(volatile int *)out)
    ;
}

// ---- Threads in and out of step --------------------------------------------------------

// Lanes of a warp are at one shuffle in different iterations of one loop, whose counter
// is the same in all of them iteration by iteration.
KERNEL out_of_step(u32 *out, int rounds) {
  u32 t = tid_x(), v = t;
  for (int k = 0; k < rounds; k++)
    if ((k ^ t) & 1)
      v = shfl_bfly(t & 1 ? 0xaaaaaaaau : 0x55555555u, v, 2, CLAMP_DOWN) * 5 + k;
  out[global_tid()] = v;
}

// Inner loops of different length, some of them none, in an outer one; values that live
// across them; a grid's stride.
KERNEL uneven_loops(const u32 *in, u32 *out, int n, int rounds) {
  u32 i = global_tid(), v = i, stride = ntid_x() * nctaid_x();
  for (int k = 0; k < rounds; k++) {
    if ((i + k) % 3)
      for (u32 j = 0; j < i % 7 + k; j++)
        v = v * 31 + in[(i + j * 16) & (n - 1)] + k;
    for (u32 at = i; at < (u32)n; at += stride)
      v ^= in[at] + k;
    v += k;
  }
  out[i] = v;
}

// The same with a barrier between, which threads of odd warps reach from another place.
KERNEL loops_and_barriers(const u32 *in, u32 *out, int n, int rounds) {
  u32 i = global_tid(), v = i;
  for (int k = 0; k < rounds; k++) {
    for (u32 j = i % 5; j < 9; j++)
      v = v * 33 + in[(i + j) & (n - 1)];
    if (warpid() & 1)
      v += barrier_red_popc(0, 0, v & 1);
    else
      v -= barrier_red_popc(0, 0, v & 1);
    for (u32 j = 0; j < (u32)k; j++)
      v ^= in[(v + j) & (n - 1)] >> j;
  }
  out[i] = v;
}

// Every iteration passes a barrier, so that its counter is the same in all threads; some
// skip the inner loop, or pass a barrier more often. What is read and written changes
// places from one iteration to the next.
KERNEL paced_loops(u32 *buffer, u32 *out, int rounds) {
  u32 t = tid_x(), n = ntid_x(), v = t;
  u32 *first = buffer + (global_tid() - t) * 6, *second = first + 3 * n;
  for (int k = 0; k < rounds; k++) {
    u32 *from = k & 1 ? second : first, *to = k & 1 ? first : second;
    if (t % 3 != (u32)k % 3)
      for (u32 j = t; j < 3 * n - (t & 1); j += n)
        to[j] = from[(j + k) % (3 * n)] * 5 + k;
    if (t >= 32)
      v += barrier_red_popc(1, n - 32, v & 1);
    barrier(0, 0);
    v = v * 3 + to[(t * 7 + k) % (3 * n)];
    barrier(0, 0);
  }
  out[global_tid()] = v;
}

// A loop in strips, as a poll makes them, but not of the same length in all threads: where
// they are at the inner loop together, they are in different places.
KERNEL strips(const u32 *in, u32 *out, int n) {
  u32 t = global_tid(), i = t, v = t, stride = ntid_x() * nctaid_x();
  while (i < (u32)n) {
    u32 end = i + (t % 16 == 3 ? 2 : 5) * stride;
    end = end < (u32)n ? end : n;
    for (; i < end; i += stride)
      v = v * 31 + in[i];
    v ^= i;
  }
  out[t] = v;
}

// A loop that ends with a trap or an exit in some threads.
KERNEL leaving_loops(u32 *out, int rounds) {
  u32 i = global_tid(), v = i;
  for (int k = 0; k < rounds; k++) {
    v = v * 7 + k;
    if ((v & 255) == 3)
      return;
    out[i] = v;
  }
}

// A loop that carries values of several widths along, and that threads leave at different times,
// by either of two ways; in rows of threads that need not fill tiles.
KERNEL carrying_loop(const u32 *in, u64 *out, int n) {
  u32 threads = ntid_x() * ntid_y(), t = tid_y() * ntid_x() + tid_x();
  u32 i = ctaid_x() * threads + t, at = i, least = ~0u, found = 0, limit = n - i % 5 * 90;
  u64 sum = 0;
  double mean = 0;
  for (; at < limit; at += 48) {
    u32 v = in[at];
    sum += (u64)v * v;
    least = v < least ? v : least;
    mean = mean * 0.5 + v;
    if (v % 97 == 5) {
      found = at + 1;
      break;
    }
  }
  out[4 * i] = sum;
  out[4 * i + 1] = (u64)least << 32 | found;
  out[4 * i + 2] = __builtin_bit_cast(u64, mean);
  out[4 * i + 3] = at;
}

// Blocks that may run side by side. What the guard compares may wrap round in the middle of a row.
KERNEL picture(const u32 *in, u32 *out, int width, int limit, int height, int shift) {
  int raw = (int)(ctaid_x() * ntid_x() + tid_x());
  int y = (int)((ctaid_y() * ntid_y() + tid_y()) * ntid_z() + tid_z());
  int x = (int)((u32)raw + (u32)shift);
  if (x < limit && y < height)
    out[y * width + raw] = in[y * width + raw] * 3 + 1;
}

// One thread of one block writes where nothing is.
KERNEL strays(u32 *out, int block, int row) {
  u32 *p = out + ctaid_y() * nctaid_x() + ctaid_x();
  if (ctaid_x() == block && ctaid_y() == row && tid_x() == 3)
    p = (u32 *)8;
  *p = 1;
}

#define ADD(p, v) __scoped_atomic_fetch_add(p, v, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE)

// Additions that are collected: to numbers that blocks share, and to some of the block's own, which other threads
// read behind a barrier.
KERNEL tally(const u32 *in, u32 *all, u32 *mine, u32 *out, int n, int mask) {
  u32 stride = nctaid_x() * ntid_x(), t = tid_x(), b = ctaid_x() * 64;
  for (u64 i = global_tid(); i < (u64)n; i += stride) {
    u32 v = in[i];
    ADD(&all[v & mask], v);
    ADD(&mine[b + (v >> 8) % 64], 1);
  }
  barrier(0, 0);
  for (u32 k = t; k < 64; k += ntid_x())
    out[b + k] = mine[b + k];
}

// Each thread adds to a number of its own, and seldom looks at it, changes it, or does something else to it that
// is atomic: in its own order.
KERNEL tally_mixed(const u32 *in, u64 *own, u64 *seen, int n, int seldom) {
  u32 stride = nctaid_x() * ntid_x(), t = global_tid();
  for (u64 i = t; i < (u64)n; i += stride) {
    u32 v = in[i];
    ADD(own + t, (u64)v * v);
    if ((v & seldom) == 1)
      seen[i] = own[t];
    if ((v >> 7 & seldom) == 2)
      own[t] = v;
    if ((v >> 13 & seldom) == 3)
      __scoped_atomic_fetch_max(own + t, (u64)v << 33, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
    __scoped_atomic_fetch_sub(own + t, i << 20, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
  }
  seen[n + t] = own[t];
}
