/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Streams, events, copies, host callbacks: CUDA's order, with and without pauses. */
#include "job.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static int setup(void **state)
{
	(void)state;
	fake_reset();
	atomic_store(&machine_hold, 0);
	return 0;
}

static void wait_event(struct rig *rig, uint32_t stream, uint32_t event)
{
	struct hetckpt_msg_stream body = {.stream = stream, .event = event};

	rig_send(rig, HETCKPT_MSG_STREAM_WAIT, stream, false, &body, sizeof body);
}

static uint32_t event_call(struct rig *rig, uint32_t type, uint32_t event, uint32_t event2)
{
	struct hetckpt_msg_event body = {.event = event, .event2 = event2};

	return rig_call(rig, type, 0, &body, sizeof body);
}

static uint32_t stream_call(struct rig *rig, uint32_t type, uint32_t stream)
{
	struct hetckpt_msg_stream body = {.stream = stream};

	return rig_call(rig, type, stream, &body, sizeof body);
}

/* A launch that writes tag to the log when it has ended. */
static void log_launch(struct rig *rig, uint32_t stream, uint64_t log, uint32_t steps, uint32_t tag)
{
	struct machine_params params = {.shared = log, .steps = steps, .seed = tag, .out = log};

	rig_launch(rig, stream, rig_function(rig, "log"), 3, 1, 1, 2, &params);
}

static uint64_t log_make(struct rig *rig)
{
	uint64_t log = rig_malloc(rig, 4096);

	rig_fill(rig, log, 4096, 0);
	rig_sync(rig);
	return log;
}

static uint64_t log_at(uint64_t log, unsigned i)
{
	return ((const uint64_t *)(uintptr_t)log)[i];
}

static void legacy_stream(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	struct job held = job_make(rig, "held", 1, 1, 1, 1, 1, 0);
	uint64_t log = log_make(rig);

	(void)state;
	rig_stream(rig, 1, 0);
	rig_stream(rig, 2, 0);
	rig_stream(rig, 3, HETCKPT_STREAM_NON_BLOCKING);
	/* 1, then the default stream, then 2: each later one is much shorter. */
	log_launch(rig, 1, log, 3000, 1);
	log_launch(rig, 0, log, 300, 2);
	log_launch(rig, 2, log, 1, 3);
	log_launch(rig, 1, log, 1000, 4);
	log_launch(rig, 0, log, 1, 5);
	rig_sync(rig);
	assert_int_equal(log_at(log, 0), 5);
	assert_int_equal(log_at(log, 1), 1);
	assert_int_equal(log_at(log, 2), 2);
	assert_true((log_at(log, 3) == 3 && log_at(log, 4) == 4) || (log_at(log, 3) == 4 && log_at(log, 4) == 3));
	assert_int_equal(log_at(log, 5), 5);
	/* While the default stream is held, blocking streams wait and others do not. */
	atomic_store(&machine_hold, 1);
	job_launch(rig, &held);
	log_launch(rig, 1, log, 1, 6);
	log_launch(rig, 3, log, 1, 7);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_SYNC, 3), 0);
	assert_int_equal(log_at(log, 6), 7);
	assert_int_equal(log_at(log, 0), 6);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_QUERY, 1), 600);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_QUERY, 0), 600);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_QUERY, 3), 0);
	atomic_store(&machine_hold, 0);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_SYNC, 0), 0);
	assert_int_equal(log_at(log, 7), 6);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_QUERY, 0), 0);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_SYNC, 9), 400);
	rig_free(rig);
}

