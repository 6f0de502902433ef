/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * hetcc - compiles CUDA programs whose kernels can be paused.
 *
 * For each CUDA source: device code to a fat binary, then the host side with that fat
 * binary inside; other sources as they are; then one link. Everything is done by
 * clang, told where the project's pass, headers and libraries are.
 */
#include "hetcc.h"

#include <errno.h>
#include <string.h>

/* "dir/name.cu" and ".o" make "name.o", in the current folder, as compilers do. */
static char *output_beside(const char *path, const char *extension)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *dot = strrchr(base, '.');
	int length = (int)(dot && dot != base ? (size_t)(dot - base) : strlen(base));

	return hetcc_format("%.*s%s", length, base, extension);
}

/* The host side of one source. output may be NULL (-E: standard output). */
static int host_compile(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain,
                        const struct hetcc_input *input, const char *mode, const char *fatbin,
                        const char *output)
{
	struct hetcc_list command = {0};
	int r;

	hetcc_source_arguments(options, toolchain, input, &command);
	if (input->kind == HETCC_KIND_CUDA) {
		hetcc_list_add(&command, "--cuda-host-only");
		if (fatbin) {
			hetcc_list_add(&command, "-Xclang");
			hetcc_list_add(&command, "-fcuda-include-gpubinary");
			hetcc_list_add(&command, "-Xclang");
			hetcc_list_add(&command, fatbin);
		}
	}
	hetcc_list_join(&command, &options->host);
	hetcc_list_add(&command, mode);
	if (input->kind == HETCC_KIND_CUDA || input->language) {
		hetcc_list_add(&command, "-x");
		hetcc_list_add(&command, input->language ? input->language : "cuda");
	} else if (hetcc_input_is_c(input)) {
		/* clang++ would call it deprecated to take C for C++. */
		hetcc_list_add(&command, "-x");
		hetcc_list_add(&command, "c");
	}
	hetcc_list_add(&command, input->path);
	if (output) {
		hetcc_list_add(&command, "-o");
		hetcc_list_add(&command, output);
	}
	r = hetcc_run(options, &command);
	hetcc_list_free(&command);
	return r;
}

static int source_compile(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain,
                          const struct hetcc_input *input, const char *object)
{
	const char *mode = options->mode == HETCC_MODE_COMPILE ? options->mode_option : "-c";
	char *fatbin = NULL;
	int r = 0;

	if (input->kind == HETCC_KIND_CUDA) {
		fatbin = hetcc_temporary(input->path, ".fatbin");
		r = hetcc_device_fatbin(options, toolchain, input, fatbin);
	}
	return r ? r : host_compile(options, toolchain, input, mode, fatbin, object);
}

static int link_all(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain,
                    const struct hetcc_list *objects)
{
	struct hetcc_list command = {0};
	int r;

	hetcc_list_add(&command, toolchain->clang);
	hetcc_list_add(&command, "-Wno-unused-command-line-argument");
	hetcc_list_join(&command, objects);
	if (toolchain->toolkit) {
		hetcc_list_addf(&command, "-L%s/lib64", toolchain->toolkit);
		hetcc_list_add(&command, "-lcudart");
		hetcc_list_addf(&command, "-Wl,-rpath,%s/lib64", toolchain->toolkit);
	} else {
		char *folder = hetcc_format("%s", toolchain->cudart);

		*strrchr(folder, '/') = 0;
		hetcc_list_add(&command, toolchain->cudart);
		hetcc_list_addf(&command, "-Wl,-rpath,%s", folder);
	}
	hetcc_list_add(&command, "-o");
	hetcc_list_add(&command, options->output ? options->output : "a.out");
	if (options->verbose)
		hetcc_list_add(&command, "-v");
	r = hetcc_run(options, &command);
	hetcc_list_free(&command);
	return r;
}

static int build(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain)
{
	static const char *const extensions[] = {
		[HETCC_MODE_COMPILE] = ".o", [HETCC_MODE_PTX] = ".ptx", [HETCC_MODE_FATBIN] = ".fatbin"
	};
	struct hetcc_list objects = {0};
	int r = 0;

	for (size_t i = 0; i < options->inputs && !r; i++) {
		const struct hetcc_input *input = &options->input[i];
		const char *extension = extensions[options->mode == HETCC_MODE_LINK ||
		                                           options->mode == HETCC_MODE_PREPROCESS
		                                   ? HETCC_MODE_COMPILE : options->mode];
		const char *output = options->output;

		if (input->kind == HETCC_KIND_LINK_OPTION || input->kind == HETCC_KIND_OBJECT) {
			hetcc_list_add(&objects, input->path);
			continue;
		}
		if (options->mode == HETCC_MODE_COMPILE && !strcmp(options->mode_option, "-S"))
			extension = ".s";
		if (!output && options->mode != HETCC_MODE_PREPROCESS)
			output = output_beside(input->path, extension);

		switch (options->mode) {
		case HETCC_MODE_LINK:
			output = hetcc_temporary(input->path, ".o");
			hetcc_list_add(&objects, output);
			r = source_compile(options, toolchain, input, output);
			break;
		case HETCC_MODE_COMPILE:
			r = source_compile(options, toolchain, input, output);
			break;
		case HETCC_MODE_PREPROCESS:
			r = host_compile(options, toolchain, input, options->mode_option, NULL, output);
			break;
		case HETCC_MODE_PTX:
			r = hetcc_device_ptx(options, toolchain, input, options->archs.item[0], output);
			break;
		case HETCC_MODE_FATBIN:
			r = hetcc_device_fatbin(options, toolchain, input, output);
			break;
		}
	}
	if (!r && options->mode == HETCC_MODE_LINK)
		r = link_all(options, toolchain, &objects);
	hetcc_list_free(&objects);
	return r;
}

int main(int argc, char **argv)
{
	struct hetcc_toolchain toolchain;
	struct hetcc_options options;
	int r;

	r = hetcc_options_parse(argc, argv, &options);
	if (r == 0)
		r = hetcc_toolchain_find(&options, &toolchain);
	if (r == 0)
		r = build(&options, &toolchain);
	hetcc_temporary_remove();
	hetcc_options_free(&options);
	return r < 0 ? 1 : 0;
}
