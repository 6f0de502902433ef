/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * command.h - what the subcommands share: exit codes, arguments, messages.
 *
 * A subcommand is int hetckpt_command_NAME(int argc, char **argv): argv[0] is
 * "hetckpt NAME", so that messages of getopt name it. It returns the exit status.
 */
#ifndef HETCKPT_DRIVER_COMMAND_H
#define HETCKPT_DRIVER_COMMAND_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "runtime/common/error.h"

enum hetckpt_exit {
	HETCKPT_EXIT_OK = 0,
	HETCKPT_EXIT_FAILURE = 1,
	HETCKPT_EXIT_USAGE = 2,
	HETCKPT_EXIT_NO_SESSION = 3,  /* no such session, or the ID fits several */
	HETCKPT_EXIT_DAMAGED = 4,     /* the snapshot is damaged or of another version */
	HETCKPT_EXIT_RUN_FAILED = 125,/* run: hetckpt itself failed */
	HETCKPT_EXIT_RUN_REFUSED = 126,
	HETCKPT_EXIT_RUN_MISSING = 127,
	HETCKPT_EXIT_KILLED = 137     /* ended by a checkpoint that kills */
};

int hetckpt_command_run(int argc, char **argv);
int hetckpt_command_restore(int argc, char **argv);
int hetckpt_command_ps(int argc, char **argv);
int hetckpt_command_pause(int argc, char **argv);
int hetckpt_command_resume(int argc, char **argv);
int hetckpt_command_checkpoint(int argc, char **argv);
int hetckpt_command_migrate(int argc, char **argv);
int hetckpt_command_inspect(int argc, char **argv);
int hetckpt_command_verify(int argc, char **argv);
int hetckpt_command_devices(int argc, char **argv);

/* Prints "hetckpt: message" to stderr and returns status. */
int hetckpt_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints "hetckpt NAME: message" and where help is; returns HETCKPT_EXIT_USAGE. */
int hetckpt_usage_error(char **argv, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The second line of that alone, for where getopt has printed the first. */
int hetckpt_usage_hint(char **argv);

/* Prints help to stdout; HETCKPT_EXIT_OK, or FAILURE if stdout cannot be written. */
int hetckpt_help(const char *text);

/* Flushes stdout: HETCKPT_EXIT_OK, or FAILURE with a message (disk full, pipe closed). */
int hetckpt_stdout_finish(void);

/* Parses a whole decimal number in [low, high]: 0 or -EINVAL. */
int hetckpt_number_parse(const char *text, long long low, long long high, long long *out);

/* Parses a size: a whole number with K, M, G or T (powers of 1024), or without for bytes. 0 or
   -EINVAL, also for 0 and for more than 2^62. */
int hetckpt_size_parse(const char *text, long long *bytes);

/* True for the ways in which a migration can carry memory. */
#define HETCKPT_VIA_LIST "auto, peer, stage or file"
bool hetckpt_via_valid(const char *text);

/* Parses "x,y,z", "x,y" or "x"; missing parts are 0. */
int hetckpt_triple_parse(const char *text, unsigned out[3]);

/* Parses "none", "zstd" or "zstd:LEVEL" (1 to 19); level is 0 if not given. */
int hetckpt_compress_parse(const char *text, const char **method, int *level);

/* Parses "every-poll", "random", "random:SEED" or "random:SEED:PERIOD_US". */
int hetckpt_stress_parse(const char *text, const char **mode, long long *seed,
			 long long *period_us);

/* True for names of sessions: letters, digits, '.', '_', '-', at most 63, no leading '-' or '.'. */
bool hetckpt_name_valid(const char *text);

/* True for what looks like a device: letters and '_', then optionally ':' and a number. */
bool hetckpt_device_valid(const char *text);

/* Quotes for shells where needed and joins with spaces; malloc'ed. */
char *hetckpt_command_join(char *const *argv);

#endif
