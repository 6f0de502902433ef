/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * reader.c - opening, spooling, lists.
 */
#include "reader_internal.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPOOL_STEP (1u << 20)

int hetckpt_snap_reader_fail(struct hetckpt_reader *reader, int code, const char *format, ...)
{
	char text[sizeof(reader->error.text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pthread_mutex_lock(&reader->lock);
	code = hetckpt_snap_error_set(&reader->error, code, "%s", text);
	pthread_mutex_unlock(&reader->lock);
	return code;
}

int hetckpt_snap_reader_bytes(struct hetckpt_reader *reader, uint64_t offset, void *data,
	uint64_t bytes, const char **wrong)
{
	int rc;

	if (offset > reader->file_bytes || bytes > reader->file_bytes - offset) {
		*wrong = "lies outside of the file";
		return -EBADMSG;
	}
	rc = hetckpt_snap_pread(reader->options.io, reader->fd, data, (size_t)bytes, offset);
	if (rc == -ENODATA) {
		*wrong = "the file became shorter while it was read";
		return -EBADMSG;
	}
	if (rc)
		*wrong = strerror(-rc);
	return rc;
}

static struct hetckpt_reader *reader_new(const char *what, const struct hetckpt_reader_options *options)
{
	struct hetckpt_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->what = strdup(what);
	if (!reader->what) {
		free(reader);
		return NULL;
	}
	pthread_mutex_init(&reader->lock, NULL);
	reader->fd = -1;
	if (options)
		reader->options = *options;
	if (!reader->options.io)
		reader->options.io = &hetckpt_snap_io_system;
	reader->buffers = reader->options.buffers ? *reader->options.buffers : hetckpt_snap_buffers_default;
	return reader;
}

static uint64_t spool_limit(const struct hetckpt_reader *reader)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	if (reader->options.spool_max)
		return reader->options.spool_max;
	return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 2 : (uint64_t)1 << 30;
}

/* Copies what comes through fd into memory, where it can be read at random. */
static int spool(struct hetckpt_reader *reader, int from, int to)
{
	uint64_t limit = spool_limit(reader), total = 0;
	char *step = malloc(SPOOL_STEP);
	int rc = 0;

	if (!step)
		return hetckpt_snap_reader_fail(reader, -ENOMEM, "%s: out of memory", reader->what);
	while (!rc) {
		ssize_t n = read(from, step, SPOOL_STEP);

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = -errno;
			hetckpt_snap_reader_fail(reader, rc, "%s: cannot read: %s", reader->what, strerror(-rc));
		} else if ((uint64_t)n > limit - total) {
			rc = hetckpt_snap_reader_fail(reader, -EFBIG,
				"%s: longer than the %llu bytes that are taken from a stream", reader->what,
				(unsigned long long)limit);
		} else {
			total += (uint64_t)n;
			rc = hetckpt_snap_write(&hetckpt_snap_io_system, to, step, (size_t)n);
			if (rc)
				hetckpt_snap_reader_fail(reader, rc, "%s: no memory to hold it: %s",
					reader->what, strerror(-rc));
		}
	}
	free(step);
	return rc;
}

/* Takes fd, finds its length; a stream is replaced by a copy in memory. */
static int take_fd(struct hetckpt_reader *reader, int fd, bool owned)
{
	struct stat st;
	off_t end;
	int rc, memory;

	reader->fd = fd;
	reader->fd_owned = owned;
	if (fstat(fd, &st) < 0) {
		rc = -errno;
		return hetckpt_snap_reader_fail(reader, rc, "%s: %s", reader->what, strerror(-rc));
	}
	if (S_ISDIR(st.st_mode))
		return hetckpt_snap_reader_fail(reader, -EISDIR, "%s: is a folder", reader->what);
	if (S_ISREG(st.st_mode)) {
		reader->file_bytes = (uint64_t)st.st_size;
		return 0;
	}
	if (S_ISBLK(st.st_mode))
		return hetckpt_snap_reader_fail(reader, -EINVAL,
			"%s: is a block device, which does not tell where a snapshot on it ends", reader->what);

	memory = memfd_create("hetckpt-spool", MFD_CLOEXEC);
	if (memory < 0) {
		rc = -errno;
		return hetckpt_snap_reader_fail(reader, rc, "%s: no memory file: %s", reader->what,
			strerror(-rc));
	}
	rc = spool(reader, fd, memory);
	if (owned)
		close(fd);
	reader->fd = memory;
	reader->fd_owned = true;
	if (rc)
		return rc;
	end = lseek(memory, 0, SEEK_END);
	reader->file_bytes = end < 0 ? 0 : (uint64_t)end;
	return 0;
}

