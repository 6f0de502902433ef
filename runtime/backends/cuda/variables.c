/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A module's variables live in its block in the arena. Machine code also has native
 * storage for them, which it uses in these cases:
 *
 * 1. __constant__ variables, in all variants: constant memory is a space of its own. They
 *    are mirrored: before a launch, device-to-device copies in its queue bring native
 *    storage up to date if the block may have changed since.
 *
 *    Changes are copies and fills that touch the block; what kernels write there is not
 *    seen (CUDA does not let them write constants). Two queues may launch while a change
 *    is on its way in a third, so it matters who must see it: the queue of the change
 *    itself, queues that were told to wait for a marker recorded after it, and, once it
 *    has ended, everybody. A launch that need not see a change that is under way does
 *    not mirror it. A mirror is valid for its own queue at once and for others when it
 *    has ended; until then they make their own. Making one too many is harmless: it
 *    writes what is there already.
 *
 * 2. __device__ variables, in originals; run and resume variants find the block through
 *    their launch record. An original that works on native storage beside a variant that
 *    works on the block would lose updates, so where a kernel has a run variant that is
 *    what its original is launched as, with a flag that nobody raises (kernel.c).
 *
 * 3. What remains are kernels that cannot pause, in modules with __device__ variables.
 *    The variables are copied to native storage before such a launch and back after it.
 *    Such launches of a module follow each other, also in different queues. A kernel of
 *    the module that changes __device__ variables while one of these runs may lose
 *    its changes: a limit that docs tell.
 */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "runtime/statemap/statemap.h"

/* ---- Finding them -------------------------------------------------------------- */

static int find_variable(struct hetckpt_module *module, const struct hetckpt_map_variable *variable,
                         struct cuda_variable *out, unsigned *count, struct hetckpt_error *error)
{
	struct hetckpt_device *device = module->device;
	cu_address native = 0;
	size_t bytes = 0;
	cu_result result = device->api->module_global(&native, &bytes, module->handle, variable->name);

	/* One that no machine code uses is not there. */
	if (result == CU_NOT_FOUND)
		return 0;
	if (result)
		return cuda_check(device, result, error, "cannot find the variable %.200s", variable->name);
	if (bytes != variable->bytes)
		return hetckpt_error_set(error, -EINVAL, 200,
			"cuda:%u: the variable %.200s has %zu bytes in the machine code and %" PRIu64 " in the state map",
			device->index, variable->name, bytes, variable->bytes);
	out[(*count)++] = (struct cuda_variable){native, variable->offset, variable->bytes};
	return 0;
}

int cuda_variables_init(struct hetckpt_module *module, struct hetckpt_error *error)
{
	const struct hetckpt_map *map = module->map;
	int rc = 0;

	if (!map->variables || !module->variables)
		return 0;
	module->constant = calloc(map->variables, sizeof *module->constant);
	module->plain = calloc(map->variables, sizeof *module->plain);
	if (!module->constant || !module->plain)
		return hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory for variables",
		                         module->device->index);
	for (uint32_t i = 0; i < map->variables && !rc; i++) {
		const struct hetckpt_map_variable *variable = &map->variable[i];

		if (!variable->bytes)
			continue;
		rc = variable->constant
			? find_variable(module, variable, module->constant, &module->constants, error)
			: find_variable(module, variable, module->plain, &module->plains, error);
	}
	/* Native storage has what the compiler knew; addresses in it are not the arena's. */
	module->unsettled = module->stale = module->constants != 0;
	return rc;
}

static void put(struct hetckpt_marker **marker)
{
	if (*marker)
		cuda_marker_release(*marker);
	*marker = NULL;
}

void cuda_variables_destroy(struct hetckpt_module *module)
{
	for (size_t i = 0; i < module->changes; i++)
		put(&module->change[i].marker);
	put(&module->mirrored);
	put(&module->exclusive);
	free(module->change);
	free(module->constant);
	free(module->plain);
}

/* ---- Changes ---------------------------------------------------------------------- */

