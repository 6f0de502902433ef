/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * registry.h - the folder of sessions: making one, finding them, removing dead ones.
 *
 * ROOT/ID/control.sock   the supervisor listens here
 * ROOT/ID/session.json   facts that hold without asking; replaced by rename
 *
 * A living supervisor holds a lock (flock) on ROOT/ID. Who makes or removes session
 * folders holds a lock on ROOT meanwhile, so a folder without a lock on it is stale:
 * its supervisor is dead. Listing removes those.
 */
#ifndef HETCKPT_DRIVER_REGISTRY_H
#define HETCKPT_DRIVER_REGISTRY_H

#include <jansson.h>
#include <limits.h>
#include <sys/types.h>

#include "runtime/common/error.h"

#define HETCKPT_SESSION_ID_CHARS 8
#define HETCKPT_SESSION_NAME_CHARS 63

/* What session.json says. Strings are empty and pids 0 if unknown. */
struct hetckpt_session_entry {
	char id[HETCKPT_SESSION_ID_CHARS + 1];
	char name[HETCKPT_SESSION_NAME_CHARS + 1];
	char device[64];
	char kind[16];         /* "run" or "restore" */
	char command[256];     /* for people: quoted, cut */
	pid_t supervisor_pid, pid; /* pid: the application */
	double started;        /* seconds since 1970 */
	char folder[PATH_MAX];
	char socket[PATH_MAX];
};

struct hetckpt_session_list { struct hetckpt_session_entry *entry; size_t count; };

/*
 * Makes a session folder with a fresh id and locks it; *lock_fd (close-on-exec) keeps
 * it alive. entry->name may be set before: -EEXIST if a living session has that name.
 * Fills entry's id, folder and socket.
 */
int hetckpt_registry_create(struct hetckpt_session_entry *entry, int *lock_fd,
			    struct hetckpt_error *error);

/* Writes session.json from entry. */
int hetckpt_registry_publish(const struct hetckpt_session_entry *entry,
			     struct hetckpt_error *error);

/* Removes the session's folder and closes its lock. */
void hetckpt_registry_remove(const struct hetckpt_session_entry *entry, int lock_fd);

/* All living sessions, oldest first; removes stale folders. free(list->entry). */
int hetckpt_registry_list(struct hetckpt_session_list *list, struct hetckpt_error *error);

/*
 * The session that text means: its id, its name, the process id of its application (or of
 * its supervisor), or a prefix of its id. -ENOENT: none; -ENOTUNIQ: a prefix of several.
 */
int hetckpt_registry_resolve(const char *text, struct hetckpt_session_entry *entry,
			     struct hetckpt_error *error);

#endif
