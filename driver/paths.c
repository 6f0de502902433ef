/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The installation's root: the folder above the one that holds this executable. */
static int prefix(char path[PATH_MAX], struct hetckpt_error *error)
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (n < 0)
		return hetckpt_error_set(error, -errno, 0, "cannot read /proc/self/exe: %s",
					 strerror(errno));
	path[n] = 0;
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return hetckpt_error_set(error, -ENOENT, 0,
						 "cannot tell where hetckpt is installed");
		*slash = 0;
	}
	return 0;
}

/* path = prefix/folder/name if that can be accessed as mode says. */
static int locate(const char *root, const char *folder, const char *name, int mode,
		  char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/%s/%s", root, folder, name);

	return n < PATH_MAX && !access(path, mode) ? 0 : -ENOENT;
}

int hetckpt_path_worker(char path[PATH_MAX], struct hetckpt_error *error)
{
	char root[PATH_MAX];
	int rc = prefix(root, error);

	if (rc)
		return rc;
	rc = locate(root, "libexec/hetckpt", "hetckpt-worker", X_OK, path);
	if (rc)
		rc = locate(root, HETCKPT_LIBEXECDIR "/hetckpt", "hetckpt-worker", X_OK, path);
	if (rc)
		hetckpt_error_set(error, rc, 0, "%.300s/libexec/hetckpt/hetckpt-worker is missing",
				  root);
	return rc;
}

int hetckpt_path_cudart(int major, char path[PATH_MAX], struct hetckpt_error *error)
{
	char root[PATH_MAX], name[64];
	int rc = prefix(root, error);

	if (rc)
		return rc;
	snprintf(name, sizeof name, "libcudart.so.%d", major);
	rc = locate(root, "lib/hetckpt", name, R_OK, path);
	if (rc)
		rc = locate(root, HETCKPT_LIBDIR "/hetckpt", name, R_OK, path);
	if (rc)
		hetckpt_error_set(error, rc, 0, "%.300s/lib/hetckpt/%s is missing", root, name);
	return rc;
}

int hetckpt_path_runtime(char path[PATH_MAX], struct hetckpt_error *error)
{
	const char *own = getenv("HETCKPT_RUNTIME_DIR"), *xdg = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	int n;

	if (own && *own)
		n = snprintf(path, PATH_MAX, "%s", own);
	else if (xdg && *xdg)
		n = snprintf(path, PATH_MAX, "%s/hetckpt", xdg);
	else
		n = snprintf(path, PATH_MAX, "/tmp/hetckpt-%u", (unsigned)geteuid());
	if (n >= PATH_MAX)
		return hetckpt_error_set(error, -ENAMETOOLONG, 0,
					 "the path of the session folder is too long");
	if (mkdir(path, 0700) && errno != EEXIST)
		return hetckpt_error_set(error, -errno, 0, "cannot make the session folder %s: %s",
					 path, strerror(errno));
	/* In /tmp somebody else may have been first: sockets in there would be theirs. */
	if (lstat(path, &st))
		return hetckpt_error_set(error, -errno, 0, "session folder %s: %s", path,
					 strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return hetckpt_error_set(error, -EPERM, 0, "session folder %s is not a folder",
					 path);
	if (st.st_uid != geteuid())
		return hetckpt_error_set(error, -EPERM, 0,
					 "session folder %s belongs to another user (%u)", path,
					 (unsigned)st.st_uid);
	if (st.st_mode & 077)
		return hetckpt_error_set(error, -EPERM, 0,
					 "session folder %s lets other users in: chmod 700 it",
					 path);
	return 0;
}
