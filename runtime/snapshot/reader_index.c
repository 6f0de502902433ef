/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * reader_index.c - header, trailer, manifest and index of a snapshot, each number
 * checked against the others before it is used.
 */
#include "reader_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A block as the entry that came first describes it. */
struct block {
	const struct hetckpt_snap_chunk *chunk;
	size_t length; /* of its content */
};

static int no_memory(struct hetckpt_reader *reader)
{
	return hetckpt_snap_reader_fail(reader, -ENOMEM, "%s: no memory for its index", reader->what);
}

/* Reads a part of the metadata that lies at offset. */
static int read_part(struct hetckpt_reader *reader, uint64_t offset, void *data, uint64_t bytes,
	const char *part)
{
	const char *wrong;
	int rc = hetckpt_snap_reader_bytes(reader, offset, data, bytes, &wrong);

	if (rc)
		hetckpt_snap_reader_fail(reader, rc, "%s: %s, at file offset %llu: %s", reader->what, part,
			(unsigned long long)offset, wrong);
	return rc;
}

static int check_hash(struct hetckpt_reader *reader, const void *data, size_t bytes,
	const struct hetckpt_hash *expected, const char *part)
{
	struct hetckpt_hash hash = hetckpt_snap_hash(data, bytes);

	if (hetckpt_snap_hash_equal(&hash, expected))
		return 0;
	return hetckpt_snap_reader_fail(reader, -EBADMSG, "%s: %s: damaged, its hash differs",
		reader->what, part);
}

static int load_ends(struct hetckpt_reader *reader, uint32_t *manifest_bytes,
	struct hetckpt_snap_trailer *trailer)
{
	uint8_t header[HETCKPT_HEADER_BYTES], end[HETCKPT_TRAILER_BYTES];
	const char *wrong;
	int rc, code;

	if (reader->file_bytes < sizeof(header))
		return hetckpt_snap_reader_fail(reader, -EINVAL,
			"%s: not a hetckpt snapshot: only %llu bytes long", reader->what,
			(unsigned long long)reader->file_bytes);
	rc = read_part(reader, 0, header, sizeof(header), "header");
	if (rc)
		return rc;
	wrong = hetckpt_snap_header_decode(header, manifest_bytes, &code);
	if (wrong)
		return hetckpt_snap_reader_fail(reader, code, "%s: %s", reader->what, wrong);

	reader->data_offset = sizeof(header) + (uint64_t)*manifest_bytes;
	if (reader->file_bytes < reader->data_offset + HETCKPT_INDEX_HEAD_BYTES + sizeof(end))
		return hetckpt_snap_reader_fail(reader, -EBADMSG, "%s: truncated: only %llu bytes long",
			reader->what, (unsigned long long)reader->file_bytes);
	rc = read_part(reader, reader->file_bytes - sizeof(end), end, sizeof(end), "trailer");
	if (rc)
		return rc;
	wrong = hetckpt_snap_trailer_decode(end, trailer, &code);
	if (wrong)
		return hetckpt_snap_reader_fail(reader, code, "%s: %s", reader->what, wrong);
	if (trailer->file_bytes != reader->file_bytes)
		return hetckpt_snap_reader_fail(reader, -EBADMSG,
			"%s: is %llu bytes long, but was written with %llu", reader->what,
			(unsigned long long)reader->file_bytes, (unsigned long long)trailer->file_bytes);
	if (trailer->index_bytes > HETCKPT_INDEX_MAX || trailer->index_bytes < HETCKPT_INDEX_HEAD_BYTES ||
			trailer->index_offset < reader->data_offset ||
			trailer->index_offset > reader->file_bytes - sizeof(end) ||
			trailer->index_bytes != reader->file_bytes - sizeof(end) - trailer->index_offset)
		return hetckpt_snap_reader_fail(reader, -EBADMSG,
			"%s: trailer: the index does not lie between contents and trailer", reader->what);
	reader->index_offset = trailer->index_offset;
	return check_hash(reader, header, sizeof(header), &trailer->header, "header");
}

static int load_manifest(struct hetckpt_reader *reader, uint32_t bytes, const struct hetckpt_hash *hash)
{
	char *text = malloc(bytes);
	json_error_t error;
	int rc;

	if (!text)
		return no_memory(reader);
	rc = read_part(reader, HETCKPT_HEADER_BYTES, text, bytes, "manifest");
	if (!rc)
		rc = check_hash(reader, text, bytes, hash, "manifest");
	if (!rc && memchr(text, '\n', bytes) != text + bytes - 1)
		rc = hetckpt_snap_reader_fail(reader, -EBADMSG, "%s: manifest: not one line", reader->what);
	if (!rc) {
		reader->manifest = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
		/* Jansson says what is wrong with a text, and nothing when it had no memory. */
		if (!reader->manifest && !*error.text)
			rc = no_memory(reader);
		else if (!json_is_object(reader->manifest))
			rc = hetckpt_snap_reader_fail(reader, -EBADMSG, "%s: manifest: %s", reader->what,
				reader->manifest ? "not an object" : error.text);
	}
	free(text);
	return rc;
}

