/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Where a module's code comes from. What was translated ahead of time and lies in the fat
 * binary is taken if it uses all of this machine; else code is made for exactly this
 * machine, if the translator and LLVM are installed; else the best from the fat binary.
 * HETCKPT_CPU_TARGET ("cpu:x86-64-v3") has code made for another machine, for tests.
 *
 * Programs use few of the kernels that a library brings along: of a module with many, code for each is
 * made when it is first wanted.
 */
#include "cpu.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "passes/translate/translate.h"
#include "runtime/common/log.h"
#include "runtime/fatbin/aot.h"
#include "runtime/statemap/statemap.h"

#define MANY_KERNELS 8u

typedef int translate_fn(const struct hetckpt_translate_request *, void **, size_t *, char *, size_t);

/* The translator brings LLVM along, which takes longer to load than a translation in the
   cache to be read. So it is looked for as soon as a device is open, beside what the
   program does first. */
static pthread_once_t looked = PTHREAD_ONCE_INIT;
static translate_fn *translator; /* once looked; NULL: there is none, for this reason */
static char no_translator[HETCKPT_TRANSLATE_ERROR];

/* Beside this program, as installed, else where the loader looks. */
static void find_translator(void)
{
	static const char *const beside[] = {"../../lib/", "../lib/", "../../lib/x86_64-linux-gnu/",
	                                     "../lib/x86_64-linux-gnu/"};
	char path[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 256);
	void *library = NULL;

	if (n > 0) {
		path[n] = 0;
		slash = strrchr(path, '/');
		for (size_t i = 0; slash && i < sizeof beside / sizeof *beside && !library; i++) {
			snprintf(slash + 1, 256, "%s" HETCKPT_TRANSLATE_LIBRARY, beside[i]);
			if (!access(path, R_OK))
				library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		}
	}
	if (!library)
		library = dlopen(HETCKPT_TRANSLATE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		const char *text = dlerror();

		snprintf(no_translator, sizeof no_translator, "%s",
		         text ? text : HETCKPT_TRANSLATE_LIBRARY " not found");
		return;
	}
	/* Stays loaded: it is needed again with the next module. */
	translator = (translate_fn *)(uintptr_t)dlsym(library, "hetckpt_translate");
}

static void *look_for_translator(void *unused)
{
	(void)unused;
	pthread_once(&looked, find_translator);
	return NULL;
}

void cpu_code_prepare(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (pthread_attr_init(&attributes))
		return;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* Without the thread it is found later. */
	(void)pthread_create(&thread, &attributes, look_for_translator, NULL);
	pthread_attr_destroy(&attributes);
}

void cpu_library_close(struct cpu_library *library)
{
	if (library->handle)
		dlclose(library->handle);
	if (library->fd >= 0)
		close(library->fd);
	*library = CPU_NO_LIBRARY;
}

/* Loads a shared object from memory. Its file stays open as long as it is loaded: the loader knows
   libraries by their paths, and would give the first for each that has the same number. */
static int load(const void *bytes, size_t size, struct cpu_library *library, const struct hetckpt_cpu_module **code,
                struct hetckpt_error *error)
{
	const char *at = bytes;
	char path[64];
	int rc = 0;

	library->fd = memfd_create("hetckpt-code", MFD_CLOEXEC);
	if (library->fd < 0)
		return hetckpt_error_set(error, -errno, 0, "memory for translated code: %s", strerror(errno));
	while (size && !rc) {
		ssize_t n = write(library->fd, at, size);

		if (n < 0 && errno != EINTR)
			rc = hetckpt_error_set(error, -errno, 0, "memory for translated code: %s", strerror(errno));
		else if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
	if (!rc) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", library->fd);
		library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!library->handle) {
			const char *text = dlerror();

			rc = hetckpt_error_set(error, -EINVAL, 0, "translated code: %s", text ? text : "cannot be loaded");
		}
	}
	if (!rc) {
		*code = dlsym(library->handle, HETCKPT_CPU_MODULE_SYMBOL);
		if (!*code)
			rc = hetckpt_error_set(error, -EINVAL, 0, "translated code has no symbol %s",
			                       HETCKPT_CPU_MODULE_SYMBOL);
	}
	if (rc)
		cpu_library_close(library);
	return rc;
}

