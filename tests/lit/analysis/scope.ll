; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; The pause scope of a kernel, or why it cannot pause.
; RUN: %opt -passes='print<hetckpt-scope>' -disable-output %s | FileCheck %s
target triple = "nvptx64-nvidia-cuda"

@tile = internal addrspace(3) global [32 x float] undef
@dynamic = external addrspace(3) global [0 x float]

; CHECK-LABEL: kernel alone: thread scope
define ptx_kernel void @alone(ptr %p) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %q = getelementptr i32, ptr %p, i32 %t
  %old = atomicrmw add ptr %q, i32 1 syncscope("device") monotonic
  ret void
}

; CHECK-LABEL: kernel votes: warp scope
define ptx_kernel void @votes(ptr %p) {
  %v = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 true)
  store i32 %v, ptr %p
  ret void
}

; CHECK-LABEL: kernel masked: warp scope
define ptx_kernel void @masked(ptr %p, i32 %m) {
  call void @llvm.nvvm.bar.warp.sync(i32 %m)
  ret void
}

; CHECK-LABEL: kernel barrier: block scope
define ptx_kernel void @barrier(ptr %p) {
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
}

; Through a function: all calls are inlined first.
; CHECK-LABEL: kernel called: block scope
define ptx_kernel void @called(ptr %p) {
  call void @helper()
  ret void
}
define internal void @helper() noinline {
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
}

; CHECK-LABEL: kernel named: block scope
define ptx_kernel void @named(ptr %p) {
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64)
  ret void
}

; Shared memory without a barrier still belongs to the block.
; CHECK-LABEL: kernel static: block scope
define ptx_kernel void @static(ptr %p) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %q = getelementptr float, ptr addrspacecast (ptr addrspace(3) @tile to ptr), i32 %t
  store float 1.0, ptr %q
  ret void
}

; CHECK-LABEL: kernel external: block scope
define ptx_kernel void @external(ptr %p) {
  store float 1.0, ptr addrspace(3) @dynamic
  ret void
}

; CHECK-LABEL: kernel async: block scope
define ptx_kernel void @async(ptr addrspace(1) %p) {
  call void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3) @tile, ptr addrspace(1) %p)
  call void @llvm.nvvm.cp.async.wait.all()
  ret void
}

; CHECK-LABEL: kernel prints: thread scope
define ptx_kernel void @prints(ptr %p) {
  %r = call i32 @vprintf(ptr %p, ptr null)
  ret void
}

; CHECK-LABEL: kernel asm_known: thread scope
define ptx_kernel void @asm_known(ptr %p) {
  %r = call i32 asm "mov.u32 $0, %laneid;", "=r"()
  store i32 %r, ptr %p
  ret void
}

; CHECK-LABEL: kernel asm_unknown: cannot pause: inline assembly that has no neutral form
define ptx_kernel void @asm_unknown(ptr %p) {
  call void asm sideeffect "bar.sync 0;", ""()
  ret void
}

; CHECK-LABEL: kernel indirect: cannot pause: an indirect call
define ptx_kernel void @indirect(ptr %p) {
  call void %p()
  ret void
}

; CHECK-LABEL: kernel recursive: cannot pause: a recursive call of recurse
define ptx_kernel void @recursive(ptr %p) {
  call void @recurse(i32 3)
  ret void
}
define internal void @recurse(i32 %n) {
  %done = icmp eq i32 %n, 0
  br i1 %done, label %out, label %more
more:
  %m = sub i32 %n, 1
  call void @recurse(i32 %m)
  br label %out
out:
  ret void
}

; CHECK-LABEL: kernel elsewhere: cannot pause: a call of other, which another translation unit defines
define ptx_kernel void @elsewhere(ptr %p) {
  call void @other()
  ret void
}

; CHECK-LABEL: kernel heap: thread scope
define ptx_kernel void @heap(ptr %p) {
  %m = call ptr addrspace(1) @__hetckpt_heap_malloc(i64 0, i64 8)
  store ptr addrspace(1) %m, ptr %p
  ret void
}

; CHECK-LABEL: kernel launches: cannot pause: dynamic parallelism
define ptx_kernel void @launches(ptr %p) {
  %r = call i32 @cudaLaunchDeviceV2(ptr %p, ptr null)
  ret void
}

; CHECK-LABEL: kernel matrix: cannot pause: uses matrix fragments (ldmatrix.sync.aligned.m8n8.x1.b16.p3)
define ptx_kernel void @matrix(ptr %p) {
  %r = call i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p3(ptr addrspace(3) @tile)
  store i32 %r, ptr %p
  ret void
}

; CHECK-LABEL: kernel hardware: cannot pause: uses hardware barrier objects or bulk copies (mbarrier.init)
define ptx_kernel void @hardware(ptr %p) {
  call void @llvm.nvvm.mbarrier.init(ptr %p, i32 1)
  ret void
}

