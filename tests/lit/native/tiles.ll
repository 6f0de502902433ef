; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; On the CPU, what a loop carries along for sixteen threads is in vector registers from its first
; iteration to its last, whether the loop has been cut into strips (a limit of its own in each
; thread) or not.
; RUN: %translate --target=cpu:x86-64-v3 --emit-llvm --no-cache %s -o - | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
declare i32 @__hetckpt_tid_x()

; Whether a thread is left in the loop is asked for many at a time.
;
; CHECK: define internal fastcc i32 @__hetckpt_cpu_settle(
; CHECK-NOT: {{^}}}
; CHECK: icmp {{eq|ne}} <{{[0-9]+}} x i32>

; The header decides, and so does the middle. A thread that leaves by the header takes x, y and i with
; it, which lie where the loop carries them: so no choice is to be made between those of this iteration
; and of the last, nor is anything carried along for threads that have left.
;
; CHECK: define internal fastcc i32 @strip.tiles.
; CHECK-NOT: alloca
; CHECK: {{^}}rest:
; CHECK-COUNT-16: = phi <4 x
; CHECK-NOT: = phi
; CHECK: sideeffect
; CHECK-NOT: store
; CHECK: {{^}}spill:
; CHECK: {{^}}iteration:
; CHECK-COUNT-12: = phi <4 x
; CHECK-NOT: = phi
; CHECK: sideeffect
; CHECK-NOT: select <4 x i1> %{{[^,]*}}, <4 x double> %{{[^,]*}}, <4 x double> %
; CHECK-NOT: store
; CHECK: {{^}}parted:
define ptx_kernel void @strip(ptr %limits, ptr %xs, ptr %ys, ptr %is) {
entry:
  %t = call i32 @__hetckpt_tid_x()
  %w = zext i32 %t to i64
  %lp = getelementptr i32, ptr %limits, i64 %w
  %limit = load i32, ptr %lp
  %xp = getelementptr double, ptr %xs, i64 %w
  %c = load double, ptr %xp
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %i1, %body ]
  %x = phi double [ 0.0, %entry ], [ %x1, %body ]
  %y = phi double [ 0.0, %entry ], [ %y1, %body ]
  %more = icmp slt i32 %i, %limit
  br i1 %more, label %body, label %left
body:
  %xx = fmul double %x, %x
  %yy = fmul double %y, %y
  %r = fadd double %xx, %yy
  %in = fcmp ule double %r, 4.0
  %d = fsub double %xx, %yy
  %x1 = fadd double %d, %c
  %s = fadd double %x, %x
  %p = fmul double %s, %y
  %y1 = fadd double %p, %c
  %z = zext i1 %in to i32
  %i1 = add nuw nsw i32 %i, %z
  br i1 %in, label %loop, label %broken
left:
  store double %x, ptr %xp
  %yp = getelementptr double, ptr %ys, i64 %w
  store double %y, ptr %yp
  br label %end
broken:
  br label %end
end:
  %last = phi i32 [ %i, %left ], [ %i1, %broken ]
  %ip = getelementptr i32, ptr %is, i64 %w
  store i32 %last, ptr %ip
  ret void
}

; What a thread does when it parks is seldom, and its loops stay as they are.
;
; CHECK-NOT: @parks.tiles.
define ptx_kernel void @parks(ptr %p, ptr %q, i32 %n, i32 %flag) {
entry:
  %t = call i32 @__hetckpt_tid_x()
  %must = icmp ne i32 %flag, 0
  br i1 %must, label %park, label %end, !prof !0
park:
  %w = zext i32 %t to i64
  br label %loop
loop:
  %i = phi i64 [ %w, %park ], [ %next, %loop ]
  %s = phi i32 [ 0, %park ], [ %more, %loop ]
  %a = getelementptr i32, ptr %p, i64 %i
  %v = load i32, ptr %a
  %more = add i32 %s, %v
  %next = add i64 %i, 256
  %c = icmp ult i64 %next, 4096
  br i1 %c, label %loop, label %out
out:
  %o = getelementptr i32, ptr %q, i64 %w
  store i32 %more, ptr %o
  br label %end
end:
  ret void
}
!0 = !{!"branch_weights", i32 1, i32 1048575}
