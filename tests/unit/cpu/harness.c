/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/backends/cpu/cpu.h"
#include "runtime/statemap/statemap.h"
#include "statemap/make_image.h"

#define MAPPED ((uint64_t)64 << 20)

static char *read_file(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	char *data;
	long n;

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	data = malloc((size_t)n);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t)n, f), n);
	fclose(f);
	*bytes = (size_t)n;
	return data;
}

static void map_kernel(FILE *f, const struct harness_kernel *k)
{
	unsigned offset = 0;
	unsigned slots = k->slots[0] * 8 + k->slots[1] * 4 + k->slots[2] * 2 + k->slots[3];

	fprintf(f, "{\"name\":\"%s\",\"signature\":\"%s()\",", k->name, k->name);
	if (k->scope)
		fprintf(f, "\"scope\":\"%s\",\"pausable\":true,\"reason\":null,\"waits\":%s,", k->scope,
		        k->waits ? "true" : "false");
	else
		fprintf(f, "\"pausable\":false,\"reason\":\"test\",");
	fprintf(f, "\"params\":[");
	for (const char *p = k->params; *p; p++) {
		unsigned bytes = *p == 'p' ? 8 : *p == 'i' ? 4 : *p == 's' ? 2 : *p == 'P' ? 24 : 1;
		unsigned align = *p == 'P' ? 4 : bytes;

		offset = (offset + align - 1) / align * align;
		fprintf(f, "%s{\"offset\":%u,\"bytes\":%u,\"align\":%u}", p == k->params ? "" : ",", offset, bytes,
		        align);
		offset += bytes;
	}
	fprintf(f,
	        "],\"param_bytes\":%u,\"static_shared\":%u,\"shared_align\":16,\"dynamic_shared\":true,"
	        "\"shared_variables\":[],\"max_threads\":0",
	        offset, k->static_shared);
	if (k->scope) {
		fprintf(f,
		        ",\"polls\":true,\"slots\":{\"8\":%u,\"4\":%u,\"2\":%u,\"1\":%u},\"frame_bytes\":%u,"
		        "\"safepoints\":[",
		        k->slots[0], k->slots[1], k->slots[2], k->slots[3], slots);
		for (unsigned i = 0; i < k->safepoints; i++)
			fprintf(f,
			        "%s{\"id\":%u,\"kind\":\"loop\",\"file\":null,\"line\":0,\"column\":0,"
			        "\"function\":null,\"slots\":[],\"private\":[]}",
			        i ? "," : "", i + 1);
		fprintf(f, "],\"hash\":\"00112233445566778899aabbccddeeff\"");
	}
	fprintf(f, "}");
}

static char *map_text(const struct harness_kernel *kernels, size_t count, const char *variables, size_t bytes)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fprintf(f, "{\"abi\":4,\"module\":\"test.cu\",\"variables\":%s,\"variable_bytes\":%zu,\"relocations\":[],\"kernels\":[",
	        variables ? variables : "[]", bytes);
	for (size_t i = 0; i < count; i++) {
		if (i)
			fputc(',', f);
		map_kernel(f, &kernels[i]);
	}
	fprintf(f, "]}");
	fclose(f);
	return text;
}

void harness_open(struct harness *h, const char *bitcode, const struct harness_kernel *kernels, size_t count,
                  const char *variables, const void *data, size_t bytes)
{
	struct hetckpt_module_source source = {0};
	char text[512] = "", *map = map_text(kernels, count, variables, bytes);
	size_t code_bytes;
	char *code = read_file(bitcode, &code_bytes);

	memset(h, 0, sizeof *h);
	h->ops = &hetckpt_backend_cpu;
	h->image = make_image(map, code, code_bytes, data, bytes, &h->image_bytes);
	if (hetckpt_map_parse(map, strlen(map), &h->map, text, sizeof text))
		fail_msg("%s", text);
	free(code);
	free(map);
	if (h->ops->open(0, HARNESS_ARENA, (uint64_t)1 << 40, NULL, &h->device, &h->error) ||
	    h->ops->map(h->device, HARNESS_ARENA, MAPPED, &h->error) ||
	    h->ops->queue_create(h->device, 0, &h->queue, &h->error))
		fail_msg("%s", h->error.text);
	h->next = HARNESS_ARENA;
	if (bytes) {
		h->variables = (uintptr_t)harness_alloc(h, bytes);
		memcpy((void *)(uintptr_t)h->variables, data, bytes);
	}
	source.image = h->image;
	source.image_bytes = h->image_bytes;
	source.map = h->map;
	source.variables = h->variables;
	source.variable_bytes = bytes;
	if (h->ops->module_load(h->device, &source, &h->module, &h->error))
		fail_msg("%s", h->error.text);
}

void harness_close(struct harness *h)
{
	h->ops->queue_destroy(h->queue);
	h->ops->module_unload(h->device, h->module);
	h->ops->close(h->device);
	hetckpt_map_free(h->map);
	free(h->image);
	memset(h, 0, sizeof *h);
}

void *harness_alloc(struct harness *h, size_t bytes)
{
	void *p = (void *)(uintptr_t)h->next;

	h->next += (bytes + 255) / 256 * 256;
	assert_true(h->next <= HARNESS_ARENA + MAPPED);
	memset(p, 0, bytes);
	return p;
}

struct hetckpt_kernel *harness_kernel(struct harness *h, const char *name, enum hetckpt_variant variant)
{
	struct hetckpt_kernel_facts facts;
	struct hetckpt_kernel *kernel;

	if (h->ops->kernel_get(h->module, name, variant, &kernel, &facts, &h->error))
		fail_msg("%s", h->error.text);
	return kernel;
}

void harness_launch(struct harness *h, struct hetckpt_kernel *kernel, const uint32_t grid[3],
                    const uint32_t block[3], uint32_t dynamic_shared, const void *params, size_t param_bytes)
{
	struct hetckpt_launch_command launch = {
		.kernel = kernel,
		.dynamic_shared = dynamic_shared,
		.params = params,
		.param_bytes = (uint32_t)param_bytes,
	};

	memcpy(launch.grid, grid, sizeof launch.grid);
	memcpy(launch.block, block, sizeof launch.block);
	if (h->ops->launch(h->queue, &launch, &h->error))
		fail_msg("%s", h->error.text);
}

int harness_wait(struct harness *h)
{
	struct hetckpt_marker *marker;
	uint64_t when;
	int rc;

	if (h->ops->record(h->queue, &marker, &h->error))
		fail_msg("%s", h->error.text);
	rc = h->ops->marker_wait(marker, &when, &h->error);
	h->ops->marker_release(marker);
	return rc;
}

int harness_run(struct harness *h, const char *name, uint32_t grid, uint32_t block, const void *params,
                size_t param_bytes)
{
	const uint32_t g[3] = {grid, 1, 1}, b[3] = {block, 1, 1};

	harness_launch(h, harness_kernel(h, name, HETCKPT_VARIANT_ORIGINAL), g, b, 0, params, param_bytes);
	return harness_wait(h);
}

uint32_t harness_random(uint64_t *state)
{
	uint64_t x = *state ? *state : 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return (uint32_t)(x >> 16);
}
