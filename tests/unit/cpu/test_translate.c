/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The translator's interface: targets, errors, the cache, code made ahead of time. */
#include "kernel_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hetckpt/abi.h>

#include "passes/translate/translate.h"
#include "runtime/backends/cpu/cpu.h"
#include "runtime/fatbin/aot.h"
#include "runtime/statemap/statemap.h"
#include "statemap/make_image.h"

static const char code[] =
	"target datalayout = \"e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64\"\n"
	"target triple = \"nvptx64-nvidia-cuda\"\n"
	"declare i32 @__hetckpt_tid_x()\n"
	"define ptx_kernel void @fill(ptr %p, i32 %v) {\n"
	"  %i = call i32 @__hetckpt_tid_x()\n"
	"  %x = zext i32 %i to i64\n"
	"  %q = getelementptr i32, ptr %p, i64 %x\n"
	"  store i32 %v, ptr %q\n"
	"  ret void\n"
	"}\n";

static const char map_text[] =
	"{\"abi\":4,\"module\":\"fill.cu\",\"variables\":[],\"variable_bytes\":0,\"relocations\":[],\"kernels\":["
	"{\"name\":\"fill\",\"signature\":\"fill(int*, int)\",\"pausable\":false,\"reason\":\"test\","
	"\"params\":[{\"offset\":0,\"bytes\":8,\"align\":8},{\"offset\":8,\"bytes\":4,\"align\":4}],"
	"\"param_bytes\":12,\"static_shared\":0,\"shared_align\":16,\"dynamic_shared\":false,"
	"\"shared_variables\":[],\"max_threads\":0}]}";

static unsigned char *image;
static size_t image_bytes;
static char directory[] = "/tmp/hetckpt-test-XXXXXX";

static int translate(const void *input, size_t bytes, const char *target, unsigned flags, void **out,
                     size_t *out_bytes, char *error)
{
	struct hetckpt_translate_request r = {.size = sizeof r, .input = input, .input_bytes = bytes,
	                                      .target = target, .flags = flags};

	error[0] = 0;
	return hetckpt_translate(&r, out, out_bytes, error, HETCKPT_TRANSLATE_ERROR);
}

static void fails(const void *input, size_t bytes, const char *target, int rc, const char *part)
{
	char error[HETCKPT_TRANSLATE_ERROR];
	void *out;
	size_t n;

	assert_int_equal(translate(input, bytes, target, HETCKPT_TRANSLATE_FRESH, &out, &n, error), rc);
	assert_null(out);
	if (!strstr(error, part))
		fail_msg("\"%s\" does not say \"%s\"", error, part);
	assert_null(strchr(error, '\n'));
}

static void test_targets(void **state)
{
	static const char *const targets[] = {"cpu", "cpu:native", "cpu:x86-64-v2", "cpu:x86-64-v3", "cpu:x86-64-v4"};
	char error[HETCKPT_TRANSLATE_ERROR];
	void *out;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		if (translate(image, image_bytes, targets[i], HETCKPT_TRANSLATE_FRESH, &out, &n, error))
			fail_msg("%s: %s", targets[i], error);
		assert_memory_equal(out, "\177ELF", 4);
		free(out);
	}
	assert_int_equal(translate(image, image_bytes, "cpu", HETCKPT_TRANSLATE_LLVM, &out, &n, error), 0);
	assert_non_null(memmem(out, n, "x86_64", 6));
	assert_null(memmem(out, n, "__hetckpt_tid_x", 15));
	free(out);
}

static void test_errors(void **state)
{
	static const char head[] = "target datalayout = \"e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64\"\n"
	                           "target triple = \"nvptx64-nvidia-cuda\"\n";
	char *text, *broken;

	(void)state;
	fails(image, image_bytes, "gpu", -EINVAL, "unknown target \"gpu\"");
	fails(image, image_bytes, "cpu:6502", -EINVAL, "unknown CPU \"6502\"");
	fails("nonsense", 8, "cpu", -EINVAL, "not a portable image");
	broken = malloc(image_bytes);
	assert_non_null(broken);
	memcpy(broken, image, image_bytes);
	broken[image_bytes - 3] ^= 1;
	fails(broken, image_bytes, "cpu", -EINVAL, "hash");
	fails(image, image_bytes - 8, "cpu", -EINVAL, "portable image");
	free(broken);
	assert_true(asprintf(&text, "%s@v = external addrspace(1) global i32\n"
	                     "define ptx_kernel void @k() {\n store i32 1, ptr addrspace(1) @v\n ret void\n}\n", head) > 0);
	fails(text, strlen(text), "cpu", -EINVAL, "variable v is not in the state map");
	free(text);
}

