/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "atomic_file.h"

#include "error.h"
#include "io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".hetckpt-tmp"
#define RANDOM_DIGITS 8
#define TRIES 100

struct hetckpt_atomic_file {
	const struct hetckpt_snap_io *io;
	struct hetckpt_snap_error error;
	char *target;          /* as the caller named it, for messages */
	char *path;            /* with links resolved; cut where the folder ends */
	const char *name;      /* its last component, in path */
	char temp[NAME_MAX + 1]; /* "" while the file has no name */
	int dirfd, fd;
	bool committed;
};

/* Random, so that a name cannot be taken in advance by somebody else. */
static int temp_name(const char *name, char *temp, size_t room)
{
	uint32_t number;
	int n;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -errno;
	n = snprintf(temp, room, ".%s.%0*x" SUFFIX, name, RANDOM_DIGITS, (unsigned)number);
	return n < 0 || (size_t)n >= room ? -ENAMETOOLONG : 0;
}

static bool is_temp_of(const char *entry, const char *name)
{
	size_t length = strlen(name);

	return entry[0] == '.' && strncmp(entry + 1, name, length) == 0 && entry[1 + length] == '.' &&
		strspn(entry + 2 + length, "0123456789abcdef") == RANDOM_DIGITS &&
		strcmp(entry + 2 + length + RANDOM_DIGITS, SUFFIX) == 0;
}

/* Removes temporaries of this target whose writer is gone: its lock went with it.
   Best effort; what cannot be removed now is tried again by the next writer. */
