/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * writer.c - opening, manifest, sections, index and trailer.
 */
#include "writer_internal.h"

#include "io.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEVEL_DEFAULT 1

int hetckpt_snap_writer_fail(struct hetckpt_writer *writer, int code, const char *format, ...)
{
	char text[sizeof(writer->error.text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pthread_mutex_lock(&writer->lock);
	code = hetckpt_snap_error_set(&writer->error, code, "%s", text);
	atomic_store(&writer->failed, true);
	pthread_mutex_unlock(&writer->lock);
	return code;
}

/* ---- Opening --------------------------------------------------------------- */

static struct hetckpt_writer *writer_new(const char *what, const struct hetckpt_writer_options *options)
{
	struct hetckpt_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return NULL;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->moved, NULL);
	writer->what_owned = strdup(what);
	writer->what = writer->what_owned ? writer->what_owned : "snapshot";
	writer->taken = json_object();
	writer->fd = -1;
	if (options)
		writer->options = *options;
	if (!writer->options.level)
		writer->options.level = LEVEL_DEFAULT;
	if (!writer->options.chunk_bytes)
		writer->options.chunk_bytes = HETCKPT_CHUNK_DEFAULT;
	if (!writer->options.io)
		writer->options.io = &hetckpt_snap_io_system;
	writer->buffers = writer->options.buffers ? *writer->options.buffers : hetckpt_snap_buffers_default;
	return writer;
}

static int check_options(struct hetckpt_writer *writer)
{
	if (!writer->what_owned || !writer->taken)
		return hetckpt_snap_writer_fail(writer, -ENOMEM, "%s: out of memory", writer->what);
	if (!hetckpt_snap_chunk_bytes_valid(writer->options.chunk_bytes))
		return hetckpt_snap_writer_fail(writer, -EINVAL,
			"%s: chunk size %u is not a power of two from %u to %u", writer->what,
			(unsigned)writer->options.chunk_bytes, HETCKPT_CHUNK_MIN, HETCKPT_CHUNK_MAX);
	if (!hetckpt_snap_level_valid(writer->options.level))
		return hetckpt_snap_writer_fail(writer, -EINVAL, "%s: zstd has no level %d", writer->what,
			writer->options.level);
	return 0;
}

static int start(struct hetckpt_writer *writer, bool writeback)
{
	int rc = hetckpt_snap_sink_init(&writer->sink, writer->options.io, writer->fd, writeback);

	if (rc)
		return hetckpt_snap_writer_fail(writer, rc, "%s: out of memory", writer->what);
	return hetckpt_snap_pipeline_start(writer);
}

int hetckpt_writer_open(const char *path, const struct hetckpt_writer_options *options,
	struct hetckpt_writer **out)
{
	struct hetckpt_writer *writer = writer_new(path, options);
	int rc;

	*out = writer;
	if (!writer)
		return -ENOMEM;
	rc = check_options(writer);
	if (rc)
		return rc;
	rc = hetckpt_atomic_open(path, writer->options.io, &writer->file);
	if (rc)
		return hetckpt_snap_writer_fail(writer, rc, "%s", hetckpt_atomic_error(writer->file));
	writer->fd = hetckpt_atomic_fd(writer->file);
	return start(writer, !writer->options.no_sync);
}

int hetckpt_writer_open_fd(int fd, const char *name, const struct hetckpt_writer_options *options,
	struct hetckpt_writer **out)
{
	struct hetckpt_writer *writer;
	struct stat st;
	char number[32];
	int rc;

	snprintf(number, sizeof(number), "fd %d", fd);
	writer = writer_new(name ? name : number, options);
	*out = writer;
	if (!writer)
		return -ENOMEM;
	rc = check_options(writer);
	if (rc)
		return rc;
	writer->fd = fd;
	/* What a file held before would lie behind the trailer. */
	if (fstat(fd, &st) < 0 ||
			(S_ISREG(st.st_mode) && (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0))) {
		rc = -errno;
		return hetckpt_snap_writer_fail(writer, rc, "%s: cannot be written: %s", writer->what,
			strerror(-rc));
	}
	return start(writer, false);
}

/* ---- Manifest --------------------------------------------------------------- */

static int put(struct hetckpt_writer *writer, const void *data, size_t bytes)
{
	uint64_t offset = writer->sink.offset;
	int rc = hetckpt_snap_sink_put(&writer->sink, data, bytes);

	if (rc)
		return hetckpt_snap_writer_fail(writer, rc, "%s: cannot write at offset %llu: %s",
			writer->what, (unsigned long long)offset, strerror(-rc));
	return 0;
}

/* Writes header and manifest; text has no line feed. */
static int put_manifest(struct hetckpt_writer *writer, char *text)
{
	uint8_t header[HETCKPT_HEADER_BYTES];
	size_t bytes = strlen(text) + 1;
	int rc;

	if (bytes > HETCKPT_MANIFEST_MAX)
		return hetckpt_snap_writer_fail(writer, -EFBIG, "%s: manifest is longer than %u MiB",
			writer->what, HETCKPT_MANIFEST_MAX >> 20);
	text[bytes - 1] = '\n';
	hetckpt_snap_header_encode(header, (uint32_t)bytes);
	writer->header_hash = hetckpt_snap_hash(header, sizeof(header));
	writer->manifest_hash = hetckpt_snap_hash(text, bytes);
	writer->started = true;
	rc = put(writer, header, sizeof(header));
	return rc ? rc : put(writer, text, bytes);
}

/* True if a call may go on; otherwise *rc is what it returns. */
static bool usable(struct hetckpt_writer *writer, int *rc)
{
	*rc = 0;
	if (atomic_load(&writer->failed)) {
		pthread_mutex_lock(&writer->lock);
		*rc = writer->error.code;
		pthread_mutex_unlock(&writer->lock);
	} else if (writer->finished) {
		*rc = hetckpt_snap_writer_fail(writer, -EINVAL, "%s: is finished already", writer->what);
	}
	return *rc == 0;
}

int hetckpt_writer_manifest(struct hetckpt_writer *writer, const json_t *manifest)
{
	char *text;
	int rc;

	if (!usable(writer, &rc))
		return rc;
	if (writer->started)
		return hetckpt_snap_writer_fail(writer, -EINVAL,
			"%s: the manifest comes once, before the first section", writer->what);
	if (!json_is_object(manifest))
		return hetckpt_snap_writer_fail(writer, -EINVAL, "%s: the manifest is not an object",
			writer->what);
	text = json_dumps(manifest, JSON_COMPACT);
	if (!text)
		return hetckpt_snap_writer_fail(writer, -EINVAL,
			"%s: the manifest cannot be put into text: it contains itself, or memory ran out",
			writer->what);
	rc = put_manifest(writer, text);
	free(text);
	return rc;
}

int hetckpt_writer_manifest_text(struct hetckpt_writer *writer, const char *text)
{
	json_error_t error;
	json_t *manifest;
	int rc;

	if (!usable(writer, &rc))
		return rc;
	manifest = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!manifest)
		return hetckpt_snap_writer_fail(writer,
			*error.text ? -EINVAL : -ENOMEM, /* silent where there is no memory */
			"%s: the manifest cannot be read: line %d, column %d: %s", writer->what, error.line,
			error.column, error.text);
	rc = hetckpt_writer_manifest(writer, manifest);
	json_decref(manifest);
	return rc;
}

