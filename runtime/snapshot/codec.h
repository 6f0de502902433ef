/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * codec.h - what is done to the content of one chunk.
 */
#ifndef HETCKPT_SNAPSHOT_CODEC_H
#define HETCKPT_SNAPSHOT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/snapshot/format.h"

struct hetckpt_hash hetckpt_snap_hash(const void *data, size_t bytes);
bool hetckpt_snap_hash_equal(const struct hetckpt_hash *a, const struct hetckpt_hash *b);

/* The second hash by which equal chunks are recognised; never stored. */
uint64_t hetckpt_snap_guard(const void *data, size_t bytes, uint64_t seed);

/* True if all bytes are zero. Stops at the first block that is not. */
bool hetckpt_snap_zero(const void *data, size_t bytes);

/* Contexts are used by one thread at a time; NULL if there is no memory.
   Freeing NULL is allowed. */
struct hetckpt_snap_compressor;
struct hetckpt_snap_decompressor;
struct hetckpt_snap_compressor *hetckpt_snap_compressor_create(int level);
void hetckpt_snap_compressor_free(struct hetckpt_snap_compressor *c);
struct hetckpt_snap_decompressor *hetckpt_snap_decompressor_create(void);
void hetckpt_snap_decompressor_free(struct hetckpt_snap_decompressor *d);

bool hetckpt_snap_level_valid(int level);

/* Room that compressing needs at most. */
size_t hetckpt_snap_compress_bound(size_t bytes);

/* Makes one frame. *out_bytes is 0 if it is not worth storing, compared with the
   content itself. 0 or negative errno. */
int hetckpt_snap_compress(struct hetckpt_snap_compressor *c, void *out, size_t room, const void *data,
	size_t bytes, size_t *out_bytes);

/* Unpacks one frame that must give exactly bytes. NULL, or what is wrong. */
const char *hetckpt_snap_decompress(struct hetckpt_snap_decompressor *d, void *out, size_t bytes,
	const void *frame, size_t frame_bytes);

#endif
