/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a snapshot holds, from its manifest, and for parked blocks from their frames and
 * the state map in the module's fat binary. docs/session-state.md describes the manifest.
 * It is somebody else's file: every number is checked against what it is used for.
 */
#include "inspect.h"

#include "runtime/fatbin/fatbin.h"
#include "runtime/snapshot/reader.h"
#include "runtime/statemap/statemap.h"

#include <hetckpt/abi.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Parked blocks whose frames are looked at for a picture of where threads stand. */
#define SAMPLE_BLOCKS 64
#define PLACES_MAX 64
#define GROUP_MAX ((uint64_t)1 << 30)
#define BLOCKS_MAX ((uint64_t)1 << 30)

struct inspection {
	struct hetckpt_reader *reader;
	const json_t *manifest;
	const struct hetckpt_inspect_options *options;
	struct hetckpt_error *error;
	/* Of the module that was looked at last. */
	json_int_t module;
	struct hetckpt_map *map;
};

/* A launch under way, as far as frames are concerned. */
struct launch {
	const json_t *command;
	const struct hetckpt_map_kernel *kernel;
	struct hetckpt_frame_layout layout;
	uint64_t parked, group_bytes;
	uint32_t grid[3], block[3];
	size_t frames;          /* section */
	uint32_t *blocks;       /* [parked] */
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static uint64_t number_of(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t)value : 0;
}

static int read_failed(struct inspection *in, int rc)
{
	return hetckpt_error_set(in->error, rc, 0, "%s", hetckpt_reader_error(in->reader));
}

/* A whole section in fresh memory. */
static int section_read(struct inspection *in, const char *name, uint64_t limit, void **data,
			uint64_t *bytes)
{
	const struct hetckpt_section *section;
	size_t number;
	int rc = hetckpt_reader_find(in->reader, name, &number);

	if (rc)
		return read_failed(in, rc);
	section = hetckpt_reader_section(in->reader, number);
	if (section->bytes > limit)
		return hetckpt_error_set(in->error, -EFBIG, 0, "section %s is too large", name);
	*data = malloc(section->bytes + 1);
	if (!*data)
		return hetckpt_error_set(in->error, -ENOMEM, 0, "no memory for section %s", name);
	*bytes = section->bytes;
	rc = hetckpt_reader_read(in->reader, number, 0, *data, section->bytes);
	if (rc) {
		free(*data);
		return read_failed(in, rc);
	}
	return 0;
}

/* ---- State maps -------------------------------------------------------- */

static const json_t *entry_by(const json_t *list, const char *field, json_int_t value)
{
	json_t *entry;
	size_t i;

	json_array_foreach((json_t *)list, i, entry)
		if (json_integer_value(json_object_get(entry, field)) == value)
			return entry;
	return NULL;
}

/* The state map of a module, kept until another module is asked for. */
static int map_open(struct inspection *in, json_int_t number)
{
	const json_t *module = entry_by(json_object_get(in->manifest, "modules"), "number", number);
	struct hetckpt_fatbin_image packed = {0};
	struct hetckpt_image *image = NULL;
	char text[HETCKPT_STATEMAP_ERROR] = "";
	uint64_t bytes;
	void *fatbin;
	int rc;

	if (in->map && in->module == number)
		return 0;
	hetckpt_map_free(in->map);
	in->map = NULL;
	if (!module)
		return hetckpt_error_set(in->error, -EBADMSG, 0, "the manifest has no module %lld",
					 (long long)number);
	rc = section_read(in, text_of(module, "section"), HETCKPT_FATBIN_MAX, &fatbin, &bytes);
	if (rc)
		return rc;
	rc = hetckpt_fatbin_image_find(fatbin, bytes, &packed, text, sizeof text);
	if (!rc)
		rc = hetckpt_image_open(packed.data, packed.bytes, &image, text, sizeof text);
	if (!rc)
		rc = hetckpt_map_parse_image(image, &in->map, text, sizeof text);
	if (rc)
		hetckpt_error_set(in->error, rc, 0, "module %lld: %s", (long long)number, text);
	in->module = number;
	hetckpt_image_close(image);
	free(packed.data);
	free(fatbin);
	return rc;
}

