/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The threads that run blocks.
 *
 * A pool thread runs one block at a time to its end. If the block only spins, waiting
 * for another block, the thread takes one more, as long as there are blocks that nobody
 * has begun and fewer than in_flight are held, and goes round all it holds. So up to
 * threads * in_flight blocks of a launch run side by side, and none starves.
 *
 * Pausing. Before a block begins, its entry word is read; if that is raised, its bit in
 * the record's byte is set instead. Blocks that have begun poll by themselves.
 */
#include "cpu.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)32 << 20) /* kernels may recurse, and have private arrays */
#define GUARD_BYTES ((size_t)1 << 20)  /* below it; frames with private arrays shall not step over */
#define SIGNAL_STACK_BYTES ((size_t)64 << 10)
/*
 * Blocks of a launch that a pool thread may hold at once. A cooperative grid that comes from a GPU
 * may have thousands of blocks that wait for each other, and all must be held; only memory limits it.
 */
#define MOST_IN_FLIGHT 4096u
#define IN_FLIGHT_BYTES ((size_t)1 << 30)  /* all pool threads together */
#define LEAST_IN_FLIGHT_BYTES ((size_t)64 << 20) /* a pool thread, if there are many */
#define KEPT_SLOTS 64u                     /* that keep their memory when their block has ended */

struct cpu_worker {
	struct hetckpt_device *device;
	pthread_t thread;
	bool started;
	struct cpu_guard guard;
	char *signal_stack;
	uintptr_t stack;            /* its lowest address */
	struct cpu_slot **slot;     /* room of them, or NULL where there was none yet */
	unsigned held, room;        /* slots in use, first in slot[] */
	/* Blocks that were taken but not begun, of one launch. */
	struct cpu_launch *launch;
	uint64_t first, end;
	uint64_t extra;             /* of them, ended with the block that a slot began with */
	/* How many blocks of a kernel run side by side at a time. */
	const struct hetckpt_kernel *kernel;
	uint32_t beside;
};

/* ---- Launches -------------------------------------------------------------- */

