/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* hetckpt migrate: moves a session to another device. */
#include "client.h"
#include "command.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: hetckpt migrate [OPTIONS] ID --to DEVICE\n\n"
	"Moves a session to another device, of any vendor, in the middle of its kernels. If\n"
	"anything fails there, the session goes on where it was.\n\n"
	"  --to DEVICE        where to, as 'hetckpt devices' names it (required)\n"
	"  --via WAY          how memory travels: auto (default), peer (from device to device), stage\n"
	"                     (page-locked memory) or file (a snapshot in memory). Where one way cannot\n"
	"                     be had, the next is taken\n"
	"  --timeout SECONDS  give up, and let the session go on, if kernels have not parked by\n"
	"                     then (default 10)\n"
	"  --json             print facts as JSON\n"
	"  -h, --help         print this\n\n"
	"ID is a session's id or a unique prefix of it, its name, or its application's process id.\n"
	"Exit status: 0 ok, 1 failure, 2 usage, 3 no such session.\n";

static int print_facts(const struct hetckpt_client *client, json_t *reply, bool json)
{
	const char *from = json_string_value(json_object_get(reply, "from"));
	const char *to = json_string_value(json_object_get(reply, "device"));
	json_int_t bytes = json_integer_value(json_object_get(reply, "state_bytes"));
	char size[HETCKPT_TEXT_SHORT], seconds[HETCKPT_TEXT_SHORT];

	if (json) {
		json_object_del(reply, "id");
		json_object_del(reply, "ok");
		json_object_set_new(reply, "session", json_string(client->session.id));
		return hetckpt_json_print(reply);
	}
	printf("%s: %s -> %s, %s of state, stopped for %s\n", client->session.id, from ? from : "?",
	       to ? to : "?", hetckpt_bytes_format(bytes > 0 ? (uint64_t)bytes : 0, size),
	       hetckpt_seconds_format(json_number_value(json_object_get(reply, "stopped_seconds")),
				      seconds));
	return hetckpt_stdout_finish();
}

int hetckpt_command_migrate(int argc, char **argv)
{
	static const struct option options[] = {{"to", 1, NULL, 'd'},
						{"via", 1, NULL, 'v'},
						{"timeout", 1, NULL, 't'},
						{"json", 0, NULL, 'j'},
						{"help", 0, NULL, 'h'},
						{0}};
	struct hetckpt_client client;
	const char *device = NULL, *via = "auto";
	long long seconds = 10;
	bool json = false;
	json_t *reply;
	int c, rc;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h')
			return hetckpt_help(help);
		if (c == 'j')
			json = true;
		else if (c == 'd')
			device = optarg;
		else if (c == 'v')
			via = optarg;
		else if (c != 't')
			return hetckpt_usage_hint(argv);
		else if (hetckpt_number_parse(optarg, 1, 86400, &seconds))
			return hetckpt_usage_error(argv, "--timeout %s: not 1 to 86400 seconds", optarg);
	}
	if (optind + 1 != argc)
		return hetckpt_usage_error(argv, optind == argc ? "the ID of a session is missing"
								: "only one ID can be given");
	if (!device)
		return hetckpt_usage_error(argv, "--to DEVICE is missing");
	if (!hetckpt_device_valid(device))
		return hetckpt_usage_error(argv, "--to %s: no name of a device, such as cpu:0 or cuda:1",
					   device);
	if (!hetckpt_via_valid(via))
		return hetckpt_usage_error(argv, "--via %s: not " HETCKPT_VIA_LIST, via);
	rc = hetckpt_client_open(&client, argv[optind]);
	if (rc)
		return rc;
	rc = hetckpt_client_call(&client,
				 json_pack("{s:s, s:s, s:s, s:I}", "op", "migrate", "device", device,
					   "via", via, "timeout_ms", (json_int_t)seconds * 1000),
				 &reply, (int)seconds * 1000 + HETCKPT_CLIENT_RESUME_MS);
	if (!rc)
		rc = print_facts(&client, reply, json);
	json_decref(reply);
	hetckpt_client_close(&client);
	return rc;
}
