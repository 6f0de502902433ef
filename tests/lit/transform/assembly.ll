; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Assembly that others must see through: shuffles become intrinsics, and whether a product of
; half precision is fused with a sum is decided here, not by the assembler.
; RUN: %opt -passes='hetckpt-assembly,verify' -S %s | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK-LABEL: @shuffles(
; CHECK: call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %a, i32 1, i32 31) [[CONVERGENT:#[0-9]+]]
; CHECK: call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 %a, i32 %b, i32 2, i32 31) [[CONVERGENT]]
; More than one instruction, or other operands: as it is.
; CHECK: asm "{shfl.sync.up.b32 $0,$2,$1,$3,$4;
; CHECK: asm "{.reg .b32 t; shfl.sync.up.b32 t,$1,$2,$3,$4; mov.b32 $0, t;
define ptx_kernel void @shuffles(ptr %p, i32 %a, i32 %b) {
  %x = call i32 asm sideeffect "{shfl.sync.bfly.b32 $0,$1,$2,$3,$4;\0A}", "=r,r,r,r,r"(i32 %a, i32 1, i32 31, i32 -1)
  store volatile i32 %x, ptr %p
  %i = call i32 asm sideeffect "shfl.sync.idx.b32 $0, $1, $2, $3, $4;", "=r,r,r,r,r"(i32 %b, i32 2, i32 31, i32 %a)
  store volatile i32 %i, ptr %p
  %s = call i32 asm "{shfl.sync.up.b32 $0,$2,$1,$3,$4;\0A}", "=r,r,r,r,r"(i32 %a, i32 1, i32 31, i32 -1)
  store volatile i32 %s, ptr %p
  %t = call i32 asm "{.reg .b32 t; shfl.sync.up.b32 t,$1,$2,$3,$4; mov.b32 $0, t;\0A}", "=r,r,r,r,r"(i32 %a, i32 1, i32 31, i32 -1)
  store volatile i32 %t, ptr %p
  ret void
}

; CHECK-LABEL: @fuses(
; CHECK-NOT: mul
; CHECK: asm "{fma.rn.f16 $0,$1,$2,$3;}", "=h,h,h,h"(i16 %a, i16 %b, i16 %c)
; CHECK: [[A:%.*]] = xor i16 %a, -32768
; CHECK: asm "{fma.rn.f16 $0,$1,$2,$3;}", "=h,h,h,h"(i16 [[A]], i16 %b, i16 %c)
; CHECK: [[C:%.*]] = xor i32 %w, -2147450880
; CHECK: asm "{fma.rn.f16x2 $0,$1,$2,$3;}", "=r,r,r,r"(i32 %v, i32 %v, i32 [[C]])
; CHECK: ret void
define ptx_kernel void @fuses(ptr %p, i16 %a, i16 %b, i16 %c, i32 %v, i32 %w) {
  %m = call i16 asm "{mul.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %b)
  %s = call i16 asm "{add.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %m, i16 %c)
  store volatile i16 %s, ptr %p
  %d = call i16 asm "{sub.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %c, i16 %m)
  store volatile i16 %d, ptr %p
  %n = call i32 asm "{mul.f16x2 $0,$1,$2;\0A}", "=r,r,r"(i32 %v, i32 %v)
  %e = call i32 asm "{sub.f16x2 $0,$1,$2;\0A}", "=r,r,r"(i32 %n, i32 %w)
  store volatile i32 %e, ptr %p
  ret void
}

; What says how it rounds, and what saturates, is not fused; products that are left say it.
; CHECK-LABEL: @keeps(
; CHECK: asm "{mul.rn.bf16 $0,$1,$2;\0A}"
; CHECK: asm "{add.bf16 $0,$1,$2;\0A}"
; CHECK: asm "{mul.rn.bf16 $0,$1,$2;}"
; CHECK: asm "{add.rn.bf16 $0,$1,$2;\0A}"
; CHECK: asm "{mul.rn.sat.f16 $0,$1,$2;}"
; CHECK: asm "{add.f16 $0,$1,$2;\0A}"
define ptx_kernel void @keeps(ptr %p, i16 %a, i16 %b, i16 %c) {
  %m = call i16 asm "{mul.rn.bf16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %b)
  %s = call i16 asm "{add.bf16 $0,$1,$2;\0A}", "=h,h,h"(i16 %m, i16 %c)
  store volatile i16 %s, ptr %p
  %n = call i16 asm "{mul.bf16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %b)
  %t = call i16 asm "{add.rn.bf16 $0,$1,$2;\0A}", "=h,h,h"(i16 %n, i16 %c)
  store volatile i16 %t, ptr %p
  %o = call i16 asm "{mul.sat.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %b)
  %u = call i16 asm "{add.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %o, i16 %c)
  store volatile i16 %u, ptr %p
  ret void
}
