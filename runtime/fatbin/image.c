/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "runtime/fatbin/fatbin.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "hetckpt/abi.h"

/* The image that starts at p, of which left bytes are readable: its length, or 0. */
static uint64_t image_check(const unsigned char *p, uint64_t left)
{
	struct hetckpt_image_header header;
	XXH128_canonical_t hash;

	if (left < sizeof header)
		return 0;
	memcpy(&header, p, sizeof header);
	if (memcmp(header.magic, HETCKPT_IMAGE_MAGIC, sizeof header.magic) ||
	    header.header_bytes < sizeof header || header.header_bytes > header.total_bytes ||
	    header.total_bytes > left)
		return 0;
	/* What ABI it is, is for the reader of images to say; that it is whole, is not. */
	XXH128_canonicalFromHash(&hash, XXH3_128bits(p + header.header_bytes,
	                                             header.total_bytes - header.header_bytes));
	return memcmp(&hash, header.hash, sizeof header.hash) ? 0 : header.total_bytes;
}

static int image_in_elf(const unsigned char *code, uint64_t bytes, unsigned char **data, uint64_t *size)
{
	const unsigned char *at = code, *end = code + bytes;

	/* The magic's text may occur elsewhere (in a string, say), so go on after a miss. */
	while ((at = memmem(at, (size_t)(end - at), HETCKPT_IMAGE_MAGIC, 8))) {
		uint64_t length = image_check(at, (uint64_t)(end - at));

		if (length) {
			*data = malloc(length);
			if (!*data)
				return -ENOMEM;
			memcpy(*data, at, length);
			*size = length;
			return 0;
		}
		at++;
	}
	return -ENOENT;
}

/* ---- PTX --------------------------------------------------------------- */

/* A reader over PTX text. */
struct text {
	const char *at, *end;
};

static void space_skip(struct text *t)
{
	while (t->at < t->end) {
		if (isspace((unsigned char)*t->at)) {
			t->at++;
		} else if (t->end - t->at > 1 && t->at[0] == '/' && t->at[1] == '/') {
			while (t->at < t->end && *t->at != '\n')
				t->at++;
		} else if (t->end - t->at > 1 && t->at[0] == '/' && t->at[1] == '*') {
			t->at += 2;
			while (t->end - t->at > 1 && !(t->at[0] == '*' && t->at[1] == '/'))
				t->at++;
			t->at = t->end - t->at > 1 ? t->at + 2 : t->end;
		} else {
			return;
		}
	}
}

static int symbol_take(struct text *t, char c)
{
	space_skip(t);
	if (t->at == t->end || *t->at != c)
		return -EINVAL;
	t->at++;
	return 0;
}

/* PTX integer constants: decimal, 0x, 0b, octal with a leading 0, suffix U, sign. */
static int number_take(struct text *t, int64_t *value)
{
	uint64_t v = 0;
	unsigned base = 10, digits = 0;
	int negative = 0;

	space_skip(t);
	if (t->at < t->end && *t->at == '-') {
		negative = 1;
		t->at++;
	}
	if (t->end - t->at > 1 && t->at[0] == '0' && (t->at[1] | 32) == 'x') {
		base = 16;
		t->at += 2;
	} else if (t->end - t->at > 1 && t->at[0] == '0' && (t->at[1] | 32) == 'b') {
		base = 2;
		t->at += 2;
	} else if (t->at < t->end && *t->at == '0') {
		base = 8;
	}
	for (; t->at < t->end; t->at++, digits++) {
		int c = tolower((unsigned char)*t->at);
		unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;

		if (d >= base)
			break;
		if (v >> 56)
			return -EINVAL;
		v = v * base + d;
	}
	if (!digits)
		return -EINVAL;
	if (t->at < t->end && (*t->at == 'U' || *t->at == 'u'))
		t->at++;
	*value = negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

/* After "NAME": [count] = { numbers }. The element is a byte. */
static int list_take(struct text *t, unsigned char **data, uint64_t *size)
{
	int64_t count, value;
	unsigned char *out;
	uint64_t n = 0;

	/* Every element takes two characters, so the text bounds what is allocated. */
	if (symbol_take(t, '[') || number_take(t, &count) || symbol_take(t, ']') || symbol_take(t, '=') ||
	    symbol_take(t, '{') || count <= 0 || count > (t->end - t->at) * 16)
		return -EINVAL;
	out = calloc(1, (size_t)count);
	if (!out)
		return -ENOMEM;
	/* A list shorter than the array leaves the rest zero. */
	do {
		if (n == (uint64_t)count || number_take(t, &value) || value < -128 || value > 255) {
			free(out);
			return -EINVAL;
		}
		out[n++] = (unsigned char)value;
	} while (!symbol_take(t, ','));
	if (symbol_take(t, '}')) {
		free(out);
		return -EINVAL;
	}
	*data = out;
	*size = (uint64_t)count;
	return 0;
}

static int is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.';
}

