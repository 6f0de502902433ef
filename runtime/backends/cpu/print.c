/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What kernels print. A block's output is gathered and written when the block ends, or
 * when there is much of it, so that lines of blocks do not mix.
 */
#include "cpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_FLUSH (256u * 1024u)

static pthread_mutex_t stdout_lock = PTHREAD_MUTEX_INITIALIZER;

void cpu_text_flush(struct cpu_slot *slot)
{
	size_t at = 0;

	if (!slot->text_bytes)
		return;
	pthread_mutex_lock(&stdout_lock);
	while (at < slot->text_bytes) {
		ssize_t n = write(STDOUT_FILENO, slot->text + at, slot->text_bytes - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* nobody reads: as with printf, the program goes on */
		at += (size_t)n;
	}
	pthread_mutex_unlock(&stdout_lock);
	slot->text_bytes = 0;
}

static bool text_reserve(struct cpu_slot *slot, size_t more)
{
	size_t room = slot->text_room ? slot->text_room : 4096;
	char *text;

	while (room - slot->text_bytes < more)
		room *= 2;
	if (room == slot->text_room)
		return true;
	text = realloc(slot->text, room);
	if (!text)
		return false;
	slot->text = text;
	slot->text_room = room;
	return true;
}

static void text_add(struct cpu_slot *slot, const char *bytes, size_t n)
{
	if (!text_reserve(slot, n))
		return;
	memcpy(slot->text + slot->text_bytes, bytes, n);
	slot->text_bytes += n;
}

/* The next argument of size bytes at natural alignment. */
static uint64_t take(const char **arguments, size_t size)
{
	uint64_t v = 0;
	uintptr_t at = ((uintptr_t)*arguments + size - 1) & ~(uintptr_t)(size - 1);

	memcpy(&v, (const void *)at, size);
	*arguments = (const char *)at + size;
	return v;
}

/* One conversion: spec is "%...", without length modifiers, star widths replaced. */
static void convert(struct cpu_slot *slot, char *spec, size_t n, char type, unsigned bytes, uint64_t bits)
{
	char text[512];
	double d;
	int length;

	switch (type) {
	case 'd': case 'i':
		memcpy(spec + n, "lld", 4);
		length = snprintf(text, sizeof text, spec, bytes == 8 ? (long long)bits
		                  : bytes == 2 ? (long long)(int16_t)bits
		                  : bytes == 1 ? (long long)(int8_t)bits : (long long)(int32_t)bits);
		break;
	case 'u': case 'o': case 'x': case 'X':
		spec[n] = 'l';
		spec[n + 1] = 'l';
		spec[n + 2] = type;
		spec[n + 3] = 0;
		length = snprintf(text, sizeof text, spec, bytes == 8 ? (unsigned long long)bits
		                  : bytes == 2 ? (unsigned long long)(uint16_t)bits
		                  : bytes == 1 ? (unsigned long long)(uint8_t)bits
		                  : (unsigned long long)(uint32_t)bits);
		break;
	case 'c':
		spec[n] = 'c';
		spec[n + 1] = 0;
		length = snprintf(text, sizeof text, spec, (int)bits);
		break;
	case 'p':
		spec[n] = 'p';
		spec[n + 1] = 0;
		length = snprintf(text, sizeof text, spec, (void *)(uintptr_t)bits);
		break;
	case 's': {
		const char *s = bits ? (const char *)(uintptr_t)bits : "(null)";
		int need;

		spec[n] = 's';
		spec[n + 1] = 0;
		need = snprintf(NULL, 0, spec, s);
		if (need > 0 && text_reserve(slot, (size_t)need + 1)) {
			snprintf(slot->text + slot->text_bytes, (size_t)need + 1, spec, s);
			slot->text_bytes += (size_t)need;
		}
		return;
	}
	default: /* a A e E f F g G */
		spec[n] = type;
		spec[n + 1] = 0;
		memcpy(&d, &bits, sizeof d);
		length = snprintf(text, sizeof text, spec, d);
		break;
	}
	if (length >= (int)sizeof text)
		length = (int)sizeof text - 1;
	if (length > 0)
		text_add(slot, text, (size_t)length);
}

static int32_t print(struct hetckpt_cpu_block *b, const char *format, const void *packed)
{
	struct cpu_slot *slot = b->runtime;
	const char *arguments = packed;
	int32_t count = 0;

	cpu_fault_hold(true);
	while (*format) {
		const char *start = format;
		char spec[64] = "%", type;
		size_t n = 1;
		unsigned bytes = 4;

		if (*format != '%') {
			format += strcspn(format, "%");
			text_add(slot, start, (size_t)(format - start));
			continue;
		}
		format++;
		if (*format == '%') {
			text_add(slot, "%", 1);
			format++;
			continue;
		}
		while (*format && strchr("-+ #0123456789.*", *format) && n < 40) {
			if (*format == '*') {
				n += (size_t)snprintf(spec + n, sizeof spec - n - 8, "%d",
				                      (int)(int32_t)take(&arguments, 4));
				count++;
			} else {
				spec[n++] = *format;
			}
			format++;
		}
		for (; *format && strchr("hljztL", *format); format++)
			bytes = *format == 'h' ? bytes / 2 : 8;
		type = *format;
		if (!type || !strchr("diuoxXcpsaAeEfFgG", type)) {
			/* Not a conversion: printed as it stands. */
			text_add(slot, start, (size_t)(format - start));
			continue;
		}
		format++;
		count++;
		spec[n] = 0;
		if (strchr("psaAeEfFgG", type))
			convert(slot, spec, n, type, 8, take(&arguments, 8));
		else
			convert(slot, spec, n, type, bytes, take(&arguments, bytes == 8 ? 8 : 4));
	}
	if (slot->text_bytes > TEXT_FLUSH)
		cpu_text_flush(slot);
	cpu_fault_hold(false);
	return count;
}

/* Without a file: message says what the target does not have. */
static void assertfail(struct hetckpt_cpu_block *b, uint32_t tid, const char *message, const char *file,
                       uint32_t line, const char *function)
{
	struct cpu_slot *slot = b->runtime;

	if (!file) {
		snprintf(slot->failure, sizeof slot->failure, "%s", message);
		b->fault = CUDA_ERROR_NOT_SUPPORTED;
		return;
	}
	cpu_fault_hold(true);
	cpu_text_flush(slot);
	fprintf(stderr, "%s:%u: %s: block: [%u,%u,%u], thread: [%u,%u,%u] Assertion `%s` failed.\n", file,
	        line, function ? function : "?", slot->logical[0], slot->logical[1], slot->logical[2],
	        tid % b->ntid[0], tid / b->ntid[0] % b->ntid[1], tid / b->ntid[0] / b->ntid[1], message);
	if (!b->fault)
		snprintf(slot->failure, sizeof slot->failure, "assertion `%.100s` in %.80s line %u failed", message,
		         file, line);
	b->fault = CUDA_ERROR_ASSERT;
	cpu_fault_hold(false);
}

const struct hetckpt_cpu_services cpu_services = {print, assertfail};