/* ---- Launches ---------------------------------------------------------- */

/* True if what the user calls a kernel is this one. */
static bool kernel_matches(const char *asked, const char *name, const char *signature)
{
	size_t n = strcspn(signature, "(<");

	return !strcmp(asked, name) || !strcmp(asked, signature) ||
	       (strlen(asked) == n && !strncmp(asked, signature, n));
}

static void triple(const json_t *list, uint32_t out[3])
{
	for (int i = 0; i < 3; i++) {
		json_int_t value = json_integer_value(json_array_get(list, (size_t)i));

		out[i] = value > 0 && value <= UINT32_MAX ? (uint32_t)value : 0;
	}
}

static void launch_close(struct launch *l)
{
	free(l->blocks);
	l->blocks = NULL;
}

/* Everything that is needed to read frames of a launch with parked blocks. */
static int launch_open(struct inspection *in, const json_t *command, struct launch *l)
{
	const json_t *flight = json_object_get(command, "launch"), *function;
	uint64_t bytes = 0, threads;
	void *blocks;
	int rc;

	memset(l, 0, sizeof *l);
	l->command = command;
	l->parked = number_of(flight, "parked");
	l->group_bytes = number_of(flight, "group_bytes");
	triple(json_object_get(command, "grid"), l->grid);
	triple(json_object_get(command, "block"), l->block);
	function = entry_by(json_object_get(in->manifest, "functions"), "handle",
			    json_integer_value(json_object_get(command, "function")));
	if (!function)
		return hetckpt_error_set(in->error, -EBADMSG, 0,
					 "the manifest lacks the function of launch %llu",
					 (unsigned long long)number_of(command, "seq"));
	rc = map_open(in, json_integer_value(json_object_get(function, "module")));
	if (rc)
		return rc;
	l->kernel = hetckpt_map_kernel_find(in->map, text_of(function, "name"));
	threads = (uint64_t)l->block[0] * l->block[1];
	threads = threads > HETCKPT_FRAME_MAX_THREADS ? threads : threads * l->block[2];
	if (!l->kernel || threads > HETCKPT_FRAME_MAX_THREADS ||
	    hetckpt_frame_layout_compute(l->kernel, (uint32_t)threads,
					 (uint32_t)number_of(command, "dynamic_shared"), &l->layout) ||
	    l->layout.group_bytes != l->group_bytes || l->group_bytes > GROUP_MAX)
		return hetckpt_error_set(in->error, -EBADMSG, 0,
					 "the frames of %.200s do not fit its state map",
					 text_of(command, "kernel"));
	if (!l->parked)
		return 0;
	rc = section_read(in, text_of(flight, "blocks_section"), BLOCKS_MAX * 4, &blocks, &bytes);
	if (rc)
		return rc;
	l->blocks = blocks;
	rc = hetckpt_reader_find(in->reader, text_of(flight, "frames_section"), &l->frames);
	if (rc) {
		read_failed(in, rc);
	} else if (bytes != l->parked * 4 ||
		   hetckpt_reader_section(in->reader, l->frames)->bytes / l->group_bytes != l->parked) {
		rc = hetckpt_error_set(in->error, -EBADMSG, 0,
				       "launch %llu: its sections are not as long as its blocks need",
				       (unsigned long long)number_of(command, "seq"));
	}
	if (rc)
		launch_close(l);
	return rc;
}

static int group_read(struct inspection *in, const struct launch *l, uint64_t index, void *group)
{
	int rc = hetckpt_reader_read(in->reader, l->frames, index * l->group_bytes, group,
				     l->group_bytes);

	return rc ? read_failed(in, rc) : 0;
}

/* ---- Where threads stand ----------------------------------------------- */

