/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Parsing state maps: what a good one gives, and a refusal for each wrong field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "make_image.h"

#include <hetckpt/abi.h>
#include <runtime/statemap/statemap.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char error[HETCKPT_STATEMAP_ERROR];

static void gives_every_field(void **state)
{
	const struct hetckpt_map_kernel *k;
	const struct hetckpt_map_safepoint *s;
	struct hetckpt_map *map;

	assert_int_equal(hetckpt_map_parse(make_image_map, strlen(make_image_map), &map, error,
					   sizeof error), 0);
	assert_string_equal(map->module, "step.cu");
	assert_int_equal(map->variables, 2);
	assert_int_equal(map->variable_bytes, MAKE_IMAGE_VARIABLE_BYTES);
	assert_true(map->variable[1].constant);
	assert_int_equal(map->variable[1].offset, 16);
	assert_ptr_equal(hetckpt_map_variable_find(map, "link"), &map->variable[1]);
	assert_null(hetckpt_map_variable_find(map, "nothing"));
	assert_int_equal(map->relocations, 1);
	assert_int_equal(map->relocation[0].target, 0);
	assert_int_equal(map->relocation[0].addend, 2);

	assert_null(hetckpt_map_kernel_find(map, "step"));
	k = hetckpt_map_kernel_find(map, "_Z4stepPff");
	assert_non_null(k);
	assert_string_equal(k->signature, "step(float*, float)");
	assert_int_equal(k->scope, HETCKPT_SCOPE_BLOCK);
	assert_true(k->pausable && k->polls && k->dynamic_shared && !k->waits);
	assert_int_equal(k->params, 2);
	assert_int_equal(k->param[1].offset, 8);
	assert_int_equal(k->max_threads, 256);
	assert_int_equal(k->slots[HETCKPT_CLASS_8], 3);
	assert_int_equal(k->slots[HETCKPT_CLASS_1], 1);
	assert_int_equal(k->hash[0], 0x00);
	assert_int_equal(k->hash[15], 0xff);
	assert_string_equal(k->shared_variable[0].name, "tile");

	s = hetckpt_map_safepoint_find(k, 1);
	assert_int_equal(s->line, 31);
	assert_string_equal(s->file, "step.cu");
	assert_int_equal(s->slots, 5);
	assert_string_equal(s->slot[0].name, "ax");
	assert_null(s->slot[1].name);
	assert_int_equal(s->slot[4].kind, HETCKPT_KIND_GENERIC);
	assert_int_equal(s->privates, 1);
	assert_int_equal(s->private_array[0].bytes, 12);
	assert_null(hetckpt_map_safepoint_find(k, 2)->file);
	assert_null(hetckpt_map_safepoint_find(k, HETCKPT_SP_START));
	assert_null(hetckpt_map_safepoint_find(k, 3));
	assert_null(hetckpt_map_safepoint_find(k, HETCKPT_SP_DONE));

	k = hetckpt_map_kernel_find(map, "_Z3recv");
	assert_false(k->pausable);
	assert_string_equal(k->reason, "it calls itself");
	hetckpt_map_free(map);
}

struct edit {
	const char *from, *to;    /* first occurrence is replaced */
	const char *says[3];      /* words that the error line must hold */
};

