/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * capture.h - the state of a paused core on its way into a snapshot: the manifest, and a list
 * of sections with where their contents lie.
 *
 *   list   (save.c)  names everything; contents are still where the core has them
 *   stage            copies contents into the stage, after which the device may go on
 *   write            puts sections into a container, from wherever they lie
 *
 * Why a staged capture stays right while the core runs on: listing and staging both happen
 * under the core's lock while it is paused, and after staging with `all` no item refers to
 * memory of the core or of the device any more, only to the stage and to memory that the
 * capture owns. The stage is not written again before the capture is freed
 * (core->captured).
 *
 * For files of this folder only.
 */
#ifndef HETCKPT_CORE_CAPTURE_H
#define HETCKPT_CORE_CAPTURE_H

#include "io.h"

enum hetckpt_item_kind {
	HETCKPT_ITEM_BYTES,   /* data, the core's or owned */
	HETCKPT_ITEM_MEMORY,  /* device memory at address */
	HETCKPT_ITEM_PACK,    /* small allocations, one behind the other */
	HETCKPT_ITEM_FRAMES   /* frame groups of flight, in order of its parked blocks */
};

#define HETCKPT_NOT_STAGED UINT64_MAX

struct hetckpt_item {
	char name[64];                       /* of the section */
	enum hetckpt_item_kind kind;
	uint64_t bytes;
	const void *data;
	void *owned;                         /* data, if the capture frees it */
	uint64_t address;
	const struct hetckpt_flight *flight;
	size_t first, count;                 /* of a pack, in small */
	uint64_t staged;                     /* offset in the stage, or HETCKPT_NOT_STAGED */
	bool peer;                           /* the other worker reads it from this device */
};

struct hetckpt_capture {
	struct hetckpt_core *core;
	json_t *manifest;
	struct hetckpt_item *item;
	size_t items, room;
	struct hetckpt_arena_allocation *small;
	size_t smalls;
	uint64_t bytes;                      /* of all items */
	uint64_t staged_bytes, peer_bytes;   /* of those that were copied, or can be read */
};

/* capture.c: adds an item; the caller fills in the rest. NULL: out of memory. */
struct hetckpt_item *hetckpt_capture_add(struct hetckpt_capture *capture, enum hetckpt_item_kind kind,
                                         uint64_t bytes, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* save.c: lists the state of a paused core, without contents of page-locked buffers if so asked.
   With the core's lock, as all of these; free it also after a failure. */
int hetckpt_capture_list(struct hetckpt_core *core, bool without_host, struct hetckpt_capture *capture,
                         struct hetckpt_error *error);

/* save.c: modules, functions and allocations of a core that may be running, for
   hetckpt_core_prepare. */
int hetckpt_capture_outline(struct hetckpt_core *core, struct hetckpt_capture *capture,
                            struct hetckpt_error *error);

/* Bytes of the stage that a capture (FILE) or a save with that bulk needs now, about; a running
   core's launches may still park less, or more if others begin. */
uint64_t hetckpt_capture_need(const struct hetckpt_core *core, enum hetckpt_bulk bulk);

/* Leaves to the other worker what it can read from this device. */
void hetckpt_capture_peers(struct hetckpt_capture *capture);

/*
 * Copies device memory into the core's stage, and with all also what the core itself holds.
 * -ENOSPC, -ENOMEM: the stage cannot hold it; nothing has changed. Waits for the copies.
 */
int hetckpt_capture_stage(struct hetckpt_capture *capture, bool all, struct hetckpt_error *error);

/* Writes the container. Without elsewhere, all contents; with it, what is staged or a peer's is
   only named in the manifest. The lock is needed if something is still on the device. */
int hetckpt_capture_put(struct hetckpt_capture *capture, int fd, const struct hetckpt_save_options *options,
                        bool elsewhere, struct hetckpt_error *error);

void hetckpt_capture_clear(struct hetckpt_capture *capture);

#endif
