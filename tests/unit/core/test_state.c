/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Snapshots: what goes in comes out, and what is wrong is said in one line. */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/snapshot/reader.h"
#include "runtime/snapshot/writer.h"

#define PINNED UINT64_C(0x1f0000100000)

static int setup(void **state)
{
	(void)state;
	fake_reset();
	atomic_store(&machine_hold, 0);
	return 0;
}

static void random_bytes(uint64_t *random, unsigned char *to, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (unsigned char)test_random(random);
}

/* Memory of all sizes, at the same addresses with the same contents. */
static void memory(void **state)
{
	static const uint64_t sizes[] = {1, 255, 256, 257, 65535, 65536, 65537, 1000000, 3000000, 1 << 20};
	struct rig *rig = rig_make(&fake_backend);
	unsigned char *copy[40];
	uint64_t address[40], bytes[40], random = test_seed();

	(void)state;
	for (int i = 0; i < 40; i++) {
		bytes[i] = sizes[i % 10];
		address[i] = rig_malloc(rig, bytes[i]);
		copy[i] = calloc(1, bytes[i]);
		/* Some pages of zeros, which are stored as such and must not come back as rubbish. */
		random_bytes(&random, copy[i], i % 3 ? bytes[i] : bytes[i] / 100);
		memcpy((void *)(uintptr_t)address[i], copy[i], bytes[i]);
	}
	for (int i = 0; i < 40; i += 7) {
		struct hetckpt_msg_free body = {.address = address[i]};

		assert_int_equal(rig_call(rig, HETCKPT_MSG_FREE, 0, &body, sizeof body), 0);
	}
	rig_pause(rig);
	rig = rig_move(rig, &fake_polled_backend);
	for (int i = 0; i < 40; i++)
		if (i % 7)
			assert_memory_equal((void *)(uintptr_t)address[i], copy[i], bytes[i]);
	rig_resume(rig);
	/* What was freed is free again, what was not can be freed. */
	for (int i = 0; i < 40; i++) {
		struct hetckpt_msg_free body = {.address = address[i]};

		assert_int_equal(rig_call(rig, HETCKPT_MSG_FREE, 0, &body, sizeof body), i % 7 ? 0 : 1);
		free(copy[i]);
	}
	rig_free(rig);
}

static struct hetckpt_msg_copy to_staging(uint64_t src, uint64_t offset, uint64_t width)
{
	return (struct hetckpt_msg_copy){.src = src, .dst = offset, .dst_space = HETCKPT_SPACE_STAGING,
	                                 .width = width, .height = 1, .depth = 1};
}

