/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * writer_pipeline.c - from content to blocks in the file. See writer_internal.h.
 */
#include "writer_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ENTRIES_FIRST 1024u

static struct hetckpt_snap_slot *slot_of(struct hetckpt_writer *writer, uint64_t number)
{
	return &writer->slot[number % writer->slots];
}

/* The caller may have its memory back, as far as this chunk goes. Lock held. */
static void release_source(struct hetckpt_snap_slot *slot)
{
	struct hetckpt_snap_feed *feed = slot->feed;

	slot->feed = NULL;
	if (feed && --feed->pending == 0)
		pthread_cond_broadcast(&slot->writer->moved);
}

/* ---- Processing, on a worker --------------------------------------------- */

static void pack(struct hetckpt_snap_slot *slot, unsigned worker)
{
	struct hetckpt_writer *writer = slot->writer;
	size_t bytes;
	int rc;

	rc = hetckpt_snap_compress(writer->compressor[worker], slot->packed, writer->packed_bytes,
		slot->content, slot->length, &bytes);
	if (rc) {
		hetckpt_snap_writer_fail(writer, rc, "%s: cannot compress: %s", writer->what,
			strerror(-rc));
	} else if (bytes) {
		slot->method = HETCKPT_CHUNK_ZSTD;
		slot->stored = bytes;
	}
}

static void process(struct hetckpt_snap_slot *slot, unsigned worker)
{
	struct hetckpt_writer *writer = slot->writer;
	struct hetckpt_snap_feed *feed = slot->feed;
	int rc;

	if (atomic_load(&writer->failed))
		return;
	if (feed && feed->fill) {
		rc = feed->fill(feed->ctx, slot->offset, slot->raw, slot->length);
		if (rc) {
			hetckpt_snap_writer_fail(writer, rc < 0 ? rc : -EIO,
				"%s: section '%s': its source failed at offset %llu: %s", writer->what,
				feed->name, (unsigned long long)slot->offset, strerror(rc < 0 ? -rc : EIO));
			return;
		}
		pthread_mutex_lock(&writer->lock);
		release_source(slot);
		pthread_mutex_unlock(&writer->lock);
	}
	if (hetckpt_snap_zero(slot->content, slot->length)) {
		slot->method = HETCKPT_CHUNK_ZERO;
		return;
	}
	slot->key.hash = hetckpt_snap_hash(slot->content, slot->length);
	if (writer->dedupe) {
		slot->key.guard = hetckpt_snap_guard(slot->content, slot->length, writer->seed);
		slot->key.length = slot->length;
		rc = hetckpt_snap_dedupe_claim(writer->dedupe, &slot->key, slot->number);
		if (rc < 0) {
			hetckpt_snap_writer_fail(writer, rc, "%s: out of memory", writer->what);
			return;
		}
		slot->shared = rc == 1;
	}
	if (!slot->shared && writer->options.compress == HETCKPT_COMPRESS_ZSTD)
		pack(slot, worker);
}

/* ---- Placing and writing ---------------------------------------------------- */

static struct hetckpt_snap_chunk *new_entry(struct hetckpt_writer *writer)
{
	if (writer->stats.chunks == writer->chunk_room) {
		size_t room = writer->chunk_room ? writer->chunk_room * 2 : ENTRIES_FIRST;
		void *grown = reallocarray(writer->chunk, room, sizeof(writer->chunk[0]));

		if (!grown)
			return NULL;
		writer->chunk = grown;
		writer->chunk_room = room;
	}
	return &writer->chunk[writer->stats.chunks];
}

static const void *block_of(const struct hetckpt_snap_slot *slot)
{
	return slot->method == HETCKPT_CHUNK_ZSTD ? slot->packed : slot->content;
}

/* Gives the block its place; what is not claimed is written here. */
static int write_block(struct hetckpt_snap_slot *slot, struct hetckpt_snap_chunk *entry)
{
	struct hetckpt_writer *writer = slot->writer;
	const void *block = block_of(slot);
	int rc;

	*entry = (struct hetckpt_snap_chunk){
		.offset = writer->sink.offset,
		.stored = (uint32_t)slot->stored,
		.method = slot->method,
		.hash = slot->key.hash,
	};
	rc = hetckpt_snap_sink_claim(&writer->sink, slot->stored, &slot->at, &slot->claimed);
	if (!rc && slot->claimed)
		entry->offset = slot->at;
	else if (!rc)
		rc = hetckpt_snap_sink_put(&writer->sink, block, slot->stored);
	if (rc)
		return hetckpt_snap_writer_fail(writer, rc, "%s: cannot write at offset %llu: %s",
			writer->what, (unsigned long long)entry->offset, strerror(-rc));
	if (writer->dedupe)
		hetckpt_snap_dedupe_stored(writer->dedupe, &slot->key, entry);
	return 0;
}

