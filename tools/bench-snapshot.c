/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * bench-snapshot.c - how fast snapshots are written, read and verified, beside
 * cp, read(2) and zstd -T on the same data, in the same run.
 *
 * Figures of different runs or machines cannot be compared, ratios of one run can.
 * Each figure is the best of --repeat runs, with the data in the page cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/snapshot/reader.h"
#include "runtime/snapshot/writer.h"

extern char **environ;

struct bench {
	const char *kind, *file, *folder;
	uint64_t bytes;
	struct hetckpt_writer_options options;
	unsigned threads, repeat;
	bool sync;

	char source[4096], copy[4096], snapshot[4096], packed[4096];
	const unsigned char *data; /* source, mapped */
	unsigned char *back;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "hetckpt-bench-snapshot: %s: %s\n", what, why);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Data ------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Mixed is like device memory: a quarter never touched, a quarter small integers, a
   quarter smooth floats, a quarter noise; in stretches of 4 MiB. */
static void generate(const struct bench *bench, unsigned char *to)
{
	uint64_t state = 1, at, stretch;
	bool random = strcmp(bench->kind, "random") == 0, mixed = strcmp(bench->kind, "mixed") == 0;

	for (at = 0; at + 8 <= bench->bytes; at += 8) {
		uint64_t value = 0;

		stretch = at >> 22 & 3;
		if (random || (mixed && stretch == 3)) {
			value = next_random(&state);
		} else if (mixed && stretch == 1) {
			value = next_random(&state) & 0x000003ff000003ffu;
		} else if (mixed && stretch == 2) {
			float f[2] = { (float)at * 1e-6f, 1.0f / (1.0f + (float)(at & 0xffff)) };

			memcpy(&value, f, sizeof(value));
		}
		memcpy(to + at, &value, sizeof(value));
	}
}

