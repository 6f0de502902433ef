/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * timeline.h - where the start and the end of a session spend their time, for measurements.
 *
 * Kept while HETCKPT_TIMELINE names a file. Each step of each process (the supervisor, the
 * application, workers) appends a line when it ends:
 *
 *   BEGIN \t LENGTH \t PROCESS \t STEP
 *
 * BEGIN and LENGTH are milliseconds, BEGIN counts from the start of the session's first process
 * (HETCKPT_TIMELINE_ORIGIN, CLOCK_MONOTONIC in nanoseconds, which that process sets). Steps may
 * lie inside others. "sort -n" puts them in order.
 */
#ifndef HETCKPT_COMMON_TIMELINE_H
#define HETCKPT_COMMON_TIMELINE_H

#include <stdint.h>

/* Names this process, as early as can be and before it has other threads; without it nothing
   is kept. The name stays the caller's. */
void hetckpt_timeline_start(const char *process);

/* When a step begins; 0 if nothing is kept. */
uint64_t hetckpt_timeline_now(void);

/* A step that began at `begin` has ended. begin 0: does nothing. Failing is ignored.
   Thread-safe, does not allocate; keeps errno. */
void hetckpt_timeline_step(uint64_t begin, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something that takes no time has happened. */
#define hetckpt_timeline_mark(...) hetckpt_timeline_step(hetckpt_timeline_now(), __VA_ARGS__)

#endif
