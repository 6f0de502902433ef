/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * io.h - what saving, loading and exporting share: device memory to and from the threads
 * of the snapshot container, and typed fields of the manifest.
 *
 * For files of this folder only.
 */
#ifndef HETCKPT_CORE_IO_H
#define HETCKPT_CORE_IO_H

#include "core_internal.h"
#include "runtime/snapshot/snapshot.h"

/* Version of the manifest's content; see docs/session-state.md. */
#define HETCKPT_STATE_VERSION 2

/* Allocations below this are packed together, so that a hundred thousand small ones do not
   become a hundred thousand sections. */
#define HETCKPT_SMALL_BYTES 65536u
#define HETCKPT_PACK_BYTES ((uint64_t)64 << 20)

/*
 * Device memory for the container's threads, where it is written without a stage. The back end's calls are serialised by the
 * core's lock, which the thread that runs the container holds; among the container's own
 * threads this lock does it.
 */
struct hetckpt_pump {
	struct hetckpt_core *core;
	pthread_mutex_t lock;
	uint64_t address;                   /* of the section's first byte on the device */
	const struct hetckpt_flight *flight;/* section of frame groups, in order of todo.parked */
	struct hetckpt_error error;         /* of the first failure */
	struct hetckpt_buffers buffers;     /* page-locked, for the container's options */
};

void hetckpt_pump_init(struct hetckpt_pump *pump, struct hetckpt_core *core);
void hetckpt_pump_destroy(struct hetckpt_pump *pump);

/* hetckpt_fill_fn for [address, ...). */
int hetckpt_pump_fill(void *pump, uint64_t offset, void *buffer, size_t length);

/* hetckpt_fill_fn for frame groups. */
int hetckpt_pump_frames(void *pump, uint64_t offset, void *buffer, size_t length);

/* ---- Fields ------------------------------------------------------------ */

/* Reads fields of objects; the first error sticks, and names the object. */
struct hetckpt_fields {
	int rc;
	struct hetckpt_error *error;
	char what[96];     /* "allocation 12" */
};

void hetckpt_fields_what(struct hetckpt_fields *fields, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int hetckpt_fields_fail(struct hetckpt_fields *fields, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A whole number of at most max. */
uint64_t hetckpt_field_number(struct hetckpt_fields *fields, const json_t *object, const char *name,
                              uint64_t max);
/* "0x..." */
uint64_t hetckpt_field_address(struct hetckpt_fields *fields, const json_t *object, const char *name);
bool hetckpt_field_flag(struct hetckpt_fields *fields, const json_t *object, const char *name);
const char *hetckpt_field_text(struct hetckpt_fields *fields, const json_t *object, const char *name);
/* Never NULL: an empty array on error. */
json_t *hetckpt_field_list(struct hetckpt_fields *fields, const json_t *object, const char *name);
void hetckpt_field_triple(struct hetckpt_fields *fields, const json_t *object, const char *name,
                          uint32_t triple[3]);

/* Names of limits in manifests. */
extern const char *const hetckpt_limit_name[HETCKPT_LIMIT_COUNT];

/* New references. */
json_t *hetckpt_address_json(uint64_t address);
json_t *hetckpt_hash_json(const uint8_t hash[16]);

#endif
