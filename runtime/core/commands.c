/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What each message means. Three kinds: those that are answered at once, those that join
 * a stream, and waiters, which act when other commands are done.
 */
#include "core_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "device_heap.h"
#include "runtime/common/log.h"

/* Attributes of cudaFuncSetAttribute. */
#define ATTRIBUTE_MAX_DYNAMIC_SHARED 8
#define ATTRIBUTE_PREFERRED_CARVEOUT 9

/* An answer under construction. */
struct answer {
	struct hetckpt_core *core;
	const struct hetckpt_msg *msg;
	uint32_t cuda;
	const void *data;              /* usually out */
	uint32_t bytes;
	union {
		uint64_t address;
		uint64_t pair[2];
		uint32_t number;
		float ms;
		struct hetckpt_reply_function function;
		struct hetckpt_reply_device device;
	} out;
	struct hetckpt_error error;
};

/* The body, if the message is long enough for it. */
static const void *body(const struct hetckpt_msg *msg, size_t bytes)
{
	return msg->bytes >= sizeof *msg + bytes ? (const void *)(msg + 1) : NULL;
}

/* ---- Memory ------------------------------------------------------------ */

/* Nothing that only saves time may stand in the way of what the application asks for. True: there
   was something. */
static bool trim(struct hetckpt_core *core)
{
	return hetckpt_heap_trim(&core->app) | hetckpt_frame_pool_trim(&core->pool) |
	       hetckpt_heap_trim(&core->internal);
}

int hetckpt_core_alloc(struct hetckpt_core *core, uint64_t bytes, uint64_t align, uint64_t *address,
                       struct hetckpt_error *error)
{
	int rc = hetckpt_heap_alloc(&core->app, bytes, align, 0, address, error);

	if (rc == -ENOMEM && trim(core))
		rc = hetckpt_heap_alloc(&core->app, bytes, align, 0, address, error);
	return rc;
}

int hetckpt_core_claim(struct hetckpt_core *core, uint64_t address, uint64_t bytes, uint64_t tag,
                       struct hetckpt_error *error)
{
	int rc = hetckpt_heap_claim(&core->app, address, bytes, tag, error);

	if (rc == -ENOMEM && trim(core))
		rc = hetckpt_heap_claim(&core->app, address, bytes, tag, error);
	return rc;
}

static int do_malloc(struct answer *a, const struct hetckpt_msg_malloc *msg)
{
	uint64_t align = msg->align ? msg->align : HETCKPT_ARENA_ALIGN;

	a->out.address = 0;
	a->data = &a->out.address;
	a->bytes = sizeof a->out.address;
	if (!msg->bytes)
		return 0;
	if (align & (align - 1))
		return hetckpt_error_set(&a->error, -EINVAL, 0, "allocation with an alignment of %" PRIu64, align);
	return hetckpt_core_alloc(a->core, msg->bytes, align, &a->out.address, &a->error);
}

static int do_mem_info(struct answer *a)
{
	struct hetckpt_core *core = a->core;
	uint64_t *info = a->out.pair, idle;
	int rc = core->dev.ops->memory_info(core->dev.handle, &info[0], &info[1], &a->error);

	if (rc)
		return rc;
	/* What is mapped and unused is the application's for the asking. */
	idle = (core->app.idle + core->internal.idle) * HETCKPT_GRANULE + core->pool.idle_bytes;
	info[0] = info[0] + idle < info[1] ? info[0] + idle : info[1];
	a->data = info;
	a->bytes = sizeof a->out.pair;
	return 0;
}

/* ---- Modules ----------------------------------------------------------- */

static int loaded_module(struct answer *a, uint64_t number, struct hetckpt_code **code)
{
	*code = hetckpt_modules_find(&a->core->modules, number);
	if (!*code || !(*code)->module)
		return hetckpt_error_set(&a->error, -EINVAL, CUDA_INVALID_IMAGE_HANDLE,
		                         "module %" PRIu64 " is not loaded", number);
	return 0;
}

