/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* hetckpt run: starts a program as a session. */
#include "command.h"
#include "devices.h"
#include "supervisor.h"

#include "runtime/common/timeline.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char help[] =
	"Usage: hetckpt run [OPTIONS] [--] PROGRAM [ARGUMENT...]\n\n"
	"Starts a CUDA program so that its GPU work can be paused, written to a snapshot and moved\n"
	"to other devices. The program must link the CUDA runtime dynamically (-cudart shared),\n"
	"and its kernels must have been compiled by hetcc, or by clang with hetckpt-pass.so.\n\n"
	"  --device DEVICE    where to run, as 'hetckpt devices' names it (default: $HETCKPT_DEVICE,\n"
	"                     else the first GPU, else cpu:0)\n"
	"  --name NAME        a name for the session\n"
	"  -e, --env VAR=VAL  set a variable for the program; VAR alone takes it from here\n"
	"  --stage SIZE       page-locked memory for fast checkpoints and moves, such as 16G: set aside\n"
	"                     now, and no more (default: as much as is needed then, at most half of\n"
	"                     the memory that is available); none: do without\n"
	"  --stress MODE      for tests: every-poll, or random[:SEED[:PERIOD_US]]\n"
	"  -q, --quiet        no notes and warnings of hetckpt's own\n"
	"  -h, --help         print this\n\n"
	"Exit status: the program's; 128 + N if signal N ended it (137 after a checkpoint that\n"
	"kills); 125 if hetckpt itself failed; 126 if the program cannot be executed; 127 if there\n"
	"is no such program.\n";

struct choice {
	struct hetckpt_supervisor_options session;
	char device[64];
	char **env;
	size_t env_count;
};

static int env_add(struct choice *choice, const char *text)
{
	char **more = realloc(choice->env, (choice->env_count + 2) * sizeof *more);
	const char *value;
	char *entry;
	size_t room;

	if (!more)
		return -ENOMEM;
	choice->env = more;
	value = strchr(text, '=') ? NULL : getenv(text);
	if (!*text || *text == '=')
		return -EINVAL;
	if (!strchr(text, '=') && !value)
		return 0; /* as podman: not set here, so not set there */
	room = strlen(text) + (value ? strlen(value) : 0) + 2;
	entry = malloc(room);
	if (!entry)
		return -ENOMEM;
	snprintf(entry, room, value ? "%s=%s" : "%s", text, value);
	more[choice->env_count++] = entry;
	more[choice->env_count] = NULL;
	return 0;
}

static void env_free(struct choice *choice)
{
	for (size_t i = 0; i < choice->env_count; i++)
		free(choice->env[i]);
	free(choice->env);
}

static int application_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run(struct choice *choice, char **program)
{
	struct hetckpt_supervisor sv;
	struct hetckpt_error error;
	char id[sizeof sv.entry.id];
	int status, ended_by, rc;
	bool device;
	pid_t pid = 0;

	choice->session.kind = "run";
	choice->session.device = choice->device;
	choice->session.command = program;
	rc = hetckpt_supervisor_start(&sv, &choice->session, &error);
	if (rc)
		return hetckpt_fail(HETCKPT_EXIT_RUN_FAILED, "%s", error.text);
	rc = hetckpt_application_start(&sv, program, choice->env, &pid, &error);
	if (rc) {
		hetckpt_supervisor_end(&sv);
		return hetckpt_fail(rc == -ENOENT				? HETCKPT_EXIT_RUN_MISSING
				    : rc == -EACCES || rc == -ENOEXEC ? HETCKPT_EXIT_RUN_REFUSED
								      : HETCKPT_EXIT_RUN_FAILED,
				    "%s", error.text);
	}
	pthread_mutex_lock(&sv.lock);
	sv.application = pid;
	sv.entry.pid = pid;
	if (sv.refused)
		kill(pid, SIGTERM);
	pthread_mutex_unlock(&sv.lock);
	if (hetckpt_registry_publish(&sv.entry, &error))
		hetckpt_supervisor_note(&sv, "warning: %s", error.text);
	status = hetckpt_supervisor_serve(&sv, &ended_by);
	memcpy(id, sv.entry.id, sizeof id);
	device = !sv.refused && !hetckpt_supervisor_opening(&sv);
	if (sv.ended_by_checkpoint)
		hetckpt_supervisor_note(&sv, "session %s ended by a checkpoint", id);
	hetckpt_supervisor_end(&sv);
	return device ? application_status(status) : HETCKPT_EXIT_RUN_FAILED;
}