/* How good code for a target is on this machine; 0: cannot run. */
static int rank(const char *target)
{
	if (strncmp(target, "cpu", 3) || (target[3] && target[3] != ':'))
		return 0;
	if (!strcmp(target, "cpu:x86-64-v2"))
		return __builtin_cpu_supports("x86-64-v2") ? 1 : 0;
	if (!strcmp(target, "cpu:x86-64-v3"))
		return __builtin_cpu_supports("x86-64-v3") ? 2 : 0;
	if (!strcmp(target, "cpu:x86-64-v4"))
		return __builtin_cpu_supports("x86-64-v4") ? 3 : 0;
	/* "cpu" and "cpu:native" were made for the machine of the build, whatever it was. */
	return 0;
}

/* The best that was made ahead of time. full: it uses all of this machine. */
static int find_ahead(const struct hetckpt_module_source *source, struct hetckpt_fatbin_aot *best,
                      bool *full, struct hetckpt_error *error)
{
	char text[HETCKPT_FATBIN_ERROR] = "";
	struct hetckpt_fatbin_aot aot = {0};
	uint64_t offset = 0;
	int best_rank = 0, rc;

	*full = false;
	if (!source->fatbin || !source->fatbin_bytes)
		return -ENOENT;
	while (!(rc = hetckpt_fatbin_aot_next(source->fatbin, source->fatbin_bytes, source->image,
	                                      source->image_bytes, &offset, &aot, text, sizeof text))) {
		int r = rank(aot.target);

		if (r > best_rank) {
			*best = aot;
			best_rank = r;
		}
	}
	if (rc != -ENOENT)
		return hetckpt_error_set(error, rc, 0, "fat binary: %s", text);
	*full = best_rank && best_rank == (__builtin_cpu_supports("x86-64-v4")   ? 3
	                                   : __builtin_cpu_supports("x86-64-v3") ? 2
	                                                                         : 1);
	return best_rank ? 0 : -ENOENT;
}

bool cpu_code_by_kernel(const struct hetckpt_module_source *source)
{
	struct hetckpt_error error = {0};
	struct hetckpt_fatbin_aot aot;
	bool full;

	if (!source->map || source->map->kernels <= MANY_KERNELS ||
	    find_ahead(source, &aot, &full, &error) != -ENOENT)
		return false;
	pthread_once(&looked, find_translator);
	return translator;
}

int cpu_code_load(const struct hetckpt_module_source *source, const char *kernel, struct cpu_library *library,
                  const struct hetckpt_cpu_module **code, struct hetckpt_error *error)
{
	struct hetckpt_translate_request request = {
		.size = sizeof request,
		.input = source->image,
		.input_bytes = source->image_bytes,
		.target = "cpu:native",
		.kernel = kernel,
	};
	char why[HETCKPT_TRANSLATE_ERROR] = "";
	struct hetckpt_fatbin_aot aot = {0};
	const char *target = getenv("HETCKPT_CPU_TARGET");
	bool full;
	void *output;
	size_t bytes;
	int rc, ahead = find_ahead(source, &aot, &full, error);

	/* Functions of libm that code may call must be there for the loader. */
	(void)dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL);
	if (ahead && ahead != -ENOENT)
		return ahead;
	if (target && *target)
		request.target = target;
	else if (!ahead && full)
		return load(aot.code, aot.bytes, library, code, error);
	pthread_once(&looked, find_translator);
	if (translator)
		rc = translator(&request, &output, &bytes, why, sizeof why);
	else {
		rc = -ENOTSUP;
		snprintf(why, sizeof why, "%s", no_translator);
	}
	if (!rc) {
		rc = load(output, bytes, library, code, error);
		free(output);
		return rc;
	}
	if (!ahead) {
		hetckpt_log(HETCKPT_LOG_INFO, "no translation for this CPU: %s", why);
		return load(aot.code, aot.bytes, library, code, error);
	}
	return hetckpt_error_set(error, rc, 0,
	                         translator ? "translation for the CPU failed: %.400s"
	                                   : "no translator (%.300s), and no code for this CPU in the fat binary",
	                         why);
}
