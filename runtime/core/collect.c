/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What became of the blocks that were on the device. launch.c says why this is right.
 */
#include "launch.h"

#include "runtime/common/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool part_refers(const struct hetckpt_flight *launch)
{
	for (unsigned i = 0; i < launch->parts; i++)
		if (launch->part[i].resume && launch->part[i].list[0].group != HETCKPT_NO_GROUP)
			return true;
	return false;
}

/* Gives the table to resume from back once nobody refers to it. */
static void resume_release(struct hetckpt_core *core, struct hetckpt_flight *launch)
{
	if (!launch->resume || launch->todo.parked_count || part_refers(launch))
		return;
	hetckpt_frames_put(&core->pool, launch->resume);
	launch->resume = NULL;
}

/* How many of refs (sorted) are below block. */
static size_t refs_below(const struct hetckpt_block_ref *refs, size_t count, uint64_t block)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (refs[middle].block < block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Blocks that did not begin, of those that are on the device. */
struct notes {
	uint8_t *unstarted; /* of blocks from first on: 1 or 0 */
	uint64_t first, count;
	bool any;
};

static bool not_begun(const struct notes *notes, uint64_t block)
{
	return notes->unstarted[block - notes->first];
}

/* The first block in [block, end) whose note is not `alike`; end if there is none. */
static uint64_t next_other(const struct notes *notes, uint64_t block, uint64_t end, bool alike)
{
	const uint8_t *at = notes->unstarted + (block - notes->first), *stop = at + (end - block), *from = at;
	const uint64_t eight = alike ? UINT64_C(0x0101010101010101) : 0;

	/* Usually thousands in a row are alike. */
	while (stop - at >= 8 && !memcmp(at, &eight, 8))
		at += 8;
	while (at < stop && *at == alike)
		at++;
	return block + (uint64_t)(at - from);
}

/* Has the notes of all blocks read that are on the device. */
static int notes_fetch(struct hetckpt_core *core, const struct hetckpt_flight *launch, struct notes *notes,
                       struct hetckpt_error *error)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (unsigned i = 0; i < launch->parts; i++) {
		const struct hetckpt_part *part = &launch->part[i];

		if (!part->resume) {
			low = part->first < low ? part->first : low;
			high = part->first + part->count - 1 > high ? part->first + part->count - 1 : high;
		}
		for (uint64_t k = 0; part->resume && k < part->count; k++) {
			low = part->list[k].block < low ? part->list[k].block : low;
			high = part->list[k].block > high ? part->list[k].block : high;
		}
	}
	notes->first = low;
	notes->count = high - low + 1;
	notes->unstarted = malloc(notes->count);
	if (!notes->unstarted)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
	return hetckpt_dev_fetch(&core->dev, notes->unstarted, launch->unstarted->address + notes->first,
	                         notes->count, error);
}

/* Reads what the blocks have noted: who parked, sorted, and who has not begun; and of those behind only
   that. */
static int notes_read(struct hetckpt_core *core, const struct hetckpt_flight *launch, struct hetckpt_blocks *parked,
                      struct notes *notes, const struct hetckpt_behind *behind, struct notes *behind_notes,
                      struct hetckpt_error *error)
{
	uint32_t *keys = NULL;
	int rc = hetckpt_frames_fetch(&core->pool, launch->park, &keys, error), settled;

	if (!rc)
		rc = notes_fetch(core, launch, notes, error);
	for (unsigned i = 0; i < behind->count && !rc; i++)
		if (behind->launch[i]->parts)
			rc = notes_fetch(core, behind->launch[i], &behind_notes[i], error);
	/* All at once; and what was asked for arrives before its memory is freed. */
	settled = hetckpt_dev_settle(&core->dev, NULL, rc ? NULL : error);
	rc = rc ? rc : settled;
	for (uint32_t i = 0; !rc && i < launch->park->capacity; i++)
		if (keys[i] && hetckpt_blocks_add_parked(parked, keys[i] - 1, i))
			rc = hetckpt_error_set(error, -ENOMEM, 0, "out of host memory for parked blocks");
	if (!rc)
		notes->any = next_other(notes, notes->first, notes->first + notes->count, false) <
			notes->first + notes->count;
	hetckpt_blocks_normalize(parked);
	free(keys);
	return rc;
}