static void make_source(struct bench *bench)
{
	struct stat st;
	void *map;
	int fd;

	if (bench->file) {
		snprintf(bench->source, sizeof(bench->source), "%s", bench->file);
		fd = open(bench->source, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			die(bench->source, strerror(errno));
		bench->bytes = (uint64_t)st.st_size;
	} else {
		snprintf(bench->source, sizeof(bench->source), "%s/bench-source", bench->folder);
		fd = open(bench->source, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		/* Allocated and not a hole, or cp would have nothing to copy. */
		if (fd < 0 || (errno = posix_fallocate(fd, 0, (off_t)bench->bytes)) != 0)
			die(bench->source, strerror(errno));
		map = mmap(NULL, bench->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			die(bench->source, strerror(errno));
		generate(bench, map);
		munmap(map, bench->bytes);
		if (fsync(fd) < 0)
			die(bench->source, strerror(errno));
	}
	if (!bench->bytes)
		die(bench->source, "is empty");
	bench->data = mmap(NULL, bench->bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	bench->back = mmap(NULL, bench->bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (bench->data == MAP_FAILED || bench->back == MAP_FAILED)
		die(bench->source, strerror(errno));
	close(fd);
}

/* ---- What is measured --------------------------------------------------------- */

static void command(const char *const argv[])
{
	pid_t child;
	int status, rc = posix_spawnp(&child, argv[0], NULL, NULL, (char *const *)argv, environ);

	if (rc)
		die(argv[0], strerror(rc));
	if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		die(argv[0], "failed");
}

static void sync_path(const struct bench *bench, const char *path)
{
	int fd;

	if (!bench->sync)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		die(path, strerror(errno));
	close(fd);
}

static void do_cp(struct bench *bench)
{
	/* A clone of the blocks would copy nothing. */
	const char *const argv[] = { "cp", "--reflink=never", "--sparse=never", bench->source, bench->copy, NULL };

	unlink(bench->copy);
	command(argv);
	sync_path(bench, bench->copy);
}

static void do_zstd(struct bench *bench)
{
	char threads[16], level[32];
	const char *const argv[] = { "zstd", "-q", "-f", threads, level, bench->source, "-o", bench->packed, NULL };

	snprintf(threads, sizeof(threads), "-T%u", bench->threads);
	if (bench->options.level < 0)
		snprintf(level, sizeof(level), "--fast=%d", -bench->options.level);
	else
		snprintf(level, sizeof(level), "-%d", bench->options.level);
	unlink(bench->packed);
	command(argv);
	sync_path(bench, bench->packed);
}

static void do_zstd_test(struct bench *bench)
{
	const char *const argv[] = { "zstd", "-q", "-t", bench->packed, NULL };

	command(argv);
}

static void do_read(struct bench *bench)
{
	int fd = open(bench->source, O_RDONLY | O_CLOEXEC);
	uint64_t at = 0;
	ssize_t n;

	while (fd >= 0 && at < bench->bytes && (n = read(fd, bench->back + at, bench->bytes - at)) > 0)
		at += (uint64_t)n;
	if (at < bench->bytes)
		die(bench->source, "cannot read");
	close(fd);
}

static int fill(void *ctx, uint64_t offset, void *buffer, size_t length)
{
	struct bench *bench = ctx;

	memcpy(buffer, bench->data + offset, length);
	return 0;
}

static void write_snapshot(struct bench *bench, bool callback)
{
	struct hetckpt_writer *writer;
	int rc;

	unlink(bench->snapshot);
	rc = hetckpt_writer_open(bench->snapshot, &bench->options, &writer);
	if (!rc && callback)
		rc = hetckpt_writer_add_from(writer, "data", 0, bench->bytes, fill, bench);
	else if (!rc)
		rc = hetckpt_writer_add(writer, "data", 0, bench->data, bench->bytes);
	if (!rc)
		rc = hetckpt_writer_finish(writer);
	if (rc)
		die("write", hetckpt_writer_error(writer));
	hetckpt_writer_close(writer);
}

static void do_write(struct bench *bench)
{
	write_snapshot(bench, false);
}

static void do_write_callback(struct bench *bench)
{
	write_snapshot(bench, true);
}

static struct hetckpt_reader *open_snapshot(struct bench *bench)
{
	struct hetckpt_reader_options options = { .threads = bench->threads };
	struct hetckpt_reader *reader;

	if (hetckpt_reader_open(bench->snapshot, &options, &reader))
		die("read", hetckpt_reader_error(reader));
	return reader;
}

static void do_snapshot_read(struct bench *bench)
{
	struct hetckpt_reader *reader = open_snapshot(bench);

	if (hetckpt_reader_read(reader, 0, 0, bench->back, bench->bytes))
		die("read", hetckpt_reader_error(reader));
	hetckpt_reader_close(reader);
}

static void do_snapshot_verify(struct bench *bench)
{
	struct hetckpt_reader *reader = open_snapshot(bench);

	if (hetckpt_reader_verify(reader, NULL, NULL))
		die("verify", hetckpt_reader_error(reader));
	hetckpt_reader_close(reader);
}

/* ---- Figures ------------------------------------------------------------------ */

static double best(struct bench *bench, void (*work)(struct bench *bench))
{
	double least = 0;
	unsigned i;

	for (i = 0; i < bench->repeat; i++) {
		double start = now(), t;

		work(bench);
		t = now() - start;
		if (!i || t < least)
			least = t;
	}
	return least;
}

static double row(struct bench *bench, const char *name, void (*work)(struct bench *bench), const char *result,
	const char *beside, double reference)
{
	double t = best(bench, work);
	struct stat st;

	printf("%-26s %8.3f s %8.2f GB/s", name, t, (double)bench->bytes / t * 1e-9);
	if (result && stat(result, &st) == 0)
		printf("  %6.1f %%", 100.0 * (double)st.st_size / (double)bench->bytes);
	else
		printf("          ");
	if (beside)
		printf("  %5.2fx of %s", reference / t, beside);
	printf("\n");
	fflush(stdout);
	return t;
}

static void measure(struct bench *bench, bool raw)
{
	double cp, reading, zstd, test;

	printf("%s, %.0f MiB, %u threads, %s, best of %u\n", bench->file ? bench->file : bench->kind,
		(double)bench->bytes / 1048576, bench->threads, bench->sync ? "synced" : "not synced", bench->repeat);
	printf("%-26s %10s %13s  %8s  %s\n", "", "time", "content", "size", "speed");
	cp = row(bench, "cp", do_cp, bench->copy, NULL, 0);
	reading = row(bench, "read(2)", do_read, NULL, NULL, 0);
	unlink(bench->copy);

	bench->options.compress = HETCKPT_COMPRESS_NONE;
	row(bench, "raw: write", do_write, bench->snapshot, "cp", cp);
	row(bench, "raw: write from callback", do_write_callback, bench->snapshot, "cp", cp);
	row(bench, "raw: read", do_snapshot_read, NULL, "read(2)", reading);
	if (memcmp(bench->back, bench->data, bench->bytes) != 0)
		die("raw", "what was read differs from what was written");
	row(bench, "raw: verify", do_snapshot_verify, NULL, "read(2)", reading);
	unlink(bench->snapshot);
	if (raw)
		return;

	bench->options.compress = HETCKPT_COMPRESS_ZSTD;
	zstd = row(bench, "zstd program", do_zstd, bench->packed, NULL, 0);
	test = row(bench, "zstd program: test", do_zstd_test, NULL, NULL, 0);
	unlink(bench->packed);
	row(bench, "zstd: write", do_write, bench->snapshot, "zstd program", zstd);
	row(bench, "zstd: write from callback", do_write_callback, bench->snapshot, "zstd program", zstd);
	memset(bench->back, 0, bench->bytes);
	row(bench, "zstd: read", do_snapshot_read, NULL, "zstd program: test", test);
	if (memcmp(bench->back, bench->data, bench->bytes) != 0)
		die("zstd", "what was read differs from what was written");
	row(bench, "zstd: verify", do_snapshot_verify, NULL, "zstd program: test", test);
	unlink(bench->snapshot);
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: hetckpt-bench-snapshot [options]\n"
		"  --data KIND     random, zero or mixed (default), or --file PATH: that file's data\n"
		"  --mib N         amount of generated data (default 512)\n"
		"  --level N       of zstd, or raw: without zstd (default 1)\n"
		"  --threads N     default: one for each CPU\n"
		"  --chunk-kib N   chunk size (default 1024)\n"
		"  --repeat N      best of N (default 3)\n"
		"  --dir PATH      where files go; removed afterwards (default .)\n"
		"  --sync          count the time until the disk has it all\n");
}

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value < least || value > most) {
		fprintf(stderr, "hetckpt-bench-snapshot: --%s: '%s' is not a number from %llu to %llu\n", option,
			text, (unsigned long long)least, (unsigned long long)most);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "data", required_argument, NULL, 'd' },
		{ "file", required_argument, NULL, 'f' },
		{ "mib", required_argument, NULL, 'm' },
		{ "level", required_argument, NULL, 'l' },
		{ "threads", required_argument, NULL, 't' },
		{ "chunk-kib", required_argument, NULL, 'c' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "dir", required_argument, NULL, 'D' },
		{ "sync", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct bench bench = { .kind = "mixed", .folder = ".", .bytes = (uint64_t)512 << 20, .repeat = 3 };
	bool raw = false;
	int option;

	bench.options.level = 1;
	bench.options.no_sync = true;
	bench.threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		switch (option) {
		case 'd':
			bench.kind = optarg;
			if (strcmp(optarg, "random") && strcmp(optarg, "zero") && strcmp(optarg, "mixed")) {
				fprintf(stderr, "hetckpt-bench-snapshot: --data: '%s' is none of random, zero, mixed\n",
					optarg);
				return 2;
			}
			break;
		case 'f':
			bench.file = optarg;
			break;
		case 'm':
			bench.bytes = number("mib", optarg, 1, 1 << 20) << 20;
			break;
		case 'l':
			raw = strcmp(optarg, "raw") == 0;
			if (!raw)
				bench.options.level = *optarg == '-' ? -(int)number("level", optarg + 1, 1, 1000) :
					(int)number("level", optarg, 1, 19);
			break;
		case 't':
			bench.threads = (unsigned)number("threads", optarg, 1, 1024);
			break;
		case 'c':
			bench.options.chunk_bytes = (uint32_t)number("chunk-kib", optarg, 4, 65536) << 10;
			break;
		case 'r':
			bench.repeat = (unsigned)number("repeat", optarg, 1, 100);
			break;
		case 'D':
			bench.folder = optarg;
			break;
		case 's':
			bench.sync = true;
			bench.options.no_sync = false;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	bench.options.threads = bench.threads;
	snprintf(bench.copy, sizeof(bench.copy), "%s/bench-copy", bench.folder);
	snprintf(bench.packed, sizeof(bench.packed), "%s/bench-packed.zst", bench.folder);
	snprintf(bench.snapshot, sizeof(bench.snapshot), "%s/bench.hckpt", bench.folder);
	make_source(&bench);
	measure(&bench, raw);
	if (!bench.file)
		unlink(bench.source);
	return 0;
}
