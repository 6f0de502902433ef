/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "hetcc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder above bin/, from the path of the running program. */
static int prefix_find(char prefix[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", prefix, PATH_MAX - 1);

	if (n < 0)
		return hetcc_fail(-errno, "/proc/self/exe: %s", strerror(errno));
	prefix[n] = 0;
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(prefix, '/');

		if (slash)
			*slash = 0;
	}
	return 0;
}

/* A program as the shell would find it. NULL: none. */
static const char *program_find(const char *name)
{
	const char *path = getenv("PATH");
	char *copy, *rest, *dir;

	if (strchr(name, '/'))
		return access(name, X_OK) ? NULL : name;
	copy = rest = hetcc_format("%s", path ? path : "/usr/local/bin:/usr/bin:/bin");
	while ((dir = strsep(&rest, ":")) != NULL) {
		char *full = hetcc_format("%s/%s", *dir ? dir : ".", name);

		if (!access(full, X_OK))
			return full;
		free(full);
	}
	free(copy);
	return NULL;
}

static int clang_find(struct hetcc_toolchain *t)
{
	const char *chosen = getenv("HETCC_CLANG");
	const char *versioned = "/usr/lib/llvm-" HETCKPT_LLVM_VERSION "/bin/clang++";

	if (chosen && *chosen) {
		t->clang = program_find(chosen);
		return t->clang ? 0 : hetcc_fail(-ENOENT, "HETCC_CLANG: %s: no such program", chosen);
	}
	t->clang = program_find("clang++-" HETCKPT_LLVM_VERSION);
	if (!t->clang)
		t->clang = program_find(versioned);
	return t->clang ? 0 : hetcc_fail(-ENOENT, "clang++-" HETCKPT_LLVM_VERSION
	                                 " not found (HETCC_CLANG names another clang++ of this version)");
}

/* Whole means: compiles (headers, device library) and assembles. */
static bool toolkit_whole(const char *path)
{
	static const char *const parts[] = {"include/cuda_runtime.h", "bin/ptxas", "nvvm/libdevice"};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		char *full = hetcc_format("%s/%s", path, parts[i]);
		bool there = !access(full, F_OK);

		free(full);
		if (!there)
			return false;
	}
	return true;
}

static int toolkit_find(const struct hetcc_options *o, struct hetcc_toolchain *t)
{
	const char *hint = getenv("CUDA_PATH");

	if (o->no_toolkit)
		return 0;
	if (o->cuda_path) {
		if (!toolkit_whole(o->cuda_path))
			return hetcc_fail(-ENOENT, "--cuda-path=%s: no CUDA toolkit there (--no-toolkit does without)",
			                  o->cuda_path);
		t->toolkit = o->cuda_path;
	} else if (hint && toolkit_whole(hint)) {
		t->toolkit = hint;
	} else if (toolkit_whole("/usr/local/cuda")) {
		t->toolkit = "/usr/local/cuda";
	}
	return 0;
}

/* A file of the installation. Libraries may lie in a folder of the distribution's choice. */
static int part_find(const char *prefix, const char *what, const char *name, const char **found)
{
	static const char *const libraries[] = {"lib", HETCKPT_LIBDIR};
	const char *inside = strncmp(name, "lib/", 4) ? NULL : name + 4;

	for (size_t i = 0; i < (inside ? 2 : 1); i++) {
		char *full = inside ? hetcc_format("%s/%s/%s", prefix, libraries[i], inside)
		                    : hetcc_format("%s/%s", prefix, name);

		if (!access(full, R_OK)) {
			*found = full;
			return 0;
		}
		free(full);
	}
	return hetcc_fail(-ENOENT, "%s/%s: %s is missing from the installation", prefix, name, what);
}

int hetcc_toolchain_find(const struct hetcc_options *o, struct hetcc_toolchain *t)
{
	char prefix[PATH_MAX];
	bool cuda = false;
	int r;

	*t = (struct hetcc_toolchain){0};
	for (size_t i = 0; i < o->inputs; i++)
		cuda = cuda || o->input[i].kind == HETCC_KIND_CUDA;
	r = prefix_find(prefix);
	if (!r)
		r = clang_find(t);
	if (!r)
		r = toolkit_find(o, t);
	/* Without a toolkit host files of a CUDA program include cuda_runtime.h too. */
	if (!r && (cuda || !t->toolkit))
		r = part_find(prefix, "the CUDA headers", "include/hetckpt/cuda", &t->include);
	if (!r && cuda && !t->toolkit)
		r = part_find(prefix, "the device library", "lib/hetckpt/devicelib.bc", &t->devicelib);
	if (!r && cuda && !o->no_instrument)
		r = part_find(prefix, "the compiler pass", "lib/hetckpt-pass.so", &t->pass);
	if (!r && o->mode == HETCC_MODE_LINK && !t->toolkit)
		r = part_find(prefix, "the CUDA runtime", "lib/hetckpt/libcudart.so.13", &t->cudart);
	if (!r && cuda && o->targets.count)
		r = part_find(prefix, "the translator", "bin/hetckpt-translate", &t->translate);
	return r;
}
