/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Kernels: facts, occupancy, launches. */
#include "device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/statemap/statemap.h"

#define ALIGN8(n) (((n) + 7u) & ~7u)
/* Parameters of most kernels need no allocation. */
#define PARAMS_LOCAL 64u
#define WARP 32u

/* ---- Facts ------------------------------------------------------------------ */

/* The machine code must take the parameters of the state map: launches go by the map, the
   driver puts them where the code wants them. */
static int check_params(const struct hetckpt_kernel *kernel, struct hetckpt_error *error)
{
	const struct cuda_driver *api = kernel->module->device->api;
	const struct hetckpt_map_kernel *map = kernel->map;
	uint32_t expected = map->params + (kernel->variant != HETCKPT_VARIANT_ORIGINAL);

	if (!api->function_param)
		return 0;
	for (uint32_t i = 0; i <= expected; i++) {
		bool record = i == map->params;
		size_t offset = 0, bytes = 0;
		size_t want_bytes = record ? HETCKPT_LAUNCH_BYTES : i < map->params ? map->param[i].bytes : 0;
		cu_result result = api->function_param(kernel->function, i, &offset, &bytes);

		if (i == expected) {
			if (result)
				return 0; /* there is no further one, as should be */
			return hetckpt_error_set(error, -EINVAL, 200,
				"kernel %.200s has more parameters in its machine code than the %u of its state map",
				map->signature, expected);
		}
		if (result || bytes != want_bytes)
			return hetckpt_error_set(error, -EINVAL, 200,
				"kernel %.200s: parameter %u has %zu bytes in its machine code and %zu in its state map",
				map->signature, i, bytes, want_bytes);
	}
	return 0;
}

static cu_result attribute(const struct hetckpt_kernel *kernel, unsigned which, uint32_t *value)
{
	int number = 0;
	cu_result result = kernel->module->device->api->function_attribute(&number, which, kernel->function);

	*value = number > 0 ? (uint32_t)number : 0;
	return result;
}

int cuda_kernel_init(struct hetckpt_kernel *kernel, struct hetckpt_error *error)
{
	struct hetckpt_device *device = kernel->module->device;
	struct hetckpt_kernel_facts *facts = &kernel->facts;
	uint64_t limit = device->facts.shared_per_block_optin;
	cu_result result;
	int rc;

	kernel->param_bytes = kernel->variant == HETCKPT_VARIANT_ORIGINAL
		? kernel->map->param_bytes : ALIGN8(kernel->map->param_bytes) + HETCKPT_LAUNCH_BYTES;
	result = attribute(kernel, CU_FUNC_REGISTERS, &facts->registers);
	if (!result)
		result = attribute(kernel, CU_FUNC_SHARED, &facts->static_shared);
	if (!result)
		result = attribute(kernel, CU_FUNC_LOCAL, &facts->local_bytes);
	if (!result)
		result = attribute(kernel, CU_FUNC_CONST, &facts->const_bytes);
	if (!result)
		result = attribute(kernel, CU_FUNC_MAX_THREADS, &facts->max_threads);
	if (!result && limit > facts->static_shared) {
		/* More than 48 KiB must be asked for, once; it costs nothing where it is not used. */
		facts->max_dynamic_shared = (uint32_t)limit - facts->static_shared;
		result = device->api->function_set(kernel->function, CU_FUNC_MAX_DYNAMIC, (int)facts->max_dynamic_shared);
		if (result == CU_INVALID_VALUE) {
			/* What every kernel may use unasked. */
			limit = device->facts.shared_per_block;
			facts->max_dynamic_shared = limit > facts->static_shared ? (uint32_t)limit - facts->static_shared : 0;
			result = CU_OK;
		}
	}
	rc = cuda_check(device, result, error, "cannot set up kernel %.200s", kernel->map->signature);
	return rc ? rc : check_params(kernel, error);
}

/*
 * Blocks of a multiprocessor that can have begun and not ended. A warp's registers and its place
 * go to another block's warp as soon as it ends, whatever the others of its block do: seen on
 * an H200 with blocks of eight warps of which one ran on, where blocks began in the places of
 * warps of several others. What stays until the whole block has ended is its number and its
 * shared memory. A block of one warp ends with it.
 */
static uint32_t unfinished_per_sm(const struct hetckpt_kernel *kernel, uint32_t per_sm, uint32_t threads,
                                  uint32_t dynamic_shared)
{
	const struct hetckpt_device_facts *facts = &kernel->module->device->facts;
	uint64_t shared = (uint64_t)kernel->facts.static_shared + dynamic_shared;
	uint64_t most = facts->max_blocks_per_sm;

	if (threads <= WARP)
		return per_sm;
	if (shared && facts->shared_per_sm / shared < most)
		most = facts->shared_per_sm / shared;
	return most > per_sm ? (uint32_t)most : per_sm;
}

int cuda_occupancy(struct hetckpt_kernel *kernel, uint32_t threads, uint32_t dynamic_shared,
                   struct hetckpt_occupancy *occupancy, struct hetckpt_error *error)
{
	struct hetckpt_device *device = kernel->module->device;
	int blocks = 0, rc;

