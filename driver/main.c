/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* hetckpt: picks the subcommand. */
#include "command.h"

#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", "start a program whose GPU work can be paused", hetckpt_command_run},
	{"ps", "list sessions", hetckpt_command_ps},
	{"pause", "pause a session's GPU work in the middle of its kernels", hetckpt_command_pause},
	{"resume", "let a paused session go on", hetckpt_command_resume},
	{"checkpoint", "write a session's GPU state to a snapshot", hetckpt_command_checkpoint},
	{"restore", "finish the GPU work of a snapshot", hetckpt_command_restore},
	{"migrate", "move a session to another device", hetckpt_command_migrate},
	{"inspect", "show what a snapshot or a session holds", hetckpt_command_inspect},
	{"verify", "check every byte of a snapshot", hetckpt_command_verify},
	{"devices", "list devices", hetckpt_command_devices},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static int help(void)
{
	printf("Usage: hetckpt COMMAND [OPTIONS]\n\n"
	       "Pauses running GPU kernels, writes what they were doing to a snapshot, and\n"
	       "lets them go on: later, on another GPU, or on the CPU.\n\nCommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-12s%s\n", commands[i].name, commands[i].summary);
	printf("\n'hetckpt COMMAND --help' explains a command; so does hetckpt-COMMAND(1).\n");
	return hetckpt_stdout_finish();
}

int main(int argc, char **argv)
{
	char *self[] = {"hetckpt", NULL};
	const char *name;

	if (argc < 2) {
		hetckpt_usage_error(self, "a command is missing");
		return HETCKPT_EXIT_USAGE;
	}
	name = argv[1];
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		if (argc == 2)
			return help();
		/* "hetckpt help run" is "hetckpt run --help". */
		name = argv[2];
		argv[2] = "--help";
		argc = 3;
	} else {
		argv[1] = NULL;
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V") || !strcmp(name, "version")) {
		printf("hetckpt %s\n", HETCKPT_VERSION);
		return hetckpt_stdout_finish();
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		static char title[64];

		if (strcmp(commands[i].name, name))
			continue;
		snprintf(title, sizeof title, "hetckpt %s", name);
		argv[1] = title;
		return commands[i].run(argc - 1, argv + 1);
	}
	hetckpt_usage_error(self, "there is no command '%s'", name);
	return HETCKPT_EXIT_USAGE;
}
