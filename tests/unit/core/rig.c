/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 60

static void on_reply(void *context, uint32_t slot, uint64_t seq, uint32_t code, const void *data, uint32_t bytes)
{
	struct rig *rig = context;
	struct rig_reply *reply = &rig->reply[slot % RIG_SLOTS];

	(void)seq;
	if (atomic_load(&reply->there)) {
		fprintf(stderr, "a command was answered twice\n");
		abort();
	}
	reply->code = code;
	reply->bytes = bytes;
	if (bytes)
		memcpy(reply->data, data, bytes);
	atomic_store(&reply->there, 1);
}

static void on_raise(void *context, uint32_t cuda, const char *text)
{
	(void)text;
	atomic_store(&((struct rig *)context)->raised, cuda);
}

static void on_fault(void *context, uint32_t cuda, const char *text)
{
	(void)text;
	atomic_store(&((struct rig *)context)->faulted, cuda);
}

static void on_release(void *context, uint64_t offset, uint64_t bytes)
{
	struct rig *rig = context;

	/* Whoever still reads it reads rubbish. */
	memset(rig->staging + offset, 0xee, bytes);
	atomic_fetch_sub(&rig->staged, 1);
}

static void on_retire(void *context, uint64_t seq)
{
	atomic_store(&((struct rig *)context)->retired, seq);
}

static void on_wake(void *context)
{
	(void)context;
}

static void nap(long ns)
{
	struct timespec t = {0, ns};

	nanosleep(&t, NULL);
}

static void *stepper(void *context)
{
	struct rig *rig = context;

	while (!atomic_load(&rig->stop)) {
		struct hetckpt_core_progress progress;

		hetckpt_core_step(rig->core, &progress);
		if (!progress.moved)
			nap(20000);
	}
	return NULL;
}

struct rig *rig_make_bare(const struct hetckpt_backend *backend)
{
	struct rig *rig = aligned_alloc(64, (sizeof *rig + 63) / 64 * 64);
	struct hetckpt_core_host host;
	struct hetckpt_error error = {0};

	memset(rig, 0, sizeof *rig);
	host = (struct hetckpt_core_host){
		.context = rig, .reply = on_reply, .raise = on_raise, .fault = on_fault,
		.staging_release = on_release, .retire = on_retire, .wake = on_wake,
		.staging = rig->staging, .staging_bytes = RIG_STAGING,
	};
	if (hetckpt_core_create(backend, 0, 0, &host, &rig->core, &error))
		fail_msg("%s", error.text);
	return rig;
}

void rig_start(struct rig *rig)
{
	assert_int_equal(pthread_create(&rig->thread, NULL, stepper, rig), 0);
	rig->stepping = true;
}

struct rig *rig_make(const struct hetckpt_backend *backend)
{
	struct rig *rig = rig_make_bare(backend);
	struct hetckpt_msg_module body = {.module = 1};
	struct hetckpt_error error = {0};
	size_t bytes;
	void *image = machine_image(&bytes);

	rig_start(rig);
	assert_int_equal(hetckpt_core_module_add(rig->core, 1, image, bytes, &error), 0);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_MODULE_LOAD, 0, &body, sizeof body), 0);
	return rig;
}

void rig_close(struct rig *rig)
{
	atomic_store(&rig->stop, 1);
	if (rig->stepping)
		pthread_join(rig->thread, NULL);
	rig->stepping = false;
	hetckpt_core_destroy(rig->core);
	rig->core = NULL;
}

void rig_free(struct rig *rig)
{
	rig_close(rig);
	free(rig);
}

/* Takes over the numbers and replies due of another rig, whose state was loaded here. */
static void follow(struct rig *rig, const struct rig *before)
{
	rig->seq = before->seq;
	rig->slot = before->slot;
	memcpy(rig->reply, before->reply, sizeof rig->reply);
	atomic_store(&rig->staged, atomic_load(&before->staged));
}

uint32_t rig_send(struct rig *rig, uint32_t type, uint32_t stream, bool reply, const void *body, uint32_t bytes)
{
	_Alignas(16) unsigned char buffer[4096] = {0};
	struct hetckpt_msg *msg = (struct hetckpt_msg *)buffer;
	struct hetckpt_error error = {0};

	assert_true(sizeof *msg + bytes <= sizeof buffer);
	*msg = (struct hetckpt_msg){
		.type = type, .bytes = (uint32_t)(sizeof *msg + bytes + 15) & ~15u, .seq = ++rig->seq,
		.reply = reply ? rig->slot++ : HETCKPT_NO_REPLY, .stream = stream,
	};
	if (reply)
		atomic_store(&rig->reply[msg->reply % RIG_SLOTS].there, 0);
	if (bytes)
		memcpy(msg + 1, body, bytes);
	if (hetckpt_core_submit(rig->core, msg, &error))
		fail_msg("%s", error.text);
	return msg->reply;
}

bool rig_answered(struct rig *rig, uint32_t slot)
{
	return atomic_load(&rig->reply[slot % RIG_SLOTS].there);
}

uint32_t rig_wait(struct rig *rig, uint32_t slot)
{
	for (long i = 0; !rig_answered(rig, slot); i++) {
		nap(50000);
		if (i > PATIENCE_S * 10000L)
			fail_msg("no answer for a minute");
	}
	return rig->reply[slot % RIG_SLOTS].code;
}

uint32_t rig_call(struct rig *rig, uint32_t type, uint32_t stream, const void *body, uint32_t bytes)
{
	return rig_wait(rig, rig_send(rig, type, stream, true, body, bytes));
}

