/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * bench-file.c - how fast a file system takes one large new file, by each way of writing it: what
 * the writer of raw snapshots may hope for, and which way it should take there.
 *
 *   write     one thread, one call after the other
 *   pwrite    all threads at once, each its own pieces; the file grows as it comes
 *   grown     the same into a file that has its size already
 *   reserved  the same into a file that has its blocks already (fallocate, which is timed too)
 *   mapped    the same into a mapping, of which each thread makes its pieces present first
 *   direct    reserved, past the page cache
 *
 * The ways take turns; each figure is the median of --repeat turns after one that does not count, and
 * each file is read back. --sync adds the time until the data is on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PIECE ((size_t)4 << 20)
#define SOURCE ((size_t)64 << 20) /* more than a processor's cache holds for itself */
#define THREADS_MAX 256
#define REPEAT_MAX 64

enum way { WRITE, PWRITE, GROWN, RESERVED, MAPPED, DIRECT, WAYS };
static const char *const way_name[WAYS] = {"write", "pwrite", "grown", "reserved", "mapped", "direct"};

struct bench {
	const char *folder;
	uint64_t bytes;
	unsigned threads, repeat;
	bool sync;
	unsigned char *source;
	char path[4096];

	/* Of the file that is being written. */
	enum way way;
	int fd;
	_Atomic uint64_t next;
	_Atomic int failure; /* errno */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What the file holds at an offset that is a multiple of PIECE. */
static const unsigned char *content(const struct bench *b, uint64_t offset)
{
	return b->source + offset % SOURCE;
}

static int put(const struct bench *b, uint64_t offset)
{
	const unsigned char *from = content(b, offset);
	size_t done = 0;
	void *at;
	int rc = 0;

	if (b->way == MAPPED) {
		at = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, (off_t)offset);
		if (at == MAP_FAILED)
			return errno;
		/* A full file system is an error here, and a signal at the first touch. */
		if (madvise(at, PIECE, MADV_POPULATE_WRITE))
			rc = errno;
		else
			memcpy(at, from, PIECE);
		munmap(at, PIECE);
		return rc;
	}
	while (done < PIECE) {
		ssize_t n = b->way == WRITE ? write(b->fd, from + done, PIECE - done)
			: pwrite(b->fd, from + done, PIECE - done, (off_t)(offset + done));

		if (n <= 0)
			return n ? errno : EIO;
		done += (size_t)n;
	}
	return 0;
}

static void *work(void *argument)
{
	struct bench *b = argument;
	uint64_t offset;

	while ((offset = atomic_fetch_add(&b->next, PIECE)) < b->bytes && !atomic_load(&b->failure)) {
		int rc = put(b, offset);

		if (rc)
			atomic_store(&b->failure, rc);
	}
	return NULL;
}

/* Reads it back. 0, or EILSEQ. */
static int check(const struct bench *b)
{
	unsigned char *back = malloc(PIECE);
	int fd = open(b->path, O_RDONLY | O_CLOEXEC), rc = back && fd >= 0 ? 0 : errno;

	for (uint64_t offset = 0; !rc && offset < b->bytes; offset += PIECE)
		if (pread(fd, back, PIECE, (off_t)offset) != (ssize_t)PIECE || memcmp(back, content(b, offset), PIECE))
			rc = EILSEQ;
	if (fd >= 0)
		close(fd);
	free(back);
	return rc;
}

