/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hetckpt_fail(int status, const char *format, ...)
{
	char line[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	fprintf(stderr, "hetckpt: %s\n", line);
	return status;
}

int hetckpt_usage_error(char **argv, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	fprintf(stderr, "%s: %s\n", argv[0], line);
	return hetckpt_usage_hint(argv);
}

int hetckpt_usage_hint(char **argv)
{
	fprintf(stderr, "Try '%s --help'.\n", argv[0]);
	return HETCKPT_EXIT_USAGE;
}

int hetckpt_help(const char *text)
{
	fputs(text, stdout);
	return hetckpt_stdout_finish();
}

int hetckpt_stdout_finish(void)
{
	if (fflush(stdout) || ferror(stdout))
		return hetckpt_fail(HETCKPT_EXIT_FAILURE, "cannot write standard output: %s",
				    strerror(errno));
	return HETCKPT_EXIT_OK;
}

int hetckpt_number_parse(const char *text, long long low, long long high, long long *out)
{
	char *end;
	long long value;

	if (!isdigit((unsigned char)text[0]) && text[0] != '-')
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < low || value > high)
		return -EINVAL;
	*out = value;
	return 0;
}

int hetckpt_size_parse(const char *text, long long *bytes)
{
	static const char units[] = "KMGT";
	const char *unit = NULL;
	char digits[24];
	size_t length = strlen(text);
	long long number;
	int shift = 0;

	if (length && (unit = strchr(units, text[length - 1])) && *unit) {
		shift = 10 * (int)(unit - units + 1);
		length--;
	}
	if (!length || length >= sizeof digits)
		return -EINVAL;
	memcpy(digits, text, length);
	digits[length] = 0;
	if (hetckpt_number_parse(digits, 1, (1ll << 62) >> shift, &number))
		return -EINVAL;
	*bytes = number << shift;
	return 0;
}

bool hetckpt_via_valid(const char *text)
{
	return !strcmp(text, "auto") || !strcmp(text, "peer") || !strcmp(text, "stage") || !strcmp(text, "file");
}

int hetckpt_triple_parse(const char *text, unsigned out[3])
{
	char copy[64], *part = copy;

	memset(out, 0, 3 * sizeof *out);
	if (strlen(text) >= sizeof copy)
		return -EINVAL;
	strcpy(copy, text);
	for (int i = 0; i < 3; i++) {
		char *comma = strchr(part, ',');
		long long value;

		if (comma)
			*comma = 0;
		if (hetckpt_number_parse(part, 0, 0xffffffffll, &value))
			return -EINVAL;
		out[i] = (unsigned)value;
		if (!comma)
			return 0;
		part = comma + 1;
	}
	return -EINVAL;
}

int hetckpt_compress_parse(const char *text, const char **method, int *level)
{
	long long value = 0;

	*level = 0;
	if (!strcmp(text, "none") || !strcmp(text, "zstd")) {
		*method = text[0] == 'n' ? "none" : "zstd";
		return 0;
	}
	if (strncmp(text, "zstd:", 5) || hetckpt_number_parse(text + 5, 1, 19, &value))
		return -EINVAL;
	*method = "zstd";
	*level = (int)value;
	return 0;
}

int hetckpt_stress_parse(const char *text, const char **mode, long long *seed,
			 long long *period_us)
{
	char copy[64], *colon;

	*seed = 1;
	*period_us = 1000;
	if (!strcmp(text, "every-poll") || !strcmp(text, "random")) {
		*mode = text[0] == 'e' ? "every-poll" : "random";
		return 0;
	}
	if (strncmp(text, "random:", 7) || strlen(text + 7) >= sizeof copy)
		return -EINVAL;
	strcpy(copy, text + 7);
	*mode = "random";
	colon = strchr(copy, ':');
	if (colon) {
		*colon = 0;
		if (hetckpt_number_parse(colon + 1, 1, 1000000000, period_us))
			return -EINVAL;
	}
	return hetckpt_number_parse(copy, 0, 0x7fffffffffffffffll, seed);
}

bool hetckpt_name_valid(const char *text)
{
	size_t n = strlen(text);

	if (!n || n > 63 || text[0] == '-' || text[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i]))
			return false;
	return true;
}

bool hetckpt_device_valid(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
	long long number;

	if (!n || n > 32)
		return false;
	return !text[n] || (text[n] == ':' && !hetckpt_number_parse(text + n + 1, 0, 4095, &number));
}

static size_t quoted(const char *word, char *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";
	size_t n = 0;

	if (*word && !word[strspn(word, plain)]) {
		strcpy(out, word);
		return strlen(word);
	}
	out[n++] = '\'';
	for (; *word; word++) {
		if (*word == '\'') {
			memcpy(out + n, "'\\''", 4);
			n += 4;
		} else {
			out[n++] = *word;
		}
	}
	out[n++] = '\'';
	out[n] = 0;
	return n;
}

char *hetckpt_command_join(char *const *argv)
{
	size_t room = 1, n = 0;
	char *text;

	for (int i = 0; argv[i]; i++)
		room += 4 * strlen(argv[i]) + 3;
	text = malloc(room);
	if (!text)
		return NULL;
	text[0] = 0;
	for (int i = 0; argv[i]; i++) {
		if (i)
			text[n++] = ' ';
		n += quoted(argv[i], text + n);
	}
	return text;
}
