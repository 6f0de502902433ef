/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a session is doing, for people: kernels by their signatures, source lines where
 * threads stand, some live variables.
 */
#include "core_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"

/* Parked blocks whose frames are looked at: enough for a picture. */
#define SAMPLE_BLOCKS 64
#define PLACES_MAX 16

static const char *state_name(const struct hetckpt_core *core)
{
	if (core->failed)
		return "failed";
	switch (core->state) {
	case HETCKPT_CORE_PAUSING: return "pausing";
	case HETCKPT_CORE_PAUSED: return "paused";
	case HETCKPT_CORE_DRAINING: return "resuming";
	default: return core->unfinished ? "running" : "idle";
	}
}

static json_t *memory_json(struct hetckpt_core *core)
{
	struct hetckpt_error ignored;
	uint64_t free_bytes = 0, total = 0, host = 0, heap = 0;
	const struct hetckpt_arena_allocation *list;
	size_t count;

	list = hetckpt_arena_list(core->app.arena, &count);
	for (size_t i = 0; i < count; i++)
		heap += list[i].tag == HETCKPT_TAG_HEAP ? list[i].bytes : 0;
	for (struct hetckpt_host_buffer *b = core->hosts; b; b = b->next)
		host += b->bytes;
	if (core->failed || core->dev.ops->memory_info(core->dev.handle, &free_bytes, &total, &ignored))
		free_bytes = total = 0;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "allocations", (json_int_t)count,
		"bytes", (json_int_t)hetckpt_arena_used(core->app.arena), "heap_bytes", (json_int_t)heap,
		"runtime_bytes", (json_int_t)hetckpt_arena_used(core->internal.arena),
		"page_locked_bytes", (json_int_t)host,
		"device_free", (json_int_t)free_bytes, "device_total", (json_int_t)total);
}

static json_t *streams_json(struct hetckpt_core *core)
{
	json_t *list = json_array();

	for (struct hetckpt_stream *s = core->streams; list && s; s = s->next) {
		unsigned issued = 0, queued = 0;

		for (struct hetckpt_command *c = s->first; c; c = c->behind)
			if (c->state == HETCKPT_COMMAND_ISSUED)
				issued++;
			else
				queued++;
		json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:b}", "stream", (json_int_t)s->id,
			"issued", (json_int_t)issued, "queued", (json_int_t)queued,
			"non_blocking", (s->flags & HETCKPT_STREAM_NON_BLOCKING) != 0));
	}
	return list;
}

/* ---- Where parked threads stand ---------------------------------------- */

struct place {
	uint32_t id;
	uint64_t threads;
};

static void count_place(struct place *places, size_t *count, uint32_t id)
{
	for (size_t i = 0; i < *count; i++)
		if (places[i].id == id) {
			places[i].threads++;
			return;
		}
	if (*count < PLACES_MAX)
		places[(*count)++] = (struct place){id, 1};
}

static json_t *place_json(const struct hetckpt_map_kernel *map, const struct place *place)
{
	const struct hetckpt_map_safepoint *sp = hetckpt_map_safepoint_find(map, place->id);
	json_t *entry = json_pack("{s:I, s:I, s:s}", "safepoint", (json_int_t)place->id, "threads",
		(json_int_t)place->threads, "kind", sp ? sp->kind
		: place->id == HETCKPT_SP_START ? "start" : "done");

	if (entry && sp && sp->file) {
		json_object_set_new(entry, "file", json_string(sp->file));
		json_object_set_new(entry, "line", json_integer(sp->line));
	}
	if (entry && sp && sp->function)
		json_object_set_new(entry, "function", json_string(sp->function));
	return entry;
}

/* Adds "places" and one "thread" with its variables. What cannot be read is left out. */
static void add_parked(struct hetckpt_core *core, const struct hetckpt_flight *f, json_t *entry)
{
	const struct hetckpt_map_kernel *map = f->function->map;
	struct hetckpt_frame_layout layout;
	struct place places[PLACES_MAX];
	struct hetckpt_error ignored;
	json_t *list = json_array(), *thread = NULL;
	size_t count = 0;
	char text[HETCKPT_STATEMAP_ERROR];
	void *group = malloc(f->group_bytes);

	if (!group || !list ||
	    hetckpt_frame_layout_compute(map, f->threads, f->dynamic_shared, &layout))
		goto out;
	for (size_t i = 0; i < f->todo.parked_count && i < SAMPLE_BLOCKS; i++) {
		if (hetckpt_frames_read(&core->pool, f->resume, f->todo.parked[i].group, group, &ignored))
			break;
		for (uint32_t t = 0; t < f->threads; t++) {
			uint32_t id = hetckpt_frame_safepoint(&layout, group, t);

			count_place(places, &count, id);
			if (thread || id == HETCKPT_SP_DONE || id == HETCKPT_SP_START)
				continue;
			if (!hetckpt_thread_json(map, &layout, group, t, &thread, text, sizeof text))
				json_object_set_new(thread, "block", json_integer(f->todo.parked[i].block));
		}
	}
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, place_json(map, &places[i]));
	json_object_set(entry, "places", list);
	if (thread)
		json_object_set(entry, "thread", thread);
