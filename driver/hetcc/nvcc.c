/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * nvcc's command line, so that a program's own makefile does with NVCC=hetcc.
 *
 * nvcc's options have names of their own, short and long ones, with their value after a space or
 * after "=", and values are lists that commas divide. What has a meaning for clang is written in clang's
 * words here, before anything else looks at the command line; what concerns how NVIDIA's tools are run is
 * left out. Names: the CUDA Compiler Driver's documentation, "NVCC Command Options".
 */
#include "hetcc.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum action {
	NONE,     /* left out */
	WORDS,    /* the words of `to` instead; with a value, that is left out */
	APPENDED, /* `to` and the value in one word */
	FOLLOWED, /* `to`, and the value as a word of its own */
	EACH,     /* the same for each part of the value */
	HOST,     /* each part for the host compiler, and for the link what concerns it */
	GENCODE, ARCH, STREAM, FLUSH, FUSE, SEPARATE
};

static const struct nvcc_option {
	const char *brief, *full; /* -brief, --full; nvcc takes -full as well */
	bool value;
	enum action action;
	const char *to;
} known[] = {
	{"Xcompiler", "compiler-options", true, HOST, "-Xhost"},
	{"Xlinker", "linker-options", true, EACH, "-Xlinker"},
	{"Xptxas", "ptxas-options", true, NONE, NULL},
	{"Xnvlink", "nvlink-options", true, NONE, NULL},
	{"Xarchive", "archive-options", true, NONE, NULL},
	{"Xcudafe", NULL, true, NONE, NULL},
	{"Xfatbin", NULL, true, NONE, NULL},
	{"gencode", "generate-code", true, GENCODE, NULL},
	{NULL, "gpu-architecture", true, ARCH, NULL},
	{"code", "gpu-code", true, ARCH, NULL},
	{"default-stream", "default-stream", true, STREAM, NULL},
	{"use_fast_math", "use_fast_math", false, WORDS,
	 "-Xdevice -fgpu-approx-transcendentals -Xdevice -fgpu-flush-denormals-to-zero"},
	{"ftz", "ftz", true, FLUSH, NULL},
	{"fmad", "fmad", true, FUSE, NULL},
	{"prec-div", "prec-div", true, NONE, NULL},
	{"prec-sqrt", "prec-sqrt", true, NONE, NULL},
	{"maxrregcount", "maxrregcount", true, NONE, NULL},
	{"lineinfo", "generate-line-info", false, WORDS, "-Xdevice -gline-tables-only"},
	{"G", "device-debug", false, WORDS, "-g"},
	{"g", "debug", false, WORDS, "-g"},
	{"O", "optimize", true, APPENDED, "-O"},
	{"std", "std", true, APPENDED, "-std="},
	{"m", "machine", true, NONE, NULL},
	{"m64", NULL, false, NONE, NULL},
	{"ccbin", "compiler-bindir", true, NONE, NULL},
	{"allow-unsupported-compiler", "allow-unsupported-compiler", false, NONE, NULL},
	{"cudart", "cudart", true, NONE, NULL},
	{"cudadevrt", "cudadevrt", true, NONE, NULL},
	{"rdc", "relocatable-device-code", true, SEPARATE, NULL},
	{"dc", "device-c", false, SEPARATE, "-c"},
	{"expt-relaxed-constexpr", "expt-relaxed-constexpr", false, NONE, NULL},
	{"expt-extended-lambda", "expt-extended-lambda", false, NONE, NULL},
	{"extended-lambda", "extended-lambda", false, NONE, NULL},
	{"extra-device-vectorization", "extra-device-vectorization", false, NONE, NULL},
	{"restrict", "restrict", false, NONE, NULL},
	{"res-usage", "resource-usage", false, NONE, NULL},
	{"src-in-ptx", "source-in-ptx", false, NONE, NULL},
	{"keep", "keep", false, NONE, NULL},
	{"keep-dir", "keep-dir", true, NONE, NULL},
	{"save-temps", "save-temps", false, NONE, NULL},
	{"t", "threads", true, NONE, NULL},
	{"split-compile", "split-compile", true, NONE, NULL},
	{"diag-suppress", "diag-suppress", true, NONE, NULL},
	{"diag-warn", "diag-warn", true, NONE, NULL},
	{"diag-error", "diag-error", true, NONE, NULL},
	{"err-no", "display-error-number", false, NONE, NULL},
	{"no-err-no", "no-display-error-number", false, NONE, NULL},
	{NULL, "forward-unknown-to-host-compiler", false, NONE, NULL},
	{"forward-unknown-to-host-compiler", NULL, false, NONE, NULL},
	{NULL, "disable-warnings", false, WORDS, "-w"},
	{"Wno-deprecated-gpu-targets", NULL, false, NONE, NULL},
	{"Wno-deprecated-declarations", NULL, false, WORDS, "-Wno-deprecated-declarations"},
	{"lto", "lto", false, NONE, NULL},
	{"dlto", "dlink-time-opt", false, NONE, NULL},
	{NULL, "output-file", true, FOLLOWED, "-o"},
	{NULL, "include-path", true, EACH, "-I"},
	{NULL, "system-include", true, EACH, "-isystem"},
	{NULL, "pre-include", true, EACH, "-include"},
	{NULL, "define-macro", true, EACH, "-D"},
	{NULL, "undefine-macro", true, EACH, "-U"},
	{NULL, "library", true, EACH, "-l"},
	{NULL, "library-path", true, EACH, "-L"},
	{NULL, "x", true, FOLLOWED, "-x"},
	{NULL, "compile", false, WORDS, "-c"},
	{NULL, "preprocess", false, WORDS, "-E"},
	{NULL, "shared", false, WORDS, "-shared"},
	{NULL, "verbose", false, WORDS, "-v"},
	{"dryrun", "dryrun", false, WORDS, "-###"},
	/* The project's own runtime is linked in any case, and is never part of a program. */
	{"lcudart", NULL, false, NONE, NULL},
	{"lcudart_static", NULL, false, NONE, NULL},
	{"lcudadevrt", NULL, false, NONE, NULL},
};

