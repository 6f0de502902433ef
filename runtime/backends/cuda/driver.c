/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/common/timeline.h"

#define LIBRARY "libcuda.so.1"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct cuda_driver driver;
static struct hetckpt_error failure; /* code 0: none */

/* "580.95.05"; the kernel module tells it without the management library. */
static void read_release(char *text, size_t size)
{
	FILE *f = fopen("/sys/module/nvidia/version", "re");

	text[0] = 0;
	if (!f)
		return;
	if (fgets(text, (int)size, f))
		text[strcspn(text, "\n")] = 0;
	fclose(f);
}

/* What the version means to a person who has to update something. */
static const char *release_text(void)
{
	static char text[48];

	if (*driver.release)
		snprintf(text, sizeof text, "NVIDIA driver %s", driver.release);
	else
		snprintf(text, sizeof text, "NVIDIA's driver");
	return text;
}

static void *look_up(void *library, const char *symbol, int required)
{
	void *address = dlsym(library, symbol);

	if (!address && required && !failure.code)
		hetckpt_error_set(&failure, -ENOTSUP, 35 /* cudaErrorInsufficientDriver */,
			"%s is too old: %s has no %s; CUDA %d.%d (driver 525) or newer is needed",
			release_text(), LIBRARY, symbol, CUDA_DRIVER_NEEDED / 1000,
			CUDA_DRIVER_NEEDED % 1000 / 10);
	return address;
}

/* Function pointers come out of dlsym as data pointers; POSIX says that this works. */
#define LOOK_UP(field, symbol, parameters) \
	do { \
		void *address = look_up(library, symbol, required); \
		memcpy(&driver.field, &address, sizeof address); \
	} while (0);

static void open_once(void)
{
	uint64_t begin = hetckpt_timeline_now();
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	cu_result result;
	int required;

	hetckpt_timeline_step(begin, "NVIDIA's library loaded");
	if (!library) {
		const char *why = dlerror();

		hetckpt_error_set(&failure, -ENODEV, 35, "no NVIDIA driver here: %s", why ? why : LIBRARY);
		return;
	}
	read_release(driver.release, sizeof driver.release);
	/* The version first: an old driver shall say that it is old, not what it lacks. */
	required = 1;
	LOOK_UP(version, "cuDriverGetVersion", )
	if (!failure.code && !driver.version(&driver.api) && driver.api < CUDA_DRIVER_NEEDED)
		hetckpt_error_set(&failure, -ENOTSUP, 35,
			"%s is too old: it knows CUDA %d.%d, %d.%d (driver 525) or newer is needed",
			release_text(), driver.api / 1000, driver.api % 1000 / 10,
			CUDA_DRIVER_NEEDED / 1000, CUDA_DRIVER_NEEDED % 1000 / 10);
	if (failure.code)
		return;
	CUDA_ENTRY_POINTS(LOOK_UP)
	required = 0;
	CUDA_OPTIONAL_ENTRY_POINTS(LOOK_UP)
	if (failure.code)
		return;
	/*
	 * Code that is loaded at its first use would be loaded at a first launch, which may
	 * be a resume in the middle of a pause, and waits for running kernels.
	 */
	setenv("CUDA_MODULE_LOADING", "EAGER", 1);
	begin = hetckpt_timeline_now();
	result = driver.init(0);
	hetckpt_timeline_step(begin, "cuInit");
	if (result) {
		struct cuda_result_facts facts = cuda_result_facts(result);

		if (result == CU_NO_DEVICE)
			hetckpt_error_set(&failure, -ENODEV, facts.cuda,
				"%s finds no GPU: %s (%d)", release_text(), cuda_result_name(&driver, result), result);
		else
			hetckpt_error_set(&failure, facts.code, facts.cuda, "%s does not start: cuInit: %s (%d)",
				release_text(), cuda_result_name(&driver, result), result);
	}
	/* The library stays, whatever happened: it has threads and handlers of its own. */
}

int cuda_driver_open(const struct cuda_driver **out, struct hetckpt_error *error)
{
	pthread_once(&once, open_once);
	if (failure.code) {
		if (error)
			*error = failure;
		return failure.code;
	}
	*out = &driver;
	return 0;
}
