/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "parse.h"
#include "statemap_error.h"

#include <hetckpt/abi.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Variables of one module stay below this, as offsets must fit an arena. */
#define VARIABLE_BYTES_MAX ((uint64_t)1 << 40)

static int by_offset(const void *a, const void *b)
{
	const struct hetckpt_map_variable *const *x = a, *const *y = b;

	if ((*x)->offset != (*y)->offset)
		return (*x)->offset < (*y)->offset ? -1 : 1;
	return ((*x)->bytes > (*y)->bytes) - ((*x)->bytes < (*y)->bytes);
}

static void check_overlap(struct field_reader *r, const struct hetckpt_map *map)
{
	const struct hetckpt_map_variable **sorted;

	sorted = field_alloc(r, map->variables, sizeof *sorted);
	if (!sorted)
		return;
	for (uint32_t i = 0; i < map->variables; i++)
		sorted[i] = &map->variable[i];
	qsort(sorted, map->variables, sizeof *sorted, by_offset);
	for (uint32_t i = 1; i < map->variables; i++)
		if (sorted[i - 1]->offset + sorted[i - 1]->bytes > sorted[i]->offset)
			field_fail(r, -EINVAL, "variables '%.40s' and '%.40s' overlap",
				   sorted[i - 1]->name, sorted[i]->name);
	free(sorted);
}

static void parse_variables(struct field_reader *r, json_t *root, struct hetckpt_map *map)
{
	struct hetckpt_map_variable *v;
	json_t *list;
	uint32_t n;

	map->variable_bytes = field_u64(r, root, "variable_bytes", VARIABLE_BYTES_MAX);
	list = field_objects(r, root, "variables", &n);
	map->variable = v = field_alloc(r, n, sizeof *v);
	if (!v)
		return;
	map->variables = n;
	for (uint32_t i = 0; i < n && !r->rc; i++) {
		json_t *o = json_array_get(list, i);

		field_where(r, "variable %u", i);
		v[i].name = field_string(r, o, "name");
		field_where(r, "variable %.60s", v[i].name);
		v[i].offset = field_u64(r, o, "offset", map->variable_bytes);
		v[i].bytes = field_u64(r, o, "bytes", map->variable_bytes - v[i].offset);
		v[i].align = field_u32(r, o, "align", 1u << 20);
		v[i].constant = field_bool(r, o, "constant");
		if (!r->rc && (!v[i].align || (v[i].align & (v[i].align - 1)) ||
			       v[i].offset % v[i].align))
			field_fail(r, -EINVAL, "offset %llu does not fit alignment %u",
				   (unsigned long long)v[i].offset, v[i].align);
	}
	field_where(r, "%s", "");
	if (!r->rc)
		check_overlap(r, map);
}

static void parse_relocations(struct field_reader *r, json_t *root, struct hetckpt_map *map)
{
	struct hetckpt_map_relocation *reloc;
	json_t *list;
	uint32_t n;

	list = field_objects(r, root, "relocations", &n);
	map->relocation = reloc = field_alloc(r, n, sizeof *reloc);
	if (!reloc)
		return;
	map->relocations = n;
	for (uint32_t i = 0; i < n && !r->rc; i++) {
		json_t *o = json_array_get(list, i);
		const struct hetckpt_map_variable *target;
		const char *name;

		field_where(r, "relocation %u", i);
		reloc[i].offset = field_u64(r, o, "offset", map->variable_bytes);
		if (!r->rc && map->variable_bytes - reloc[i].offset < 8)
			field_fail(r, -EINVAL, "word at %llu lies outside the variables",
				   (unsigned long long)reloc[i].offset);
		reloc[i].addend = field_i64(r, o, "addend");
		name = field_string(r, o, "target");
		if (r->rc)
			break;
		target = hetckpt_map_variable_find(map, name);
		if (!target)
			field_fail(r, -EINVAL, "there is no variable '%.60s'", name);
		else
			reloc[i].target = (uint32_t)(target - map->variable);
	}
	field_where(r, "%s", "");
}