	memset(occupancy, 0, sizeof *occupancy);
	rc = cuda_enter(device, error);
	if (rc)
		return rc;
	/* The driver takes what it cannot run for an error; here it is an answer. */
	if (threads && threads <= kernel->facts.max_threads && dynamic_shared <= kernel->facts.max_dynamic_shared)
		rc = cuda_check(device, device->api->function_blocks(&blocks, kernel->function, (int)threads, dynamic_shared),
		                error, "cannot compute the occupancy of %.200s", kernel->map->signature);
	if (!rc && blocks > 0) {
		occupancy->per_sm = (uint32_t)blocks;
		occupancy->resident = (uint32_t)blocks * device->facts.sm_count;
		occupancy->unfinished =
			unfinished_per_sm(kernel, (uint32_t)blocks, threads, dynamic_shared) * device->facts.sm_count;
	}
	cuda_leave(device);
	return rc;
}

/* ---- Launches ------------------------------------------------------------------ */

static int check_launch(const struct hetckpt_kernel *kernel, const struct hetckpt_launch_command *launch,
                        struct hetckpt_error *error)
{
	const struct hetckpt_kernel_facts *facts = &kernel->facts;
	uint64_t threads = (uint64_t)launch->block[0] * launch->block[1] * launch->block[2];

	if (launch->param_bytes < kernel->param_bytes)
		return hetckpt_error_set(error, -EINVAL, 1, "kernel %.200s: %u bytes of parameters instead of %u",
		                         kernel->map->signature, launch->param_bytes, kernel->param_bytes);
	if (!threads || threads > facts->max_threads || !launch->grid[0] || !launch->grid[1] || !launch->grid[2])
		return hetckpt_error_set(error, -EINVAL, 9 /* cudaErrorInvalidConfiguration */,
			"kernel %.200s: %u x %u x %u blocks of %u x %u x %u threads (at most %u)", kernel->map->signature,
			launch->grid[0], launch->grid[1], launch->grid[2], launch->block[0], launch->block[1],
			launch->block[2], facts->max_threads);
	if (launch->dynamic_shared > facts->max_dynamic_shared)
		return hetckpt_error_set(error, -EINVAL, 1, "kernel %.200s: %u bytes of dynamic shared memory (at most %u)",
		                         kernel->map->signature, launch->dynamic_shared, facts->max_dynamic_shared);
	return 0;
}

/* The record of an original that runs as its run variant: the whole grid, no flag. */
static struct hetckpt_launch plain_record(const struct hetckpt_kernel *kernel,
                                          const struct hetckpt_launch_command *launch)
{
	return (struct hetckpt_launch){
		.flags = kernel->module->device->no_flags,
		.grid = {launch->grid[0], launch->grid[1], launch->grid[2]},
		.dynamic_shared = launch->dynamic_shared,
		.variables = kernel->module->variables,
	};
}

static cu_result start(struct hetckpt_queue *queue, const struct hetckpt_launch_command *launch, void **params)
{
	const struct cuda_driver *api = queue->device->api;
	const uint32_t *grid = launch->grid, *block = launch->block;
	cu_function function = launch->kernel->function;

	if (launch->flags & HETCKPT_LAUNCH_FLAG_COOPERATIVE)
		return api->launch_cooperative(function, grid[0], grid[1], grid[2], block[0], block[1], block[2],
		                               launch->dynamic_shared, queue->stream, params);
	return api->launch(function, grid[0], grid[1], grid[2], block[0], block[1], block[2],
	                   launch->dynamic_shared, queue->stream, params, NULL);
}

int cuda_launch(struct hetckpt_queue *queue, const struct hetckpt_launch_command *launch,
                struct hetckpt_error *error)
{
	struct hetckpt_device *device = queue->device;
	const struct hetckpt_kernel *kernel = launch->kernel;
	const struct hetckpt_map_kernel *map = kernel->map;
	struct hetckpt_launch record;
	void *local[PARAMS_LOCAL], **params = local;
	char *bytes = (char *)(uintptr_t)launch->params; /* the driver only reads it */
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	rc = check_launch(kernel, launch, error);
	if (rc)
		goto out;
	if (map->params + 1 > PARAMS_LOCAL) {
		params = malloc((map->params + 1) * sizeof *params);
		if (!params) {
			rc = hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory for parameters", device->index);
			goto out;
		}
	}
	for (uint32_t i = 0; i < map->params; i++)
		params[i] = bytes + map->param[i].offset;
	if (kernel->by_run) {
		record = plain_record(kernel, launch);
		params[map->params] = &record;
	} else {
		params[map->params] = bytes + ALIGN8(map->param_bytes); /* ignored by originals */
	}
	rc = cuda_variables_before(queue, kernel, error);
	if (!rc)
		rc = cuda_check(device, start(queue, launch, params), error, "cannot launch %.200s", map->signature);
	if (!rc)
		rc = cuda_variables_after(queue, kernel, error);
out:
	if (params != local)
		free(params);
	cuda_leave(device);
	return rc;
}
