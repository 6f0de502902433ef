/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * modules.h - fat binaries, their variables and kernels.
 *
 * A module's bytes are handed over by the supervisor (add) and stay for the session; loading
 * opens its portable image, allocates its block of variables in the arena and makes
 * code for the device. Function handles are numbers that grow; snapshots carry them, so
 * they stay valid across workers. Called under the core's lock.
 */
#ifndef HETCKPT_CORE_MODULES_H
#define HETCKPT_CORE_MODULES_H

#include <stddef.h>
#include <stdint.h>

#include "heap.h"
#include "policy.h"
#include "runtime/statemap/statemap.h"

/* Arena tag of a module's variables; 0 is the application's own memory. */
#define HETCKPT_TAG_MODULE(number) ((number) + 1)
#define HETCKPT_TAG_HEAP UINT64_MAX /* the heap of kernels, device_heap.h */

/* How many blocks fit on the device at once. */
struct hetckpt_fit {
	uint32_t threads, dynamic_shared; /* of these blocks; threads 0: not asked yet */
	uint32_t original;
	uint32_t most, together;          /* larger and smaller of run and resume variant */
	uint32_t unfinished;              /* of either: have begun and not ended */
};

struct hetckpt_function {
	struct hetckpt_function *next;           /* in its module */
	struct hetckpt_code *code;
	uint64_t handle;
	const struct hetckpt_map_kernel *map;
	struct hetckpt_kernel *kernel[3];        /* by enum hetckpt_variant; NULL: not asked for yet */
	struct hetckpt_kernel_facts facts[3];
	uint32_t max_dynamic_shared;             /* cudaFuncAttributeMaxDynamicSharedMemorySize */
	struct hetckpt_fit fit;                  /* as last asked */
	struct hetckpt_history history;          /* of its launches, for the policy */
	bool followed;                           /* what came after its last launch was no launch */
	uint32_t turn;                           /* launches, where the variants take turns */
};

struct hetckpt_code {
	struct hetckpt_code *next;
	uint64_t number;                         /* the application's */
	void *fatbin;                            /* malloc */
	size_t fatbin_bytes;
	unsigned char *image;                    /* malloc; NULL until loaded */
	uint64_t image_bytes;
	uint32_t arch;                           /* of the entry with the image; 0: a bare image */
	struct hetckpt_image *opened;
	struct hetckpt_map *map;
	uint64_t variables;                      /* 0: none */
	bool uses_heap;                          /* kernels allocate: there has to be a device heap */
	struct hetckpt_module_source source;     /* what the back end keeps */
	struct hetckpt_module *module;           /* NULL: not loaded */
	struct hetckpt_function *functions;
};

struct hetckpt_modules {
	struct hetckpt_dev *dev;
	struct hetckpt_heap *memory;
	struct hetckpt_code *list;
	uint64_t next_handle;
};

void hetckpt_modules_init(struct hetckpt_modules *modules, struct hetckpt_dev *dev,
                          struct hetckpt_heap *memory);

/* Unloads and forgets everything, variables included. */
void hetckpt_modules_clear(struct hetckpt_modules *modules);

/* Keeps a fat binary (fatbin is stolen, malloc'ed, freed even on failure). -EEXIST: another
   one has the number; the same bytes again are fine. */
int hetckpt_modules_add(struct hetckpt_modules *modules, uint64_t number, void *fatbin,
                        size_t bytes, struct hetckpt_error *error);

struct hetckpt_code *hetckpt_modules_find(const struct hetckpt_modules *modules, uint64_t number);

/*
 * Opens the image, takes memory for the variables, and makes code. at 0: anywhere, with
 * the initial contents; else at that address, where memory has been claimed and will be
 * filled by the caller (a snapshot). Loading twice does nothing. Blocks.
 */
int hetckpt_code_load(struct hetckpt_modules *modules, struct hetckpt_code *code, uint64_t at,
                      struct hetckpt_error *error);

/* Drops code, variables and functions; the fat binary stays. */
void hetckpt_code_unload(struct hetckpt_modules *modules, struct hetckpt_code *code);

/* The handle of a kernel of a loaded module, made at first use. cuda 98 if there is none. */
int hetckpt_function_get(struct hetckpt_modules *modules, struct hetckpt_code *code,
                         const char *name, size_t length, struct hetckpt_function **function,
                         struct hetckpt_error *error);

/* The same with a handle that a snapshot names. */
int hetckpt_function_claim(struct hetckpt_modules *modules, struct hetckpt_code *code,
                           const char *name, uint64_t handle, struct hetckpt_function **function,
                           struct hetckpt_error *error);

struct hetckpt_function *hetckpt_function_find(const struct hetckpt_modules *modules,
                                               uint64_t handle);

/* The kernel's variant on this device, with its facts; asks the back end once. */
int hetckpt_function_variant(struct hetckpt_modules *modules, struct hetckpt_function *function,
                             enum hetckpt_variant variant, struct hetckpt_error *error);

#endif
