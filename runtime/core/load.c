/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Fills an empty core from a snapshot: everything is recreated where it was, on whatever
 * device this is. docs/session-state.md describes what it reads.
 *
 * The order matters: addresses are claimed before anything else asks for memory,
 * modules need their variables' addresses, functions need modules, commands need all.
 */
#include "io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "launch.h"
#include "runtime/common/log.h"
#include "runtime/snapshot/reader.h"

/* Limits on what a manifest may ask for, so that a damaged one cannot. */
#define MODULE_MAX ((uint64_t)8 << 30)
#define COMMANDS_MAX ((uint64_t)4 << 30)

struct load {
	struct hetckpt_core *core;
	struct hetckpt_reader *reader;
	struct hetckpt_pump pump;
	struct hetckpt_fields fields;
	struct hetckpt_error *error;
	const json_t *manifest;
	bool detached;
	struct hetckpt_command **commands; /* in order of seq; NULL: not taken over */
	uint64_t *seqs;
	size_t count;
};

static int failed(struct load *load, int rc)
{
	if (!rc)
		return 0;
	if (load->pump.error.code && load->error)
		*load->error = load->pump.error;
	else
		hetckpt_error_set(load->error, rc, 0, "%s", hetckpt_reader_error(load->reader));
	return load->fields.rc = rc;
}

/* Finds a section of exactly bytes bytes. */
static int section(struct load *load, const char *name, uint64_t bytes, size_t *number)
{
	int rc = failed(load, hetckpt_reader_find(load->reader, name, number));

	if (!rc && hetckpt_reader_section(load->reader, *number)->bytes != bytes)
		rc = hetckpt_fields_fail(&load->fields, -EINVAL, "section %s has %" PRIu64 " bytes, not %" PRIu64,
			name, hetckpt_reader_section(load->reader, *number)->bytes, bytes);
	return rc;
}

/* Reads a whole section into fresh memory. */
static int read_section(struct load *load, const char *name, uint64_t bytes, void **data)
{
	size_t number;
	int rc = section(load, name, bytes, &number);

	if (rc)
		return rc;
	*data = malloc(bytes ? bytes : 1);
	if (!*data)
		return hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory for section %s", name);
	rc = failed(load, hetckpt_reader_read(load->reader, number, 0, *data, bytes));
	if (rc) {
		free(*data);
		*data = NULL;
	}
	return rc;
}

/* ---- Memory and modules ------------------------------------------------ */

static int add_modules(struct load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "modules"), *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		uint64_t number, bytes;
		const char *name;
		void *data = NULL;
		int rc;

		hetckpt_fields_what(&load->fields, "module %zu", i);
		number = hetckpt_field_number(&load->fields, entry, "number", INT64_MAX - 1);
		bytes = hetckpt_field_number(&load->fields, entry, "bytes", MODULE_MAX);
		name = hetckpt_field_text(&load->fields, entry, "section");
		if (load->fields.rc || read_section(load, name, bytes, &data))
			return load->fields.rc;
		rc = hetckpt_modules_add(&load->core->modules, number, data, bytes, load->error);
		if (rc)
			return load->fields.rc = rc;
	}
	return load->fields.rc;
}

static int claim_memory(struct load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "allocations"), *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		uint64_t address, bytes, tag = 0;
		int rc;

		hetckpt_fields_what(&load->fields, "allocation %zu", i);
		address = hetckpt_field_address(&load->fields, entry, "address");
		bytes = hetckpt_field_number(&load->fields, entry, "bytes", HETCKPT_ARENA_BYTES);
		if (json_object_get(entry, "module"))
			tag = HETCKPT_TAG_MODULE(hetckpt_field_number(&load->fields, entry, "module", INT64_MAX - 1));
		if (load->fields.rc)
			return load->fields.rc;
		rc = hetckpt_heap_claim(&load->core->app, address, bytes, tag, load->error);
		if (rc)
			return load->fields.rc = rc;
	}
	return load->fields.rc;
}

