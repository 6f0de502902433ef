; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; On the CPU a short loop is unrolled whatever the optimiser for GPUs has noted, so that the loop over threads is one
; without a loop inside, and vector code. Arrays in the frames are known to be apart.
; RUN: %translate --target=cpu:x86-64-v3 --emit-llvm --no-cache %s -o - | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
declare i32 @__hetckpt_tid_x()
declare void @__hetckpt_barrier(i32, i32)

; CHECK: define internal {{.*}}i32 @short.loop.2(
; CHECK: {{^}}vector.body
; CHECK: load <8 x float>, ptr %{{.*}}!alias.scope
; CHECK-COUNT-24: fmul <8 x float>
; CHECK: {{^}}}
define ptx_kernel void @short(ptr %p, i32 %n) {
entry:
  %x = call i32 @__hetckpt_tid_x()
  %t = zext i32 %x to i64
  %at = getelementptr float, ptr %p, i64 %t
  %first = load float, ptr %at
  br label %round
round:
  %r = phi i32 [ 0, %entry ], [ %r1, %behind ]
  %kept = phi float [ %first, %entry ], [ %s1, %behind ]
  call void @__hetckpt_barrier(i32 0, i32 0)
  br label %loop
loop:
  %i = phi i32 [ 0, %round ], [ %j, %loop ]
  %s = phi float [ %kept, %round ], [ %s1, %loop ]
  %k = getelementptr float, ptr %p, i32 %i
  %v = load float, ptr %k
  %s1 = fmul float %s, %v
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, 24
  br i1 %more, label %loop, label %behind, !llvm.loop !0
behind:
  %r1 = add i32 %r, 1
  %again = icmp ult i32 %r1, %n
  br i1 %again, label %round, label %end
end:
  store float %s1, ptr %at
  ret void
}
!0 = distinct !{!0, !1}
!1 = !{!"llvm.loop.unroll.disable"}
