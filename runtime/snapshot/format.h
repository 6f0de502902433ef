/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * format.h - the records of docs/snapshot-format.md as structs, and their
 * bytes. Decoding checks magic, version and reserved fields; what numbers mean
 * to each other is checked by the reader.
 */
#ifndef HETCKPT_SNAPSHOT_FORMAT_H
#define HETCKPT_SNAPSHOT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/snapshot/snapshot.h"

#define HETCKPT_HEADER_BYTES 32u
#define HETCKPT_INDEX_HEAD_BYTES 32u
#define HETCKPT_SECTION_BYTES 48u
#define HETCKPT_CHUNK_ENTRY_BYTES 32u
#define HETCKPT_TRAILER_BYTES 128u
#define HETCKPT_INDEX_MAX ((uint64_t)1 << 30)
#define HETCKPT_CONTENT_MAX ((uint64_t)INT64_MAX)

struct hetckpt_hash {
	uint8_t byte[16]; /* XXH3-128, canonical */
};

struct hetckpt_snap_index_head {
	uint32_t sections;
	uint64_t chunks;
	uint64_t name_bytes;
};

struct hetckpt_snap_section {
	uint64_t bytes;
	uint64_t first_chunk;
	uint64_t chunks;
	uint32_t chunk_bytes;
	uint32_t flags;
	uint32_t name_offset;
	uint32_t name_bytes;
};

struct hetckpt_snap_chunk {
	uint64_t offset;
	uint32_t stored;
	uint32_t method; /* enum hetckpt_chunk_method, once checked */
	struct hetckpt_hash hash;
};

struct hetckpt_snap_trailer {
	uint64_t index_offset;
	uint64_t index_bytes;
	uint64_t file_bytes;
	struct hetckpt_hash header, manifest, index;
};

/* Number of chunks of a section of bytes. */
uint64_t hetckpt_snap_chunk_count(uint64_t bytes, uint32_t chunk_bytes);

/* Length of chunk number chunk of a section. */
size_t hetckpt_snap_chunk_length(uint64_t bytes, uint32_t chunk_bytes, uint64_t chunk);

bool hetckpt_snap_chunk_bytes_valid(uint32_t chunk_bytes);
bool hetckpt_snap_name_valid(const char *name, size_t length);

void hetckpt_snap_header_encode(uint8_t *to, uint32_t manifest_bytes);
void hetckpt_snap_index_head_encode(uint8_t *to, const struct hetckpt_snap_index_head *head);
void hetckpt_snap_section_encode(uint8_t *to, const struct hetckpt_snap_section *section);
void hetckpt_snap_chunk_encode(uint8_t *to, const struct hetckpt_snap_chunk *chunk);
void hetckpt_snap_trailer_encode(uint8_t *to, const struct hetckpt_snap_trailer *trailer);

/*
 * The decoders return NULL, or what is wrong, as the end of a sentence. from
 * has the record's full length. *code is then the errno to report.
 */
const char *hetckpt_snap_header_decode(const uint8_t *from, uint32_t *manifest_bytes, int *code);
const char *hetckpt_snap_index_head_decode(const uint8_t *from, struct hetckpt_snap_index_head *head,
	int *code);
const char *hetckpt_snap_section_decode(const uint8_t *from, struct hetckpt_snap_section *section,
	int *code);
const char *hetckpt_snap_trailer_decode(const uint8_t *from, struct hetckpt_snap_trailer *trailer,
	int *code);
void hetckpt_snap_chunk_decode(const uint8_t *from, struct hetckpt_snap_chunk *chunk);

#endif
