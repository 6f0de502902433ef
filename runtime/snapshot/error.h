/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * error.h - the one line that a handle keeps about what went wrong.
 */
#ifndef HETCKPT_SNAPSHOT_ERROR_H
#define HETCKPT_SNAPSHOT_ERROR_H

#include <limits.h>

struct hetckpt_snap_error {
	int code;                  /* 0 or negative errno */
	char text[PATH_MAX + 512]; /* without line feed */
};

/* Keeps code and message unless there is an error already. Returns the code
   that is kept. The caller serialises. */
int hetckpt_snap_error_set(struct hetckpt_snap_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void hetckpt_snap_error_clear(struct hetckpt_snap_error *error);

#endif