/* ---- Sections --------------------------------------------------------------- */

static uint64_t index_bytes(uint64_t sections, uint64_t chunks, uint64_t names)
{
	return HETCKPT_INDEX_HEAD_BYTES + HETCKPT_SECTION_BYTES * sections +
		HETCKPT_CHUNK_ENTRY_BYTES * chunks + names;
}

/* Checks a new section and enters it in the list. */
static int enter(struct hetckpt_writer *writer, const char *name, uint32_t flags, uint64_t bytes)
{
	size_t length = strlen(name);
	uint64_t chunks;

	if (!hetckpt_snap_name_valid(name, length))
		return hetckpt_snap_writer_fail(writer, -EINVAL,
			"%s: section '%.300s': a name is 1 to %u characters of printable ASCII without spaces",
			writer->what, name, HETCKPT_NAME_MAX);
	if (flags & ~HETCKPT_SECTION_REQUIRED)
		return hetckpt_snap_writer_fail(writer, -EINVAL, "%s: section '%s': unknown flags 0x%x",
			writer->what, name, (unsigned)flags);
	if (bytes > HETCKPT_CONTENT_MAX - writer->options.chunk_bytes)
		return hetckpt_snap_writer_fail(writer, -EFBIG, "%s: section '%s': too long", writer->what, name);
	chunks = hetckpt_snap_chunk_count(bytes, writer->options.chunk_bytes);
	if (index_bytes(writer->sections + 1, writer->queued + chunks, writer->name_bytes + length) >
			HETCKPT_INDEX_MAX)
		return hetckpt_snap_writer_fail(writer, -EFBIG,
			"%s: section '%s': the index would be longer than 1 GiB; use larger chunks",
			writer->what, name);
	if (json_object_get(writer->taken, name))
		return hetckpt_snap_writer_fail(writer, -EINVAL, "%s: section '%s' exists already",
			writer->what, name);

	if (writer->sections == writer->section_room) {
		size_t room = writer->section_room ? writer->section_room * 2 : 64;
		void *grown = reallocarray(writer->section, room, sizeof(writer->section[0]));

		if (!grown)
			goto no_memory;
		writer->section = grown;
		writer->section_room = room;
	}
	if (writer->name_room - writer->name_bytes < length) {
		size_t room = writer->name_room * 2 + 4096;
		void *grown = realloc(writer->names, room);

		if (!grown)
			goto no_memory;
		writer->names = grown;
		writer->name_room = room;
	}
	if (json_object_set_new(writer->taken, name, json_true()) < 0)
		goto no_memory;
	memcpy(writer->names + writer->name_bytes, name, length);
	writer->section[writer->sections++] = (struct hetckpt_snap_section){
		.bytes = bytes,
		.first_chunk = writer->queued,
		.chunks = chunks,
		.chunk_bytes = writer->options.chunk_bytes,
		.flags = flags,
		.name_offset = (uint32_t)writer->name_bytes,
		.name_bytes = (uint32_t)length,
	};
	writer->name_bytes += length;
	return 0;
no_memory:
	return hetckpt_snap_writer_fail(writer, -ENOMEM, "%s: out of memory", writer->what);
}

