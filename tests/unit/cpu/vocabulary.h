/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The vocabulary of docs/portable-image.md for kernels of the tests. */
#pragma once

typedef unsigned u32;
typedef unsigned long u64;

#define KERNEL extern "C" [[clang::device_kernel]] void
#define SHARED __attribute__((address_space(3)))
#define GLOBAL __attribute__((address_space(1)))
#define CONSTANT __attribute__((address_space(4)))

extern "C" {
int __hetckpt_tid_x(void), __hetckpt_tid_y(void), __hetckpt_tid_z(void);
int __hetckpt_ntid_x(void), __hetckpt_ntid_y(void), __hetckpt_ntid_z(void);
int __hetckpt_ctaid_x(void), __hetckpt_ctaid_y(void), __hetckpt_ctaid_z(void);
int __hetckpt_nctaid_x(void), __hetckpt_nctaid_y(void), __hetckpt_nctaid_z(void);
u32 __hetckpt_laneid(void), __hetckpt_warpid(void), __hetckpt_lanemask_lt(void), __hetckpt_lanemask_ge(void);
u32 __hetckpt_dynamic_smem_size(void);
void __hetckpt_barrier(u32 id, u32 threads), __hetckpt_barrier_arrive(u32 id, u32 threads);
u32 __hetckpt_barrier_red_popc(u32 id, u32 threads, bool p);
bool __hetckpt_barrier_red_and(u32 id, u32 threads, bool p), __hetckpt_barrier_red_or(u32 id, u32 threads, bool p);
void __hetckpt_syncwarp(u32 mask);
u32 __hetckpt_ballot(u32 mask, bool p);
bool __hetckpt_any(u32 mask, bool p), __hetckpt_all(u32 mask, bool p), __hetckpt_uni(u32 mask, bool p);
u32 __hetckpt_match_any_i32(u32 mask, u32 value);
u32 __hetckpt_match_any_i64(u32 mask, u64 value);
u32 __hetckpt_activemask(void);
u32 __hetckpt_redux_add(u32 mask, u32 v), __hetckpt_redux_umin(u32 mask, u32 v), __hetckpt_redux_smax(u32 mask, u32 v);
u32 __hetckpt_redux_xor(u32 mask, u32 v), __hetckpt_redux_smin(u32 mask, u32 v), __hetckpt_redux_and(u32 mask, u32 v);
void __hetckpt_fence_device(void), __hetckpt_spin(void), __hetckpt_nanosleep(u32);
void __hetckpt_trap(void), __hetckpt_exit(void);
void __hetckpt_assertfail(const char *, const char *, u32, const char *, u64);
int __hetckpt_vprintf(const char *, const void *);
bool __hetckpt_is_shared(const void *), __hetckpt_is_private(const void *), __hetckpt_is_global(const void *),
	__hetckpt_is_constant(const void *);
int __hetckpt_poll_thread(const void *launch), __hetckpt_poll_warp(const void *launch), __hetckpt_poll_block(const void *launch);
int __hetckpt_poll_entry(const void *launch);
float __hetckpt_nvvm_add_rz_f(float, float), __hetckpt_nvvm_fma_rm_f(float, float, float);
double __hetckpt_nvvm_div_rp_d(double, double), __hetckpt_nvvm_sqrt_rm_d(double);
float __hetckpt_nvvm_ex2_approx_f32(float), __hetckpt_nvvm_lg2_approx_f(float), __hetckpt_nvvm_sin_approx_f(float);
float __hetckpt_nvvm_cos_approx_f(float), __hetckpt_nvvm_tanh_approx_f(float), __hetckpt_nvvm_rsqrt_approx_f(float);
u32 __hetckpt_nvvm_prmt(u32, u32, u32), __hetckpt_nvvm_bfe_s32(u32, u32, u32), __hetckpt_nvvm_bfe_u32(u32, u32, u32);
int __hetckpt_nvvm_f2i_rn(float);

u32 shfl_idx(u32 mask, u32 v, u32 b, u32 c), shfl_down(u32 mask, u32 v, u32 b, u32 c);
u32 shfl_bfly(u32 mask, u32 v, u32 b, u32 c);
u64 shfl_up_p(u32 mask, u32 v, u32 b, u32 c), match_all_p(u32 mask, u32 v);
}

