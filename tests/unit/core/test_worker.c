/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The worker as a process, on the CPU: ring, control socket, and how one worker takes over
 * from another. No kernels, so no translator is needed.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/channel/control.h"
#include "runtime/channel/ring.h"

#define PATIENCE_MS 30000

extern char **environ;

struct worker {
	pid_t pid;
	int control;
};

static struct hetckpt_session session;
static struct hetckpt_ring ring;
static uint32_t next_slot;

static int setup(void **state)
{
	(void)state;
	memset(&session, 0, sizeof session);
	next_slot = 0;
	assert_int_equal(hetckpt_session_create(&session, 0, 4 << 20, 64), 0);
	hetckpt_ring_produce(&ring, &session);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hetckpt_session_close(&session);
	return 0;
}

/* ---- Workers ----------------------------------------------------------- */

static struct worker spawn(const char *device, const char *option)
{
	char *argv[] = {(char *)WORKER, "--session-fd", "3", "--control-fd", "4", "--device", (char *)device,
	                (char *)option, NULL};
	posix_spawn_file_actions_t actions;
	struct worker w;
	int pair[2], high[2];

	assert_int_equal(hetckpt_control_pair(pair), 0);
	high[0] = fcntl(session.fd, F_DUPFD_CLOEXEC, 32);
	high[1] = fcntl(pair[1], F_DUPFD_CLOEXEC, 32);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, high[0], 3);
	posix_spawn_file_actions_adddup2(&actions, high[1], 4);
	assert_int_equal(posix_spawn(&w.pid, WORKER, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(high[0]);
	close(high[1]);
	close(pair[1]);
	w.control = pair[0];
	return w;
}

static void expect_event(struct worker *w, const char *name)
{
	json_t *message;

	assert_int_equal(hetckpt_control_receive(w->control, &message, NULL, NULL, PATIENCE_MS), 0);
	assert_string_equal(json_string_value(json_object_get(message, "event")), name);
	json_decref(message);
}

static struct worker start(const char *device, const char *option)
{
	struct worker w = spawn(device, option);

	expect_event(&w, "ready");
	return w;
}

/* Waits for the end of a worker that has been told, or has lost its supervisor. */
static int ended(struct worker *w)
{
	int status;

	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		if (waitpid(w->pid, &status, WNOHANG) == w->pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
		usleep(10000);
	}
	kill(w->pid, SIGKILL);
	waitpid(w->pid, &status, 0);
	return -1;
}

/* Steals request. *reply may be NULL. */
static int ask(struct worker *w, json_t *request, int fd, json_t **reply)
{
	json_t *answer = NULL;
	int rc = hetckpt_control_call(w->control, request, &fd, fd >= 0, &answer, NULL, NULL, PATIENCE_MS, NULL, NULL);

	json_decref(request);
	if (reply)
		*reply = answer;
	else
		json_decref(answer);
	return rc;
}

static int ask_op(struct worker *w, const char *op, int fd)
{
	return ask(w, json_pack("{s:s}", "op", op), fd, NULL);
}

static void quit(struct worker *w)
{
	json_t *request = json_pack("{s:s}", "op", "quit");

	assert_int_equal(hetckpt_control_send(w->control, request, NULL, 0, PATIENCE_MS), 0);
	json_decref(request);
	assert_int_equal(ended(w), 0);
	close(w->control);
}

/* ---- The application's side -------------------------------------------- */

static uint32_t post(uint32_t type, bool reply, const void *body, uint32_t bytes)
{
	struct hetckpt_msg *msg;
	uint32_t slot = HETCKPT_NO_REPLY;

	assert_int_equal(hetckpt_ring_reserve(&ring, HETCKPT_MSG_BYTES(bytes), &msg), 0);
	msg->type = type;
	if (reply) {
		slot = next_slot++ % 64;
		hetckpt_reply_expect(&session, slot, 0);
	}
	msg->reply = slot;
	memcpy(msg + 1, body, bytes);
	hetckpt_ring_commit(&ring);
	return slot;
}

static bool answered(uint32_t slot)
{
	return hetckpt_reply_wait(&session, slot, 0) == 0;
}

static int answer(uint32_t slot)
{
	int code;

	assert_int_equal(hetckpt_reply_wait(&session, slot, PATIENCE_MS), 0);
	code = session.reply[slot].code;
	return code;
}

static uint64_t allocate(uint64_t bytes)
{
	struct hetckpt_msg_malloc body = {.bytes = bytes};
	uint32_t slot = post(HETCKPT_MSG_MALLOC, true, &body, sizeof body);
	uint64_t address;

	assert_int_equal(answer(slot), 0);
	memcpy(&address, session.reply[slot].data, 8);
	hetckpt_reply_forget(&session, slot);
	return address;
}

static void fill(uint64_t address, uint64_t bytes, uint32_t value)
{
	struct hetckpt_msg_fill body = {.dst = address, .width = bytes, .height = 1, .pitch = bytes, .element = 1,
	                                .value = value};

	post(HETCKPT_MSG_FILL, false, &body, sizeof body);
}

static void upload(uint64_t address, const void *data, uint64_t bytes)
{
	struct hetckpt_msg_copy body = {.dst = address, .src_space = HETCKPT_SPACE_STAGING, .width = bytes,
	                                .height = 1, .depth = 1};
	uint64_t hint = 0;

	assert_int_equal(hetckpt_staging_take(&session, bytes, &hint, &body.src, PATIENCE_MS), 0);
	memcpy(session.staging + body.src, data, bytes);
	post(HETCKPT_MSG_COPY, false, &body, sizeof body);
}

/* Asks for bytes; they come with the answer. */
static uint32_t download(uint64_t address, uint64_t bytes, uint64_t *offset)
{
	struct hetckpt_msg_copy body = {.src = address, .dst_space = HETCKPT_SPACE_STAGING, .width = bytes,
	                                .height = 1, .depth = 1};
	uint64_t hint = 2 << 20;

	assert_int_equal(hetckpt_staging_take(&session, bytes, &hint, &body.dst, PATIENCE_MS), 0);
	*offset = body.dst;
	return post(HETCKPT_MSG_COPY, true, &body, sizeof body);
}

static void check(uint64_t address, const void *data, uint64_t bytes)
{
	uint64_t offset;
	uint32_t slot = download(address, bytes, &offset);

	assert_int_equal(answer(slot), 0);
	assert_memory_equal(session.staging + offset, data, bytes);
	hetckpt_staging_release(&session, offset, bytes);
	hetckpt_reply_forget(&session, slot);
}

static unsigned staging_used(void)
{
	unsigned used = 0;

	for (uint64_t i = 0; i < session.staging_bytes / HETCKPT_STAGING_CHUNK; i++)
		used += session.staging_word[i] != 0;
	return used;
}

static int snapshot(struct worker *w)
{
	int fd = memfd_create("snapshot", MFD_CLOEXEC);

	assert_int_equal(ask(w, json_pack("{s:s, s:s}", "op", "snapshot", "compress", "zstd"), fd, NULL), 0);
	return fd;
}

/* ---- Tests ------------------------------------------------------------- */

static void serves(void **state)
{
	struct worker w = start("cpu:0", NULL);
	unsigned char data[5000];
	uint64_t a = allocate(5000), pinned = UINT64_C(0x1f0000200000), offset;
	int fd = memfd_create("pinned", MFD_CLOEXEC);
	struct hetckpt_msg_copy copy = {.dst = pinned, .dst_space = HETCKPT_SPACE_PINNED, .src = a, .width = 5000,
	                                .height = 1, .depth = 1};
	unsigned char *mine;
	json_t *reply;

	(void)state;
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 13);
	assert_int_equal(a, UINT64_C(0x200000000000));
	upload(a, data, sizeof data);
	check(a, data, sizeof data);
	assert_int_equal(staging_used(), 0);
	/* Page-locked memory is one memory in two processes. */
	assert_int_equal(ftruncate(fd, 8192), 0);
	mine = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(ask(&w, json_pack("{s:s, s:I, s:I}", "op", "host", "address", (json_int_t)pinned, "bytes",
		(json_int_t)8192), fd, NULL), 0);
	assert_int_equal(answer(post(HETCKPT_MSG_COPY, true, &copy, sizeof copy)), 0);
	assert_memory_equal(mine, data, sizeof data);
	assert_int_equal(ask(&w, json_pack("{s:s, s:I}", "op", "host_free", "address", (json_int_t)pinned), -1, NULL), 0);
	assert_int_equal(answer(post(HETCKPT_MSG_COPY, true, &copy, sizeof copy)), 1);
	/* An error without an answer is there for the next call. */
	copy.dst_space = HETCKPT_SPACE_DEVICE;
	post(HETCKPT_MSG_COPY, false, &copy, sizeof copy);
	download(a, 10, &offset);
	for (int i = 0; i < 3000 && !session.control->async_error; i++)
		usleep(1000);
	assert_int_equal(session.control->async_error, 1);
	assert_int_equal(ask_op(&w, "wait_idle", -1), 0);
	assert_int_equal(session.control->retired_seq, session.control->produced_seq);
	assert_int_equal(ask(&w, json_pack("{s:s, s:b}", "op", "status", "detail", 1), -1, &reply), 0);
	assert_string_equal(json_string_value(json_object_get(reply, "state")), "idle");
	assert_string_equal(json_string_value(json_object_get(reply, "device")), "cpu:0");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "memory"), "allocations")), 1);
	json_decref(reply);
	/* What makes no sense is refused by name. */
	assert_int_equal(ask(&w, json_pack("{s:s}", "op", "dance"), -1, &reply), -EOPNOTSUPP);
	assert_non_null(strstr(json_string_value(json_object_get(reply, "error")), "dance"));
	json_decref(reply);
	assert_int_equal(ask_op(&w, "module", -1), -EINVAL);
	assert_int_equal(ask(&w, json_pack("{s:s, s:i, s:i}", "op", "module", "module", 1, "bytes", 100000), fd, NULL), -EINVAL);
	assert_int_equal(ask_op(&w, "snapshot", fd), -EBUSY);
	assert_int_equal(ask_op(&w, "load", fd), -EBUSY);
	assert_int_equal(ask(&w, json_pack("{s:s, s:s}", "op", "stress", "mode", "softly"), -1, NULL), -EINVAL);
	munmap(mine, 8192);
	close(fd);
	quit(&w);
}

