; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; A cycle with two ways in is no loop to the analyses: it gets one way in first. Then it
; polls, waits are seen as such, and the resume variant has loops only.
; RUN: %opt -passes='print<hetckpt-polls>' -disable-output %s | FileCheck %s
; RUN: %opt -passes='hetckpt-instrument,verify' -S %s | FileCheck %s --check-prefix=IR
; RUN: %opt -passes='hetckpt-instrument,verify,print<cycles>' -disable-output %s 2>&1 | FileCheck %s --check-prefix=CYCLES
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CYCLES: function: counts
; CYCLES-NEXT: depth=1: entries({{a b|b a}})
; CYCLES: function: __hetckpt_run_counts
; CYCLES-NOT: entries({{[^)]* }}
; CYCLES: function: __hetckpt_resume_counts
; CYCLES-NOT: entries({{[^)]* }}
; CYCLES: function: __hetckpt_run_waits
; CYCLES-NOT: entries({{[^)]* }}
; CYCLES: function: __hetckpt_resume_waits
; CYCLES-NOT: entries({{[^)]* }}

; CHECK-LABEL: kernel counts:
; CHECK-NEXT: loop at {{.*}} depth 1: timed
; IR: define ptx_kernel void @__hetckpt_run_counts(
; IR: call i32 @__hetckpt_poll_thread(
define ptx_kernel void @counts(ptr %p, i32 %n, i1 %c) {
entry:
  br i1 %c, label %a, label %b
a:
  %i = phi i32 [ 0, %entry ], [ %k, %b ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  br label %b
b:
  %x = phi i32 [ 7, %entry ], [ %j, %a ]
  store volatile i32 %x, ptr %p
  %k = add i32 %x, 2
  %go = icmp ult i32 %k, %n
  br i1 %go, label %a, label %out
out:
  ret void
}

; CHECK-LABEL: kernel waits: waits
; CHECK-NEXT: loop at {{.*}} depth 1: wait
; IR: define ptx_kernel void @__hetckpt_run_waits(
; IR-DAG: call i32 @__hetckpt_poll_thread(
; IR-DAG: call void @__hetckpt_spin()
define ptx_kernel void @waits(ptr %p, ptr %q, i32 %n) {
entry:
  %w = load i32, ptr %q
  switch i32 %w, label %out [ i32 0, label %a
                              i32 1, label %b ]
a:
  %x = load volatile i32, ptr %p
  %no = icmp eq i32 %x, 0
  br i1 %no, label %b, label %out
b:
  %y = load volatile i32, ptr %q
  %yes = icmp eq i32 %y, 5
  br i1 %yes, label %out, label %a
out:
  ret void
}