/* Of a launch behind one that has come back no block may have begun (launch.c, 6.). */
static int check_behind(const struct hetckpt_flight *launch, const struct notes *notes, struct hetckpt_error *error)
{
	uint64_t handed_over = 0, turned_away = 0;

	for (unsigned i = 0; i < launch->parts; i++) {
		const struct hetckpt_part *part = &launch->part[i];

		handed_over += part->count;
		for (uint64_t k = 0; k < part->count; k++)
			turned_away += not_begun(notes, part->resume ? part->list[k].block : part->first + k);
	}
	if (turned_away < handed_over)
		return hetckpt_error_set(error, -EPROTO, CUDA_UNKNOWN,
			"%.200s broke the pause protocol: it began behind a launch that was paused",
			launch->function->map->signature);
	if (launch->parts)
		launch->unstarted->dirty = 1;
	return 0;
}

static int broken(const struct hetckpt_flight *launch, struct hetckpt_error *error, uint32_t block,
                  const char *what)
{
	return hetckpt_error_set(error, -EPROTO, CUDA_UNKNOWN, "%.200s broke the pause protocol: block %u %s",
	                         launch->function->map->signature, block, what);
}

/* Sorts count blocks from first on, which had not begun when they were handed over. *matched: so many
   more of those that have parked are among them. */
static int sort_fresh(struct hetckpt_flight *launch, const struct hetckpt_blocks *parked, const struct notes *notes,
                      uint64_t first, uint64_t count, size_t *matched, struct hetckpt_error *error)
{
	size_t from = refs_below(parked->parked, parked->parked_count, first);
	size_t to = from + refs_below(parked->parked + from, parked->parked_count - from, first + count);
	uint64_t block = first, end = first + count, begin, unstarted = 0;
	int rc = 0;

	for (size_t k = from; k < to; k++)
		if (not_begun(notes, parked->parked[k].block))
			return broken(launch, error, parked->parked[k].block, "parked though it had not begun");
	while (!rc && (begin = next_other(notes, block, end, false)) < end) {
		block = next_other(notes, begin, end, true);
		rc = hetckpt_blocks_add_range(&launch->todo, begin, block - begin);
		unstarted += block - begin;
	}
	*matched += to - from;
	launch->done += count - unstarted - (to - from);
	return rc ? hetckpt_error_set(error, rc, 0, "out of host memory for unfinished blocks") : 0;
}

/* Sorts a block that was handed over with its group in the table to resume from. */
static int sort_resumed(struct hetckpt_flight *launch, const struct hetckpt_blocks *parked, const struct notes *notes,
                        struct hetckpt_block_ref ref, size_t *matched, struct hetckpt_error *error)
{
	size_t at = refs_below(parked->parked, parked->parked_count, ref.block);
	bool found = at < parked->parked_count && parked->parked[at].block == ref.block;
	int rc = 0;

	if (found && not_begun(notes, ref.block))
		return broken(launch, error, ref.block, "parked though it had not begun");
	*matched += found;
	if (not_begun(notes, ref.block))
		rc = hetckpt_blocks_add_parked(&launch->todo, ref.block, ref.group);
	else if (!found)
		launch->done++;
	return rc ? hetckpt_error_set(error, rc, 0, "out of host memory for unfinished blocks") : 0;
}

/* How many blocks from entry k of a list on are fresh and have numbers in a row: usually most of them. */
static uint64_t fresh_row(const struct hetckpt_part *part, uint64_t k)
{
	const struct hetckpt_block_ref *ref = part->list + k;
	uint64_t n = 0;

	while (k + n < part->count && ref[n].group == HETCKPT_NO_GROUP && ref[n].block == ref[0].block + n)
		n++;
	return n;
}

/* Sorts the blocks of all parts into done and todo. parked: found in the park table, sorted.
   kept: those of todo.parked that stay in the old table are added there. */
