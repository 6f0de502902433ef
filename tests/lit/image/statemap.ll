; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; The state map: parameters, safepoints with their source, slots with their variables; the
; same without debug information but for the names.
; RUN: %opt -hetckpt-poll-stride=4 -passes='print<hetckpt-statemap>' -disable-output %s | %python -m json.tool --sort-keys | FileCheck %s
; RUN: %opt -hetckpt-poll-stride=4 -passes='strip,print<hetckpt-statemap>' -disable-output %s | %python -m json.tool --sort-keys | FileCheck %s --check-prefix=STRIPPED
; RUN: %opt -hetckpt-poll-stride=4 -passes=hetckpt -S %s -o %t.ll
; RUN: %image map < %t.ll | %python -m json.tool --sort-keys | FileCheck %s
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()

; CHECK: "abi": 4,
; CHECK: "dynamic_shared": false,
; CHECK-NEXT: "frame_bytes": 24,
; CHECK-NEXT: "hash": "{{[0-9a-f]+}}",
; CHECK-NEXT: "max_threads": 256,
; CHECK-NEXT: "name": "_Z3sumPfi6Packed",
; CHECK-NEXT: "param_bytes": 32,
; CHECK-NEXT: "params": [
; CHECK: "align": 8,
; CHECK-NEXT: "bytes": 8,
; CHECK-NEXT: "offset": 0
; CHECK: "align": 4,
; CHECK-NEXT: "bytes": 4,
; CHECK-NEXT: "offset": 8
; CHECK: "align": 8,
; CHECK-NEXT: "bytes": 16,
; CHECK-NEXT: "offset": 16
; CHECK: "pausable": true,
; CHECK-NEXT: "polls": true,
; CHECK-NEXT: "reason": null,
; CHECK-NEXT: "safepoints": [
; CHECK: "column": 3,
; CHECK-NEXT: "file": "sum.cu",
; CHECK-NEXT: "function": "sum",
; CHECK-NEXT: "id": 1,
; CHECK-NEXT: "kind": "loop",
; CHECK-NEXT: "line": 9,
; CHECK-NEXT: "private": [
; CHECK: "bytes": 12,
; CHECK-NEXT: "class": 8,
; CHECK-NEXT: "index": 0,
; CHECK-NEXT: "name": "own",
; CHECK-NEXT: "object": 0
; CHECK: "slots": [
; CHECK-DAG: "name": "total",
; CHECK-DAG: "name": "i",
; CHECK: "scope": "thread",
; CHECK: "signature": "sum(float*, int, Packed)",
; CHECK: "waits": false
;
; STRIPPED: "file": null,
; STRIPPED-NEXT: "function": "sum(float*, int, Packed)",
; STRIPPED-NEXT: "id": 1,
; STRIPPED: "line": 0,
; STRIPPED: "bytes": 12,
; STRIPPED: "name": null,
; STRIPPED: "slots": [
; STRIPPED: "kind": "value",
; STRIPPED-NEXT: "name": null,
define ptx_kernel void @_Z3sumPfi6Packed(ptr %p, i32 %n, ptr byval([16 x i8]) align 8 %s) #0 !dbg !3 {
entry:
  %own = alloca [3 x float], align 4, !dbg !12
    #dbg_declare(ptr %own, !11, !DIExpression(), !12)
  %k = zext i32 %n to i64, !dbg !12
  %at = getelementptr float, ptr %own, i64 %k, !dbg !12
  store float 1.0, ptr %at, !dbg !12
  br label %loop, !dbg !12
loop:
  %i = phi i32 [ 0, %entry ], [ %j, %loop ], !dbg !12
  %t = phi float [ 0.0, %entry ], [ %u, %loop ], !dbg !12
    #dbg_value(i32 %i, !8, !DIExpression(), !12)
    #dbg_value(float %t, !9, !DIExpression(), !12)
  %e = getelementptr float, ptr %p, i32 %i, !dbg !13
  %x = load float, ptr %e, !dbg !13
  %u = fadd float %t, %x, !dbg !13
  %j = add i32 %i, 1, !dbg !12
  %go = icmp ult i32 %j, %n, !dbg !12
  br i1 %go, label %loop, label %out, !dbg !12
out:
  %y = load float, ptr %own, !dbg !13
  %z = fadd float %y, %u, !dbg !13
  store float %z, ptr %p, !dbg !13
  ret void, !dbg !13
}

attributes #0 = { "nvvm.maxntid"="64,4" }
!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!2}
!0 = distinct !DICompileUnit(language: DW_LANG_C_plus_plus, file: !1, isOptimized: true, runtimeVersion: 0, emissionKind: FullDebug)
!1 = !DIFile(filename: "sum.cu", directory: "/")
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = distinct !DISubprogram(name: "sum", linkageName: "_Z3sumPfi6Packed", file: !1, line: 7, type: !4, scopeLine: 7, spFlags: DISPFlagDefinition | DISPFlagOptimized, unit: !0)
!4 = !DISubroutineType(types: !5)
!5 = !{}
!6 = !DIBasicType(name: "int", size: 32, encoding: DW_ATE_signed)
!7 = !DIBasicType(name: "float", size: 32, encoding: DW_ATE_float)
!8 = !DILocalVariable(name: "i", scope: !3, file: !1, line: 9, type: !6)
!9 = !DILocalVariable(name: "total", scope: !3, file: !1, line: 8, type: !7)
!10 = !DICompositeType(tag: DW_TAG_array_type, baseType: !7, size: 96, elements: !5)
!11 = !DILocalVariable(name: "own", scope: !3, file: !1, line: 8, type: !10)
!12 = !DILocation(line: 9, column: 3, scope: !3)
!13 = !DILocation(line: 10, column: 5, scope: !3)