/* Everything at once, with commands of all kinds still to come. */
static void everything(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	struct job j = job_make(rig, "mix", 20, 2, 1, 8, 2000, 42);
	uint64_t a = rig_malloc(rig, 1000), b = rig_malloc(rig, 1000), handle = rig_function(rig, "uneven");
	uint32_t stage, out, sync, freed, one, two, event;
	unsigned char data[1000];
	struct hetckpt_msg_copy copy;
	struct hetckpt_msg_free body = {.address = b};
	struct hetckpt_msg_stream wait = {.stream = 1, .event = 2};
	struct hetckpt_msg_event sync2 = {.event = 2}, elapsed = {.event = 1, .event2 = 2};
	struct hetckpt_error error = {0};
	uint64_t random = test_seed();
	int fd = memfd_create("pinned", MFD_CLOEXEC);
	float ms;

	(void)state;
	assert_int_equal(ftruncate(fd, 65536), 0);
	assert_int_equal(hetckpt_core_host_add(rig->core, PINNED, 65536, fd, &error), 0);
	memset((void *)(uintptr_t)PINNED, 7, 65536);
	random_bytes(&random, data, sizeof data);
	rig_stream(rig, 1, 0);
	rig_stream(rig, 2, HETCKPT_STREAM_NON_BLOCKING);
	rig_event(rig, 1);
	rig_event(rig, 2);
	rig_sync(rig);
	rig_record(rig, 1, 2);
	rig_sync(rig);
	/* A long launch in the default stream, and all that waits behind it. */
	job_launch(rig, &j);
	rig_upload(rig, 0, a, data, sizeof data);
	copy = to_staging(a, 900000, sizeof data);
	one = rig_send(rig, HETCKPT_MSG_COPY, 1, true, &copy, sizeof copy);
	copy = (struct hetckpt_msg_copy){.src = a, .dst = PINNED + 100, .dst_space = HETCKPT_SPACE_PINNED,
	                                 .width = 1000, .height = 1, .depth = 1};
	rig_send(rig, HETCKPT_MSG_COPY, 0, false, &copy, sizeof copy);
	rig_record(rig, 2, 0);
	rig_send(rig, HETCKPT_MSG_STREAM_WAIT, 1, false, &wait, sizeof wait);
	event = rig_send(rig, HETCKPT_MSG_EVENT_SYNC, 0, true, &sync2, sizeof sync2);
	freed = rig_send(rig, HETCKPT_MSG_FREE, 0, true, &body, sizeof body);
	sync = rig_send(rig, HETCKPT_MSG_DEVICE_SYNC, 0, true, NULL, 0);
	rig_pause(rig);
	assert_int_equal(atomic_load(&rig->staged), 1);
	assert_false(rig_answered(rig, one));
	rig = rig_move(rig, &fake_polled_backend);
	/* The payload went with the snapshot; its place is the application's again. */
	assert_int_equal(atomic_load(&rig->staged), 0);
	/* The buffer was not handed over to this worker, so it was made from the snapshot. */
	assert_int_equal(((unsigned char *)(uintptr_t)PINNED)[65535], 7);
	two = rig_send(rig, HETCKPT_MSG_EVENT_QUERY, 0, true, &sync2, sizeof sync2);
	assert_int_equal(rig_wait(rig, two), 600);
	rig_pause(rig);
	rig_resume(rig);
	assert_int_equal(rig_wait(rig, sync), 0);
	assert_int_equal(rig_wait(rig, freed), 0);
	assert_int_equal(rig_wait(rig, event), 0);
	assert_int_equal(rig_wait(rig, one), 0);
	job_check(&j);
	assert_memory_equal(rig->staging + 900000, data, sizeof data);
	assert_memory_equal((void *)(uintptr_t)(PINNED + 100), data, sizeof data);
	assert_int_equal(rig_call(rig, HETCKPT_MSG_FREE, 0, &body, sizeof body), 1);
	assert_int_equal(rig_function(rig, "uneven"), handle);
	out = rig_send(rig, HETCKPT_MSG_EVENT_ELAPSED, 0, true, &elapsed, sizeof elapsed);
	assert_int_equal(rig_wait(rig, out), 0);
	memcpy(&ms, rig->reply[out % RIG_SLOTS].data, 4);
	assert_true(ms > 0 && ms < 60000);
	/* Event 1 was done before; asking about it still works. */
	elapsed.event2 = 1;
	out = rig_send(rig, HETCKPT_MSG_EVENT_ELAPSED, 0, true, &elapsed, sizeof elapsed);
	assert_int_equal(rig_wait(rig, out), 0);
	memcpy(&ms, rig->reply[out % RIG_SLOTS].data, 4);
	assert_true(ms == 0.0f);
	/* New commands find their place behind the old ones. */
	stage = rig_send(rig, HETCKPT_MSG_STREAM_SYNC, 1, true, &wait, sizeof wait);
	assert_int_equal(rig_wait(rig, stage), 0);
	close(fd);
	rig_free(rig);
}

static uint32_t send_limit(struct rig *rig, uint32_t limit, uint64_t value)
{
	struct hetckpt_msg_limit body = {.limit = limit, .value = value};

	return rig_send(rig, HETCKPT_MSG_DEVICE_LIMIT, 0, true, &body, sizeof body);
}

/* A limit is set when what was launched before has ended, on whatever device that is, and goes
   where the session goes, before anything is launched there. */
