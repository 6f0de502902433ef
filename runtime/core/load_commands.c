/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Commands that are to come, launches under way, and events, out of a snapshot.
 */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"

/* A limit on what a manifest may ask for, so that a damaged one cannot. */
#define COMMANDS_MAX ((uint64_t)4 << 30)

static struct hetckpt_command *command_at(const struct hetckpt_load *load, uint64_t seq)
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

/* ---- Commands ---------------------------------------------------------- */

/* The unfinished blocks, checked: inside the grid, none twice, as many as there should be. */
static int check_blocks(struct hetckpt_load *load, const struct hetckpt_blocks *todo, uint64_t total,
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

static int load_todo(struct hetckpt_load *load, const json_t *entry, uint64_t parked,
                     struct hetckpt_blocks *todo)
{
	uint64_t ranges = hetckpt_field_number(&load->fields, entry, "range_count", UINT32_MAX);
	uint32_t *blocks = NULL;
	void *data = NULL;
	int rc = load->fields.rc;

	if (!rc && parked) {
		rc = hetckpt_load_read(load, hetckpt_field_text(&load->fields, entry, "blocks_section"), parked * 4, &data);
		blocks = data;
	}
	for (uint64_t i = 0; !rc && i < parked; i++)
		if (hetckpt_blocks_add_parked(todo, blocks[i], (uint32_t)i))
			rc = hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory");
	free(blocks);
	data = NULL;
	if (!rc && ranges)
		rc = hetckpt_load_read(load, hetckpt_field_text(&load->fields, entry, "ranges_section"),
		                  ranges * sizeof(struct hetckpt_range), &data);
	if (!rc && ranges) {
		todo->ranges = data;
		todo->range_count = todo->range_room = ranges;
	}
	return rc;
}

static int load_flight(struct hetckpt_load *load, const json_t *entry, struct hetckpt_command *command)
{
	const struct hetckpt_msg_launch *msg = (const void *)(command->msg + 1);
	struct hetckpt_core *core = load->core;
	struct hetckpt_function *function = hetckpt_function_find(&core->modules, msg->function);
	struct hetckpt_blocks todo = {0};
	struct hetckpt_frames *frames = NULL;
	uint64_t parked, done, total, group_bytes, threads;
	struct hetckpt_place place;
	int rc;

	parked = hetckpt_field_number(&load->fields, entry, "parked", UINT32_MAX - 1);
	done = hetckpt_field_number(&load->fields, entry, "done", UINT32_MAX);
	group_bytes = hetckpt_field_number(&load->fields, entry, "group_bytes", (uint64_t)1 << 40);
	if (load->fields.rc)
		return load->fields.rc;
	if (!function || !function->map->pausable)
		return hetckpt_fields_fail(&load->fields, -EINVAL, "its kernel is unknown or cannot pause");
	if (parked && !function->map->polls)
		return hetckpt_fields_fail(&load->fields, -EINVAL, "blocks are parked of a kernel that never parks");
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
		rc = hetckpt_load_find(load, hetckpt_field_text(&load->fields, entry, "frames_section"), &place);
		if (!rc && place.bytes != parked * group_bytes)
			rc = hetckpt_fields_fail(&load->fields, -EINVAL, "section %s has %" PRIu64 " bytes, not %" PRIu64,
				place.name, place.bytes, parked * group_bytes);
		if (!rc)
			rc = load->fields.rc = hetckpt_frames_get_dense(&core->pool, (uint32_t)parked,
				(uint32_t)threads, group_bytes, &frames, load->error);
		if (!rc)
			rc = hetckpt_load_device(load, &place, frames->groups);
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
static bool pointless(const struct hetckpt_load *load, const struct hetckpt_msg *msg)
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
		{HETCKPT_MSG_FREE, sizeof(struct hetckpt_msg_free), true},
		{HETCKPT_MSG_FREE, sizeof(struct hetckpt_msg_free), false},
		{HETCKPT_MSG_MODULE_UNLOAD, sizeof(struct hetckpt_msg_module), false},
		{HETCKPT_MSG_STREAM_SYNC, 0, false},
		{HETCKPT_MSG_EVENT_SYNC, 0, false},
		{HETCKPT_MSG_DEVICE_SYNC, 0, false},
		{HETCKPT_MSG_DEVICE_RESET, 0, false},
		{HETCKPT_MSG_DEVICE_LIMIT, sizeof(struct hetckpt_msg_limit), false},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].type == msg->type && known[i].stream == stream)
			return msg->bytes >= sizeof *msg + known[i].body &&
			       (msg->type != HETCKPT_MSG_LAUNCH ||
			        ((const struct hetckpt_msg_launch *)(msg + 1))->param_bytes <=
			                msg->bytes - sizeof *msg - sizeof(struct hetckpt_msg_launch));
	return false;
}

static int load_after(struct hetckpt_load *load, const json_t *entry, struct hetckpt_command *command)
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

