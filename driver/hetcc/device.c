/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Device code: clang makes PTX once an architecture, ptxas (where there is a
 * toolkit) makes native code from that same PTX, and both go into one fat binary. So
 * both carry the same portable image, and a frame of one fits the other.
 */
#include "hetcc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/fatbin/aot.h"
#include "runtime/fatbin/fatbin.h"

/*
 * The PTX version to write: the first that knows the architecture, but at least 7.0,
 * which has what the headers use, or 8.0, which has what CUB in a toolkit writes as
 * assembly. A low version suits more drivers.
 */
static unsigned ptx_version(const char *arch, bool toolkit)
{
	static const struct { unsigned arch, ptx; } table[] = {
		{75, 70}, {80, 70}, {86, 71}, {87, 74}, {88, 90}, {89, 78}, {90, 80}, {100, 86},
		{101, 86}, {103, 88}, {110, 90}, {120, 87}, {121, 88},
	};
	unsigned number = (unsigned)strtoul(arch + 3, NULL, 10), least = toolkit ? 80 : 70;
	unsigned version = least;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].arch <= number && table[i].ptx > version)
			version = table[i].ptx;
	/* sm_88 came late; what follows it by number does not need its version. */
	if (number == 89 || number == 90)
		version = number == 89 ? 78 : 80;
	return version > least ? version : least;
}

