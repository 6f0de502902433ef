/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * fake.h - a session inside the test: supervisor and worker are threads, device memory is
 * memory of this process at arena addresses, kernels are C functions. Just enough of the
 * protocol for the client to be tested alone; each stream runs in order, a stream that waits
 * for a host function holds.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the session and sets HETCKPT_SESSION. Once a process. */
void fake_start(void);

/* While held, commands are taken from the ring but not carried out. */
void fake_hold(bool hold);
/* While closed, commands are not even taken. */
void fake_close_ring(bool closed);

/* Ends the supervisor's side: sockets are closed. */
void fake_supervisor_die(void);

/* The session memory's errors. */
void fake_device_lost(uint32_t code, const char *message);
void fake_raise(uint32_t code);

/* What has come. */
unsigned fake_count(uint32_t type); /* commands of a type carried out */
unsigned fake_modules(void);        /* fat binaries handed over */
unsigned fake_buffers(void);        /* page-locked buffers that are mapped */
unsigned fake_staging_used(void);   /* chunks in use */
uint64_t fake_system_calls(void);   /* wakes that the producer had to do */

/* A fat binary for __cudaRegisterFatBinary (its __fatBinC_Wrapper_t). */
void *fake_fatbin(void);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			check_failed(__FILE__, __LINE__, #condition);                              \
	} while (0)
#define CHECK_INT(a, b)                                                                            \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (a_ != b_)                                                                      \
			check_differs(__FILE__, __LINE__, #a, #b, a_, b_);                         \
	} while (0)
void check_failed(const char *file, int line, const char *what) __attribute__((noreturn));
void check_differs(const char *file, int line, const char *a, const char *b, long long x, long long y)
	__attribute__((noreturn));

#endif
