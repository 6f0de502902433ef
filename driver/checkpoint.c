/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* hetckpt checkpoint: writes a session's state to a snapshot. */
#define _GNU_SOURCE
#include "client.h"
#include "command.h"
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"Usage: hetckpt checkpoint [OPTIONS] ID -o FILE\n\n"
	"Pauses a session's kernels, writes its GPU state to a snapshot, and ends it. The file is\n"
	"written completely or not at all. 'hetckpt restore' finishes the GPU work of a snapshot.\n\n"
	"  -o, --output FILE      the snapshot (required)\n"
	"  --kill                 end the application and the session afterwards (default)\n"
	"  -R, --leave-running    let the session go on afterwards\n"
	"  --leave-paused         leave the session paused afterwards\n"
	"  --compress METHOD      zstd (default), zstd:LEVEL with LEVEL 1 to 19, or none\n"
	"  --timeout SECONDS      give up, and let the session go on, if kernels have not parked by\n"
	"                         then (default 10)\n"
	"  --json                 print facts as JSON\n"
	"  -h, --help             print this\n\n"
	"ID is a session's id or a unique prefix of it, its name, or its application's process id.\n"
	"Interrupting this command leaves no file, and the session goes on.\n"
	"Exit status: 0 ok, 1 failure, 2 usage, 3 no such session.\n";

struct choice {
	const char *output, *method, *then;
	int level;
	long long seconds;
	bool json;
};

/* The session resolves paths in its own folder: give it an absolute one. */
static char *absolute(const char *path)
{
	char *folder, *whole = NULL;

	if (path[0] == '/')
		return strdup(path);
	folder = getcwd(NULL, 0);
	if (folder && asprintf(&whole, "%s/%s", folder, path) < 0)
		whole = NULL;
	free(folder);
	return whole;
}

static int print_facts(const struct hetckpt_client *client, const struct choice *choice,
		       json_t *reply)
{
	char bytes[HETCKPT_TEXT_SHORT], seconds[HETCKPT_TEXT_SHORT];

	if (choice->json) {
		json_object_del(reply, "id");
		json_object_del(reply, "ok");
		json_object_set_new(reply, "session", json_string(client->session.id));
		return hetckpt_json_print(reply);
	}
	printf("%s: %s in %s, %s\n", client->session.id,
	       hetckpt_bytes_format(
		       (uint64_t)json_integer_value(json_object_get(reply, "file_bytes")), bytes),
	       hetckpt_seconds_format(json_number_value(json_object_get(reply, "seconds")), seconds),
	       !strcmp(choice->then, "kill")	 ? "ended"
	       : !strcmp(choice->then, "resume") ? "running again"
						 : "paused");
	return hetckpt_stdout_finish();
}

static int checkpoint(const char *id, const struct choice *choice)
{
	struct hetckpt_client client;
	json_t *reply, *request;
	char *path;
	int rc;

	path = absolute(choice->output);
	if (!path)
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "%s: %s", choice->output, strerror(errno));
	rc = hetckpt_client_open(&client, id);
	if (rc) {
		free(path);
		return rc;
	}
	request = json_pack("{s:s, s:s, s:s, s:i, s:s, s:I}", "op", "checkpoint", "path", path,
			    "compress", choice->method, "level", choice->level, "then", choice->then,
			    "timeout_ms", (json_int_t)choice->seconds * 1000);
	free(path);
	if (!request) {
		hetckpt_client_close(&client);
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "%s: not a name in UTF-8", choice->output);
	}
	rc = hetckpt_client_call(&client, request, &reply,
				 (int)choice->seconds * 1000 + HETCKPT_CLIENT_RESUME_MS);
	if (!rc)
		rc = print_facts(&client, choice, reply);
	json_decref(reply);
	hetckpt_client_close(&client);
	return rc;
}

int hetckpt_command_checkpoint(int argc, char **argv)
{
	static const struct option options[] = {
		{"output", 1, NULL, 'o'},	{"kill", 0, NULL, 'k'},
		{"leave-running", 0, NULL, 'R'}, {"leave-paused", 0, NULL, 'p'},
		{"compress", 1, NULL, 'c'},	{"timeout", 1, NULL, 't'},
		{"json", 0, NULL, 'j'},		{"help", 0, NULL, 'h'},
		{0}};
	struct choice choice = {.method = "zstd", .then = NULL, .seconds = 10};
	const char *then = NULL;
	int c;

	/* The ID may come before or between the options, as in "checkpoint ID -o FILE". */
	while ((c = getopt_long(argc, argv, "o:Rh", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			return hetckpt_help(help);
		case 'o':
			choice.output = optarg;
			break;
		case 'k':
		case 'R':
		case 'p':
			then = c == 'k' ? "kill" : c == 'R' ? "resume" : "pause";
			if (choice.then && strcmp(choice.then, then))
				return hetckpt_usage_error(argv, "--kill, --leave-running and --leave-paused "
								 "exclude each other");
			choice.then = then;
			break;
		case 'c':
			if (hetckpt_compress_parse(optarg, &choice.method, &choice.level))
				return hetckpt_usage_error(argv, "--compress %s: not none, zstd or zstd:1 to zstd:19",
							   optarg);
			break;
		case 't':
			if (hetckpt_number_parse(optarg, 1, 86400, &choice.seconds))
				return hetckpt_usage_error(argv, "--timeout %s: not 1 to 86400 seconds", optarg);
			break;
		case 'j':
			choice.json = true;
			break;
		default:
			return hetckpt_usage_hint(argv);
		}
	}
	if (optind + 1 != argc)
		return hetckpt_usage_error(argv, optind == argc ? "the ID of a session is missing"
								: "only one ID can be given");
	if (!choice.output || !*choice.output)
		return hetckpt_usage_error(argv, "-o FILE is missing");
	if (!choice.then)
		choice.then = "kill";
	return checkpoint(argv[optind], &choice);
}
