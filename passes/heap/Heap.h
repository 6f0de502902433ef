/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* heap.c as LLVM bitcode, inside the pass (heap_blob.c). */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

extern const char hetckpt_heap[];
extern const char hetckpt_heap_end[];

#ifdef __cplusplus
}
#endif
