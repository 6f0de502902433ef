; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; A loop that is not counted, in a kernel whose threads pause alone: every fourth iteration
; asks the clock, and what the next iteration begins with is computed beside the condition
; that ends the loop, as in the original, not behind its branch.
; RUN: %opt -passes='hetckpt,verify' %s -o %t.bc
; RUN: %llc -mtriple=nvptx64-nvidia-cuda -mcpu=sm_80 -mattr=+ptx70 %t.bc -o %t.ptx
; RUN: FileCheck %s < %t.ptx
; RUN: %opt -hetckpt-poll-stride=1 -passes='hetckpt,verify' %s -o %t.always.bc
; RUN: %llc -mtriple=nvptx64-nvidia-cuda -mcpu=sm_80 -mattr=+ptx70 %t.always.bc -o - | FileCheck %s --check-prefix=ALWAYS
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK: .visible .entry escape(
; CHECK-NOT: %clock
; CHECK: ret;
; CHECK: .visible .entry __hetckpt_run_escape(
; CHECK: [[LOOP:\$L__BB[0-9_]+]]: {{.*}}%loop{{$}}
; CHECK: add.rn.f64
; CHECK-NEXT: add.s32
; CHECK-NEXT: setp.geu.f64
; CHECK-COUNT-2: setp.geu.f64
; CHECK: setp.lt.f64
; CHECK-NOT: setp.{{.*}}f64
; The middle bits of the clock, below the period of 2^17 cycles, counted from where this
; period's turn lies.
; CHECK: mov.u32 [[T:%r[0-9]+]], %clock;
; CHECK-NEXT: brev.b32 [[R:%r[0-9]+]], [[T]];
; CHECK-NEXT: shl.b32 [[S:%r[0-9]+]], [[R]], 2;
; CHECK-NEXT: xor.b32 [[X:%r[0-9]+]], [[T]], [[S]];
; CHECK-NEXT: and.b32 {{%r[0-9]+}}, [[X]], 130048;
; CHECK: bra{{.*}} [[LOOP]];
; One of the copies of the flag, which the clock picks.
; CHECK: mov.u32 [[U:%r[0-9]+]], %clock;
; CHECK-NEXT: and.b32 {{%r[0-9]+}}, [[U]], 255;
; CHECK: ld.volatile.global.{{[bu]}}32
; CHECK: .visible .entry

; A stride that is asked for is kept without a clock.
; ALWAYS: .visible .entry __hetckpt_run_escape(
; ALWAYS: setp.{{.*}}f64
; ALWAYS-NOT: setp.{{.*}}f64
; ALWAYS-NOT: 130048
; ALWAYS: ld.volatile.global.{{[bu]}}32
define ptx_kernel void @escape(ptr addrspace(1) %p, double %c) {
entry:
  br label %loop
loop:
  %x = phi double [ 0.0, %entry ], [ %x1, %loop ]
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %s = fmul double %x, %x
  %x1 = fadd double %s, %c
  %j = add i32 %i, 1
  %go = fcmp olt double %s, 4.0
  br i1 %go, label %loop, label %out
out:
  store i32 %i, ptr addrspace(1) %p
  ret void
}
