/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "runtime/fatbin/fatbin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/*
 * One LZ4 block (the block format of the LZ4 project, lz4_Block_format.md): sequences of
 * a token, literals, and a match that repeats earlier output. The last sequence has no match.
 */

/* A length that a token's four bits began: bytes of 255 go on. 0 or -EINVAL. */
static int lz4_length(const unsigned char **in, const unsigned char *end, uint64_t *length)
{
	unsigned char more;

	if (*length != 15)
		return 0;
	do {
		if (*in == end)
			return -EINVAL;
		more = *(*in)++;
		*length += more;
	} while (more == 255);
	return 0;
}

static int lz4_unpack(const unsigned char *in, uint64_t in_bytes, unsigned char *out, uint64_t out_bytes)
{
	const unsigned char *end = in + in_bytes;
	uint64_t done = 0;

	while (in < end) {
		unsigned char token = *in++;
		uint64_t literals = token >> 4, match = token & 15, distance;

		if (lz4_length(&in, end, &literals) || literals > (uint64_t)(end - in) ||
		    literals > out_bytes - done)
			return -EINVAL;
		memcpy(out + done, in, literals);
		in += literals;
		done += literals;
		if (in == end)
			break;
		if (end - in < 2)
			return -EINVAL;
		distance = in[0] | (uint64_t)in[1] << 8;
		in += 2;
		if (lz4_length(&in, end, &match))
			return -EINVAL;
		match += 4;
		if (!distance || distance > done || match > out_bytes - done)
			return -EINVAL;
		/* Byte by byte: source and destination overlap when a match repeats itself. */
		for (; match; match--, done++)
			out[done] = out[done - distance];
	}
	return done == out_bytes ? 0 : -EINVAL;
}

int hetckpt_fatbin_unpack(const struct hetckpt_fatbin_entry *entry, unsigned char **data,
                          uint64_t *bytes, char *error, size_t error_size)
{
	static const char *const names[] = {"stored", "LZ4", "zstd"};
	unsigned char *out = NULL;
	int result = -EFBIG;
	size_t got;

	if (entry->raw > HETCKPT_FATBIN_ENTRY_MAX)
		goto failed;
	/* A small entry cannot ask for gigabytes: LZ4 expands at most so far, and a zstd frame
	   says its size once more. */
	result = -EINVAL;
	if (entry->packing == HETCKPT_FATBIN_LZ4 && entry->raw > entry->bytes * 255 + 64)
		goto failed;
	if (entry->packing == HETCKPT_FATBIN_ZSTD) {
		unsigned long long said = ZSTD_getFrameContentSize(entry->data, entry->bytes);

		if (said == ZSTD_CONTENTSIZE_ERROR || (said != ZSTD_CONTENTSIZE_UNKNOWN && said != entry->raw))
			goto failed;
	}
	result = -ENOMEM;
	out = malloc(entry->raw + 1);
	if (!out)
		goto failed;
	result = -EINVAL;
	switch (entry->packing) {
	case HETCKPT_FATBIN_STORED:
		if (entry->raw != entry->bytes)
			goto failed;
		memcpy(out, entry->data, entry->bytes);
		break;
	case HETCKPT_FATBIN_LZ4:
		if (lz4_unpack(entry->data, entry->bytes, out, entry->raw))
			goto failed;
		break;
	case HETCKPT_FATBIN_ZSTD:
		got = ZSTD_decompress(out, entry->raw, entry->data, entry->bytes);
		if (ZSTD_isError(got) || got != entry->raw)
			goto failed;
		break;
	default:
		goto failed;
	}
	out[entry->raw] = 0;
	*data = out;
	*bytes = entry->raw;
	return 0;
failed:
	free(out);
	if (error && error_size)
		snprintf(error, error_size, "fat binary: cannot unpack the %s entry at offset %llu (%llu to %llu bytes): %s",
		         (unsigned)entry->packing < 3 ? names[entry->packing] : "unknown",
		         (unsigned long long)entry->offset, (unsigned long long)entry->bytes,
		         (unsigned long long)entry->raw,
		         result == -ENOMEM ? "out of memory" : result == -EFBIG ? "too large" : "damaged");
	return result;
}
