/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * device.h - what the files of the CUDA back end share.
 *
 * Threads: the core serialises calls on a device; beside them run poke (any thread) and
 * the back end's watcher. What the watcher touches (queues' lists of markers, markers,
 * pool of events, clock) is under device->lock; poke has a lock of its own, so that
 * neither waits for the other; everything else belongs to the serialised calls.
 *
 * Contexts: each device has its own primary context, pushed by each operation and popped
 * at its end (cuda_enter, cuda_leave), so several devices live in one process and a
 * caller's own context stays as it was.
 */
#ifndef HETCKPT_BACKENDS_CUDA_DEVICE_H
#define HETCKPT_BACKENDS_CUDA_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "driver.h"
#include "hetckpt/abi.h"
#include "runtime/backends/backend.h"

/* ---- Memory (memory.c) -------------------------------------------------- */

/* Physical memory and where it is mapped; address and bytes are whole granules. */
struct cuda_piece {
	uint64_t address, bytes;
	cu_handle handle;
	uint64_t used; /* granules that the core has mapped; the others are kept for later */
	bool mapped;   /* false only if giving it back failed half way */
	uint64_t serial;
};

struct cuda_memory {
	uint64_t base, bytes;     /* the arena's range, reserved */
	unsigned char *granule;   /* enum granule_state, one byte each */
	struct cuda_piece *piece; /* sorted by address */
	size_t pieces, room;
	bool exportable;          /* handles can be shared as file descriptors */
	uint64_t serial;          /* of the piece made last */
};

/* ---- Transfers (host.c, staging.c) -------------------------------------- */

struct cuda_host_range {
	uint64_t address, bytes;
};

struct cuda_host {
	struct cuda_host_range *range; /* registered with the driver, unsorted */
	size_t ranges, room;
};

#define CUDA_STAGING_SLOTS 16u
#define CUDA_STAGING_BYTES ((size_t)512 << 10) /* a slot */

struct cuda_staging {
	unsigned char *memory; /* page-locked; NULL until first used */
	cu_event event[CUDA_STAGING_SLOTS];
	bool busy[CUDA_STAGING_SLOTS];
	unsigned next;
	bool refused;          /* could not be made; do not try again */
};

/* ---- Queues and markers (queue.c, marker.c, watcher.c, clock.c) ---------- */

struct hetckpt_marker {
	struct hetckpt_device *device;
	cu_event event;
	struct hetckpt_marker *next; /* in the queue's list */
	uint64_t sequence;           /* order of all records of the device */
	unsigned references;
	bool done, bad;              /* bad: the device failed before it was reached */
	uint64_t when;
};

struct hetckpt_queue {
	struct hetckpt_device *device;
	struct hetckpt_queue *next;
	cu_stream stream;
	struct hetckpt_marker *first, **last; /* recorded, the watcher has not seen them done */
	bool ended;                  /* destroyed by the core; freed when the list is empty */
	uint64_t waited;             /* highest sequence of a marker it was told to wait for */
};

/*
 * The device's time. cuEventElapsedTime gives single precision milliseconds, which are
 * good to half a microsecond over no more than 8 seconds, so times are measured from an
 * anchor event that is renewed every few seconds.
 */
struct cuda_clock {
	cu_stream stream;
	cu_event anchor, candidate;
	uint64_t anchor_ns;   /* device time of the anchor since open */
	uint64_t anchor_host; /* CLOCK_MONOTONIC when it was recorded */
	uint64_t candidate_host;
	bool pending;         /* the candidate is recorded and not yet the anchor */
};

struct cuda_poke {
	pthread_mutex_t lock;
	cu_stream stream;
	cu_event event;
	unsigned char *buffer; /* page-locked, POKE_IMAGES * HETCKPT_FLAG_BYTES */
};

/* ---- Modules (module.c, code.c, variables.c, kernel.c) ------------------- */

struct hetckpt_kernel {
	struct hetckpt_module *module;
	const struct hetckpt_map_kernel *map;
	enum hetckpt_variant variant;
	cu_function function;   /* NULL: the module does not have it */
	uint32_t param_bytes;   /* of the buffer that launch is given */
	bool by_run;            /* an original that is launched as its run variant */
	bool own_variables;     /* an original that works on the native variables */
	struct hetckpt_kernel_facts facts;
};

/* A variable of the module in native storage and in the arena block. */
struct cuda_variable {
	cu_address native;
	uint64_t offset, bytes;
};

/* A copy or fill in a queue that changes the block and has not been seen done. */
struct cuda_change {
	struct hetckpt_queue *queue; /* only compared */
	struct hetckpt_marker *marker;
};

