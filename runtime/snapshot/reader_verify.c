/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * reader_verify.c - reads every block once and lists every chunk that is damaged.
 */
#include "reader_internal.h"

#include <errno.h>
#include <stdlib.h>

/* A block: the first chunk that names it. */
struct block {
	uint64_t chunk;   /* in the file */
	uint32_t length;  /* of its content */
	int code;         /* found out */
	const char *wrong;
};

struct verify {
	struct hetckpt_reader *reader;
	struct block *block;
	size_t blocks;
};

static int verify_one(void *ctx, struct hetckpt_snap_lane *lane, uint64_t i)
{
	struct verify *verify = ctx;
	struct block *block = &verify->block[i];

	block->wrong = hetckpt_snap_reader_content(verify->reader, lane,
		&verify->reader->chunk[block->chunk], lane->raw, block->length, &block->code);
	/* Damage does not stop the check; a disk that cannot be read does. */
	if (block->wrong && block->code != -EBADMSG)
		return hetckpt_snap_reader_fail(verify->reader, block->code, "%s: at file offset %llu: %s",
			verify->reader->what,
			(unsigned long long)verify->reader->chunk[block->chunk].offset, block->wrong);
	return hetckpt_snap_reader_progress(verify->reader, block->length);
}

/* Lists the blocks in the order of the file and finds the largest chunk. */
static size_t list_blocks(struct verify *verify)
{
	struct hetckpt_reader *reader = verify->reader;
	uint64_t end = reader->data_offset, k;
	size_t room = 0, i;

	reader->total = 0;
	for (i = 0; i < reader->sections; i++) {
		const struct hetckpt_section *section = &reader->section[i];

		for (k = 0; k < section->chunks; k++) {
			uint64_t number = reader->first_chunk[i] + k;
			const struct hetckpt_snap_chunk *chunk = &reader->chunk[number];
			size_t length = hetckpt_snap_chunk_length(section->bytes, section->chunk_bytes, k);

			if (chunk->method == HETCKPT_CHUNK_ZERO || chunk->offset != end)
				continue;
			verify->block[verify->blocks++] = (struct block){
				.chunk = number, .length = (uint32_t)length
			};
			end += chunk->stored;
			reader->total += length;
			if (length > room)
				room = length;
		}
	}
	return room;
}

static const struct block *block_at(const struct verify *verify, uint64_t offset)
{
	size_t low = 0, high = verify->blocks;

	while (low + 1 < high) {
		size_t middle = low + (high - low) / 2;

		if (verify->reader->chunk[verify->block[middle].chunk].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return &verify->block[low];
}

/* Reports each chunk that names a damaged block, shared ones too. */
static int report_damage(const struct verify *verify,
	void (*report)(void *ctx, const struct hetckpt_damage *damage), void *ctx)
{
	struct hetckpt_reader *reader = verify->reader;
	uint64_t damaged = 0, k;
	size_t i;

	for (i = 0; i < reader->sections; i++) {
		const struct hetckpt_section *section = &reader->section[i];

		for (k = 0; k < section->chunks; k++) {
			const struct hetckpt_snap_chunk *chunk = &reader->chunk[reader->first_chunk[i] + k];
			const struct block *block;
			struct hetckpt_damage damage;

			if (chunk->method == HETCKPT_CHUNK_ZERO)
				continue;
			block = block_at(verify, chunk->offset);
			if (!block->wrong)
				continue;
			damage = (struct hetckpt_damage){
				.file = reader->what,
				.section = section->name,
				.chunk = k,
				.section_offset = k * section->chunk_bytes,
				.file_offset = chunk->offset,
				.stored_bytes = chunk->stored,
				.what = block->wrong,
			};
			if (!damaged++)
				hetckpt_snap_reader_fail(reader, -EBADMSG,
					"%s: section '%s', chunk %llu, at file offset %llu: %s", reader->what,
					section->name, (unsigned long long)k,
					(unsigned long long)chunk->offset, block->wrong);
			if (report)
				report(ctx, &damage);
		}
	}
	return damaged ? -EBADMSG : 0;
}

int hetckpt_reader_verify(struct hetckpt_reader *reader,
	void (*report)(void *ctx, const struct hetckpt_damage *damage), void *ctx)
{
	struct verify verify = { .reader = reader };
	size_t room;
	int rc;

	hetckpt_snap_error_clear(&reader->error);
	reader->done = 0;
	verify.block = reallocarray(NULL, reader->chunks + 1, sizeof(verify.block[0]));
	if (!verify.block)
		return hetckpt_snap_reader_fail(reader, -ENOMEM, "%s: out of memory", reader->what);
	room = list_blocks(&verify);
	rc = hetckpt_snap_reader_run(reader, verify.blocks, room, room, false, verify_one, &verify);
	if (!rc)
		rc = report_damage(&verify, report, ctx);
	free(verify.block);
	return rc;
}