static void sweep(const struct hetckpt_atomic_file *file)
{
	int fd = openat(file->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		int temp;

		if (!is_temp_of(entry->d_name, file->name))
			continue;
		temp = openat(file->dirfd, entry->d_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (temp < 0)
			continue;
		if (flock(temp, LOCK_EX | LOCK_NB) == 0)
			unlinkat(file->dirfd, entry->d_name, 0);
		close(temp);
	}
	closedir(dir);
}

/* Splits path into folder and name and opens the folder. */
static int open_folder(struct hetckpt_atomic_file *file, const char *path)
{
	struct stat st;
	char *slash;
	const char *folder = ".";

	/* A link is followed, so that what it points to is replaced and not the link.
	   One that points nowhere is replaced itself. */
	file->target = strdup(path);
	file->path = realpath(path, NULL);
	if (!file->path)
		file->path = strdup(path);
	if (!file->path || !file->target)
		return hetckpt_snap_error_set(&file->error, -ENOMEM, "%s: out of memory", path);

	slash = strrchr(file->path, '/');
	file->name = slash ? slash + 1 : file->path;
	if (slash) {
		folder = slash == file->path ? "/" : file->path;
		if (slash != file->path)
			*slash = '\0';
	}
	file->dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->dirfd < 0) {
		int code = -errno;

		return hetckpt_snap_error_set(&file->error, code, "%s: cannot open folder %s: %s", path,
			folder, strerror(-code));
	}
	if (fstatat(file->dirfd, file->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return hetckpt_snap_error_set(&file->error, -EISDIR, "%s: is a folder", path);
	if (!file->name[0] || !strcmp(file->name, ".") || !strcmp(file->name, ".."))
		return hetckpt_snap_error_set(&file->error, -EISDIR, "%s: names no file", path);
	/* Found now rather than when the file is complete and wants its name. */
	if (temp_name(file->name, file->temp, sizeof(file->temp)) == -ENAMETOOLONG)
		return hetckpt_snap_error_set(&file->error, -ENAMETOOLONG,
			"%s: name is too long for a temporary beside it", path);
	file->temp[0] = '\0';
	if (fstatat(file->dirfd, file->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return hetckpt_snap_error_set(&file->error, -EINVAL,
			"%s: is not a regular file, so it cannot be replaced", path);
	return 0;
}

/* Locks fd against sweeps. -EEXIST if one holds it or has just removed it. File
   systems without locks let no sweep remove anything either. */
static int lock_temp(int fd, nlink_t names)
{
	struct stat st;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return -EEXIST;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_nlink == names ? 0 : -EEXIST;
}

/* Creates a file with a temporary name. */
static int create_named(struct hetckpt_atomic_file *file)
{
	int rc = temp_name(file->name, file->temp, sizeof(file->temp));

	if (rc)
		goto out;
	file->fd = openat(file->dirfd, file->temp, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (file->fd < 0) {
		rc = -errno;
		goto out;
	}
	rc = lock_temp(file->fd, 1);
	if (rc) {
		unlinkat(file->dirfd, file->temp, 0);
		close(file->fd);
		file->fd = -1;
	}
out:
	if (rc)
		file->temp[0] = '\0';
	return rc;
}

/* Creates a file without a name: then nothing stays behind, however the process
   ends. It gets its name through /proc, so that must be there. */
static int create_nameless(struct hetckpt_atomic_file *file)
{
	char link[64];

	file->fd = openat(file->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file->fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
	if (access(link, F_OK) == 0)
		return 0;
	close(file->fd);
	file->fd = -1;
	return -ENOENT;
}

static int open_temp(struct hetckpt_atomic_file *file)
{
	int rc = create_nameless(file), tries;

	for (tries = 0; rc && tries < TRIES; tries++) {
		rc = create_named(file);
		if (rc != -EEXIST)
			break;
	}
	if (rc)
		hetckpt_snap_error_set(&file->error, rc, "%s: cannot create a temporary beside it: %s",
			file->target, strerror(-rc));
	return rc;
}

int hetckpt_atomic_open(const char *path, const struct hetckpt_snap_io *io,
	struct hetckpt_atomic_file **out)
{
	struct hetckpt_atomic_file *file = calloc(1, sizeof(*file));
	int rc;

	*out = file;
	if (!file)
		return -ENOMEM;
	file->io = io ? io : &hetckpt_snap_io_system;
	file->dirfd = -1;
	file->fd = -1;
	rc = open_folder(file, path);
	if (!rc) {
		sweep(file);
		rc = open_temp(file);
	}
	return rc;
}

int hetckpt_atomic_fd(const struct hetckpt_atomic_file *file)
{
	return file->fd;
}

/* Gives a file without a name a temporary one; rename can replace, link cannot. */
static int name_temp(struct hetckpt_atomic_file *file)
{
	char link[64];
	int rc, tries;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
	/* Locked before it has a name, so that no sweep takes it for an orphan. */
	rc = lock_temp(file->fd, 0);
	for (tries = 0; !rc && tries < TRIES; tries++) {
		rc = temp_name(file->name, file->temp, sizeof(file->temp));
		if (!rc && linkat(AT_FDCWD, link, file->dirfd, file->temp, AT_SYMLINK_FOLLOW) < 0)
			rc = -errno;
		if (!rc)
			return 0;
		if (rc == -EEXIST && tries + 1 < TRIES)
			rc = 0; /* somebody has that name; try another */
	}
	file->temp[0] = '\0';
	return rc;
}

int hetckpt_atomic_commit(struct hetckpt_atomic_file *file, bool sync)
{
	int rc;

	if (file->committed || file->error.code)
		return file->error.code ? file->error.code : -EINVAL;
	rc = sync ? hetckpt_snap_fsync(file->io, file->fd) : 0;
	if (rc)
		return hetckpt_snap_error_set(&file->error, rc, "%s: cannot sync: %s", file->target,
			strerror(-rc));
	rc = file->temp[0] ? 0 : name_temp(file);
	if (rc)
		return hetckpt_snap_error_set(&file->error, rc, "%s: cannot name the new file: %s",
			file->target, strerror(-rc));
	if (file->io->rename(file->io->ctx, file->dirfd, file->temp, file->name) < 0) {
		rc = -errno;
		return hetckpt_snap_error_set(&file->error, rc, "%s: cannot rename the new file: %s",
			file->target, strerror(-rc));
	}
	file->committed = true;
	rc = sync ? hetckpt_snap_fsync(file->io, file->dirfd) : 0;
	if (rc)
		return hetckpt_snap_error_set(&file->error, rc,
			"%s: written, but its folder cannot be synced: %s", file->target, strerror(-rc));
	return 0;
}

const char *hetckpt_atomic_error(const struct hetckpt_atomic_file *file)
{
	return file ? file->error.text : "out of memory";
}

void hetckpt_atomic_close(struct hetckpt_atomic_file *file)
{
	if (!file)
		return;
	if (!file->committed && file->temp[0])
		unlinkat(file->dirfd, file->temp, 0);
	if (file->fd >= 0)
		close(file->fd);
	if (file->dirfd >= 0)
		close(file->dirfd);
	free(file->path);
	free(file->target);
	free(file);
}
