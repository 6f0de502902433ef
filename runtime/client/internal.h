/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* internal.h - between session.c and command.c only. */
#ifndef HETCKPT_CLIENT_INTERNAL_H
#define HETCKPT_CLIENT_INTERNAL_H

struct hetckpt_session;

/* Prepares ring, slots and staging for the session just opened. 0 or -ENOMEM. */
int client_command_start(struct hetckpt_session *session);

#endif
