/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "device_heap.h"

#include <stddef.h>
#include <string.h>

#include "core_internal.h"

/* So many pages, unless they would be too small or too large. */
#define PAGES 4096u

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

uint64_t hetckpt_device_heap_layout(uint64_t base, uint64_t limit, struct hetckpt_device_heap *head)
{
	uint32_t shift = HETCKPT_HEAP_PAGE_SHIFT_MIN;
	uint64_t page, pages;

	while (shift < HETCKPT_HEAP_PAGE_SHIFT_MAX && limit >> shift > PAGES)
		shift++;
	page = (uint64_t)1 << shift;
	pages = limit ? round_up(limit, page) >> shift : 1;
	memset(head, 0, sizeof *head);
	head->pages = (uint32_t)pages;
	head->page_shift = shift;
	head->states = base + sizeof *head;
	head->bits = round_up(head->states + 4 * pages, 128);
	head->data = round_up(head->bits + pages * (page / 128), page);
	return head->data + pages * page - base;
}

const struct hetckpt_map_variable *hetckpt_device_heap_variable(const struct hetckpt_map *map)
{
	const struct hetckpt_map_variable *v =
		hetckpt_map_variable_find(map, HETCKPT_HEAP_VARIABLE);

	return v && v->bytes == sizeof(uint64_t) ? v : NULL;
}

static uint64_t address(const struct hetckpt_core *core)
{
	return core->app.base + HETCKPT_HEAP_OFFSET;
}

bool hetckpt_device_heap_there(const struct hetckpt_core *core)
{
	const struct hetckpt_arena_allocation *a = hetckpt_arena_at(core->app.arena, address(core));

	return a && a->tag == HETCKPT_TAG_HEAP;
}

/* Zero, then the head: what pages hold is nobody's business until they are given out. */
static int write_records(struct hetckpt_core *core, const struct hetckpt_device_heap *head,
                         struct hetckpt_error *error)
{
	uint64_t words = (head->data - address(core)) / 4;
	struct hetckpt_fill fill = {
		.dst = address(core), .width = words, .height = 1, .pitch = 4 * words, .element = 4,
	};
	int rc = core->dev.ops->fill(core->dev.service, &fill, error);

	return rc ? rc : hetckpt_dev_write(&core->dev, address(core), head,
	                                   offsetof(struct hetckpt_device_heap, hint), error);
}

int hetckpt_device_heap_make(struct hetckpt_core *core, struct hetckpt_error *error)
{
	uint64_t limit = core->limit[HETCKPT_LIMIT_MALLOC_HEAP];
	struct hetckpt_device_heap head;
	uint64_t bytes;
	int rc;

	if (hetckpt_device_heap_there(core))
		return 0;
	bytes = hetckpt_device_heap_layout(address(core), limit ? limit : HETCKPT_DEVICE_HEAP_BYTES, &head);
	rc = hetckpt_core_claim(core, address(core), bytes, HETCKPT_TAG_HEAP, error);
	if (rc)
		return rc;
	rc = write_records(core, &head, error);
	if (rc)
		hetckpt_heap_free(&core->app, address(core), NULL);
	return rc;
}
