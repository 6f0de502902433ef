/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Kernels that go wrong make their launch fail, with a line that says how, and no more. */
#include "kernel_list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/backends/cpu/cpu.h"

static struct harness h;

static void open_device(void)
{
	static const char data[52];

	harness_open(&h, CPU_TEST_BITCODE "/kernels.bc", kernels, sizeof kernels / sizeof *kernels, variables,
	             data, sizeof data);
}

/* Runs kernel "ends" in a fresh device; h.error afterwards. The device is left open. */
static int run_ends(int what, uint32_t **out)
{
	struct { uint32_t *out; int what; } p = {NULL, what};

	open_device();
	p.out = *out = harness_alloc(&h, 4 * 64);
	return harness_run(&h, "ends", 1, 64, &p, sizeof p);
}

static void expect(int rc, uint32_t cuda, const char *part)
{
	assert_int_equal(rc, -EIO);
	assert_int_equal(h.error.cuda, cuda);
	assert_non_null(strstr(h.error.text, "kernel ends()"));
	if (!strstr(h.error.text, part))
		fail_msg("\"%s\" does not say \"%s\"", h.error.text, part);
	/* And from then on everything fails, with the same reason. */
	assert_int_equal(harness_wait(&h), -EIO);
	assert_int_equal(h.error.cuda, cuda);
	harness_close(&h);
}

static void test_exit(void **state)
{
	uint32_t *out;

	(void)state;
	assert_int_equal(run_ends(1, &out), 0);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(out[i], i == 3 ? 0 : i + 1);
	harness_close(&h);
}

static void test_trap(void **state)
{
	uint32_t *out;

	(void)state;
	expect(run_ends(2, &out), 719, "block 0,0,0: trap");
}

/* Of blocks that run side by side the one is named that did it. */
static void test_stray(void **state)
{
	const uint32_t grid[3] = {40, 3, 1}, block[3] = {32, 1, 1};
	struct { uint32_t *out; int block, row; } p = {NULL, 17, 1};

	(void)state;
	open_device();
	p.out = harness_alloc(&h, 4 * 40 * 3);
	harness_launch(&h, harness_kernel(&h, "strays", HETCKPT_VARIANT_ORIGINAL), grid, block, 0, &p, sizeof p);
	assert_int_equal(harness_wait(&h), -EIO);
	if (!strstr(h.error.text, "block 17,1,0: invalid access to memory at 0x8"))
		fail_msg("%s", h.error.text);
	harness_close(&h);
}

/* Additions that are collected fault when they go to memory. */
static void test_tally(void **state)
{
	struct { uint32_t *in, *all, *mine, *out; int n, mask; } p = {.all = (uint32_t *)0x40, .n = 64 * 100};

	(void)state;
	open_device();
	p.in = harness_alloc(&h, 4 * 64 * 100);
	p.mine = harness_alloc(&h, 4 * 64);
	p.out = harness_alloc(&h, 4 * 64);
	assert_int_equal(harness_run(&h, "tally", 1, 64, &p, sizeof p), -EIO);
	if (!strstr(h.error.text, "block 0,0,0: invalid access to memory at 0x40"))
		fail_msg("%s", h.error.text);
	harness_close(&h);
}

static void test_assert(void **state)
{
	int saved = dup(2), pipe_fd[2];
	char text[256] = "";
	uint32_t *out;
	int rc;

	(void)state;
	assert_int_equal(pipe(pipe_fd), 0);
	dup2(pipe_fd[1], 2);
	rc = run_ends(3, &out);
	dup2(saved, 2);
	close(saved);
	close(pipe_fd[1]);
	assert_true(read(pipe_fd[0], text, sizeof text - 1) > 0);
	close(pipe_fd[0]);
	assert_string_equal(text, "ends.cu:42: ends: block: [0,0,0], thread: [3,0,0] Assertion `x == 1` failed.\n");
	expect(rc, 710, "assertion `x == 1`");
}

static void test_bad_address(void **state)
{
	uint32_t *out;

	(void)state;
	expect(run_ends(4, &out), 700, "invalid access to memory at 0x40");
}

static void test_recursion(void **state)
{
	uint32_t *out, want = 1;

	(void)state;
	assert_int_equal(run_ends(100000, &out), 0);
	for (uint32_t n = 1; n <= 100000; n++)
		want = (want ^ want >> 3) * (n | 1);
	assert_int_equal(out[63], want);
	harness_close(&h);
	expect(run_ends(1 << 30, &out), 700, "block 0,0,0: a thread needs more than 32 MiB of stack");
}

static void test_deadlock(void **state)
{
	uint32_t *out;

	(void)state;
	expect(run_ends(5, &out), 719, "deadlock: 1 threads wait");
}

static void test_lacking_function(void **state)
{
	int *out;

	(void)state;
	open_device();
	out = harness_alloc(&h, 256);
	assert_int_equal(harness_run(&h, "lacks", 1, 32, &out, sizeof out), -EIO);
	assert_int_equal(h.error.cuda, 801);
	assert_non_null(strstr(h.error.text, "malloc_like"));
	harness_close(&h);
}

/* A kernel that never ends does not keep the pool from being stopped. */
static void test_close_while_running(void **state)
{
	const uint32_t one[3] = {1, 1, 1};
	int *out;

	(void)state;
	open_device();
	out = harness_alloc(&h, 256);
	harness_launch(&h, harness_kernel(&h, "forever", HETCKPT_VARIANT_ORIGINAL), one, one, 0, &out, sizeof out);
	usleep(20000);
	cpu_pool_stop(h.device);
	assert_int_equal(harness_wait(&h), -EIO);
	assert_non_null(strstr(h.error.text, "being closed"));
	harness_close(&h);
}