/* One worker takes over from another; commands given meanwhile are served once. */
static void takes_over(void **state)
{
	struct worker one = start("cpu:0", NULL), two;
	unsigned char data[300000], zeros[100] = {0};
	uint64_t a = allocate(sizeof data), b = allocate(100), offset;
	uint32_t waiting;
	json_t *reply;
	int fd;

	(void)state;
	memset(data, 0x5a, sizeof data);
	fill(a, sizeof data, 0x5a);
	fill(b, 100, 0);
	check(a, data, sizeof data);
	assert_int_equal(ask(&one, json_pack("{s:s, s:i}", "op", "pause", "timeout_ms", 5000), -1, &reply), 0);
	assert_true(json_is_number(json_object_get(reply, "park_us")));
	json_decref(reply);
	/* In the ring while paused: a payload and a copy that somebody waits for. */
	data[7] = 1;
	upload(a, data, sizeof data);
	waiting = download(a, 1000, &offset);
	usleep(50000);
	assert_false(answered(waiting));
	fd = snapshot(&one);
	assert_false(answered(waiting));
	/* These come after the snapshot: they are the next worker's from the ring. */
	fill(b, 50, 9);
	two = start("cpu:1", "--restore");
	assert_int_equal(ask_op(&two, "load", fd), 0);
	assert_int_equal(ask_op(&two, "resume", -1), 0);
	assert_int_equal(answer(waiting), 0);
	assert_memory_equal(session.staging + offset, data, 1000);
	hetckpt_staging_release(&session, offset, 1000);
	/* The old one may try to go on; there is nothing for it any more. */
	assert_int_equal(ask_op(&one, "resume", -1), 0);
	memset(zeros, 9, 50);
	check(b, zeros, 100);
	check(a, data, sizeof data);
	assert_int_equal(staging_used(), 0);
	quit(&one);
	check(a, data, sizeof data);
	assert_int_equal(ask_op(&two, "wait_idle", -1), 0);
	assert_int_equal(session.control->retired_seq, session.control->produced_seq);
	close(fd);
	quit(&two);
}