static void limits(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	struct job j = job_make(rig, "mix", 20, 2, 1, 8, 2000, 42), k = job_make(rig, "mix", 4, 1, 1, 8, 10, 1);
	uint32_t slot, reset;

	(void)state;
	rig_stream(rig, 1, HETCKPT_STREAM_NON_BLOCKING);
	rig_sync(rig);
	assert_int_equal(rig_wait(rig, send_limit(rig, 1, 1 << 21)), 0);
	assert_int_equal(rig_wait(rig, send_limit(rig, 1, 1 << 21)), 0);
	assert_int_equal(atomic_load(&fake_count.limits), 1);
	job_launch(rig, &j);
	slot = send_limit(rig, 0, 16384);
	k.stream = 1;
	job_launch(rig, &k);
	rig_pause(rig);
	assert_false(rig_answered(rig, slot));
	memset(&fake_count, 0, sizeof fake_count);
	rig = rig_move(rig, &fake_polled_backend);
	assert_int_equal(atomic_load(&fake_count.limit[1]), 1 << 21);
	assert_int_equal(atomic_load(&fake_count.limits), 1);
	assert_false(rig_answered(rig, slot));
	rig_resume(rig);
	assert_int_equal(rig_wait(rig, slot), 0);
	assert_int_equal(atomic_load(&fake_count.limit[0]), 16384);
	rig_sync(rig);
	job_check(&j);
	job_check(&k);
	/* What is refused changes nothing. */
	assert_int_equal(rig_wait(rig, send_limit(rig, 3, 1)), 1);
	assert_int_equal(rig_wait(rig, send_limit(rig, 0, 0)), 1);
	assert_int_equal(rig_wait(rig, send_limit(rig, 0, UINT64_MAX)), 1);
	assert_int_equal(rig_wait(rig, send_limit(rig, 0, (uint64_t)1 << 40)), 2);
	rig_pause(rig);
	memset(&fake_count, 0, sizeof fake_count);
	rig = rig_move(rig, &fake_backend);
	assert_int_equal(atomic_load(&fake_count.limit[0]), 16384);
	assert_int_equal(atomic_load(&fake_count.limit[1]), 1 << 21);
	assert_int_equal(atomic_load(&fake_count.limits), 2);
	rig_resume(rig);
	/* A reset makes them CUDA's again, and there is nothing to take along. */
	reset = rig_send(rig, HETCKPT_MSG_DEVICE_RESET, 0, true, NULL, 0);
	assert_int_equal(rig_wait(rig, reset), 0);
	assert_int_equal(atomic_load(&fake_count.limit[0]), 1024);
	rig_pause(rig);
	memset(&fake_count, 0, sizeof fake_count);
	rig = rig_move(rig, &fake_polled_backend);
	assert_int_equal(atomic_load(&fake_count.limits), 0);
	rig_free(rig);
}

/* The source can go on after a snapshot, as if there had been none. */
static void source_goes_on(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	struct job j = job_make(rig, "uneven", 20, 2, 1, 8, 3000, 42);
	uint64_t a = rig_malloc(rig, 1000);
	unsigned char data[1000];
	uint64_t random = test_seed();

	(void)state;
	random_bytes(&random, data, sizeof data);
	rig_sync(rig);
	job_launch(rig, &j);
	rig_upload(rig, 0, a, data, sizeof data);
	for (int i = 0; i < 5; i++) {
		usleep(500);
		rig_pause(rig);
		close(rig_save(rig));
		rig_resume(rig);
	}
	rig_sync(rig);
	job_check(&j);
	assert_memory_equal((void *)(uintptr_t)a, data, sizeof data);
	assert_int_equal(atomic_load(&rig->staged), 0);
	rig_free(rig);
}

/* ---- Refusals ---------------------------------------------------------- */

/* A paused session with something of everything. *before keeps its numbers. */
static int make_snapshot(struct rig **before)
{
	struct rig *rig = rig_make(&fake_backend);
	struct job j = job_make(rig, "mix", 30, 1, 1, 8, 20000, 1);
	unsigned char data[100] = {1};
	struct hetckpt_msg_host token = {.token = 5};
	int fd;

	rig_stream(rig, 1, HETCKPT_STREAM_NON_BLOCKING);
	rig_event(rig, 1);
	rig_event(rig, 2);
	rig_record(rig, 2, 1);
	rig_sync(rig);
	job_launch(rig, &j);
	rig_upload(rig, 0, j.params.shared, data, sizeof data);
	rig_record(rig, 1, 0);
	rig_wait(rig, rig_send(rig, HETCKPT_MSG_HOST_CALL, 1, true, &token, sizeof token));
	rig_send(rig, HETCKPT_MSG_DEVICE_SYNC, 0, true, NULL, 0);
	for (int i = 0; i < 2000 && !atomic_load(&machine_inside); i++)
		usleep(100);
	rig_pause(rig);
	fd = rig_save(rig);
	rig_close(rig);
	*before = rig;
	return fd;
}

