/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Pausing a launch: who is where, and why no block is lost or run twice.
 *
 * A launch's blocks are, at any time, in exactly one of these places:
 *
 *   todo    not on the device: never begun (ranges), or parked with a group in resume
 *   parts   handed to the device in a hardware launch that has not been seen to end
 *   done    known to have ended
 *
 * Blocks go from todo to a part when the part is issued, and from a part to done or back
 * to todo when its end is noted, all in this file and under the core's lock.
 *
 * 1. What one block on the device can do. Kernels without polls look at no flag, unless their launch
 *    record names one (6.): their blocks run to their end. Else its first act is poll_entry on the
 *    entry word E of its line. If E is raised it sets its byte in the map of unstarted blocks and returns:
 *    it has had no other effect. Otherwise it runs. At polls it reads the poll word P of
 *    its line; if P is raised, its threads (or warps) store their frames under its key in
 *    the park table and return. Otherwise it runs to its end. So when the hardware
 *    launch has ended, each of its blocks is exactly one of: byte set (not begun), key
 *    present (parked, each of its threads has a safepoint, threads that ended before the
 *    pause left HETCKPT_SP_DONE), or neither (ended). collect.c sorts them by that,
 *    and refuses (as a broken kernel) any block for which two of these hold, or that
 *    was not in a part.
 *
 * 2. A part that ended undisturbed needs no look at tables. Each raise first increments
 *    epoch, then pokes. issue() reads epoch before it hands a part over, poll() reads it
 *    after the part's marker has completed. If both are the same, no poke had begun when
 *    the last block ended, and the words were down when the first began (a part is
 *    only issued while stop is 0, and lower() pokes and waits before stop becomes 0). If
 *    a raise comes between reading epoch and issuing, the epochs differ, and we look.
 *
 * 3. The park table has room. All entry words are up before the first poll word is
 *    (dev.c), and a poke returns only when every later poll sees it. Let t be the moment
 *    when the entry words are up. A block that parks began before t, for it had E down,
 *    and ended (by parking) after t. So all blocks that park were unfinished at t
 *    together: at most "unfinished" of them, for which the table has room. (Not "resident":
 *    a block may begin in the places of other blocks' warps that have ended.) The flag is
 *    not lowered before every part of every launch has ended (pause.c), so blocks of
 *    two raises never meet in a table. With the poll words alone held up (stress) blocks do
 *    follow parked ones; then a part has at most "resident" blocks. Parts side by side do not change
 *    this: "unfinished" is what the device holds of the variant that needs less of it, and so at least
 *    what it holds of both together.
 *
 * 4. Pauses compose. A resume part reads from the table "resume" and parks into "park":
 *    different memory. After a pause a block of its list has either begun, and is found
 *    parked in "park" or ended, or not begun (bit set), and its group in "resume" is
 *    as it was, for only the block itself reads it and nobody writes. Collecting brings
 *    the groups of both kinds into one table. Blocks that started afresh from a list
 *    (HETCKPT_NO_GROUP) and have their bit set go back to the ranges.
 *
 * 5. Parts of a launch follow what is before it in the stream: by the stream's queue, or by a marker in it
 *    for those in lanes beside it (part_queue). In which order they run, and whether side by side, makes no
 *    difference: they are blocks of one grid. Nothing that follows the launch in its stream, or waits
 *    for it elsewhere, is issued before the launch is finished, but for 6., and that comes behind all
 *    parts (join_queues): no later command can see memory of a half-done launch. Parts
 *    issued behind one that was paused begin with E up, and come back whole, or never park.
 *
 * 6. So do launches that were handed over behind one that was paused (executor.c chains them, so
 *    that the device need not wait for the host between short ones). If a block of the first has
 *    parked, or has not begun, E went up before its hardware launch ended; those behind it begin
 *    after that, and E stays up until all of them have ended: none of their blocks runs. Blocks that
 *    never poll must look at E then: behind a launch that may come back, for its blocks park, or look
 *    at E themselves, a launch is guarded, until it is the first. Parts that were handed over before
 *    that look all the same. At most
 *    one launch of a stream is therefore ever half done; what is behind it is taken back, and is
 *    queued as if it had never been handed over. Only while the poll words are held up (stress,
 *    3.) would later launches run: then nothing is chained.
 */
#include "launch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "runtime/common/log.h"
#include "runtime/common/timeline.h"

/* Longest list of a resume part. Its memory and upload are the price of scattered blocks;
   ranges longer than this go through the run variant, which needs no list. */
#define LIST_MAX 65536u
/* Blocks that wait for each other must all be in one list. */
#define LIST_MAX_WAITS (1u << 20)
/* Beside such a piece the time until the next one is handed over does not count. */
#define PIECE_LONG_NS 4e6

/* ---- Making one -------------------------------------------------------- */

int hetckpt_launch_queues(struct hetckpt_core *core, struct hetckpt_flight *launch, struct hetckpt_stream *stream,
                          struct hetckpt_error *error)
{
	int rc = hetckpt_stream_queue(core, stream, error);

	if (!rc && launch->slice)
		rc = hetckpt_stream_beside(core, stream, error);
	launch->lane[0] = stream->queue;
	launch->lanes = 1;
	while (launch->slice && launch->lanes < HETCKPT_LANES && stream->beside[launch->lanes - 1]) {
		launch->lane[launch->lanes] = stream->beside[launch->lanes - 1];
		launch->lanes++;
	}
	return rc;
}

/* Asks the back end how many blocks of each variant fit at once; remembers the answer, for
   most launches of a kernel look alike. */
static int find_fit(struct hetckpt_core *core, struct hetckpt_function *function, uint32_t threads,
                    uint32_t dynamic, struct hetckpt_fit *fit, struct hetckpt_error *error)
{
	uint64_t begin = hetckpt_timeline_now();
	uint32_t resident[3] = {0}, unfinished[3] = {0};

	if (function->fit.threads == threads && function->fit.dynamic_shared == dynamic) {
		*fit = function->fit;
		return 0;
	}
	for (int v = HETCKPT_VARIANT_ORIGINAL; v <= HETCKPT_VARIANT_RESUME; v++) {
		struct hetckpt_occupancy occupancy;
		int rc;

		/* A kernel without polls has no resume variant: nothing of it is ever parked. */
		if (v != HETCKPT_VARIANT_ORIGINAL && !function->map->pausable)
			break;
		if (v == HETCKPT_VARIANT_RESUME && !function->map->polls) {
			resident[v] = resident[HETCKPT_VARIANT_RUN];
			unfinished[v] = unfinished[HETCKPT_VARIANT_RUN];
			break;
		}
		rc = hetckpt_function_variant(&core->modules, function, v, error);
		if (!rc)
			rc = core->dev.ops->occupancy(function->kernel[v], threads, dynamic, &occupancy, error);
		if (rc)
			return rc;
		resident[v] = occupancy.resident;
		unfinished[v] = occupancy.unfinished;
	}
	fit->threads = threads;
	fit->dynamic_shared = dynamic;
	fit->original = resident[HETCKPT_VARIANT_ORIGINAL];
	fit->most = MAX(resident[HETCKPT_VARIANT_RUN], resident[HETCKPT_VARIANT_RESUME]);
	fit->together = MIN(resident[HETCKPT_VARIANT_RUN], resident[HETCKPT_VARIANT_RESUME]);
	/* Parts of either variant park into one table. */
	fit->unfinished = MAX(unfinished[HETCKPT_VARIANT_RUN], unfinished[HETCKPT_VARIANT_RESUME]);
	function->fit = *fit;
	hetckpt_timeline_step(begin, "looks how many blocks fit: %.100s", function->map->signature);
	return 0;
}

static bool is_prime(uint32_t n)
{
	for (uint32_t d = 3; (uint64_t)d * d <= n; d += 2)
		if (n % d == 0)
			return false;
	return n % 2 || n == 2;
}

/* A slot for each block of the grid, rounded up so that tables of grids of about one size serve
   each other; or a prime with room for all blocks that can be unfinished at once and an eighth
   more, so that a block whose slot is taken soon finds a free one (abi.h). */
static uint32_t table_capacity(const struct hetckpt_fit *fit, uint64_t blocks)
{
	uint32_t capacity = 1;

	if (blocks > fit->unfinished) {
		capacity = (fit->unfinished + fit->unfinished / 8 + 1) | 1;
		while (!is_prime(capacity))
			capacity += 2;
		return capacity;
	}
	while (capacity < blocks)
		capacity *= 2;
	return capacity <= fit->unfinished ? capacity : (uint32_t)blocks;
}

static struct hetckpt_flight *make(struct hetckpt_function *function, const uint32_t grid[3],
                                   const uint32_t block[3], uint32_t dynamic, uint32_t flags,
                                   const void *params, uint32_t param_bytes,
                                   const struct hetckpt_fit *fit)
{
	struct hetckpt_flight *launch = calloc(1, sizeof *launch);

	if (!launch)
		return NULL;
	launch->function = function;
	memcpy(launch->grid, grid, sizeof launch->grid);
	memcpy(launch->block, block, sizeof launch->block);
	launch->threads = block[0] * block[1] * block[2];
	launch->dynamic_shared = dynamic;
	launch->flags = flags;
	launch->total = hetckpt_grid_blocks(grid);
	launch->resident = fit->most;
	launch->capacity = table_capacity(fit, launch->total);
	launch->group_bytes = hetckpt_frame_group_bytes(function->map, launch->threads, dynamic);
	launch->param_bytes = param_bytes;
	launch->record_at = (param_bytes + 7u) & ~7u;
	launch->params = calloc(1, launch->record_at + HETCKPT_LAUNCH_BYTES);
	if (!launch->params) {
		free(launch);
		return NULL;
	}
	memcpy(launch->params, params, param_bytes);
	return launch;
}

/* Checks what the device would refuse. */
static int check_configuration(const struct hetckpt_function *function,
                               const struct hetckpt_device_facts *facts,
                               const struct hetckpt_msg_launch *msg, struct hetckpt_error *error)
{
	const char *name = function->map->signature;
	uint64_t threads = (uint64_t)msg->block[0] * msg->block[1] * msg->block[2];
	uint32_t most = function->facts[HETCKPT_VARIANT_ORIGINAL].max_threads;

	for (int i = 0; i < 3; i++)
		if (!msg->grid[i] || !msg->block[i] || msg->block[i] > 65536 ||
		    (facts->max_grid[i] && msg->grid[i] > facts->max_grid[i]) ||
		    (facts->max_block[i] && msg->block[i] > facts->max_block[i]))
			return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_CONFIGURATION,
				"launch of %.200s: a grid of (%u,%u,%u) blocks of (%u,%u,%u) threads is not possible",
				name, msg->grid[0], msg->grid[1], msg->grid[2], msg->block[0], msg->block[1],
				msg->block[2]);
	if (threads > HETCKPT_FRAME_MAX_THREADS || (facts->max_threads_per_block && threads > facts->max_threads_per_block))
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_CONFIGURATION,
			"launch of %.200s: %" PRIu64 " threads a block, the device takes %u", name, threads,
			facts->max_threads_per_block);
	if (most && threads > most)
		return hetckpt_error_set(error, -EINVAL, CUDA_OUT_OF_RESOURCES,
			"launch of %.200s: %" PRIu64 " threads a block, the kernel takes %u", name, threads, most);
	if (msg->dynamic_shared > function->max_dynamic_shared)
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
			"launch of %.200s: %u bytes of dynamic shared memory, %u are allowed", name,
			msg->dynamic_shared, function->max_dynamic_shared);
	if (msg->param_bytes != function->map->param_bytes)
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_VALUE,
			"launch of %.200s: %u bytes of parameters, the kernel takes %u", name,
			msg->param_bytes, function->map->param_bytes);
	return 0;
}

