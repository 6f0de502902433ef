/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "output.h"

#include "command.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_CHARS 24

const char *hetckpt_bytes_format(uint64_t bytes, char text[HETCKPT_TEXT_SHORT])
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	int i = 0;

	while (value >= 1023.95 && i < 6) {
		value /= 1024;
		i++;
	}
	/* One digit after the point, and only where it says something. */
	if (value < 99.95 && (unsigned)(value * 10 + 0.5) % 10)
		snprintf(text, HETCKPT_TEXT_SHORT, "%.1f %s", value, unit[i]);
	else
		snprintf(text, HETCKPT_TEXT_SHORT, "%.0f %s", value, unit[i]);
	return text;
}

const char *hetckpt_seconds_format(double seconds, char text[HETCKPT_TEXT_SHORT])
{
	long long s = (long long)seconds;

	if (seconds < 0)
		seconds = s = 0;
	if (seconds < 9.95)
		snprintf(text, HETCKPT_TEXT_SHORT, "%.1f s", seconds);
	else if (s < 120)
		snprintf(text, HETCKPT_TEXT_SHORT, "%lld s", s);
	else if (s < 7200)
		snprintf(text, HETCKPT_TEXT_SHORT, "%lld min", s / 60);
	else if (s < 172800)
		snprintf(text, HETCKPT_TEXT_SHORT, "%lld h %lld min", s / 3600, s / 60 % 60);
	else
		snprintf(text, HETCKPT_TEXT_SHORT, "%lld d", s / 86400);
	return text;
}

void hetckpt_text_print(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < 32 || *text == 127 ? '?' : *text);
}

int hetckpt_json_print(const json_t *value)
{
	if (!value || json_dumpf(value, stdout, JSON_INDENT(2)))
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "cannot write JSON");
	putchar('\n');
	return hetckpt_stdout_finish();
}

double hetckpt_clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void hetckpt_progress_begin(struct hetckpt_progress *bar)
{
	bar->terminal = isatty(STDERR_FILENO);
	bar->shown = false;
	bar->begun = hetckpt_clock_seconds();
	bar->drawn = 0;
}

/* True if it is time to draw. */
static bool due(struct hetckpt_progress *bar)
{
	double now = hetckpt_clock_seconds();

	if (!bar->terminal || now - bar->begun < 1 || now - bar->drawn < 0.1)
		return false;
	bar->drawn = now;
	bar->shown = true;
	return true;
}

static void draw(const char *what, double part, const char *done, const char *total)
{
	char line[BAR_CHARS + 1];

	part = part < 0 ? 0 : part > 1 ? 1 : part;
	memset(line, ' ', BAR_CHARS);
	memset(line, '#', (size_t)(part * BAR_CHARS));
	line[BAR_CHARS] = 0;
	fprintf(stderr, "\r\033[K[%s] %3d %%  %s of %s  %s", line, (int)(part * 100), done, total,
		what);
}

void hetckpt_progress_update(struct hetckpt_progress *bar, const char *what, uint64_t done,
			     uint64_t total)
{
	char a[HETCKPT_TEXT_SHORT], b[HETCKPT_TEXT_SHORT];

	if (!due(bar))
		return;
	hetckpt_bytes_format(done, a);
	if (total)
		draw(what, (double)done / (double)total, a, hetckpt_bytes_format(total, b));
	else
		fprintf(stderr, "\r\033[K%s %s", what, done ? a : "...");
}

void hetckpt_progress_count(struct hetckpt_progress *bar, const char *what, uint64_t done,
			    uint64_t total)
{
	char a[HETCKPT_TEXT_SHORT], b[HETCKPT_TEXT_SHORT];

	if (!due(bar))
		return;
	snprintf(a, sizeof a, "%llu", (unsigned long long)done);
	snprintf(b, sizeof b, "%llu", (unsigned long long)total);
	if (total)
		draw(what, (double)done / (double)total, a, b);
	else
		fprintf(stderr, "\r\033[K%s ...", what);
}

void hetckpt_progress_finish(struct hetckpt_progress *bar)
{
	if (bar->shown)
		fprintf(stderr, "\r\033[K");
	bar->shown = false;
}

void hetckpt_progress_message(void *context, const json_t *progress)
{
	const char *text = json_string_value(json_object_get(progress, "what"));
	json_int_t done = json_integer_value(json_object_get(progress, "done"));
	json_int_t total = json_integer_value(json_object_get(progress, "total"));
	char what[64];

	snprintf(what, sizeof what, "%s", text ? text : "working");
	for (char *c = what; *c; c++)
		if ((unsigned char)*c < 32 || *c == 127)
			*c = '?';
	hetckpt_progress_update(context, what, done > 0 ? (uint64_t)done : 0,
				total > 0 ? (uint64_t)total : 0);
}
