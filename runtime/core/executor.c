/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Hands commands to the device in CUDA's order, and notes what has ended.
 *
 * A command is handed over when it can no longer be in anyone's way: everything that
 * it depends on has ended, or is on the device and will end whatever happens. Launches
 * that can pause and host callbacks may not end before the next snapshot, so nothing
 * that depends on them is handed over while they are under way. What is on the device
 * therefore always ends by itself, and a pause only has to wait for it.
 *
 * How long that takes is bounded: of commands that cannot park only so many are on the device
 * that they are expected to end within 200 us (on the CPU, 2 ms; policy.h). Expectations come from the times of
 * earlier launches, and are corrected by every marker: what lay between two markers took
 * what lies between their times.
 *
 * The exception is the chain. A device that has nothing to do until the host has seen a launch
 * end and has handed over the next one idles for 10 to 20 us, which short launches cannot bear.
 * Launches that can pause may therefore stand on the device behind another one of their stream,
 * the gate, and events' records between them: should the gate be paused, none of their blocks
 * runs (launch.c, 6.), and they are taken back. Other commands would run. Nothing of another
 * stream is handed over that depends on a command of a chain.
 */
#include "core_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "device_heap.h"
#include "launch.h"
#include "runtime/common/log.h"

/* A marker at least every so many commands, so that replies and payloads do not wait long. */
#define MARK_EVERY 16

/* ---- What has ended ---------------------------------------------------- */

/*
 * Launches that were not timed by themselves: what is in front of the marker, from its stream's
 * first command on, took the time since the marker before, if the device had nothing else
 * to do for this stream. A time is only noted where it is far from the expectation.
 */
static void note_batch(struct hetckpt_stream *stream, const struct hetckpt_command *marked, uint64_t when)
{
	struct hetckpt_command *command = stream->first;
	double expected = 0, took = (double)(when - stream->device_when);
	bool wrong;

	if (!command->follows || !stream->device_when || when <= stream->device_when)
		return;
	for (;; command = command->behind) {
		/* Copies, and waiting for other streams, take time that is not the launches'. */
		if (!command->function || command->deps)
			return;
		expected += command->estimate_ns;
		if (command == marked)
			break;
	}
	wrong = took > 2 * expected + 20000;
	for (command = stream->first;; command = command->behind) {
		struct hetckpt_history *history = &command->function->history;

		if (wrong)
			hetckpt_history_note(history, command->threads, command->blocks, command->resident,
			                     took * command->estimate_ns / expected);
		else
			hetckpt_history_confirm(history, command->threads);
		if (command == marked)
			break;
	}
}

/* Takes the time of a command that was timed. */
static void note_time(struct hetckpt_core *core, struct hetckpt_command *command, uint64_t when)
{
	struct hetckpt_error ignored;
	uint64_t begin = 0;

	if (!command->function || !command->start ||
	    core->dev.ops->marker_query(command->start, &begin, &ignored) || when <= begin)
		return;
	if (core->times.path)
		hetckpt_times_note(&core->times, &(struct hetckpt_times_line){
			.kernel = command->function->map->signature, .how = "original", .ns = when - begin,
			.blocks = command->blocks, .threads = command->threads, .parts = 1});
	hetckpt_history_note(&command->function->history, command->threads, command->blocks,
	                     command->resident, (double)(when - begin));
}

/* The next command from here on that has a marker, and is not held up by the gate. */
static struct hetckpt_command *next_marked(const struct hetckpt_stream *stream,
                                           struct hetckpt_command *command)
{
	for (; command && command->state == HETCKPT_COMMAND_ISSUED && command != stream->gate;
	     command = command->behind)
		if (command->marker)
			return command;
	return NULL;
}

/* Is the device through with what stands behind a gate that has seen the flag? *behind: launches of it. */
static int chain_over(struct hetckpt_core *core, struct hetckpt_stream *stream, struct hetckpt_behind *behind,
                      bool *over, bool *moved, struct hetckpt_error *error)
{
	struct hetckpt_command *command = stream->gate->behind;

	behind->count = 0;
	*over = false;
	for (unsigned i = 0; i < stream->chained; i++, command = command->behind) {
		struct hetckpt_flight *flight = command->flight;
		uint64_t when;
		int rc = flight ? hetckpt_launch_poll(core, flight, moved, error) : 0;

		if (rc || (flight && flight->parts && !hetckpt_launch_over(flight)))
			return rc;
		if (flight)
			behind->launch[behind->count++] = flight;
		rc = command->marker ? core->dev.ops->marker_query(command->marker, &when, error) : 0;
		if (rc)
			return rc == -EBUSY ? 0 : rc;
	}
	*over = true;
	return 0;
}