/* What nvcc calls by -Werror VALUE; clang's -Werror has none. */
static bool is_error_kind(const char *word)
{
	static const char *const kinds[] = {"all-warnings", "cross-execution-space-call", "reorder",
	                                    "default-stream-launch", "missing-launch-bounds",
	                                    "ext-lambda-captures-this", "deprecated-declarations"};
	size_t length = word ? strcspn(word, ",") : 0;

	for (size_t i = 0; length && i < sizeof kinds / sizeof *kinds; i++)
		if (strlen(kinds[i]) == length && !strncmp(kinds[i], word, length))
			return true;
	return false;
}

/* The option that a word is, and where its value begins in the word; NULL: it stands in the next one. */
static const struct nvcc_option *find(const char *word, const char **value)
{
	bool full = word[1] == '-';
	const char *name = word + 1 + full;
	size_t length = strcspn(name, "=");

	*value = name[length] ? name + length + 1 : NULL;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		const struct nvcc_option *k = &known[i];

		if (*value && !k->value)
			continue;
		if ((k->full && strlen(k->full) == length && !strncmp(k->full, name, length) &&
		     (full || strchr(k->full, '-') || strchr(k->full, '_'))) ||
		    (k->brief && !full && strlen(k->brief) == length && !strncmp(k->brief, name, length)))
			return k;
	}
	return NULL;
}

/* What is a word of its own for the option `to`. */
static void pair(struct hetcc_list *out, const char *to, const char *value)
{
	hetcc_list_add(out, to);
	hetcc_list_add(out, value);
}

/* Splits text at any of the characters; quotes and brackets are left out. */
static void each(struct hetcc_list *out, const char *to, const char *text, const char *at)
{
	char *copy = hetcc_format("%s", text), *rest = copy, *part;

	while ((part = strsep(&rest, at)) != NULL)
		if (*part)
			pair(out, to, part);
}

/* "sm_90", "compute_90a", "native", ...: those that name one become clang's. */
static void architecture(struct hetcc_list *out, const char *text)
{
	const char *number = strchr(text, '_');

	if (number && isdigit((unsigned char)number[1]))
		hetcc_list_addf(out, "--arch=sm_%s", number + 1);
}

static void architectures(struct hetcc_list *out, const char *text)
{
	char *copy = hetcc_format("%s", text), *rest = copy, *part;

	while ((part = strsep(&rest, "[]\",")) != NULL)
		architecture(out, part);
}

/* arch=compute_80,code=[sm_86,compute_80]: code says what there is to be, arch alone stands for both. */
static void generate(struct hetcc_list *out, const char *text)
{
	const char *code = strstr(text, "code=");

	architectures(out, code ? code + strlen("code=") : text);
}