static int try_load(int fd, bool detached, struct hetckpt_error *error)
{
	struct rig *rig = rig_make_bare(&fake_backend);
	int rc = hetckpt_core_load(rig->core, fd, detached, NULL, error);

	if (rc) {
		assert_int_equal(error->code, rc);
		assert_true(strlen(error->text) > 10);
		assert_null(strchr(error->text, '\n'));
	}
	rig_free(rig);
	return rc;
}

static void refused_devices(void **state)
{
	struct hetckpt_error error = {0};
	struct hetckpt_save_options options = {0};
	struct rig *before, *rig;
	int fd = make_snapshot(&before);

	(void)state;
	fake.memory = (uint64_t)2 << 20;
	assert_int_equal(try_load(fd, false, &error), -ENOMEM);
	assert_string_equal(error.text, "the fake device is full");
	fake_reset();
	fake.taken = UINT64_C(0x200000000000);
	assert_int_equal(try_load(fd, false, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, "0x200000000000 is taken"));
	fake_reset();
	/* Only into a fresh worker, only while paused. */
	rig = rig_make(&fake_backend);
	assert_int_equal(hetckpt_core_load(rig->core, fd, false, NULL, &error), -EBUSY);
	assert_int_equal(hetckpt_core_save(rig->core, fd, &options, &error), -EBUSY);
	rig_free(rig);
	/* Nothing of this has hurt the snapshot. */
	rig = rig_load(&fake_backend, fd, before);
	rig_free(rig);
	free(before);
	close(fd);
}

static void damage(void **state)
{
	struct hetckpt_error error = {0};
	struct rig *before;
	int fd = make_snapshot(&before), copy;
	uint64_t random = test_seed();
	off_t size = lseek(fd, 0, SEEK_END);
	char *bytes = malloc((size_t)size);

	(void)state;
	assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
	for (int i = 0; i < 60; i++) {
		size_t at = (size_t)(test_random(&random) % (uint64_t)size);
		char was = bytes[at];
		int rc;

		copy = memfd_create("copy", MFD_CLOEXEC);
		bytes[at] ^= (char)(1 + test_random(&random) % 255);
		assert_int_equal(write(copy, bytes, (size_t)size), size);
		bytes[at] = was;
		rc = try_load(copy, false, &error);
		/* Every byte is covered by a hash or does not count. */
		assert_true(!rc || rc == -EBADMSG || rc == -EINVAL || rc == -ENOTSUP);
		close(copy);
	}
	for (int i = 0; i < 20; i++) {
		copy = memfd_create("copy", MFD_CLOEXEC);
		assert_true(write(copy, bytes, test_random(&random) % (uint64_t)size) >= 0);
		assert_int_not_equal(try_load(copy, false, &error), 0);
		close(copy);
	}
	free(bytes);
	free(before);
	close(fd);
}

/* The same snapshot with another manifest, intact as far as hashes go. */
static int rewrite(int fd, json_t *manifest)
{
	struct hetckpt_reader *reader;
	struct hetckpt_writer *writer;
	int copy = memfd_create("rewritten", MFD_CLOEXEC);

	assert_int_equal(hetckpt_reader_open_fd(fd, NULL, NULL, &reader), 0);
	assert_int_equal(hetckpt_writer_open_fd(copy, NULL, NULL, &writer), 0);
	assert_int_equal(hetckpt_writer_manifest(writer, manifest), 0);
	for (size_t i = 0; i < hetckpt_reader_count(reader); i++) {
		const struct hetckpt_section *section = hetckpt_reader_section(reader, i);
		void *data = malloc(section->bytes + 1);

		assert_int_equal(hetckpt_reader_read(reader, i, 0, data, section->bytes), 0);
		assert_int_equal(hetckpt_writer_add(writer, section->name, section->flags, data, section->bytes), 0);
		free(data);
	}
	assert_int_equal(hetckpt_writer_finish(writer), 0);
	hetckpt_writer_close(writer);
	hetckpt_reader_close(reader);
	return copy;
}

