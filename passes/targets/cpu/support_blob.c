/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The bytes of HETCKPT_SUPPORT_BITCODE, which the build makes from support.c. */
#include "Support.h"

__asm__(".section .rodata\n"
	".balign 16\n"
	".global hetckpt_cpu_support, hetckpt_cpu_support_end\n"
	".hidden hetckpt_cpu_support, hetckpt_cpu_support_end\n"
	"hetckpt_cpu_support:\n"
	".incbin \"" HETCKPT_SUPPORT_BITCODE "\"\n"
	"hetckpt_cpu_support_end:\n"
	".byte 0\n"
	".previous\n");