/* Joins host and device names of static kernels and variables; the same for both sides. */
static unsigned long long source_id(const struct hetcc_options *options, const char *path)
{
	char *real = realpath(path, NULL);
	unsigned long long hash = 0xcbf29ce484222325u;

	for (const char *c = real ? real : path; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
	for (size_t i = 0; i < options->common.count; i++)
		for (const char *c = options->common.item[i];; c++) {
			hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
			if (!*c)
				break;
		}
	free(real);
	return hash;
}

/* __CUDA_ARCH_LIST__, the same for the host and each architecture: CUB's names have it in them.
   clang would list the one architecture that it is asked for at a time. */
static void arch_list(const struct hetcc_options *options, struct hetcc_list *command)
{
	char text[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < options->archs.count && used < sizeof text - 16; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%ld0", i ? "," : "",
		                         strtol(options->archs.item[i] + strlen("sm_"), NULL, 10));
	hetcc_list_add(command, "-Xclang");
	hetcc_list_add(command, "-U__CUDA_ARCH_LIST__");
	hetcc_list_add(command, "-Xclang");
	hetcc_list_addf(command, "-D__CUDA_ARCH_LIST__=%s", text);
}

void hetcc_source_arguments(const struct hetcc_options *options,
                            const struct hetcc_toolchain *toolchain,
                            const struct hetcc_input *input, struct hetcc_list *command)
{
	bool cuda = input->kind == HETCC_KIND_CUDA;

	hetcc_list_add(command, toolchain->clang);
	hetcc_list_add(command, "-O2");
	hetcc_list_add(command, "-Wno-unused-command-line-argument");
	/* Fusing is decided in the IR. clang's default for CUDA also lets the code generator
	   fuse what must not be, such as __fmul_rn and the library's own products. */
	if (cuda)
		hetcc_list_add(command, "-ffp-contract=fast-honor-pragmas");
	if (cuda && toolchain->toolkit) {
		/* Newer toolkits than clang has heard of work as the newest that it has. */
		hetcc_list_addf(command, "--cuda-path=%s", toolchain->toolkit);
		hetcc_list_add(command, "-Wno-unknown-cuda-version");
		hetcc_list_add(command, "-include");
		hetcc_list_addf(command, "%s/detail/host_minmax.h", toolchain->include);
	} else if (cuda) {
		/* The path keeps clang from taking versions from a toolkit that it finds. */
		hetcc_list_addf(command, "--cuda-path=%s", toolchain->include);
		hetcc_list_add(command, "-nocudainc");
		hetcc_list_add(command, "-nocudalib");
		hetcc_list_add(command, "-Xclang");
		hetcc_list_add(command, "-target-sdk-version=13.0");
		hetcc_list_add(command, "-include");
		hetcc_list_addf(command, "%s/hetckpt_cuda_wrapper.h", toolchain->include);
	}
	for (size_t i = 0; i < options->common.count; i++) {
		char *word = options->common.item[i];

		/* The language standard of a program's CUDA sources is none for C. */
		if (hetcc_input_is_c(input) && (!strncmp(word, "-std=c++", 8) || !strncmp(word, "-std=gnu++", 10)))
			continue;
		hetcc_list_add(command, word);
	}
	/* Last, so that the program's own folders come first. */
	if (toolchain->toolkit && !cuda)
		hetcc_list_addf(command, "-isystem%s/include", toolchain->toolkit);
	else if (!toolchain->toolkit)
		hetcc_list_addf(command, "-isystem%s", toolchain->include);
	/* Since CUDA 13 the C++ library that cooperative_groups.h needs lies apart. */
	if (toolchain->toolkit && cuda)
		hetcc_list_addf(command, "-isystem%s/include/cccl", toolchain->toolkit);
	if (cuda) {
		arch_list(options, command);
		hetcc_list_addf(command, "-cuid=%016llx", source_id(options, input->path));
	}
	if (options->verbose)
		hetcc_list_add(command, "-v");
}

/* Of optimised device code clang describes lines alone, even with -g. The pass wants the
   variables too, for snapshots, and leaves the lines. */
static bool names_wanted(const struct hetcc_options *options)
{
	bool wanted = false;

	for (size_t i = 0; i < options->common.count; i++) {
		const char *a = options->common.item[i];

		if (!strcmp(a, "-g") || !strcmp(a, "-g2") || !strcmp(a, "-g3") || !strncmp(a, "-ggdb", 5))
			wanted = true;
		else if (!strcmp(a, "-g0") || !strcmp(a, "-g1") || !strncmp(a, "-gline-", 7))
			wanted = false;
	}
	return wanted;
}

int hetcc_device_ptx(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain,
                     const struct hetcc_input *input, const char *arch, const char *output)
{
	struct hetcc_list command = {0};
	int r;

	hetcc_source_arguments(options, toolchain, input, &command);
	hetcc_list_add(&command, "--cuda-device-only");
	hetcc_list_addf(&command, "--cuda-gpu-arch=%s", arch);
	hetcc_list_addf(&command, "--cuda-feature=+ptx%u", ptx_version(arch, toolchain->toolkit != NULL));
	if (toolchain->toolkit) {
		/* libdevice asks; unanswered, it takes the approximate square root. */
		hetcc_list_add(&command, "-mllvm");
		hetcc_list_add(&command, "-nvvm-reflect-add=__CUDA_PREC_SQRT=1");
	} else {
		hetcc_list_add(&command, "-Xclang");
		hetcc_list_add(&command, "-mlink-builtin-bitcode");
		hetcc_list_add(&command, "-Xclang");
		hetcc_list_add(&command, toolchain->devicelib);
	}
	if (toolchain->pass) {
		/* Loaded twice by intent: -fplugin makes its options known before -mllvm is read. */
		hetcc_list_addf(&command, "-fplugin=%s", toolchain->pass);
		hetcc_list_addf(&command, "-fpass-plugin=%s", toolchain->pass);
		if (names_wanted(options)) {
			hetcc_list_add(&command, "-Xclang");
			hetcc_list_add(&command, "-debug-info-kind=limited");
		}
		for (size_t i = 0; i < options->pass.count; i++) {
			hetcc_list_add(&command, "-mllvm");
			hetcc_list_add(&command, options->pass.item[i]);
		}
	}
	hetcc_list_join(&command, &options->device);
	hetcc_list_add(&command, "-S");
	hetcc_list_add(&command, "-x");
	hetcc_list_add(&command, "cuda");
	hetcc_list_add(&command, input->path);
	hetcc_list_add(&command, "-o");
	hetcc_list_add(&command, output);
	r = hetcc_run(options, &command);
	hetcc_list_free(&command);
	return r;
}

static int cubin_make(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain,
                      const char *arch, const char *ptx, const char *output)
{
	struct hetcc_list command = {0};
	int r;

	hetcc_list_addf(&command, "%s/bin/ptxas", toolchain->toolkit);
	hetcc_list_add(&command, "-m64");
	hetcc_list_add(&command, "-O3");
	hetcc_list_addf(&command, "--gpu-name=%s", arch);
	if (options->verbose)
		hetcc_list_add(&command, "-v");
	hetcc_list_add(&command, ptx);
	hetcc_list_add(&command, "--output-file");
	hetcc_list_add(&command, output);
	r = hetcc_run(options, &command);
	hetcc_list_free(&command);
	return r;
}

/* Parts of a fat binary, which own their data. */
struct parts {
	struct hetckpt_fatbin_part part[64];
	unsigned count;
};

static int part_add(struct parts *parts, uint32_t kind, uint32_t arch, unsigned char *data, size_t bytes)
{
	if (parts->count == sizeof parts->part / sizeof *parts->part) {
		free(data);
		return hetcc_fail(-E2BIG, "too many architectures and targets for one fat binary");
	}
	parts->part[parts->count++] = (struct hetckpt_fatbin_part){kind, arch, data, bytes};
	return 0;
}

static int part_read(struct parts *parts, uint32_t kind, uint32_t arch, const char *path)
{
	unsigned char *data;
	size_t bytes;
	int r = hetcc_file_read(path, &data, &bytes);

	return r ? r : part_add(parts, kind, arch, data, bytes);
}

/*
 * Code made ahead of time has to say what it needs of a processor, so "cpu" is the
 * level that every x86-64 of the last fifteen years has, and "cpu:native" the highest
 * level of this one.
 */
static const char *target_level(const char *target)
{
	if (!strcmp(target, "cpu"))
		return "cpu:x86-64-v2";
	if (strcmp(target, "cpu:native"))
		return target;
#ifdef __x86_64__
	if (__builtin_cpu_supports("x86-64-v4"))
		return "cpu:x86-64-v4";
	if (__builtin_cpu_supports("x86-64-v3"))
		return "cpu:x86-64-v3";
#endif
	return "cpu:x86-64-v2";
}

/* Translates the portable image for one target and adds the result. */
static int target_add(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain,
                      const struct hetcc_input *input, const char *target, const char *image_path,
                      const struct hetckpt_fatbin_image *image, struct parts *parts)
{
	char *library = hetcc_temporary(input->path, ".so");
	unsigned char *code = NULL, *entry;
	struct hetcc_list command = {0};
	uint64_t entry_bytes;
	size_t bytes;
	int r;

	hetcc_list_add(&command, toolchain->translate);
	hetcc_list_addf(&command, "--target=%s", target);
	hetcc_list_add(&command, image_path);
	hetcc_list_add(&command, "-o");
	hetcc_list_add(&command, library);
	r = hetcc_run(options, &command);
	if (r || options->dry_run)
		goto out;
	r = hetcc_file_read(library, &code, &bytes);
	if (r)
		goto out;
	r = hetckpt_fatbin_aot_make(image->data, image->bytes, target, code, bytes, &entry, &entry_bytes);
	if (r)
		r = hetcc_fail(r, "%s: target %s: %s", input->path, target, strerror(-r));
	else
		r = part_add(parts, HETCKPT_FATBIN_AOT, 0, entry, entry_bytes);
out:
	free(code);
	hetcc_list_free(&command);
	return r;
}

static int targets_add(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain,
                       const struct hetcc_input *input, struct parts *parts)
{
	char *path = hetcc_temporary(input->path, ".hck-image"), error[HETCKPT_FATBIN_ERROR] = "";
	struct hetckpt_fatbin_image image = {0};
	unsigned char *container = NULL;
	uint64_t bytes;
	int r = 0;

	if (!options->dry_run) {
		r = hetckpt_fatbin_write(parts->part, parts->count, &container, &bytes);
		if (r) {
			hetcc_fail(r, "%s: cannot make the fat binary: %s", input->path, strerror(-r));
			goto out;
		}
		r = hetckpt_fatbin_image_find(container, bytes, &image, error, sizeof error);
		if (r == -ENOENT) {
			/* No kernels, no image: there is nothing to translate. */
			r = 0;
			goto out;
		}
		if (r) {
			hetcc_fail(r, "%s: portable image: %s", input->path, *error ? error : strerror(-r));
			goto out;
		}
		r = hetcc_file_write(path, image.data, image.bytes);
	}
	for (size_t i = 0; i < options->targets.count && !r; i++)
		r = target_add(options, toolchain, input, target_level(options->targets.item[i]), path,
		               &image, parts);
out:
	free(image.data);
	free(container);
	return r;
}

int hetcc_device_fatbin(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain,
                        const struct hetcc_input *input, const char *output)
{
	unsigned char *container = NULL;
	struct parts parts = {0};
	uint64_t bytes;
	int r = 0;

	for (size_t i = 0; i < options->archs.count && !r; i++) {
		const char *arch = options->archs.item[i];
		uint32_t number = (uint32_t)strtoul(arch + 3, NULL, 10);
		char *ptx = hetcc_temporary(input->path, hetcc_format("-%s.ptx", arch));

		r = hetcc_device_ptx(options, toolchain, input, arch, ptx);
		if (!r && toolchain->toolkit) {
			char *cubin = hetcc_temporary(input->path, hetcc_format("-%s.cubin", arch));

			r = cubin_make(options, toolchain, arch, ptx, cubin);
			if (!r && !options->dry_run)
				r = part_read(&parts, HETCKPT_FATBIN_ELF, number, cubin);
		}
		/* Code for "sm_90a" and its like is for that architecture alone, as PTX too. */
		if (!r && !options->dry_run)
			r = part_read(&parts, HETCKPT_FATBIN_PTX, number, ptx);
	}
	if (!r && options->targets.count)
		r = targets_add(options, toolchain, input, &parts);
	if (r || options->dry_run)
		goto out;
	r = hetckpt_fatbin_write(parts.part, parts.count, &container, &bytes);
	if (r)
		hetcc_fail(r, "%s: cannot make the fat binary: %s", input->path, strerror(-r));
	else
		r = hetcc_file_write(output, container, bytes);
out:
	for (unsigned i = 0; i < parts.count; i++)
		free((void *)parts.part[i].data);
	free(container);
	return r;
}
