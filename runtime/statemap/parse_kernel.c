/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bounds that keep every later product inside 64 bits. */
#define SLOT_MAX (1u << 24)
#define SHARED_MAX (1u << 30)
#define PARAM_MAX (1u << 20)

static const uint32_t class_bytes[HETCKPT_CLASSES] = {8, 4, 2, 1};

static bool power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
}

static void parse_params(struct field_reader *r, json_t *o, struct hetckpt_map_kernel *k)
{
	struct hetckpt_map_param *p;
	json_t *list;
	uint64_t end = 0;
	uint32_t n;

	k->param_bytes = field_u32(r, o, "param_bytes", PARAM_MAX);
	list = field_objects(r, o, "params", &n);
	k->param = p = field_alloc(r, n, sizeof *p);
	if (!p)
		return;
	k->params = n;
	for (uint32_t i = 0; i < n && !r->rc; i++) {
		json_t *e = json_array_get(list, i);

		field_where(r, "parameter %u", i);
		p[i].offset = field_u32(r, e, "offset", k->param_bytes);
		p[i].bytes = field_u32(r, e, "bytes", k->param_bytes - p[i].offset);
		p[i].align = field_u32(r, e, "align", 4096);
		if (!r->rc && (!power_of_two(p[i].align) || p[i].offset % p[i].align))
			field_fail(r, -EINVAL, "offset %u does not fit alignment %u", p[i].offset,
				   p[i].align);
		if (!r->rc && p[i].offset < end)
			field_fail(r, -EINVAL, "it overlaps the one before");
		end = (uint64_t)p[i].offset + p[i].bytes;
	}
	field_where(r, "%s", "");
}

static void parse_shared(struct field_reader *r, json_t *o, struct hetckpt_map_kernel *k)
{
	struct hetckpt_map_shared *s;
	json_t *list;
	uint32_t n;

	k->static_shared = field_u32(r, o, "static_shared", SHARED_MAX);
	k->shared_align = field_u32(r, o, "shared_align", 1u << 20);
	if (!r->rc && k->static_shared && !power_of_two(k->shared_align))
		field_fail(r, -EINVAL, "field 'shared_align' is %u, not a power of two",
			   k->shared_align);
	k->dynamic_shared = field_bool(r, o, "dynamic_shared");
	list = field_objects(r, o, "shared_variables", &n);
	k->shared_variable = s = field_alloc(r, n, sizeof *s);
	if (!s)
		return;
	k->shared_variables = n;
	for (uint32_t i = 0; i < n && !r->rc; i++) {
		json_t *e = json_array_get(list, i);

		field_where(r, "shared variable %u", i);
		s[i].name = field_string(r, e, "name");
		s[i].offset = field_u32(r, e, "offset", k->static_shared);
		s[i].bytes = field_u32(r, e, "bytes", k->static_shared - s[i].offset);
	}
	field_where(r, "%s", "");
}

/* One bit a slot of a frame; tells overlapping slots of a safepoint. */
struct used {
	uint8_t *bits;
	uint32_t first[HETCKPT_CLASSES]; /* bit of slot 0 of a class */
	uint32_t total;
};

static void mark(struct field_reader *r, struct used *used, unsigned c, uint32_t index)
{
	uint32_t bit = used->first[c] + index;

	if (used->bits[bit / 8] & (1u << bit % 8))
		field_fail(r, -EINVAL, "slot %u of class %u is used twice", index, class_bytes[c]);
	used->bits[bit / 8] |= (uint8_t)(1u << bit % 8);
}

static void parse_slot(struct field_reader *r, json_t *o, const struct hetckpt_map_kernel *k,
		       struct hetckpt_map_slot *slot, struct used *used)
{
	uint32_t bytes = field_u32(r, o, "class", 8);
	unsigned c = 0;

