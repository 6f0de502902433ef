/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* paths.h - where the parts of an installation and the sessions lie. */
#ifndef HETCKPT_DRIVER_PATHS_H
#define HETCKPT_DRIVER_PATHS_H

#include <limits.h>
#include <stddef.h>

#include "runtime/common/error.h"

/*
 * The worker, relative to this executable: bin/../libexec/hetckpt/hetckpt-worker.
 * -ENOENT with a message that names the place if it is not there.
 */
int hetckpt_path_worker(char path[PATH_MAX], struct hetckpt_error *error);

/*
 * The project's CUDA runtime that stands in for libcudart.so.MAJOR, in
 * bin/../lib/hetckpt. -ENOENT if there is none for this major version.
 */
int hetckpt_path_cudart(int major, char path[PATH_MAX], struct hetckpt_error *error);

/*
 * The folder of sessions: $HETCKPT_RUNTIME_DIR, else $XDG_RUNTIME_DIR/hetckpt, else
 * /tmp/hetckpt-UID. It is made if it is missing (mode 0700). -EPERM if it belongs to
 * another user, is no folder, or lets others in.
 */
int hetckpt_path_runtime(char path[PATH_MAX], struct hetckpt_error *error);

#endif
