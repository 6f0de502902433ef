; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; With exact-math no approximate operation is left, and without it all of them are; what has
; no exact form is an error that names it.
; RUN: %opt -hetckpt-exact-math -passes='hetckpt-instrument,verify' -pass-remarks=hetckpt -S %s 2>%t.remarks >%t.ll
; RUN: FileCheck %s --implicit-check-not="{{@[a-z._]*approx|div.full|@__hetckpt_exact| afn | arcp | fast |!fpmath| asm |call [^@]*@llvm.(exp2|log2|sin|cos|tanh)}}" <%t.ll
; RUN: FileCheck %s --check-prefix=REMARK <%t.remarks
; RUN: %llc -mcpu=sm_90 -mattr=+ptx80 %t.ll -o - | FileCheck %s --check-prefix=PTX --implicit-check-not=.approx --implicit-check-not=.full
; RUN: %opt -passes=hetckpt-instrument -S %s | FileCheck %s --check-prefix=WITHOUT
; RUN: not %clang --target=nvptx64-nvidia-cuda -march=sm_90 -Xclang -target-feature -Xclang +ptx80 -Wno-unknown-cuda-version -O1 -fplugin=%plugin -fpass-plugin=%plugin -mllvm -hetckpt-exact-math -S -x ir %S/Inputs/exact-math-refused.ll -o %t.none 2>&1 | FileCheck %s --check-prefix=REFUSED
; RUN: not %opt -hetckpt-exact-math -nvptx-prec-divf32=1 -passes=hetckpt -disable-output %s 2>&1 | FileCheck %s --check-prefix=OPTION
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; OPTION: error: hetckpt: exact-math: cannot be used together with -nvptx-prec-divf32
; REFUSED-DAG: error: hetckpt: exact-math: llvm.nvvm.sin.approx.half in unknown has no exact form
; REFUSED-DAG: error: hetckpt: exact-math: inline assembly "{{.*}}rcp.approx.f32 $0, x;{{.*}}" in predicated has no exact form
; REFUSED-DAG: error: hetckpt: exact-math: inline assembly "mov.u32 $0, %laneid; {{.*}}" in vocabulary has no exact form
; REFUSED-DAG: error: hetckpt: exact-math: file-scope assembly with approximate instructions has no exact form
; REFUSED-DAG: error: hetckpt: exact-math: llvm.experimental.constrained.sin.f32 in constrained has no exact form

declare float @llvm.nvvm.ex2.approx.f32(float)
declare float @llvm.nvvm.ex2.approx.ftz.f32(float)
declare <2 x half> @llvm.nvvm.ex2.approx.v2f16(<2 x half>)
declare <2 x bfloat> @llvm.nvvm.ex2.approx.ftz.v2bf16(<2 x bfloat>)
declare float @llvm.nvvm.lg2.approx.f(float)
declare float @llvm.nvvm.lg2.approx.ftz.f(float)
declare double @llvm.nvvm.lg2.approx.d(double)
declare float @llvm.nvvm.sin.approx.f(float)
declare float @llvm.nvvm.cos.approx.ftz.f(float)
declare float @llvm.nvvm.rcp.approx.ftz.f(float)
declare double @llvm.nvvm.rcp.approx.ftz.d(double)
declare float @llvm.nvvm.rsqrt.approx.f(float)
declare double @llvm.nvvm.rsqrt.approx.d(double)
declare double @llvm.nvvm.rsqrt.approx.ftz.d(double)
declare float @llvm.nvvm.sqrt.approx.f(float)
declare float @llvm.nvvm.sqrt.f(float)
declare float @llvm.nvvm.div.approx.f(float, float)
declare float @llvm.nvvm.div.approx.ftz.f(float, float)
declare float @llvm.nvvm.div.full(float, float)
declare float @llvm.exp2.f32(float)
declare half @llvm.exp2.f16(half)
declare <2 x float> @llvm.exp2.v2f32(<2 x float>)
declare float @llvm.log2.f32(float)
declare float @llvm.sin.f32(float)
declare half @llvm.cos.f16(half)
declare bfloat @llvm.tanh.bf16(bfloat)
declare float @llvm.sqrt.f32(float)

