/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>
#include <zstd_errors.h>

#define ZERO_BLOCK 4096u

struct hetckpt_hash hetckpt_snap_hash(const void *data, size_t bytes)
{
	struct hetckpt_hash hash;
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, bytes));
	memcpy(hash.byte, canonical.digest, sizeof(hash.byte));
	return hash;
}

bool hetckpt_snap_hash_equal(const struct hetckpt_hash *a, const struct hetckpt_hash *b)
{
	return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

uint64_t hetckpt_snap_guard(const void *data, size_t bytes, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, bytes, seed);
}

bool hetckpt_snap_zero(const void *data, size_t bytes)
{
	/* The C library's memcmp uses the widest vectors of the machine it runs on,
	   and the block of zeros stays in the first-level cache. */
	static const unsigned char zeros[ZERO_BLOCK];
	const unsigned char *at = data;

	for (; bytes >= ZERO_BLOCK; at += ZERO_BLOCK, bytes -= ZERO_BLOCK)
		if (memcmp(at, zeros, ZERO_BLOCK) != 0)
			return false;
	return memcmp(at, zeros, bytes) == 0;
}

struct hetckpt_snap_compressor *hetckpt_snap_compressor_create(int level)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	/* The frame states its content size (the default); our hash replaces zstd's. */
	if (c && (ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level)) ||
			ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 0)))) {
		ZSTD_freeCCtx(c);
		c = NULL;
	}
	return (struct hetckpt_snap_compressor *)c;
}

void hetckpt_snap_compressor_free(struct hetckpt_snap_compressor *c)
{
	ZSTD_freeCCtx((ZSTD_CCtx *)c);
}

struct hetckpt_snap_decompressor *hetckpt_snap_decompressor_create(void)
{
	return (struct hetckpt_snap_decompressor *)ZSTD_createDCtx();
}

void hetckpt_snap_decompressor_free(struct hetckpt_snap_decompressor *d)
{
	ZSTD_freeDCtx((ZSTD_DCtx *)d);
}

bool hetckpt_snap_level_valid(int level)
{
	return level >= ZSTD_minCLevel() && level <= ZSTD_maxCLevel();
}

size_t hetckpt_snap_compress_bound(size_t bytes)
{
	return ZSTD_compressBound(bytes);
}

int hetckpt_snap_compress(struct hetckpt_snap_compressor *c, void *out, size_t room, const void *data,
	size_t bytes, size_t *out_bytes)
{
	size_t n = ZSTD_compress2((ZSTD_CCtx *)c, out, room, data, bytes);

	if (ZSTD_isError(n))
		return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? -ENOMEM : -EIO;
	/* Saving less than 1/64 is not worth unpacking it at every read. */
	*out_bytes = n < bytes - bytes / 64 ? n : 0;
	return 0;
}

const char *hetckpt_snap_decompress(struct hetckpt_snap_decompressor *d, void *out, size_t bytes,
	const void *frame, size_t frame_bytes)
{
	size_t n;

	/* A frame that states another size would be refused below as well, but only
	   after unpacking; and skippable frames state none. */
	if (ZSTD_getFrameContentSize(frame, frame_bytes) != bytes)
		return "compressed content is damaged";
	n = ZSTD_findFrameCompressedSize(frame, frame_bytes);
	if (ZSTD_isError(n) || n != frame_bytes)
		return "compressed content is damaged";
	n = ZSTD_decompressDCtx((ZSTD_DCtx *)d, out, bytes, frame, frame_bytes);
	if (ZSTD_isError(n) || n != bytes)
		return "compressed content is damaged";
	return NULL;
}
