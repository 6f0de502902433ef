/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The bytes of HETCKPT_HEAP_BITCODE, which the build makes from heap.c. */
#include "heap/Heap.h"

__asm__(".section .rodata\n"
	".balign 16\n"
	".global hetckpt_heap, hetckpt_heap_end\n"
	".hidden hetckpt_heap, hetckpt_heap_end\n"
	"hetckpt_heap:\n"
	".incbin \"" HETCKPT_HEAP_BITCODE "\"\n"
	"hetckpt_heap_end:\n"
	".byte 0\n"
	".previous\n");
