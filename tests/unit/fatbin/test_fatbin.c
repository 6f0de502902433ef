/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Fat binaries: real ones, our own, and damaged ones. Arguments: the folder of samples,
   then fat binaries or files that contain one, built by the toolkit if there is one. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/fatbin/fatbin.h"
#include "tests/unit/fatbin/sample_image.h"

static const char *folder;
static char **built;
static int built_count;

static unsigned char *file_read(const char *path, uint64_t *bytes)
{
	FILE *f = fopen(path, "rb");
	unsigned char *data;
	long length;

	if (!f)
		fail_msg("cannot open %s", path);
	fseek(f, 0, SEEK_END);
	length = ftell(f);
	rewind(f);
	data = malloc((size_t)length);
	assert_int_equal(fread(data, 1, (size_t)length, f), length);
	fclose(f);
	*bytes = (uint64_t)length;
	return data;
}

static unsigned char *sample_read(const char *name, uint64_t *bytes)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return file_read(path, bytes);
}

static void assert_image(const struct hetckpt_fatbin_image *image, unsigned salt)
{
	uint64_t bytes;
	unsigned char *wanted = sample_image(salt, &bytes);

	assert_int_equal(image->bytes, bytes);
	assert_memory_equal(image->data, wanted, bytes);
	free(wanted);
}

/* ---- Real ones --------------------------------------------------------- */

static void test_samples(void **state)
{
	static const struct {
		const char *name;
		unsigned arch, kind, entries;
		enum hetckpt_fatbin_packing packing;
	} samples[] = {
		{"elf-stored.fatbin", 75, HETCKPT_FATBIN_ELF, 1, HETCKPT_FATBIN_STORED},
		{"elf-lz4.fatbin", 75, HETCKPT_FATBIN_ELF, 1, HETCKPT_FATBIN_LZ4},
		{"ptx-lz4.fatbin", 75, HETCKPT_FATBIN_PTX, 1, HETCKPT_FATBIN_LZ4},
		{"multi-zstd.fatbin", 90, HETCKPT_FATBIN_ELF, 3, HETCKPT_FATBIN_ZSTD},
	};

	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		struct hetckpt_fatbin_image image;
		struct hetckpt_fatbin_entry entry;
		char error[HETCKPT_FATBIN_ERROR] = "";
		uint64_t bytes, size, offset = 0;
		unsigned char *data = sample_read(samples[i].name, &bytes);
		unsigned entries = 0;
		int result;

		assert_int_equal(hetckpt_fatbin_size(data, &size), 0);
		assert_int_equal(size, bytes);
		while (!(result = hetckpt_fatbin_next(data, bytes, &offset, &entry, error, sizeof error))) {
			unsigned char *code;
			uint64_t code_bytes;

			assert_int_equal(entry.packing, samples[i].packing);
			assert_int_equal(hetckpt_fatbin_unpack(&entry, &code, &code_bytes, error, sizeof error), 0);
			assert_int_equal(code_bytes, entry.raw);
			assert_int_equal(code[code_bytes], 0);
			if (entry.kind == HETCKPT_FATBIN_ELF)
				assert_memory_equal(code, "\177ELF", 4);
			else
				assert_non_null(strstr((char *)code, ".target sm_"));
			free(code);
			entries++;
		}
		assert_int_equal(result, -ENOENT);
		assert_int_equal(entries, samples[i].entries);
		assert_int_equal(hetckpt_fatbin_image_find(data, bytes, &image, error, sizeof error), 0);
		assert_int_equal(image.arch, samples[i].arch);
		assert_int_equal(image.kind, samples[i].kind);
		assert_image(&image, samples[i].arch);
		free(image.data);
		free(data);
	}
}

static void test_built_by_toolkit(void **state)
{
	if (!built_count)
		skip();
	for (int i = 0; i < built_count; i++) {
		static const unsigned char magic[] = {0x50, 0xed, 0x55, 0xba};
		struct hetckpt_fatbin_image image;
		uint64_t bytes, size;
		char error[HETCKPT_FATBIN_ERROR] = "";
		unsigned char *data = file_read(built[i], &bytes);
		/* In an object file the container lies somewhere inside. */
		unsigned char *at = memmem(data, bytes, magic, sizeof magic);

		assert_non_null(at);
		assert_int_equal(hetckpt_fatbin_size(at, &size), 0);
		if (hetckpt_fatbin_image_find(at, size, &image, error, sizeof error))
			fail_msg("%s: %s", built[i], error);
		assert_image(&image, image.arch);
		free(image.data);
		free(data);
	}
}

