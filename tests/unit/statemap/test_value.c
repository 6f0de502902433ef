/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Layout of frame groups and the values in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "make_image.h"

#include <hetckpt/abi.h>
#include <runtime/statemap/statemap.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static char error[HETCKPT_STATEMAP_ERROR];

static int load(void **state)
{
	return hetckpt_map_parse(make_image_map, strlen(make_image_map),
				 (struct hetckpt_map **)state, error, sizeof error);
}

static int unload(void **state)
{
	hetckpt_map_free(*state);
	return 0;
}

/* Slots 8:3 4:2 2:1 1:1, 1020 bytes of static shared memory, block scope. */
static void lays_out_a_group(void **state)
{
	const struct hetckpt_map_kernel *k = hetckpt_map_kernel_find(*state, "_Z4stepPff");
	struct hetckpt_frame_layout l;

	assert_int_equal(hetckpt_frame_layout_compute(k, 33, 100, &l), 0);
	assert_int_equal(l.area[HETCKPT_CLASS_8], 144);              /* 33*4 = 132, padded */
	assert_int_equal(l.area[HETCKPT_CLASS_4], 144 + 3 * 33 * 8);
	assert_int_equal(l.area[HETCKPT_CLASS_2], 936 + 2 * 33 * 4);
	assert_int_equal(l.area[HETCKPT_CLASS_1], 1200 + 33 * 2);
	assert_int_equal(l.shared, 1312);                            /* 1266 + 33 = 1299 */
	assert_int_equal(l.shared_bytes, 1024 + 100);
	assert_int_equal(l.group_bytes, 1312 + 1136);
	assert_int_equal(hetckpt_frame_group_bytes(k, 33, 100), 2448);
	assert_int_equal(hetckpt_frame_slot_offset(&l, HETCKPT_CLASS_4, 1, 5), 936 + 33 * 4 + 20);

	assert_int_equal(hetckpt_frame_layout_compute(k, 0, 0, &l), -EINVAL);
	assert_int_equal(hetckpt_frame_layout_compute(k, 65537, 0, &l), -EINVAL);
	k = hetckpt_map_kernel_find(*state, "_Z3recv");
	assert_int_equal(hetckpt_frame_layout_compute(k, 32, 0, &l), -EINVAL);
	assert_int_equal(hetckpt_frame_group_bytes(k, 32, 0), 0);
}

static void no_shared_area_below_block_scope(void **state)
{
	struct hetckpt_map_kernel k = *hetckpt_map_kernel_find(*state, "_Z4stepPff");
	struct hetckpt_frame_layout l;

	k.scope = HETCKPT_SCOPE_WARP;
	assert_int_equal(hetckpt_frame_layout_compute(&k, 33, 100, &l), 0);
	assert_int_equal(l.shared_bytes, 0);
	assert_int_equal(l.group_bytes, 1312);
}

static void expect_text(enum hetckpt_type type, enum hetckpt_slot_kind kind, uint64_t bits,
			const char *text, const char *json)
{
	struct hetckpt_map_slot slot = {.type = type, .kind = kind};
	char have[80], *dumped;
	json_t *value;

	hetckpt_value_format(&slot, bits, NULL, have, sizeof have);
	assert_string_equal(have, text);
	value = hetckpt_value_json(&slot, bits);
	dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
	assert_string_equal(dumped, json);
	free(dumped);
	json_decref(value);
}

static void formats_values(void **state)
{
	enum hetckpt_slot_kind v = HETCKPT_KIND_VALUE;

	expect_text(HETCKPT_TYPE_I8, v, 0xff, "-1", "-1");
	expect_text(HETCKPT_TYPE_I16, v, 0x8000, "-32768", "-32768");
	expect_text(HETCKPT_TYPE_I32, v, 0xfffffffe, "-2", "-2");
	expect_text(HETCKPT_TYPE_I64, v, UINT64_MAX, "-1", "-1");
	expect_text(HETCKPT_TYPE_I64, v, 1ull << 63, "-9223372036854775808",
		    "-9223372036854775808");
	expect_text(HETCKPT_TYPE_F32, v, 0x3dcccccd, "0.100000001", "0.100000001");
	expect_text(HETCKPT_TYPE_F32, v, 0x7f800000, "inf", "\"inf\"");
	expect_text(HETCKPT_TYPE_F32, v, 0xff800000, "-inf", "\"-inf\"");
	expect_text(HETCKPT_TYPE_F32, v, 0x7fc00000, "nan", "\"nan\"");
	expect_text(HETCKPT_TYPE_F64, v, 0x3fb999999999999a, "0.10000000000000001", "0.1");
	expect_text(HETCKPT_TYPE_F16, v, 0x3c00, "1", "1.0");
	expect_text(HETCKPT_TYPE_F16, v, 0xc100, "-2.5", "-2.5");
	expect_text(HETCKPT_TYPE_F16, v, 0x0001, "5.9605e-08", "5.96046448e-8");
	expect_text(HETCKPT_TYPE_F16, v, 0x7bff, "65504", "65504.0");
	expect_text(HETCKPT_TYPE_F16, v, 0xfc00, "-inf", "\"-inf\"");
	expect_text(HETCKPT_TYPE_BF16, v, 0x3fc0, "1.5", "1.5");
}