/* Takes back what stands behind a gate that has been paused. */
static void take_back_chain(struct hetckpt_core *core, struct hetckpt_stream *stream)
{
	struct hetckpt_command *command = stream->gate->behind;

	stream->queued = command;
	stream->issued_last = stream->gate;
	for (; stream->chained; stream->chained--, command = command->behind) {
		hetckpt_launch_free(core, command->flight);
		command->flight = NULL;
		if (command->marker)
			core->dev.ops->marker_release(command->marker);
		command->marker = NULL;
		command->state = HETCKPT_COMMAND_QUEUED;
	}
}

/* Notes what the device has done of the gate. One that has seen the flag is collected when the device is
   through with its chain as well, which takes microseconds: none of its blocks begin. */
static int poll_gate(struct hetckpt_core *core, struct hetckpt_stream *stream, bool *moved,
                     struct hetckpt_error *error)
{
	struct hetckpt_flight *flight = stream->gate->flight;
	struct hetckpt_behind behind;
	bool over;
	int rc = hetckpt_launch_poll(core, flight, moved, error);

	if (rc || !hetckpt_launch_over(flight))
		return rc;
	rc = chain_over(core, stream, &behind, &over, moved, error);
	if (rc || !over)
		return rc;
	*moved = true;
	rc = hetckpt_launch_collect(core, flight, &behind, error);
	if (!rc && !hetckpt_launch_finished(flight))
		take_back_chain(core, stream);
	return rc;
}

/* Ends what has ended at the front of a stream. */
static bool collect_stream(struct hetckpt_core *core, struct hetckpt_stream *stream)
{
	struct hetckpt_error error = {0};
	struct hetckpt_command *command;
	bool moved = false;

	while ((command = stream->first) && command->state == HETCKPT_COMMAND_ISSUED) {
		struct hetckpt_command *marked;
		uint64_t when = 0;
		bool last;
		int rc;

		if (command == stream->gate && !command->flight)
			break; /* a host callback: HOST_DONE ends it */
		if (command == stream->gate) {
			rc = poll_gate(core, stream, &moved, &error);
			if (rc) {
				hetckpt_core_fail(core, &error);
				return true;
			}
			if (!hetckpt_launch_finished(command->flight))
				break;
			moved = true;
			stream->device_when = command->flight->last_when;
			if (core->times.path && command->flight->whole && command->flight->began)
				hetckpt_times_note(&core->times, &(struct hetckpt_times_line){
					.kernel = command->flight->function->map->signature,
					.how = command->flight->issued > 1 ? "slices" : "run",
					.ns = command->flight->last_when - command->flight->began,
					.blocks = command->flight->total, .threads = command->flight->threads,
					.parts = command->flight->issued});
			hetckpt_command_finish(core, command, command->cuda, command->text);
			continue;
		}
		marked = next_marked(stream, command);
		if (!marked)
			break;
		rc = core->dev.ops->marker_query(marked->marker, &when, &error);
		if (rc == -EBUSY)
			break;
		if (rc) {
			hetckpt_core_fail(core, &error);
			return true;
		}
		if (marked->start)
			note_time(core, marked, when);
		else
			note_batch(stream, marked, when);
		stream->device_when = when;
		moved = true;
		do {
			command = stream->first;
			last = command == marked;
			command->when = when + core->time_offset;
			hetckpt_command_finish(core, command, command->cuda, command->text);
		} while (!last);
	}
	return moved;
}

/* Waiters whose time has come. */
static bool collect_waiters(struct hetckpt_core *core)
{
	struct hetckpt_command *command, *next;
	bool moved = false;

	for (command = core->waiters; command; command = next) {
		next = command->behind;
		while (command->deps && command->dep[command->deps - 1]->state == HETCKPT_COMMAND_DONE)
			hetckpt_command_drop(core, command->dep[--command->deps]);
		if (command->deps)
			continue;
		moved |= hetckpt_command_act(core, command);
	}
	return moved;
}

bool hetckpt_executor_collect(struct hetckpt_core *core)
{
	bool moved = false, destroyed = false;

	for (struct hetckpt_stream *s = core->streams; s && !core->failed; s = s->next) {
		moved |= collect_stream(core, s);
		destroyed |= s->destroyed;
	}
	moved |= collect_waiters(core);
	if (destroyed)
		hetckpt_stream_reap(core);
	return moved;
}

/* ---- Handing over ------------------------------------------------------ */