struct hetckpt_module {
	struct hetckpt_device *device;
	struct hetckpt_module *next;
	cu_module handle;
	const struct hetckpt_map *map;
	uint64_t variables, variable_bytes;
	struct hetckpt_kernel *kernel; /* three of each kernel of the map, in its order */
	struct cuda_variable *constant, *plain;
	unsigned constants, plains;
	/* Constants: is native storage like the arena block? See variables.c. */
	bool unsettled, stale;
	struct cuda_change *change;
	size_t changes, change_room;
	struct hetckpt_marker *mirrored;
	struct hetckpt_queue *mirrored_in; /* only compared */
	/* The last launch that works on the native variables. */
	struct hetckpt_marker *exclusive;
};

/* ---- The device ---------------------------------------------------------- */

struct hetckpt_device {
	const struct cuda_driver *api;
	unsigned index;
	cu_device ordinal;
	cu_context context;
	struct hetckpt_device_facts facts;
	uint64_t max_pitch;
	struct hetckpt_backend_host host_calls;

	pthread_mutex_t failure_lock;
	atomic_bool failed;
	struct hetckpt_error failure; /* the first cause; code -EIO */

	struct cuda_memory memory;
	struct cuda_host host;
	struct cuda_staging staging;
	struct hetckpt_module *modules;
	cu_address no_flags;          /* flag lines that are never raised */
	int priority_lowest, priority_highest; /* for queues */

	pthread_mutex_t lock;
	pthread_cond_t wake;          /* of the watcher */
	pthread_t watcher;
	bool watching, stop;
	struct hetckpt_queue *queues;
	size_t outstanding;           /* markers in all lists */
	cu_event *pool;
	size_t pooled, pool_room;
	uint64_t sequence;
	struct cuda_clock clock;
	atomic_bool prints;           /* a module calls printf */
	_Atomic uint64_t hurry_until; /* the watcher polls without rest until then */

	struct cuda_poke poke;
};

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t cuda_now(void);

/* Between two looks at something that is about to change. */
static inline void cuda_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* ---- Errors (device.c) --------------------------------------------------- */

/*
 * 0 if result is CU_OK. Otherwise fills error with "cuda:0: WHAT: NAME (NUMBER)" and
 * returns its code; a lasting result makes the device failed, and then the first cause
 * is what is told, -EIO.
 */
