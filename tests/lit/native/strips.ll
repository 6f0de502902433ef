; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; On the CPU a strip may be unrolled, as the loop was that it was made of. What says so of another loop holds.
; RUN: %translate --target=cpu:x86-64-v3 --emit-llvm --no-cache %s -o - | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK-LABEL: define hidden {{.*}}i32 @strip.run(
; CHECK: {{^}}loop
; CHECK: store volatile
; CHECK-NOT: br
; CHECK: store volatile
; CHECK-LABEL: define hidden {{.*}}i32 @rolled.run(
; CHECK: {{^}}loop
; CHECK: store volatile
; CHECK-NOT: store volatile
; CHECK: br i1 {{.*}}, !llvm.loop
define ptx_kernel void @strip(i32 %n, ptr %p) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %v = load volatile i32, ptr %p
  %w = mul i32 %v, %i
  store volatile i32 %w, ptr %p
  %j = add i32 %i, 1
  %more = icmp slt i32 %j, %n
  br i1 %more, label %loop, label %end, !llvm.loop !0
end:
  ret void
}

define ptx_kernel void @rolled(i32 %n, ptr %p) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %v = load volatile i32, ptr %p
  %w = mul i32 %v, %i
  store volatile i32 %w, ptr %p
  %j = add i32 %i, 1
  %more = icmp slt i32 %j, %n
  br i1 %more, label %loop, label %end, !llvm.loop !3
end:
  ret void
}

!0 = distinct !{!0, !1, !2}
!1 = !{!"hetckpt.strip", i32 0}
!2 = !{!"llvm.loop.unroll.disable"}
!3 = distinct !{!3, !2}