int hetckpt_launch_prepare(struct hetckpt_core *core, struct hetckpt_stream *stream,
                           const struct hetckpt_msg_launch *msg, const struct hetckpt_command *next,
                           struct hetckpt_flight **out, double *expected, uint32_t *resident,
                           struct hetckpt_error *error)
{
	struct hetckpt_function *function = hetckpt_function_find(&core->modules, msg->function);
	struct hetckpt_launch_facts facts = {0};
	struct hetckpt_launch_choice choice;
	enum hetckpt_core_variant variant;
	struct hetckpt_flight *launch;
	struct hetckpt_fit fit;
	uint32_t threads;
	int rc;

	*out = NULL;
	*expected = 0;
	*resident = 0;
	if (!function)
		return hetckpt_error_set(error, -EINVAL, CUDA_INVALID_FUNCTION_HANDLE,
		                         "launch of an unknown function (handle %" PRIu64 ")", msg->function);
	rc = check_configuration(function, &core->dev.facts, msg, error);
	if (rc)
		return rc;
	threads = msg->block[0] * msg->block[1] * msg->block[2];
	rc = find_fit(core, function, threads, msg->dynamic_shared, &fit, error);
	if (rc)
		return rc;
	facts.pausable = function->map->pausable && fit.together;
	facts.polls = function->map->polls;
	facts.waits = function->map->waits;
	facts.cooperative = (msg->flags & HETCKPT_LAUNCH_COOPERATIVE) != 0;
	facts.blocks = hetckpt_grid_blocks(msg->grid);
	variant = core->variant;
	if (variant == HETCKPT_CORE_TURNS)
		variant = function->turn++ & 1 ? HETCKPT_CORE_RUN : HETCKPT_CORE_ORIGINAL;
	facts.stress = core->stress.mode != HETCKPT_STRESS_OFF || variant == HETCKPT_CORE_RUN;
	facts.original = variant == HETCKPT_CORE_ORIGINAL;
	if (facts.cooperative && facts.blocks > fit.original)
		return hetckpt_error_set(error, -EINVAL, CUDA_COOPERATIVE_TOO_LARGE,
			"cooperative launch of %.200s: %" PRIu64 " blocks, the device holds %u at once",
			function->map->signature, facts.blocks, fit.original);
	/* A grid that fits may count on all its blocks running side by side. The variants may
	   need more registers: where they do not all fit any more, only the original will do. */
	if ((facts.cooperative || facts.waits) && facts.blocks <= fit.original &&
	    facts.blocks > fit.together)
		facts.pausable = 0;
	*resident = facts.pausable ? fit.most : fit.original;
	*expected = hetckpt_history_estimate(&function->history, threads, facts.blocks, *resident);
	facts.resident = *resident;
	facts.expected_ns = *expected;
	facts.known = hetckpt_history_knows(&function->history, threads);
	facts.followed = next ? !hetckpt_command_chainable(next) : function->followed;
	facts.short_ns = core->short_ns;
	facts.looks = (core->backend->flags & HETCKPT_BACKEND_LOOKS) != 0;
	facts.overlaps = (core->backend->flags & HETCKPT_BACKEND_OVERLAPS) != 0;
	choice = hetckpt_policy_choose(&facts);
	if (choice.mode == HETCKPT_LAUNCH_ORIGINAL)
		return 0;

