/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Lists the state of a paused core. docs/session-state.md describes what the manifest says.
 */
#include "capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"

/* Names of command types in manifests, by number. */
static const char *const type_name[HETCKPT_MSG_COUNT] = {
	[HETCKPT_MSG_FREE] = "free", [HETCKPT_MSG_COPY] = "copy", [HETCKPT_MSG_FILL] = "fill",
	[HETCKPT_MSG_MODULE_UNLOAD] = "module_unload", [HETCKPT_MSG_LAUNCH] = "launch",
	[HETCKPT_MSG_STREAM_SYNC] = "stream_sync", [HETCKPT_MSG_STREAM_WAIT] = "stream_wait",
	[HETCKPT_MSG_EVENT_RECORD] = "event_record", [HETCKPT_MSG_EVENT_SYNC] = "event_sync",
	[HETCKPT_MSG_DEVICE_SYNC] = "device_sync", [HETCKPT_MSG_HOST_CALL] = "host_call",
	[HETCKPT_MSG_DEVICE_RESET] = "device_reset", [HETCKPT_MSG_DEVICE_LIMIT] = "device_limit",
};

struct save {
	struct hetckpt_core *core;
	struct hetckpt_capture *capture;
	bool without_host;
	bool outline;        /* what is there, without contents */
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
		struct hetckpt_item *item;
		char section[48];
		json_t *entry;

		snprintf(section, sizeof section, "module/%" PRIu64, code->number);
		entry = json_pack("{s:I, s:I, s:s, s:b}", "number", (json_int_t)code->number, "bytes",
		                  (json_int_t)code->fatbin_bytes, "section", section, "loaded",
		                  code->module != NULL);
		item = hetckpt_capture_add(save->capture, HETCKPT_ITEM_BYTES, code->fatbin_bytes, "%s", section);
		if (!item) {
			json_decref(entry);
			return no_memory(save);
		}
		item->data = code->fatbin;
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

/* Puts one allocation into a section of its own, or into the pack that is being filled. */
static int list_allocation(struct save *save, const struct hetckpt_arena_allocation *a,
                           struct hetckpt_item **item, uint64_t *packs, uint64_t *offset)
{
	struct hetckpt_capture *capture = save->capture;
	struct hetckpt_item *pack = *item;