static int fill_memory(struct load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "allocations"), *entry;
	unsigned char *buffer = malloc(HETCKPT_SMALL_BYTES);
	size_t i;

	if (!buffer)
		return hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory");
	json_array_foreach(list, i, entry) {
		uint64_t address, bytes, offset;
		const char *name;
		size_t number;
		int rc;

		hetckpt_fields_what(&load->fields, "allocation %zu", i);
		address = hetckpt_field_address(&load->fields, entry, "address");
		bytes = hetckpt_field_number(&load->fields, entry, "bytes", HETCKPT_ARENA_BYTES);
		offset = hetckpt_field_number(&load->fields, entry, "offset", HETCKPT_ARENA_BYTES);
		name = hetckpt_field_text(&load->fields, entry, "section");
		if (load->fields.rc)
			break;
		load->pump.address = address;
		if (bytes >= HETCKPT_SMALL_BYTES) {
			if (!section(load, name, bytes, &number))
				failed(load, hetckpt_reader_each(load->reader, number, HETCKPT_READ_ANY_ORDER,
				                                 hetckpt_pump_take, &load->pump));
		} else {
			rc = failed(load, hetckpt_reader_find(load->reader, name, &number));
			if (!rc)
				rc = failed(load, hetckpt_reader_read(load->reader, number, offset, buffer, bytes));
			if (!rc)
				load->fields.rc = hetckpt_dev_write(&load->core->dev, address, buffer, bytes, load->error);
		}
		if (load->fields.rc)
			break;
	}
	free(buffer);
	return load->fields.rc;
}

/* A buffer that the application still shares needs neither memory nor contents. */
static int restore_host(struct load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "host_buffers"), *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		struct hetckpt_host_buffer *known;
		uint64_t address, bytes;
		const char *name;
		size_t number;
		int fd, rc;

		hetckpt_fields_what(&load->fields, "page-locked buffer %zu", i);
		address = hetckpt_field_address(&load->fields, entry, "address");
		bytes = hetckpt_field_number(&load->fields, entry, "bytes", HETCKPT_ARENA_BYTES);
		if (load->fields.rc)
			return load->fields.rc;
		known = hetckpt_host_find(load->core, address, bytes);
		if (known && known->address == address && known->bytes == bytes)
			continue;
		name = json_string_value(json_object_get(entry, "section"));
		if (!name)
			return hetckpt_fields_fail(&load->fields, -ENOENT,
				"its contents are not in the snapshot and nobody shares it");
		if (section(load, name, bytes, &number))
			return load->fields.rc;
		fd = memfd_create("hetckpt-host", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, (off_t)bytes)) {
			rc = -errno;
			if (fd >= 0)
				close(fd);
			return hetckpt_fields_fail(&load->fields, rc, "cannot make memory for it: %s", strerror(-rc));
		}
		rc = hetckpt_host_map(load->core, address, bytes, fd, load->error);
		close(fd);
		if (rc)
			return load->fields.rc = rc;
		if (failed(load, hetckpt_reader_read(load->reader, number, 0, (void *)(uintptr_t)address, bytes)))
			return load->fields.rc;
	}
	return load->fields.rc;
}