	launch = make(function, msg->grid, msg->block, msg->dynamic_shared, msg->flags, msg->params,
	              msg->param_bytes, &fit);
	if (!launch || hetckpt_blocks_add_range(&launch->todo, 0, launch->total)) {
		hetckpt_launch_free(core, launch);
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory for a launch");
	}
	launch->slice = choice.mode == HETCKPT_LAUNCH_SLICED ? choice.slice : 0;
	rc = hetckpt_launch_queues(core, launch, stream, error);
	if (rc) {
		hetckpt_launch_free(core, launch);
		return rc;
	}
	launch->piece = choice.slice;
	launch->expected_ns = *expected;
	launch->whole = true;
	launch->cleared = true;
	/* A device so full that frames do not fit runs the launch all the same, unpausable. */
	rc = hetckpt_frames_get(&core->pool, launch->lane[0], launch->capacity, launch->threads,
	                        launch->group_bytes, &launch->park, error);
	if (!rc)
		rc = hetckpt_bytemap_get(&core->pool, launch->lane[0], launch->total, &launch->unstarted, error);
	if (rc) {
		hetckpt_launch_free(core, launch);
		if (rc != -ENOMEM)
			return rc;
		hetckpt_log(HETCKPT_LOG_WARN, "%.200s runs without pausing: no device memory for its frames",
		            function->map->signature);
		return 0;
	}
	*out = launch;
	return 0;
}

