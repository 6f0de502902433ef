/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* As much of CUDA as kernels of the tests need, from the compiler's builtins alone. */
#ifndef HETCKPT_TESTS_STRESS_PRELUDE_H
#define HETCKPT_TESTS_STRESS_PRELUDE_H

#define GLOBAL extern "C" __attribute__((global)) void
#define DEVICE static __attribute__((device)) inline
#define NOINLINE static __attribute__((device, noinline))
#define SHARED static __attribute__((shared))
#define VARIABLE __attribute__((device))
#define CONSTANT __attribute__((constant))

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;
typedef long long i64;
typedef float f2 __attribute__((ext_vector_type(2)));
typedef float f4 __attribute__((ext_vector_type(4)));
typedef int i4 __attribute__((ext_vector_type(4)));

#define TX ((u32)__nvvm_read_ptx_sreg_tid_x())
#define TY ((u32)__nvvm_read_ptx_sreg_tid_y())
#define TZ ((u32)__nvvm_read_ptx_sreg_tid_z())
#define NX ((u32)__nvvm_read_ptx_sreg_ntid_x())
#define NY ((u32)__nvvm_read_ptx_sreg_ntid_y())
#define NZ ((u32)__nvvm_read_ptx_sreg_ntid_z())
#define BX ((u32)__nvvm_read_ptx_sreg_ctaid_x())
#define BY ((u32)__nvvm_read_ptx_sreg_ctaid_y())
#define BZ ((u32)__nvvm_read_ptx_sreg_ctaid_z())
#define GX ((u32)__nvvm_read_ptx_sreg_nctaid_x())
#define GY ((u32)__nvvm_read_ptx_sreg_nctaid_y())
#define GZ ((u32)__nvvm_read_ptx_sreg_nctaid_z())
#define TID (TX + NX * (TY + NY * TZ))
#define THREADS (NX * NY * NZ)
#define BLOCK (BX + GX * (BY + GY * BZ))
#define GTID (BLOCK * THREADS + TID)
#define LANE ((u32)__nvvm_read_ptx_sreg_laneid())

#define SYNC() __syncthreads()
#define ALL 0xffffffffu

DEVICE u32 shfl_idx(u32 v, u32 lane) { return (u32)__nvvm_shfl_sync_idx_i32(ALL, (int)v, (int)lane, 0x1f); }
DEVICE u32 shfl_xor(u32 v, u32 lane) { return (u32)__nvvm_shfl_sync_bfly_i32(ALL, (int)v, (int)lane, 0x1f); }
DEVICE u32 shfl_down(u32 v, u32 lane) { return (u32)__nvvm_shfl_sync_down_i32(ALL, (int)v, (int)lane, 0x1f); }
DEVICE u32 shfl_up(u32 v, u32 lane) { return (u32)__nvvm_shfl_sync_up_i32(ALL, (int)v, (int)lane, 0); }
DEVICE u32 ballot(bool p) { return (u32)__nvvm_vote_ballot_sync(ALL, p); }
DEVICE bool any(bool p) { return __nvvm_vote_any_sync(ALL, p); }
DEVICE bool all(bool p) { return __nvvm_vote_all_sync(ALL, p); }
DEVICE void sync_warp() { __nvvm_bar_warp_sync(ALL); }
DEVICE int sync_count(int p) { return __nvvm_bar0_popc(p); }
DEVICE int sync_or(int p) { return __nvvm_bar0_or(p); }
DEVICE int sync_and(int p) { return __nvvm_bar0_and(p); }

DEVICE u32 atomic_add(u32 *p, u32 v) { return __nvvm_atom_add_gen_i((int *)p, (int)v); }
DEVICE u32 atomic_max(u32 *p, u32 v) { return __nvvm_atom_max_gen_ui(p, v); }
DEVICE u32 atomic_xor(u32 *p, u32 v) { return __nvvm_atom_xor_gen_i((int *)p, (int)v); }
DEVICE u32 atomic_exch(u32 *p, u32 v) { return __nvvm_atom_xchg_gen_i((int *)p, (int)v); }
DEVICE u32 atomic_cas(u32 *p, u32 c, u32 v) { return __nvvm_atom_cas_gen_i((int *)p, (int)c, (int)v); }
DEVICE u64 atomic_add64(u64 *p, u64 v) { return __nvvm_atom_add_gen_ll((long long *)p, (long long)v); }

DEVICE u64 bits(double d) { return __builtin_bit_cast(u64, d); }
DEVICE u32 bits(float f) { return __builtin_bit_cast(u32, f); }
DEVICE u64 mix(u64 h, u64 v) { return (h ^ v) * 0x9e3779b97f4a7c15ull + (h >> 29); }

#endif
