; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; REQUIRES: ptxas
; Numbers of functions in tables, and the choices that calls through pointers have become,
; assemble.
; RUN: %opt -passes='hetckpt,verify' %s -o %t.bc
; RUN: %llc -O3 -mtriple=nvptx64-nvidia-cuda -mcpu=sm_90 -mattr=+ptx80 %t.bc -o %t.90.ptx
; RUN: FileCheck %s < %t.90.ptx
; RUN: %registers sm_90 %t.90.ptx | FileCheck %s --check-prefix=SM
; RUN: %llc -O3 -mtriple=nvptx64-nvidia-cuda -mcpu=sm_70 -mattr=+ptx63 %t.bc -o %t.70.ptx
; RUN: FileCheck %s < %t.70.ptx
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK: .global .align 8 .u64 table[2] = {[[#ADD:]], [[#MUL:]]};
; CHECK: .entry calls(
; CHECK: setp.{{eq|ne}}.b64 {{.*}}, [[#MUL]];
; CHECK: setp.{{eq|ne}}.b64 {{.*}}, [[#ADD]];
; CHECK: call.uni ({{.*}}), add,
; CHECK-NOT: prototype
; CHECK: .entry __hetckpt_run_calls(
; CHECK-NOT: call.uni
; CHECK: ret;
; SM: sm_90 __hetckpt_run_calls: {{[0-9]+}} registers, 0 bytes spilled
@table = addrspace(1) externally_initialized global [2 x ptr] [ptr @add, ptr @mul]

define ptx_kernel void @calls(ptr %p, i64 %i) {
  %e = getelementptr ptr, ptr addrspace(1) @table, i64 %i
  %f = load ptr, ptr addrspace(1) %e
  %r = call i32 %f(i32 3, i32 2)
  store i32 %r, ptr %p
  ret void
}
define i32 @add(i32 %a, i32 %b) {
  %r = add i32 %a, %b
  ret i32 %r
}
define i32 @mul(i32 %a, i32 %b) {
  %r = mul i32 %a, %b
  ret i32 %r
}
