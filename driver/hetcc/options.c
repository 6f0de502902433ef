/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The command line is clang's. hetcc has to know the options that it acts upon, those
 * that belong to the linker, and those that take the next word, so as not to mistake
 * it for an input; everything else goes to clang as it is.
 */
#include "hetcc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: hetcc [options] file...\n"
	"\n"
	"Compiles and links CUDA programs whose kernels can be paused and resumed. Options are\n"
	"those of clang++, and those of nvcc that have a meaning for it (make NVCC=hetcc); a CUDA\n"
	"toolkit is used where there is one, and not needed.\n"
	"\n"
	"  -c                    compile to object files, do not link\n"
	"  -o FILE               name of the output\n"
	"  -O0 ... -O3, -Os      optimisation; -O2 unless given\n"
	"  -g                    debug information; names variables in snapshots\n"
	"  -I DIR, -D NAME[=V], -L DIR, -l LIB, -std=..., -W..., -f..., -m...\n"
	"                        as for clang++\n"
	"  --arch=sm_NN[,...]    GPU architectures; also --cuda-gpu-arch= and --offload-arch=\n"
	"                        (default sm_75: PTX that later GPUs compile for themselves)\n"
	"  --targets=T[,...]     also translate for these targets now, so that the program runs\n"
	"                        where there is no LLVM: cpu:x86-64-v2, -v3, -v4, cpu:native; cpu is v2\n"
	"  --cuda-path=DIR       the CUDA toolkit to use (default $CUDA_PATH or /usr/local/cuda)\n"
	"  --no-toolkit          use no CUDA toolkit even if there is one\n"
	"  --no-instrument       leave kernels as they are; hetckpt run refuses them\n"
	"  --ptx                 write the device code as PTX and stop\n"
	"  --fatbin              write the fat binary and stop\n"
	"  -Xhetckpt OPT         option of the compiler pass: poll-interval=MICROSECONDS,\n"
	"                        poll-stride=ITERATIONS, exact-math\n"
	"  -Xdevice OPT          pass OPT to the device compilation only\n"
	"  -Xhost OPT            pass OPT to the host compilation only\n"
	"  -v                    print the commands that are run\n"
	"  -###                  print the commands, run none\n"
	"  --help, --version\n"
	"\n"
	"HETCC_CLANG names the clang++ to use (default clang++-22). See hetcc(1).\n";

/* Options whose value is the next word, for each compilation. */
static const char *const with_value[] = {
	"-D", "-U", "-I", "-include", "-imacros", "-isystem", "-iquote", "-idirafter", "-iprefix",
	"-isysroot", "-Xclang", "-Xpreprocessor", "-mllvm", "-target", "--param", "-Xassembler",
	"-ccc-gcc-name", "-ftemplate-depth", NULL
};
/* The same, of the host compilation: dependency files must be written once. */
static const char *const host_with_value[] = {"-MF", "-MT", "-MQ", NULL};
static const char *const link_with_value[] = {
	"-L", "-l", "-Xlinker", "-T", "-u", "-z", "-rpath", "-soname", "-e", NULL
};

static bool among(const char *const *names, const char *text)
{
	for (; *names; names++)
		if (!strcmp(*names, text))
			return true;
	return false;
}

bool hetcc_option_takes_word(const char *option)
{
	static const char *const own[] = {"-o", "-x", "-Xhetckpt", "-Xdevice", "-Xhost", NULL};

	return among(own, option) || among(with_value, option) || among(host_with_value, option) ||
	       among(link_with_value, option);
}

static const char *after(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) ? NULL : text + length;
}

static int input_add(struct hetcc_options *o, enum hetcc_kind kind, const char *text, const char *language)
{
	struct hetcc_input *grown = realloc(o->input, (o->inputs + 1) * sizeof *grown);

	if (!grown)
		return hetcc_fail(-ENOMEM, "out of memory");
	o->input = grown;
	o->input[o->inputs++] = (struct hetcc_input){kind, text, language};
	if (kind != HETCC_KIND_LINK_OPTION)
		o->sources++;
	return 0;
}

static int file_add(struct hetcc_options *o, const char *path, const char *language)
{
	static const char *const sources[] = {".c", ".cc", ".cp", ".cpp", ".cxx", ".c++", ".C", ".i",
	                                      ".ii", ".s", ".S", ".ll", ".bc", NULL};
	static const char *const objects[] = {".o", ".obj", ".a", ".so", ".lo", NULL};
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');

	if (language) {
		if (!strcmp(language, "cuda"))
			return input_add(o, HETCC_KIND_CUDA, path, language);
		return input_add(o, HETCC_KIND_SOURCE, path, language);
	}
	if (dot && !strcmp(dot, ".cu"))
		return input_add(o, HETCC_KIND_CUDA, path, NULL);
	if (dot && among(sources, dot))
		return input_add(o, HETCC_KIND_SOURCE, path, NULL);
	if ((dot && among(objects, dot)) || strstr(path, ".so."))
		return input_add(o, HETCC_KIND_OBJECT, path, NULL);
	return hetcc_fail(-EINVAL, "%s: not a source, an object or a library by its name (see -x)", path);
}