static void events(void **state)
{
	struct rig *rig = rig_make(&fake_polled_backend);
	struct job held = job_make(rig, "held", 1, 1, 1, 1, 1, 0);
	uint64_t log = log_make(rig);
	uint32_t slot;
	float ms;

	(void)state;
	for (uint32_t s = 1; s <= 3; s++)
		rig_stream(rig, s, HETCKPT_STREAM_NON_BLOCKING);
	for (uint32_t e = 1; e <= 4; e++)
		rig_event(rig, e);
	/* Never recorded: done, and nothing to wait for. */
	assert_int_equal(event_call(rig, HETCKPT_MSG_EVENT_QUERY, 1, 0), 0);
	assert_int_equal(event_call(rig, HETCKPT_MSG_EVENT_SYNC, 1, 0), 0);
	assert_int_equal(event_call(rig, HETCKPT_MSG_EVENT_ELAPSED, 1, 2), 400);
	wait_event(rig, 1, 1);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_SYNC, 1), 0);
	/* 2 waits for 1 and 3 for 2, though the work in 1 is the longest. */
	rig_record(rig, 1, 1);
	log_launch(rig, 1, log, 2000, 1);
	rig_record(rig, 2, 1);
	wait_event(rig, 2, 2);
	log_launch(rig, 2, log, 200, 2);
	rig_record(rig, 3, 2);
	wait_event(rig, 3, 3);
	log_launch(rig, 3, log, 1, 3);
	rig_sync(rig);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(log_at(log, 1 + i), 1 + i);
	slot = rig_send(rig, HETCKPT_MSG_EVENT_ELAPSED, 0, true, &(struct hetckpt_msg_event){.event = 1, .event2 = 3},
	                sizeof(struct hetckpt_msg_event));
	assert_int_equal(rig_wait(rig, slot), 0);
	memcpy(&ms, rig->reply[slot % RIG_SLOTS].data, 4);
	assert_true(ms > 0.01f && ms < 60000);
	/* A wait takes the record there was when it was asked for, not a later one. */
	atomic_store(&machine_hold, 1);
	wait_event(rig, 2, 1);
	held.stream = 1;
	job_launch(rig, &held);
	rig_record(rig, 1, 1);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_SYNC, 2), 0);
	assert_int_equal(event_call(rig, HETCKPT_MSG_EVENT_QUERY, 1, 0), 600);
	assert_int_equal(event_call(rig, HETCKPT_MSG_EVENT_ELAPSED, 2, 1), 600);
	/* Destroying an event leaves those who wait for it waiting. */
	wait_event(rig, 2, 1);
	log_launch(rig, 2, log, 1, 9);
	assert_int_equal(event_call(rig, HETCKPT_MSG_EVENT_DESTROY, 1, 0), 0);
	assert_int_equal(event_call(rig, HETCKPT_MSG_EVENT_QUERY, 1, 0), 400);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_QUERY, 2), 600);
	atomic_store(&machine_hold, 0);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_SYNC, 2), 0);
	assert_int_equal(log_at(log, 4), 9);
	assert_int_equal(atomic_load(&rig->raised), 0);
	rig_free(rig);
}

static uint32_t copy(struct rig *rig, uint32_t stream, bool reply, struct hetckpt_msg_copy body)
{
	body.height = body.height ? body.height : 1;
	body.depth = body.depth ? body.depth : 1;
	if (!reply)
		return rig_send(rig, HETCKPT_MSG_COPY, stream, false, &body, sizeof body), 0;
	return rig_call(rig, HETCKPT_MSG_COPY, stream, &body, sizeof body);
}

