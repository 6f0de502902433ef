/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cpu.h - between the CPU back end's own files. The CPU is two devices, cpu:0 and
 * cpu:1, independent of each other but for the cores they run on.
 *
 * Threads: each queue has one that carries out its commands in order; the device has a
 * pool that runs the blocks of launches. Lock order: device, then queue, then nothing.
 */
#ifndef HETCKPT_BACKENDS_CPU_H
#define HETCKPT_BACKENDS_CPU_H

#include <hetckpt/abi.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/backends/backend.h"

#define CUDA_ERROR_ILLEGAL_ADDRESS 700u
#define CUDA_ERROR_ASSERT 710u
#define CUDA_ERROR_LAUNCH_FAILURE 719u
#define CUDA_ERROR_NOT_SUPPORTED 801u

#define CPU_MAX_THREADS 1024u            /* a block */
#define CPU_SHARED_OPTIN (163u * 1024u)  /* most shared memory a block */
#define CPU_MAX_BARRIERS 16u

extern const struct hetckpt_backend hetckpt_backend_cpu; /* backend.c */

/* ---- Blocks in flight (block.c, schedule.c, warp.c) ---------------------- */

struct cpu_launch;
struct cpu_worker;

/* Where a thread of a block stands. */
enum cpu_phase { CPU_READY, CPU_WAITING, CPU_SPINNING, CPU_ENDED };

/* One block that a pool thread is running, with the memory for it. */
struct cpu_slot {
	struct hetckpt_cpu_block block;
	struct cpu_launch *launch;       /* NULL: the slot is free */
	const struct hetckpt_cpu_function *function;
	uint32_t logical[3];             /* logical block id, for messages; of the first of blocks side by side */
	bool uniform;                    /* all threads are ready at site */
	uint32_t site;
	uint8_t *phase;                  /* enum cpu_phase[threads] */
	uint32_t arrived[CPU_MAX_BARRIERS]; /* by BAR_ARRIVE */
	uint32_t *order;                 /* permutation of threads, random schedules only */
	uint64_t random;                 /* state of the schedule's generator; 0: in order */
	char *memory;                    /* everything above that is per thread, and shared memory */
	size_t memory_bytes;
	char *text;                      /* output of vprintf not yet written */
	size_t text_bytes, text_room;
	char failure[256];               /* set with block.fault */
};

enum cpu_outcome { CPU_BLOCK_DONE, CPU_BLOCK_YIELDS, CPU_BLOCK_FAULT };

/* Bytes of memory that a block takes. */
size_t cpu_slot_bytes(const struct hetckpt_cpu_function *function, uint32_t threads,
                      uint32_t dynamic_shared);

/* Makes slot ready to run block (linear hardware id) of launch. 0 or -ENOMEM. */
int cpu_slot_begin(struct cpu_slot *slot, struct cpu_launch *launch, uint64_t block);
void cpu_slot_end(struct cpu_slot *slot);
/* Moves a slot whose function has no sites, and so no state, to another block. */
void cpu_slot_locate(struct cpu_slot *slot, uint64_t block);
/* Linear logical block id. */
uint64_t cpu_slot_linear(const struct cpu_slot *slot);
void cpu_slot_free(struct cpu_slot *slot);

/* Runs the block until it has ended, or all that is left of it spins. After a fault the
   slot's block.fault and failure say what happened. */
enum cpu_outcome cpu_slot_run(struct cpu_slot *slot);
/* Says why a thread of it ended the launch, if that has not been said. */
enum cpu_outcome cpu_slot_fault(struct cpu_slot *slot);

/*
 * Answers a warp operation: lanes is the set that takes part, first the thread id of
 * lane 0. All of them stand at a site with operation op. Only reads and writes the
 * lanes' elements of the block's arrays.
 */
void cpu_warp_answer(struct hetckpt_cpu_block *block, const struct hetckpt_cpu_site *site,
                     uint32_t first, uint32_t lanes, uint32_t mask);
bool cpu_op_is_warp(uint32_t op);

/* A shuffle with constant operands by all lanes of the block's first warps warps. */
void cpu_shuffle_all(struct hetckpt_cpu_block *block, const struct hetckpt_cpu_site *site,
                     uint32_t warps);

extern const struct hetckpt_cpu_services cpu_services; /* print.c */
void cpu_text_flush(struct cpu_slot *slot);

