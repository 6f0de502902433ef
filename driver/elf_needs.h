/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * elf_needs.h - which CUDA runtime a program was linked against.
 *
 * Reads only the program's own file, which is not trusted: every offset is checked.
 */
#ifndef HETCKPT_DRIVER_ELF_NEEDS_H
#define HETCKPT_DRIVER_ELF_NEEDS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/common/error.h"

#define HETCKPT_CUDART_MAJOR_MIN 12
#define HETCKPT_CUDART_MAJOR_MAX 13

struct hetckpt_elf_needs {
	bool elf;              /* a 64-bit little-endian ELF file; else the rest is zero */
	bool dynamic;          /* has an interpreter, so the loader honours LD_PRELOAD */
	bool device_code;      /* holds CUDA device code (.nv_fatbin) */
	bool cuda_driver;      /* needs libcuda.so: talks to NVIDIA's driver itself */
	uint32_t cudart;       /* bit N: needs libcudart.so.N */
	bool cudart_other;     /* needs some libcudart of a version not above 31 */
};

/*
 * Looks into the file. 0 also for files that are not ELF (a script). -errno if it
 * cannot be read; -EBADMSG if it is ELF but damaged.
 */
int hetckpt_elf_needs_read(const char *path, struct hetckpt_elf_needs *needs,
			   struct hetckpt_error *error);

/*
 * Asks the program's own loader for all libraries, those of libraries included, and adds
 * what they need. Only for needs->dynamic. The program itself is not run. Failures are
 * silent: then only the direct needs are known.
 */
void hetckpt_elf_needs_indirect(const char *path, struct hetckpt_elf_needs *needs);

/* Finds a program as execvp does: -ENOENT or -EACCES. */
int hetckpt_program_find(const char *name, char path[PATH_MAX]);

#endif