int hetckpt_launch_restore(struct hetckpt_core *core, struct hetckpt_function *function,
                           const uint32_t grid[3], const uint32_t block[3],
                           uint32_t dynamic_shared, uint32_t flags, const void *params,
                           uint32_t param_bytes, struct hetckpt_blocks *todo,
                           struct hetckpt_frames *resume, uint64_t done,
                           struct hetckpt_flight **out, struct hetckpt_error *error)
{
	uint32_t threads = block[0] * block[1] * block[2];
	uint64_t together = todo->parked_count;
	struct hetckpt_launch_choice choice;
	struct hetckpt_launch_facts facts;
	struct hetckpt_flight *launch;
	struct hetckpt_fit fit;
	int rc;

	rc = find_fit(core, function, threads, dynamic_shared, &fit, error);
	if (rc)
		return rc;
	if (!fit.together)
		return hetckpt_error_set(error, -ENOSPC, CUDA_OUT_OF_RESOURCES,
			"%.200s with blocks of %u threads and %u bytes of dynamic shared memory does not fit "
			"this device", function->map->signature, threads, dynamic_shared);
	if (flags & HETCKPT_LAUNCH_COOPERATIVE)
		together += hetckpt_blocks_unstarted(todo);
	if ((function->map->waits || (flags & HETCKPT_LAUNCH_COOPERATIVE)) && together > fit.together)
		return hetckpt_error_set(error, -ENOSPC, CUDA_COOPERATIVE_TOO_LARGE,
			"%" PRIu64 " blocks of %.200s wait for each other, this device holds %u at once",
			together, function->map->signature, fit.together);
	launch = make(function, grid, block, dynamic_shared, flags, params, param_bytes, &fit);
	if (!launch)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory for a launch");
	launch->todo = *todo;
	memset(todo, 0, sizeof *todo);
	launch->resume = resume;
	launch->done = done;
	/* As one of a kernel that has never been measured here. */
	facts = (struct hetckpt_launch_facts){
		.pausable = 1, .polls = function->map->polls, .waits = function->map->waits,
		.cooperative = (flags & HETCKPT_LAUNCH_COOPERATIVE) != 0, .blocks = launch->total, .resident = fit.most,
		.looks = (core->backend->flags & HETCKPT_BACKEND_LOOKS) != 0,
		.overlaps = (core->backend->flags & HETCKPT_BACKEND_OVERLAPS) != 0,
	};
	choice = hetckpt_policy_choose(&facts);
	launch->piece = choice.slice;
	launch->slice = choice.mode == HETCKPT_LAUNCH_SLICED ? choice.slice : 0;
	*out = launch;
	return 0;
}

