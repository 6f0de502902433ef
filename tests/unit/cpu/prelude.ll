; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; Functions of the vocabulary whose types C++ cannot write.
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

declare {i32, i1} @__hetckpt_shfl_idx(i32, i32, i32, i32)
declare {i32, i1} @__hetckpt_shfl_up(i32, i32, i32, i32)
declare {i32, i1} @__hetckpt_shfl_down(i32, i32, i32, i32)
declare {i32, i1} @__hetckpt_shfl_bfly(i32, i32, i32, i32)
declare {i32, i1} @__hetckpt_match_all_i32(i32, i32)

define i32 @shfl_idx(i32 %m, i32 %v, i32 %b, i32 %c) alwaysinline {
  %r = call {i32, i1} @__hetckpt_shfl_idx(i32 %m, i32 %v, i32 %b, i32 %c)
  %x = extractvalue {i32, i1} %r, 0
  ret i32 %x
}
define i32 @shfl_down(i32 %m, i32 %v, i32 %b, i32 %c) alwaysinline {
  %r = call {i32, i1} @__hetckpt_shfl_down(i32 %m, i32 %v, i32 %b, i32 %c)
  %x = extractvalue {i32, i1} %r, 0
  ret i32 %x
}
define i32 @shfl_bfly(i32 %m, i32 %v, i32 %b, i32 %c) alwaysinline {
  %r = call {i32, i1} @__hetckpt_shfl_bfly(i32 %m, i32 %v, i32 %b, i32 %c)
  %x = extractvalue {i32, i1} %r, 0
  ret i32 %x
}
; value in the low half, predicate in the high one
define i64 @shfl_up_p(i32 %m, i32 %v, i32 %b, i32 %c) alwaysinline {
  %r = call {i32, i1} @__hetckpt_shfl_up(i32 %m, i32 %v, i32 %b, i32 %c)
  %x = extractvalue {i32, i1} %r, 0
  %p = extractvalue {i32, i1} %r, 1
  %lo = zext i32 %x to i64
  %hi = zext i1 %p to i64
  %s = shl i64 %hi, 32
  %o = or i64 %lo, %s
  ret i64 %o
}
define i64 @match_all_p(i32 %m, i32 %v) alwaysinline {
  %r = call {i32, i1} @__hetckpt_match_all_i32(i32 %m, i32 %v)
  %x = extractvalue {i32, i1} %r, 0
  %p = extractvalue {i32, i1} %r, 1
  %lo = zext i32 %x to i64
  %hi = zext i1 %p to i64
  %s = shl i64 %hi, 32
  %o = or i64 %lo, %s
  ret i64 %o
}
