/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "elf_needs.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct file { const unsigned char *bytes; uint64_t size; };

/* The bytes [offset, offset + bytes), or NULL if they are not all there. */
static const void *at(const struct file *f, uint64_t offset, uint64_t bytes)
{
	if (offset > f->size || bytes > f->size - offset)
		return NULL;
	return f->bytes + offset;
}

/* A terminated string that starts at offset, or "". */
static const char *string_at(const struct file *f, uint64_t offset)
{
	if (offset >= f->size || !memchr(f->bytes + offset, 0, f->size - offset))
		return "";
	return (const char *)f->bytes + offset;
}

/* Adds what needing a library of this name means. */
static void note_library(struct hetckpt_elf_needs *needs, const char *name)
{
	static const char cudart[] = "libcudart.so";
	char *end;
	unsigned long major;

	if (!strcmp(name, "libcuda.so.1"))
		needs->cuda_driver = true;
	if (strncmp(name, cudart, sizeof cudart - 1))
		return;
	name += sizeof cudart - 1;
	major = name[0] == '.' ? strtoul(name + 1, &end, 10) : 0;
	if (major && major < 32)
		needs->cudart |= 1u << major;
	else
		needs->cudart_other = true;
}

/* File offset of a virtual address, by the loadable segments; UINT64_MAX if none. */
static uint64_t file_offset(const struct file *f, const Elf64_Ehdr *h, uint64_t address)
{
	for (unsigned i = 0; i < h->e_phnum; i++) {
		Elf64_Phdr p;

		memcpy(&p, f->bytes + h->e_phoff + (uint64_t)i * sizeof p, sizeof p);
		if (p.p_type == PT_LOAD && address >= p.p_vaddr && address - p.p_vaddr < p.p_filesz)
			return p.p_offset + (address - p.p_vaddr);
	}
	return UINT64_MAX;
}

static void read_dynamic(const struct file *f, const Elf64_Ehdr *h, const Elf64_Phdr *dynamic,
			 struct hetckpt_elf_needs *needs)
{
	const unsigned char *table = at(f, dynamic->p_offset, dynamic->p_filesz);
	uint64_t count = dynamic->p_filesz / sizeof(Elf64_Dyn), strings = UINT64_MAX;
	Elf64_Dyn d;

	if (!table)
		return;
	for (uint64_t i = 0; i < count; i++) {
		memcpy(&d, table + i * sizeof d, sizeof d);
		if (d.d_tag == DT_NULL)
			count = i;
		else if (d.d_tag == DT_STRTAB)
			strings = file_offset(f, h, d.d_un.d_ptr);
	}
	for (uint64_t i = 0; i < count && strings != UINT64_MAX; i++) {
		memcpy(&d, table + i * sizeof d, sizeof d);
		if (d.d_tag == DT_NEEDED && d.d_un.d_val < f->size)
			note_library(needs, string_at(f, strings + d.d_un.d_val));
	}
}

static void read_sections(const struct file *f, const Elf64_Ehdr *h,
			  struct hetckpt_elf_needs *needs)
{
	uint64_t bytes = (uint64_t)h->e_shnum * sizeof(Elf64_Shdr);
	const unsigned char *table = at(f, h->e_shoff, bytes);
	Elf64_Shdr names, s;

	if (!table || h->e_shentsize != sizeof s || h->e_shstrndx >= h->e_shnum)
		return;
	memcpy(&names, table + (uint64_t)h->e_shstrndx * sizeof names, sizeof names);
	for (unsigned i = 0; i < h->e_shnum; i++) {
		memcpy(&s, table + (uint64_t)i * sizeof s, sizeof s);
		if (names.sh_offset < f->size && !strcmp(string_at(f, names.sh_offset + s.sh_name), ".nv_fatbin"))
			needs->device_code = true;
	}
}

static int read_elf(const struct file *f, const char *path, struct hetckpt_elf_needs *needs,
		    struct hetckpt_error *error)
{
	Elf64_Ehdr h;

