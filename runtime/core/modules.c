/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "modules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "device_heap.h"
#include "include/hetckpt/abi.h"
#include "runtime/common/timeline.h"
#include "runtime/fatbin/fatbin.h"
#include "runtime/statemap/image.h"

enum {
	CUDA_INVALID_IMAGE = 200,
	CUDA_NO_IMAGE = 209,
	CUDA_INVALID_FUNCTION = 98,
};

void hetckpt_modules_init(struct hetckpt_modules *modules, struct hetckpt_dev *dev,
                          struct hetckpt_heap *memory)
{
	memset(modules, 0, sizeof *modules);
	modules->dev = dev;
	modules->memory = memory;
	modules->next_handle = 1;
}

void hetckpt_modules_clear(struct hetckpt_modules *modules)
{
	while (modules->list) {
		struct hetckpt_code *code = modules->list;

		hetckpt_code_unload(modules, code);
		modules->list = code->next;
		free(code->fatbin);
		free(code);
	}
}

struct hetckpt_code *hetckpt_modules_find(const struct hetckpt_modules *modules, uint64_t number)
{
	for (struct hetckpt_code *code = modules->list; code; code = code->next)
		if (code->number == number)
			return code;
	return NULL;
}

int hetckpt_modules_add(struct hetckpt_modules *modules, uint64_t number, void *fatbin,
                        size_t bytes, struct hetckpt_error *error)
{
	struct hetckpt_code *code = hetckpt_modules_find(modules, number);
	int same;

	if (code) {
		same = code->fatbin_bytes == bytes && !memcmp(code->fatbin, fatbin, bytes);
		free(fatbin);
		return same ? 0 : hetckpt_error_set(error, -EEXIST, CUDA_INVALID_IMAGE,
			"module %" PRIu64 " was handed over before with other contents", number);
	}
	code = calloc(1, sizeof *code);
	if (!code) {
		free(fatbin);
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory for module %" PRIu64, number);
	}
	code->number = number;
	code->fatbin = fatbin;
	code->fatbin_bytes = bytes;
	code->next = modules->list;
	modules->list = code;
	return 0;
}

/* Takes the portable image out of the fat binary. A bare image is accepted as well. */
static int open_image(struct hetckpt_code *code, struct hetckpt_error *error)
{
	char text[HETCKPT_STATEMAP_ERROR + HETCKPT_FATBIN_ERROR] = "";
	struct hetckpt_fatbin_image found = {0};
	int rc;

	if (code->fatbin_bytes >= 8 && !memcmp(code->fatbin, HETCKPT_IMAGE_MAGIC, 8)) {
		found.bytes = code->fatbin_bytes;
		found.data = malloc(code->fatbin_bytes);
		if (!found.data)
			return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
		memcpy(found.data, code->fatbin, code->fatbin_bytes);
	} else {
		rc = hetckpt_fatbin_image_find(code->fatbin, code->fatbin_bytes, &found, text, sizeof text);
		if (rc == -ENOENT)
			return hetckpt_error_set(error, rc, CUDA_NO_IMAGE,
				"module %" PRIu64 " carries no portable image: compile it with hetcc or with "
				"the hetckpt pass", code->number);
		if (rc)
			return hetckpt_error_set(error, rc, CUDA_INVALID_IMAGE, "module %" PRIu64 ": %s",
			                         code->number, text);
	}
	code->image = found.data;
	code->image_bytes = found.bytes;
	code->arch = found.arch;
	rc = hetckpt_image_open(code->image, code->image_bytes, &code->opened, text, sizeof text);
	if (!rc)
		rc = hetckpt_map_parse_image(code->opened, &code->map, text, sizeof text);
	if (rc)
		return hetckpt_error_set(error, rc, CUDA_INVALID_IMAGE, "module %" PRIu64 ": %s", code->number,
		                         text);
	return 0;
}

/* The block of variables as it is before any kernel ran. */
static int write_variables(struct hetckpt_modules *modules, struct hetckpt_code *code,
                           struct hetckpt_error *error)
{
	const struct hetckpt_map *map = code->map;
	unsigned char *block = calloc(1, map->variable_bytes);
	int rc;

	if (!block)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory for %" PRIu64
		                         " bytes of variables", map->variable_bytes);
	if (code->opened->data)
		memcpy(block, code->opened->data, code->opened->data_bytes);
	for (uint32_t i = 0; i < map->relocations; i++) {
		const struct hetckpt_map_relocation *r = &map->relocation[i];
		uint64_t value = code->variables + map->variable[r->target].offset + (uint64_t)r->addend;

		memcpy(block + r->offset, &value, sizeof value);
	}
	if (code->uses_heap) {
		uint64_t heap = modules->memory->base + HETCKPT_HEAP_OFFSET;

		memcpy(block + hetckpt_device_heap_variable(map)->offset, &heap, sizeof heap);
	}
	rc = hetckpt_dev_write(modules->dev, code->variables, block, map->variable_bytes, error);
	free(block);
	return rc;
}

int hetckpt_code_load(struct hetckpt_modules *modules, struct hetckpt_code *code, uint64_t at,
                      struct hetckpt_error *error)
{
	uint64_t begin = hetckpt_timeline_now();
	int rc;

