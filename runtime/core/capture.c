/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"
#include "parallel.h"
#include "runtime/snapshot/writer.h"

/* Items start at multiples of this in the stage. */
#define STAGE_ALIGN ((uint64_t)4096)
/* What the estimate of a running core's need leaves for what changes until it stands still. */
#define NEED_SLACK ((uint64_t)8 << 20)
/* What a thread copies at a time. */
#define BLOCK_BYTES ((uint64_t)4 << 20)

static uint64_t align(uint64_t bytes)
{
	return (bytes + STAGE_ALIGN - 1) & ~(STAGE_ALIGN - 1);
}

/* ---- Items ------------------------------------------------------------- */

struct hetckpt_item *hetckpt_capture_add(struct hetckpt_capture *capture, enum hetckpt_item_kind kind,
                                         uint64_t bytes, const char *format, ...)
{
	struct hetckpt_item *item;
	va_list args;

	if (capture->items == capture->room) {
		size_t room = capture->room ? 2 * capture->room : 64;
		void *grown = realloc(capture->item, room * sizeof *capture->item);

		if (!grown)
			return NULL;
		capture->item = grown;
		capture->room = room;
	}
	item = &capture->item[capture->items++];
	*item = (struct hetckpt_item){.kind = kind, .bytes = bytes, .staged = HETCKPT_NOT_STAGED};
	va_start(args, format);
	vsnprintf(item->name, sizeof item->name, format, args);
	va_end(args);
	capture->bytes += bytes;
	return item;
}

void hetckpt_capture_clear(struct hetckpt_capture *capture)
{
	for (size_t i = 0; i < capture->items; i++)
		free(capture->item[i].owned);
	free(capture->item);
	free(capture->small);
	json_decref(capture->manifest);
	memset(capture, 0, sizeof *capture);
}

/* ---- Staging ----------------------------------------------------------- */

uint64_t hetckpt_capture_need(const struct hetckpt_core *core, enum hetckpt_bulk bulk)
{
	bool all = bulk == HETCKPT_BULK_FILE;
	const struct hetckpt_arena_allocation *list;
	uint64_t need = NEED_SLACK;
	size_t count;

	list = hetckpt_arena_list(core->app.arena, &count);
	for (size_t i = 0; i < count; i++)
		if (list[i].bytes < HETCKPT_SMALL_BYTES)
			need += list[i].bytes;
		else if (bulk != HETCKPT_BULK_PEER)
			need += align(list[i].bytes);
	for (const struct hetckpt_stream *s = core->streams; s; s = s->next) {
		const struct hetckpt_flight *f = s->gate ? s->gate->flight : NULL;

		if (f && f->park)
			need += align(f->park->bytes);
		if (f && f->resume)
			need += align(f->resume->bytes);
	}
	for (const struct hetckpt_host_buffer *b = core->hosts; b && all; b = b->next)
		need += align(b->bytes);
	for (const struct hetckpt_code *c = core->modules.list; c && all; c = c->next)
		need += align(c->fatbin_bytes);
	return need;
}

void hetckpt_capture_peers(struct hetckpt_capture *capture)
{
	struct hetckpt_core *core = capture->core;
	struct hetckpt_share *now;
	struct hetckpt_error ignored;
	size_t count;

	if (!core->peers.shared_count || hetckpt_peers_list(&core->dev, core->app.base,
			core->app.granules * HETCKPT_GRANULE, false, &now, &count, &ignored))
		return;
	for (size_t i = 0; i < capture->items; i++) {
		struct hetckpt_item *item = &capture->item[i];

		item->peer = item->kind == HETCKPT_ITEM_MEMORY &&
		             hetckpt_peers_hold(&core->peers, now, count, item->address, item->bytes);
		capture->peer_bytes += item->peer ? item->bytes : 0;
	}
	free(now);
}

/* Device memory of an item, run by run, in the item's order. */
static int each_run(const struct hetckpt_capture *capture, const struct hetckpt_item *item,
                    int (*run)(void *context, uint64_t offset, uint64_t address, uint64_t bytes),
                    void *context)
{
	uint64_t offset = 0;
	int rc = 0;

	if (item->kind == HETCKPT_ITEM_MEMORY)
		return run(context, 0, item->address, item->bytes);
	if (item->kind == HETCKPT_ITEM_PACK) {
		for (size_t i = 0; i < item->count && !rc; i++) {
			const struct hetckpt_arena_allocation *a = &capture->small[item->first + i];

			rc = run(context, offset, a->address, a->bytes);
			offset += a->bytes;
		}
		return rc;
	}
	for (size_t i = 0, n; i < item->flight->todo.parked_count && !rc; i += n) {
		const struct hetckpt_block_ref *refs = item->flight->todo.parked + i;
		uint64_t group_bytes = item->flight->group_bytes;

		for (n = 1; i + n < item->flight->todo.parked_count && refs[n].group == refs[0].group + n;)
			n++;
		rc = run(context, offset, item->flight->resume->groups + refs[0].group * group_bytes, n * group_bytes);
		offset += n * group_bytes;
	}
	return rc;
}