/* Puts a marker behind what has been issued. */
static int mark(struct hetckpt_core *core, struct hetckpt_stream *stream, struct hetckpt_error *error)
{
	struct hetckpt_command *last = stream->issued_last;
	int rc = 0;

	if (stream->unmarked && last && !last->marker)
		rc = core->dev.ops->record(stream->queue, &last->marker, error);
	if (!rc)
		stream->unmarked = 0;
	return rc;
}

/* True if command ends whatever happens, or has ended. */
static bool will_end(const struct hetckpt_command *command)
{
	return command->state == HETCKPT_COMMAND_DONE ||
	       (command->state == HETCKPT_COMMAND_ISSUED && !hetckpt_command_gated(command));
}

/* Makes the stream's queue wait for dependencies that are still on the device. */
static int wait_for_deps(struct hetckpt_core *core, struct hetckpt_stream *stream,
                         struct hetckpt_command *command, struct hetckpt_error *error)
{
	int rc = 0;

	for (unsigned i = 0; i < command->deps && !rc; i++) {
		struct hetckpt_command *dep = command->dep[i], *marked;

		if (dep->state == HETCKPT_COMMAND_DONE)
			continue;
		marked = next_marked(dep->stream, dep);
		if (!marked) {
			rc = mark(core, dep->stream, error);
			marked = rc ? NULL : next_marked(dep->stream, dep);
		}
		if (marked)
			rc = core->dev.ops->queue_wait(stream->queue, marked->marker, error);
	}
	return rc;
}

bool hetckpt_command_chainable(const struct hetckpt_command *command)
{
	return command->type == HETCKPT_MSG_LAUNCH || command->type == HETCKPT_MSG_EVENT_RECORD;
}

/* A launch of the stream may come back: what is chained behind it must not begin then. */
static bool may_come_back(const struct hetckpt_stream *stream)
{
	const struct hetckpt_command *c = stream->gate;

	for (unsigned i = 0; i <= stream->chained; i++, c = c->behind)
		if (c->flight && hetckpt_launch_may_come_back(c->flight))
			return true;
	return false;
}

/* Of launches on the device in front of command, which is in the chain or will be. */
static unsigned slices_in_front(const struct hetckpt_stream *stream, const struct hetckpt_command *command)
{
	const struct hetckpt_command *c = stream->gate;
	unsigned slices = 0;

	for (; c && c != command; c = c->behind)
		if (c->flight)
			slices += hetckpt_launch_slices(c->flight);
	return slices;
}

/* 0; -EAGAIN, and nothing has happened: it must wait for the gate. */
static int issue_launch(struct hetckpt_core *core, struct hetckpt_stream *stream,
                        struct hetckpt_command *command, struct hetckpt_error *error)
{
	const struct hetckpt_msg_launch *msg = (const void *)(command->msg + 1);
	struct hetckpt_launch_command launch;
	struct hetckpt_function *function;
	double expected, least;
	uint32_t resident;
	int rc;

	rc = hetckpt_launch_prepare(core, stream, msg, command->behind, &command->flight, &expected, &resident,
	                            error);
	if (!rc && hetckpt_function_find(&core->modules, msg->function)->code->uses_heap)
		rc = hetckpt_device_heap_make(core, error);
	if (rc)
		return rc;
	if (command->flight && stream->gate) {
		command->flight->chained = true;
		command->flight->guarded = may_come_back(stream);
		rc = hetckpt_launch_issue(core, command->flight, slices_in_front(stream, command), error);
		/* Its tables may be in use by what clears them: see chain_over. */
		return rc || command->flight->parts ? rc : core->dev.ops->record(stream->queue, &command->marker, error);
	}
	if (command->flight) {
		/* What is before it must end by markers of its own. */
		rc = mark(core, stream, error);
		if (rc)
			return rc;
		stream->gate = command;
		return hetckpt_launch_issue(core, command->flight, 0, error);
	}
	if (stream->gate)
		return -EAGAIN;
	function = hetckpt_function_find(&core->modules, msg->function);
	launch = (struct hetckpt_launch_command){
		.kernel = function->kernel[HETCKPT_VARIANT_ORIGINAL],
		.grid = {msg->grid[0], msg->grid[1], msg->grid[2]},
		.block = {msg->block[0], msg->block[1], msg->block[2]},
		.dynamic_shared = msg->dynamic_shared,
		.flags = msg->flags & HETCKPT_LAUNCH_COOPERATIVE ? HETCKPT_LAUNCH_FLAG_COOPERATIVE : 0,
		.params = msg->params, .param_bytes = msg->param_bytes,
	};
	command->function = function;
	command->threads = msg->block[0] * msg->block[1] * msg->block[2];
	least = hetckpt_history_knows(&function->history, command->threads) ? HETCKPT_COMMAND_NS
	                                                                   : HETCKPT_DOUBTFUL_NS(core->short_ns);
	command->estimate_ns = expected <= 0 ? HETCKPT_UNKNOWN_NS(core->short_ns)
	                                     : expected < least ? least : expected;
	command->blocks = hetckpt_grid_blocks(msg->grid);
	command->resident = resident;
	/* On a queue that is empty an event is in nobody's way. */
	if (hetckpt_history_wants(&function->history, command->threads) || !stream->ahead || core->times.path) {
		rc = core->dev.ops->record(stream->queue, &command->start, error);
		if (rc)
			return rc;
	}
	rc = core->dev.ops->launch(stream->queue, &launch, error);
	if (!rc && command->start)
		rc = core->dev.ops->record(stream->queue, &command->marker, error);
	return rc;
}