static void formats_pointers(void **state)
{
	enum hetckpt_type ptr = HETCKPT_TYPE_PTR;

	expect_text(ptr, HETCKPT_KIND_GLOBAL, 0x200000001000, "global 0x200000001000",
		    "{\"space\":\"global\",\"address\":\"0x200000001000\"}");
	expect_text(ptr, HETCKPT_KIND_SHARED, 0x40, "shared+0x40",
		    "{\"space\":\"shared\",\"offset\":64}");
	expect_text(ptr, HETCKPT_KIND_GENERIC, 0x200000001000, "global 0x200000001000",
		    "{\"space\":\"global\",\"address\":\"0x200000001000\"}");
	expect_text(ptr, HETCKPT_KIND_GENERIC, 1ull << 62 | 0x80, "shared+0x80",
		    "{\"space\":\"shared\",\"offset\":128}");
	expect_text(ptr, HETCKPT_KIND_GENERIC, 2ull << 62 | 7ull << 32 | 4, "private #7+0x4",
		    "{\"space\":\"private\",\"object\":7,\"offset\":4}");
	expect_text(ptr, HETCKPT_KIND_GENERIC, 3ull << 62, "bad pointer 0xc000000000000000",
		    "{\"space\":\"bad\",\"bits\":\"0xc000000000000000\"}");
	expect_text(ptr, HETCKPT_KIND_PRIVATE, 0x1000, "bad pointer 0x1000",
		    "{\"space\":\"bad\",\"bits\":\"0x1000\"}");
}

static void store(const struct hetckpt_frame_layout *l, unsigned char *group,
		  enum hetckpt_slot_class c, uint32_t index, uint32_t thread, uint64_t bits)
{
	memcpy(group + hetckpt_frame_slot_offset(l, c, index, thread), &bits, 8u >> c);
}

static const char *text_of(json_t *thread, size_t i)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(thread, "values"), i), "text"));
}

static void decodes_threads(void **state)
{
	const struct hetckpt_map_kernel *k = hetckpt_map_kernel_find(*state, "_Z4stepPff");
	const uint32_t ids[] = {1, HETCKPT_SP_START, HETCKPT_SP_DONE, 2, 9};
	struct hetckpt_frame_layout l;
	unsigned char *group;
	json_t *out, *array;

	assert_int_equal(hetckpt_frame_layout_compute(k, 5, 0, &l), 0);
	group = calloc(1, l.group_bytes);
	memcpy(group, ids, sizeof ids);
	store(&l, group, HETCKPT_CLASS_4, 0, 0, 0xbf000000);
	store(&l, group, HETCKPT_CLASS_4, 1, 0, (uint32_t)-12);
	store(&l, group, HETCKPT_CLASS_2, 0, 0, 0x3800);
	store(&l, group, HETCKPT_CLASS_1, 0, 0, 1);
	store(&l, group, HETCKPT_CLASS_8, 0, 0, 2ull << 62 | 7ull << 32 | 8);
	store(&l, group, HETCKPT_CLASS_8, 1, 0, 0x0807060504030201);
	store(&l, group, HETCKPT_CLASS_8, 2, 0, 0xffffffff0c0b0a09);

	assert_int_equal(hetckpt_thread_json(k, &l, group, 0, &out, error, sizeof error), 0);
	assert_string_equal(json_string_value(json_object_get(out, "state")), "parked");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(out, "safepoint"),
							    "line")), 31);
	assert_string_equal(text_of(out, 0), "-0.5");
	assert_string_equal(text_of(out, 1), "-12");
	assert_string_equal(text_of(out, 2), "0.5");
	assert_string_equal(text_of(out, 3), "1");
	assert_string_equal(text_of(out, 4), "private state+0x8");
	array = json_array_get(json_object_get(out, "private"), 0);
	assert_string_equal(json_string_value(json_object_get(array, "name")), "state");
	assert_string_equal(json_string_value(json_object_get(array, "content")),
			    "0102030405060708090a0b0c");
	json_decref(out);

	assert_int_equal(hetckpt_thread_json(k, &l, group, 1, &out, error, sizeof error), 0);
	assert_string_equal(json_string_value(json_object_get(out, "state")), "not started");
	json_decref(out);
	assert_int_equal(hetckpt_thread_json(k, &l, group, 2, &out, error, sizeof error), 0);
	assert_string_equal(json_string_value(json_object_get(out, "state")), "done");
	json_decref(out);
	assert_int_equal(hetckpt_thread_json(k, &l, group, 3, &out, error, sizeof error), 0);
	assert_int_equal(json_array_size(json_object_get(out, "values")), 0);
	json_decref(out);
	assert_int_equal(hetckpt_thread_json(k, &l, group, 4, &out, error, sizeof error), -EINVAL);
	assert_non_null(strstr(error, "safepoint 9"));
	free(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lays_out_a_group, load, unload),
		cmocka_unit_test_setup_teardown(no_shared_area_below_block_scope, load, unload),
		cmocka_unit_test(formats_values),
		cmocka_unit_test(formats_pointers),
		cmocka_unit_test_setup_teardown(decodes_threads, load, unload),
	};

	return cmocka_run_group_tests_name("statemap value", tests, NULL, NULL);
}
