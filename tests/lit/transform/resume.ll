; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; The resume variant enters no loop but by its header, whatever the kernel's loops look
; like; a cycle with two entries would be irreducible.
; RUN: %opt -hetckpt-poll-stride=4 -passes='hetckpt-instrument,verify,print<cycles>' -disable-output %s 2>&1 | FileCheck %s --check-prefix=CYCLES
; RUN: %opt -hetckpt-poll-stride=4 -passes='hetckpt-instrument,verify' -S %s | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)

; CYCLES-NOT: entries({{[^)]* }}
; CYCLES-LABEL: function: __hetckpt_resume_nest
; CYCLES-NOT: entries({{[^)]* }}
; CYCLES-LABEL: function: __hetckpt_resume_exits
; CYCLES-NOT: entries({{[^)]* }}
; CYCLES-LABEL: function: __hetckpt_resume_row
; CYCLES-NOT: entries({{[^)]* }}
; CYCLES-LABEL: function: __hetckpt_resume_cases
; CYCLES-NOT: entries({{[^)]* }}
; CYCLES-LABEL: function: __hetckpt_resume_waits
; CYCLES-NOT: entries({{[^)]* }}
; CYCLES-LABEL: function: __hetckpt_resume_endless
; CYCLES-NOT: entries({{[^)]* }}

; Three loops, the inner two in the outer one; each safepoint gets a copy of what is left
; of the iterations around it.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_resume_nest(
; CHECK: %safepoint = load i32
; CHECK-NEXT: switch i32 %safepoint, label %[[RETURNED:[^ ]*]] [
; CHECK-NEXT: i32 0, label
; CHECK-DAG: i32 1, label
; CHECK-DAG: i32 2, label
; CHECK-DAG: i32 3, label
; CHECK: ]
; CHECK: call i32 @__hetckpt_poll_entry(
; CHECK: {{^}}[[RETURNED]]:
; CHECK-NEXT: ret void
define ptx_kernel void @nest(ptr %p, i32 %n, i32 %m) {
entry:
  br label %outer
outer:
  %k = phi i32 [ 0, %entry ], [ %l, %latch ]
  br label %first
first:
  %i = phi i32 [ 0, %outer ], [ %j, %first ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %m
  br i1 %go, label %first, label %between
between:
  store volatile i32 %k, ptr %p
  br label %second
second:
  %a = phi i32 [ 0, %between ], [ %b, %second ]
  store volatile i32 %a, ptr %p
  %b = add i32 %a, 2
  %on = icmp ult i32 %b, %n
  br i1 %on, label %second, label %latch
latch:
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %outer, label %out
out:
  ret void
}

; Ways out of two loops at once, and back to the outer header from the middle.
define ptx_kernel void @exits(ptr %p, i32 %n, i32 %m) {
entry:
  br label %outer
outer:
  %k = phi i32 [ 0, %entry ], [ %l, %next ], [ %k2, %middle ]
  br label %inner
inner:
  %i = phi i32 [ 0, %outer ], [ %j, %latch ]
  %x = load i32, ptr %p
  store volatile i32 %i, ptr %p
  %far = icmp eq i32 %x, 7
  br i1 %far, label %out, label %middle
middle:
  %k2 = add i32 %k, 3
  %again = icmp eq i32 %x, 9
  br i1 %again, label %outer, label %latch
latch:
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %m
  br i1 %go, label %inner, label %next
next:
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %outer, label %out
out:
  ret void
}

; Two loops in a row: resuming in the second does not pass the first.
define ptx_kernel void @row(ptr %p, i32 %n) {
entry:
  br label %one
one:
  %i = phi i32 [ 0, %entry ], [ %j, %one ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %one, label %two
two:
  %k = phi i32 [ 0, %one ], [ %l, %two ]
  store volatile i32 %k, ptr %p
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %two, label %out
out:
  ret void
}

; A switch in the loop, and one of its ways leaves it.
define ptx_kernel void @cases(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %latch ]
  %x = load i32, ptr %p
  switch i32 %x, label %latch [ i32 1, label %a
                                i32 2, label %b
                                i32 3, label %out ]
a:
  store volatile i32 1, ptr %p
  br label %b
b:
  %v = phi i32 [ 5, %a ], [ %i, %loop ]
  store volatile i32 %v, ptr %p
  br label %latch
latch:
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; A wait within a counted loop.
define ptx_kernel void @waits(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %latch ]
  br label %spin
spin:
  %x = load volatile i32, ptr %p
  %not = icmp ult i32 %x, %i
  br i1 %not, label %spin, label %latch
latch:
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; A loop that nobody leaves.
define ptx_kernel void @endless(ptr %p) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  br label %loop
}

; Threads of a block that had returned help to restore shared memory, meet the others, and
; return again.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_resume_block(
; CHECK: framed:
; CHECK: br label %[[HEAD:.*]]
; CHECK: {{^}}loop:
; CHECK: {{^}}[[HEAD]]:
; CHECK: store i{{[0-9]+}} {{.*}}, ptr addrspace(3)
; CHECK: call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
; CHECK: %safepoint = load i32
; CHECK: switch i32 %safepoint, label %common.ret [
@tile = internal addrspace(3) global [32 x float] undef
define ptx_kernel void @block(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %mine = icmp ult i32 %t, 100
  br i1 %mine, label %loop, label %out
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store volatile i32 %i, ptr addrspacecast (ptr addrspace(3) @tile to ptr)
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}
