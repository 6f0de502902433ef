/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* fatbin_list FILE - kind and architecture of each entry, and the targets translated ahead. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/fatbin/aot.h"

int main(int argc, char **argv)
{
	struct hetckpt_fatbin_image image;
	struct hetckpt_fatbin_entry entry;
	struct hetckpt_fatbin_aot aot;
	static unsigned char data[64 << 20];
	uint64_t offset = 0;
	size_t bytes;
	FILE *file;
	int r;

	if (argc != 2 || !(file = fopen(argv[1], "rb")))
		return 2;
	bytes = fread(data, 1, sizeof data, file);
	fclose(file);
	while ((r = hetckpt_fatbin_next(data, bytes, &offset, &entry, NULL, 0)) == 0)
		printf("%s sm_%u\n", entry.kind == HETCKPT_FATBIN_PTX ? "ptx" : entry.kind == HETCKPT_FATBIN_ELF
		       ? "elf" : entry.kind == HETCKPT_FATBIN_AOT ? "aot" : "other", entry.arch);
	r = hetckpt_fatbin_image_find(data, bytes, &image, NULL, 0);
	if (r)
		return 0;
	puts("image");
	offset = 0;
	while (hetckpt_fatbin_aot_next(data, bytes, image.data, image.bytes, &offset, &aot, NULL, 0) == 0)
		printf("target %s %.3s\n", aot.target, aot.code + 1);
	free(image.data);
	return 0;
}
