/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "parse.h"
#include "statemap.h"
#include "statemap_error.h"

#include <hetckpt/abi.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const statemap_type_name[9] = {"i8",   "i16", "i32", "i64", "f16",
					   "bf16", "f32", "f64", "ptr"};
const char *const statemap_kind_name[5] = {"value", "global", "shared", "generic", "private"};

const char *hetckpt_scope_name(enum hetckpt_scope scope)
{
	static const char *const name[] = {"none", "thread", "warp", "block"};

	return name[scope];
}

const char *hetckpt_type_name(enum hetckpt_type type)
{
	return statemap_type_name[type];
}

const char *hetckpt_slot_kind_name(enum hetckpt_slot_kind kind)
{
	return statemap_kind_name[kind];
}

uint32_t hetckpt_type_bytes(enum hetckpt_type type)
{
	static const uint32_t bytes[] = {1, 2, 4, 8, 2, 2, 4, 8, 8};

	return bytes[type];
}

int hetckpt_pointer_decode(const struct hetckpt_map_slot *slot, uint64_t bits,
			   struct hetckpt_pointer *out)
{
	enum hetckpt_slot_kind space = slot->kind;

	memset(out, 0, sizeof *out);
	if (slot->type != HETCKPT_TYPE_PTR)
		return -EINVAL;
	if (space == HETCKPT_KIND_GENERIC || space == HETCKPT_KIND_PRIVATE) {
		switch (bits >> HETCKPT_PTR_TAG_SHIFT) {
		case HETCKPT_PTR_GLOBAL:
			space = HETCKPT_KIND_GLOBAL;
			break;
		case HETCKPT_PTR_SHARED:
			space = HETCKPT_KIND_SHARED;
			break;
		case HETCKPT_PTR_PRIVATE:
			space = HETCKPT_KIND_PRIVATE;
			break;
		default:
			return -EINVAL;
		}
		if (slot->kind == HETCKPT_KIND_PRIVATE && space != HETCKPT_KIND_PRIVATE)
			return -EINVAL;
	}
	out->space = space;
	out->address = space == HETCKPT_KIND_GLOBAL ? bits : (uint32_t)bits;
	if (space == HETCKPT_KIND_PRIVATE)
		out->object = (uint32_t)(bits >> 32) & ((1u << 30) - 1);
	return 0;
}

static double half_value(uint32_t bits)
{
	uint32_t exponent = bits >> 10 & 31, fraction = bits & 1023;
	double value;

	if (exponent == 31)
		value = fraction ? (double)NAN : (double)INFINITY;
	else if (exponent)
		value = ldexp(1024 + fraction, (int)exponent - 25);
	else
		value = ldexp(fraction, -24);
	return bits >> 15 ? -value : value;
}

static double float_value(enum hetckpt_type type, uint64_t bits)
{
	uint32_t word = (uint32_t)bits;
	double wide;
	float single;

	switch (type) {
	case HETCKPT_TYPE_F16:
		return half_value(word);
	case HETCKPT_TYPE_BF16:
		word <<= 16;
		/* fall through */
	case HETCKPT_TYPE_F32:
		memcpy(&single, &word, 4);
		return single;
	default:
		memcpy(&wide, &bits, 8);
		return wide;
	}
}

static int64_t integer_value(enum hetckpt_type type, uint64_t bits)
{
	switch (type) {
	case HETCKPT_TYPE_I8:
		return (int8_t)bits;
	case HETCKPT_TYPE_I16:
		return (int16_t)bits;
	case HETCKPT_TYPE_I32:
		return (int32_t)bits;
	default:
		return (int64_t)bits;
	}
}

static bool is_float(enum hetckpt_type type)
{
	return type == HETCKPT_TYPE_F16 || type == HETCKPT_TYPE_BF16 ||
	       type == HETCKPT_TYPE_F32 || type == HETCKPT_TYPE_F64;
}

static const char *object_name(const struct hetckpt_map_safepoint *safepoint, uint32_t object)
{
	for (uint32_t i = 0; safepoint && i < safepoint->privates; i++)
		if (safepoint->private_array[i].object == object)
			return safepoint->private_array[i].name;
	return NULL;
}

static int format_pointer(const struct hetckpt_map_slot *slot, uint64_t bits,
			  const struct hetckpt_map_safepoint *safepoint, char *text, size_t size)
{
	struct hetckpt_pointer p;
	const char *name;

	if (hetckpt_pointer_decode(slot, bits, &p))
		return snprintf(text, size, "bad pointer 0x%" PRIx64, bits);
	if (p.space == HETCKPT_KIND_GLOBAL)
		return snprintf(text, size, "global 0x%" PRIx64, p.address);
	if (p.space == HETCKPT_KIND_SHARED)
		return snprintf(text, size, "shared+0x%" PRIx64, p.address);
	name = object_name(safepoint, p.object);
	if (name)
		return snprintf(text, size, "private %s+0x%" PRIx64, name, p.address);
	return snprintf(text, size, "private #%u+0x%" PRIx64, p.object, p.address);
}

int hetckpt_value_format(const struct hetckpt_map_slot *slot, uint64_t bits,
			 const struct hetckpt_map_safepoint *safepoint, char *text, size_t size)
{
	/* Digits that tell apart all values of the type. */
	int digits = slot->type == HETCKPT_TYPE_F64	  ? 17
		     : slot->type == HETCKPT_TYPE_F16	  ? 5
		     : slot->type == HETCKPT_TYPE_BF16	  ? 4
							  : 9;

	if (slot->type == HETCKPT_TYPE_PTR)
		return format_pointer(slot, bits, safepoint, text, size);
	if (is_float(slot->type))
		return snprintf(text, size, "%.*g", digits, float_value(slot->type, bits));
	return snprintf(text, size, "%" PRId64, integer_value(slot->type, bits));
}