bool hetcc_input_is_c(const struct hetcc_input *input)
{
	const char *dot = strrchr(input->path, '.');

	return input->kind == HETCC_KIND_SOURCE && !input->language && dot && !strcmp(dot, ".c");
}

/* Splits at commas; each part must be accepted. */
static int split(struct hetcc_list *list, const char *text, const char *option,
                 bool (*valid)(const char *))
{
	char *copy = hetcc_format("%s", text), *rest = copy, *part;

	while ((part = strsep(&rest, ",")) != NULL) {
		bool known = false;

		if (!valid(part))
			return hetcc_fail(-EINVAL, "%s: unknown %s", part, option);
		for (size_t i = 0; i < list->count; i++)
			known |= !strcmp(list->item[i], part);
		if (!known)
			hetcc_list_add(list, part);
	}
	return 0;
}

static bool arch_valid(const char *text)
{
	const char *digits = after(text, "sm_");
	size_t n = digits ? strspn(digits, "0123456789") : 0;

	if (n < 2 || n > 3)
		return false;
	return !digits[n] || ((digits[n] == 'a' || digits[n] == 'f') && !digits[n + 1]);
}

static bool target_valid(const char *text)
{
	static const char *const cpus[] = {"cpu", "cpu:x86-64-v2", "cpu:x86-64-v3", "cpu:x86-64-v4",
	                                   "cpu:native", NULL};

	return among(cpus, text);
}

static int mode_set(struct hetcc_options *o, enum hetcc_mode mode, const char *option)
{
	if (o->mode_option && strcmp(o->mode_option, option))
		return hetcc_fail(-EINVAL, "%s and %s exclude each other", o->mode_option, option);
	o->mode = mode;
	o->mode_option = option;
	return 0;
}

static int consistent(const struct hetcc_options *o)
{
	if (!o->sources)
		return hetcc_fail(-EINVAL, "no input files");
	if (o->output && o->mode != HETCC_MODE_LINK && o->sources > 1)
		return hetcc_fail(-EINVAL, "-o %s: %s has several outputs here", o->output, o->mode_option);
	if (o->mode == HETCC_MODE_PTX && o->archs.count > 1)
		return hetcc_fail(-EINVAL, "--ptx: more than one architecture");
	if (o->no_toolkit && o->cuda_path)
		return hetcc_fail(-EINVAL, "--no-toolkit and --cuda-path exclude each other");
	if (o->no_instrument && o->targets.count)
		return hetcc_fail(-EINVAL, "--targets needs the portable image that --no-instrument leaves out");
	for (size_t i = 0; i < o->inputs; i++) {
		bool cuda = o->input[i].kind == HETCC_KIND_CUDA;

		if ((o->mode == HETCC_MODE_PTX || o->mode == HETCC_MODE_FATBIN) && !cuda &&
		    o->input[i].kind != HETCC_KIND_LINK_OPTION)
			return hetcc_fail(-EINVAL, "%s: %s wants CUDA sources", o->input[i].path, o->mode_option);
	}
	return 0;
}

/* One option that is hetcc's business. 1: it is not. */
static int own_option(struct hetcc_options *o, const char *a)
{
	const char *v;

	if (!strcmp(a, "-c") || !strcmp(a, "-S"))
		return mode_set(o, HETCC_MODE_COMPILE, a);
	if (!strcmp(a, "-E") || !strcmp(a, "-M") || !strcmp(a, "-MM") || !strcmp(a, "-fsyntax-only"))
		return mode_set(o, HETCC_MODE_PREPROCESS, a);
	if (!strcmp(a, "--ptx") || !strcmp(a, "-ptx"))
		return mode_set(o, HETCC_MODE_PTX, "--ptx");
	if (!strcmp(a, "--fatbin") || !strcmp(a, "-fatbin"))
		return mode_set(o, HETCC_MODE_FATBIN, "--fatbin");
	if (!strcmp(a, "-v"))
		o->verbose = true;
	else if (!strcmp(a, "-###"))
		o->dry_run = true;
	else if (!strcmp(a, "--no-toolkit") || !strcmp(a, "-nocudainc") || !strcmp(a, "-nocudalib") ||
	         !strcmp(a, "-nogpuinc") || !strcmp(a, "-nogpulib"))
		o->no_toolkit = true;
	else if (!strcmp(a, "--no-instrument"))
		o->no_instrument = true;
	else if ((v = after(a, "--cuda-path=")))
		o->cuda_path = v;
	else if ((v = after(a, "--targets=")))
		return split(&o->targets, v, "target", target_valid);
	else if ((v = after(a, "--arch=")) || (v = after(a, "--cuda-gpu-arch=")) ||
	         (v = after(a, "--offload-arch=")))
		return split(&o->archs, v, "GPU architecture", arch_valid);
	else if (!strcmp(a, "-fgpu-rdc"))
		return hetcc_fail(-ENOTSUP, "%s: device code of several files cannot be linked together; "
		                  "kernels and what they call must be in one file", a);
	else
		return 1;
	return 0;
}

