/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * buffers.h - chunk buffers for callers that bring none: page-aligned memory.
 */
#ifndef HETCKPT_SNAPSHOT_BUFFERS_H
#define HETCKPT_SNAPSHOT_BUFFERS_H

#include "runtime/snapshot/snapshot.h"

extern const struct hetckpt_buffers hetckpt_snap_buffers_default;

#endif
