/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "runtime/fatbin/fatbin.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/fatbin/format.h"

#define ALIGN 8u

static void store16(unsigned char *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static void store32(unsigned char *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static void store64(unsigned char *p, uint64_t v) { memcpy(p, &v, sizeof v); }

/*
 * PTX is compiled with options: behind the fixed header lies the offset of their text,
 * here empty. NVIDIA's driver reads it without asking, and crashes where it is missing.
 */
static uint32_t header_bytes(const struct hetckpt_fatbin_part *part)
{
	return part->kind == HETCKPT_FATBIN_PTX ? ENTRY_HEADER + 2 * ALIGN : ENTRY_HEADER;
}

/* Bytes that a part takes behind its header. PTX ends with at least one zero. */
static uint64_t stored_bytes(const struct hetckpt_fatbin_part *part)
{
	uint64_t bytes = part->bytes + (part->kind == HETCKPT_FATBIN_PTX);

	return (bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

int hetckpt_fatbin_write(const struct hetckpt_fatbin_part *parts, unsigned count,
                         unsigned char **container, uint64_t *bytes)
{
	uint64_t total = CONTAINER_HEADER;
	unsigned char *out, *at;

	if (!count)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		if (!parts[i].data || !parts[i].bytes || !parts[i].kind || parts[i].kind > 0xffff)
			return -EINVAL;
		if (parts[i].bytes > HETCKPT_FATBIN_ENTRY_MAX)
			return -EFBIG;
		total += header_bytes(&parts[i]) + stored_bytes(&parts[i]);
	}
	if (total > HETCKPT_FATBIN_MAX)
		return -EFBIG;
	out = calloc(1, total);
	if (!out)
		return -ENOMEM;
	store32(out, HETCKPT_FATBIN_MAGIC);
	store16(out + AT_CONTAINER_VERSION, CONTAINER_VERSION);
	store16(out + AT_CONTAINER_HEADER, CONTAINER_HEADER);
	store64(out + AT_CONTAINER_BYTES, total - CONTAINER_HEADER);
	at = out + CONTAINER_HEADER;
	for (unsigned i = 0; i < count; i++) {
		store16(at + AT_ENTRY_KIND, (uint16_t)parts[i].kind);
		store16(at + AT_ENTRY_VERSION, ENTRY_VERSION);
		store32(at + AT_ENTRY_HEADER, header_bytes(&parts[i]));
		store64(at + AT_ENTRY_BYTES, stored_bytes(&parts[i]));
		/* The version of what is inside: the ISA of PTX stands in its text, and a
		   cubin says its own, so these are only what NVIDIA's tools write there. */
		store16(at + AT_ENTRY_MINOR, parts[i].kind == HETCKPT_FATBIN_PTX ? 0 : 7);
		store16(at + AT_ENTRY_MAJOR, parts[i].kind == HETCKPT_FATBIN_PTX ? 6 : 1);
		store32(at + AT_ENTRY_ARCH, parts[i].arch);
		store64(at + AT_ENTRY_FLAGS, FLAG_64_BIT | FLAG_LINUX);
		if (parts[i].kind == HETCKPT_FATBIN_PTX) {
			store32(at + AT_ENTRY_OPTIONS, ENTRY_HEADER);
			store32(at + ENTRY_HEADER, ENTRY_HEADER + ALIGN);
		}
		memcpy(at + header_bytes(&parts[i]), parts[i].data, parts[i].bytes);
		at += header_bytes(&parts[i]) + stored_bytes(&parts[i]);
	}
	*container = out;
	*bytes = total;
	return 0;
}