static int load_modules(struct load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "modules"), *entry;
	struct hetckpt_core *core = load->core;
	size_t i;

	json_array_foreach(list, i, entry) {
		const struct hetckpt_arena_allocation *block;
		struct hetckpt_code *code;
		uint64_t at, bytes;
		int rc;

		hetckpt_fields_what(&load->fields, "module %zu", i);
		if (!hetckpt_field_flag(&load->fields, entry, "loaded"))
			continue;
		at = hetckpt_field_address(&load->fields, entry, "variables");
		bytes = hetckpt_field_number(&load->fields, entry, "variable_bytes", HETCKPT_ARENA_BYTES);
		code = hetckpt_modules_find(&core->modules,
		                            hetckpt_field_number(&load->fields, entry, "number", INT64_MAX - 1));
		if (load->fields.rc)
			return load->fields.rc;
		block = hetckpt_arena_at(core->app.arena, at);
		if (bytes && (!block || block->tag != HETCKPT_TAG_MODULE(code->number) || block->bytes != bytes))
			return hetckpt_fields_fail(&load->fields, -EINVAL, "its variables are not among the allocations");
		rc = hetckpt_code_load(&core->modules, code, bytes ? at : 0, load->error);
		if (rc)
			return load->fields.rc = rc;
		if (code->map->variable_bytes != bytes)
			return hetckpt_fields_fail(&load->fields, -EINVAL,
				"its image has %" PRIu64 " bytes of variables, the snapshot %" PRIu64,
				code->map->variable_bytes, bytes);
	}
	return load->fields.rc;
}

static int load_functions(struct load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "functions"), *entry;
	struct hetckpt_core *core = load->core;
	size_t i;

	json_array_foreach(list, i, entry) {
		struct hetckpt_function *function;
		struct hetckpt_code *code;
		uint64_t handle, number, shared;
		const char *name, *hash;
		json_t *actual;
		bool same;
		int rc;

		hetckpt_fields_what(&load->fields, "function %zu", i);
		handle = hetckpt_field_number(&load->fields, entry, "handle", INT64_MAX - 1);
		number = hetckpt_field_number(&load->fields, entry, "module", INT64_MAX - 1);
		shared = hetckpt_field_number(&load->fields, entry, "max_dynamic_shared", UINT32_MAX);
		name = hetckpt_field_text(&load->fields, entry, "name");
		hash = hetckpt_field_text(&load->fields, entry, "hash");
		code = hetckpt_modules_find(&core->modules, number);
		if (!load->fields.rc && (!code || !code->module))
			hetckpt_fields_fail(&load->fields, -EINVAL, "its module %" PRIu64 " is not loaded", number);
		if (load->fields.rc)
			return load->fields.rc;
		rc = hetckpt_function_claim(&core->modules, code, name, handle, &function, load->error);
		if (rc)
			return load->fields.rc = rc;
		actual = hetckpt_hash_json(function->map->hash);
		same = actual && !strcmp(json_string_value(actual), hash);
		json_decref(actual);
		if (!same)
			return hetckpt_fields_fail(&load->fields, -EINVAL,
				"the state map of %.120s has another hash than when the snapshot was written",
				function->map->signature);
		if (shared > function->facts[0].max_dynamic_shared)
			return hetckpt_fields_fail(&load->fields, -ENOSPC,
				"%.120s uses up to %" PRIu64 " bytes of dynamic shared memory, this device has %u",
				function->map->signature, shared, function->facts[0].max_dynamic_shared);
		function->max_dynamic_shared = (uint32_t)shared;
	}
	return load->fields.rc;
}

/* ---- Streams ----------------------------------------------------------- */

static int load_streams(struct load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "streams"), *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		struct hetckpt_stream *stream;
		uint64_t id, flags;
		int rc;

		hetckpt_fields_what(&load->fields, "stream %zu", i);
		id = hetckpt_field_number(&load->fields, entry, "id", UINT32_MAX);
		flags = hetckpt_field_number(&load->fields, entry, "flags", UINT32_MAX);
		if (load->fields.rc)
			return load->fields.rc;
		if (!id)
			continue; /* there from the start */
		rc = hetckpt_stream_create(load->core, (uint32_t)id, (uint32_t)flags,
			(int32_t)json_integer_value(json_object_get(entry, "priority")), &stream, load->error);
		if (rc)
			return load->fields.rc = rc;
	}
	return load->fields.rc;
}

