; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Assembly that others must see through: operations of warps and blocks become intrinsics, and
; whether a product of half precision is fused with a sum is decided here, not by the assembler.
; RUN: %opt -passes='hetckpt-assembly,verify' -S %s | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK-LABEL: @shuffles(
; CHECK: call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %a, i32 1, i32 31) [[CONVERGENT:#[0-9]+]]
; CHECK: call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 %a, i32 %b, i32 2, i32 31) [[CONVERGENT]]
; CHECK: call i32 @llvm.nvvm.shfl.sync.up.i32(i32 -1, i32 1, i32 %a, i32 31) [[CONVERGENT]]
; CHECK: call i32 @llvm.nvvm.shfl.sync.up.i32(i32 -1, i32 %a, i32 1, i32 31) [[CONVERGENT]]
define ptx_kernel void @shuffles(ptr %p, i32 %a, i32 %b) {
  %x = call i32 asm sideeffect "{shfl.sync.bfly.b32 $0,$1,$2,$3,$4;\0A}", "=r,r,r,r,r"(i32 %a, i32 1, i32 31, i32 -1)
  store volatile i32 %x, ptr %p
  %i = call i32 asm sideeffect "shfl.sync.idx.b32 $0, $1, $2, $3, $4;", "=r,r,r,r,r"(i32 %b, i32 2, i32 31, i32 %a)
  store volatile i32 %i, ptr %p
  %s = call i32 asm "{shfl.sync.up.b32 $0,$2,$1,$3,$4;\0A}", "=r,r,r,r,r"(i32 %a, i32 1, i32 31, i32 -1)
  store volatile i32 %s, ptr %p
  %t = call i32 asm "{.reg .b32 t; shfl.sync.up.b32 t,$1,$2,$3,$4; mov.b32 $0, t;\0A}", "=r,r,r,r,r"(i32 %a, i32 1, i32 31, i32 -1)
  store volatile i32 %t, ptr %p
  ret void
}

; A step of a reduction, as CUB writes it: whether the sum is taken is a predicate of the
; shuffle. Nothing else may be fused into the sum.
; CHECK-LABEL: @step(
; CHECK: [[PAIR:%.*]] = call { i32, i1 } @llvm.nvvm.shfl.sync.down.i32p(i32 -1, i32 {{.*}}, i32 %d, i32 31)
; CHECK: [[V:%.*]] = extractvalue { i32, i1 } [[PAIR]], 0
; CHECK: [[P:%.*]] = extractvalue { i32, i1 } [[PAIR]], 1
; CHECK: [[OLD:%.*]] = bitcast i32 [[V]] to float
; CHECK: [[SUM:%.*]] = fadd float [[OLD]], %f
; CHECK: select i1 [[P]], float [[SUM]], float
; CHECK: fadd float %f, %f
define ptx_kernel void @step(ptr %p, float %f, i32 %d) {
  %s = call float asm sideeffect "{ .reg .f32 r0; .reg .pred p; shfl.sync.down.b32 r0|p, $1, $2, $3, $5; @p add.f32 r0, r0, $4; mov.f32 $0, r0; }", "=f,f,r,r,f,r"(float %f, i32 %d, i32 31, float %f, i32 -1)
  store volatile float %s, ptr %p
  %a = call float asm "add.f32 $0, $1, $1;", "=f,f"(float %f)
  store volatile float %a, ptr %p
  ret void
}

; Votes, matches, reductions, barriers, numbers of threads; what nobody wants is gone.
; CHECK-LABEL: @threads(
; CHECK: call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 {{.*}})
; CHECK: call i1 @llvm.nvvm.vote.any.sync(i32 -1, i1 {{.*}})
; CHECK: call i32 @llvm.nvvm.match.any.sync.i64(i32 -1, i64 %x)
; CHECK: call i32 @llvm.nvvm.redux.sync.umax(i32 %a, i32 -1)
; CHECK: call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
; CHECK: call i32 @llvm.nvvm.barrier.cta.red.popc.aligned.count(i32 1, i32 64, i1 {{.*}})
; CHECK: call void @llvm.nvvm.bar.warp.sync(i32 -1)
; CHECK: call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
; CHECK: call i32 @llvm.nvvm.read.ptx.sreg.lanemask.lt()
; CHECK-NOT: asm
; CHECK: ret void
define ptx_kernel void @threads(ptr %p, i32 %a, i64 %x) {
  %b = call i32 asm sideeffect "{.reg .pred p; setp.ne.u32 p, $1, 0; vote.ballot.sync.b32 $0, p, -1;}", "=r,r"(i32 %a)
  store volatile i32 %b, ptr %p
  %v = call i32 asm sideeffect "{.reg .pred p; setp.ne.u32 p, $1, 0; vote.sync.any.pred p, !p, -1; selp.u32 $0, 1, 0, p;}", "=r,r"(i32 %a)
  store volatile i32 %v, ptr %p
  %m = call i32 asm sideeffect "match.any.sync.b64 $0, $1, -1;", "=r,l"(i64 %x)
  store volatile i32 %m, ptr %p
  %r = call i32 asm sideeffect "redux.sync.max.u32 $0, $1, -1;", "=r,r"(i32 %a)
  store volatile i32 %r, ptr %p
  call void asm sideeffect "bar.sync 0;", "~{memory}"()
  %c = call i32 asm sideeffect "{.reg .pred p; setp.ne.u32 p, $1, 0; bar.red.popc.u32 $0, 1, 64, p;}", "=r,r"(i32 %a)
  store volatile i32 %c, ptr %p
  call void asm sideeffect "bar.warp.sync $0;", "r"(i32 -1)
  %y = call i32 asm "mov.u32 $0, %ctaid.y;", "=r"()
  %t = call i32 asm sideeffect "{.reg .u32 t; mov.u32 t, %lanemask_lt; add.u32 $0, t, $1; activemask.b32 t;}", "=r,r"(i32 %y)
  store volatile i32 %t, ptr %p
  %unused = call i32 asm "mov.u32 $0, %envreg1;", "=r"()
  ret void
}

; Memory stays assembly: it says more there than LLVM's NVPTX understands.
; CHECK-LABEL: @memory(
; CHECK: asm sideeffect "atom.add.acq_rel.sys.u32
define ptx_kernel void @memory(ptr %p, i32 %a) {
  %r = call i32 asm sideeffect "atom.add.acq_rel.sys.u32 $0, [$1], $2;", "=r,l,r,~{memory}"(ptr %p, i32 %a)
  ret void
}

; CHECK-LABEL: @fuses(
; CHECK-NOT: mul
; CHECK: asm "{fma.rn.f16 $0,$1,$2,$3;}", "=h,h,h,h"(i16 %a, i16 %b, i16 %c)
; CHECK: [[A:%.*]] = xor i16 %a, -32768
; CHECK: asm "{fma.rn.f16 $0,$1,$2,$3;}", "=h,h,h,h"(i16 [[A]], i16 %b, i16 %c)
; CHECK: [[C:%.*]] = xor i32 %w, -2147450880
; CHECK: asm "{fma.rn.f16x2 $0,$1,$2,$3;}", "=r,r,r,r"(i32 %v, i32 %v, i32 [[C]])
; CHECK: ret void
define ptx_kernel void @fuses(ptr %p, i16 %a, i16 %b, i16 %c, i32 %v, i32 %w) {
  %m = call i16 asm "{mul.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %b)
  %s = call i16 asm "{add.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %m, i16 %c)
  store volatile i16 %s, ptr %p
  %d = call i16 asm "{sub.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %c, i16 %m)
  store volatile i16 %d, ptr %p
  %n = call i32 asm "{mul.f16x2 $0,$1,$2;\0A}", "=r,r,r"(i32 %v, i32 %v)
  %e = call i32 asm "{sub.f16x2 $0,$1,$2;\0A}", "=r,r,r"(i32 %n, i32 %w)
  store volatile i32 %e, ptr %p
  ret void
}

; What says how it rounds, and what saturates, is not fused; products that are left say it.
; CHECK-LABEL: @keeps(
; CHECK: asm "{mul.rn.bf16 $0,$1,$2;\0A}"
; CHECK: asm "{add.bf16 $0,$1,$2;\0A}"
; CHECK: asm "{mul.rn.bf16 $0,$1,$2;}"
; CHECK: asm "{add.rn.bf16 $0,$1,$2;\0A}"
; CHECK: asm "{mul.rn.sat.f16 $0,$1,$2;}"
; CHECK: asm "{add.f16 $0,$1,$2;\0A}"
define ptx_kernel void @keeps(ptr %p, i16 %a, i16 %b, i16 %c) {
  %m = call i16 asm "{mul.rn.bf16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %b)
  %s = call i16 asm "{add.bf16 $0,$1,$2;\0A}", "=h,h,h"(i16 %m, i16 %c)
  store volatile i16 %s, ptr %p
  %n = call i16 asm "{mul.bf16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %b)
  %t = call i16 asm "{add.rn.bf16 $0,$1,$2;\0A}", "=h,h,h"(i16 %n, i16 %c)
  store volatile i16 %t, ptr %p
  %o = call i16 asm "{mul.sat.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %b)
  %u = call i16 asm "{add.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %o, i16 %c)
  store volatile i16 %u, ptr %p
  ret void
}

; Copies into shared memory, as CUDA's pipelines have them: the address is a number of 32 bits,
; of which nothing stays. A barrier object, or a number that is no known address, is left alone.
; CHECK-LABEL: @copies(
; CHECK-NOT: ptrtoint
; CHECK: call void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3) %to, ptr addrspace(1) [[FROM:%.*]])
; CHECK: call void @llvm.nvvm.cp.async.cg.shared.global.16.s(ptr addrspace(3) @tile, ptr addrspace(1) {{.*}}, i32 8)
; CHECK: [[WIDE:%.*]] = sext i32 %n to i64
; CHECK: [[ADDED:%.*]] = getelementptr i8, ptr addrspace(3) %to, i64 [[WIDE]]
; CHECK: [[NEXT:%.*]] = getelementptr i8, ptr addrspace(3) [[ADDED]], i64 64
; CHECK: call void @llvm.nvvm.cp.async.cg.shared.global.16.s(ptr addrspace(3) [[NEXT]], ptr addrspace(1) {{.*}}, i32 %n)
; CHECK: call void @llvm.nvvm.cp.async.commit.group()
; CHECK: call void @llvm.nvvm.cp.async.wait.group(i32 2)
; CHECK: call void @llvm.nvvm.cp.async.wait.all()
; CHECK: asm sideeffect "cp.async.ca
; CHECK: asm sideeffect "cp.async.mbarrier
; CHECK: ret void
define ptx_kernel void @copies(ptr %p, ptr %from, i64 %at, i32 %n) {
  %to = getelementptr i8, ptr addrspace(3) @tile, i64 %at
  %wide = ptrtoint ptr addrspace(3) %to to i64
  %number = trunc i64 %wide to i32
  call void asm sideeffect "cp.async.ca.shared.global [$0], [$1], $2, $3;", "r,l,n,n,~{memory}"(i32 %number, ptr %from, i64 4, i64 4)
  call void asm sideeffect "cp.async.cg.shared.global.L2::128B [$0], [$1], $2, $3;", "r,l,n,n,~{memory}"(i32 trunc (i64 ptrtoint (ptr addrspace(3) @tile to i64) to i32), ptr %from, i32 16, i32 8)
  %added = add i32 %number, %n
  call void asm sideeffect "cp.async.cg.shared.global [$0+64], [$1], 16, $2;", "r,l,r,~{memory}"(i32 %added, ptr %from, i32 %n)
  call void asm sideeffect "cp.async.commit_group;", ""()
  call void asm sideeffect "cp.async.wait_group $0;", "n"(i32 2)
  call void asm sideeffect "cp.async.wait_all;", ""()
  call void asm sideeffect "cp.async.ca.shared.global [$0], [$1], 4;", "r,l"(i32 %n, ptr %from)
  call void asm sideeffect "cp.async.mbarrier.arrive.shared.b64 [$0];", "r"(i32 %n)
  ret void
}
@tile = internal addrspace(3) global [4096 x i8] undef, align 16
