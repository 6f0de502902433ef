/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* hetckpt pause, hetckpt resume. */
#include "client.h"
#include "command.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

static const char pause_help[] =
	"Usage: hetckpt pause [--timeout SECONDS] [--json] ID\n\n"
	"Pauses a session: kernels park at their next safepoint, and nothing further is sent to\n"
	"the device. The application itself goes on until it needs the device.\n\n"
	"  --timeout SECONDS  give up, and let the session go on, if kernels have not parked by\n"
	"                     then (default 10). Kernels that cannot pause must end first\n"
	"  --json             print facts as JSON\n"
	"  -h, --help         print this\n\n"
	"ID is a session's id or a unique prefix of it, its name, or its application's process id.\n"
	"Exit status: 0 ok (also if it was paused already), 1 failure, 2 usage, 3 no such session.\n";

static const char resume_help[] =
	"Usage: hetckpt resume [--json] ID\n\n"
	"Lets a paused session go on.\n\n"
	"  --json      print facts as JSON\n"
	"  -h, --help  print this\n\n"
	"ID is a session's id or a unique prefix of it, its name, or its application's process id.\n"
	"Exit status: 0 ok (also if it was not paused), 1 failure, 2 usage, 3 no such session.\n";

static int print_facts(const struct hetckpt_client *client, json_t *reply, bool pause, bool json)
{
	if (json) {
		json_object_del(reply, "id");
		json_object_del(reply, "ok");
		json_object_set_new(reply, "session", json_string(client->session.id));
		return hetckpt_json_print(reply);
	}
	if (json_is_true(json_object_get(reply, "already"))) {
		printf("%s: %s already\n", client->session.id, pause ? "paused" : "running");
	} else if (pause && json_is_number(json_object_get(reply, "park_us"))) {
		printf("%s: paused in %.0f us, %lld blocks parked\n", client->session.id,
		       json_number_value(json_object_get(reply, "park_us")),
		       (long long)json_integer_value(json_object_get(reply, "parked")));
	} else {
		printf("%s: %s\n", client->session.id, pause ? "paused" : "running");
	}
	return hetckpt_stdout_finish();
}

static int pause_or_resume(int argc, char **argv, bool pause)
{
	static const struct option options[] = {
		{"json", 0, NULL, 'j'}, {"timeout", 1, NULL, 't'}, {"help", 0, NULL, 'h'}, {0}};
	struct hetckpt_client client;
	long long seconds = 10;
	bool json = false;
	json_t *reply;
	int c, rc;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h')
			return hetckpt_help(pause ? pause_help : resume_help);
		if (c == 'j')
			json = true;
		else if (c != 't')
			return hetckpt_usage_hint(argv);
		else if (!pause)
			return hetckpt_usage_error(argv, "--timeout is for pause");
		else if (hetckpt_number_parse(optarg, 1, 86400, &seconds))
			return hetckpt_usage_error(argv, "--timeout %s: not 1 to 86400 seconds", optarg);
	}
	if (optind + 1 != argc)
		return hetckpt_usage_error(argv, optind == argc ? "the ID of a session is missing"
								: "only one ID can be given");
	rc = hetckpt_client_open(&client, argv[optind]);
	if (rc)
		return rc;
	rc = hetckpt_client_call(&client,
				 pause ? json_pack("{s:s, s:I}", "op", "pause", "timeout_ms",
						   (json_int_t)seconds * 1000)
				       : json_pack("{s:s}", "op", "resume"),
				 &reply,
				 pause ? (int)seconds * 1000 + HETCKPT_CLIENT_SILENCE_MS
				       : HETCKPT_CLIENT_RESUME_MS);
	if (!rc)
		rc = print_facts(&client, reply, pause, json);
	json_decref(reply);
	hetckpt_client_close(&client);
	return rc;
}

int hetckpt_command_pause(int argc, char **argv)
{
	return pause_or_resume(argc, argv, true);
}

int hetckpt_command_resume(int argc, char **argv)
{
	return pause_or_resume(argc, argv, false);
}
