; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Constants of the compiler whose addresses may get into memory become variables.
; RUN: %opt -passes='hetckpt-stored-tables,verify' -S %s | FileCheck %s
; RUN: %opt -passes=hetckpt -S %s | %image map | %python -m json.tool --sort-keys | FileCheck %s --check-prefix=MAP
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

; CHECK-DAG: @_ZTVN12_GLOBAL__N_11AE = dso_local constant [3 x i64]
; CHECK-DAG: @_str_1 = dso_local constant [3 x i8] c"no\00"
; CHECK-DAG: @number = dso_local constant i32 5
; CHECK-DAG: @passed = dso_local constant i32 6
; CHECK-DAG: @inner = dso_local constant i32 7
; CHECK-DAG: @.str = private unnamed_addr constant [4 x i8] c"yes\00"
; CHECK-DAG: @read = internal constant [4 x i32]
; CHECK-DAG: @handed = internal constant i32 8
; CHECK-DAG: @outer = internal constant [1 x ptr] [ptr @inner]
; CHECK-DAG: @bank = internal addrspace(4) constant i32 9
; MAP: "relocations": []
; MAP: "name": "_ZTVN12_GLOBAL__N_11AE",
; MAP: "name": "_str_1",
; MAP: "name": "number",
; MAP: "name": "passed",
; MAP: "name": "inner",
; MAP-NOT: "name": "{{read|handed|outer}}"
@_ZTVN12_GLOBAL__N_11AE = internal unnamed_addr constant [3 x i64] [i64 0, i64 0, i64 1]
@.str = private unnamed_addr constant [4 x i8] c"yes\00"
@.str.1 = private unnamed_addr constant [3 x i8] c"no\00"
@number = internal constant i32 5
@passed = internal constant i32 6
@inner = internal constant i32 7
@outer = internal constant [1 x ptr] [ptr @inner]
@read = internal constant [4 x i32] [i32 1, i32 2, i32 3, i32 4]
@handed = internal constant i32 8
@bank = internal addrspace(4) constant i32 9

define ptx_kernel void @kernel(ptr %p, i64 %i, i1 %c) {
  store ptr getelementptr inbounds (i8, ptr @_ZTVN12_GLOBAL__N_11AE, i64 16), ptr %p
  %s = select i1 %c, ptr @.str.1, ptr null
  store ptr %s, ptr %p
  %n = ptrtoint ptr @number to i64
  store i64 %n, ptr %p
  call void @keeps(ptr @passed, ptr %p)
  ; Those that are only read, or whose readers are known, stay.
  %r = call i32 @reads(ptr @handed)
  %e = getelementptr i32, ptr @read, i64 %i
  %v = load i32, ptr %e
  %t = load ptr, ptr @outer
  store ptr %t, ptr %p
  %w = load i32, ptr addrspace(4) @bank
  %f = call i32 @vprintf(ptr @.str, ptr null)
  ret void
}

define internal void @keeps(ptr %a, ptr %p) noinline {
  store ptr %a, ptr %p
  ret void
}

define internal i32 @reads(ptr %a) noinline {
  %v = load i32, ptr %a
  ret i32 %v
}

declare i32 @vprintf(ptr, ptr)