static int begin(struct hetckpt_writer *writer)
{
	char empty[] = "{}";

	return writer->started ? 0 : put_manifest(writer, empty);
}

static int add(struct hetckpt_writer *writer, uint32_t flags, struct hetckpt_snap_feed *feed)
{
	int rc;

	if (!usable(writer, &rc))
		return rc;
	if (feed->bytes && !feed->data && !feed->fill)
		return hetckpt_snap_writer_fail(writer, -EINVAL, "%s: section '%.300s' has no source",
			writer->what, feed->name);
	rc = begin(writer);
	if (!rc)
		rc = enter(writer, feed->name, flags, feed->bytes);
	return rc ? rc : hetckpt_snap_pipeline_feed(writer, feed);
}

int hetckpt_writer_add(struct hetckpt_writer *writer, const char *name, uint32_t flags,
	const void *data, uint64_t bytes)
{
	struct hetckpt_snap_feed feed = { .name = name, .data = data, .bytes = bytes };

	return add(writer, flags, &feed);
}

int hetckpt_writer_add_from(struct hetckpt_writer *writer, const char *name, uint32_t flags,
	uint64_t bytes, hetckpt_fill_fn fill, void *ctx)
{
	struct hetckpt_snap_feed feed = { .name = name, .bytes = bytes, .fill = fill, .ctx = ctx };

	return add(writer, flags, &feed);
}