/* What one kernel has harms no other: its code says what it is when it is launched. */
static void test_refused(void **state)
{
	static const char text[] =
		"target datalayout = \"e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64\"\n"
		"target triple = \"nvptx64-nvidia-cuda\"\n"
		"declare void @__hetckpt_barrier(i32, i32)\n"
		"declare void @thrower()\n"
		"declare i32 @handler(...)\n"
		"define void @again(i32 %n) {\n call void @__hetckpt_barrier(i32 0, i32 0)\n"
		" call void @again(i32 %n)\n ret void\n}\n"
		"define ptx_kernel void @k() {\n call void @again(i32 1)\n ret void\n}\n"
		"define ptx_kernel void @catches() personality ptr @handler {\n"
		" invoke void @thrower() to label %good unwind label %bad\n"
		"good:\n ret void\n"
		"bad:\n %p = landingpad {ptr, i32} cleanup\n ret void\n}\n"
		"define ptx_kernel void @fine(ptr %p) {\n store i32 77777, ptr %p\n ret void\n}\n";
	char error[HETCKPT_TRANSLATE_ERROR];
	void *out;
	size_t n;

	(void)state;
	if (translate(text, strlen(text), "cpu", HETCKPT_TRANSLATE_LLVM | HETCKPT_TRANSLATE_FRESH, &out, &n, error))
		fail_msg("%s", error);
#define SAYS(part) assert_non_null(memmem(out, n, part, strlen(part)))
	SAYS("k calls again, which is recursive and waits");
	SAYS("catches has exceptions");
	SAYS("store i32 77777");
#undef SAYS
	free(out);
}

/* A thread's sum is an element of a vector that a loop carries along, not of a frame. */
static void test_loops(void **state)
{
	static const char text[] =
		"target datalayout = \"e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64\"\n"
		"target triple = \"nvptx64-nvidia-cuda\"\n"
		"declare i32 @__hetckpt_tid_x()\n"
		"define ptx_kernel void @sum(ptr %p, i64 %n, ptr %out) {\n"
		"entry:\n"
		"  %t = call i32 @__hetckpt_tid_x()\n"
		"  %x = zext i32 %t to i64\n"
		"  br label %loop\n"
		"loop:\n"
		"  %i = phi i64 [ %x, %entry ], [ %next, %loop ]\n"
		"  %s = phi i32 [ 0, %entry ], [ %more, %loop ]\n"
		"  %q = getelementptr i32, ptr %p, i64 %i\n"
		"  %v = load i32, ptr %q\n"
		"  %more = add i32 %s, %v\n"
		"  %next = add i64 %i, 256\n"
		"  %c = icmp ult i64 %next, %n\n"
		"  br i1 %c, label %loop, label %end\n"
		"end:\n"
		"  %o = getelementptr i32, ptr %out, i64 %x\n"
		"  store i32 %more, ptr %o\n"
		"  ret void\n"
		"}\n";
	char error[HETCKPT_TRANSLATE_ERROR];
	char *tiles, *end;
	void *out;
	size_t n;

	(void)state;
	if (translate(text, strlen(text), "cpu:x86-64-v3", HETCKPT_TRANSLATE_LLVM, &out, &n, error))
		fail_msg("%s", error);
	tiles = memmem(out, n, "define internal fastcc i32 @sum.tiles.", 38);
	assert_non_null(tiles);
	end = memmem(tiles, n - (size_t)(tiles - (char *)out), "\n}\n", 3);
	assert_non_null(end);
	assert_non_null(memmem(tiles, (size_t)(end - tiles), " = phi <", 8));
	free(out);
}

/* Entries of the cache; the last one's path in path, if that is not NULL. */
static unsigned entries(char *path, size_t size)
{
	DIR *d = opendir(directory);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			n++;
			if (path)
				snprintf(path, size, "%s/%s", directory, e->d_name);
		}
	closedir(d);
	return n;
}