	while (c < HETCKPT_CLASSES && class_bytes[c] != bytes)
		c++;
	if (c == HETCKPT_CLASSES) {
		field_fail(r, -EINVAL, "field 'class' is %u, not 8, 4, 2 or 1", bytes);
		return;
	}
	slot->size_class = c;
	slot->index = field_u32(r, o, "index", UINT32_MAX);
	slot->type = field_enum(r, o, "type", statemap_type_name, 9);
	slot->kind = field_enum(r, o, "kind", statemap_kind_name, 5);
	slot->name = field_string_opt(r, o, "name");
	if (r->rc)
		return;
	if (slot->index >= k->slots[c])
		field_fail(r, -EINVAL, "field 'index' is %u, but the frame has %u slots of class %u",
			   slot->index, k->slots[c], bytes);
	else if (hetckpt_type_bytes(slot->type) != bytes)
		field_fail(r, -EINVAL, "type %s does not fit class %u",
			   statemap_type_name[slot->type], bytes);
	else if (slot->kind != HETCKPT_KIND_VALUE && slot->type != HETCKPT_TYPE_PTR)
		field_fail(r, -EINVAL, "kind %s needs type ptr, not %s",
			   statemap_kind_name[slot->kind], statemap_type_name[slot->type]);
	else if (slot->kind == HETCKPT_KIND_VALUE && slot->type == HETCKPT_TYPE_PTR)
		field_fail(r, -EINVAL, "type ptr needs a kind other than value");
	else
		mark(r, used, c, slot->index);
}

static void parse_private(struct field_reader *r, json_t *o, const struct hetckpt_map_kernel *k,
			  struct hetckpt_map_private *p, struct used *used)
{
	uint32_t units;

	p->object = field_u32(r, o, "object", (1u << 30) - 1);
	p->bytes = field_u32(r, o, "bytes", SLOT_MAX * 8u - 8u);
	p->index = field_u32(r, o, "index", SLOT_MAX);
	p->name = field_string_opt(r, o, "name");
	if (field_u32(r, o, "class", 8) != 8 && !r->rc)
		field_fail(r, -EINVAL, "field 'class' of a private array is not 8");
	units = (p->bytes + 7) / 8;
	if (!r->rc && (p->index > k->slots[HETCKPT_CLASS_8] ||
		       units > k->slots[HETCKPT_CLASS_8] - p->index))
		field_fail(r, -EINVAL, "%u bytes from slot %u on: the frame has %u slots of class 8",
			   p->bytes, p->index, k->slots[HETCKPT_CLASS_8]);
	for (uint32_t u = 0; u < units && !r->rc; u++)
		mark(r, used, HETCKPT_CLASS_8, p->index + u);
}

static void parse_safepoint(struct field_reader *r, json_t *o, const struct hetckpt_map_kernel *k,
			    struct hetckpt_map_safepoint *s, uint32_t id, struct used *used)
{
	struct hetckpt_map_private *array;
	struct hetckpt_map_slot *slot;
	uint32_t n, privates = 0;
	json_t *list;

	field_where(r, "safepoint %u", id);
	s->id = field_u32(r, o, "id", UINT32_MAX);
	if (!r->rc && s->id != id) {
		field_fail(r, -EINVAL, "field 'id' is %u: ids must be 1, 2, 3, ...", s->id);
		return;
	}
	s->kind = field_string(r, o, "kind");
	s->file = field_string_opt(r, o, "file");
	s->function = field_string_opt(r, o, "function");
	s->line = field_u32(r, o, "line", UINT32_MAX);
	s->column = field_u32(r, o, "column", UINT32_MAX);
	memset(used->bits, 0, used->total / 8 + 1);

