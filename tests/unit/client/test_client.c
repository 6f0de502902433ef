/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The CUDA runtime against a session inside the test. The library keeps one session a process,
   so each test runs in a child of its own. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "tests/unit/client/client_test.h"

#include <cmocka.h>

/* What the host stubs would be. */
char add_stub[16], nothing_stub[16], unknown_stub[16], other_stub[16], variable_stub[64];
void **handle;

void start(void)
{
	fake_start();
	handle = __cudaRegisterFatBinary(fake_fatbin());
	__cudaRegisterFunction(handle, add_stub, add_stub, "add", -1, NULL, NULL, NULL, NULL, NULL);
	__cudaRegisterFunction(handle, nothing_stub, nothing_stub, "nothing", -1, NULL, NULL, NULL, NULL, NULL);
	__cudaRegisterFunction(handle, unknown_stub, unknown_stub, "unknown", -1, NULL, NULL, NULL, NULL, NULL);
	__cudaRegisterVar(handle, variable_stub, variable_stub, "variable", 0, 64, 0, 0);
	__cudaRegisterFatBinaryEnd(handle);
}

static unsigned random_state = 1;
unsigned random_next(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

void fill_random(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)random_next();
}

dim3 dims(unsigned x, unsigned y, unsigned z)
{
	dim3 d = {x, y, z};

	return d;
}

cudaError_t launch_add(int *p, long long by, int n, cudaStream_t stream)
{
	unsigned char skewed = 0xab;
	void *arguments[] = {&p, &skewed, &by, &n};

	return cudaLaunchKernel(add_stub, dims(1, 1, 1), dims(32, 1, 1), arguments, 0, stream);
}

/* ---- Running ----------------------------------------------------------- */

static void in_child(void (*body)(void))
{
	int status;
	pid_t child = fork();

	if (!child) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define DEFINE(name) static void test_##name(void **state) { in_child(name); }
CLIENT_TESTS(DEFINE)

int main(void)
{
#define ENTRY(name) cmocka_unit_test(test_##name),
	const struct CMUnitTest tests[] = {CLIENT_TESTS(ENTRY)};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