struct staging {
	struct hetckpt_core *core;
	uint64_t at;               /* of the item, in the stage */
	struct hetckpt_error *error;
};

static int stage_run(void *context, uint64_t offset, uint64_t address, uint64_t bytes)
{
	const struct staging *s = context;

	return hetckpt_stage_out(&s->core->stage, &s->core->dev, s->at + offset, address, bytes, s->error);
}

struct blocks {
	unsigned char *to;
	const unsigned char *from;
	uint64_t bytes;
};

static int copy_block(void *context, uint64_t i)
{
	const struct blocks *b = context;
	uint64_t at = i * BLOCK_BYTES;

	memcpy(b->to + at, b->from + at, b->bytes - at < BLOCK_BYTES ? b->bytes - at : BLOCK_BYTES);
	return 0;
}

static bool goes(const struct hetckpt_item *item, bool all)
{
	return !item->peer && item->bytes && (item->kind != HETCKPT_ITEM_BYTES || (all && !item->owned));
}

int hetckpt_capture_stage(struct hetckpt_capture *capture, bool all, struct hetckpt_error *error)
{
	struct hetckpt_core *core = capture->core;
	struct staging s = {.core = core, .error = error};
	struct hetckpt_error ignored;
	uint64_t end = 0;
	int rc;

	if (!core->stage.base)
		return hetckpt_error_set(error, -ENOSPC, 0, "the session has no stage");
	for (size_t i = 0; i < capture->items; i++)
		end += goes(&capture->item[i], all) ? align(capture->item[i].bytes) : 0;
	/* Nothing is left to do if the need was foreseen. */
	rc = hetckpt_stage_grow(&core->stage, &core->dev, end, error);
	end = 0;
	for (size_t i = 0; i < capture->items && !rc; i++) {
		struct hetckpt_item *item = &capture->item[i];

		if (!goes(item, all))
			continue;
		item->staged = s.at = end;
		end += align(item->bytes);
		capture->staged_bytes += item->bytes;
		if (item->kind != HETCKPT_ITEM_BYTES)
			rc = each_run(capture, item, stage_run, &s);
	}
	/* Meanwhile the device copies. */
	for (size_t i = 0; i < capture->items && !rc; i++) {
		const struct hetckpt_item *item = &capture->item[i];
		struct blocks b = {core->stage.base + item->staged, item->data, item->bytes};

		if (item->kind == HETCKPT_ITEM_BYTES && item->staged != HETCKPT_NOT_STAGED)
			hetckpt_parallel((b.bytes + BLOCK_BYTES - 1) / BLOCK_BYTES, copy_block, &b);
	}
	/* After a failure too: copies that were issued must not outlive their places. */
	if (rc)
		hetckpt_dev_settle(&core->dev, NULL, &ignored);
	else
		rc = hetckpt_dev_settle(&core->dev, NULL, error);
	if (rc) {
		for (size_t i = 0; i < capture->items; i++)
			capture->item[i].staged = HETCKPT_NOT_STAGED;
		capture->staged_bytes = 0;
	}
	return rc;
}

/* ---- Writing ----------------------------------------------------------- */

struct put {
	struct hetckpt_capture *capture;
	struct hetckpt_writer *writer;
	struct hetckpt_pump pump;
	unsigned char *pack;
	struct hetckpt_error *error;
};

static int written(struct put *put, int rc)
{
	if (!rc)
		return 0;
	if (put->pump.error.code && put->error)
		*put->error = put->pump.error;
	else
		hetckpt_error_set(put->error, rc, 0, "%s", hetckpt_writer_error(put->writer));
	return rc;
}

static int read_run(void *context, uint64_t offset, uint64_t address, uint64_t bytes)
{
	struct put *put = context;

	return hetckpt_dev_read(&put->capture->core->dev, put->pack + offset, address, bytes, put->error);
}

