; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; The same for a warp: votes over all lanes agree, block barriers are not needed.
; RUN: %opt -passes='print<hetckpt-uniformity>' -disable-output %s | FileCheck %s
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare i1 @llvm.nvvm.vote.any.sync(i32, i1)
declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32, i32, i32, i32)
declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)
declare i32 @llvm.nvvm.redux.sync.add(i32, i32)

; CHECK-LABEL: kernel values: uniformity in the warp
; CHECK: %t divergent
; CHECK: %lane divergent
; CHECK: %all uniform
; CHECK: %some divergent
; CHECK: %sum uniform
; CHECK: %first uniform
; CHECK: %other divergent
define ptx_kernel void @values(ptr %p, i32 %m) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %odd = trunc i32 %lane to i1
  %all = call i1 @llvm.nvvm.vote.any.sync(i32 -1, i1 %odd)
  %some = call i1 @llvm.nvvm.vote.any.sync(i32 %m, i1 %odd)
  %sum = call i32 @llvm.nvvm.redux.sync.add(i32 %t, i32 -1)
  %first = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %t, i32 0, i32 31)
  %other = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %t, i32 1, i32 31)
  %a = zext i1 %all to i32
  %b = zext i1 %some to i32
  %c = add i32 %a, %b
  %d = add i32 %c, %sum
  %e = add i32 %d, %first
  %f = add i32 %e, %other
  store volatile i32 %f, ptr %p
  ret void
}

; Each iteration votes: the lanes leave together, whatever they read.
; CHECK-LABEL: kernel voted: uniformity in the warp
; CHECK: %loop: uniform point
; CHECK-NOT: divergent branch
; CHECK: %out: uniform point
define ptx_kernel void @voted(ptr %p) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %x = load volatile i32, ptr %p
  %j = add i32 %i, 1
  %c = icmp ult i32 %j, %x
  %go = call i1 @llvm.nvvm.vote.any.sync(i32 -1, i1 %c)
  br i1 %go, label %loop, label %out
out:
  store volatile i32 %j, ptr %p
  ret void
}

; A shuffle behind a loop that lanes leave one by one.
; CHECK-LABEL: kernel before_shuffle: uniformity in the warp
; CHECK: %loop: divergent point, divergent branch
define ptx_kernel void @before_shuffle(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  br label %loop
loop:
  %i = phi i32 [ %t, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 32
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  %s = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %i, i32 0, i32 31)
  store volatile i32 %s, ptr %p
  ret void
}
