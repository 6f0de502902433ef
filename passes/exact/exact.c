/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * exact.c - what takes the place of NVIDIA's approximate instructions.
 *
 * Compiled for nvptx64 to bitcode that travels inside the pass (exact_blob.c), which links
 * what a module needs and inlines it (transform/ExactMath.cpp).
 */
#define FN(name) __hetckpt_exact_##name

#include "exact/approximate.h"