	if (f->size < EI_NIDENT || memcmp(f->bytes, ELFMAG, SELFMAG))
		return 0;
	if (f->size < sizeof h)
		return hetckpt_error_set(error, -EBADMSG, 0, "%s: damaged ELF header", path);
	memcpy(&h, f->bytes, sizeof h);
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB)
		return 0;
	if (h.e_phnum && (h.e_phentsize != sizeof(Elf64_Phdr) ||
			  !at(f, h.e_phoff, (uint64_t)h.e_phnum * sizeof(Elf64_Phdr))))
		return hetckpt_error_set(error, -EBADMSG, 0, "%s: damaged ELF program headers",
					 path);
	needs->elf = true;
	for (unsigned i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;

		memcpy(&p, f->bytes + h.e_phoff + (uint64_t)i * sizeof p, sizeof p);
		if (p.p_type == PT_INTERP)
			needs->dynamic = true;
		else if (p.p_type == PT_DYNAMIC)
			read_dynamic(f, &h, &p, needs);
	}
	read_sections(f, &h, needs);
	return 0;
}

int hetckpt_elf_needs_read(const char *path, struct hetckpt_elf_needs *needs,
			   struct hetckpt_error *error)
{
	struct file f = {NULL, 0};
	struct stat st;
	void *map;
	int fd, rc;

	memset(needs, 0, sizeof *needs);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st)) {
		rc = hetckpt_error_set(error, -errno, 0, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = hetckpt_error_set(error, -EACCES, 0, "%s is not a regular file", path);
		goto out;
	}
	rc = 0;
	if (!st.st_size)
		goto out;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED) {
		rc = hetckpt_error_set(error, -errno, 0, "%s: %s", path, strerror(errno));
		goto out;
	}
	f.bytes = map;
	f.size = (uint64_t)st.st_size;
	rc = read_elf(&f, path, needs, error);
	munmap(map, (size_t)st.st_size);
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Our environment with LD_TRACE_LOADED_OBJECTS=1, which makes the loader list and exit. */
static char **trace_environment(void)
{
	static char trace[] = "LD_TRACE_LOADED_OBJECTS=1";
	size_t n = 0;
	char **list;

	while (environ[n])
		n++;
	list = calloc(n + 2, sizeof *list);
	if (list) {
		memcpy(list, environ, n * sizeof *list);
		list[n] = trace;
	}
	return list;
}

void hetckpt_elf_needs_indirect(const char *path, struct hetckpt_elf_needs *needs)
{
	char *argv[] = {(char *)path, NULL}, **env = trace_environment();
	posix_spawn_file_actions_t actions;
	char line[PATH_MAX + 256];
	int ends[2], status;
	FILE *list = NULL;
	pid_t pid;

	if (!env || pipe2(ends, O_CLOEXEC)) {
		free(env);
		return;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	status = posix_spawn(&pid, path, &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (!status) {
		list = fdopen(ends[0], "r");
		/* Lines are "\tNAME => PATH (0x...)" or "\tNAME (0x...)". */
		while (list && fgets(line, sizeof line, list)) {
			char *name = line + strspn(line, " \t");

			name[strcspn(name, " \n")] = 0;
			note_library(needs, name);
		}
	}
	if (list)
		fclose(list);
	else
		close(ends[0]);
	while (!status && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(env);
}

int hetckpt_program_find(const char *name, char path[PATH_MAX])
{
	const char *list = getenv("PATH"), *end;
	struct stat st;
	int rc = -ENOENT;

	if (strchr(name, '/')) {
		if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX)
			return -ENAMETOOLONG;
		if (stat(path, &st))
			return errno == EACCES ? -EACCES : -ENOENT;
		return S_ISDIR(st.st_mode) || access(path, X_OK) ? -EACCES : 0;
	}
	if (!*name)
		return -ENOENT;
	for (list = list ? list : "/usr/local/bin:/usr/bin:/bin"; list; list = *end ? end + 1 : NULL) {
		int n;

		end = strchrnul(list, ':');
		n = snprintf(path, PATH_MAX, "%.*s%s%s", (int)(end - list), list,
			     end == list ? "./" : "/", name);
		if (n >= PATH_MAX || stat(path, &st) || S_ISDIR(st.st_mode))
			continue;
		if (!access(path, X_OK))
			return 0;
		rc = -EACCES;
	}
	return rc;
}
