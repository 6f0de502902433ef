/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "runtime/backends/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct hetckpt_backend *tables[HETCKPT_BACKENDS_MAX];
static unsigned table_count;

/* The required operations, so that a hole is found at registration and named. */
#define REQUIRED(op) {#op, offsetof(struct hetckpt_backend, op)}
static const struct {
	const char *name;
	size_t offset;
} required[] = {
	REQUIRED(probe), REQUIRED(open), REQUIRED(close), REQUIRED(memory_info),
	REQUIRED(map), REQUIRED(unmap), REQUIRED(module_load), REQUIRED(module_unload),
	REQUIRED(kernel_get), REQUIRED(occupancy), REQUIRED(queue_create),
	REQUIRED(queue_destroy), REQUIRED(copy), REQUIRED(fill), REQUIRED(launch),
	REQUIRED(queue_wait), REQUIRED(record), REQUIRED(marker_query),
	REQUIRED(marker_wait), REQUIRED(marker_release), REQUIRED(poke),
};

static int op_missing(const struct hetckpt_backend *backend, size_t offset)
{
	void (*op)(void);

	/* All operations are function pointers, of one size. */
	memcpy(&op, (const char *)backend + offset, sizeof op);
	return op == NULL;
}

int hetckpt_backend_register(const struct hetckpt_backend *backend, struct hetckpt_error *error)
{
	if (!backend->name || !*backend->name || strchr(backend->name, ':'))
		return hetckpt_error_set(error, -EINVAL, 0, "a back end without a proper name was registered");
	if (backend->version != HETCKPT_BACKEND_VERSION || backend->size != sizeof *backend)
		return hetckpt_error_set(error, -EPROTO, 0,
			"back end %s was built for table version %u of %u bytes, this is version %u of %zu",
			backend->name, backend->version, backend->size, HETCKPT_BACKEND_VERSION,
			sizeof *backend);
	for (size_t i = 0; i < sizeof required / sizeof *required; i++)
		if (op_missing(backend, required[i].offset))
			return hetckpt_error_set(error, -EINVAL, 0,
				"back end %s lacks the required operation %s", backend->name,
				required[i].name);
	if (!backend->share != !backend->peer_open || !backend->share != !backend->peer_close ||
	    !backend->share != !backend->peer_copy)
		return hetckpt_error_set(error, -EINVAL, 0,
			"back end %s has only some of share, peer_open, peer_close and peer_copy", backend->name);
	if (!backend->host_register != !backend->host_unregister)
		return hetckpt_error_set(error, -EINVAL, 0,
			"back end %s has only one of host_register and host_unregister", backend->name);
	for (unsigned i = 0; i < table_count; i++)
		if (!strcmp(tables[i]->name, backend->name))
			return hetckpt_error_set(error, -EEXIST, 0,
				"a back end named %s is registered already", backend->name);
	if (table_count == HETCKPT_BACKENDS_MAX)
		return hetckpt_error_set(error, -ENOSPC, 0, "no room for back end %s", backend->name);
	tables[table_count++] = backend;
	return 0;
}

const struct hetckpt_backend *hetckpt_backend_at(unsigned position)
{
	return position < table_count ? tables[position] : NULL;
}

int hetckpt_backend_find(const char *device, const struct hetckpt_backend **backend,
                         unsigned *index, struct hetckpt_error *error)
{
	const char *colon = strchr(device, ':');
	size_t length = colon ? (size_t)(colon - device) : strlen(device);
	unsigned long number = 0;
	char known[128] = "";

	if (colon) {
		char *end;

		errno = 0;
		number = strtoul(colon + 1, &end, 10);
		if (colon[1] < '0' || colon[1] > '9' || *end || errno || number > 1023)
			return hetckpt_error_set(error, -EINVAL, 0,
				"device '%s' is not of the form NAME or NAME:INDEX", device);
	}
	for (unsigned i = 0; i < table_count; i++) {
		size_t used = strlen(known);

		if (strlen(tables[i]->name) == length && !memcmp(tables[i]->name, device, length)) {
			*backend = tables[i];
			*index = (unsigned)number;
			return 0;
		}
		snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", tables[i]->name);
	}
	return hetckpt_error_set(error, -ENODEV, 0, "device '%s': no such back end is built in (there is: %s)",
	                         device, *known ? known : "none");
}
