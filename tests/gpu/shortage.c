/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Preloaded into a worker, lets the GPU run out of memory in the middle of what it does: if
 * HETCKPT_TEST_SHORTAGE names a file when the process starts, and the file holds a number, that
 * many pieces of memory can be made and no more. Processes that have started before have all
 * there is, so the target of a move can be starved and not its source.
 *
 * The back end asks dlsym for the driver's entry points; so dlsym is what stands here.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT_OF_MEMORY 2 /* CUDA_ERROR_OUT_OF_MEMORY */

typedef int memory_create(unsigned long long *handle, size_t bytes, const void *properties, unsigned long long flags);

static memory_create *create;
static atomic_long left = -1; /* < 0: no limit */

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("HETCKPT_TEST_SHORTAGE");
	FILE *file = path ? fopen(path, "re") : NULL;
	long limit;

	if (!file)
		return;
	if (fscanf(file, "%ld", &limit) == 1 && limit >= 0)
		atomic_store(&left, limit);
	fclose(file);
}

static int create_some(unsigned long long *handle, size_t bytes, const void *properties, unsigned long long flags)
{
	long now = atomic_load(&left);

	while (now > 0 && !atomic_compare_exchange_weak(&left, &now, now - 1))
		;
	return now ? create(handle, bytes, properties, flags) : OUT_OF_MEMORY;
}

__attribute__((visibility("default"))) void *dlsym(void *handle, const char *name);

void *dlsym(void *handle, const char *name)
{
	static void *(*real)(void *, const char *);
	memory_create *replaced = create_some;
	void *found;

	if (!real) {
		/* The name of the version that x86-64 began with; it is there in every C library. */
		void *symbol = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");

		memcpy(&real, &symbol, sizeof symbol);
	}
	found = real(handle, name);
	if (!found || strcmp(name, "cuMemCreate"))
		return found;
	memcpy(&create, &found, sizeof found);
	memcpy(&found, &replaced, sizeof found);
	return found;
}
