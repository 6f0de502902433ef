/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* inspect on a snapshot: a parked block's variables by name, and refusals of what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/inspect.h"
#include "runtime/fatbin/fatbin.h"
#include "runtime/snapshot/writer.h"
#include "runtime/statemap/statemap.h"
#include "tests/unit/statemap/make_image.h"

#include <hetckpt/abi.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Blocks of 4 x 2 threads in a grid of 3 x 2; blocks 4 and 1 are parked. */
#define THREADS 8
static const uint32_t parked[] = {4, 1};
static char path[] = "/tmp/hetckpt-inspect-XXXXXX";
static struct hetckpt_frame_layout layout;
static struct hetckpt_error error;

/* What a test changes before the snapshot is written. */
struct change {
	const char *manifest_from, *manifest_to; /* first occurrence in the manifest's text */
	uint32_t safepoint;                      /* of block 1, thread 5, if not 0 */
	size_t blocks;                           /* entries in the section of blocks, if not 0 */
	int no_module;
};

static const char manifest_text[] =
	"{\"kind\":\"hetckpt session\",\"state\":2,\"abi\":4,"
	"\"device\":{\"backend\":\"cpu\",\"index\":0,\"name\":\"host\"},"
	"\"modules\":[{\"number\":9,\"bytes\":4,\"section\":\"module/9\",\"loaded\":true,\"name\":\"step.cu\"}],"
	"\"functions\":[{\"handle\":3,\"module\":9,\"name\":\"_Z4stepPff\",\"signature\":\"step(float*, float)\"}],"
	"\"allocations\":[{\"address\":\"0x200000000000\",\"bytes\":4096},{\"address\":\"0x200000002000\",\"bytes\":96}],"
	"\"host_buffers\":[],\"streams\":[{\"id\":0}],\"events\":[],"
	"\"commands\":[{\"seq\":12,\"type\":\"launch\",\"stream\":0,\"function\":3,"
	"\"kernel\":\"step(float*, float)\",\"grid\":[3,2,1],\"block\":[4,2,1],\"dynamic_shared\":32,"
	"\"launch\":{\"blocks\":6,\"done\":3,\"parked\":2,\"unstarted\":1,\"threads\":8,\"group_bytes\":GROUP,"
	"\"blocks_section\":\"launch/12/blocks\",\"frames_section\":\"launch/12/frames\"}},"
	"{\"seq\":13,\"type\":\"copy\"},{\"seq\":14,\"type\":\"copy\"},"
	"{\"seq\":15,\"type\":\"launch\",\"count\":500,\"stream\":0,\"function\":3}]}";

static void put(unsigned char *group, enum hetckpt_slot_class c, uint32_t index, uint32_t thread,
		uint64_t bits)
{
	memcpy(group + hetckpt_frame_slot_offset(&layout, c, index, thread), &bits, 8u >> c);
}

static char *manifest_make(const struct change *change)
{
	char *text = malloc(sizeof manifest_text + 200), number[24];
	const char *hit = strstr(manifest_text, "GROUP");
	char *other;

	snprintf(number, sizeof number, "%llu", (unsigned long long)layout.group_bytes);
	sprintf(text, "%.*s%s%s", (int)(hit - manifest_text), manifest_text, number, hit + 5);
	if (change->manifest_from) {
		hit = strstr(text, change->manifest_from);
		assert_non_null(hit);
		other = malloc(strlen(text) + strlen(change->manifest_to) + 1);
		sprintf(other, "%.*s%s%s", (int)(hit - text), text, change->manifest_to,
			hit + strlen(change->manifest_from));
		free(text);
		text = other;
	}
	return text;
}