static void test_unwrap(void **state)
{
	struct { int magic, version; const void *data; void *more; } wrapper = {0x466243b1, 1, NULL, NULL};
	uint64_t bytes, size;
	unsigned char *data = sample_read("elf-stored.fatbin", &bytes);
	const void *container;

	wrapper.data = data;
	assert_int_equal(hetckpt_fatbin_unwrap(&wrapper, &container, &size), 0);
	assert_ptr_equal(container, data);
	assert_int_equal(size, bytes);
	wrapper.version = 3;
	assert_int_equal(hetckpt_fatbin_unwrap(&wrapper, &container, &size), -EINVAL);
	wrapper.version = 1;
	wrapper.magic++;
	assert_int_equal(hetckpt_fatbin_unwrap(&wrapper, &container, &size), -EINVAL);
	assert_int_equal(hetckpt_fatbin_unwrap(NULL, &container, &size), -EINVAL);
	free(data);
}

/* ---- Our own ----------------------------------------------------------- */

/* PTX that defines the image as compilers print it, or in other spellings. */
static char *ptx_make(const unsigned char *image, uint64_t bytes, const char *format)
{
	size_t room = 1000 + bytes * 12, n;
	char *text = malloc(room);

	n = (size_t)snprintf(text, room, ".version 8.0\n.target sm_75\n.address_size 64\n"
	                     "// __hetckpt_image in a comment[3] = {1, 2, 3};\n"
	                     ".visible .global .align 1 .b8 __hetckpt_image2[3] = {1, 2, 3};\n"
	                     ".extern .global .align 8 .b8 x__hetckpt_image[208] = {1};\n"
	                     ".visible .global .align 8 .b8 __hetckpt_image[%llu] = {",
	                     (unsigned long long)bytes);
	for (uint64_t i = 0; i < bytes; i++) {
		n += (size_t)snprintf(text + n, room - n, format, image[i]);
		if (i + 1 < bytes)
			n += (size_t)snprintf(text + n, room - n, ",%s", i % 16 == 15 ? "\n/* a */ // b\n\t" : " ");
	}
	snprintf(text + n, room - n, "};\n.visible .entry k() { mov.u64 %%rd1, __hetckpt_image; ret; }\n");
	return text;
}

static void test_write(void **state)
{
	static const char *const spellings[] = {"%u", "0x%X", "0x%xU", "0%o"};

	for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
		struct hetckpt_fatbin_image image;
		struct hetckpt_fatbin_entry entry;
		uint64_t image_bytes, bytes, offset = 0, code_bytes;
		unsigned char *portable = sample_image(5, &image_bytes), *fatbin, *code;
		char *ptx = ptx_make(portable, image_bytes, spellings[i]);
		struct hetckpt_fatbin_part parts[] = {
			{HETCKPT_FATBIN_PTX, 75, ptx, strlen(ptx)},
			{0x4843, 90, "private", 7},
		};

		assert_int_equal(hetckpt_fatbin_write(parts, 2, &fatbin, &bytes), 0);
		assert_int_equal(bytes % 8, 0);
		assert_int_equal(hetckpt_fatbin_next(fatbin, bytes, &offset, &entry, NULL, 0), 0);
		assert_int_equal(entry.kind, HETCKPT_FATBIN_PTX);
		assert_int_equal(entry.arch, 75);
		assert_true(entry.bytes > strlen(ptx));
		assert_int_equal(hetckpt_fatbin_unpack(&entry, &code, &code_bytes, NULL, 0), 0);
		assert_string_equal((char *)code, ptx);
		free(code);
		assert_int_equal(hetckpt_fatbin_next(fatbin, bytes, &offset, &entry, NULL, 0), 0);
		assert_int_equal(entry.kind, 0x4843);
		assert_memory_equal(entry.data, "private\0", 8);
		assert_int_equal(hetckpt_fatbin_next(fatbin, bytes, &offset, &entry, NULL, 0), -ENOENT);
		assert_int_equal(hetckpt_fatbin_image_find(fatbin, bytes, &image, NULL, 0), 0);
		assert_image(&image, 5);
		free(image.data);
		free(fatbin);
		free(ptx);
		free(portable);
	}
}

