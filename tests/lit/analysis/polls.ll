; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Which loops poll, in which way, how often.
; RUN: %opt -passes='print<hetckpt-polls>' -disable-output %s | FileCheck %s
; RUN: %opt -hetckpt-poll-interval=500 -passes='print<hetckpt-polls>' -disable-output %s | FileCheck %s --check-prefix=RARE
; RUN: %opt -hetckpt-poll-stride=3 -passes='print<hetckpt-polls>' -disable-output %s | FileCheck %s --check-prefix=STRIDE
; RUN: %opt -hetckpt-poll-stride=100000 -passes='print<hetckpt-polls>' -disable-output %s | FileCheck %s --check-prefix=WIDE
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)

; A counted loop of unknown length: the stride follows from what an iteration costs.
; CHECK-LABEL: kernel counted:
; CHECK-NEXT: loop at %loop depth 1: strip every {{[0-9][0-9][0-9]}} iterations, paced, {{[0-9]+}} ns an iteration
; RARE-LABEL: kernel counted:
; RARE-NEXT: strip every {{[0-9][0-9][0-9][0-9]}} iterations
; STRIDE-LABEL: kernel counted:
; STRIDE-NEXT: strip every 3 iterations
; WIDE-LABEL: kernel counted:
; WIDE-NEXT: strip every 100000 iterations
define ptx_kernel void @counted(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i
  %x = load volatile i32, ptr %e
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; One that is known to end soon gets no poll, unless a stride is asked for.
; CHECK-LABEL: kernel short:
; CHECK-NOT: loop at
; STRIDE-LABEL: kernel short:
; STRIDE-NEXT: strip every 3 iterations
define ptx_kernel void @short(ptr %p) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i
  store volatile i32 %i, ptr %e
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, 20
  br i1 %go, label %loop, label %out
out:
  ret void
}

; CHECK-LABEL: kernel after_short:
define ptx_kernel void @after_short() {
  ret void
}

; A loop with its exit in the middle goes by the clock.
; CHECK-LABEL: kernel middle:
; CHECK-NEXT: loop at %loop depth 1: timed
define ptx_kernel void @middle(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %latch ]
  %x = load i32, ptr %p
  %go = icmp ult i32 %x, %n
  br i1 %go, label %latch, label %out
latch:
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  br label %loop
out:
  ret void
}

; A bound at the top counts as well, beside another exit, also where the step is the condition
; to go on.
; CHECK-LABEL: kernel top:
; CHECK-NEXT: loop at %loop depth 1: strip every {{[0-9]+}} iterations
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
  %go = icmp ult i32 %x, 4
  %step = zext i1 %go to i32
  %j = add i32 %i, %step
  br i1 %go, label %loop, label %out
out:
  ret void
}

; Not where the top does something that must be done once, or where the step may be none.
; CHECK-LABEL: kernel top_stores:
; CHECK-NEXT: loop at %loop depth 1: timed
define ptx_kernel void @top_stores(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %body ]
  store volatile i32 %i, ptr %p
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

; CHECK-LABEL: kernel top_may_stand:
; CHECK-NEXT: loop at %loop depth 1: timed
define ptx_kernel void @top_may_stand(ptr %p, i32 %n) {
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
  %counts = icmp ult i32 %x, 4
  %step = zext i1 %counts to i32
  %j = add i32 %i, %step
  %go = icmp ult i32 %x, 9
  br i1 %go, label %loop, label %out
out:
  ret void
}

