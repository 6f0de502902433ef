; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Shared memory: one structure a kernel, which its variants share, and one array for what
; the launch adds.
; RUN: %opt -passes='hetckpt-instrument,verify' -S %s | FileCheck %s
; RUN: %opt -passes='print<hetckpt-statemap>' -disable-output %s | FileCheck %s --check-prefix=MAP
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; MAP: "dynamic_shared":false{{.*}}"name":"first"{{.*}}"shared_align":16,"shared_variables":[{"bytes":1,"name":"small","offset":0},{"bytes":32,"name":"large","offset":8}]{{.*}}"static_shared":48
; MAP: "dynamic_shared":false{{.*}}"name":"second"{{.*}}"static_shared":16
; MAP: "dynamic_shared":true{{.*}}"name":"dynamic"
; CHECK-DAG: @__hetckpt_dynamic_shared = external addrspace(3) global [0 x i8], align 32
; CHECK-DAG: @__hetckpt_shared_first = internal addrspace(3) global [48 x i8] undef, align 16
; CHECK-DAG: @__hetckpt_shared_second = internal addrspace(3) global [16 x i8] undef, align 16
@small = internal addrspace(3) global i8 undef, align 1
@large = internal addrspace(3) global [4 x double] undef, align 8
; CHECK-LABEL: define ptx_kernel void @first(
; CHECK: store volatile i8 1, ptr addrspace(3) @__hetckpt_shared_first
; CHECK: store volatile double 1.000000e+00, ptr addrspace(3) getelementptr inbounds {{.*}}@__hetckpt_shared_first, i64 8)
; CHECK-LABEL: define ptx_kernel void @second(
; CHECK: store volatile i8 2, ptr addrspace(3) @__hetckpt_shared_second
define ptx_kernel void @first() {
  store volatile i8 1, ptr addrspace(3) @small
  store volatile double 1.0, ptr addrspace(3) @large
  ret void
}
define ptx_kernel void @second() {
  store volatile i8 2, ptr addrspace(3) @small
  ret void
}

; CHECK-LABEL: define ptx_kernel void @dynamic(
; CHECK: store volatile i32 3, ptr addrspace(3) @__hetckpt_dynamic_shared
; CHECK: store volatile i64 4, ptr addrspace(3) @__hetckpt_dynamic_shared
define ptx_kernel void @dynamic() {
  store volatile i32 3, ptr addrspace(3) @words
  store volatile i64 4, ptr addrspace(3) @longs
  ret void
}
@words = external addrspace(3) global [0 x i32], align 4
@longs = external addrspace(3) global [0 x i64], align 32

; What a function uses belongs to the kernels that call it.
; CHECK-LABEL: define ptx_kernel void @calls(
; CHECK-NOT: call
; CHECK: store volatile double 2.000000e+00, ptr addrspace(3) @__hetckpt_shared_calls
define ptx_kernel void @calls() {
  call void @helper()
  ret void
}
define internal void @helper() noinline {
  store volatile double 2.0, ptr addrspace(3) @large
  ret void
}

; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_first(
; CHECK: store volatile i8 1, ptr addrspace(3) @__hetckpt_shared_first
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_second(
; CHECK: store volatile i8 2, ptr addrspace(3) @__hetckpt_shared_second
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_dynamic(
; CHECK: store volatile i32 3, ptr addrspace(3) @__hetckpt_dynamic_shared
