; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Assembly of CUDA's headers of half precision: their values are checked by e2e/half.cu, here
; is what it becomes, and what is left alone.
; RUN: %opt -passes='hetckpt-raise,verify' -S %s | FileCheck %s
; RUN: %opt -passes='print<hetckpt-scope>' -disable-output %s | FileCheck %s --check-prefix=SCOPE
target triple = "nvptx64-nvidia-cuda"

; SCOPE-LABEL: kernel arithmetic: thread scope
; CHECK-LABEL: @arithmetic(
; CHECK-NOT: asm
; CHECK: [[S:%.*]] = fadd float
; CHECK: fptrunc float [[S]] to half
; CHECK: fmul <2 x float>
; CHECK: call <2 x bfloat> @llvm.fma.v2bf16(
; CHECK: call float @llvm.maximumnum.f32(float {{.*}}, float 0.000000e+00)
; CHECK: call float @llvm.minimumnum.f32(float {{.*}}, float 1.000000e+00)
; CHECK: call float @llvm.minimum.f32(
; NaN becomes the one of PTX.
; CHECK: [[Z:%.*]] = and <2 x i16> [[V:%.*]], splat (i16 32767)
; CHECK: [[N:%.*]] = xor <2 x i16> [[V]], splat (i16 -32768)
; CHECK: [[I:%.*]] = icmp ugt <2 x i16> [[Z]], splat (i16 31744)
; CHECK: select <2 x i1> [[I]], <2 x i16> splat (i16 32767), <2 x i16> [[N]]
; CHECK: [[Z:%.*]] = and i16 {{.*}}, 32767
; CHECK: [[I:%.*]] = icmp ugt i16 [[Z]], 32640
; CHECK: select i1 [[I]], i16 32767, i16 [[Z]]
; CHECK: ret void
define ptx_kernel void @arithmetic(ptr %p, i16 %a, i32 %v) {
  %s = call i16 asm "{add.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %a)
  store volatile i16 %s, ptr %p
  %m = call i32 asm "{mul.rn.f16x2 $0,$1,$2;\0A}", "=r,r,r"(i32 %v, i32 %v)
  store volatile i32 %m, ptr %p
  %f = call i32 asm "{fma.rn.bf16x2 $0,$1,$2,$3;\0A}", "=r,r,r,r"(i32 %v, i32 %v, i32 %v)
  store volatile i32 %f, ptr %p
  %t = call i16 asm "{add.sat.f16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %a)
  store volatile i16 %t, ptr %p
  %n = call i16 asm "{min.NaN.bf16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %a)
  store volatile i16 %n, ptr %p
  %g = call i32 asm "{neg.f16x2 $0,$1;\0A}", "=r,r"(i32 %v)
  store volatile i32 %g, ptr %p
  %b = call i16 asm "{abs.bf16 $0,$1;\0A}", "=h,h"(i16 %a)
  store volatile i16 %b, ptr %p
  ret void
}

; SCOPE-LABEL: kernel compares: thread scope
; CHECK-LABEL: @compares(
; CHECK-NOT: asm
; CHECK: [[T:%.*]] = fcmp ult half
; CHECK: select i1 [[T]], i16 1, i16 0
; CHECK: [[P:%.*]] = fcmp oge <2 x half>
; CHECK: [[M:%.*]] = sext <2 x i1> [[P]] to <2 x i16>
; CHECK: bitcast <2 x i16> [[M]] to i32
; CHECK: [[Q:%.*]] = fcmp uno bfloat
; CHECK: uitofp i1 [[Q]] to bfloat
; CHECK: ret void
define ptx_kernel void @compares(ptr %p, i16 %a, i32 %v) {
  %t = call i16 asm "{ .reg .pred __$$temp3;\0A  setp.ltu.f16  __$$temp3, $1, $2;\0A  selp.u16 $0, 1, 0, __$$temp3;}", "=h,h,h"(i16 %a, i16 %a)
  store volatile i16 %t, ptr %p
  %m = call i32 asm "{ set.ge.u32.f16x2 $0,$1,$2;\0A}", "=r,r,r"(i32 %v, i32 %v)
  store volatile i32 %m, ptr %p
  %n = call i16 asm "{set.nan.bf16.bf16 $0,$1,$1;\0A}", "=h,h"(i16 %a)
  store volatile i16 %n, ptr %p
  ret void
}

; SCOPE-LABEL: kernel converts: thread scope
; CHECK-LABEL: @converts(
; CHECK-NOT: asm
; CHECK: fptrunc float %f to half
; CHECK: fcmp ogt float
; CHECK: call float @llvm.floor.f32(
; CHECK: call i64 @llvm.fptosi.sat.i64.f32(
; CHECK: fcmp uno half
; CHECK: call i8 @llvm.fptoui.sat.i8.f32(
; CHECK: zext i8
; CHECK: sitofp i32 %v to double
; CHECK: insertelement <2 x half> poison, half {{.*}}, i64 0
; CHECK: ret void
define ptx_kernel void @converts(ptr %p, i16 %a, i32 %v, float %f) {
  %z = call i16 asm "{  cvt.rz.f16.f32 $0, $1;}\0A", "=h,f"(float %f)
  store volatile i16 %z, ptr %p
  %l = call i64 asm "cvt.rmi.s64.f16 $0, $1;", "=l,h"(i16 %a)
  store volatile i64 %l, ptr %p
  %c = call i32 asm "cvt.rzi.u8.f16 $0, $1;", "=r,h"(i16 %a)
  store volatile i32 %c, ptr %p
  %i = call i16 asm "cvt.rn.bf16.s32 $0, $1;", "=h,r"(i32 %v)
  store volatile i16 %i, ptr %p
  %q = call i32 asm "{ cvt.rn.f16x2.f32 $0, $2, $1; }\0A", "=r,f,f"(float %f, float 1.0)
  store volatile i32 %q, ptr %p
  ret void
}

; SCOPE-LABEL: kernel memory: thread scope
; CHECK-LABEL: @memory(
; CHECK-NOT: asm
; CHECK: [[G:%.*]] = addrspacecast ptr %p to ptr addrspace(1)
; CHECK: load i32, ptr addrspace(1) [[G]], align 4
; CHECK: inttoptr i64 %x to ptr addrspace(1)
; CHECK: store volatile i16 %a, ptr addrspace(1) {{.*}}, align 2
; CHECK: atomicrmw fadd ptr {{.*}}, <2 x half> {{.*}} monotonic, align 4
; CHECK: ret void
define ptx_kernel void @memory(ptr %p, i64 %x, i16 %a, i32 %v) {
  %l = call i32 asm "ld.global.nc.b32 $0, [$1];", "=r,l"(ptr %p)
  store volatile i32 %l, ptr %p
  call void asm sideeffect "st.global.cg.b16 [$0], $1;", "l,h,~{memory}"(i64 %x, i16 %a)
  %o = call i32 asm sideeffect "{ atom.add.noftz.f16x2 $0,[$1],$2; }\0A", "=r,l,r,~{memory}"(i64 %x, i32 %v)
  store volatile i32 %o, ptr %p
  ret void
}

; bfloat where single precision has no denormals; conversions that say more than how they round.
; SCOPE-LABEL: kernel flushes: cannot pause
; SCOPE-LABEL: kernel satfinite: cannot pause
define ptx_kernel void @flushes(ptr %p, i16 %a) "denormal-fp-math-f32"="preserve-sign,preserve-sign" {
  %s = call i16 asm "{add.bf16 $0,$1,$2;\0A}", "=h,h,h"(i16 %a, i16 %a)
  store volatile i16 %s, ptr %p
  ret void
}
define ptx_kernel void @satfinite(ptr %p, float %f) {
  %s = call i16 asm "cvt.rn.satfinite.f16.f32 $0, $1;", "=h,f"(float %f)
  store volatile i16 %s, ptr %p
  ret void
}