static int do_module_load(struct answer *a, const struct hetckpt_msg_module *msg)
{
	struct hetckpt_code *code = hetckpt_modules_find(&a->core->modules, msg->module);

	if (!code)
		return hetckpt_error_set(&a->error, -EINVAL, CUDA_INVALID_IMAGE_HANDLE,
		                         "module %" PRIu64 " was never handed over", msg->module);
	return hetckpt_code_load(&a->core->modules, code, 0, &a->error);
}

static const char *message_name(const struct hetckpt_msg *msg, const struct hetckpt_msg_name *name)
{
	return name->length <= msg->bytes - sizeof *msg - sizeof *name ? name->name : NULL;
}

static int do_function_get(struct answer *a, const struct hetckpt_msg_name *msg)
{
	struct hetckpt_reply_function *reply = &a->out.function;
	const char *name = message_name(a->msg, msg);
	const struct hetckpt_kernel_facts *facts;
	struct hetckpt_function *function;
	struct hetckpt_code *code;
	int rc;

	if (!name)
		return hetckpt_error_set(&a->error, -EINVAL, 0, "a kernel's name is longer than its message");
	rc = loaded_module(a, msg->module, &code);
	if (!rc)
		rc = hetckpt_function_get(&a->core->modules, code, name, msg->length, &function, &a->error);
	if (rc)
		return rc;
	if (function->map->params > sizeof reply->param / sizeof *reply->param)
		return hetckpt_error_set(&a->error, -E2BIG, CUDA_NOT_SUPPORTED, "%.200s has %u parameters",
		                         function->map->signature, function->map->params);
	facts = &function->facts[HETCKPT_VARIANT_ORIGINAL];
	memset(reply, 0, sizeof *reply);
	reply->function = function->handle;
	reply->param_bytes = function->map->param_bytes;
	reply->params = function->map->params;
	reply->static_shared = function->map->static_shared;
	reply->max_threads = facts->max_threads;
	reply->registers = facts->registers;
	reply->local_bytes = facts->local_bytes;
	reply->const_bytes = facts->const_bytes;
	reply->max_dynamic_shared = function->max_dynamic_shared;
	reply->arch = code->arch;
	for (uint32_t i = 0; i < reply->params; i++) {
		reply->param[i].offset = function->map->param[i].offset;
		reply->param[i].bytes = function->map->param[i].bytes;
	}
	a->data = reply;
	a->bytes = sizeof *reply;
	return 0;
}

static int known_function(struct answer *a, uint64_t handle, struct hetckpt_function **function)
{
	*function = hetckpt_function_find(&a->core->modules, handle);
	return *function ? 0 : hetckpt_error_set(&a->error, -EINVAL, CUDA_INVALID_FUNCTION_HANDLE,
	                                         "unknown function (handle %" PRIu64 ")", handle);
}

static int do_function_set(struct answer *a, const struct hetckpt_msg_function_set *msg)
{
	struct hetckpt_function *function;
	int rc = known_function(a, msg->function, &function);

	if (rc || msg->attribute == ATTRIBUTE_PREFERRED_CARVEOUT)
		return rc; /* the carveout is a hint */
	if (msg->attribute != ATTRIBUTE_MAX_DYNAMIC_SHARED || msg->value < 0 ||
	    (uint32_t)msg->value > function->facts[HETCKPT_VARIANT_ORIGINAL].max_dynamic_shared)
		return hetckpt_error_set(&a->error, -EINVAL, CUDA_INVALID_VALUE,
			"%.200s: attribute %u cannot be set to %d", function->map->signature, msg->attribute,
			msg->value);
	function->max_dynamic_shared = (uint32_t)msg->value;
	return 0;
}

