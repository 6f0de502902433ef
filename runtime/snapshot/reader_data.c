/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * reader_data.c - contents: chunks read, unpacked and checked, by many threads.
 */
#include "reader_internal.h"

#include "io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *hetckpt_snap_reader_content(struct hetckpt_reader *reader, struct hetckpt_snap_lane *lane,
	const struct hetckpt_snap_chunk *chunk, void *data, size_t length, int *code)
{
	struct hetckpt_hash hash;
	const char *wrong = NULL;
	bool packed = chunk->method == HETCKPT_CHUNK_ZSTD;

	if (chunk->method == HETCKPT_CHUNK_ZERO) {
		memset(data, 0, length);
		return NULL;
	}
	/* Raw content goes to its place without another copy. */
	*code = hetckpt_snap_reader_bytes(reader, chunk->offset, packed ? lane->packed : data,
		chunk->stored, &wrong);
	if (*code)
		return wrong;
	if (packed)
		wrong = hetckpt_snap_decompress(lane->decompressor, data, length, lane->packed, chunk->stored);
	if (!wrong) {
		hash = hetckpt_snap_hash(data, length);
		if (!hetckpt_snap_hash_equal(&hash, &chunk->hash))
			wrong = "content is damaged, its hash differs";
	}
	*code = wrong ? -EBADMSG : 0;
	return wrong;
}

int hetckpt_snap_reader_progress(struct hetckpt_reader *reader, uint64_t bytes)
{
	int stop = 0;

	if (!reader->options.progress)
		return 0;
	pthread_mutex_lock(&reader->lock);
	reader->done += bytes;
	stop = reader->options.progress(reader->options.progress_ctx, reader->done, reader->total);
	pthread_mutex_unlock(&reader->lock);
	return stop ? hetckpt_snap_reader_fail(reader, -ECANCELED, "%s: cancelled", reader->what) : 0;
}

/* ---- Threads ---------------------------------------------------------------- */

struct run {
	struct hetckpt_reader *reader;
	uint64_t count;
	hetckpt_snap_each_fn each;
	void *ctx;
	atomic_uint_fast64_t next;
	atomic_int rc;
	unsigned running; /* under lock */
	pthread_mutex_t lock;
	pthread_cond_t ended;
};

struct run_job {
	struct hetckpt_snap_job job; /* first */
	struct run *run;
};

static void run_lane(struct run *run, struct hetckpt_snap_lane *lane)
{
	while (!atomic_load(&run->rc)) {
		uint64_t i = atomic_fetch_add(&run->next, 1);
		int rc;

		if (i >= run->count)
			break;
		rc = run->each(run->ctx, lane, i);
		if (rc)
			atomic_store(&run->rc, rc);
	}
}

static void run_job(struct hetckpt_snap_job *job, unsigned worker)
{
	struct run *run = ((struct run_job *)job)->run;

	run_lane(run, &run->reader->lane[worker]);
	pthread_mutex_lock(&run->lock);
	if (--run->running == 0)
		pthread_cond_signal(&run->ended);
	pthread_mutex_unlock(&run->lock);
}

static int lane_prepare(struct hetckpt_reader *reader, struct hetckpt_snap_lane *lane, size_t raw_room,
	size_t packed_room)
{
	if (!lane->decompressor)
		lane->decompressor = hetckpt_snap_decompressor_create();
	if (lane->raw_room < raw_room) {
		if (lane->raw)
			reader->buffers.release(reader->buffers.ctx, lane->raw, lane->raw_room);
		lane->raw = reader->buffers.alloc(reader->buffers.ctx, raw_room);
		lane->raw_room = lane->raw ? raw_room : 0;
	}
	if (lane->packed_room < packed_room) {
		free(lane->packed);
		lane->packed = malloc(packed_room);
		lane->packed_room = lane->packed ? packed_room : 0;
	}
	if (!lane->decompressor || lane->raw_room < raw_room || lane->packed_room < packed_room)
		return hetckpt_snap_reader_fail(reader, -ENOMEM, "%s: no memory for chunk buffers",
			reader->what);
	return 0;
}