int hetckpt_reader_open(const char *path, const struct hetckpt_reader_options *options,
	struct hetckpt_reader **out)
{
	struct hetckpt_reader *reader = reader_new(path, options);
	int fd, rc;

	*out = reader;
	if (!reader)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		return hetckpt_snap_reader_fail(reader, rc, "%s: %s", path, strerror(-rc));
	}
	rc = take_fd(reader, fd, true);
	return rc ? rc : hetckpt_snap_reader_load(reader);
}

int hetckpt_reader_open_fd(int fd, const char *name, const struct hetckpt_reader_options *options,
	struct hetckpt_reader **out)
{
	struct hetckpt_reader *reader;
	char number[32];
	int rc;

	snprintf(number, sizeof(number), "fd %d", fd);
	reader = reader_new(name ? name : number, options);
	*out = reader;
	if (!reader)
		return -ENOMEM;
	rc = take_fd(reader, fd, false);
	return rc ? rc : hetckpt_snap_reader_load(reader);
}

const json_t *hetckpt_reader_manifest(const struct hetckpt_reader *reader)
{
	return reader->manifest;
}

uint64_t hetckpt_reader_file_bytes(const struct hetckpt_reader *reader)
{
	return reader->file_bytes;
}

size_t hetckpt_reader_count(const struct hetckpt_reader *reader)
{
	return reader->sections;
}

const struct hetckpt_section *hetckpt_reader_section(const struct hetckpt_reader *reader, size_t number)
{
	return &reader->section[number];
}

int hetckpt_reader_find(struct hetckpt_reader *reader, const char *name, size_t *number)
{
	size_t low = 0, high = reader->sections;

	hetckpt_snap_error_clear(&reader->error);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, reader->section[reader->by_name[middle]].name);

		if (order == 0) {
			*number = reader->by_name[middle];
			return 0;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return hetckpt_snap_reader_fail(reader, -ENOENT, "%s: has no section '%.300s'", reader->what, name);
}

int hetckpt_reader_chunk(struct hetckpt_reader *reader, size_t section, uint64_t chunk,
	struct hetckpt_chunk_info *info)
{
	const struct hetckpt_section *s;
	const struct hetckpt_snap_chunk *entry;

	hetckpt_snap_error_clear(&reader->error);
	if (section >= reader->sections || chunk >= reader->section[section].chunks)
		return hetckpt_snap_reader_fail(reader, -ERANGE, "%s: has no chunk %llu of section number %zu",
			reader->what, (unsigned long long)chunk, section);
	s = &reader->section[section];
	entry = &reader->chunk[reader->first_chunk[section] + chunk];
	*info = (struct hetckpt_chunk_info){
		.method = (enum hetckpt_chunk_method)entry->method,
		.file_offset = entry->offset,
		.stored_bytes = entry->stored,
		.bytes = (uint32_t)hetckpt_snap_chunk_length(s->bytes, s->chunk_bytes, chunk),
	};
	memcpy(info->hash, entry->hash.byte, sizeof(info->hash));
	return 0;
}

int hetckpt_reader_check_required(struct hetckpt_reader *reader,
	int (*known)(void *ctx, const char *name), void *ctx)
{
	size_t i;

	hetckpt_snap_error_clear(&reader->error);
	for (i = 0; i < reader->sections; i++)
		if ((reader->section[i].flags & HETCKPT_SECTION_REQUIRED) &&
				!known(ctx, reader->section[i].name))
			return hetckpt_snap_reader_fail(reader, -ENOTSUP,
				"%s: section '%s' is required, and unknown here", reader->what,
				reader->section[i].name);
	return 0;
}

const char *hetckpt_reader_error(const struct hetckpt_reader *reader)
{
	return reader ? reader->error.text : "out of memory";
}

void hetckpt_reader_close(struct hetckpt_reader *reader)
{
	unsigned i;

	if (!reader)
		return;
	hetckpt_snap_pool_destroy(reader->pool);
	for (i = 0; reader->lane && i <= reader->threads; i++) {
		struct hetckpt_snap_lane *lane = &reader->lane[i];

		hetckpt_snap_decompressor_free(lane->decompressor);
		if (lane->raw)
			reader->buffers.release(reader->buffers.ctx, lane->raw, lane->raw_room);
		free(lane->packed);
	}
	if (reader->fd_owned)
		close(reader->fd);
	json_decref(reader->manifest);
	free(reader->lane);
	free(reader->chunk);
	free(reader->first_chunk);
	free(reader->section);
	free(reader->by_name);
	free(reader->names);
	free(reader->what);
	pthread_mutex_destroy(&reader->lock);
	free(reader);
}