static void copies(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	uint64_t a = rig_malloc(rig, 10000), b = rig_malloc(rig, 10000);
	uint64_t pinned = UINT64_C(0x1f0000000000);
	int fd = memfd_create("pinned", MFD_CLOEXEC);
	struct hetckpt_error error = {0};
	unsigned char data[1000];
	struct hetckpt_msg_copy c;

	(void)state;
	for (int i = 0; i < 1000; i++)
		data[i] = (unsigned char)(i * 7);
	rig_upload(rig, 0, a, data, 1000);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = b, .src = a, .width = 1000}), 0);
	assert_memory_equal((void *)(uintptr_t)b, data, 1000);
	assert_int_equal(atomic_load(&rig->staged), 0);
	/* To the host: rows packed. */
	c = (struct hetckpt_msg_copy){.dst = 4096, .dst_space = HETCKPT_SPACE_STAGING, .src = a, .width = 10,
	                              .height = 5, .src_pitch = 100, .src_slice = 500, .depth = 2};
	assert_int_equal(copy(rig, 0, true, c), 0);
	for (unsigned z = 0; z < 2; z++)
		for (unsigned y = 0; y < 5; y++)
			assert_memory_equal(rig->staging + 4096 + z * 50 + y * 10, data + z * 500 + y * 100, 10);
	/* Page-locked memory, by address, also both ends. */
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(hetckpt_core_host_add(rig->core, pinned, 8192, fd, &error), 0);
	assert_int_equal(hetckpt_core_host_add(rig->core, pinned + 4096, 4096, fd, &error), -EEXIST);
	assert_int_equal(hetckpt_core_host_add(rig->core, pinned + 65536, 16384, fd, &error), -EINVAL);
	assert_int_equal(hetckpt_core_host_add(rig->core, 4096, 4096, fd, &error), -EINVAL);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = pinned + 8, .dst_space = HETCKPT_SPACE_PINNED,
		.src = a + 1, .width = 500}), 0);
	assert_memory_equal((void *)(uintptr_t)(pinned + 8), data + 1, 500);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = pinned + 4000, .dst_space = HETCKPT_SPACE_PINNED,
		.src = pinned + 8, .src_space = HETCKPT_SPACE_PINNED, .width = 500}), 0);
	assert_memory_equal((void *)(uintptr_t)(pinned + 4000), data + 1, 500);
	/* What is not there, or does not fit. */
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = a, .src = b, .width = 10001}), 1);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = a, .src = 4096, .width = 8}), 1);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = a, .src = RIG_STAGING - 4,
		.src_space = HETCKPT_SPACE_STAGING, .width = 0}), 0);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = RIG_STAGING - 4,
		.dst_space = HETCKPT_SPACE_STAGING, .src = a, .width = 8}), 1);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = a, .src = pinned + 8000,
		.src_space = HETCKPT_SPACE_PINNED, .width = 300}), 1);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = a, .src = b, .width = 8, .height = 1ull << 40,
		.dst_pitch = 1ull << 40, .src_pitch = 8}), 1);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = a, .src = a + 100, .width = 500}), 1);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = a + 1, .src = b, .src_space = 7, .width = 5}), 1);
	/* Columns of one matrix. */
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = a + 50, .src = a, .width = 50, .height = 10,
		.dst_pitch = 100, .src_pitch = 100}), 0);
	assert_memory_equal((void *)(uintptr_t)(a + 950), data + 900, 50);
	assert_int_equal(hetckpt_core_host_remove(rig->core, pinned + 4096, &error), -ENOENT);
	assert_int_equal(hetckpt_core_host_remove(rig->core, pinned, &error), 0);
	assert_int_equal(copy(rig, 0, true, (struct hetckpt_msg_copy){.dst = a, .src = pinned,
		.src_space = HETCKPT_SPACE_PINNED, .width = 3}), 1);
	close(fd);
	rig_free(rig);
}

static void fills(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	uint64_t a = rig_malloc(rig, 4000);
	struct hetckpt_msg_fill f = {.dst = a, .width = 10, .height = 4, .pitch = 100, .element = 2, .value = 0x1234};
	const unsigned char *bytes = (const unsigned char *)(uintptr_t)a;

	(void)state;
	rig_fill(rig, a, 4000, 9);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FILL, 0, &f, sizeof f), 0);
	rig_sync(rig);
	assert_int_equal(bytes[318], 0x34);
	assert_int_equal(bytes[319], 0x12);
	assert_int_equal(bytes[320], 9);
	f.element = 3;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FILL, 0, &f, sizeof f), 1);
	f.element = 2;
	f.dst++;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FILL, 0, &f, sizeof f), 1);
	f.dst--;
	f.height = 41;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FILL, 0, &f, sizeof f), 1);
	f.height = 40;
	f.pitch = 10;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FILL, 0, &f, sizeof f), 1);
	rig_free(rig);
}

/* A stream holds at a callback; others go on; pausing and moving change nothing. */
static void host_calls(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	uint64_t log = log_make(rig);
	struct hetckpt_msg_host token = {.token = 77}, other = {.token = 78};
	uint32_t slot;

	(void)state;
	rig_stream(rig, 1, HETCKPT_STREAM_NON_BLOCKING);
	rig_stream(rig, 2, HETCKPT_STREAM_NON_BLOCKING);
	log_launch(rig, 1, log, 1000, 1);
	slot = rig_send(rig, HETCKPT_MSG_HOST_CALL, 1, true, &token, sizeof token);
	log_launch(rig, 1, log, 1, 2);
	assert_int_equal(rig_wait(rig, slot), 0);
	assert_int_equal(log_at(log, 0), 1);
	log_launch(rig, 2, log, 1, 3);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_SYNC, 2), 0);
	assert_int_equal(log_at(log, 2), 3);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_HOST_DONE, 0, &other, sizeof other), 1);
	rig_pause(rig);
	rig = rig_move(rig, &fake_polled_backend);
	rig_resume(rig);
	usleep(3000);
	assert_int_equal(log_at(log, 0), 2);
	rig_send(rig, HETCKPT_MSG_HOST_DONE, 0, false, &token, sizeof token);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_SYNC, 1), 0);
	assert_int_equal(log_at(log, 3), 2);
	assert_int_equal(atomic_load(&rig->raised), 0);
	rig_free(rig);
}

