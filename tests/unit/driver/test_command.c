/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Parsing of arguments, quoting, and numbers for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/command.h"
#include "driver/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void byte_counts(void **state)
{
	static const struct { const char *text; long long bytes; } good[] = {
		{"1", 1}, {"4096", 4096}, {"3K", 3072}, {"16G", 16ll << 30}, {"2T", 2ll << 40}, {"4194304T", 1ll << 62},
	};
	static const char *const bad[] = {"", "0", "0G", "G", "-1G", "1.5G", "16g", "16GB", "16 G", "4194305T",
		"99999999999999999999", "none"};
	long long bytes;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(hetckpt_size_parse(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(hetckpt_size_parse(bad[i], &bytes), -EINVAL);
}

static void numbers(void **state)
{
	static const char *const bad[] = {"", "x", "1x", "-", " 1", "+1", "1.0", "0x10", "11",
					  "-6", "99999999999999999999999"};
	long long value;

	assert_int_equal(hetckpt_number_parse("10", -5, 10, &value), 0);
	assert_int_equal(value, 10);
	assert_int_equal(hetckpt_number_parse("-5", -5, 10, &value), 0);
	assert_int_equal(value, -5);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!hetckpt_number_parse(bad[i], -5, 10, &value))
			fail_msg("'%s' was taken for a number", bad[i]);
}

static void triples(void **state)
{
	static const char *const bad[] = {"", ",", "1,", ",1", "1,2,3,4", "1,,2", "1,-2", "4294967296"};
	unsigned t[3];

	assert_int_equal(hetckpt_triple_parse("1,2,3", t), 0);
	assert_true(t[0] == 1 && t[1] == 2 && t[2] == 3);
	assert_int_equal(hetckpt_triple_parse("7", t), 0);
	assert_true(t[0] == 7 && t[1] == 0 && t[2] == 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!hetckpt_triple_parse(bad[i], t))
			fail_msg("'%s' was taken", bad[i]);
}

static void compression(void **state)
{
	static const char *const bad[] = {"", "gzip", "zstd:", "zstd:0", "zstd:20", "none:1", "zstd:3x"};
	const char *method;
	int level;

	assert_int_equal(hetckpt_compress_parse("none", &method, &level), 0);
	assert_string_equal(method, "none");
	assert_int_equal(hetckpt_compress_parse("zstd:19", &method, &level), 0);
	assert_string_equal(method, "zstd");
	assert_int_equal(level, 19);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!hetckpt_compress_parse(bad[i], &method, &level))
			fail_msg("'%s' was taken", bad[i]);
}

static void stress(void **state)
{
	static const char *const bad[] = {"", "every", "random:", "random:x", "random:1:", "random:1:0",
					  "random:1:2:3", "every-poll:1"};
	long long seed, period;
	const char *mode;

	assert_int_equal(hetckpt_stress_parse("every-poll", &mode, &seed, &period), 0);
	assert_string_equal(mode, "every-poll");
	assert_int_equal(hetckpt_stress_parse("random:77:250", &mode, &seed, &period), 0);
	assert_string_equal(mode, "random");
	assert_int_equal(seed, 77);
	assert_int_equal(period, 250);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!hetckpt_stress_parse(bad[i], &mode, &seed, &period))
			fail_msg("'%s' was taken", bad[i]);
}

static void names(void **state)
{
	assert_true(hetckpt_name_valid("a-b_c.9"));
	assert_false(hetckpt_name_valid(""));
	assert_false(hetckpt_name_valid("-a"));
	assert_false(hetckpt_name_valid(".."));
	assert_false(hetckpt_name_valid("a/b"));
	assert_false(hetckpt_name_valid("a b"));
	assert_false(hetckpt_name_valid("0123456789012345678901234567890123456789012345678901234567890123"));
	assert_true(hetckpt_device_valid("cpu"));
	assert_true(hetckpt_device_valid("level_zero:12"));
	assert_false(hetckpt_device_valid("cpu:"));
	assert_false(hetckpt_device_valid(":0"));
	assert_false(hetckpt_device_valid("cpu:x"));
	assert_false(hetckpt_device_valid("cpu:-1"));
	assert_false(hetckpt_device_valid("cpu:0/.."));
}

static void quoting(void **state)
{
	char *words[] = {"./app", "two words", "it's", "", "a=b,c", NULL};
	char *line = hetckpt_command_join(words);

	assert_string_equal(line, "./app 'two words' 'it'\\''s' '' a=b,c");
	free(line);
}

static void sizes(void **state)
{
	char text[HETCKPT_TEXT_SHORT];

	assert_string_equal(hetckpt_bytes_format(0, text), "0 B");
	assert_string_equal(hetckpt_bytes_format(1023, text), "1023 B");
	assert_string_equal(hetckpt_bytes_format(1024, text), "1 KiB");
	assert_string_equal(hetckpt_bytes_format(1536, text), "1.5 KiB");
	assert_string_equal(hetckpt_bytes_format((uint64_t)1 << 40, text), "1 TiB");
	assert_string_equal(hetckpt_bytes_format(((uint64_t)1 << 20) - 1, text), "1 MiB");
	assert_string_equal(hetckpt_bytes_format(UINT64_MAX, text), "16 EiB");
	assert_string_equal(hetckpt_seconds_format(0.04, text), "0.0 s");
	assert_string_equal(hetckpt_seconds_format(61, text), "61 s");
	assert_string_equal(hetckpt_seconds_format(3700, text), "61 min");
	assert_string_equal(hetckpt_seconds_format(7500, text), "2 h 5 min");
	assert_string_equal(hetckpt_seconds_format(-3, text), "0.0 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(byte_counts),
		cmocka_unit_test(numbers), cmocka_unit_test(triples), cmocka_unit_test(compression),
		cmocka_unit_test(stress),  cmocka_unit_test(names),   cmocka_unit_test(quoting),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests_name("driver command", tests, NULL, NULL);
}
