/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include "tests/unit/client/fake.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/channel/control.h"
#include "runtime/channel/ring.h"
#include "runtime/fatbin/fatbin.h"

#define ARENA ((unsigned char *)0x200000000000ull)
#define ARENA_BYTES (256ull << 20)
#define NOT_READY 600

void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	_exit(1);
}

void check_differs(const char *file, int line, const char *a, const char *b, long long x, long long y)
{
	fprintf(stderr, "%s:%d: %s is %lld, %s is %lld\n", file, line, a, x, b, y);
	_exit(1);
}

static struct hetckpt_session session;
static int listener = -1, connection = -1;
static char dir[] = "/tmp/hetckpt-test-XXXXXX", path[100];
static _Atomic bool held, closed, dead;
static _Atomic unsigned counts[HETCKPT_MSG_COUNT], modules, buffers;

unsigned fake_count(uint32_t type) { return counts[type]; }
unsigned fake_modules(void) { return modules; }
unsigned fake_buffers(void) { return buffers; }
uint64_t fake_system_calls(void) { return session.control->doorbell; }
void fake_device_lost(uint32_t code, const char *message) { hetckpt_session_fail(&session, code, message); }
void fake_raise(uint32_t code) { hetckpt_session_raise(&session, code); }

void fake_hold(bool hold)
{
	held = hold;
	hetckpt_ring_kick(&session);
}

void fake_close_ring(bool close)
{
	closed = close;
	hetckpt_ring_kick(&session);
}

unsigned fake_staging_used(void)
{
	unsigned used = 0;

	for (uint64_t i = 0; i < session.staging_bytes / HETCKPT_STAGING_CHUNK; i++)
		used += session.staging_word[i] != 0;
	return used;
}

void fake_supervisor_die(void)
{
	dead = true;
	close(listener);
	if (connection >= 0)
		shutdown(connection, SHUT_RDWR);
}

/* ---- Supervisor -------------------------------------------------------- */

static void serve(json_t *request, const int *fds, int count)
{
	const char *op = json_string_value(json_object_get(request, "op"));

	CHECK(op);
	if (!strcmp(op, "attach")) {
		CHECK_INT(json_integer_value(json_object_get(request, "pid")), getpid());
		hetckpt_control_reply(connection, request, NULL, &session.fd, 1);
	} else if (!strcmp(op, "module")) {
		struct hetckpt_fatbin_entry entry;
		uint64_t bytes = (uint64_t)json_integer_value(json_object_get(request, "bytes")), offset = 0;
		void *map;

		CHECK_INT(count, 1);
		CHECK_INT(lseek(fds[0], 0, SEEK_END), bytes);
		map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fds[0], 0);
		CHECK_INT(hetckpt_fatbin_next(map, bytes, &offset, &entry, NULL, 0), 0);
		munmap(map, bytes);
		modules++;
		hetckpt_control_reply(connection, request, NULL, NULL, 0);
	} else if (!strcmp(op, "host")) {
		uint64_t address = (uint64_t)json_integer_value(json_object_get(request, "address"));

		CHECK_INT(count, 1);
		CHECK(address >= 0x1f0000000000ull && address < 0x1f0000000000ull + (1ull << 40));
		buffers++;
		hetckpt_control_reply(connection, request, NULL, NULL, 0);
	} else if (!strcmp(op, "host_free")) {
		buffers--;
		hetckpt_control_reply(connection, request, NULL, NULL, 0);
	} else {
		hetckpt_control_refuse(connection, request, -EINVAL, "unknown op %s", op);
	}
}

static void *supervise(void *unused)
{
	while (connection < 0 && !dead)
		if (hetckpt_control_accept(listener, &connection, NULL))
			usleep(500);
	unlink(path);
	rmdir(dir);
	while (!dead) {
		int fds[HETCKPT_CONTROL_FDS], count;
		json_t *request;

		if (hetckpt_control_receive(connection, &request, fds, &count, -1))
			break;
		serve(request, fds, count);
		json_decref(request);
		while (count)
			close(fds[--count]);
	}
	return NULL;
}

/* ---- Device memory ----------------------------------------------------- */