static void test_cache(void **state)
{
	char error[HETCKPT_TRANSLATE_ERROR], path[512];
	void *first, *again;
	size_t n, m;
	FILE *f;

	(void)state;
	assert_int_equal(translate(image, image_bytes, "cpu", 0, &first, &n, error), 0);
	assert_int_equal(entries(path, sizeof path), 1);
	assert_int_equal(translate(image, image_bytes, "cpu:native", 0, &again, &m, error), 0);
	assert_int_equal(entries(NULL, 0), 1);
	assert_int_equal(n, m);
	assert_memory_equal(first, again, n);
	free(again);

	/* It is the cache that answers: what is in it comes out. Its hash would stop us, so
	   only the time of use shows. */
	struct stat before, after;
	struct timespec old[2] = {{1, 0}, {1, 0}};
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(translate(image, image_bytes, "cpu", 0, &again, &m, error), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_true(after.st_mtime > before.st_mtime);
	free(again);

	/* Damaged in the middle, cut off, empty: made again and replaced. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(stat(path, &before), 0);
		f = fopen(path, i == 2 ? "w" : "r+");
		assert_non_null(f);
		if (i == 0) {
			fseek(f, before.st_size / 2, SEEK_SET);
			fputc(fgetc(f) ^ 0x55, f);
			fseek(f, before.st_size / 2, SEEK_SET);
			fputs("damaged", f);
		}
		fclose(f);
		if (i == 1)
			assert_int_equal(truncate(path, before.st_size - 1), 0);
		assert_int_equal(translate(image, image_bytes, "cpu", 0, &again, &m, error), 0);
		assert_int_equal(n, m);
		assert_memory_equal(first, again, n);
		free(again);
		assert_int_equal(stat(path, &after), 0);
		assert_int_equal(after.st_size, before.st_size ? before.st_size : after.st_size);
	}
	/* Another machine is another entry; others must not be able to write. */
	assert_int_equal(translate(image, image_bytes, "cpu:x86-64-v2", 0, &again, &m, error), 0);
	free(again);
	assert_int_equal(entries(NULL, 0), 2);
	assert_int_equal(chmod(directory, 0777), 0);
	assert_int_equal(translate(image, image_bytes, "cpu:x86-64-v3", 0, &again, &m, error), 0);
	free(again);
	assert_int_equal(entries(NULL, 0), 2);
	assert_int_equal(chmod(directory, 0700), 0);
	free(first);
}

/* Code made ahead of time is found in the fat binary and used without the translator. */
static void test_ahead(void **state)
{
	struct hetckpt_fatbin_part parts[2] = {{0}};
	struct hetckpt_module_source source = {0};
	char error[HETCKPT_TRANSLATE_ERROR], text[256];
	const char *target = __builtin_cpu_supports("x86-64-v4") ? "cpu:x86-64-v4"
	                     : __builtin_cpu_supports("x86-64-v3") ? "cpu:x86-64-v3" : "cpu:x86-64-v2";
	struct { uint32_t *p; uint32_t v; } params = {NULL, 7};
	unsigned char *entry, *container;
	uint64_t entry_bytes, container_bytes;
	struct harness h = {.ops = &hetckpt_backend_cpu};
	unsigned before = entries(NULL, 0);
	void *out;
	size_t n;

	(void)state;
	assert_int_equal(translate(image, image_bytes, target, HETCKPT_TRANSLATE_FRESH, &out, &n, error), 0);
	assert_int_equal(hetckpt_fatbin_aot_make(image, image_bytes, target, out, n, &entry, &entry_bytes), 0);
	free(out);
	parts[0].kind = HETCKPT_FATBIN_AOT;
	parts[0].data = entry;
	parts[0].bytes = entry_bytes;
	assert_int_equal(hetckpt_fatbin_write(parts, 1, &container, &container_bytes), 0);
	assert_int_equal(hetckpt_map_parse(map_text, strlen(map_text), &h.map, text, sizeof text), 0);
	source.fatbin = container;
	source.fatbin_bytes = container_bytes;
	source.image = image;
	source.image_bytes = image_bytes;
	source.map = h.map;
	assert_int_equal(h.ops->open(0, HARNESS_ARENA, (uint64_t)1 << 40, NULL, &h.device, &h.error), 0);
	assert_int_equal(h.ops->map(h.device, HARNESS_ARENA, HETCKPT_GRANULE, &h.error), 0);
	assert_int_equal(h.ops->queue_create(h.device, 0, &h.queue, &h.error), 0);
	if (h.ops->module_load(h.device, &source, &h.module, &h.error))
		fail_msg("%s", h.error.text);
	/* The cache was not asked. */
	assert_int_equal(entries(NULL, 0), before);
	params.p = (uint32_t *)HARNESS_ARENA;
	assert_int_equal(harness_run(&h, "fill", 1, 64, &params, 12), 0);
	for (int i = 0; i < 65; i++)
		assert_int_equal(params.p[i], i < 64 ? 7 : 0);
	harness_close(&h);
	free(entry);
	free(container);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	setenv("HETCKPT_CACHE_DIR", directory, 1);
	image = make_image(map_text, code, sizeof code - 1, NULL, 0, &image_bytes);
	return 0;
}

static int teardown(void **state)
{
	char path[512];

	(void)state;
	while (entries(path, sizeof path))
		unlink(path);
	rmdir(directory);
	free(image);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_errors), cmocka_unit_test(test_refused), cmocka_unit_test(test_loops),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_ahead),
	};

	return cmocka_run_group_tests_name("cpu translate", tests, setup, teardown);
}
