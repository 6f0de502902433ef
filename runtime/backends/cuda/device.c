/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Errors of a device, its context, and the time. */
#include "device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t cuda_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int cuda_failed(struct hetckpt_device *device, struct hetckpt_error *error)
{
	if (!atomic_load(&device->failed))
		return 0;
	/* Written once, before failed was set. */
	if (error)
		*error = device->failure;
	return -EIO;
}

static void fail(struct hetckpt_device *device, const struct hetckpt_error *cause)
{
	pthread_mutex_lock(&device->failure_lock);
	if (!atomic_load(&device->failed)) {
		device->failure = *cause;
		device->failure.code = -EIO;
		atomic_store(&device->failed, true);
	}
	pthread_mutex_unlock(&device->failure_lock);
}

int cuda_check(struct hetckpt_device *device, cu_result result, struct hetckpt_error *error,
               const char *format, ...)
{
	struct cuda_result_facts facts;
	struct hetckpt_error made;
	char what[300];
	va_list args;

	if (!result)
		return 0;
	facts = cuda_result_facts(result);
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	hetckpt_error_set(&made, facts.code, facts.cuda, "cuda:%u: %s: %s (%d)", device->index, what,
	                  cuda_result_name(device->api, result), result);
	if (facts.lasting) {
		fail(device, &made);
		return cuda_failed(device, error);
	}
	if (error)
		*error = made;
	return made.code;
}

int cuda_enter(struct hetckpt_device *device, struct hetckpt_error *error)
{
	int rc = cuda_failed(device, error);

	return rc ? rc : cuda_check(device, device->api->context_push(device->context), error,
	                            "cannot use the device's context");
}

void cuda_leave(struct hetckpt_device *device)
{
	cu_context context;

	device->api->context_pop(&context);
}
