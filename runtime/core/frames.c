/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_LIMIT ((uint64_t)512 << 20)
#define HEADER_ROOM 256u
#define BYTEMAP_MIN 4096u

void hetckpt_frame_pool_init(struct hetckpt_frame_pool *pool, struct hetckpt_dev *dev,
                             struct hetckpt_heap *memory)
{
	memset(pool, 0, sizeof *pool);
	pool->dev = dev;
	pool->memory = memory;
}

int hetckpt_frame_pool_trim(struct hetckpt_frame_pool *pool)
{
	int found = pool->frames || pool->bytemaps;

	while (pool->frames) {
		struct hetckpt_frames *frames = pool->frames;

		pool->frames = frames->next;
		hetckpt_heap_free(pool->memory, frames->address, NULL);
		free(frames);
	}
	while (pool->bytemaps) {
		struct hetckpt_bytemap *bytemap = pool->bytemaps;

		pool->bytemaps = bytemap->next;
		hetckpt_heap_free(pool->memory, bytemap->address, NULL);
		free(bytemap);
	}
	pool->idle_bytes = 0;
	return found;
}

/* Internal memory; what lies idle goes before the request fails. */
static int alloc(struct hetckpt_frame_pool *pool, uint64_t bytes, uint64_t *address,
                 struct hetckpt_error *error)
{
	int rc = hetckpt_heap_alloc(pool->memory, bytes, HETCKPT_ARENA_ALIGN, 0, address, error);

	if (rc == -ENOMEM && hetckpt_frame_pool_trim(pool)) {
		hetckpt_heap_trim(pool->memory);
		rc = hetckpt_heap_alloc(pool->memory, bytes, HETCKPT_ARENA_ALIGN, 0, address, error);
	}
	return rc;
}

static int clear(struct hetckpt_frame_pool *pool, struct hetckpt_queue *queue,
                 struct hetckpt_frames *frames, struct hetckpt_error *error)
{
	struct hetckpt_fill keys = {
		.dst = frames->keys, .width = frames->capacity, .height = 1,
		.pitch = (uint64_t)frames->capacity * 4, .element = 4, .value = 0,
	};
	struct hetckpt_fill safepoints = {
		.dst = frames->groups, .width = frames->threads, .height = frames->capacity,
		.pitch = frames->group_bytes, .element = 4, .value = HETCKPT_SP_DONE,
	};
	int rc = pool->dev->ops->fill(queue, &keys, error);

	if (!rc)
		rc = pool->dev->ops->fill(queue, &safepoints, error);
	if (!rc)
		frames->dirty = 0;
	return rc;
}

static int make(struct hetckpt_frame_pool *pool, uint32_t capacity, uint32_t threads,
                uint64_t group_bytes, struct hetckpt_frames **out, struct hetckpt_error *error)
{
	uint64_t keys = ((uint64_t)capacity * 4 + HEADER_ROOM - 1) / HEADER_ROOM * HEADER_ROOM;
	struct hetckpt_frames *frames = calloc(1, sizeof *frames);
	struct hetckpt_frame_table table;
	int rc;

	if (!frames)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
	frames->bytes = HEADER_ROOM + keys + capacity * group_bytes;
	rc = alloc(pool, frames->bytes, &frames->address, error);
	if (rc) {
		free(frames);
		return rc;
	}
	frames->capacity = capacity;
	frames->threads = threads;
	frames->group_bytes = group_bytes;
	frames->keys = frames->address + HEADER_ROOM;
	frames->groups = frames->keys + keys;
	frames->dirty = 1;
	table = (struct hetckpt_frame_table){
		.capacity = capacity, .threads = threads, .group_bytes = group_bytes,
		.keys = frames->keys, .groups = frames->groups,
	};
	rc = hetckpt_dev_write(pool->dev, frames->address, &table, sizeof table, error);
	if (rc) {
		hetckpt_heap_free(pool->memory, frames->address, NULL);
		free(frames);
		return rc;
	}
	*out = frames;
	return 0;
}

int hetckpt_frames_get(struct hetckpt_frame_pool *pool, struct hetckpt_queue *queue,
                       uint32_t capacity, uint32_t threads, uint64_t group_bytes,
                       struct hetckpt_frames **out, struct hetckpt_error *error)
{
	struct hetckpt_frames **link, **found = NULL, *frames;
	int rc;

	for (link = &pool->frames; *link; link = &(*link)->next) {
		frames = *link;
		if (frames->capacity != capacity || frames->threads != threads ||
		    frames->group_bytes != group_bytes)
			continue;
		found = link;
		if (!frames->dirty)
			break;
	}
	if (found) {
		frames = *found;
		*found = frames->next;
		frames->next = NULL;
		pool->idle_bytes -= frames->bytes;
	} else {
		rc = make(pool, capacity, threads, group_bytes, &frames, error);
		if (rc)
			return rc;
	}
	rc = frames->dirty ? clear(pool, queue, frames, error) : 0;
	if (rc) {
		hetckpt_frames_put(pool, frames);
		return rc;
	}
	*out = frames;
	return 0;
}