static int run_parallel(struct hetckpt_reader *reader, struct run *run, unsigned jobs)
{
	struct run_job *job = calloc(jobs, sizeof(*job));
	unsigned i;

	if (!job)
		return hetckpt_snap_reader_fail(reader, -ENOMEM, "%s: out of memory", reader->what);
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->ended, NULL);
	run->running = jobs;
	for (i = 0; i < jobs; i++) {
		job[i].job.run = run_job;
		job[i].run = run;
		hetckpt_snap_pool_submit(reader->pool, &job[i].job);
	}
	pthread_mutex_lock(&run->lock);
	while (run->running)
		pthread_cond_wait(&run->ended, &run->lock);
	pthread_mutex_unlock(&run->lock);
	pthread_cond_destroy(&run->ended);
	pthread_mutex_destroy(&run->lock);
	free(job);
	return atomic_load(&run->rc);
}

int hetckpt_snap_reader_run(struct hetckpt_reader *reader, uint64_t count, size_t raw_room,
	size_t packed_room, bool in_order, hetckpt_snap_each_fn each, void *ctx)
{
	struct run run = { .reader = reader, .count = count, .each = each, .ctx = ctx };
	unsigned i;
	int rc;

	if (!reader->lane) {
		reader->threads = hetckpt_snap_pool_threads(reader->options.threads);
		reader->lane = calloc(reader->threads + 1, sizeof(reader->lane[0]));
		if (!reader->lane)
			return hetckpt_snap_reader_fail(reader, -ENOMEM, "%s: out of memory", reader->what);
	}
	if (in_order || count <= 1 || reader->threads == 1) {
		rc = lane_prepare(reader, &reader->lane[reader->threads], raw_room, packed_room);
		if (!rc) {
			run_lane(&run, &reader->lane[reader->threads]);
			rc = atomic_load(&run.rc);
		}
		return rc;
	}
	if (!reader->pool) {
		rc = hetckpt_snap_pool_create(reader->threads, &reader->pool);
		if (rc)
			return hetckpt_snap_reader_fail(reader, rc, "%s: cannot start threads: %s",
				reader->what, strerror(-rc));
	}
	for (i = 0; i < reader->threads; i++) {
		rc = lane_prepare(reader, &reader->lane[i], raw_room, packed_room);
		if (rc)
			return rc;
	}
	return run_parallel(reader, &run, count < reader->threads ? (unsigned)count : reader->threads);
}

/* ---- Sections ---------------------------------------------------------------- */

struct section_run {
	struct hetckpt_reader *reader;
	const struct hetckpt_section *section;
	const struct hetckpt_snap_chunk *chunk; /* of the section, from its first */
	uint64_t first;                         /* chunk that number 0 of the run is */
	char *data;                             /* read: where offset goes */
	uint64_t offset, end;                   /* read: range in the section */
	hetckpt_take_fn take;
	void *ctx;
};

static int chunk_failed(struct section_run *run, uint64_t chunk, int code, const char *wrong)
{
	return hetckpt_snap_reader_fail(run->reader, code,
		"%s: section '%s', chunk %llu, at file offset %llu: %s", run->reader->what,
		run->section->name, (unsigned long long)chunk,
		(unsigned long long)run->chunk[chunk].offset, wrong);
}

static int read_one(void *ctx, struct hetckpt_snap_lane *lane, uint64_t i)
{
	struct section_run *run = ctx;
	uint64_t chunk = run->first + i;
	uint64_t start = chunk * run->section->chunk_bytes;
	size_t length = hetckpt_snap_chunk_length(run->section->bytes, run->section->chunk_bytes, chunk);
	uint64_t from = start > run->offset ? start : run->offset;
	uint64_t to = start + length < run->end ? start + length : run->end;
	char *data = run->data + (from - run->offset);
	bool whole = from == start && to == start + length;
	const char *wrong;
	int code;

	wrong = hetckpt_snap_reader_content(run->reader, lane, &run->chunk[chunk],
		whole ? data : lane->raw, length, &code);
	if (wrong)
		return chunk_failed(run, chunk, code, wrong);
	if (!whole)
		memcpy(data, (char *)lane->raw + (from - start), (size_t)(to - from));
	return hetckpt_snap_reader_progress(run->reader, to - from);
}