static int put_item(struct put *put, const struct hetckpt_item *item)
{
	struct hetckpt_core *core = put->capture->core;
	int rc;

	if (item->staged != HETCKPT_NOT_STAGED)
		return written(put, hetckpt_writer_add(put->writer, item->name, 0, core->stage.base + item->staged,
		                                       item->bytes));
	switch (item->kind) {
	case HETCKPT_ITEM_MEMORY:
		put->pump.address = item->address;
		return written(put, hetckpt_writer_add_from(put->writer, item->name, 0, item->bytes, hetckpt_pump_fill,
		                                            &put->pump));
	case HETCKPT_ITEM_FRAMES:
		put->pump.flight = item->flight;
		return written(put, hetckpt_writer_add_from(put->writer, item->name, 0, item->bytes,
		                                            hetckpt_pump_frames, &put->pump));
	case HETCKPT_ITEM_PACK:
		put->pack = malloc(item->bytes);
		if (!put->pack)
			return hetckpt_error_set(put->error, -ENOMEM, 0, "out of host memory for section %s", item->name);
		rc = each_run(put->capture, item, read_run, put);
		if (!rc)
			rc = written(put, hetckpt_writer_add(put->writer, item->name, 0, put->pack, item->bytes));
		free(put->pack);
		return rc;
	case HETCKPT_ITEM_BYTES:
		break;
	}
	return written(put, hetckpt_writer_add(put->writer, item->name, 0, item->data, item->bytes));
}

/* True for what the container does not hold itself. */
static bool left_out(const struct hetckpt_item *item, bool elsewhere)
{
	return elsewhere && (item->peer || item->staged != HETCKPT_NOT_STAGED);
}

/* True if the container's threads copy from the device. */
static bool reads_device(const struct hetckpt_capture *capture, bool elsewhere)
{
	for (size_t i = 0; i < capture->items; i++) {
		const struct hetckpt_item *item = &capture->item[i];

		if ((item->kind == HETCKPT_ITEM_MEMORY || item->kind == HETCKPT_ITEM_FRAMES) &&
		    item->staged == HETCKPT_NOT_STAGED && !left_out(item, elsewhere))
			return true;
	}
	return false;
}

/* Says where sections lie that the container leaves out. */
static int name_elsewhere(struct put *put)
{
	json_t *places = json_object();
	int rc = json_object_set_new(put->capture->manifest, "elsewhere", places);

	for (size_t i = 0; i < put->capture->items && !rc; i++) {
		const struct hetckpt_item *item = &put->capture->item[i];
		json_t *place;

		if (!left_out(item, true))
			continue;
		place = item->peer ? json_pack("{s:I, s:o}", "bytes", (json_int_t)item->bytes, "peer",
		                               hetckpt_address_json(item->address))
		                   : json_pack("{s:I, s:I}", "bytes", (json_int_t)item->bytes, "stage",
		                               (json_int_t)item->staged);
		rc = json_object_set_new(places, item->name, place);
	}
	return rc ? hetckpt_error_set(put->error, -ENOMEM, 0, "out of host memory for the manifest") : 0;
}

int hetckpt_capture_put(struct hetckpt_capture *capture, int fd, const struct hetckpt_save_options *options,
                        bool elsewhere, struct hetckpt_error *error)
{
	struct put put = {.capture = capture, .error = error};
	struct hetckpt_writer_options how = {
		.compress = options->raw ? HETCKPT_COMPRESS_NONE : HETCKPT_COMPRESS_ZSTD,
		.level = options->level, .total_bytes = capture->bytes,
		.progress = options->progress, .progress_ctx = options->context,
	};
	int rc = 0;

	hetckpt_pump_init(&put.pump, capture->core);
	/* Unlocking memory waits until the device is idle, and with a stage it computes by now. */
	if (reads_device(capture, elsewhere))
		how.buffers = &put.pump.buffers;
	if (elsewhere)
		rc = name_elsewhere(&put);
	if (!rc)
		rc = written(&put, hetckpt_writer_open_fd(fd, "snapshot", &how, &put.writer));
	if (!rc)
		rc = written(&put, hetckpt_writer_manifest(put.writer, capture->manifest));
	for (size_t i = 0; i < capture->items && !rc; i++)
		if (!left_out(&capture->item[i], elsewhere))
			rc = put_item(&put, &capture->item[i]);
	if (!rc)
		rc = written(&put, hetckpt_writer_finish(put.writer));
	hetckpt_writer_close(put.writer);
	hetckpt_pump_destroy(&put.pump);
	return rc;
}
