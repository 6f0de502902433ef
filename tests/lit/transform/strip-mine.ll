; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; A loop in strips: the inner loop keeps its instructions, whatever way it counts; only what
; it compares with changes, and the poll stands outside it.
; RUN: %opt -hetckpt-poll-stride=8 -passes='hetckpt-instrument,verify' -S %s | FileCheck %s
; RUN: %opt -hetckpt-poll-stride=8 -passes='hetckpt-instrument,verify' -S %s | FileCheck %s --check-prefix=RESUME
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()

; The original is left alone.
; CHECK-LABEL: define ptx_kernel void @sum(
; CHECK-NOT: poll
; CHECK: icmp eq i32 %j, %n
; CHECK-NOT: poll
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_sum(
; CHECK: strip:
; CHECK: %limit = select i1
; CHECK-NEXT: br label %loop
; CHECK: {{^}}loop:
; CHECK-NEXT: %i = phi i32
; CHECK-NEXT: %s = phi float
; CHECK-NEXT: %w = zext nneg i32 %i to i64
; CHECK-NEXT: %e = getelementptr inbounds nuw float, ptr %p, i64 %w
; CHECK-NEXT: %x = load float, ptr %e, align 4
; CHECK-NEXT: %s1 = fadd float %s, %x
; CHECK-NEXT: %j = add nuw nsw i32 %i, 1
; CHECK-NEXT: [[END:%.*]] = icmp eq i32 %j, %limit
; CHECK-NEXT: br i1 [[END]], label %[[CHECK:.*]], label %loop
; CHECK: {{^}}[[CHECK]]:
; CHECK-NEXT: [[DONE:%.*]] = icmp eq i32 %j, %n
; CHECK-NEXT: br i1 [[DONE]], label %out, label %[[BOUNDARY:.*]]
; CHECK: {{^}}[[BOUNDARY]]:
; CHECK-NEXT: [[POLL:%.*]] = call i32 @__hetckpt_poll_thread(ptr {{.*}}%launch)
; CHECK-NEXT: [[NO:%.*]] = icmp eq i32 [[POLL]], 0
; CHECK-NEXT: br i1 [[NO]], label %strip, label %park.1, !prof
;
; Once resumed it runs in the same loop.
; RESUME-LABEL: define ptx_kernel void @__hetckpt_resume_sum(
; RESUME: {{^}}loop:
; RESUME-NEXT: [[I:%.*]] = phi i32
; RESUME-NEXT: [[S:%.*]] = phi float
; RESUME-NEXT: [[W:%.*]] = zext nneg i32 [[I]] to i64
; RESUME-NEXT: [[E:%.*]] = getelementptr inbounds nuw float, ptr %p, i64 [[W]]
; RESUME-NEXT: [[X:%.*]] = load float, ptr [[E]], align 4
; RESUME-NEXT: fadd float [[S]], [[X]]
; RESUME-NEXT: [[J:%.*]] = add nuw nsw i32 [[I]], 1
; RESUME-NEXT: [[END:%.*]] = icmp eq i32 [[J]], %limit
; RESUME-NEXT: br i1 [[END]]
define ptx_kernel void @sum(ptr %p, ptr %q, i32 %n) {
entry:
  %some = icmp sgt i32 %n, 0
  br i1 %some, label %loop, label %out
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %s = phi float [ 0.0, %entry ], [ %s1, %loop ]
  %w = zext nneg i32 %i to i64
  %e = getelementptr inbounds nuw float, ptr %p, i64 %w
  %x = load float, ptr %e, align 4
  %s1 = fadd float %s, %x
  %j = add nuw nsw i32 %i, 1
  %done = icmp eq i32 %j, %n
  br i1 %done, label %out, label %loop
out:
  %r = phi float [ 0.0, %entry ], [ %s1, %loop ]
  store float %r, ptr %q, align 4
  ret void
}

; Downwards, by more than one, and what is compared is the counter itself.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_down(
; CHECK: strip:
; CHECK: [[DISTANCE:%.*]] = sub i32 {{.*}}, %n
; CHECK: %limit = select i1
; CHECK: {{^}}loop:
; CHECK-NEXT: %i = phi i32
; CHECK-NEXT: store volatile i32 %i, ptr %p
; CHECK-NEXT: %j = add {{.*}}i32 %i, -3
; CHECK-NEXT: [[IN:%.*]] = icmp sgt i32 %i, %limit
; CHECK-NEXT: br i1 [[IN]], label %loop, label %strip.check
; CHECK: strip.check:
; CHECK-NEXT: icmp sgt i32 %i, %n
define ptx_kernel void @down(ptr %p, i32 %n, i32 %m) {
entry:
  br label %loop
loop:
  %i = phi i32 [ %m, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add nsw i32 %i, -3
  %go = icmp sgt i32 %i, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; By a step that only the launch knows: the product is taken in 64 bits.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_stride(
; CHECK: strip:
; CHECK: sext i32 {{.*}} to i64
; CHECK: {{mul|shl}} {{.*}}i64
; CHECK: %limit = select i1
; CHECK: {{^}}loop:
; CHECK-NEXT: %i = phi i32
; CHECK-NEXT: store volatile i32 %i, ptr %p
; CHECK-NEXT: %j = add i32 %i, %m
; CHECK-NEXT: [[IN:%.*]] = icmp ult i32 %j, %limit
; CHECK-NEXT: br i1 [[IN]], label %loop, label %strip.check
define ptx_kernel void @stride(ptr %p, i32 %n, i32 %m) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, %m
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; Several values are carried from strip to strip: none is lost.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_several(
; CHECK: strip:
; CHECK-DAG: phi i32 [ 0, %{{.*}} ], [ %j, %strip.boundary ]
; CHECK-DAG: phi i64 [ 1, %{{.*}} ], [ %b, %strip.boundary ]
; CHECK-DAG: phi i64 [ 0, %{{.*}} ], [ %a, %strip.boundary ]
; CHECK: {{^}}loop:
define ptx_kernel void @several(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %a = phi i64 [ 1, %entry ], [ %b, %loop ]
  %c = phi i64 [ 0, %entry ], [ %a, %loop ]
  %b = add i64 %a, %c
  store volatile i64 %b, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; The bound at the top, beside another exit: the check goes on with what the header began
; with, and a strip that would not begin where the loop does is none.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_top(
; CHECK: {{^}}strip:
; CHECK-NEXT: [[SI:%.*]] = phi i32 [ 0, %{{.*}} ], [ %i, %{{.*}} ]
; CHECK: %first = add i32 [[SI]], 1
; CHECK: icmp ne i32 [[SI]], 2147483647
; CHECK: %limit = select i1
; CHECK: {{^}}loop:
; CHECK-NEXT: %i = phi i32 [ [[SI]], %strip ], [ %j, %body ]
; CHECK-NEXT: [[IN:%.*]] = icmp slt i32 %i, %limit
; CHECK-NEXT: br i1 [[IN]], label %body, label %[[CHECK2:strip.check.*]]
; CHECK: {{^}}body:
; CHECK: br i1 %go, label %loop, label %[[OUT2:.*]]
; CHECK: {{^}}[[CHECK2]]:
; CHECK-NEXT: [[MORE:%.*]] = icmp slt i32 %i, %n
; CHECK-NEXT: br i1 [[MORE]], label %[[BOUNDARY2:.*]], label %[[OUT2]]
; CHECK: {{^}}[[BOUNDARY2]]:
; CHECK-NEXT: call i32 @__hetckpt_poll_thread
define ptx_kernel void @top(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %body ]
  %more = icmp slt i32 %i, %n
  br i1 %more, label %body, label %out
body:
  %e = getelementptr i32, ptr %p, i32 %i
  %x = load i32, ptr %e
  store i32 %i, ptr %e
  %j = add i32 %i, 1
  %go = icmp ult i32 %x, 4
  br i1 %go, label %loop, label %out
out:
  ret void
}

; The assembler shall not unroll a large body, of which other targets think otherwise. One that was not to be unrolled
; before says no more than that.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_large(
; CHECK: {{^}}loop:
; CHECK: br i1 {{.*}}, label %loop, label %strip.check{{.*}}, !llvm.loop [[STRIP:![0-9]+]]
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_rolled(
; CHECK: {{^}}loop:
; CHECK: br i1 {{.*}}, label %loop, label %strip.check{{.*}}, !llvm.loop [[ROLLED:![0-9]+]]
; CHECK-DAG: [[STRIP]] = distinct !{[[STRIP]], [[MARK:![0-9]+]], [[ONCE:![0-9]+]]}
; CHECK-DAG: [[MARK]] = !{!"hetckpt.strip", i32 0}
; CHECK-DAG: [[ROLLED]] = distinct !{[[ROLLED]], [[ONCE]]}
; CHECK-DAG: [[ONCE]] = !{!"llvm.loop.unroll.disable"}
define ptx_kernel void @large(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}
define ptx_kernel void @rolled(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out, !llvm.loop !0
out:
  ret void
}

!0 = distinct !{!0, !1}
!1 = !{!"llvm.loop.unroll.disable"}