static void test_write_refuses(void **state)
{
	struct hetckpt_fatbin_part part = {HETCKPT_FATBIN_PTX, 75, "x", 1};
	unsigned char *fatbin;
	uint64_t bytes;

	assert_int_equal(hetckpt_fatbin_write(&part, 0, &fatbin, &bytes), -EINVAL);
	part.bytes = 0;
	assert_int_equal(hetckpt_fatbin_write(&part, 1, &fatbin, &bytes), -EINVAL);
	part.bytes = HETCKPT_FATBIN_ENTRY_MAX + 1;
	assert_int_equal(hetckpt_fatbin_write(&part, 1, &fatbin, &bytes), -EFBIG);
	part.bytes = 1;
	part.kind = 0x10000;
	assert_int_equal(hetckpt_fatbin_write(&part, 1, &fatbin, &bytes), -EINVAL);
}

/* Which image counts must not depend on anything but the fat binary. */
static void test_choice(void **state)
{
	unsigned char *images[3];
	uint64_t bytes[3], size;
	struct hetckpt_fatbin_part parts[4] = {{0}};
	struct hetckpt_fatbin_image image;
	unsigned char *fatbin;
	char error[HETCKPT_FATBIN_ERROR];

	for (unsigned i = 0; i < 3; i++)
		images[i] = sample_image(i, &bytes[i]);
	parts[0] = (struct hetckpt_fatbin_part){HETCKPT_FATBIN_ELF, 75, images[0], bytes[0]};
	parts[1] = (struct hetckpt_fatbin_part){HETCKPT_FATBIN_ELF, 90, images[1], bytes[1]};
	parts[2] = (struct hetckpt_fatbin_part){HETCKPT_FATBIN_ELF, 90, images[2], bytes[2]};
	parts[3] = (struct hetckpt_fatbin_part){HETCKPT_FATBIN_ELF, 120, "no image", 8};
	assert_int_equal(hetckpt_fatbin_write(parts, 4, &fatbin, &size), 0);
	assert_int_equal(hetckpt_fatbin_image_find(fatbin, size, &image, error, sizeof error), 0);
	assert_int_equal(image.arch, 90);
	assert_image(&image, 1);
	free(image.data);
	free(fatbin);
	/* An image whose hash does not fit is none. */
	images[0][bytes[0] - 1] ^= 1;
	assert_int_equal(hetckpt_fatbin_write(parts, 1, &fatbin, &size), 0);
	assert_int_equal(hetckpt_fatbin_image_find(fatbin, size, &image, error, sizeof error), -ENOENT);
	assert_non_null(strstr(error, "portable image"));
	free(fatbin);
	for (unsigned i = 0; i < 3; i++)
		free(images[i]);
}

/* ---- Damaged ones ------------------------------------------------------ */

/* Everything that can be asked of a blob; the blob is exactly as large as it says, so
   that a sanitizer sees any read beyond it. */
static void ask_everything(const unsigned char *data, uint64_t bytes)
{
	unsigned char *copy = malloc(bytes ? bytes : 1), *code;
	struct hetckpt_fatbin_image image;
	struct hetckpt_fatbin_entry entry;
	char error[HETCKPT_FATBIN_ERROR];
	uint64_t offset = 0, code_bytes, steps = 0;
	int result;

	memcpy(copy, data, bytes);
	while (!(result = hetckpt_fatbin_next(copy, bytes, &offset, &entry, error, sizeof error))) {
		assert_true(offset <= bytes);
		assert_true(++steps <= bytes);
		assert_true(entry.data >= copy && entry.bytes <= bytes);
		assert_true((uint64_t)(entry.data - copy) <= bytes - entry.bytes);
		if (!hetckpt_fatbin_unpack(&entry, &code, &code_bytes, error, sizeof error))
			free(code);
	}
	assert_true(result == -ENOENT || (result == -EINVAL && error[0]));
	result = hetckpt_fatbin_image_find(copy, bytes, &image, error, sizeof error);
	if (!result) {
		assert_true(image.bytes >= sizeof(struct hetckpt_image_header));
		free(image.data);
	}
	free(copy);
}