void hetckpt_part_clear(struct hetckpt_core *core, struct hetckpt_part *part)
{
	if (part->marker)
		core->dev.ops->marker_release(part->marker);
	if (part->start)
		core->dev.ops->marker_release(part->start);
	if (part->list_address)
		hetckpt_heap_free(&core->internal, part->list_address, NULL);
	free(part->list);
	memset(part, 0, sizeof *part);
}

void hetckpt_launch_free(struct hetckpt_core *core, struct hetckpt_flight *launch)
{
	if (!launch)
		return;
	for (unsigned i = 0; i < launch->parts; i++)
		hetckpt_part_clear(core, &launch->part[i]);
	hetckpt_blocks_free(&launch->todo);
	hetckpt_frames_put(&core->pool, launch->resume);
	hetckpt_frames_put(&core->pool, launch->park);
	hetckpt_bytemap_put(&core->pool, launch->unstarted);
	free(launch->params);
	free(launch);
}

bool hetckpt_launch_finished(const struct hetckpt_flight *launch)
{
	return !launch->parts && hetckpt_blocks_empty(&launch->todo);
}

/* ---- Issuing ----------------------------------------------------------- */

/* Blocks that must run side by side if they are to end at all. */
static bool together(const struct hetckpt_flight *launch)
{
	return launch->function->map->waits || (launch->flags & HETCKPT_LAUNCH_COOPERATIVE);
}

