; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; A loop that threads leave one by one, before a barrier: they go through its strips
; together, and those that are through wait at the end of each strip.
; RUN: %opt -hetckpt-poll-stride=8 -passes='hetckpt-instrument,verify' -S %s | FileCheck %s
; RUN: %opt -hetckpt-poll-stride=8 -passes='print<hetckpt-state>' -disable-output %s | FileCheck %s --check-prefix=STATE
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32, i32, i32, i32)

; The loop itself has its own instructions and no barrier; the vote is over all threads,
; also those that never entered, and the poll stands where all are.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_block(
; CHECK: {{^}}loop:
; CHECK-NEXT: [[S:%.*]] = phi i32
; CHECK-NEXT: [[I:%.*]] = phi i32
; CHECK-NEXT: [[W:%.*]] = sext i32 [[I]] to i64
; CHECK-NEXT: [[E:%.*]] = getelementptr i32, ptr %p, i64 [[W]]
; CHECK-NEXT: [[X:%.*]] = load i32, ptr [[E]]
; CHECK-NEXT: add i32 [[S]], [[X]]
; CHECK-NEXT: %j = add i32 [[I]], %w
; CHECK-NEXT: [[IN:%.*]] = icmp ult i32 %j,
; CHECK-NEXT: br i1 [[IN]], label %loop, label %lockstep.check
; CHECK: lockstep.check:
; CHECK: icmp ult i32 %j, %n
; CHECK: lockstep.meet:
; CHECK: [[ACTIVE:%.*]] = phi i1 [ {{.*}}, %lockstep.check ], [ false, %lockstep ]
; CHECK: [[ANY:%.*]] = call i1 @llvm.nvvm.barrier.cta.red.or.aligned.all(i32 0, i1 [[ACTIVE]])
; CHECK-NEXT: br i1 [[ANY]], label %lockstep.boundary, label
; CHECK: lockstep.boundary:
; CHECK-NEXT: call i32 @__hetckpt_poll_block(
define ptx_kernel void @block(ptr %p, ptr %q, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %w = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %some = icmp ult i32 %t, %n
  br i1 %some, label %pre, label %after
pre:
  br label %loop
loop:
  %i = phi i32 [ %t, %pre ], [ %j, %loop ]
  %s = phi i32 [ 0, %pre ], [ %s1, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i
  %x = load i32, ptr %e
  %s1 = add i32 %s, %x
  %j = add i32 %i, %w
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  %r = phi i32 [ 0, %entry ], [ %s1, %loop ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store volatile i32 %r, ptr %q
  ret void
}

; In a kernel of the warp scope the lanes vote.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_warp(
; CHECK: {{^}}loop:
; CHECK: lockstep.meet:
; CHECK: [[ANY:%.*]] = call i1 @llvm.nvvm.vote.any.sync(i32 -1, i1
; CHECK: lockstep.boundary:
; CHECK-NEXT: call i32 @__hetckpt_poll_warp(
define ptx_kernel void @warp(ptr %p, ptr %q, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  br label %loop
loop:
  %i = phi i32 [ %t, %entry ], [ %j, %loop ]
  %s = phi i32 [ 0, %entry ], [ %s1, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i
  %x = load i32, ptr %e
  %s1 = add i32 %s, %x
  %j = add i32 %i, 32
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  %v = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %s1, i32 0, i32 31)
  store volatile i32 %v, ptr %q
  ret void
}

; An address in constant memory crosses the loop as an offset, for it is another on each device.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_table(
; CHECK: lockstep:
; CHECK: %[[O:.*]] = phi i32 [ %f.idx, %pre ]
; CHECK: sext i32 %[[O]] to i64
; STATE-LABEL: kernel table: block scope
; STATE-NEXT: safepoint 1 (loop)
; STATE-NOT: ptr
; STATE: rematerialised
@factors = external addrspace(4) constant [4 x i32], align 4
define ptx_kernel void @table(ptr %q, i32 %n, i32 %k) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %some = icmp ult i32 %t, %n
  br i1 %some, label %pre, label %after
pre:
  %f = getelementptr i32, ptr addrspacecast (ptr addrspace(4) @factors to ptr), i32 %k
  br label %loop
loop:
  %i = phi i32 [ %t, %pre ], [ %j, %loop ]
  %s = phi i32 [ 0, %pre ], [ %s1, %loop ]
  %x = load i32, ptr %f
  %s1 = add i32 %s, %x
  %j = add i32 %i, 32
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  %r = phi i32 [ 0, %entry ], [ %s1, %loop ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store volatile i32 %r, ptr %q
  ret void
}
