; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; How long a strip is, is asked where it begins, and its poll says which answer it can
; correct; a stride that is asked for is kept.
; RUN: %opt -passes='hetckpt-instrument,verify' -S %s | FileCheck %s
; RUN: %opt -hetckpt-poll-stride=8 -passes='hetckpt-instrument,verify' -S %s | FileCheck %s --check-prefix=FIXED
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()

; FIXED-NOT: __hetckpt_pace
; FIXED-NOT: hetckpt.paced

; 2^29, the longest strip, by steps of 4.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_sum(
; CHECK: {{^}}strip:
; CHECK: [[S:%.*]] = call i32 @__hetckpt_pace(i32 0, i32 {{[0-9]+}}, i32 134217728)
; CHECK: [[S]]
; CHECK: %limit = select i1
; CHECK: call i32 @__hetckpt_poll_thread(ptr {{.*}}), {{.*}}!hetckpt.paced
define ptx_kernel void @sum(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i
  store volatile i32 %i, ptr %e
  %j = add i32 %i, 4
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; What all threads change together may take a hundred times as long: a short strip first.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_count(
; CHECK: call i32 @__hetckpt_pace(i32 0, i32 4, i32
define ptx_kernel void @count(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %old = atomicrmw add ptr %p, i32 1 monotonic
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; A load in assembly is a load: a few hundred of them in 50 us, not thousands.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_look(
; CHECK: call i32 @__hetckpt_pace(i32 0, i32 2{{[0-9][0-9]}}, i32
define ptx_kernel void @look(ptr addrspace(1) %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %s = phi i32 [ 0, %entry ], [ %t, %loop ]
  %x = call i32 asm sideeffect "ld.acquire.gpu.global.u32 $0, [$1];", "=r,l,~{memory}"(ptr addrspace(1) %p)
  %t = add i32 %s, %x
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  %r = phi i32 [ %t, %loop ]
  store i32 %r, ptr addrspace(1) %p
  ret void
}

; Threads that must agree ask together, if the plan may be quite wrong: also those that are
; through with a loop which others are still in.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_contend(
; CHECK: {{^}}lockstep:
; CHECK-NOT: {{^[a-z]}}
; CHECK: [[S:%.*]] = call i32 @__hetckpt_pace(i32 0, i32 4, i32
; CHECK: br i1
; CHECK: call i32 @__hetckpt_poll_block({{.*}}!hetckpt.paced
define ptx_kernel void @contend(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %some = icmp ult i32 %t, %n
  br i1 %some, label %pre, label %after
pre:
  br label %loop
loop:
  %i = phi i32 [ %t, %pre ], [ %j, %loop ]
  %old = atomicrmw add ptr %p, i32 1 monotonic
  %j = add i32 %i, 32
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store volatile i32 1, ptr %p
  ret void
}

; Else they keep the plan.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_led(
; CHECK-NOT: __hetckpt_pace
; CHECK: {{^}}}
define ptx_kernel void @led(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %some = icmp ult i32 %t, %n
  br i1 %some, label %pre, label %after
pre:
  br label %loop
loop:
  %i = phi i32 [ %t, %pre ], [ %j, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i
  store volatile i32 %i, ptr %e
  %j = add i32 %i, 32
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store volatile i32 1, ptr %p
  ret void
}

; Not where an account is kept.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_nest(
; CHECK-NOT: __hetckpt_pace
; CHECK: {{^}}}
define ptx_kernel void @nest(ptr %p, i32 %n, i32 %m) {
entry:
  br label %outer
outer:
  %k = phi i32 [ 0, %entry ], [ %l, %latch ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %inner
inner:
  %i = phi i32 [ 0, %outer ], [ %j, %inner ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %m
  br i1 %go, label %inner, label %latch
latch:
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %outer, label %out
out:
  ret void
}