static struct { uint64_t offset, bytes; } allocations[4096];
static unsigned allocation_count;

static uint64_t device_malloc(uint64_t bytes)
{
	uint64_t at = 0;

	bytes = (bytes + 255) & ~255ull;
	for (unsigned i = 0; i <= allocation_count; i++) {
		uint64_t end = i < allocation_count ? allocations[i].offset : ARENA_BYTES;

		if (end - at >= bytes && allocation_count < 4096) {
			memmove(&allocations[i + 1], &allocations[i], (allocation_count - i) * sizeof *allocations);
			allocations[i].offset = at;
			allocations[i].bytes = bytes;
			allocation_count++;
			return (uint64_t)ARENA + at;
		}
		at = i < allocation_count ? end + allocations[i].bytes : 0;
	}
	return 0;
}

static bool device_free(uint64_t address)
{
	for (unsigned i = 0; i < allocation_count; i++) {
		if ((uint64_t)ARENA + allocations[i].offset == address) {
			memmove(&allocations[i], &allocations[i + 1], (--allocation_count - i) * sizeof *allocations);
			return true;
		}
	}
	return false;
}

/* ---- Kernels ----------------------------------------------------------- */

/* add(int *p, unsigned char skewed, long long by, int n): parameters at 0, 8, 16, 24 */
static void kernel_add(const struct hetckpt_msg_launch *l)
{
	uint64_t p;
	long long by;
	int n;

	memcpy(&p, l->params, 8);
	memcpy(&by, l->params + 16, 8);
	memcpy(&n, l->params + 24, 4);
	CHECK_INT(l->params[8], 0xab);
	CHECK_INT(l->param_bytes, 28);
	for (int i = 0; i < n; i++)
		((int *)p)[i] += (int)by;
}

static const struct {
	const char *name;
	uint32_t param_bytes, params, offset[4], bytes[4];
	uint32_t max_threads;
} kernels[] = {
	{"add", 28, 4, {0, 8, 16, 24}, {8, 1, 8, 4}, 512},
	{"nothing", 0, 0, {0}, {0}, 0},
};

#define VARIABLE_BYTES 64
static uint64_t variable;

/* ---- Worker ------------------------------------------------------------ */

struct command {
	struct hetckpt_msg *msg;
	bool called; /* HOST_CALL: answered, waits for HOST_DONE */
	uint64_t records; /* STREAM_WAIT: of the event before it; later ones do not matter */
	struct command *next;
};
static struct command *first, **last = &first;

static struct { uint32_t id; uint64_t pending, done; double when; bool recorded; } events[8192];

static void reply(const struct hetckpt_msg *m, int code, const void *data, uint32_t bytes)
{
	if (m->reply != HETCKPT_NO_REPLY)
		CHECK_INT(hetckpt_reply_send(&session, m->reply, m->seq, code, data, bytes), 0);
}

static unsigned event_of(uint32_t id)
{
	unsigned i = id % 8192;

	CHECK(events[i].id == id);
	return i;
}

static unsigned char *place(uint32_t space, uint64_t address)
{
	return space == HETCKPT_SPACE_STAGING ? session.staging + address : (unsigned char *)address;
}

static void run_copy(const struct hetckpt_msg *m)
{
	const struct hetckpt_msg_copy *c = (const void *)(m + 1);

	CHECK((c->dst_space == HETCKPT_SPACE_DEVICE) == (c->dst >= 0x200000000000ull));
	CHECK((c->src_space == HETCKPT_SPACE_DEVICE) == (c->src >= 0x200000000000ull));
	CHECK(c->width && c->height && c->depth);
	for (uint64_t z = 0; z < c->depth; z++)
		for (uint64_t y = 0; y < c->height; y++)
			memmove(place(c->dst_space, c->dst) + z * c->dst_slice + y * c->dst_pitch,
			        place(c->src_space, c->src) + z * c->src_slice + y * c->src_pitch, c->width);
	if (c->src_space == HETCKPT_SPACE_STAGING)
		CHECK_INT(hetckpt_staging_release(&session, c->src, c->width * c->height * c->depth), 0);
	reply(m, 0, NULL, 0);
}