/* Only now: commands find their streams by number, and destroyed ones are not found. */
static int mark_destroyed(struct load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "streams"), *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		struct hetckpt_stream *stream;

		hetckpt_fields_what(&load->fields, "stream %zu", i);
		if (!hetckpt_field_flag(&load->fields, entry, "destroyed"))
			continue;
		stream = hetckpt_stream_find(load->core, (uint32_t)hetckpt_field_number(&load->fields, entry, "id", UINT32_MAX));
		if (stream && stream->id)
			stream->destroyed = true;
	}
	return load->fields.rc;
}

static struct hetckpt_command *command_at(const struct load *load, uint64_t seq)
{
	size_t low = 0, high = load->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (load->seqs[middle] < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low < load->count && load->seqs[low] == seq ? load->commands[low] : NULL;
}

static int load_events(struct load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "events"), *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		struct hetckpt_command *record = NULL;
		struct hetckpt_event *event;
		const char *state;
		uint64_t id, flags;
		int rc;

		hetckpt_fields_what(&load->fields, "event %zu", i);
		id = hetckpt_field_number(&load->fields, entry, "id", UINT32_MAX);
		flags = hetckpt_field_number(&load->fields, entry, "flags", UINT32_MAX);
		state = hetckpt_field_text(&load->fields, entry, "record");
		if (!strcmp(state, "pending")) {
			record = command_at(load, hetckpt_field_number(&load->fields, entry, "command", INT64_MAX));
			if (!record)
				hetckpt_fields_fail(&load->fields, -EINVAL, "the command that records it is missing");
			else
				hetckpt_command_hold(record);
		} else if (!strcmp(state, "done")) {
			record = calloc(1, sizeof *record);
			if (!record)
				return hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory");
			record->refs = 1;
			record->state = HETCKPT_COMMAND_DONE;
			record->when = hetckpt_field_number(&load->fields, entry, "time_ns", INT64_MAX);
		} else if (strcmp(state, "never")) {
			hetckpt_fields_fail(&load->fields, -EINVAL, "\"record\" is '%.20s'", state);
		}
		rc = load->fields.rc ? load->fields.rc
		                     : hetckpt_event_create(load->core, (uint32_t)id, (uint32_t)flags, &event,
		                                            load->error);
		if (rc) {
			hetckpt_command_drop(load->core, record);
			return load->fields.rc = rc;
		}
		event->record = record;
	}
	return load->fields.rc;
}

/* ---- Commands ---------------------------------------------------------- */

/* The unfinished blocks, checked: inside the grid, none twice, as many as there should be. */
static int check_blocks(struct load *load, const struct hetckpt_blocks *todo, uint64_t total,
                        uint64_t done)
{
	uint64_t end = 0, sum = todo->parked_count;
	size_t k = 0;

	for (size_t i = 0; i < todo->parked_count; i++)
		if (todo->parked[i].block >= total ||
		    (i && todo->parked[i].block <= todo->parked[i - 1].block))
			return hetckpt_fields_fail(&load->fields, -EINVAL, "parked block %u is out of order or range",
			                           todo->parked[i].block);
	for (size_t i = 0; i < todo->range_count; i++) {
		const struct hetckpt_range *r = &todo->ranges[i];

		if (!r->count || r->first < end || r->first >= total || r->count > total - r->first)
			return hetckpt_fields_fail(&load->fields, -EINVAL, "range %zu of blocks is out of order or range", i);
		while (k < todo->parked_count && todo->parked[k].block < r->first)
			k++;
		if (k < todo->parked_count && todo->parked[k].block < r->first + r->count)
			return hetckpt_fields_fail(&load->fields, -EINVAL, "block %u is both parked and not begun",
			                           todo->parked[k].block);
		end = r->first + r->count;
		sum += r->count;
	}
	if (sum > total || done != total - sum)
		return hetckpt_fields_fail(&load->fields, -EINVAL,
			"%" PRIu64 " blocks done and %" PRIu64 " to come do not make %" PRIu64, done, sum, total);
	return 0;
}

static int load_todo(struct load *load, const json_t *entry, uint64_t parked,
                     struct hetckpt_blocks *todo)
{
	uint64_t ranges = hetckpt_field_number(&load->fields, entry, "range_count", UINT32_MAX);
	uint32_t *blocks = NULL;
	void *data = NULL;
	int rc = load->fields.rc;