static int sort_blocks(struct hetckpt_flight *launch, const struct hetckpt_blocks *parked,
                       const struct notes *notes, struct hetckpt_error *error)
{
	size_t matched = 0;
	int rc = 0;

	for (unsigned i = 0; i < launch->parts && !rc; i++) {
		struct hetckpt_part *part = &launch->part[i];

		if (!part->resume)
			rc = sort_fresh(launch, parked, notes, part->first, part->count, &matched, error);
		for (uint64_t k = 0, n; part->resume && k < part->count && !rc; k += n) {
			n = fresh_row(part, k);
			rc = n ? sort_fresh(launch, parked, notes, part->list[k].block, n, &matched, error)
			       : sort_resumed(launch, parked, notes, part->list[k], &matched, error);
			n += !n;
		}
	}
	if (rc)
		return rc;
	if (matched != parked->parked_count)
		return hetckpt_error_set(error, -EPROTO, CUDA_UNKNOWN,
			"%.200s broke the pause protocol: %zu blocks parked that were not running",
			launch->function->map->signature, parked->parked_count - matched);
	return 0;
}

/* Places for count groups of the old table in the park table, of those that nobody took: where a
   group lies now if it can be, so that neighbours stay neighbours and move in one copy. False: there
   are too few. */
static bool free_groups(const struct hetckpt_frames *park, const struct hetckpt_blocks *parked,
                        const struct hetckpt_block_ref *old, uint32_t *groups, size_t count)
{
	unsigned char *taken = calloc(park->capacity, 1);
	size_t found = 0;
	uint32_t free_at = 0;

	if (!taken)
		return false;
	for (size_t i = 0; i < parked->parked_count; i++)
		taken[parked->parked[i].group] = 1;
	for (size_t i = 0; i < count; i++) {
		groups[i] = HETCKPT_NO_GROUP;
		if (old[i].group < park->capacity && !taken[old[i].group]) {
			groups[i] = old[i].group;
			taken[old[i].group] = 1;
		}
	}
	for (; found < count; found++) {
		if (groups[found] != HETCKPT_NO_GROUP)
			continue;
		while (free_at < park->capacity && taken[free_at])
			free_at++;
		if (free_at == park->capacity)
			break;
		groups[found] = free_at++;
	}
	free(taken);
	return found == count;
}

/* Makes one table of the old one, of which old groups are still needed, and the one that has
   been parked into. */
static int join_groups(struct hetckpt_core *core, struct hetckpt_flight *launch,
                       const struct hetckpt_blocks *parked, uint32_t *groups, struct hetckpt_error *error)
{
	struct hetckpt_blocks *todo = &launch->todo;
	size_t old = todo->parked_count, fresh = parked->parked_count;
	struct hetckpt_frames *table;
	int rc;

	for (size_t i = 0; i < fresh; i++)
		groups[old + i] = parked->parked[i].group;
	/* Usually few blocks of a resumed list had not begun yet. */
	if (free_groups(launch->park, parked, todo->parked, groups, old)) {
		rc = hetckpt_frames_move(&core->pool, launch->resume, todo->parked, old, launch->park, groups, error);
		if (rc)
			return rc;
		hetckpt_frames_put(&core->pool, launch->resume);
		launch->resume = launch->park;
		launch->park = NULL;
		return 0;
	}
	rc = hetckpt_frames_get_dense(&core->pool, (uint32_t)(old + fresh), launch->threads,
	                              launch->group_bytes, &table, error);
	if (rc)
		return rc;
	for (size_t i = 0; i < old + fresh; i++)
		groups[i] = (uint32_t)i;
	rc = hetckpt_frames_move(&core->pool, launch->resume, todo->parked, old, table, groups, error);
	if (!rc)
		rc = hetckpt_frames_move(&core->pool, launch->park, parked->parked, fresh, table, groups + old, error);
	if (rc) {
		hetckpt_frames_put(&core->pool, table);
		return rc;
	}
	hetckpt_frames_put(&core->pool, launch->resume);
	hetckpt_frames_put(&core->pool, launch->park);
	launch->resume = table;
	launch->park = NULL;
	return 0;
}