static int load_payload(struct hetckpt_load *load, const json_t *entry, struct hetckpt_command *command)
{
	const struct hetckpt_msg_copy *copy = (const void *)(command->msg + 1);
	const char *name = json_string_value(json_object_get(entry, "payload"));
	uint64_t row, bytes;

	if (command->type != HETCKPT_MSG_COPY || copy->src_space != HETCKPT_SPACE_STAGING || !name)
		return 0;
	if (__builtin_mul_overflow(copy->width, copy->height, &row) ||
	    __builtin_mul_overflow(row, copy->depth, &bytes) || bytes > COMMANDS_MAX)
		return hetckpt_fields_fail(&load->fields, -EINVAL, "its payload is too large");
	return hetckpt_load_read(load, name, bytes, &command->payload);
}

/* The message of a command, which may be in a row of them. */
static int load_command(struct hetckpt_load *load, const json_t *entry, const struct hetckpt_msg *msg,
                        struct hetckpt_stream *stream, bool begun)
{
	struct hetckpt_core *core = load->core;
	const json_t *launch = json_object_get(entry, "launch");
	struct hetckpt_command *command;
	size_t i = load->count++;
	int rc;

	load->seqs[i] = msg->seq;
	if (pointless(load, msg))
		return 0;
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

/* What is said of one command alone. */
static bool is_single(const json_t *entry)
{
	return json_object_get(entry, "launch") || json_object_get(entry, "reply") || json_object_get(entry, "after") ||
	       json_object_get(entry, "payload") || json_is_true(json_object_get(entry, "begun"));
}

/* A command, or a row of them. */
static int load_entry(struct hetckpt_load *load, const json_t *entry, const unsigned char *all, uint64_t all_bytes)
{
	uint64_t seq = hetckpt_field_number(&load->fields, entry, "seq", INT64_MAX), count = 1;
	uint64_t offset = hetckpt_field_number(&load->fields, entry, "offset", all_bytes);
	uint64_t bytes = hetckpt_field_number(&load->fields, entry, "bytes", all_bytes);
	bool begun = hetckpt_field_flag(&load->fields, entry, "begun");
	const json_t *where = json_object_get(entry, "queue");
	struct hetckpt_stream *stream = NULL;
	int rc = load->fields.rc;

	if (json_object_get(entry, "count"))
		count = hetckpt_field_number(&load->fields, entry, "count", all_bytes);
	if (where && !rc) {
		uint64_t position = hetckpt_field_number(&load->fields, entry, "queue", UINT32_MAX);

		if (load->fields.rc || position >= load->stream_count)
			return hetckpt_fields_fail(&load->fields, -EINVAL, "its stream does not exist");
		stream = load->streams[position];
	}
	if (load->fields.rc)
		return load->fields.rc;
	if (!count || bytes > all_bytes - offset || offset % 8 || (count > 1 && (!stream || is_single(entry))))
		return hetckpt_fields_fail(&load->fields, -EINVAL, "it is malformed");
	for (uint64_t i = 0; i < count && !rc; i++) {
		const struct hetckpt_msg *msg = (const void *)(all + offset);

		if (bytes < sizeof *msg || msg->bytes > bytes || msg->bytes < sizeof *msg || msg->bytes % 8 ||
		    (!i && msg->seq != seq) || msg->seq > INT64_MAX ||
		    (load->count && msg->seq <= load->seqs[load->count - 1]) || !type_known(msg, where != NULL))
			return hetckpt_fields_fail(&load->fields, -EINVAL, "it is malformed");
		rc = load_command(load, entry, msg, stream, begun);
		offset += msg->bytes;
		bytes -= msg->bytes;
	}
	if (!rc && bytes)
		rc = hetckpt_fields_fail(&load->fields, -EINVAL, "it is malformed");
	return rc;
}

int hetckpt_load_commands(struct hetckpt_load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "commands"), *entry;
	size_t i, number, most;
	uint64_t bytes;
	void *all = NULL;
	int rc;

	if (load->fields.rc || !json_array_size(list))
		return load->fields.rc;
	hetckpt_fields_what(&load->fields, "commands");
	rc = hetckpt_load_failed(load, hetckpt_reader_find(load->reader, "commands", &number));
	if (rc)
		return rc;
	bytes = hetckpt_reader_section(load->reader, number)->bytes;
	if (bytes > COMMANDS_MAX)
		return hetckpt_fields_fail(&load->fields, -EFBIG, "%" PRIu64 " bytes of commands", bytes);
	rc = hetckpt_load_read(load, "commands", bytes, &all);
	/* Sequence numbers ascend, so no message is used twice, wherever one may begin. */
	most = bytes / 8 + 1;
	load->commands = calloc(most, sizeof *load->commands);
	load->seqs = calloc(most, sizeof *load->seqs);
	if (!rc && (!load->commands || !load->seqs))
		rc = hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory");
	json_array_foreach(list, i, entry) {
		if (rc)
			break;
		hetckpt_fields_what(&load->fields, "command %zu", i);
		rc = load_entry(load, entry, all, bytes);
	}
	free(all);
	return rc;
}

/* ---- Events ------------------------------------------------------------ */

int hetckpt_load_events(struct hetckpt_load *load)
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
