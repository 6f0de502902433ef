; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; What a lane gives a shuffle may be undefined if nobody reads it: arguments on the way there are not
; noundef. Those of kernels and of functions that do not shuffle stay as they are.
; RUN: %opt -passes='hetckpt-shuffled-values,verify' -S %s | FileCheck %s
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32, i32, i32, i32)

; CHECK-LABEL: define linkonce_odr i32 @_Z11__shfl_syncjiii(i32 %m, i32 %v)
define linkonce_odr i32 @_Z11__shfl_syncjiii(i32 noundef %m, i32 noundef %v) {
  %r = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 %m, i32 %v, i32 0, i32 31)
  ret i32 %r
}

; CHECK-LABEL: define internal i32 @assembly(i32 %v)
define internal i32 @assembly(i32 noundef %v) {
  %r = call i32 asm sideeffect "shfl.sync.idx.b32 $0, $1, 0, 31, -1;", "=r,r"(i32 %v)
  ret i32 %r
}

; A conversion before the shuffle, and a function around it.
; CHECK-LABEL: define internal i32 @bits(float %f)
define internal i32 @bits(float noundef %f) {
  %r = bitcast float %f to i32
  ret i32 %r
}
; CHECK-LABEL: define internal i32 @broadcast(float %f)
; CHECK: call i32 @bits(float %f)
; CHECK: call i32 @_Z11__shfl_syncjiii(i32 -1, i32 %b)
define internal i32 @broadcast(float noundef %f) {
  %b = call i32 @bits(float noundef %f)
  %r = call i32 @_Z11__shfl_syncjiii(i32 noundef -1, i32 noundef %b)
  ret i32 %r
}

; CHECK-LABEL: define internal void @apart(i32 noundef %v)
define internal void @apart(i32 noundef %v) {
  ret void
}

; CHECK-LABEL: define ptx_kernel void @kernel(i32 noundef %n)
; CHECK: call i32 @broadcast(float %f)
; CHECK: call i32 @assembly(i32 %n)
; CHECK: call void @apart(i32 noundef %n)
define ptx_kernel void @kernel(i32 noundef %n) {
  %f = bitcast i32 %n to float
  %a = call i32 @broadcast(float noundef %f)
  %b = call i32 @assembly(i32 noundef %n)
  call void @apart(i32 noundef %n)
  ret void
}
