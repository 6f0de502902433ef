/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hetckpt/abi.h"
#include "runtime/fatbin/fatbin.h"
#include "tests/unit/statemap/make_image.h"

/* The text of kernels.ptx, without an end. */
__asm__(".section .rodata\n"
        "kernels_text: .incbin \"" KERNELS_PTX "\"\n"
        "kernels_end:\n"
        ".previous\n");
extern const char kernels_text[], kernels_end[];

#define KERNEL(name, bytes, params) \
	"{\"name\":\"" name "\",\"signature\":\"" name "\",\"pausable\":false,\"reason\":\"it is a test\"," \
	"\"static_shared\":0,\"shared_align\":16,\"dynamic_shared\":true,\"shared_variables\":[],\"max_threads\":0," \
	"\"param_bytes\":" bytes ",\"params\":[" params "]}"
#define P8(offset) "{\"offset\":" offset ",\"bytes\":8,\"align\":8}"
#define P4(offset) "{\"offset\":" offset ",\"bytes\":4,\"align\":4}"

#define HEAD "{\"abi\":4,\"module\":\"kernels.ptx\","
#define PLAIN_KERNELS \
	KERNEL("fill", "16", P8("0") "," P4("8") "," P4("12")) "," \
	KERNEL("spin", "24", P8("0") "," P8("8") "," P8("16")) "," \
	KERNEL("nap", "20", P8("0") "," P8("8") "," P4("16")) "," \
	KERNEL("wild", "8", P8("0")) "," \
	KERNEL("dynamic", "12", P8("0") "," P4("8")) "," \
	KERNEL("meet", "28", P8("0") "," P8("8") "," P8("16") "," P4("24"))

static const char map_text[] =
	HEAD "\"variables\":["
	"{\"name\":\"table\",\"offset\":0,\"bytes\":16,\"align\":4,\"constant\":true},"
	"{\"name\":\"pointer\",\"offset\":16,\"bytes\":8,\"align\":8,\"constant\":true},"
	"{\"name\":\"counter\",\"offset\":24,\"bytes\":4,\"align\":4,\"constant\":false}],"
	"\"variable_bytes\":32,\"relocations\":[{\"offset\":16,\"target\":\"counter\",\"addend\":0}],\"kernels\":["
	PLAIN_KERNELS ","
	KERNEL("count_native", "8", P8("0")) ","
	"{\"name\":\"count\",\"signature\":\"count\",\"scope\":\"thread\",\"pausable\":true,\"reason\":null,"
	"\"waits\":false,\"params\":[" P8("0") "],\"param_bytes\":8,\"static_shared\":0,\"shared_align\":16,"
	"\"dynamic_shared\":false,\"shared_variables\":[],\"max_threads\":0,\"polls\":false,"
	"\"slots\":{\"8\":0,\"4\":0,\"2\":0,\"1\":0},\"frame_bytes\":0,\"safepoints\":[],"
	"\"hash\":\"00112233445566778899aabbccddeeff\"}]}";

static const char plain_text[] =
	HEAD "\"variables\":[],\"variable_bytes\":0,\"relocations\":[],\"kernels\":[" PLAIN_KERNELS "]}";

static const uint32_t initial[BLOCK_BYTES / 4] = {1, 2, 3, 4, 0, 0, 100, 0};

static void stop(const char *what)
{
	fprintf(stderr, "cannot make the test module: %s\n", what);
	exit(2);
}

/* kernels.ptx and the image as a constant, as the compiler pass puts it there. */
static char *ptx_text(const unsigned char *image, size_t bytes)
{
	size_t kernels = (size_t)(kernels_end - kernels_text);
	size_t room = kernels + bytes * 4 + 256, at = kernels;
	char *text = malloc(room);

	if (!text)
		stop("out of memory");
	memcpy(text, kernels_text, kernels);
	at += (size_t)snprintf(text + at, room - at, "\n.visible .global .align 16 .b8 %s[%zu] = {", HETCKPT_IMAGE_SYMBOL,
	                       bytes);
	for (size_t i = 0; i < bytes; i++)
		at += (size_t)snprintf(text + at, room - at, "%s%u", i ? "," : "", image[i]);
	snprintf(text + at, room - at, "};\n");
	return text;
}

static void make_fatbin(struct test_module *m, const unsigned char *image, size_t bytes, unsigned arch)
{
	char *text = ptx_text(image, bytes);
	struct hetckpt_fatbin_part part = {HETCKPT_FATBIN_PTX, arch, text, strlen(text)};
	uint64_t fatbin_bytes;

	free(m->fatbin);
	if (hetckpt_fatbin_write(&part, 1, &m->fatbin, &fatbin_bytes))
		stop("the fat binary");
	m->source.fatbin = m->fatbin;
	m->source.fatbin_bytes = fatbin_bytes;
	free(text);
}

void test_module_make(struct test_module *m, unsigned arch, bool variables)
{
	const char *text = variables ? map_text : plain_text;
	char why[HETCKPT_STATEMAP_ERROR];
	size_t bytes;

	memset(m, 0, sizeof *m);
	m->image = make_image(text, "", 0, initial, variables ? sizeof initial : 0, &bytes);
	if (hetckpt_map_parse(text, strlen(text), &m->map, why, sizeof why))
		stop(why);
	make_fatbin(m, m->image, bytes, arch);
	m->source.image = m->image;
	m->source.image_bytes = bytes;
	m->source.map = m->map;
	m->source.variable_bytes = m->map->variable_bytes;
}

void test_module_estrange(struct test_module *m)
{
	uint32_t other = 99;
	size_t bytes;
	unsigned char *image = make_image(map_text, &other, sizeof other, initial, sizeof initial, &bytes);

	make_fatbin(m, image, bytes, 75);
	free(image);
}

void test_module_free(struct test_module *m)
{
	hetckpt_map_free(m->map);
	free(m->fatbin);
	free(m->image);
	memset(m, 0, sizeof *m);
}
