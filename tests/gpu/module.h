/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The test kernels (kernels.ptx) as a module: fat binary, portable image, state map. */
#ifndef HETCKPT_TESTS_GPU_MODULE_H
#define HETCKPT_TESTS_GPU_MODULE_H

#include <stdbool.h>

#include "runtime/backends/backend.h"
#include "runtime/statemap/statemap.h"

/* The block of variables: u32 table[4] (constant), address of counter (constant), u32 counter. */
#define BLOCK_TABLE 0u
#define BLOCK_POINTER 16u
#define BLOCK_COUNTER 24u
#define BLOCK_BYTES 32u

struct test_module {
	unsigned char *image, *fatbin;
	struct hetckpt_map *map;
	struct hetckpt_module_source source; /* variables: to be set */
};

/* Ends the program if it cannot. arch: what the PTX says that it is for (75), or more.
   Without variables there are no kernels that count either. */
void test_module_make(struct test_module *m, unsigned arch, bool variables);
/* The same image, but the fat binary has code of another one. */
void test_module_estrange(struct test_module *m);
void test_module_free(struct test_module *m);

#endif