	*offset = 0;
	if (a->bytes >= HETCKPT_SMALL_BYTES) {
		*item = hetckpt_capture_add(capture, HETCKPT_ITEM_MEMORY, a->bytes, "memory/0x%" PRIx64, a->address);
		if (*item)
			(*item)->address = a->address;
		return *item ? 0 : no_memory(save);
	}
	if (!pack || pack->bytes + a->bytes > HETCKPT_PACK_BYTES) {
		*item = pack = hetckpt_capture_add(capture, HETCKPT_ITEM_PACK, 0, "memory/small-%" PRIu64, (*packs)++);
		if (!pack)
			return no_memory(save);
		pack->first = capture->smalls;
	}
	*offset = pack->bytes;
	pack->bytes += a->bytes;
	pack->count++;
	capture->bytes += a->bytes;
	capture->small[capture->smalls++] = *a;
	return 0;
}

static int list_memory(struct save *save, json_t *allocations)
{
	const struct hetckpt_arena_allocation *list;
	size_t count, pack = SIZE_MAX;
	uint64_t packs = 0;
	int rc = 0;

	list = hetckpt_arena_list(save->core->app.arena, &count);
	save->capture->small = malloc((count + 1) * sizeof *list);
	if (!save->capture->small)
		return no_memory(save);
	for (size_t i = 0; i < count && !rc; i++) {
		bool small = list[i].bytes < HETCKPT_SMALL_BYTES;
		/* By number: the list of items moves as it grows. */
		struct hetckpt_item *item = small && pack != SIZE_MAX ? &save->capture->item[pack] : NULL;
		uint64_t offset = 0;
		json_t *entry;

		entry = json_pack("{s:o, s:I}", "address", hetckpt_address_json(list[i].address), "bytes",
		                  (json_int_t)list[i].bytes);
		if (!save->outline) {
			rc = list_allocation(save, &list[i], &item, &packs, &offset);
			if (rc) {
				json_decref(entry);
				break;
			}
			if (small)
				pack = (size_t)(item - save->capture->item);
			if (entry && (json_object_set_new(entry, "section", json_string(item->name)) ||
			              json_object_set_new(entry, "offset", json_integer((json_int_t)offset)))) {
				json_decref(entry);
				return no_memory(save);
			}
		}
		if (entry && list[i].tag == HETCKPT_TAG_HEAP)
			json_object_set_new(entry, "heap", json_true());
		else if (entry && list[i].tag)
			json_object_set_new(entry, "module", json_integer((json_int_t)list[i].tag - 1));
		rc = append(save, allocations, entry);
	}
	return rc;
}

static int list_hosts(struct save *save, json_t *hosts)
{
	int rc = 0;

	for (struct hetckpt_host_buffer *b = save->core->hosts; b && !rc; b = b->next) {
		json_t *entry = json_pack("{s:o, s:I}", "address", hetckpt_address_json(b->address), "bytes",
		                          (json_int_t)b->bytes);

		if (entry && !save->without_host) {
			struct hetckpt_item *item = hetckpt_capture_add(save->capture, HETCKPT_ITEM_BYTES, b->bytes,
				"host/0x%" PRIx64, b->address);

			if (!item) {
				json_decref(entry);
				return no_memory(save);
			}
			item->data = (const void *)(uintptr_t)b->address;
			json_object_set_new(entry, "section", json_string(item->name));
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

/* A section of memory that the capture frees (owned, taken also on failure). */
static bool own(struct save *save, void *owned, uint64_t bytes, const char *name)
{
	struct hetckpt_item *item = NULL;

	if (owned)
		item = hetckpt_capture_add(save->capture, HETCKPT_ITEM_BYTES, bytes, "%s", name);
	if (item)
		item->data = item->owned = owned;
	else
		free(owned);
	return item;
}

/* A launch under way; NULL: out of memory. */
static json_t *flight_json(struct save *save, const struct hetckpt_command *command)
{
	const struct hetckpt_flight *f = command->flight;
	uint64_t parked = f->todo.parked_count, ranges = f->todo.range_count;
	char name[64];
	json_t *entry;

	entry = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"blocks", (json_int_t)f->total, "done", (json_int_t)f->done, "parked", (json_int_t)parked,
		"unstarted", (json_int_t)hetckpt_blocks_unstarted(&f->todo), "range_count", (json_int_t)ranges,
		"threads", (json_int_t)f->threads, "group_bytes", (json_int_t)f->group_bytes);
	if (entry && parked) {
		uint32_t *blocks = malloc(parked * sizeof *blocks);
		struct hetckpt_item *frames;

		for (size_t i = 0; blocks && i < parked; i++)
			blocks[i] = f->todo.parked[i].block;
		snprintf(name, sizeof name, "launch/%" PRIu64 "/blocks", command->seq);
		if (!own(save, blocks, parked * sizeof *blocks, name) ||
		    json_object_set_new(entry, "blocks_section", json_string(name)))
			goto fail;
		snprintf(name, sizeof name, "launch/%" PRIu64 "/frames", command->seq);
		frames = hetckpt_capture_add(save->capture, HETCKPT_ITEM_FRAMES, parked * f->group_bytes, "%s", name);
		if (!frames || json_object_set_new(entry, "frames_section", json_string(name)))
			goto fail;
		frames->flight = f;
	}
	if (entry && ranges) {
		void *copy = malloc(ranges * sizeof *f->todo.ranges);

		if (copy)
			memcpy(copy, f->todo.ranges, ranges * sizeof *f->todo.ranges);
		snprintf(name, sizeof name, "launch/%" PRIu64 "/ranges", command->seq);
		if (!own(save, copy, ranges * sizeof *f->todo.ranges, name) ||
		    json_object_set_new(entry, "ranges_section", json_string(name)))
			goto fail;
	}
	return entry;
fail:
	json_decref(entry);
	return NULL;
}

/* The messages themselves, one behind the other. */
static int list_messages(struct save *save, uint64_t bytes)
{
	unsigned char *all, *at;

	if (!bytes)
		return 0;
	at = all = malloc(bytes);
	if (!all)
		return no_memory(save);
	for (struct hetckpt_command *c = save->core->oldest; c; c = c->next) {
		memcpy(at, c->msg, c->msg->bytes);
		at += c->msg->bytes;
	}
	return own(save, all, bytes, "commands") ? 0 : no_memory(save);
}

/* What stands in the way of a command is only what is before it in its stream. */
static bool waits_in_line(const struct hetckpt_command *c)
{
	bool free = c->stream && c->state == HETCKPT_COMMAND_QUEUED && c->reply == HETCKPT_NO_REPLY && !c->payload;

	for (unsigned i = 0; i < c->deps && free; i++)
		free = c->dep[i]->state == HETCKPT_COMMAND_DONE;
	return free;
}

/* Two launches of which the manifest says the same: programs queue them by the ten thousand. */
static bool alike(const struct hetckpt_command *a, const struct hetckpt_command *b)
{
	const struct hetckpt_msg_launch *m = (const void *)(a->msg + 1), *n = (const void *)(b->msg + 1);

	return a->type == HETCKPT_MSG_LAUNCH && b->type == HETCKPT_MSG_LAUNCH && a->stream == b->stream &&
	       m->function == n->function && m->dynamic_shared == n->dynamic_shared && m->flags == n->flags &&
	       !memcmp(m->grid, n->grid, sizeof m->grid) && !memcmp(m->block, n->block, sizeof m->block) &&
	       waits_in_line(a) && waits_in_line(b);
}

/* One command, or a row of count that are alike, of so many bytes. NULL: out of memory. */
static json_t *command_json(struct save *save, const struct hetckpt_command *c, uint64_t count, uint64_t offset,
                            uint64_t bytes)
{
	json_t *entry = json_pack("{s:I, s:s, s:I, s:I, s:b}", "seq", (json_int_t)c->seq,
		"type", c->type < HETCKPT_MSG_COUNT && type_name[c->type] ? type_name[c->type] : "other",
		"offset", (json_int_t)offset, "bytes", (json_int_t)bytes, "begun", c->state == HETCKPT_COMMAND_ISSUED);
	json_t *after;

	if (!entry)
		return NULL;
	if (count > 1)
		json_object_set_new(entry, "count", json_integer((json_int_t)count));
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
	if (c->flight && json_object_set_new(entry, "launch", flight_json(save, c))) {
		json_decref(entry);
		return NULL;
	}
	if (c->payload) {
		const struct hetckpt_msg_copy *m = (const void *)(c->msg + 1);
		struct hetckpt_item *item = hetckpt_capture_add(save->capture, HETCKPT_ITEM_BYTES,
			m->width * m->height * m->depth, "payload/%" PRIu64, c->seq);

		if (!item || json_object_set_new(entry, "payload", json_string(item->name))) {
			json_decref(entry);
			return NULL;
		}
		item->data = c->payload;
	}
	return entry;
}

static int list_commands(struct save *save, json_t *commands)
{
	uint64_t offset = 0;
	int rc = 0;

	for (struct hetckpt_command *c = save->core->oldest, *next; c && !rc; c = next) {
		uint64_t count = 1, bytes = c->msg->bytes;
		json_t *entry;

		for (next = c->next; next && alike(c, next); next = next->next, count++)
			bytes += next->msg->bytes;
		entry = command_json(save, c, count, offset, bytes);
		offset += bytes;
		rc = entry ? append(save, commands, entry) : no_memory(save);
	}
	return rc ? rc : list_messages(save, offset);
}

/* Those that the program has set. */
static json_t *limits_json(const struct hetckpt_core *core)
{
	json_t *limits = json_object();

	for (unsigned i = 0; limits && i < HETCKPT_LIMIT_COUNT; i++)
		if (core->limit[i])
			json_object_set_new(limits, hetckpt_limit_name[i], json_integer((json_int_t)core->limit[i]));
	return limits;
}

static int build_manifest(struct save *save)
{
	static const char *const lists[] = {"modules", "functions", "allocations", "host_buffers",
	                                    "streams", "events", "commands"};
	struct hetckpt_core *core = save->core;
	json_t *manifest, *list[7];
	uint64_t now = 0;
	int rc = save->outline ? 0 : hetckpt_dev_settle(&core->dev, &now, save->error);

	if (rc)
		return rc;
	manifest = json_pack("{s:s, s:i, s:i, s:{s:s, s:I, s:s}, s:I, s:I, s:I}",
		"kind", "hetckpt session", "state", HETCKPT_STATE_VERSION, "abi", (int)HETCKPT_ABI_VERSION,
		"device", "backend", core->backend->name, "index", (json_int_t)core->device_index,
		"name", core->dev.facts.name, "arena", (json_int_t)core->arena_index,
		"taken_seq", (json_int_t)core->submitted,
		/* An outline has no time: the offset alone may be negative. */
		"time_ns", (json_int_t)(save->outline ? 0 : now + core->time_offset));
	if (!manifest)
		return no_memory(save);
	save->capture->manifest = manifest;
	if (json_object_set_new(manifest, "limits", limits_json(core)))
		return no_memory(save);
	for (int i = 0; i < 7; i++) {
		list[i] = json_array();
		if (json_object_set_new(manifest, lists[i], list[i]))
			return no_memory(save);
	}
	rc = list_modules(save, list[0], list[1]);
	if (!rc)
		rc = list_memory(save, list[2]);
	if (rc || save->outline)
		return rc;
	rc = list_hosts(save, list[3]);
	if (!rc)
		rc = list_streams(save, list[4], list[5]);
	return rc ? rc : list_commands(save, list[6]);
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

int hetckpt_capture_list(struct hetckpt_core *core, bool without_host, struct hetckpt_capture *capture,
                         struct hetckpt_error *error)
{
	struct save save = {.core = core, .capture = capture, .without_host = without_host, .error = error};
	int rc;

	*capture = (struct hetckpt_capture){.core = core};
	if (core->state != HETCKPT_CORE_PAUSED)
		return hetckpt_error_set(error, -EBUSY, 0, "the state can only be saved while paused");
	rc = take_payloads(&save);
	return rc ? rc : build_manifest(&save);
}

int hetckpt_capture_outline(struct hetckpt_core *core, struct hetckpt_capture *capture,
                            struct hetckpt_error *error)
{
	struct save save = {.core = core, .capture = capture, .outline = true, .error = error};

	*capture = (struct hetckpt_capture){.core = core};
	return build_manifest(&save);
}
