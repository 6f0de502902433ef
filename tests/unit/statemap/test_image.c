/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Opening portable images, good and damaged in every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "make_image.h"

#include <hetckpt/abi.h>
#include <runtime/statemap/image.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char ir[] = "BC code of some module";
static const unsigned char data[MAKE_IMAGE_VARIABLE_BYTES] = {1, 2, 3};
static char error[HETCKPT_STATEMAP_ERROR];

static unsigned char *sample(size_t *size)
{
	return make_image(make_image_map, ir, sizeof ir, data, sizeof data, size);
}

static void opens_a_good_image(void **state)
{
	struct hetckpt_image *image;
	size_t size;
	unsigned char *bytes = sample(&size);

	assert_int_equal(hetckpt_image_open(bytes, size, &image, error, sizeof error), 0);
	assert_int_equal(image->total_bytes, size);
	assert_int_equal(image->map_bytes, strlen(make_image_map));
	assert_string_equal(image->map, make_image_map);
	assert_int_equal(image->ir_bytes, sizeof ir);
	assert_memory_equal(image->ir, ir, sizeof ir);
	assert_int_equal(image->data_bytes, sizeof data);
	assert_memory_equal(image->data, data, sizeof data);
	hetckpt_image_close(image);
	free(bytes);
}

static void finds_an_image_in_other_bytes(void **state)
{
	struct hetckpt_image *image;
	size_t size, at = 0;
	unsigned char *bytes = sample(&size), *file = calloc(1, size + 300);

	memcpy(file + 5, HETCKPT_IMAGE_MAGIC, 8); /* a string that only looks like one */
	memcpy(file + 131, bytes, size);
	assert_int_equal(hetckpt_image_find(file, size + 300, &at), 0);
	assert_int_equal(at, 131);
	assert_int_equal(hetckpt_image_open(file + at, size + 300 - at, &image, error,
					    sizeof error), 0);
	hetckpt_image_close(image);
	at++;
	assert_int_equal(hetckpt_image_find(file, size + 300, &at), -ENOENT);
	/* cut in the middle: not found, and nothing is read past the end */
	at = 0;
	assert_int_equal(hetckpt_image_find(file, 131 + size / 2, &at), -ENOENT);
	free(file);
	free(bytes);
}

/* Every prefix, in memory of exactly that size so that a sanitizer sees overruns. */
static void refuses_every_truncation(void **state)
{
	size_t size;
	unsigned char *bytes = sample(&size);

	for (size_t n = 0; n < size; n++) {
		unsigned char *part = malloc(n ? n : 1);
		struct hetckpt_image *image = (void *)1;

		memcpy(part, bytes, n);
		error[0] = 0;
		assert_int_equal(hetckpt_image_open(part, n, &image, error, sizeof error), -EINVAL);
		assert_null(image);
		assert_true(error[0]);
		free(part);
	}
	free(bytes);
}

static void refuses_every_changed_byte(void **state)
{
	size_t size;
	unsigned char *bytes = sample(&size);

	for (size_t i = 0; i < size; i++) {
		struct hetckpt_image *image;

		bytes[i] ^= 0x55;
		if (!hetckpt_image_open(bytes, size, &image, error, sizeof error))
			fail_msg("byte %zu changed and the image still opens", i);
		bytes[i] ^= 0x55;
	}
	free(bytes);
}

static void refuses_bad_headers(void **state)
{
	struct hetckpt_image *image;
	struct hetckpt_image_header h;
	size_t size;
	unsigned char *bytes = sample(&size);

	memcpy(&h, bytes, sizeof h);
	h.abi = 99;
	memcpy(bytes, &h, sizeof h);
	assert_int_equal(hetckpt_image_open(bytes, size, &image, error, sizeof error), -ENOTSUP);
	assert_non_null(strstr(error, "ABI 99"));

	h.abi = HETCKPT_ABI_VERSION;
	h.ir.offset = UINT64_MAX - 3;
	h.ir.bytes = 16;
	memcpy(bytes, &h, sizeof h);
	assert_int_equal(hetckpt_image_open(bytes, size, &image, error, sizeof error), -EINVAL);
	assert_non_null(strstr(error, "code lies outside"));

	h.ir.offset = sizeof h;
	h.data.raw = UINT64_MAX;
	memcpy(bytes, &h, sizeof h);
	assert_int_equal(hetckpt_image_open(bytes, size, &image, error, sizeof error), -EFBIG);
	assert_non_null(strstr(error, "data of"));
	free(bytes);
}

/* Sizes that a header claims must agree with what the frame holds, both ways. */
static void refuses_wrong_raw_sizes(void **state)
{
	const int64_t delta[] = {-1, 1, 1 << 20};

	for (int i = 0; i < 3; i++) {
		struct hetckpt_image_header h;
		struct hetckpt_image *image;
		size_t size;
		unsigned char *bytes = sample(&size);

		memcpy(&h, bytes, sizeof h);
		h.map.raw += delta[i];
		memcpy(bytes, &h, sizeof h);
		assert_int_equal(hetckpt_image_open(bytes, size, &image, error, sizeof error),
				 -EINVAL);
		assert_non_null(strstr(error, "state map is damaged"));
		free(bytes);
	}
}

/* A correct hash over a broken frame: the frame itself must be checked. */
static void refuses_a_damaged_frame_with_good_hash(void **state)
{
	struct hetckpt_image_header h;
	struct hetckpt_image *image;
	size_t size;
	unsigned char *bytes = sample(&size);

	memcpy(&h, bytes, sizeof h);
	memset(bytes + h.ir.offset, 0xee, h.ir.bytes);
	make_image_rehash(bytes);
	assert_int_equal(hetckpt_image_open(bytes, size, &image, error, sizeof error), -EINVAL);
	assert_non_null(strstr(error, "code is damaged"));
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_a_good_image),
		cmocka_unit_test(finds_an_image_in_other_bytes),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_every_changed_byte),
		cmocka_unit_test(refuses_bad_headers),
		cmocka_unit_test(refuses_wrong_raw_sizes),
		cmocka_unit_test(refuses_a_damaged_frame_with_good_hash),
	};

	return cmocka_run_group_tests_name("statemap image", tests, NULL, NULL);
}
