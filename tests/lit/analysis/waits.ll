; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Loops that wait for another thread poll at every turn; those that make progress by
; themselves do not count as waits.
; RUN: %opt -passes='print<hetckpt-polls>' -disable-output %s | FileCheck %s
; RUN: %opt -passes='hetckpt-instrument' -S %s | FileCheck %s --check-prefix=SPIN
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)

; CHECK-LABEL: kernel flag: waits
; CHECK: loop at %loop depth 1: wait
; SPIN-LABEL: define {{.*}} @flag(
; SPIN: call void @__hetckpt_spin()
define ptx_kernel void @flag(ptr %p) {
entry:
  br label %loop
loop:
  %x = load volatile i32, ptr %p
  %go = icmp eq i32 %x, 0
  br i1 %go, label %loop, label %out
out:
  ret void
}

; CHECK-LABEL: kernel atomic_load: waits
; CHECK: loop at %loop depth 1: wait
define ptx_kernel void @atomic_load(ptr %p) {
entry:
  br label %loop
loop:
  %x = load atomic i32, ptr %p monotonic, align 4
  %go = icmp eq i32 %x, 0
  br i1 %go, label %loop, label %out
out:
  ret void
}

; CHECK-LABEL: kernel lock: waits
; CHECK: loop at %loop depth 1: wait
; SPIN-LABEL: define {{.*}} @lock(
; SPIN: call void @__hetckpt_spin()
define ptx_kernel void @lock(ptr %p) {
entry:
  br label %loop
loop:
  %x = cmpxchg ptr %p, i32 0, i32 1 monotonic monotonic
  %ok = extractvalue { i32, i1 } %x, 1
  br i1 %ok, label %out, label %loop
out:
  store volatile i32 7, ptr %p
  store atomic i32 0, ptr %p release, align 4
  ret void
}

; The lock of CUDA's textbooks: a variable says that the critical section is done.
; CHECK-LABEL: kernel done_flag: waits
; CHECK: loop at %loop depth 1: wait
; SPIN-LABEL: define {{.*}} @done_flag(
; SPIN: call void @__hetckpt_spin()
define ptx_kernel void @done_flag(ptr %p, ptr %q) {
entry:
  br label %loop
loop:
  %x = cmpxchg ptr %p, i32 0, i32 1 monotonic monotonic
  %ok = extractvalue { i32, i1 } %x, 1
  br i1 %ok, label %critical, label %latch
critical:
  %v = load volatile i32, ptr %q
  %w = add i32 %v, 1
  store volatile i32 %w, ptr %q
  %unlock = atomicrmw xchg ptr %p, i32 0 release
  br label %latch
latch:
  %done = phi i1 [ true, %critical ], [ false, %loop ]
  br i1 %done, label %out, label %loop
out:
  ret void
}

; The same as it looks before optimisation: the variable lies in memory.
; CHECK-LABEL: kernel done_memory: waits
; CHECK: depth 1: wait
; SPIN-LABEL: define {{.*}} @done_memory(
; SPIN: call void @__hetckpt_spin()
define ptx_kernel void @done_memory(ptr %p, ptr %q) noinline optnone {
entry:
  %done = alloca i8
  store i8 0, ptr %done
  br label %loop
loop:
  %d = load i8, ptr %done
  %go = icmp eq i8 %d, 0
  br i1 %go, label %try, label %out
try:
  %x = cmpxchg ptr %p, i32 0, i32 1 monotonic monotonic
  %ok = extractvalue { i32, i1 } %x, 1
  br i1 %ok, label %critical, label %latch
critical:
  store volatile i32 1, ptr %q
  %unlock = atomicrmw xchg ptr %p, i32 0 release
  store i8 1, ptr %done
  br label %latch
latch:
  br label %loop
out:
  ret void
}

; An update by compare-and-swap compares with what it read last: some thread succeeds.
; CHECK-LABEL: kernel update:
; CHECK-NOT: waits
; CHECK-NOT: wait,
; SPIN-LABEL: define {{.*}} @update(
; SPIN-NOT: call void @__hetckpt_spin()
; SPIN: ret void
define ptx_kernel void @update(ptr %p, float %f) {
entry:
  %first = load i32, ptr %p
  br label %loop
loop:
  %old = phi i32 [ %first, %entry ], [ %seen, %loop ]
  %of = bitcast i32 %old to float
  %nf = fmul float %of, %f
  %new = bitcast float %nf to i32
  %x = cmpxchg ptr %p, i32 %old, i32 %new monotonic monotonic
  %seen = extractvalue { i32, i1 } %x, 0
  %ok = extractvalue { i32, i1 } %x, 1
  br i1 %ok, label %out, label %loop
out:
  ret void
}

; A work queue: each turn takes a number that nobody else gets.
; CHECK-LABEL: kernel queue:
; CHECK-NOT: waits
; CHECK: loop at %loop depth 1: timed
define ptx_kernel void @queue(ptr %p, i32 %n, ptr %q) {
entry:
  br label %loop
loop:
  %i = atomicrmw add ptr %p, i32 1 monotonic
  %e = getelementptr i32, ptr %q, i32 %i
  store volatile i32 %i, ptr %e
  %go = icmp ult i32 %i, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; One thread waits, the others stand at a barrier: no poll can be there, and none may be
; anywhere else in the kernel.
; CHECK-LABEL: kernel apart: waits apart
; CHECK-NOT: loop at
; CHECK: missed loop at %spin: waits on memory where the block's threads are apart
define ptx_kernel void @apart(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br i1 %first, label %spin, label %meet
spin:
  %x = load volatile i32, ptr %p
  %go = icmp eq i32 %x, 0
  br i1 %go, label %spin, label %meet
meet:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %loop
loop:
  %i = phi i32 [ 0, %meet ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, %n
  br i1 %more, label %loop, label %out
out:
  ret void
}

; No variant of it polls; its blocks may be kept from beginning.
; SPIN-LABEL: define {{.*}} @__hetckpt_run_apart(
; SPIN-NOT: __hetckpt_poll_{{thread|warp|block}}
; SPIN: {{^}}}
; SPIN-NOT: @__hetckpt_resume_apart

; Assembly that reads again: an order, an exchange; not a counter, nor what a cache may answer.
; CHECK-LABEL: kernel assembly_flag: waits
; CHECK: loop at %loop depth 1: wait
define ptx_kernel void @assembly_flag(ptr %p) {
entry:
  br label %loop
loop:
  %v = call { i64, i64 } asm sideeffect "ld.relaxed.gpu.v2.u64 {$0, $1}, [$2];", "=l,=l,l,~{memory}"(ptr %p)
  %x = extractvalue { i64, i64 } %v, 0
  %go = icmp eq i64 %x, 0
  br i1 %go, label %loop, label %out
out:
  ret void
}

; CHECK-LABEL: kernel assembly_lock: waits
; CHECK: loop at %loop depth 1: wait
define ptx_kernel void @assembly_lock(ptr %p) {
entry:
  br label %loop
loop:
  %x = call i32 asm sideeffect "atom.cas.acquire.gpu.b32 $0, [$1], $2, $3;", "=r,l,r,r,~{memory}"(ptr %p, i32 0, i32 1)
  %go = icmp ne i32 %x, 0
  br i1 %go, label %loop, label %out
out:
  ret void
}

; CHECK-LABEL: kernel assembly_counter:
; CHECK-NOT: waits
; CHECK: loop at %loop depth 1: {{[^w]}}
define ptx_kernel void @assembly_counter(ptr %p) {
entry:
  br label %loop
loop:
  %x = call i32 asm sideeffect "atom.add.relaxed.gpu.u32 $0, [$1], $2;", "=r,l,r,~{memory}"(ptr %p, i32 1)
  %y = call i32 asm sideeffect "ld.global.ca.u32 $0, [$1];", "=r,l"(ptr %p)
  %sum = add i32 %x, %y
  %go = icmp ult i32 %sum, 100
  br i1 %go, label %loop, label %out
out:
  ret void
}

; A counter that goes on only when memory says so, in a loop whose threads meet at a barrier.
; CHECK-LABEL: kernel ready_then_next: waits
; CHECK: loop at %loop depth 1: wait
; SPIN-LABEL: define {{.*}} @__hetckpt_run_ready_then_next(
; SPIN: call void @__hetckpt_spin()
define ptx_kernel void @ready_then_next(ptr %p, ptr %q, i32 %n) {
entry:
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  br label %loop
loop:
  %i = phi i32 [ %tid, %entry ], [ %i.next, %join ]
  %at = getelementptr i32, ptr %p, i32 %i
  %x = load volatile i32, ptr %at
  %ready = icmp sge i32 %x, 0
  br i1 %ready, label %work, label %join
work:
  %to = getelementptr i32, ptr %q, i32 %i
  store volatile i32 %x, ptr %to
  %i.more = add i32 %i, 32
  br label %join
join:
  %i.next = phi i32 [ %i.more, %work ], [ %i, %loop ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %go = icmp slt i32 %i.next, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; How many are ready, counted in a loop inside.
; CHECK-LABEL: kernel all_ready: waits
; CHECK: loop at %outer depth 1: wait
define ptx_kernel void @all_ready(ptr %p, i32 %n) {
entry:
  br label %outer
outer:
  br label %inner
inner:
  %i = phi i32 [ 0, %outer ], [ %i.next, %latch ]
  %c = phi i32 [ 0, %outer ], [ %c.next, %latch ]
  %at = getelementptr i32, ptr %p, i32 %i
  %x = load volatile i32, ptr %at
  %ready = icmp ne i32 %x, 0
  br i1 %ready, label %count, label %latch
count:
  %c.more = add i32 %c, 1
  br label %latch
latch:
  %c.next = phi i32 [ %c.more, %count ], [ %c, %inner ]
  %i.next = add i32 %i, 1
  %more = icmp slt i32 %i.next, %n
  br i1 %more, label %inner, label %check
check:
  %some = icmp slt i32 %c.next, %n
  br i1 %some, label %outer, label %out
out:
  ret void
}

; Goes on whatever memory says.
; CHECK-LABEL: kernel either_way:
; CHECK-NOT: waits
; CHECK: loop at %loop depth 1:
; CHECK-NOT: wait
define ptx_kernel void @either_way(ptr %p, ptr %q, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %i.next, %join ]
  %at = getelementptr i32, ptr %p, i32 %i
  %x = load volatile i32, ptr %at
  %i.two = add i32 %i, 2
  %odd = icmp ne i32 %x, 0
  br i1 %odd, label %one, label %join
one:
  %i.one = add i32 %i, 1
  br label %join
join:
  %i.next = phi i32 [ %i.one, %one ], [ %i.two, %loop ]
  %go = icmp slt i32 %i.next, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}
