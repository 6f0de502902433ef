/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * aot.h - code translated ahead of time, as a further entry of the fat binary.
 *
 * An entry of kind HETCKPT_FATBIN_AOT (NVIDIA's driver and tools pass over kinds that
 * they do not know) holds struct hetckpt_aot_header and then what the translator made
 * of the portable image for one target: for "cpu:..." a shared object, see abi.h. It
 * belongs to the image whose hash it repeats. docs/portable-image.md describes it.
 */
#ifndef HETCKPT_FATBIN_AOT_H
#define HETCKPT_FATBIN_AOT_H

#include "runtime/fatbin/fatbin.h"

#define HETCKPT_FATBIN_AOT 0x4348u /* "HC" */
#define HETCKPT_AOT_MAGIC "HCKAHEAD"
#define HETCKPT_AOT_TARGET 64u

struct hetckpt_aot_header {
	char magic[8];                   /* HETCKPT_AOT_MAGIC, no terminator */
	uint32_t abi;                    /* HETCKPT_ABI_VERSION */
	uint32_t header_bytes;           /* of this struct */
	uint8_t image[16];               /* hash of the portable image's header */
	char target[HETCKPT_AOT_TARGET]; /* as given to the translator, zero-padded */
	uint64_t code_bytes;             /* behind this header */
};

struct hetckpt_fatbin_aot {
	const char *target;
	const unsigned char *code; /* in the container */
	uint64_t bytes;
};

/*
 * Walks the entries that were translated from this image: start with *offset = 0.
 * Entries of another ABI version are passed over, for they suit another release.
 * -ENOENT: no further one; -EINVAL: the container or an entry is damaged.
 */
int hetckpt_fatbin_aot_next(const void *container, uint64_t bytes, const void *image, uint64_t image_bytes,
                            uint64_t *offset, struct hetckpt_fatbin_aot *aot, char *error,
                            size_t error_size);

/*
 * The contents of an entry, fresh memory; free() it. -EINVAL: no portable image, or the
 * target's name is empty or too long; -ENOMEM.
 */
int hetckpt_fatbin_aot_make(const void *image, uint64_t image_bytes, const char *target, const void *code,
                            uint64_t code_bytes, unsigned char **entry, uint64_t *bytes);

#endif