/* A target that fails leaves the source as it was; a state that is out of date is refused. */
static void stays(void **state)
{
	struct worker one = start("cpu:0", NULL), two;
	unsigned char data[1000];
	uint64_t a = allocate(sizeof data);
	json_t *reply;
	int fd, bad;

	(void)state;
	memset(data, 3, sizeof data);
	fill(a, sizeof data, 3);
	assert_int_equal(ask_op(&one, "pause", -1), 0);
	fd = snapshot(&one);
	bad = memfd_create("bad", MFD_CLOEXEC);
	assert_int_equal(write(bad, data, sizeof data), sizeof data);
	two = start("cpu:0", "--restore");
	assert_int_not_equal(ask(&two, json_pack("{s:s}", "op", "load"), bad, &reply), 0);
	assert_true(strlen(json_string_value(json_object_get(reply, "error"))) > 5);
	json_decref(reply);
	quit(&two);
	assert_int_equal(ask_op(&one, "resume", -1), 0);
	check(a, data, sizeof data); /* which the snapshot does not know */
	two = start("cpu:0", "--restore");
	assert_int_equal(ask_op(&two, "load", fd), 0);
	assert_int_equal(ask(&two, json_pack("{s:s}", "op", "resume"), -1, &reply), -ESTALE);
	assert_non_null(strstr(json_string_value(json_object_get(reply, "error")), "taken by another worker"));
	json_decref(reply);
	quit(&two);
	check(a, data, sizeof data);
	close(fd);
	close(bad);
	quit(&one);
}

