/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * fake_cudart.c - the few calls of the CUDA runtime that test programs make. Each says
 * on standard output what it was given; nothing is run.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/fatbin/fatbin.h"

struct dim { unsigned x, y, z; };

void **__cudaRegisterFatBinary(void *wrapper);
void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaUnregisterFatBinary(void **handle);
void __cudaRegisterFunction(void **handle, const void *stub, char *name, const char *device_name,
                            int limit, void *a, void *b, void *c, void *d, int *e);
void __cudaRegisterVar(void **handle, char *stub, char *name, const char *device_name, int external,
                       size_t bytes, int constant, int global);
unsigned __cudaPushCallConfiguration(struct dim grid, struct dim block, size_t shared, void *stream);
int __cudaPopCallConfiguration(struct dim *grid, struct dim *block, size_t *shared, void *stream);
int cudaLaunchKernel(const void *stub, struct dim grid, struct dim block, void **arguments,
                     size_t shared, void *stream);
int cudaMemcpyToSymbol(const void *symbol, const void *from, size_t bytes, size_t offset, int kind);
int cudaDeviceSynchronize(void);

static struct { const void *stub; const char *name; } known[64];
static unsigned count;
static struct dim pushed_grid, pushed_block;
static size_t pushed_shared;
static void *pushed_stream;

static const char *name_of(const void *stub)
{
	for (unsigned i = 0; i < count; i++)
		if (known[i].stub == stub)
			return known[i].name;
	return "unknown";
}

static void know(const void *stub, const char *name)
{
	if (count < 64) {
		known[count].stub = stub;
		known[count++].name = name;
	}
}

void **__cudaRegisterFatBinary(void *wrapper)
{
	static void *handle;
	struct hetckpt_fatbin_entry entry;
	const void *container;
	uint64_t bytes, offset = 0;
	unsigned entries = 0;

	if (hetckpt_fatbin_unwrap(wrapper, &container, &bytes)) {
		puts("fatbin bad");
		exit(1);
	}
	while (!hetckpt_fatbin_next(container, bytes, &offset, &entry, NULL, 0))
		entries++;
	printf("fatbin %u\n", entries);
	return &handle;
}

void __cudaRegisterFatBinaryEnd(void **handle) { puts(*handle ? "end bad" : "end"); }
void __cudaUnregisterFatBinary(void **handle) { puts(*handle ? "unregister bad" : "unregister"); }

void __cudaRegisterFunction(void **handle, const void *stub, char *name, const char *device_name,
                            int limit, void *a, void *b, void *c, void *d, int *e)
{
	printf("function %s\n", device_name);
	know(stub, device_name);
}

void __cudaRegisterVar(void **handle, char *stub, char *name, const char *device_name, int external,
                       size_t bytes, int constant, int global)
{
	printf("variable %s %zu%s\n", device_name, bytes, constant ? " constant" : "");
	know(stub, device_name);
}

unsigned __cudaPushCallConfiguration(struct dim grid, struct dim block, size_t shared, void *stream)
{
	pushed_grid = grid;
	pushed_block = block;
	pushed_shared = shared;
	pushed_stream = stream;
	return 0;
}

int __cudaPopCallConfiguration(struct dim *grid, struct dim *block, size_t *shared, void *stream)
{
	*grid = pushed_grid;
	*block = pushed_block;
	*shared = pushed_shared;
	memcpy(stream, &pushed_stream, sizeof pushed_stream);
	return 0;
}

int cudaLaunchKernel(const void *stub, struct dim grid, struct dim block, void **arguments,
                     size_t shared, void *stream)
{
	printf("launch %s %ux%ux%u %ux%ux%u %zu %d\n", name_of(stub), grid.x, grid.y, grid.z, block.x,
	       block.y, block.z, shared, *(int *)arguments[0]);
	return 0;
}

int cudaMemcpyToSymbol(const void *symbol, const void *from, size_t bytes, size_t offset, int kind)
{
	printf("symbol %s %zu %zu %d\n", name_of(symbol), bytes, offset, kind);
	return 0;
}

int cudaDeviceSynchronize(void) { return 0; }
