/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Writes the state of a paused core. docs/session-state.md describes what it writes.
 */
#include "io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"
#include "runtime/snapshot/writer.h"

/* Names of command types in manifests, by number. */
static const char *const type_name[HETCKPT_MSG_COUNT] = {
	[HETCKPT_MSG_FREE] = "free", [HETCKPT_MSG_COPY] = "copy", [HETCKPT_MSG_FILL] = "fill",
	[HETCKPT_MSG_MODULE_UNLOAD] = "module_unload", [HETCKPT_MSG_LAUNCH] = "launch",
	[HETCKPT_MSG_STREAM_SYNC] = "stream_sync", [HETCKPT_MSG_STREAM_WAIT] = "stream_wait",
	[HETCKPT_MSG_EVENT_RECORD] = "event_record", [HETCKPT_MSG_EVENT_SYNC] = "event_sync",
	[HETCKPT_MSG_DEVICE_SYNC] = "device_sync", [HETCKPT_MSG_HOST_CALL] = "host_call",
	[HETCKPT_MSG_DEVICE_RESET] = "device_reset",
};

struct save {
	struct hetckpt_core *core;
	const struct hetckpt_save_options *options;
	struct hetckpt_writer *writer;
	struct hetckpt_pump pump;
	uint64_t total;      /* bytes of all sections */
	struct hetckpt_error *error;
};

static int no_memory(struct save *save)
{
	return hetckpt_error_set(save->error, -ENOMEM, 0, "out of host memory for the manifest");
}

/* Appends a new object to list; NULL objects mean that memory ran out. */
static int append(struct save *save, json_t *list, json_t *object)
{
	return object && !json_array_append_new(list, object) ? 0 : no_memory(save);
}

/* ---- Manifest ---------------------------------------------------------- */

static int list_modules(struct save *save, json_t *modules, json_t *functions)
{
	int rc = 0;

	for (struct hetckpt_code *code = save->core->modules.list; code && !rc; code = code->next) {
		char section[48];
		json_t *entry;

		snprintf(section, sizeof section, "module/%" PRIu64, code->number);
		entry = json_pack("{s:I, s:I, s:s, s:b}", "number", (json_int_t)code->number, "bytes",
		                  (json_int_t)code->fatbin_bytes, "section", section, "loaded",
		                  code->module != NULL);
		save->total += code->fatbin_bytes;
		if (entry && code->module)
			json_object_update_new(entry, json_pack("{s:s, s:o, s:o, s:I}", "name", code->map->module,
				"image", hetckpt_hash_json(code->opened->hash), "variables",
				hetckpt_address_json(code->variables), "variable_bytes",
				(json_int_t)code->map->variable_bytes));
		if (entry && code->module && code->map->variables) {
			json_t *list = json_array();

			for (uint32_t i = 0; i < code->map->variables; i++) {
				const struct hetckpt_map_variable *v = &code->map->variable[i];

				json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "name", v->name, "offset",
					(json_int_t)v->offset, "bytes", (json_int_t)v->bytes));
			}
			json_object_set_new(entry, "variable_list", list);
		}
		rc = append(save, modules, entry);
		for (struct hetckpt_function *f = code->functions; f && !rc; f = f->next)
			rc = append(save, functions, json_pack("{s:I, s:I, s:s, s:s, s:o, s:b, s:I}",
				"handle", (json_int_t)f->handle, "module", (json_int_t)code->number,
				"name", f->map->name, "signature", f->map->signature,
				"hash", hetckpt_hash_json(f->map->hash), "pausable", f->map->pausable,
				"max_dynamic_shared", (json_int_t)f->max_dynamic_shared));
	}
	return rc;
}

