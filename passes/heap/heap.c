/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * heap.c - the device heap on NVIDIA GPUs.
 *
 * Compiled for nvptx64 to bitcode that travels inside the pass (heap_blob.c), which links what a
 * module needs (transform/DeviceHeap.cpp). Where nobody has said where the heap is, a program
 * runs by itself, and its kernels use NVIDIA's.
 */
#define HEAP_GLOBAL __attribute__((address_space(1)))
#define HEAP_STRIPE ((uint32_t)__nvvm_read_ptx_sreg_smid() % HETCKPT_HEAP_STRIPES)
#define HEAP_STEP (1 + (uint32_t)__nvvm_read_ptx_sreg_laneid() % 16)

#include "heap/heap.h"

void *malloc(uint64_t bytes);
void free(void *address);

typedef HEAP_GLOBAL void *pointer;

pointer __hetckpt_heap_malloc(uint64_t heap, uint64_t bytes);
pointer __hetckpt_heap_malloc(uint64_t heap, uint64_t bytes)
{
	return (pointer)(heap ? heap_malloc((heap_t *)heap, bytes, 16) : (uint64_t)malloc(bytes));
}

/* NVIDIA's heap aligns to 16 bytes. */
pointer __hetckpt_heap_malloc_aligned(uint64_t heap, uint64_t bytes, uint64_t align);
pointer __hetckpt_heap_malloc_aligned(uint64_t heap, uint64_t bytes, uint64_t align)
{
	if (heap)
		return (pointer)heap_malloc((heap_t *)heap, bytes, align);
	return (pointer)(align <= 16 ? (uint64_t)malloc(bytes) : 0);
}

void __hetckpt_heap_free(uint64_t heap, void *address);
void __hetckpt_heap_free(uint64_t heap, void *address)
{
	if (heap)
		heap_free((heap_t *)heap, (uint64_t)address);
	else
		free(address);
}