/* ---- Modules (module.c, translator.c) ------------------------------------ */

struct hetckpt_kernel {
	struct hetckpt_module *module;
	const struct hetckpt_cpu_function *function;
	enum hetckpt_variant variant;
	const char *name;            /* of the original */
	const char *signature;       /* for people */
	uint32_t record_offset;      /* of the launch record in the parameters; 0: none */
	bool spins;                  /* threads wait for memory: blocks must overlap */
	hetckpt_cpu_beside_fn *beside; /* NULL: none */
	_Atomic uint32_t pace[HETCKPT_CPU_PACES]; /* what its blocks begin with */
	uint32_t max_threads;
};

/* Code in memory. */
struct cpu_library {
	void *handle;                /* of dlopen */
	int fd;
};
#define CPU_NO_LIBRARY ((struct cpu_library){NULL, -1})

/* Kernels whose code was made together. */
struct cpu_code {
	struct cpu_code *next;
	struct cpu_library library;
	const struct hetckpt_cpu_module *module;
	struct hetckpt_kernel *kernel; /* one per function */
};

struct hetckpt_module {
	struct hetckpt_device *device;
	struct hetckpt_module_source source;
	struct cpu_code *code;
	uint64_t variables;
	bool by_kernel;              /* code is made for each kernel when it is first wanted */
};

/* Begins to load what cpu_code_load will need, without waiting for it. */
void cpu_code_prepare(void);
/* True if code should be made for one kernel at a time. */
bool cpu_code_by_kernel(const struct hetckpt_module_source *source);
/* Makes or finds code for source, for one kernel or for all (NULL). *library is the caller's to close,
   and *code lives as long. */
int cpu_code_load(const struct hetckpt_module_source *source, const char *kernel, struct cpu_library *library,
                  const struct hetckpt_cpu_module **code, struct hetckpt_error *error);

void cpu_library_close(struct cpu_library *library);

/* ---- Pool (pool.c, fault.c) ------------------------------------------------ */

struct cpu_launch {
	struct hetckpt_device *device;
	struct hetckpt_kernel *kernel;
	uint32_t grid[3], block[3];
	uint32_t threads, dynamic_shared;
	uint64_t total;              /* blocks */
	uint64_t stride, shift;      /* block k of the order is (k * stride + shift) mod total */
	const char *params;
	const struct hetckpt_launch *record; /* in params, or NULL */
	uint32_t in_flight;          /* most blocks of it that a pool thread holds at once */
	atomic_uint_fast64_t next;   /* of the order, to be begun */
	atomic_uint_fast64_t left;   /* blocks that have not ended */
	atomic_bool failed;
	struct hetckpt_error error;  /* valid once failed, and only then written, by one thread */
	pthread_mutex_t error_lock;
	bool done;                   /* under the device's lock */
	pthread_cond_t done_cond;
	struct cpu_launch *link;     /* of the device's active launches */
};

struct cpu_pool {
	unsigned threads;
	struct cpu_worker *worker;
	struct cpu_launch *active;   /* launches with blocks to begin; device's lock */
	pthread_cond_t work;         /* active may have become non-empty, or stop */
	atomic_bool stop;
};

int cpu_pool_start(struct hetckpt_device *device, struct hetckpt_error *error);
void cpu_pool_stop(struct hetckpt_device *device);

/* Runs a launch to its end. 0, or the launch's error. */
int cpu_pool_run(struct hetckpt_device *device, struct cpu_launch *launch);

/* Blocks of a function that a pool thread may hold at once, and all of them together. */
uint32_t cpu_pool_in_flight(const struct hetckpt_kernel *kernel, uint32_t threads,
                            uint32_t dynamic_shared);