static int list_memory(struct save *save, json_t *allocations, json_t *hosts)
{
	const struct hetckpt_arena_allocation *list;
	uint64_t pack = 0, used = 0;
	size_t count;
	int rc = 0;

	list = hetckpt_arena_list(save->core->app.arena, &count);
	for (size_t i = 0; i < count && !rc; i++) {
		char section[48];
		uint64_t offset = 0;
		json_t *entry;

		if (list[i].bytes >= HETCKPT_SMALL_BYTES) {
			snprintf(section, sizeof section, "memory/0x%" PRIx64, list[i].address);
		} else {
			if (used + list[i].bytes > HETCKPT_PACK_BYTES) {
				pack++;
				used = 0;
			}
			snprintf(section, sizeof section, "memory/small-%" PRIu64, pack);
			offset = used;
			used += list[i].bytes;
		}
		save->total += list[i].bytes;
		entry = json_pack("{s:o, s:I, s:s, s:I}", "address", hetckpt_address_json(list[i].address),
		                  "bytes", (json_int_t)list[i].bytes, "section", section, "offset",
		                  (json_int_t)offset);
		if (entry && list[i].tag)
			json_object_set_new(entry, "module", json_integer((json_int_t)list[i].tag - 1));
		rc = append(save, allocations, entry);
	}
	for (struct hetckpt_host_buffer *b = save->core->hosts; b && !rc; b = b->next) {
		char section[48];
		json_t *entry;

		snprintf(section, sizeof section, "host/0x%" PRIx64, b->address);
		entry = json_pack("{s:o, s:I}", "address", hetckpt_address_json(b->address), "bytes",
		                  (json_int_t)b->bytes);
		if (entry && !save->options->without_host) {
			json_object_set_new(entry, "section", json_string(section));
			save->total += b->bytes;
		}
		rc = append(save, hosts, entry);
	}
	return rc;
}

static int list_streams(struct save *save, json_t *streams, json_t *events)
{
	struct hetckpt_core *core = save->core;
	int rc = 0;

	for (struct hetckpt_stream *s = core->streams; s && !rc; s = s->next)
		rc = append(save, streams, json_pack("{s:I, s:I, s:i, s:b}", "id", (json_int_t)s->id, "flags",
			(json_int_t)s->flags, "priority", (int)s->priority, "destroyed", s->destroyed));
	for (unsigned i = 0; i < HETCKPT_EVENT_BUCKETS; i++)
		for (struct hetckpt_event *e = core->events[i]; e && !rc; e = e->next) {
			const struct hetckpt_command *r = e->record;
			json_t *entry = json_pack("{s:I, s:I, s:s}", "id", (json_int_t)e->id, "flags",
				(json_int_t)e->flags, "record", !r ? "never"
				: r->state == HETCKPT_COMMAND_DONE ? "done" : "pending");

			if (entry && r && r->state == HETCKPT_COMMAND_DONE)
				json_object_set_new(entry, "time_ns", json_integer((json_int_t)r->when));
			else if (entry && r)
				json_object_set_new(entry, "command", json_integer((json_int_t)r->seq));
			rc = append(save, events, entry);
		}
	return rc;
}

/* A stream that was destroyed while it had work may share its number with a new one, so
   commands name their streams by position. */
static unsigned stream_position(const struct hetckpt_core *core, const struct hetckpt_stream *stream)
{
	unsigned position = 0;

	for (const struct hetckpt_stream *s = core->streams; s != stream; s = s->next)
		position++;
	return position;
}

/* A launch under way. */
static json_t *flight_json(struct save *save, const struct hetckpt_command *command)
{
	const struct hetckpt_flight *f = command->flight;
	char blocks[64], ranges[64], frames[64];
	json_t *entry;

	snprintf(blocks, sizeof blocks, "launch/%" PRIu64 "/blocks", command->seq);
	snprintf(ranges, sizeof ranges, "launch/%" PRIu64 "/ranges", command->seq);
	snprintf(frames, sizeof frames, "launch/%" PRIu64 "/frames", command->seq);
	entry = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"blocks", (json_int_t)f->total, "done", (json_int_t)f->done,
		"parked", (json_int_t)f->todo.parked_count,
		"unstarted", (json_int_t)hetckpt_blocks_unstarted(&f->todo),
		"range_count", (json_int_t)f->todo.range_count,
		"threads", (json_int_t)f->threads, "group_bytes", (json_int_t)f->group_bytes);
	if (!entry)
		return NULL;
	if (f->todo.parked_count)
		json_object_update_new(entry, json_pack("{s:s, s:s}", "blocks_section", blocks,
		                                        "frames_section", frames));
	if (f->todo.range_count)
		json_object_set_new(entry, "ranges_section", json_string(ranges));
	save->total += f->todo.parked_count * (4 + f->group_bytes) +
	               f->todo.range_count * sizeof *f->todo.ranges;
	return entry;
}