static json_t *place_json(const struct hetckpt_map_kernel *kernel, uint32_t id, uint64_t threads)
{
	const struct hetckpt_map_safepoint *sp = hetckpt_map_safepoint_find(kernel, id);

	return json_pack("{s:I, s:I, s:s, s:s*, s:I, s:s*}", "safepoint", (json_int_t)id, "threads",
			 (json_int_t)threads, "kind",
			 sp			  ? sp->kind
			 : id == HETCKPT_SP_START ? "start"
						  : "done",
			 "file", sp ? sp->file : NULL, "line", (json_int_t)(sp ? sp->line : 0),
			 "function", sp ? sp->function : NULL);
}

static int thread_json(struct inspection *in, const struct launch *l, const void *group,
		       uint32_t thread, uint32_t block, json_t **out)
{
	char text[HETCKPT_STATEMAP_ERROR];
	int rc = hetckpt_thread_json(l->kernel, &l->layout, group, thread, out, text, sizeof text);

	if (rc)
		return hetckpt_error_set(in->error, rc == -EINVAL ? -EBADMSG : rc, 0, "%s", text);
	json_object_set_new(*out, "block", json_integer(block));
	return 0;
}

/* "places", and a "thread" that stands somewhere, from a sample of the parked blocks. */
static int add_places(struct inspection *in, const struct launch *l, json_t *facts)
{
	struct { uint32_t id; uint64_t threads; } place[PLACES_MAX];
	json_t *places = json_array(), *thread = NULL;
	unsigned char *group = malloc(l->group_bytes);
	size_t count = 0, p;
	int rc = 0;

	if (!places || !group)
		rc = hetckpt_error_set(in->error, -ENOMEM, 0, "no memory for a frame group");
	for (uint64_t i = 0; !rc && i < l->parked && i < SAMPLE_BLOCKS; i++) {
		rc = group_read(in, l, i, group);
		for (uint32_t t = 0; !rc && t < l->layout.threads; t++) {
			uint32_t id = hetckpt_frame_safepoint(&l->layout, group, t);

			if (id != HETCKPT_SP_DONE && id != HETCKPT_SP_START &&
			    !hetckpt_map_safepoint_find(l->kernel, id)) {
				rc = hetckpt_error_set(in->error, -EBADMSG, 0,
						       "kernel %.200s, block %u, thread %u: frame names safepoint %u of %u",
						       l->kernel->name, l->blocks[i], t, id,
						       l->kernel->safepoints);
				break;
			}
			for (p = 0; p < count && place[p].id != id; p++)
				;
			if (p == count && count < PLACES_MAX) {
				place[count].id = id;
				place[count++].threads = 0;
			}
			if (p < count)
				place[p].threads++;
			if (!thread && id != HETCKPT_SP_DONE && id != HETCKPT_SP_START)
				rc = thread_json(in, l, group, t, l->blocks[i], &thread);
		}
	}
	for (p = 0; !rc && p < count; p++)
		json_array_append_new(places, place_json(l->kernel, place[p].id, place[p].threads));
	if (!rc) {
		json_object_set(facts, "places", places);
		if (thread)
			json_object_set(facts, "thread", thread);
	}
	json_decref(places);
	json_decref(thread);
	free(group);
	return rc;
}

/* ---- One block, one thread --------------------------------------------- */

static int position(struct inspection *in, const char *what, const unsigned at[3],
		    const uint32_t size[3], uint64_t *linear)
{
	for (int i = 0; i < 3; i++)
		if (at[i] >= size[i])
			return hetckpt_error_set(in->error, -ENOENT, 0,
						 "%s %u,%u,%u lies outside %u,%u,%u", what, at[0],
						 at[1], at[2], size[0], size[1], size[2]);
	*linear = at[0] + (uint64_t)size[0] * (at[1] + (uint64_t)size[1] * at[2]);
	return 0;
}