static void memory(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	struct job held = job_make(rig, "held", 1, 1, 1, 1, 1, 0);
	uint64_t a = rig_malloc(rig, 100), b = rig_malloc(rig, 1), c = rig_malloc(rig, 9000), big = rig_malloc(rig, (uint64_t)300 << 20), info[2];
	struct hetckpt_msg_free body = {.address = a};
	struct hetckpt_msg_malloc huge = {.bytes = (uint64_t)2 << 30};
	uint32_t slot;

	(void)state;
	assert_int_equal(a % 256, 0);
	assert_int_equal(b % 256, 0);
	assert_int_equal(rig_malloc(rig, 0), 0);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_MALLOC, 0, &huge, sizeof huge), 2);
	/* Free waits for all work, as cudaFree does. */
	rig_sync(rig);
	atomic_store(&machine_hold, 1);
	job_launch(rig, &held);
	slot = rig_send(rig, HETCKPT_MSG_FREE, 0, true, &body, sizeof body);
	usleep(5000);
	assert_false(rig_answered(rig, slot));
	/* Which keeps nobody else. */
	assert_int_not_equal(rig_malloc(rig, 64), 0);
	/* In a stream, and without an answer, it waits for that stream alone. */
	rig_stream(rig, 3, HETCKPT_STREAM_NON_BLOCKING);
	body.address = c;
	rig_send(rig, HETCKPT_MSG_FREE, 3, false, &body, sizeof body);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_SYNC, 3), 0);
	assert_int_equal(rig_malloc(rig, 9000), c);
	body.address = a;
	atomic_store(&machine_hold, 0);
	assert_int_equal(rig_wait(rig, slot), 0);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FREE, 0, &body, sizeof body), 1);
	body.address = b + 128;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FREE, 0, &body, sizeof body), 1);
	body.address = 0;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FREE, 0, &body, sizeof body), 0);
	body.address = big;
	slot = rig_send(rig, HETCKPT_MSG_MEM_INFO, 0, true, NULL, 0);
	assert_int_equal(rig_wait(rig, slot), 0);
	memcpy(info, rig->reply[slot % RIG_SLOTS].data, sizeof info);
	assert_int_equal(info[1], (uint64_t)1 << 30);
	assert_true(info[0] < ((uint64_t)1 << 30) - ((uint64_t)300 << 20));
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FREE, 0, &body, sizeof body), 0);
	/* The device is nearly empty again: a request of almost all of it succeeds. */
	assert_int_not_equal(rig_malloc(rig, (uint64_t)1000 << 20), 0);
	rig_free(rig);
}

static uint32_t name_call(struct rig *rig, uint32_t type, uint64_t module, const char *name, void *out, uint32_t bytes)
{
	unsigned char buffer[128] = {0};
	struct hetckpt_msg_name *body = (struct hetckpt_msg_name *)buffer;
	uint32_t slot;

	body->module = module;
	body->length = (uint32_t)strlen(name);
	memcpy(body->name, name, body->length);
	slot = rig_send(rig, type, 0, true, body, (uint32_t)sizeof *body + body->length);
	rig_wait(rig, slot);
	if (out)
		memcpy(out, rig->reply[slot % RIG_SLOTS].data, bytes);
	return rig->reply[slot % RIG_SLOTS].code;
}