static int do_occupancy(struct answer *a, const struct hetckpt_msg_occupancy *msg)
{
	struct hetckpt_occupancy occupancy;
	struct hetckpt_function *function;
	int rc = known_function(a, msg->function, &function);

	if (rc)
		return rc;
	a->out.number = 0;
	a->data = &a->out.number;
	a->bytes = sizeof a->out.number;
	if (!msg->threads || msg->threads > function->facts[0].max_threads ||
	    msg->dynamic_shared > UINT32_MAX)
		return 0;
	rc = a->core->dev.ops->occupancy(function->kernel[HETCKPT_VARIANT_ORIGINAL], msg->threads,
	                                 (uint32_t)msg->dynamic_shared, &occupancy, &a->error);
	a->out.number = rc ? 0 : occupancy.per_sm;
	return rc;
}

static int do_variable_get(struct answer *a, const struct hetckpt_msg_name *msg)
{
	const char *name = message_name(a->msg, msg);
	struct hetckpt_code *code;
	int rc;

	if (!name)
		return hetckpt_error_set(&a->error, -EINVAL, 0, "a variable's name is longer than its message");
	rc = loaded_module(a, msg->module, &code);
	for (uint32_t i = 0; !rc && i < code->map->variables; i++) {
		const struct hetckpt_map_variable *v = &code->map->variable[i];

		if (strlen(v->name) != msg->length || memcmp(v->name, name, msg->length))
			continue;
		a->out.pair[0] = code->variables + v->offset;
		a->out.pair[1] = v->bytes;
		a->data = a->out.pair;
		a->bytes = sizeof a->out.pair;
		return 0;
	}
	return rc ? rc : hetckpt_error_set(&a->error, -ENOENT, CUDA_INVALID_SYMBOL,
	                                   "module %" PRIu64 " has no variable %.*s", msg->module,
	                                   (int)(msg->length < 300 ? msg->length : 300), name);
}

/* ---- Streams and events ------------------------------------------------ */

static int known_stream(struct answer *a, uint32_t id, struct hetckpt_stream **stream)
{
	*stream = hetckpt_stream_find(a->core, id);
	return *stream ? 0 : hetckpt_error_set(&a->error, -EINVAL, CUDA_INVALID_HANDLE, "no stream %u", id);
}

static int known_event(struct answer *a, uint32_t id, struct hetckpt_event **event)
{
	*event = hetckpt_event_find(a->core, id);
	return *event ? 0 : hetckpt_error_set(&a->error, -EINVAL, CUDA_INVALID_HANDLE, "no event %u", id);
}

static int do_stream_destroy(struct answer *a, const struct hetckpt_msg_stream *msg)
{
	struct hetckpt_stream *stream;
	int rc = known_stream(a, msg->stream, &stream);

	if (rc || !msg->stream)
		return rc ? rc : hetckpt_error_set(&a->error, -EINVAL, CUDA_INVALID_HANDLE,
		                                   "the default stream cannot be destroyed");
	/* As in CUDA, what is in it still runs. */
	stream->destroyed = true;
	hetckpt_stream_reap(a->core);
	return 0;
}

static int do_stream_query(struct answer *a, const struct hetckpt_msg_stream *msg)
{
	struct hetckpt_stream *stream;
	int rc;

	hetckpt_executor_collect(a->core);
	rc = known_stream(a, msg->stream, &stream);
	if (rc)
		return rc;
	for (struct hetckpt_stream *s = a->core->streams; s; s = s->next)
		if (s->first && (s == stream || (!stream->id && !(s->flags & HETCKPT_STREAM_NON_BLOCKING))))
			a->cuda = CUDA_NOT_READY;
	return 0;
}

static int do_event_query(struct answer *a, const struct hetckpt_msg_event *msg)
{
	struct hetckpt_event *event;
	int rc;

	hetckpt_executor_collect(a->core);
	rc = known_event(a, msg->event, &event);
	if (!rc && event->record && event->record->state != HETCKPT_COMMAND_DONE)
		a->cuda = CUDA_NOT_READY;
	return rc;
}

