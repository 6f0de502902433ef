/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Streams and events as objects. Their order is in command.c and executor.c.
 */
#include "core_internal.h"

#include <errno.h>
#include <stdlib.h>

struct hetckpt_stream *hetckpt_stream_find(struct hetckpt_core *core, uint32_t id)
{
	for (struct hetckpt_stream *s = core->streams; s; s = s->next)
		if (s->id == id && !s->destroyed)
			return s;
	return NULL;
}

int hetckpt_stream_create(struct hetckpt_core *core, uint32_t id, uint32_t flags, int32_t priority,
                          struct hetckpt_stream **out, struct hetckpt_error *error)
{
	struct hetckpt_stream **end = &core->streams, *stream;

	if (hetckpt_stream_find(core, id))
		return hetckpt_error_set(error, -EEXIST, CUDA_INVALID_HANDLE, "stream %u exists already", id);
	stream = calloc(1, sizeof *stream);
	if (!stream)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory for stream %u", id);
	stream->id = id;
	stream->flags = flags;
	stream->priority = priority;
	/* The default stream is made first and stays first. */
	while (*end)
		end = &(*end)->next;
	*end = stream;
	if (out)
		*out = stream;
	return 0;
}

int hetckpt_stream_queue(struct hetckpt_core *core, struct hetckpt_stream *stream,
                         struct hetckpt_error *error)
{
	if (stream->queue)
		return 0;
	return core->dev.ops->queue_create(core->dev.handle, stream->priority, &stream->queue, error);
}

int hetckpt_stream_beside(struct hetckpt_core *core, struct hetckpt_stream *stream,
                          struct hetckpt_error *error)
{
	int rc = 0;

	if (!(core->backend->flags & HETCKPT_BACKEND_OVERLAPS))
		return 0;
	for (unsigned i = 0; i < HETCKPT_LANES - 1 && !rc; i++)
		if (!stream->beside[i])
			rc = core->dev.ops->queue_create(core->dev.handle, stream->priority, &stream->beside[i], error);
	return rc;
}

static void stream_free(struct hetckpt_core *core, struct hetckpt_stream *stream)
{
	for (unsigned i = 0; i < HETCKPT_LANES - 1; i++)
		if (stream->beside[i])
			core->dev.ops->queue_destroy(stream->beside[i]);
	if (stream->queue)
		core->dev.ops->queue_destroy(stream->queue);
	free(stream);
}

void hetckpt_stream_reap(struct hetckpt_core *core)
{
	struct hetckpt_stream **link = &core->streams;

	while (*link) {
		struct hetckpt_stream *stream = *link;

		if (!stream->destroyed || stream->first) {
			link = &stream->next;
			continue;
		}
		*link = stream->next;
		stream_free(core, stream);
	}
}

static struct hetckpt_event **event_link(struct hetckpt_core *core, uint32_t id)
{
	struct hetckpt_event **link = &core->events[id % HETCKPT_EVENT_BUCKETS];

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

struct hetckpt_event *hetckpt_event_find(struct hetckpt_core *core, uint32_t id)
{
	return *event_link(core, id);
}

int hetckpt_event_create(struct hetckpt_core *core, uint32_t id, uint32_t flags,
                         struct hetckpt_event **out, struct hetckpt_error *error)
{
	struct hetckpt_event **link = event_link(core, id);

	if (*link)
		return hetckpt_error_set(error, -EEXIST, CUDA_INVALID_HANDLE, "event %u exists already", id);
	*link = calloc(1, sizeof **link);
	if (!*link)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory for event %u", id);
	(*link)->id = id;
	(*link)->flags = flags;
	if (out)
		*out = *link;
	return 0;
}

void hetckpt_event_destroy(struct hetckpt_core *core, struct hetckpt_event *event)
{
	struct hetckpt_event **link = event_link(core, event->id);

	*link = event->next;
	hetckpt_command_drop(core, event->record);
	free(event);
}

void hetckpt_streams_clear(struct hetckpt_core *core)
{
	for (unsigned i = 0; i < HETCKPT_EVENT_BUCKETS; i++)
		while (core->events[i])
			hetckpt_event_destroy(core, core->events[i]);
	while (core->streams) {
		struct hetckpt_stream *stream = core->streams;

		core->streams = stream->next;
		stream_free(core, stream);
	}
}
