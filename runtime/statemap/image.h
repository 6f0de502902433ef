/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * image.h - opens a portable image (struct hetckpt_image_header in abi.h).
 *
 * Input is untrusted: it comes out of fat binaries and snapshots. Everything is
 * checked before anything is used: bounds, ABI, hash, and the size that each part
 * says it unpacks to, which is also the most that is ever allocated for it.
 *
 * Errors are a negative errno and one line in error[error_size] (error may be NULL
 * if error_size is 0): -EINVAL not an image or damaged, -ENOTSUP another ABI,
 * -EFBIG a part over its limit, -ENOMEM. Nothing here blocks or keeps global state.
 */
#ifndef HETCKPT_STATEMAP_IMAGE_H
#define HETCKPT_STATEMAP_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* The most bytes that a part may unpack to. */
#define HETCKPT_IMAGE_MAP_MAX ((uint64_t)256 << 20)
#define HETCKPT_IMAGE_IR_MAX ((uint64_t)1 << 30)
#define HETCKPT_IMAGE_DATA_MAX ((uint64_t)4 << 30)

/* Room that is enough for every error line of this folder. */
#define HETCKPT_STATEMAP_ERROR 256u

struct hetckpt_image {
	uint8_t hash[16];       /* the header's, verified: identifies the image */
	uint64_t total_bytes;   /* of the packed image */
	char *map;              /* state map, JSON; a NUL follows the last byte */
	size_t map_bytes;
	unsigned char *ir;      /* LLVM bitcode */
	size_t ir_bytes;
	unsigned char *data;    /* initial contents of the module's variables; NULL if none */
	size_t data_bytes;
};

/*
 * Unpacks the image that starts at bytes, of which size are readable; more may
 * follow the image. The result is the caller's and does not refer to bytes.
 */
int hetckpt_image_open(const void *bytes, size_t size, struct hetckpt_image **out,
		       char *error, size_t error_size);

/* Frees an image; NULL is allowed. */
void hetckpt_image_close(struct hetckpt_image *image);

/*
 * Looks for an image in [*offset, size), as in a cubin, where it is found by its
 * magic. 0 and *offset set to its start, 8-aligned or not; -ENOENT if there is
 * none. Only the header is checked, the hash is not: open decides.
 */
int hetckpt_image_find(const void *bytes, size_t size, size_t *offset);

#endif
