; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; A frame belongs to no target: what is stored where when threads park, and read back.
; RUN: %opt -hetckpt-poll-stride=4 -passes='hetckpt-instrument,verify' -S %s | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)

; Booleans as bytes, odd widths as the next power of two, vectors by element; every slot is
; aligned to its size.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_types(
; CHECK: {{^}}park.1:
; CHECK: store i32 1, ptr addrspace(1)
; CHECK-DAG: [[BYTE:%.*]] = zext i1 %a1 to i8
; CHECK-DAG: store i8 [[BYTE]], ptr addrspace(1) {{.*}}, align 1
; CHECK-DAG: store half %f1, ptr addrspace(1) {{.*}}, align 2
; CHECK-DAG: store i64 {{.*}}, ptr addrspace(1) {{.*}}, align 8
; CHECK-DAG: [[ONE:%.*]] = extractelement <2 x float> %v1, i64 1
; CHECK-DAG: store float [[ONE]], ptr addrspace(1) {{.*}}, align 4
; CHECK-DAG: store i32 %j, ptr addrspace(1) {{.*}}, align 4
;
; CHECK-LABEL: define ptx_kernel void @__hetckpt_resume_types(
; CHECK: cont.1.peel:
; CHECK-DAG: load i8, ptr addrspace(1) {{.*}}, align 1
; CHECK-DAG: trunc {{.*}}i8 {{.*}} to i1
; CHECK-DAG: load i64, ptr addrspace(1) {{.*}}, align 8
; CHECK-DAG: trunc {{.*}}i64 {{.*}} to i40
; CHECK-DAG: load half, ptr addrspace(1) {{.*}}, align 2
; CHECK-DAG: insertelement <2 x float> {{.*}}, float {{.*}}, i64 1
; CHECK: br label
define ptx_kernel void @types(ptr %p, i32 %n) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %a = phi i1 [ false, %entry ], [ %a1, %loop ]
  %d = phi i40 [ 1, %entry ], [ %d1, %loop ]
  %f = phi half [ 1.0, %entry ], [ %f1, %loop ]
  %v = phi <2 x float> [ <float 1.0, float 2.0>, %entry ], [ %v1, %loop ]
  %a1 = load volatile i1, ptr %p
  %d1 = load volatile i40, ptr %p
  %f1 = load volatile half, ptr %p
  %v1 = load volatile <2 x float>, ptr %p
  store volatile i1 %a, ptr %p
  store volatile i40 %d, ptr %p
  store volatile half %f, ptr %p
  store volatile <2 x float> %v, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; A pointer of unknown kind is asked for its kind: shared memory by offset under tag 1,
; private memory by object and offset under tag 2, all else as it is.
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_generic(
; CHECK: {{^}}park.1:
; CHECK: call i1 @__hetckpt_is_shared(ptr {{.*}}%c)
; CHECK: or {{.*}}i64 {{.*}}, 4611686018427387904
; CHECK: call i1 @__hetckpt_is_private(ptr {{.*}}%c)
; CHECK: -9223372036854775808
; CHECK-LABEL: define ptx_kernel void @__hetckpt_resume_generic(
; CHECK: lshr i64 [[BITS:%.*]], 62
; CHECK: ret void
@tile = internal addrspace(3) global [32 x i32] undef
define ptx_kernel void @generic(ptr %p, i32 %n) {
entry:
  %own = alloca [4 x i32]
  store i32 5, ptr %own
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  %a = phi ptr [ addrspacecast (ptr addrspace(3) @tile to ptr), %entry ], [ %c, %loop ]
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %x = load i32, ptr %a
  store volatile i32 %x, ptr %p
  %odd = icmp ult i32 %x, %t
  %b = select i1 %odd, ptr %own, ptr %p
  %big = icmp ugt i32 %x, 99
  %c = select i1 %big, ptr %b, ptr %a
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}
