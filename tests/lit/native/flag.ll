; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; On the CPU threads that run to their next stop without a loop get one answer from the pause flag, which is read in front of the
; loop over threads; a thread that is in a loop looks each time.
; RUN: %translate --target=cpu:x86-64-v3 --emit-llvm --no-cache %s -o - | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
declare i32 @__hetckpt_tid_x()
declare i32 @__hetckpt_poll_entry(ptr)
declare i32 @__hetckpt_poll_thread(ptr)

; From the beginning to the loop that is taken over threads: vector code, for those that need not park.
; CHECK: define internal {{.*}}i32 @__hetckpt_run_begins.loop.1(
; CHECK: load i32, ptr %flag{{.*}}, !invariant.load
; CHECK: {{^}}vector.body
; CHECK: store <8 x float>
; CHECK-NOT: load i32, ptr %flag
; CHECK: define internal {{.*}}i32 @__hetckpt_run_begins.masked.2(
define ptx_kernel void @__hetckpt_run_begins(i32 %n, ptr %from, ptr %to, ptr %launch) {
entry:
  %x = call i32 @__hetckpt_tid_x()
  %t = zext i32 %x to i64
  %q = getelementptr float, ptr %to, i64 %t
  %begin = call i32 @__hetckpt_poll_entry(ptr %launch)
  switch i32 %begin, label %start [ i32 1, label %end
                                    i32 2, label %park ]
park:
  store volatile i32 1, ptr %to
  br label %end
start:
  %first = getelementptr float, ptr %from, i64 %t
  %v = load float, ptr %first
  br label %strip
strip:
  %s0 = phi float [ %v, %start ], [ %s1, %poll ]
  br label %loop
loop:
  %i = phi i32 [ 0, %strip ], [ %j, %loop ]
  %s = phi float [ %s0, %strip ], [ %s1, %loop ]
  %at = getelementptr float, ptr %first, i32 %i
  %w = load float, ptr %at
  %s1 = fadd float %s, %w
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, %n
  br i1 %more, label %loop, label %poll
poll:
  %flag = call i32 @__hetckpt_poll_thread(ptr %launch)
  %must = icmp ne i32 %flag, 0
  %done = fcmp ogt float %s1, 1000.0
  %out = or i1 %must, %done
  br i1 %out, label %end2, label %strip
end2:
  store float %s1, ptr %q
  br label %end
end:
  ret void
}

; CHECK: define {{.*}}i32 @__hetckpt_run_spins.
; CHECK: load atomic i32, ptr %flag{{.*}} monotonic
; CHECK-NOT: !invariant.load
; CHECK: br i1
define ptx_kernel void @__hetckpt_run_spins(ptr %p, ptr %launch) {
entry:
  br label %loop
loop:
  %v = load volatile i32, ptr %p
  %flag = call i32 @__hetckpt_poll_thread(ptr %launch)
  %must = icmp ne i32 %flag, 0
  %there = icmp eq i32 %v, 1
  %out = or i1 %must, %there
  br i1 %out, label %end, label %loop
end:
  ret void
}
