/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "format.h"

#include "codec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HEADER_MAGIC "HCKSNAP "
#define INDEX_MAGIC "HCKINDEX"
#define TRAILER_MAGIC "HCKTRAIL"
#define MAGIC_BYTES 8

static void put32(uint8_t *to, uint32_t value)
{
	int i;

	for (i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static void put64(uint8_t *to, uint64_t value)
{
	put32(to, (uint32_t)value);
	put32(to + 4, (uint32_t)(value >> 32));
}

static uint32_t get32(const uint8_t *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
		(uint32_t)from[3] << 24;
}

static uint64_t get64(const uint8_t *from)
{
	return get32(from) | (uint64_t)get32(from + 4) << 32;
}

static bool get_hex(const uint8_t *from, int digits, uint32_t *value)
{
	uint32_t v = 0;
	int i;

	for (i = 0; i < digits; i++) {
		uint8_t c = from[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*value = v;
	return true;
}

uint64_t hetckpt_snap_chunk_count(uint64_t bytes, uint32_t chunk_bytes)
{
	return bytes / chunk_bytes + (bytes % chunk_bytes != 0);
}

size_t hetckpt_snap_chunk_length(uint64_t bytes, uint32_t chunk_bytes, uint64_t chunk)
{
	uint64_t left = bytes - chunk * chunk_bytes;

	return left < chunk_bytes ? (size_t)left : chunk_bytes;
}

bool hetckpt_snap_chunk_bytes_valid(uint32_t chunk_bytes)
{
	return chunk_bytes >= HETCKPT_CHUNK_MIN && chunk_bytes <= HETCKPT_CHUNK_MAX &&
		(chunk_bytes & (chunk_bytes - 1)) == 0;
}

bool hetckpt_snap_name_valid(const char *name, size_t length)
{
	size_t i;

	if (length < 1 || length > HETCKPT_NAME_MAX)
		return false;
	for (i = 0; i < length; i++)
		if (name[i] < 0x21 || name[i] > 0x7e)
			return false;
	return true;
}

void hetckpt_snap_header_encode(uint8_t *to, uint32_t manifest_bytes)
{
	char line[HETCKPT_HEADER_BYTES + 1];

	snprintf(line, sizeof(line), HEADER_MAGIC "%04x le %08x 000000\n", HETCKPT_SNAPSHOT_VERSION,
		(unsigned)manifest_bytes);
	memcpy(to, line, HETCKPT_HEADER_BYTES);
}

void hetckpt_snap_index_head_encode(uint8_t *to, const struct hetckpt_snap_index_head *head)
{
	memcpy(to, INDEX_MAGIC, MAGIC_BYTES);
	put32(to + 8, head->sections);
	put32(to + 12, 0);
	put64(to + 16, head->chunks);
	put64(to + 24, head->name_bytes);
}

void hetckpt_snap_section_encode(uint8_t *to, const struct hetckpt_snap_section *section)
{
	put64(to, section->bytes);
	put64(to + 8, section->first_chunk);
	put64(to + 16, section->chunks);
	put32(to + 24, section->chunk_bytes);
	put32(to + 28, section->flags);
	put32(to + 32, section->name_offset);
	put32(to + 36, section->name_bytes);
	put64(to + 40, 0);
}

void hetckpt_snap_chunk_encode(uint8_t *to, const struct hetckpt_snap_chunk *chunk)
{
	put64(to, chunk->offset);
	put32(to + 8, chunk->stored);
	put32(to + 12, chunk->method);
	memcpy(to + 16, chunk->hash.byte, sizeof(chunk->hash.byte));
}

void hetckpt_snap_trailer_encode(uint8_t *to, const struct hetckpt_snap_trailer *trailer)
{
	struct hetckpt_hash self;

	memset(to, 0, HETCKPT_TRAILER_BYTES);
	memcpy(to, TRAILER_MAGIC, MAGIC_BYTES);
	put64(to + 8, trailer->index_offset);
	put64(to + 16, trailer->index_bytes);
	put64(to + 24, trailer->file_bytes);
	memcpy(to + 32, trailer->header.byte, 16);
	memcpy(to + 48, trailer->manifest.byte, 16);
	memcpy(to + 64, trailer->index.byte, 16);
	self = hetckpt_snap_hash(to, HETCKPT_TRAILER_BYTES - 16);
	memcpy(to + HETCKPT_TRAILER_BYTES - 16, self.byte, 16);
}

const char *hetckpt_snap_header_decode(const uint8_t *from, uint32_t *manifest_bytes, int *code)
{
	uint32_t version;

	if (memcmp(from, HEADER_MAGIC, MAGIC_BYTES) != 0) {
		*code = -EINVAL;
		return "not a hetckpt snapshot";
	}
	*code = -EBADMSG;
	if (!get_hex(from + 8, 4, &version))
		return "header: version is not a number";
	if (version != HETCKPT_SNAPSHOT_VERSION) {
		*code = -ENOTSUP;
		return "made by another version of the format, this one reads version 1";
	}
	if (memcmp(from + 12, " le ", 4) != 0 || !get_hex(from + 16, 8, manifest_bytes) ||
			memcmp(from + 24, " 000000\n", 8) != 0)
		return "header: damaged";
	if (*manifest_bytes < 3 || *manifest_bytes > HETCKPT_MANIFEST_MAX)
		return "header: length of the manifest is impossible";
	return NULL;
}

const char *hetckpt_snap_index_head_decode(const uint8_t *from, struct hetckpt_snap_index_head *head,
	int *code)
{
	*code = -EBADMSG;
	if (memcmp(from, INDEX_MAGIC, MAGIC_BYTES) != 0 || get32(from + 12) != 0)
		return "index: damaged";
	head->sections = get32(from + 8);
	head->chunks = get64(from + 16);
	head->name_bytes = get64(from + 24);
	return NULL;
}

const char *hetckpt_snap_section_decode(const uint8_t *from, struct hetckpt_snap_section *section,
	int *code)
{
	section->bytes = get64(from);
	section->first_chunk = get64(from + 8);
	section->chunks = get64(from + 16);
	section->chunk_bytes = get32(from + 24);
	section->flags = get32(from + 28);
	section->name_offset = get32(from + 32);
	section->name_bytes = get32(from + 36);
	*code = -EBADMSG;
	if (get64(from + 40) != 0 || (section->flags & ~HETCKPT_SECTION_REQUIRED) != 0)
		return "reserved fields are not zero";
	if (!hetckpt_snap_chunk_bytes_valid(section->chunk_bytes))
		return "impossible chunk size";
	if (section->bytes > HETCKPT_CONTENT_MAX ||
			section->chunks != hetckpt_snap_chunk_count(section->bytes, section->chunk_bytes))
		return "number of chunks does not fit the length";
	return NULL;
}

void hetckpt_snap_chunk_decode(const uint8_t *from, struct hetckpt_snap_chunk *chunk)
{
	chunk->offset = get64(from);
	chunk->stored = get32(from + 8);
	chunk->method = get32(from + 12);
	memcpy(chunk->hash.byte, from + 16, sizeof(chunk->hash.byte));
}

const char *hetckpt_snap_trailer_decode(const uint8_t *from, struct hetckpt_snap_trailer *trailer,
	int *code)
{
	static const uint8_t zero[32];
	struct hetckpt_hash self;

	*code = -EBADMSG;
	if (memcmp(from, TRAILER_MAGIC, MAGIC_BYTES) != 0)
		return "no trailer at the end: truncated, or not written to its end";
	self = hetckpt_snap_hash(from, HETCKPT_TRAILER_BYTES - 16);
	if (memcmp(from + HETCKPT_TRAILER_BYTES - 16, self.byte, 16) != 0)
		return "trailer: damaged, its hash differs";
	if (memcmp(from + 80, zero, sizeof(zero)) != 0)
		return "trailer: reserved fields are not zero";
	trailer->index_offset = get64(from + 8);
	trailer->index_bytes = get64(from + 16);
	trailer->file_bytes = get64(from + 24);
	memcpy(trailer->header.byte, from + 32, 16);
	memcpy(trailer->manifest.byte, from + 48, 16);
	memcpy(trailer->index.byte, from + 64, 16);
	return NULL;
}