static int list_commands(struct save *save, json_t *commands)
{
	uint64_t offset = 0;
	int rc = 0;

	for (struct hetckpt_command *c = save->core->oldest; c && !rc; c = c->next) {
		json_t *entry = json_pack("{s:I, s:s, s:I, s:I, s:b}", "seq", (json_int_t)c->seq,
			"type", c->type < HETCKPT_MSG_COUNT && type_name[c->type] ? type_name[c->type] : "other",
			"offset", (json_int_t)offset, "bytes", (json_int_t)c->msg->bytes,
			"begun", c->state == HETCKPT_COMMAND_ISSUED);
		json_t *after;

		if (!entry)
			return no_memory(save);
		if (c->stream)
			json_object_update_new(entry, json_pack("{s:I, s:I}", "stream", (json_int_t)c->stream->id,
				"queue", (json_int_t)stream_position(save->core, c->stream)));
		if (c->reply != HETCKPT_NO_REPLY)
			json_object_set_new(entry, "reply", json_integer(c->reply));
		after = json_array();
		for (unsigned i = 0; i < c->deps; i++)
			if (c->dep[i]->state != HETCKPT_COMMAND_DONE)
				json_array_append_new(after, json_integer((json_int_t)c->dep[i]->seq));
		if (json_array_size(after))
			json_object_set(entry, "after", after);
		json_decref(after);
		if (c->type == HETCKPT_MSG_LAUNCH) {
			const struct hetckpt_msg_launch *m = (const void *)(c->msg + 1);
			const struct hetckpt_function *f = hetckpt_function_find(&save->core->modules, m->function);

			json_object_update_new(entry, json_pack("{s:I, s:s, s:[I,I,I], s:[I,I,I], s:I, s:b}",
				"function", (json_int_t)m->function, "kernel", f ? f->map->signature : "?",
				"grid", (json_int_t)m->grid[0], (json_int_t)m->grid[1], (json_int_t)m->grid[2],
				"block", (json_int_t)m->block[0], (json_int_t)m->block[1], (json_int_t)m->block[2],
				"dynamic_shared", (json_int_t)m->dynamic_shared,
				"cooperative", (m->flags & HETCKPT_LAUNCH_COOPERATIVE) != 0));
		}
		if (c->flight)
			json_object_set_new(entry, "launch", flight_json(save, c));
		if (c->payload) {
			const struct hetckpt_msg_copy *m = (const void *)(c->msg + 1);
			char section[48];

			snprintf(section, sizeof section, "payload/%" PRIu64, c->seq);
			json_object_set_new(entry, "payload", json_string(section));
			save->total += m->width * m->height * m->depth;
		}
		offset += c->msg->bytes;
		rc = append(save, commands, entry);
	}
	save->total += offset;
	return rc;
}

static int build_manifest(struct save *save, json_t **out)
{
	static const char *const lists[] = {"modules", "functions", "allocations", "host_buffers",
	                                    "streams", "events", "commands"};
	struct hetckpt_core *core = save->core;
	json_t *manifest, *list[7];
	uint64_t now = 0;
	int rc = hetckpt_dev_settle(&core->dev, &now, save->error);

	if (rc)
		return rc;
	manifest = json_pack("{s:s, s:i, s:i, s:{s:s, s:I, s:s}, s:I, s:I, s:I}",
		"kind", "hetckpt session", "state", HETCKPT_STATE_VERSION, "abi", (int)HETCKPT_ABI_VERSION,
		"device", "backend", core->backend->name, "index", (json_int_t)core->device_index,
		"name", core->dev.facts.name, "arena", (json_int_t)core->arena_index,
		"taken_seq", (json_int_t)core->submitted,
		"time_ns", (json_int_t)(now + core->time_offset));
	if (!manifest)
		return no_memory(save);
	for (int i = 0; i < 7; i++) {
		list[i] = json_array();
		if (json_object_set_new(manifest, lists[i], list[i])) {
			json_decref(manifest);
			return no_memory(save);
		}
	}
	rc = list_modules(save, list[0], list[1]);
	if (!rc)
		rc = list_memory(save, list[2], list[3]);
	if (!rc)
		rc = list_streams(save, list[4], list[5]);
	if (!rc)
		rc = list_commands(save, list[6]);
	if (rc) {
		json_decref(manifest);
		return rc;
	}
	*out = manifest;
	return 0;
}

/* ---- Sections ---------------------------------------------------------- */

