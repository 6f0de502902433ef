; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; What users are told, to the letter.
; RUN: %opt -hetckpt-poll-stride=4 -passes=hetckpt -pass-remarks=hetckpt -pass-remarks-missed=hetckpt -disable-output %s 2>&1 | FileCheck %s
; RUN: %opt -passes=hetckpt -disable-output %s 2>&1 | FileCheck %s --check-prefix=QUIET --allow-empty
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
; QUIET-NOT: remark
; QUIET-NOT: warning

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)

; Before anything else, of @calls:
; CHECK: remark: <unknown>:0:0: a call through a pointer always fails: no function of this file can be behind it

; CHECK: remark: <unknown>:0:0: simple can pause: thread scope, 1 safepoints, 4 bytes a thread
define ptx_kernel void @simple(ptr %p, i32 %n) {
entry:
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

; Where the loop stands in the source, and why it has no safepoint.
; CHECK: remark: chain.cu:12:3: no safepoint in this loop: the threads of the block are not together in it
; CHECK: remark: chain.cu:7:0: chain can pause: block scope, 0 safepoints, 0 bytes a thread
define ptx_kernel void @chain(ptr %p, i32 %n) !dbg !3 {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x(), !dbg !6
  br label %loop, !dbg !6
loop:
  %i = phi i32 [ %t, %entry ], [ %x, %loop ]
  %e = getelementptr i32, ptr %p, i32 %i, !dbg !7
  %x = load i32, ptr %e, !dbg !7
  store volatile i32 %x, ptr %e, !dbg !7
  %go = icmp ult i32 %x, %n, !dbg !7
  br i1 %go, label %loop, label %after, !dbg !6
after:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0), !dbg !6
  ret void, !dbg !6
}

; CHECK: remark: <unknown>:0:0: no safepoint in this loop: waits on memory where the block's threads are apart
; CHECK: remark: <unknown>:0:0: apart has no polls: it waits on memory where a pause would hang; it pauses between kernels
; CHECK: remark: <unknown>:0:0: apart can pause: block scope, 0 safepoints, 0 bytes a thread
define ptx_kernel void @apart(ptr %p, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br i1 %first, label %spin, label %meet
spin:
  %x = load volatile i32, ptr %p
  %go = icmp eq i32 %x, 0
  br i1 %go, label %spin, label %meet
meet:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
}

; CHECK: remark: <unknown>:0:0: calls can pause: thread scope
define ptx_kernel void @calls(ptr %p) {
  call void %p()
  ret void
}

; CHECK: remark: <unknown>:0:0: escapes cannot pause inside: an address of private or shared memory is stored in memory
define ptx_kernel void @escapes(ptr %p) {
  %a = alloca i32
  store ptr %a, ptr %p
  ret void
}
; CHECK-NOT: remark

!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!2}
!0 = distinct !DICompileUnit(language: DW_LANG_C_plus_plus, file: !1, isOptimized: true, runtimeVersion: 0, emissionKind: LineTablesOnly)
!1 = !DIFile(filename: "chain.cu", directory: "/")
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = distinct !DISubprogram(name: "chain", file: !1, line: 7, type: !4, scopeLine: 7, spFlags: DISPFlagDefinition | DISPFlagOptimized, unit: !0)
!4 = !DISubroutineType(types: !5)
!5 = !{}
!6 = !DILocation(line: 12, column: 3, scope: !3)
!7 = !DILocation(line: 13, column: 5, scope: !3)
