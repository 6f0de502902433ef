/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE /* memmem */
#include "image.h"

#include "statemap_error.h"

#include <hetckpt/abi.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

/* What the header alone says, checked against the readable size. */
static int check_header(const struct hetckpt_image_header *h, size_t size, char *error,
			size_t error_size)
{
	static const char *const name[] = {"state map", "code", "data"};
	const struct hetckpt_image_part *part[] = {&h->map, &h->ir, &h->data};
	const uint64_t limit[] = {HETCKPT_IMAGE_MAP_MAX, HETCKPT_IMAGE_IR_MAX,
				  HETCKPT_IMAGE_DATA_MAX};

	if (memcmp(h->magic, HETCKPT_IMAGE_MAGIC, sizeof h->magic))
		return statemap_fail(error, error_size, -EINVAL,
				     "not a portable image: wrong magic");
	if (h->abi != HETCKPT_ABI_VERSION)
		return statemap_fail(error, error_size, -ENOTSUP,
				     "portable image has ABI %u, this program knows %u", h->abi,
				     HETCKPT_ABI_VERSION);
	if (h->header_bytes != sizeof *h)
		return statemap_fail(error, error_size, -EINVAL,
				     "portable image: header of %u bytes instead of %zu",
				     h->header_bytes, sizeof *h);
	if (h->total_bytes < sizeof *h || h->total_bytes > size)
		return statemap_fail(error, error_size, -EINVAL,
				     "portable image is cut off: says %llu bytes, %zu are there",
				     (unsigned long long)h->total_bytes, size);
	for (int i = 0; i < 3; i++) {
		if (part[i]->offset < sizeof *h || part[i]->offset > h->total_bytes ||
		    part[i]->bytes > h->total_bytes - part[i]->offset)
			return statemap_fail(error, error_size, -EINVAL,
					     "portable image: %s lies outside the image", name[i]);
		if (part[i]->raw > limit[i])
			return statemap_fail(error, error_size, -EFBIG,
					     "portable image: %s of %llu bytes is over the limit",
					     name[i], (unsigned long long)part[i]->raw);
	}
	return 0;
}

/* Unpacks one part to malloc'ed memory with a NUL after its last byte. */
static int unpack(const unsigned char *image, const struct hetckpt_image_part *part,
		  const char *name, unsigned char **out, size_t *bytes, char *error,
		  size_t error_size)
{
	unsigned char *raw;
	size_t n;

	if (!part->bytes && !part->raw)
		return 0;
	raw = malloc(part->raw + 1);
	if (!raw)
		return statemap_fail(error, error_size, -ENOMEM,
				     "portable image: no memory for %s of %llu bytes", name,
				     (unsigned long long)part->raw);
	n = ZSTD_decompress(raw, part->raw, image + part->offset, part->bytes);
	if (ZSTD_isError(n) || n != part->raw) {
		free(raw);
		return statemap_fail(error, error_size, -EINVAL,
				     "portable image: %s is damaged: %s", name,
				     ZSTD_isError(n) ? ZSTD_getErrorName(n) : "wrong size");
	}
	raw[n] = 0;
	*out = raw;
	*bytes = n;
	return 0;
}

int hetckpt_image_open(const void *bytes, size_t size, struct hetckpt_image **out, char *error,
		       size_t error_size)
{
	struct hetckpt_image_header h;
	struct hetckpt_image *image;
	XXH128_canonical_t hash;
	unsigned char *map = NULL;
	int rc;

	*out = NULL;
	if (size < sizeof h)
		return statemap_fail(error, error_size, -EINVAL,
				     "not a portable image: only %zu bytes", size);
	memcpy(&h, bytes, sizeof h);
	rc = check_header(&h, size, error, error_size);
	if (rc)
		return rc;
	XXH128_canonicalFromHash(&hash, XXH3_128bits((const char *)bytes + sizeof h,
						     h.total_bytes - sizeof h));
	if (memcmp(hash.digest, h.hash, sizeof h.hash))
		return statemap_fail(error, error_size, -EINVAL,
				     "portable image is damaged: its hash does not match");

	image = calloc(1, sizeof *image);
	if (!image)
		return statemap_fail(error, error_size, -ENOMEM, "portable image: no memory");
	memcpy(image->hash, h.hash, sizeof image->hash);
	image->total_bytes = h.total_bytes;
	rc = unpack(bytes, &h.map, "state map", &map, &image->map_bytes, error, error_size);
	image->map = (char *)map;
	if (!rc && !map)
		rc = statemap_fail(error, error_size, -EINVAL,
				   "portable image: no state map in it");
	if (!rc)
		rc = unpack(bytes, &h.ir, "code", &image->ir, &image->ir_bytes, error,
			    error_size);
	if (!rc)
		rc = unpack(bytes, &h.data, "data", &image->data, &image->data_bytes, error,
			    error_size);
	if (rc)
		hetckpt_image_close(image);
	else
		*out = image;
	return rc;
}

void hetckpt_image_close(struct hetckpt_image *image)
{
	if (!image)
		return;
	free(image->map);
	free(image->ir);
	free(image->data);
	free(image);
}

int hetckpt_image_find(const void *bytes, size_t size, size_t *offset)
{
	const char *base = bytes;
	size_t at = *offset;

	while (at < size && size - at >= sizeof(struct hetckpt_image_header)) {
		const char *hit = memmem(base + at, size - at, HETCKPT_IMAGE_MAGIC, 8);
		struct hetckpt_image_header h;
		int rc;

		if (!hit)
			break;
		at = hit - base;
		if (size - at < sizeof h)
			break;
		/* The magic may also be a string in some constant: only a header
		   that makes sense counts. An image of another ABI does, so that
		   open can say so. */
		memcpy(&h, hit, sizeof h);
		rc = check_header(&h, size - at, NULL, 0);
		if (!rc || (rc == -ENOTSUP && h.abi && h.abi < 0x10000)) {
			*offset = at;
			return 0;
		}
		at++;
	}
	return -ENOENT;
}
