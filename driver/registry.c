/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "registry.h"

#include "command.h"
#include "paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_id(const char *text)
{
	return strlen(text) == HETCKPT_SESSION_ID_CHARS &&
	       strspn(text, "0123456789abcdef") == HETCKPT_SESSION_ID_CHARS;
}

/* Opens the folder of sessions and locks it against makers and removers. */
static int root_lock(char root[PATH_MAX], int *fd, struct hetckpt_error *error)
{
	int rc = hetckpt_path_runtime(root, error);

	if (rc)
		return rc;
	*fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return hetckpt_error_set(error, -errno, 0, "session folder %s: %s", root,
					 strerror(errno));
	while (flock(*fd, LOCK_EX)) {
		if (errno == EINTR)
			continue;
		rc = hetckpt_error_set(error, -errno, 0, "cannot lock the session folder %s: %s",
				       root, strerror(errno));
		close(*fd);
		return rc;
	}
	return 0;
}

/* Removes a session folder and the files that we put there, nothing else. */
static void folder_remove(int root, const char *id)
{
	static const char *const names[] = {"control.sock", "session.json", "session.json.new"};
	int fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlinkat(fd, names[i], 0);
	close(fd);
	unlinkat(root, id, AT_REMOVEDIR);
}

/* True if nobody holds the lock of the session's folder. */
static bool folder_stale(int root, const char *id)
{
	int fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool stale;

	if (fd < 0)
		return false;
	stale = !flock(fd, LOCK_SH | LOCK_NB);
	close(fd);
	return stale;
}

static void copy_string(json_t *object, const char *field, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(object, field));

	snprintf(out, size, "%s", text ? text : "");
}

/* Fills an entry from its folder; without session.json (still starting) only id and paths. */
static int entry_read(const char *root, const char *id, struct hetckpt_session_entry *entry)
{
	char path[PATH_MAX];
	json_t *object;

	memset(entry, 0, sizeof *entry);
	snprintf(entry->id, sizeof entry->id, "%s", id);
	if (snprintf(entry->folder, PATH_MAX, "%s/%s", root, id) >= PATH_MAX - 32)
		return -ENAMETOOLONG;
	strcat(strcpy(entry->socket, entry->folder), "/control.sock");
	strcat(strcpy(path, entry->folder), "/session.json");
	object = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(object)) {
		copy_string(object, "name", entry->name, sizeof entry->name);
		copy_string(object, "device", entry->device, sizeof entry->device);
		copy_string(object, "kind", entry->kind, sizeof entry->kind);
		copy_string(object, "command", entry->command, sizeof entry->command);
		entry->pid = (pid_t)json_integer_value(json_object_get(object, "pid"));
		entry->supervisor_pid =
			(pid_t)json_integer_value(json_object_get(object, "supervisor_pid"));
		entry->started = json_number_value(json_object_get(object, "started"));
	}
	json_decref(object);
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct hetckpt_session_entry *x = a, *y = b;

	if (x->started != y->started)
		return x->started < y->started ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* Lists with the root locked. */
static int list_locked(const char *root, int root_fd, struct hetckpt_session_list *list,
		       struct hetckpt_error *error)
{
	struct hetckpt_session_entry *more;
	struct dirent *item;
	DIR *folder;
	int rc = 0;

	memset(list, 0, sizeof *list);
	folder = opendir(root);
	if (!folder)
		return hetckpt_error_set(error, -errno, 0, "session folder %s: %s", root,
					 strerror(errno));
	while (!rc && (item = readdir(folder))) {
		if (!is_id(item->d_name))
			continue;
		if (folder_stale(root_fd, item->d_name)) {
			folder_remove(root_fd, item->d_name);
			continue;
		}
		more = realloc(list->entry, (list->count + 1) * sizeof *more);
		if (!more) {
			rc = hetckpt_error_set(error, -ENOMEM, 0, "no memory to list sessions");
			break;
		}
		list->entry = more;
		if (!entry_read(root, item->d_name, &more[list->count]))
			list->count++;
	}
	closedir(folder);
	if (rc) {
		free(list->entry);
		memset(list, 0, sizeof *list);
	} else if (list->count) {
		qsort(list->entry, list->count, sizeof *list->entry, by_start);
	}
	return rc;
}

int hetckpt_registry_list(struct hetckpt_session_list *list, struct hetckpt_error *error)
{
	char root[PATH_MAX];
	int fd, rc;

	memset(list, 0, sizeof *list);
	rc = root_lock(root, &fd, error);
	if (rc)
		return rc;
	rc = list_locked(root, fd, list, error);
	close(fd);
	return rc;
}

static int name_check(const char *root, int root_fd, const char *name,
		      struct hetckpt_error *error)
{
	struct hetckpt_session_list list;
	int rc = list_locked(root, root_fd, &list, error);

	for (size_t i = 0; !rc && i < list.count; i++)
		if (!strcmp(list.entry[i].name, name))
			rc = hetckpt_error_set(error, -EEXIST, 0,
					       "session %s has the name '%s' already",
					       list.entry[i].id, name);
	free(list.entry);
	return rc;
}

