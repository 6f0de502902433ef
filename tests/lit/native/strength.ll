; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Addresses that grow by a product of the counter cost an addition in a strip as in the
; original, although a strip begins with a counter of which nothing is known.
; RUN: %opt -passes='hetckpt,verify' %s -o %t.bc
; RUN: %llc -O3 -mtriple=nvptx64-nvidia-cuda -mcpu=sm_80 -mattr=+ptx70 %t.bc -o - | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK: .visible .entry __hetckpt_run_column(
; CHECK: {{.*}}Inner Loop Header: Depth=2
; CHECK-NOT: mul.
; CHECK-NOT: mad.
; CHECK-COUNT-2: fma.rn.f32
; CHECK-NOT: mul.
; CHECK-NOT: mad.
; CHECK: bra
define ptx_kernel void @column(ptr addrspace(1) %a, ptr addrspace(1) %b, i32 %n, float %f) {
entry:
  %some = icmp sgt i32 %n, 1
  br i1 %some, label %before, label %out
before:
  %wide = zext nneg i32 %n to i64
  %even = and i32 %n, 2147483646
  br label %loop
loop:
  %k = phi i32 [ 0, %before ], [ %k2, %loop ]
  %s = phi float [ 0.0, %before ], [ %s2, %loop ]
  %turn = phi i32 [ 0, %before ], [ %next, %loop ]
  %k64 = zext nneg i32 %k to i64
  %o = mul nuw nsw i64 %k64, %wide
  %p = getelementptr float, ptr addrspace(1) %a, i64 %o
  %x = load float, ptr addrspace(1) %p, align 4
  %s1 = call float @llvm.fma.f32(float %x, float %f, float %s)
  %k1 = or disjoint i32 %k, 1
  %k164 = zext nneg i32 %k1 to i64
  %o1 = mul nuw nsw i64 %k164, %wide
  %p1 = getelementptr float, ptr addrspace(1) %a, i64 %o1
  %x1 = load float, ptr addrspace(1) %p1, align 4
  %s2 = call float @llvm.fma.f32(float %x1, float %f, float %s1)
  %k2 = add nuw nsw i32 %k, 2
  %next = add i32 %turn, 2
  %end = icmp eq i32 %next, %even
  br i1 %end, label %done, label %loop
done:
  store float %s2, ptr addrspace(1) %b, align 4
  br label %out
out:
  ret void
}