/* How many blocks the next part may have, and how many parts may be on the device. */
static uint64_t part_limit(const struct hetckpt_core *core, const struct hetckpt_flight *launch,
                           unsigned *parts)
{
	if (core->base == HETCKPT_FLAG_PAUSE_STARTED) {
		/* Blocks follow parked ones now: only as many as the table holds. Kernels that never
		   park are cut into a few rounds, not into thousands. */
		uint64_t eighth = (launch->total + 7) / 8;

		*parts = 1;
		return launch->function->map->polls || eighth < launch->resident ? launch->resident : eighth;
	}
	if (launch->slice) {
		/* One runs while the next waits behind it; or as many run as are needed to fill the device. */
		*parts = launch->lanes > 1 ? launch->lanes : 2;
		return launch->slice;
	}
	if (together(launch)) {
		*parts = HETCKPT_LAUNCH_PARTS;
		return UINT64_MAX;
	}
	/* What waits behind a long piece has to begin in vain, and saves nothing. */
	*parts = launch->piece_ns > PIECE_LONG_NS ? 1 : 2;
	return launch->piece;
}

/* Picks the next blocks out of todo. */
static int part_pick(struct hetckpt_core *core, struct hetckpt_flight *launch,
                     struct hetckpt_part *part, uint64_t limit)
{
	struct hetckpt_blocks *todo = &launch->todo;
	uint64_t unstarted = hetckpt_blocks_unstarted(todo), room;
	struct hetckpt_box box;
	size_t parked = todo->parked_count;

	(void)core;
	/* Long ranges of untouched blocks need no list, nor does a small grid that is all untouched;
	   blocks that must meet parked ones do, and so do scraps. Lists are the resume variant's. */
	if (!parked) {
		box = hetckpt_grid_box(launch->grid, todo->ranges[0].first,
		                       todo->ranges[0].count < limit ? todo->ranges[0].count : limit);
		/* Blocks that wait for each other fit in no less than one box. */
		if (!launch->function->map->polls || box.count == unstarted ||
		    (todo->ranges[0].count >= (together(launch) ? unstarted : launch->resident) &&
		     (!together(launch) || box.count >= launch->resident))) {
			part->first = todo->ranges[0].first;
			part->count = box.count;
			hetckpt_blocks_take_front(todo, box.count);
			return 0;
		}
	}
	room = together(launch) ? LIST_MAX_WAITS : LIST_MAX;
	if (room > limit)
		room = limit;
	if (room > parked + unstarted)
		room = parked + unstarted;
	part->list = malloc(room * sizeof *part->list);
	if (!part->list)
		return -ENOMEM;
	part->resume = true;
	/* Parked ones first: others may wait for what they have begun, never the reverse. */
	if (parked > room)
		parked = room;
	if (parked) {
		memcpy(part->list, todo->parked, parked * sizeof *part->list);
		todo->parked_count -= parked;
		memmove(todo->parked, todo->parked + parked, todo->parked_count * sizeof *todo->parked);
	}
	part->count = parked;
	if (!todo->parked_count)
		part->count += hetckpt_blocks_take_list(todo, part->list + parked, room - parked);
	return 0;
}

/* Puts a part that was not issued back. */
static void part_return(struct hetckpt_flight *launch, struct hetckpt_part *part)
{
	/* There is room for all: they came from there. */
	if (!part->resume)
		hetckpt_blocks_add_range(&launch->todo, part->first, part->count);
	for (uint64_t i = 0; part->resume && i < part->count; i++)
		if (part->list[i].group == HETCKPT_NO_GROUP)
			hetckpt_blocks_add_range(&launch->todo, part->list[i].block, 1);
		else
			hetckpt_blocks_add_parked(&launch->todo, part->list[i].block, part->list[i].group);
	hetckpt_blocks_normalize(&launch->todo);
}