static int do_event_elapsed(struct answer *a, const struct hetckpt_msg_event *msg)
{
	struct hetckpt_event *from, *to;
	int rc;

	hetckpt_executor_collect(a->core);
	rc = known_event(a, msg->event, &from);
	if (!rc)
		rc = known_event(a, msg->event2, &to);
	if (rc)
		return rc;
	if (!from->record || !to->record || ((from->flags | to->flags) & HETCKPT_EVENT_NO_TIMING))
		return hetckpt_error_set(&a->error, -EINVAL, CUDA_INVALID_HANDLE,
			"elapsed time of events %u and %u: never recorded, or made without timing", msg->event,
			msg->event2);
	if (from->record->state != HETCKPT_COMMAND_DONE || to->record->state != HETCKPT_COMMAND_DONE) {
		a->cuda = CUDA_NOT_READY;
		return 0;
	}
	a->out.ms = (float)((double)(int64_t)(to->record->when - from->record->when) / 1e6);
	a->data = &a->out.ms;
	a->bytes = sizeof a->out.ms;
	return 0;
}

/* ---- Device ------------------------------------------------------------ */

static int do_device_info(struct answer *a)
{
	struct hetckpt_reply_device *reply = &a->out.device;
	const struct hetckpt_device_facts *f = &a->core->dev.facts;

	memset(reply, 0, sizeof *reply);
	memcpy(reply->name, f->name, sizeof reply->name);
	reply->name[sizeof reply->name - 1] = 0;
	reply->total_bytes = f->total_bytes;
	reply->shared_per_block = f->shared_per_block;
	reply->shared_per_block_optin = f->shared_per_block_optin;
	reply->shared_per_sm = f->shared_per_sm;
	reply->sm_count = f->sm_count;
	reply->clock_khz = f->clock_khz;
	reply->memory_clock_khz = f->memory_clock_khz;
	reply->bus_width = f->bus_width;
	reply->l2_bytes = f->l2_bytes;
	reply->max_threads_per_block = f->max_threads_per_block;
	reply->max_threads_per_sm = f->max_threads_per_sm;
	reply->max_blocks_per_sm = f->max_blocks_per_sm;
	reply->regs_per_block = f->regs_per_block;
	reply->major = f->major;
	reply->minor = f->minor;
	memcpy(reply->max_grid, f->max_grid, sizeof reply->max_grid);
	memcpy(reply->max_block, f->max_block, sizeof reply->max_block);
	a->data = reply;
	a->bytes = sizeof *reply;
	return 0;
}

static int do_host_done(struct answer *a, const struct hetckpt_msg_host *msg)
{
	for (struct hetckpt_command *c = a->core->oldest; c; c = c->next)
		if (c->type == HETCKPT_MSG_HOST_CALL && c->state == HETCKPT_COMMAND_ISSUED &&
		    ((const struct hetckpt_msg_host *)(c->msg + 1))->token == msg->token) {
			hetckpt_command_finish(a->core, c, CUDA_SUCCESS, NULL);
			return 0;
		}
	return hetckpt_error_set(&a->error, -EINVAL, CUDA_INVALID_VALUE,
	                         "no host callback with token %" PRIu64 " is under way", msg->token);
}

int hetckpt_core_limit(struct hetckpt_core *core, enum hetckpt_limit limit, uint64_t value,
                       struct hetckpt_error *error)
{
	static const uint64_t standard[HETCKPT_LIMIT_COUNT] = {
		[HETCKPT_LIMIT_STACK] = 1024, [HETCKPT_LIMIT_PRINTF] = 1 << 20,
	};
	uint64_t set = value ? value : standard[limit];
	int rc = 0;

	/* What nobody has set is as the device has it. The heap is the session's. */
	if (limit != HETCKPT_LIMIT_MALLOC_HEAP && (value || core->dev.limit[limit]))
		rc = hetckpt_dev_limit(&core->dev, limit, set, error);
	/* A device sets memory for all stacks aside that it may need at once. */
	if (rc == -ENOMEM && trim(core))
		rc = hetckpt_dev_limit(&core->dev, limit, set, error);
	if (!rc)
		core->limit[limit] = value;
	return rc;
}

