/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* support.c as LLVM bitcode, inside the translator (support_blob.c). */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

extern const char hetckpt_cpu_support[];
extern const char hetckpt_cpu_support_end[];

#ifdef __cplusplus
}
#endif