/* Brings groups that stay in the old table and those of the new one together. */
static int join_tables(struct hetckpt_core *core, struct hetckpt_flight *launch,
                       struct hetckpt_blocks *parked, struct hetckpt_error *error)
{
	struct hetckpt_blocks *todo = &launch->todo;
	size_t old = todo->parked_count, fresh = parked->parked_count;
	uint32_t *groups;
	int rc;

	if (!fresh)
		return 0; /* the park table is untouched, and stays */
	launch->park->dirty = 1;
	if (!old) {
		struct hetckpt_blocks emptied = *todo;

		hetckpt_frames_put(&core->pool, launch->resume);
		launch->resume = launch->park;
		launch->park = NULL;
		free(emptied.parked);
		todo->parked = parked->parked;
		todo->parked_count = parked->parked_count;
		todo->parked_room = parked->parked_room;
		memset(parked, 0, sizeof *parked);
		return 0;
	}
	groups = malloc((old + fresh) * sizeof *groups);
	if (!groups)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory for parked blocks");
	rc = join_groups(core, launch, parked, groups, error);
	for (size_t i = 0; !rc && i < old; i++)
		todo->parked[i].group = groups[i];
	for (size_t i = 0; !rc && i < fresh; i++) {
		rc = hetckpt_blocks_add_parked(todo, parked->parked[i].block, groups[old + i]);
		if (rc)
			hetckpt_error_set(error, rc, 0, "out of host memory for parked blocks");
	}
	free(groups);
	if (rc)
		return rc;
	/* Lower blocks first, as hardware starts them. */
	hetckpt_blocks_normalize(todo);
	return 0;
}

/* Counts blocks of a part that have gone on from their frames. notes NULL: all have. */
static void count_resumed(struct hetckpt_core *core, const struct hetckpt_flight *launch,
                          const struct hetckpt_part *part, const struct notes *notes)
{
	struct hetckpt_block_ref *refs;
	size_t count = 0;

	if (core->stress.mode == HETCKPT_STRESS_OFF || !part->resume || !launch->resume)
		return;
	refs = malloc(part->count * sizeof *refs);
	for (uint64_t i = 0; refs && i < part->count; i++)
		if (part->list[i].group != HETCKPT_NO_GROUP && !(notes && not_begun(notes, part->list[i].block)))
			refs[count++] = part->list[i];
	hetckpt_coverage_resumed(core, launch, refs, count);
	free(refs);
}

bool hetckpt_launch_over(const struct hetckpt_flight *launch)
{
	return launch->parts && launch->disturbed && launch->part[launch->parts - 1].ended;
}

int hetckpt_launch_collect(struct hetckpt_core *core, struct hetckpt_flight *launch,
                           const struct hetckpt_behind *behind, struct hetckpt_error *error)
{
	struct notes notes = {0}, behind_notes[HETCKPT_CHAIN_LAUNCHES] = {0};
	struct hetckpt_blocks parked = {0};
	uint64_t begin = hetckpt_timeline_now(), read, sorted, moved = 0;
	int rc;

	rc = notes_read(core, launch, &parked, &notes, behind, behind_notes, error);
	read = hetckpt_timeline_now();
	if (rc)
		goto out;
	for (size_t i = 1; i < parked.parked_count; i++)
		if (parked.parked[i].block == parked.parked[i - 1].block) {
			rc = broken(launch, error, parked.parked[i].block, "parked twice");
			goto out;
		}
	if (core->stress.mode != HETCKPT_STRESS_OFF)
		hetckpt_coverage_paused(core, launch, parked.parked, parked.parked_count);
	rc = sort_blocks(launch, &parked, &notes, error);
	if (rc)
		goto out;
	for (unsigned i = 0; i < launch->parts; i++)
		count_resumed(core, launch, &launch->part[i], &notes);
	hetckpt_blocks_normalize(&launch->todo);
	sorted = hetckpt_timeline_now();
	moved = launch->todo.parked_count;
	rc = join_tables(core, launch, &parked, error);
	if (rc)
		goto out;
	hetckpt_timeline_step(begin, "collects %.80s: notes read after %" PRIu64 " ns, sorted after %" PRIu64
	                      ", %zu groups joined with %" PRIu64 " that had stayed", launch->function->map->signature,
	                      read - begin, sorted - begin, launch->todo.parked_count - (size_t)moved, moved);
	if (notes.any) {
		launch->unstarted->dirty = 1;
		hetckpt_bytemap_put(&core->pool, launch->unstarted);
		launch->unstarted = NULL;
	}
	while (launch->parts)
		hetckpt_part_clear(core, &launch->part[--launch->parts]);
	resume_release(core, launch);
	launch->disturbed = false;
	launch->whole = false;
	launch->last_when = 0;
	if (core->stress.mode == HETCKPT_STRESS_EVERY_POLL && !hetckpt_launch_finished(launch))
		core->stress.round = true;
	for (unsigned i = 0; i < behind->count && !rc && !hetckpt_launch_finished(launch); i++)
		rc = check_behind(behind->launch[i], &behind_notes[i], error);
out:
	for (unsigned i = 0; i < behind->count; i++)
		free(behind_notes[i].unstarted);
	hetckpt_blocks_free(&parked);
	free(notes.unstarted);
	return rc;
}

