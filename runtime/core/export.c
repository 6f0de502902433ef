/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Writes every allocation to a file of its own: results for people and other programs.
 */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)8 << 20)

struct export {
	struct hetckpt_core *core;
	const char *directory;
	int dir;
	unsigned char *piece;
	json_t *memory;
	struct hetckpt_error *error;
};

static int export_failed(struct export *e, const char *name)
{
	return hetckpt_error_set(e->error, -errno, 0, "cannot write %s/%s: %s", e->directory, name,
	                         strerror(errno));
}

static int write_all(int fd, const unsigned char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* One allocation, or page-locked buffer (host). */
static int export_one(struct export *e, uint64_t address, uint64_t bytes, bool host, json_t *entry)
{
	char name[32];
	int fd, rc = 0;

	snprintf(name, sizeof name, "0x%" PRIx64 ".bin", address);
	if (!entry || json_object_set_new(entry, "file", json_string(name)) ||
	    json_object_set_new(entry, "address", hetckpt_address_json(address)) ||
	    json_object_set_new(entry, "bytes", json_integer((json_int_t)bytes)) ||
	    json_object_set_new(entry, "page_locked", json_boolean(host)) ||
	    json_array_append_new(e->memory, entry))
		return hetckpt_error_set(e->error, -ENOMEM, 0, "out of host memory for the manifest");
	fd = openat(e->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return export_failed(e, name);
	for (uint64_t at = 0; at < bytes && !rc; at += PIECE) {
		size_t n = bytes - at < PIECE ? (size_t)(bytes - at) : PIECE;
		const unsigned char *data = (const unsigned char *)(uintptr_t)(address + at);

		if (!host) {
			rc = hetckpt_dev_read(&e->core->dev, e->piece, address + at, n, e->error);
			data = e->piece;
		}
		if (!rc && write_all(fd, data, n))
			rc = export_failed(e, name);
	}
	if (close(fd) && !rc)
		rc = export_failed(e, name);
	return rc;
}

/* The variables of a module, by name. */
static json_t *variables_json(const struct hetckpt_core *core, uint64_t tag)
{
	const struct hetckpt_code *code = hetckpt_modules_find(&core->modules, tag - 1);
	json_t *list = json_array();

	for (uint32_t i = 0; code && code->map && list && i < code->map->variables; i++)
		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "name", code->map->variable[i].name,
			"offset", (json_int_t)code->map->variable[i].offset,
			"bytes", (json_int_t)code->map->variable[i].bytes));
	return list;
}

static int export_memory(struct export *e)
{
	const struct hetckpt_arena_allocation *list;
	size_t count;
	int rc = 0;

	list = hetckpt_arena_list(e->core->app.arena, &count);
	for (size_t i = 0; i < count && !rc; i++) {
		json_t *entry = json_object();

		if (entry && list[i].tag == HETCKPT_TAG_HEAP) {
			json_object_set_new(entry, "heap", json_true());
		} else if (entry && list[i].tag) {
			const struct hetckpt_code *code = hetckpt_modules_find(&e->core->modules, list[i].tag - 1);

			json_object_set_new(entry, "module", json_integer((json_int_t)list[i].tag - 1));
			if (code && code->map)
				json_object_set_new(entry, "source", json_string(code->map->module));
			json_object_set_new(entry, "variables", variables_json(e->core, list[i].tag));
		}
		rc = export_one(e, list[i].address, list[i].bytes, false, entry);
	}
	for (struct hetckpt_host_buffer *b = e->core->hosts; b && !rc; b = b->next)
		rc = export_one(e, b->address, b->bytes, true, json_object());
	return rc;
}

static int export_manifest(struct export *e)
{
	json_t *manifest = json_pack("{s:s, s:O}", "kind", "hetckpt export", "memory", e->memory);
	char *text = manifest ? json_dumps(manifest, JSON_INDENT(1)) : NULL;
	int fd, rc = 0;

	json_decref(manifest);
	if (!text)
		return hetckpt_error_set(e->error, -ENOMEM, 0, "out of host memory for the manifest");
	fd = openat(e->dir, "manifest.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || write_all(fd, (const unsigned char *)text, strlen(text)) ||
	    write_all(fd, (const unsigned char *)"\n", 1))
		rc = export_failed(e, "manifest.json");
	if (fd >= 0 && close(fd) && !rc)
		rc = export_failed(e, "manifest.json");
	free(text);
	return rc;
}

int hetckpt_core_export(struct hetckpt_core *core, const char *directory,
                        struct hetckpt_error *error)
{
	struct export e = {.core = core, .directory = directory, .dir = -1, .error = error};
	int rc = 0;

	if (mkdir(directory, 0777) && errno != EEXIST)
		return hetckpt_error_set(error, -errno, 0, "cannot make the directory %s: %s", directory,
		                         strerror(errno));
	e.dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e.dir < 0)
		return hetckpt_error_set(error, -errno, 0, "cannot open the directory %s: %s", directory,
		                         strerror(errno));
	e.piece = malloc(PIECE);
	e.memory = json_array();
	if (!e.piece || !e.memory)
		rc = hetckpt_error_set(error, -ENOMEM, 0, "out of host memory");
	hetckpt_core_enter(core);
	if (!rc && core->failed) {
		*error = core->failure;
		rc = core->failure.code ? core->failure.code : -EIO;
	} else if (!rc && core->state != HETCKPT_CORE_PAUSED && core->unfinished) {
		rc = hetckpt_error_set(error, -EBUSY, 0, "the session is still working: pause it first");
	}
	if (!rc)
		rc = export_memory(&e);
	if (!rc)
		rc = export_manifest(&e);
	pthread_mutex_unlock(&core->lock);
	json_decref(e.memory);
	free(e.piece);
	close(e.dir);
	return rc;
}