uint64_t rig_malloc(struct rig *rig, uint64_t bytes)
{
	struct hetckpt_msg_malloc body = {.bytes = bytes};
	uint32_t slot = rig_send(rig, HETCKPT_MSG_MALLOC, 0, true, &body, sizeof body);
	uint64_t address;

	assert_int_equal(rig_wait(rig, slot), 0);
	memcpy(&address, rig->reply[slot % RIG_SLOTS].data, sizeof address);
	return address;
}

void rig_fill(struct rig *rig, uint64_t address, uint64_t bytes, unsigned char value)
{
	struct hetckpt_msg_fill body = {.dst = address, .width = bytes, .height = 1, .pitch = bytes,
	                                .element = 1, .value = value};

	rig_send(rig, HETCKPT_MSG_FILL, 0, false, &body, sizeof body);
}

uint64_t rig_function(struct rig *rig, const char *name)
{
	unsigned char buffer[256] = {0};
	struct hetckpt_msg_name *body = (struct hetckpt_msg_name *)buffer;
	uint32_t slot;
	uint64_t handle;

	body->module = 1;
	body->length = (uint32_t)strlen(name);
	memcpy(body->name, name, body->length);
	slot = rig_send(rig, HETCKPT_MSG_FUNCTION_GET, 0, true, body, (uint32_t)sizeof *body + body->length);
	assert_int_equal(rig_wait(rig, slot), 0);
	memcpy(&handle, rig->reply[slot % RIG_SLOTS].data, sizeof handle);
	return handle;
}

void rig_launch(struct rig *rig, uint32_t stream, uint64_t function, uint32_t gx, uint32_t gy, uint32_t gz,
                uint32_t threads, const struct machine_params *params)
{
	unsigned char buffer[512] = {0};
	struct hetckpt_msg_launch *body = (struct hetckpt_msg_launch *)buffer;

	*body = (struct hetckpt_msg_launch){.function = function, .grid = {gx, gy, gz}, .block = {threads, 1, 1},
	                                    .param_bytes = sizeof *params};
	memcpy(body->params, params, sizeof *params);
	rig_send(rig, HETCKPT_MSG_LAUNCH, stream, false, body, (uint32_t)(sizeof *body + sizeof *params));
}

void rig_sync(struct rig *rig)
{
	assert_int_equal(rig_call(rig, HETCKPT_MSG_DEVICE_SYNC, 0, NULL, 0), 0);
}

void rig_stream(struct rig *rig, uint32_t id, uint32_t flags)
{
	struct hetckpt_msg_stream body = {.stream = id, .flags = flags};

	rig_send(rig, HETCKPT_MSG_STREAM_CREATE, id, false, &body, sizeof body);
}

void rig_event(struct rig *rig, uint32_t id)
{
	struct hetckpt_msg_event body = {.event = id};

	rig_send(rig, HETCKPT_MSG_EVENT_CREATE, 0, false, &body, sizeof body);
}

void rig_record(struct rig *rig, uint32_t event, uint32_t stream)
{
	struct hetckpt_msg_event body = {.event = event, .stream = stream};

	rig_send(rig, HETCKPT_MSG_EVENT_RECORD, stream, false, &body, sizeof body);
}

void rig_upload(struct rig *rig, uint32_t stream, uint64_t address, const void *data, uint32_t bytes)
{
	static uint32_t next;
	struct hetckpt_msg_copy body = {.dst = address, .dst_space = HETCKPT_SPACE_DEVICE,
	                                .src_space = HETCKPT_SPACE_STAGING, .width = bytes, .height = 1, .depth = 1};

	if (next + bytes > RIG_STAGING)
		next = 0;
	body.src = next;
	memcpy(rig->staging + next, data, bytes);
	next += bytes;
	atomic_fetch_add(&rig->staged, 1);
	rig_send(rig, HETCKPT_MSG_COPY, stream, false, &body, sizeof body);
}

void rig_pause(struct rig *rig)
{
	struct hetckpt_pause_report report;
	struct hetckpt_error error = {0};

	if (hetckpt_core_pause(rig->core, 20000, &report, &error))
		fail_msg("%s", error.text);
}

void rig_resume(struct rig *rig)
{
	struct hetckpt_error error = {0};

	if (hetckpt_core_resume(rig->core, &error))
		fail_msg("%s", error.text);
}

int rig_save(struct rig *rig)
{
	struct hetckpt_save_options options = {0};
	struct hetckpt_error error = {0};
	int fd = memfd_create("test-snapshot", MFD_CLOEXEC);

	assert_true(fd >= 0);
	if (hetckpt_core_save(rig->core, fd, &options, &error))
		fail_msg("%s", error.text);
	return fd;
}

struct rig *rig_load(const struct hetckpt_backend *backend, int fd, const struct rig *before)
{
	struct rig *rig = rig_make_bare(backend);
	struct hetckpt_error error = {0};
	uint64_t taken = 0;

	if (hetckpt_core_load(rig->core, fd, false, &taken, &error))
		fail_msg("%s", error.text);
	assert_int_equal(taken, before->seq);
	follow(rig, before);
	rig_start(rig);
	return rig;
}

struct rig *rig_move(struct rig *rig, const struct hetckpt_backend *backend)
{
	int fd = rig_save(rig);
	struct rig *fresh;

	rig_close(rig);
	fresh = rig_load(backend, fd, rig);
	close(fd);
	free(rig);
	return fresh;
}