static int id_make(char id[HETCKPT_SESSION_ID_CHARS + 1], struct hetckpt_error *error)
{
	unsigned char random[HETCKPT_SESSION_ID_CHARS / 2];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return hetckpt_error_set(error, -errno, 0, "no random numbers: %s",
					 strerror(errno));
	for (size_t i = 0; i < sizeof random; i++)
		sprintf(id + 2 * i, "%02x", random[i]);
	return 0;
}

int hetckpt_registry_create(struct hetckpt_session_entry *entry, int *lock_fd,
			    struct hetckpt_error *error)
{
	char root[PATH_MAX];
	int root_fd, fd = -1, rc;

	rc = root_lock(root, &root_fd, error);
	if (rc)
		return rc;
	if (entry->name[0])
		rc = name_check(root, root_fd, entry->name, error);
	do {
		if (!rc)
			rc = id_make(entry->id, error);
		if (rc)
			goto out;
	} while (mkdirat(root_fd, entry->id, 0700) && errno == EEXIST);
	fd = openat(root_fd, entry->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB)) {
		rc = hetckpt_error_set(error, -errno, 0, "cannot make a session in %s: %s", root,
				       strerror(errno));
		goto out;
	}
	if (snprintf(entry->folder, PATH_MAX, "%s/%s", root, entry->id) >= PATH_MAX - 32) {
		rc = hetckpt_error_set(error, -ENAMETOOLONG, 0, "session folder %s: too long",
				       root);
		folder_remove(root_fd, entry->id);
		goto out;
	}
	strcat(strcpy(entry->socket, entry->folder), "/control.sock");
	*lock_fd = fd;
	fd = -1;
out:
	if (fd >= 0)
		close(fd);
	close(root_fd);
	return rc;
}

int hetckpt_registry_publish(const struct hetckpt_session_entry *entry,
			     struct hetckpt_error *error)
{
	char path[PATH_MAX], next[PATH_MAX];
	json_t *object;
	int rc = 0;

	if (snprintf(path, PATH_MAX, "%s/session.json", entry->folder) >= PATH_MAX ||
	    snprintf(next, PATH_MAX, "%s/session.json.new", entry->folder) >= PATH_MAX)
		return hetckpt_error_set(error, -ENAMETOOLONG, 0, "session folder %s: too long",
					 entry->folder);
	object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:f}", "id", entry->id, "name",
			   entry->name, "kind", entry->kind, "device", entry->device, "command",
			   entry->command, "supervisor_pid", (json_int_t)entry->supervisor_pid,
			   "pid", (json_int_t)entry->pid, "started", entry->started);
	if (!object || json_dump_file(object, next, JSON_INDENT(2)) || rename(next, path))
		rc = hetckpt_error_set(error, errno ? -errno : -EIO, 0, "cannot write %s: %s", path,
				       strerror(errno));
	json_decref(object);
	return rc;
}

void hetckpt_registry_remove(const struct hetckpt_session_entry *entry, int lock_fd)
{
	char root[PATH_MAX];
	int fd;

	/* Without the lock on the root (it may be gone) the next listing removes it. */
	if (!root_lock(root, &fd, NULL)) {
		folder_remove(fd, entry->id);
		close(fd);
	}
	if (lock_fd >= 0)
		close(lock_fd);
}

int hetckpt_registry_resolve(const char *text, struct hetckpt_session_entry *entry,
			     struct hetckpt_error *error)
{
	struct hetckpt_session_list list;
	const struct hetckpt_session_entry *found = NULL;
	long long pid = 0;
	size_t prefixes = 0;
	int rc = hetckpt_registry_list(&list, error);

	if (rc)
		return rc;
	if (hetckpt_number_parse(text, 1, 0x7fffffff, &pid))
		pid = 0;
	/* From the most exact to the least: a name may look like a number or a prefix. */
	for (size_t i = 0; i < list.count && !found; i++)
		if (!strcmp(list.entry[i].id, text))
			found = &list.entry[i];
	for (size_t i = 0; i < list.count && !found; i++)
		if (*text && !strcmp(list.entry[i].name, text))
			found = &list.entry[i];
	for (size_t i = 0; i < list.count && !found && pid; i++)
		if (list.entry[i].pid == pid)
			found = &list.entry[i];
	for (size_t i = 0; i < list.count && !found && pid; i++)
		if (list.entry[i].supervisor_pid == pid)
			found = &list.entry[i];
	if (!found) {
		for (size_t i = 0; i < list.count && *text; i++) {
			if (!strncmp(list.entry[i].id, text, strlen(text))) {
				found = &list.entry[i];
				prefixes++;
			}
		}
	}
	if (prefixes > 1)
		rc = hetckpt_error_set(error, -ENOTUNIQ, 0, "'%s' fits %zu sessions", text,
				       prefixes);
	else if (!found)
		rc = hetckpt_error_set(error, -ENOENT, 0,
				       "there is no session '%s'; 'hetckpt ps' lists them", text);
	else
		*entry = *found;
	free(list.entry);
	return rc;
}
