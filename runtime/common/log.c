/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int configured_level(void)
{
	/* Racing threads compute the same value. */
	static int level = -1;

	if (level < 0) {
		static const char *const names[] = {"error", "warn", "info", "debug"};
		const char *text = getenv("HETCKPT_LOG");
		int chosen = HETCKPT_LOG_WARN;

		for (int i = 0; text && i < 4; i++)
			if (!strcmp(text, names[i]))
				chosen = i;
		level = chosen;
	}
	return level;
}

int hetckpt_log_enabled(enum hetckpt_log_level level)
{
	return (int)level <= configured_level();
}

void hetckpt_log(enum hetckpt_log_level level, const char *format, ...)
{
	static const char *const prefix[] = {"error: ", "warning: ", "", "debug: "};
	int saved = errno;
	char line[2048];
	va_list args;
	int n, m;

	if (!hetckpt_log_enabled(level))
		return;
	n = snprintf(line, sizeof line, "hetckpt: %s", prefix[level]);
	va_start(args, format);
	m = vsnprintf(line + n, sizeof line - n - 1, format, args);
	va_end(args);
	if (m > 0)
		n += m;
	if (n > (int)sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	/* One write a line, so lines of several processes do not mix. */
	if (write(STDERR_FILENO, line, n) < 0)
		(void)0;
	errno = saved;
}