static void snapshot_make(const struct change *change)
{
	static const unsigned char data[MAKE_IMAGE_VARIABLE_BYTES];
	struct hetckpt_fatbin_part part = {.kind = HETCKPT_FATBIN_ELF, .arch = 90};
	size_t image_bytes;
	unsigned char *image = make_image(make_image_map, "BC", 2, data, sizeof data, &image_bytes);
	unsigned char *fatbin, *groups;
	struct hetckpt_writer *writer;
	struct hetckpt_map *map;
	uint64_t fatbin_bytes;
	char text[256], *manifest;

	assert_int_equal(hetckpt_map_parse(make_image_map, strlen(make_image_map), &map, text,
					   sizeof text), 0);
	assert_int_equal(hetckpt_frame_layout_compute(hetckpt_map_kernel_find(map, "_Z4stepPff"),
						      THREADS, 32, &layout), 0);
	hetckpt_map_free(map);
	part.data = image;
	part.bytes = image_bytes;
	assert_int_equal(hetckpt_fatbin_write(&part, 1, &fatbin, &fatbin_bytes), 0);

	groups = calloc(2, layout.group_bytes);
	for (uint32_t g = 0; g < 2; g++) {
		for (uint32_t t = 0; t < THREADS; t++) {
			unsigned char *group = groups + g * layout.group_bytes;
			uint32_t id = t == 0 ? HETCKPT_SP_DONE : t == 1 ? 2 : 1;

			if (g == 1 && t == 5 && change->safepoint)
				id = change->safepoint;
			memcpy(group + 4 * t, &id, 4);
			put(group, HETCKPT_CLASS_4, 0, t, 0x40200000); /* ax = 2.5 */
			put(group, HETCKPT_CLASS_4, 1, t, (uint32_t)-(int)(100 * g + t));
			put(group, HETCKPT_CLASS_8, 0, t, 0x200000000010);
		}
	}
	manifest = manifest_make(change);
	assert_int_equal(hetckpt_writer_open(path, NULL, &writer), 0);
	assert_int_equal(hetckpt_writer_manifest_text(writer, manifest), 0);
	if (!change->no_module)
		assert_int_equal(hetckpt_writer_add(writer, "module/9", 0, fatbin, fatbin_bytes), 0);
	assert_int_equal(hetckpt_writer_add(writer, "launch/12/blocks", 0, parked,
					    4 * (change->blocks ? change->blocks : 2)), 0);
	assert_int_equal(hetckpt_writer_add(writer, "launch/12/frames", 0, groups,
					    2 * layout.group_bytes), 0);
	assert_int_equal(hetckpt_writer_finish(writer), 0);
	hetckpt_writer_close(writer);
	free(manifest);
	free(groups);
	free(fatbin);
	free(image);
}

static const char *text_at(const json_t *list, size_t i, const char *name)
{
	return json_string_value(json_object_get(json_array_get(list, i), name));
}

static json_t *first_kernel(const json_t *facts)
{
	return json_array_get(json_object_get(facts, "kernels"), 0);
}

static void shows_the_whole(void **state)
{
	struct hetckpt_inspect_options options = {0};
	struct change none = {0};
	json_t *facts, *kernel, *places;

	snapshot_make(&none);
	assert_int_equal(hetckpt_inspect_file(path, &options, &facts, &error), 0);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(facts, "memory"), "bytes")),
			 4192);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(facts, "queued"), "copy")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(facts, "queued"), "launch")), 500);
	kernel = first_kernel(facts);
	assert_int_equal(json_integer_value(json_object_get(kernel, "blocks_unstarted")), 1);
	places = json_object_get(kernel, "places");
	assert_int_equal(json_array_size(places), 3);
	assert_string_equal(text_at(places, 0, "kind"), "done");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(places, 2), "threads")), 12);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(places, 2), "line")), 31);
	assert_non_null(json_object_get(kernel, "thread"));
	json_decref(facts);
}