static json_t *manifest_of(int fd)
{
	struct hetckpt_reader *reader;
	json_t *copy;

	assert_int_equal(hetckpt_reader_open_fd(fd, NULL, NULL, &reader), 0);
	copy = json_deep_copy(hetckpt_reader_manifest(reader));
	hetckpt_reader_close(reader);
	return copy;
}

static void wrong_hash(void **state)
{
	struct hetckpt_error error = {0};
	struct rig *before;
	int fd = make_snapshot(&before), copy;
	json_t *manifest = manifest_of(fd);

	(void)state;
	json_object_set_new(json_array_get(json_object_get(manifest, "functions"), 0), "hash",
	                    json_string("00112233445566778899aabbccddeeff"));
	copy = rewrite(fd, manifest);
	assert_int_equal(try_load(copy, false, &error), -EINVAL);
	assert_non_null(strstr(error.text, "the state map of mix(machine_params) has another hash"));
	json_decref(manifest);
	close(copy);
	close(fd);
	free(before);
}

/* Changes one value somewhere in a manifest. */
static void mutate(json_t *value, uint64_t *random)
{
	static const json_int_t numbers[] = {-1, 0, 1, 2, 7, 255, 4096, INT32_MAX, UINT32_MAX, INT64_MAX, INT64_MIN};
	const char *key;
	json_t *member = NULL;
	size_t pick, i = 0;

	if (json_is_array(value)) {
		if (!json_array_size(value))
			return;
		pick = test_random(random) % json_array_size(value);
		member = json_array_get(value, pick);
		if (test_random(random) % 8 == 0)
			json_array_append(value, member);
		else if (test_random(random) % 8 == 0)
			json_array_remove(value, pick);
		else if (json_is_integer(member))
			json_array_set_new(value, pick, json_integer(numbers[test_random(random) % 11]));
		else
			mutate(member, random);
		return;
	}
	if (!json_object_size(value))
		return;
	pick = test_random(random) % json_object_size(value);
	json_object_foreach(value, key, member)
		if (i++ == pick)
			break;
	if (test_random(random) % 10 == 0)
		json_object_del(value, key);
	else if (json_is_integer(member))
		json_object_set_new(value, key, json_integer(test_random(random) % 2
			? numbers[test_random(random) % 11]
			: json_integer_value(member) + (json_int_t)(test_random(random) % 5) - 2));
	else if (json_is_string(member))
		json_object_set_new(value, key, test_random(random) % 3 ? json_string("0x200000000100") : json_integer(3));
	else if (json_is_boolean(member))
		json_object_set_new(value, key, json_boolean(!json_is_true(member)));
	else
		mutate(member, random);
}

/* States from before there were limits have none; a device that cannot have them says so. */
static void limits_of_manifests(void **state)
{
	struct hetckpt_error error = {0};
	struct rig *before;
	int fd = make_snapshot(&before), copy;
	json_t *manifest = manifest_of(fd);

	(void)state;
	assert_int_equal(json_object_size(json_object_get(manifest, "limits")), 0);
	json_object_del(manifest, "limits");
	copy = rewrite(fd, manifest);
	assert_int_equal(try_load(copy, false, &error), 0);
	assert_int_equal(atomic_load(&fake_count.limits), 0);
	close(copy);
	json_object_set_new(manifest, "limits", json_pack("{s:I}", "stack", (json_int_t)1 << 40));
	copy = rewrite(fd, manifest);
	assert_int_equal(try_load(copy, false, &error), -ENOMEM);
	assert_string_equal(error.text, "the fake device is full");
	close(copy);
	json_object_set_new(manifest, "limits", json_pack("{s:s}", "stack", "much"));
	copy = rewrite(fd, manifest);
	assert_int_equal(try_load(copy, false, &error), -EINVAL);
	json_decref(manifest);
	close(copy);
	close(fd);
	free(before);
}

