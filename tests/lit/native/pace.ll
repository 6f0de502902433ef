; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; The pace of polls on NVIDIA GPUs: the clock is noted where a strip begins and looked at
; behind it. The words for it are in local memory, at offsets that the assembler does not know.
; RUN: %opt -passes='hetckpt,verify' %s -o %t.bc
; RUN: %llc -mtriple=nvptx64-nvidia-cuda -mcpu=sm_80 -mattr=+ptx70 %t.bc -o %t.ptx
; RUN: FileCheck %s < %t.ptx
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)

; CHECK: .visible .entry __hetckpt_run_thread(
; CHECK: .local .align 4 .b8 {{.*}}[128];
; CHECK: ld.param.b32 [[SHARED:%r[0-9]+]], [__hetckpt_run_thread_param_2+64];
; CHECK: shr.u32 [[ZERO:%r[0-9]+]], [[SHARED]], 31;
; CHECK: %strip
; CHECK: mov.u32 [[BEGIN:%r[0-9]+]], %clock;
; CHECK: st.{{(local.)?}}b32 {{.*}}, [[BEGIN]];
; CHECK: ld.{{(local.)?}}b32
; CHECK: %loop
; CHECK-NOT: %clock
; CHECK-NOT: {{ld|st}}.local
; CHECK: setp.ne
; CHECK: ld.volatile.global
; CHECK: sub.s32 [[TOOK:%r[0-9]+]], {{%r[0-9]+}}, {{%r[0-9]+}};
; 6, 25, 50 and 200 us
; CHECK-DAG: setp.gt.u32 {{%p[0-9]+}}, [[TOOK]], 11249;
; CHECK-DAG: setp.gt.u32 {{%p[0-9]+}}, [[TOOK]], 44999;
; CHECK-DAG: setp.gt.u32 {{%p[0-9]+}}, [[TOOK]], 89999;
; CHECK-DAG: setp.gt.u32 {{%p[0-9]+}}, [[TOOK]], 359999;
; CHECK: st.{{(local.)?}}b32
; CHECK: .visible .entry
define ptx_kernel void @thread(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i
  store i32 %i, ptr %e
  %j = add i32 %i, 1
  %done = icmp eq i32 %j, %n
  br i1 %done, label %out, label %loop
out:
  ret void
}

; Threads that must agree vote on what the clock says, each time that they look at it; the word is the
; same in all of them.
; CHECK: .visible .entry __hetckpt_run_block(
; CHECK: .local .align 4 .b8 {{.*}}[128];
; CHECK: %strip
; CHECK: mov.u32 {{%r[0-9]+}}, %clock;
; CHECK: %loop
; CHECK-NOT: %clock
; CHECK: bar.sync
; The poll, and apart from it what every sixteenth does.
; CHECK: bar.red.or.pred
; CHECK-NOT: bar.red
; CHECK: mov.u32 {{%r[0-9]+}}, %clock;
; CHECK-COUNT-4: bar.red.or.pred
; CHECK-NOT: bar.red
; CHECK: st.{{(local.)?}}b32
; CHECK: .visible .entry __hetckpt_resume_block(
define ptx_kernel void @block(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i
  %old = atomicrmw add ptr %e, i32 1 monotonic
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %j = add i32 %i, 1
  %done = icmp eq i32 %j, %n
  br i1 %done, label %out, label %loop
out:
  ret void
}
