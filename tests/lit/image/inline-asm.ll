; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Inline assembly that has a neutral form gets it; what has none is refused as a whole,
; never half, and never with another meaning.
; RUN: %opt -passes='hetckpt-raise,verify' -S %s | FileCheck %s
; RUN: %opt -passes='print<hetckpt-scope>' -disable-output %s | FileCheck %s --check-prefix=SCOPE
target triple = "nvptx64-nvidia-cuda"

; SCOPE-LABEL: kernel known: thread scope
; CHECK-LABEL: @known(
; CHECK-NOT: asm
; CHECK: call i32 @__hetckpt_laneid()
; CHECK: call i64 @__hetckpt_globaltimer()
; CHECK: bitcast float %f to i32
; CHECK: xor i32 %a, -1
; CHECK: call i32 @llvm.bitreverse.i32(i32 %a)
; CHECK: call void @__hetckpt_fence_device()
; CHECK: call void @__hetckpt_fence_block()
; CHECK: call void @__hetckpt_fence_system()
; CHECK: ret void
define ptx_kernel void @known(ptr %p, i32 %a, float %f) {
  %lane = call i32 asm "mov.u32 $0, %laneid;", "=r"()
  store volatile i32 %lane, ptr %p
  %time = call i64 asm sideeffect "mov.u64 $0, %globaltimer;", "=l"()
  store volatile i64 %time, ptr %p
  %bits = call i32 asm "mov.b32 $0, $1;", "=r,f"(float %f)
  store volatile i32 %bits, ptr %p
  %hex = call i32 asm "xor.b32 $0, $1, 0xffffffff;", "=r,r"(i32 %a)
  store volatile i32 %hex, ptr %p
  %brev = call i32 asm "brev.b32 $0, $1;", "=r,r"(i32 %a)
  store volatile i32 %brev, ptr %p
  call void asm sideeffect "membar.gl;", "~{memory}"()
  call void asm sideeffect "fence.acq_rel.cta;", "~{memory}"()
  call void asm sideeffect "fence.sc.sys;", "~{memory}"()
  ret void
}

; Floating point: registers declared in blocks, halves of words, approximate instructions by
; their neutral names. The CPU flushes by function, a snippet by instruction: there none.
; SCOPE-LABEL: kernel floating: thread scope
; CHECK-LABEL: @floating(
; CHECK-NOT: asm
; CHECK: trunc i32 %a to i16
; CHECK: lshr i32 %a, 16
; CHECK: fpext half
; CHECK: fmul float
; CHECK: call float @__hetckpt_nvvm_lg2_approx_ftz_f(float
; CHECK: fptrunc float {{.*}} to half
; CHECK: or i32
; CHECK: call bfloat @__hetckpt_nvvm_tanh_approx_bf16(bfloat
; CHECK: call bfloat @__hetckpt_nvvm_tanh_approx_bf16(bfloat
; CHECK: call float @__hetckpt_nvvm_div_full_ftz(float %f, float %f)
; CHECK: call double @__hetckpt_nvvm_rcp_approx_ftz_d(double %d)
; CHECK: ret void
define ptx_kernel void @floating(ptr %p, i32 %a, float %f, double %d) {
  %half = call i32 asm "{.reg.b16 hl, hu; .reg.b32 f;\0A mov.b32 {hl, hu}, $1;\0A cvt.f32.f16 f, hl;\0A mul.f32 f, f, f;\0A lg2.approx.ftz.f32 f, f;\0A {.reg.b16 r;\0A cvt.rn.f16.f32 r, f;\0A mov.b32 $0, {r, hu};\0A}\0A}", "=r,r"(i32 %a)
  store volatile i32 %half, ptr %p
  %pair = call i32 asm "tanh.approx.bf16x2 $0, $1;", "=r,r"(i32 %a)
  store volatile i32 %pair, ptr %p
  %div = call float asm "div.full.ftz.f32\09$0, $1, $1;", "=f,f"(float %f)
  store volatile float %div, ptr %p
  %rcp = call double asm "rcp.approx.ftz.f64 $0, $1;", "=d,d"(double %d)
  store volatile double %rcp, ptr %p
  ret void
}

; SCOPE-LABEL: kernel flushing: cannot pause: inline assembly
; SCOPE-LABEL: kernel hidden: cannot pause: inline assembly
; SCOPE-LABEL: kernel unrounded: cannot pause: inline assembly
; CHECK-LABEL: @flushing(
; CHECK: asm
; CHECK-LABEL: @hidden(
; CHECK: asm
; CHECK-LABEL: @unrounded(
; CHECK: asm
define ptx_kernel void @flushing(ptr %p, float %f) "denormal-fp-math-f32"="preserve-sign,preserve-sign" {
  %r = call float asm "mul.f32 $0, $1, $1;", "=f,f"(float %f)
  store volatile float %r, ptr %p
  ret void
}
define ptx_kernel void @hidden(ptr %p, i32 %a) {
  %r = call i32 asm "{.reg.b32 x; mov.b32 x, $1; {.reg.b32 x; mov.b32 x, 0;} mov.b32 $0, x;}", "=r,r"(i32 %a)
  store volatile i32 %r, ptr %p
  ret void
}
define ptx_kernel void @unrounded(ptr %p, float %f) {
  %r = call float asm "add.f32 $0, $1, $1;", "=f,f"(float %f)
  store volatile float %r, ptr %p
  ret void
}

; Amounts of shifts, counts of bits and positions of fields have 32 bits whatever the
; type; a shift by the width or more gives zeros or signs.
; SCOPE-LABEL: kernel counts: thread scope
; CHECK-LABEL: @counts(
; CHECK: [[BIG:%.*]] = icmp uge i32 %a, 64
; CHECK: [[AMOUNT:%.*]] = select i1 [[BIG]], i32 63, i32 %a
; CHECK: [[WIDE:%.*]] = zext i32 [[AMOUNT]] to i64
; CHECK: [[LEFT:%.*]] = shl i64 %b, [[WIDE]]
; CHECK: select i1 [[BIG]], i64 0, i64 [[LEFT]]
; CHECK: icmp uge i32 %a, 16
; CHECK: ashr i16 %c
; CHECK-NOT: select i1 {{.*}}, i16 0
; CHECK: [[ONES:%.*]] = call i64 @llvm.ctpop.i64(i64 %b)
; CHECK: trunc i64 [[ONES]] to i32
; CHECK: [[ZEROS:%.*]] = call i64 @llvm.ctlz.i64(i64 %b, i1 false)
; CHECK: trunc i64 [[ZEROS]] to i32
; CHECK: call i64 @__hetckpt_nvvm_bfe_u64(i64 %b, i32 %a, i32 7)
; CHECK: ret void
define ptx_kernel void @counts(ptr %p, i32 %a, i64 %b, i16 %c) {
  %shl = call i64 asm "shl.b64 $0, $1, $2;", "=l,l,r"(i64 %b, i32 %a)
  store volatile i64 %shl, ptr %p
  %shr = call i16 asm "shr.s16 $0, $1, $2;", "=h,h,r"(i16 %c, i32 %a)
  store volatile i16 %shr, ptr %p
  %popc = call i32 asm "popc.b64 $0, $1;", "=r,l"(i64 %b)
  store volatile i32 %popc, ptr %p
  %clz = call i32 asm "clz.b64 $0, $1;", "=r,l"(i64 %b)
  store volatile i32 %clz, ptr %p
  %bfe = call i64 asm "bfe.u64 $0, $1, $2, 7;", "=l,l,r"(i64 %b, i32 %a)
  store volatile i64 %bfe, ptr %p
  ret void
}

; The carry goes from one instruction of a snippet to the next.
; SCOPE-LABEL: kernel carries: thread scope
; CHECK-LABEL: @carries(
; CHECK: [[SUM:%.*]] = add i32 %a, %b
; CHECK: [[CARRY:%.*]] = icmp ult i32 [[SUM]], %a
; CHECK: [[NEXT:%.*]] = add i32 %a, 0
; CHECK: [[ONE:%.*]] = zext i1 [[CARRY]] to i32
; CHECK: add i32 [[NEXT]], [[ONE]]
; CHECK: ret void
define ptx_kernel void @carries(ptr %p, i32 %a, i32 %b) {
  %r = call { i32, i32 } asm "add.cc.u32 $0, $2, $3; addc.u32 $1, $2, 0;", "=&r,=&r,r,r"(i32 %a, i32 %b)
  store volatile { i32, i32 } %r, ptr %p
  ret void
}

; SCOPE-LABEL: kernel product: thread scope
; CHECK-LABEL: @product(
; CHECK: [[W:%.*]] = mul i64
; CHECK: [[H:%.*]] = lshr i64 [[W]], 32
; CHECK: trunc i64 [[H]] to i32
define ptx_kernel void @product(ptr %p, i32 %a) {
  %r = call i32 asm "mul.hi.s32 $0, $1, $1;", "=r,r"(i32 %a)
  store i32 %r, ptr %p
  ret void
}

; A tied operand is read and written under one name.
; SCOPE-LABEL: kernel tied: thread scope
; CHECK-LABEL: @tied(
; CHECK: add i32 %a, -5
define ptx_kernel void @tied(ptr %p, i32 %a) {
  %r = call i32 asm "add.s32 $0, $0, -5;", "=r,0"(i32 %a)
  store i32 %r, ptr %p
  ret void
}

; A carry that another snippet left.
; SCOPE-LABEL: kernel foreign_carry: cannot pause: inline assembly that has no neutral form
; CHECK-LABEL: @foreign_carry(
; CHECK: call i32 asm sideeffect "addc.u32
define ptx_kernel void @foreign_carry(ptr %p, i32 %a) {
  %r = call i32 asm sideeffect "add.cc.u32 $0, $1, $1;", "=r,r"(i32 %a)
  %s = call i32 asm sideeffect "addc.u32 $0, $1, 0;", "=r,r"(i32 %r)
  store i32 %s, ptr %p
  ret void
}

; Modifiers that change what is computed.
; SCOPE-LABEL: kernel saturates: cannot pause: inline assembly
; CHECK-LABEL: @saturates(
; CHECK: asm "add.sat.s32
define ptx_kernel void @saturates(ptr %p, i32 %a) {
  %r = call i32 asm "add.sat.s32 $0, $1, $1;", "=r,r"(i32 %a)
  store i32 %r, ptr %p
  ret void
}

; SCOPE-LABEL: kernel relu: cannot pause: inline assembly
define ptx_kernel void @relu(ptr %p, i32 %a) {
  %r = call i32 asm "max.relu.s32 $0, $1, $1;", "=r,r"(i32 %a)
  store i32 %r, ptr %p
  ret void
}

; SCOPE-LABEL: kernel wide: thread scope
; CHECK-LABEL: @wide(
; CHECK: [[W:%.*]] = zext i32 %a to i64
; CHECK: mul i64 [[W]],
define ptx_kernel void @wide(ptr %p, i32 %a) {
  %r = call i64 asm "mul.wide.u32 $0, $1, $1;", "=l,r"(i32 %a)
  store i64 %r, ptr %p
  ret void
}

; Fences that are not about memory alone.
; SCOPE-LABEL: kernel proxy: cannot pause: inline assembly
; CHECK-LABEL: @proxy(
; CHECK: asm sideeffect "fence.proxy.async
define ptx_kernel void @proxy() {
  call void asm sideeffect "fence.proxy.async;", "~{memory}"()
  ret void
}

; Operands of another width than the instruction's, and addresses.
; SCOPE-LABEL: kernel narrow: cannot pause: inline assembly
define ptx_kernel void @narrow(ptr %p, i64 %b) {
  %r = call i32 asm "mov.u32 $0, $1;", "=r,l"(i64 %b)
  store i32 %r, ptr %p
  ret void
}

; SCOPE-LABEL: kernel result: cannot pause: inline assembly
define ptx_kernel void @result(ptr %p) {
  %r = call i32 asm "mov.u64 $0, %globaltimer;", "=r"()
  store i32 %r, ptr %p
  ret void
}

; SCOPE-LABEL: kernel address: cannot pause: inline assembly
; CHECK-LABEL: @address(
; CHECK: asm "mov.u64
define ptx_kernel void @address(ptr %p) {
  %r = call i64 asm "mov.u64 $0, $1;", "=l,l"(ptr %p)
  store i64 %r, ptr %p
  ret void
}

; Block and thread numbers of the hardware's are not the kernel's; a predicate from nowhere,
; registers of its own.
; SCOPE-LABEL: kernel block_id: cannot pause: inline assembly
define ptx_kernel void @block_id(ptr %p) {
  %r = call i32 asm "mov.u32 $0, %ctaid.x;", "=r"()
  store i32 %r, ptr %p
  ret void
}

; SCOPE-LABEL: kernel predicate: cannot pause: inline assembly
define ptx_kernel void @predicate(ptr %p, i32 %a) {
  %r = call i32 asm "@p add.u32 $0, $1, 1;", "=r,r"(i32 %a)
  store i32 %r, ptr %p
  ret void
}

; SCOPE-LABEL: kernel register: thread scope
define ptx_kernel void @register(ptr %p, i32 %a) {
  %r = call i32 asm "{ .reg .u32 t; add.u32 t, $1, 1; mov.u32 $0, t; }", "=r,r"(i32 %a)
  store i32 %r, ptr %p
  ret void
}

; Memory: with an order a pair is one access; past the caches it may be a wait.
; SCOPE-LABEL: kernel memory: thread scope
; CHECK-LABEL: @memory(
; CHECK-NOT: asm
; CHECK: load volatile i32, ptr addrspace(1)
; CHECK: load <2 x i64>, ptr addrspace(1) {{.*}}align 16, !invariant.load
; CHECK: [[BOTH:%.*]] = load atomic i64, ptr %p syncscope("device") monotonic
; CHECK: lshr i64 [[BOTH]], 32
; CHECK: store atomic i32 {{.*}} syncscope("block") release
; CHECK: call void @__hetckpt_fence_device()
; CHECK: [[OLD:%.*]] = atomicrmw umax ptr {{.*}}, i32 %a syncscope("device") monotonic
; CHECK: call void @__hetckpt_fence_device()
; CHECK: cmpxchg ptr addrspace(1)
; CHECK: atomicrmw fadd ptr {{.*}}, float %f monotonic
; CHECK: ret void
define ptx_kernel void @memory(ptr %p, i32 %a, float %f) {
  %r = call i32 asm sideeffect "ld.volatile.global.u32 $0, [$1];", "=r,l"(ptr %p)
  store volatile i32 %r, ptr %p
  %n = call {i64, i64} asm sideeffect "ld.global.nc.L1::no_allocate.v2.u64 {$0, $1}, [$2+16];", "=l,=l,l"(ptr %p)
  %n1 = extractvalue {i64, i64} %n, 1
  store volatile i64 %n1, ptr %p
  %v = call {i32, i32} asm sideeffect "ld.relaxed.gpu.v2.u32 {$0, $1}, [$2];", "=r,=r,l,~{memory}"(ptr %p)
  %v1 = extractvalue {i32, i32} %v, 1
  store volatile i32 %v1, ptr %p
  call void asm sideeffect "st.release.cta.u32 [$0], $1;", "l,r,~{memory}"(ptr %p, i32 %a)
  %m = call i32 asm sideeffect "atom.acq_rel.gpu.max.u32 $0, [$1], $2;", "=r,l,r,~{memory}"(ptr %p, i32 %a)
  store volatile i32 %m, ptr %p
  %c = call i64 asm sideeffect "atom.global.cas.b64 $0, [$1], $2, $3;", "=l,l,l,l,~{memory}"(ptr %p, i64 1, i64 2)
  store volatile i64 %c, ptr %p
  call void asm sideeffect "red.relaxed.sys.add.f32 [$0], $1;", "l,f,~{memory}"(ptr %p, float %f)
  ret void
}

; Two words of 64 bits at once, and what no instruction here does at once; memory with no address
; of its own.
; SCOPE-LABEL: kernel both: thread scope
; CHECK-LABEL: @both(
; CHECK: [[BOTH:%.*]] = load atomic i128, ptr %p syncscope("device") monotonic, align 16
; CHECK: lshr i128 [[BOTH]], 64
; CHECK: store atomic i128 {{.*}} syncscope("device") release, align 16
define ptx_kernel void @both(ptr %p) {
  %v = call {i64, i64} asm sideeffect "ld.relaxed.gpu.v2.u64 {$0, $1}, [$2];", "=l,=l,l,~{memory}"(ptr %p)
  %v0 = extractvalue {i64, i64} %v, 0
  %v1 = extractvalue {i64, i64} %v, 1
  call void asm sideeffect "st.release.gpu.v2.u64 [$0], {$1, $2};", "l,l,l,~{memory}"(ptr %p, i64 %v1, i64 %v0)
  ret void
}

; SCOPE-LABEL: kernel large: cannot pause: inline assembly that has no neutral form (ld.relaxed.gpu.v4.u64
define ptx_kernel void @large(ptr %p) {
  %v = call {i64, i64, i64, i64} asm sideeffect "ld.relaxed.gpu.v4.u64 {$0, $1, $2, $3}, [$4];", "=l,=l,=l,=l,l,~{memory}"(ptr %p)
  %v1 = extractvalue {i64, i64, i64, i64} %v, 1
  store i64 %v1, ptr %p
  ret void
}

; SCOPE-LABEL: kernel local: cannot pause: inline assembly
define ptx_kernel void @local(ptr %p) {
  %r = call i32 asm sideeffect "ld.local.u32 $0, [$1];", "=r,l"(ptr %p)
  store i32 %r, ptr %p
  ret void
}

; Bits: tables, bytes by number, fields, masks; guards choose between old and new.
; SCOPE-LABEL: kernel bits: thread scope
; CHECK-LABEL: @bits(
; CHECK-NOT: asm
; CHECK: [[P:%.*]] = icmp slt i32 %a, %b
; CHECK: [[NOT:%.*]] = xor i32
; CHECK: select i1 [[P]], i32 {{.*}}, i32 [[NOT]]
; CHECK: ret void
define ptx_kernel void @bits(ptr %p, i32 %a, i32 %b) {
  %g = call i32 asm "{.reg .pred p; setp.lt.s32 p, $1, $2; add.u32 $0, $1, $2; @!p not.b32 $0, $0;}", "=r,r,r"(i32 %a, i32 %b)
  store volatile i32 %g, ptr %p
  %l = call i32 asm "lop3.b32 $0, $1, $2, $1, 0xEA;", "=r,r,r"(i32 %a, i32 %b)
  store volatile i32 %l, ptr %p
  %m = call i32 asm "prmt.b32 $0, $1, $2, 0x3210;", "=r,r,r"(i32 %a, i32 %b)
  store volatile i32 %m, ptr %p
  %i = call i32 asm "bfi.b32 $0, $1, $2, 8, 4;", "=r,r,r"(i32 %a, i32 %b)
  store volatile i32 %i, ptr %p
  %k = call i32 asm "bmsk.clamp.b32 $0, $1, $2;", "=r,r,r"(i32 %a, i32 %b)
  store volatile i32 %k, ptr %p
  %c = call i64 asm "cvt.s64.s32 $0, $1;", "=l,r"(i32 %a)
  store volatile i64 %c, ptr %p
  ret void
}

; A guard on what does more than compute, a table that is not known.
; SCOPE-LABEL: kernel guards: cannot pause: inline assembly
; CHECK-LABEL: @guards(
; CHECK: asm
; CHECK: asm
define ptx_kernel void @guards(ptr %p, i32 %a) {
  call void asm sideeffect "{.reg .pred p; setp.ne.u32 p, $1, 0; @p st.global.u32 [$0], $1;}", "l,r,~{memory}"(ptr %p, i32 %a)
  %l = call i32 asm "lop3.b32 $0, $1, $1, $1, $2;", "=r,r,r"(i32 %a, i32 %a)
  store volatile i32 %l, ptr %p
  ret void
}

; What libdevice and clang's headers write as assembly: shifts of two words, halves of 64
; bits in registers of the snippet's own, approximations, exact differences, a selection.
; SCOPE-LABEL: kernel library: thread scope
; CHECK-LABEL: @library(
; CHECK-NOT: asm
; CHECK: call i32 @llvm.fshl.i32(i32 %b, i32 %a, i32 5)
; CHECK: call i32 @llvm.fshr.i32(i32 %b, i32 %a, i32 %b)
; CHECK: [[MOST:%.*]] = call i32 @llvm.umin.i32(i32 %a, i32 32)
; CHECK: zext i32 [[MOST]] to i64
; CHECK: lshr i64
; CHECK: [[LOW:%.*]] = trunc i64 %w to i32
; CHECK: [[UPPER:%.*]] = lshr i64 %w, 32
; CHECK: [[HIGH:%.*]] = trunc i64 [[UPPER]] to i32
; CHECK: add i32 [[LOW]], %a
; CHECK: call float @__hetckpt_nvvm_rcp_approx_ftz_f(float %f)
; CHECK: call double @__hetckpt_nvvm_rsqrt_approx_ftz_d(double %d)
; CHECK: fsub float %f, %f
; CHECK: [[ZEROS:%.*]] = call i32 @llvm.ctlz.i32(i32 %a, i1 false)
; CHECK: [[NONE:%.*]] = icmp eq i32 %a, 0
; CHECK: select i1 [[NONE]], i32 -1, i32 [[ZEROS]]
; CHECK: [[SAME:%.*]] = fcmp ueq double %d, %d
; CHECK: select i1 [[SAME]], double %d, double %d
; CHECK: ret void
define ptx_kernel void @library(ptr %p, i32 %a, i32 %b, i64 %w, float %f, double %d) {
  %left = call i32 asm "shf.l.wrap.b32 $0, $1, $2, $3;", "=r,r,r,r"(i32 %a, i32 %b, i32 5)
  store volatile i32 %left, ptr %p
  %right = call i32 asm "shf.r.wrap.b32 $0, $1, $2, $3;", "=r,r,r,r"(i32 %a, i32 %b, i32 %b)
  store volatile i32 %right, ptr %p
  %clamp = call i32 asm "shf.r.clamp.b32 $0, $1, $2, $3;", "=r,r,r,r"(i32 %a, i32 %b, i32 %a)
  store volatile i32 %clamp, ptr %p
  %pair = call i64 asm "{\0A\09.reg .u32 r0, r1;\0A\09mov.b64   {r0,r1}, $1;\0A\09add.cc.u32  r0, r0, $2;\0A\09addc.u32 r1, r1, 0;\0A\09mov.b64 $0, {r0,r1};\0A\09}", "=l,l,r"(i64 %w, i32 %a)
  store volatile i64 %pair, ptr %p
  %rcp = call float asm "rcp.approx.ftz.f32 $0,$1;", "=f,f"(float %f)
  store volatile float %rcp, ptr %p
  %rsqrt = call double asm "rsqrt.approx.ftz.f64 $0, $1;", "=d,d"(double %d)
  store volatile double %rsqrt, ptr %p
  %sub = call float asm "sub.rn.f32 $0, $1, $2;", "=f,f,f"(float %f, float %f)
  store volatile float %sub, ptr %p
  %find = call i32 asm "bfind.shiftamt.u32 $0, $1;", "=r,r"(i32 %a)
  store volatile i32 %find, ptr %p
  %choice = call double asm "{ .reg .pred __$$t;\0A  setp.equ.f64 __$$t, $1, $2;\0A  selp.f64 $0, $3, $4, __$$t;}", "=d,d,d,d,d"(double %d, double %d, double %d, double %d)
  store volatile double %choice, ptr %p
  ret void
}

; A name that is declared in two scopes, one that is never written.
; SCOPE-LABEL: kernel scopes: cannot pause: inline assembly
; CHECK-LABEL: @scopes(
; CHECK: asm
; CHECK: asm
define ptx_kernel void @scopes(ptr %p, i32 %a) {
  %twice = call i32 asm "{.reg .u32 r; mov.u32 r, $1; {.reg .u32 r; mov.u32 r, 1;} mov.u32 $0, r;}", "=r,r"(i32 %a)
  store volatile i32 %twice, ptr %p
  %never = call i32 asm "{.reg .u32 s; mov.u32 $0, s;}", "=r"()
  store volatile i32 %never, ptr %p
  ret void
}
