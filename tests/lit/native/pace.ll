; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; On the CPU strips of a loop that is taken over threads are as long as a word of the block's record says, which the
; loop over passes corrects; those of other loops are as planned.
; RUN: %translate --target=cpu:x86-64-v3 --emit-llvm --no-cache %s -o - | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
declare i32 @__hetckpt_tid_x()
declare i32 @__hetckpt_pace(i32, i32, i32) memory(inaccessiblemem: readwrite) nounwind willreturn
declare i32 @__hetckpt_poll_thread(ptr)

; The clock is read around passes.
; CHECK: define internal {{.*}}@__hetckpt_cpu_drive(
; CHECK: call i64 @llvm.x86.rdtsc()
; CHECK: call i64 @llvm.x86.rdtsc()
;
; In the loop one limit does for all threads, for the bound is the same in all: it is not loaded for each.
; CHECK: define internal {{.*}}i32 @__hetckpt_run_measured.tiles.2(
; CHECK: {{^}}iteration
; CHECK: icmp uge <4 x i64> %{{.*}}, %broadcast.splat
;
; Between strips each thread asks.
; CHECK: define internal {{.*}}i32 @__hetckpt_run_measured.masked.3(
; CHECK: [[WORD:%.*]] = getelementptr {{.*}}, ptr %block, i64 168
; CHECK: [[PACE:%.*]] = load i32, ptr [[WORD]]
; CHECK: mul {{.*}}, 14
; CHECK: lshr i64 %{{.*}}, 8
; CHECK: umax.i64(i64 %{{.*}}, i64 1)
; CHECK: umin.i64(i64 %{{.*}}, i64 1000)
; CHECK: define hidden {{.*}}i32 @__hetckpt_run_measured.run(
define ptx_kernel void @__hetckpt_run_measured(i64 %n, i64 %step, ptr %from, ptr %to, ptr %launch) {
entry:
  %x = call i32 @__hetckpt_tid_x()
  %t = zext i32 %x to i64
  %any = icmp ult i64 %t, %n
  br i1 %any, label %strip, label %end
strip:
  %first = phi i64 [ %t, %entry ], [ %next, %boundary ]
  %sum0 = phi float [ 0.0, %entry ], [ %sum, %boundary ]
  %planned = call i32 @__hetckpt_pace(i32 0, i32 14, i32 1000)
  %iterations = zext i32 %planned to i64
  %span = mul i64 %iterations, %step
  %far = add i64 %first, %span
  %left = sub i64 %n, %first
  %longer = icmp ugt i64 %left, %span
  %limit = select i1 %longer, i64 %far, i64 %n, !hetckpt.limit !0
  br label %loop
loop:
  %i = phi i64 [ %first, %strip ], [ %next, %loop ]
  %sum1 = phi float [ %sum0, %strip ], [ %sum, %loop ]
  %p = getelementptr float, ptr %from, i64 %i
  %v = load float, ptr %p
  %sum = fadd float %sum1, %v
  %next = add i64 %i, %step
  %more = icmp ult i64 %next, %limit
  br i1 %more, label %loop, label %check
check:
  %on = icmp ult i64 %next, %n
  br i1 %on, label %boundary, label %out
boundary:
  %poll = call i32 @__hetckpt_poll_thread(ptr %launch)
  %must = icmp ne i32 %poll, 0
  br i1 %must, label %end, label %strip, !prof !1
out:
  %q = getelementptr float, ptr %to, i64 %t
  store float %sum, ptr %q
  br label %end
end:
  ret void
}

; A loop that each thread runs by itself.
; CHECK: define hidden {{.*}}i32 @__hetckpt_run_planned.run(
; CHECK-NOT: i64 168
; CHECK: umin.i64(i64 %{{.*}}, i64 %{{.*}})
define ptx_kernel void @__hetckpt_run_planned(i64 %n, ptr %p, ptr %launch) {
entry:
  br label %strip
strip:
  %first = phi i64 [ 0, %entry ], [ %next, %boundary ]
  %planned = call i32 @__hetckpt_pace(i32 0, i32 4, i32 1000)
  %iterations = zext i32 %planned to i64
  %far = add i64 %first, %iterations
  %limit = call i64 @llvm.umin.i64(i64 %far, i64 %n)
  br label %loop
loop:
  %i = phi i64 [ %first, %strip ], [ %next, %loop ]
  store volatile i64 %i, ptr %p
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %limit
  br i1 %more, label %loop, label %check
check:
  %on = icmp ult i64 %next, %n
  br i1 %on, label %boundary, label %end
boundary:
  %poll = call i32 @__hetckpt_poll_thread(ptr %launch)
  %must = icmp ne i32 %poll, 0
  br i1 %must, label %end, label %strip
end:
  ret void
}
!0 = !{}
!1 = !{!"branch_weights", i32 1, i32 1048575}
