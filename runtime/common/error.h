/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * error.h - an error with its message, made once, where the cause is known.
 *
 * Functions that take a struct hetckpt_error return 0 or a negative errno, and fill
 * the record only when they fail. The record belongs to the caller; NULL is allowed
 * where a caller needs no text.
 */
#ifndef HETCKPT_COMMON_ERROR_H
#define HETCKPT_COMMON_ERROR_H

#include <stdarg.h>
#include <stdint.h>

#define HETCKPT_ERROR_TEXT 480

struct hetckpt_error {
	int code;                      /* negative errno, as returned */
	uint32_t cuda;                 /* cudaError_t that the application sees */
	char text[HETCKPT_ERROR_TEXT]; /* one line, no newline, names the thing and the
	                                  vendor's own error code */
};

/*
 * Fills error (if not NULL) and returns code, so that a failing function can end with
 * "return hetckpt_error_set(...)". cuda 0 is replaced by the value closest to code.
 */
int hetckpt_error_set(struct hetckpt_error *error, int code, uint32_t cuda, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The cudaError_t closest to a negative errno; cudaErrorUnknown (999) if there is none. */
uint32_t hetckpt_error_cuda(int code);

#endif