/* names is a block of name_bytes without terminators; sections tile it. */
static int load_sections(struct hetckpt_reader *reader, const uint8_t *entries, const char *names,
	uint64_t name_bytes)
{
	uint64_t chunk = 0, name_at = 0;
	char *copy = reader->names;
	size_t i;

	for (i = 0; i < reader->sections; i++, entries += HETCKPT_SECTION_BYTES) {
		struct hetckpt_snap_section s;
		int code;
		const char *wrong = hetckpt_snap_section_decode(entries, &s, &code);

		if (!wrong && (s.first_chunk != chunk || s.chunks > reader->chunks - chunk))
			wrong = "its chunks are not where they belong";
		if (!wrong && (s.name_offset != name_at || s.name_bytes > name_bytes - name_at ||
				!hetckpt_snap_name_valid(names + name_at, s.name_bytes))) {
			wrong = "impossible name";
			code = -EBADMSG;
		}
		if (wrong)
			return hetckpt_snap_reader_fail(reader, code, "%s: index: section number %zu: %s",
				reader->what, i, wrong);
		memcpy(copy, names + name_at, s.name_bytes);
		copy[s.name_bytes] = '\0';
		reader->first_chunk[i] = chunk;
		reader->section[i] = (struct hetckpt_section){
			.name = copy,
			.bytes = s.bytes,
			.chunks = s.chunks,
			.chunk_bytes = s.chunk_bytes,
			.flags = s.flags,
		};
		copy += s.name_bytes + 1;
		name_at += s.name_bytes;
		chunk += s.chunks;
	}
	if (chunk != reader->chunks || name_at != name_bytes)
		return hetckpt_snap_reader_fail(reader, -EBADMSG,
			"%s: index: chunks or names that belong to no section", reader->what);
	return 0;
}

static int compare_names(const void *a, const void *b, void *ctx)
{
	const struct hetckpt_reader *reader = ctx;

	return strcmp(reader->section[*(const size_t *)a].name, reader->section[*(const size_t *)b].name);
}

static int sort_names(struct hetckpt_reader *reader)
{
	size_t i;

	for (i = 0; i < reader->sections; i++)
		reader->by_name[i] = i;
	qsort_r(reader->by_name, reader->sections, sizeof(reader->by_name[0]), compare_names, reader);
	for (i = 1; i < reader->sections; i++)
		if (compare_names(&reader->by_name[i - 1], &reader->by_name[i], reader) == 0)
			return hetckpt_snap_reader_fail(reader, -EBADMSG, "%s: index: two sections '%s'",
				reader->what, reader->section[reader->by_name[i]].name);
	return 0;
}