	if (!rc && parked) {
		rc = read_section(load, hetckpt_field_text(&load->fields, entry, "blocks_section"), parked * 4, &data);
		blocks = data;
	}
	for (uint64_t i = 0; !rc && i < parked; i++)
		if (hetckpt_blocks_add_parked(todo, blocks[i], (uint32_t)i))
			rc = hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory");
	free(blocks);
	data = NULL;
	if (!rc && ranges)
		rc = read_section(load, hetckpt_field_text(&load->fields, entry, "ranges_section"),
		                  ranges * sizeof(struct hetckpt_range), &data);
	if (!rc && ranges) {
		todo->ranges = data;
		todo->range_count = todo->range_room = ranges;
	}
	return rc;
}

static int load_flight(struct load *load, const json_t *entry, struct hetckpt_command *command)
{
	const struct hetckpt_msg_launch *msg = (const void *)(command->msg + 1);
	struct hetckpt_core *core = load->core;
	struct hetckpt_function *function = hetckpt_function_find(&core->modules, msg->function);
	struct hetckpt_blocks todo = {0};
	struct hetckpt_frames *frames = NULL;
	uint64_t parked, done, total, group_bytes, threads;
	size_t number;
	int rc;

	parked = hetckpt_field_number(&load->fields, entry, "parked", UINT32_MAX - 1);
	done = hetckpt_field_number(&load->fields, entry, "done", UINT32_MAX);
	group_bytes = hetckpt_field_number(&load->fields, entry, "group_bytes", (uint64_t)1 << 40);
	if (load->fields.rc)
		return load->fields.rc;
	if (!function || !function->map->pausable)
		return hetckpt_fields_fail(&load->fields, -EINVAL, "its kernel is unknown or cannot pause");
	for (int i = 0; i < 3; i++)
		if (!msg->grid[i] || !msg->block[i] || msg->block[i] > 65536)
			return hetckpt_fields_fail(&load->fields, -EINVAL, "its geometry is impossible");
	threads = (uint64_t)msg->block[0] * msg->block[1] * msg->block[2];
	total = hetckpt_grid_blocks(msg->grid);
	if (total >= UINT32_MAX || threads > HETCKPT_FRAME_MAX_THREADS ||
	    msg->param_bytes != function->map->param_bytes)
		return hetckpt_fields_fail(&load->fields, -EINVAL, "its geometry or parameters are impossible");
	if (group_bytes != hetckpt_frame_group_bytes(function->map, (uint32_t)threads, msg->dynamic_shared))
		return hetckpt_fields_fail(&load->fields, -EINVAL, "its frames have another size than its kernel's");
	rc = load_todo(load, entry, parked, &todo);
	if (!rc)
		rc = check_blocks(load, &todo, total, done);
	if (!rc && parked) {
		rc = section(load, hetckpt_field_text(&load->fields, entry, "frames_section"),
		             parked * group_bytes, &number);
		if (!rc)
			rc = load->fields.rc = hetckpt_frames_get_dense(&core->pool, (uint32_t)parked,
				(uint32_t)threads, group_bytes, &frames, load->error);
		if (!rc) {
			load->pump.address = frames->groups;
			rc = failed(load, hetckpt_reader_each(load->reader, number, HETCKPT_READ_ANY_ORDER,
			                                      hetckpt_pump_take, &load->pump));
		}
	}
	if (!rc)
		rc = load->fields.rc = hetckpt_launch_restore(core, function, msg->grid, msg->block,
			msg->dynamic_shared, msg->flags, msg->params, msg->param_bytes, &todo, frames, done,
			&command->flight, load->error);
	if (rc)
		hetckpt_frames_put(&core->pool, frames);
	hetckpt_blocks_free(&todo);
	return rc;
}

