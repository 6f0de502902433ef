/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parallel.h"
#include "runtime/common/log.h"

/* Addresses that are set aside for it: as many as one device's arena has. */
#define WINDOW_BYTES ((uint64_t)1 << 40)
/* Memory comes in multiples of this, a huge page. */
#define UNIT_BYTES ((uint64_t)2 << 20)
/* The core's lock is held while a piece is registered: some ten milliseconds. */
#define PIECE_BYTES ((uint64_t)256 << 20)
/* What a thread touches at a time. */
#define TOUCH_BYTES ((uint64_t)32 << 20)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* ---- How much may be had ----------------------------------------------- */

static bool read_number(const char *path, const char *format, uint64_t *value)
{
	FILE *f = fopen(path, "re");
	unsigned long long number;
	bool found = false;
	char line[128];

	while (f && !found && fgets(line, sizeof line, f))
		found = sscanf(line, format, &number) == 1;
	if (f)
		fclose(f);
	if (found)
		*value = number;
	return found;
}

/* Memory that can be had without taking it from others, as far as the system says. */
static uint64_t available(void)
{
	uint64_t kib = 0, most = UINT64_MAX, limit = 0, used = 0;

	if (read_number("/proc/meminfo", "MemAvailable: %llu kB", &kib))
		most = kib << 10;
	if (read_number("/sys/fs/cgroup/memory.max", "%llu", &limit) &&
	    read_number("/sys/fs/cgroup/memory.current", "%llu", &used)) {
		uint64_t left = limit > used ? limit - used : 0;

		most = left < most ? left : most;
	}
	return most;
}

/* ---- Opening and closing ----------------------------------------------- */

int hetckpt_stage_open(struct hetckpt_stage *stage, int fd, uint64_t limit, struct hetckpt_error *error)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	void *base;

	memset(stage, 0, sizeof *stage);
	if (own < 0)
		return hetckpt_error_set(error, -errno, 0, "the stage cannot be opened: %s", strerror(errno));
	base = mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, own, 0);
	if (base == MAP_FAILED) {
		int rc = -errno;

		close(own);
		return hetckpt_error_set(error, rc, 0, "the stage cannot be mapped: %s", strerror(-rc));
	}
	/* Memory files get huge pages only where the system is set up for it. */
	(void)madvise(base, WINDOW_BYTES, MADV_HUGEPAGE);
	(void)madvise(base, WINDOW_BYTES, MADV_DONTDUMP);
	stage->base = base;
	stage->fd = own;
	stage->limit = limit;
	return 0;
}

void hetckpt_stage_leave(struct hetckpt_stage *stage, struct hetckpt_dev *dev)
{
	for (size_t i = 0; i < stage->pieces; i++) {
		if (stage->piece[i].registered)
			dev->ops->host_unregister(dev->handle, stage->base + stage->piece[i].offset);
		stage->piece[i].registered = false;
	}
}

static void register_piece(struct hetckpt_stage *stage, struct hetckpt_dev *dev,
                           struct hetckpt_stage_piece *piece)
{
	struct hetckpt_error why;

	if (!dev->ops->host_register)
		return;
	piece->registered = !dev->ops->host_register(dev->handle, stage->base + piece->offset, piece->bytes, &why);
	if (!piece->registered)
		hetckpt_log(HETCKPT_LOG_WARN, "copies of the stage will be slow: %s", why.text);
}

void hetckpt_stage_enter(struct hetckpt_stage *stage, struct hetckpt_dev *dev)
{
	for (size_t i = 0; i < stage->pieces; i++)
		register_piece(stage, dev, &stage->piece[i]);
}

void hetckpt_stage_close(struct hetckpt_stage *stage, struct hetckpt_dev *dev)
{
	if (!stage->base)
		return;
	if (dev->handle)
		hetckpt_stage_leave(stage, dev);
	munmap(stage->base, WINDOW_BYTES);
	close(stage->fd);
	free(stage->piece);
	memset(stage, 0, sizeof *stage);
}

/* ---- Growing ----------------------------------------------------------- */

struct touch {
	unsigned char *from;
	uint64_t bytes;
};

static int touch(void *context, uint64_t i)
{
	const struct touch *t = context;
	uint64_t at = i * TOUCH_BYTES, bytes = t->bytes - at < TOUCH_BYTES ? t->bytes - at : TOUCH_BYTES;

	if (!madvise(t->from + at, bytes, MADV_POPULATE_WRITE))
		return 0;
	if (errno != EINVAL)
		return errno == EFAULT ? -ENOMEM : -errno;
	/* Kernels before 5.14: by hand. Contents stay, another worker may have put them there. */
	for (uint64_t page = 0; page < bytes; page += 4096)
		__atomic_fetch_or(t->from + at + page, 0, __ATOMIC_RELAXED);
	return 0;
}

