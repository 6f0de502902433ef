/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Contents of a snapshot's sections, to device and host memory.
 *
 * From the file they pass through a window of page-locked pieces: while the device copies
 * out of one piece, the reader's threads read, unpack and check the next. Nothing waits for a
 * copy but who needs its piece again, and the load's end.
 *
 * From the stage, and from another worker's device, the device copies directly.
 */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PIECE_MIN ((uint64_t)2 << 20)
#define PIECE_MAX ((uint64_t)64 << 20)

/* ---- Window ------------------------------------------------------------ */

static int window_open(struct hetckpt_load *load)
{
	struct hetckpt_window *w = &load->window;
	struct hetckpt_dev *dev = &load->core->dev;
	uint64_t total = 0, room;
	void *base;

	if (w->base)
		return 0;
	for (size_t i = 0; i < hetckpt_reader_count(load->reader); i++)
		total += hetckpt_reader_section(load->reader, i)->bytes;
	/* A small snapshot shall not wait for memory to be page-locked. */
	w->piece = (total / HETCKPT_WINDOW_PIECES + PIECE_MIN - 1) & ~(PIECE_MIN - 1);
	w->piece = w->piece < PIECE_MIN ? PIECE_MIN : w->piece > PIECE_MAX ? PIECE_MAX : w->piece;
	room = w->piece * HETCKPT_WINDOW_PIECES;
	base = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory for %" PRIu64 " MiB to read into",
		                           room >> 20);
	(void)madvise(base, room, MADV_HUGEPAGE);
	w->base = base;
	/* Copies of memory that is not page-locked work too, only slower. */
	w->registered = dev->ops->host_register &&
	                !dev->ops->host_register(dev->handle, base, room, &(struct hetckpt_error){0});
	return 0;
}

/* Waits until the device has read what piece number i held. */
static int window_wait(struct hetckpt_load *load, unsigned i, struct hetckpt_error *error)
{
	struct hetckpt_marker *marker = load->window.busy[i];
	uint64_t when;
	int rc;

	if (!marker)
		return 0;
	rc = load->core->dev.ops->marker_wait(marker, &when, error);
	load->core->dev.ops->marker_release(marker);
	load->window.busy[i] = NULL;
	return rc;
}

void hetckpt_load_data_end(struct hetckpt_load *load)
{
	struct hetckpt_window *w = &load->window;
	struct hetckpt_dev *dev = &load->core->dev;
	struct hetckpt_error ignored;

	/* Also after a failure: copies read from the window, the pack and the stage. */
	if (load->issued && dev->handle)
		hetckpt_dev_settle(dev, NULL, &ignored);
	for (unsigned i = 0; i < HETCKPT_WINDOW_PIECES; i++)
		window_wait(load, i, &ignored);
	if (w->registered)
		dev->ops->host_unregister(dev->handle, w->base);
	if (w->base)
		munmap(w->base, w->piece * HETCKPT_WINDOW_PIECES);
	free(load->pack);
	memset(w, 0, sizeof *w);
	load->pack = NULL;
	load->issued = false;
}

/* ---- Places ------------------------------------------------------------ */

int hetckpt_load_find(struct hetckpt_load *load, const char *name, struct hetckpt_place *place)
{
	const json_t *entry = json_object_get(json_object_get(load->manifest, "elsewhere"), name);
	const struct hetckpt_stage *stage = &load->core->stage;

	*place = (struct hetckpt_place){.where = HETCKPT_PLACE_FILE, .name = name};
	if (!entry) {
		if (hetckpt_load_failed(load, hetckpt_reader_find(load->reader, name, &place->section)))
			return load->fields.rc;
		place->bytes = hetckpt_reader_section(load->reader, place->section)->bytes;
		return 0;
	}
	if (!load->elsewhere)
		return hetckpt_fields_fail(&load->fields, -ENOTSUP,
			"section %s is not in the file, but in memory of the session that wrote it", name);
	place->bytes = hetckpt_field_number(&load->fields, entry, "bytes", HETCKPT_ARENA_BYTES);
	if (json_object_get(entry, "peer")) {
		place->where = HETCKPT_PLACE_PEER;
		place->at = hetckpt_field_address(&load->fields, entry, "peer");
		return load->fields.rc;
	}
	place->where = HETCKPT_PLACE_STAGE;
	place->at = hetckpt_field_number(&load->fields, entry, "stage", HETCKPT_ARENA_BYTES);
	if (!load->fields.rc && (place->at > stage->ready || place->bytes > stage->ready - place->at))
		hetckpt_fields_fail(&load->fields, -EINVAL, "section %s reaches beyond the stage", name);
	return load->fields.rc;
}