static const struct edit edits[] = {
	{"\"abi\":4", "\"abi\":5", {"ABI 5"}},
	{"\"abi\":4,", "", {"'abi' is missing"}},
	{"\"module\":\"step.cu\"", "\"module\":7", {"'module' is not a string"}},
	{"\"variable_bytes\":32", "\"variable_bytes\":-1", {"step.cu", "variable_bytes"}},
	{"\"variable_bytes\":32", "\"variable_bytes\":30", {"variable link", "bytes"}},
	{"\"offset\":16,\"bytes\":16", "\"offset\":0,\"bytes\":16", {"overlap"}},
	{"\"offset\":16,\"bytes\":16", "\"offset\":8,\"bytes\":16", {"alignment 16"}},
	{"\"align\":16", "\"align\":12", {"alignment 12"}},
	{"\"constant\":false", "\"constant\":0", {"variable counter", "'constant'"}},
	{"\"offset\":16,\"target\"", "\"offset\":25,\"target\"", {"relocation 0", "outside"}},
	{"\"target\":\"counter\"", "\"target\":\"none\"", {"no variable 'none'"}},
	{"\"addend\":2", "\"addend\":0.5", {"'addend' is not an integer"}},
	{"\"relocations\":[{", "\"relocations\":[3,{", {"'relocations'", "not an object"}},
	{"_Z3recv", "_Z4stepPff", {"twice"}},
	{"\"scope\":\"block\"", "\"scope\":\"grid\"", {"_Z4stepPff", "'scope'", "'grid'"}},
	{"\"scope\":\"block\"", "\"scope\":\"none\"", {"'scope'"}},
	{"\"scope\":\"block\",", "", {"'scope' is missing"}},
	{"\"pausable\":true", "\"pausable\":1", {"'pausable'"}},
	{"\"waits\":false,", "", {"'waits' is missing"}},
	{"\"param_bytes\":12", "\"param_bytes\":11", {"parameter 1", "'bytes'"}},
	{"{\"offset\":8,\"bytes\":4,\"align\":4}", "{\"offset\":4,\"bytes\":4,\"align\":4}",
	 {"parameter 1", "overlaps"}},
	{"\"static_shared\":1020", "\"static_shared\":1000", {"shared variable 0"}},
	{"\"shared_align\":16", "\"shared_align\":3", {"shared_align"}},
	{"\"slots\":{\"8\":3", "\"slots\":{\"8\":2", {"frame_bytes", "sum"}},
	{"\"slots\":{\"8\":3,", "\"slots\":{", {"slots", "'8' is missing"}},
	{"\"frame_bytes\":35", "\"frame_bytes\":36", {"frame_bytes"}},
	{"\"id\":1", "\"id\":2", {"safepoint 1", "'id'"}},
	{"\"id\":2", "\"id\":0", {"safepoint 2", "'id'"}},
	{"\"line\":31", "\"line\":-31", {"safepoint 1", "'line'"}},
	{"\"class\":4,\"index\":1", "\"class\":4,\"index\":0", {"safepoint 1, slot 1", "twice"}},
	{"\"class\":4,\"index\":1", "\"class\":4,\"index\":2", {"slot 1", "'index' is 2"}},
	{"\"class\":4,\"index\":1", "\"class\":3,\"index\":1", {"'class' is 3"}},
	{"\"type\":\"f32\"", "\"type\":\"f64\"", {"f64 does not fit class 4"}},
	{"\"type\":\"f32\"", "\"type\":\"f31\"", {"'type'", "f31"}},
	{"\"type\":\"ptr\",\"kind\":\"generic\"", "\"type\":\"i64\",\"kind\":\"generic\"",
	 {"kind generic needs type ptr"}},
	{"\"kind\":\"generic\"", "\"kind\":\"value\"", {"ptr needs a kind"}},
	{"\"bytes\":12,\"class\":8", "\"bytes\":17,\"class\":8", {"private array 0", "17 bytes"}},
	{"\"bytes\":12,\"class\":8,\"index\":1", "\"bytes\":12,\"class\":8,\"index\":0",
	 {"private array 0", "twice"}},
	{"\"bytes\":12,\"class\":8", "\"bytes\":12,\"class\":4", {"'class' of a private"}},
	{"00112233", "0011223", {"'hash'"}},
	{"00112233", "x0112233", {"'hash'"}},
	{"\"kernels\":[", "\"kernels\":[[],", {"'kernels'"}},
	{"{\"abi\"", "[{\"abi\"", {"line 1"}},
	{"\"abi\":4", "\"abi\":4,\"abi\":4", {"duplicate"}},
};

static char *edited(const struct edit *e)
{
	const char *hit = strstr(make_image_map, e->from);
	size_t head = hit - make_image_map;
	char *text = malloc(strlen(make_image_map) + strlen(e->to) + 1);

	memcpy(text, make_image_map, head);
	strcpy(text + head, e->to);
	strcat(text, hit + strlen(e->from));
	return text;
}

static void refuses_each_wrong_field(void **state)
{
	for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
		struct hetckpt_map *map = (void *)1;
		char *text = edited(&edits[i]);
		int rc;

		memset(error, 0, sizeof error);
		rc = hetckpt_map_parse(text, strlen(text), &map, error, sizeof error);
		if (rc != -EINVAL && rc != -ENOTSUP)
			fail_msg("'%s' -> '%s' was accepted (%d)", edits[i].from, edits[i].to, rc);
		assert_null(map);
		for (int w = 0; w < 3 && edits[i].says[w]; w++)
			if (!strstr(error, edits[i].says[w]))
				fail_msg("'%s' does not say '%s'", error, edits[i].says[w]);
		if (strchr(error, '\n'))
			fail_msg("'%s' is more than a line", error);
		free(text);
	}
}

static void refuses_every_truncation(void **state)
{
	size_t size = strlen(make_image_map);

	for (size_t n = 0; n < size; n++) {
		struct hetckpt_map *map;
		char *part = malloc(n ? n : 1);

		memcpy(part, make_image_map, n);
		assert_int_equal(hetckpt_map_parse(part, n, &map, error, sizeof error), -EINVAL);
		free(part);
	}
}

static void ignores_fields_it_does_not_know(void **state)
{
	const struct edit e = {"\"polls\":true", "\"polls\":true,\"registers\":[40]", {NULL}};
	struct hetckpt_map *map;
	char *text = edited(&e);

	assert_int_equal(hetckpt_map_parse(text, strlen(text), &map, error, sizeof error), 0);
	hetckpt_map_free(map);
	free(text);
}

static void checks_data_against_variables(void **state)
{
	static const unsigned char data[MAKE_IMAGE_VARIABLE_BYTES] = {0};
	struct hetckpt_image *image;
	struct hetckpt_map *map;
	size_t size;
	unsigned char *bytes = make_image(make_image_map, "x", 1, data, sizeof data, &size);

	assert_int_equal(hetckpt_image_open(bytes, size, &image, error, sizeof error), 0);
	assert_int_equal(hetckpt_map_parse_image(image, &map, error, sizeof error), 0);
	hetckpt_map_free(map);
	image->data_bytes--;
	assert_int_equal(hetckpt_map_parse_image(image, &map, error, sizeof error), -EINVAL);
	assert_non_null(strstr(error, "step.cu"));
	assert_null(map);
	hetckpt_image_close(image);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_every_field),
		cmocka_unit_test(refuses_each_wrong_field),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(ignores_fields_it_does_not_know),
		cmocka_unit_test(checks_data_against_variables),
	};

	return cmocka_run_group_tests_name("statemap map", tests, NULL, NULL);
}