static void test_bad_copy(void **state)
{
	char byte = 0;
	struct hetckpt_copy copy = {.dst = HARNESS_ARENA + ((uint64_t)1 << 35), .src = (uintptr_t)&byte,
	                            .src_memory = HETCKPT_MEMORY_HOST, .width = 1, .height = 1, .depth = 1};

	(void)state;
	open_device();
	assert_int_equal(h.ops->copy(h.queue, &copy, &h.error), 0);
	assert_int_equal(harness_wait(&h), -EIO);
	assert_int_equal(h.error.cuda, 700);
	assert_non_null(strstr(h.error.text, "copy"));
	harness_close(&h);
}

static void test_print(void **state)
{
	int saved = dup(1), pipe_fd[2], n = 3;
	char text[256] = "";

	(void)state;
	open_device();
	fflush(stdout);
	assert_int_equal(pipe(pipe_fd), 0);
	dup2(pipe_fd[1], 1);
	assert_int_equal(harness_run(&h, "print", 1, 32, &n, sizeof n), 0);
	dup2(saved, 1);
	close(saved);
	close(pipe_fd[1]);
	assert_true(read(pipe_fd[0], text, sizeof text - 1) > 0);
	close(pipe_fd[0]);
	assert_string_equal(text, "thread 0:  0.00 text -5 %\nthread 1:  1.50 text -5 %\nthread 2:  3.00 text -5 %\n");
	harness_close(&h);
}

static void test_bad_launches(void **state)
{
	struct hetckpt_launch_command launch = {.grid = {1, 1, 1}, .block = {32, 1, 1}, .param_bytes = 28};
	char params[32] = {0};

	(void)state;
	open_device();
	launch.kernel = harness_kernel(&h, "vadd", HETCKPT_VARIANT_ORIGINAL);
	launch.params = params;
	launch.block[0] = 1025;
	assert_int_equal(h.ops->launch(h.queue, &launch, &h.error), -EINVAL);
	assert_int_equal(h.error.cuda, 9);
	launch.block[0] = 0;
	assert_int_equal(h.ops->launch(h.queue, &launch, &h.error), -EINVAL);
	launch.block[0] = 32;
	launch.dynamic_shared = 1u << 20;
	assert_int_equal(h.ops->launch(h.queue, &launch, &h.error), -EINVAL);
	launch.dynamic_shared = 0;
	launch.param_bytes = 20;
	assert_int_equal(h.ops->launch(h.queue, &launch, &h.error), -EINVAL);
	harness_close(&h);
}

static void test_memory(void **state)
{
	struct hetckpt_error error;
	uint64_t free_bytes, total, at = HARNESS_ARENA + ((uint64_t)1 << 34), before;
	volatile char *p = (volatile char *)(uintptr_t)at;

	(void)state;
	open_device();
	assert_int_equal(h.ops->memory_info(h.device, &before, &total, &error), 0);
	assert_int_equal(h.ops->map(h.device, at, 4 * HETCKPT_GRANULE, &error), 0);
	p[0] = 1;
	p[4 * HETCKPT_GRANULE - 1] = 2;
	/* What is mapped, or is not ours, is not mapped again. */
	assert_int_equal(h.ops->map(h.device, at + HETCKPT_GRANULE, HETCKPT_GRANULE, &error), -EADDRINUSE);
	assert_int_equal(h.ops->map(h.device, HARNESS_ARENA - HETCKPT_GRANULE, HETCKPT_GRANULE, &error), -EINVAL);
	assert_int_equal(h.ops->map(h.device, at + 1, HETCKPT_GRANULE, &error), -EINVAL);
	assert_int_equal(h.ops->map(h.device, at + ((uint64_t)1 << 36), total / HETCKPT_GRANULE * HETCKPT_GRANULE, &error), -ENOMEM);
	/* In parts, and several at once. */
	assert_int_equal(h.ops->unmap(h.device, at + HETCKPT_GRANULE, HETCKPT_GRANULE, &error), 0);
	assert_int_equal(h.ops->unmap(h.device, at, 4 * HETCKPT_GRANULE, &error), -EINVAL);
	assert_int_equal(h.ops->map(h.device, at + HETCKPT_GRANULE, HETCKPT_GRANULE, &error), 0);
	assert_int_equal(p[0], 1);
	assert_int_equal(p[HETCKPT_GRANULE], 0);
	assert_int_equal(h.ops->unmap(h.device, at, 4 * HETCKPT_GRANULE, &error), 0);
	assert_int_equal(h.ops->memory_info(h.device, &free_bytes, &total, &error), 0);
	assert_true(free_bytes <= total);
	harness_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit),       cmocka_unit_test(test_trap), cmocka_unit_test(test_stray),
		cmocka_unit_test(test_tally),
		cmocka_unit_test(test_assert),     cmocka_unit_test(test_bad_address),
		cmocka_unit_test(test_recursion), cmocka_unit_test(test_deadlock),
		cmocka_unit_test(test_lacking_function),
		cmocka_unit_test(test_close_while_running), cmocka_unit_test(test_bad_copy),
		cmocka_unit_test(test_print),      cmocka_unit_test(test_bad_launches),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("cpu faults", tests, NULL, NULL);
}
