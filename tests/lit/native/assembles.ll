; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; REQUIRES: ptxas
; What the pass makes assembles, for old and new processors, and the run variant needs no
; stack where the original needs none. Launch bounds are on all three.
; RUN: %opt -hetckpt-poll-stride=64 -passes='hetckpt,verify' %s -o %t.bc
; RUN: %llc -O3 -mtriple=nvptx64-nvidia-cuda -mcpu=sm_80 -mattr=+ptx70 %t.bc -o %t.80.ptx
; RUN: %registers sm_80 %t.80.ptx | FileCheck %s
; RUN: FileCheck %s --check-prefix=BOUNDS < %t.80.ptx
; RUN: %llc -O3 -mtriple=nvptx64-nvidia-cuda -mcpu=sm_90 -mattr=+ptx80 %t.bc -o %t.90.ptx
; RUN: %registers sm_90 %t.90.ptx | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK-DAG: {{sm_[0-9]+}} tiles: {{[0-9]+}} registers, 0 bytes spilled
; CHECK-DAG: {{sm_[0-9]+}} __hetckpt_run_tiles: {{[0-9]+}} registers, 0 bytes spilled
; CHECK-DAG: {{sm_[0-9]+}} __hetckpt_resume_tiles: {{[0-9]+}} registers, 0 bytes spilled

; BOUNDS: .visible .entry tiles(
; BOUNDS: .maxntid 256
; BOUNDS: .minnctapersm 2
; BOUNDS: .visible .entry __hetckpt_run_tiles(
; BOUNDS: .param .align 8 .b8 __hetckpt_run_tiles_param_3[80]
; BOUNDS: .maxntid 256
; BOUNDS: .minnctapersm 2
; BOUNDS: .visible .entry __hetckpt_resume_tiles(
; BOUNDS: .maxntid 256
@tile = internal addrspace(3) global [256 x float] undef, align 4
define ptx_kernel void @tiles(ptr addrspace(1) %p, ptr addrspace(1) %q, i32 %n) #0 {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %t64 = zext i32 %t to i64
  %mine = getelementptr inbounds [256 x float], ptr addrspace(3) @tile, i64 0, i64 %t64
  %x = xor i64 %t64, 1
  %other = getelementptr inbounds [256 x float], ptr addrspace(3) @tile, i64 0, i64 %x
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %s = phi float [ 0.0, %entry ], [ %s1, %loop ]
  %k = shl i32 %i, 8
  %k1 = add i32 %k, %t
  %k64 = zext i32 %k1 to i64
  %e = getelementptr float, ptr addrspace(1) %p, i64 %k64
  %v = load float, ptr addrspace(1) %e
  store float %v, ptr addrspace(3) %mine
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %w = load float, ptr addrspace(3) %other
  %s1 = fadd float %s, %w
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %j = add nuw nsw i32 %i, 1
  %go = icmp slt i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  %o = getelementptr float, ptr addrspace(1) %q, i64 %t64
  store float %s1, ptr addrspace(1) %o
  ret void
}
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
attributes #0 = { "nvvm.maxntid"="256" "nvvm.minctasm"="2" }
