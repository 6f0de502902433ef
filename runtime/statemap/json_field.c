/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "json_field.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lists longer than this are refused: no real module comes near. */
#define LIST_MAX (1u << 24)

int field_fail(struct field_reader *r, int code, const char *format, ...)
{
	char what[160];
	va_list args;

	if (r->rc)
		return r->rc;
	r->rc = code;
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	if (r->error && r->error_size)
		snprintf(r->error, r->error_size, "state map%s%.60s%s%.60s%s%s: %s",
			 r->module ? " of " : "", r->module ? r->module : "",
			 r->kernel ? ", kernel " : "", r->kernel ? r->kernel : "",
			 r->where[0] ? ", " : "", r->where, what);
	return r->rc;
}

void field_where(struct field_reader *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->where, sizeof r->where, format, args);
	va_end(args);
}

static json_t *get(struct field_reader *r, json_t *object, const char *name)
{
	json_t *value;

	if (r->rc)
		return NULL;
	value = json_object_get(object, name);
	if (!value)
		field_fail(r, -EINVAL, "field '%s' is missing", name);
	return value;
}

int64_t field_i64(struct field_reader *r, json_t *object, const char *name)
{
	json_t *value = get(r, object, name);

	if (!value)
		return 0;
	if (!json_is_integer(value)) {
		field_fail(r, -EINVAL, "field '%s' is not an integer", name);
		return 0;
	}
	return json_integer_value(value);
}

uint64_t field_u64(struct field_reader *r, json_t *object, const char *name, uint64_t max)
{
	int64_t value = field_i64(r, object, name);

	if (value < 0 || (uint64_t)value > max) {
		field_fail(r, -EINVAL, "field '%s' is %lld, outside 0..%llu", name,
			   (long long)value, (unsigned long long)max);
		return 0;
	}
	return value;
}

uint32_t field_u32(struct field_reader *r, json_t *object, const char *name, uint32_t max)
{
	return (uint32_t)field_u64(r, object, name, max);
}

bool field_bool(struct field_reader *r, json_t *object, const char *name)
{
	json_t *value = get(r, object, name);

	if (value && !json_is_boolean(value))
		field_fail(r, -EINVAL, "field '%s' is neither true nor false", name);
	return json_is_true(value);
}

const char *field_string(struct field_reader *r, json_t *object, const char *name)
{
	json_t *value = get(r, object, name);

	if (!value)
		return "";
	if (!json_is_string(value)) {
		field_fail(r, -EINVAL, "field '%s' is not a string", name);
		return "";
	}
	return json_string_value(value);
}

const char *field_string_opt(struct field_reader *r, json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	if (!value || json_is_null(value))
		return NULL;
	return field_string(r, object, name);
}

unsigned field_enum(struct field_reader *r, json_t *object, const char *name,
		    const char *const *names, unsigned count)
{
	const char *text = field_string(r, object, name);

	for (unsigned i = 0; i < count; i++)
		if (!strcmp(names[i], text))
			return i;
	field_fail(r, -EINVAL, "field '%s' has the unknown value '%.40s'", name, text);
	return 0;
}

json_t *field_objects(struct field_reader *r, json_t *object, const char *name, uint32_t *count)
{
	json_t *list = get(r, object, name);
	size_t n;

	*count = 0;
	if (!list)
		return NULL;
	if (!json_is_array(list) || json_array_size(list) > LIST_MAX) {
		field_fail(r, -EINVAL, "field '%s' is not a list, or too long", name);
		return NULL;
	}
	n = json_array_size(list);
	for (size_t i = 0; i < n; i++) {
		if (!json_is_object(json_array_get(list, i))) {
			field_fail(r, -EINVAL, "field '%s': entry %zu is not an object", name, i);
			return NULL;
		}
	}
	*count = (uint32_t)n;
	return n ? list : NULL;
}

void field_hash(struct field_reader *r, json_t *object, const char *name, uint8_t hash[16])
{
	const char *text = field_string(r, object, name);

	memset(hash, 0, 16);
	if (r->rc)
		return;
	if (strlen(text) != 32 || strspn(text, "0123456789abcdefABCDEF") != 32) {
		field_fail(r, -EINVAL, "field '%s' is not 32 hexadecimal digits", name);
		return;
	}
	for (int i = 0; i < 16; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1], 0};

		hash[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

void *field_alloc(struct field_reader *r, uint32_t count, size_t size)
{
	void *list;

	if (r->rc || !count)
		return NULL;
	list = calloc(count, size);
	if (!list)
		field_fail(r, -ENOMEM, "no memory for %u entries", count);
	return list;
}
