; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; The module's variables: one block, with their initial bytes and the places that hold
; addresses of others. Variants reach them through the launch record.
; RUN: %opt -passes=hetckpt -S %s -o %t.ll 2>%t.err
; RUN: %image map < %t.ll | %python -m json.tool --sort-keys | FileCheck %s --check-prefix=MAP
; RUN: %image data < %t.ll | FileCheck %s --check-prefix=DATA
; RUN: %image ir < %t.ll | %dis -o - | FileCheck %s --check-prefix=PORTABLE
; RUN: FileCheck %s < %t.ll
; RUN: FileCheck %s --check-prefix=QUIET --allow-empty < %t.err
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; QUIET-NOT: {{.}}

@counter = addrspace(1) externally_initialized global i32 7, align 4
@table = addrspace(4) externally_initialized constant [3 x i16] [i16 1, i16 2, i16 -1], align 2
@pair = addrspace(1) externally_initialized global { i8, double } { i8 3, double 1.0 }, align 8
@where = addrspace(1) externally_initialized global ptr getelementptr (i8, ptr addrspacecast (ptr addrspace(1) @pair to ptr), i64 8), align 8
@code = addrspace(1) externally_initialized global ptr @function, align 8
; A function is a number (transform/function-pointers.ll).
; Constants that nobody else can see stay with the code.
@text = private addrspace(4) constant [3 x i8] c"ab\00"

; MAP: "relocations": [
; MAP: "addend": 8,
; MAP-NEXT: "offset": 32,
; MAP-NEXT: "target": "pair"
; MAP: "variable_bytes": 48,
; MAP: "align": 8,
; MAP-NEXT: "bytes": 4,
; MAP-NEXT: "constant": false,
; MAP-NEXT: "name": "counter",
; MAP-NEXT: "offset": 0
; MAP: "bytes": 6,
; MAP-NEXT: "constant": true,
; MAP-NEXT: "name": "table",
; MAP-NEXT: "offset": 8
; MAP: "bytes": 16,
; MAP-NEXT: "constant": false,
; MAP-NEXT: "name": "pair",
; MAP-NEXT: "offset": 16
; MAP-NOT: text

; DATA: 07 00 00 00 00 00 00 00 01 00 02 00 ff ff 00 00
; DATA-NEXT: 03 00 00 00 00 00 00 00 00 00 00 00 00 00 f0 3f
; DATA-NEXT: 00 00 00 00 00 00 00 00 {{.0 .. .. .. .. 1[0-7] 00 00$}}

; PORTABLE-DAG: @counter = external addrspace(1) global i32
; PORTABLE-DAG: @table = external addrspace(4) constant [3 x i16]
; PORTABLE-DAG: @text = private {{.*}}constant [3 x i8] c"ab\00"

; The native original uses the module's own variable, the variant the launch's.
; CHECK-LABEL: define ptx_kernel void @counts(
; CHECK: atomicrmw add ptr addrspace(1) @counter
; CHECK-LABEL: define ptx_kernel void @__hetckpt_run_counts(
; CHECK-NOT: @counter
; CHECK: [[FIELD:%.*]] = getelementptr inbounds {{.*}}ptr %launch, i{{32|64}} 72
; CHECK-NEXT: load i64, ptr [[FIELD]], align 8
; CHECK: [[AT:%.*]] = add i64 {{.*}}, 0
; CHECK-NEXT: [[COUNTER:%.*]] = inttoptr i64 [[AT]] to ptr addrspace(1)
; CHECK-NOT: @counter
; CHECK: atomicrmw add ptr addrspace(1) [[COUNTER]]
; CHECK-NOT: @counter
; CHECK: @table
; CHECK-NOT: @counter
; CHECK: {{^}}}
define ptx_kernel void @counts(ptr %p, i64 %i) {
  %old = atomicrmw add ptr addrspace(1) @counter, i32 1 monotonic
  %e = getelementptr i16, ptr addrspace(4) @table, i64 %i
  %x = load i16, ptr addrspace(4) %e
  store i16 %x, ptr %p
  %t = getelementptr i8, ptr addrspace(4) @text, i64 %i
  %y = load volatile i8, ptr addrspace(4) %t
  %w = load volatile ptr, ptr addrspace(1) @where
  ret void
}
define void @function() {
  ret void
}