static int take_one(void *ctx, struct hetckpt_snap_lane *lane, uint64_t chunk)
{
	struct section_run *run = ctx;
	uint64_t offset = chunk * run->section->chunk_bytes;
	size_t length = hetckpt_snap_chunk_length(run->section->bytes, run->section->chunk_bytes, chunk);
	bool zero = run->chunk[chunk].method == HETCKPT_CHUNK_ZERO;
	const char *wrong;
	int rc;

	if (!zero) {
		wrong = hetckpt_snap_reader_content(run->reader, lane, &run->chunk[chunk], lane->raw, length, &rc);
		if (wrong)
			return chunk_failed(run, chunk, rc, wrong);
	}
	rc = run->take(run->ctx, offset, zero ? NULL : lane->raw, length);
	if (rc)
		return hetckpt_snap_reader_fail(run->reader, rc < 0 ? rc : -EIO,
			"%s: section '%s': its destination failed at offset %llu: %s", run->reader->what,
			run->section->name, (unsigned long long)offset, strerror(rc < 0 ? -rc : EIO));
	return hetckpt_snap_reader_progress(run->reader, length);
}

/* Starts a call: no error, nothing done. */
static int section_begin(struct hetckpt_reader *reader, size_t number, struct section_run *run)
{
	hetckpt_snap_error_clear(&reader->error);
	reader->done = 0;
	if (number >= reader->sections)
		return hetckpt_snap_reader_fail(reader, -ERANGE, "%s: has no section number %zu",
			reader->what, number);
	*run = (struct section_run){
		.reader = reader,
		.section = &reader->section[number],
		.chunk = &reader->chunk[reader->first_chunk[number]],
	};
	return 0;
}

static size_t chunk_room(const struct hetckpt_section *section)
{
	return section->bytes < section->chunk_bytes ? (size_t)section->bytes : section->chunk_bytes;
}

int hetckpt_reader_read(struct hetckpt_reader *reader, size_t section, uint64_t offset, void *data,
	size_t bytes)
{
	struct section_run run;
	uint64_t size, last;
	bool partial;
	int rc = section_begin(reader, section, &run);

	if (rc)
		return rc;
	if (offset > run.section->bytes || bytes > run.section->bytes - offset)
		return hetckpt_snap_reader_fail(reader, -ERANGE,
			"%s: section '%s': bytes %llu to %llu, but it has %llu", reader->what,
			run.section->name, (unsigned long long)offset, (unsigned long long)(offset + bytes),
			(unsigned long long)run.section->bytes);
	if (!bytes)
		return 0;
	size = run.section->chunk_bytes;
	run.data = data;
	run.offset = offset;
	run.end = offset + bytes;
	run.first = offset / size;
	last = (run.end - 1) / size;
	reader->total = bytes;
	partial = offset % size != 0 || (run.end % size != 0 && run.end != run.section->bytes);
	return hetckpt_snap_reader_run(reader, last - run.first + 1, partial ? chunk_room(run.section) : 0,
		chunk_room(run.section), false, read_one, &run);
}

int hetckpt_reader_each(struct hetckpt_reader *reader, size_t section, enum hetckpt_read_order order,
	hetckpt_take_fn take, void *ctx)
{
	struct section_run run;
	int rc = section_begin(reader, section, &run);

	if (rc)
		return rc;
	run.take = take;
	run.ctx = ctx;
	reader->total = run.section->bytes;
	return hetckpt_snap_reader_run(reader, run.section->chunks, chunk_room(run.section),
		chunk_room(run.section), order == HETCKPT_READ_IN_ORDER, take_one, &run);
}
