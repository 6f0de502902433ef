/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Fills an empty core from a snapshot: everything is recreated where it was, on whatever
 * device this is. docs/session-state.md describes what it reads.
 *
 * The order matters: addresses are claimed before anything else asks for memory,
 * modules need their variables' addresses, functions need modules, commands need all.
 */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


/* A limit on what a manifest may ask for, so that a damaged one cannot. */
#define MODULE_MAX ((uint64_t)8 << 30)

/* An allocation as the manifest has it. */
struct allocation {
	uint64_t address, bytes, offset, tag;
	struct hetckpt_place place;
};

int hetckpt_load_failed(struct hetckpt_load *load, int rc)
{
	if (!rc)
		return 0;
	hetckpt_error_set(load->error, rc, 0, "%s", hetckpt_reader_error(load->reader));
	return load->fields.rc = rc;
}

int hetckpt_load_section(struct hetckpt_load *load, const char *name, uint64_t bytes, size_t *number)
{
	int rc = hetckpt_load_failed(load, hetckpt_reader_find(load->reader, name, number));

	if (!rc && hetckpt_reader_section(load->reader, *number)->bytes != bytes)
		rc = hetckpt_fields_fail(&load->fields, -EINVAL, "section %s has %" PRIu64 " bytes, not %" PRIu64,
			name, hetckpt_reader_section(load->reader, *number)->bytes, bytes);
	return rc;
}

int hetckpt_load_read(struct hetckpt_load *load, const char *name, uint64_t bytes, void **data)
{
	size_t number;
	int rc = hetckpt_load_section(load, name, bytes, &number);

	if (rc)
		return rc;
	*data = malloc(bytes ? bytes : 1);
	if (!*data)
		return hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory for section %s", name);
	rc = hetckpt_load_failed(load, hetckpt_reader_read(load->reader, number, 0, *data, bytes));
	if (rc) {
		free(*data);
		*data = NULL;
	}
	return rc;
}

/* ---- Memory and modules ------------------------------------------------ */

static int add_modules(struct hetckpt_load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "modules"), *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		uint64_t number, bytes;
		const char *name;
		void *data = NULL;
		int rc;

		hetckpt_fields_what(&load->fields, "module %zu", i);
		number = hetckpt_field_number(&load->fields, entry, "number", INT64_MAX - 1);
		bytes = hetckpt_field_number(&load->fields, entry, "bytes", MODULE_MAX);
		name = hetckpt_field_text(&load->fields, entry, "section");
		if (load->fields.rc || hetckpt_load_read(load, name, bytes, &data))
			return load->fields.rc;
		rc = hetckpt_modules_add(&load->core->modules, number, data, bytes, load->error);
		if (rc)
			return load->fields.rc = rc;
	}
	return load->fields.rc;
}

uint64_t hetckpt_load_tag(struct hetckpt_load *load, const json_t *entry)
{
	if (json_is_true(json_object_get(entry, "heap")))
		return HETCKPT_TAG_HEAP;
	return json_object_get(entry, "module")
		? HETCKPT_TAG_MODULE(hetckpt_field_number(&load->fields, entry, "module", INT64_MAX - 1)) : 0;
}

/* One allocation of the manifest, with its contents: they are there before memory is asked
   for, so that a wrong number cannot ask for more than the file holds. */
static int read_allocation(struct hetckpt_load *load, const json_t *entry, size_t i, struct allocation *a)
{
	const char *name;

	hetckpt_fields_what(&load->fields, "allocation %zu", i);
	a->address = hetckpt_field_address(&load->fields, entry, "address");
	a->bytes = hetckpt_field_number(&load->fields, entry, "bytes", HETCKPT_ARENA_BYTES);
	a->tag = hetckpt_load_tag(load, entry);
	if (load->outline)
		return load->fields.rc;
	a->offset = hetckpt_field_number(&load->fields, entry, "offset", HETCKPT_ARENA_BYTES);
	name = hetckpt_field_text(&load->fields, entry, "section");
	if (load->fields.rc || hetckpt_load_find(load, name, &a->place))
		return load->fields.rc;
	if (a->offset + a->bytes > a->place.bytes)
		return hetckpt_fields_fail(&load->fields, -EINVAL, "its contents are not all in section %s", name);
	return 0;
}