static void test_damage(void **state)
{
	static const char *const names[] = {"elf-stored.fatbin", "elf-lz4.fatbin", "ptx-lz4.fatbin", "multi-zstd.fatbin"};
	static const uint64_t values[] = {0, 1, 15, 63, 64, 0x7fffffff, 0xffffffff, 0x80000000,
	                                  UINT64_MAX, (uint64_t)1 << 32, (uint64_t)INT64_MAX, UINT64_MAX - 79};

	srand(7);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		uint64_t bytes;
		unsigned char *data = sample_read(names[i], &bytes), *bad = malloc(bytes);

		for (uint64_t cut = 0; cut < bytes; cut += cut < 200 ? 1 : 37)
			ask_everything(data, cut);
		for (int round = 0; round < 4000; round++) {
			int edits = 1 + rand() % 3;

			memcpy(bad, data, bytes);
			while (edits--) {
				/* Half of the time in the headers, where it hurts most. */
				uint64_t at = (uint64_t)rand() % (rand() & 1 ? 160 : bytes - 8);
				uint64_t value = values[(size_t)rand() % (sizeof values / sizeof *values)];

				switch (rand() % 3) {
				case 0: bad[at] ^= (unsigned char)(1 << rand() % 8); break;
				case 1: memcpy(bad + at, &value, 4); break;
				default: memcpy(bad + at, &value, 8); break;
				}
			}
			ask_everything(bad, bytes);
		}
		free(bad);
		free(data);
	}
}

static void test_ptx_damage(void **state)
{
	static const char *const bad[] = {
		"__hetckpt_image", "__hetckpt_image[", "__hetckpt_image[8", "__hetckpt_image[8] =", "__hetckpt_image[8] = {",
		"__hetckpt_image[8] = {1,", "__hetckpt_image[1] = {1, 2}", "__hetckpt_image[0] = {}",
		"__hetckpt_image[-1] = {1}", "__hetckpt_image[99999999999999999999] = {1}",
		"__hetckpt_image[4000000000] = {1}", "__hetckpt_image[2] = {256, 1}", "__hetckpt_image[2] = {0x, 1}",
		"__hetckpt_image[2] /* = {1, 2}", "__hetckpt_image[2] = {1, 2} // fine, but no image",
	};
	uint64_t image_bytes;
	unsigned char *portable = sample_image(5, &image_bytes), *out;
	char *ptx = ptx_make(portable, image_bytes, "%u");
	size_t length = strlen(ptx);
	uint64_t bytes;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t n = strlen(bad[i]);
		unsigned char *copy = malloc(n);

		memcpy(copy, bad[i], n); /* without the terminator */
		assert_int_equal(hetckpt_fatbin_entry_image(HETCKPT_FATBIN_PTX, copy, n, &out, &bytes, NULL, 0), -ENOENT);
		free(copy);
	}
	srand(3);
	for (int round = 0; round < 5000; round++) {
		size_t n = round < 1000 ? (size_t)rand() % length : length;
		unsigned char *copy = malloc(n + 1);

		memcpy(copy, ptx, n);
		if (n == length)
			copy[(size_t)rand() % n] = (unsigned char)rand();
		if (!hetckpt_fatbin_entry_image(HETCKPT_FATBIN_PTX, copy, n, &out, &bytes, NULL, 0))
			free(out);
		free(copy);
	}
	assert_int_equal(hetckpt_fatbin_entry_image(HETCKPT_FATBIN_PTX, (unsigned char *)ptx, length, &out, &bytes, NULL, 0), 0);
	assert_memory_equal(out, portable, image_bytes);
	free(out);
	free(ptx);
	free(portable);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_built_by_toolkit),
		cmocka_unit_test(test_unwrap),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_refuses),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_ptx_damage),
	};

	if (argc < 2) {
		fprintf(stderr, "usage: %s FOLDER [FILE...]\n", argv[0]);
		return 2;
	}
	folder = argv[1];
	built = argv + 2;
	built_count = argc - 2;
	return cmocka_run_group_tests_name("fatbin", tests, NULL, NULL);
}