/* "threads" of the block that was asked for. */
static int add_block(struct inspection *in, const struct launch *l, json_t *facts)
{
	const struct hetckpt_inspect_options *o = in->options;
	uint64_t block = 0, thread = 0, index = 0;
	unsigned char *group = NULL;
	json_t *threads, *one;
	int rc = position(in, "block", o->block, l->grid, &block);

	if (!rc && o->thread_given)
		rc = position(in, "thread", o->thread, l->block, &thread);
	if (rc)
		return rc;
	while (index < l->parked && l->blocks[index] != block)
		index++;
	if (index == l->parked)
		return hetckpt_error_set(in->error, -ENOENT, 0,
					 "block %u,%u,%u of %.200s is not parked: it has ended, or has not begun",
					 o->block[0], o->block[1], o->block[2],
					 text_of(l->command, "kernel"));
	threads = json_array();
	group = malloc(l->group_bytes);
	if (!group || !threads)
		rc = hetckpt_error_set(in->error, -ENOMEM, 0, "no memory for a frame group");
	else
		rc = group_read(in, l, index, group);
	for (uint64_t t = o->thread_given ? thread : 0;
	     !rc && t < (o->thread_given ? thread + 1 : l->layout.threads); t++) {
		rc = thread_json(in, l, group, (uint32_t)t, (uint32_t)block, &one);
		if (!rc)
			json_array_append_new(threads, one);
	}
	if (!rc)
		json_object_set(facts, "threads", threads);
	json_decref(threads);
	free(group);
	return rc;
}

/* ---- The whole --------------------------------------------------------- */

static int add_kernel(struct inspection *in, const json_t *command, json_t *kernels)
{
	const json_t *flight = json_object_get(command, "launch");
	const json_t *function = entry_by(json_object_get(in->manifest, "functions"), "handle",
					  json_integer_value(json_object_get(command, "function")));
	const char *name = text_of(function, "name"), *signature = text_of(command, "kernel");
	struct launch launch;
	json_t *facts;
	int rc = 0;

	if (in->options->kernel && !kernel_matches(in->options->kernel, name, signature))
		return 0;
	facts = json_pack("{s:s, s:s, s:I, s:I, s:O?, s:O?, s:I, s:I, s:I, s:I}", "kernel", signature,
			  "name", name, "seq", (json_int_t)number_of(command, "seq"), "stream",
			  (json_int_t)number_of(command, "stream"), "grid",
			  json_object_get(command, "grid"), "block", json_object_get(command, "block"),
			  "blocks", (json_int_t)number_of(flight, "blocks"), "blocks_done",
			  (json_int_t)number_of(flight, "done"), "blocks_parked",
			  (json_int_t)number_of(flight, "parked"), "blocks_unstarted",
			  (json_int_t)number_of(flight, "unstarted"));
	if (!facts)
		return hetckpt_error_set(in->error, -ENOMEM, 0, "no memory");
	if (number_of(flight, "parked") || in->options->block_given) {
		rc = launch_open(in, command, &launch);
		if (!rc && in->options->block_given)
			rc = add_block(in, &launch, facts);
		else if (!rc)
			rc = add_places(in, &launch, facts);
		if (!rc)
			launch_close(&launch);
		else
			free(launch.blocks);
	}
	if (rc)
		json_decref(facts);
	else
		json_array_append_new(kernels, facts);
	return rc;
}

/* How many commands of each type wait, kernels under way not counted. */
static json_t *queue_json(const json_t *commands)
{
	json_t *counts = json_object(), *command;
	size_t i;

	json_array_foreach((json_t *)commands, i, command) {
		const char *type = text_of(command, "type");
		json_int_t row = json_object_get(command, "count") ? (json_int_t)number_of(command, "count") : 1;

		if (!json_object_get(command, "launch"))
			json_object_set_new(counts, type,
					    json_integer(row + json_integer_value(json_object_get(counts, type))));
	}
	return counts;
}

