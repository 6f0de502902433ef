/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* inspect.h - the facts that inspect shows, from a snapshot. */
#ifndef HETCKPT_DRIVER_INSPECT_H
#define HETCKPT_DRIVER_INSPECT_H

#include <jansson.h>
#include <stdbool.h>

#include "runtime/common/error.h"

/* Which frames to show; NULL or false: not asked for. */
struct hetckpt_inspect_options {
	const char *kernel;     /* symbol, signature, or the function's name in it */
	bool block_given, thread_given;
	unsigned block[3], thread[3];
};

/*
 * Reads a snapshot: {"file", "device", "memory", "modules", "streams", "commands",
 * "kernels": [...]}, kernels as a session's status lists them; with options->kernel only
 * its launches, with block "threads" of that block. *facts is a new reference.
 * -ENOENT: no such kernel, or the block has no frame (the line says why); -EBADMSG damage;
 * others as runtime/snapshot/snapshot.h.
 */
int hetckpt_inspect_file(const char *path, const struct hetckpt_inspect_options *options,
			 json_t **facts, struct hetckpt_error *error);

#endif
