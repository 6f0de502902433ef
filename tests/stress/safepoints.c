/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Lists the safepoints of a program: what the coverage of a stress test is measured
 * against. One line each, as in a coverage table:
 *
 *   HASH \t ID \t SCOPE \t KIND \t FILE:LINE:COLUMN \t KERNEL \t BYTES \t SHARED
 *
 * BYTES is what a pause saves of each thread of the kernel, wherever it stands, and SHARED what it
 * saves of each block besides, not counting dynamic shared memory.
 * A kernel without safepoints has one line with ID 0, whose KIND says why: "none" if its
 * blocks are short, or "unpausable: REASON".
 *
 * A program holds one fat binary for each of its source files. They lie in the section
 * .nv_fatbin, one after the other; here they are found by their magic, and what does not
 * hold together as a fat binary is passed over. Exit status: 0, or 1 with one line on
 * standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/fatbin/fatbin.h"
#include "runtime/statemap/statemap.h"

static void hash_print(const uint8_t hash[16])
{
	for (int i = 0; i < 16; i++)
		printf("%02x", hash[i]);
}

static void kernel_print(const struct hetckpt_map_kernel *kernel)
{
	const char *scope = hetckpt_scope_name(kernel->scope);
	struct hetckpt_frame_layout frame = {0};

	/* A multiple of 16 threads, so that no padding counts. */
	hetckpt_frame_layout_compute(kernel, 1024, 0, &frame);
	if (!kernel->safepoints) {
		hash_print(kernel->hash);
		printf("\t0\t%s\t%s%s\t-\t%s\t0\t0\n", scope, kernel->pausable ? "none" : "unpausable: ",
		       kernel->pausable ? "" : kernel->reason ? kernel->reason : "no reason given",
		       kernel->signature);
	}
	for (uint32_t i = 0; i < kernel->safepoints; i++) {
		const struct hetckpt_map_safepoint *s = &kernel->safepoint[i];

		hash_print(kernel->hash);
		printf("\t%u\t%s\t%s\t", s->id, scope, s->kind);
		if (s->file)
			printf("%s:%u:%u", s->file, s->line, s->column);
		else
			printf("-");
		printf("\t%s\t%" PRIu64 "\t%" PRIu64 "\n", kernel->signature, frame.shared / 1024,
		       frame.shared_bytes);
	}
}

/* 1: there was an image in the container; 0: none; or a negative errno with a line. */
static int container_print(const void *container, uint64_t bytes, char *error, size_t error_size)
{
	struct hetckpt_fatbin_image found = {0};
	struct hetckpt_image *image = NULL;
	struct hetckpt_map *map = NULL;
	int rc = hetckpt_fatbin_image_find(container, bytes, &found, error, error_size);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = hetckpt_image_open(found.data, found.bytes, &image, error, error_size);
	if (!rc)
		rc = hetckpt_map_parse_image(image, &map, error, error_size);
	for (uint32_t i = 0; !rc && i < map->kernels; i++)
		kernel_print(&map->kernel[i]);
	hetckpt_map_free(map);
	hetckpt_image_close(image);
	free(found.data);
	return rc ? rc : 1;
}

static int file_print(const char *path, const unsigned char *data, uint64_t bytes)
{
	char error[HETCKPT_FATBIN_ERROR + HETCKPT_STATEMAP_ERROR] = "";
	unsigned images = 0;
	uint64_t at = 0, size;

	while (bytes >= 16 && at <= bytes - 16) {
		uint32_t magic;
		int rc;

		memcpy(&magic, data + at, sizeof magic);
		if (magic != HETCKPT_FATBIN_MAGIC || hetckpt_fatbin_size(data + at, &size) ||
		    size > bytes - at) {
			at += 8;
			continue;
		}
		rc = container_print(data + at, size, error, sizeof error);
		if (rc < 0) {
			fprintf(stderr, "list-safepoints: %s: %s\n", path, error);
			return 1;
		}
		images += (unsigned)rc;
		at += (size + 7) & ~UINT64_C(7);
	}
	if (!images) {
		fprintf(stderr, "list-safepoints: %s: no kernels compiled by hetcc in it\n", path);
		return 1;
	}
	return fflush(stdout) || ferror(stdout);
}

int main(int argc, char **argv)
{
	struct stat facts;
	void *data = MAP_FAILED;
	int fd, rc = 1;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: list-safepoints PROGRAM\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &facts) && facts.st_size > 0)
		data = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		fprintf(stderr, "list-safepoints: cannot read %s: %s\n", argv[1],
		        fd >= 0 && facts.st_size <= 0 ? "it is empty" : strerror(errno));
	} else {
		rc = file_print(argv[1], data, (uint64_t)facts.st_size);
		munmap(data, (size_t)facts.st_size);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}