static int device_copy(struct hetckpt_load *load, uint64_t address, const void *from, uint64_t bytes)
{
	struct hetckpt_dev *dev = &load->core->dev;
	struct hetckpt_copy copy = {
		.dst = address, .dst_memory = HETCKPT_MEMORY_DEVICE,
		.src = (uintptr_t)from, .src_memory = HETCKPT_MEMORY_HOST,
		.width = bytes, .height = 1, .depth = 1,
		.dst_pitch = bytes, .dst_slice = bytes, .src_pitch = bytes, .src_slice = bytes,
	};

	load->issued = true;
	return load->fields.rc = dev->ops->copy(dev->service, &copy, load->error);
}

/* The whole section, through the window. */
static int from_file(struct hetckpt_load *load, const struct hetckpt_place *place, uint64_t address)
{
	struct hetckpt_window *w = &load->window;
	struct hetckpt_dev *dev = &load->core->dev;
	uint64_t bytes;
	int rc = window_open(load);

	for (uint64_t at = 0; at < place->bytes && !rc; at += bytes) {
		unsigned i = w->next++ % HETCKPT_WINDOW_PIECES;
		unsigned char *piece = w->base + i * w->piece;

		bytes = place->bytes - at < w->piece ? place->bytes - at : w->piece;
		rc = load->fields.rc = window_wait(load, i, load->error);
		if (!rc)
			rc = hetckpt_load_failed(load, hetckpt_reader_read(load->reader, place->section, at, piece, bytes));
		if (!rc)
			rc = device_copy(load, address + at, piece, bytes);
		if (!rc)
			rc = load->fields.rc = dev->ops->record(dev->service, &w->busy[i], load->error);
		if (rc)
			w->busy[i] = NULL;
	}
	return rc;
}

int hetckpt_load_device(struct hetckpt_load *load, const struct hetckpt_place *place, uint64_t address)
{
	struct hetckpt_core *core = load->core;

	if (!place->bytes)
		return 0;
	if (place->where == HETCKPT_PLACE_FILE)
		return from_file(load, place, address);
	load->issued = true;
	if (place->where == HETCKPT_PLACE_PEER)
		return load->fields.rc = hetckpt_peers_copy(&core->peers, &core->dev, place->at, address, place->bytes,
		                                            load->error);
	return load->fields.rc = hetckpt_stage_in(&core->stage, &core->dev, address, place->at, place->bytes, load->error);
}

int hetckpt_load_small(struct hetckpt_load *load, const struct hetckpt_place *place, uint64_t offset,
                       uint64_t address, uint64_t bytes)
{
	struct hetckpt_core *core = load->core;
	struct hetckpt_error error;
	int rc = 0;

	load->issued = true;
	if (place->where == HETCKPT_PLACE_STAGE)
		return load->fields.rc = hetckpt_stage_in(&core->stage, &core->dev, address, place->at + offset, bytes,
		                                          load->error);
	if (place->where == HETCKPT_PLACE_PEER)
		return hetckpt_fields_fail(&load->fields, -EINVAL, "small allocations are not read from a peer");
	if (place->bytes > HETCKPT_PACK_BYTES)
		return hetckpt_fields_fail(&load->fields, -EFBIG, "section %s is too large for small allocations", place->name);
	/* Allocations come in order, so one pack after the other. */
	if (!load->pack || load->pack_section != place->section) {
		if (load->pack) {
			rc = load->fields.rc = hetckpt_dev_settle(&core->dev, NULL, &error);
			if (rc)
				*load->error = error;
			free(load->pack);
			load->pack = NULL;
		}
		if (!rc)
			rc = hetckpt_load_read(load, place->name, place->bytes, &load->pack);
		load->pack_section = place->section;
	}
	return rc ? rc : device_copy(load, address, (const char *)load->pack + offset, bytes);
}
