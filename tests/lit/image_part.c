/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* lit-image FILE map|ir|data|header: a part of the portable image in FILE, on standard
   output. Fails with a line if the image is damaged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/hetckpt/abi.h"
#include "runtime/statemap/image.h"

int main(int argc, char **argv)
{
	char error[HETCKPT_STATEMAP_ERROR] = "";
	struct hetckpt_image_header header;
	struct hetckpt_image *image;
	static char bytes[16 << 20];
	size_t n, offset = 0;
	FILE *f = argc == 3 ? fopen(argv[1], "rb") : NULL;

	if (!f) {
		fprintf(stderr, "usage: %s FILE map|ir|data|header\n", argv[0]);
		return 2;
	}
	n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	if (hetckpt_image_find(bytes, n, &offset) ||
	    hetckpt_image_open(bytes + offset, n - offset, &image, error, sizeof error)) {
		fprintf(stderr, "%s: %s\n", argv[1], error[0] ? error : "no portable image");
		return 1;
	}
	memcpy(&header, bytes + offset, sizeof header);
	if (!strcmp(argv[2], "map"))
		fwrite(image->map, 1, image->map_bytes, stdout);
	else if (!strcmp(argv[2], "ir"))
		fwrite(image->ir, 1, image->ir_bytes, stdout);
	else if (!strcmp(argv[2], "data"))
		for (size_t i = 0; i < image->data_bytes; i++)
			printf("%02x%c", image->data[i], i % 16 == 15 || i + 1 == image->data_bytes ? '\n' : ' ');
	else
		printf("abi %u\nheader %u\nmap at %llu, %llu bytes\nir at %llu\ndata at %llu, %llu bytes\n", header.abi,
		       header.header_bytes, (unsigned long long)header.map.offset, (unsigned long long)header.map.raw,
		       (unsigned long long)header.ir.offset, (unsigned long long)header.data.offset,
		       (unsigned long long)header.data.raw);
	hetckpt_image_close(image);
	return 0;
}
