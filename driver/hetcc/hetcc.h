/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * hetcc.h - the parts of the compiler driver.
 *
 *   nvcc      nvcc's options in clang's words
 *   options   the command line, sorted by who needs it
 *   toolchain where clang, the pass, headers, libraries and a CUDA toolkit are
 *   process   argument vectors, running programs, temporary files
 *   device    one CUDA source to one fat binary
 *   main      the steps: device code, host objects, link
 *
 * Functions return 0 or a negative errno after they have printed one line that says
 * what is wrong; a program that hetcc ran and that failed has said so itself, and
 * then the result is -ECHILD.
 */
#ifndef HETCKPT_HETCC_H
#define HETCKPT_HETCC_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* A growing vector of strings, always ended by NULL. Strings are not copied. */
struct hetcc_list {
	char **item;
	size_t count, room;
};

/* -ENOMEM is fatal in a compiler driver: it prints and exits. */
void hetcc_list_add(struct hetcc_list *list, const char *text);
void hetcc_list_addf(struct hetcc_list *list, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void hetcc_list_join(struct hetcc_list *list, const struct hetcc_list *other);
void hetcc_list_free(struct hetcc_list *list);

/* A formatted string that lives until the program ends. */
char *hetcc_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints "hetcc: message" to stderr and returns error. */
int hetcc_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- Command line ------------------------------------------------------ */

enum hetcc_mode {
	HETCC_MODE_LINK,        /* to an executable or shared object */
	HETCC_MODE_COMPILE,     /* -c, -S */
	HETCC_MODE_PREPROCESS,  /* -E, -M, -MM, -fsyntax-only: host side only */
	HETCC_MODE_PTX,         /* --ptx */
	HETCC_MODE_FATBIN       /* --fatbin */
};

enum hetcc_kind { HETCC_KIND_CUDA, HETCC_KIND_SOURCE, HETCC_KIND_OBJECT, HETCC_KIND_LINK_OPTION };

struct hetcc_input {
	enum hetcc_kind kind;
	const char *path;     /* or the option */
	const char *language; /* of -x, or NULL */
};

struct hetcc_options {
	enum hetcc_mode mode;
	const char *mode_option;      /* as written, for clang */
	const char *output;           /* -o, or NULL */
	const char *cuda_path;        /* --cuda-path, or NULL */
	bool no_toolkit, no_instrument, verbose, dry_run;
	struct hetcc_input *input;    /* inputs and link options in their order */
	size_t inputs, sources;       /* entries of input; of these, files */
	struct hetcc_list archs;      /* "sm_75", ... */
	struct hetcc_list targets;    /* of --targets */
	struct hetcc_list common;     /* for each compilation */
	struct hetcc_list host;       /* host compilations only */
	struct hetcc_list device;     /* device compilations only */
	struct hetcc_list pass;       /* -hetckpt-... for the pass */
};

/* Writes a command line with nvcc's options in clang's words; words are copied or argv's own. */
int hetcc_nvcc_options(int argc, char **argv, struct hetcc_list *out);

/* The option's value is the next word. */
bool hetcc_option_takes_word(const char *option);

/* A source that is C by its name. */
bool hetcc_input_is_c(const struct hetcc_input *input);

/* 1: nothing is left to do (--help, --version). */
int hetcc_options_parse(int argc, char **argv, struct hetcc_options *options);
void hetcc_options_free(struct hetcc_options *options);

/* ---- Toolchain --------------------------------------------------------- */

struct hetcc_toolchain {
	const char *clang;            /* clang++ */
	const char *include;          /* the project's CUDA headers */
	const char *pass;             /* hetckpt-pass.so, or NULL with --no-instrument */
	const char *devicelib;        /* bitcode, used without a toolkit */
	const char *cudart;           /* the project's libcudart */
	const char *translate;        /* hetckpt-translate */
	const char *toolkit;          /* CUDA toolkit, or NULL */
};

/*
 * Finds everything that the options need: relative to hetcc's own path, clang by
 * $HETCC_CLANG or as clang++-22, a toolkit by --cuda-path, $CUDA_PATH or in
 * /usr/local/cuda. -ENOENT names what is missing.
 */
int hetcc_toolchain_find(const struct hetcc_options *options, struct hetcc_toolchain *toolchain);

/* ---- Processes --------------------------------------------------------- */

/* Prints the command if the options want it; runs it, unless -###, and waits. */
int hetcc_run(const struct hetcc_options *options, const struct hetcc_list *command);

/* A path in this run's temporary folder, which is made at the first call. */
char *hetcc_temporary(const char *stem, const char *extension);
/* Removes the folder and what is in it. */
void hetcc_temporary_remove(void);

int hetcc_file_read(const char *path, unsigned char **data, size_t *bytes);
int hetcc_file_write(const char *path, const void *data, size_t bytes);

/* ---- Device code ------------------------------------------------------- */

/* What host and device compilation of one source share. */
void hetcc_source_arguments(const struct hetcc_options *options,
                            const struct hetcc_toolchain *toolchain,
                            const struct hetcc_input *input, struct hetcc_list *command);

/* Compiles the device code of a CUDA source for one architecture to PTX. */
int hetcc_device_ptx(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain,
                     const struct hetcc_input *input, const char *arch, const char *output);

/* Compiles for all architectures and targets and makes the fat binary. */
int hetcc_device_fatbin(const struct hetcc_options *options, const struct hetcc_toolchain *toolchain,
                        const struct hetcc_input *input, const char *output);

#endif