/* Options for one side or for the linker, and everything else. */
static int other_option(struct hetcc_options *o, const char *a)
{
	if (after(a, "-l") || after(a, "-L") || after(a, "-Wl,") || !strcmp(a, "-shared") ||
	    !strcmp(a, "-static") || !strcmp(a, "-rdynamic") || !strcmp(a, "-nostdlib") ||
	    !strcmp(a, "-nodefaultlibs") || !strcmp(a, "-nostartfiles") || !strcmp(a, "-pie") ||
	    !strcmp(a, "-no-pie") || !strcmp(a, "-s") || after(a, "-static-lib") ||
	    after(a, "-fuse-ld=") || after(a, "--ld-path="))
		return input_add(o, HETCC_KIND_LINK_OPTION, a, NULL);
	if (!strcmp(a, "-MD") || !strcmp(a, "-MMD") || !strcmp(a, "-MP") || !strcmp(a, "-MG") ||
	    after(a, "-MF") || after(a, "-MT") || after(a, "-MQ")) {
		hetcc_list_add(&o->host, a);
		return 0;
	}
	hetcc_list_add(&o->common, a);
	/* Sanitizers, threads, coverage and link-time optimisation concern the link as well. */
	if (!strcmp(a, "-pthread") || after(a, "-fopenmp") || after(a, "-fsanitize") || after(a, "--target=") ||
	    !strcmp(a, "--coverage") || after(a, "-stdlib=") || after(a, "--sysroot="))
		return input_add(o, HETCC_KIND_LINK_OPTION, a, NULL);
	return 0;
}

int hetcc_options_parse(int given, char **words, struct hetcc_options *o)
{
	struct hetcc_list rewritten = {0};
	const char *language = NULL;
	bool files_only = false;
	char **argv;
	int argc, r;

	*o = (struct hetcc_options){0};
	r = hetcc_nvcc_options(given, words, &rewritten);
	argc = (int)rewritten.count;
	argv = rewritten.item;
	for (int i = 1; i < argc && !r; i++) {
		const char *a = argv[i], *value;
		struct hetcc_list *list = NULL;

		if (files_only || a[0] != '-' || !a[1]) {
			r = a[1] || a[0] != '-' ? file_add(o, a, language)
			                        : hetcc_fail(-ENOTSUP, "-: sources cannot be read from standard input");
			continue;
		}
		if (!strcmp(a, "--")) {
			files_only = true;
			continue;
		}
		if (!strcmp(a, "--help") || !strcmp(a, "-h")) {
			fputs(help, stdout);
			r = 1;
			continue;
		}
		if (!strcmp(a, "--version")) {
			puts("hetcc (hetckpt) " HETCKPT_VERSION);
			r = 1;
			continue;
		}
		r = own_option(o, a);
		if (r <= 0)
			continue;
		r = 0;

		/* The value may be the next word. */
		if (hetcc_option_takes_word(a)) {
			if (++i >= argc) {
				r = hetcc_fail(-EINVAL, "%s: value missing", a);
				continue;
			}
			value = argv[i];
			if (!strcmp(a, "-o")) {
				o->output = value;
			} else if (!strcmp(a, "-x")) {
				language = strcmp(value, "none") ? value : NULL;
			} else if (!strcmp(a, "-Xhetckpt")) {
				hetcc_list_addf(&o->pass, "-hetckpt-%s", value);
			} else if (!strcmp(a, "-Xdevice")) {
				hetcc_list_add(&o->device, value);
			} else if (!strcmp(a, "-Xhost")) {
				hetcc_list_add(&o->host, value);
			} else if (among(link_with_value, a)) {
				r = input_add(o, HETCC_KIND_LINK_OPTION, a, NULL);
				if (!r)
					r = input_add(o, HETCC_KIND_LINK_OPTION, value, NULL);
			} else {
				list = among(host_with_value, a) ? &o->host : &o->common;
				hetcc_list_add(list, a);
				hetcc_list_add(list, value);
			}
			continue;
		}
		if ((value = after(a, "-o")))
			o->output = value;
		else if ((value = after(a, "-x")))
			language = strcmp(value, "none") ? value : NULL;
		else
			r = other_option(o, a);
	}
	hetcc_list_free(&rewritten);
	if (!r && !o->archs.count)
		hetcc_list_add(&o->archs, "sm_75");
	return r ? r : consistent(o);
}

void hetcc_options_free(struct hetcc_options *o)
{
	hetcc_list_free(&o->archs);
	hetcc_list_free(&o->targets);
	hetcc_list_free(&o->common);
	hetcc_list_free(&o->host);
	hetcc_list_free(&o->device);
	hetcc_list_free(&o->pass);
	free(o->input);
}