int hetckpt_stage_touch(struct hetckpt_stage *stage, uint64_t bytes, struct hetckpt_error *error)
{
	uint64_t target = (bytes + UNIT_BYTES - 1) & ~(UNIT_BYTES - 1), limit = stage->limit, there;
	struct touch t;
	struct stat facts;
	int rc;

	if (!stage->base)
		return hetckpt_error_set(error, -ENOSPC, 0, "the session has no stage");
	if (target <= stage->touched)
		return 0;
	if (fstat(stage->fd, &facts))
		return hetckpt_error_set(error, -errno, 0, "the stage cannot be looked at: %s", strerror(errno));
	there = (uint64_t)facts.st_size;
	/* What another worker has put there counts as had. */
	if (limit == HETCKPT_STAGE_AUTO)
		limit = there + available() / 2;
	if (bytes > limit || target > WINDOW_BYTES)
		return hetckpt_error_set(error, -ENOSPC, 0,
			"the state needs a stage of %" PRIu64 " MiB, it may have %" PRIu64, bytes >> 20, limit >> 20);
	if (target > there && ftruncate(stage->fd, (off_t)target))
		return hetckpt_error_set(error, -errno, 0, "the stage cannot grow to %" PRIu64 " MiB: %s", target >> 20,
		                         strerror(errno));
	t = (struct touch){stage->base + stage->touched, target - stage->touched};
	rc = hetckpt_parallel((t.bytes + TOUCH_BYTES - 1) / TOUCH_BYTES, touch, &t);
	if (rc) {
		/* Pages that nobody has registered go back. */
		if (target > there && ftruncate(stage->fd, (off_t)(there > stage->touched ? there : stage->touched)))
			hetckpt_log(HETCKPT_LOG_WARN, "the stage keeps memory that it does not use: %s", strerror(errno));
		return hetckpt_error_set(error, rc, 0, "no memory for a stage of %" PRIu64 " MiB: %s", target >> 20,
		                         strerror(-rc));
	}
	stage->touched = target;
	return 0;
}

int hetckpt_stage_add(struct hetckpt_stage *stage, struct hetckpt_dev *dev, bool *more,
                      struct hetckpt_error *error)
{
	uint64_t left = stage->touched - stage->ready;
	struct hetckpt_stage_piece *piece;

	*more = false;
	if (!left)
		return 0;
	if (stage->pieces == stage->room) {
		size_t room = stage->room ? 2 * stage->room : 64;
		void *grown = realloc(stage->piece, room * sizeof *stage->piece);

		if (!grown)
			return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory for the stage's list");
		stage->piece = grown;
		stage->room = room;
	}
	piece = &stage->piece[stage->pieces++];
	*piece = (struct hetckpt_stage_piece){stage->ready, left < PIECE_BYTES ? left : PIECE_BYTES, false};
	register_piece(stage, dev, piece);
	stage->ready += piece->bytes;
	*more = stage->ready < stage->touched;
	return 0;
}

int hetckpt_stage_grow(struct hetckpt_stage *stage, struct hetckpt_dev *dev, uint64_t bytes,
                       struct hetckpt_error *error)
{
	int rc = hetckpt_stage_touch(stage, bytes, error);
	bool more = stage->ready < stage->touched;

	while (!rc && more)
		rc = hetckpt_stage_add(stage, dev, &more, error);
	return rc;
}

bool hetckpt_stage_locked(const struct hetckpt_stage *stage)
{
	for (size_t i = 0; i < stage->pieces; i++)
		if (!stage->piece[i].registered)
			return false;
	return stage->pieces > 0;
}

/* ---- Copying ----------------------------------------------------------- */

static int copy(const struct hetckpt_stage *stage, struct hetckpt_dev *dev, uint64_t offset, uint64_t address,
                uint64_t bytes, bool out, struct hetckpt_error *error)
{
	size_t low = 0, high = stage->pieces;
	int rc = 0;

	while (low + 1 < high) {
		size_t middle = (low + high) / 2;

		if (stage->piece[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	for (; bytes && !rc; low++) {
		uint64_t end = stage->piece[low].offset + stage->piece[low].bytes;
		uint64_t width = end - offset < bytes ? end - offset : bytes;
		uint64_t memory = (uintptr_t)stage->base + offset;
		struct hetckpt_copy c = {
			.dst = out ? memory : address, .src = out ? address : memory,
			.dst_memory = out ? HETCKPT_MEMORY_HOST : HETCKPT_MEMORY_DEVICE,
			.src_memory = out ? HETCKPT_MEMORY_DEVICE : HETCKPT_MEMORY_HOST,
			.width = width, .height = 1, .depth = 1,
			.dst_pitch = width, .dst_slice = width, .src_pitch = width, .src_slice = width,
		};

		rc = dev->ops->copy(dev->service, &c, error);
		offset += width;
		address += width;
		bytes -= width;
	}
	return rc;
}

int hetckpt_stage_out(const struct hetckpt_stage *stage, struct hetckpt_dev *dev, uint64_t offset,
                      uint64_t address, uint64_t bytes, struct hetckpt_error *error)
{
	return copy(stage, dev, offset, address, bytes, true, error);
}

int hetckpt_stage_in(const struct hetckpt_stage *stage, struct hetckpt_dev *dev, uint64_t address,
                     uint64_t offset, uint64_t bytes, struct hetckpt_error *error)
{
	return copy(stage, dev, offset, address, bytes, false, error);
}
