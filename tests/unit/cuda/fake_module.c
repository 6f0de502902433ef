/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Modules and kernels of the stand-in driver: those of tests/gpu/kernels.ptx. */
#include "fake.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hetckpt/abi.h"

/* Native storage of a module's variables. */
struct natives {
	uint32_t table[4];
	uint64_t pointer;
	_Atomic uint32_t counter;
};

struct cu_module_object {
	struct cu_module_object *next;
	struct natives native;
	struct cu_function_object *functions;
};

struct kernel;

struct cu_function_object {
	struct cu_function_object *next;
	cu_module module;
	const struct kernel *kernel;
	int max_dynamic;
};

struct launch {
	struct fake_work work;
	cu_function function;
	unsigned blocks, threads, dynamic;
	uint64_t a[4]; /* parameters, zero-extended */
	struct hetckpt_launch record;
};

static void nap(uint64_t ns)
{
	uint64_t end = fake_now() + ns;

	while (fake_now() < end)
		nanosleep(&(struct timespec){.tv_nsec = 5000}, NULL);
}

static void *at(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

/* ---- Kernels ------------------------------------------------------------------------ */

static void k_fill(const struct launch *l)
{
	for (uint32_t i = 0; i < l->blocks * l->threads && i < l->a[1]; i++)
		((uint32_t *)at(l->a[0]))[i] = (uint32_t)l->a[2] + i;
}

static void k_spin(const struct launch *l)
{
	_Atomic uint32_t *word = at(l->a[0]);
	uint64_t begin = fake_now();

	while (!atomic_load(word) && fake_now() - begin < l->a[2] && !atomic_load(&fake_sticky))
		nanosleep(&(struct timespec){.tv_nsec = 2000}, NULL);
	*(uint32_t *)at(l->a[1]) = atomic_load(word);
}

static void k_nap(const struct launch *l)
{
	nap(l->a[1]);
	*(uint32_t *)at(l->a[0]) = (uint32_t)l->a[2];
}

static void k_wild(const struct launch *l)
{
	if (fake_mapped(l->a[0]))
		*(uint32_t *)at(l->a[0]) = 1;
	else
		atomic_store(&fake_sticky, 700);
}

static void k_dynamic(const struct launch *l)
{
	*(uint32_t *)at(l->a[0]) = l->dynamic >= l->a[1] ? (uint32_t)l->a[1] : 0;
}

static void k_meet(const struct launch *l)
{
	*(uint32_t *)at(l->a[0]) += l->blocks;
}

static void counted(const struct launch *l, _Atomic uint32_t *counter)
{
	const struct natives *n = &l->function->module->native;
	uint32_t *out = at(l->a[0]);

	out[0] = n->table[0] + n->table[1] + n->table[2] + n->table[3];
	out[1] = atomic_fetch_add(counter, 1);
	memcpy(out + 2, &n->pointer, sizeof n->pointer);
}

static void k_count(const struct launch *l)
{
	counted(l, &l->function->module->native.counter);
}

static void k_run_count(const struct launch *l)
{
	if (!*(volatile uint32_t *)at(l->record.flags + HETCKPT_FLAG_ENTRY))
		counted(l, at(l->record.variables + 24));
}

static const struct kernel {
	const char *name;
	void (*run)(const struct launch *l);
	unsigned params;
	unsigned char bytes[4];
} kernels[] = {
	{"fill", k_fill, 3, {8, 4, 4}}, {"spin", k_spin, 3, {8, 8, 8}}, {"nap", k_nap, 3, {8, 8, 4}},
	{"wild", k_wild, 1, {8}}, {"dynamic", k_dynamic, 2, {8, 4}}, {"meet", k_meet, 4, {8, 8, 8, 4}},
	{"count", k_count, 1, {8}}, {"count_native", k_count, 1, {8}},
	{HETCKPT_RUN_PREFIX "count", k_run_count, 2, {8, HETCKPT_LAUNCH_BYTES}},
};

/* ---- Modules ---------------------------------------------------------------------------- */

static cu_module modules;

static void module_free(cu_module module)
{
	while (module->functions) {
		cu_function f = module->functions;

		module->functions = f->next;
		free(f);
	}
	free(module);
}

/* What is left of a context that has failed; nothing runs any more. */
void fake_modules_reset(void)
{
	while (modules) {
		cu_module module = modules;

		modules = module->next;
		module_free(module);
	}
}

ENTRY cu_result cuModuleLoadDataEx(cu_module *module, const void *image, unsigned count, cu_jit_option *options,
                                   void **values)
{
	ENTER(true);
	if (!strstr(image, ".entry fill") || count != 2 || options[0] != CU_JIT_ERROR_LOG) {
		snprintf(values[0], 32, "\nptxas : no such kernels\nmore");
		return 218;
	}
	*module = calloc(1, sizeof **module);
	(*module)->next = modules;
	modules = *module;
	(*module)->native = (struct natives){{1, 2, 3, 4}, (uintptr_t)&(*module)->native.counter, 100};
	return 0;
}

ENTRY cu_result cuModuleUnload(cu_module module)
{
	cu_module *link = &modules;

	ENTER(true);
	while (*link && *link != module)
		link = &(*link)->next;
	if (!*link)
		return 400;
	*link = module->next;
	module_free(module);
	return 0;
}

ENTRY cu_result cuModuleGetFunction(cu_function *function, cu_module module, const char *name)
{
	ENTER(true);
	for (unsigned i = 0; i < sizeof kernels / sizeof *kernels; i++)
		if (!strcmp(kernels[i].name, name)) {
			cu_function f = calloc(1, sizeof *f);

			f->module = module;
			f->kernel = &kernels[i];
			f->max_dynamic = 49152;
			f->next = module->functions;
			module->functions = f;
			*function = f;
			return 0;
		}
	return CU_NOT_FOUND;
}

ENTRY cu_result cuModuleGetGlobal_v2(cu_address *address, size_t *bytes, cu_module module, const char *name)
{
	struct natives *n = &module->native;

	ENTER(true);
	if (!strcmp(name, "table")) {
		*address = (uintptr_t)n->table;
		*bytes = sizeof n->table;
	} else if (!strcmp(name, "pointer")) {
		*address = (uintptr_t)&n->pointer;
		*bytes = sizeof n->pointer;
	} else if (!strcmp(name, "counter")) {
		*address = (uintptr_t)&n->counter;
		*bytes = sizeof n->counter;
	} else {
		return CU_NOT_FOUND;
	}
	return 0;
}

ENTRY cu_result cuFuncGetAttribute(int *value, unsigned which, cu_function function)
{
	ENTER(true);
	*value = which == CU_FUNC_MAX_THREADS ? 1024 : which == CU_FUNC_MAX_DYNAMIC ? function->max_dynamic :
	         which == CU_FUNC_REGISTERS ? 24 : 0;
	return 0;
}

ENTRY cu_result cuFuncSetAttribute(cu_function function, unsigned which, int value)
{
	ENTER(true);
	if (which != CU_FUNC_MAX_DYNAMIC || value > FAKE_SHARED)
		return 1;
	function->max_dynamic = value;
	return 0;
}

ENTRY cu_result cuFuncLoad(cu_function function)
{
	ENTER(true);
	return function ? 0 : 400;
}

ENTRY cu_result cuFuncGetParamInfo(cu_function function, size_t index, size_t *offset, size_t *bytes)
{
	ENTER(true);
	if (index >= function->kernel->params)
		return 1;
	*offset = 0;
	*bytes = function->kernel->bytes[index];
	return 0;
}

ENTRY cu_result cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, cu_function function, int threads,
                                                            size_t dynamic)
{
	ENTER(true);
	if (threads <= 0 || threads > 1024 || dynamic > (size_t)function->max_dynamic)
		return 1;
	*blocks = FAKE_BLOCKS_PER_SM;
	return 0;
}

