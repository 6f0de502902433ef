/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

int hetckpt_snap_error_set(struct hetckpt_snap_error *error, int code, const char *format, ...)
{
	va_list args;

	/* The first error is the cause; what follows from it would hide it. */
	if (error->code)
		return error->code;
	error->code = code;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return code;
}

void hetckpt_snap_error_clear(struct hetckpt_snap_error *error)
{
	error->code = 0;
	error->text[0] = '\0';
}