/* No manifest can do more than be refused: the loaded state, if any, must at least close. */
static void hostile_manifests(void **state)
{
	struct rig *before;
	int fd = make_snapshot(&before);
	uint64_t random = test_seed();
	unsigned refused = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct hetckpt_error error = {0};
		json_t *manifest = manifest_of(fd);
		int copy;

		for (uint64_t n = 1 + test_random(&random) % 2; n; n--)
			mutate(manifest, &random);
		copy = rewrite(fd, manifest);
		refused += try_load(copy, test_random(&random) % 2, &error) != 0;
		close(copy);
		json_decref(manifest);
	}
	assert_true(refused > 100);
	close(fd);
	free(before);
}

/* Thousands of launches that are alike are one entry; they are carried out in order, each with its own
   parameters. What a row says of itself is checked. */
static void rows(void **state)
{
	static const struct { const char *member; json_int_t value; } bad[] = {
		{"count", 0}, {"count", 1499}, {"count", 1501}, {"bytes", 1500 * 8}, {"seq", 1}, {"reply", 3},
	};
	struct hetckpt_error error = {0};
	struct rig *rig = rig_make(&fake_backend), *before;
	struct job gate, add, other;
	uint64_t want = 0;
	json_t *manifest, *commands, *row = NULL, *entry;
	size_t i;
	int fd;

	(void)state;
	gate = job_make(rig, "parked", 2, 1, 1, 4, 20, 1);
	add = job_make(rig, "add", 2, 1, 1, 4, 1, 0);
	other = job_make(rig, "mix", 3, 1, 1, 4, 20, 2);
	add.params.started = add.params.ended = 0;
	rig_sync(rig);
	atomic_store(&machine_hold, 1);
	job_launch(rig, &gate);
	for (uint32_t k = 0; k < 3000; k++) {
		if (k == 1500)
			job_launch(rig, &other);
		add.params.seed = k % 97;
		want = want * 3 + add.params.seed;
		job_launch(rig, &add);
	}
	rig_pause(rig);
	fd = rig_save(rig);
	manifest = manifest_of(fd);
	commands = json_object_get(manifest, "commands");
	assert_true(json_array_size(commands) <= 4);
	json_array_foreach(commands, i, entry)
		if (!row && json_object_get(entry, "count"))
			row = entry;
	assert_int_equal(json_integer_value(json_object_get(row, "count")), 1500);
	rig_close(rig);
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		json_t *kept = json_incref(json_object_get(row, bad[i].member));
		int copy;

		json_object_set_new(row, bad[i].member, json_integer(bad[i].value));
		copy = rewrite(fd, manifest);
		assert_int_equal(try_load(copy, false, &error), -EINVAL);
		assert_non_null(strstr(error.text, "malformed"));
		close(copy);
		if (kept)
			json_object_set_new(row, bad[i].member, kept);
		else
			json_object_del(row, bad[i].member);
	}
	json_decref(manifest);
	before = rig;
	rig = rig_load(&fake_backend, fd, before);
	close(fd);
	free(before);
	rig_resume(rig);
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	job_check(&gate);
	job_check(&other);
	for (i = 0; i < 8; i++)
		assert_true(((uint64_t *)(uintptr_t)add.params.out)[i] == want);
	rig_free(rig);
}

/* ---- Without the application ------------------------------------------- */

static json_t *load_json(const char *directory, const char *name)
{
	char path[256];
	json_t *value;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	value = json_load_file(path, 0, NULL);
	assert_non_null(value);
	return value;
}

