; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; What a variable is next is computed behind the last use of what it is now, so that one register does
; for both; in the variants alone, and not where something else needs it first.
; RUN: %opt -passes='hetckpt,verify' -S %s -o %t.ll
; RUN: FileCheck %s < %t.ll
; RUN: %llc -mtriple=nvptx64-nvidia-cuda -mcpu=sm_80 -mattr=+ptx70 %t.ll -o %t.ptx
; RUN: FileCheck %s --check-prefix=PTX < %t.ptx
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK-LABEL: define ptx_kernel void @escape(
; CHECK: fadd double %d, %c
; CHECK: fadd double %x, %x

; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_escape(
; CHECK: {{^}}body:
; CHECK: fadd double %x, %x
; CHECK-NEXT: fadd double %d, %c
; PTX: .visible .entry __hetckpt_run_escape(
; PTX: add.rn.f64 [[D:%rd[0-9]+]], [[X:%rd[0-9]+]], [[X]];
; PTX-NEXT: add.rn.f64 [[X]],
; PTX-NOT: mov.b64
; PTX: bra
define ptx_kernel void @escape(ptr %p, i32 %n, double %c) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %body ]
  %x = phi double [ 0.0, %entry ], [ %next, %body ]
  %y = phi double [ 0.0, %entry ], [ %low, %body ]
  %go = icmp slt i32 %i, %n
  br i1 %go, label %body, label %out
body:
  %xx = fmul double %x, %x
  %yy = fmul double %y, %y
  %s = fadd double %xx, %yy
  %d = fsub double %xx, %yy
  %next = fadd double %d, %c
  %two = fadd double %x, %x
  %low = call double @llvm.fma.f64(double %two, double %y, double %c)
  %j = add nsw i32 %i, 1
  %far = fcmp ogt double %s, 4.0
  br i1 %far, label %out, label %loop
out:
  store i32 %i, ptr %p
  ret void
}

; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_needed(
; CHECK: {{^}}loop:
; CHECK: %next = fadd double %x, %c
; CHECK-NEXT: call double @llvm.nvvm.mul.rn.d(double %next, double %x)
define ptx_kernel void @needed(ptr %p, i32 %n, double %c) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %x = phi double [ 0.0, %entry ], [ %next, %loop ]
  %next = fadd double %x, %c
  %m = fmul double %next, %x
  %e = getelementptr double, ptr %p, i32 %i
  store volatile double %m, ptr %e
  %j = add nsw i32 %i, 1
  %go = icmp slt i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

declare double @llvm.fma.f64(double, double, double)