/* What concerns the link as well is hetcc's to hand out. */
static void host(struct hetcc_list *out, const char *text)
{
	static const char *const links[] = {"-fopenmp", "-pthread", "-fsanitize", "-pg", "-static-lib", "-rdynamic",
	                                    "-Wl,"};
	char *copy = hetcc_format("%s", text), *rest = copy, *part;

	while ((part = strsep(&rest, ", \t\"'")) != NULL) {
		bool link = false;

		if (!*part)
			continue;
		for (size_t i = 0; i < sizeof links / sizeof *links; i++)
			link |= !strncmp(part, links[i], strlen(links[i]));
		if (link)
			hetcc_list_add(out, part);
		else
			pair(out, "-Xhost", part);
	}
}

static void translate(struct hetcc_list *out, const struct nvcc_option *k, const char *word_given, const char *value)
{
	char *copy, *word;

	switch (k->action) {
	case NONE:
		break;
	case WORDS:
		copy = hetcc_format("%s", k->to);
		while ((word = strsep(&copy, " ")) != NULL)
			hetcc_list_add(out, word);
		break;
	case APPENDED:
		hetcc_list_addf(out, "%s%s", k->to, value);
		break;
	case FOLLOWED:
		pair(out, k->to, !strcmp(k->to, "-x") && !strcmp(value, "cu") ? "cuda" : value);
		break;
	case EACH:
		each(out, k->to, value, ",");
		break;
	case HOST:
		host(out, value);
		break;
	case GENCODE:
		generate(out, value);
		break;
	case ARCH:
		architectures(out, value);
		break;
	case STREAM:
		if (!strcmp(value, "per-thread"))
			hetcc_list_add(out, "-fgpu-default-stream=per-thread");
		break;
	case FLUSH:
		if (!strcmp(value, "true"))
			pair(out, "-Xdevice", "-fgpu-flush-denormals-to-zero");
		break;
	case FUSE:
		if (!strcmp(value, "false"))
			pair(out, "-Xdevice", "-ffp-contract=off");
		break;
	case SEPARATE:
		if (!value || !strcmp(value, "true"))
			fprintf(stderr, "hetcc: warning: %s: device code of each file is compiled and linked by itself\n",
			        word_given);
		if (k->to)
			hetcc_list_add(out, k->to);
		break;
	}
}

int hetcc_nvcc_options(int argc, char **argv, struct hetcc_list *out)
{
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i], *value;
		const struct nvcc_option *k;

		if (i && !strcmp(word, "--")) {
			while (i < argc)
				hetcc_list_add(out, argv[i++]);
			break;
		}
		if (!i || word[0] != '-' || !word[1]) {
			hetcc_list_add(out, word);
			continue;
		}
		if ((!strcmp(word, "-Werror") || !strcmp(word, "--Werror")) && is_error_kind(argv[i + 1])) {
			i++;
			continue;
		}
		/* A macro that CUDA's headers take for the option; clang wants the option. */
		if (strstr(word, "CUDA_API_PER_THREAD_DEFAULT_STREAM") && !strncmp(word, "-D", 2))
			hetcc_list_add(out, "-fgpu-default-stream=per-thread");
		if (!strcmp(word, "-x") && argv[i + 1] && !strcmp(argv[i + 1], "cu")) {
			pair(out, "-x", "cuda");
			i++;
			continue;
		}
		if ((!strcmp(word, "-arch") && argv[i + 1]) || !strncmp(word, "-arch=", 6)) {
			value = word[5] ? word + 6 : argv[++i];
			/* clang's names go through, so that a mistake is named. */
			if (strncmp(value, "sm_", 3) && (strchr(value, '_') || !strncmp(value, "all", 3) ||
			                                 !strcmp(value, "native")))
				architectures(out, value);
			else
				hetcc_list_addf(out, "--arch=%s", value);
			continue;
		}
		k = find(word, &value);
		/* -O alone is clang's. */
		if (k && !strcmp(word, "-O") && !(argv[i + 1] && isdigit((unsigned char)argv[i + 1][0])))
			k = NULL;
		if (k && k->value && !value) {
			if (!argv[i + 1])
				return hetcc_fail(-EINVAL, "%s: value missing", word);
			value = argv[++i];
		}
		if (k)
			translate(out, k, word, value);
		else
			hetcc_list_add(out, word);
		/* What clang takes with the next word is not an option, whatever it looks like. */
		if (!k && hetcc_option_takes_word(word) && argv[i + 1])
			hetcc_list_add(out, argv[++i]);
	}
	return 0;
}
