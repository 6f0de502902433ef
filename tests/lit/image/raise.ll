; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; NVVM's vocabulary becomes the neutral one of docs/portable-image.md.
; RUN: %opt -passes='hetckpt-raise,verify' -S %s | FileCheck %s
; RUN: %opt -passes='hetckpt-raise,verify' -S %s | FileCheck %s --check-prefix=NONE
target triple = "nvptx64-nvidia-cuda"
; NONE-NOT: llvm.nvvm
; NONE-NOT: target-cpu
; NONE-NOT: @vprintf

; CHECK-LABEL: @ids(
; CHECK: call i32 @__hetckpt_tid_x()
; CHECK: call i32 @__hetckpt_ntid_y()
; CHECK: call i32 @__hetckpt_ctaid_z()
; CHECK: call i32 @__hetckpt_nctaid_x()
; CHECK: call i32 @__hetckpt_laneid()
; CHECK: call i32 @__hetckpt_lanemask_lt()
; CHECK: store volatile i32 32, ptr %p
; CHECK: call i64 @__hetckpt_clock64()
define ptx_kernel void @ids(ptr %p) #0 {
  %a = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  store volatile i32 %a, ptr %p
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ntid.y()
  store volatile i32 %b, ptr %p
  %c = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
  store volatile i32 %c, ptr %p
  %d = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
  store volatile i32 %d, ptr %p
  %e = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  store volatile i32 %e, ptr %p
  %f = call i32 @llvm.nvvm.read.ptx.sreg.lanemask.lt()
  store volatile i32 %f, ptr %p
  %g = call i32 @llvm.nvvm.read.ptx.sreg.warpsize()
  store volatile i32 %g, ptr %p
  %h = call i64 @llvm.nvvm.read.ptx.sreg.clock64()
  store volatile i64 %h, ptr %p
  ret void
}