; WITHOUT-LABEL: @nvvm(
; WITHOUT-COUNT-17: approx
; CHECK-LABEL: @nvvm(
; CHECK: fdiv float 1.000000e+00,
; CHECK: call double @llvm.sqrt.f64(
; CHECK: call {{.*}}float @llvm.sqrt.f32(float %
; CHECK: fdiv float %{{[0-9]+}}, %{{[0-9]+}}
; CHECK: ret void
; REMARK-DAG: nvvm: 19 approximate operations replaced by exact ones
define ptx_kernel void @nvvm(ptr %p, float %f, float %g, double %d, <2 x half> %h, <2 x bfloat> %b) {
  %ex2 = call float @llvm.nvvm.ex2.approx.f32(float %f)
  store volatile float %ex2, ptr %p
  %ex2.ftz = call float @llvm.nvvm.ex2.approx.ftz.f32(float %f)
  store volatile float %ex2.ftz, ptr %p
  %ex2.h = call <2 x half> @llvm.nvvm.ex2.approx.v2f16(<2 x half> %h)
  store volatile <2 x half> %ex2.h, ptr %p
  %ex2.b = call <2 x bfloat> @llvm.nvvm.ex2.approx.ftz.v2bf16(<2 x bfloat> %b)
  store volatile <2 x bfloat> %ex2.b, ptr %p
  %lg2 = call float @llvm.nvvm.lg2.approx.f(float %f)
  store volatile float %lg2, ptr %p
  %lg2.ftz = call float @llvm.nvvm.lg2.approx.ftz.f(float %f)
  store volatile float %lg2.ftz, ptr %p
  %lg2.d = call double @llvm.nvvm.lg2.approx.d(double %d)
  store volatile double %lg2.d, ptr %p
  %sin = call float @llvm.nvvm.sin.approx.f(float %f)
  store volatile float %sin, ptr %p
  %cos = call float @llvm.nvvm.cos.approx.ftz.f(float %f)
  store volatile float %cos, ptr %p
  %rcp = call float @llvm.nvvm.rcp.approx.ftz.f(float %f)
  store volatile float %rcp, ptr %p
  %rcp.d = call double @llvm.nvvm.rcp.approx.ftz.d(double %d)
  store volatile double %rcp.d, ptr %p
  %rsqrt = call float @llvm.nvvm.rsqrt.approx.f(float %f)
  store volatile float %rsqrt, ptr %p
  %rsqrt.d = call double @llvm.nvvm.rsqrt.approx.d(double %d)
  store volatile double %rsqrt.d, ptr %p
  %rsqrt.ftz = call double @llvm.nvvm.rsqrt.approx.ftz.d(double %d)
  store volatile double %rsqrt.ftz, ptr %p
  %sqrt = call float @llvm.nvvm.sqrt.approx.f(float %f)
  store volatile float %sqrt, ptr %p
  %div = call float @llvm.nvvm.div.approx.f(float %f, float %g)
  store volatile float %div, ptr %p
  %div.ftz = call float @llvm.nvvm.div.approx.ftz.f(float %f, float %g)
  store volatile float %div.ftz, ptr %p
  %full = call float @llvm.nvvm.div.full(float %f, float %g)
  store volatile float %full, ptr %p
  %either = call afn float @llvm.nvvm.sqrt.f(float %f)
  store volatile float %either, ptr %p
  ret void
}

; Flags: what they allow, they allow no more. Fusing is decided as without the option.
; WITHOUT-LABEL: @flags(
; WITHOUT: fdiv afn float
; CHECK-LABEL: @flags(
; CHECK: fdiv float %f, %g
; CHECK: fdiv nnan ninf float 1.000000e+00
; CHECK: fdiv half %h
; CHECK: fdiv double %d
; CHECK: frem float
; CHECK: call float @llvm.sqrt.f32(float %f)
; CHECK: call float @llvm.fma.f32(
; CHECK: ret void
; REMARK-DAG: flags: 5 approximate operations replaced by exact ones
; PTX-LABEL: .entry flags(
; PTX: div.rn.f32
; PTX: rcp.rn.f32
; PTX: sqrt.rn.f32
define ptx_kernel void @flags(ptr %p, float %f, float %g, half %h, double %d) {
  %div = fdiv afn float %f, %g, !fpmath !0
  store volatile float %div, ptr %p
  %rcp = fdiv fast float 1.0, %f
  store volatile float %rcp, ptr %p
  %half = fdiv afn arcp half %h, %h
  store volatile half %half, ptr %p
  %double = fdiv afn arcp double %d, 3.0
  store volatile double %double, ptr %p
  %rem = frem afn float %f, %g
  store volatile float %rem, ptr %p
  %sqrt = call afn float @llvm.sqrt.f32(float %f), !fpmath !0
  store volatile float %sqrt, ptr %p
  %m = fmul contract float %f, %g
  %s = fadd contract float %m, %f
  store volatile float %s, ptr %p
  ret void
}

; LLVM's own, in a function that flushes denormals and in halves.
; WITHOUT-LABEL: define float @math(
; WITHOUT: @llvm.exp2.f32
; CHECK-LABEL: define float @math(
; CHECK: fcmp olt float {{.*}}, 0x3810000000000000
; CHECK: fpext half %h to float
; CHECK: fptrunc float {{.*}} to bfloat
; CHECK: ret float
; REMARK-DAG: math: 7 approximate operations replaced by exact ones
define float @math(ptr %p, float %f, half %h, bfloat %b, <2 x float> %v) #0 {
  %exp2 = call float @llvm.exp2.f32(float %f)
  store volatile float %exp2, ptr %p
  %exp2.h = call half @llvm.exp2.f16(half %h)
  store volatile half %exp2.h, ptr %p
  %exp2.v = call <2 x float> @llvm.exp2.v2f32(<2 x float> %v)
  store volatile <2 x float> %exp2.v, ptr %p
  %log2 = call afn float @llvm.log2.f32(float %f)
  store volatile float %log2, ptr %p
  %cos = call afn half @llvm.cos.f16(half %h)
  store volatile half %cos, ptr %p
  %tanh = call afn bfloat @llvm.tanh.bf16(bfloat %b)
  store volatile bfloat %tanh, ptr %p
  %sin = call afn float @llvm.sin.f32(float %f)
  ret float %sin
}

; WITHOUT-LABEL: @assembly(
; WITHOUT-COUNT-4: asm
; CHECK-LABEL: @assembly(
; CHECK: fdiv float %{{[0-9]+}}, %{{[0-9]+}}
; CHECK: call <2 x half> @llvm.fma.v2f16(
; CHECK: ret void
; REMARK-DAG: assembly: 6 approximate operations replaced by exact ones
define ptx_kernel void @assembly(ptr %p, float %f, i16 %h, i32 %pair) {
  %div = call float asm "{ div.full.f32 $0, $1, $1; }", "=f,f"(float %f)
  store volatile float %div, ptr %p
  %tanh = call i32 asm "tanh.approx.bf16x2 $0, $1;", "=r,r"(i32 %pair)
  store volatile i32 %tanh, ptr %p
  %tied = call float asm "{lg2.approx.ftz.f32 $0, $0;\0A}", "=f,0"(float %f)
  store volatile float %tied, ptr %p
  %exp = call i32 asm "{.reg.b16 hl, hu;\0A .reg.b32 h,r,fl,fu,C,nZ;\0A mov.b32 {hl, hu}, $1;\0A mov.b32 h, $1;\0A cvt.f32.f16 fl, hl;\0A cvt.f32.f16 fu, hu;\0A mov.b32 C, 0x3fb8aa3bU;\0A mov.b32 nZ, 0x80000000U;\0A fma.rn.f32 fl,fl,C,nZ;\0A fma.rn.f32 fu,fu,C,nZ;\0A ex2.approx.ftz.f32 fl, fl;\0A ex2.approx.ftz.f32 fu, fu;\0A cvt.rn.f16.f32 hl, fl;\0A cvt.rn.f16.f32 hu, fu;\0A mov.b32 r, {hl, hu};\0A{.reg.b32 spc, ulp, p;\0A mov.b32 spc,0X1F791F79U;\0A mov.b32 ulp,0x94009400U;\0A set.eq.f16x2.f16x2 p,h, spc;\0A fma.rn.f16x2 r,p,ulp,r;\0A}\0A mov.b32 $0, r;\0A}", "=r,r"(i32 %pair)
  store volatile i32 %exp, ptr %p
  ret void
}

attributes #0 = { "denormal-fp-math-f32"="preserve-sign,preserve-sign" }
!0 = !{float 2.5}
