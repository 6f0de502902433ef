/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "coverage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch.h"
#include "runtime/common/log.h"

static struct hetckpt_coverage_line *line_for(struct hetckpt_coverage *coverage,
                                              const struct hetckpt_map_kernel *map, uint32_t id)
{
	const struct hetckpt_map_safepoint *safepoint = hetckpt_map_safepoint_find(map, id);
	struct hetckpt_coverage_line *line;
	char place[512] = "";

	for (size_t i = 0; i < coverage->count; i++)
		if (coverage->line[i].id == id && !memcmp(coverage->line[i].hash, map->hash, 16))
			return &coverage->line[i];
	if (coverage->count == coverage->room) {
		size_t room = coverage->room ? coverage->room * 2 : 32;
		void *grown = realloc(coverage->line, room * sizeof *line);

		if (!grown)
			return NULL;
		coverage->line = grown;
		coverage->room = room;
	}
	if (safepoint && safepoint->file)
		snprintf(place, sizeof place, "%s:%u", safepoint->file, safepoint->line);
	else if (id == HETCKPT_SP_START)
		snprintf(place, sizeof place, "(before the first instruction)");
	line = &coverage->line[coverage->count];
	*line = (struct hetckpt_coverage_line){.id = id, .kernel = strdup(map->signature),
	                                       .place = strdup(place)};
	memcpy(line->hash, map->hash, 16);
	if (!line->kernel || !line->place) {
		free(line->kernel);
		free(line->place);
		return NULL;
	}
	coverage->count++;
	return line;
}

/* Counts the distinct ids of a block's threads. */
static int count_block(struct hetckpt_coverage *coverage, const struct hetckpt_map_kernel *map,
                       const uint32_t *ids, uint32_t threads, bool resumed)
{
	uint32_t last = HETCKPT_SP_DONE;

	for (uint32_t t = 0; t < threads; t++) {
		struct hetckpt_coverage_line *line;
		bool seen = ids[t] == last || ids[t] == HETCKPT_SP_DONE;

		last = ids[t];
		for (uint32_t before = 0; !seen && before < t; before++)
			seen = ids[before] == ids[t];
		if (seen)
			continue;
		line = line_for(coverage, map, ids[t]);
		if (!line)
			return -ENOMEM;
		if (resumed)
			line->resumed++;
		else
			line->paused++;
	}
	return 0;
}

static void count(struct hetckpt_core *core, const struct hetckpt_flight *launch,
                  const struct hetckpt_frames *table, const struct hetckpt_block_ref *refs,
                  size_t count, bool resumed)
{
	struct hetckpt_error error = {0};
	uint32_t *ids;
	int rc = 0;

	if (!count)
		return;
	/* All rows of the table: one copy instead of one for each block. */
	ids = malloc((size_t)table->capacity * launch->threads * 4);
	if (!ids)
		rc = -ENOMEM;
	else
		rc = hetckpt_dev_read_rows(&core->dev, ids, table->groups, (uint64_t)launch->threads * 4,
		                           table->capacity, table->group_bytes, &error);
	for (size_t i = 0; !rc && i < count; i++)
		if (refs[i].group != HETCKPT_NO_GROUP)
			rc = count_block(&core->coverage, launch->function->map,
			                 ids + (size_t)refs[i].group * launch->threads, launch->threads, resumed);
	if (rc)
		hetckpt_log(HETCKPT_LOG_WARN, "safepoint coverage lost a count: %s", strerror(-rc));
	free(ids);
}

void hetckpt_coverage_paused(struct hetckpt_core *core, const struct hetckpt_flight *launch,
                             const struct hetckpt_block_ref *refs, size_t n)
{
	count(core, launch, launch->park, refs, n, false);
}

void hetckpt_coverage_resumed(struct hetckpt_core *core, const struct hetckpt_flight *launch,
                              const struct hetckpt_block_ref *refs, size_t n)
{
	count(core, launch, launch->resume, refs, n, true);
}

static void hash_text(const uint8_t hash[16], char text[33])
{
	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
}

json_t *hetckpt_coverage_json(const struct hetckpt_coverage *coverage)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < coverage->count; i++) {
		const struct hetckpt_coverage_line *line = &coverage->line[i];
		char hash[33];

		hash_text(line->hash, hash);
		if (json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s, s:I, s:I}",
			"kernel", line->kernel, "hash", hash, "safepoint", (json_int_t)line->id,
			"place", line->place, "paused", (json_int_t)line->paused,
			"resumed", (json_int_t)line->resumed))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

void hetckpt_coverage_append(const struct hetckpt_coverage *coverage)
{
	const char *path = getenv("HETCKPT_COVERAGE");
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream;
	int fd;

	if (!path || !*path || !coverage->count)
		return;
	stream = open_memstream(&text, &bytes);
	if (!stream)
		return;
	for (size_t i = 0; i < coverage->count; i++) {
		const struct hetckpt_coverage_line *line = &coverage->line[i];
		char hash[33];

		hash_text(line->hash, hash);
		fprintf(stream, "%s\t%u\t%" PRIu64 "\t%" PRIu64 "\t%s\t%s\n", hash, line->id, line->paused,
		        line->resumed, *line->place ? line->place : "-", line->kernel);
	}
	/* Several workers may append to one file: one write each, in append mode. */
	if (!fclose(stream)) {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		if (fd < 0 || write(fd, text, bytes) != (ssize_t)bytes)
			hetckpt_log(HETCKPT_LOG_WARN, "cannot write the coverage table to %s: %s", path,
			            strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	free(text);
}

void hetckpt_coverage_free(struct hetckpt_coverage *coverage)
{
	for (size_t i = 0; i < coverage->count; i++) {
		free(coverage->line[i].kernel);
		free(coverage->line[i].place);
	}
	free(coverage->line);
	memset(coverage, 0, sizeof *coverage);
}
