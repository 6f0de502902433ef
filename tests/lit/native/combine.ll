; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; On the CPU, atomic additions of a loop that is taken over threads are collected in a table, and other
; accesses look whether what they touch may be in it.
; RUN: %translate --target=cpu:x86-64-v3 --emit-llvm --no-cache %s -o - | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
declare i32 @__hetckpt_tid_x()

; CHECK: define internal {{.*}}i32 @relaxed.loop.2(
; CHECK: {{^}}thread:
; CHECK-NOT: atomicrmw
; CHECK: call {{.*}}@combine_meet(
; CHECK-NOT: atomicrmw
; CHECK: call {{.*}}@combine_take(
; CHECK-NOT: atomicrmw
; CHECK: {{^}}}
define ptx_kernel void @relaxed(i64 %n, i64 %step, ptr %from, ptr %bins) {
entry:
  %x = call i32 @__hetckpt_tid_x()
  %t = zext i32 %x to i64
  br label %loop
loop:
  %i = phi i64 [ %t, %entry ], [ %next, %loop ]
  %p = getelementptr i8, ptr %from, i64 %i
  %v = load i8, ptr %p
  %z = zext i8 %v to i64
  %q = getelementptr i32, ptr %bins, i64 %z
  %old = atomicrmw add ptr %q, i32 1 monotonic
  %next = add i64 %i, %step
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}

; Not where one orders what comes before it, nor where the same address may be two numbers of
; different size.
;
; CHECK-NOT: call {{.*}}@combine_take(
; CHECK: define internal {{.*}}i32 @orders.loop.2(
; CHECK: atomicrmw add
; CHECK-NOT: call {{.*}}@combine_take(
; CHECK: define internal {{.*}}i32 @sizes.loop.2(
; CHECK: atomicrmw add
; CHECK-NOT: call {{.*}}@combine_take(
; CHECK: define hidden i32 @sizes.run(
define ptx_kernel void @orders(i64 %n, i64 %step, ptr %from, ptr %bins) {
entry:
  %x = call i32 @__hetckpt_tid_x()
  %t = zext i32 %x to i64
  br label %loop
loop:
  %i = phi i64 [ %t, %entry ], [ %next, %loop ]
  %p = getelementptr i8, ptr %from, i64 %i
  %v = load i8, ptr %p
  %z = zext i8 %v to i64
  %q = getelementptr i32, ptr %bins, i64 %z
  %old = atomicrmw add ptr %q, i32 1 monotonic
  %old2 = atomicrmw or ptr %from, i32 1 release
  %next = add i64 %i, %step
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}

define ptx_kernel void @sizes(i64 %n, i64 %step, ptr %from, ptr %bins) {
entry:
  %x = call i32 @__hetckpt_tid_x()
  %t = zext i32 %x to i64
  br label %loop
loop:
  %i = phi i64 [ %t, %entry ], [ %next, %loop ]
  %p = getelementptr i8, ptr %from, i64 %i
  %v = load i8, ptr %p
  %z = zext i8 %v to i64
  %q = getelementptr i32, ptr %bins, i64 %z
  %old = atomicrmw add ptr %q, i32 1 monotonic
  %r = getelementptr i64, ptr %bins, i64 %z
  %old2 = atomicrmw sub ptr %r, i64 %i monotonic
  %next = add i64 %i, %step
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}