static int image_in_ptx(const char *text, uint64_t bytes, unsigned char **data, uint64_t *size)
{
	static const char name[] = HETCKPT_IMAGE_SYMBOL;
	const char *at = text, *end = text + bytes;

	while ((at = memmem(at, (size_t)(end - at), name, sizeof name - 1))) {
		struct text t = {at + sizeof name - 1, end};
		unsigned char *out;
		uint64_t length;
		int result;

		at++;
		/* A longer name that contains ours, or a use of it, is not the definition. */
		if ((at - 1 > text && is_name(at[-2])) || (t.at < end && is_name(*t.at)))
			continue;
		result = list_take(&t, &out, &length);
		if (result == -ENOMEM)
			return result;
		if (result)
			continue;
		length = image_check(out, length);
		if (length) {
			*data = out;
			*size = length;
			return 0;
		}
		free(out);
	}
	return -ENOENT;
}

/* ---- All of it --------------------------------------------------------- */

int hetckpt_fatbin_entry_image(uint32_t kind, const unsigned char *code, uint64_t code_bytes,
                               unsigned char **data, uint64_t *bytes, char *error, size_t error_size)
{
	int result = -ENOENT;

	if (kind == HETCKPT_FATBIN_ELF)
		result = image_in_elf(code, code_bytes, data, bytes);
	else if (kind == HETCKPT_FATBIN_PTX)
		result = image_in_ptx((const char *)code, code_bytes, data, bytes);
	if (result && error && error_size)
		snprintf(error, error_size, result == -ENOMEM ? "fat binary: out of memory" :
		         "fat binary: no portable image in this entry");
	return result;
}

static int is_better(const struct hetckpt_fatbin_entry *entry, const struct hetckpt_fatbin_image *best)
{
	if (!best->data || entry->arch != best->arch)
		return !best->data || entry->arch > best->arch;
	return entry->kind == HETCKPT_FATBIN_ELF && best->kind == HETCKPT_FATBIN_PTX;
}

int hetckpt_fatbin_image_find(const void *container, uint64_t bytes, struct hetckpt_fatbin_image *image,
                              char *error, size_t error_size)
{
	struct hetckpt_fatbin_image best = {0};
	struct hetckpt_fatbin_entry entry;
	uint64_t offset = 0;
	int result;

	while (!(result = hetckpt_fatbin_next(container, bytes, &offset, &entry, error, error_size))) {
		unsigned char *code, *found;
		uint64_t code_bytes, found_bytes;

		if ((entry.kind != HETCKPT_FATBIN_ELF && entry.kind != HETCKPT_FATBIN_PTX) ||
		    !is_better(&entry, &best))
			continue;
		result = hetckpt_fatbin_unpack(&entry, &code, &code_bytes, error, error_size);
		if (result)
			goto failed;
		result = hetckpt_fatbin_entry_image(entry.kind, code, code_bytes, &found, &found_bytes,
		                                    error, error_size);
		free(code);
		if (result == -ENOENT)
			continue;
		if (result)
			goto failed;
		free(best.data);
		best = (struct hetckpt_fatbin_image){found, found_bytes, entry.arch, entry.kind, entry.offset};
	}
	if (result != -ENOENT)
		goto failed;
	if (!best.data) {
		if (error && error_size)
			snprintf(error, error_size, "fat binary: no portable image; was it compiled without the hetckpt pass?");
		return -ENOENT;
	}
	*image = best;
	return 0;
failed:
	free(best.data);
	return result;
}