/* Copies whose result nobody can receive any more. */
static bool pointless(const struct load *load, const struct hetckpt_msg *msg)
{
	const struct hetckpt_msg_copy *copy = (const void *)(msg + 1);

	return load->detached && msg->type == HETCKPT_MSG_COPY &&
	       copy->dst_space == HETCKPT_SPACE_STAGING;
}

static bool type_known(const struct hetckpt_msg *msg, bool stream)
{
	static const struct { uint32_t type; size_t body; bool stream; } known[] = {
		{HETCKPT_MSG_COPY, sizeof(struct hetckpt_msg_copy), true},
		{HETCKPT_MSG_FILL, sizeof(struct hetckpt_msg_fill), true},
		{HETCKPT_MSG_LAUNCH, sizeof(struct hetckpt_msg_launch), true},
		{HETCKPT_MSG_STREAM_WAIT, sizeof(struct hetckpt_msg_stream), true},
		{HETCKPT_MSG_EVENT_RECORD, sizeof(struct hetckpt_msg_event), true},
		{HETCKPT_MSG_HOST_CALL, sizeof(struct hetckpt_msg_host), true},
		{HETCKPT_MSG_FREE, sizeof(struct hetckpt_msg_free), false},
		{HETCKPT_MSG_MODULE_UNLOAD, sizeof(struct hetckpt_msg_module), false},
		{HETCKPT_MSG_STREAM_SYNC, 0, false},
		{HETCKPT_MSG_EVENT_SYNC, 0, false},
		{HETCKPT_MSG_DEVICE_SYNC, 0, false},
		{HETCKPT_MSG_DEVICE_RESET, 0, false},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].type == msg->type)
			return known[i].stream == stream && msg->bytes >= sizeof *msg + known[i].body &&
			       (msg->type != HETCKPT_MSG_LAUNCH ||
			        ((const struct hetckpt_msg_launch *)(msg + 1))->param_bytes <=
			                msg->bytes - sizeof *msg - sizeof(struct hetckpt_msg_launch));
	return false;
}

static int load_after(struct load *load, const json_t *entry, struct hetckpt_command *command)
{
	json_t *after = json_object_get(entry, "after"), *value;
	size_t i;

	json_array_foreach(after, i, value) {
		uint64_t seq = (uint64_t)json_integer_value(value);
		struct hetckpt_command *dep = command_at(load, seq);

		/* One that was not taken over counts as done. */
		if (!json_is_integer(value) || seq >= command->seq)
			return hetckpt_fields_fail(&load->fields, -EINVAL, "it waits for a command that is not before it");
		if (dep && hetckpt_command_after(command, dep))
			return hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory");
	}
	return 0;
}

static int load_payload(struct load *load, const json_t *entry, struct hetckpt_command *command)
{
	const struct hetckpt_msg_copy *copy = (const void *)(command->msg + 1);
	const char *name = json_string_value(json_object_get(entry, "payload"));
	uint64_t row, bytes;

	if (command->type != HETCKPT_MSG_COPY || copy->src_space != HETCKPT_SPACE_STAGING || !name)
		return 0;
	if (__builtin_mul_overflow(copy->width, copy->height, &row) ||
	    __builtin_mul_overflow(row, copy->depth, &bytes) || bytes > COMMANDS_MAX)
		return hetckpt_fields_fail(&load->fields, -EINVAL, "its payload is too large");
	return read_section(load, name, bytes, &command->payload);
}

