/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * fatbin.h - CUDA fat binaries: what is in them, and where the portable image is.
 *
 * A fat binary is a container header followed by entries, each a header and device
 * code for one architecture: PTX text or an ELF file (cubin), stored as it is or
 * compressed (LZ4 block or zstd frame). NVIDIA does not document the format; the field
 * names and meanings here were found by comparing the output of CUDA 12 and 13 tools
 * for known input, and unknown fields are left alone:
 *
 *   container  u32 magic, u16 version, u16 header bytes, u64 bytes of all entries
 *   entry      u16 kind, u16 version, u32 header bytes, u64 stored bytes (padded),
 *              u32 compressed bytes, u32 offset of options, u16 minor, u16 major,
 *              u32 architecture, u32 offset of the name, u32 length of the name,
 *              u64 flags, u64 zero, u64 uncompressed bytes
 *
 * All input is untrusted and bounds-checked, except where a function says that it has
 * only an address. Functions return 0 or a negative errno; those that take error fill it
 * with one line when they fail (error may be NULL). Nothing blocks or keeps state.
 */
#ifndef HETCKPT_FATBIN_FATBIN_H
#define HETCKPT_FATBIN_FATBIN_H

#include <stddef.h>
#include <stdint.h>

#define HETCKPT_FATBIN_MAGIC 0xba55ed50u
#define HETCKPT_FATBIN_WRAPPER_MAGIC 0x466243b1u

/* The most that one entry may unpack to, and the largest container that is believed. */
#define HETCKPT_FATBIN_ENTRY_MAX ((uint64_t)2 << 30)
#define HETCKPT_FATBIN_MAX ((uint64_t)8 << 30)

#define HETCKPT_FATBIN_ERROR 256u /* enough for every error line of this folder */

enum hetckpt_fatbin_kind { HETCKPT_FATBIN_PTX = 1, HETCKPT_FATBIN_ELF = 2 };

enum hetckpt_fatbin_packing { HETCKPT_FATBIN_STORED, HETCKPT_FATBIN_LZ4, HETCKPT_FATBIN_ZSTD };

struct hetckpt_fatbin_entry {
	uint32_t kind;             /* enum hetckpt_fatbin_kind, or one that is not known */
	uint32_t arch;             /* 75 for sm_75 */
	uint64_t flags;
	enum hetckpt_fatbin_packing packing;
	const unsigned char *data; /* in the container */
	uint64_t bytes;            /* of data */
	uint64_t raw;              /* unpacked; equal to bytes if stored */
	uint64_t offset;           /* of the entry's header in the container */
};

/* ---- Reading ----------------------------------------------------------- */

/*
 * Bytes of the container at address, header included, as its header says. Reads 16 bytes
 * there; whether the rest is readable is for the caller to know. -EINVAL: no fat binary.
 */
int hetckpt_fatbin_size(const void *address, uint64_t *bytes);

/*
 * The container that compiled code registers with __cudaRegisterFatBinary: wrapper is a
 * __fatBinC_Wrapper_t of this process. *container is not copied.
 */
int hetckpt_fatbin_unwrap(const void *wrapper, const void **container, uint64_t *bytes);

/*
 * Walks the entries: start with *offset = 0; *offset is moved on. -ENOENT: no further entry;
 * -EINVAL: damaged from here on (error says how).
 */
int hetckpt_fatbin_next(const void *container, uint64_t bytes, uint64_t *offset,
                        struct hetckpt_fatbin_entry *entry, char *error, size_t error_size);

/*
 * Unpacks an entry into fresh memory (free() it); one more byte, zero, follows, so that
 * PTX is a C string. -EINVAL: damaged; -EFBIG: more than HETCKPT_FATBIN_ENTRY_MAX; -ENOMEM.
 */
int hetckpt_fatbin_unpack(const struct hetckpt_fatbin_entry *entry, unsigned char **data,
                          uint64_t *bytes, char *error, size_t error_size);

/* ---- The portable image ------------------------------------------------ */

struct hetckpt_fatbin_image {
	unsigned char *data; /* struct hetckpt_image_header and parts; hash checked; free() it */
	uint64_t bytes;
	uint32_t arch;       /* of the entry that holds it */
	uint32_t kind;
	uint64_t entry;      /* that entry's offset */
};

/*
 * Finds the portable image: in a cubin by its magic, in PTX by the initialiser of
 * __hetckpt_image. Each architecture of a fat binary has an image of its own, and frames
 * of one do not fit another; so that every device agrees, the choice depends on the fat
 * binary alone: the highest architecture, cubin before PTX, first in the file. Native code
 * may be used with the image only if it comes from the same compilation: the same entry,
 * or one whose image is byte for byte the same (hetckpt_fatbin_entry_image).
 * -ENOENT: no entry has an image; -EINVAL: damaged; -ENOMEM.
 */
int hetckpt_fatbin_image_find(const void *container, uint64_t bytes, struct hetckpt_fatbin_image *image,
                              char *error, size_t error_size);

/* The image in unpacked device code of one entry. -ENOENT: none. *data: free() it. */
int hetckpt_fatbin_entry_image(uint32_t kind, const unsigned char *code, uint64_t code_bytes,
                               unsigned char **data, uint64_t *bytes, char *error, size_t error_size);

/* ---- Writing ----------------------------------------------------------- */

struct hetckpt_fatbin_part {
	uint32_t kind; /* enum hetckpt_fatbin_kind, or a kind of one's own, at most 0xffff */
	uint32_t arch;
	const void *data;
	uint64_t bytes;
};

/*
 * Makes a container of stored entries, as NVIDIA's driver reads it. PTX gets the terminating
 * zero that it needs. *container is fresh memory; free() it. -EINVAL: no parts or a bad
 * one; -EFBIG; -ENOMEM.
 */
int hetckpt_fatbin_write(const struct hetckpt_fatbin_part *parts, unsigned count,
                         unsigned char **container, uint64_t *bytes);

#endif
