/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "times.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/common/log.h"

int hetckpt_times_start(struct hetckpt_times *times, const char *path)
{
	if (!path || !*path)
		return 0;
	times->path = strdup(path);
	return times->path ? 0 : -ENOMEM;
}

void hetckpt_times_note(struct hetckpt_times *times, const struct hetckpt_times_line *line)
{
	char *kernel;

	if (times->count == times->room && times->room < HETCKPT_TIMES_MAX) {
		size_t room = times->room ? times->room * 2 : 256;
		void *grown = realloc(times->line, room * sizeof *line);

		if (grown) {
			times->line = grown;
			times->room = room;
		}
	}
	/* The module, and its kernels' names with it, may be gone when the table is written. */
	kernel = times->count < times->room ? strdup(line->kernel) : NULL;
	if (!kernel) {
		times->lost++;
		return;
	}
	times->line[times->count] = *line;
	times->line[times->count++].kernel = kernel;
}

static void forget(struct hetckpt_times *times)
{
	while (times->count)
		free((void *)times->line[--times->count].kernel);
	times->lost = 0;
}

void hetckpt_times_append(struct hetckpt_times *times)
{
	FILE *file;
	int bad;

	if (!times->path || (!times->count && !times->lost))
		return;
	file = fopen(times->path, "ae");
	if (!file) {
		hetckpt_log(HETCKPT_LOG_WARN, "cannot write times of launches to %s: %s", times->path,
		            strerror(errno));
		return;
	}
	for (size_t i = 0; i < times->count; i++) {
		const struct hetckpt_times_line *line = &times->line[i];

		fprintf(file, "%s\t%" PRIu64 "\t%u\t%" PRIu64 "\t%u\t%s\n", line->how, line->ns, line->parts,
		        line->blocks, line->threads, line->kernel);
	}
	if (times->lost)
		hetckpt_log(HETCKPT_LOG_WARN, "times of %" PRIu64 " launches are missing in %s", times->lost,
		            times->path);
	bad = ferror(file);
	if (fclose(file) || bad)
		hetckpt_log(HETCKPT_LOG_WARN, "cannot write times of launches to %s: %s", times->path,
		            strerror(errno));
	forget(times);
}

void hetckpt_times_free(struct hetckpt_times *times)
{
	forget(times);
	free(times->path);
	free(times->line);
	memset(times, 0, sizeof *times);
}
