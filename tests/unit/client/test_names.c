/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* test-client-names LIBRARY NODE LIST: LIBRARY has each name of LIST with version NODE, and
   its SONAME is NODE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

static const char *soname(void *library)
{
	struct link_map *map;
	const char *strings = NULL;
	ElfW(Dyn) *d;

	if (dlinfo(library, RTLD_DI_LINKMAP, &map))
		return "";
	for (d = map->l_ld; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_STRTAB)
			strings = (const char *)d->d_un.d_ptr;
	for (d = map->l_ld; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_SONAME && strings)
			return strings + d->d_un.d_val;
	return "";
}

int main(int argc, char **argv)
{
	unsigned names = 0, missing = 0;
	int (*version)(int *);
	char line[256];
	void *library;
	int number = 0;
	FILE *list;

	if (argc != 4) {
		fprintf(stderr, "usage: %s LIBRARY NODE LIST\n", argv[0]);
		return 2;
	}
	library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	list = fopen(argv[3], "r");
	if (!list) {
		perror(argv[3]);
		return 1;
	}
	while (fgets(line, sizeof line, list)) {
		line[strcspn(line, "\n")] = 0;
		names++;
		if (!dlvsym(library, line, argv[2])) {
			fprintf(stderr, "no %s@%s\n", line, argv[2]);
			missing++;
		}
	}
	fclose(list);
	if (strcmp(soname(library), argv[2])) {
		fprintf(stderr, "SONAME is %s\n", soname(library));
		return 1;
	}
	/* What is inside must not leak out. */
	if (dlsym(library, "client_enter") || dlsym(library, "hetckpt_ring_commit")) {
		fprintf(stderr, "internal names are exported\n");
		return 1;
	}
	version = (int (*)(int *))dlvsym(library, "cudaRuntimeGetVersion", argv[2]);
	if (!version || version(&number) || number / 1000 != (strstr(argv[2], "12") ? 12 : 13)) {
		fprintf(stderr, "version is %d\n", number);
		return 1;
	}
	printf("%u names, %u missing\n", names, missing);
	return names < 400 || missing;
}
