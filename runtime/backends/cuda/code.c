/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Which code of a fat binary this device runs.
 *
 * Machine code (a cubin) runs on devices of the same major version and the same or a
 * higher minor one; PTX is compiled by the driver for its architecture and all later
 * ones. Frames of one compilation do not fit another, so only code that carries the very
 * portable image that the core works with is of use (runtime/fatbin/fatbin.h). Of that:
 * the cubin of the highest architecture that runs here, else the highest PTX.
 */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/fatbin/fatbin.h"
#include "runtime/statemap/statemap.h"

static bool runs_here(const struct hetckpt_device *device, const struct hetckpt_fatbin_entry *entry)
{
	uint32_t major = entry->arch / 10, minor = entry->arch % 10;

	if (entry->kind == HETCKPT_FATBIN_ELF)
		return major == device->facts.major && minor <= device->facts.minor;
	return entry->kind == HETCKPT_FATBIN_PTX && entry->arch <= device->facts.major * 10 + device->facts.minor;
}

/* Adds "sm_90" or "compute_90" to the list of what there is. */
static void list_add(char *list, size_t size, const struct hetckpt_fatbin_entry *entry)
{
	size_t used = strlen(list);

	snprintf(list + used, size - used, "%s%s_%u", used ? ", " : "",
	         entry->kind == HETCKPT_FATBIN_ELF ? "sm" : "compute", entry->arch);
}

/* 1: has the image of source, 0: has not. */
static int same_image(const struct hetckpt_module_source *source, uint32_t kind, const unsigned char *code,
                      uint64_t bytes)
{
	unsigned char *image;
	uint64_t image_bytes;
	int same;

	if (hetckpt_fatbin_entry_image(kind, code, bytes, &image, &image_bytes, NULL, 0))
		return 0;
	same = image_bytes == source->image_bytes && !memcmp(image, source->image, image_bytes);
	free(image);
	return same;
}

static bool better(const struct hetckpt_fatbin_entry *entry, const struct cuda_code *best)
{
	if (!best->data)
		return true;
	if (entry->kind != best->kind)
		return entry->kind == HETCKPT_FATBIN_ELF;
	return entry->arch > best->arch;
}

static int none(const struct hetckpt_device *device, const char *module, const char *list, bool stranger,
                struct hetckpt_error *error)
{
	uint32_t arch = device->facts.major * 10 + device->facts.minor;

	if (stranger)
		return hetckpt_error_set(error, -ENOTSUP, CU_NO_BINARY,
			"cuda:%u: module %.100s: its code for this GPU (there is %.120s) comes from another compilation than "
			"its portable image: compile it for sm_%u alone", device->index, module, list, arch);
	if (*list)
		return hetckpt_error_set(error, -ENOTSUP, CU_NO_BINARY,
			"cuda:%u: module %.100s has code for %.120s, none of which runs on %.60s: compile it for sm_%u, or "
			"with PTX", device->index, module, list, device->facts.name, arch);
	return hetckpt_error_set(error, -ENOTSUP, CU_NO_BINARY, "cuda:%u: module %.100s has no code for NVIDIA GPUs",
	                         device->index, module);
}

int cuda_code_find(const struct hetckpt_device *device, const struct hetckpt_module_source *source,
                   struct cuda_code *out, struct hetckpt_error *error)
{
	const char *module = source->map->module ? source->map->module : "?";
	char list[200] = "", text[HETCKPT_FATBIN_ERROR] = "";
	struct hetckpt_fatbin_entry entry;
	struct cuda_code best = {0};
	uint64_t offset = 0;
	bool stranger = false;
	uint32_t magic = 0;
	int rc;

	/* A bare portable image is a module too, but nothing that runs here. */
	if (source->fatbin_bytes >= sizeof magic)
		memcpy(&magic, source->fatbin, sizeof magic);
	if (magic != HETCKPT_FATBIN_MAGIC)
		return none(device, module, "", false, error);
	while (!(rc = hetckpt_fatbin_next(source->fatbin, source->fatbin_bytes, &offset, &entry, text, sizeof text))) {
		unsigned char *code;
		uint64_t bytes;

		if (entry.kind != HETCKPT_FATBIN_ELF && entry.kind != HETCKPT_FATBIN_PTX)
			continue;
		list_add(list, sizeof list, &entry);
		if (!runs_here(device, &entry) || !better(&entry, &best))
			continue;
		rc = hetckpt_fatbin_unpack(&entry, &code, &bytes, text, sizeof text);
		if (rc)
			break;
		if (!same_image(source, entry.kind, code, bytes)) {
			stranger = true;
			free(code);
			continue;
		}
		free(best.data);
		best = (struct cuda_code){.kind = entry.kind, .arch = entry.arch, .data = code, .bytes = bytes};
	}
	if (rc != -ENOENT) {
		free(best.data);
		return hetckpt_error_set(error, rc, rc == -EINVAL ? 200 : 0, "cuda:%u: module %.100s: %s", device->index,
		                         module, text);
	}
	if (!best.data)
		return none(device, module, list, stranger, error);
	*out = best;
	return 0;
}
