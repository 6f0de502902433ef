/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "hetcc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void command_print(const struct hetcc_list *command)
{
	for (size_t i = 0; i < command->count; i++) {
		fputs(i ? " \"" : " \"", stderr);
		for (const char *c = command->item[i]; *c; c++) {
			if (strchr("\"\\$`", *c))
				fputc('\\', stderr);
			fputc(*c, stderr);
		}
		fputc('"', stderr);
	}
	fputc('\n', stderr);
}

int hetcc_run(const struct hetcc_options *options, const struct hetcc_list *command)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
	int status, r = 0;
	pid_t child;

	if (options->verbose || options->dry_run)
		command_print(command);
	if (options->dry_run)
		return 0;
	fflush(NULL);
	/* An interrupt reaches the whole process group: the child ends, and then hetcc
	   still has to remove its temporary files. */
	sigaction(SIGINT, &ignore, &interrupt);
	sigaction(SIGQUIT, &ignore, &quit);
	child = fork();
	if (child == 0) {
		sigaction(SIGINT, &interrupt, NULL);
		sigaction(SIGQUIT, &quit, NULL);
		execv(command->item[0], command->item);
		fprintf(stderr, "hetcc: %s: %s\n", command->item[0], strerror(errno));
		_exit(127);
	}
	if (child < 0) {
		r = hetcc_fail(-errno, "cannot start %s: %s", command->item[0], strerror(errno));
	} else {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		if (WIFSIGNALED(status))
			r = hetcc_fail(-ECHILD, "%s was ended by signal %d (%s)", command->item[0],
			               WTERMSIG(status), strsignal(WTERMSIG(status)));
		else if (WEXITSTATUS(status))
			r = -ECHILD;
	}
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGQUIT, &quit, NULL);
	return r;
}

static char *folder;

char *hetcc_temporary(const char *stem, const char *extension)
{
	static unsigned number;
	const char *slash = strrchr(stem, '/');

	if (!folder) {
		const char *where = getenv("TMPDIR");

		folder = hetcc_format("%s/hetcc-XXXXXX", where && *where ? where : "/tmp");
		if (!mkdtemp(folder)) {
			hetcc_fail(0, "%s: cannot make a temporary folder: %s", folder, strerror(errno));
			exit(1);
		}
	}
	return hetcc_format("%s/%u-%s%s", folder, number++, slash ? slash + 1 : stem, extension);
}

void hetcc_temporary_remove(void)
{
	struct dirent *entry;
	DIR *dir;

	if (!folder)
		return;
	dir = opendir(folder);
	while (dir && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(folder);
	free(folder);
	folder = NULL;
}

int hetcc_file_read(const char *path, unsigned char **data, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	struct stat info;
	size_t done = 0;

	*data = NULL;
	if (fd < 0 || fstat(fd, &info)) {
		r = hetcc_fail(-errno, "%s: %s", path, strerror(errno));
		goto out;
	}
	/* One byte more, so that text can be ended. */
	*data = malloc((size_t)info.st_size + 1);
	if (!*data) {
		r = hetcc_fail(-ENOMEM, "%s: out of memory", path);
		goto out;
	}
	while (done < (size_t)info.st_size) {
		ssize_t n = read(fd, *data + done, (size_t)info.st_size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = hetcc_fail(-EIO, "%s: cannot read: %s", path, n ? strerror(errno) : "it became shorter");
			goto out;
		}
		done += (size_t)n;
	}
	(*data)[done] = 0;
	*bytes = done;
out:
	if (fd >= 0)
		close(fd);
	if (r) {
		free(*data);
		*data = NULL;
	}
	return r;
}

int hetcc_file_write(const char *path, const void *data, size_t bytes)
{
	FILE *file = fopen(path, "we");
	int r = 0;

	if (!file)
		return hetcc_fail(-errno, "%s: %s", path, strerror(errno));
	if (fwrite(data, 1, bytes, file) != bytes)
		r = -errno;
	if (fclose(file) && !r)
		r = -errno;
	if (r) {
		hetcc_fail(r, "%s: %s", path, strerror(-r));
		unlink(path);
	}
	return r;
}
