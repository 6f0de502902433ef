/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The stage: a state that was captured is the state at that moment, whatever happens then. */
#include "job.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/snapshot/reader.h"
#include "runtime/snapshot/writer.h"

#define PINNED UINT64_C(0x1f0000100000)
#define LARGE 3000000u
#define SMALLS 50

static int setup(void **state)
{
	(void)state;
	fake_reset();
	atomic_store(&machine_hold, 0);
	return 0;
}

static int memory_file(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* A rig with a stage, a kernel in the middle of its work, and memory of all sizes. */
struct scene {
	struct rig *rig;
	struct job job;
	int stage, pinned;
	uint64_t large, small[SMALLS];
	unsigned char contents[LARGE];
};

static void give_stage(struct rig *rig, int fd, uint64_t limit)
{
	struct hetckpt_error error = {0};

	assert_int_equal(hetckpt_core_stage_set(rig->core, fd, limit, &error), 0);
}

static struct scene *scene_make(uint64_t limit)
{
	struct scene *s = calloc(1, sizeof *s);
	struct hetckpt_error error = {0};
	uint64_t random = test_seed();

	s->rig = rig_make(&fake_backend);
	s->stage = memory_file();
	give_stage(s->rig, s->stage, limit);
	s->pinned = memory_file();
	assert_int_equal(ftruncate(s->pinned, 65536), 0);
	assert_int_equal(hetckpt_core_host_add(s->rig->core, PINNED, 65536, s->pinned, &error), 0);
	memset((void *)(uintptr_t)PINNED, 7, 65536);
	for (size_t i = 0; i < LARGE; i++)
		s->contents[i] = (unsigned char)test_random(&random);
	s->large = rig_malloc(s->rig, LARGE);
	memcpy((void *)(uintptr_t)s->large, s->contents, LARGE);
	for (unsigned i = 0; i < SMALLS; i++) {
		s->small[i] = rig_malloc(s->rig, 100 + i * 1000);
		memcpy((void *)(uintptr_t)s->small[i], s->contents + i, 100 + i * 1000);
	}
	s->job = job_make(s->rig, "mix", 30, 1, 1, 8, 20000, 1);
	rig_sync(s->rig);
	job_launch(s->rig, &s->job);
	for (int i = 0; i < 2000 && !atomic_load(&machine_inside); i++)
		usleep(100);
	return s;
}

static void scene_check(const struct scene *s)
{
	assert_memory_equal((void *)(uintptr_t)s->large, s->contents, LARGE);
	for (unsigned i = 0; i < SMALLS; i++)
		assert_memory_equal((void *)(uintptr_t)s->small[i], s->contents + i, 100 + i * 1000);
	job_check(&s->job);
}

static void scene_free(struct scene *s)
{
	rig_free(s->rig);
	close(s->stage);
	close(s->pinned);
	free(s);
}

static void release(struct rig *rig, uint64_t address)
{
	struct hetckpt_msg_free body = {.address = address};

	assert_int_equal(rig_call(rig, HETCKPT_MSG_FREE, 0, &body, sizeof body), 0);
}

/* The program goes on, ends, overwrites and frees; only then is the state written. */
static void captured_stays(void **state)
{
	struct scene *s = scene_make(UINT64_MAX);
	struct hetckpt_save_options options = {0};
	struct hetckpt_capture_report report;
	struct hetckpt_stage_report prepared;
	struct hetckpt_capture *capture, *second;
	struct hetckpt_error error = {0};
	unsigned unlocks;
	int fd = memory_file();

	(void)state;
	assert_int_equal(hetckpt_core_stage_prepare(s->rig->core, 0, HETCKPT_BULK_FILE, &prepared, &error), 0);
	assert_true(prepared.bytes >= LARGE);
	assert_int_equal(hetckpt_core_capture(s->rig->core, false, &capture, &report, &error), -EBUSY);
	rig_pause(s->rig);
	assert_int_equal(hetckpt_core_capture(s->rig->core, false, &capture, &report, &error), 0);
	assert_true(report.staged_bytes >= LARGE + 65536);
	assert_true(report.bytes >= report.staged_bytes);
	/* The stage holds one state. */
	assert_int_equal(hetckpt_core_capture(s->rig->core, false, &second, &report, &error), -EBUSY);
	assert_int_equal(hetckpt_core_save(s->rig->core, fd, &options, &error), -EBUSY);
	rig_resume(s->rig);
	rig_sync(s->rig);
	scene_check(s);
	memset((void *)(uintptr_t)s->large, 0xee, LARGE);
	memset((void *)(uintptr_t)PINNED, 0xee, 65536);
	for (unsigned i = 0; i < SMALLS; i++)
		release(s->rig, s->small[i]);
	rig_fill(s->rig, s->job.params.out, 64, 0xee);
	rig_sync(s->rig);
	assert_int_equal(hetckpt_core_host_remove(s->rig->core, PINNED, &error), 0);
	/* A driver lets nobody unlock memory while a kernel runs. */
	unlocks = atomic_load(&fake_count.unlocks);
	assert_int_equal(hetckpt_capture_write(capture, fd, &options, &error), 0);
	assert_int_equal(atomic_load(&fake_count.unlocks), unlocks);
	hetckpt_capture_free(capture);
	/* And the next one finds it free. */
	rig_pause(s->rig);
	assert_int_equal(hetckpt_core_capture(s->rig->core, false, &capture, &report, &error), 0);
	hetckpt_capture_free(capture);
	rig_close(s->rig);
	free(s->rig);
	s->rig = rig_make_bare(&fake_backend);
	assert_int_equal(hetckpt_core_load(s->rig->core, fd, true, NULL, &error), 0);
	assert_int_equal(((unsigned char *)(uintptr_t)PINNED)[65535], 7);
	rig_resume(s->rig);
	assert_int_equal(hetckpt_core_wait_idle(s->rig->core, 60000, &error), 0);
	scene_check(s);
	close(fd);
	scene_free(s);
}

/* Ends the scene's core and makes another that has the stage. */
static void next_worker(struct scene *s, const struct hetckpt_backend *backend)
{
	struct hetckpt_stage_report report;
	struct hetckpt_error error = {0};

	rig_free(s->rig);
	s->rig = rig_make_bare(backend);
	give_stage(s->rig, s->stage, UINT64_MAX);
	assert_int_equal(hetckpt_core_stage_prepare(s->rig->core, 1, HETCKPT_BULK_STAGE, &report, &error), 0);
	assert_int_equal(hetckpt_core_stage_prepare(s->rig->core, 16 << 20, HETCKPT_BULK_STAGE, &report, &error), 0);
	assert_true(report.bytes >= 16 << 20);
}

static uint64_t size_of(int fd)
{
	return (uint64_t)lseek(fd, 0, SEEK_END);
}

/* Memory stays in the stage, which outlives the worker. */
static void taken_over(void **state)
{
	struct scene *s = scene_make(UINT64_MAX);
	struct hetckpt_save_options options = {.raw = true, .bulk = HETCKPT_BULK_STAGE};
	struct hetckpt_error error = {0};
	int fd = memory_file();

	(void)state;
	rig_pause(s->rig);
	assert_int_equal(hetckpt_core_save(s->rig->core, fd, &options, &error), 0);
	/* What is in the stage is not in the file. */
	assert_true(size_of(fd) < LARGE);
	next_worker(s, &fake_polled_backend);
	/* Nobody but who takes over may believe that. */
	assert_int_equal(hetckpt_core_load(s->rig->core, fd, true, NULL, &error), -ENOTSUP);
	assert_non_null(strstr(error.text, "not in the file"));
	next_worker(s, &fake_polled_backend);
	assert_int_equal(hetckpt_core_take_over(s->rig->core, fd, true, NULL, &error), 0);
	rig_resume(s->rig);
	assert_int_equal(hetckpt_core_wait_idle(s->rig->core, 60000, &error), 0);
	scene_check(s);
	close(fd);
	scene_free(s);
}

/* The target got ready by an outline; then the program allocated, freed, and allocated again
   at addresses that it had before. */
static void prepared(void **state)
{
	struct scene *s = scene_make(UINT64_MAX);
	struct hetckpt_save_options options = {.raw = true, .bulk = HETCKPT_BULK_STAGE};
	struct hetckpt_error error = {0};
	int outline = memory_file(), fd = memory_file();
	uint64_t more[3], function;

	(void)state;
	more[0] = rig_malloc(s->rig, 1 << 20);
	more[1] = rig_malloc(s->rig, 70000);
	function = rig_function(s->rig, "uneven");
	assert_int_equal(hetckpt_core_outline(s->rig->core, outline, &error), 0);
	assert_int_equal(atomic_load(&fake_count.unlocks), 0);
	/* No contents: no more than the modules. */
	assert_true(size_of(outline) < LARGE / 2);
	release(s->rig, more[0]);
	release(s->rig, more[1]);
	more[0] = rig_malloc(s->rig, 300000);
	more[1] = rig_malloc(s->rig, 300000);
	more[2] = rig_malloc(s->rig, 5 << 20);
	for (int i = 0; i < 3; i++)
		memset((void *)(uintptr_t)more[i], 0x11 + i, 300000);
	rig_function(s->rig, "held");
	rig_pause(s->rig);
	assert_int_equal(hetckpt_core_save(s->rig->core, fd, &options, &error), 0);
	next_worker(s, &fake_backend);
	assert_int_equal(hetckpt_core_prepare(s->rig->core, outline, &error), 0);
	/* Only once, and only to be taken over. */
	assert_int_equal(hetckpt_core_prepare(s->rig->core, outline, &error), -EBUSY);
	assert_int_equal(hetckpt_core_load(s->rig->core, fd, true, NULL, &error), -EBUSY);
	assert_int_equal(hetckpt_core_take_over(s->rig->core, fd, true, NULL, &error), 0);
	rig_resume(s->rig);
	assert_int_equal(hetckpt_core_wait_idle(s->rig->core, 60000, &error), 0);
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 300000; k++)
			assert_int_equal(((unsigned char *)(uintptr_t)more[i])[k], 0x11 + i);
	scene_check(s);
	assert_true(function > 0);
	close(outline);
	close(fd);
	scene_free(s);
}

