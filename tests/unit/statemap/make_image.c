/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "make_image.h"

#include <hetckpt/abi.h>

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

const char make_image_map[] =
	"{\"abi\":4,\"module\":\"step.cu\",\"variables\":["
	"{\"name\":\"counter\",\"offset\":0,\"bytes\":4,\"align\":4,\"constant\":false},"
	"{\"name\":\"link\",\"offset\":16,\"bytes\":16,\"align\":16,\"constant\":true}],"
	"\"variable_bytes\":32,"
	"\"relocations\":[{\"offset\":16,\"target\":\"counter\",\"addend\":2}],"
	"\"kernels\":[{\"name\":\"_Z4stepPff\",\"signature\":\"step(float*, float)\","
	"\"scope\":\"block\",\"pausable\":true,\"reason\":null,\"waits\":false,"
	"\"params\":[{\"offset\":0,\"bytes\":8,\"align\":8},{\"offset\":8,\"bytes\":4,\"align\":4}],"
	"\"param_bytes\":12,\"static_shared\":1020,\"shared_align\":16,\"dynamic_shared\":true,"
	"\"shared_variables\":[{\"name\":\"tile\",\"offset\":0,\"bytes\":1020}],"
	"\"max_threads\":256,\"polls\":true,\"slots\":{\"8\":3,\"4\":2,\"2\":1,\"1\":1},"
	"\"frame_bytes\":35,\"safepoints\":["
	"{\"id\":1,\"kind\":\"loop\",\"file\":\"step.cu\",\"line\":31,\"column\":5,"
	"\"function\":\"step\",\"slots\":["
	"{\"class\":4,\"index\":0,\"type\":\"f32\",\"kind\":\"value\",\"name\":\"ax\"},"
	"{\"class\":4,\"index\":1,\"type\":\"i32\",\"kind\":\"value\",\"name\":null},"
	"{\"class\":2,\"index\":0,\"type\":\"f16\",\"kind\":\"value\",\"name\":\"h\"},"
	"{\"class\":1,\"index\":0,\"type\":\"i8\",\"kind\":\"value\",\"name\":\"flag\"},"
	"{\"class\":8,\"index\":0,\"type\":\"ptr\",\"kind\":\"generic\",\"name\":\"p\"}],"
	"\"private\":[{\"object\":7,\"bytes\":12,\"class\":8,\"index\":1,\"name\":\"state\"}]},"
	"{\"id\":2,\"kind\":\"barrier\",\"file\":null,\"line\":0,\"column\":0,"
	"\"function\":null,\"slots\":[],\"private\":[]}],"
	"\"hash\":\"00112233445566778899aabbccddeeff\"},"
	"{\"name\":\"_Z3recv\",\"signature\":\"rec()\",\"pausable\":false,"
	"\"reason\":\"it calls itself\",\"params\":[],\"param_bytes\":0,\"static_shared\":0,"
	"\"shared_align\":1,\"dynamic_shared\":false,\"shared_variables\":[],\"max_threads\":0}]}";

static void put(unsigned char *image, size_t *at, struct hetckpt_image_part *part,
		const void *raw, size_t bytes)
{
	size_t n;

	part->offset = *at;
	part->raw = bytes;
	n = ZSTD_compress(image + *at, ZSTD_compressBound(bytes), raw ? raw : "", bytes, 3);
	if (ZSTD_isError(n))
		abort();
	part->bytes = n;
	*at += n;
}

unsigned char *make_image(const char *map, const void *ir, size_t ir_bytes, const void *data,
			  size_t data_bytes, size_t *size)
{
	struct hetckpt_image_header h = {.abi = HETCKPT_ABI_VERSION, .header_bytes = sizeof h};
	size_t at = sizeof h;
	unsigned char *image = malloc(at + ZSTD_compressBound(strlen(map)) +
				      ZSTD_compressBound(ir_bytes) +
				      ZSTD_compressBound(data_bytes));

	if (!image)
		abort();
	memcpy(h.magic, HETCKPT_IMAGE_MAGIC, 8);
	put(image, &at, &h.map, map, strlen(map));
	put(image, &at, &h.ir, ir, ir_bytes);
	put(image, &at, &h.data, data, data_bytes);
	h.total_bytes = at;
	memcpy(image, &h, sizeof h);
	make_image_rehash(image);
	*size = at;
	return image;
}

void make_image_rehash(unsigned char *image)
{
	struct hetckpt_image_header h;
	XXH128_canonical_t hash;

	memcpy(&h, image, sizeof h);
	XXH128_canonicalFromHash(&hash, XXH3_128bits(image + sizeof h, h.total_bytes - sizeof h));
	memcpy(h.hash, hash.digest, 16);
	memcpy(image, &h, sizeof h);
}