; CHECK-LABEL: kernel cluster: cannot pause: uses thread block clusters (barrier.cluster.arrive)
define ptx_kernel void @cluster(ptr %p) {
  call void @llvm.nvvm.barrier.cluster.arrive()
  ret void
}

; CHECK-LABEL: kernel texture: cannot pause: uses textures or surfaces
define ptx_kernel void @texture(i64 %t, ptr %p) {
  %r = call {float, float, float, float} @llvm.nvvm.tex.unified.1d.v4f32.f32(i64 %t, float 0.0)
  %x = extractvalue {float, float, float, float} %r, 0
  store float %x, ptr %p
  ret void
}

; CHECK-LABEL: kernel computed_goto: cannot pause: control flow that cannot be resumed (indirectbr)
define ptx_kernel void @computed_goto(ptr %p) {
entry:
  indirectbr ptr %p, [label %a, label %b]
a:
  store i32 1, ptr %p
  ret void
b:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.vote.ballot.sync(i32, i1)
declare void @llvm.nvvm.bar.warp.sync(i32)
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.barrier.cta.sync.aligned.count(i32, i32)
declare void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.wait.all()
declare i32 @vprintf(ptr, ptr)
declare void @other()
declare ptr addrspace(1) @__hetckpt_heap_malloc(i64, i64)
declare i32 @cudaLaunchDeviceV2(ptr, ptr)
declare i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p3(ptr addrspace(3))
declare void @llvm.nvvm.mbarrier.init(ptr, i32)
declare void @llvm.nvvm.barrier.cluster.arrive()
declare {float, float, float, float} @llvm.nvvm.tex.unified.1d.v4f32.f32(i64, float)

; Calls that call twice, twenty times over: all of them inlined would be a million.
; CHECK-LABEL: kernel too_much: cannot pause: too much code to inline a call of twice
define ptx_kernel void @too_much(ptr %p) {
  call void @twice0(ptr %p)
  ret void
}
define internal void @twice0(ptr %p) {
  call void @twice1(ptr %p)
  call void @twice1(ptr %p)
  ret void
}
define internal void @twice1(ptr %p) {
  call void @twice2(ptr %p)
  call void @twice2(ptr %p)
  ret void
}
define internal void @twice2(ptr %p) {
  call void @twice3(ptr %p)
  call void @twice3(ptr %p)
  ret void
}
define internal void @twice3(ptr %p) {
  call void @twice4(ptr %p)
  call void @twice4(ptr %p)
  ret void
}
define internal void @twice4(ptr %p) {
  call void @twice5(ptr %p)
  call void @twice5(ptr %p)
  ret void
}
define internal void @twice5(ptr %p) {
  call void @twice6(ptr %p)
  call void @twice6(ptr %p)
  ret void
}
define internal void @twice6(ptr %p) {
  call void @twice7(ptr %p)
  call void @twice7(ptr %p)
  ret void
}
define internal void @twice7(ptr %p) {
  call void @twice8(ptr %p)
  call void @twice8(ptr %p)
  ret void
}
define internal void @twice8(ptr %p) {
  call void @twice9(ptr %p)
  call void @twice9(ptr %p)
  ret void
}
define internal void @twice9(ptr %p) {
  call void @twice10(ptr %p)
  call void @twice10(ptr %p)
  ret void
}
define internal void @twice10(ptr %p) {
  call void @twice11(ptr %p)
  call void @twice11(ptr %p)
  ret void
}
define internal void @twice11(ptr %p) {
  call void @twice12(ptr %p)
  call void @twice12(ptr %p)
  ret void
}
define internal void @twice12(ptr %p) {
  call void @twice13(ptr %p)
  call void @twice13(ptr %p)
  ret void
}
define internal void @twice13(ptr %p) {
  call void @twice14(ptr %p)
  call void @twice14(ptr %p)
  ret void
}
define internal void @twice14(ptr %p) {
  call void @twice15(ptr %p)
  call void @twice15(ptr %p)
  ret void
}
define internal void @twice15(ptr %p) {
  call void @twice16(ptr %p)
  call void @twice16(ptr %p)
  ret void
}
define internal void @twice16(ptr %p) {
  call void @twice17(ptr %p)
  call void @twice17(ptr %p)
  ret void
}
define internal void @twice17(ptr %p) {
  call void @twice18(ptr %p)
  call void @twice18(ptr %p)
  ret void
}
define internal void @twice18(ptr %p) {
  call void @twice19(ptr %p)
  call void @twice19(ptr %p)
  ret void
}
define internal void @twice19(ptr %p) {
  call void @twice20(ptr %p)
  call void @twice20(ptr %p)
  ret void
}
define internal void @twice20(ptr %p) {
  store volatile i32 1, ptr %p
  ret void
}
