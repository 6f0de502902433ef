; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; What a frame holds: live values by kind, nothing that can be had again.
; RUN: %opt -hetckpt-poll-stride=4 -passes='print<hetckpt-state>' -disable-output %s | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

@tile = internal addrspace(3) global [64 x float] undef, align 4
@more = internal addrspace(3) global [3 x i8] undef, align 1
@dynamic = external addrspace(3) global [0 x float], align 4
@weights = internal addrspace(4) constant [64 x i32] zeroinitializer
@others = internal addrspace(4) constant [64 x i32] zeroinitializer

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.lifetime.start.p0(ptr)
declare void @llvm.lifetime.end.p0(ptr)

; Every slot type. Booleans are bytes, odd widths go up, vectors go by element.
; CHECK-LABEL: kernel types: thread scope, 48 bytes a thread
; CHECK-DAG: slot1[{{[0-9]}}] i8 value
; CHECK-DAG: slot1[{{[0-9]}}] i8 value
; CHECK-DAG: slot2[{{[0-9]}}] i16 value
; CHECK-DAG: slot2[{{[0-9]}}] f16 value
; CHECK-DAG: slot2[{{[0-9]}}] bf16 value
; CHECK-DAG: slot4[{{[0-9]}}] i32 value
; CHECK-DAG: slot4[{{[0-9]}}] f32 value
; CHECK-DAG: slot4[{{[0-9]}}] f32 value
; CHECK-DAG: slot4[{{[0-9]}}] f32 value
; CHECK-DAG: slot8[{{[0-9]}}] i64 value
; CHECK-DAG: slot8[{{[0-9]}}] f64 value
; CHECK-DAG: slot8[{{[0-9]}}] i64 value
define ptx_kernel void @types(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %a = phi i1 [ false, %entry ], [ %a1, %loop ]
  %b = phi i8 [ 1, %entry ], [ %b1, %loop ]
  %c = phi i16 [ 1, %entry ], [ %c1, %loop ]
  %d = phi i40 [ 1, %entry ], [ %d1, %loop ]
  %e = phi i64 [ 1, %entry ], [ %e1, %loop ]
  %f = phi half [ 1.0, %entry ], [ %f1, %loop ]
  %g = phi bfloat [ 1.0, %entry ], [ %g1, %loop ]
  %h = phi float [ 1.0, %entry ], [ %h1, %loop ]
  %k = phi double [ 1.0, %entry ], [ %k1, %loop ]
  %v = phi <2 x float> [ <float 1.0, float 2.0>, %entry ], [ %v1, %loop ]
  %a1 = load volatile i1, ptr %p
  %b1 = load volatile i8, ptr %p
  %c1 = load volatile i16, ptr %p
  %d1 = load volatile i40, ptr %p
  %e1 = load volatile i64, ptr %p
  %f1 = load volatile half, ptr %p
  %g1 = load volatile bfloat, ptr %p
  %h1 = load volatile float, ptr %p
  %k1 = load volatile double, ptr %p
  %v1 = load volatile <2 x float>, ptr %p
  store volatile i1 %a, ptr %p
  store volatile i8 %b, ptr %p
  store volatile i16 %c, ptr %p
  store volatile i40 %d, ptr %p
  store volatile i64 %e, ptr %p
  store volatile half %f, ptr %p
  store volatile bfloat %g, ptr %p
  store volatile float %h, ptr %p
  store volatile double %k, ptr %p
  store volatile <2 x float> %v, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; Ids, arguments and arithmetic on them are computed again: only the counter is carried.
; CHECK-LABEL: kernel again: thread scope, 4 bytes a thread
; CHECK-NEXT: safepoint 1 (loop)
; CHECK-NEXT: slot4[0] i32 value -
; CHECK-NEXT: rematerialised: {{[1-9]}}
define ptx_kernel void @again(ptr %p, i32 %n, i32 %m) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %w = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %x = mul i32 %b, %w
  %y = add i32 %x, %t
  %z = xor i32 %y, %m
  %q = getelementptr i32, ptr %p, i32 %z
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  store volatile i32 %z, ptr %q
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; A division is not free: its result is carried.
; CHECK-LABEL: kernel division: thread scope, 8 bytes a thread
define ptx_kernel void @division(ptr %p, i32 %n, i32 %m) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %z = udiv i32 %t, %m
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  store volatile i32 %z, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; Pointers: to arguments' memory as they are, to shared memory as offsets, of unknown
; kind with a tag.
; CHECK-LABEL: kernel pointers: block scope
; CHECK: slot8[{{[0-9]}}] ptr global
; CHECK: slot8[{{[0-9]}}] ptr generic
; CHECK-NOT: shared -
define ptx_kernel void @pointers(ptr %p, i32 %n, ptr %r) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %odd = trunc i32 %t to i1
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %a = phi ptr [ %p, %entry ], [ %a1, %loop ]
  %b = phi ptr [ addrspacecast (ptr addrspace(3) @tile to ptr), %entry ], [ %b2, %loop ]
  %a1 = getelementptr i8, ptr %a, i64 4
  %x = load volatile i32, ptr %a
  store volatile i32 %x, ptr %b
  %b1 = getelementptr i8, ptr %b, i64 8
  %b2 = select i1 %odd, ptr %b1, ptr %r
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; A pointer that stays in one shared array is an offset already.
; CHECK-LABEL: kernel offset: block scope, 12 bytes a thread
; CHECK-NOT: ptr
; CHECK: rematerialised
define ptx_kernel void @offset(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %b = phi ptr [ addrspacecast (ptr addrspace(3) @tile to ptr), %entry ], [ %b1, %loop ]
  store volatile i32 %i, ptr %b
  %b1 = getelementptr i8, ptr %b, i64 8
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; Static or dynamic: still shared, by a pointer.
; CHECK-LABEL: kernel either: block scope
; CHECK: ptr shared
define ptx_kernel void @either(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %b = phi ptr addrspace(3) [ @tile, %entry ], [ %b2, %loop ]
  store volatile i32 %i, ptr addrspace(3) %b
  %odd = trunc i32 %i to i1
  %b1 = getelementptr i8, ptr addrspace(3) %b, i64 8
  %b2 = select i1 %odd, ptr addrspace(3) %b1, ptr addrspace(3) @dynamic
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; Constant memory lies elsewhere on each device: a pointer into one table is an offset ...
; CHECK-LABEL: kernel table: thread scope, 12 bytes a thread
; CHECK-NOT: ptr
; CHECK: rematerialised
define ptx_kernel void @table(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %b = phi ptr [ addrspacecast (ptr addrspace(4) @weights to ptr), %entry ], [ %b1, %loop ]
  %x = load volatile i32, ptr %b
  store volatile i32 %x, ptr %p
  %b1 = getelementptr i8, ptr %b, i64 8
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; ... and one into either of two is refused.
; CHECK-LABEL: kernel tables: cannot pause: a pointer that may point into one of several constant tables
define ptx_kernel void @tables(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %b = phi ptr [ addrspacecast (ptr addrspace(4) @weights to ptr), %entry ], [ %b2, %loop ]
  %x = load volatile i32, ptr %b
  store volatile i32 %x, ptr %p
  %b1 = getelementptr i8, ptr %b, i64 8
  %odd = trunc i32 %x to i1
  %b2 = select i1 %odd, ptr %b1, ptr addrspacecast (ptr addrspace(4) @others to ptr)
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; Private arrays by content, in units of eight bytes; one that is dead at the safepoint is
; not saved.
; CHECK-LABEL: kernel arrays: thread scope, 28 bytes a thread
; CHECK: slot8[0..] 20 bytes of private object 0
; CHECK-NOT: private object 1
define ptx_kernel void @arrays(ptr %p, i32 %n, i32 %k) {
entry:
  %a = alloca [5 x i32]
  %b = alloca [7 x i32]
  store volatile i32 1, ptr %a
  %bk = getelementptr i32, ptr %b, i32 %k
  store volatile i32 1, ptr %bk
  %x = load volatile i32, ptr %b
  store volatile i32 %x, ptr %p
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %e = getelementptr i32, ptr %a, i32 %i
  store volatile i32 %i, ptr %e
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  %y = load volatile i32, ptr %a
  store volatile i32 %y, ptr %p
  ret void
}

; An address that went through something unusual still keeps its array alive.
; CHECK-LABEL: kernel frozen: thread scope
; CHECK: 20 bytes of private object 0
define ptx_kernel void @frozen(ptr %p, i32 %n, i32 %k) {
entry:
  %a = alloca [5 x i32]
  %e = getelementptr i32, ptr %a, i32 %k
  store volatile i32 1, ptr %e
  %m = call ptr @llvm.ptrmask.p0.i64(ptr %e, i64 -16)
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  %y = load volatile i32, ptr %m
  store volatile i32 %y, ptr %p
  ret void
}
declare ptr @llvm.ptrmask.p0.i64(ptr, i64)

; The start of a lifetime ends what was there before: dead at the latch of the outer loop,
; live in the inner one.
; CHECK-LABEL: kernel lifetimes: thread scope
; CHECK: safepoint 1 (loop)
; CHECK: 16 bytes of private object 0
; CHECK: safepoint 2 (loop)
; CHECK-NOT: private object 0
; CHECK: rematerialised
define ptx_kernel void @lifetimes(ptr %p, i32 %n, i32 %m) {
entry:
  %a = alloca [4 x i32]
  br label %outer
outer:
  %k = phi i32 [ 0, %entry ], [ %l, %latch ]
  call void @llvm.lifetime.start.p0(ptr %a)
  store volatile i32 %k, ptr %a
  br label %inner
inner:
  %i = phi i32 [ 0, %outer ], [ %j, %inner ]
  %e = getelementptr i32, ptr %a, i32 %i
  %x = load volatile i32, ptr %e
  store volatile i32 %x, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %m
  br i1 %go, label %inner, label %latch
latch:
  %y = load i32, ptr %a
  call void @llvm.lifetime.end.p0(ptr %a)
  %l = add i32 %k, %y
  %more = icmp ult i32 %l, %n
  br i1 %more, label %outer, label %out
out:
  ret void
}

; A by-value parameter that a pointer may or may not point into becomes private memory.
; CHECK-LABEL: kernel by_value: thread scope
; CHECK: ptr generic
; CHECK: 16 bytes of private object 0
define ptx_kernel void @by_value(ptr %p, i32 %n, ptr readonly byval([16 x i8]) align 4 %s) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %odd = trunc i32 %t to i1
  %first = select i1 %odd, ptr %p, ptr %s
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %b = phi ptr [ %first, %entry ], [ %b1, %loop ]
  %x = load volatile i32, ptr %b
  store volatile i32 %x, ptr %p
  %b1 = getelementptr i8, ptr %b, i64 4
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}