/* ---- Waiters ----------------------------------------------------------- */

static void free_all(struct hetckpt_core *core)
{
	const struct hetckpt_arena_allocation *list;
	size_t count;

	for (struct hetckpt_code *code = core->modules.list; code; code = code->next)
		hetckpt_code_unload(&core->modules, code);
	while (list = hetckpt_arena_list(core->app.arena, &count), count)
		hetckpt_heap_free(&core->app, list[count - 1].address, NULL);
	for (unsigned i = 0; i < HETCKPT_EVENT_BUCKETS; i++)
		while (core->events[i])
			hetckpt_event_destroy(core, core->events[i]);
	for (struct hetckpt_stream *s = core->streams; s; s = s->next)
		s->destroyed = s->id != 0;
	hetckpt_stream_reap(core);
	for (unsigned i = 0; i < HETCKPT_LIMIT_COUNT; i++) {
		struct hetckpt_error ignored;

		hetckpt_core_limit(core, (enum hetckpt_limit)i, 0, &ignored);
	}
}

int hetckpt_command_free(struct hetckpt_core *core, const struct hetckpt_command *command,
                         struct hetckpt_error *error)
{
	uint64_t address = ((const struct hetckpt_msg_free *)(command->msg + 1))->address;
	const struct hetckpt_arena_allocation *allocation = hetckpt_arena_at(core->app.arena, address);

	if (!address)
		return 0;
	if (!allocation || allocation->tag)
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
		                         "free of 0x%" PRIx64 ": no allocation starts there", address);
	return hetckpt_heap_free(&core->app, address, error);
}

bool hetckpt_command_act(struct hetckpt_core *core, struct hetckpt_command *command)
{
	struct hetckpt_error error = {0};
	int rc = 0;

	/* The device would wait for kernels that run, and with it everybody who wants the core: a pause
	   most of all. What other threads of the application have launched meanwhile ends first. */
	if (command->type == HETCKPT_MSG_DEVICE_LIMIT && hetckpt_executor_in_flight(core))
		return false;
	switch (command->type) {
	case HETCKPT_MSG_FREE:
		rc = hetckpt_command_free(core, command, &error);
		break;
	case HETCKPT_MSG_MODULE_UNLOAD: {
		const struct hetckpt_msg_module *msg = (const void *)(command->msg + 1);
		struct hetckpt_code *code = hetckpt_modules_find(&core->modules, msg->module);

		if (code)
			hetckpt_code_unload(&core->modules, code);
		break;
	}
	case HETCKPT_MSG_DEVICE_RESET:
		free_all(core);
		break;
	case HETCKPT_MSG_DEVICE_LIMIT: {
		const struct hetckpt_msg_limit *msg = (const void *)(command->msg + 1);

		if (msg->limit == HETCKPT_LIMIT_MALLOC_HEAP && hetckpt_device_heap_there(core))
			rc = hetckpt_error_set(&error, -EEXIST, CUDA_INVALID_VALUE,
				"kernels have used the heap: its size cannot be changed any more");
		else
			rc = msg->limit < HETCKPT_LIMIT_COUNT && msg->value && msg->value <= INT64_MAX
				? hetckpt_core_limit(core, (enum hetckpt_limit)msg->limit, msg->value, &error)
				: hetckpt_error_set(&error, -EINVAL, CUDA_INVALID_VALUE,
				                    "limit %u cannot be set to %" PRIu64, msg->limit, msg->value);
		if (rc)
			hetckpt_log(HETCKPT_LOG_INFO, "%s", error.text);
		break;
	}
	default: /* the others only wait */
		break;
	}
	hetckpt_command_finish(core, command, !rc ? 0 : error.cuda ? error.cuda : CUDA_UNKNOWN, error.text);
	return true;
}

/* Everything that has been submitted must be done first. */
static int after_all(struct hetckpt_core *core, struct hetckpt_command *command)
{
	int rc = 0;

	for (struct hetckpt_stream *s = core->streams; s && !rc; s = s->next)
		rc = hetckpt_command_after(command, s->last);
	return rc;
}

