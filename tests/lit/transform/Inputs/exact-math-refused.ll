; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Approximate operations that have no exact form.
target triple = "nvptx64-nvidia-cuda"
module asm ".func f() { rcp.approx.f32 %f0, %f1; }"

declare half @llvm.nvvm.sin.approx.half(half)
declare float @llvm.experimental.constrained.sin.f32(float, metadata, metadata)

define half @unknown(half %h) {
  %r = call half @llvm.nvvm.sin.approx.half(half %h)
  ret half %r
}

define float @predicated(float %f) {
  %r = call float asm "{.reg.f32 x; mov.f32 x, $1; {.reg.f32 x; rcp.approx.f32 x, $1;} rcp.approx.f32 $0, x;}", "=f,f"(float %f)
  ret float %r
}

define float @vocabulary(float %f) {
  %r = call { i32, float } asm "mov.u32 $0, %laneid; sin.approx.f32 $1, $2;", "=r,=f,f"(float %f)
  %x = extractvalue { i32, float } %r, 1
  ret float %x
}

define float @constrained(float %f) strictfp {
  %r = call float @llvm.experimental.constrained.sin.f32(float %f, metadata !"round.tonearest", metadata !"fpexcept.strict") strictfp
  ret float %r
}
