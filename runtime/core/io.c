/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch.h"

/* ---- Pump -------------------------------------------------------------- */

static void *buffer_alloc(void *context, size_t bytes)
{
	struct hetckpt_pump *pump = context;
	struct hetckpt_dev *dev = &pump->core->dev;
	size_t room = (bytes + 4095) & ~(size_t)4095;
	void *buffer = aligned_alloc(4096, room);

	/* Copies of memory that is not page-locked work too, only slower. */
	if (buffer && dev->ops->host_register)
		dev->ops->host_register(dev->handle, buffer, room, &(struct hetckpt_error){0});
	return buffer;
}

static void buffer_release(void *context, void *buffer, size_t bytes)
{
	struct hetckpt_pump *pump = context;
	struct hetckpt_dev *dev = &pump->core->dev;

	(void)bytes;
	if (dev->ops->host_register)
		dev->ops->host_unregister(dev->handle, buffer);
	free(buffer);
}

void hetckpt_pump_init(struct hetckpt_pump *pump, struct hetckpt_core *core)
{
	memset(pump, 0, sizeof *pump);
	pump->core = core;
	pthread_mutex_init(&pump->lock, NULL);
	pump->buffers = (struct hetckpt_buffers){
		.ctx = pump, .alloc = buffer_alloc, .release = buffer_release};
}

void hetckpt_pump_destroy(struct hetckpt_pump *pump)
{
	pthread_mutex_destroy(&pump->lock);
}

int hetckpt_pump_fill(void *context, uint64_t offset, void *buffer, size_t length)
{
	struct hetckpt_pump *pump = context;
	struct hetckpt_error error;
	int rc;

	pthread_mutex_lock(&pump->lock);
	rc = hetckpt_dev_read(&pump->core->dev, buffer, pump->address + offset, length, &error);
	if (rc && !pump->error.code)
		pump->error = error;
	pthread_mutex_unlock(&pump->lock);
	return rc;
}

int hetckpt_pump_frames(void *context, uint64_t offset, void *buffer, size_t length)
{
	struct hetckpt_pump *pump = context;
	struct hetckpt_dev *dev = &pump->core->dev;
	const struct hetckpt_flight *flight = pump->flight;
	const struct hetckpt_block_ref *refs = flight->todo.parked;
	uint64_t group_bytes = flight->group_bytes;
	struct hetckpt_error error;
	char *to = buffer;
	int rc = 0;

	pthread_mutex_lock(&pump->lock);
	while (length && !rc) {
		uint64_t inside = offset % group_bytes;
		size_t piece = group_bytes - inside < length ? (size_t)(group_bytes - inside) : length;
		struct hetckpt_copy copy = {
			.dst = (uintptr_t)to, .dst_memory = HETCKPT_MEMORY_HOST,
			.src = flight->resume->groups + refs[offset / group_bytes].group * group_bytes + inside,
			.src_memory = HETCKPT_MEMORY_DEVICE,
			.width = piece, .height = 1, .depth = 1,
			.dst_pitch = piece, .dst_slice = piece, .src_pitch = piece, .src_slice = piece,
		};

		rc = dev->ops->copy(dev->service, &copy, &error);
		offset += piece;
		to += piece;
		length -= piece;
	}
	if (!rc)
		rc = hetckpt_dev_settle(dev, NULL, &error);
	if (rc && !pump->error.code)
		pump->error = error;
	pthread_mutex_unlock(&pump->lock);
	return rc;
}

/* ---- Fields ------------------------------------------------------------ */

void hetckpt_fields_what(struct hetckpt_fields *fields, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fields->what, sizeof fields->what, format, args);
	va_end(args);
}

int hetckpt_fields_fail(struct hetckpt_fields *fields, int code, const char *format, ...)
{
	char text[256];
	va_list args;

	if (fields->rc)
		return fields->rc;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fields->rc = code;
	return hetckpt_error_set(fields->error, code, 0, "snapshot: %s%s%s", fields->what,
	                         *fields->what ? ": " : "", text);
}

uint64_t hetckpt_field_number(struct hetckpt_fields *fields, const json_t *object, const char *name,
                              uint64_t max)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max) {
		hetckpt_fields_fail(fields, -EINVAL, "\"%s\" is not a number from 0 to %" PRIu64, name, max);
		return 0;
	}
	return (uint64_t)json_integer_value(value);
}

uint64_t hetckpt_field_address(struct hetckpt_fields *fields, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	uint64_t value = 0;
	char *end;

	if (text && !strncmp(text, "0x", 2) && text[2] && strlen(text) <= 18) {
		value = strtoull(text + 2, &end, 16);
		if (!*end && text[2] != '-' && text[2] != '+' && text[2] != ' ')
			return value;
	}
	hetckpt_fields_fail(fields, -EINVAL, "\"%s\" is not an address", name);
	return 0;
}

bool hetckpt_field_flag(struct hetckpt_fields *fields, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_boolean(value))
		hetckpt_fields_fail(fields, -EINVAL, "\"%s\" is not true or false", name);
	return json_is_true(value);
}

const char *hetckpt_field_text(struct hetckpt_fields *fields, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text)
		hetckpt_fields_fail(fields, -EINVAL, "\"%s\" is not a string", name);
	return text ? text : "";
}

json_t *hetckpt_field_list(struct hetckpt_fields *fields, const json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	if (!json_is_array(value))
		hetckpt_fields_fail(fields, -EINVAL, "\"%s\" is not a list", name);
	/* json_array_size(NULL) is 0, so that loops over it do nothing. */
	return json_is_array(value) ? value : NULL;
}

void hetckpt_field_triple(struct hetckpt_fields *fields, const json_t *object, const char *name,
                          uint32_t triple[3])
{
	const json_t *list = json_object_get(object, name);

	for (size_t i = 0; i < 3; i++) {
		const json_t *value = json_array_get(list, i);
		json_int_t number = json_integer_value(value);

		triple[i] = 1;
		if (json_is_integer(value) && number > 0 && number <= UINT32_MAX)
			triple[i] = (uint32_t)number;
		else
			hetckpt_fields_fail(fields, -EINVAL, "\"%s\" is not three positive numbers", name);
	}
}

const char *const hetckpt_limit_name[HETCKPT_LIMIT_COUNT] = {
	[HETCKPT_LIMIT_STACK] = "stack", [HETCKPT_LIMIT_PRINTF] = "printf", [HETCKPT_LIMIT_MALLOC_HEAP] = "malloc_heap",
};

json_t *hetckpt_address_json(uint64_t address)
{
	char text[24];

	snprintf(text, sizeof text, "0x%" PRIx64, address);
	return json_string(text);
}

json_t *hetckpt_hash_json(const uint8_t hash[16])
{
	char text[33];

	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return json_string(text);
}
