; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Where all threads of a block come to stand, sooner or later, without needing anything
; from those that are there already.
; RUN: %opt -passes='print<hetckpt-uniformity>' -disable-output %s | FileCheck %s
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.barrier.cta.sync.aligned.count(i32, i32)
declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32, i32, i32, i32)
declare i1 @llvm.nvvm.barrier.cta.red.or.aligned.all(i32, i1)

; Arguments, block ids and what follows from them are uniform; ids and memory are not.
; CHECK-LABEL: kernel values: uniformity in the block
; CHECK: %t divergent
; CHECK: %b uniform
; CHECK: %sum uniform
; CHECK: %x divergent
; CHECK: %or uniform
define ptx_kernel void @values(ptr %p, i32 %n) {
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %sum = add i32 %b, %n
  %x = load i32, ptr %p
  %c = icmp eq i32 %x, %t
  %or = call i1 @llvm.nvvm.barrier.cta.red.or.aligned.all(i32 0, i1 %c)
  %z = zext i1 %or to i32
  %s = add i32 %sum, %z
  %u = add i32 %s, %x
  store volatile i32 %u, ptr %p
  ret void
}

; Threads that return early are waited for by nobody.
; CHECK-LABEL: kernel early: uniformity in the block
; CHECK: %entry: uniform point, divergent branch
; CHECK: %loop: uniform point
define ptx_kernel void @early(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %mine = icmp ult i32 %t, 100
  br i1 %mine, label %loop, label %out
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; Those that leave this loop wait at a barrier behind it: whoever polls inside would wait
; for them, and they for him.
; CHECK-LABEL: kernel before_barrier: uniformity in the block
; CHECK: %loop: divergent point, divergent branch
; CHECK: %after: uniform point
define ptx_kernel void @before_barrier(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  br label %loop
loop:
  %i = phi i32 [ %t, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 32
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store volatile i32 1, ptr %p
  ret void
}

; The same with a quiet end: they return, and the rest go on alone.
; CHECK-LABEL: kernel quiet: uniformity in the block
; CHECK: %loop: uniform point, divergent branch
define ptx_kernel void @quiet(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %loop
loop:
  %i = phi i32 [ %t, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 32
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  store volatile i32 1, ptr %p
  ret void
}

; A counted barrier behind the loop is waited at as well.
; CHECK-LABEL: kernel before_named: uniformity in the block
; CHECK: %loop: divergent point, divergent branch
define ptx_kernel void @before_named(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  br label %loop
loop:
  %i = phi i32 [ %t, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 32
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64)
  store volatile i32 1, ptr %p
  ret void
}

; And so is a shuffle, by the lanes of one warp.
; CHECK-LABEL: kernel before_shuffle: uniformity in the block
; CHECK: %loop: divergent point, divergent branch
define ptx_kernel void @before_shuffle(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %loop
loop:
  %i = phi i32 [ %t, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 32
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  %s = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %i, i32 0, i32 31)
  store volatile i32 %s, ptr %p
  ret void
}

; A loop whose every iteration passes a barrier is left by all threads together, even if
; the condition is in memory.
; CHECK-LABEL: kernel synchronised: uniformity in the block
; CHECK: %loop: uniform point
; CHECK-NOT: divergent branch
; CHECK: %after: uniform point
define ptx_kernel void @synchronised(ptr %p) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %x = load volatile i32, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %x
  br i1 %go, label %loop, label %after
after:
  store volatile i32 %j, ptr %p
  ret void
}

; `continue` for some threads only: the latch is where they meet, the rest of the body is
; not.
; CHECK-LABEL: kernel continues: uniformity in the block
; CHECK: %loop: uniform point, divergent branch
; CHECK: %rest: divergent point
; CHECK: %latch: uniform point
define ptx_kernel void @continues(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %latch ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %odd = icmp ult i32 %t, %i
  br i1 %odd, label %rest, label %latch
rest:
  store volatile i32 %i, ptr %p
  br label %latch
latch:
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; An inner loop that threads leave at different times and enter again in the next round of
; the outer one: they never stand in it together.
; CHECK-LABEL: kernel nest: uniformity in the block
; CHECK: %inner: divergent point, divergent branch
; CHECK: %latch: uniform point
define ptx_kernel void @nest(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %outer
outer:
  %k = phi i32 [ 0, %entry ], [ %l, %latch ]
  br label %inner
inner:
  %i = phi i32 [ 0, %outer ], [ %j, %inner ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ule i32 %j, %t
  br i1 %go, label %inner, label %latch
latch:
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %outer, label %out
out:
  ret void
}

; A lone thread is together with itself.
; CHECK-LABEL: kernel lone: uniformity in the thread
; CHECK: %loop: uniform point
; CHECK-NOT: divergent
define ptx_kernel void @lone(ptr %p) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %x = load volatile i32, ptr %p
  %j = add i32 %i, %x
  %go = icmp ult i32 %j, %t
  br i1 %go, label %loop, label %out
out:
  ret void
}

; A branch that can leave a loop with a barrier is taken alike by all only where it leads one way out and one
; way on: here threads go two ways inside. What ends in a trap is no way at all.
; CHECK-LABEL: kernel ways: uniformity in the block
; CHECK: %loop: uniform point, divergent branch
; CHECK: %even: divergent point
; CHECK: %odd: divergent point
; CHECK: %meet: uniform point
; CHECK-NOT: divergent branch
; CHECK: %after: uniform point
; CHECK: %turn2 uniform
define ptx_kernel void @ways(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %turn = phi i32 [ 0, %entry ], [ %turn2, %after ]
  %x = load i32, ptr %p
  switch i32 %x, label %never [
    i32 0, label %even
    i32 1, label %odd
  ]
even:
  store volatile i32 0, ptr %p
  br label %meet
odd:
  store volatile i32 1, ptr %p
  br label %meet
never:
  call void @llvm.trap()
  unreachable
meet:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %y = load i32, ptr %p
  %bad = icmp slt i32 %y, 0
  br i1 %bad, label %fail, label %after
fail:
  call void @llvm.trap()
  unreachable
after:
  %turn2 = add i32 %turn, 1
  %more = icmp ult i32 %turn2, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}
declare void @llvm.trap()
