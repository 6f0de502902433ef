/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* hetckpt verify: checks every byte of a snapshot. */
#include "command.h"
#include "output.h"
#include "runtime/snapshot/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: hetckpt verify [--json] FILE\n\n"
	"Reads a snapshot completely and compares everything in it with its hashes. Names every\n"
	"damaged part.\n\n"
	"  --json      print facts as JSON\n"
	"  -h, --help  print this\n\n"
	"Exit status: 0 the snapshot is sound, 1 it cannot be read, 2 usage, 4 it is damaged, cut\n"
	"off, no snapshot, or of another version.\n";

struct work {
	struct hetckpt_progress bar;
	json_t *damage;   /* array, or NULL: print lines */
	unsigned long long count;
	bool listed;      /* the index could be read: there are sections to count */
};

static int progress(void *context, uint64_t done, uint64_t total)
{
	struct work *w = context;

	hetckpt_progress_update(&w->bar, "verifying", done, total);
	return 0;
}

static void report(void *context, const struct hetckpt_damage *d)
{
	struct work *w = context;

	w->count++;
	if (w->damage) {
		json_array_append_new(
			w->damage,
			json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "section", d->section, "chunk",
				  (json_int_t)d->chunk, "section_offset",
				  (json_int_t)d->section_offset, "file_offset",
				  (json_int_t)d->file_offset, "stored_bytes",
				  (json_int_t)d->stored_bytes, "what", d->what));
		return;
	}
	hetckpt_progress_finish(&w->bar);
	fprintf(stderr, "hetckpt: %s: section %s, chunk %llu at offset %llu: %s\n", d->file, d->section,
		(unsigned long long)d->chunk, (unsigned long long)d->file_offset, d->what);
}

/* Damage and foreign versions are told from files that cannot be read. */
static int status_of(int rc)
{
	return !rc				    ? HETCKPT_EXIT_OK
	       : rc == -EBADMSG || rc == -ENOTSUP ||
			 rc == -EINVAL || rc == -EFBIG ? HETCKPT_EXIT_DAMAGED
						       : HETCKPT_EXIT_FAILURE;
}

static int print_result(struct hetckpt_reader *reader, const char *file, const struct work *w,
			const char *message)
{
	uint64_t content = 0, bytes = hetckpt_reader_file_bytes(reader);
	size_t sections = w->listed ? hetckpt_reader_count(reader) : 0;
	char a[HETCKPT_TEXT_SHORT], b[HETCKPT_TEXT_SHORT];

	for (size_t i = 0; i < sections; i++)
		content += hetckpt_reader_section(reader, i)->bytes;
	if (w->damage) {
		json_t *facts = json_pack("{s:s, s:b, s:I, s:I, s:I, s:O, s:s?}", "file", file,
					  "sound", !w->count && !message, "file_bytes",
					  (json_int_t)bytes, "sections", (json_int_t)sections,
					  "content_bytes", (json_int_t)content, "damage", w->damage,
					  "error", message);
		int rc = hetckpt_json_print(facts);

		json_decref(facts);
		return rc;
	}
	if (message)
		return HETCKPT_EXIT_OK;
	printf("%s: sound, %s in %zu sections, %s of content\n", file,
	       hetckpt_bytes_format(bytes, a), sections, hetckpt_bytes_format(content, b));
	return hetckpt_stdout_finish();
}

static int verify(const char *file, bool json)
{
	struct work work = {.damage = json ? json_array() : NULL};
	struct hetckpt_reader_options options = {.progress = progress, .progress_ctx = &work};
	struct hetckpt_reader *reader;
	const char *message = NULL;
	int rc, print_rc = 0;

	hetckpt_progress_begin(&work.bar);
	rc = hetckpt_reader_open(file, &options, &reader);
	work.listed = !rc;
	if (!rc)
		rc = hetckpt_reader_verify(reader, report, &work);
	hetckpt_progress_finish(&work.bar);
	if (rc)
		message = hetckpt_reader_error(reader);
	if (reader)
		print_rc = print_result(reader, file, &work, message);
	/* Each damaged part has had its line. */
	if (rc && (json || !work.count))
		hetckpt_fail(1, "%s", message);
	hetckpt_reader_close(reader);
	json_decref(work.damage);
	return rc ? status_of(rc) : print_rc;
}

int hetckpt_command_verify(int argc, char **argv)
{
	static const struct option options[] = {{"json", 0, NULL, 'j'}, {"help", 0, NULL, 'h'}, {0}};
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h')
			return hetckpt_help(help);
		if (c != 'j')
			return hetckpt_usage_hint(argv);
		json = true;
	}
	if (optind + 1 != argc)
		return hetckpt_usage_error(argv, optind == argc ? "the snapshot is missing"
								: "only one snapshot can be given");
	return verify(argv[optind], json);
}