static uint64_t sum(const json_t *list)
{
	uint64_t bytes = 0;
	json_t *entry;
	size_t i;

	json_array_foreach((json_t *)list, i, entry)
		bytes += number_of(entry, "bytes");
	return bytes;
}

/* Of the heap of kernels. */
static uint64_t heap_bytes(const json_t *list)
{
	json_t *entry;
	size_t i;

	json_array_foreach((json_t *)list, i, entry)
		if (json_is_true(json_object_get(entry, "heap")))
			return number_of(entry, "bytes");
	return 0;
}

static json_t *module_names(const json_t *modules)
{
	json_t *names = json_array(), *module;
	size_t i;

	json_array_foreach((json_t *)modules, i, module)
		json_array_append_new(names, json_pack("{s:I, s:s, s:I, s:b}", "number",
						       (json_int_t)number_of(module, "number"), "name",
						       text_of(module, "name"), "bytes",
						       (json_int_t)number_of(module, "bytes"), "loaded",
						       json_is_true(json_object_get(module, "loaded"))));
	return names;
}

static json_t *overview(const struct inspection *in, const char *path)
{
	const json_t *m = in->manifest, *memory = json_object_get(m, "allocations");
	const json_t *host = json_object_get(m, "host_buffers");
	const json_t *device = json_object_get(m, "device");

	return json_pack("{s:s, s:I, s:I, s:{s:s, s:I, s:s}, s:{s:I, s:I, s:I, s:I, s:I}, s:o, s:I, s:I, s:o, s:[]}",
			 "file", path, "file_bytes",
			 (json_int_t)hetckpt_reader_file_bytes(in->reader), "abi",
			 (json_int_t)number_of(m, "abi"), "device", "backend",
			 text_of(device, "backend"), "index", (json_int_t)number_of(device, "index"),
			 "name", text_of(device, "name"), "memory", "allocations",
			 (json_int_t)json_array_size(memory), "bytes", (json_int_t)sum(memory),
			 "heap_bytes", (json_int_t)heap_bytes(memory),
			 "page_locked_buffers", (json_int_t)json_array_size(host),
			 "page_locked_bytes", (json_int_t)sum(host), "modules",
			 module_names(json_object_get(m, "modules")), "streams",
			 (json_int_t)json_array_size(json_object_get(m, "streams")), "events",
			 (json_int_t)json_array_size(json_object_get(m, "events")), "queued",
			 queue_json(json_object_get(m, "commands")), "kernels");
}

int hetckpt_inspect_file(const char *path, const struct hetckpt_inspect_options *options,
			 json_t **facts, struct hetckpt_error *error)
{
	struct inspection in = {.options = options, .error = error};
	json_t *command, *kernels;
	size_t i;
	int rc;

	*facts = NULL;
	rc = hetckpt_reader_open(path, NULL, &in.reader);
	if (rc) {
		hetckpt_error_set(error, rc, 0, "%s", hetckpt_reader_error(in.reader));
		goto out;
	}
	in.manifest = hetckpt_reader_manifest(in.reader);
	if (strcmp(text_of(in.manifest, "kind"), "hetckpt session")) {
		rc = hetckpt_error_set(error, -EINVAL, 0, "%s: a snapshot, but not of a session", path);
		goto out;
	}
	*facts = overview(&in, path);
	kernels = json_object_get(*facts, "kernels");
	if (!kernels)
		rc = hetckpt_error_set(error, -ENOMEM, 0, "no memory");
	json_array_foreach(json_object_get(in.manifest, "commands"), i, command) {
		if (rc)
			break;
		if (json_object_get(command, "launch"))
			rc = add_kernel(&in, command, kernels);
	}
	if (!rc && options->kernel && !json_array_size(kernels))
		rc = hetckpt_error_set(error, -ENOENT, 0, "no kernel '%.200s' is under way in %.200s",
				       options->kernel, path);
out:
	if (rc) {
		json_decref(*facts);
		*facts = NULL;
	}
	hetckpt_map_free(in.map);
	hetckpt_reader_close(in.reader);
	return rc;
}