/* Marks the launch as failed, if it is not; the first cause stays. */
void cpu_launch_fail(struct cpu_launch *launch, uint32_t cuda, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Faults. Between guard and unguard, a fault of the calling thread makes the
 * sigsetjmp on guard->env return the signal's number;
 * faults of threads that are not guarded go to the handlers that were there before.
 */
struct cpu_guard {
	sigjmp_buf env;
	volatile sig_atomic_t active; /* 2: in a service, where only a real fault jumps */
	int code;        /* si_code */
	uintptr_t address;
};
#define CPU_SIGNAL_STOP SIGRTMAX /* ends the block of a pool thread that is to stop */

int cpu_fault_install(void);
/* Gives the calling thread a stack for handlers; guard must outlive it. */
int cpu_fault_thread(struct cpu_guard *guard, char *stack, size_t bytes);
void cpu_fault_thread_end(void);
/* Around what must not be left half done by CPU_SIGNAL_STOP. */
void cpu_fault_hold(bool on);

/* ---- Device (backend.c, memory.c, queue.c, transfer.c) -------------------- */

struct hetckpt_device {
	unsigned index;
	uint64_t arena_base, arena_bytes;
	struct hetckpt_backend_host host;
	uint64_t opened;             /* CLOCK_MONOTONIC, ns */
	pthread_mutex_t lock;
	pthread_cond_t changed;      /* a marker has completed */
	atomic_bool failed;
	struct hetckpt_error error;  /* of the first failure; lock */
	struct cpu_pool pool;
	uint64_t schedule;           /* seed of random schedules; 0: in order */
	uint64_t mapped;             /* bytes; lock */
	uint64_t total;              /* bytes that may be mapped */
	unsigned char *granules;     /* bitmap of the arena's granules that are mapped; lock */
};

uint64_t cpu_now(const struct hetckpt_device *device);
unsigned cpu_count(void);
uint64_t cpu_memory_total(void);
uint64_t cpu_memory_free(void);

/* Makes the device fail for good with this error; the first one stays. */
void cpu_device_fail(struct hetckpt_device *device, const struct hetckpt_error *error);
/* 0, or -EIO and the device's error. */
int cpu_device_check(struct hetckpt_device *device, struct hetckpt_error *error);

int cpu_map(struct hetckpt_device *device, uint64_t address, uint64_t bytes, struct hetckpt_error *error);
int cpu_unmap(struct hetckpt_device *device, uint64_t address, uint64_t bytes,
              struct hetckpt_error *error);
void cpu_unmap_all(struct hetckpt_device *device);

/* peer.c */
int cpu_share(struct hetckpt_device *device, uint64_t address, uint64_t bytes, bool open,
              struct hetckpt_share *shares, size_t room, size_t *count, struct hetckpt_error *error);
int cpu_peer_open(struct hetckpt_device *device, const struct hetckpt_share *share, struct hetckpt_peer **peer,
                  struct hetckpt_error *error);
void cpu_peer_close(struct hetckpt_device *device, struct hetckpt_peer *peer);
int cpu_peer_copy(struct hetckpt_queue *queue, struct hetckpt_peer *peer, uint64_t offset, uint64_t dst,
                  uint64_t bytes, struct hetckpt_error *error);

void cpu_copy(const struct hetckpt_copy *copy);
void cpu_fill(const struct hetckpt_fill *fill);

int cpu_queue_create(struct hetckpt_device *device, int priority, struct hetckpt_queue **queue,
                     struct hetckpt_error *error);
void cpu_queue_destroy(struct hetckpt_queue *queue);
int cpu_queue_copy(struct hetckpt_queue *queue, const struct hetckpt_copy *copy,
                   struct hetckpt_error *error);
int cpu_queue_fill(struct hetckpt_queue *queue, const struct hetckpt_fill *fill,
                   struct hetckpt_error *error);
int cpu_queue_launch(struct hetckpt_queue *queue, const struct hetckpt_launch_command *launch,
                     struct hetckpt_error *error);
int cpu_queue_wait(struct hetckpt_queue *queue, struct hetckpt_marker *marker,
                   struct hetckpt_error *error);
int cpu_record(struct hetckpt_queue *queue, struct hetckpt_marker **marker, struct hetckpt_error *error);
int cpu_marker_query(struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error);
int cpu_marker_wait(struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error);
void cpu_marker_release(struct hetckpt_marker *marker);

int cpu_module_load(struct hetckpt_device *device, const struct hetckpt_module_source *source,
                    struct hetckpt_module **module, struct hetckpt_error *error);
void cpu_module_unload(struct hetckpt_device *device, struct hetckpt_module *module);
int cpu_kernel_get(struct hetckpt_module *module, const char *name, enum hetckpt_variant variant,
                   struct hetckpt_kernel **kernel, struct hetckpt_kernel_facts *facts,
                   struct hetckpt_error *error);
int cpu_occupancy(struct hetckpt_kernel *kernel, uint32_t threads, uint32_t dynamic_shared,
                  struct hetckpt_occupancy *occupancy, struct hetckpt_error *error);

#endif