	if (code->module)
		return 0;
	rc = open_image(code, error);
	hetckpt_timeline_step(begin, "module %" PRIu64 ": portable image and state map read", code->number);
	if (rc)
		goto fail;
	begin = hetckpt_timeline_now();
	code->uses_heap = hetckpt_device_heap_variable(code->map);
	if (code->map->variable_bytes) {
		if (at) {
			code->variables = at;
		} else {
			rc = hetckpt_heap_alloc(modules->memory, code->map->variable_bytes, HETCKPT_ARENA_ALIGN,
			                          HETCKPT_TAG_MODULE(code->number), &code->variables, error);
			if (!rc)
				rc = write_variables(modules, code, error);
		}
		if (rc)
			goto fail;
		hetckpt_timeline_step(begin, "module %" PRIu64 ": variables written", code->number);
	}
	code->source = (struct hetckpt_module_source){
		.fatbin = code->fatbin, .fatbin_bytes = code->fatbin_bytes,
		.image = code->image, .image_bytes = code->image_bytes, .map = code->map,
		.variables = code->variables, .variable_bytes = code->map->variable_bytes,
	};
	begin = hetckpt_timeline_now();
	rc = modules->dev->ops->module_load(modules->dev->handle, &code->source, &code->module, error);
	hetckpt_timeline_step(begin, "module %" PRIu64 ": loaded by the back end", code->number);
	if (rc)
		code->module = NULL;
fail:
	if (rc)
		hetckpt_code_unload(modules, code);
	return rc;
}

void hetckpt_code_unload(struct hetckpt_modules *modules, struct hetckpt_code *code)
{
	while (code->functions) {
		struct hetckpt_function *function = code->functions;

		code->functions = function->next;
		free(function);
	}
	if (code->module)
		modules->dev->ops->module_unload(modules->dev->handle, code->module);
	code->module = NULL;
	/* Not there if a failed load was given an address. */
	if (code->variables)
		hetckpt_heap_free(modules->memory, code->variables, NULL);
	code->variables = 0;
	hetckpt_map_free(code->map);
	code->map = NULL;
	hetckpt_image_close(code->opened);
	code->opened = NULL;
	free(code->image);
	code->image = NULL;
	memset(&code->source, 0, sizeof code->source);
}

int hetckpt_function_variant(struct hetckpt_modules *modules, struct hetckpt_function *function,
                             enum hetckpt_variant variant, struct hetckpt_error *error)
{
	if (function->kernel[variant])
		return 0;
	return modules->dev->ops->kernel_get(function->code->module, function->map->name, variant,
	                                     &function->kernel[variant], &function->facts[variant],
	                                     error);
}

static int function_make(struct hetckpt_modules *modules, struct hetckpt_code *code,
                         const struct hetckpt_map_kernel *map, uint64_t handle,
                         struct hetckpt_function **out, struct hetckpt_error *error)
{
	struct hetckpt_function *function = calloc(1, sizeof *function);
	uint32_t dynamic;
	int rc;

	if (!function)
		return hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
	function->code = code;
	function->map = map;
	function->handle = handle;
	rc = hetckpt_function_variant(modules, function, HETCKPT_VARIANT_ORIGINAL, error);
	if (rc) {
		if (error)
			error->cuda = CUDA_INVALID_FUNCTION;
		free(function);
		return rc;
	}
	/* CUDA's default: 48 KiB with the static part, more only when asked for. */
	dynamic = map->static_shared < 49152 ? 49152 - map->static_shared : 0;
	function->max_dynamic_shared = dynamic < function->facts[0].max_dynamic_shared
		? dynamic : function->facts[0].max_dynamic_shared;
	function->next = code->functions;
	code->functions = function;
	*out = function;
	return 0;
}

static const struct hetckpt_map_kernel *kernel_named(const struct hetckpt_code *code,
                                                     const char *name, size_t length)
{
	for (uint32_t i = 0; code->map && i < code->map->kernels; i++)
		if (strlen(code->map->kernel[i].name) == length &&
		    !memcmp(code->map->kernel[i].name, name, length))
			return &code->map->kernel[i];
	return NULL;
}

int hetckpt_function_get(struct hetckpt_modules *modules, struct hetckpt_code *code,
                         const char *name, size_t length, struct hetckpt_function **function,
                         struct hetckpt_error *error)
{
	const struct hetckpt_map_kernel *map = kernel_named(code, name, length);
	int rc;

	if (!map)
		return hetckpt_error_set(error, -ENOENT, CUDA_INVALID_FUNCTION,
		                         "module %" PRIu64 " has no kernel %.*s", code->number,
		                         (int)(length < 300 ? length : 300), name);
	for (struct hetckpt_function *f = code->functions; f; f = f->next)
		if (f->map == map) {
			*function = f;
			return 0;
		}
	rc = function_make(modules, code, map, modules->next_handle, function, error);
	if (!rc)
		modules->next_handle++;
	return rc;
}

int hetckpt_function_claim(struct hetckpt_modules *modules, struct hetckpt_code *code,
                           const char *name, uint64_t handle, struct hetckpt_function **function,
                           struct hetckpt_error *error)
{
	const struct hetckpt_map_kernel *map = kernel_named(code, name, strlen(name));
	int rc;

	if (!map)
		return hetckpt_error_set(error, -ENOENT, CUDA_INVALID_FUNCTION,
		                         "module %" PRIu64 " has no kernel %.300s", code->number, name);
	if (hetckpt_function_find(modules, handle))
		return hetckpt_error_set(error, -EEXIST, 0, "two functions have the handle %" PRIu64, handle);
	rc = function_make(modules, code, map, handle, function, error);
	if (!rc && modules->next_handle <= handle)
		modules->next_handle = handle + 1;
	return rc;
}

struct hetckpt_function *hetckpt_function_find(const struct hetckpt_modules *modules,
                                               uint64_t handle)
{
	for (struct hetckpt_code *code = modules->list; code; code = code->next)
		for (struct hetckpt_function *f = code->functions; f; f = f->next)
			if (f->handle == handle)
				return f;
	return NULL;
}