/* Usage errors of run are hetckpt's own failures, like env's and podman's. */
static int usage(int ignored)
{
	(void)ignored;
	return HETCKPT_EXIT_RUN_FAILED;
}

static int stress_request(const char *text, json_t **request)
{
	long long seed, period;
	const char *mode;

	if (hetckpt_stress_parse(text, &mode, &seed, &period))
		return -EINVAL;
	json_decref(*request);
	*request = json_pack("{s:s, s:s, s:I, s:I}", "op", "stress", "mode", mode, "seed",
			     (json_int_t)seed, "period_us", (json_int_t)period);
	return *request ? 0 : -ENOMEM;
}

/* 0: go on with optind; else an exit status + 1. */
static int parse(int argc, char **argv, struct choice *choice)
{
	static const struct option options[] = {
		{"device", 1, NULL, 'd'}, {"name", 1, NULL, 'n'},  {"env", 1, NULL, 'e'},
		{"stage", 1, NULL, 'S'},
		{"stress", 1, NULL, 's'}, {"quiet", 0, NULL, 'q'}, {"help", 0, NULL, 'h'},
		{0}};
	int c;

	while ((c = getopt_long(argc, argv, "+e:qh", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			return hetckpt_help(help) + 1;
		case 'd':
			if (!hetckpt_device_valid(optarg))
				return usage(hetckpt_usage_error(argv, "--device %s: no name of a device, such as cpu:0 or cuda:1",
								 optarg)) + 1;
			snprintf(choice->device, sizeof choice->device, "%s", optarg);
			break;
		case 'n':
			if (!hetckpt_name_valid(optarg))
				return usage(hetckpt_usage_error(argv, "--name %s: letters, digits, '.', '_' and '-', at most 63",
								 optarg)) + 1;
			choice->session.name = optarg;
			break;
		case 'e':
			if (env_add(choice, optarg))
				return usage(hetckpt_usage_error(argv, "--env %s: not VAR=VALUE", optarg)) + 1;
			break;
		case 'S':
			if (!strcmp(optarg, "none")) {
				choice->session.stage = -1;
			} else {
				long long bytes;

				if (hetckpt_size_parse(optarg, &bytes))
					return usage(hetckpt_usage_error(argv, "--stage %s: no size such as 16G or 512M, and not none",
									 optarg)) + 1;
				choice->session.stage = bytes;
			}
			break;
		case 's':
			if (stress_request(optarg, &choice->session.stress))
				return usage(hetckpt_usage_error(argv, "--stress %s: not every-poll or random[:SEED[:PERIOD_US]]",
								 optarg)) + 1;
			break;
		case 'q':
			choice->session.quiet = true;
			break;
		default:
			return usage(hetckpt_usage_hint(argv)) + 1;
		}
	}
	if (optind == argc)
		return usage(hetckpt_usage_error(argv, "the program is missing")) + 1;
	return 0;
}

int hetckpt_command_run(int argc, char **argv)
{
	struct choice choice = {0};
	struct hetckpt_error error;
	int rc;

	hetckpt_timeline_start("supervisor");
	rc = parse(argc, argv, &choice);
	if (rc) {
		rc--;
		json_decref(choice.session.stress);
	} else if (!choice.device[0] &&
		   hetckpt_device_default(choice.device, sizeof choice.device, &error)) {
		rc = hetckpt_fail(HETCKPT_EXIT_RUN_FAILED, "%s", error.text);
		json_decref(choice.session.stress);
	} else {
		rc = run(&choice, argv + optind);
	}
	env_free(&choice);
	return rc;
}