static int claim_memory(struct hetckpt_load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "allocations"), *entry;
	struct allocation a;
	size_t i;

	json_array_foreach(list, i, entry) {
		int rc = read_allocation(load, entry, i, &a);

		if (!rc && load->prepared && hetckpt_arena_at(load->core->app.arena, a.address))
			continue; /* the same one: others have gone */
		if (!rc)
			rc = hetckpt_heap_claim(&load->core->app, a.address, a.bytes, a.tag, load->error);
		if (rc)
			return load->fields.rc = rc;
	}
	return load->fields.rc;
}

static int fill_memory(struct hetckpt_load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "allocations"), *entry;
	struct allocation a;
	size_t i;

	json_array_foreach(list, i, entry) {
		if (read_allocation(load, entry, i, &a))
			break;
		if (a.bytes < HETCKPT_SMALL_BYTES)
			hetckpt_load_small(load, &a.place, a.offset, a.address, a.bytes);
		else if (a.offset || a.bytes != a.place.bytes)
			hetckpt_fields_fail(&load->fields, -EINVAL, "its section has another size");
		else
			hetckpt_load_device(load, &a.place, a.address);
		if (load->fields.rc)
			break;
	}
	return load->fields.rc;
}

/* A buffer that the application still shares needs neither memory nor contents. */
static int restore_host(struct hetckpt_load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "host_buffers"), *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		struct hetckpt_host_buffer *known;
		uint64_t address, bytes;
		const char *name;
		size_t number;
		int fd, rc;

		hetckpt_fields_what(&load->fields, "page-locked buffer %zu", i);
		address = hetckpt_field_address(&load->fields, entry, "address");
		bytes = hetckpt_field_number(&load->fields, entry, "bytes", HETCKPT_ARENA_BYTES);
		if (load->fields.rc)
			return load->fields.rc;
		known = hetckpt_host_find(load->core, address, bytes);
		if (known && known->address == address && known->bytes == bytes)
			continue;
		name = json_string_value(json_object_get(entry, "section"));
		if (!name)
			return hetckpt_fields_fail(&load->fields, -ENOENT,
				"its contents are not in the snapshot and nobody shares it");
		if (hetckpt_load_section(load, name, bytes, &number))
			return load->fields.rc;
		fd = memfd_create("hetckpt-host", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, (off_t)bytes)) {
			rc = -errno;
			if (fd >= 0)
				close(fd);
			return hetckpt_fields_fail(&load->fields, rc, "cannot make memory for it: %s", strerror(-rc));
		}
		rc = hetckpt_host_map(load->core, address, bytes, fd, load->error);
		close(fd);
		if (rc)
			return load->fields.rc = rc;
		if (hetckpt_load_failed(load, hetckpt_reader_read(load->reader, number, 0, (void *)(uintptr_t)address, bytes)))
			return load->fields.rc;
	}
	return load->fields.rc;
}