/* A target that is full says so while the source still runs. */
static void prepare_refused(void **state)
{
	struct scene *s = scene_make(UINT64_MAX);
	struct hetckpt_error error = {0};
	int outline = memory_file();

	(void)state;
	rig_malloc(s->rig, 20 << 20);
	assert_int_equal(hetckpt_core_outline(s->rig->core, outline, &error), 0);
	rig_free(s->rig);
	fake.memory = (uint64_t)8 << 20;
	s->rig = rig_make_bare(&fake_backend);
	assert_int_equal(hetckpt_core_prepare(s->rig->core, outline, &error), -ENOMEM);
	assert_string_equal(error.text, "the fake device is full");
	close(outline);
	scene_free(s);
}

/* A stage that may not grow as far: all goes through the file as if there were none. */
static void too_small(void **state)
{
	struct scene *s = scene_make(1 << 20);
	struct hetckpt_save_options options = {.bulk = HETCKPT_BULK_STAGE};
	struct hetckpt_capture_report report;
	struct hetckpt_stage_report prepared;
	struct hetckpt_capture *capture;
	struct hetckpt_error error = {0};
	int fd = memory_file();

	(void)state;
	assert_int_equal(hetckpt_core_stage_prepare(s->rig->core, 0, HETCKPT_BULK_FILE, &prepared, &error), -ENOSPC);
	assert_non_null(strstr(error.text, "needs a stage of"));
	rig_pause(s->rig);
	assert_int_equal(hetckpt_core_capture(s->rig->core, true, &capture, &report, &error), -ENOSPC);
	options.report = &report;
	assert_int_equal(hetckpt_core_save(s->rig->core, fd, &options, &error), 0);
	assert_int_equal(report.staged_bytes, 0);
	assert_true(atomic_load(&fake_count.unlocks) > 0);
	/* Whole in itself, but for the page-locked buffer, which the save was not told to leave out. */
	rig_free(s->rig);
	s->rig = rig_make_bare(&fake_backend);
	assert_int_equal(hetckpt_core_load(s->rig->core, fd, true, NULL, &error), 0);
	rig_resume(s->rig);
	assert_int_equal(hetckpt_core_wait_idle(s->rig->core, 60000, &error), 0);
	scene_check(s);
	close(fd);
	scene_free(s);
}

