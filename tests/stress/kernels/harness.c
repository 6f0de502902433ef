/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * harness - runs every kernel of a module undisturbed and with pauses, and compares all
 * memory bit for bit.
 *
 *   stress-kernels IMAGE CODE [--grid=X,Y,Z] [--block=X,Y,Z] [--dynamic=BYTES] [--n=N]
 *                  [--seed=S] [--random=RUNS] [--expect=pausable|polls|REASON] [-v]
 *
 * Exits with 0 if all is as it should be, else with 1 and a line for each difference. With
 * --expect=pausable every kernel must be pausable, with polls every kernel must have parked;
 * other text must be in the reason why kernels are not.
 */
#include "machine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char place[256] = "start";

static void crashed(int number)
{
	char line[320];
	int n = snprintf(line, sizeof line, "%s: %s\n", place,
	                 number == SIGALRM ? "does not end" : "invalid memory access");

	if (write(STDERR_FILENO, line, (size_t)n) != n)
		_exit(3);
	_exit(1);
}

static int triple(const char *text, uint32_t v[3])
{
	return sscanf(text, "%u,%u,%u", &v[0], &v[1], &v[2]) == 3 && v[0] && v[1] && v[2] ? 0 : -1;
}

struct options {
	uint64_t seed;
	unsigned random;
	const char *expect;
	bool verbose;
};

static int test_run(struct machine *m, const struct hetckpt_map_kernel *k, enum machine_mode mode, uint64_t seed,
                    const unsigned char *expected, const struct options *o, uint64_t *paused)
{
	struct machine_result result = {.paused = paused};
	const char *area;
	size_t at;

	snprintf(place, sizeof place, "%s, %s (seed %llu)", k->name, machine_mode_name[mode],
	         (unsigned long long)seed);
	machine_run(m, k, mode, seed, &result);
	if (result.error[0]) {
		fprintf(stderr, "%s: %s\n", place, result.error);
		return 1;
	}
	at = machine_memory_compare(m, expected, &area);
	if (at != SIZE_MAX) {
		fprintf(stderr, "%s: %s differs from an undisturbed run at byte %zu\n", place, area, at);
		return 1;
	}
	if (o->verbose)
		printf("%s: %llu rounds, %llu frames\n", place, (unsigned long long)result.rounds,
		       (unsigned long long)result.parked);
	return 0;
}

static int test_kernel(struct machine *m, const struct hetckpt_map_kernel *k, const struct options *o)
{
	struct machine_result result = {0};
	uint64_t *paused = calloc((size_t)k->safepoints + 1, sizeof *paused), total = 0;
	unsigned char *expected = malloc(machine_memory_bytes(m));
	const char *area;
	int failed = 0;

	if (!paused || !expected)
		abort();
	snprintf(place, sizeof place, "%s, original", k->name);
	machine_run_original(m, k, 0, &result);
	machine_memory_copy(m, expected);
	if (!result.error[0]) {
		snprintf(place, sizeof place, "%s, original, random order", k->name);
		machine_run_original(m, k, o->seed, &result);
	}
	if (result.error[0]) {
		fprintf(stderr, "%s: %s\n", place, result.error);
		failed = 1;
	} else if (machine_memory_compare(m, expected, &area) != SIZE_MAX) {
		fprintf(stderr, "%s: %s depends on the order of threads: the kernel itself is wrong\n", place, area);
		failed = 1;
	}
	if (failed || !k->pausable)
		goto out;
	failed |= test_run(m, k, MACHINE_NEVER, o->seed, expected, o, paused);
	failed |= test_run(m, k, MACHINE_SLICES, o->seed, expected, o, paused);
	if (!k->polls)
		goto out;
	failed |= test_run(m, k, MACHINE_EVERY, o->seed, expected, o, paused);
	for (unsigned i = 0; i < o->random; i++)
		failed |= test_run(m, k, MACHINE_RANDOM, o->seed + 7919 * (i + 1), expected, o, paused);
	for (uint32_t i = 1; i <= k->safepoints; i++) {
		total += paused[i];
		if (!paused[i])
			printf("%s: safepoint %u of %u (line %u) was never paused at\n", k->name, i, k->safepoints,
			       k->safepoint[i - 1].line);
	}
out:
	if (!failed && o->expect) {
		bool plain = !strcmp(o->expect, "pausable"), polls = !strcmp(o->expect, "polls");

		if ((plain || polls) && (!k->pausable || (polls && !total))) {
			fprintf(stderr, "%s: %s\n", k->name, !k->pausable ? k->reason : "never paused");
			failed = 1;
		} else if (!plain && !polls && (k->pausable || !strstr(k->reason, o->expect))) {
			fprintf(stderr, "%s: is not refused for \"%s\"%s%s\n", k->name, o->expect, k->pausable ? "" : " but ",
			        k->pausable ? "" : k->reason);
			failed = 1;
		}
	}
	if (o->verbose)
		printf("%s: %s scope, %u safepoints, %llu frames%s%s\n", k->name, hetckpt_scope_name(k->scope),
		       k->safepoints, (unsigned long long)total, k->reason ? ", " : "", k->reason ? k->reason : "");
	free(expected);
	free(paused);
	return failed;
}

int main(int argc, char **argv)
{
	struct options o = {.seed = 1, .random = 4};
	struct machine_launch l = {.grid = {2, 1, 1}, .block = {64, 1, 1}, .n = 17};
	struct machine m;
	int failed = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: %s IMAGE CODE [options]\n", argv[0]);
		return 2;
	}
	for (int i = 3; i < argc; i++) {
		char *a = argv[i];
		int bad = 0;

		if (!strncmp(a, "--grid=", 7))
			bad = triple(a + 7, l.grid);
		else if (!strncmp(a, "--block=", 8))
			bad = triple(a + 8, l.block);
		else if (!strncmp(a, "--dynamic=", 10))
			l.dynamic_shared = (uint32_t)strtoul(a + 10, NULL, 0);
		else if (!strncmp(a, "--n=", 4))
			l.n = (uint32_t)strtoul(a + 4, NULL, 0);
		else if (!strncmp(a, "--seed=", 7))
			o.seed = strtoull(a + 7, NULL, 0);
		else if (!strncmp(a, "--random=", 9))
			o.random = (unsigned)strtoul(a + 9, NULL, 0);
		else if (!strncmp(a, "--expect=", 9))
			o.expect = a + 9;
		else if (!strcmp(a, "-v"))
			o.verbose = true;
		else
			bad = -1;
		if (bad) {
			fprintf(stderr, "%s: %s is no option\n", argv[0], a);
			return 2;
		}
	}
	if (!o.seed)
		o.seed = 1;
	machine_open(&m, argv[1], argv[2]);
	m.launch = l;
	for (int s = 0; s < 3; s++)
		signal((const int[]){SIGSEGV, SIGBUS, SIGALRM}[s], crashed);
	for (uint32_t i = 0; i < m.map->kernels; i++) {
		alarm(60);
		failed |= test_kernel(&m, &m.map->kernel[i], &o);
	}
	return failed;
}