static json_t *pointer_json(const struct hetckpt_map_slot *slot, uint64_t bits)
{
	struct hetckpt_pointer p;
	char text[24];

	if (hetckpt_pointer_decode(slot, bits, &p)) {
		snprintf(text, sizeof text, "0x%" PRIx64, bits);
		return json_pack("{s:s, s:s}", "space", "bad", "bits", text);
	}
	if (p.space == HETCKPT_KIND_GLOBAL) {
		snprintf(text, sizeof text, "0x%" PRIx64, p.address);
		return json_pack("{s:s, s:s}", "space", "global", "address", text);
	}
	if (p.space == HETCKPT_KIND_SHARED)
		return json_pack("{s:s, s:I}", "space", "shared", "offset",
				 (json_int_t)p.address);
	return json_pack("{s:s, s:I, s:I}", "space", "private", "object", (json_int_t)p.object,
			 "offset", (json_int_t)p.address);
}

json_t *hetckpt_value_json(const struct hetckpt_map_slot *slot, uint64_t bits)
{
	double value;

	if (slot->type == HETCKPT_TYPE_PTR)
		return pointer_json(slot, bits);
	if (!is_float(slot->type))
		return json_integer(integer_value(slot->type, bits));
	value = float_value(slot->type, bits);
	/* JSON has no word for these. */
	if (isnan(value))
		return json_string("nan");
	if (isinf(value))
		return json_string(value < 0 ? "-inf" : "inf");
	return json_real(value);
}

static json_t *hex_json(const unsigned char *bytes, uint32_t n)
{
	char *text = malloc((size_t)n * 2 + 1);
	json_t *value;

	if (!text)
		return NULL;
	text[0] = 0;
	for (uint32_t i = 0; i < n; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", bytes[i]);
	value = json_string(text);
	free(text);
	return value;
}

static json_t *private_json(const struct hetckpt_frame_layout *layout, const void *group,
			    const struct hetckpt_map_private *array, uint32_t thread)
{
	unsigned char *bytes = malloc((size_t)array->bytes + 1);
	json_t *value = NULL;

	if (bytes) {
		hetckpt_frame_private_read(layout, group, array, thread, bytes);
		value = json_pack("{s:s?, s:I, s:I, s:o}", "name", array->name, "object",
				  (json_int_t)array->object, "bytes", (json_int_t)array->bytes,
				  "content", hex_json(bytes, array->bytes));
	}
	free(bytes);
	return value;
}

static json_t *slot_json(const struct hetckpt_frame_layout *layout, const void *group,
			 const struct hetckpt_map_safepoint *safepoint,
			 const struct hetckpt_map_slot *slot, uint32_t thread)
{
	uint64_t bits = hetckpt_frame_slot_bits(layout, group, slot, thread);
	char text[160];

	hetckpt_value_format(slot, bits, safepoint, text, sizeof text);
	return json_pack("{s:s?, s:s, s:s, s:o, s:s%}", "name", slot->name, "type",
			 statemap_type_name[slot->type], "kind", statemap_kind_name[slot->kind],
			 "value", hetckpt_value_json(slot, bits), "text", text, strlen(text));
}

static int parked_json(const struct hetckpt_frame_layout *layout, const void *group,
		       const struct hetckpt_map_safepoint *safepoint, uint32_t thread, json_t *out)
{
	json_t *values = json_array(), *arrays = json_array(), *where;
	int rc = 0;

	for (uint32_t i = 0; i < safepoint->slots; i++)
		rc |= json_array_append_new(
			values, slot_json(layout, group, safepoint, &safepoint->slot[i], thread));
	for (uint32_t i = 0; i < safepoint->privates; i++)
		rc |= json_array_append_new(arrays, private_json(layout, group,
								 &safepoint->private_array[i],
								 thread));
	where = json_pack("{s:I, s:s, s:s?, s:I, s:I, s:s?}", "id", (json_int_t)safepoint->id,
			  "kind", safepoint->kind, "file", safepoint->file, "line",
			  (json_int_t)safepoint->line, "column", (json_int_t)safepoint->column,
			  "function", safepoint->function);
	rc |= json_object_set_new(out, "safepoint", where);
	rc |= json_object_set_new(out, "values", values);
	rc |= json_object_set_new(out, "private", arrays);
	return rc ? -ENOMEM : 0;
}

int hetckpt_thread_json(const struct hetckpt_map_kernel *kernel,
			const struct hetckpt_frame_layout *layout, const void *group,
			uint32_t thread, json_t **out, char *error, size_t error_size)
{
	uint32_t id = hetckpt_frame_safepoint(layout, group, thread);
	const struct hetckpt_map_safepoint *safepoint = hetckpt_map_safepoint_find(kernel, id);
	const char *state = id == HETCKPT_SP_DONE    ? "done"
			    : id == HETCKPT_SP_START ? "not started"
						     : "parked";
	json_t *object;
	int rc = 0;

	*out = NULL;
	if (!safepoint && id != HETCKPT_SP_DONE && id != HETCKPT_SP_START)
		return statemap_fail(error, error_size, -EINVAL,
				     "kernel %.80s, thread %u: frame names safepoint %u of %u",
				     kernel->name, thread, id, kernel->safepoints);
	object = json_pack("{s:I, s:s}", "thread", (json_int_t)thread, "state", state);
	if (!object)
		rc = -ENOMEM;
	else if (safepoint)
		rc = parked_json(layout, group, safepoint, thread, object);
	if (rc) {
		json_decref(object);
		return statemap_fail(error, error_size, rc, "kernel %.80s, thread %u: no memory",
				     kernel->name, thread);
	}
	*out = object;
	return 0;
}
