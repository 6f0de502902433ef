; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; A loop that decides in its header counts there too, and is left with one register for its counter.
; RUN: %opt -passes='hetckpt,verify' -S %s | FileCheck %s
; What a reader of the module would find in another order is not written in this one.
; RUN: %opt -passes='hetckpt,verify' -preserve-ll-uselistorder -S %s | FileCheck %s --check-prefix=USES
; USES-NOT: uselistorder {{.*}} %
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; The original is left alone.
; CHECK-LABEL: define ptx_kernel void @escape(
; CHECK: head:
; CHECK-NEXT: %i = phi i32
; CHECK: %more = icmp slt i32 %i, %n
; CHECK: define {{.*}}@__hetckpt_run_escape(
; CHECK: strip:
; CHECK: [[I:%i.strip.*]] = phi i32
; CHECK: [[B:%.*]] = sub i32 [[I]], 1
; CHECK: [[F:%before.*]] = freeze i32 [[B]]
; CHECK: head:
; CHECK-NEXT: [[P:%before.*]] = phi i32 [ [[F]], %strip ], [ %i, %body ]
; CHECK-NEXT: = phi float
; CHECK-NEXT: %i = add i32 [[P]], 1
; CHECK: icmp slt i32 %i, %limit
; CHECK: body:
; CHECK-NOT: add {{.*}}%i
; CHECK: strip.check:
define ptx_kernel void @escape(ptr addrspace(1) %out, i32 %n) {
entry:
  br label %head
head:
  %i = phi i32 [ 0, %entry ], [ %next, %body ]
  %z = phi float [ 0.0, %entry ], [ %z1, %body ]
  %more = icmp slt i32 %i, %n
  br i1 %more, label %body, label %done
body:
  %z1 = call float @llvm.fma.f32(float %z, float %z, float 0.25)
  %next = add nuw nsw i32 %i, 1
  %far = fcmp ogt float %z1, 4.0
  br i1 %far, label %done, label %head
done:
  store i32 %i, ptr addrspace(1) %out, align 4
  ret void
}

; Where the latch decides, the loop stays as it is.
; CHECK: define {{.*}}@__hetckpt_run_sum(
; CHECK-NOT: freeze
; CHECK: define {{.*}}@__hetckpt_resume_sum(
define ptx_kernel void @sum(ptr addrspace(1) %out, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %next, %loop ]
  %z = phi float [ 0.0, %entry ], [ %z1, %loop ]
  %z1 = call float @llvm.fma.f32(float %z, float %z, float 0.25)
  %next = add nuw nsw i32 %i, 1
  %more = icmp slt i32 %next, %n
  br i1 %more, label %loop, label %done
done:
  store float %z1, ptr addrspace(1) %out, align 4
  ret void
}
