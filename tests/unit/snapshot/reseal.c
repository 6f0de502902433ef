/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "reseal.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/snapshot/codec.h"
#include "runtime/snapshot/format.h"

static uint64_t get64(const unsigned char *from)
{
	uint64_t value = 0;
	int i;

	for (i = 7; i >= 0; i--)
		value = value << 8 | from[i];
	return value;
}

bool test_reseal(unsigned char *data, size_t bytes)
{
	struct hetckpt_snap_trailer trailer;
	unsigned manifest;
	unsigned char *end;
	char digits[9] = "";

	if (bytes < HETCKPT_HEADER_BYTES + HETCKPT_TRAILER_BYTES)
		return false;
	end = data + bytes - HETCKPT_TRAILER_BYTES;
	trailer.index_offset = get64(end + 8);
	trailer.index_bytes = get64(end + 16);
	trailer.file_bytes = bytes;
	memcpy(digits, data + 16, 8);
	if (sscanf(digits, "%8x", &manifest) != 1 || manifest > bytes - HETCKPT_HEADER_BYTES)
		return false;
	if (trailer.index_offset > bytes || trailer.index_bytes > bytes - trailer.index_offset)
		return false;
	trailer.header = hetckpt_snap_hash(data, HETCKPT_HEADER_BYTES);
	trailer.manifest = hetckpt_snap_hash(data + HETCKPT_HEADER_BYTES, manifest);
	trailer.index = hetckpt_snap_hash(data + trailer.index_offset, (size_t)trailer.index_bytes);
	hetckpt_snap_trailer_encode(end, &trailer);
	return true;
}