static void detached(void **state)
{
	char directory[] = "/tmp/hetckpt-export-XXXXXX", path[300];
	struct hetckpt_error error = {0};
	struct rig *before, *rig;
	int fd = make_snapshot(&before);
	json_t *manifest, *entry;
	size_t i, checked = 0;

	(void)state;
	assert_non_null(mkdtemp(directory));
	rig = rig_make_bare(&fake_backend);
	assert_int_equal(hetckpt_core_load(rig->core, fd, true, NULL, &error), 0);
	rig_resume(rig);
	/* The callback, the answers that nobody waits for: nothing of it holds it up. */
	assert_int_equal(hetckpt_core_wait_idle(rig->core, 60000, &error), 0);
	assert_int_equal(atomic_load(&rig->reply[0].there), 0);
	assert_int_equal(hetckpt_core_export(rig->core, directory, &error), 0);
	manifest = load_json(directory, "manifest.json");
	json_array_foreach(json_object_get(manifest, "memory"), i, entry) {
		uint64_t address = strtoull(json_string_value(json_object_get(entry, "address")), NULL, 16);
		json_int_t bytes = json_integer_value(json_object_get(entry, "bytes"));
		char *data = malloc((size_t)bytes);
		int file;

		snprintf(path, sizeof path, "%s/%s", directory, json_string_value(json_object_get(entry, "file")));
		file = open(path, O_RDONLY);
		assert_int_equal(read(file, data, (size_t)bytes), bytes);
		assert_memory_equal(data, (void *)(uintptr_t)address, (size_t)bytes);
		close(file);
		free(data);
		unlink(path);
		if (json_object_get(entry, "module")) {
			json_t *variable = json_array_get(json_object_get(entry, "variables"), 2);

			assert_string_equal(json_string_value(json_object_get(variable, "name")), "third");
			assert_int_equal(json_integer_value(json_object_get(variable, "offset")), 16);
		}
		checked++;
	}
	assert_int_equal(checked, 5);
	json_decref(manifest);
	snprintf(path, sizeof path, "%s/manifest.json", directory);
	unlink(path);
	rmdir(directory);
	rig_free(rig);
	close(fd);
	free(before);
}

/* A detached session can itself be saved and go on elsewhere. */
static void detached_again(void **state)
{
	struct hetckpt_error error = {0};
	struct rig *before, *rig;
	int fd = make_snapshot(&before), again;

	(void)state;
	rig = rig_make_bare(&fake_backend);
	assert_int_equal(hetckpt_core_load(rig->core, fd, true, NULL, &error), 0);
	rig_start(rig);
	rig_resume(rig);
	usleep(2000);
	rig_pause(rig);
	again = rig_save(rig);
	rig_free(rig);
	rig = rig_make_bare(&fake_polled_backend);
	assert_int_equal(hetckpt_core_load(rig->core, again, true, NULL, &error), 0);
	rig_resume(rig);
	assert_int_equal(hetckpt_core_wait_idle(rig->core, 60000, &error), 0);
	rig_free(rig);
	close(fd);
	close(again);
	free(before);
}

static void export_refusals(void **state)
{
	struct hetckpt_error error = {0};
	struct rig *rig = rig_make(&fake_backend);
	struct job held = job_make(rig, "held", 1, 1, 1, 1, 1, 0);

	(void)state;
	rig_sync(rig);
	assert_int_equal(hetckpt_core_export(rig->core, "/proc/none/here", &error), -ENOENT);
	assert_non_null(strstr(error.text, "/proc/none/here"));
	atomic_store(&machine_hold, 1);
	job_launch(rig, &held);
	assert_int_equal(hetckpt_core_export(rig->core, "/tmp", &error), -EBUSY);
	atomic_store(&machine_hold, 0);
	rig_sync(rig);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(memory, setup),
		cmocka_unit_test_setup(everything, setup),
		cmocka_unit_test_setup(limits, setup),
		cmocka_unit_test_setup(source_goes_on, setup),
		cmocka_unit_test_setup(refused_devices, setup),
		cmocka_unit_test_setup(damage, setup),
		cmocka_unit_test_setup(wrong_hash, setup),
		cmocka_unit_test_setup(limits_of_manifests, setup),
		cmocka_unit_test_setup(hostile_manifests, setup),
		cmocka_unit_test_setup(rows, setup),
		cmocka_unit_test_setup(detached, setup),
		cmocka_unit_test_setup(detached_again, setup),
		cmocka_unit_test_setup(export_refusals, setup),
	};

	return cmocka_run_group_tests_name("core state", tests, NULL, NULL);
}
