/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A block's memory and its record. */
#include "cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN(n, a) (((n) + (a) - 1) / (a) * (a))
/* One thread's elements of the arrays below. */
#define WORDS_PER_THREAD 8u /* state, value, extra, mask, lane, clamp, order, and phase */

static size_t shared_bytes(const struct hetckpt_cpu_function *f, uint32_t dynamic_shared)
{
	return ALIGN((size_t)f->static_shared, 16) + dynamic_shared;
}

size_t cpu_slot_bytes(const struct hetckpt_cpu_function *f, uint32_t threads, uint32_t dynamic_shared)
{
	size_t n = ALIGN((size_t)threads, HETCKPT_CPU_WARP);

	return 128 + ALIGN(shared_bytes(f, dynamic_shared), 128) + ALIGN(threads * (size_t)f->frame_bytes, 128) +
	       n * 4 * WORDS_PER_THREAD;
}

static int slot_reserve(struct cpu_slot *slot, size_t bytes)
{
	char *memory;

	if (bytes <= slot->memory_bytes)
		return 0;
	memory = aligned_alloc(128, ALIGN(bytes, 128));
	if (!memory)
		return -ENOMEM;
	free(slot->memory);
	slot->memory = memory;
	slot->memory_bytes = bytes;
	return 0;
}

/* Where originals, which do not poll, would look. */
static const uint32_t no_flag[2] = {HETCKPT_FLAG_RUN, HETCKPT_FLAG_RUN};

/* Logical block: run variants are moved by the record's base, resume variants take
   theirs from the list, originals are where they are. */
void cpu_slot_locate(struct cpu_slot *slot, uint64_t block)
{
	const struct cpu_launch *launch = slot->launch;
	const struct hetckpt_launch *record = launch->record;
	struct hetckpt_cpu_block *b = &slot->block;
	uint64_t rows = 0, linear;

	b->ctaid[0] = (uint32_t)block;
	if (block >= launch->grid[0]) {
		rows = block / launch->grid[0];
		b->ctaid[0] = (uint32_t)(block % launch->grid[0]);
	}
	b->ctaid[1] = (uint32_t)(rows % launch->grid[1]);
	b->ctaid[2] = (uint32_t)(rows / launch->grid[1]);
	memcpy(slot->logical, b->ctaid, sizeof slot->logical);
	b->flag = no_flag;
	if (slot->random) {
		/* Mixed with the block, so that blocks differ; never 0. */
		slot->random = launch->device->schedule ^ (block + 1) * 0x9e3779b97f4a7c15u;
		slot->random += !slot->random;
	}
	if (!record)
		return;
	if (launch->kernel->variant == HETCKPT_VARIANT_RESUME) {
		const struct hetckpt_block_ref *ref = (const void *)(uintptr_t)record->list;

		linear = ref[block].block;
		slot->logical[0] = (uint32_t)(linear % record->grid[0]);
		slot->logical[1] = (uint32_t)(linear / record->grid[0] % record->grid[1]);
		slot->logical[2] = (uint32_t)(linear / record->grid[0] / record->grid[1]);
	} else {
		for (int i = 0; i < 3; i++)
			slot->logical[i] += record->base[i];
		linear = cpu_slot_linear(slot);
	}
	b->flag = (const uint32_t *)(uintptr_t)(record->flags + linear % HETCKPT_FLAG_LINES * HETCKPT_FLAG_STRIDE +
	                                        HETCKPT_FLAG_POLL);
}

uint64_t cpu_slot_linear(const struct cpu_slot *slot)
{
	const struct hetckpt_launch *record = slot->launch->record;
	const uint32_t *grid = record ? record->grid : slot->launch->grid;

	return slot->logical[0] + (uint64_t)grid[0] * (slot->logical[1] + (uint64_t)grid[1] * slot->logical[2]);
}

int cpu_slot_begin(struct cpu_slot *slot, struct cpu_launch *launch, uint64_t block)
{
	const struct hetckpt_kernel *kernel = launch->kernel;
	const struct hetckpt_cpu_function *f = kernel->function;
	struct hetckpt_cpu_block *b = &slot->block;
	size_t n = ALIGN((size_t)launch->threads, HETCKPT_CPU_WARP);
	uint32_t *words;
	char *at;
	int rc = slot_reserve(slot, cpu_slot_bytes(f, launch->threads, launch->dynamic_shared));

	if (rc)
		return rc;
	slot->launch = launch;
	slot->function = f;
	slot->failure[0] = 0;
	slot->text_bytes = 0;
	memset(slot->arrived, 0, sizeof slot->arrived);

	memcpy(b->ntid, launch->block, sizeof b->ntid);
	memcpy(b->nctaid, launch->grid, sizeof b->nctaid);
	b->threads = launch->threads;
	at = slot->memory;
	b->shared = at;
	b->dynamic = at + ALIGN((size_t)f->static_shared, 16);
	b->shared_bytes = (uint32_t)shared_bytes(f, launch->dynamic_shared);
	b->dynamic_bytes = launch->dynamic_shared;
	at += ALIGN((size_t)b->shared_bytes, 128);
	b->frames = at;
	at += ALIGN(launch->threads * (size_t)f->frame_bytes, 128);
	words = (uint32_t *)(void *)at;
	b->state = words;
	b->value = words + n;
	b->extra = words + 2 * n;
	b->mask = words + 3 * n;
	b->lane = words + 4 * n;
	b->clamp = words + 5 * n;
	slot->order = words + 6 * n;
	slot->phase = (uint8_t *)(words + 7 * n);
	b->globals = (char *)(uintptr_t)kernel->module->variables;
	b->params = launch->params;
	b->services = &cpu_services;
	b->runtime = slot;
	b->fault = 0;
	b->together = 1;
	for (unsigned i = 0; i < HETCKPT_CPU_PACES; i++)
		b->pace[i] = atomic_load_explicit(&kernel->pace[i], memory_order_relaxed);

	slot->uniform = true;
	slot->site = HETCKPT_CPU_START;
	slot->random = launch->device->schedule;
	cpu_slot_locate(slot, block);
	return 0;
}

void cpu_slot_end(struct cpu_slot *slot)
{
	_Atomic uint32_t *pace = slot->launch->kernel->pace;

	cpu_text_flush(slot);
	/* The next block of the kernel begins with what this one has found. It is seldom something new. */
	for (unsigned i = 0; i < HETCKPT_CPU_PACES; i++)
		if (atomic_load_explicit(&pace[i], memory_order_relaxed) != slot->block.pace[i])
			atomic_store_explicit(&pace[i], slot->block.pace[i], memory_order_relaxed);
	slot->launch = NULL;
}

void cpu_slot_free(struct cpu_slot *slot)
{
	free(slot->memory);
	free(slot->text);
	memset(slot, 0, sizeof *slot);
}
