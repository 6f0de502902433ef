/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * rig.h - a core with a thread that steps it, a staging area, and the replies it gave.
 */
#ifndef TESTS_UNIT_CORE_RIG_H
#define TESTS_UNIT_CORE_RIG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "fake.h"
#include "machine.h"
#include "runtime/channel/message.h"
#include "runtime/core/core.h"

#define RIG_STAGING (1u << 20)
#define RIG_SLOTS 4096

struct rig_reply {
	_Atomic int there;
	uint32_t code, bytes;
	unsigned char data[HETCKPT_REPLY_BYTES];
};

struct rig {
	struct hetckpt_core *core;
	pthread_t thread;
	_Atomic int stop;
	struct rig_reply reply[RIG_SLOTS];
	_Alignas(16) unsigned char staging[RIG_STAGING];
	_Atomic uint32_t staged;      /* payloads that have not been released */
	_Atomic uint32_t raised;      /* last asynchronous error */
	_Atomic uint32_t faulted;
	_Atomic uint64_t retired;
	uint64_t seq;
	uint32_t slot;
	bool stepping;
};

/* A core on a fake device, with a thread that steps it. */
struct rig *rig_make(const struct hetckpt_backend *backend);
/* The same without a module and without the stepping thread yet: for loads. */
struct rig *rig_make_bare(const struct hetckpt_backend *backend);
void rig_start(struct rig *rig);
void rig_free(struct rig *rig);

/* Sends a command; returns its slot, or HETCKPT_NO_REPLY. */
uint32_t rig_send(struct rig *rig, uint32_t type, uint32_t stream, bool reply, const void *body, uint32_t bytes);
/* Waits for the answer; returns its code. */
uint32_t rig_wait(struct rig *rig, uint32_t slot);
bool rig_answered(struct rig *rig, uint32_t slot);
/* Both. */
uint32_t rig_call(struct rig *rig, uint32_t type, uint32_t stream, const void *body, uint32_t bytes);

uint64_t rig_malloc(struct rig *rig, uint64_t bytes);
void rig_fill(struct rig *rig, uint64_t address, uint64_t bytes, unsigned char value);
uint64_t rig_function(struct rig *rig, const char *name);
void rig_launch(struct rig *rig, uint32_t stream, uint64_t function, uint32_t gx, uint32_t gy, uint32_t gz,
                uint32_t threads, const struct machine_params *params);
void rig_sync(struct rig *rig);
void rig_stream(struct rig *rig, uint32_t id, uint32_t flags);
void rig_event(struct rig *rig, uint32_t id);
void rig_record(struct rig *rig, uint32_t event, uint32_t stream);
/* Through the staging area. */
void rig_upload(struct rig *rig, uint32_t stream, uint64_t address, const void *data, uint32_t bytes);

void rig_pause(struct rig *rig);
void rig_resume(struct rig *rig);
/* Saves a paused rig to a memfd. */
int rig_save(struct rig *rig);
/* A fresh rig on backend with that state, paused; numbers go on from before, whose core must
   be gone: both want the same addresses. */
struct rig *rig_load(const struct hetckpt_backend *backend, int fd, const struct rig *before);
/* Ends the core, keeps numbers and replies. */
void rig_close(struct rig *rig);
/* Saves a paused rig, ends it, loads it on backend. The new one is paused. */
struct rig *rig_move(struct rig *rig, const struct hetckpt_backend *backend);

#endif
