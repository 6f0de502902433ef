/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Builds portable images and a sample state map for tests. */
#ifndef HETCKPT_TESTS_MAKE_IMAGE_H
#define HETCKPT_TESTS_MAKE_IMAGE_H

#include <stddef.h>

/* malloc'ed image; data may be NULL if data_bytes is 0. */
unsigned char *make_image(const char *map, const void *ir, size_t ir_bytes, const void *data,
			  size_t data_bytes, size_t *size);

/* Computes the header's hash again after a test has changed the image. */
void make_image_rehash(unsigned char *image);

/* A correct map of two variables, a pausable kernel and one that cannot pause. */
extern const char make_image_map[];
#define MAKE_IMAGE_VARIABLE_BYTES 32u

#endif
