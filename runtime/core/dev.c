/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "dev.h"

#include <errno.h>
#include <string.h>

#include "arena.h"

int hetckpt_dev_open(struct hetckpt_dev *dev, const struct hetckpt_backend *ops, unsigned index,
                     uint64_t arena_base, const struct hetckpt_backend_host *host,
                     struct hetckpt_error *error)
{
	int rc;

	memset(dev, 0, sizeof *dev);
	rc = ops->probe(index, &dev->facts, error);
	if (rc)
		return rc;
	rc = ops->open(index, arena_base, HETCKPT_ARENA_BYTES, host, &dev->handle, error);
	if (rc)
		return rc;
	dev->ops = ops;
	dev->index = index;
	rc = ops->queue_create(dev->handle, 0, &dev->service, error);
	if (rc) {
		ops->close(dev->handle);
		memset(dev, 0, sizeof *dev);
	}
	return rc;
}

void hetckpt_dev_close(struct hetckpt_dev *dev)
{
	if (!dev->handle)
		return;
	dev->ops->queue_destroy(dev->service);
	dev->ops->close(dev->handle);
	memset(dev, 0, sizeof *dev);
}

int hetckpt_dev_settle(struct hetckpt_dev *dev, uint64_t *when, struct hetckpt_error *error)
{
	struct hetckpt_marker *marker;
	uint64_t time = 0;
	int rc = dev->ops->record(dev->service, &marker, error);

	if (rc)
		return rc;
	rc = dev->ops->marker_wait(marker, &time, error);
	dev->ops->marker_release(marker);
	if (!rc && when)
		*when = time;
	return rc;
}

static int copy_and_wait(struct hetckpt_dev *dev, const struct hetckpt_copy *copy,
                         struct hetckpt_error *error)
{
	int rc;

	if (!copy->width || !copy->height)
		return 0;
	rc = dev->ops->copy(dev->service, copy, error);
	return rc ? rc : hetckpt_dev_settle(dev, NULL, error);
}

static struct hetckpt_copy rows(void *to, uint64_t from, uint64_t width, uint64_t height, uint64_t pitch)
{
	return (struct hetckpt_copy){
		.dst = (uintptr_t)to, .dst_memory = HETCKPT_MEMORY_HOST,
		.src = from, .src_memory = HETCKPT_MEMORY_DEVICE,
		.width = width, .height = height, .depth = 1,
		.dst_pitch = width, .dst_slice = width * height,
		.src_pitch = pitch, .src_slice = pitch * height,
	};
}

int hetckpt_dev_read_rows(struct hetckpt_dev *dev, void *to, uint64_t from, uint64_t width,
                          uint64_t height, uint64_t pitch, struct hetckpt_error *error)
{
	struct hetckpt_copy copy = rows(to, from, width, height, pitch);

	return copy_and_wait(dev, &copy, error);
}

int hetckpt_dev_fetch(struct hetckpt_dev *dev, void *to, uint64_t from, uint64_t bytes,
                      struct hetckpt_error *error)
{
	struct hetckpt_copy copy = rows(to, from, bytes, 1, bytes);

	return bytes ? dev->ops->copy(dev->service, &copy, error) : 0;
}

int hetckpt_dev_read(struct hetckpt_dev *dev, void *to, uint64_t from, uint64_t bytes,
                     struct hetckpt_error *error)
{
	return hetckpt_dev_read_rows(dev, to, from, bytes, 1, bytes, error);
}

int hetckpt_dev_write(struct hetckpt_dev *dev, uint64_t to, const void *from, uint64_t bytes,
                      struct hetckpt_error *error)
{
	struct hetckpt_copy copy = {
		.dst = to, .dst_memory = HETCKPT_MEMORY_DEVICE,
		.src = (uintptr_t)from, .src_memory = HETCKPT_MEMORY_HOST,
		.width = bytes, .height = 1, .depth = 1,
		.dst_pitch = bytes, .dst_slice = bytes, .src_pitch = bytes, .src_slice = bytes,
	};

	return copy_and_wait(dev, &copy, error);
}

int hetckpt_dev_limit(struct hetckpt_dev *dev, enum hetckpt_limit limit, uint64_t value,
                      struct hetckpt_error *error)
{
	int rc = 0;

	if (dev->ops->limit_set && dev->limit[limit] != value)
		rc = dev->ops->limit_set(dev->handle, limit, value, error);
	if (!rc)
		dev->limit[limit] = value;
	return rc;
}

#define LINE_WORDS (HETCKPT_FLAG_STRIDE / 4)

struct flag_image {
	uint32_t line[HETCKPT_FLAG_LINES][LINE_WORDS];
};

_Static_assert(sizeof(struct flag_image) == HETCKPT_FLAG_BYTES, "an image is all flag lines");

static void image_fill(struct flag_image *image, uint32_t poll, uint32_t entry)
{
	memset(image, 0, sizeof *image);
	for (unsigned i = 0; i < HETCKPT_FLAG_LINES; i++) {
		image->line[i][HETCKPT_FLAG_POLL / 4] = poll;
		image->line[i][HETCKPT_FLAG_ENTRY / 4] = entry;
	}
}

int hetckpt_dev_raise(struct hetckpt_dev *dev, enum hetckpt_flag flag, struct hetckpt_error *error)
{
	/* The first image is of whole lines, and leaves the poll words as they are. */
	struct flag_image images[2];

	image_fill(&images[0], flag, HETCKPT_FLAG_PAUSE);
	image_fill(&images[1], HETCKPT_FLAG_PAUSE, HETCKPT_FLAG_PAUSE);
	return dev->ops->poke(dev->handle, dev->flags, images, sizeof *images, 2, error);
}

int hetckpt_dev_lower(struct hetckpt_dev *dev, enum hetckpt_flag flag, struct hetckpt_error *error)
{
	struct flag_image image;

	image_fill(&image, flag, HETCKPT_FLAG_RUN);
	return dev->ops->poke(dev->handle, dev->flags, &image, sizeof image, 1, error);
}
