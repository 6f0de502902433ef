/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Modules. All code of a module is on the device when module_load returns: the driver
 * loads eagerly (driver.c), and every variant of every kernel is looked up here, so
 * that no launch of a pause or a resume has to wait for code.
 */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/common/timeline.h"
#include "runtime/fatbin/fatbin.h"
#include "runtime/statemap/statemap.h"

#define LOG_BYTES 4096u
#define VARIANTS 3u

static const char *module_name(const struct hetckpt_map *map)
{
	return map->module ? map->module : "?";
}

/* The first line of the compiler's log that says anything. */
static const char *log_line(char *log)
{
	char *line = log + strspn(log, " \t\r\n");

	line[strcspn(line, "\r\n")] = 0;
	return line;
}

static int load_code(struct hetckpt_module *module, const struct cuda_code *code, struct hetckpt_error *error)
{
	struct hetckpt_device *device = module->device;
	char log[LOG_BYTES] = "";
	cu_jit_option options[] = {CU_JIT_ERROR_LOG, CU_JIT_ERROR_LOG_BYTES};
	void *values[] = {log, (void *)(uintptr_t)(sizeof log - 1)};
	cu_result result = device->api->module_load(&module->handle, code->data, 2, options, values);
	const char *line = log_line(log);

	if (result)
		module->handle = NULL;
	return cuda_check(device, result, error, "module %.100s: the driver does not take its %s_%u%s%.150s",
	                  module_name(module->map), code->kind == HETCKPT_FATBIN_ELF ? "machine code sm" : "PTX compute",
	                  code->arch, *line ? ": " : "", line);
}

/* "_Z1kPf" and RUN is "__hetckpt_run__Z1kPf". */
static char *symbol_name(const char *name, enum hetckpt_variant variant)
{
	static const char *const prefix[VARIANTS] = {"", HETCKPT_RUN_PREFIX, HETCKPT_RESUME_PREFIX};
	size_t front = strlen(prefix[variant]), length = strlen(name);
	char *symbol = malloc(front + length + 1);

	if (symbol) {
		memcpy(symbol, prefix[variant], front);
		memcpy(symbol + front, name, length + 1);
	}
	return symbol;
}

static int find_kernel(struct hetckpt_kernel *kernel, struct hetckpt_error *error)
{
	struct hetckpt_module *module = kernel->module;
	struct hetckpt_device *device = module->device;
	char *symbol = symbol_name(kernel->map->name, kernel->variant);
	cu_result result;
	int rc;

	if (!symbol)
		return hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory for kernels", device->index);
	result = device->api->module_function(&kernel->function, module->handle, symbol);
	if (!result && device->api->function_load)
		result = device->api->function_load(kernel->function);
	free(symbol);
	if (result == CU_NOT_FOUND) {
		kernel->function = NULL;
		return 0;
	}
	rc = cuda_check(device, result, error, "cannot load kernel %.200s", kernel->map->signature);
	return rc ? rc : cuda_kernel_init(kernel, error);
}

static int find_kernels(struct hetckpt_module *module, struct hetckpt_error *error)
{
	const struct hetckpt_map *map = module->map;
	int rc = 0;

	module->kernel = calloc(map->kernels ? (size_t)map->kernels * VARIANTS : 1, sizeof *module->kernel);
	if (!module->kernel)
		return hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory for kernels", module->device->index);
	for (size_t i = 0; i < (size_t)map->kernels * VARIANTS && !rc; i++) {
		struct hetckpt_kernel *kernel = &module->kernel[i];

		kernel->module = module;
		kernel->map = &map->kernel[i / VARIANTS];
		kernel->variant = (enum hetckpt_variant)(i % VARIANTS);
		if (kernel->variant == HETCKPT_VARIANT_ORIGINAL || kernel->map->pausable)
			rc = find_kernel(kernel, error);
	}
	if (rc || !module->plains)
		return rc;
	/* Originals work on the native variables, run variants on the block: see variables.c. */
	for (size_t i = 0; i < (size_t)map->kernels * VARIANTS; i += VARIANTS) {
		struct hetckpt_kernel *original = &module->kernel[i + HETCKPT_VARIANT_ORIGINAL];
		const struct hetckpt_kernel *run = &module->kernel[i + HETCKPT_VARIANT_RUN];

		if (!original->function)
			continue;
		if (run->function) {
			original->function = run->function;
			original->facts = run->facts;
			original->by_run = true;
		} else {
			original->own_variables = true;
		}
	}
	return 0;
}

int cuda_module_load(struct hetckpt_device *device, const struct hetckpt_module_source *source,
                     struct hetckpt_module **out, struct hetckpt_error *error)
{
	uint64_t begin = hetckpt_timeline_now();
	struct cuda_code code = {0};
	struct hetckpt_module *module;
	int rc = cuda_enter(device, error);

	if (rc)
		return rc;
	module = calloc(1, sizeof *module);
	if (!module) {
		rc = hetckpt_error_set(error, -ENOMEM, 0, "cuda:%u: out of host memory for a module", device->index);
		goto out;
	}
	module->device = device;
	module->map = source->map;
	module->variables = source->variables;
	module->variable_bytes = source->variable_bytes;
	module->next = device->modules;
	device->modules = module;
	rc = cuda_code_find(device, source, &code, error);
	hetckpt_timeline_step(begin, "code chosen: %s_%u, %" PRIu64 " KiB",
	                      code.kind == HETCKPT_FATBIN_PTX ? "compute" : "sm", code.arch, code.bytes >> 10);
	begin = hetckpt_timeline_now();
	if (!rc)
		rc = load_code(module, &code, error);
	hetckpt_timeline_step(begin, "code loaded");
	begin = hetckpt_timeline_now();
	if (!rc)
		rc = cuda_variables_init(module, error);
	if (!rc)
		rc = find_kernels(module, error);
	hetckpt_timeline_step(begin, "variables and %u kernels looked up", source->map->kernels);
	if (!rc && memmem(code.data, code.bytes, "vprintf", 7))
		atomic_store(&device->prints, true);
	free(code.data);
	if (rc)
		cuda_module_unload(device, module);
	else
		*out = module;
out:
	cuda_leave(device);
	return rc;
}

void cuda_module_unload(struct hetckpt_device *device, struct hetckpt_module *module)
{
	struct hetckpt_module **link = &device->modules;

	while (*link != module)
		link = &(*link)->next;
	*link = module->next;
	cuda_variables_destroy(module);
	if (module->handle && !cuda_enter(device, NULL)) {
		device->api->module_unload(module->handle);
		cuda_leave(device);
	}
	free(module->kernel);
	free(module);
}

int cuda_kernel_get(struct hetckpt_module *module, const char *name, enum hetckpt_variant variant,
                    struct hetckpt_kernel **kernel, struct hetckpt_kernel_facts *facts,
                    struct hetckpt_error *error)
{
	static const char *const variants[VARIANTS] = {"original", "run variant", "resume variant"};
	const struct hetckpt_map_kernel *map = hetckpt_map_kernel_find(module->map, name);
	struct hetckpt_kernel *found;
	int rc = cuda_failed(module->device, error);

	if (rc)
		return rc;
	if (map) {
		found = &module->kernel[(size_t)(map - module->map->kernel) * VARIANTS + variant];
		if (found->function) {
			*kernel = found;
			*facts = found->facts;
			return 0;
		}
	}
	return hetckpt_error_set(error, -ENOENT, 98 /* cudaErrorInvalidDeviceFunction */,
	                         "cuda:%u: module %.100s has no kernel %.200s (%s)", module->device->index,
	                         module_name(module->map), name, variants[variant]);
}
