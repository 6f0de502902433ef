/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Parts of the state map's parser. Not for other folders. */
#ifndef HETCKPT_STATEMAP_PARSE_H
#define HETCKPT_STATEMAP_PARSE_H

#include "json_field.h"
#include "statemap.h"

/* Fills a zeroed kernel; errors stay in the reader, and free_kernel frees either way. */
void parse_kernel(struct field_reader *r, json_t *object, struct hetckpt_map_kernel *kernel);
void free_kernel(const struct hetckpt_map_kernel *kernel);

/* Names as in the JSON, indexed by the enums. */
extern const char *const statemap_type_name[9];
extern const char *const statemap_kind_name[5];

#endif
