/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "runtime/fatbin/fatbin.h"

#include <errno.h>
#include <stdio.h>

#include "runtime/fatbin/format.h"

int hetckpt_fatbin_size(const void *address, uint64_t *bytes)
{
	const unsigned char *p = address;
	uint64_t header, body;

	if (!p || load32(p) != HETCKPT_FATBIN_MAGIC || load16(p + AT_CONTAINER_VERSION) != CONTAINER_VERSION)
		return -EINVAL;
	header = load16(p + AT_CONTAINER_HEADER);
	body = load64(p + AT_CONTAINER_BYTES);
	if (header < CONTAINER_HEADER || body > HETCKPT_FATBIN_MAX)
		return -EINVAL;
	*bytes = header + body;
	return 0;
}

int hetckpt_fatbin_unwrap(const void *wrapper, const void **container, uint64_t *bytes)
{
	/* int magic, int version (1: plain, 2: linked afterwards), pointer to the container,
	   pointer that versions use differently. */
	const unsigned char *p = wrapper;
	uint32_t version;
	void *data;

	if (!p || load32(p) != HETCKPT_FATBIN_WRAPPER_MAGIC)
		return -EINVAL;
	version = load32(p + 4);
	if (version != 1 && version != 2)
		return -EINVAL;
	memcpy(&data, p + 8, sizeof data);
	*container = data;
	return hetckpt_fatbin_size(data, bytes);
}

int hetckpt_fatbin_next(const void *container, uint64_t bytes, uint64_t *offset,
                        struct hetckpt_fatbin_entry *entry, char *error, size_t error_size)
{
	const unsigned char *base = container;
	const char *what;
	uint64_t total, at = *offset, header, stored, left;
	uint32_t packed;

	what = "header";
	if (bytes < CONTAINER_HEADER || hetckpt_fatbin_size(base, &total))
		goto damaged;
	if (at == 0)
		at = load16(base + AT_CONTAINER_HEADER);
	what = "length";
	if (total > bytes || at > total)
		goto damaged;
	left = total - at;
	if (left == 0)
		return -ENOENT;
	what = "entry header";
	if (left < ENTRY_HEADER)
		goto damaged;
	header = load32(base + at + AT_ENTRY_HEADER);
	stored = load64(base + at + AT_ENTRY_BYTES);
	if (header < ENTRY_HEADER || header > ENTRY_HEADER_MAX || header > left)
		goto damaged;
	what = "entry length";
	if (stored > left - header)
		goto damaged;
	memset(entry, 0, sizeof *entry);
	entry->kind = load16(base + at + AT_ENTRY_KIND);
	entry->arch = load32(base + at + AT_ENTRY_ARCH);
	entry->flags = load64(base + at + AT_ENTRY_FLAGS);
	entry->offset = at;
	entry->data = base + at + header;
	packed = load32(base + at + AT_ENTRY_PACKED);
	if (entry->flags & (FLAG_LZ4 | FLAG_ZSTD)) {
		what = "compressed length";
		if (packed > stored)
			goto damaged;
		entry->packing = entry->flags & FLAG_ZSTD ? HETCKPT_FATBIN_ZSTD : HETCKPT_FATBIN_LZ4;
		entry->bytes = packed;
		entry->raw = load64(base + at + AT_ENTRY_RAW);
	} else {
		entry->bytes = entry->raw = stored;
	}
	*offset = at + header + stored;
	return 0;
damaged:
	if (error && error_size)
		snprintf(error, error_size, "fat binary: bad %s at offset %llu of %llu bytes", what,
		         (unsigned long long)at, (unsigned long long)bytes);
	return -EINVAL;
}