static int load_modules(struct hetckpt_load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "modules"), *entry;
	struct hetckpt_core *core = load->core;
	size_t i;

	json_array_foreach(list, i, entry) {
		const struct hetckpt_arena_allocation *block;
		struct hetckpt_code *code;
		uint64_t at, bytes;
		int rc;

		hetckpt_fields_what(&load->fields, "module %zu", i);
		if (!hetckpt_field_flag(&load->fields, entry, "loaded"))
			continue;
		at = hetckpt_field_address(&load->fields, entry, "variables");
		bytes = hetckpt_field_number(&load->fields, entry, "variable_bytes", HETCKPT_ARENA_BYTES);
		code = hetckpt_modules_find(&core->modules,
		                            hetckpt_field_number(&load->fields, entry, "number", INT64_MAX - 1));
		if (load->fields.rc)
			return load->fields.rc;
		block = hetckpt_arena_at(core->app.arena, at);
		if (bytes && (!block || block->tag != HETCKPT_TAG_MODULE(code->number) || block->bytes != bytes))
			return hetckpt_fields_fail(&load->fields, -EINVAL, "its variables are not among the allocations");
		rc = hetckpt_code_load(&core->modules, code, bytes ? at : 0, load->error);
		if (rc)
			return load->fields.rc = rc;
		if (code->map->variable_bytes != bytes)
			return hetckpt_fields_fail(&load->fields, -EINVAL,
				"its image has %" PRIu64 " bytes of variables, the snapshot %" PRIu64,
				code->map->variable_bytes, bytes);
	}
	return load->fields.rc;
}

static int load_functions(struct hetckpt_load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "functions"), *entry;
	struct hetckpt_core *core = load->core;
	size_t i;

	json_array_foreach(list, i, entry) {
		struct hetckpt_function *function;
		struct hetckpt_code *code;
		uint64_t handle, number, shared;
		const char *name, *hash;
		json_t *actual;
		bool same;
		int rc;

		hetckpt_fields_what(&load->fields, "function %zu", i);
		handle = hetckpt_field_number(&load->fields, entry, "handle", INT64_MAX - 1);
		number = hetckpt_field_number(&load->fields, entry, "module", INT64_MAX - 1);
		shared = hetckpt_field_number(&load->fields, entry, "max_dynamic_shared", UINT32_MAX);
		name = hetckpt_field_text(&load->fields, entry, "name");
		hash = hetckpt_field_text(&load->fields, entry, "hash");
		code = hetckpt_modules_find(&core->modules, number);
		if (!load->fields.rc && (!code || !code->module))
			hetckpt_fields_fail(&load->fields, -EINVAL, "its module %" PRIu64 " is not loaded", number);
		if (load->fields.rc)
			return load->fields.rc;
		function = load->prepared ? hetckpt_function_find(&core->modules, handle) : NULL;
		rc = function && function->code == code && !strcmp(function->map->name, name) ? 0
			: hetckpt_function_claim(&core->modules, code, name, handle, &function, load->error);
		if (rc)
			return load->fields.rc = rc;
		actual = hetckpt_hash_json(function->map->hash);
		same = actual && !strcmp(json_string_value(actual), hash);
		json_decref(actual);
		if (!same)
			return hetckpt_fields_fail(&load->fields, -EINVAL,
				"the state map of %.120s has another hash than when the snapshot was written",
				function->map->signature);
		if (shared > function->facts[0].max_dynamic_shared)
			return hetckpt_fields_fail(&load->fields, -ENOSPC,
				"%.120s uses up to %" PRIu64 " bytes of dynamic shared memory, this device has %u",
				function->map->signature, shared, function->facts[0].max_dynamic_shared);
		function->max_dynamic_shared = (uint32_t)shared;
	}
	return load->fields.rc;
}

/* ---- Streams ----------------------------------------------------------- */

static int load_streams(struct hetckpt_load *load)
{
	json_t *list = hetckpt_field_list(&load->fields, load->manifest, "streams"), *entry;
	size_t i;

	load->streams = calloc(json_array_size(list) + 1, sizeof *load->streams);
	if (!load->streams)
		return hetckpt_fields_fail(&load->fields, -ENOMEM, "out of host memory");
	json_array_foreach(list, i, entry) {
		struct hetckpt_stream *stream = load->core->streams;
		uint64_t id, flags;
		bool destroyed;
		int rc = 0;

		hetckpt_fields_what(&load->fields, "stream %zu", i);
		id = hetckpt_field_number(&load->fields, entry, "id", UINT32_MAX);
		flags = hetckpt_field_number(&load->fields, entry, "flags", UINT32_MAX);
		destroyed = hetckpt_field_flag(&load->fields, entry, "destroyed");
		if (!load->fields.rc && !id != !i)
			hetckpt_fields_fail(&load->fields, -EINVAL, "the default stream is not the first");
		if (load->fields.rc)
			return load->fields.rc;
		/* The default stream is there from the start. */
		if (id)
			rc = hetckpt_stream_create(load->core, (uint32_t)id, (uint32_t)flags,
				(int32_t)json_integer_value(json_object_get(entry, "priority")), &stream, load->error);
		if (rc)
			return load->fields.rc = rc;
		stream->destroyed = destroyed && id;
		load->streams[load->stream_count++] = stream;
	}
	return load->fields.rc;
}