; Barriers: number, count of threads (0: all).
; CHECK-LABEL: @barriers(
; CHECK: call void @__hetckpt_barrier(i32 0, i32 0) [[CONVERGENT:#[0-9]+]]
; CHECK: call void @__hetckpt_barrier(i32 3, i32 64) [[CONVERGENT]]
; CHECK: call void @__hetckpt_barrier_arrive(i32 3, i32 64)
; CHECK: call i32 @__hetckpt_barrier_red_popc(i32 0, i32 0, i1 %c)
; CHECK: call i1 @__hetckpt_barrier_red_and(i32 0, i32 0, i1 %c)
; CHECK: call i1 @__hetckpt_barrier_red_or(i32 1, i32 96, i1 %c)
define ptx_kernel void @barriers(ptr %p, i1 %c) {
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 3, i32 64)
  call void @llvm.nvvm.barrier.cta.arrive.aligned.count(i32 3, i32 64)
  %a = call i32 @llvm.nvvm.barrier.cta.red.popc.aligned.all(i32 0, i1 %c)
  store volatile i32 %a, ptr %p
  %b = call i1 @llvm.nvvm.barrier.cta.red.and.aligned.all(i32 0, i1 %c)
  store volatile i1 %b, ptr %p
  %d = call i1 @llvm.nvvm.barrier.cta.red.or.aligned.count(i32 1, i32 96, i1 %c)
  store volatile i1 %d, ptr %p
  ret void
}

; Warp operations: the mask comes first, a float goes as its bits, the second result of a
; shuffle says whether the lane was in range.
; CHECK-LABEL: @warps(
; CHECK: [[BITS:%.*]] = bitcast float %f to i32
; CHECK: [[PAIR:%.*]] = call { i32, i1 } @__hetckpt_shfl_down(i32 -1, i32 [[BITS]], i32 1, i32 31) [[CONVERGENT]]
; CHECK: [[WORD:%.*]] = extractvalue { i32, i1 } [[PAIR]], 0
; CHECK: bitcast i32 [[WORD]] to float
; CHECK: call { i32, i1 } @__hetckpt_shfl_bfly(i32 %m, i32 %x, i32 4, i32 31)
; CHECK: call i32 @__hetckpt_ballot(i32 -1, i1 %c)
; CHECK: call i1 @__hetckpt_any(i32 %m, i1 %c)
; CHECK: call i1 @__hetckpt_all(
; CHECK: call i1 @__hetckpt_uni(
; CHECK: call void @__hetckpt_syncwarp(i32 %m)
; CHECK: call i32 @__hetckpt_activemask()
; CHECK: call i32 @__hetckpt_redux_smin(i32 %m, i32 %x)
; CHECK: call i32 @__hetckpt_redux_umin(i32 %m, i32 %x)
; CHECK: call i32 @__hetckpt_match_any_i32(i32 %m, i32 %x)
; CHECK: call { i32, i1 } @__hetckpt_match_all_i32(i32 %m, i32 %x)
define ptx_kernel void @warps(ptr %p, i32 %m, i32 %x, i1 %c, float %f) {
  %a = call float @llvm.nvvm.shfl.sync.down.f32(i32 -1, float %f, i32 1, i32 31)
  store volatile float %a, ptr %p
  %b = call { i32, i1 } @llvm.nvvm.shfl.sync.bfly.i32p(i32 %m, i32 %x, i32 4, i32 31)
  %b0 = extractvalue { i32, i1 } %b, 0
  store volatile i32 %b0, ptr %p
  %d = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 %c)
  store volatile i32 %d, ptr %p
  %e = call i1 @llvm.nvvm.vote.any.sync(i32 %m, i1 %c)
  store volatile i1 %e, ptr %p
  %g = call i1 @llvm.nvvm.vote.all.sync(i32 %m, i1 %c)
  store volatile i1 %g, ptr %p
  %h = call i1 @llvm.nvvm.vote.uni.sync(i32 %m, i1 %c)
  store volatile i1 %h, ptr %p
  call void @llvm.nvvm.bar.warp.sync(i32 %m)
  %i = call i32 @llvm.nvvm.activemask()
  store volatile i32 %i, ptr %p
  %j = call i32 @llvm.nvvm.redux.sync.min(i32 %x, i32 %m)
  store volatile i32 %j, ptr %p
  %k = call i32 @llvm.nvvm.redux.sync.umin(i32 %x, i32 %m)
  store volatile i32 %k, ptr %p
  %l = call i32 @llvm.nvvm.match.any.sync.i32(i32 %m, i32 %x)
  store volatile i32 %l, ptr %p
  %n = call { i32, i1 } @llvm.nvvm.match.all.sync.i32p(i32 %m, i32 %x)
  %n0 = extractvalue { i32, i1 } %n, 0
  store volatile i32 %n0, ptr %p
  ret void
}

; Mathematics that IEEE 754 or C fixes has a form of LLVM's own; the rest keeps its name.
; CHECK-LABEL: @maths(
; CHECK: call float @llvm.fabs.f32(float %f)
; CHECK: call float @llvm.roundeven.f32(float %f)
; CHECK: call float @llvm.minimumnum.f32(float %f, float %g)
; CHECK: call float @llvm.maximum.f32(float %f, float %g)
; CHECK: fadd float %f, %g
; CHECK: fdiv float %f, %g
; CHECK: fdiv float 1.000000e+00, %f
; CHECK: call float @llvm.sqrt.f32(float %f)
; CHECK: sitofp i32 %x to float
; CHECK: [[A:%.*]] = sext i32 %x to i64
; CHECK: [[M:%.*]] = mul i64
; CHECK: lshr i64 [[M]], 32
; CHECK: call float @__hetckpt_nvvm_ex2_approx_f32(float %f)
; CHECK: call float @__hetckpt_nvvm_add_rz_f(float %f, float %g)
; CHECK: call float @llvm.minimumnum.f32(float %f, float %g)
define ptx_kernel void @maths(ptr %p, i32 %x, float %f, float %g) {
  %a = call float @llvm.nvvm.fabs.f32(float %f)
  store volatile float %a, ptr %p
  %b = call float @llvm.nvvm.round.f(float %f)
  store volatile float %b, ptr %p
  %c = call float @llvm.nvvm.fmin.f(float %f, float %g)
  store volatile float %c, ptr %p
  %c2 = call float @llvm.nvvm.fmax.nan.f(float %f, float %g)
  store volatile float %c2, ptr %p
  %d = call float @llvm.nvvm.add.rn.f(float %f, float %g)
  store volatile float %d, ptr %p
  %e = call float @llvm.nvvm.div.rn.f(float %f, float %g)
  store volatile float %e, ptr %p
  %h = call float @llvm.nvvm.rcp.rn.f(float %f)
  store volatile float %h, ptr %p
  %i = call float @llvm.nvvm.sqrt.rn.f(float %f)
  store volatile float %i, ptr %p
  %j = call float @llvm.nvvm.i2f.rn(i32 %x)
  store volatile float %j, ptr %p
  %k = call i32 @llvm.nvvm.mulhi.i(i32 %x, i32 7)
  store volatile i32 %k, ptr %p
  %l = call float @llvm.nvvm.ex2.approx.f(float %f)
  store volatile float %l, ptr %p
  %m = call float @llvm.nvvm.add.rz.f(float %f, float %g)
  store volatile float %m, ptr %p
  %n = call float @llvm.minnum.f32(float %f, float %g)
  store volatile float %n, ptr %p
  ret void
}

; Fences by scope; atomics with a scope become LLVM's; asynchronous copies are made at
; once, with zeros behind a short source.
; CHECK-LABEL: @memory(
; CHECK: call void @__hetckpt_fence_block()
; CHECK: call void @__hetckpt_fence_device()
; CHECK: call void @__hetckpt_fence_system()
; CHECK: atomicrmw add ptr %p, i32 %x syncscope("block") monotonic
; CHECK: atomicrmw max ptr %p, i32 %x monotonic
; CHECK: call void @llvm.memcpy.p3.p1.i64(ptr addrspace(3) align 16 %s, ptr addrspace(1) align 16 %g, i64 16, i1 false)
; CHECK: [[N:%.*]] = zext i32 %x to i64
; CHECK: call void @llvm.memset.p3.i64(ptr addrspace(3) align 4 %s, i8 0, i64 4, i1 false)
; CHECK: call void @llvm.memcpy.p3.p1.i64(ptr addrspace(3) align 4 %s, ptr addrspace(1) {{.*}}%g, i64 [[N]], i1 false)
; CHECK-NOT: wait
; CHECK: call i1 @__hetckpt_is_shared(ptr %p)
; CHECK: call i1 @__hetckpt_is_private(ptr %p)
; CHECK: call void @__hetckpt_nanosleep(i32 %x)
define ptx_kernel void @memory(ptr %p, i32 %x, ptr addrspace(3) %s, ptr addrspace(1) %g) {
  call void @llvm.nvvm.membar.cta()
  call void @llvm.nvvm.membar.gl()
  call void @llvm.nvvm.membar.sys()
  %a = call i32 @llvm.nvvm.atomic.add.gen.i.cta.i32.p0(ptr %p, i32 %x)
  %b = call i32 @llvm.nvvm.atomic.max.gen.i.sys.i32.p0(ptr %p, i32 %x)
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %s, ptr addrspace(1) %g)
  call void @llvm.nvvm.cp.async.ca.shared.global.4.s(ptr addrspace(3) %s, ptr addrspace(1) %g, i32 %x)
  call void @llvm.nvvm.cp.async.wait.all()
  %c = call i1 @llvm.nvvm.isspacep.shared(ptr %p)
  store volatile i1 %c, ptr %p
  %d = call i1 @llvm.nvvm.isspacep.local(ptr %p)
  store volatile i1 %d, ptr %p
  call void @llvm.nvvm.nanosleep(i32 %x)
  ret void
}

; What the device's library offers, and traps; no permission to be inexact is left.
; CHECK-LABEL: @library(
; CHECK: call i32 @__hetckpt_vprintf(ptr %p, ptr %q)
; CHECK: call void @__hetckpt_assertfail(
; CHECK: fadd float
; CHECK-NOT: fadd fast
; CHECK: call void @__hetckpt_trap()
define ptx_kernel void @library(ptr %p, ptr %q, float %f) optnone noinline {
  %r = call i32 @vprintf(ptr %p, ptr %q)
  call void @__assertfail(ptr %p, ptr %q, i32 7, ptr %p, i64 1)
  %s = fadd fast float %f, 1.0
  store float %s, ptr %q
  call void @llvm.trap()
  unreachable
}

attributes #0 = { "target-cpu"="sm_80" "target-features"="+ptx70" }
; CHECK: attributes [[CONVERGENT]] = { convergent

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare i32 @llvm.nvvm.read.ptx.sreg.lanemask.lt()
declare i32 @llvm.nvvm.read.ptx.sreg.warpsize()
declare i64 @llvm.nvvm.read.ptx.sreg.clock64()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.barrier.cta.sync.aligned.count(i32, i32)
declare void @llvm.nvvm.barrier.cta.arrive.aligned.count(i32, i32)
declare i32 @llvm.nvvm.barrier.cta.red.popc.aligned.all(i32, i1)
declare i1 @llvm.nvvm.barrier.cta.red.and.aligned.all(i32, i1)
declare i1 @llvm.nvvm.barrier.cta.red.or.aligned.count(i32, i32, i1)
declare float @llvm.nvvm.shfl.sync.down.f32(i32, float, i32, i32)
declare { i32, i1 } @llvm.nvvm.shfl.sync.bfly.i32p(i32, i32, i32, i32)
declare i32 @llvm.nvvm.vote.ballot.sync(i32, i1)
declare i1 @llvm.nvvm.vote.any.sync(i32, i1)
declare i1 @llvm.nvvm.vote.all.sync(i32, i1)
declare i1 @llvm.nvvm.vote.uni.sync(i32, i1)
declare void @llvm.nvvm.bar.warp.sync(i32)
declare i32 @llvm.nvvm.activemask()
declare i32 @llvm.nvvm.redux.sync.min(i32, i32)
declare i32 @llvm.nvvm.redux.sync.umin(i32, i32)
declare i32 @llvm.nvvm.match.any.sync.i32(i32, i32)
declare { i32, i1 } @llvm.nvvm.match.all.sync.i32p(i32, i32)
declare float @llvm.nvvm.fabs.f32(float)
declare float @llvm.nvvm.round.f(float)
declare float @llvm.nvvm.fmin.f(float, float)
declare float @llvm.nvvm.fmax.nan.f(float, float)
declare float @llvm.nvvm.add.rn.f(float, float)
declare float @llvm.nvvm.div.rn.f(float, float)
declare float @llvm.nvvm.rcp.rn.f(float)
declare float @llvm.nvvm.sqrt.rn.f(float)
declare float @llvm.nvvm.i2f.rn(i32)
declare i32 @llvm.nvvm.mulhi.i(i32, i32)
declare float @llvm.nvvm.ex2.approx.f(float)
declare float @llvm.nvvm.add.rz.f(float, float)
declare float @llvm.minnum.f32(float, float)
declare void @llvm.nvvm.membar.cta()
declare void @llvm.nvvm.membar.gl()
declare void @llvm.nvvm.membar.sys()
declare i32 @llvm.nvvm.atomic.add.gen.i.cta.i32.p0(ptr, i32)
declare i32 @llvm.nvvm.atomic.max.gen.i.sys.i32.p0(ptr, i32)
declare void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.ca.shared.global.4.s(ptr addrspace(3), ptr addrspace(1), i32)
declare void @llvm.nvvm.cp.async.wait.all()
declare i1 @llvm.nvvm.isspacep.shared(ptr)
declare i1 @llvm.nvvm.isspacep.local(ptr)
declare void @llvm.nvvm.nanosleep(i32)
declare i32 @vprintf(ptr, ptr)
declare void @__assertfail(ptr, ptr, i32, ptr, i64)
declare void @llvm.trap()
