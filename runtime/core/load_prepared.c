/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A worker that will take a session over is prepared while the one before it still runs: it
 * maps the memory and makes the code that it will need. The program may allocate, free, load
 * and unload meanwhile, so what was prepared is held against the real snapshot first, and goes
 * where the two differ. Nothing that goes was in use: no command has been issued here yet.
 */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct wanted {
	uint64_t address, bytes, tag;
};

/* Both lists ascend. */
static bool is_wanted(const struct wanted *list, size_t count, const struct hetckpt_arena_allocation *a)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list[middle].address < a->address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && list[low].address == a->address && list[low].bytes == a->bytes && list[low].tag == a->tag;
}

static int list_wanted(struct hetckpt_load *load, struct wanted **out, size_t *count)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "allocations"), *entry;
	struct wanted *wanted = calloc(json_array_size(list) + 1, sizeof *wanted);
	size_t i;

	*out = wanted;
	*count = 0;
	if (!wanted)
		return hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory");
	json_array_foreach(list, i, entry) {
		hetckpt_fields_what(&load->fields, "allocation %zu", i);
		wanted[i].address = hetckpt_field_address(&load->fields, entry, "address");
		wanted[i].bytes = hetckpt_field_number(&load->fields, entry, "bytes", HETCKPT_ARENA_BYTES);
		wanted[i].tag = hetckpt_load_tag(load, entry);
		if (!load->fields.rc && i && wanted[i].address <= wanted[i - 1].address)
			hetckpt_fields_fail(&load->fields, -EINVAL, "it is not behind the one before");
		if (load->fields.rc)
			return load->fields.rc;
		*count = i + 1;
	}
	return 0;
}

/* Code that the snapshot does not have loaded, or with its variables at another address. */
static int drop_code(struct hetckpt_load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "modules"), *entry;
	struct hetckpt_modules *modules = &load->core->modules;
	size_t i;

	for (struct hetckpt_code *code = modules->list; code && !load->fields.rc; code = code->next) {
		bool keep = false;

		json_array_foreach(list, i, entry) {
			hetckpt_fields_what(&load->fields, "module %zu", i);
			if (hetckpt_field_number(&load->fields, entry, "number", INT64_MAX - 1) != code->number ||
			    !hetckpt_field_flag(&load->fields, entry, "loaded"))
				continue;
			keep = !code->variables || hetckpt_field_address(&load->fields, entry, "variables") == code->variables;
		}
		if (!keep && code->module)
			hetckpt_code_unload(modules, code);
	}
	return load->fields.rc;
}

int hetckpt_load_reconcile(struct hetckpt_load *load)
{
	struct hetckpt_heap *heap = &load->core->app;
	const struct hetckpt_arena_allocation *there;
	struct wanted *wanted;
	size_t count, live, i = 0;
	int rc = list_wanted(load, &wanted, &count);

	if (!rc)
		rc = drop_code(load);
	there = hetckpt_arena_list(heap->arena, &live);
	while (!rc && i < live) {
		if (is_wanted(wanted, count, &there[i])) {
			i++;
			continue;
		}
		/* The list closes up. */
		rc = load->fields.rc = hetckpt_heap_free(heap, there[i].address, load->error);
		there = hetckpt_arena_list(heap->arena, &live);
	}
	free(wanted);
	return rc;
}
