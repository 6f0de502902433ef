/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * sample_image.h - the image in data/sample.cu, computed: a valid header over parts
 * whose bytes follow from a counter. Readers of this folder check only header and hash.
 */
#ifndef SAMPLE_IMAGE_H
#define SAMPLE_IMAGE_H

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "hetckpt/abi.h"

#define SAMPLE_PART_BYTES 96u

/* salt distinguishes images; data/sample.cu uses the architecture. Free the result. */
static unsigned char *sample_image(unsigned salt, uint64_t *bytes)
{
	struct hetckpt_image_header header;
	XXH128_canonical_t hash;
	unsigned char *image;

	*bytes = sizeof header + SAMPLE_PART_BYTES;
	image = malloc(*bytes);
	memset(&header, 0, sizeof header);
	memcpy(header.magic, HETCKPT_IMAGE_MAGIC, 8);
	header.abi = 1; /* whatever is current: the samples do not change */
	header.header_bytes = sizeof header;
	header.total_bytes = *bytes;
	header.map.offset = sizeof header;
	header.map.bytes = header.map.raw = SAMPLE_PART_BYTES;
	for (unsigned i = 0; i < SAMPLE_PART_BYTES; i++)
		image[sizeof header + i] = (unsigned char)(i * 37 + salt);
	XXH128_canonicalFromHash(&hash, XXH3_128bits(image + sizeof header, SAMPLE_PART_BYTES));
	memcpy(header.hash, &hash, sizeof header.hash);
	memcpy(image, &header, sizeof header);
	return image;
}

#endif
