/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * log.h - the one logger: levelled, to stderr, one line a message.
 *
 * Libraries return errors and only log what would otherwise be lost; tools print.
 * The level comes from HETCKPT_LOG (error, warn, info, debug; default warn).
 */
#ifndef HETCKPT_COMMON_LOG_H
#define HETCKPT_COMMON_LOG_H

enum hetckpt_log_level { HETCKPT_LOG_ERROR, HETCKPT_LOG_WARN, HETCKPT_LOG_INFO, HETCKPT_LOG_DEBUG };

/* Prints "hetckpt: [level: ]message\n". Thread-safe, does not allocate. */
void hetckpt_log(enum hetckpt_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* True if messages of this level are printed. */
int hetckpt_log_enabled(enum hetckpt_log_level level);

#endif
