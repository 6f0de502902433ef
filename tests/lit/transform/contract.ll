; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Contraction is decided here, once: what may be fused is, as the native code generator
; would; afterwards nobody may.
; RUN: %opt -passes='hetckpt-contract,verify' -S %s | FileCheck %s
target triple = "nvptx64-nvidia-cuda"

; CHECK-LABEL: @product_sum(
; CHECK-NEXT: [[R:%.*]] = call float @llvm.fma.f32(float %a, float %b, float %c)
; CHECK-NEXT: ret float [[R]]
define float @product_sum(float %a, float %b, float %c) {
  %m = fmul contract float %a, %b
  %s = fadd contract float %m, %c
  ret float %s
}

; CHECK-LABEL: @difference(
; CHECK-NEXT: [[N:%.*]] = fneg double %c
; CHECK-NEXT: call double @llvm.fma.f64(double %a, double %b, double [[N]])
define double @difference(double %a, double %b, double %c) {
  %m = fmul contract double %a, %b
  %s = fsub contract double %m, %c
  ret double %s
}

; CHECK-LABEL: @subtracted(
; CHECK-NEXT: [[N:%.*]] = fneg float %a
; CHECK-NEXT: call float @llvm.fma.f32(float [[N]], float %b, float %c)
define float @subtracted(float %a, float %b, float %c) {
  %m = fmul contract float %a, %b
  %s = fsub contract float %c, %m
  ret float %s
}

; CHECK-LABEL: @negated(
; CHECK: [[N:%.*]] = fneg float %a
; CHECK: call float @llvm.fma.f32(float [[N]], float %b, float %c)
define float @negated(float %a, float %b, float %c) {
  %m = fmul contract float %a, %b
  %n = fneg float %m
  %s = fadd contract float %n, %c
  ret float %s
}

; CHECK-LABEL: @muladd(
; CHECK-NEXT: call float @llvm.fma.f32(float %a, float %b, float %c)
define float @muladd(float %a, float %b, float %c) {
  %s = call float @llvm.fmuladd.f32(float %a, float %b, float %c)
  ret float %s
}

; A product with other uses is kept as well.
; CHECK-LABEL: @used_twice(
; CHECK: fmul float %a, %b
; CHECK: call float @llvm.fma.f32(float %a, float %b, float %c)
define float @used_twice(float %a, float %b, float %c, ptr %p) {
  %m = fmul contract float %a, %b
  store float %m, ptr %p
  %s = fadd contract float %m, %c
  ret float %s
}

; Of two products the one that has no other use.
; CHECK-LABEL: @two_products(
; CHECK: [[P:%.*]] = fmul float %a, %b
; CHECK: call float @llvm.fma.f32(float %c, float %d, float [[P]])
define float @two_products(float %a, float %b, float %c, float %d, ptr %p) {
  %m = fmul contract float %a, %b
  store float %m, ptr %p
  %o = fmul contract float %c, %d
  %s = fadd contract float %m, %o
  ret float %s
}

; Both must allow it.
; CHECK-LABEL: @exact_product(
; CHECK-NEXT: fmul float
; CHECK-NEXT: fadd float
define float @exact_product(float %a, float %b, float %c) {
  %m = fmul float %a, %b
  %s = fadd contract float %m, %c
  ret float %s
}

; CHECK-LABEL: @exact_sum(
; CHECK-NEXT: fmul float
; CHECK-NEXT: fadd float
define float @exact_sum(float %a, float %b, float %c) {
  %m = fmul contract float %a, %b
  %s = fadd float %m, %c
  ret float %s
}

; No permission is left, the others are.
; CHECK-LABEL: @flags(
; CHECK-NEXT: fadd nnan float
; CHECK-NOT: contract
define float @flags(float %a, float %b) {
  %s = fadd nnan contract float %a, %b
  ret float %s
}

; Nor to compute otherwise than is written, which the clean-up of a variant would use.
; CHECK-LABEL: @fast(
; CHECK: fdiv nnan ninf afn float 1.000000e+00, %b
define float @fast(float %a, float %b) {
  %r = fdiv fast float 1.0, %b
  %s = fmul fast float %a, %r
  ret float %s
}

; CHECK-LABEL: @vector(
; CHECK: call <2 x float> @llvm.fma.v2f32(
define <2 x float> @vector(<2 x float> %a, <2 x float> %b, <2 x float> %c) {
  %m = fmul contract <2 x float> %a, %b
  %s = fadd contract <2 x float> %m, %c
  ret <2 x float> %s
}
declare float @llvm.fmuladd.f32(float, float, float)
