/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * format.h - offsets and bits of the container; see fatbin.h.
 */
#ifndef HETCKPT_FATBIN_FORMAT_H
#define HETCKPT_FATBIN_FORMAT_H

#include <stdint.h>
#include <string.h>

#define CONTAINER_HEADER 16u
#define ENTRY_HEADER 64u      /* the part that every entry has */
#define ENTRY_HEADER_MAX 65536u

enum {
	AT_CONTAINER_VERSION = 4,
	AT_CONTAINER_HEADER = 6,
	AT_CONTAINER_BYTES = 8,

	AT_ENTRY_KIND = 0,
	AT_ENTRY_VERSION = 2,
	AT_ENTRY_HEADER = 4,
	AT_ENTRY_BYTES = 8,
	AT_ENTRY_PACKED = 16,
	AT_ENTRY_OPTIONS = 20,
	AT_ENTRY_MINOR = 24,
	AT_ENTRY_MAJOR = 26,
	AT_ENTRY_ARCH = 28,
	AT_ENTRY_FLAGS = 40,
	AT_ENTRY_RAW = 56
};

#define CONTAINER_VERSION 1u
#define ENTRY_VERSION 0x0101u
#define FLAG_64_BIT 0x1u
#define FLAG_LINUX 0x10u
#define FLAG_LZ4 0x2000u
#define FLAG_ZSTD 0x8000u

static inline uint16_t load16(const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint32_t load32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t load64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

#endif