void cpu_launch_fail(struct cpu_launch *launch, uint32_t cuda, const char *format, ...)
{
	char text[HETCKPT_ERROR_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	pthread_mutex_lock(&launch->error_lock);
	if (!atomic_load(&launch->failed)) {
		hetckpt_error_set(&launch->error, -EIO, cuda, "kernel %.200s: %s", launch->kernel->signature,
		                  text);
		atomic_store(&launch->failed, true);
	}
	pthread_mutex_unlock(&launch->error_lock);
}

static void launch_finish(struct cpu_launch *launch, uint64_t blocks)
{
	struct hetckpt_device *device = launch->device;

	if (!blocks || atomic_fetch_sub(&launch->left, blocks) != blocks)
		return;
	pthread_mutex_lock(&device->lock);
	launch->done = true;
	pthread_cond_signal(&launch->done_cond);
	pthread_mutex_unlock(&device->lock);
}

static void launch_unlink(struct hetckpt_device *device, struct cpu_launch *launch)
{
	for (struct cpu_launch **p = &device->pool.active; *p; p = &(*p)->link)
		if (*p == launch) {
			*p = launch->link;
			return;
		}
}

/* True if the block with that number in the grid may begin. The entry word is looked at once a block. */
static bool number_may_begin(const struct hetckpt_launch *record, uint64_t linear)
{
	const char *line = (const char *)(uintptr_t)record->flags + linear % HETCKPT_FLAG_LINES * HETCKPT_FLAG_STRIDE;

	if (__atomic_load_n((const uint32_t *)(line + HETCKPT_FLAG_ENTRY), __ATOMIC_ACQUIRE) != HETCKPT_FLAG_PAUSE)
		return true;
	((uint8_t *)(uintptr_t)record->unstarted)[linear] = 1;
	return false;
}

/* The same of the slot's block. */
static bool may_begin(const struct cpu_slot *slot)
{
	const struct hetckpt_launch *record = slot->launch->record;

	return !record || number_may_begin(record, cpu_slot_linear(slot));
}

/* ---- A pool thread --------------------------------------------------------- */

/* Takes blocks of some launch that has any. more: only of launches whose limit allows
   this thread to hold more than it does. */
static bool take(struct cpu_worker *worker, bool more)
{
	struct hetckpt_device *device = worker->device;
	bool found = false;

	pthread_mutex_lock(&device->lock);
	for (struct cpu_launch *launch = device->pool.active, *next; launch && !found; launch = next) {
		uint64_t first, end, chunk;
		unsigned held = 0;

		next = launch->link;
		for (unsigned i = 0; i < worker->held; i++)
			held += worker->slot[i]->launch == launch;
		if (more && held >= launch->in_flight)
			continue;
		/* Few at a time where blocks may need each other, or are few. */
		first = atomic_load(&launch->next);
		chunk = launch->in_flight > 1 ? 1 : (launch->total - first) / (8 * device->pool.threads);
		chunk = chunk < 1 ? 1 : chunk > 256 ? 256 : chunk;
		end = first + chunk < launch->total ? first + chunk : launch->total;
		atomic_store(&launch->next, end);
		if (end == launch->total)
			launch_unlink(device, launch);
		if (first == end)
			continue;
		/* The next thread that looks starts with another launch. */
		if (end < launch->total && launch->link) {
			launch_unlink(device, launch);
			struct cpu_launch **tail = &device->pool.active;

			while (*tail)
				tail = &(*tail)->link;
			launch->link = NULL;
			*tail = launch;
		}
		worker->launch = launch;
		worker->first = first;
		worker->end = end;
		found = true;
	}
	pthread_mutex_unlock(&device->lock);
	return found;
}

static const char *fault_name(int number)
{
	switch (number) {
	case SIGFPE: return "arithmetic fault";
	case SIGILL: return "trap";
	case SIGBUS: return "bus error";
	default: return "invalid access to memory";
	}
}

/* The k-th block in the launch's order. */
static uint64_t block_at(const struct cpu_launch *launch, uint64_t k)
{
	if (!launch->stride)
		return k;
	return (uint64_t)(((unsigned __int128)k * launch->stride + launch->shift) % launch->total);
}

/* What the slot's block would be located by. */
static uint64_t hardware_block(const struct cpu_slot *slot)
{
	const uint32_t *at = slot->block.ctaid, *grid = slot->launch->grid;

	return at[0] + (uint64_t)grid[0] * (at[1] + (uint64_t)grid[1] * at[2]);
}

/*
 * Blocks side by side (abi.h). Rows of BESIDE_THREADS are long enough for prefetchers and short enough for
 * what several of them read to stay in a first-level cache. All of them are under way at a time, so a
 * pause waits for all: no more than take some BESIDE_NS together.
 */
#define BESIDE_THREADS 512u
#define BESIDE_NS 10000u

/* Most blocks that may run beside the slot's, which is one of them: neighbours of the same row of
   the grid that were taken with it. 0: it cannot run so at all. */
static uint32_t beside_most(const struct cpu_worker *worker, const struct cpu_slot *slot)
{
	const struct cpu_launch *launch = slot->launch;
	uint64_t taken = worker->end - worker->first + 1;
	uint32_t row = launch->grid[0] - slot->block.ctaid[0], n = BESIDE_THREADS / launch->block[0];

	if (!launch->kernel->beside || slot->random || launch->stride || launch->dynamic_shared ||
	    launch->kernel->variant == HETCKPT_VARIANT_RESUME)
		return 0;
	n = n < row ? n : row;
	if (n < 2)
		return 1;
	return n < taken ? n : (uint32_t)taken;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Runs the slot's block, and beside it as many of those behind it as is sensible. */
static enum cpu_outcome run_beside(struct cpu_worker *worker, struct cpu_slot *slot)
{
	struct cpu_launch *launch = slot->launch;
	uint32_t most = beside_most(worker, slot), n = 1;
	const struct hetckpt_launch *record = launch->record;
	uint64_t linear = cpu_slot_linear(slot), begin;
	enum cpu_outcome r;

	if (!most)
		return cpu_slot_run(slot);
	if (worker->kernel != launch->kernel) {
		worker->kernel = launch->kernel;
		worker->beside = 1;
	}
	most = most < worker->beside ? most : worker->beside;
	while (n < most) {
		worker->first++;
		worker->extra++;
		/* Of one that may not begin this is the end. Neighbours in x have neighbouring numbers. */
		if (record && !number_may_begin(record, linear + n))
			break;
		n++;
	}
	begin = now();
	r = launch->kernel->beside(&slot->block, n) == HETCKPT_CPU_ENDED ? CPU_BLOCK_DONE : cpu_slot_fault(slot);
	begin = now() - begin;
	if (begin < BESIDE_NS && n == worker->beside && worker->beside < BESIDE_THREADS)
		worker->beside *= 2;
	else if (begin > 2 * BESIDE_NS && worker->beside > 1)
		worker->beside /= 2;
	return r;
}

/* A function without sites: the slot's block, and then the others that were taken with
   it, for which the slot needs no more than to be moved. */
static enum cpu_outcome run_all(struct cpu_worker *worker, struct cpu_slot *slot)
{
	struct cpu_launch *launch = slot->launch;
	enum cpu_outcome r = run_beside(worker, slot);

	while (r == CPU_BLOCK_DONE && worker->first < worker->end) {
		if (slot->text_bytes)
			cpu_text_flush(slot);
		if (atomic_load_explicit(&launch->failed, memory_order_relaxed))
			break;
		cpu_slot_locate(slot, block_at(launch, worker->first++));
		worker->extra++;
		if (may_begin(slot))
			r = run_beside(worker, slot);
	}
	return r;
}

/* Runs the block in slot under guard. */
static enum cpu_outcome run_guarded(struct cpu_worker *worker, struct cpu_slot *slot)
{
	enum cpu_outcome r;
	int number = sigsetjmp(worker->guard.env, 0);

	if (number) {
		if (number == CPU_SIGNAL_STOP) {
			snprintf(slot->failure, sizeof slot->failure, "the device is being closed");
		} else if (!slot->block.fault) {
			slot->block.fault = number == SIGSEGV || number == SIGBUS ? CUDA_ERROR_ILLEGAL_ADDRESS
			                                                          : CUDA_ERROR_LAUNCH_FAILURE;
			if (number == SIGSEGV && worker->guard.address < worker->stack &&
			    worker->stack - worker->guard.address <= GUARD_BYTES)
				snprintf(slot->failure, sizeof slot->failure,
				         "a thread needs more than %u MiB of stack", (unsigned)(STACK_BYTES >> 20));
			else if (number == SIGSEGV && worker->guard.code == SI_KERNEL)
				snprintf(slot->failure, sizeof slot->failure,
				         "%s at an address that no machine has", fault_name(number));
			else
				snprintf(slot->failure, sizeof slot->failure, "%s at 0x%llx",
				         fault_name(number), (unsigned long long)worker->guard.address);
		}
		if (!slot->block.fault)
			slot->block.fault = CUDA_ERROR_LAUNCH_FAILURE;
		return CPU_BLOCK_FAULT;
	}
	worker->guard.active = 1;
	/* A stop that came before the guard was up had nowhere to jump to. */
	if (atomic_load_explicit(&worker->device->pool.stop, memory_order_relaxed))
		r = CPU_BLOCK_FAULT;
	else if (slot->function->sites)
		r = cpu_slot_run(slot);
	else
		r = run_all(worker, slot);
	worker->guard.active = 0;
	return r;
}

static void block_end(struct cpu_worker *worker, unsigned at)
{
	struct cpu_slot *slot = worker->slot[at];
	struct cpu_launch *launch = slot->launch;

	cpu_slot_end(slot);
	worker->slot[at] = worker->slot[worker->held - 1];
	worker->slot[--worker->held] = slot;
	if (worker->held >= KEPT_SLOTS) {
		cpu_slot_free(slot);
		free(slot);
		worker->slot[worker->held] = NULL;
	}
	launch_finish(launch, 1 + worker->extra);
	worker->extra = 0;
}

/* Runs the block at slot[at] for a while. True if it has ended. */
static bool step(struct cpu_worker *worker, unsigned at)
{
	struct cpu_slot *slot = worker->slot[at];
	enum cpu_outcome r = CPU_BLOCK_FAULT;

	if (!atomic_load_explicit(&slot->launch->failed, memory_order_relaxed)) {
		r = run_guarded(worker, slot);
		if (r == CPU_BLOCK_FAULT) {
			/* Of blocks side by side it may be another than the slot's. */
			cpu_slot_locate(slot, hardware_block(slot));
			cpu_launch_fail(slot->launch, slot->block.fault, "block %u,%u,%u: %s",
			                slot->logical[0], slot->logical[1], slot->logical[2], slot->failure);
		}
	}
	if (r == CPU_BLOCK_YIELDS)
		return false;
	block_end(worker, at);
	return true;
}

/* Where the next block that begins will be; NULL if there is no memory. */
static struct cpu_slot **next_slot(struct cpu_worker *worker)
{
	struct cpu_slot **slot;

	if (worker->held == worker->room) {
		unsigned room = worker->room ? 2 * worker->room : KEPT_SLOTS;

		slot = realloc(worker->slot, room * sizeof *slot);
		if (!slot)
			return NULL;
		memset(slot + worker->room, 0, (room - worker->room) * sizeof *slot);
		worker->slot = slot;
		worker->room = room;
	}
	slot = &worker->slot[worker->held];
	if (!*slot)
		*slot = calloc(1, sizeof **slot);
	return *slot ? slot : NULL;
}

/* Begins the next block that was taken. True if it then runs. */
static bool begin(struct cpu_worker *worker)
{
	struct cpu_launch *launch = worker->launch;
	uint64_t block = block_at(launch, worker->first++);
	struct cpu_slot **slot = next_slot(worker);

	if (atomic_load_explicit(&launch->failed, memory_order_relaxed)) {
		launch_finish(launch, 1);
		return false;
	}
	if (!slot || cpu_slot_begin(*slot, launch, block)) {
		cpu_launch_fail(launch, 2, "no memory for a block's frames");
		launch_finish(launch, 1);
		return false;
	}
	if (!may_begin(*slot)) {
		(*slot)->launch = NULL;
		launch_finish(launch, 1);
		return false;
	}
	worker->held++;
	return true;
}

/* All blocks spin, so far as one can see: a block that takes a lock, lets it go and
   waits for it again has done much, and looks the same. So never sleep, only let
   others have the core. */
static void relax(unsigned rounds)
{
	if (rounds < 4)
		__builtin_ia32_pause();
	else
		sched_yield();
}

static void work(struct cpu_worker *worker)
{
	struct hetckpt_device *device = worker->device;
	struct cpu_pool *pool = &device->pool;
	unsigned idle = 0;

	for (;;) {
		bool progress = false;

		/* Each block that is held gets a turn. */
		for (unsigned i = 0; i < worker->held;) {
			if (step(worker, i))
				progress = true;
			else
				i++;
		}
		/* If all of them spin, or there are none, one more is begun. */
		if (!progress &&
		    (worker->first < worker->end || take(worker, worker->held > 0))) {
			if (begin(worker))
				step(worker, worker->held - 1);
			progress = true;
		}
		if (progress) {
			idle = 0;
			continue;
		}
		if (worker->held) {
			relax(idle++);
			continue;
		}
		pthread_mutex_lock(&device->lock);
		while (!pool->active && !pool->stop)
			pthread_cond_wait(&pool->work, &device->lock);
		if (!pool->active) {
			pthread_mutex_unlock(&device->lock);
			return;
		}
		pthread_mutex_unlock(&device->lock);
	}
}

/* The lowest address of the calling thread's stack that it may use. */
static uintptr_t stack_end(void)
{
	pthread_attr_t attributes;
	size_t bytes = 0;
	void *low = NULL;

	if (pthread_getattr_np(pthread_self(), &attributes))
		return 0;
	pthread_attr_getstack(&attributes, &low, &bytes);
	pthread_attr_destroy(&attributes);
	return (uintptr_t)low;
}

static void *worker_main(void *argument)
{
	struct cpu_worker *worker = argument;

	worker->stack = stack_end();
	cpu_fault_thread(&worker->guard, worker->signal_stack, SIGNAL_STACK_BYTES);
	work(worker);
	cpu_fault_thread_end();
	return NULL;
}

/* ---- The pool --------------------------------------------------------------- */

unsigned cpu_count(void)
{
	const char *text = getenv("HETCKPT_CPU_THREADS");
	long n = text ? strtol(text, NULL, 10) : 0;
	cpu_set_t set;

	if (n < 1 || n > 4096)
		n = sched_getaffinity(0, sizeof set, &set) ? sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&set);
	return n < 1 ? 1 : (unsigned)n;
}

int cpu_pool_start(struct hetckpt_device *device, struct hetckpt_error *error)
{
	struct cpu_pool *pool = &device->pool;
	pthread_attr_t attributes;
	int rc = cpu_fault_install();

	if (rc)
		return hetckpt_error_set(error, rc, 0, "cpu:%u: fault handlers: %s", device->index, strerror(-rc));
	pool->threads = cpu_count();
	pool->worker = calloc(pool->threads, sizeof *pool->worker);
	if (!pool->worker)
		return hetckpt_error_set(error, -ENOMEM, 0, "cpu:%u: no memory for %u threads", device->index,
		                         pool->threads);
	pthread_cond_init(&pool->work, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES + GUARD_BYTES);
	pthread_attr_setguardsize(&attributes, GUARD_BYTES);
	for (unsigned i = 0; i < pool->threads && !rc; i++) {
		struct cpu_worker *w = &pool->worker[i];

		w->device = device;
		w->signal_stack = malloc(SIGNAL_STACK_BYTES);
		rc = w->signal_stack ? -pthread_create(&w->thread, &attributes, worker_main, w) : -ENOMEM;
		w->started = !rc;
	}
	pthread_attr_destroy(&attributes);
	if (rc) {
		cpu_pool_stop(device);
		return hetckpt_error_set(error, rc, 0, "cpu:%u: cannot start %u threads: %s", device->index,
		                         pool->threads, strerror(-rc));
	}
	return 0;
}

void cpu_pool_stop(struct hetckpt_device *device)
{
	struct cpu_pool *pool = &device->pool;

	if (!pool->worker)
		return;
	pthread_mutex_lock(&device->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&device->lock);
	for (unsigned i = 0; i < pool->threads; i++) {
		struct cpu_worker *w = &pool->worker[i];
		struct timespec until;

		if (!w->started)
			continue;
		/* A kernel that never ends is interrupted, again until it is seen. */
		for (;;) {
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += 50000000;
			if (until.tv_nsec >= 1000000000) {
				until.tv_nsec -= 1000000000;
				until.tv_sec++;
			}
			if (!pthread_timedjoin_np(w->thread, NULL, &until))
				break;
			pthread_kill(w->thread, CPU_SIGNAL_STOP);
		}
	}
	for (unsigned i = 0; i < pool->threads; i++) {
		struct cpu_worker *w = &pool->worker[i];

		for (unsigned k = 0; k < w->room; k++)
			if (w->slot[k]) {
				cpu_slot_free(w->slot[k]);
				free(w->slot[k]);
			}
		free(w->slot);
		free(w->signal_stack);
	}
	pthread_cond_destroy(&pool->work);
	free(pool->worker);
	pool->worker = NULL;
}

uint32_t cpu_pool_in_flight(const struct hetckpt_kernel *kernel, uint32_t threads, uint32_t dynamic_shared)
{
	size_t n = IN_FLIGHT_BYTES / kernel->module->device->pool.threads;

	if (!kernel->spins)
		return 1;
	n = (n > LEAST_IN_FLIGHT_BYTES ? n : LEAST_IN_FLIGHT_BYTES) /
	    cpu_slot_bytes(kernel->function, threads, dynamic_shared);
	return n < 1 ? 1 : n > MOST_IN_FLIGHT ? MOST_IN_FLIGHT : (uint32_t)n;
}

int cpu_pool_run(struct hetckpt_device *device, struct cpu_launch *launch)
{
	struct cpu_launch **tail = &device->pool.active;

	pthread_mutex_lock(&device->lock);
	while (*tail)
		tail = &(*tail)->link;
	launch->link = NULL;
	*tail = launch;
	pthread_cond_broadcast(&device->pool.work);
	while (!launch->done)
		pthread_cond_wait(&launch->done_cond, &device->lock);
	pthread_mutex_unlock(&device->lock);
	return atomic_load(&launch->failed) ? launch->error.code : 0;
}
