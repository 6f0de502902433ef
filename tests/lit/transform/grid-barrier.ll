; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; The library's grid barrier gets a form in which a whole block waits together, on a word of
; the module's. Functions of other names, and of other libraries, stay as they are.
; RUN: %opt -passes='hetckpt-grid-barrier,verify' -S %s | FileCheck %s
target triple = "nvptx64-nvidia-cuda"

; CHECK: @hetckpt_grid_workspace = internal addrspace(1) global { i32, i32 } { i32 8, i32 0 }

; CHECK-LABEL: define linkonce_odr ptr @_ZN18cooperative_groups4__v17details18get_grid_workspaceEv()
; CHECK-NEXT: entry:
; CHECK-NEXT: ret ptr addrspacecast (ptr addrspace(1) @hetckpt_grid_workspace to ptr)
define linkonce_odr ptr @_ZN18cooperative_groups4__v17details18get_grid_workspaceEv() {
  %lo = call i32 asm "mov.u32 $0, %envreg2;", "=r"()
  %hi = call i32 asm "mov.u32 $0, %envreg1;", "=r"()
  %l = zext i32 %lo to i64
  %h = zext i32 %hi to i64
  %s = shl i64 %h, 32
  %a = or i64 %l, %s
  %p = inttoptr i64 %a to ptr
  ret ptr %p
}

; CHECK-LABEL: define internal i32 @_ZN18cooperative_groups4__v17detailsL17sync_grids_arriveEPVj(ptr %word)
; CHECK: call void @llvm.nvvm.barrier.cta.sync.all(i32 0)
; CHECK: call void @llvm.nvvm.membar.gl()
; CHECK: [[OLD:%.*]] = atomicrmw add ptr %word, i32 {{%.*}} syncscope("device") monotonic
; CHECK: [[TOKEN:%.*]] = phi i32 [ 0, %entry ], [ [[OLD]], %count ]
; CHECK: ret i32 [[TOKEN]]
define internal i32 @_ZN18cooperative_groups4__v17detailsL17sync_grids_arriveEPVj(ptr %word) {
  %old = call i32 asm sideeffect "atom.add.release.gpu.u32 $0,[$1],$2;", "=r,l,r,~{memory}"(ptr %word, i32 1)
  ret i32 %old
}

; CHECK-LABEL: define internal void @_ZN18cooperative_groups4__v17detailsL15sync_grids_waitEjPVj(i32 %token, ptr %word)
; CHECK: loop:
; CHECK-NEXT: br i1 {{%.*}}, label %look, label %vote
; CHECK: look:
; CHECK-NEXT: [[NOW:%.*]] = load atomic i32, ptr %word syncscope("device") monotonic
; CHECK: vote:
; CHECK: [[ALL:%.*]] = call i1 @llvm.nvvm.barrier.cta.red.or.all(i32 0, i1
; CHECK-NEXT: br i1 [[ALL]], label %done, label %loop
; CHECK: done:
; CHECK-NEXT: call void @llvm.nvvm.membar.gl()
define internal void @_ZN18cooperative_groups4__v17detailsL15sync_grids_waitEjPVj(i32 %token, ptr %word) {
entry:
  br label %loop
loop:
  %now = call i32 asm sideeffect "ld.acquire.gpu.u32 $0,[$1];", "=r,l,~{memory}"(ptr %word)
  %x = xor i32 %now, %token
  %open = icmp slt i32 %x, 0
  br i1 %open, label %done, label %loop
done:
  ret void
}

; CHECK-LABEL: define internal i64 @_ZN18cooperative_groups4__v17detailsL19reserved_shared_ptrEv()
; CHECK-NEXT: call i64 asm "mov.u64 $0, %reserved_smem_offset_1;", "=l"() [[RETURNS:#[0-9]+]]
define internal i64 @_ZN18cooperative_groups4__v17detailsL19reserved_shared_ptrEv() {
  %p = call i64 asm "mov.u64 $0, %reserved_smem_offset_1;", "=l"() nounwind memory(none)
  ret i64 %p
}

; CHECK-LABEL: define void @_ZN5other15sync_grids_waitEjPVj(
; CHECK-NEXT: ret void
define void @_ZN5other15sync_grids_waitEjPVj(i32 %token, ptr %word) {
  ret void
}

define ptx_kernel void @kernel(ptr %out) {
  %p = call ptr @_ZN18cooperative_groups4__v17details18get_grid_workspaceEv()
  %t = call i32 @_ZN18cooperative_groups4__v17detailsL17sync_grids_arriveEPVj(ptr %p)
  call void @_ZN18cooperative_groups4__v17detailsL15sync_grids_waitEjPVj(i32 %t, ptr %p)
  ret void
}

; CHECK: attributes [[RETURNS]] = { nounwind willreturn memory(none) }
