/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * driver.c - runs a fuzzer's function without libFuzzer: on each seed, then on
 * mutations of them. The mutations are the same in every run and on every machine.
 *
 * usage: fuzz_NAME_run FOLDER-OR-FILE RUNS [ONLY]
 *
 * A crash prints the number of the run first; ONLY repeats that run alone.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEEDS_MAX 256
#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct seed {
	uint8_t *data;
	size_t bytes;
};

static struct seed seeds[SEEDS_MAX];
static size_t seed_count;
static volatile uint64_t running;

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static int load(const char *path)
{
	struct seed *seed = &seeds[seed_count];
	FILE *file = fopen(path, "rb");

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	if (seed_count == SEEDS_MAX) {
		fprintf(stderr, "%s: more than %d seeds\n", path, SEEDS_MAX);
		fclose(file);
		return -1;
	}
	seed->data = malloc(INPUT_MAX);
	seed->bytes = seed->data ? fread(seed->data, 1, INPUT_MAX, file) : 0;
	fclose(file);
	if (!seed->data)
		return -1;
	seed_count++;
	return 0;
}

/* Sorted, so that runs have the same numbers everywhere. */
static int load_folder(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort), i, rc = 0;
	char path[4096];

	if (count < 0)
		return load(folder);
	for (i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.' && !rc) {
			snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
			rc = load(path);
		}
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* Numbers that parsers stumble over. */
static uint64_t nasty(uint64_t *state)
{
	uint64_t one = (uint64_t)1 << (next_random(state) % 64);

	switch (next_random(state) % 5) {
	case 0: return 0;
	case 1: return UINT64_MAX;
	case 2: return one;
	case 3: return one - 1;
	default: return next_random(state);
	}
}

/* Changes input in one way; room bytes may be used. */
static size_t mutate(uint8_t *input, size_t bytes, size_t room, uint64_t *state)
{
	uint64_t value = nasty(state);
	size_t width = (size_t)1 << (next_random(state) % 4);
	size_t at = bytes ? next_random(state) % bytes : 0, n;
	const struct seed *other;

	switch (next_random(state) % 7) {
	case 0: /* flip a bit */
		if (bytes)
			input[at] ^= (uint8_t)(1u << (value % 8));
		break;
	case 1: /* set a number */
		if (bytes >= width)
			memcpy(input + at % (bytes - width + 1), &value, width);
		break;
	case 2: /* cut */
		bytes = at;
		break;
	case 3: /* remove from the middle */
		n = bytes ? 1 + next_random(state) % 64 : 0;
		n = n > bytes - at ? bytes - at : n;
		memmove(input + at, input + at + n, bytes - at - n);
		bytes -= n;
		break;
	case 4: /* insert into the middle */
		n = 1 + next_random(state) % 64;
		if (n > room - bytes)
			break;
		memmove(input + at + n, input + at, bytes - at);
		memset(input + at, (int)value, n);
		bytes += n;
		break;
	case 5: /* copy from another seed */
		other = &seeds[next_random(state) % seed_count];
		n = 1 + next_random(state) % 64;
		if (other->bytes >= n && at + n <= bytes)
			memcpy(input + at, other->data + next_random(state) % (other->bytes - n + 1), n);
		break;
	default: /* copy within */
		n = 1 + next_random(state) % 64;
		if (at + n <= bytes)
			memmove(input + next_random(state) % (bytes - n + 1), input + at, n);
		break;
	}
	return bytes;
}

static void run(uint64_t number)
{
	static uint8_t input[INPUT_MAX + 4096];
	uint64_t state = number, changes;
	const struct seed *seed = &seeds[number % seed_count];
	uint8_t *exact;
	size_t bytes = seed->bytes;

	running = number;
	memcpy(input, seed->data, bytes);
	if (number >= seed_count)
		for (changes = 1 + next_random(&state) % 4; changes; changes--)
			bytes = mutate(input, bytes, sizeof(input), &state);
	/* Of exactly its length, so that sanitizers see the first byte behind it. */
	exact = malloc(bytes ? bytes : 1);
	if (!exact)
		abort();
	memcpy(exact, input, bytes);
	LLVMFuzzerTestOneInput(exact, bytes);
	free(exact);
}

static void on_abort(int sig)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "stopped in run %" PRIu64 "\n", running);

	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(3);
	signal(sig, SIG_DFL);
	raise(sig);
}

int main(int argc, char **argv)
{
	uint64_t runs, i;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: %s FOLDER-OR-FILE RUNS [ONLY]\n", argv[0]);
		return 2;
	}
	if (load_folder(argv[1]) || !seed_count) {
		fprintf(stderr, "%s: no seeds\n", argv[1]);
		return 2;
	}
	signal(SIGABRT, on_abort);
	signal(SIGSEGV, on_abort);
	signal(SIGBUS, on_abort);
	if (argc == 4) {
		run(strtoull(argv[3], NULL, 10));
		return 0;
	}
	runs = strtoull(argv[2], NULL, 10) + seed_count;
	for (i = 0; i < runs; i++)
		run(i);
	printf("%zu seeds, %" PRIu64 " runs\n", seed_count, runs);
	for (i = 0; i < seed_count; i++)
		free(seeds[i].data);
	return 0;
}