/* The same snapshot with other places in its manifest, intact as far as hashes go. */
static int with_places(int fd, const char *member, json_int_t value)
{
	struct hetckpt_reader *reader;
	struct hetckpt_writer *writer;
	int copy = memory_file();
	json_t *manifest, *place;
	const char *name;

	assert_int_equal(hetckpt_reader_open_fd(fd, NULL, NULL, &reader), 0);
	manifest = json_deep_copy(hetckpt_reader_manifest(reader));
	json_object_foreach(json_object_get(manifest, "elsewhere"), name, place)
		json_object_set_new(place, member, json_integer(value));
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
	json_decref(manifest);
	return copy;
}

static void wrong_places(void **state)
{
	static const struct { const char *member; json_int_t value; } wrong[] = {
		{"stage", -1}, {"stage", 1ll << 39}, {"stage", 16 << 20}, {"bytes", 1ll << 39}, {"bytes", -5}, {"bytes", 0},
	};
	struct scene *s = scene_make(UINT64_MAX);
	struct hetckpt_save_options options = {.raw = true, .bulk = HETCKPT_BULK_STAGE};
	struct hetckpt_error error = {0};
	int fd = memory_file();

	(void)state;
	rig_pause(s->rig);
	assert_int_equal(hetckpt_core_save(s->rig->core, fd, &options, &error), 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		int copy = with_places(fd, wrong[i].member, wrong[i].value);

		next_worker(s, &fake_backend);
		assert_int_equal(hetckpt_core_take_over(s->rig->core, copy, true, NULL, &error), -EINVAL);
		assert_null(strchr(error.text, '\n'));
		close(copy);
	}
	close(fd);
	scene_free(s);
}