/* ---- All of it --------------------------------------------------------- */

static int load_head(struct hetckpt_load *load, uint64_t *taken, uint64_t *time)
{
	struct hetckpt_core *core = load->core;
	uint64_t arena;

	if (strcmp(hetckpt_field_text(&load->fields, load->manifest, "kind"), "hetckpt session"))
		hetckpt_fields_fail(&load->fields, -EINVAL, "this is no snapshot of a session");
	if (!load->fields.rc &&
	    hetckpt_field_number(&load->fields, load->manifest, "state", UINT32_MAX) != HETCKPT_STATE_VERSION)
		hetckpt_fields_fail(&load->fields, -ENOTSUP, "its state has another version than this program's");
	if (!load->fields.rc &&
	    hetckpt_field_number(&load->fields, load->manifest, "abi", UINT32_MAX) != HETCKPT_ABI_VERSION)
		hetckpt_fields_fail(&load->fields, -ENOTSUP, "its kernels have another ABI than this program's");
	arena = hetckpt_field_number(&load->fields, load->manifest, "arena", 31);
	*taken = hetckpt_field_number(&load->fields, load->manifest, "taken_seq", INT64_MAX);
	*time = hetckpt_field_number(&load->fields, load->manifest, "time_ns", INT64_MAX);
	if (load->fields.rc || arena == core->arena_index)
		return load->fields.rc;
	if (load->prepared)
		return hetckpt_fields_fail(&load->fields, -EINVAL, "its addresses are others than those prepared for");
	/* Addresses belong to the session: this device takes over its range. */
	hetckpt_core_close_state(core);
	hetckpt_stage_leave(&core->stage, &core->dev);
	hetckpt_peers_clear(&core->peers, &core->dev);
	hetckpt_dev_close(&core->dev);
	core->arena_index = (unsigned)arena;
	load->fields.rc = hetckpt_core_open_state(core, load->error);
	if (!load->fields.rc)
		hetckpt_stage_enter(&core->stage, &core->dev);
	return load->fields.rc;
}

/* Before code that may need them. What is not there, nobody has set. */
static int load_limits(struct hetckpt_load *load)
{
	const json_t *limits = json_object_get(load->manifest, "limits");

	hetckpt_fields_what(&load->fields, "limits");
	for (unsigned i = 0; i < HETCKPT_LIMIT_COUNT; i++) {
		const char *name = hetckpt_limit_name[i];
		uint64_t value = json_object_get(limits, name)
			? hetckpt_field_number(&load->fields, limits, name, INT64_MAX) : 0;
		int rc = load->fields.rc ? load->fields.rc
			: hetckpt_core_limit(load->core, (enum hetckpt_limit)i, value, load->error);

		if (rc)
			return load->fields.rc = rc;
	}
	return 0;
}

static int load_code(struct hetckpt_load *load)
{
	int rc = add_modules(load);

	if (!rc)
		rc = load_modules(load);
	return rc ? rc : load_functions(load);
}

