/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * device_heap.h - the memory of malloc in kernels (include/hetckpt/device_heap.h).
 *
 * It is an allocation of the session like others, at an address that follows from the arena's,
 * so that a module can be told the address before there is a heap. Kernels do everything in it
 * (passes/heap/heap.h); here it is laid out, and made once.
 */
#ifndef HETCKPT_CORE_DEVICE_HEAP_H
#define HETCKPT_CORE_DEVICE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "include/hetckpt/device_heap.h"
#include "runtime/statemap/statemap.h"

struct hetckpt_core;
struct hetckpt_code;
struct hetckpt_error;

/* CUDA's default of cudaLimitMallocHeapSize. */
#define HETCKPT_DEVICE_HEAP_BYTES ((uint64_t)8 << 20)

/* Fills *head for a heap at address base (a multiple of 1 MiB) with room for limit bytes (at least a page is made)
   before its own records. Returns the bytes of all of it, records included. */
uint64_t hetckpt_device_heap_layout(uint64_t base, uint64_t limit, struct hetckpt_device_heap *head);

/* The variable of a module in which its kernels look for the heap; NULL: they have no use for it. */
const struct hetckpt_map_variable *hetckpt_device_heap_variable(const struct hetckpt_map *map);

/* Makes the session's heap, of the size that the program has set, unless it is there; for the first launch of
   a module that uses it. Blocks. -ENOMEM: the device is full. */
int hetckpt_device_heap_make(struct hetckpt_core *core, struct hetckpt_error *error);

bool hetckpt_device_heap_there(const struct hetckpt_core *core);

#endif