/* Uploads a list; it must stay where it is until the part has ended. */
static int part_upload(struct hetckpt_core *core, struct hetckpt_queue *queue, struct hetckpt_part *part,
                       struct hetckpt_error *error)
{
	uint64_t bytes = part->count * sizeof *part->list;
	struct hetckpt_copy copy = {
		.dst_memory = HETCKPT_MEMORY_DEVICE,
		.src = (uintptr_t)part->list, .src_memory = HETCKPT_MEMORY_HOST,
		.width = bytes, .height = 1, .depth = 1,
		.dst_pitch = bytes, .dst_slice = bytes, .src_pitch = bytes, .src_slice = bytes,
	};
	int rc = hetckpt_heap_alloc(&core->internal, bytes, HETCKPT_ARENA_ALIGN, 0,
	                              &part->list_address, error);

	if (rc == -ENOMEM && hetckpt_frame_pool_trim(&core->pool))
		rc = hetckpt_heap_alloc(&core->internal, bytes, HETCKPT_ARENA_ALIGN, 0,
		                          &part->list_address, error);
	if (rc)
		return rc;
	copy.dst = part->list_address;
	return core->dev.ops->copy(queue, &copy, error);
}

/*
 * Slices of a launch take turns in lanes, so that blocks of one begin where those before have none left
 * to begin. The first of those that are on the device together is in the stream's queue, behind its
 * start marker; what is in other lanes waits for that marker: for everything that the stream has done
 * before, and for cleared tables. When the first has ended, both are past.
 */
static int part_queue(struct hetckpt_core *core, const struct hetckpt_flight *launch, struct hetckpt_part *part,
                      struct hetckpt_queue **queue, struct hetckpt_error *error)
{
	const struct hetckpt_part *first = &launch->part[0];

	part->lane = launch->parts ? (launch->part[launch->parts - 1].lane + 1) % launch->lanes : 0;
	*queue = launch->lane[part->lane];
	return part->lane && first->start ? core->dev.ops->queue_wait(*queue, first->start, error) : 0;
}

/* What follows in the stream follows the slices beside it, too. */
static int join_queues(struct hetckpt_core *core, const struct hetckpt_flight *launch, struct hetckpt_error *error)
{
	int rc = 0;

	for (unsigned i = 0; i < launch->parts && !rc; i++)
		if (launch->part[i].lane)
			rc = core->dev.ops->queue_wait(launch->lane[0], launch->part[i].marker, error);
	return rc;
}

/* Blocks that never poll feel it if they look at the flag, so they only do where they must. */
static bool must_look(const struct hetckpt_core *core, const struct hetckpt_flight *launch)
{
	return launch->function->map->polls || launch->guarded || core->backend->flags & HETCKPT_BACKEND_LOOKS;
}

bool hetckpt_launch_may_come_back(const struct hetckpt_flight *launch)
{
	bool may = launch->function->map->polls || launch->guarded;

	for (unsigned i = 0; i < launch->parts; i++)
		may |= launch->part[i].looks;
	return may;
}

static int part_launch(struct hetckpt_core *core, struct hetckpt_flight *launch,
                       struct hetckpt_part *part, struct hetckpt_error *error)
{
	const struct hetckpt_backend *ops = core->dev.ops;
	enum hetckpt_variant variant = part->resume ? HETCKPT_VARIANT_RESUME : HETCKPT_VARIANT_RUN;
	struct hetckpt_launch_command command = {
		.grid = {(uint32_t)part->count, 1, 1},
		.block = {launch->block[0], launch->block[1], launch->block[2]},
		.dynamic_shared = launch->dynamic_shared,
		.flags = launch->flags & HETCKPT_LAUNCH_COOPERATIVE ? HETCKPT_LAUNCH_FLAG_COOPERATIVE : 0,
		.params = launch->params,
		.param_bytes = launch->record_at + HETCKPT_LAUNCH_BYTES,
	};
	struct hetckpt_launch record = {
		.flags = part->looks ? core->dev.flags : 0,
		.frames = launch->park->address,
		.resume = launch->resume ? launch->resume->address : 0,
		.unstarted = launch->unstarted->address,
		.variables = launch->function->code->variables,
		.grid = {launch->grid[0], launch->grid[1], launch->grid[2]},
		.dynamic_shared = launch->dynamic_shared,
	};
	struct hetckpt_queue *queue;
	int rc;