static int load_parts(struct hetckpt_load *load, uint64_t *taken)
{
	struct hetckpt_core *core = load->core;
	uint64_t time = 0, now = 0;
	int rc = load_head(load, taken, &time);

	if (!rc)
		rc = load_limits(load);
	if (!rc && load->prepared)
		rc = hetckpt_load_reconcile(load);
	if (!rc)
		rc = claim_memory(load);
	if (!rc && load->outline)
		return load_code(load);
	/* Copies go on while code is made. */
	if (!rc)
		rc = fill_memory(load);
	if (!rc)
		rc = restore_host(load);
	if (!rc)
		rc = load_code(load);
	if (!rc)
		rc = load_streams(load);
	if (!rc)
		rc = hetckpt_load_commands(load);
	if (!rc)
		rc = hetckpt_load_events(load);
	if (!rc)
		rc = hetckpt_dev_settle(&core->dev, &now, load->error);
	if (rc)
		return rc;
	core->time_offset = time - now;
	core->submitted = *taken;
	core->detached = load->detached;
	return 0;
}

static int load_file(struct hetckpt_load *load, int fd, uint64_t *taken)
{
	struct hetckpt_core *core = load->core;
	uint64_t seq = 0;
	int rc;

	load->fields.error = load->error;
	/* Nothing may be handed to the device before somebody says resume. */
	atomic_store(&core->stop, 1);
	core->state = HETCKPT_CORE_PAUSED;
	rc = hetckpt_load_failed(load, hetckpt_reader_open_fd(fd, "snapshot", NULL, &load->reader));
	if (!rc) {
		load->manifest = hetckpt_reader_manifest(load->reader);
		rc = load_parts(load, &seq);
	}
	hetckpt_load_data_end(load);
	hetckpt_reader_close(load->reader);
	free(load->commands);
	free(load->seqs);
	free(load->streams);
	if (!rc && taken)
		*taken = seq;
	return rc;
}

int hetckpt_load_locked(struct hetckpt_core *core, int fd, bool detached, bool elsewhere, uint64_t *taken,
                        struct hetckpt_error *error)
{
	struct hetckpt_load load = {.core = core, .detached = detached, .elsewhere = elsewhere, .error = error};

	return load_file(&load, fd, taken);
}

/* Takes the lock of a core in which nothing has happened yet, preparations aside. */
static int enter_fresh(struct hetckpt_core *core, bool prepared, struct hetckpt_error *error)
{
	size_t count;

	hetckpt_core_enter(core);
	hetckpt_arena_list(core->app.arena, &count);
	if ((!count || prepared) && !core->unfinished && !core->submitted)
		return 0;
	pthread_mutex_unlock(&core->lock);
	return hetckpt_error_set(error, -EBUSY, 0, "a snapshot can only be loaded into a fresh worker");
}

int hetckpt_core_load(struct hetckpt_core *core, int fd, bool detached, uint64_t *taken,
                      struct hetckpt_error *error)
{
	int rc = enter_fresh(core, false, error);

	if (rc)
		return rc;
	rc = hetckpt_load_locked(core, fd, detached, false, taken, error);
	pthread_mutex_unlock(&core->lock);
	return rc;
}

int hetckpt_core_prepare(struct hetckpt_core *core, int fd, struct hetckpt_error *error)
{
	struct hetckpt_load load = {.core = core, .outline = true, .error = error};
	int rc = enter_fresh(core, false, error);

	if (rc)
		return rc;
	rc = load_file(&load, fd, NULL);
	core->prepared = !rc;
	pthread_mutex_unlock(&core->lock);
	return rc;
}

int hetckpt_core_take_over(struct hetckpt_core *core, int fd, bool detached, uint64_t *taken,
                           struct hetckpt_error *error)
{
	struct hetckpt_load load = {.core = core, .detached = detached, .elsewhere = true, .error = error};
	int rc = enter_fresh(core, core->prepared, error);

	if (rc)
		return rc;
	load.prepared = core->prepared;
	core->prepared = false;
	rc = load_file(&load, fd, taken);
	pthread_mutex_unlock(&core->lock);
	return rc;
}
