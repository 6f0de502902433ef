; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Three kernels from one: what each sees of the launch.
; RUN: %opt -hetckpt-poll-stride=4 -passes='hetckpt-instrument,verify' -S %s | FileCheck %s
; RUN: %opt -hetckpt-poll-stride=4 -passes='hetckpt-instrument,verify' -S %s | FileCheck %s --check-prefix=NONE
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()

; Bounds, parameters and their attributes go to both variants, and the launch record comes
; last, by value.
; CHECK: define ptx_kernel void @ids(ptr noalias %p, i32 %n, ptr byval(i64) align 8 %s) [[ATTRS:#[0-9]+]]
; CHECK: %x = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
; CHECK: %g = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.y()
;
; The run variant: logical block = base + hardware block; the grid is the launch's.
; CHECK: define ptx_kernel void @__hetckpt_run_ids(ptr noalias %p, i32 %n, ptr {{.*}}byval(i64) align 8 %s, ptr noundef readonly byval([80 x i8]) align 8 %launch) [[ATTRS]]
; CHECK: [[ENTER:%.*]] = call i32 @__hetckpt_poll_entry(
; CHECK-NEXT: switch i32 [[ENTER]], label %{{.*}} [
; CHECK-NEXT: i32 1, label
; CHECK-NEXT: i32 2, label
; CHECK: [[BASEX:%.*]] = getelementptr inbounds nuw i8, ptr %launch, i64 52
; CHECK-NEXT: [[BX:%.*]] = load i32, ptr [[BASEX]]
; CHECK-NEXT: [[HX:%.*]] = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
; CHECK-NEXT: [[X:%.*]] = add i32 [[BX]], [[HX]]
; CHECK: [[BASEZ:%.*]] = getelementptr inbounds nuw i8, ptr %launch, i64 60
; CHECK-NEXT: [[BZ:%.*]] = load i32, ptr [[BASEZ]]
; CHECK-NEXT: [[HZ:%.*]] = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
; CHECK-NEXT: [[Z:%.*]] = add i32 [[BZ]], [[HZ]]
; CHECK: [[GRIDY:%.*]] = getelementptr inbounds nuw i8, ptr %launch, i64 44
; CHECK-NEXT: load i32, ptr [[GRIDY]]
; CHECK-NOT: sreg.nctaid
;
; The resume variant: the block that its entry of the list names; one-dimensional.
; CHECK: define ptx_kernel void @__hetckpt_resume_ids(ptr noalias %p, i32 %n, {{.*}} %launch) [[ATTRS]]
; CHECK: [[H:%.*]] = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
; CHECK-NEXT: [[LISTP:%.*]] = getelementptr inbounds nuw i8, ptr %launch, i64 24
; CHECK-NEXT: [[LIST:%.*]] = load i64, ptr [[LISTP]]
; CHECK-NEXT: [[H64:%.*]] = zext nneg i32 [[H]] to i64
; CHECK-NEXT: [[OFFSET:%.*]] = shl nuw nsw i64 [[H64]], 3
; CHECK-NEXT: [[AT:%.*]] = add i64 [[LIST]], [[OFFSET]]
; CHECK-NEXT: [[REF:%.*]] = inttoptr i64 [[AT]] to ptr addrspace(1)
; CHECK-NEXT: %logical = load i32, ptr addrspace(1) [[REF]]
; CHECK: [[GROUPP:%.*]] = getelementptr inbounds nuw i8, ptr addrspace(1) [[REF]], i64 4
; CHECK: [[GROUP:%.*]] = load i32, ptr addrspace(1) [[GROUPP]]
; CHECK: %block.x = urem i32 %logical, [[GX:%.*]]
; CHECK: [[REST:%.*]] = udiv i32 %logical, [[GX]]
; CHECK: %block.y = urem i32 [[REST]], [[GY:%.*]]
; CHECK: %block.z = udiv i32 [[REST]], [[GY]]
; CHECK: [[FRESH:%.*]] = icmp eq i32 [[GROUP]], -1
; CHECK-NEXT: br i1 [[FRESH]], label %fresh, label %framed
; CHECK-NOT: sreg.ctaid
; CHECK: {{^}}declare
define ptx_kernel void @ids(ptr noalias %p, i32 %n, ptr byval(i64) align 8 %s) #0 {
entry:
  %x = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %z = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
  %g = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.y()
  store volatile i32 %x, ptr %p
  store volatile i32 %z, ptr %p
  store volatile i32 %g, ptr %p
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ]
  store volatile i32 %i, ptr %p
  %j = add i32 %i, 1
  %go = icmp ult i32 %j, %n
  br i1 %go, label %loop, label %out
out:
  ret void
}

; A kernel without polls has a run variant, for slices, and no resume variant: once begun, its blocks
; run to their end. They look whether to begin only if the launch names a flag.
; NONE: define ptx_kernel void @short(
; NONE-NOT: {{run|resume}}_refused
; NONE: define ptx_kernel void @__hetckpt_run_short(
; NONE-NEXT: entry:
; NONE-NEXT: [[FLAGS:%.*]] = load i64, ptr %launch
; NONE-NEXT: [[NOBODY:%.*]] = icmp eq i64 [[FLAGS]], 0
; NONE-NEXT: br i1 [[NOBODY]], label %[[BEGIN:.*]], label %look, !prof
; NONE: look:
; NONE-NEXT: [[ENTER:%.*]] = call i32 @__hetckpt_poll_entry(
; NONE-NEXT: icmp eq i32 [[ENTER]], 1
; NONE-NOT: poll_{{thread|warp|block}}
; NONE: {{^}}}
; NONE-NOT: define {{.*}}resume_short
define ptx_kernel void @short(ptr %p) {
  store i32 1, ptr %p
  ret void
}

; One that cannot pause stays alone.
; NONE-NOT: {{run|resume}}_refused
define ptx_kernel void @refused(ptr %p) {
  %a = alloca i32
  store ptr %a, ptr %p
  ret void
}

; A device function is no kernel.
; NONE-NOT: @__hetckpt_run_function
define void @function(ptr %p) {
  store i32 1, ptr %p
  ret void
}

attributes #0 = { "nvvm.maxntid"="128" "nvvm.minctasm"="2" }
; CHECK: attributes [[ATTRS]] = {{.*}}"nvvm.maxntid"="128" "nvvm.minctasm"="2"