int hetckpt_frames_get_dense(struct hetckpt_frame_pool *pool, uint32_t capacity, uint32_t threads,
                             uint64_t group_bytes, struct hetckpt_frames **frames,
                             struct hetckpt_error *error)
{
	return make(pool, capacity, threads, group_bytes, frames, error);
}

void hetckpt_frames_put(struct hetckpt_frame_pool *pool, struct hetckpt_frames *frames)
{
	if (!frames)
		return;
	if (pool->idle_bytes + frames->bytes > IDLE_LIMIT) {
		hetckpt_heap_free(pool->memory, frames->address, NULL);
		free(frames);
		return;
	}
	pool->idle_bytes += frames->bytes;
	frames->next = pool->frames;
	pool->frames = frames;
}

int hetckpt_frames_fetch(struct hetckpt_frame_pool *pool, const struct hetckpt_frames *frames,
                         uint32_t **keys, struct hetckpt_error *error)
{
	*keys = malloc((size_t)frames->capacity * 4);
	if (!*keys)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
	return hetckpt_dev_fetch(pool->dev, *keys, frames->keys, (uint64_t)frames->capacity * 4, error);
}

int hetckpt_frames_move(struct hetckpt_frame_pool *pool, const struct hetckpt_frames *from,
                        const struct hetckpt_block_ref *refs, size_t count,
                        const struct hetckpt_frames *to, const uint32_t *groups,
                        struct hetckpt_error *error)
{
	int rc = 0;

	for (size_t i = 0; i < count && !rc;) {
		size_t run = 1;
		struct hetckpt_copy copy;

		while (i + run < count && refs[i + run].group == refs[i].group + run &&
		       groups[i + run] == groups[i] + run)
			run++;
		copy = (struct hetckpt_copy){
			.dst = to->groups + groups[i] * to->group_bytes, .dst_memory = HETCKPT_MEMORY_DEVICE,
			.src = from->groups + refs[i].group * from->group_bytes,
			.src_memory = HETCKPT_MEMORY_DEVICE,
			.width = run * from->group_bytes, .height = 1, .depth = 1,
		};
		copy.dst_pitch = copy.dst_slice = copy.src_pitch = copy.src_slice = copy.width;
		rc = pool->dev->ops->copy(pool->dev->service, &copy, error);
		i += run;
	}
	return rc ? rc : hetckpt_dev_settle(pool->dev, NULL, error);
}

int hetckpt_frames_read(struct hetckpt_frame_pool *pool, const struct hetckpt_frames *frames,
                        uint32_t group, void *to, struct hetckpt_error *error)
{
	return hetckpt_dev_read(pool->dev, to, frames->groups + group * frames->group_bytes,
	                        frames->group_bytes, error);
}

int hetckpt_bytemap_get(struct hetckpt_frame_pool *pool, struct hetckpt_queue *queue, uint64_t blocks,
                        struct hetckpt_bytemap **out, struct hetckpt_error *error)
{
	struct hetckpt_bytemap **link, **found = NULL, *bytemap;
	uint64_t bytes = BYTEMAP_MIN;
	int rc = 0;

	while (bytes < blocks)
		bytes *= 2;
	for (link = &pool->bytemaps; *link; link = &(*link)->next)
		if ((*link)->bytes == bytes) {
			found = link;
			if (!(*link)->dirty)
				break;
		}
	if (found) {
		bytemap = *found;
		*found = bytemap->next;
		bytemap->next = NULL;
		pool->idle_bytes -= bytes;
	} else {
		bytemap = calloc(1, sizeof *bytemap);
		if (!bytemap)
			return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
		bytemap->bytes = bytes;
		bytemap->dirty = 1;
		rc = alloc(pool, bytes, &bytemap->address, error);
		if (rc) {
			free(bytemap);
			return rc;
		}
	}
	if (bytemap->dirty) {
		struct hetckpt_fill fill = {
			.dst = bytemap->address, .width = bytes / 4, .height = 1, .pitch = bytes,
			.element = 4, .value = 0,
		};

		rc = pool->dev->ops->fill(queue, &fill, error);
	}
	if (rc) {
		hetckpt_bytemap_put(pool, bytemap);
		return rc;
	}
	bytemap->dirty = 0;
	*out = bytemap;
	return 0;
}

void hetckpt_bytemap_put(struct hetckpt_frame_pool *pool, struct hetckpt_bytemap *bytemap)
{
	if (!bytemap)
		return;
	if (pool->idle_bytes + bytemap->bytes > IDLE_LIMIT) {
		hetckpt_heap_free(pool->memory, bytemap->address, NULL);
		free(bytemap);
		return;
	}
	pool->idle_bytes += bytemap->bytes;
	bytemap->next = pool->bytemaps;
	pool->bytemaps = bytemap;
}