static int issue_command(struct hetckpt_core *core, struct hetckpt_stream *stream,
                         struct hetckpt_command *command, struct hetckpt_error *error)
{
	command->estimate_ns = HETCKPT_COMMAND_NS;
	command->follows = stream->ahead || stream->gate;
	command->function = NULL;
	switch (command->type) {
	case HETCKPT_MSG_LAUNCH:
		return issue_launch(core, stream, command, error);
	case HETCKPT_MSG_COPY:
		return hetckpt_transfer_copy(core, command, error);
	case HETCKPT_MSG_FILL:
		return hetckpt_transfer_fill(core, command, error);
	case HETCKPT_MSG_EVENT_RECORD:
		return core->dev.ops->record(stream->queue, &command->marker, error);
	case HETCKPT_MSG_FREE:
		return hetckpt_command_free(core, command, error);
	case HETCKPT_MSG_HOST_CALL:
		if (core->detached)
			return 0;
		stream->gate = command;
		hetckpt_command_reply(core, command, CUDA_SUCCESS, NULL, 0);
		return 0;
	default: /* STREAM_WAIT: its dependencies were all there is */
		return 0;
	}
}

/* Commands that the host carries out need all before them to have ended, not only to be
   on the way. */
static bool by_host(const struct hetckpt_command *command)
{
	const struct hetckpt_msg_copy *copy = (const void *)(command->msg + 1);

	return command->type == HETCKPT_MSG_HOST_CALL || command->type == HETCKPT_MSG_FREE ||
	       (command->type == HETCKPT_MSG_COPY && copy->src_space != HETCKPT_SPACE_DEVICE &&
	        copy->dst_space != HETCKPT_SPACE_DEVICE);
}

/* Something may be handed over behind the gate, and command is of that kind. */
static bool may_chain(const struct hetckpt_core *core, const struct hetckpt_stream *stream,
                      const struct hetckpt_command *command)
{
	const struct hetckpt_command *last = stream->gate;
	uint64_t bytes = 0;
	double ns = 0;

	if (!last->flight || !hetckpt_command_chainable(command) || stream->chained >= HETCKPT_CHAIN_LAUNCHES ||
	    core->base != HETCKPT_FLAG_RUN || core->variant == HETCKPT_CORE_TURNS)
		return false;
	/* A pause would wait for its blocks to run, or to begin in vain; and there is time. */
	if (slices_in_front(stream, command) >= HETCKPT_LANES)
		return false;
	/* A launch that is handed over in parts has the device to itself until its last one is. */
	for (unsigned i = 0; last; i++, last = i > stream->chained ? NULL : last->behind) {
		if (!last->flight)
			continue;
		if (!hetckpt_blocks_empty(&last->flight->todo))
			return false;
		bytes += last->flight->park ? last->flight->park->bytes : 0;
		if (i)
			ns += last->flight->expected_ns > 0 ? last->flight->expected_ns : HETCKPT_CHAIN_NS;
	}
	return bytes <= HETCKPT_CHAIN_BYTES && ns < HETCKPT_CHAIN_NS;
}

static bool may_issue(const struct hetckpt_core *core, const struct hetckpt_stream *stream,
                      const struct hetckpt_command *command)
{
	bool host = by_host(command);

	if (host && stream->first != command)
		return false;
	if (stream->gate ? !may_chain(core, stream, command)
	                 : stream->ahead && core->ahead_ns >= HETCKPT_RUN_AHEAD_NS(core->short_ns))
		return false;
	for (unsigned i = 0; i < command->deps; i++)
		if (host ? command->dep[i]->state != HETCKPT_COMMAND_DONE : !will_end(command->dep[i]))
			return false;
	return true;
}

