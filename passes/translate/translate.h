/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * translate.h - code for a target from a portable image.
 *
 * libhetckpt-translate.so exports these with C linkage. It is loaded only where code
 * has to be made, so that a machine without LLVM can still run code that was made
 * ahead of time. All functions may be called from several threads at once; they block,
 * up to seconds, and keep no state between calls but the cache's files.
 *
 * Errors are a negative errno and one line in error[error_size]: -EINVAL the input or the
 * target's name is wrong, -ENOTSUP the code has something the target cannot do, -ENOENT
 * no linker or no such kernel, -EIO the linker failed, -ENOMEM.
 */
#ifndef HETCKPT_TRANSLATE_H
#define HETCKPT_TRANSLATE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HETCKPT_TRANSLATE_API __attribute__((visibility("default")))
#define HETCKPT_TRANSLATE_ERROR 512u
#define HETCKPT_TRANSLATE_LIBRARY "libhetckpt-translate.so"

#define HETCKPT_TRANSLATE_LLVM 1u  /* the result is LLVM's text before code generation */
#define HETCKPT_TRANSLATE_TIME 2u  /* print to stderr how long each step takes */
#define HETCKPT_TRANSLATE_FRESH 4u /* neither read nor write the cache */

struct hetckpt_translate_request {
	size_t size;        /* sizeof(struct hetckpt_translate_request) */
	const void *input;  /* a portable image, or something that contains one (cubin);
	                       or LLVM bitcode or text in the neutral vocabulary */
	size_t input_bytes;
	const char *map;    /* state map for the latter; NULL: none */
	size_t map_bytes;
	const char *target; /* "cpu", "cpu:native", "cpu:x86-64-v2", "-v3", "-v4" */
	const char *kernel; /* this kernel and its variants alone, by the original's name; NULL: all */
	unsigned flags;     /* HETCKPT_TRANSLATE_* */
};

/*
 * Translates. For "cpu" the result is a shared object that exports
 * HETCKPT_CPU_MODULE_SYMBOL (abi.h). *output is malloc'ed, the caller's. Results for
 * images are kept in $HETCKPT_CACHE_DIR, else $XDG_CACHE_HOME/hetckpt, else
 * ~/.cache/hetckpt; a cache that cannot be used costs time, not correctness.
 */
HETCKPT_TRANSLATE_API
int hetckpt_translate(const struct hetckpt_translate_request *request, void **output,
                      size_t *output_bytes, char *error, size_t error_size);

/* Which translator this is: project, LLVM, and a hash of the library itself. */
HETCKPT_TRANSLATE_API
const char *hetckpt_translate_version(void);

#ifdef __cplusplus
}
#endif
#endif
