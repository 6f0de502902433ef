/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Modules and kernels. */
#include "cpu.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/statemap/statemap.h"

#define ALIGN(n, a) (((n) + (a) - 1) / (a) * (a))

/* Function name to original and variant. */
static const char *split_name(const char *name, enum hetckpt_variant *variant)
{
	size_t run = strlen(HETCKPT_RUN_PREFIX), resume = strlen(HETCKPT_RESUME_PREFIX);

	if (!strncmp(name, HETCKPT_RUN_PREFIX, run)) {
		*variant = HETCKPT_VARIANT_RUN;
		return name + run;
	}
	if (!strncmp(name, HETCKPT_RESUME_PREFIX, resume)) {
		*variant = HETCKPT_VARIANT_RESUME;
		return name + resume;
	}
	*variant = HETCKPT_VARIANT_ORIGINAL;
	return name;
}

static bool spins(const struct hetckpt_cpu_function *f)
{
	for (uint32_t i = 0; i < f->sites; i++)
		if (f->site[i].op == HETCKPT_CPU_YIELD)
			return true;
	return false;
}

static void kernel_fill(struct hetckpt_module *module, struct hetckpt_kernel *k,
                        const struct hetckpt_cpu_function *f, const struct hetckpt_map *map)
{
	const struct hetckpt_map_kernel *m;

	k->module = module;
	k->function = f;
	k->name = split_name(f->name, &k->variant);
	k->spins = spins(f);
	k->max_threads = CPU_MAX_THREADS;
	k->signature = k->name;
	m = map ? hetckpt_map_kernel_find(map, k->name) : NULL;
	if (!m)
		return;
	k->spins = k->spins || m->waits;
	if (m->signature)
		k->signature = m->signature;
	if (m->max_threads && m->max_threads < k->max_threads)
		k->max_threads = m->max_threads;
	if (k->variant != HETCKPT_VARIANT_ORIGINAL)
		k->record_offset = (uint32_t)ALIGN((uint64_t)m->param_bytes, 8);
}

/* What came out of a file must be what this program was compiled for. */
static int check(const struct hetckpt_cpu_module *code, const struct hetckpt_map *map,
                 struct hetckpt_error *error)
{
	if (code->abi != HETCKPT_ABI_VERSION)
		return hetckpt_error_set(error, -ENOTSUP, 0, "translated code has ABI %u, this program knows %u",
		                         code->abi, HETCKPT_ABI_VERSION);
	for (uint32_t i = 0; i < code->functions; i++) {
		const struct hetckpt_cpu_function *f = &code->function[i];
		enum hetckpt_variant variant;
		const char *name = split_name(f->name, &variant);
		const struct hetckpt_map_kernel *m = map ? hetckpt_map_kernel_find(map, name) : NULL;

		if (map && !m)
			return hetckpt_error_set(error, -EINVAL, 0,
			                         "translated code has kernel %.200s, the state map has not", name);
		if (m && m->static_shared != f->static_shared)
			return hetckpt_error_set(error, -EINVAL, 0,
			                         "kernel %.200s has %u bytes of shared memory in the translated code, %u in the state map",
			                         name, f->static_shared, m->static_shared);
	}
	return 0;
}

int cpu_module_load(struct hetckpt_device *device, const struct hetckpt_module_source *source,
                    struct hetckpt_module **out, struct hetckpt_error *error)
{
	struct hetckpt_module *module;
	int rc = cpu_device_check(device, error);

	if (rc)
		return rc;
	module = calloc(1, sizeof *module);
	if (!module)
		return hetckpt_error_set(error, -ENOMEM, 0, "no memory for a module");
	module->device = device;
	module->variables = source->variables;
	rc = cpu_code_load(source, &module->library, &module->code, error);
	if (rc)
		goto fail;
	rc = check(module->code, source->map, error);
	if (rc)
		goto fail;
	module->kernel = calloc(module->code->functions ? module->code->functions : 1, sizeof *module->kernel);
	if (!module->kernel) {
		rc = hetckpt_error_set(error, -ENOMEM, 0, "no memory for %u kernels", module->code->functions);
		goto fail;
	}
	for (uint32_t i = 0; i < module->code->functions; i++)
		kernel_fill(module, &module->kernel[i], &module->code->function[i], source->map);
	*out = module;
	return 0;
fail:
	cpu_module_unload(device, module);
	return rc;
}

void cpu_module_unload(struct hetckpt_device *device, struct hetckpt_module *module)
{
	(void)device;
	if (module->library)
		dlclose(module->library);
	free(module->kernel);
	free(module);
}

int cpu_kernel_get(struct hetckpt_module *module, const char *name, enum hetckpt_variant variant,
                   struct hetckpt_kernel **kernel, struct hetckpt_kernel_facts *facts,
                   struct hetckpt_error *error)
{
	static const char *const variants[] = {"original", "run variant", "resume variant"};

	for (uint32_t i = 0; i < module->code->functions; i++) {
		struct hetckpt_kernel *k = &module->kernel[i];

		if (k->variant != variant || strcmp(k->name, name))
			continue;
		*kernel = k;
		memset(facts, 0, sizeof *facts);
		facts->static_shared = k->function->static_shared;
		facts->local_bytes = k->function->frame_bytes;
		facts->max_threads = k->max_threads;
		facts->max_dynamic_shared = k->function->static_shared < CPU_SHARED_OPTIN
		                                    ? CPU_SHARED_OPTIN - k->function->static_shared
		                                    : 0;
		return 0;
	}
	return hetckpt_error_set(error, -ENOENT, 0, "no kernel %.200s (%s) in the module", name,
	                         variants[variant]);
}

int cpu_occupancy(struct hetckpt_kernel *kernel, uint32_t threads, uint32_t dynamic_shared,
                  struct hetckpt_occupancy *occupancy, struct hetckpt_error *error)
{
	(void)error;
	memset(occupancy, 0, sizeof *occupancy);
	if (!threads || threads > kernel->max_threads || dynamic_shared > CPU_SHARED_OPTIN ||
	    kernel->function->static_shared + dynamic_shared > CPU_SHARED_OPTIN)
		return 0;
	occupancy->per_sm = cpu_pool_in_flight(kernel, threads, dynamic_shared);
	occupancy->resident = occupancy->per_sm * kernel->module->device->pool.threads;
	occupancy->unfinished = occupancy->resident;
	return 0;
}