static void run_function_get(const struct hetckpt_msg *m)
{
	const struct hetckpt_msg_name *n = (const void *)(m + 1);
	struct hetckpt_reply_function r = {0};

	for (unsigned i = 0; i < sizeof kernels / sizeof *kernels; i++) {
		if (strlen(kernels[i].name) != n->length || memcmp(kernels[i].name, n->name, n->length))
			continue;
		r.function = i + 1;
		r.param_bytes = kernels[i].param_bytes;
		r.params = kernels[i].params;
		r.max_threads = kernels[i].max_threads;
		r.max_dynamic_shared = 48 << 10;
		r.static_shared = 128;
		r.arch = 70;
		r.registers = 32;
		for (unsigned k = 0; k < r.params; k++) {
			r.param[k].offset = kernels[i].offset[k];
			r.param[k].bytes = kernels[i].bytes[k];
		}
		reply(m, 0, &r, sizeof r);
		return;
	}
	reply(m, 98, NULL, 0);
}

static void run_device_info(const struct hetckpt_msg *m)
{
	struct hetckpt_reply_device d = {
		.name = "Fake Device", .total_bytes = ARENA_BYTES, .shared_per_block = 48 << 10,
		.shared_per_block_optin = 96 << 10, .shared_per_sm = 128 << 10, .sm_count = 3, .clock_khz = 1000,
		.memory_clock_khz = 2000, .bus_width = 64, .l2_bytes = 1 << 20, .max_threads_per_block = 1024,
		.max_threads_per_sm = 2048, .max_blocks_per_sm = 32, .regs_per_block = 65536, .major = 9, .minor = 0,
		.max_grid = {0x7fffffff, 65535, 65535}, .max_block = {1024, 1024, 64},
	};

	reply(m, 0, &d, sizeof d);
}