int cuda_check(struct hetckpt_device *device, cu_result result, struct hetckpt_error *error,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* -EIO and the first cause if the device has failed. */
int cuda_failed(struct hetckpt_device *device, struct hetckpt_error *error);

/*
 * Begins an operation: refuses on a failed device, makes its context current. cuda_leave
 * ends it; call it exactly if cuda_enter returned 0.
 */
int cuda_enter(struct hetckpt_device *device, struct hetckpt_error *error);
void cuda_leave(struct hetckpt_device *device);

/* ---- Parts of open and close: with the context current --------------------- */

int cuda_memory_init(struct hetckpt_device *device, uint64_t base, uint64_t bytes, struct hetckpt_error *error);
/* May be called without a context, and more than once: frees what it can. */
void cuda_memory_destroy(struct hetckpt_device *device);
int cuda_poke_init(struct hetckpt_device *device, struct hetckpt_error *error);
void cuda_poke_destroy(struct hetckpt_device *device);
int cuda_clock_init(struct hetckpt_device *device, struct hetckpt_error *error);
void cuda_clock_destroy(struct hetckpt_device *device);
int cuda_watcher_start(struct hetckpt_device *device, struct hetckpt_error *error);
void cuda_watcher_stop(struct hetckpt_device *device);
/* Queues that the core left, their markers, and the pool. The watcher has stopped. */
void cuda_queues_destroy(struct hetckpt_device *device);
void cuda_staging_destroy(struct hetckpt_device *device);

/* ---- Operations of the table ----------------------------------------------- */

int cuda_map(struct hetckpt_device *device, uint64_t address, uint64_t bytes, struct hetckpt_error *error);
int cuda_unmap(struct hetckpt_device *device, uint64_t address, uint64_t bytes, struct hetckpt_error *error);
int cuda_host_register(struct hetckpt_device *device, void *address, uint64_t bytes, struct hetckpt_error *error);
void cuda_host_unregister(struct hetckpt_device *device, void *address);
int cuda_module_load(struct hetckpt_device *device, const struct hetckpt_module_source *source,
                     struct hetckpt_module **module, struct hetckpt_error *error);
void cuda_module_unload(struct hetckpt_device *device, struct hetckpt_module *module);
int cuda_kernel_get(struct hetckpt_module *module, const char *name, enum hetckpt_variant variant,
                    struct hetckpt_kernel **kernel, struct hetckpt_kernel_facts *facts,
                    struct hetckpt_error *error);
int cuda_occupancy(struct hetckpt_kernel *kernel, uint32_t threads, uint32_t dynamic_shared,
                   struct hetckpt_occupancy *occupancy, struct hetckpt_error *error);
int cuda_queue_create(struct hetckpt_device *device, int priority, struct hetckpt_queue **queue,
                      struct hetckpt_error *error);
void cuda_queue_destroy(struct hetckpt_queue *queue);
int cuda_copy(struct hetckpt_queue *queue, const struct hetckpt_copy *copy, struct hetckpt_error *error);
int cuda_fill(struct hetckpt_queue *queue, const struct hetckpt_fill *fill, struct hetckpt_error *error);
int cuda_launch(struct hetckpt_queue *queue, const struct hetckpt_launch_command *launch,
                struct hetckpt_error *error);
int cuda_queue_wait(struct hetckpt_queue *queue, struct hetckpt_marker *marker, struct hetckpt_error *error);
int cuda_record(struct hetckpt_queue *queue, struct hetckpt_marker **marker, struct hetckpt_error *error);
int cuda_marker_query(struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error);
int cuda_marker_wait(struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error);
void cuda_marker_release(struct hetckpt_marker *marker);
int cuda_poke(struct hetckpt_device *device, uint64_t address, const void *source, size_t bytes, unsigned images,
              struct hetckpt_error *error);
int cuda_share(struct hetckpt_device *device, uint64_t address, uint64_t bytes, bool open,
               struct hetckpt_share *shares, size_t room, size_t *count, struct hetckpt_error *error);
int cuda_peer_open(struct hetckpt_device *device, const struct hetckpt_share *share, struct hetckpt_peer **peer,
                   struct hetckpt_error *error);
void cuda_peer_close(struct hetckpt_device *device, struct hetckpt_peer *peer);
int cuda_peer_copy(struct hetckpt_queue *queue, struct hetckpt_peer *peer, uint64_t offset, uint64_t dst,
                   uint64_t bytes, struct hetckpt_error *error);

/* ---- Between the files ------------------------------------------------------- */

/* Markers, with device->lock held: looks whether it is reached; drops a reference. */
void cuda_marker_look(struct hetckpt_marker *marker);
void cuda_marker_put(struct hetckpt_marker *marker);

/* Looks, without the lock: true if reached (or never will be). */
bool cuda_marker_reached(struct hetckpt_marker *marker);

/* Device time of an event that is complete; device->lock held. */
uint64_t cuda_clock_time(struct hetckpt_device *device, cu_event event);

/* True if all of [address, address + bytes) was registered. */
bool cuda_host_registered(const struct hetckpt_device *device, uint64_t address, uint64_t bytes);

/*
 * Copies pageable memory of at most CUDA_STAGING_BYTES to the device by way of a
 * page-locked buffer of its own, so that the call need not wait for what stands before
 * it in the queue. -EAGAIN (error not filled): no buffer is free; use the driver's way.
 */
int cuda_staged_copy(struct hetckpt_queue *queue, uint64_t dst, const void *src, size_t bytes,
                     struct hetckpt_error *error);

/* Native code of a module: see code.c. data is free()d by the caller. */
struct cuda_code {
	uint32_t kind, arch; /* enum hetckpt_fatbin_kind; 90 for sm_90 */
	unsigned char *data;
	uint64_t bytes;
};
int cuda_code_find(const struct hetckpt_device *device, const struct hetckpt_module_source *source,
                   struct cuda_code *code, struct hetckpt_error *error);

/* Fills in a kernel whose function is known: attributes, largest dynamic memory. */
int cuda_kernel_init(struct hetckpt_kernel *kernel, struct hetckpt_error *error);

/* Finds the module's variables in native storage. */
int cuda_variables_init(struct hetckpt_module *module, struct hetckpt_error *error);
void cuda_variables_destroy(struct hetckpt_module *module);

/* A copy or fill in queue has just been issued that writes [address, address + bytes). */
int cuda_variables_changed(struct hetckpt_queue *queue, uint64_t address, uint64_t bytes,
                           struct hetckpt_error *error);

/* Before and after a launch of kernel in queue: brings native storage up to date, takes
   the results of kernels that work on it back. */
int cuda_variables_before(struct hetckpt_queue *queue, const struct hetckpt_kernel *kernel,
                          struct hetckpt_error *error);
int cuda_variables_after(struct hetckpt_queue *queue, const struct hetckpt_kernel *kernel,
                         struct hetckpt_error *error);

#endif
