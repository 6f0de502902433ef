/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ORIGIN "HETCKPT_TIMELINE_ORIGIN"

/* Written before there are threads, then only read. */
static const char *name;
static char path[4096];
static uint64_t origin;

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void hetckpt_timeline_start(const char *process)
{
	const char *file = getenv("HETCKPT_TIMELINE"), *given = getenv(ORIGIN);
	char text[24];

	if (!file || !*file || strlen(file) >= sizeof path)
		return;
	/* The program may change its environment, and with it where these strings are. */
	strcpy(path, file);
	origin = given ? strtoull(given, NULL, 10) : 0;
	if (!origin) {
		origin = clock_ns();
		snprintf(text, sizeof text, "%llu", (unsigned long long)origin);
		setenv(ORIGIN, text, 1);
	}
	name = process;
}

uint64_t hetckpt_timeline_now(void)
{
	return name ? clock_ns() : 0;
}

void hetckpt_timeline_step(uint64_t begin, const char *format, ...)
{
	int saved = errno, fd, n, m;
	char line[400];
	va_list args;

	if (!begin)
		return;
	n = snprintf(line, sizeof line, "%9.3f\t%9.3f\t%s\t", (double)(int64_t)(begin - origin) / 1e6,
	             (double)(clock_ns() - begin) / 1e6, name);
	va_start(args, format);
	m = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
	va_end(args);
	n = m < 0 ? n : n + m < (int)sizeof line - 1 ? n + m : (int)sizeof line - 2;
	line[n++] = '\n';
	/* Opened for each line: the process is a stranger's, and may close what it did not open. One
	   write a line, so lines of several processes do not mix. */
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd >= 0) {
		if (write(fd, line, (size_t)n) < 0)
			(void)0;
		close(fd);
	}
	errno = saved;
}