static int add_waiter(struct answer *a)
{
	struct hetckpt_core *core = a->core;
	struct hetckpt_command *command = hetckpt_command_make(a->msg);
	struct hetckpt_stream *stream;
	struct hetckpt_event *event;
	int rc = command ? 0 : -ENOMEM;

	if (rc)
		return hetckpt_error_set(&a->error, rc, 0, "out of host memory for a command");
	switch (a->msg->type) {
	case HETCKPT_MSG_STREAM_SYNC:
		rc = known_stream(a, ((const struct hetckpt_msg_stream *)(a->msg + 1))->stream, &stream);
		if (rc)
			break;
		rc = hetckpt_command_after(command, stream->last);
		for (struct hetckpt_stream *s = core->streams; !stream->id && s && !rc; s = s->next)
			if (!(s->flags & HETCKPT_STREAM_NON_BLOCKING))
				rc = hetckpt_command_after(command, s->last);
		break;
	case HETCKPT_MSG_EVENT_SYNC:
		rc = known_event(a, ((const struct hetckpt_msg_event *)(a->msg + 1))->event, &event);
		if (!rc)
			rc = hetckpt_command_after(command, event->record);
		break;
	default:
		rc = after_all(core, command);
		break;
	}
	if (rc) {
		hetckpt_command_drop(core, command);
		return a->error.code ? rc : hetckpt_error_set(&a->error, rc, 0, "out of host memory for a command");
	}
	hetckpt_command_enqueue(core, command, NULL);
	a->msg = NULL; /* answered later */
	if (!command->deps)
		hetckpt_command_act(core, command);
	return 0;
}

/* ---- Commands of streams ----------------------------------------------- */

static int add_command(struct answer *a)
{
	struct hetckpt_core *core = a->core;
	const struct hetckpt_msg *msg = a->msg;
	struct hetckpt_command *command = NULL;
	struct hetckpt_stream *stream;
	struct hetckpt_event *event = NULL;
	int rc = known_stream(a, msg->stream, &stream);

	if (!rc && (msg->type == HETCKPT_MSG_EVENT_RECORD || msg->type == HETCKPT_MSG_STREAM_WAIT))
		rc = known_event(a, msg->type == HETCKPT_MSG_EVENT_RECORD
		                        ? ((const struct hetckpt_msg_event *)(msg + 1))->event
		                        : ((const struct hetckpt_msg_stream *)(msg + 1))->event, &event);
	if (rc)
		return rc;
	command = hetckpt_command_make(msg);
	rc = command ? hetckpt_command_order(core, command, stream) : -ENOMEM;
	if (!rc && msg->type == HETCKPT_MSG_STREAM_WAIT)
		rc = hetckpt_command_after(command, event->record);
	if (rc) {
		hetckpt_command_drop(core, command);
		return hetckpt_error_set(&a->error, rc, 0, "out of host memory for a command");
	}
	if (msg->type == HETCKPT_MSG_COPY)
		command->staging = ((const struct hetckpt_msg_copy *)(msg + 1))->src_space == HETCKPT_SPACE_STAGING;
	hetckpt_command_enqueue(core, command, stream);
	if (msg->type == HETCKPT_MSG_EVENT_RECORD) {
		hetckpt_command_drop(core, event->record);
		event->record = command;
		hetckpt_command_hold(command);
	}
	a->msg = NULL;
	return 0;
}

/* ---- Dispatch ---------------------------------------------------------- */

