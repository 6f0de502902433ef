/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* exact.c as LLVM bitcode, inside the pass (exact_blob.c). */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

extern const char hetckpt_exact[];
extern const char hetckpt_exact_end[];

#ifdef __cplusplus
}
#endif