/* Only the thread that holds writer->writing calls this, without the lock. */
static void write_chunk(struct hetckpt_snap_slot *slot)
{
	struct hetckpt_writer *writer = slot->writer;
	struct hetckpt_snap_chunk *entry;
	uint64_t content;
	bool shared = false;

	if (atomic_load(&writer->failed))
		return;
	entry = new_entry(writer);
	if (!entry) {
		hetckpt_snap_writer_fail(writer, -ENOMEM, "%s: out of memory", writer->what);
		return;
	}
	if (slot->method == HETCKPT_CHUNK_ZERO) {
		*entry = (struct hetckpt_snap_chunk){ .method = HETCKPT_CHUNK_ZERO };
	} else {
		/* Also one that found nobody before it when it was processed may have
		   been overtaken: what counts is what is in the file by now. */
		shared = writer->dedupe &&
			hetckpt_snap_dedupe_find(writer->dedupe, &slot->key, entry);
		if (!shared && slot->shared) {
			/* Cannot be, and its source is gone; better no snapshot than a wrong one. */
			hetckpt_snap_writer_fail(writer, -EIO, "%s: lost the block of an equal chunk",
				writer->what);
			return;
		}
		if (!shared && write_block(slot, entry))
			return;
	}

	pthread_mutex_lock(&writer->lock);
	writer->stats.chunks++;
	writer->stats.content_bytes += slot->length;
	if (shared)
		writer->stats.shared_chunks++;
	else if (slot->method == HETCKPT_CHUNK_ZERO)
		writer->stats.zero_chunks++;
	else if (slot->method == HETCKPT_CHUNK_RAW)
		writer->stats.raw_chunks++;
	else
		writer->stats.zstd_chunks++;
	content = writer->stats.content_bytes;
	pthread_mutex_unlock(&writer->lock);

	if (writer->options.progress && writer->options.progress(writer->options.progress_ctx, content,
			writer->options.total_bytes))
		hetckpt_snap_writer_fail(writer, -ECANCELED, "%s: cancelled", writer->what);
}

/* Writes a block that has its place. */
static void fill_slot(struct hetckpt_snap_job *job, unsigned worker)
{
	struct hetckpt_snap_slot *slot = (struct hetckpt_snap_slot *)job;
	struct hetckpt_writer *writer = slot->writer;
	int rc = atomic_load(&writer->failed) ? 0
		: hetckpt_snap_sink_fill(&writer->sink, slot->at, block_of(slot), slot->stored);

	if (rc)
		hetckpt_snap_writer_fail(writer, rc, "%s: cannot write at offset %llu: %s", writer->what,
			(unsigned long long)slot->at, strerror(-rc));
	pthread_mutex_lock(&writer->lock);
	release_source(slot);
	slot->filling = false;
	writer->filling--;
	pthread_cond_broadcast(&writer->moved);
	pthread_mutex_unlock(&writer->lock);
}

static void run_slot(struct hetckpt_snap_job *job, unsigned worker)
{
	struct hetckpt_snap_slot *slot = (struct hetckpt_snap_slot *)job;
	struct hetckpt_writer *writer = slot->writer;

	process(slot, worker);

	pthread_mutex_lock(&writer->lock);
	/* Memory that will be written from where it is must stay until then. */
	if (slot->shared || slot->method != HETCKPT_CHUNK_RAW || atomic_load(&writer->failed))
		release_source(slot);
	slot->done = true;
	if (!writer->writing) {
		struct hetckpt_snap_slot *next = slot_of(writer, writer->written);

		writer->writing = true;
		while (next->done && next->number == writer->written) {
			pthread_mutex_unlock(&writer->lock);
			write_chunk(next);
			pthread_mutex_lock(&writer->lock);
			next->done = false;
			writer->written++;
			if (next->claimed && !atomic_load(&writer->failed)) {
				next->filling = true;
				writer->filling++;
				next->job.run = fill_slot;
				hetckpt_snap_pool_submit(writer->pool, &next->job);
			} else {
				release_source(next);
			}
			pthread_cond_broadcast(&writer->moved);
			next = slot_of(writer, writer->written);
		}
		writer->writing = false;
	}
	pthread_mutex_unlock(&writer->lock);
}

/* ---- Feeding, on the caller's thread --------------------------------------- */

/* Waits for the slot of the next chunk and gives it the buffers it needs. */
static struct hetckpt_snap_slot *next_slot(struct hetckpt_writer *writer, bool needs_raw)
{
	struct hetckpt_snap_slot *slot = slot_of(writer, writer->queued);

	pthread_mutex_lock(&writer->lock);
	while (writer->queued - writer->written >= writer->slots || slot->filling)
		pthread_cond_wait(&writer->moved, &writer->lock);
	pthread_mutex_unlock(&writer->lock);

