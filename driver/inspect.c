/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* hetckpt inspect: shows what a snapshot or a living session holds. */
#include "inspect.h"

#include "client.h"
#include "command.h"
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
	"Usage: hetckpt inspect [--json] FILE\n"
	"       hetckpt inspect [--json] FILE --kernel KERNEL [--block X,Y,Z [--thread X,Y,Z]]\n"
	"       hetckpt inspect [--json] ID\n\n"
	"Shows what a snapshot or a living session holds: kernels under way, how many blocks are\n"
	"done, parked and to come, at which source lines threads stand, and live variables.\n\n"
	"  --kernel KERNEL  only launches of this kernel: its function's name, signature or symbol\n"
	"  --block X,Y,Z    the threads of one parked block\n"
	"  --thread X,Y,Z   all variables of one thread of that block\n"
	"  --json           print facts as JSON\n"
	"  -h, --help       print this\n\n"
	"A name of a file that exists is taken as FILE. ID is a session's id or a unique prefix of it,\n"
	"its name, or its application's process id. Variables of a session show while it is paused.\n"
	"Exit status: 0 ok, 1 failure, 2 usage, 3 no such session, 4 the snapshot is damaged.\n";

static const char *text_of(const json_t *object, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : otherwise;
}

static long long number_of(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

static void print_triple(const json_t *list)
{
	printf("%lld,%lld,%lld", (long long)json_integer_value(json_array_get(list, 0)),
	       (long long)json_integer_value(json_array_get(list, 1)),
	       (long long)json_integer_value(json_array_get(list, 2)));
}

static void print_place(const json_t *place)
{
	const char *file = text_of(place, "file", NULL), *kind = text_of(place, "kind", "?");

	printf("    %lld threads ", number_of(place, "threads"));
	if (!strcmp(kind, "done")) {
		printf("have returned\n");
		return;
	}
	if (!strcmp(kind, "start")) {
		printf("have not begun\n");
		return;
	}
	printf("at ");
	if (file) {
		hetckpt_text_print(file);
		printf(":%lld", number_of(place, "line"));
	} else {
		printf("an unknown line");
	}
	if (text_of(place, "function", NULL)) {
		printf(" in ");
		hetckpt_text_print(text_of(place, "function", ""));
	}
	printf(" (safepoint %lld, %s)\n", number_of(place, "safepoint"), kind);
}

static void print_thread(const json_t *thread)
{
	const json_t *where = json_object_get(thread, "safepoint");
	json_t *value;
	size_t i;

	printf("    block %lld, thread %lld: %s", number_of(thread, "block"), number_of(thread, "thread"),
	       text_of(thread, "state", "?"));
	if (where) {
		printf(" at ");
		hetckpt_text_print(text_of(where, "file", "safepoint"));
		printf(":%lld", text_of(where, "file", NULL) ? number_of(where, "line")
							     : number_of(where, "id"));
	}
	putchar('\n');
	json_array_foreach(json_object_get(thread, "values"), i, value) {
		printf("      ");
		hetckpt_text_print(text_of(value, "name", "(unnamed)"));
		printf(" = ");
		hetckpt_text_print(text_of(value, "text", "?"));
		printf("  (%s)\n", text_of(value, "type", "?"));
	}
	json_array_foreach(json_object_get(thread, "private"), i, value) {
		printf("      ");
		hetckpt_text_print(text_of(value, "name", "(unnamed)"));
		printf("[] = %lld bytes: %.64s%s\n", number_of(value, "bytes"),
		       text_of(value, "content", ""), number_of(value, "bytes") > 32 ? "..." : "");
	}
}

static void print_kernel(const json_t *kernel)
{
	json_t *entry;
	size_t i;

	hetckpt_text_print(text_of(kernel, "kernel", "?"));
	printf("\n  launch %lld, stream %lld", number_of(kernel, "seq"), number_of(kernel, "stream"));
	if (json_object_get(kernel, "grid")) {
		printf(", grid ");
		print_triple(json_object_get(kernel, "grid"));
		printf(", block ");
		print_triple(json_object_get(kernel, "block"));
	}
	if (json_object_get(kernel, "blocks_done")) {
		printf("\n  %lld blocks: %lld done, %lld parked, %lld not begun", number_of(kernel, "blocks"),
		       number_of(kernel, "blocks_done"), number_of(kernel, "blocks_parked"),
		       number_of(kernel, "blocks_unstarted"));
		if (number_of(kernel, "blocks_running"))
			printf(", %lld with the device", number_of(kernel, "blocks_running"));
	} else if (text_of(kernel, "reason", NULL)) {
		printf("\n  cannot pause: ");
		hetckpt_text_print(text_of(kernel, "reason", ""));
	}
	putchar('\n');
	json_array_foreach(json_object_get(kernel, "places"), i, entry)
		print_place(entry);
	if (json_object_get(kernel, "thread"))
		print_thread(json_object_get(kernel, "thread"));
	json_array_foreach(json_object_get(kernel, "threads"), i, entry)
		print_thread(entry);
}

static void print_kernels(const json_t *kernels)
{
	json_t *kernel;
	size_t i;

	if (!json_array_size(kernels))
		printf("no kernels under way\n");
	json_array_foreach((json_t *)kernels, i, kernel)
		print_kernel(kernel);
}

static void print_memory(const json_t *memory)
{
	char a[HETCKPT_TEXT_SHORT], b[HETCKPT_TEXT_SHORT], c[HETCKPT_TEXT_SHORT];
	uint64_t heap = (uint64_t)number_of(memory, "heap_bytes");

	printf("memory: %s in %lld allocations",
	       hetckpt_bytes_format((uint64_t)number_of(memory, "bytes"), a),
	       number_of(memory, "allocations"));
	if (heap)
		printf(" (with the heap of kernels, %s)", hetckpt_bytes_format(heap, b));
	printf(", %s page-locked\n",
	       hetckpt_bytes_format((uint64_t)number_of(memory, "page_locked_bytes"), c));
}

/* ---- A snapshot -------------------------------------------------------- */

static void print_file(const json_t *facts)
{
	const json_t *device = json_object_get(facts, "device");
	json_t *entry;
	const char *type;
	char size[HETCKPT_TEXT_SHORT];
	size_t i;

	hetckpt_text_print(text_of(facts, "file", "?"));
	printf(": %s, written on %s:%lld (",
	       hetckpt_bytes_format((uint64_t)number_of(facts, "file_bytes"), size),
	       text_of(device, "backend", "?"), number_of(device, "index"));
	hetckpt_text_print(text_of(device, "name", "?"));
	printf(")\n");
	print_memory(json_object_get(facts, "memory"));
	printf("modules:");
	json_array_foreach(json_object_get(facts, "modules"), i, entry) {
		printf("%s ", i ? "," : "");
		hetckpt_text_print(text_of(entry, "name", "(not loaded)"));
	}
	printf("\n%lld streams, %lld events", number_of(facts, "streams"), number_of(facts, "events"));
	json_object_foreach(json_object_get(facts, "queued"), type, entry) {
		printf(", %lld ", (long long)json_integer_value(entry));
		hetckpt_text_print(type);
		printf(" queued");
	}
	printf("\n");
	print_kernels(json_object_get(facts, "kernels"));
}

static int inspect_file(const char *file, const struct hetckpt_inspect_options *options, bool json)
{
	struct hetckpt_error error;
	json_t *facts;
	int rc = hetckpt_inspect_file(file, options, &facts, &error);

	if (rc)
		return hetckpt_fail(rc == -EBADMSG || rc == -ENOTSUP || rc == -EINVAL || rc == -EFBIG
					    ? HETCKPT_EXIT_DAMAGED
					    : HETCKPT_EXIT_FAILURE,
				    "%s", error.text);
	if (json) {
		rc = hetckpt_json_print(facts);
	} else {
		/* What was asked for alone, without the rest. */
		if (options->kernel)
			print_kernels(json_object_get(facts, "kernels"));
		else
			print_file(facts);
		rc = hetckpt_stdout_finish();
	}
	json_decref(facts);
	return rc;
}

/* ---- A session --------------------------------------------------------- */

static void print_session(const json_t *reply)
{
	const json_t *session = json_object_get(reply, "session");
	const json_t *worker = json_object_get(reply, "worker");
	const json_t *checkpoint = json_object_get(session, "checkpoint");
	char text[HETCKPT_TEXT_SHORT];

	printf("session %s", text_of(session, "id", "?"));
	if (text_of(session, "name", NULL))
		printf(" (%s)", text_of(session, "name", ""));
	printf(": %s on %s", text_of(session, "state", "?"), text_of(session, "device", "?"));
	if (text_of(worker, "device_name", NULL)) {
		printf(" (");
		hetckpt_text_print(text_of(worker, "device_name", ""));
		printf(")");
	}
	printf(", up %s\n", hetckpt_seconds_format(
				    json_number_value(json_object_get(session, "uptime_seconds")), text));
	printf("command: ");
	hetckpt_text_print(text_of(session, "command_line", "?"));
	printf("\nprocesses: application %lld, supervisor %lld, worker %lld\n", number_of(session, "pid"),
	       number_of(session, "supervisor_pid"), number_of(session, "worker_pid"));
	if (text_of(session, "error", NULL)) {
		printf("error: ");
		hetckpt_text_print(text_of(session, "error", ""));
		putchar('\n');
	}
	if (checkpoint && !json_is_null(checkpoint)) {
		printf("last checkpoint: ");
		hetckpt_text_print(text_of(checkpoint, "path", "?"));
		putchar('\n');
	}
	if (text_of(session, "operation", NULL))
		printf("busy with: %s\n", text_of(session, "operation", ""));
	if (!json_is_object(worker))
		return;
	print_memory(json_object_get(worker, "memory"));
	printf("%lld modules, %lld commands unfinished, %lld not yet taken\n",
	       number_of(worker, "modules"), number_of(worker, "unfinished"),
	       number_of(worker, "ring_commands"));
	print_kernels(json_object_get(worker, "kernels"));
}

static int inspect_session(const char *text, bool json)
{
	struct hetckpt_client client;
	json_t *reply;
	int rc = hetckpt_client_open(&client, text);

	if (rc)
		return rc;
	rc = hetckpt_client_call(&client, json_pack("{s:s, s:b}", "op", "status", "detail", 1), &reply,
				 HETCKPT_CLIENT_SILENCE_MS);
	if (!rc && json) {
		json_object_del(reply, "id");
		json_object_del(reply, "ok");
		rc = hetckpt_json_print(reply);
	} else if (!rc) {
		print_session(reply);
		rc = hetckpt_stdout_finish();
	}
	json_decref(reply);
	hetckpt_client_close(&client);
	return rc;
}

int hetckpt_command_inspect(int argc, char **argv)
{
	static const struct option options[] = {
		{"kernel", 1, NULL, 'k'}, {"block", 1, NULL, 'b'}, {"thread", 1, NULL, 't'},
		{"json", 0, NULL, 'j'},	  {"help", 0, NULL, 'h'},  {0}};
	struct hetckpt_inspect_options which = {0};
	bool json = false, file;
	struct stat st;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			return hetckpt_help(help);
		case 'k':
			which.kernel = optarg;
			break;
		case 'b':
			if (hetckpt_triple_parse(optarg, which.block))
				return hetckpt_usage_error(argv, "--block %s: not X,Y,Z", optarg);
			which.block_given = true;
			break;
		case 't':
			if (hetckpt_triple_parse(optarg, which.thread))
				return hetckpt_usage_error(argv, "--thread %s: not X,Y,Z", optarg);
			which.thread_given = true;
			break;
		case 'j':
			json = true;
			break;
		default:
			return hetckpt_usage_hint(argv);
		}
	}
	if (optind + 1 != argc)
		return hetckpt_usage_error(argv, optind == argc ? "a snapshot or the ID of a session is missing"
								: "only one snapshot or ID can be given");
	if (which.block_given && !which.kernel)
		return hetckpt_usage_error(argv, "--block needs --kernel");
	if (which.thread_given && !which.block_given)
		return hetckpt_usage_error(argv, "--thread needs --block");
	file = !stat(argv[optind], &st) ? !S_ISDIR(st.st_mode) : strchr(argv[optind], '/') != NULL;
	/* A session may have the name of a folder that happens to be here. */
	if (!file && strchr(argv[optind], '/'))
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "%s: is a folder", argv[optind]);
	if (!file && which.kernel)
		return hetckpt_usage_error(argv, "--kernel needs a snapshot: there is no file %s",
					   argv[optind]);
	return file ? inspect_file(argv[optind], &which, json) : inspect_session(argv[optind], json);
}