/* Learns from a part that nobody disturbed. */
static void note_time(struct hetckpt_core *core, struct hetckpt_flight *launch,
                      struct hetckpt_part *part, uint64_t when)
{
	struct hetckpt_history *history = &launch->function->history;
	uint64_t begin = launch->last_when;
	double ns;

	if (part->start && core->dev.ops->marker_query(part->start, &begin, &(struct hetckpt_error){0}))
		begin = 0;
	/* Of slices side by side a later one may have been seen to end first. */
	if (when > begin || launch->lanes == 1)
		launch->last_when = when;
	launch->piece_ns = begin && when > begin ? (double)(when - begin) : 0;
	if (!launch->whole || !begin || (when <= begin && launch->lanes == 1))
		return;
	if (!launch->began)
		launch->began = begin;
	launch->issued++;
	launch->timed += part->count;
	ns = launch->piece_ns;
	if (launch->lanes > 1) {
		/* They have a time only together. */
		double all = (double)(launch->last_when - launch->began);

		ns = all * (double)part->count / (double)launch->timed;
		if (launch->timed == launch->total)
			hetckpt_history_note(history, launch->threads, launch->total, launch->resident, all);
	} else {
		hetckpt_history_note(history, launch->threads, part->count, launch->resident, ns);
	}
	if (launch->slice)
		launch->slice = hetckpt_policy_next_slice(part->count, launch->resident, ns,
		                                          launch->function->map->polls, launch->lanes > 1);
}

int hetckpt_launch_poll(struct hetckpt_core *core, struct hetckpt_flight *launch, bool *moved,
                        struct hetckpt_error *error)
{
	unsigned ended = 0;

	for (unsigned i = 0; i < launch->parts; i++) {
		struct hetckpt_part *part = &launch->part[i];
		uint64_t when = 0;
		int rc;

		if (!part->ended) {
			rc = core->dev.ops->marker_query(part->marker, &when, error);
			if (rc == -EBUSY)
				break;
			if (rc)
				return rc;
			part->ended = true;
			*moved = true;
			/* Read after the marker: see 2. above. */
			if (atomic_load(&core->epoch) != launch->epoch ||
			    core->base == HETCKPT_FLAG_PAUSE_STARTED)
				launch->disturbed = true;
			if (launch->disturbed)
				core->last_ended = hetckpt_core_now();
			else
				note_time(core, launch, part, when);
		}
		ended++;
	}
	if (launch->disturbed)
		return 0;
	for (unsigned i = 0; i < ended; i++) {
		launch->done += launch->part[i].count;
		count_resumed(core, launch, &launch->part[i], NULL);
		hetckpt_part_clear(core, &launch->part[i]);
	}
	if (ended) {
		launch->parts -= ended;
		memmove(launch->part, launch->part + ended, launch->parts * sizeof *launch->part);
		memset(launch->part + launch->parts, 0,
		       (HETCKPT_LAUNCH_PARTS - launch->parts) * sizeof *launch->part);
		resume_release(core, launch);
	}
	return 0;
}
