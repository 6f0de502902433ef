/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "statemap.h"

#include <errno.h>
#include <string.h>

static const uint32_t class_bytes[HETCKPT_CLASSES] = {8, 4, 2, 1};

static uint64_t pad16(uint64_t x)
{
	return (x + 15) & ~(uint64_t)15;
}

int hetckpt_frame_layout_compute(const struct hetckpt_map_kernel *kernel, uint32_t threads,
				 uint32_t dynamic_shared, struct hetckpt_frame_layout *out)
{
	uint64_t at;

	memset(out, 0, sizeof *out);
	if (!kernel->pausable || !threads || threads > HETCKPT_FRAME_MAX_THREADS)
		return -EINVAL;
	out->threads = threads;
	at = pad16((uint64_t)threads * 4);
	for (int c = 0; c < HETCKPT_CLASSES; c++) {
		out->area[c] = at;
		at += (uint64_t)kernel->slots[c] * class_bytes[c] * threads;
	}
	out->shared = pad16(at);
	if (kernel->scope == HETCKPT_SCOPE_BLOCK)
		out->shared_bytes = pad16(kernel->static_shared) + dynamic_shared;
	out->group_bytes = out->shared + pad16(out->shared_bytes);
	return 0;
}

uint64_t hetckpt_frame_group_bytes(const struct hetckpt_map_kernel *kernel, uint32_t threads,
				   uint32_t dynamic_shared)
{
	struct hetckpt_frame_layout layout;

	if (hetckpt_frame_layout_compute(kernel, threads, dynamic_shared, &layout))
		return 0;
	return layout.group_bytes;
}

uint64_t hetckpt_frame_slot_offset(const struct hetckpt_frame_layout *layout,
				   enum hetckpt_slot_class size_class, uint32_t index,
				   uint32_t thread)
{
	return layout->area[size_class] +
	       ((uint64_t)index * layout->threads + thread) * class_bytes[size_class];
}

uint32_t hetckpt_frame_safepoint(const struct hetckpt_frame_layout *layout, const void *group,
				 uint32_t thread)
{
	uint32_t id;

	memcpy(&id, (const char *)group + layout->safepoint + (uint64_t)thread * 4, 4);
	return id;
}

uint64_t hetckpt_frame_slot_bits(const struct hetckpt_frame_layout *layout, const void *group,
				 const struct hetckpt_map_slot *slot, uint32_t thread)
{
	/* Slots are little endian, and so is every host that this builds for. */
	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little-endian hosts only");
	uint64_t bits = 0;

	memcpy(&bits,
	       (const char *)group +
		       hetckpt_frame_slot_offset(layout, slot->size_class, slot->index, thread),
	       class_bytes[slot->size_class]);
	return bits;
}

void hetckpt_frame_private_read(const struct hetckpt_frame_layout *layout, const void *group,
				const struct hetckpt_map_private *array, uint32_t thread, void *out)
{
	for (uint32_t at = 0; at < array->bytes; at += 8) {
		uint64_t from = hetckpt_frame_slot_offset(layout, HETCKPT_CLASS_8,
							  array->index + at / 8, thread);
		uint32_t n = array->bytes - at < 8 ? array->bytes - at : 8;

		memcpy((char *)out + at, (const char *)group + from, n);
	}
}
