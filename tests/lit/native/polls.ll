; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; PTX of polls: one a strip, none in the inner loop, none in the original.
; RUN: %opt -hetckpt-poll-stride=64 -passes='hetckpt,verify' %s -o %t.bc
; RUN: %llc -mtriple=nvptx64-nvidia-cuda -mcpu=sm_80 -mattr=+ptx70 %t.bc -o %t.ptx
; RUN: FileCheck %s < %t.ptx
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare i32 @llvm.nvvm.vote.ballot.sync(i32, i1)

; CHECK: .visible .entry thread(
; CHECK-NOT: ld.volatile
; CHECK-NOT: {{bar|barrier}}.red
; CHECK: ret;
;
; The entry word by the block's vote, and a byte for a block that does not begin; then the
; loop, and behind it the poll word, read past the L1 cache.
; CHECK: .visible .entry __hetckpt_run_thread(
; CHECK: ld.volatile.global.{{[bu]}}32
; CHECK: {{bar|barrier}}{{.*}}.red.or.pred
; CHECK: [[LOOP:\$L__BB[0-9_]+]]: {{.*}}%loop
; CHECK-NOT: ld.volatile
; CHECK-NOT: .red.
; CHECK: ld.global.{{[bf]}}32
; CHECK-NOT: ld.volatile
; CHECK-NOT: .red.
; CHECK: bra {{.*}}[[LOOP]];
; CHECK: ld.volatile.global.{{[bu]}}32
; CHECK-NOT: ld.volatile.global
; CHECK: %probe.i
; One thread of those that are here claims the block's place; who does not see it claims it too.
; CHECK: activemask
; CHECK: atom{{.*}}.cas
; CHECK: atom{{.*}}.cas
; CHECK: .visible .entry
define ptx_kernel void @thread(ptr addrspace(1) %p, ptr addrspace(1) %q, i32 %n) {
entry:
  %some = icmp sgt i32 %n, 0
  br i1 %some, label %loop, label %out
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %s = phi float [ 0.0, %entry ], [ %s1, %loop ]
  %w = zext nneg i32 %i to i64
  %e = getelementptr inbounds nuw float, ptr addrspace(1) %p, i64 %w
  %x = load float, ptr addrspace(1) %e, align 4
  %s1 = fadd float %s, %x
  %j = add nuw nsw i32 %i, 1
  %done = icmp eq i32 %j, %n
  br i1 %done, label %out, label %loop
out:
  %r = phi float [ 0.0, %entry ], [ %s1, %loop ]
  store float %r, ptr addrspace(1) %q, align 4
  ret void
}

; A block votes: its own barrier once an iteration, the poll's once a strip, with a word
; that was read when the strip began.
; CHECK: .visible .entry __hetckpt_run_block(
; CHECK: .red.or.pred
; CHECK: %strip
; CHECK: ld.volatile.global.{{[bu]}}32
; CHECK: [[LOOP:\$L__BB[0-9_]+]]: {{.*}}%loop
; CHECK-NOT: ld.volatile.global
; CHECK-NOT: .red.
; CHECK: bar.sync 0
; CHECK-NOT: .red.
; CHECK: bra {{.*}}[[LOOP]];
; CHECK-NOT: ld.volatile.global
; CHECK: .red.or.pred
; CHECK-NOT: .red.
; CHECK: .visible .entry
define ptx_kernel void @block(ptr addrspace(1) %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store i32 %i, ptr addrspace(1) %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; CHECK: .visible .entry __hetckpt_run_warp(
; CHECK: [[LOOP:\$L__BB[0-9_]+]]: {{.*}}%loop
; CHECK-NOT: vote.sync.any
; CHECK: vote.sync.ballot
; CHECK-NOT: vote.sync.any
; CHECK: bra {{.*}}[[LOOP]];
; CHECK: ld.volatile.global.{{[bu]}}32
; CHECK: vote.sync.any.pred {{.*}}, -1;
; CHECK: .visible .entry
define ptx_kernel void @warp(ptr addrspace(1) %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %odd = trunc i32 %i to i1
  %v = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 %odd)
  store i32 %v, ptr addrspace(1) %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}