static void parse_kernels(struct field_reader *r, json_t *root, struct hetckpt_map *map)
{
	struct hetckpt_map_kernel *kernel;
	json_t *list;
	uint32_t n;

	list = field_objects(r, root, "kernels", &n);
	map->kernel = kernel = field_alloc(r, n, sizeof *kernel);
	if (!kernel)
		return;
	map->kernels = n;
	for (uint32_t i = 0; i < n && !r->rc; i++) {
		field_where(r, "kernel %u", i);
		parse_kernel(r, json_array_get(list, i), &kernel[i]);
		for (uint32_t k = 0; k < i && !r->rc; k++)
			if (!strcmp(kernel[k].name, kernel[i].name))
				field_fail(r, -EINVAL, "it is there twice");
		r->kernel = NULL;
		field_where(r, "%s", "");
	}
}

int hetckpt_map_parse(const char *text, size_t bytes, struct hetckpt_map **out, char *error,
		      size_t error_size)
{
	struct field_reader r = {.error = error, .error_size = error_size};
	struct hetckpt_map *map;
	json_error_t where;
	uint64_t abi;

	*out = NULL;
	map = calloc(1, sizeof *map);
	if (!map)
		return statemap_fail(error, error_size, -ENOMEM, "state map: no memory");
	map->json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &where);
	if (!map->json) {
		field_fail(&r, -EINVAL, "line %d: %s", where.line, where.text);
		goto out;
	}
	if (!json_is_object(map->json)) {
		field_fail(&r, -EINVAL, "not a JSON object");
		goto out;
	}
	abi = field_u64(&r, map->json, "abi", UINT32_MAX);
	if (!r.rc && abi != HETCKPT_ABI_VERSION)
		field_fail(&r, -ENOTSUP, "ABI %u, this program knows %u", (unsigned)abi,
			   HETCKPT_ABI_VERSION);
	map->module = field_string(&r, map->json, "module");
	if (!r.rc)
		r.module = map->module;
	parse_variables(&r, map->json, map);
	parse_relocations(&r, map->json, map);
	parse_kernels(&r, map->json, map);
out:
	if (r.rc)
		hetckpt_map_free(map);
	else
		*out = map;
	return r.rc;
}

int hetckpt_map_parse_image(const struct hetckpt_image *image, struct hetckpt_map **out,
			    char *error, size_t error_size)
{
	int rc = hetckpt_map_parse(image->map, image->map_bytes, out, error, error_size);

	if (rc || image->data_bytes == (*out)->variable_bytes)
		return rc;
	rc = statemap_fail(error, error_size, -EINVAL,
			   "state map of %.60s: variables of %llu bytes, but initial data of %zu",
			   (*out)->module, (unsigned long long)(*out)->variable_bytes,
			   image->data_bytes);
	hetckpt_map_free(*out);
	*out = NULL;
	return rc;
}

void hetckpt_map_free(struct hetckpt_map *map)
{
	if (!map)
		return;
	for (uint32_t i = 0; i < map->kernels; i++)
		free_kernel(&map->kernel[i]);
	free((void *)map->kernel);
	free((void *)map->variable);
	free((void *)map->relocation);
	json_decref(map->json);
	free(map);
}

const struct hetckpt_map_kernel *hetckpt_map_kernel_find(const struct hetckpt_map *map,
							 const char *name)
{
	for (uint32_t i = 0; i < map->kernels; i++)
		if (!strcmp(map->kernel[i].name, name))
			return &map->kernel[i];
	return NULL;
}

const struct hetckpt_map_variable *hetckpt_map_variable_find(const struct hetckpt_map *map,
							     const char *name)
{
	for (uint32_t i = 0; i < map->variables; i++)
		if (!strcmp(map->variable[i].name, name))
			return &map->variable[i];
	return NULL;
}

const struct hetckpt_map_safepoint *
hetckpt_map_safepoint_find(const struct hetckpt_map_kernel *kernel, uint32_t id)
{
	if (!id || id > kernel->safepoints)
		return NULL;
	return &kernel->safepoint[id - 1];
}