/* Writes the file once. 0 and *seconds, or an errno. */
static int write_once(struct bench *b, enum way way, double *seconds)
{
	unsigned threads = way == WRITE ? 1 : b->threads, started = 0;
	pthread_t thread[THREADS_MAX];
	double begin;
	int rc = 0;

	unlink(b->path);
	b->way = way;
	atomic_store(&b->next, 0);
	atomic_store(&b->failure, 0);
	b->fd = open(b->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | (way == DIRECT ? O_DIRECT : 0), 0600);
	if (b->fd < 0)
		return errno;
	begin = now();
	if ((way == GROWN || way == MAPPED) && ftruncate(b->fd, (off_t)b->bytes))
		rc = errno;
	if ((way == RESERVED || way == DIRECT) && fallocate(b->fd, 0, 0, (off_t)b->bytes))
		rc = errno;
	for (; !rc && started < threads; started++)
		rc = pthread_create(&thread[started], NULL, work, b);
	while (started)
		pthread_join(thread[--started], NULL);
	if (!rc)
		rc = atomic_load(&b->failure);
	if (!rc && b->sync && fsync(b->fd))
		rc = errno;
	*seconds = now() - begin;
	close(b->fd);
	if (!rc)
		rc = check(b);
	unlink(b->path);
	return rc;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int bench(struct bench *b)
{
	double taken[WAYS][REPEAT_MAX], ignored;
	int refused[WAYS] = {0}, rc = 0;

	for (unsigned turn = 0; turn <= b->repeat; turn++)
		for (enum way way = 0; way < WAYS; way++)
			if (!refused[way])
				refused[way] = write_once(b, way, turn ? &taken[way][turn - 1] : &ignored);
	for (enum way way = 0; way < WAYS; way++) {
		double gb = (double)b->bytes / 1e9;

		if (refused[way]) {
			printf("%-9s %s\n", way_name[way], strerror(refused[way]));
			/* Some file systems do not know the last four. */
			rc |= way < GROWN || refused[way] == EILSEQ;
			continue;
		}
		qsort(taken[way], b->repeat, sizeof taken[way][0], by_size);
		printf("%-9s %2u threads %6.2f GB/s (%.2f to %.2f)\n", way_name[way], way == WRITE ? 1 : b->threads,
		       gb / taken[way][b->repeat / 2], gb / taken[way][b->repeat - 1], gb / taken[way][0]);
	}
	return rc;
}

static int usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: hetckpt-bench-file [--dir DIR] [--mib N] [--threads N] [--repeat N] [--sync]\n"
		"Writes a file of N MiB (1024) to DIR (.) by several ways, in turn.\n");
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"dir", 1, NULL, 'd'}, {"mib", 1, NULL, 'm'}, {"threads", 1, NULL, 't'}, {"repeat", 1, NULL, 'r'},
		{"sync", 0, NULL, 's'}, {"help", 0, NULL, 'h'}, {0}};
	struct bench b = {.folder = ".", .bytes = (uint64_t)1 << 30, .repeat = 3};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int c, rc;

	b.threads = processors > 0 && processors < THREADS_MAX ? (unsigned)processors : 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		long number = optarg ? atol(optarg) : 0;

		if (c == 'd')
			b.folder = optarg;
		else if (c == 'm' && number > 0)
			b.bytes = ((uint64_t)number << 20) + PIECE - 1;
		else if (c == 't' && number > 0 && number <= THREADS_MAX)
			b.threads = (unsigned)number;
		else if (c == 'r' && number > 0 && number <= REPEAT_MAX)
			b.repeat = (unsigned)number;
		else if (c == 's')
			b.sync = true;
		else
			return usage(c == 'h' ? 0 : 2);
	}
	b.bytes -= b.bytes % PIECE;
	snprintf(b.path, sizeof b.path, "%s/hetckpt-bench-file.%d", b.folder, (int)getpid());
	b.source = aligned_alloc(4096, SOURCE);
	if (!b.source)
		return 1;
	/* Pages that all differ, so that nothing is gained by telling them apart. */
	for (size_t i = 0; i < SOURCE / 8; i++)
		((uint64_t *)(void *)b.source)[i] = i * 0x9e3779b97f4a7c15u;
	/* A slow file system is known by what was printed before somebody lost patience. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	rc = bench(&b);
	unlink(b.path);
	free(b.source);
	return rc;
}