/* Least body of each type, so that the functions above can read theirs. */
static size_t least_body(uint32_t type)
{
	switch (type) {
	case HETCKPT_MSG_MALLOC: return sizeof(struct hetckpt_msg_malloc);
	case HETCKPT_MSG_FREE: return sizeof(struct hetckpt_msg_free);
	case HETCKPT_MSG_COPY: return sizeof(struct hetckpt_msg_copy);
	case HETCKPT_MSG_FILL: return sizeof(struct hetckpt_msg_fill);
	case HETCKPT_MSG_MODULE_LOAD:
	case HETCKPT_MSG_MODULE_UNLOAD: return sizeof(struct hetckpt_msg_module);
	case HETCKPT_MSG_FUNCTION_GET:
	case HETCKPT_MSG_VARIABLE_GET: return sizeof(struct hetckpt_msg_name);
	case HETCKPT_MSG_FUNCTION_SET: return sizeof(struct hetckpt_msg_function_set);
	case HETCKPT_MSG_LAUNCH: return sizeof(struct hetckpt_msg_launch);
	case HETCKPT_MSG_STREAM_CREATE:
	case HETCKPT_MSG_STREAM_DESTROY:
	case HETCKPT_MSG_STREAM_SYNC:
	case HETCKPT_MSG_STREAM_QUERY:
	case HETCKPT_MSG_STREAM_WAIT: return sizeof(struct hetckpt_msg_stream);
	case HETCKPT_MSG_EVENT_CREATE:
	case HETCKPT_MSG_EVENT_DESTROY:
	case HETCKPT_MSG_EVENT_RECORD:
	case HETCKPT_MSG_EVENT_SYNC:
	case HETCKPT_MSG_EVENT_QUERY:
	case HETCKPT_MSG_EVENT_ELAPSED: return sizeof(struct hetckpt_msg_event);
	case HETCKPT_MSG_HOST_CALL:
	case HETCKPT_MSG_HOST_DONE: return sizeof(struct hetckpt_msg_host);
	case HETCKPT_MSG_OCCUPANCY: return sizeof(struct hetckpt_msg_occupancy);
	case HETCKPT_MSG_DEVICE_LIMIT: return sizeof(struct hetckpt_msg_limit);
	default: return 0;
	}
}

static int dispatch(struct answer *a)
{
	const struct hetckpt_msg *msg = a->msg;
	struct hetckpt_core *core = a->core;
	const void *b = msg + 1;
	const struct hetckpt_msg_stream *stream = b;
	const struct hetckpt_msg_event *event = b;
	struct hetckpt_event *found;
	int rc;

	switch (msg->type) {
	case HETCKPT_MSG_NOP: return 0;
	case HETCKPT_MSG_MALLOC: return do_malloc(a, b);
	case HETCKPT_MSG_MEM_INFO: return do_mem_info(a);
	case HETCKPT_MSG_MODULE_LOAD: return do_module_load(a, b);
	case HETCKPT_MSG_FUNCTION_GET: return do_function_get(a, b);
	case HETCKPT_MSG_FUNCTION_SET: return do_function_set(a, b);
	case HETCKPT_MSG_VARIABLE_GET: return do_variable_get(a, b);
	case HETCKPT_MSG_OCCUPANCY: return do_occupancy(a, b);
	case HETCKPT_MSG_DEVICE_INFO: return do_device_info(a);
	case HETCKPT_MSG_STREAM_CREATE:
		return hetckpt_stream_create(core, stream->stream, stream->flags, stream->priority, NULL,
		                             &a->error);
	case HETCKPT_MSG_STREAM_DESTROY: return do_stream_destroy(a, b);
	case HETCKPT_MSG_STREAM_QUERY: return do_stream_query(a, b);
	case HETCKPT_MSG_EVENT_CREATE:
		return hetckpt_event_create(core, event->event, event->flags, NULL, &a->error);
	case HETCKPT_MSG_EVENT_DESTROY:
		rc = known_event(a, event->event, &found);
		if (!rc)
			hetckpt_event_destroy(core, found);
		return rc;
	case HETCKPT_MSG_EVENT_QUERY: return do_event_query(a, b);
	case HETCKPT_MSG_EVENT_ELAPSED: return do_event_elapsed(a, b);
	case HETCKPT_MSG_HOST_DONE: return do_host_done(a, b);
	case HETCKPT_MSG_FREE:
		/* cudaFree waits for everything, cudaFreeAsync for what is before it in its stream. */
		return msg->reply == HETCKPT_NO_REPLY ? add_command(a) : add_waiter(a);
	case HETCKPT_MSG_MODULE_UNLOAD:
	case HETCKPT_MSG_STREAM_SYNC:
	case HETCKPT_MSG_EVENT_SYNC:
	case HETCKPT_MSG_DEVICE_SYNC:
	case HETCKPT_MSG_DEVICE_LIMIT:
	case HETCKPT_MSG_DEVICE_RESET: return add_waiter(a);
	case HETCKPT_MSG_LAUNCH:
		if (((const struct hetckpt_msg_launch *)b)->param_bytes >
		    msg->bytes - sizeof *msg - sizeof(struct hetckpt_msg_launch))
			return hetckpt_error_set(&a->error, -EINVAL, 0,
			                         "a launch's parameters are longer than its message");
		return add_command(a);
	case HETCKPT_MSG_COPY:
	case HETCKPT_MSG_FILL:
	case HETCKPT_MSG_STREAM_WAIT:
	case HETCKPT_MSG_EVENT_RECORD:
	case HETCKPT_MSG_HOST_CALL: return add_command(a);
	default:
		return hetckpt_error_set(&a->error, -EINVAL, CUDA_NOT_SUPPORTED, "unknown command %u", msg->type);
	}
}