	if (needs_raw && !slot->raw)
		slot->raw = writer->buffers.alloc(writer->buffers.ctx, writer->options.chunk_bytes);
	if (!slot->packed && writer->options.compress == HETCKPT_COMPRESS_ZSTD)
		slot->packed = malloc(writer->packed_bytes);
	if ((needs_raw && !slot->raw) ||
			(!slot->packed && writer->options.compress == HETCKPT_COMPRESS_ZSTD)) {
		hetckpt_snap_writer_fail(writer, -ENOMEM, "%s: no memory for chunk buffers", writer->what);
		return NULL;
	}
	return slot;
}

int hetckpt_snap_pipeline_feed(struct hetckpt_writer *writer, struct hetckpt_snap_feed *feed)
{
	uint32_t chunk_bytes = writer->options.chunk_bytes;
	/* Below this, copying is cheaper than waiting for the section to pass. */
	bool copy = feed->data && feed->bytes <= chunk_bytes / 4;
	uint64_t offset;
	int code;

	for (offset = 0; offset < feed->bytes && !atomic_load(&writer->failed); offset += chunk_bytes) {
		uint64_t left = feed->bytes - offset;
		struct hetckpt_snap_slot *slot = next_slot(writer, copy || feed->fill);

		if (!slot)
			break;
		slot->number = writer->queued;
		slot->offset = offset;
		slot->length = left < chunk_bytes ? (size_t)left : chunk_bytes;
		slot->content = feed->data && !copy ? feed->data + offset : slot->raw;
		slot->shared = false;
		slot->claimed = false;
		slot->job.run = run_slot;
		slot->method = HETCKPT_CHUNK_RAW;
		slot->stored = slot->length;
		slot->feed = NULL;
		if (copy) {
			memcpy(slot->raw, feed->data + offset, slot->length);
		} else {
			pthread_mutex_lock(&writer->lock);
			slot->feed = feed;
			feed->pending++;
			pthread_mutex_unlock(&writer->lock);
		}
		writer->queued++;
		hetckpt_snap_pool_submit(writer->pool, &slot->job);
	}

	pthread_mutex_lock(&writer->lock);
	while (feed->pending)
		pthread_cond_wait(&writer->moved, &writer->lock);
	code = writer->error.code;
	pthread_mutex_unlock(&writer->lock);
	return code;
}

void hetckpt_snap_pipeline_drain(struct hetckpt_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	while (writer->written < writer->queued || writer->filling)
		pthread_cond_wait(&writer->moved, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
}

int hetckpt_snap_pipeline_start(struct hetckpt_writer *writer)
{
	unsigned i;
	int rc;

	writer->threads = hetckpt_snap_pool_threads(writer->options.threads);
	writer->slots = 2 * writer->threads + 2;
	writer->packed_bytes = hetckpt_snap_compress_bound(writer->options.chunk_bytes);
	writer->slot = calloc(writer->slots, sizeof(writer->slot[0]));
	writer->compressor = calloc(writer->threads, sizeof(writer->compressor[0]));
	if (!writer->slot || !writer->compressor)
		goto no_memory;
	for (i = 0; i < writer->slots; i++)
		writer->slot[i].writer = writer;
	if (writer->options.compress == HETCKPT_COMPRESS_ZSTD)
		for (i = 0; i < writer->threads; i++) {
			writer->compressor[i] = hetckpt_snap_compressor_create(writer->options.level);
			if (!writer->compressor[i])
				goto no_memory;
		}
	if (!writer->options.no_dedupe) {
		writer->dedupe = hetckpt_snap_dedupe_create();
		if (!writer->dedupe)
			goto no_memory;
		if (getrandom(&writer->seed, sizeof(writer->seed), 0) != sizeof(writer->seed)) {
			rc = -errno;
			return hetckpt_snap_writer_fail(writer, rc, "%s: no random number: %s", writer->what,
				strerror(-rc));
		}
	}
	rc = hetckpt_snap_pool_create(writer->threads, &writer->pool);
	if (rc)
		return hetckpt_snap_writer_fail(writer, rc, "%s: cannot start threads: %s", writer->what,
			strerror(-rc));
	return 0;
no_memory:
	return hetckpt_snap_writer_fail(writer, -ENOMEM, "%s: out of memory", writer->what);
}

void hetckpt_snap_pipeline_stop(struct hetckpt_writer *writer)
{
	unsigned i;

	hetckpt_snap_pool_destroy(writer->pool);
	writer->pool = NULL;
	for (i = 0; writer->slot && i < writer->slots; i++) {
		if (writer->slot[i].raw)
			writer->buffers.release(writer->buffers.ctx, writer->slot[i].raw,
				writer->options.chunk_bytes);
		free(writer->slot[i].packed);
	}
	for (i = 0; writer->compressor && i < writer->threads; i++)
		hetckpt_snap_compressor_free(writer->compressor[i]);
	hetckpt_snap_dedupe_free(writer->dedupe);
	free(writer->compressor);
	free(writer->slot);
}