/* Commands that no stream holds back. */
static void run(const struct hetckpt_msg *m)
{
	const void *body = m + 1;
	const struct hetckpt_msg_event *e = body;
	uint64_t pair[2];
	struct timespec now;
	uint32_t number;
	float ms;

	counts[m->type]++;
	switch (m->type) {
	case HETCKPT_MSG_MALLOC:
		CHECK_INT(((const struct hetckpt_msg_malloc *)body)->align, 256);
		pair[0] = device_malloc(((const struct hetckpt_msg_malloc *)body)->bytes);
		reply(m, pair[0] ? 0 : 2, pair, 8);
		break;
	case HETCKPT_MSG_FREE:
		reply(m, device_free(((const struct hetckpt_msg_free *)body)->address) ? 0 : 1, NULL, 0);
		break;
	case HETCKPT_MSG_COPY: run_copy(m); break;
	case HETCKPT_MSG_FILL: {
		const struct hetckpt_msg_fill *f = body;

		CHECK(f->element == 1 || f->element == 2 || f->element == 4);
		for (uint64_t y = 0; y < f->height; y++)
			for (uint64_t x = 0; x < f->width; x++)
				memcpy((unsigned char *)f->dst + y * f->pitch + x * f->element, &f->value, f->element);
		break;
	}
	case HETCKPT_MSG_MEM_INFO:
		pair[0] = ARENA_BYTES / 2;
		pair[1] = ARENA_BYTES;
		reply(m, 0, pair, sizeof pair);
		break;
	case HETCKPT_MSG_MODULE_LOAD: reply(m, 0, NULL, 0); break;
	case HETCKPT_MSG_FUNCTION_GET: run_function_get(m); break;
	case HETCKPT_MSG_FUNCTION_SET:
		reply(m, ((const struct hetckpt_msg_function_set *)body)->value > (96 << 10), NULL, 0);
		break;
	case HETCKPT_MSG_DEVICE_LIMIT:
		reply(m, ((const struct hetckpt_msg_limit *)body)->value > 512 << 10, NULL, 0);
		break;
	case HETCKPT_MSG_VARIABLE_GET:
		if (!variable)
			variable = device_malloc(VARIABLE_BYTES);
		pair[0] = variable;
		pair[1] = VARIABLE_BYTES;
		reply(m, 0, pair, sizeof pair);
		break;
	case HETCKPT_MSG_LAUNCH:
		if (((const struct hetckpt_msg_launch *)body)->function == 1)
			kernel_add(body);
		break;
	case HETCKPT_MSG_EVENT_CREATE:
		memset(&events[e->event % 8192], 0, sizeof *events);
		events[e->event % 8192].id = e->event;
		break;
	case HETCKPT_MSG_EVENT_RECORD:
		clock_gettime(CLOCK_MONOTONIC, &now);
		events[event_of(e->event)].when = (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
		events[event_of(e->event)].done++;
		break;
	case HETCKPT_MSG_EVENT_ELAPSED:
		ms = (float)(events[event_of(e->event2)].when - events[event_of(e->event)].when);
		reply(m, events[event_of(e->event)].pending ? 0 : 400, &ms, sizeof ms);
		break;
	case HETCKPT_MSG_DEVICE_INFO: run_device_info(m); break;
	case HETCKPT_MSG_OCCUPANCY:
		number = 2048 / ((const struct hetckpt_msg_occupancy *)body)->threads;
		if (((const struct hetckpt_msg_occupancy *)body)->dynamic_shared)
			while (number * ((const struct hetckpt_msg_occupancy *)body)->dynamic_shared > 128 << 10)
				number--;
		reply(m, 0, &number, sizeof number);
		break;
	case HETCKPT_MSG_DEVICE_RESET:
		allocation_count = 0;
		variable = 0;
		reply(m, 0, NULL, 0);
		break;
	default: reply(m, 0, NULL, 0); break;
	}
}

/* What a command waits for, given the streams that hold (as a bit set by number). */
static bool is_ready(struct command *c, bool anything_before, const unsigned char *holding)
{
	const struct hetckpt_msg *m = c->msg;
	const struct hetckpt_msg_event *e = (const void *)(m + 1);
	const struct hetckpt_msg_stream *s = (const void *)(m + 1);

	switch (m->type) {
	case HETCKPT_MSG_DEVICE_SYNC:
	case HETCKPT_MSG_DEVICE_RESET:
	case HETCKPT_MSG_FREE:
		return !anything_before;
	case HETCKPT_MSG_EVENT_SYNC:
		return events[event_of(e->event)].done == events[event_of(e->event)].pending;
	case HETCKPT_MSG_STREAM_WAIT:
		return !holding[m->stream] && events[event_of(s->event)].done >= c->records;
	default:
		return !holding[m->stream];
	}
}

static bool is_stream_command(uint32_t type)
{
	return type == HETCKPT_MSG_COPY || type == HETCKPT_MSG_FILL || type == HETCKPT_MSG_LAUNCH ||
	       type == HETCKPT_MSG_STREAM_SYNC || type == HETCKPT_MSG_STREAM_WAIT ||
	       type == HETCKPT_MSG_EVENT_RECORD || type == HETCKPT_MSG_HOST_CALL;
}

/* Goes through what is waiting, oldest first. */
static void work(void)
{
	static unsigned char holding[65536];
	bool again = true;

	while (again && !held) {
		struct command **link = &first;
		bool before = false;

		again = false;
		memset(holding, 0, sizeof holding);
		while (*link) {
			struct command *c = *link;
			struct hetckpt_msg *m = c->msg;

			if (!c->called && is_ready(c, before, holding)) {
				if (m->type == HETCKPT_MSG_HOST_CALL) {
					counts[m->type]++;
					c->called = true;
					reply(m, 0, NULL, 0);
				} else {
					run(m);
					*link = c->next;
					if (!*link)
						last = link;
					free(m);
					free(c);
					again = true;
					continue;
				}
			}
			before = true;
			if (is_stream_command(m->type))
				holding[m->stream] = 1;
			link = &c->next;
		}
	}
}

static void host_done(uint64_t token)
{
	for (struct command **link = &first; *link; link = &(*link)->next) {
		struct command *c = *link;

		if (c->called && ((struct hetckpt_msg_host *)(c->msg + 1))->token == token) {
			*link = c->next;
			if (!*link)
				last = link;
			free(c->msg);
			free(c);
			return;
		}
	}
	check_failed(__FILE__, __LINE__, "HOST_DONE of a call that was not made");
}

static void take(const struct hetckpt_msg *m, uint32_t bytes)
{
	const struct hetckpt_msg_event *e = (const void *)(m + 1);
	struct command *c;
	bool busy = false;

	CHECK(m->type < HETCKPT_MSG_COUNT && m->stream < 65536);
	switch (m->type) {
	case HETCKPT_MSG_HOST_DONE:
		host_done(((const struct hetckpt_msg_host *)(m + 1))->token);
		return;
	case HETCKPT_MSG_STREAM_QUERY:
		for (c = first; c; c = c->next)
			busy |= is_stream_command(c->msg->type) && c->msg->stream == m->stream;
		reply(m, busy ? NOT_READY : 0, NULL, 0);
		return;
	case HETCKPT_MSG_EVENT_QUERY:
		reply(m, events[event_of(e->event)].done == events[event_of(e->event)].pending ? 0 : NOT_READY,
		      NULL, 0);
		return;
	case HETCKPT_MSG_EVENT_RECORD:
		events[event_of(e->event)].pending++;
		break;
	default:
		/* Answered at once whatever the streams do. */
		if (!is_stream_command(m->type) && m->type != HETCKPT_MSG_DEVICE_SYNC &&
		    m->type != HETCKPT_MSG_DEVICE_RESET && m->type != HETCKPT_MSG_FREE &&
		    m->type != HETCKPT_MSG_EVENT_SYNC) {
			run(m);
			return;
		}
	}
	c = calloc(1, sizeof *c);
	c->msg = malloc(bytes);
	memcpy(c->msg, m, bytes);
	if (m->type == HETCKPT_MSG_STREAM_WAIT)
		c->records = events[event_of(((const struct hetckpt_msg_stream *)(m + 1))->event)].pending;
	*last = c;
	last = &c->next;
}

static void *worker(void *unused)
{
	struct hetckpt_ring ring;

	CHECK_INT(hetckpt_ring_claim(&ring, &session, 0), 0);
	for (;;) {
		uint32_t ticket = hetckpt_ring_ticket(&ring), bytes;
		const struct hetckpt_msg *m;

		if (hetckpt_session_failed(&session))
			return NULL;
		if (!closed) {
			int result;

			while (!(result = hetckpt_ring_peek(&ring, &m, &bytes))) {
				take(m, bytes);
				CHECK_INT(hetckpt_ring_advance(&ring), 0);
			}
			CHECK_INT(result, -EAGAIN);
			work();
			hetckpt_ring_wait(&ring, ticket, 100, 50);
		} else {
			usleep(200);
		}
	}
}

void fake_start(void)
{
	pthread_t thread;

	CHECK(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/control.sock", dir);
	CHECK(mmap(ARENA, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
	           MAP_NORESERVE, -1, 0) == ARENA);
	/* Small rings, so that they fill up. */
	CHECK_INT(hetckpt_session_create(&session, 1 << 17, 16 << 20, 1024), 0);
	CHECK_INT(hetckpt_control_listen(path, &listener), 0);
	CHECK_INT(setenv("HETCKPT_SESSION", path, 1), 0);
	CHECK_INT(pthread_create(&thread, NULL, supervise, NULL), 0);
	CHECK_INT(pthread_create(&thread, NULL, worker, NULL), 0);
}

void *fake_fatbin(void)
{
	static struct { int magic, version; const void *data; void *more; } wrapper;
	static const char ptx[] = ".version 8.0\n.target sm_75\n.address_size 64\n";
	struct hetckpt_fatbin_part part = {HETCKPT_FATBIN_PTX, 75, ptx, sizeof ptx - 1};
	unsigned char *container;
	uint64_t bytes;

	CHECK_INT(hetckpt_fatbin_write(&part, 1, &container, &bytes), 0);
	wrapper.magic = 0x466243b1;
	wrapper.version = 1;
	wrapper.data = container;
	return &wrapper;
}