#define tid_x __hetckpt_tid_x
#define tid_y __hetckpt_tid_y
#define tid_z __hetckpt_tid_z
#define ntid_x __hetckpt_ntid_x
#define ntid_y __hetckpt_ntid_y
#define ntid_z __hetckpt_ntid_z
#define ctaid_x __hetckpt_ctaid_x
#define ctaid_y __hetckpt_ctaid_y
#define ctaid_z __hetckpt_ctaid_z
#define nctaid_x __hetckpt_nctaid_x
#define nctaid_y __hetckpt_nctaid_y
#define nctaid_z __hetckpt_nctaid_z
#define laneid __hetckpt_laneid
#define warpid __hetckpt_warpid
#define lanemask_lt __hetckpt_lanemask_lt
#define lanemask_ge __hetckpt_lanemask_ge
#define dynamic_smem_size __hetckpt_dynamic_smem_size
#define barrier __hetckpt_barrier
#define barrier_arrive __hetckpt_barrier_arrive
#define barrier_red_popc __hetckpt_barrier_red_popc
#define barrier_red_and __hetckpt_barrier_red_and
#define barrier_red_or __hetckpt_barrier_red_or
#define syncwarp __hetckpt_syncwarp
#define ballot __hetckpt_ballot
#define any __hetckpt_any
#define all __hetckpt_all
#define uni __hetckpt_uni
#define match_any_i32 __hetckpt_match_any_i32
#define match_any_i64 __hetckpt_match_any_i64
#define activemask __hetckpt_activemask
#define redux_add __hetckpt_redux_add
#define redux_umin __hetckpt_redux_umin
#define redux_smax __hetckpt_redux_smax
#define redux_xor __hetckpt_redux_xor
#define redux_smin __hetckpt_redux_smin
#define redux_and __hetckpt_redux_and
#define fence_device __hetckpt_fence_device
#define spin __hetckpt_spin
#define nanosleep __hetckpt_nanosleep
#define trap __hetckpt_trap
#define exit __hetckpt_exit
#define assertfail __hetckpt_assertfail
#define vprintf __hetckpt_vprintf
#define is_shared __hetckpt_is_shared
#define is_private __hetckpt_is_private
#define is_global __hetckpt_is_global
#define is_constant __hetckpt_is_constant
#define poll_thread __hetckpt_poll_thread
#define poll_warp __hetckpt_poll_warp
#define poll_block __hetckpt_poll_block
#define poll_entry __hetckpt_poll_entry
#define nvvm_add_rz_f __hetckpt_nvvm_add_rz_f
#define nvvm_fma_rm_f __hetckpt_nvvm_fma_rm_f
#define nvvm_div_rp_d __hetckpt_nvvm_div_rp_d
#define nvvm_sqrt_rm_d __hetckpt_nvvm_sqrt_rm_d
#define nvvm_ex2_approx_f32 __hetckpt_nvvm_ex2_approx_f32
#define nvvm_lg2_approx_f __hetckpt_nvvm_lg2_approx_f
#define nvvm_sin_approx_f __hetckpt_nvvm_sin_approx_f
#define nvvm_cos_approx_f __hetckpt_nvvm_cos_approx_f
#define nvvm_tanh_approx_f __hetckpt_nvvm_tanh_approx_f
#define nvvm_rsqrt_approx_f __hetckpt_nvvm_rsqrt_approx_f
#define nvvm_prmt __hetckpt_nvvm_prmt
#define nvvm_bfe_s32 __hetckpt_nvvm_bfe_s32
#define nvvm_bfe_u32 __hetckpt_nvvm_bfe_u32
#define nvvm_f2i_rn __hetckpt_nvvm_f2i_rn

#define FULL 0xffffffffu
#define CLAMP_DOWN 0x1fu /* whole warp, for idx, down and bfly */
static inline int linear_tid(void) { return tid_x() + ntid_x() * (tid_y() + ntid_y() * tid_z()); }
static inline int global_tid(void) { return ctaid_x() * ntid_x() + tid_x(); }