static void modules(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	uint64_t first[2], third[2], pointer[2], handle = rig_function(rig, "mix");
	struct hetckpt_reply_function facts;
	struct hetckpt_msg_module two = {.module = 2};
	struct hetckpt_msg_function_set set = {.function = handle, .attribute = 8, .value = 65536};
	struct hetckpt_msg_occupancy ask = {.function = handle, .threads = 64};
	struct hetckpt_error error = {0};
	uint32_t slot, blocks;
	size_t bytes;
	char *image;

	(void)state;
	assert_int_equal(name_call(rig, HETCKPT_MSG_VARIABLE_GET, 1, "first", first, sizeof first), 0);
	assert_int_equal(name_call(rig, HETCKPT_MSG_VARIABLE_GET, 1, "third", third, sizeof third), 0);
	assert_int_equal(name_call(rig, HETCKPT_MSG_VARIABLE_GET, 1, "pointer", pointer, sizeof pointer), 0);
	assert_int_equal(first[1], 8);
	assert_int_equal(*(uint64_t *)(uintptr_t)first[0], 11);
	assert_int_equal(*(uint64_t *)(uintptr_t)third[0], 33);
	assert_int_equal(*(uint64_t *)(uintptr_t)pointer[0], third[0] + 4);
	assert_int_equal(name_call(rig, HETCKPT_MSG_VARIABLE_GET, 1, "fourth", NULL, 0), 13);
	assert_int_equal(name_call(rig, HETCKPT_MSG_FUNCTION_GET, 1, "none", NULL, 0), 98);
	assert_int_equal(name_call(rig, HETCKPT_MSG_FUNCTION_GET, 3, "mix", NULL, 0), 200);
	assert_int_equal(name_call(rig, HETCKPT_MSG_FUNCTION_GET, 1, "mix", &facts, sizeof facts), 0);
	assert_int_equal(facts.function, handle);
	assert_int_equal(facts.param_bytes, sizeof(struct machine_params));
	assert_int_equal(facts.max_dynamic_shared, 49152 - 64);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FUNCTION_SET, 0, &set, sizeof set), 0);
	set.value = 65537;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FUNCTION_SET, 0, &set, sizeof set), 1);
	slot = rig_send(rig, HETCKPT_MSG_OCCUPANCY, 0, true, &ask, sizeof ask);
	assert_int_equal(rig_wait(rig, slot), 0);
	memcpy(&blocks, rig->reply[slot % RIG_SLOTS].data, 4);
	assert_int_equal(blocks, 2);
	/* The variables cannot be freed like an allocation. */
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FREE, 0, &first[0], 8), 1);
	/* Damaged, missing, and handed over twice. */
	assert_int_equal(rig_call(rig, HETCKPT_MSG_MODULE_LOAD, 0, &two, sizeof two), 200);
	image = machine_image(&bytes);
	image[bytes / 2] ^= 1;
	assert_int_equal(hetckpt_core_module_add(rig->core, 2, image, bytes, &error), 0);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_MODULE_LOAD, 0, &two, sizeof two), 200);
	image = machine_image(&bytes);
	assert_int_equal(hetckpt_core_module_add(rig->core, 1, image, bytes, &error), 0);
	image = machine_image(&bytes);
	assert_int_equal(hetckpt_core_module_add(rig->core, 2, image, bytes, &error), -EEXIST);
	image = calloc(1, 100);
	memcpy(image, "nothing of the sort", 20);
	assert_int_equal(hetckpt_core_module_add(rig->core, 3, image, 100, &error), 0);
	two.module = 3;
	assert_int_not_equal(rig_call(rig, HETCKPT_MSG_MODULE_LOAD, 0, &two, sizeof two), 0);
	/* Unloading ends functions; loading again starts afresh. */
	two.module = 1;
	*(uint64_t *)(uintptr_t)first[0] = 5;
	assert_int_equal(rig_call(rig, HETCKPT_MSG_MODULE_UNLOAD, 0, &two, sizeof two), 0);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_OCCUPANCY, 0, &ask, sizeof ask), 98);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_MODULE_LOAD, 0, &two, sizeof two), 0);
	assert_int_equal(name_call(rig, HETCKPT_MSG_VARIABLE_GET, 1, "first", first, sizeof first), 0);
	assert_int_equal(*(uint64_t *)(uintptr_t)first[0], 11);
	assert_int_not_equal(rig_function(rig, "mix"), handle);
	/* A reset leaves nothing of the session but what was handed over. */
	rig_malloc(rig, 1000);
	rig_stream(rig, 5, 0);
	rig_event(rig, 5);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_DEVICE_RESET, 0, NULL, 0), 0);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_QUERY, 5), 400);
	assert_int_equal(event_call(rig, HETCKPT_MSG_EVENT_QUERY, 5, 0), 400);
	assert_int_equal(name_call(rig, HETCKPT_MSG_FUNCTION_GET, 1, "mix", NULL, 0), 200);
	rig_free(rig);
}

/* Messages that make no sense are refused, and the session goes on. */
static void rubbish(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	struct hetckpt_error error = {0};
	struct hetckpt_msg msg = {.bytes = sizeof msg, .reply = HETCKPT_NO_REPLY};

	(void)state;
	assert_int_equal(rig_call(rig, 12345, 0, NULL, 0), 801);
	for (uint32_t type = 0; type < HETCKPT_MSG_COUNT + 2; type++) {
		msg.type = type;
		msg.seq = ++rig->seq;
		/* Too short for its body: the session is broken, or it has none. */
		assert_true(hetckpt_core_submit(rig->core, &msg, &error) == 0 ||
		            hetckpt_core_submit(rig->core, &msg, &error) == -EPROTO);
	}
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_DESTROY, 0), 400);
	rig_fill(rig, rig_malloc(rig, 10), 10, 1);
	rig_sync(rig);
	rig_free(rig);
}