/* A session of its own, without an application: loads, finishes, writes results. */
static void finishes_alone(void **state)
{
	char directory[] = "/tmp/hetckpt-worker-XXXXXX", path[128];
	unsigned char data[1000], back[1000];
	struct worker w = start("cpu:0", NULL);
	uint64_t a = allocate(sizeof data), offset;
	int fd, file;

	(void)state;
	assert_non_null(mkdtemp(directory));
	memset(data, 77, sizeof data);
	assert_int_equal(ask_op(&w, "pause", -1), 0);
	upload(a, data, sizeof data);
	download(a, 100, &offset); /* nobody will be there to take it */
	fd = snapshot(&w);
	quit(&w);
	hetckpt_session_close(&session);
	setup(NULL);
	w = start("cpu:1", "--restore");
	assert_int_equal(ask_op(&w, "load", fd), 0);
	assert_int_equal(ask_op(&w, "resume", -1), 0);
	assert_int_equal(ask_op(&w, "wait_idle", -1), 0);
	assert_int_equal(ask(&w, json_pack("{s:s, s:s}", "op", "export", "directory", directory), -1, NULL), 0);
	snprintf(path, sizeof path, "%s/0x200000000000.bin", directory);
	file = open(path, O_RDONLY);
	assert_int_equal(read(file, back, sizeof back), sizeof back);
	assert_memory_equal(back, data, sizeof data);
	close(file);
	unlink(path);
	snprintf(path, sizeof path, "%s/manifest.json", directory);
	assert_int_equal(unlink(path), 0);
	rmdir(directory);
	close(fd);
	quit(&w);
}

static void ends(void **state)
{
	struct worker w = start("cpu:0", NULL);

	(void)state;
	/* With its supervisor, at once. */
	close(w.control);
	assert_int_equal(ended(&w), 0);
	/* For want of a device, saying so. */
	w = spawn("abacus:0", NULL);
	expect_event(&w, "fault");
	assert_int_equal(ended(&w), 1);
	close(w.control);
	w = spawn("cpu:77", NULL);
	expect_event(&w, "fault");
	assert_int_equal(ended(&w), 1);
	close(w.control);
	w = spawn("cpu:0", "--nonsense");
	assert_int_equal(ended(&w), 2);
	close(w.control);
	/* A ring that others have consumed is not for a worker that knows nothing. */
	session.control->taken_seq = 5;
	w = spawn("cpu:0", NULL);
	expect_event(&w, "fault");
	assert_int_equal(ended(&w), 1);
	close(w.control);
}

