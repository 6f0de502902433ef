/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Commands between their arrival and their end: order, references, answers.
 */
#include "core_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"

struct hetckpt_command *hetckpt_command_make(const struct hetckpt_msg *msg)
{
	struct hetckpt_command *command = calloc(1, sizeof *command);

	if (!command)
		return NULL;
	command->msg = malloc(msg->bytes);
	if (!command->msg) {
		free(command);
		return NULL;
	}
	memcpy(command->msg, msg, msg->bytes);
	command->refs = 1;
	command->type = msg->type;
	command->seq = msg->seq;
	command->reply = msg->reply;
	return command;
}

void hetckpt_command_hold(struct hetckpt_command *command)
{
	command->refs++;
}

/* Frees what only an unfinished command needs. */
static void empty(struct hetckpt_core *core, struct hetckpt_command *command)
{
	if (command->staging && core->host.staging) {
		const struct hetckpt_msg_copy *copy = (const void *)(command->msg + 1);

		core->host.staging_release(core->host.context, copy->src,
		                           copy->width * copy->height * copy->depth);
	}
	command->staging = false;
	if (command->marker)
		core->dev.ops->marker_release(command->marker);
	if (command->start)
		core->dev.ops->marker_release(command->start);
	command->marker = command->start = NULL;
	hetckpt_launch_free(core, command->flight);
	command->flight = NULL;
	for (unsigned i = 0; i < command->deps; i++)
		hetckpt_command_drop(core, command->dep[i]);
	free(command->dep);
	command->dep = NULL;
	command->deps = 0;
	free(command->payload);
	command->payload = NULL;
	free(command->msg);
	command->msg = NULL;
}

void hetckpt_command_drop(struct hetckpt_core *core, struct hetckpt_command *command)
{
	if (!command || --command->refs)
		return;
	empty(core, command);
	free(command->text);
	free(command);
}

int hetckpt_command_after(struct hetckpt_command *command, struct hetckpt_command *dep)
{
	void *grown;

	if (!dep || dep->state == HETCKPT_COMMAND_DONE || dep == command)
		return 0;
	grown = realloc(command->dep, (command->deps + 1) * sizeof *command->dep);
	if (!grown)
		return -ENOMEM;
	command->dep = grown;
	command->dep[command->deps++] = dep;
	hetckpt_command_hold(dep);
	return 0;
}

/*
 * The default stream and the blocking ones: a command of the default stream runs after
 * everything given to blocking streams before it, and a command of a blocking stream
 * after everything given to the default stream before it. Streams are in order, so one
 * dependency on the other's last command is enough, and none if an earlier command of
 * the same stream has it already (synced).
 */
int hetckpt_command_order(struct hetckpt_core *core, struct hetckpt_command *command,
                          struct hetckpt_stream *stream)
{
	int rc = 0;

	if (stream->flags & HETCKPT_STREAM_NON_BLOCKING)
		return 0;
	for (struct hetckpt_stream *s = core->streams; s && !rc; s = s->next) {
		if (s == stream || (s->flags & HETCKPT_STREAM_NON_BLOCKING) || (stream->id && s->id))
			continue;
		if (s->last && s->last->seq > stream->synced)
			rc = hetckpt_command_after(command, s->last);
	}
	stream->synced = command->seq;
	return rc;
}

/*
 * A program that waits for each result sends what follows a launch just too late for the policy to
 * know of it, so the function remembers. Events' records stand in nobody's way (executor.c).
 */
static void note_follower(struct hetckpt_core *core, struct hetckpt_stream *stream,
                          const struct hetckpt_command *command)
{
	const struct hetckpt_msg_launch *launch = (const void *)(command->msg + 1);
	bool launches = command->type == HETCKPT_MSG_LAUNCH;
	struct hetckpt_function *function;

	if (command->type == HETCKPT_MSG_EVENT_RECORD)
		return;
	function = stream->launched ? hetckpt_function_find(&core->modules, stream->launched) : NULL;
	if (function)
		function->followed = !launches;
	stream->launched = launches ? launch->function : 0;
}