/* The block that starts at offset; blocks are in the order of their offsets. */
static const struct block *find_block(const struct block *block, size_t blocks, uint64_t offset)
{
	size_t low = 0, high = blocks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (block[middle].chunk->offset == offset)
			return &block[middle];
		if (block[middle].chunk->offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool same_block(const struct block *block, const struct hetckpt_snap_chunk *chunk, size_t length)
{
	return block && block->length == length && block->chunk->stored == chunk->stored &&
		block->chunk->method == chunk->method &&
		hetckpt_snap_hash_equal(&block->chunk->hash, &chunk->hash);
}

/* NULL, or what is wrong with a chunk entry; *end is where the last block ends. */
static const char *check_chunk(const struct hetckpt_snap_chunk *chunk, size_t length,
	struct block *block, size_t *blocks, uint64_t *end)
{
	static const struct hetckpt_hash no_hash;

	switch (chunk->method) {
	case HETCKPT_CHUNK_ZERO:
		return chunk->offset || chunk->stored || !hetckpt_snap_hash_equal(&chunk->hash, &no_hash) ?
			"a zero chunk with a block" : NULL;
	case HETCKPT_CHUNK_RAW:
		if (chunk->stored != length)
			return "stored length does not fit";
		break;
	case HETCKPT_CHUNK_ZSTD:
		if (chunk->stored == 0 || chunk->stored >= length)
			return "stored length does not fit";
		break;
	default:
		return "unknown method";
	}
	if (chunk->offset != *end)
		return same_block(find_block(block, *blocks, chunk->offset), chunk, length) ? NULL :
			"its block is not where it belongs";
	block[(*blocks)++] = (struct block){ .chunk = chunk, .length = length };
	*end += chunk->stored;
	return NULL;
}

static int load_chunks(struct hetckpt_reader *reader, const uint8_t *entries)
{
	struct block *block = reallocarray(NULL, reader->chunks + 1, sizeof(*block));
	uint64_t end = reader->data_offset, k;
	size_t blocks = 0, i;
	int rc = 0;

	if (!block)
		return no_memory(reader);
	for (i = 0; i < reader->sections && !rc; i++) {
		struct hetckpt_section *section = &reader->section[i];

		for (k = 0; k < section->chunks && !rc; k++, entries += HETCKPT_CHUNK_ENTRY_BYTES) {
			struct hetckpt_snap_chunk *chunk = &reader->chunk[reader->first_chunk[i] + k];
			uint64_t before = end;
			const char *wrong;

			hetckpt_snap_chunk_decode(entries, chunk);
			wrong = check_chunk(chunk, hetckpt_snap_chunk_length(section->bytes,
				section->chunk_bytes, k), block, &blocks, &end);
			if (wrong)
				rc = hetckpt_snap_reader_fail(reader, -EBADMSG,
					"%s: index: section '%s', chunk %llu: %s", reader->what, section->name,
					(unsigned long long)k, wrong);
			section->stored_bytes += end - before;
		}
	}
	free(block);
	if (!rc && end != reader->index_offset)
		rc = hetckpt_snap_reader_fail(reader, -EBADMSG,
			"%s: index: blocks end at offset %llu, but the index starts at %llu", reader->what,
			(unsigned long long)end, (unsigned long long)reader->index_offset);
	return rc;
}

static int parse_index(struct hetckpt_reader *reader, const uint8_t *index, uint64_t bytes)
{
	struct hetckpt_snap_index_head head;
	uint64_t left = bytes - HETCKPT_INDEX_HEAD_BYTES;
	const uint8_t *sections = index + HETCKPT_INDEX_HEAD_BYTES, *chunks, *names;
	const char *wrong;
	int rc, code;

	wrong = hetckpt_snap_index_head_decode(index, &head, &code);
	if (wrong)
		return hetckpt_snap_reader_fail(reader, code, "%s: %s", reader->what, wrong);
	/* The three tables fill the index exactly: from here on each lies inside it. */
	if (head.sections > left / HETCKPT_SECTION_BYTES)
		goto sizes;
	left -= (uint64_t)head.sections * HETCKPT_SECTION_BYTES;
	if (head.chunks > left / HETCKPT_CHUNK_ENTRY_BYTES)
		goto sizes;
	left -= head.chunks * HETCKPT_CHUNK_ENTRY_BYTES;
	if (head.name_bytes != left)
		goto sizes;
	chunks = sections + (size_t)head.sections * HETCKPT_SECTION_BYTES;
	names = chunks + head.chunks * HETCKPT_CHUNK_ENTRY_BYTES;

	reader->sections = head.sections;
	reader->chunks = head.chunks;
	reader->section = calloc(reader->sections + 1, sizeof(reader->section[0]));
	reader->first_chunk = calloc(reader->sections + 1, sizeof(reader->first_chunk[0]));
	reader->by_name = calloc(reader->sections + 1, sizeof(reader->by_name[0]));
	reader->names = malloc(head.name_bytes + reader->sections + 1);
	reader->chunk = calloc(reader->chunks + 1, sizeof(reader->chunk[0]));
	if (!reader->section || !reader->first_chunk || !reader->by_name || !reader->names || !reader->chunk)
		return no_memory(reader);
	rc = load_sections(reader, sections, (const char *)names, head.name_bytes);
	if (!rc)
		rc = sort_names(reader);
	return rc ? rc : load_chunks(reader, chunks);
sizes:
	return hetckpt_snap_reader_fail(reader, -EBADMSG, "%s: index: its tables do not fill it",
		reader->what);
}

int hetckpt_snap_reader_load(struct hetckpt_reader *reader)
{
	struct hetckpt_snap_trailer trailer;
	uint32_t manifest_bytes;
	uint8_t *index;
	int rc;

	rc = load_ends(reader, &manifest_bytes, &trailer);
	if (!rc)
		rc = load_manifest(reader, manifest_bytes, &trailer.manifest);
	if (rc)
		return rc;
	index = malloc(trailer.index_bytes);
	if (!index)
		return no_memory(reader);
	rc = read_part(reader, trailer.index_offset, index, trailer.index_bytes, "index");
	if (!rc)
		rc = check_hash(reader, index, trailer.index_bytes, &trailer.index, "index");
	if (!rc)
		rc = parse_index(reader, index, trailer.index_bytes);
	free(index);
	return rc;
}
