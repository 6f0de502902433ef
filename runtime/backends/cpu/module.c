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
	for (unsigned i = 0; i < HETCKPT_CPU_PACES; i++)
		k->pace[i] = HETCKPT_CPU_PACE_PLANNED;
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

static void code_free(struct cpu_code *code)
{
	cpu_library_close(&code->library);
	free(code->kernel);
	free(code);
}

/* Adds code for a kernel, or for all (NULL). */
static int code_add(struct hetckpt_module *module, const char *kernel, struct hetckpt_error *error)
{
	const struct hetckpt_module_source *source = &module->source;
	struct cpu_code *code = calloc(1, sizeof *code);
	hetckpt_cpu_beside_fn *const *beside;
	uint32_t n;
	int rc;

	if (!code)
		return hetckpt_error_set(error, -ENOMEM, 0, "no memory for a module");
	code->library = CPU_NO_LIBRARY;
	rc = cpu_code_load(source, kernel, &code->library, &code->module, error);
	if (!rc)
		rc = check(code->module, source->map, error);
	if (rc)
		goto fail;
	n = code->module->functions;
	code->kernel = calloc(n ? n : 1, sizeof *code->kernel);
	if (!code->kernel) {
		rc = hetckpt_error_set(error, -ENOMEM, 0, "no memory for %u kernels", n);
		goto fail;
	}
	beside = dlsym(code->library.handle, HETCKPT_CPU_BESIDE_SYMBOL);
	for (uint32_t i = 0; i < n; i++) {
		kernel_fill(module, &code->kernel[i], &code->module->function[i], source->map);
		code->kernel[i].beside = beside ? beside[i] : NULL;
	}
	code->next = module->code;
	module->code = code;
	return 0;
fail:
	code_free(code);
	return rc;
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
	module->source = *source;
	module->variables = source->variables;
	module->by_kernel = cpu_code_by_kernel(source);
	if (!module->by_kernel)
		rc = code_add(module, NULL, error);
	if (rc)
		cpu_module_unload(device, module);
	else
		*out = module;
	return rc;
}

void cpu_module_unload(struct hetckpt_device *device, struct hetckpt_module *module)
{
	(void)device;
	while (module->code) {
		struct cpu_code *code = module->code;

		module->code = code->next;
		code_free(code);
	}
	free(module);
}

/* known: there is code for the kernel, if not for this variant. */
static struct hetckpt_kernel *find(struct hetckpt_module *module, const char *name,
                                   enum hetckpt_variant variant, bool *known)
{
	*known = false;
	for (struct cpu_code *code = module->code; code; code = code->next)
		for (uint32_t i = 0; i < code->module->functions; i++) {
			struct hetckpt_kernel *k = &code->kernel[i];

			if (strcmp(k->name, name))
				continue;
			*known = true;
			if (k->variant == variant)
				return k;
		}
	return NULL;
}

int cpu_kernel_get(struct hetckpt_module *module, const char *name, enum hetckpt_variant variant,
                   struct hetckpt_kernel **kernel, struct hetckpt_kernel_facts *facts,
                   struct hetckpt_error *error)
{
	static const char *const variants[] = {"original", "run variant", "resume variant"};
	bool known;
	struct hetckpt_kernel *k = find(module, name, variant, &known);

	if (!known && module->by_kernel && hetckpt_map_kernel_find(module->source.map, name)) {
		int rc = code_add(module, name, error);

		if (rc)
			return rc;
		k = find(module, name, variant, &known);
	}
	if (!k)
		return hetckpt_error_set(error, -ENOENT, 0, "no kernel %.200s (%s) in the module", name,
		                         variants[variant]);
	*kernel = k;
	memset(facts, 0, sizeof *facts);
	facts->static_shared = k->function->static_shared;
	facts->local_bytes = k->function->frame_bytes;
	facts->max_threads = k->max_threads;
	facts->max_dynamic_shared =
		k->function->static_shared < CPU_SHARED_OPTIN ? CPU_SHARED_OPTIN - k->function->static_shared : 0;
	return 0;
}

#define TOLD_PER_SM 16u

int cpu_occupancy(struct hetckpt_kernel *kernel, uint32_t threads, uint32_t dynamic_shared,
                  struct hetckpt_occupancy *occupancy, struct hetckpt_error *error)
{
	uint32_t in_flight;

	(void)error;
	memset(occupancy, 0, sizeof *occupancy);
	if (!threads || threads > kernel->max_threads || dynamic_shared > CPU_SHARED_OPTIN ||
	    kernel->function->static_shared + dynamic_shared > CPU_SHARED_OPTIN)
		return 0;
	in_flight = cpu_pool_in_flight(kernel, threads, dynamic_shared);
	/* Programs size their grids by it; more blocks than that would only be more to go round. */
	occupancy->per_sm = in_flight < TOLD_PER_SM ? in_flight : TOLD_PER_SM;
	occupancy->resident = in_flight * kernel->module->device->pool.threads;
	occupancy->unfinished = occupancy->resident;
	return 0;
}