/* ---- Launches ------------------------------------------------------------------------------ */

static void launch_run(struct fake_work *work)
{
	const struct launch *l = (const struct launch *)work;

	if (!atomic_load(&fake_sticky))
		l->function->kernel->run(l);
}

ENTRY cu_result cuLaunchKernel(cu_function function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                               unsigned bz, unsigned dynamic, cu_stream stream, void **params, void **extra)
{
	struct launch *l;

	ENTER(true);
	if (extra || (int)dynamic > function->max_dynamic || (uint64_t)bx * by * bz > 1024)
		return 1;
	l = calloc(1, sizeof *l);
	l->work.run = launch_run;
	l->function = function;
	l->blocks = gx * gy * gz;
	l->threads = bx * by * bz;
	l->dynamic = dynamic;
	for (unsigned i = 0; i < function->kernel->params; i++) {
		unsigned bytes = function->kernel->bytes[i];

		memcpy(bytes > 8 ? (void *)&l->record : (void *)&l->a[i], params[i], bytes);
	}
	fake_submit(stream, &l->work);
	return 0;
}

ENTRY cu_result cuLaunchCooperativeKernel(cu_function function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                                          unsigned by, unsigned bz, unsigned dynamic, cu_stream stream, void **params)
{
	if (gx * gy * gz > FAKE_SMS * FAKE_BLOCKS_PER_SM)
		return 720;
	return cuLaunchKernel(function, gx, gy, gz, bx, by, bz, dynamic, stream, params, NULL);
}
