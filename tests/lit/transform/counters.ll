; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Of two counters in step one is kept: in the loop, and in the frame.
; RUN: %opt -hetckpt-poll-stride=8 -passes='hetckpt-instrument,verify' -S %s | FileCheck %s
; RUN: %opt -passes='print<hetckpt-state>' -disable-output %s 2>&1 | FileCheck %s --check-prefix=STATE
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK-LABEL: define ptx_kernel void @pairs(
; CHECK: %turn = phi i32
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_pairs(
; CHECK: {{^}}strip:
; CHECK-COUNT-2: = phi
; CHECK-NOT: = phi
; CHECK: {{^}}loop:
; CHECK-COUNT-2: = phi
; CHECK-NOT: = phi
; CHECK: br i1

; STATE: kernel pairs
; STATE-COUNT-2: slot
; STATE-NOT: slot
define ptx_kernel void @pairs(ptr addrspace(1) %a, ptr addrspace(1) %b, i32 %n) {
entry:
  br label %loop
loop:
  %k = phi i32 [ 0, %entry ], [ %k2, %loop ]
  %s = phi float [ 0.0, %entry ], [ %s2, %loop ]
  %turn = phi i32 [ 0, %entry ], [ %next, %loop ]
  %k64 = zext nneg i32 %k to i64
  %p = getelementptr float, ptr addrspace(1) %a, i64 %k64
  %x = load float, ptr addrspace(1) %p, align 4
  %s2 = fadd float %x, %s
  %k2 = add nuw nsw i32 %k, 2
  %next = add i32 %turn, 2
  %end = icmp eq i32 %next, %n
  br i1 %end, label %done, label %loop
done:
  store float %s2, ptr addrspace(1) %b, align 4
  ret void
}
