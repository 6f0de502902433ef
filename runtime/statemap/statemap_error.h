/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Error lines of this folder. Not for other folders. */
#ifndef HETCKPT_STATEMAP_ERROR_H
#define HETCKPT_STATEMAP_ERROR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* Writes the line if there is room for one, and returns code. */
__attribute__((format(printf, 4, 5))) static inline int
statemap_fail(char *error, size_t error_size, int code, const char *format, ...)
{
	va_list args;

	if (error && error_size) {
		va_start(args, format);
		vsnprintf(error, error_size, format, args);
		va_end(args);
	}
	return code;
}

#endif
