/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Starting the application. The loader takes a preloaded library for every later one of
 * the same SONAME, so preloading ours decides which CUDA runtime the program gets,
 * whatever its RPATH says. Preloading is only right for programs that need that very
 * major version; for others (a shell, an interpreter) the library path is extended, so
 * that what they load or start finds ours first.
 */
#define _GNU_SOURCE
#include "supervisor.h"

#include "elf_needs.h"
#include "paths.h"
#include "runtime/common/timeline.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

/* A copy of our environment that can be changed; strings are malloc'ed. */
struct environment { char **list; size_t count; };

static int environment_set(struct environment *env, const char *name, const char *value)
{
	size_t n = strlen(name);
	char *text, **more;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < env->count; i++) {
		if (!strncmp(env->list[i], name, n) && env->list[i][n] == '=') {
			free(env->list[i]);
			env->list[i] = text;
			return 0;
		}
	}
	more = realloc(env->list, (env->count + 2) * sizeof *more);
	if (!more) {
		free(text);
		return -ENOMEM;
	}
	env->list = more;
	more[env->count++] = text;
	more[env->count] = NULL;
	return 0;
}

static const char *environment_get(const struct environment *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < env->count; i++)
		if (!strncmp(env->list[i], name, n) && env->list[i][n] == '=')
			return env->list[i] + n + 1;
	return NULL;
}

/* Puts value in front of a list. */
static int environment_prepend(struct environment *env, const char *name, const char *value,
			       char separator)
{
	const char *old = environment_get(env, name);
	char *text;
	int rc;

	if (!old || !*old)
		return environment_set(env, name, value);
	if (asprintf(&text, "%s%c%s", value, separator, old) < 0)
		return -ENOMEM;
	rc = environment_set(env, name, text);
	free(text);
	return rc;
}

static void environment_free(struct environment *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->list[i]);
	free(env->list);
}

static int environment_make(struct environment *env, char *const *extra)
{
	int rc = 0;

	memset(env, 0, sizeof *env);
	for (int round = 0; round < 2; round++) {
		char *const *from = round ? extra : environ;

		for (; !rc && from && *from; from++) {
			char *copy = strdup(*from), *equals = copy ? strchr(copy, '=') : NULL;

			if (equals) {
				*equals = 0;
				rc = environment_set(env, copy, equals + 1);
			} else if (!copy) {
				rc = -ENOMEM;
			}
			free(copy);
		}
	}
	return rc;
}

/* Preloads the runtime of each major version that the program needs; *count of them. */
static int preload(struct environment *env, const struct hetckpt_elf_needs *needs, int *count,
		   struct hetckpt_error *error)
{
	char path[PATH_MAX];

	*count = 0;
	for (int major = HETCKPT_CUDART_MAJOR_MIN; major <= HETCKPT_CUDART_MAJOR_MAX; major++) {
		int rc;

		if (!(needs->cudart & 1u << major))
			continue;
		rc = hetckpt_path_cudart(major, path, error);
		if (rc)
			return rc;
		/* The loader splits its list at both. */
		if (strpbrk(path, " :"))
			return hetckpt_error_set(error, -EINVAL, 0,
						 "%.400s: LD_PRELOAD cannot take a path with a space or colon",
						 path);
		if (environment_prepend(env, "LD_PRELOAD", path, ':'))
			return hetckpt_error_set(error, -ENOMEM, 0, "no memory");
		++*count;
	}
	return 0;
}

/* What children of the program find, if they were linked dynamically. */
static int extend_library_path(struct environment *env, struct hetckpt_error *error)
{
	char path[PATH_MAX], *slash;

	for (int major = HETCKPT_CUDART_MAJOR_MAX; major >= HETCKPT_CUDART_MAJOR_MIN; major--) {
		if (hetckpt_path_cudart(major, path, NULL))
			continue;
		slash = strrchr(path, '/');
		*slash = 0;
		if (environment_prepend(env, "LD_LIBRARY_PATH", path, ':'))
			return hetckpt_error_set(error, -ENOMEM, 0, "no memory");
		return 0;
	}
	return 0;
}

