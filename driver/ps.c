/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* hetckpt ps: lists sessions. */
#include "client.h"
#include "command.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: hetckpt ps [--quiet | --json]\n\n"
	"Lists the sessions of this user, oldest first.\n\n"
	"  -q, --quiet  print ids alone\n"
	"  --json       print facts as JSON\n"
	"  -h, --help   print this\n\n"
	"Exit status: 0 ok (also if there is none), 1 failure, 2 usage.\n";

/* What the session says of itself; what its file says if it does not answer. */
static json_t *facts_of(const struct hetckpt_session_entry *entry)
{
	json_t *reply, *facts = NULL, *worker;

	if (!hetckpt_client_status(entry, 0, &reply)) {
		facts = json_incref(json_object_get(reply, "session"));
		worker = json_object_get(reply, "worker");
		if (json_is_object(facts) && json_is_object(worker))
			json_object_set(facts, "worker", worker);
		json_decref(reply);
	}
	if (json_is_object(facts))
		return facts;
	json_decref(facts);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:f}", "id", entry->id, "name",
			 entry->name, "kind", entry->kind, "device", entry->device, "command_line",
			 entry->command, "state", "not answering", "pid", (json_int_t)entry->pid,
			 "supervisor_pid", (json_int_t)entry->supervisor_pid, "started",
			 entry->started);
}

static const char *text(const json_t *facts, const char *name, const char *otherwise)
{
	const char *value = json_string_value(json_object_get(facts, name));

	return value && *value ? value : otherwise;
}

/* "running", or what it is busy with, or whether it has anything to do. */
static const char *state_of(const json_t *facts)
{
	const char *state = text(facts, "state", "?"), *operation = text(facts, "operation", NULL);
	const char *worker = text(json_object_get(facts, "worker"), "state", "");

	if (operation && (!strcmp(state, "running") || !strcmp(state, "paused")))
		return operation;
	if (!strcmp(state, "running") && !strcmp(worker, "idle"))
		return "idle";
	return state;
}

static void print_row(const json_t *facts)
{
	char seconds[HETCKPT_TEXT_SHORT];
	json_int_t pid = json_integer_value(json_object_get(facts, "pid"));

	if (!pid)
		pid = json_integer_value(json_object_get(facts, "supervisor_pid"));
	printf("%-10s%-16s%-9lld%-12s%-15s%-11s", text(facts, "id", "?"), text(facts, "name", "-"),
	       (long long)pid, text(facts, "device", "?"), state_of(facts),
	       hetckpt_seconds_format(json_number_value(json_object_get(facts, "uptime_seconds")),
				      seconds));
	hetckpt_text_print(text(facts, "command_line", ""));
	putchar('\n');
}

int hetckpt_command_ps(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", 0, NULL, 'j'}, {"quiet", 0, NULL, 'q'}, {"help", 0, NULL, 'h'}, {0}};
	struct hetckpt_session_list list;
	struct hetckpt_error error;
	bool json = false, quiet = false;
	json_t *all;
	int c, rc;

	while ((c = getopt_long(argc, argv, "qh", options, NULL)) != -1) {
		if (c == 'h')
			return hetckpt_help(help);
		if (c == 'j')
			json = true;
		else if (c == 'q')
			quiet = true;
		else
			return hetckpt_usage_hint(argv);
	}
	if (optind < argc)
		return hetckpt_usage_error(argv, "'%s' is one argument too many", argv[optind]);
	if (json && quiet)
		return hetckpt_usage_error(argv, "--json and --quiet exclude each other");
	if (hetckpt_registry_list(&list, &error))
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "%s", error.text);
	all = json_array();
	if (!json && !quiet)
		printf("%-10s%-16s%-9s%-12s%-15s%-11s%s\n", "ID", "NAME", "PID", "DEVICE", "STATE",
		       "UPTIME", "COMMAND");
	for (size_t i = 0; i < list.count; i++) {
		json_t *facts;

		if (quiet) {
			printf("%s\n", list.entry[i].id);
			continue;
		}
		facts = facts_of(&list.entry[i]);
		if (json)
			json_array_append(all, facts);
		else
			print_row(facts);
		json_decref(facts);
	}
	rc = json ? hetckpt_json_print(all) : hetckpt_stdout_finish();
	json_decref(all);
	free(list.entry);
	return rc;
}
