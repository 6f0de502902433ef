; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; The portable image rides in the module that it is made of: a constant that is kept, with
; the neutral form of all kernels inside. The same input gives the same image.
; RUN: %opt -hetckpt-poll-stride=4 -passes='hetckpt,verify' -S %s -o %t.ll
; RUN: %opt -hetckpt-poll-stride=4 -passes='hetckpt,verify' -S %s -o %t.again.ll
; RUN: cmp %t.ll %t.again.ll
; RUN: FileCheck %s < %t.ll
; RUN: %image header < %t.ll | FileCheck %s --check-prefix=HEADER
; RUN: %image ir < %t.ll | %dis -o - | FileCheck %s --check-prefix=IR
; RUN: %opt -passes='hetckpt,verify' -S < %S/Inputs/host.ll | FileCheck %s --check-prefix=HOST
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK: @__hetckpt_image = internal addrspace(1) constant [{{[0-9]+}} x i8] c"HCKIMAGE\04\00\00\00
; CHECK: @llvm.used = {{.*}}@__hetckpt_image
; HEADER: abi 4
; HEADER-NEXT: header 112
; HEADER-NEXT: map at 112,

; Nothing of NVIDIA's is left, calls of the runtime keep their names.
; IR-NOT: llvm.nvvm
; IR-NOT: llvm.used
; IR: define ptx_kernel void @k(
; IR: define ptx_kernel void @__hetckpt_run_k(
; IR: call i32 @__hetckpt_poll_block(ptr {{.*}}%launch)
; IR: define ptx_kernel void @__hetckpt_resume_k(

; In native code nothing neutral is left.
; CHECK: define ptx_kernel void @__hetckpt_run_k(
; CHECK-NOT: call {{.*}}@__hetckpt_
; CHECK: declare

; Other targets' modules are left alone.
; HOST-NOT: hetckpt
define ptx_kernel void @k(ptr %p, i32 %n) {
entry:
  br label %loop
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
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