static int load_command(struct load *load, const json_t *entry, size_t i, const unsigned char *all,
                        uint64_t all_bytes)
{
	struct hetckpt_core *core = load->core;
	uint64_t seq, offset, bytes;
	const json_t *where = json_object_get(entry, "stream"), *launch = json_object_get(entry, "launch");
	struct hetckpt_stream *stream = NULL;
	struct hetckpt_command *command;
	const struct hetckpt_msg *msg;
	bool begun;
	int rc;

	hetckpt_fields_what(&load->fields, "command %zu", i);
	seq = hetckpt_field_number(&load->fields, entry, "seq", INT64_MAX);
	offset = hetckpt_field_number(&load->fields, entry, "offset", all_bytes);
	bytes = hetckpt_field_number(&load->fields, entry, "bytes", all_bytes);
	begun = hetckpt_field_flag(&load->fields, entry, "begun");
	if (load->fields.rc)
		return load->fields.rc;
	msg = (const void *)(all + offset);
	if (bytes > all_bytes - offset || bytes < sizeof *msg || offset % 8 || msg->bytes != bytes ||
	    msg->seq != seq || (i && seq <= load->seqs[i - 1]) || !type_known(msg, where != NULL))
		return hetckpt_fields_fail(&load->fields, -EINVAL, "it is malformed");
	load->seqs[i] = seq;
	load->count = i + 1;
	if (pointless(load, msg))
		return 0;
	if (where) {
		stream = hetckpt_stream_find(core, (uint32_t)json_integer_value(where));
		if (!stream)
			return hetckpt_fields_fail(&load->fields, -EINVAL, "its stream does not exist");
	}
	command = hetckpt_command_make(msg);
	if (!command)
		return hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory");
	command->reply = HETCKPT_NO_REPLY;
	if (!load->detached && json_object_get(entry, "reply"))
		command->reply = (uint32_t)hetckpt_field_number(&load->fields, entry, "reply", UINT32_MAX - 1);
	rc = load->fields.rc;
	if (!rc)
		rc = load_after(load, entry, command);
	if (!rc)
		rc = load_payload(load, entry, command);
	if (!rc && launch) {
		if (msg->type != HETCKPT_MSG_LAUNCH || !begun)
			rc = hetckpt_fields_fail(&load->fields, -EINVAL, "only a launch under way has frames");
		else
			rc = load_flight(load, launch, command);
	}
	if (!rc && begun && (stream == NULL || stream->first || (!launch && msg->type != HETCKPT_MSG_HOST_CALL)))
		rc = hetckpt_fields_fail(&load->fields, -EINVAL, "it cannot have begun");
	if (rc) {
		hetckpt_command_drop(core, command);
		return rc;
	}
	hetckpt_command_enqueue(core, command, stream);
	load->commands[i] = command;
	/* A callback that no application will carry out is begun again, and then skipped. */
	if (begun && (command->flight || !load->detached)) {
		command->state = HETCKPT_COMMAND_ISSUED;
		stream->gate = command;
		stream->queued = NULL;
		stream->issued_last = command;
	}
	return 0;
}

static int load_commands(struct load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "commands"), *entry;
	size_t count = json_array_size(list), i, number;
	uint64_t bytes;
	void *all = NULL;
	int rc;

	if (load->fields.rc || !count)
		return load->fields.rc;
	hetckpt_fields_what(&load->fields, "commands");
	rc = failed(load, hetckpt_reader_find(load->reader, "commands", &number));
	if (rc)
		return rc;
	bytes = hetckpt_reader_section(load->reader, number)->bytes;
	if (bytes > COMMANDS_MAX)
		return hetckpt_fields_fail(&load->fields, -EFBIG, "%" PRIu64 " bytes of commands", bytes);
	rc = read_section(load, "commands", bytes, &all);
	load->commands = calloc(count, sizeof *load->commands);
	load->seqs = calloc(count, sizeof *load->seqs);
	if (!rc && (!load->commands || !load->seqs))
		rc = hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory");
	json_array_foreach(list, i, entry) {
		if (rc)
			break;
		rc = load_command(load, entry, i, all, bytes);
	}
	free(all);
	return rc;
}

/* ---- All of it --------------------------------------------------------- */