static int written(struct save *save, int rc)
{
	if (!rc)
		return 0;
	if (save->pump.error.code && save->error)
		*save->error = save->pump.error;
	else
		hetckpt_error_set(save->error, rc, 0, "%s", hetckpt_writer_error(save->writer));
	return rc;
}

static int write_modules(struct save *save)
{
	int rc = 0;

	for (struct hetckpt_code *code = save->core->modules.list; code && !rc; code = code->next) {
		char name[48];

		snprintf(name, sizeof name, "module/%" PRIu64, code->number);
		rc = written(save, hetckpt_writer_add(save->writer, name, 0, code->fatbin, code->fatbin_bytes));
	}
	return rc;
}

static int write_pack(struct save *save, uint64_t number, const void *data, uint64_t bytes)
{
	char name[48];

	snprintf(name, sizeof name, "memory/small-%" PRIu64, number);
	return written(save, hetckpt_writer_add(save->writer, name, 0, data, bytes));
}

static int write_memory(struct save *save)
{
	const struct hetckpt_arena_allocation *list;
	unsigned char *pack = NULL;
	uint64_t number = 0, used = 0, small = 0;
	size_t count;
	int rc = 0;

	list = hetckpt_arena_list(save->core->app.arena, &count);
	for (size_t i = 0; i < count; i++)
		small += list[i].bytes < HETCKPT_SMALL_BYTES ? list[i].bytes : 0;
	if (small) {
		pack = malloc(small < HETCKPT_PACK_BYTES ? small : HETCKPT_PACK_BYTES);
		if (!pack)
			return no_memory(save);
	}
	for (size_t i = 0; i < count && !rc; i++) {
		char name[48];

		if (list[i].bytes >= HETCKPT_SMALL_BYTES) {
			snprintf(name, sizeof name, "memory/0x%" PRIx64, list[i].address);
			save->pump.address = list[i].address;
			rc = written(save, hetckpt_writer_add_from(save->writer, name, 0, list[i].bytes,
			                                           hetckpt_pump_fill, &save->pump));
			continue;
		}
		if (used + list[i].bytes > HETCKPT_PACK_BYTES) {
			rc = write_pack(save, number++, pack, used);
			used = 0;
		}
		if (!rc)
			rc = hetckpt_dev_read(&save->core->dev, pack + used, list[i].address, list[i].bytes,
			                      save->error);
		used += list[i].bytes;
	}
	if (!rc && used)
		rc = write_pack(save, number, pack, used);
	free(pack);
	for (struct hetckpt_host_buffer *b = save->core->hosts; b && !rc && !save->options->without_host;
	     b = b->next) {
		char name[48];

		snprintf(name, sizeof name, "host/0x%" PRIx64, b->address);
		rc = written(save, hetckpt_writer_add(save->writer, name, 0,
		                                      (const void *)(uintptr_t)b->address, b->bytes));
	}
	return rc;
}

static int write_flight(struct save *save, const struct hetckpt_command *command)
{
	const struct hetckpt_blocks *todo = &command->flight->todo;
	char name[64];
	int rc = 0;

	if (todo->parked_count) {
		uint32_t *blocks = malloc(todo->parked_count * sizeof *blocks);

		if (!blocks)
			return no_memory(save);
		for (size_t i = 0; i < todo->parked_count; i++)
			blocks[i] = todo->parked[i].block;
		snprintf(name, sizeof name, "launch/%" PRIu64 "/blocks", command->seq);
		rc = written(save, hetckpt_writer_add(save->writer, name, 0, blocks,
		                                      todo->parked_count * sizeof *blocks));
		free(blocks);
		snprintf(name, sizeof name, "launch/%" PRIu64 "/frames", command->seq);
		save->pump.flight = command->flight;
		if (!rc)
			rc = written(save, hetckpt_writer_add_from(save->writer, name, 0,
				todo->parked_count * command->flight->group_bytes, hetckpt_pump_frames,
				&save->pump));
	}
	if (!rc && todo->range_count) {
		snprintf(name, sizeof name, "launch/%" PRIu64 "/ranges", command->seq);
		rc = written(save, hetckpt_writer_add(save->writer, name, 0, todo->ranges,
		                                      todo->range_count * sizeof *todo->ranges));
	}
	return rc;
}