/* It grows, keeps what it holds, and another process's view of it is the same memory. */
static void grows(void **state)
{
	struct rig *rig = rig_make(&fake_backend);
	struct hetckpt_stage_report report;
	struct hetckpt_error error = {0};
	int fd = memory_file();
	char byte = 0;

	(void)state;
	assert_int_equal(hetckpt_core_stage_prepare(rig->core, 1, HETCKPT_BULK_FILE, &report, &error), -ENOSPC);
	assert_string_equal(error.text, "the session has no stage");
	give_stage(rig, fd, 64 << 20);
	assert_int_equal(hetckpt_core_stage_prepare(rig->core, 3 << 20, HETCKPT_BULK_FILE, &report, &error), 0);
	assert_int_equal(report.bytes, 4 << 20);
	assert_int_equal(pwrite(fd, "x", 1, (4 << 20) - 1), 1);
	assert_int_equal(hetckpt_core_stage_prepare(rig->core, 64 << 20, HETCKPT_BULK_FILE, &report, &error), 0);
	assert_int_equal(report.bytes, 64 << 20);
	assert_int_equal(pread(fd, &byte, 1, (4 << 20) - 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(hetckpt_core_stage_prepare(rig->core, (64 << 20) + 1, HETCKPT_BULK_FILE, &report, &error), -ENOSPC);
	assert_int_equal(size_of(fd), 64 << 20);
	rig_free(rig);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(captured_stays, setup), cmocka_unit_test_setup(taken_over, setup),
		cmocka_unit_test_setup(prepared, setup), cmocka_unit_test_setup(prepare_refused, setup),
		cmocka_unit_test_setup(too_small, setup), cmocka_unit_test_setup(wrong_places, setup),
		cmocka_unit_test_setup(grows, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