/* A destroyed stream carries out what it has. */
static void destroyed_stream(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	uint64_t log = log_make(rig);

	(void)state;
	rig_stream(rig, 1, 0);
	log_launch(rig, 1, log, 2000, 1);
	log_launch(rig, 1, log, 1, 2);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_DESTROY, 1), 0);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_QUERY, 1), 400);
	rig_stream(rig, 1, 0); /* its number is free again */
	log_launch(rig, 1, log, 1, 3);
	rig_pause(rig);
	rig = rig_move(rig, &fake_backend);
	rig_resume(rig);
	rig_sync(rig);
	assert_int_equal(log_at(log, 0), 3);
	assert_int_equal(stream_call(rig, HETCKPT_MSG_STREAM_QUERY, 1), 0);
	rig_free(rig);
}

/* A web of streams and events over one array, with pauses and moves: every launch changes
   each word in a way that does not commute, so any other order shows. */
static void web(void **state)
{
	uint64_t random = test_seed();

	(void)state;
	for (int round = 0; round < 12; round++) {
		uint32_t stream = 1, seeds[60];
		struct rig *rig;
		struct job j;
		uint64_t want = 0, function;

		fake_reset();
		fake.resident = 1 + (unsigned)(test_random(&random) % 6);
		rig = rig_make(round % 2 ? &fake_backend : &fake_polled_backend);
		function = rig_function(rig, "add");
		for (uint32_t s = 1; s <= 4; s++)
			rig_stream(rig, s, s > 2 ? HETCKPT_STREAM_NON_BLOCKING : 0);
		for (uint32_t e = 1; e <= 3; e++)
			rig_event(rig, e);
		j = job_make(rig, "add", 4, 2, 1, 4, 1, 0);
		j.params.started = j.params.ended = 0;
		rig_sync(rig);
		for (int i = 0; i < 60; i++) {
			uint32_t next = 1 + (uint32_t)(test_random(&random) % 4);

			seeds[i] = (uint32_t)test_random(&random) % 1000;
			if (next != stream) {
				/* The chain goes on in another stream, held together by an event. */
				uint32_t event = 1 + (uint32_t)(test_random(&random) % 3);

				rig_record(rig, event, stream);
				wait_event(rig, next, event);
				stream = next;
			}
			j.params.seed = seeds[i];
			j.params.steps = 1 + (uint32_t)(test_random(&random) % 120);
			rig_launch(rig, stream, function, 4, 2, 1, 4, &j.params);
			want = want * 3 + seeds[i];
			if (test_random(&random) % 6 == 0) {
				usleep((useconds_t)(test_random(&random) % 400));
				rig_pause(rig);
				if (test_random(&random) % 2)
					rig = rig_move(rig, &fake_backend);
				rig_resume(rig);
			}
		}
		rig_sync(rig);
		for (unsigned k = 0; k < 32; k++)
			assert_int_equal(((const uint64_t *)(uintptr_t)j.params.out)[k], want);
		assert_int_equal(atomic_load(&rig->raised), 0);
		assert_true(hetckpt_core_idle(rig->core));
		rig_free(rig);
	}
}

/* Everything up to the last command is finished at the end, and never more than is. */
static void retired(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	struct job held = job_make(rig, "held", 1, 1, 1, 1, 1, 0);
	uint64_t before;

	(void)state;
	rig_sync(rig);
	atomic_store(&machine_hold, 1);
	before = rig->seq;
	job_launch(rig, &held);
	rig_malloc(rig, 10);
	usleep(5000);
	assert_int_equal(atomic_load(&rig->retired), before);
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	for (int i = 0; i < 1000 && atomic_load(&rig->retired) < rig->seq; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&rig->retired), rig->seq);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(legacy_stream, setup),
		cmocka_unit_test_setup(events, setup),
		cmocka_unit_test_setup(copies, setup),
		cmocka_unit_test_setup(fills, setup),
		cmocka_unit_test_setup(host_calls, setup),
		cmocka_unit_test_setup(memory, setup),
		cmocka_unit_test_setup(modules, setup),
		cmocka_unit_test_setup(rubbish, setup),
		cmocka_unit_test_setup(destroyed_stream, setup),
		cmocka_unit_test_setup(web, setup),
		cmocka_unit_test_setup(retired, setup),
	};

	return cmocka_run_group_tests_name("core order", tests, NULL, NULL);
}