/* ---- Moving memory from worker to worker ------------------------------------- */

#define MUCH (24u << 20)

/* Asks one worker to share, and the other to reach; returns what the second said. */
static int connect_peers(struct worker *one, struct worker *two)
{
	int pair[2], rc;

	assert_int_equal(hetckpt_control_pair(pair), 0);
	assert_int_equal(ask_op(one, "share", pair[0]), 0);
	close(pair[0]);
	rc = ask_op(two, "reach", pair[1]);
	close(pair[1]);
	return rc;
}

static int give_stage(struct worker *w, int stage, json_int_t bytes, const char *bulk, json_t **reply)
{
	return ask(w, json_pack("{s:s, s:I, s:s}", "op", "stage", "bytes", bytes, "bulk", bulk), stage, reply);
}

static int pause_op(struct worker *w)
{
	return ask(w, json_pack("{s:s, s:i}", "op", "pause", "timeout_ms", 5000), -1, NULL);
}

/* Saves a paused worker, its memory left where bulk says; facts are checked to say so. */
static int save_bulk(struct worker *w, const char *bulk, const char *fact, json_int_t least)
{
	int fd = memfd_create("state", MFD_CLOEXEC);
	json_t *reply;

	assert_int_equal(ask(w, json_pack("{s:s, s:s, s:s}", "op", "snapshot", "compress", "none", "bulk", bulk), fd,
	                     &reply), 0);
	assert_true(json_integer_value(json_object_get(reply, fact)) >= least);
	json_decref(reply);
	return fd;
}

static int take_over(struct worker *w, int fd, json_t **reply)
{
	return ask(w, json_pack("{s:s, s:b}", "op", "load", "take_over", 1), fd, reply);
}

/* With everything got ready while the first one runs, and memory that changed after that. */
static void moves(void **state)
{
	static const char *const way[] = {"peer", "stage", "file"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct worker one, two;
		int outline = memfd_create("outline", MFD_CLOEXEC), stage = memfd_create("stage", MFD_CLOEXEC), fd;
		unsigned char *data = malloc(MUCH);
		uint64_t a, b, small;
		json_t *reply;

		if (i) {
			hetckpt_session_close(&session);
			setup(state);
		}
		one = start("cpu:0", NULL);
		a = allocate(MUCH);
		small = allocate(100);
		fill(a, MUCH, 0x21);
		assert_int_equal(ask_op(&one, "outline", outline), 0);
		two = start("cpu:1", "--restore");
		assert_int_equal(ask_op(&two, "prepare", outline), 0);
		if (!i)
			assert_int_equal(connect_peers(&one, &two), 0);
		if (i < 2) {
			assert_int_equal(give_stage(&one, stage, 0, way[i], &reply), 0);
			/* Not for what a peer reads. */
			assert_true(!i == (json_integer_value(json_object_get(reply, "stage_bytes")) < MUCH));
			assert_int_equal(give_stage(&two, stage, json_integer_value(json_object_get(reply, "stage_bytes")),
			                            way[i], NULL), 0);
			json_decref(reply);
		}
		/* Not in the outline. */
		b = allocate(MUCH / 3);
		fill(b, MUCH / 3, 0x42);
		fill(small, 100, 0x17);
		assert_int_equal(pause_op(&one), 0);
		fd = save_bulk(&one, way[i], i == 0 ? "peer_bytes" : i == 1 ? "staged_bytes" : "state_bytes", MUCH);
		assert_int_equal(take_over(&two, fd, NULL), 0);
		assert_int_equal(ask_op(&two, "reach_end", -1), 0);
		quit(&one);
		assert_int_equal(ask_op(&two, "resume", -1), 0);
		memset(data, 0x21, MUCH);
		for (uint64_t at = 0; at < MUCH; at += 1 << 20)
			check(a + at, data + at, 1 << 20);
		memset(data, 0x42, MUCH);
		check(b, data, 1 << 20);
		memset(data, 0x17, 100);
		check(small, data, 100);
		quit(&two);
		close(fd);
		close(stage);
		close(outline);
		free(data);
	}
}

