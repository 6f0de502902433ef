/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * table.h - frame tables as abi.h describes them, written down a second time, apart from
 * the worker's own.
 */
#ifndef HETCKPT_TESTS_STRESS_TABLE_H
#define HETCKPT_TESTS_STRESS_TABLE_H

#include "machine.h"

struct table;

/* An empty table for as many blocks. */
struct table *table_make(const struct hetckpt_map_kernel *kernel, const struct machine_launch *launch,
                         uint32_t blocks);
/* Overwrites everything and frees it. NULL is allowed. */
void table_free(struct table *t);

uint64_t table_address(const struct table *t); /* of struct hetckpt_frame_table */
uint64_t table_list(const struct table *t);    /* of struct hetckpt_block_ref[]; of a moved table */

/* Blocks that have parked. */
uint32_t table_count(const struct table *t);

/*
 * The parked groups in a fresh table elsewhere, packed, in random order, with a list of the
 * blocks. Now and then a block of which no thread has begun gets no group. Checks what every
 * group must fulfil, counts in result.
 */
struct table *table_move(const struct table *from, uint64_t *random, struct machine_result *result);

#endif