/* Command on a lost device: nothing is done, and the payload goes back. */
static int refuse(struct hetckpt_core *core, const struct hetckpt_msg *msg)
{
	const struct hetckpt_msg_copy *copy = body(msg, sizeof *copy);

	if (msg->type == HETCKPT_MSG_COPY && copy && copy->src_space == HETCKPT_SPACE_STAGING && core->host.staging)
		core->host.staging_release(core->host.context, copy->src,
		                           copy->width * copy->height * copy->depth);
	if (msg->reply != HETCKPT_NO_REPLY)
		core->host.reply(core->host.context, msg->reply, msg->seq, core->failure.cuda, NULL, 0);
	return 0;
}

int hetckpt_core_submit(struct hetckpt_core *core, const struct hetckpt_msg *msg,
                        struct hetckpt_error *error)
{
	struct answer a = {.core = core, .msg = msg};
	int rc = 0;

	if (msg->bytes < sizeof *msg || !body(msg, least_body(msg->type)))
		return hetckpt_error_set(error, -EPROTO, 0, "command %u is only %u bytes long", msg->type,
		                         msg->bytes);
	pthread_mutex_lock(&core->lock);
	core->submitted = msg->seq;
	if (core->failed) {
		rc = refuse(core, msg);
		pthread_mutex_unlock(&core->lock);
		return rc;
	}
	rc = dispatch(&a);
	if (rc)
		a.cuda = a.error.cuda ? a.error.cuda : CUDA_UNKNOWN;
	/* a.msg is NULL if the command has been queued, and is answered in its turn. */
	if (a.msg) {
		if (rc) {
			a.data = NULL;
			a.bytes = 0;
			/* The application sees a number; why its code does not run here, nobody would know. */
			hetckpt_log(msg->type == HETCKPT_MSG_MODULE_LOAD ? HETCKPT_LOG_WARN : HETCKPT_LOG_INFO, "%s",
			            a.error.text);
			if (msg->type == HETCKPT_MSG_COPY) {
				const struct hetckpt_msg_copy *copy = (const void *)(msg + 1);

				if (copy->src_space == HETCKPT_SPACE_STAGING && core->host.staging)
					core->host.staging_release(core->host.context, copy->src,
					                           copy->width * copy->height * copy->depth);
			}
		}
		if (msg->reply != HETCKPT_NO_REPLY)
			core->host.reply(core->host.context, msg->reply, msg->seq, a.cuda, a.data, a.bytes);
		else if (rc)
			core->host.raise(core->host.context, a.cuda, a.error.text);
	}
	pthread_mutex_unlock(&core->lock);
	return 0;
}