void hetckpt_command_enqueue(struct hetckpt_core *core, struct hetckpt_command *command,
                             struct hetckpt_stream *stream)
{
	command->state = HETCKPT_COMMAND_QUEUED;
	command->previous = core->newest;
	if (core->newest)
		core->newest->next = command;
	else
		core->oldest = command;
	core->newest = command;
	core->unfinished++;
	command->stream = stream;
	if (!stream) {
		struct hetckpt_command **end = &core->waiters;

		/* Few: one a thread of the application. */
		while (*end)
			end = &(*end)->behind;
		*end = command;
		return;
	}
	note_follower(core, stream, command);
	if (stream->last)
		stream->last->behind = command;
	else
		stream->first = command;
	stream->last = command;
	if (!stream->queued)
		stream->queued = command;
}

void hetckpt_command_spoil(struct hetckpt_command *command, const struct hetckpt_error *error)
{
	if (command->cuda)
		return;
	command->cuda = error->cuda ? error->cuda : CUDA_UNKNOWN;
	command->text = strdup(error->text);
}

void hetckpt_command_reply(struct hetckpt_core *core, struct hetckpt_command *command, uint32_t cuda,
                           const void *data, uint32_t bytes)
{
	if (command->reply != HETCKPT_NO_REPLY)
		core->host.reply(core->host.context, command->reply, command->seq, cuda, data, bytes);
	command->reply = HETCKPT_NO_REPLY;
}

bool hetckpt_command_gated(const struct hetckpt_command *command)
{
	const struct hetckpt_command *gate = command->stream ? command->stream->gate : NULL;

	return gate && command->seq >= gate->seq;
}

/* The gate is done: what was issued behind it counts as issued up to the next launch that can
   pause, which is the gate now. */
static void pass_gate(struct hetckpt_stream *stream)
{
	struct hetckpt_command *command = stream->first;

	stream->gate = NULL;
	for (; stream->chained && !command->flight; command = command->behind) {
		stream->chained--;
		stream->ahead++;
	}
	if (!stream->chained)
		return;
	stream->chained--;
	stream->gate = command;
	command->flight->chained = false;
	command->flight->last_when = command == stream->first ? stream->device_when : 0;
}

static void unlink_command(struct hetckpt_core *core, struct hetckpt_command *command)
{
	struct hetckpt_stream *stream = command->stream;

	if (command->previous)
		command->previous->next = command->next;
	else
		core->oldest = command->next;
	if (command->next)
		command->next->previous = command->previous;
	else
		core->newest = command->previous;
	command->previous = command->next = NULL;
	core->unfinished--;
	if (!stream) {
		struct hetckpt_command **link = &core->waiters;

		while (*link != command)
			link = &(*link)->behind;
		*link = command->behind;
		command->behind = NULL;
		return;
	}
	/* Commands of a stream end in order, so this is the first. */
	stream->first = command->behind;
	if (!stream->first)
		stream->last = NULL;
	if (stream->queued == command)
		stream->queued = command->behind;
	if (stream->issued_last == command)
		stream->issued_last = NULL;
	if (stream->gate == command)
		pass_gate(stream);
	command->behind = NULL;
	command->stream = NULL;
}

void hetckpt_command_finish(struct hetckpt_core *core, struct hetckpt_command *command,
                            uint32_t cuda, const char *text)
{
	struct hetckpt_stream *stream = command->stream;
	bool asked = command->reply != HETCKPT_NO_REPLY;

	if (stream && command->state == HETCKPT_COMMAND_ISSUED && !hetckpt_command_gated(command)) {
		stream->ahead--;
		core->ahead_ns -= command->estimate_ns;
	}
	command->state = HETCKPT_COMMAND_DONE;
	command->cuda = cuda;
	/* The payload goes back before the answer, so that whoever waits finds room. */
	unlink_command(core, command);
	empty(core, command);
	if (asked)
		hetckpt_command_reply(core, command, cuda, NULL, 0);
	else if (cuda)
		core->host.raise(core->host.context, cuda, text);
	hetckpt_command_drop(core, command);
}

void hetckpt_commands_clear(struct hetckpt_core *core)
{
	while (core->oldest) {
		struct hetckpt_command *command = core->oldest;

		command->state = HETCKPT_COMMAND_DONE;
		command->staging = false; /* the payload is still wanted by whoever comes next */
		unlink_command(core, command);
		empty(core, command);
		hetckpt_command_drop(core, command);
	}
	core->ahead_ns = 0;
}
