/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "runtime/client/client.h"
#include "runtime/common/log.h"

static __thread cudaError_t last_error;

cudaError_t client_result(cudaError_t error)
{
	if (error)
		last_error = error;
	return error;
}

void client_say(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	hetckpt_log(HETCKPT_LOG_ERROR, "%s", line);
}

cudaError_t client_missing(const char *name, bool *said)
{
	if (!__atomic_exchange_n(said, true, __ATOMIC_RELAXED))
		client_say("%s is not supported", name);
	return client_result(cudaErrorNotSupported);
}

/* The thread's error, else one that a command left behind. */
static cudaError_t pending_error(void)
{
	/* An error that stays is told here once a thread; the calls go on failing with it.
	   Programs call cudaGetLastError until it is quiet. */
	static __thread cudaError_t told;
	cudaError_t error;

	if (last_error)
		return last_error;
	error = client_attached() ? client_async_error() : cudaSuccess;
	if (error && client_error_stays(error)) {
		if (error == told)
			return cudaSuccess;
		told = error;
	}
	return error;
}

CLIENT_EXPORT cudaError_t cudaGetLastError(void)
{
	cudaError_t error = pending_error();

	last_error = cudaSuccess;
	return error;
}

CLIENT_EXPORT cudaError_t cudaPeekAtLastError(void)
{
	/* Looking must not forget: what the worker raised becomes the thread's error. */
	return client_result(pending_error());
}

static const struct text {
	cudaError_t code;
	const char *name, *text;
} texts[] = {
#define ERROR(name, text) {name, #name, text},
#include "runtime/client/error_texts.h"
#undef ERROR
};

static const struct text *text_find(cudaError_t error)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i].code == error)
			return &texts[i];
	return NULL;
}

CLIENT_EXPORT const char *cudaGetErrorName(cudaError_t error)
{
	const struct text *t = text_find(error);

	return t ? t->name : "unrecognized error code";
}

CLIENT_EXPORT const char *cudaGetErrorString(cudaError_t error)
{
	const struct text *t = text_find(error);

	return t ? t->text : "unrecognized error code";
}
