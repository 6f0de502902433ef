/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* hetckpt devices: which devices there are. */
#define _GNU_SOURCE
#include "devices.h"

#include "command.h"
#include "output.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char help[] =
	"Usage: hetckpt devices [--json]\n\n"
	"Lists the devices on which sessions can run, by the names that --device and --to\n"
	"take, and why those of other vendors are missing.\n\n"
	"  --json      print facts as JSON\n"
	"  -h, --help  print this\n\n"
	"Exit status: 0 ok, 1 failure, 2 usage.\n";

static int parse(FILE *from, pid_t pid, json_t **list, struct hetckpt_error *error)
{
	json_error_t where;
	int status = 0;

	*list = json_loadf(from, JSON_REJECT_DUPLICATES, &where);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		hetckpt_error_set(error, -EIO, 0, "the worker was killed by signal %d while listing devices",
				  WTERMSIG(status));
	else if (WEXITSTATUS(status))
		hetckpt_error_set(error, -EIO, 0, "the worker cannot list devices (status %d)",
				  WEXITSTATUS(status));
	else if (!json_is_array(json_object_get(*list, "devices")))
		hetckpt_error_set(error, -EPROTO, 0, "the worker's list of devices makes no sense: %s",
				  *list ? "no devices in it" : where.text);
	else
		return 0;
	json_decref(*list);
	*list = NULL;
	return error->code;
}

int hetckpt_devices_query(json_t **list, struct hetckpt_error *error)
{
	char worker[PATH_MAX], *argv[] = {worker, "--list-devices", "--json", NULL};
	posix_spawn_file_actions_t actions;
	int ends[2], rc;
	FILE *from;
	pid_t pid;

	*list = NULL;
	rc = hetckpt_path_worker(worker, error);
	if (rc)
		return rc;
	if (pipe2(ends, O_CLOEXEC))
		return hetckpt_error_set(error, -errno, 0, "pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	rc = -posix_spawn(&pid, worker, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	from = rc ? NULL : fdopen(ends[0], "r");
	if (rc)
		hetckpt_error_set(error, rc, 0, "cannot start %s: %s", worker, strerror(-rc));
	else if (!from)
		rc = hetckpt_error_set(error, -ENOMEM, 0, "no memory");
	if (from) {
		rc = parse(from, pid, list, error);
		fclose(from);
	} else {
		close(ends[0]);
	}
	return rc;
}

int hetckpt_device_default(char *device, size_t size, struct hetckpt_error *error)
{
	const char *chosen = getenv("HETCKPT_DEVICE");

	device[0] = 0;
	if (!chosen || !*chosen)
		return 0;
	if (!hetckpt_device_valid(chosen))
		return hetckpt_error_set(error, -EINVAL, 0,
					 "HETCKPT_DEVICE is '%.60s', which is no device", chosen);
	snprintf(device, size, "%s", chosen);
	return 0;
}

static void print_table(const json_t *list)
{
	json_t *entry;
	size_t i;

	printf("%-14s%-12s%-16s%s\n", "DEVICE", "MEMORY", "UNITS", "NAME");
	json_array_foreach(json_object_get(list, "devices"), i, entry) {
		const char *device = json_string_value(json_object_get(entry, "device"));
		const char *name = json_string_value(json_object_get(entry, "name"));
		json_int_t bytes = json_integer_value(json_object_get(entry, "memory_bytes"));
		json_int_t units = json_integer_value(json_object_get(entry, "multiprocessors"));
		char size[HETCKPT_TEXT_SHORT];

		printf("%-14s%-12s%-16lld", device ? device : "?",
		       hetckpt_bytes_format(bytes > 0 ? (uint64_t)bytes : 0, size), (long long)units);
		hetckpt_text_print(name ? name : "");
		putchar('\n');
	}
	json_array_foreach(json_object_get(list, "unavailable"), i, entry) {
		const char *backend = json_string_value(json_object_get(entry, "backend"));
		const char *why = json_string_value(json_object_get(entry, "reason"));

		fprintf(stderr, "hetckpt: no %s devices: %s\n", backend ? backend : "?", why ? why : "?");
	}
}

int hetckpt_command_devices(int argc, char **argv)
{
	static const struct option options[] = {{"json", 0, NULL, 'j'}, {"help", 0, NULL, 'h'}, {0}};
	struct hetckpt_error error;
	bool json = false;
	json_t *list;
	int c, rc;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h')
			return hetckpt_help(help);
		if (c != 'j')
			return hetckpt_usage_hint(argv);
		json = true;
	}
	if (optind < argc)
		return hetckpt_usage_error(argv, "'%s' is one argument too many", argv[optind]);
	if (hetckpt_devices_query(&list, &error))
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "%s", error.text);
	if (json) {
		rc = hetckpt_json_print(list);
	} else {
		print_table(list);
		rc = hetckpt_stdout_finish();
	}
	json_decref(list);
	return rc;
}