/* Hands over more of the launches under way: of the gate, and of the last one of its chain, which is the
   only other that may not have been handed over whole. */
static int issue_more(struct hetckpt_core *core, struct hetckpt_stream *stream, bool *moved,
                      struct hetckpt_error *error)
{
	struct hetckpt_command *last = stream->issued_last;
	struct hetckpt_flight *flight = stream->gate->flight;
	unsigned parts = flight->parts;
	/* After a load it has no queue yet. */
	int rc = hetckpt_launch_queues(core, flight, stream, error);

	flight->guarded = false;
	if (!rc)
		rc = hetckpt_launch_issue(core, flight, 0, error);
	*moved |= flight->parts != parts;
	if (rc || !stream->chained || !last->flight || !last->flight->parts)
		return rc;
	parts = last->flight->parts;
	rc = hetckpt_launch_issue(core, last->flight, slices_in_front(stream, last), error);
	*moved |= last->flight->parts != parts;
	return rc;
}

/* Undoes what was begun for a command that has not come to the device. */
static void issue_undo(struct hetckpt_core *core, struct hetckpt_stream *stream,
                       struct hetckpt_command *command)
{
	if (stream->gate == command)
		stream->gate = NULL;
	hetckpt_launch_free(core, command->flight);
	command->flight = NULL;
}

/*
 * Hands over the next command of a stream. 0: done; -EAGAIN: it must wait; others: the device
 * has failed.
 */
static int issue_next(struct hetckpt_core *core, struct hetckpt_stream *stream,
                      struct hetckpt_command *command, struct hetckpt_error *error)
{
	struct hetckpt_command *gate = stream->gate;
	int rc = hetckpt_stream_queue(core, stream, error);

	if (!rc)
		rc = wait_for_deps(core, stream, command, error);
	if (rc)
		return rc;
	command->state = HETCKPT_COMMAND_ISSUED;
	stream->queued = command->behind;
	/* issued_last still is the one before: a launch marks what it follows. */
	rc = issue_command(core, stream, command, error);
	if (rc) {
		/* A broken flight cannot be taken back; anything else never began. */
		if (command->flight && command->flight->parts)
			return rc == -EAGAIN ? -EIO : rc;
		issue_undo(core, stream, command);
		if (gate && rc != -EIO) {
			/* Behind a gate it cannot end in its turn: it fails again when that is done. */
			command->state = HETCKPT_COMMAND_QUEUED;
			stream->queued = command;
			return -EAGAIN;
		}
		hetckpt_command_spoil(command, error);
		hetckpt_log(HETCKPT_LOG_INFO, "%s", error->text);
		if (error->code == -EIO)
			return -EIO;
	}
	stream->issued_last = command;
	if (gate) {
		stream->chained++;
	} else if (stream->gate != command) {
		stream->ahead++;
		core->ahead_ns += command->estimate_ns;
		stream->unmarked = command->marker ? 0 : stream->unmarked + 1;
		if (stream->unmarked >= MARK_EVERY)
			return mark(core, stream, error);
	}
	return 0;
}

static bool issue_stream(struct hetckpt_core *core, struct hetckpt_stream *stream)
{
	struct hetckpt_error error = {0};
	bool moved = false;
	int rc = 0;

	if (stream->gate && stream->gate->flight)
		rc = issue_more(core, stream, &moved, &error);
	while (!rc && stream->queued && !atomic_load(&core->stop) && may_issue(core, stream, stream->queued)) {
		rc = issue_next(core, stream, stream->queued, &error);
		moved |= !rc;
	}
	if (rc == -EAGAIN)
		rc = 0;
	if (!rc && stream->unmarked && !stream->gate)
		rc = mark(core, stream, &error);
	if (rc) {
		hetckpt_core_fail(core, &error);
		return true;
	}
	return moved;
}

bool hetckpt_executor_issue(struct hetckpt_core *core)
{
	bool moved = false;

	for (struct hetckpt_stream *s = core->streams; s && !core->failed; s = s->next)
		if (s->first)
			moved |= issue_stream(core, s);
	return moved;
}

bool hetckpt_stream_in_flight(const struct hetckpt_stream *stream)
{
	return stream->gate && stream->gate->flight && (stream->gate->flight->parts || stream->chained);
}

bool hetckpt_executor_in_flight(struct hetckpt_core *core)
{
	for (struct hetckpt_stream *s = core->streams; s; s = s->next)
		if (s->ahead || hetckpt_stream_in_flight(s))
			return true;
	return false;
}
