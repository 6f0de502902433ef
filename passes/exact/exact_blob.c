/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The bytes of HETCKPT_EXACT_BITCODE, which the build makes from exact.c. */
#include "exact/Exact.h"

__asm__(".section .rodata\n"
	".balign 16\n"
	".global hetckpt_exact, hetckpt_exact_end\n"
	".hidden hetckpt_exact, hetckpt_exact_end\n"
	"hetckpt_exact:\n"
	".incbin \"" HETCKPT_EXACT_BITCODE "\"\n"
	"hetckpt_exact_end:\n"
	".byte 0\n"
	".previous\n");
