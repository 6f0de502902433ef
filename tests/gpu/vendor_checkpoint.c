/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "vendor_checkpoint.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/backends/cuda/driver.h"

/* cuda.h of CUDA 12.8: all arguments are blocks of 64 bytes, zero but for the lock's timeout. */
struct arguments {
	unsigned timeout_ms;
	unsigned char zero[124];
};
typedef int call(int pid, struct arguments *arguments);

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int vendor_hold(unsigned index, uint64_t bytes, uint64_t piece)
{
	const struct cuda_driver *api;
	struct hetckpt_error error;
	cu_context context;
	cu_device device;
	char byte;

	if (cuda_driver_open(&api, &error)) {
		fprintf(stderr, "%s\n", error.text);
		return 77;
	}
	if (api->device_get(&device, (int)index) || api->context_retain(&context, device) || api->context_push(context))
		return 1;
	for (uint64_t at = 0; at < bytes; at += piece) {
		cu_address address;

		if (api->memory_alloc(&address, piece) || api->fill_32(address, (unsigned)(at >> 20) + 1, piece / 4, NULL))
			return 1;
	}
	if (api->stream_sync(NULL))
		return 1;
	printf("ready\n");
	fflush(stdout);
	return read(0, &byte, 1) < 0;
}

static int step(void *library, const char *name, int pid, double *seconds, char why[200])
{
	struct arguments arguments = {.timeout_ms = strstr(name, "Lock") ? 60000 : 0};
	void *symbol = dlsym(library, name);
	double begin = now();
	call *function;
	int result;

	if (!symbol) {
		snprintf(why, 200, "the driver has no %s", name);
		return 77;
	}
	memcpy(&function, &symbol, sizeof symbol);
	result = function(pid, &arguments);
	*seconds = now() - begin;
	if (result)
		snprintf(why, 200, "%s: CUDA driver error %d", name, result);
	return result ? 77 : 0;
}

int vendor_measure(int pid, struct vendor_times *times, char why[200])
{
	const struct cuda_driver *api;
	struct hetckpt_error error;
	void *library;
	int rc;

	if (cuda_driver_open(&api, &error)) {
		snprintf(why, 200, "%.190s", error.text);
		return 77;
	}
	library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return 77;
	rc = step(library, "cuCheckpointProcessLock", pid, &times->lock, why);
	if (!rc)
		rc = step(library, "cuCheckpointProcessCheckpoint", pid, &times->checkpoint, why);
	if (!rc)
		rc = step(library, "cuCheckpointProcessRestore", pid, &times->restore, why);
	if (!rc)
		rc = step(library, "cuCheckpointProcessUnlock", pid, &times->unlock, why);
	dlclose(library);
	return rc;
}
