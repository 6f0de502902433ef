; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; A block that waits for another one asks for the flag every few times, for it asks by a barrier; each
; time where a round may take long, and in a test that pauses everywhere.
; RUN: %opt -passes='hetckpt-instrument,verify' -S %s | FileCheck %s
; RUN: %opt -hetckpt-poll-stride=1 -passes='hetckpt-instrument,verify' -S %s | FileCheck %s --check-prefix=EACH
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i1 @llvm.nvvm.barrier.cta.red.or.aligned.all(i32, i1)
declare void @llvm.nvvm.nanosleep(i32)

; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_waits(
; CHECK: ask:
; CHECK-NEXT: [[NEXT:%.*]] = add {{.*}}i32 [[ROUND:%.*]], 1
; CHECK-NEXT: [[PART:%.*]] = and i32 [[NEXT]], 31
; CHECK-NEXT: [[NOW:%.*]] = icmp eq i32 [[PART]], 0
; CHECK-NEXT: br i1 [[NOW]], label %poll.1, label %loop
; CHECK: poll.1:
; CHECK-NEXT: %poll = call i32 @__hetckpt_poll_block(
; CHECK: loop:
; CHECK-NEXT: [[ROUND]] = phi i32 [ 0, %entry ], [ [[NEXT]], %ask ], [ [[NEXT]], %poll.1 ]
; EACH-LABEL: define ptx_kernel void @__hetckpt_run_waits(
; EACH-NOT: and i32 {{.*}}, 31
; EACH: call i32 @__hetckpt_poll_block(
define ptx_kernel void @waits(ptr addrspace(1) %word) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br label %loop
loop:
  %now = load volatile i32, ptr addrspace(1) %word
  %set = icmp ne i32 %now, 0
  %mine = and i1 %first, %set
  %all = call i1 @llvm.nvvm.barrier.cta.red.or.aligned.all(i32 0, i1 %mine)
  br i1 %all, label %done, label %loop
done:
  ret void
}

; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_sleeps(
; CHECK-NOT: and i32 {{.*}}, 31
; CHECK: call i32 @__hetckpt_poll_block(
; CHECK: {{^}}}
define ptx_kernel void @sleeps(ptr addrspace(1) %word) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br label %loop
loop:
  call void @llvm.nvvm.nanosleep(i32 100000)
  %now = load volatile i32, ptr addrspace(1) %word
  %set = icmp ne i32 %now, 0
  %mine = and i1 %first, %set
  %all = call i1 @llvm.nvvm.barrier.cta.red.or.aligned.all(i32 0, i1 %mine)
  br i1 %all, label %done, label %loop
done:
  ret void
}

; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_works(
; CHECK-NOT: and i32 {{.*}}, 31
; CHECK: call i32 @__hetckpt_poll_block(
; CHECK: {{^}}}
define ptx_kernel void @works(ptr addrspace(1) %word, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br label %loop
loop:
  br label %work
work:
  %i = phi i32 [ 0, %loop ], [ %j, %work ]
  store volatile i32 %i, ptr addrspace(1) %word
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, 4
  br i1 %more, label %work, label %look
look:
  %now = load volatile i32, ptr addrspace(1) %word
  %set = icmp ne i32 %now, 0
  %mine = and i1 %first, %set
  %all = call i1 @llvm.nvvm.barrier.cta.red.or.aligned.all(i32 0, i1 %mine)
  br i1 %all, label %done, label %loop
done:
  ret void
}

; A wait in a wait asks by itself.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_meets(
; CHECK: and i32 {{%[0-9]+}}, 31{{$}}
; CHECK-NOT: {{^}}}
; CHECK: and i32 {{%[0-9]+}}, 31{{$}}
; CHECK: {{^}}}
define ptx_kernel void @meets(ptr addrspace(1) %word) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br label %loop
loop:
  store volatile i32 0, ptr addrspace(1) %word
  br label %wait
wait:
  %here = load volatile i32, ptr addrspace(1) %word
  %come = icmp ne i32 %here, 1
  %seen = and i1 %first, %come
  %open = call i1 @llvm.nvvm.barrier.cta.red.or.aligned.all(i32 0, i1 %seen)
  br i1 %open, label %look, label %wait
look:
  %now = load volatile i32, ptr addrspace(1) %word
  %set = icmp ne i32 %now, 0
  %mine = and i1 %first, %set
  %all = call i1 @llvm.nvvm.barrier.cta.red.or.aligned.all(i32 0, i1 %mine)
  br i1 %all, label %done, label %loop
done:
  ret void
}
