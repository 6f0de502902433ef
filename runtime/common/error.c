/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "error.h"

#include <errno.h>
#include <stdio.h>

uint32_t hetckpt_error_cuda(int code)
{
	switch (code) {
	case 0: return 0;
	case -ENOMEM: return 2;    /* cudaErrorMemoryAllocation */
	case -EINVAL: return 1;    /* cudaErrorInvalidValue */
	case -ENOENT: return 500;  /* cudaErrorSymbolNotFound */
	case -ENOTSUP: return 801; /* cudaErrorNotSupported */
	case -ENODEV: return 100;  /* cudaErrorNoDevice */
	case -EFAULT: return 700;  /* cudaErrorIllegalAddress */
	case -EBUSY: return 600;   /* cudaErrorNotReady */
	default: return 999;       /* cudaErrorUnknown */
	}
}

int hetckpt_error_set(struct hetckpt_error *error, int code, uint32_t cuda, const char *format, ...)
{
	va_list args;

	if (!error)
		return code;
	error->code = code;
	error->cuda = cuda ? cuda : hetckpt_error_cuda(code);
	va_start(args, format);
	vsnprintf(error->text, sizeof error->text, format, args);
	va_end(args);
	for (char *c = error->text; *c; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	return code;
}
