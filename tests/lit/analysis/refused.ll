; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Reasons that show only once live state is known: addresses that cannot be told from
; other data, and values without a normal form.
; RUN: %opt -hetckpt-poll-stride=4 -passes='print<hetckpt-state>' -disable-output %s | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

@tile = internal addrspace(3) global [32 x float] undef

; CHECK-LABEL: kernel stored: cannot pause: an address of private or shared memory is stored in memory
define ptx_kernel void @stored(ptr %p) {
  store ptr addrspacecast (ptr addrspace(3) @tile to ptr), ptr %p
  ret void
}

; A vector of addresses is no different.
; CHECK-LABEL: kernel stored_vector: cannot pause: an address of private or shared memory is stored in memory
define ptx_kernel void @stored_vector(ptr %p, <2 x i64> %i) {
  %a = alloca [4 x i32]
  %v = getelementptr i32, ptr %a, <2 x i64> %i
  store <2 x ptr> %v, ptr %p
  ret void
}

; Nor is one in a structure.
; CHECK-LABEL: kernel stored_pair: cannot pause: an address of private or shared memory is stored in memory
define ptx_kernel void @stored_pair(ptr %p, i64 %i) {
  %a = alloca [4 x i32]
  %e = getelementptr i32, ptr %a, i64 %i
  %s = insertvalue { i32, ptr } { i32 1, ptr null }, ptr %e, 1
  store { i32, ptr } %s, ptr %p
  ret void
}

; CHECK-LABEL: kernel number: cannot pause: an address of private or shared memory is used as a number
define ptx_kernel void @number(ptr %p, i64 %i) {
  %a = alloca [4 x i32]
  %e = getelementptr i32, ptr %a, i64 %i
  %n = ptrtoint ptr %e to i64
  store i64 %n, ptr %p
  ret void
}

; CHECK-LABEL: kernel wide: cannot pause: a value of type i128 is live across a safepoint
define ptx_kernel void @wide(ptr %p, i32 %n, i128 %x) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %s = phi i128 [ 1, %entry ], [ %t, %loop ]
  %t = mul i128 %s, %x
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  store i128 %t, ptr %p
  ret void
}

; Memory whose size is known at run time only is not found again after a pause.
; CHECK-LABEL: kernel dynamic: cannot pause: private memory of variable size
define ptx_kernel void @dynamic(ptr %p, i32 %n) {
entry:
  br label %outer
outer:
  %k = phi i32 [ 0, %entry ], [ %l, %after ]
  %a = alloca i32, i32 %n
  store i32 %k, ptr %a
  br label %loop
loop:
  %i = phi i32 [ 0, %outer ], [ %j, %loop ]
  %e = getelementptr i32, ptr %a, i32 %i
  store volatile i32 %i, ptr %e
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %after
after:
  %v = load i32, ptr %a
  store volatile i32 %v, ptr %p
  %l = add i32 %k, 1
  %more = icmp ult i32 %l, %n
  br i1 %more, label %outer, label %out
out:
  ret void
}