static int load_head(struct load *load, uint64_t *taken, uint64_t *time)
{
	struct hetckpt_core *core = load->core;
	uint64_t arena;

	if (strcmp(hetckpt_field_text(&load->fields, load->manifest, "kind"), "hetckpt session"))
		hetckpt_fields_fail(&load->fields, -EINVAL, "this is no snapshot of a session");
	if (!load->fields.rc &&
	    hetckpt_field_number(&load->fields, load->manifest, "state", UINT32_MAX) != HETCKPT_STATE_VERSION)
		hetckpt_fields_fail(&load->fields, -ENOTSUP, "its state has another version than this program's");
	if (!load->fields.rc &&
	    hetckpt_field_number(&load->fields, load->manifest, "abi", UINT32_MAX) != HETCKPT_ABI_VERSION)
		hetckpt_fields_fail(&load->fields, -ENOTSUP, "its kernels have another ABI than this program's");
	arena = hetckpt_field_number(&load->fields, load->manifest, "arena", 31);
	*taken = hetckpt_field_number(&load->fields, load->manifest, "taken_seq", INT64_MAX);
	*time = hetckpt_field_number(&load->fields, load->manifest, "time_ns", INT64_MAX);
	if (load->fields.rc || arena == core->arena_index)
		return load->fields.rc;
	/* Addresses belong to the session: this device takes over its range. */
	hetckpt_core_close_state(core);
	hetckpt_dev_close(&core->dev);
	core->arena_index = (unsigned)arena;
	return load->fields.rc = hetckpt_core_open_state(core, load->error);
}

static int load_parts(struct load *load, uint64_t *taken)
{
	struct hetckpt_core *core = load->core;
	uint64_t time = 0, now = 0;
	int rc = load_head(load, taken, &time);

	if (!rc)
		rc = claim_memory(load);
	if (!rc)
		rc = add_modules(load);
	if (!rc)
		rc = fill_memory(load);
	if (!rc)
		rc = restore_host(load);
	if (!rc)
		rc = load_modules(load);
	if (!rc)
		rc = load_functions(load);
	if (!rc)
		rc = load_streams(load);
	if (!rc)
		rc = load_commands(load);
	if (!rc)
		rc = load_events(load);
	if (!rc)
		rc = mark_destroyed(load);
	if (!rc)
		rc = hetckpt_dev_settle(&core->dev, &now, load->error);
	if (rc)
		return rc;
	core->time_offset = time - now;
	core->submitted = *taken;
	core->detached = load->detached;
	return 0;
}

int hetckpt_load_locked(struct hetckpt_core *core, int fd, bool detached, uint64_t *taken,
                        struct hetckpt_error *error)
{
	struct load load = {.core = core, .detached = detached, .error = error};
	struct hetckpt_reader_options how = {0};
	uint64_t seq = 0;
	int rc;

	load.fields.error = error;
	hetckpt_pump_init(&load.pump, core);
	how.buffers = &load.pump.buffers;
	/* Nothing may be handed to the device before somebody says resume. */
	atomic_store(&core->stop, 1);
	core->state = HETCKPT_CORE_PAUSED;
	rc = failed(&load, hetckpt_reader_open_fd(fd, "snapshot", &how, &load.reader));
	if (!rc) {
		load.manifest = hetckpt_reader_manifest(load.reader);
		rc = load_parts(&load, &seq);
	}
	hetckpt_reader_close(load.reader);
	hetckpt_pump_destroy(&load.pump);
	free(load.commands);
	free(load.seqs);
	if (!rc && taken)
		*taken = seq;
	return rc;
}

int hetckpt_core_load(struct hetckpt_core *core, int fd, bool detached, uint64_t *taken,
                      struct hetckpt_error *error)
{
	size_t count;
	int rc;

	pthread_mutex_lock(&core->lock);
	hetckpt_arena_list(core->app.arena, &count);
	if (count || core->unfinished || core->submitted)
		rc = hetckpt_error_set(error, -EBUSY, 0, "a snapshot can only be loaded into a fresh worker");
	else
		rc = hetckpt_load_locked(core, fd, detached, taken, error);
	pthread_mutex_unlock(&core->lock);
	return rc;
}
