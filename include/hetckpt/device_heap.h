/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * device_heap.h - the heap of malloc, free, new and delete in kernels, as kernels and runtime share it.
 *
 * One a session, in the arena, at HETCKPT_HEAP_OFFSET from the arena's base; made when a module that uses
 * it is first launched from. The record comes first, then the pages' words, their bitmaps, and the
 * pages; all but the record's head is zero to begin with. What kernels do with it is in passes/heap/heap.h.
 *
 * A module that uses it has a __constant__ variable HETCKPT_HEAP_VARIABLE of 8 bytes, in which the runtime writes
 * the heap's address when it loads the module. Where it is 0, in a program that runs without the runtime, the
 * vendor's heap is used.
 *
 * Snapshots hold heaps, and any build may meet one: a change of layout or meaning is one of the ABI (abi.h).
 */
#ifndef HETCKPT_DEVICE_HEAP_H
#define HETCKPT_DEVICE_HEAP_H

#include <stdint.h>

#define HETCKPT_HEAP_VARIABLE "hetckpt_device_heap"
#define HETCKPT_HEAP_OFFSET 0x008000000000ull
#define HETCKPT_HEAP_CLASSES 30u /* sizes of blocks up to half a page */
#define HETCKPT_HEAP_STRIPES 64u
#define HETCKPT_HEAP_PAGE_SHIFT_MIN 12u
#define HETCKPT_HEAP_PAGE_SHIFT_MAX 20u

struct hetckpt_device_heap {
	uint64_t states;     /*  0: device address of uint32_t[pages] */
	uint64_t bits;       /*  8: of uint32_t[pages][page bytes / 512], a bit for each 16 bytes */
	uint64_t data;       /* 16: of the pages, a multiple of their size */
	uint32_t pages;      /* 24 */
	uint32_t page_shift; /* 28 */
	uint32_t taking;     /* 32: threads that are taking a run of pages, and, in units of
	                            HETCKPT_HEAP_GAVE_UP, how often one gave it up */
	uint32_t reserved[23];
	uint32_t hint[HETCKPT_HEAP_CLASSES][HETCKPT_HEAP_STRIPES]; /* 128: page of the last block found */
};
#define HETCKPT_HEAP_GAVE_UP 0x100000u

#endif
