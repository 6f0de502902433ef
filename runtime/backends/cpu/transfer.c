/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Copies and fills: every address is one of this process. */
#include "cpu.h"

#include <string.h>

void cpu_copy(const struct hetckpt_copy *c)
{
	char *dst = (char *)(uintptr_t)c->dst;
	const char *src = (const char *)(uintptr_t)c->src;
	bool rows = c->dst_pitch == c->width && c->src_pitch == c->width;

	if (c->height == 1 && c->depth == 1) {
		memcpy(dst, src, c->width);
		return;
	}
	for (uint64_t z = 0; z < c->depth; z++) {
		if (rows) {
			memcpy(dst + z * c->dst_slice, src + z * c->src_slice, c->width * c->height);
			continue;
		}
		for (uint64_t y = 0; y < c->height; y++)
			memcpy(dst + z * c->dst_slice + y * c->dst_pitch,
			       src + z * c->src_slice + y * c->src_pitch, c->width);
	}
}

void cpu_fill(const struct hetckpt_fill *f)
{
	for (uint64_t y = 0; y < f->height; y++) {
		char *row = (char *)(uintptr_t)f->dst + y * f->pitch;

		switch (f->element) {
		case 1:
			memset(row, (int)f->value, f->width);
			break;
		case 2:
			for (uint64_t x = 0; x < f->width; x++)
				((uint16_t *)(void *)row)[x] = (uint16_t)f->value;
			break;
		default:
			for (uint64_t x = 0; x < f->width; x++)
				((uint32_t *)(void *)row)[x] = f->value;
			break;
		}
	}
}