static void shows_one_thread(void **state)
{
	/* block 1,0,0 is the second group; thread 2,1,0 is number 6 */
	struct hetckpt_inspect_options options = {.kernel = "step", .block_given = true,
						  .block = {1, 0, 0}, .thread_given = true,
						  .thread = {2, 1, 0}};
	static const char *const kernels[] = {"step", "_Z4stepPff", "step(float*, float)"};
	struct change none = {0};
	json_t *facts, *threads, *values;

	snapshot_make(&none);
	for (size_t i = 0; i < 3; i++) {
		options.kernel = kernels[i];
		assert_int_equal(hetckpt_inspect_file(path, &options, &facts, &error), 0);
		threads = json_object_get(first_kernel(facts), "threads");
		assert_int_equal(json_array_size(threads), 1);
		assert_int_equal(json_integer_value(json_object_get(json_array_get(threads, 0),
								    "thread")), 6);
		values = json_object_get(json_array_get(threads, 0), "values");
		assert_string_equal(text_at(values, 0, "name"), "ax");
		assert_string_equal(text_at(values, 0, "text"), "2.5");
		assert_string_equal(text_at(values, 1, "text"), "-106");
		assert_string_equal(text_at(values, 4, "text"), "global 0x200000000010");
		json_decref(facts);
	}
	options.thread_given = false;
	assert_int_equal(hetckpt_inspect_file(path, &options, &facts, &error), 0);
	assert_int_equal(json_array_size(json_object_get(first_kernel(facts), "threads")), THREADS);
	json_decref(facts);
}

static void expect_failure(const struct hetckpt_inspect_options *options, int rc, const char *says)
{
	json_t *facts;
	int got = hetckpt_inspect_file(path, options, &facts, &error);

	if (got != rc || !strstr(error.text, says))
		fail_msg("%d, '%s' instead of %d, '%s'", got, error.text, rc, says);
	assert_null(facts);
}

static void says_what_is_not_there(void **state)
{
	struct hetckpt_inspect_options options = {.kernel = "ste"};
	struct change none = {0};

	snapshot_make(&none);
	expect_failure(&options, -ENOENT, "no kernel 'ste'");
	options = (struct hetckpt_inspect_options){.kernel = "step", .block_given = true, .block = {3, 0, 0}};
	expect_failure(&options, -ENOENT, "block 3,0,0 lies outside 3,2,1");
	options.block[0] = 0;
	expect_failure(&options, -ENOENT, "is not parked");
	options.block[0] = 1;
	options.thread_given = true;
	options.thread[1] = 2;
	expect_failure(&options, -ENOENT, "thread 0,2,0 lies outside 4,2,1");
}

static void refuses_what_does_not_fit(void **state)
{
	static const struct { struct change change; int rc; const char *says; } cases[] = {
		{{.safepoint = 77}, -EBADMSG, "safepoint 77"},
		{{.blocks = 1}, -EBADMSG, "not as long"},
		{{.no_module = 1}, -ENOENT, "module/9"},
		{{.manifest_from = "hetckpt session", .manifest_to = "something else"}, -EINVAL, "not of a session"},
		{{.manifest_from = "\"block\":[4,2,1]", .manifest_to = "\"block\":[4,2,2]"}, -EBADMSG, "do not fit its state map"},
		{{.manifest_from = "\"block\":[4,2,1]", .manifest_to = "\"block\":[4294967295,4294967295,4294967295]"}, -EBADMSG, "do not fit"},
		{{.manifest_from = "\"block\":[4,2,1]", .manifest_to = "\"block\":null"}, -EBADMSG, "do not fit"},
		{{.manifest_from = "\"parked\":2", .manifest_to = "\"parked\":1000000000000"}, -EBADMSG, "not as long"},
		{{.manifest_from = "\"function\":3", .manifest_to = "\"function\":4"}, -EBADMSG, "lacks the function"},
		{{.manifest_from = "\"module\":9,", .manifest_to = "\"module\":8,"}, -EBADMSG, "no module 8"},
		{{.manifest_from = "\"name\":\"_Z4stepPff\"", .manifest_to = "\"name\":\"_Z4stepPf\""}, -EBADMSG, "do not fit"},
		{{.manifest_from = "launch/12/frames", .manifest_to = "launch/13/frames"}, -ENOENT, "launch/13/frames"},
		{{.manifest_from = "\"dynamic_shared\":32", .manifest_to = "\"dynamic_shared\":-5"}, -EBADMSG, "do not fit"},
	};
	struct hetckpt_inspect_options options = {0};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snapshot_make(&cases[i].change);
		expect_failure(&options, cases[i].rc, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_the_whole),
		cmocka_unit_test(shows_one_thread),
		cmocka_unit_test(says_what_is_not_there),
		cmocka_unit_test(refuses_what_does_not_fit),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests_name("driver inspect", tests, NULL, NULL);
	unlink(path);
	return failed;
}