/* Says what the user should know about how the program was linked. */
static void warn(const struct hetckpt_supervisor *sv, const char *program,
		 const struct hetckpt_elf_needs *needs)
{
	if (needs->cudart_other || needs->cudart >> (HETCKPT_CUDART_MAJOR_MAX + 1) ||
	    needs->cudart & ((1u << HETCKPT_CUDART_MAJOR_MIN) - 1))
		hetckpt_supervisor_note(sv, "warning: %s needs a libcudart.so other than .%d and .%d: it "
					    "will use the vendor's, and its kernels cannot be paused",
					program, HETCKPT_CUDART_MAJOR_MIN, HETCKPT_CUDART_MAJOR_MAX);
	else if (needs->device_code)
		hetckpt_supervisor_note(sv, "warning: %s has the CUDA runtime linked in (cudart_static): its "
					    "kernels cannot be paused; link it with -cudart shared",
					program);
	else if (needs->elf && !needs->dynamic)
		hetckpt_supervisor_note(sv, "warning: %s is linked statically: its kernels cannot be paused",
					program);
	else
		hetckpt_supervisor_note(sv, "warning: %s does not need libcudart.so: only what it loads or "
					    "starts can be paused",
					program);
}

static int prepare(struct hetckpt_supervisor *sv, const char *program, struct environment *env,
		   struct hetckpt_error *error)
{
	struct hetckpt_elf_needs needs;
	int rc, preloaded;

	rc = hetckpt_elf_needs_read(program, &needs, error);
	/* A program that may be executed but not read is the user's choice. */
	if (rc == -EACCES)
		memset(&needs, 0, sizeof needs);
	else if (rc)
		return rc;
	if (needs.dynamic && !needs.cudart)
		hetckpt_elf_needs_indirect(program, &needs);
	rc = preload(env, &needs, &preloaded, error);
	if (rc)
		return rc;
	if (!preloaded) {
		warn(sv, program, &needs);
		rc = extend_library_path(env, error);
	}
	if (!rc && environment_set(env, "HETCKPT_SESSION", sv->entry.socket))
		rc = hetckpt_error_set(error, -ENOMEM, 0, "no memory");
	return rc;
}

/* The signals that start had blocked, or ignored, are as we found them. */
static void signals_restore(posix_spawnattr_t *attributes)
{
	sigset_t none, pipe;

	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &pipe);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

int hetckpt_application_start(struct hetckpt_supervisor *sv, char *const *argv,
			      char *const *extra_env, pid_t *pid, struct hetckpt_error *error)
{
	struct environment env;
	uint64_t begin = hetckpt_timeline_now();
	posix_spawnattr_t attributes;
	char program[PATH_MAX];
	int rc;

	rc = hetckpt_program_find(argv[0], program);
	if (rc)
		return hetckpt_error_set(error, rc, 0, "%s: %s", argv[0],
					 rc == -ENOENT ? "no such program" : strerror(-rc));
	rc = environment_make(&env, extra_env);
	if (rc)
		hetckpt_error_set(error, rc, 0, "no memory");
	else
		rc = prepare(sv, program, &env, error);
	if (!rc) {
		posix_spawnattr_init(&attributes);
		signals_restore(&attributes);
		rc = -posix_spawn(pid, program, NULL, &attributes, argv, env.list);
		posix_spawnattr_destroy(&attributes);
		if (rc)
			hetckpt_error_set(error, rc, 0, "%s: %s", argv[0], strerror(-rc));
		/* A script whose interpreter is missing is a program that cannot be executed. */
		if (rc == -ENOENT)
			rc = -ENOEXEC;
	}
	environment_free(&env);
	hetckpt_timeline_step(begin, "program found and its process made");
	return rc;
}
