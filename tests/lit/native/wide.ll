; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; On the CPU a short loop that carries nothing along but what is the same in all threads runs for sixty-four of them at a
; time; rows that are shorter, and other loops, run for sixteen.
; RUN: %translate --target=cpu:x86-64-v3 --emit-llvm --no-cache %s -o - | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
declare i32 @__hetckpt_tid_x()

; CHECK: define internal {{.*}}i32 @stream.tiles.2(
; CHECK: define internal {{.*}}i32 @stream.wide.2(
; CHECK: icmp samesign ult i32 %{{.*}}, 64
; CHECK: {{^}}none:
; CHECK-NEXT: call {{.*}}i32 @stream.tiles.2(
; CHECK: {{^}}iteration:
; CHECK-COUNT-16: fadd <4 x float>
; CHECK: {{^}}parted:
; CHECK: define internal {{.*}}i32 @stream.wide.all.2(
; CHECK: call {{.*}}i32 @stream.wide.2(
define ptx_kernel void @stream(i64 %n, i64 %step, ptr %from, ptr %to) {
entry:
  %x = call i32 @__hetckpt_tid_x()
  %t = zext i32 %x to i64
  %any = icmp ult i64 %t, %n
  br i1 %any, label %loop, label %end
loop:
  %i = phi i64 [ %t, %entry ], [ %next, %loop ]
  %p = getelementptr float, ptr %from, i64 %i
  %q = getelementptr float, ptr %to, i64 %i
  %v = load float, ptr %p
  %w = load float, ptr %q
  %s = fadd float %v, %w
  store float %s, ptr %q
  %next = add i64 %i, %step
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}

; CHECK-NOT: @sum.wide.
; CHECK: define hidden i32 @sum.run(
define ptx_kernel void @sum(i64 %n, i64 %step, ptr %from, ptr %to) {
entry:
  %x = call i32 @__hetckpt_tid_x()
  %t = zext i32 %x to i64
  %any = icmp ult i64 %t, %n
  br i1 %any, label %loop, label %end
loop:
  %i = phi i64 [ %t, %entry ], [ %next, %loop ]
  %s0 = phi float [ 0.0, %entry ], [ %s, %loop ]
  %p = getelementptr float, ptr %from, i64 %i
  %v = load float, ptr %p
  %s = fadd float %v, %s0
  %next = add i64 %i, %step
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %out
out:
  %q = getelementptr float, ptr %to, i64 %t
  store float %s, ptr %q
  br label %end
end:
  ret void
}
