/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "hetcc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *must(void *memory)
{
	if (!memory) {
		fputs("hetcc: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

void hetcc_list_add(struct hetcc_list *list, const char *text)
{
	if (list->count + 2 > list->room) {
		list->room = list->room ? 2 * list->room : 32;
		list->item = must(realloc(list->item, list->room * sizeof *list->item));
	}
	list->item[list->count++] = (char *)text;
	list->item[list->count] = NULL;
}

static char *format_text(const char *format, va_list arguments)
{
	char *text = NULL;

	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	return must(text);
}

char *hetcc_format(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = format_text(format, arguments);
	va_end(arguments);
	return text;
}

void hetcc_list_addf(struct hetcc_list *list, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	hetcc_list_add(list, format_text(format, arguments));
	va_end(arguments);
}

void hetcc_list_join(struct hetcc_list *list, const struct hetcc_list *other)
{
	for (size_t i = 0; i < other->count; i++)
		hetcc_list_add(list, other->item[i]);
}

void hetcc_list_free(struct hetcc_list *list)
{
	free(list->item);
	*list = (struct hetcc_list){0};
}

int hetcc_fail(int error, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = format_text(format, arguments);
	va_end(arguments);
	fprintf(stderr, "hetcc: %s\n", text);
	free(text);
	return error;
}