/* The source goes while the target still needs its memory: one line, and no half state. */
static void peer_gone(void **state)
{
	struct worker one = start("cpu:0", NULL), two = start("cpu:1", "--restore");
	json_t *reply;
	int fd;

	(void)state;
	fill(allocate(MUCH), MUCH, 0x21);
	assert_int_equal(connect_peers(&one, &two), 0);
	assert_int_equal(pause_op(&one), 0);
	fd = save_bulk(&one, "peer", "peer_bytes", MUCH);
	kill(one.pid, SIGKILL);
	ended(&one);
	close(one.control);
	assert_true(take_over(&two, fd, &reply) < 0);
	assert_non_null(strstr(json_string_value(json_object_get(reply, "error")), "another worker's memory"));
	json_decref(reply);
	quit(&two);
	close(fd);
}

/* A worker is killed in the middle of copying into the stage or writing from it; the next one uses
   the same stage. */
static void stage_outlives(void **state)
{
	struct worker one = start("cpu:0", NULL), two;
	int stage = memfd_create("stage", MFD_CLOEXEC), fd = memfd_create("state", MFD_CLOEXEC);
	unsigned char data[1000];
	uint64_t a = allocate(MUCH);
	json_t *reply, *write = json_pack("{s:s, s:s, s:i}", "op", "write", "compress", "zstd", "level", 19);

	(void)state;
	fill(a, MUCH, 0x33);
	assert_int_equal(give_stage(&one, stage, 0, "file", NULL), 0);
	assert_int_equal(ask_op(&one, "capture", -1), -EBUSY);
	assert_int_equal(ask_op(&one, "write", fd), -EINVAL);
	assert_int_equal(pause_op(&one), 0);
	assert_int_equal(ask_op(&one, "capture", -1), 0);
	/* What is captured must not be overwritten, what nobody wrote is given up. */
	assert_int_equal(give_stage(&one, stage, 2 * MUCH, "file", NULL), -EBUSY);
	assert_int_equal(ask_op(&one, "snapshot", fd), -EBUSY);
	assert_int_equal(ask(&one, json_pack("{s:s}", "op", "capture"), -1, &reply), 0);
	assert_true(json_integer_value(json_object_get(reply, "staged_bytes")) >= MUCH);
	json_decref(reply);
	assert_int_equal(ask_op(&one, "resume", -1), 0);
	/* The program goes on; the state is the one from before. */
	fill(a, MUCH, 0x44);
	assert_int_equal(ask(&one, json_incref(write), fd, NULL), 0);
	assert_int_equal(pause_op(&one), 0);
	assert_int_equal(ask_op(&one, "capture", -1), 0);
	kill(one.pid, SIGKILL);
	ended(&one);
	close(one.control);
	hetckpt_session_close(&session);
	setup(state);
	two = start("cpu:0", "--restore");
	assert_int_equal(give_stage(&two, stage, 2 * MUCH, "file", NULL), 0);
	assert_int_equal(ask_op(&two, "load", fd), 0);
	assert_int_equal(ask_op(&two, "capture", -1), 0);
	assert_int_equal(ask_op(&two, "resume", -1), 0);
	memset(data, 0x33, sizeof data);
	check(a + MUCH - 1000, data, 1000);
	assert_int_equal(ask(&two, write, fd, NULL), 0);
	quit(&two);
	close(stage);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(moves, setup, teardown),
		cmocka_unit_test_setup_teardown(peer_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(stage_outlives, setup, teardown),
		cmocka_unit_test_setup_teardown(serves, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_over, setup, teardown),
		cmocka_unit_test_setup_teardown(stays, setup, teardown),
		cmocka_unit_test_setup_teardown(finishes_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(ends, setup, teardown),
	};

	/* Its complaints are what is tested, not what the reader of a log should see. */
	setenv("HETCKPT_LOG", "error", 0);
	return cmocka_run_group_tests_name("core worker", tests, NULL, NULL);
}
