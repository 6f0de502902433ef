/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Translations in fat binaries: made, found by their image, and damage noticed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hetckpt/abi.h"
#include "runtime/fatbin/aot.h"

static struct hetckpt_image_header image_of(unsigned char mark)
{
	struct hetckpt_image_header image = {.magic = HETCKPT_IMAGE_MAGIC, .abi = HETCKPT_ABI_VERSION};

	memset(image.hash, mark, sizeof image.hash);
	return image;
}

/* PTX and translations of two images: a, b, a. */
static unsigned char *container_make(uint64_t *bytes)
{
	struct hetckpt_image_header a = image_of(1), b = image_of(2);
	struct hetckpt_fatbin_part parts[4] = {{HETCKPT_FATBIN_PTX, 75, ".version 7.0", 12}};
	static const char *const targets[] = {"cpu:x86-64-v2", "cpu", "cpu:x86-64-v3"};
	static const char *const codes[] = {"first", "second!", "third"};
	unsigned char *container;

	for (int i = 0; i < 3; i++) {
		unsigned char *entry;

		parts[i + 1].kind = HETCKPT_FATBIN_AOT;
		assert_int_equal(hetckpt_fatbin_aot_make(i == 1 ? &b : &a, sizeof a, targets[i], codes[i],
		                                         strlen(codes[i]), &entry, &parts[i + 1].bytes), 0);
		parts[i + 1].data = entry;
	}
	assert_int_equal(hetckpt_fatbin_write(parts, 4, &container, bytes), 0);
	for (int i = 1; i < 4; i++)
		free((void *)parts[i].data);
	return container;
}

static void test_found_by_image(void **state)
{
	struct hetckpt_image_header a = image_of(1), b = image_of(2), c = image_of(3);
	struct hetckpt_fatbin_aot aot;
	uint64_t bytes, offset = 0;
	unsigned char *container = container_make(&bytes);
	char error[HETCKPT_FATBIN_ERROR];

	(void)state;
	assert_int_equal(hetckpt_fatbin_aot_next(container, bytes, &a, sizeof a, &offset, &aot, error, sizeof error), 0);
	assert_string_equal(aot.target, "cpu:x86-64-v2");
	assert_int_equal(aot.bytes, 5);
	assert_memory_equal(aot.code, "first", 5);
	assert_int_equal(hetckpt_fatbin_aot_next(container, bytes, &a, sizeof a, &offset, &aot, error, sizeof error), 0);
	assert_string_equal(aot.target, "cpu:x86-64-v3");
	assert_memory_equal(aot.code, "third", 5);
	assert_int_equal(hetckpt_fatbin_aot_next(container, bytes, &a, sizeof a, &offset, &aot, error, sizeof error), -ENOENT);
	offset = 0;
	assert_int_equal(hetckpt_fatbin_aot_next(container, bytes, &b, sizeof b, &offset, &aot, NULL, 0), 0);
	assert_string_equal(aot.target, "cpu");
	assert_int_equal(aot.bytes, 7);
	offset = 0;
	assert_int_equal(hetckpt_fatbin_aot_next(container, bytes, &c, sizeof c, &offset, &aot, NULL, 0), -ENOENT);
	offset = 0;
	assert_int_equal(hetckpt_fatbin_aot_next(container, bytes, "no image", 8, &offset, &aot, error, sizeof error), -EINVAL);
	free(container);
}

/* Offset of the first translation's header in the container. */
static size_t translation_offset(const unsigned char *container, uint64_t bytes)
{
	for (size_t i = 0; i + 8 <= bytes; i++)
		if (!memcmp(container + i, HETCKPT_AOT_MAGIC, 8))
			return i;
	fail();
	return 0;
}

static int first_found(unsigned char *container, uint64_t bytes)
{
	struct hetckpt_image_header a = image_of(1);
	struct hetckpt_fatbin_aot aot;
	char error[HETCKPT_FATBIN_ERROR] = "";
	uint64_t offset = 0;
	int r = hetckpt_fatbin_aot_next(container, bytes, &a, sizeof a, &offset, &aot, error, sizeof error);

	if (r == -EINVAL)
		assert_true(strlen(error) > 10);
	return r ? r : !strcmp(aot.target, "cpu:x86-64-v2");
}

static void test_damage(void **state)
{
	struct { size_t at; unsigned char value; int result; } damage[] = {
		{0, 'X', -EINVAL},                                             /* magic */
		{offsetof(struct hetckpt_aot_header, header_bytes), 1, -EINVAL},
		{offsetof(struct hetckpt_aot_header, target) + HETCKPT_AOT_TARGET - 1, 'x', -EINVAL},
		{offsetof(struct hetckpt_aot_header, code_bytes), 0, -EINVAL},
		{offsetof(struct hetckpt_aot_header, code_bytes), 200, -EINVAL},
		{offsetof(struct hetckpt_aot_header, code_bytes) + 7, 255, -EINVAL},
		{offsetof(struct hetckpt_aot_header, abi), 99, 0},             /* passed over: the next is found */
		{offsetof(struct hetckpt_aot_header, image), 77, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
		uint64_t bytes;
		unsigned char *container = container_make(&bytes);

		assert_int_equal(first_found(container, bytes), 1);
		container[translation_offset(container, bytes) + damage[i].at] = damage[i].value;
		assert_int_equal(first_found(container, bytes), damage[i].result);
		free(container);
	}
}

static void test_make_refuses(void **state)
{
	struct hetckpt_image_header a = image_of(1);
	char name[HETCKPT_AOT_TARGET + 1];
	unsigned char *entry;
	uint64_t bytes;

	(void)state;
	memset(name, 'x', sizeof name);
	name[HETCKPT_AOT_TARGET] = 0;
	assert_int_equal(hetckpt_fatbin_aot_make(&a, sizeof a, name, "code", 4, &entry, &bytes), -EINVAL);
	assert_int_equal(hetckpt_fatbin_aot_make(&a, sizeof a, "", "code", 4, &entry, &bytes), -EINVAL);
	assert_int_equal(hetckpt_fatbin_aot_make(&a, sizeof a, "cpu", "", 0, &entry, &bytes), -EINVAL);
	assert_int_equal(hetckpt_fatbin_aot_make(&a, 4, "cpu", "code", 4, &entry, &bytes), -EINVAL);
	a.magic[0] = 'X';
	assert_int_equal(hetckpt_fatbin_aot_make(&a, sizeof a, "cpu", "code", 4, &entry, &bytes), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_by_image),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_make_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
