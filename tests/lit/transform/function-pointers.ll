; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Addresses of functions become numbers, calls through pointers a choice of direct calls.
; RUN: %opt -passes='hetckpt-function-pointers,verify' -pass-remarks-missed=hetckpt -S %s 2>%t.err | FileCheck %s
; RUN: FileCheck %s --check-prefix=REMARK < %t.err
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
source_filename = "functions.cu"

; The same function is the same number everywhere, in tables, constants and code.
; CHECK: @table = addrspace(1) externally_initialized global [3 x ptr] [ptr inttoptr (i64 [[#ADD:]] to ptr), ptr inttoptr (i64 [[#MUL:]] to ptr), ptr null]
@table = addrspace(1) externally_initialized global [3 x ptr] [ptr @add, ptr @mul, ptr null]
; As numbers, with an offset too.
; CHECK: @number = addrspace(1) externally_initialized global [2 x i64] [i64 [[#ADD]], i64 [[#ADD+1]]]
@number = addrspace(1) externally_initialized global [2 x i64] [i64 ptrtoint (ptr @add to i64), i64 add (i64 ptrtoint (ptr @add to i64), i64 1)]
; Nobody keeps a function for its address.
; CHECK: @llvm.used = appending global [1 x ptr] [ptr addrspacecast (ptr addrspace(1) @table to ptr)]
@llvm.used = appending global [2 x ptr] [ptr @add, ptr addrspacecast (ptr addrspace(1) @table to ptr)], section "llvm.metadata"

; Only functions of the call's type are tried: not those with another type, nor those
; that are only called directly.
; CHECK-LABEL: define ptx_kernel void @calls(
; CHECK: [[N:%.*]] = ptrtoint ptr %f to i64
; CHECK: switch i64 [[N]], label %[[FAULT:.*]] [
; CHECK-NEXT: i64 [[#ADD]], label %[[A:.*]]
; CHECK-NEXT: i64 [[#MUL]], label %[[M:.*]]
; CHECK-NEXT: ]
; CHECK: [[A]]:
; CHECK-NEXT: [[RA:%.*]] = call i32 @add(i32 %x, i32 2)
; CHECK: [[M]]:
; CHECK-NEXT: [[RM:%.*]] = call i32 @mul(i32 %x, i32 2)
; CHECK: [[FAULT]]:
; CHECK-NEXT: call void @llvm.trap()
; CHECK-NEXT: unreachable
; CHECK: phi i32 [ [[RA]], %[[A]] ], [ [[RM]], %[[M]] ]
; CHECK: call i32 @direct(i32 1, i32 2)
; CHECK: icmp eq ptr %f, inttoptr (i64 [[#ADD]] to ptr)
define ptx_kernel void @calls(ptr %p, ptr %f, i32 %x) {
  %r = call i32 %f(i32 %x, i32 2)
  store volatile i32 %r, ptr %p
  %d = call i32 @direct(i32 1, i32 2)
  %c = icmp eq ptr %f, @add
  store volatile i1 %c, ptr %p
  store ptr @other, ptr %p
  ret void
}

; An argument by value is by value in what is called.
; CHECK-LABEL: define ptx_kernel void @passes(
; CHECK: icmp eq i64 {{%.*}}, {{[0-9]+}}
; CHECK-NEXT: br i1 {{%.*}}, label %call.takes, label %no.function
; CHECK: call void @takes(ptr byval({ i32, i32 }) %p)
define ptx_kernel void @passes(ptr %p, ptr %f) {
  store ptr @takes, ptr %p
  store ptr @points, ptr %p
  call void %f(ptr byval({ i32, i32 }) %p)
  ret void
}

; REMARK: remark: <unknown>:0:0: a call through a pointer always fails: no function of this file can be behind it
; CHECK-LABEL: define ptx_kernel void @nothing(
; CHECK: no.function:
; CHECK-NEXT: call void @llvm.trap()
; CHECK-NEXT: unreachable
; CHECK-NOT: store
; CHECK: }
define ptx_kernel void @nothing(ptr %p, ptr %f) {
  %r = call double %f(double 1.0)
  store double %r, ptr %p
  ret void
}

; Through a vtable only what lies at that place of a vtable, counted from where objects
; point to: not the destructors, which have the same type.
@_ZTV1A = constant { [4 x ptr] } { [4 x ptr] [ptr null, ptr null, ptr @a_first, ptr @a_destructor] }
@_ZTV1B = constant { [4 x ptr], [3 x ptr] } { [4 x ptr] [ptr null, ptr null, ptr @b_first, ptr @b_destructor], [3 x ptr] [ptr null, ptr null, ptr @b_thunk] }
; CHECK-LABEL: define ptx_kernel void @virtual(
; CHECK: switch
; CHECK-NEXT: label %call.a_first
; CHECK-NEXT: label %call.b_first
; CHECK-NEXT: label %call.b_thunk
; CHECK-NEXT: ]
; CHECK: switch
; CHECK-NEXT: label %call.a_destructor
; CHECK-NEXT: label %call.b_destructor
; CHECK-NEXT: ]
; A table of another kind may be one that the program fills.
; CHECK: switch
; CHECK-COUNT-6: label %call.
; CHECK-NEXT: ]
define ptx_kernel void @virtual(ptr %p, ptr %q, ptr %o) {
  store ptr getelementptr inbounds (i8, ptr @_ZTV1A, i64 16), ptr %p
  store ptr getelementptr inbounds (i8, ptr @_ZTV1B, i64 16), ptr %q
  %second = getelementptr i8, ptr %q, i64 16
  store ptr getelementptr inbounds (i8, ptr @_ZTV1B, i64 48), ptr %second
  %v = load ptr, ptr %o, !tbaa !0
  %first = load ptr, ptr %v
  call void %first(ptr %o)
  %at = getelementptr i8, ptr %v, i64 8
  %destructor = load ptr, ptr %at
  call void %destructor(ptr %o)
  %t = load ptr, ptr %p
  %any = load ptr, ptr %t
  call void %any(ptr %o)
  ret void
}

define i32 @add(i32 %a, i32 %b) {
  ret i32 %a
}
define i32 @mul(i32 %a, i32 %b) {
  ret i32 %b
}
define float @other(i32 %a, i32 %b) {
  ret float 0.0
}
define i32 @direct(i32 %a, i32 %b) {
  ret i32 0
}
define void @takes(ptr byval({ i32, i32 }) %p) {
  ret void
}
define void @points(ptr %p) {
  ret void
}
define void @a_first(ptr %o) {
  ret void
}
define void @a_destructor(ptr %o) {
  ret void
}
define void @b_first(ptr %o) {
  ret void
}
define void @b_destructor(ptr %o) {
  ret void
}
define void @b_thunk(ptr %o) {
  ret void
}

!0 = !{!1, !1, i64 0}
!1 = !{!"vtable pointer", !2, i64 0}
!2 = !{!"Simple C++ TBAA"}