out:
	json_decref(list);
	json_decref(thread);
	free(group);
}

static json_t *flight_json(struct hetckpt_core *core, const struct hetckpt_command *command)
{
	const struct hetckpt_flight *f = command->flight;
	uint64_t on_device = 0;
	json_t *entry;

	for (unsigned i = 0; i < f->parts; i++)
		on_device += f->part[i].count;
	entry = json_pack("{s:s, s:s, s:I, s:I, s:[I,I,I], s:[I,I,I], s:I, s:I, s:I, s:I, s:I}",
		"kernel", f->function->map->signature, "name", f->function->map->name,
		"seq", (json_int_t)command->seq,
		"stream", (json_int_t)(command->stream ? command->stream->id : 0),
		"grid", (json_int_t)f->grid[0], (json_int_t)f->grid[1], (json_int_t)f->grid[2],
		"block", (json_int_t)f->block[0], (json_int_t)f->block[1], (json_int_t)f->block[2],
		"blocks", (json_int_t)f->total, "blocks_done", (json_int_t)f->done,
		"blocks_running", (json_int_t)on_device,
		"blocks_parked", (json_int_t)f->todo.parked_count,
		"blocks_unstarted", (json_int_t)hetckpt_blocks_unstarted(&f->todo));
	if (entry && core->state == HETCKPT_CORE_PAUSED && f->todo.parked_count && f->resume && !core->failed)
		add_parked(core, f, entry);
	return entry;
}

/* Kernels under way that cannot pause. */
static json_t *original_json(const struct hetckpt_command *command)
{
	const struct hetckpt_map_kernel *map = command->function->map;

	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:s?}", "kernel", map->signature,
		"name", map->name, "seq", (json_int_t)command->seq,
		"stream", (json_int_t)(command->stream ? command->stream->id : 0),
		"blocks", (json_int_t)command->blocks, "pausable", map->pausable, "reason", map->reason);
}

static json_t *kernels_json(struct hetckpt_core *core)
{
	json_t *list = json_array();

	for (struct hetckpt_command *c = core->oldest; list && c; c = c->next)
		if (c->flight)
			json_array_append_new(list, flight_json(core, c));
		else if (c->function && c->state == HETCKPT_COMMAND_ISSUED)
			json_array_append_new(list, original_json(c));
	return list;
}

static json_t *stress_json(const struct hetckpt_core *core)
{
	static const char *const name[] = {"off", "every-poll", "random"};

	return json_pack("{s:s, s:I, s:I, s:I}", "mode", name[core->stress.mode],
		"seed", (json_int_t)core->stress.seed, "period_us", (json_int_t)core->stress.period_us,
		"rounds", (json_int_t)core->stress.rounds);
}

json_t *hetckpt_core_status(struct hetckpt_core *core, bool detail)
{
	json_t *status;
	char device[64];

	hetckpt_core_enter(core);
	snprintf(device, sizeof device, "%s:%u", core->backend->name, core->device_index);
	status = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "device", device,
		"device_name", core->dev.facts.name, "state", state_name(core),
		"unfinished", (json_int_t)core->unfinished, "taken_seq", (json_int_t)core->submitted,
		"modules", (json_int_t)0);
	if (status) {
		json_int_t modules = 0;

		for (struct hetckpt_code *c = core->modules.list; c; c = c->next)
			modules += c->module != NULL;
		json_object_set_new(status, "modules", json_integer(modules));
		json_object_set_new(status, "memory", memory_json(core));
		json_object_set_new(status, "kernels", kernels_json(core));
		if (core->failed)
			json_object_set_new(status, "error", json_string(core->failure.text));
		if (detail)
			json_object_set_new(status, "streams", streams_json(core));
		if (core->stress.mode != HETCKPT_STRESS_OFF || core->coverage.count) {
			json_object_set_new(status, "stress", stress_json(core));
			json_object_set_new(status, "coverage", hetckpt_coverage_json(&core->coverage));
		}
	}
	pthread_mutex_unlock(&core->lock);
	return status;
}