; Of a nest the outer loop goes by the clock where each thread may pause alone.
; CHECK-LABEL: kernel nest:
; CHECK-NEXT: loop at %inner depth 2: strip every {{[0-9]+}} iterations, {{[0-9]+}} ns an iteration
; CHECK-NEXT: loop at %outer depth 1: timed
define ptx_kernel void @nest(ptr %p, i32 %n, i32 %m) {
entry:
  br label %outer
outer:
  %k = phi i32 [ 0, %entry ], [ %l, %latch ]
  br label %inner
inner:
  %i = phi i32 [ 0, %outer ], [ %j, %inner ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %m
  br i1 %go, label %inner, label %latch
latch:
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %outer, label %out
out:
  ret void
}

; Where they must answer alike the inner loop pays for its strips, and the outer one polls
; when the account is empty.
; CHECK-LABEL: kernel nest_together:
; CHECK-NEXT: loop at %inner depth 2: strip every {{[0-9]+}} iterations, {{[0-9]+}} ns an iteration, pays fuel
; CHECK-NEXT: loop at %outer depth 1: fuel
define ptx_kernel void @nest_together(ptr %p, i32 %n, i32 %m) {
entry:
  br label %outer
outer:
  %k = phi i32 [ 0, %entry ], [ %l, %latch ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %inner
inner:
  %i = phi i32 [ 0, %outer ], [ %j, %inner ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %m
  br i1 %go, label %inner, label %latch
latch:
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %outer, label %out
out:
  ret void
}

; An inner loop of known length is part of what an outer iteration costs.
; CHECK-LABEL: kernel tile:
; CHECK-NEXT: loop at %outer depth 1: strip every {{[0-9]+}} iterations
; CHECK-NOT: loop at
define ptx_kernel void @tile(ptr %p, i32 %n) {
entry:
  br label %outer
outer:
  %k = phi i32 [ 0, %entry ], [ %l, %latch ]
  br label %inner
inner:
  %i = phi i32 [ 0, %outer ], [ %j, %inner ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, 16
  br i1 %go, label %inner, label %latch
latch:
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %outer, label %out
out:
  ret void
}

; A grid-stride loop in a kernel of the block scope, before a barrier: its threads go
; through strips in lockstep.
; CHECK-LABEL: kernel stride_loop:
; CHECK-NEXT: loop at %loop depth 1: lockstep every {{[0-9]+}} iterations
define ptx_kernel void @stride_loop(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %w = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %some = icmp ult i32 %t, %n
  br i1 %some, label %pre, label %after
pre:
  br label %loop
loop:
  %i = phi i32 [ %t, %pre ], [ %j, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i
  store volatile i32 %i, ptr %e
  %j = add i32 %i, %w
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store volatile i32 1, ptr %p
  ret void
}

; The same with a data-dependent length: no poll, and a line that says so.
; CHECK-LABEL: kernel chain:
; CHECK-NEXT: missed loop at %loop: the threads of the block are not together in it
define ptx_kernel void @chain(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  br label %loop
loop:
  %i = phi i32 [ %t, %entry ], [ %x, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i
  %x = load i32, ptr %e
  store volatile i32 %x, ptr %p
  %go = icmp ult i32 %i, %n
  br i1 %go, label %loop, label %after
after:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store volatile i32 1, ptr %p
  ret void
}

; Two such loops in a row, and nothing that threads wait for but the polls themselves: the
; first one goes in lockstep, else its poll would meet the other's.
; CHECK-LABEL: kernel two:
; CHECK-DAG: loop at %one depth 1: lockstep
; CHECK-DAG: loop at %two depth 1: strip
define ptx_kernel void @two(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %w = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %one
one:
  %i = phi i32 [ %t, %entry ], [ %j, %one ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, %w
  %go = icmp ult i32 %j, %n
  br i1 %go, label %one, label %between
between:
  br label %two
two:
  %k = phi i32 [ 0, %between ], [ %l, %two ]
  store volatile i32 %k, ptr %p
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %two, label %out
out:
  ret void
}

; A counter of 8 bits: strips stay far from where it wraps.
; CHECK-LABEL: kernel narrow:
; WIDE-LABEL: kernel narrow:
; WIDE-NEXT: strip every 16 iterations
define ptx_kernel void @narrow(ptr %p, i8 %n) {
entry:
  br label %loop
loop:
  %i = phi i8 [ 0, %entry ], [ %j, %loop ]
  store volatile i8 %i, ptr %p
  %j = add i8 %i, 1
  %go = icmp ne i8 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; Two loops on two ways of which some threads take one and some the other: only one of them
; polls, or the threads of one would wait at its poll for those at the other's.
; CHECK-LABEL: kernel arms:
; CHECK: loop at %{{one|two}} depth 1: strip
; CHECK-NOT: loop at %{{one|two}} depth 1: strip
; CHECK: missed loop at %{{one|two}}: the threads of the block are not together in it when another loop polls
define ptx_kernel void @arms(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %x = load i32, ptr %p
  %odd = icmp ult i32 %t, %x
  br i1 %odd, label %one, label %two
one:
  %i = phi i32 [ 0, %entry ], [ %j, %one ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %one, label %out
two:
  %k = phi i32 [ 0, %entry ], [ %l, %two ]
  store volatile i32 %k, ptr %p
  %l = add i32 %k, 3
  %more = icmp ult i32 %l, %n
  br i1 %more, label %two, label %out
out:
  ret void
}

; Where one of them waits for another thread, it is the one that polls.
; CHECK-LABEL: kernel wait_arm: waits{{$}}
; CHECK-NEXT: loop at %one depth 1: wait
; CHECK-NOT: depth
; CHECK: missed loop at %two
define ptx_kernel void @wait_arm(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %x = load i32, ptr %p
  %odd = icmp ult i32 %t, %x
  br i1 %odd, label %one, label %two
one:
  %y = load volatile i32, ptr %p
  %go = icmp ult i32 %y, %n
  br i1 %go, label %one, label %out
two:
  %k = phi i32 [ 0, %entry ], [ %l, %two ]
  store volatile i32 %k, ptr %p
  %l = add i32 %k, 3
  %more = icmp ult i32 %l, %n
  br i1 %more, label %two, label %out
out:
  ret void
}

; A loop in lockstep with a guard, another behind it: both poll.
; CHECK-LABEL: kernel behind:
; CHECK-DAG: loop at %one depth 1: lockstep
; CHECK-DAG: loop at %two depth 1: strip
define ptx_kernel void @behind(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %w = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %some = icmp ult i32 %t, %n
  br i1 %some, label %one, label %between
one:
  %i = phi i32 [ %t, %entry ], [ %j, %one ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, %w
  %go = icmp ult i32 %j, %n
  br i1 %go, label %one, label %between
between:
  br label %two
two:
  %k = phi i32 [ 0, %between ], [ %l, %two ]
  store volatile i32 %k, ptr %p
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %two, label %out
out:
  ret void
}