	_Static_assert(sizeof record == HETCKPT_LAUNCH_BYTES, "the launch record's size is fixed");
	rc = hetckpt_function_variant(&core->modules, launch->function, variant, error);
	if (!rc)
		rc = part_queue(core, launch, part, &queue, error);
	if (rc)
		return rc;
	command.kernel = launch->function->kernel[variant];
	if (part->resume) {
		rc = part_upload(core, queue, part, error);
		if (rc)
			return rc;
		record.list = part->list_address;
		record.count = (uint32_t)part->count;
		/* A resume table there must be, even if nobody on the list reads it. */
		if (!record.resume)
			record.resume = record.frames;
	} else {
		struct hetckpt_box box = hetckpt_grid_box(launch->grid, part->first, part->count);

		memcpy(record.base, box.base, sizeof record.base);
		memcpy(command.grid, box.size, sizeof command.grid);
	}
	memcpy(launch->params + launch->record_at, &record, sizeof record);
	/* A chained one begins when the one before it ends. */
	if (!launch->parts && (launch->lanes > 1 || (launch->whole && (!launch->chained || core->times.path)))) {
		rc = ops->record(queue, &part->start, error);
		if (rc)
			return rc;
	}
	rc = ops->launch(queue, &command, error);
	return rc ? rc : ops->record(queue, &part->marker, error);
}

/* Fresh places to park and to note, where the last pause used them. */
static int renew_tables(struct hetckpt_core *core, struct hetckpt_flight *launch,
                        struct hetckpt_error *error)
{
	int rc = 0;

	launch->cleared |= !launch->park || !launch->unstarted;
	if (!launch->park)
		rc = hetckpt_frames_get(&core->pool, launch->lane[0], launch->capacity, launch->threads,
		                        launch->group_bytes, &launch->park, error);
	if (!rc && !launch->unstarted)
		rc = hetckpt_bytemap_get(&core->pool, launch->lane[0], launch->total, &launch->unstarted, error);
	return rc;
}

/* Waits for the end of what is in a queue. */
static int settle(struct hetckpt_core *core, struct hetckpt_queue *queue, struct hetckpt_error *error)
{
	struct hetckpt_marker *marker;
	uint64_t when;
	int rc = core->dev.ops->record(queue, &marker, error);

	if (rc)
		return rc;
	rc = core->dev.ops->marker_wait(marker, &when, error);
	core->dev.ops->marker_release(marker);
	return rc;
}

unsigned hetckpt_launch_slices(const struct hetckpt_flight *launch)
{
	return launch->lanes > 1 ? launch->parts : 0;
}

int hetckpt_launch_issue(struct hetckpt_core *core, struct hetckpt_flight *launch, unsigned in_front,
                         struct hetckpt_error *error)
{
	uint64_t epoch = atomic_load(&core->epoch);
	unsigned most;
	uint64_t limit = part_limit(core, launch, &most);
	int rc = renew_tables(core, launch, error);

	/* The epoch must be read before stop: see 2. above. */
	if (!launch->parts)
		launch->epoch = epoch;
	while (!rc && in_front + launch->parts < most && !launch->disturbed && epoch == launch->epoch &&
	       !hetckpt_blocks_empty(&launch->todo) && !atomic_load(&core->stop)) {
		struct hetckpt_part *part = &launch->part[launch->parts];

		part->looks = must_look(core, launch);
		rc = part_pick(core, launch, part, limit);
		if (rc) {
			hetckpt_error_set(error, rc, 0, "out of host memory for a launch");
			break;
		}
		rc = part_launch(core, launch, part, error);
		if (rc) {
			part_return(launch, part);
			hetckpt_part_clear(core, part);
			break;
		}
		launch->parts++;
		launch->cleared = false;
		if (hetckpt_blocks_empty(&launch->todo))
			rc = join_queues(core, launch, error);
		limit = part_limit(core, launch, &most);
	}
	/* Nobody will look for the end of what clears the tables, which may soon be another's. */
	if (!rc && launch->cleared && !launch->chained) {
		rc = settle(core, launch->lane[0], error);
		launch->cleared = false;
	}
	return rc;
}
