/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* output.h - facts for people: sizes, times, tables, a progress bar; and JSON. */
#ifndef HETCKPT_DRIVER_OUTPUT_H
#define HETCKPT_DRIVER_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HETCKPT_TEXT_SHORT 32

/* "0 B", "17 KiB", "2.5 GiB". */
const char *hetckpt_bytes_format(uint64_t bytes, char text[HETCKPT_TEXT_SHORT]);

/* "0.4 s", "12 s", "3 min", "2 h 5 min", "4 d". */
const char *hetckpt_seconds_format(double seconds, char text[HETCKPT_TEXT_SHORT]);

/* Control characters of foreign text as '?', so that a terminal does not obey it. */
void hetckpt_text_print(const char *text);

/* Prints an object or array to stdout, indented; returns an exit status. */
int hetckpt_json_print(const json_t *value);

/*
 * A bar on stderr for what takes long, only if stderr is a terminal, and only after a
 * second. total 0: unknown. finish clears it; both are cheap to call often.
 */
struct hetckpt_progress {
	bool terminal, shown;
	double begun, drawn; /* seconds, monotonic */
};
void hetckpt_progress_begin(struct hetckpt_progress *bar);
void hetckpt_progress_update(struct hetckpt_progress *bar, const char *what, uint64_t done,
			     uint64_t total);
/* The same for things that are counted; what names them. */
void hetckpt_progress_count(struct hetckpt_progress *bar, const char *what, uint64_t done,
			    uint64_t total);
void hetckpt_progress_finish(struct hetckpt_progress *bar);

/* The same from a progress record of a session; context is the bar (control.h). */
void hetckpt_progress_message(void *context, const json_t *progress);

/* Seconds of a clock that only goes forward. */
double hetckpt_clock_seconds(void);

#endif