static int note_change(struct hetckpt_queue *queue, struct hetckpt_module *module, struct hetckpt_error *error)
{
	struct hetckpt_marker *marker;
	size_t i = 0;
	int rc;

	/* Of one queue the last change stands for those before it. */
	while (i < module->changes && module->change[i].queue != queue)
		i++;
	if (i == module->change_room) {
		size_t room = module->change_room ? 2 * module->change_room : 4;
		void *grown = realloc(module->change, room * sizeof *module->change);

		if (!grown)
			return hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory", queue->device->index);
		module->change = grown;
		module->change_room = room;
	}
	rc = cuda_record(queue, &marker, error);
	if (rc)
		return rc;
	if (i == module->changes)
		module->changes++;
	else
		put(&module->change[i].marker);
	module->change[i] = (struct cuda_change){queue, marker};
	module->unsettled = true;
	return 0;
}

int cuda_variables_changed(struct hetckpt_queue *queue, uint64_t address, uint64_t bytes,
                           struct hetckpt_error *error)
{
	int rc = 0;

	for (struct hetckpt_module *m = queue->device->modules; m && !rc; m = m->next)
		if (m->constants && address < m->variables + m->variable_bytes && m->variables < address + bytes)
			rc = note_change(queue, m, error);
	return rc;
}

/* ---- Mirroring ------------------------------------------------------------------------ */

static int copy_variables(struct hetckpt_queue *queue, const struct hetckpt_module *module,
                          const struct cuda_variable *variable, unsigned count, bool to_native,
                          struct hetckpt_error *error)
{
	struct hetckpt_device *device = queue->device;
	int rc = 0;

	for (unsigned i = 0; i < count && !rc; i++) {
		cu_address block = module->variables + variable[i].offset, native = variable[i].native;

		rc = cuda_check(device,
			device->api->copy_device(to_native ? native : block, to_native ? block : native, variable[i].bytes,
			                         queue->stream),
			error, "cannot copy variables of a module");
	}
	return rc;
}

/* Takes off changes that have ended. True if queue must see one that has not. */
static bool settle(const struct hetckpt_queue *queue, struct hetckpt_module *module)
{
	bool needed = false;

	for (size_t i = 0; i < module->changes;) {
		struct cuda_change *change = &module->change[i];

		if (cuda_marker_reached(change->marker)) {
			module->stale = true;
			put(&change->marker);
			*change = module->change[--module->changes];
			continue;
		}
		needed |= change->queue == queue || queue->waited >= change->marker->sequence;
		i++;
	}
	return needed;
}

static int mirror(struct hetckpt_queue *queue, struct hetckpt_module *module, struct hetckpt_error *error)
{
	bool needed = settle(queue, module);
	int rc = 0;

	if (module->mirrored && (module->stale || cuda_marker_reached(module->mirrored)))
		put(&module->mirrored);
	if (needed || module->stale || (module->mirrored && module->mirrored_in != queue))
		rc = copy_variables(queue, module, module->constant, module->constants, true, error);
	if (!rc && module->stale) {
		rc = cuda_record(queue, &module->mirrored, error);
		module->mirrored_in = queue;
		if (!rc)
			module->stale = false;
	}
	module->unsettled = module->changes || module->stale || module->mirrored;
	return rc;
}

int cuda_variables_before(struct hetckpt_queue *queue, const struct hetckpt_kernel *kernel,
                          struct hetckpt_error *error)
{
	struct hetckpt_module *module = kernel->module;
	struct hetckpt_device *device = queue->device;
	int rc = module->unsettled ? mirror(queue, module, error) : 0;

	if (rc || !kernel->own_variables)
		return rc;
	if (module->exclusive && !cuda_marker_reached(module->exclusive))
		rc = cuda_check(device, device->api->stream_wait(queue->stream, module->exclusive->event, 0), error,
		                "cannot make a stream wait");
	return rc ? rc : copy_variables(queue, module, module->plain, module->plains, true, error);
}

int cuda_variables_after(struct hetckpt_queue *queue, const struct hetckpt_kernel *kernel,
                         struct hetckpt_error *error)
{
	struct hetckpt_module *module = kernel->module;
	int rc;

	if (!kernel->own_variables)
		return 0;
	rc = copy_variables(queue, module, module->plain, module->plains, false, error);
	if (rc)
		return rc;
	put(&module->exclusive);
	return cuda_record(queue, &module->exclusive, error);
}
