/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * json_field.h - reads one typed field of a JSON object, and remembers where.
 *
 * The first error of a reader sticks: later reads return harmless values, so that
 * callers check once, at the end. Not for other folders.
 */
#ifndef HETCKPT_STATEMAP_JSON_FIELD_H
#define HETCKPT_STATEMAP_JSON_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field_reader {
	int rc;               /* 0 or negative errno */
	char *error;
	size_t error_size;
	const char *module;   /* for error lines; NULL until known */
	const char *kernel;
	char where[96];       /* "safepoint 3, slot 2", or empty */
};

/* Sets the error unless there is one; returns the reader's rc. */
__attribute__((format(printf, 3, 4))) int field_fail(struct field_reader *r, int code,
						     const char *format, ...);
/* Says which part is read now; clears with "". */
__attribute__((format(printf, 2, 3))) void field_where(struct field_reader *r,
						       const char *format, ...);

uint64_t field_u64(struct field_reader *r, json_t *object, const char *name, uint64_t max);
uint32_t field_u32(struct field_reader *r, json_t *object, const char *name, uint32_t max);
int64_t field_i64(struct field_reader *r, json_t *object, const char *name);
bool field_bool(struct field_reader *r, json_t *object, const char *name);

/* A string without NUL bytes; the result lives as long as the object. */
const char *field_string(struct field_reader *r, json_t *object, const char *name);
/* NULL if the field is null or absent. */
const char *field_string_opt(struct field_reader *r, json_t *object, const char *name);

/* Index of the field's string in names[count]. */
unsigned field_enum(struct field_reader *r, json_t *object, const char *name,
		    const char *const *names, unsigned count);

/* An array of objects; NULL and *count 0 if empty or on error. */
json_t *field_objects(struct field_reader *r, json_t *object, const char *name, uint32_t *count);

/* 32 hexadecimal digits. */
void field_hash(struct field_reader *r, json_t *object, const char *name, uint8_t hash[16]);

/* Zeroed array for a parsed list; NULL if count is 0 or on error. */
void *field_alloc(struct field_reader *r, uint32_t count, size_t size);

#endif