	list = field_objects(r, o, "slots", &n);
	s->slot = slot = field_alloc(r, n, sizeof *slot);
	if (slot)
		s->slots = n;
	for (uint32_t i = 0; i < s->slots && !r->rc; i++) {
		field_where(r, "safepoint %u, slot %u", id, i);
		parse_slot(r, json_array_get(list, i), k, &slot[i], used);
	}
	field_where(r, "safepoint %u", id);
	list = field_objects(r, o, "private", &privates);
	s->private_array = array = field_alloc(r, privates, sizeof *array);
	if (array)
		s->privates = privates;
	for (uint32_t i = 0; i < s->privates && !r->rc; i++) {
		field_where(r, "safepoint %u, private array %u", id, i);
		parse_private(r, json_array_get(list, i), k, &array[i], used);
		for (uint32_t j = 0; j < i; j++)
			if (array[j].object == array[i].object)
				field_fail(r, -EINVAL, "object %u is there twice", array[i].object);
	}
	field_where(r, "%s", "");
}

static void parse_frame(struct field_reader *r, json_t *o, struct hetckpt_map_kernel *k)
{
	static const char *const class_name[HETCKPT_CLASSES] = {"8", "4", "2", "1"};
	struct hetckpt_map_safepoint *s;
	struct used used = {0};
	json_t *counts = json_object_get(o, "slots"), *list;
	uint64_t bytes = 0;
	uint32_t n;

	if (!json_is_object(counts)) {
		field_fail(r, -EINVAL, "field 'slots' is not an object");
		return;
	}
	field_where(r, "slots");
	for (int c = 0; c < HETCKPT_CLASSES; c++) {
		k->slots[c] = field_u32(r, counts, class_name[c], SLOT_MAX);
		used.first[c] = used.total;
		used.total += k->slots[c];
		bytes += (uint64_t)k->slots[c] * class_bytes[c];
	}
	field_where(r, "%s", "");
	k->frame_bytes = field_u32(r, o, "frame_bytes", UINT32_MAX);
	if (!r->rc && k->frame_bytes != bytes)
		field_fail(r, -EINVAL, "field 'frame_bytes' is %u, the slots sum up to %llu",
			   k->frame_bytes, (unsigned long long)bytes);
	list = field_objects(r, o, "safepoints", &n);
	k->safepoint = s = field_alloc(r, n, sizeof *s);
	used.bits = field_alloc(r, used.total / 8 + 1, 1);
	if (s)
		k->safepoints = n;
	for (uint32_t i = 0; i < k->safepoints && !r->rc; i++)
		parse_safepoint(r, json_array_get(list, i), k, &s[i], i + 1, &used);
	free(used.bits);
}

void parse_kernel(struct field_reader *r, json_t *o, struct hetckpt_map_kernel *k)
{
	static const char *const scope[] = {"none", "thread", "warp", "block"};

	k->name = field_string(r, o, "name");
	if (r->rc)
		return;
	r->kernel = k->name;
	field_where(r, "%s", "");
	k->signature = field_string_opt(r, o, "signature");
	if (!k->signature)
		k->signature = k->name;
	k->pausable = field_bool(r, o, "pausable");
	k->reason = field_string_opt(r, o, "reason");
	parse_params(r, o, k);
	parse_shared(r, o, k);
	k->max_threads = field_u32(r, o, "max_threads", UINT32_MAX);
	if (r->rc || !k->pausable)
		return;
	k->scope = field_enum(r, o, "scope", scope, 4);
	if (!r->rc && k->scope == HETCKPT_SCOPE_NONE)
		field_fail(r, -EINVAL, "field 'scope' is 'none', but the kernel is pausable");
	k->polls = field_bool(r, o, "polls");
	k->waits = field_bool(r, o, "waits");
	parse_frame(r, o, k);
	field_hash(r, o, "hash", k->hash);
}

void free_kernel(const struct hetckpt_map_kernel *k)
{
	for (uint32_t i = 0; i < k->safepoints; i++) {
		free((void *)k->safepoint[i].slot);
		free((void *)k->safepoint[i].private_array);
	}
	free((void *)k->safepoint);
	free((void *)k->param);
	free((void *)k->shared_variable);
}
