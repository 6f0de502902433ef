/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * parallel.h - a loop over pieces of memory by several threads, for work that one processor
 * does slower than memory can.
 */
#ifndef HETCKPT_CORE_PARALLEL_H
#define HETCKPT_CORE_PARALLEL_H

#include <stdint.h>

/*
 * Calls each(context, i) once for every i below count, by up to 16 threads, this one among
 * them; returns when all have returned. 0, or what the first call that failed returned:
 * calls that have not begun by then are left out. Where threads cannot be had, this one does all.
 */
int hetckpt_parallel(uint64_t count, int (*each)(void *context, uint64_t i), void *context);

#endif
