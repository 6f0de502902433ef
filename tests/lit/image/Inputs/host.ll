; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
target triple = "x86_64-unknown-linux-gnu"
define void @host(ptr %p) {
entry:
  br label %loop
loop:
  %x = load volatile i32, ptr %p
  %go = icmp eq i32 %x, 0
  br i1 %go, label %loop, label %out
out:
  ret void
}
