/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which CUDA runtime a program needs; and files that are no programs, or broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/elf_needs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct hetckpt_error error;
static char path[] = "/tmp/hetckpt-elf-XXXXXX";
static int fd;

static void put(const void *bytes, size_t size)
{
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, bytes, size, 0), (ssize_t)size);
}

static void reads_needs(void **state)
{
	struct hetckpt_elf_needs needs;

	assert_int_equal(hetckpt_elf_needs_read(CUDA_APP, &needs, &error), 0);
	assert_true(needs.elf && needs.dynamic);
	assert_int_equal(needs.cudart, 1u << 13);
	assert_false(needs.cudart_other || needs.device_code || needs.cuda_driver);

	assert_int_equal(hetckpt_elf_needs_read("/proc/self/exe", &needs, &error), 0);
	assert_true(needs.elf && needs.dynamic);
	assert_int_equal(needs.cudart, 0);
	/* the loader's list: asking does not run the program */
	hetckpt_elf_needs_indirect(CUDA_APP, &needs);
	assert_int_equal(needs.cudart, 1u << 13);
}

static void takes_other_files(void **state)
{
	struct hetckpt_elf_needs needs;

	put("#!/bin/sh\n", 10);
	assert_int_equal(hetckpt_elf_needs_read(path, &needs, &error), 0);
	assert_false(needs.elf);
	put("", 0);
	assert_int_equal(hetckpt_elf_needs_read(path, &needs, &error), 0);
	assert_false(needs.elf);
	assert_int_equal(hetckpt_elf_needs_read("/nothing/here", &needs, &error), -ENOENT);
	assert_int_equal(hetckpt_elf_needs_read("/tmp", &needs, &error), -EACCES);
}

/* Every cut and every changed byte of the headers: no crash, and no hang. */
static void survives_damage(void **state)
{
	struct hetckpt_elf_needs needs;
	FILE *file = fopen(CUDA_APP, "rb");
	unsigned char *bytes;
	size_t size;

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(size);
	assert_int_equal(fread(bytes, 1, size, file), size);
	fclose(file);
	put(bytes, size);
	for (size_t i = 0; i < 64 + 56 * 10 && i < size; i++) {
		for (int value = 0; value < 256; value += 85) {
			unsigned char changed = (unsigned char)(bytes[i] ^ (value + 1));

			assert_int_equal(pwrite(fd, &changed, 1, (off_t)i), 1);
			hetckpt_elf_needs_read(path, &needs, &error);
		}
		assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
	}
	for (size_t n = 0; n < size; n += 1 + n / 16) {
		put(bytes, n);
		hetckpt_elf_needs_read(path, &needs, &error);
	}
	put(bytes, 40);
	assert_int_equal(hetckpt_elf_needs_read(path, &needs, &error), -EBADMSG);
	free(bytes);
}

static void finds_programs(void **state)
{
	char found[PATH_MAX];

	setenv("PATH", "/nothing:/bin:/usr/bin", 1);
	assert_int_equal(hetckpt_program_find("sh", found), 0);
	assert_string_equal(found, "/bin/sh");
	assert_int_equal(hetckpt_program_find("/bin/sh", found), 0);
	assert_int_equal(hetckpt_program_find("no-such-program", found), -ENOENT);
	assert_int_equal(hetckpt_program_find("", found), -ENOENT);
	assert_int_equal(hetckpt_program_find("/tmp", found), -EACCES);
	assert_int_equal(hetckpt_program_find(path, found), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_needs),
		cmocka_unit_test(takes_other_files),
		cmocka_unit_test(survives_damage),
		cmocka_unit_test(finds_programs),
	};
	int failed;

	fd = mkstemp(path);
	if (fd < 0)
		return 1;
	failed = cmocka_run_group_tests_name("driver elf_needs", tests, NULL, NULL);
	unlink(path);
	return failed;
}
