/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "runtime/fatbin/aot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hetckpt/abi.h"

_Static_assert(sizeof(struct hetckpt_aot_header) == 104, "no padding: it is written as it is");

static int image_hash(const void *image, uint64_t bytes, uint8_t hash[16])
{
	struct hetckpt_image_header header;

	if (bytes < sizeof header)
		return -EINVAL;
	memcpy(&header, image, sizeof header);
	if (memcmp(header.magic, HETCKPT_IMAGE_MAGIC, sizeof header.magic))
		return -EINVAL;
	memcpy(hash, header.hash, sizeof header.hash);
	return 0;
}

int hetckpt_fatbin_aot_next(const void *container, uint64_t bytes, const void *image, uint64_t image_bytes,
                            uint64_t *offset, struct hetckpt_fatbin_aot *aot, char *error,
                            size_t error_size)
{
	struct hetckpt_fatbin_entry entry;
	struct hetckpt_aot_header header;
	uint8_t hash[16];
	int r = image_hash(image, image_bytes, hash);

	if (r) {
		if (error)
			snprintf(error, error_size, "no portable image to look for translations of");
		return r;
	}
	while ((r = hetckpt_fatbin_next(container, bytes, offset, &entry, error, error_size)) == 0) {
		if (entry.kind != HETCKPT_FATBIN_AOT)
			continue;
		if (entry.packing == HETCKPT_FATBIN_STORED && entry.bytes >= sizeof header) {
			memcpy(&header, entry.data, sizeof header);
			if (!memcmp(header.magic, HETCKPT_AOT_MAGIC, sizeof header.magic) &&
			    header.abi != HETCKPT_ABI_VERSION)
				continue;
		}
		if (entry.packing != HETCKPT_FATBIN_STORED || entry.bytes < sizeof header ||
		    memcmp(header.magic, HETCKPT_AOT_MAGIC, sizeof header.magic) ||
		    header.header_bytes != sizeof header || header.target[HETCKPT_AOT_TARGET - 1] ||
		    !header.code_bytes || header.code_bytes > entry.bytes - sizeof header) {
			if (error)
				snprintf(error, error_size, "translation at byte %llu of the fat binary is damaged",
				         (unsigned long long)entry.offset);
			return -EINVAL;
		}
		if (memcmp(header.image, hash, sizeof hash))
			continue;
		aot->target = (const char *)entry.data + offsetof(struct hetckpt_aot_header, target);
		aot->code = entry.data + sizeof header;
		aot->bytes = header.code_bytes;
		return 0;
	}
	return r;
}

int hetckpt_fatbin_aot_make(const void *image, uint64_t image_bytes, const char *target, const void *code,
                            uint64_t code_bytes, unsigned char **entry, uint64_t *bytes)
{
	struct hetckpt_aot_header header = {
		.abi = HETCKPT_ABI_VERSION,
		.header_bytes = sizeof header, .code_bytes = code_bytes,
	};
	int r = image_hash(image, image_bytes, header.image);
	unsigned char *out;

	if (r || !*target || strlen(target) >= HETCKPT_AOT_TARGET || !code_bytes)
		return -EINVAL;
	memcpy(header.magic, HETCKPT_AOT_MAGIC, sizeof header.magic);
	memcpy(header.target, target, strlen(target));
	out = malloc(sizeof header + code_bytes);
	if (!out)
		return -ENOMEM;
	memcpy(out, &header, sizeof header);
	memcpy(out + sizeof header, code, code_bytes);
	*entry = out;
	*bytes = sizeof header + code_bytes;
	return 0;
}