/* ---- The end ---------------------------------------------------------------- */

static int put_index(struct hetckpt_writer *writer, struct hetckpt_snap_trailer *trailer)
{
	struct hetckpt_snap_index_head head = {
		.sections = (uint32_t)writer->sections,
		.chunks = writer->stats.chunks,
		.name_bytes = writer->name_bytes,
	};
	size_t bytes = (size_t)index_bytes(head.sections, head.chunks, head.name_bytes), i;
	uint8_t *index = malloc(bytes), *at = index;
	int rc;

	if (!index)
		return hetckpt_snap_writer_fail(writer, -ENOMEM, "%s: no memory for the index", writer->what);
	hetckpt_snap_index_head_encode(at, &head);
	at += HETCKPT_INDEX_HEAD_BYTES;
	for (i = 0; i < writer->sections; i++, at += HETCKPT_SECTION_BYTES)
		hetckpt_snap_section_encode(at, &writer->section[i]);
	for (i = 0; i < writer->stats.chunks; i++, at += HETCKPT_CHUNK_ENTRY_BYTES)
		hetckpt_snap_chunk_encode(at, &writer->chunk[i]);
	if (writer->name_bytes)
		memcpy(at, writer->names, writer->name_bytes);
	trailer->index_offset = writer->sink.offset;
	trailer->index_bytes = bytes;
	trailer->index = hetckpt_snap_hash(index, bytes);
	rc = put(writer, index, bytes);
	free(index);
	return rc;
}

int hetckpt_writer_finish(struct hetckpt_writer *writer)
{
	struct hetckpt_snap_trailer trailer = { 0 };
	uint8_t bytes[HETCKPT_TRAILER_BYTES];
	int rc;

	if (!usable(writer, &rc))
		return rc;
	rc = begin(writer);
	if (rc)
		return rc;
	hetckpt_snap_pipeline_drain(writer);
	if (!usable(writer, &rc))
		return rc;
	rc = put_index(writer, &trailer);
	if (rc)
		return rc;
	trailer.file_bytes = writer->sink.offset + sizeof(bytes);
	trailer.header = writer->header_hash;
	trailer.manifest = writer->manifest_hash;
	hetckpt_snap_trailer_encode(bytes, &trailer);
	rc = put(writer, bytes, sizeof(bytes));
	if (rc)
		return rc;
	rc = hetckpt_snap_sink_flush(&writer->sink);
	if (rc)
		return hetckpt_snap_writer_fail(writer, rc, "%s: cannot write its end: %s", writer->what,
			strerror(-rc));
	if (writer->file) {
		rc = hetckpt_atomic_commit(writer->file, !writer->options.no_sync);
		if (rc)
			return hetckpt_snap_writer_fail(writer, rc, "%s", hetckpt_atomic_error(writer->file));
	}
	writer->finished = true;
	return 0;
}

void hetckpt_writer_stats_get(struct hetckpt_writer *writer, struct hetckpt_writer_stats *stats)
{
	pthread_mutex_lock(&writer->lock);
	*stats = writer->stats;
	pthread_mutex_unlock(&writer->lock);
	stats->file_bytes = writer->finished ? writer->sink.offset : 0;
}

const char *hetckpt_writer_error(const struct hetckpt_writer *writer)
{
	return writer ? writer->error.text : "out of memory";
}

void hetckpt_writer_close(struct hetckpt_writer *writer)
{
	if (!writer)
		return;
	/* What is still queued is not worth finishing. */
	atomic_store(&writer->failed, true);
	hetckpt_snap_pipeline_stop(writer);
	hetckpt_snap_sink_fini(&writer->sink);
	hetckpt_atomic_close(writer->file);
	json_decref(writer->taken);
	pthread_cond_destroy(&writer->moved);
	pthread_mutex_destroy(&writer->lock);
	free(writer->chunk);
	free(writer->section);
	free(writer->names);
	free(writer->what_owned);
	free(writer);
}
