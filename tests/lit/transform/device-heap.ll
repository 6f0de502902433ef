; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; malloc and free, new and delete in kernels become calls of the vocabulary, with the heap's address from a constant of the
; module. The kernel can pause; native code gets definitions that call NVIDIA's heap where there is no
; other; a module that does not allocate stays as it is.
; RUN: %opt -passes=hetckpt-device-heap -S %s | FileCheck %s
; RUN: %opt -passes='hetckpt-device-heap,print<hetckpt-scope>' -disable-output %s | FileCheck %s --check-prefix=SCOPE
; RUN: %opt -passes=hetckpt -S %s -o %t.ll
; RUN: FileCheck %s --check-prefix=NATIVE < %t.ll
; RUN: %image map < %t.ll | FileCheck %s --check-prefix=MAP
; RUN: %image ir < %t.ll | %dis -o - | FileCheck %s --check-prefix=PORTABLE
; RUN: %llc -O3 -mcpu=sm_90 -mattr=+ptx80 %t.ll -o %t.ptx
; RUN: FileCheck %s --check-prefix=PTX < %t.ptx
; RUN: %if ptxas %{ %ptxas -arch=sm_90 %t.ptx -o %t.cubin %}
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK: @hetckpt_device_heap = addrspace(4) externally_initialized global i64 0, align 8

; SCOPE: kernel lists: thread scope

; A variable of the module, and not more than names in the portable image.
; MAP: "variables":[{"align":8,"bytes":8,"constant":true,"name":"hetckpt_device_heap","offset":0}]
; PORTABLE: define ptx_kernel void @__hetckpt_run_lists(
; PORTABLE: call {{.*}} @__hetckpt_heap_malloc(
; PORTABLE-NOT: define {{.*}}@__hetckpt_heap_
; PORTABLE-NOT: @malloc

; Safepoints are in the kernel; the heap's functions are not inlined, have no poll and fence for the device alone.
; NATIVE-LABEL: define ptx_kernel void @__hetckpt_run_lists(
; NATIVE: load i64, ptr addrspace(4) @hetckpt_device_heap
; NATIVE: call {{.*}} @__hetckpt_heap_malloc(
; NATIVE: define internal {{.*}} @__hetckpt_heap_malloc(i64
; NATIVE: call {{.*}} @malloc(i64
; NATIVE-NOT: launch
; NATIVE: fence syncscope("device") acq_rel
; NATIVE-NOT: __hetckpt_poll
; NATIVE: define internal {{.*}} @__hetckpt_heap_free(i64

; PTX: .func (.param .b64 func_retval0) __hetckpt_heap_malloc
; PTX: fence.acq_rel.gpu

declare noalias ptr @malloc(i64)
declare ptr @__nv_aligned_device_malloc_impl(i64, i64)
declare void @free(ptr)

; CHECK-LABEL: define ptx_kernel void @lists(
; CHECK: %[[H:.*]] = load i64, ptr addrspace(4) @hetckpt_device_heap
; CHECK: %[[P:.*]] = call ptr addrspace(1) @__hetckpt_heap_malloc(i64 %[[H]], i64 %n)
; CHECK: %p = addrspacecast ptr addrspace(1) %[[P]] to ptr
; CHECK: call ptr addrspace(1) @__hetckpt_heap_malloc_aligned(i64 %{{.*}}, i64 %n, i64 64)
; CHECK: call void @__hetckpt_heap_free(i64 %{{.*}}, ptr %p)
; CHECK-NOT: @malloc
; CHECK-NOT: @free
define ptx_kernel void @lists(ptr %q, i64 %n) {
entry:
  br label %loop

loop:
  %i = phi i64 [ 0, %entry ], [ %i1, %loop ]
  %p = call noalias ptr @malloc(i64 %n)
  %a = call ptr @__nv_aligned_device_malloc_impl(i64 %n, i64 64)
  %e = getelementptr i8, ptr %p, i64 %i
  store volatile i8 1, ptr %e, align 1
  call void @free(ptr %p)
  %i1 = add i64 %i, 1
  %f = load volatile i64, ptr %q, align 8
  %more = icmp ult i64 %i1, %f
  br i1 %more, label %loop, label %done

done:
  ret void
}

declare ptr @_Znwm(i64)
declare ptr @_Znam(i64)
declare ptr @_ZnwmSt11align_val_t(i64, i64)
declare void @_ZdlPv(ptr)
declare void @_ZdlPvm(ptr, i64)
declare void @_ZdaPv(ptr)
declare void @_ZdlPvmSt11align_val_t(ptr, i64, i64)

; What the heap does not ask for is left out.
; CHECK-LABEL: define ptx_kernel void @objects(
; CHECK: call ptr addrspace(1) @__hetckpt_heap_malloc(i64 %{{.*}}, i64 24)
; CHECK: call ptr addrspace(1) @__hetckpt_heap_malloc(i64 %{{.*}}, i64 %n)
; CHECK: call ptr addrspace(1) @__hetckpt_heap_malloc_aligned(i64 %{{.*}}, i64 64, i64 32)
; CHECK: call void @__hetckpt_heap_free(i64 %{{.*}}, ptr %a)
; CHECK: call void @__hetckpt_heap_free(i64 %{{.*}}, ptr %q)
; CHECK: call void @__hetckpt_heap_free(i64 %{{.*}}, ptr %b)
; CHECK: call void @__hetckpt_heap_free(i64 %{{.*}}, ptr %c)
; CHECK-NOT: @_Z
define ptx_kernel void @objects(ptr %q, i64 %n) {
  %a = call ptr @_Znwm(i64 24)
  %b = call ptr @_Znam(i64 %n)
  %c = call ptr @_ZnwmSt11align_val_t(i64 64, i64 32)
  store volatile i8 1, ptr %a, align 1
  call void @_ZdlPv(ptr %a)
  call void @_ZdlPvm(ptr %q, i64 24)
  call void @_ZdaPv(ptr %b)
  call void @_ZdlPvmSt11align_val_t(ptr %c, i64 64, i64 32)
  ret void
}

!nvvm.annotations = !{!0, !1}
!0 = !{ptr @lists, !"kernel", i32 1}
!1 = !{ptr @objects, !"kernel", i32 1}
