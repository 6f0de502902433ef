; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; On the CPU, short rows of neighbouring blocks run one behind the other, and a row that is inside the
; bounds as a whole without asking: no access is masked.
; RUN: %translate --target=cpu:x86-64-v3 --emit-llvm --no-cache %s -o - | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
declare i32 @__hetckpt_tid_x()
declare i32 @__hetckpt_ntid_x()
declare i32 @__hetckpt_ctaid_x()
declare i32 @__hetckpt_tid_y()
declare i32 @__hetckpt_ntid_y()
declare i32 @__hetckpt_ctaid_y()

; CHECK: define hidden {{.*}}i32 @picture.beside(
; The block's number is stored, each row anew.
; CHECK: store volatile i32 %{{.*}}, ptr %block
; CHECK-DAG: call void @llvm.masked.store.v8f32
; CHECK-DAG: store <8 x float> %
; CHECK: {{^}}}
define ptx_kernel void @picture(i32 %n, ptr %from, ptr %to) {
entry:
  %cx = call i32 @__hetckpt_ctaid_x()
  %nx = call i32 @__hetckpt_ntid_x()
  %bx = mul i32 %cx, %nx
  %tx = call i32 @__hetckpt_tid_x()
  %x = add i32 %bx, %tx
  %cy = call i32 @__hetckpt_ctaid_y()
  %ny = call i32 @__hetckpt_ntid_y()
  %by = mul i32 %cy, %ny
  %ty = call i32 @__hetckpt_tid_y()
  %y = add i32 %by, %ty
  %inx = icmp slt i32 %x, %n
  %iny = icmp slt i32 %y, %n
  %in = and i1 %inx, %iny
  br i1 %in, label %work, label %end
work:
  %row = mul i32 %y, %n
  %i = add i32 %row, %x
  %w = sext i32 %i to i64
  %p = getelementptr float, ptr %from, i64 %w
  %v = load float, ptr %p
  %t = fmul float %v, 3.0
  %q = getelementptr float, ptr %to, i64 %w
  store float %t, ptr %q
  br label %end
end:
  ret void
}

; Not a thread with a loop, whose block takes long enough by itself.
; CHECK-NOT: @long.beside
; CHECK: @__hetckpt_cpu_beside = constant [2 x ptr] [ptr @picture.beside, ptr null]
define ptx_kernel void @long(i32 %n, ptr %to) {
entry:
  %x = call i32 @__hetckpt_tid_x()
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %next, %loop ]
  %v = phi i32 [ %x, %entry ], [ %v1, %loop ]
  %m = mul i32 %v, 747796405
  %v1 = xor i32 %m, %i
  %next = add i32 %i, 1
  %more = icmp slt i32 %next, %n
  br i1 %more, label %loop, label %end
end:
  %w = zext i32 %x to i64
  %q = getelementptr i32, ptr %to, i64 %w
  store i32 %v1, ptr %q
  ret void
}