static int write_commands(struct save *save)
{
	uint64_t bytes = 0;
	unsigned char *all, *at;
	int rc = 0;

	for (struct hetckpt_command *c = save->core->oldest; c; c = c->next)
		bytes += c->msg->bytes;
	if (!bytes)
		return 0;
	at = all = malloc(bytes);
	if (!all)
		return no_memory(save);
	for (struct hetckpt_command *c = save->core->oldest; c; c = c->next) {
		memcpy(at, c->msg, c->msg->bytes);
		at += c->msg->bytes;
	}
	rc = written(save, hetckpt_writer_add(save->writer, "commands", 0, all, bytes));
	free(all);
	for (struct hetckpt_command *c = save->core->oldest; c && !rc; c = c->next) {
		const struct hetckpt_msg_copy *m = (const void *)(c->msg + 1);
		char name[48];

		snprintf(name, sizeof name, "payload/%" PRIu64, c->seq);
		if (c->payload)
			rc = written(save, hetckpt_writer_add(save->writer, name, 0, c->payload,
			                                      m->width * m->height * m->depth));
		if (!rc && c->flight)
			rc = write_flight(save, c);
	}
	return rc;
}

/* ---- All of it --------------------------------------------------------- */

/* Payloads in the staging area get copies of their own, and go back to the application. */
static int take_payloads(struct save *save)
{
	struct hetckpt_core *core = save->core;

	for (struct hetckpt_command *c = core->oldest; c; c = c->next) {
		const struct hetckpt_msg_copy *m = (const void *)(c->msg + 1);
		uint64_t row, bytes;

		if (!c->staging)
			continue;
		/* What does not lie in the area fails when it is issued, there or here. */
		if (__builtin_mul_overflow(m->width, m->height, &row) ||
		    __builtin_mul_overflow(row, m->depth, &bytes) || !bytes ||
		    m->src > core->host.staging_bytes || bytes > core->host.staging_bytes - m->src)
			continue;
		c->payload = malloc(bytes);
		if (!c->payload)
			return hetckpt_error_set(save->error, -ENOMEM, 0,
				"out of host memory for %" PRIu64 " bytes of a queued copy", bytes);
		memcpy(c->payload, core->host.staging + m->src, bytes);
		c->staging = false;
		core->host.staging_release(core->host.context, m->src, bytes);
	}
	return 0;
}

int hetckpt_save_locked(struct hetckpt_core *core, int fd, const struct hetckpt_save_options *options,
                        struct hetckpt_error *error)
{
	struct save save = {.core = core, .options = options, .error = error};
	struct hetckpt_writer_options how = {
		.compress = options->raw ? HETCKPT_COMPRESS_NONE : HETCKPT_COMPRESS_ZSTD,
		.level = options->level,
		.progress = options->progress, .progress_ctx = options->context,
	};
	json_t *manifest = NULL;
	int rc;

	if (core->state != HETCKPT_CORE_PAUSED)
		return hetckpt_error_set(error, -EBUSY, 0, "the state can only be saved while paused");
	hetckpt_pump_init(&save.pump, core);
	rc = take_payloads(&save);
	if (!rc)
		rc = build_manifest(&save, &manifest);
	if (rc)
		goto out;
	how.total_bytes = save.total;
	how.buffers = &save.pump.buffers;
	rc = written(&save, hetckpt_writer_open_fd(fd, "snapshot", &how, &save.writer));
	if (!rc)
		rc = written(&save, hetckpt_writer_manifest(save.writer, manifest));
	if (!rc)
		rc = write_modules(&save);
	if (!rc)
		rc = write_memory(&save);
	if (!rc)
		rc = write_commands(&save);
	if (!rc)
		rc = written(&save, hetckpt_writer_finish(save.writer));
	hetckpt_writer_close(save.writer);
out:
	json_decref(manifest);
	hetckpt_pump_destroy(&save.pump);
	return rc;
}

int hetckpt_core_save(struct hetckpt_core *core, int fd, const struct hetckpt_save_options *options,
                      struct hetckpt_error *error)
{
	int rc;

	hetckpt_core_enter(core);
	if (core->failed) {
		*error = core->failure;
		rc = core->failure.code ? core->failure.code : -EIO;
	} else {
		rc = hetckpt_save_locked(core, fd, options, error);
	}
	pthread_mutex_unlock(&core->lock);
	return rc;
}
