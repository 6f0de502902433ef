/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * backend.h - the table of operations that a back end implements, one a vendor.
 *
 * A back end is one const struct hetckpt_backend, registered once. The core does
 * everything that is not vendor-specific: it owns the arena's layout, streams and their
 * order, pausing and snapshots. A back end maps memory at addresses that it is told,
 * runs queues in order, and pokes words.
 *
 * THREADS. The core serialises all calls on one device, though they come from
 * different threads (a back end whose vendor binds contexts to threads binds it in
 * each call). The exception is poke: any thread, at any time between open and close,
 * while any other call on the device is running. Different devices are independent.
 *
 * BLOCKING. A call returns soon unless its comment says that it blocks.
 *
 * ERRORS. 0 or a negative errno, and then *error (never NULL) is filled: a line that
 * names the thing and the vendor's error code, and the cudaError_t for the application.
 * What goes wrong later in a queue (a kernel's fault) is reported by the markers of
 * that queue; a device that has failed returns -EIO from everything that touches it.
 *
 * OWNERSHIP. Pointers passed in are only read during the call, unless a comment says
 * longer. Objects made by a back end are opaque to the core and end with their
 * destroy or release operation; the core ends all of them before it closes the device.
 */
#ifndef HETCKPT_BACKENDS_BACKEND_H
#define HETCKPT_BACKENDS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/common/error.h"

#define HETCKPT_BACKEND_VERSION 4u

/* Unit of map and unmap: addresses and sizes are multiples. */
#define HETCKPT_GRANULE ((uint64_t)2 << 20)

struct hetckpt_map;      /* runtime/statemap/statemap.h */

/* A back end's own; it defines these, each in its own way. */
struct hetckpt_device;
struct hetckpt_module;
struct hetckpt_kernel;
struct hetckpt_queue;
struct hetckpt_marker;
struct hetckpt_peer;

/* ---- Facts ------------------------------------------------------------- */

struct hetckpt_device_facts {
	char name[256];          /* as the vendor calls it */
	char version[64];        /* driver or library version, may be empty */
	uint64_t total_bytes;    /* of device memory */
	uint64_t shared_per_block, shared_per_block_optin, shared_per_sm;
	uint32_t sm_count;       /* multiprocessors, or what comes closest */
	uint32_t clock_khz, memory_clock_khz, bus_width, l2_bytes;
	uint32_t max_threads_per_block, max_threads_per_sm, max_blocks_per_sm, regs_per_block;
	uint32_t major, minor;   /* CUDA compute capability that programs are told */
	uint32_t max_grid[3], max_block[3];
};

/* The code of a module, for module_load. Valid until module_unload. */
struct hetckpt_module_source {
	const void *fatbin;              /* the whole fat binary, as registered */
	size_t fatbin_bytes;
	const void *image;               /* the portable image in it (struct hetckpt_image_header) */
	size_t image_bytes;
	const struct hetckpt_map *map;   /* its state map */
	uint64_t variables;              /* arena address of the module's block of variables;
	                                    mapped, contents set later; 0 if it has none */
	uint64_t variable_bytes;
};

enum hetckpt_variant {
	HETCKPT_VARIANT_ORIGINAL,
	HETCKPT_VARIANT_RUN,    /* only kernels that the state map calls pausable */
	HETCKPT_VARIANT_RESUME
};

struct hetckpt_kernel_facts {
	uint32_t registers;          /* a thread; 0 where it has no meaning */
	uint32_t static_shared;      /* bytes */
	uint32_t local_bytes;        /* a thread */
	uint32_t const_bytes;
	uint32_t max_threads;        /* most threads a block that can be launched */
	uint32_t max_dynamic_shared; /* most dynamic shared bytes that launch accepts */
};

struct hetckpt_occupancy {
	uint32_t per_sm;   /* resident blocks a multiprocessor; 0: cannot run at all */
	uint32_t resident; /* blocks of this kernel that the whole device runs at once if none of
	                      their threads ends before the others. Blocks of a launch of at most
	                      this many that is alone on the device do all run side by side */
	uint32_t unfinished; /* most blocks of this kernel that have begun and not ended, an upper
	                      bound that holds always (frame tables have room for so many). More than
	                      resident where a multiprocessor gives away the places of threads that
	                      have ended while others of their block go on */
};

/* ---- Commands ---------------------------------------------------------- */

enum hetckpt_memory {
	HETCKPT_MEMORY_DEVICE, /* arena address */
	HETCKPT_MEMORY_HOST    /* address in this process; page-locked if host_register got it */
};

/* A box of depth slices of height rows of width bytes. 1-D: height = depth = 1. Pitches
   are in bytes; dst_slice and src_slice are the distances between slices. width, height
   and depth are at least 1. Source and destination do not overlap. */
struct hetckpt_copy {
	uint64_t dst, src;
	enum hetckpt_memory dst_memory, src_memory;
	uint64_t width, height, depth;
	uint64_t dst_pitch, dst_slice, src_pitch, src_slice;
};

/* height rows of width elements of 1, 2 or 4 bytes, in device memory; dst is aligned to
   the element. */
struct hetckpt_fill {
	uint64_t dst;
	uint64_t width, height, pitch;
	uint32_t element, value;
};

struct hetckpt_launch_command {
	struct hetckpt_kernel *kernel;
	uint32_t grid[3], block[3];
	uint32_t dynamic_shared;
	uint32_t flags;          /* HETCKPT_LAUNCH_FLAG_* */
	const void *params;      /* parameters at the state map's offsets; for run and resume
	                            variants followed, at the next multiple of 8, by struct
	                            hetckpt_launch. Copied before launch returns */
	uint32_t param_bytes;    /* with the launch record */
};
/* All blocks must run side by side; the core has checked that they fit. */
#define HETCKPT_LAUNCH_FLAG_COOPERATIVE 1u

/* ---- Limits ------------------------------------------------------------ */

/* What a program sets with cudaDeviceSetLimit, under the same numbers. */
enum hetckpt_limit {
	HETCKPT_LIMIT_STACK,       /* bytes of stack a thread, where the compiler does not know the need */
	HETCKPT_LIMIT_PRINTF,      /* bytes of the buffer of printf */
	HETCKPT_LIMIT_MALLOC_HEAP, /* bytes of the heap of malloc in kernels, which is the session's: no device
	                              is told */
	HETCKPT_LIMIT_COUNT
};

/* ---- Sharing ----------------------------------------------------------- */

/* A piece of device memory that a worker on another device of the machine may reach. */
struct hetckpt_share {
	uint64_t address, bytes; /* in the arena */
	uint64_t serial;         /* of this piece: what is mapped there later has another one */
	int fd;                  /* for peer_open, in any process; whoever has it closes it. -1: none */
};

/* ---- Open -------------------------------------------------------------- */

struct hetckpt_backend_host {
	/* Tells the core that a marker may have completed. Any thread; returns at once; may
	   be called too often, and must be called after marker_query would say so. */
	void (*completed)(void *context);
	void *context;
};

/* completed() is called for every marker. Without this flag the core polls. */
#define HETCKPT_BACKEND_NOTIFIES 1u
/* Kernels run on processors of their own: a thread of the host that waits awake takes nothing from
   them. */
#define HETCKPT_BACKEND_APART 2u
/* Launches of two queues share the device: blocks of the later one begin where the earlier one has none
   left to begin. */
#define HETCKPT_BACKEND_OVERLAPS 4u
/* Looks at the entry word before each block of a run or resume variant, whatever the kernel does. */
#define HETCKPT_BACKEND_LOOKS 8u

/* ---- The table --------------------------------------------------------- */

struct hetckpt_backend {
	uint32_t version;  /* HETCKPT_BACKEND_VERSION that it was written for */
	uint32_t size;     /* sizeof(struct hetckpt_backend) */
	const char *name;  /* "cpu", "cuda", ...: device names are NAME:INDEX */
	uint32_t flags;    /* HETCKPT_BACKEND_* */
	/* A kernel that ends within so many microseconds is not worth the variant that can pause: a
	   pause waits for it, and for four times as long for all that has been handed over. 0: 50. More
	   where that variant costs more than an event. */
	uint32_t short_us;

	/*
	 * Required. Facts about device index, without opening it. -ENODEV: there are not
	 * that many (index 0: none; the line says why, for example which library is
	 * missing). May load the vendor's library. Any thread.
	 */
	int (*probe)(unsigned index, struct hetckpt_device_facts *facts, struct hetckpt_error *error);

	/*
	 * Required. Opens device index; arena_base and arena_bytes are the range in which
	 * map will be asked for memory, so that a back end that must reserve address space
	 * can do so. host is copied. Blocks.
	 */
	int (*open)(unsigned index, uint64_t arena_base, uint64_t arena_bytes,
	            const struct hetckpt_backend_host *host, struct hetckpt_device **device,
	            struct hetckpt_error *error);

	/* Required. Frees everything, whatever state the device is in. Blocks. */
	void (*close)(struct hetckpt_device *device);

	/* Required. Bytes of device memory free and in all. */
	int (*memory_info)(struct hetckpt_device *device, uint64_t *free, uint64_t *total,
	                   struct hetckpt_error *error);

	/*
	 * Required. Backs [address, address + bytes) with device memory of unspecified
	 * contents. -ENOMEM: the device is full. -EADDRINUSE: the vendor gave another
	 * address (it has been given back). All or nothing. May block.
	 */
	int (*map)(struct hetckpt_device *device, uint64_t address, uint64_t bytes,
	           struct hetckpt_error *error);

	/* Required. Gives back a range; it may be part of one that was mapped, or several,
	   as long as all of it is mapped. No queue is using it. May block. */
	int (*unmap)(struct hetckpt_device *device, uint64_t address, uint64_t bytes,
	             struct hetckpt_error *error);

	/*
	 * Optional, both or none. Page-locks host memory for fast copies and makes it
	 * readable and writable by kernels at its own address, where the vendor can; memory
	 * stays the caller's and stays mapped until host_unregister, which may wait until
	 * the device is idle. May block. Without them, or if it fails, copies still work.
	 */
	int (*host_register)(struct hetckpt_device *device, void *address, uint64_t bytes,
	                     struct hetckpt_error *error);
	void (*host_unregister)(struct hetckpt_device *device, void *address);

	/*
	 * Required. Makes code for this device from what source holds: native code in the
	 * fat binary, or a translation of the portable image. Everything source points to
	 * stays valid until module_unload. Blocks, seconds when it translates.
	 */
	int (*module_load)(struct hetckpt_device *device, const struct hetckpt_module_source *source,
	                   struct hetckpt_module **module, struct hetckpt_error *error);

	/* Required. Ends its kernels too. No queue is using it. */
	void (*module_unload)(struct hetckpt_device *device, struct hetckpt_module *module);

	/*
	 * Required. A kernel by the name of its original ("_Z4stepPf") and variant. The
	 * handle lives as long as the module; asking twice gives the same one. -ENOENT: the
	 * module has no such kernel or variant.
	 */
	int (*kernel_get)(struct hetckpt_module *module, const char *name, enum hetckpt_variant variant,
	                  struct hetckpt_kernel **kernel, struct hetckpt_kernel_facts *facts,
	                  struct hetckpt_error *error);

	/* Required. */
	int (*occupancy)(struct hetckpt_kernel *kernel, uint32_t threads, uint32_t dynamic_shared,
	                 struct hetckpt_occupancy *occupancy, struct hetckpt_error *error);

	/*
	 * Required. A queue runs its commands in the order given, each after the one before
	 * has ended; queues run side by side, and a queue that waits never holds up
	 * another. priority as in CUDA: lower numbers first; a hint.
	 */
	int (*queue_create)(struct hetckpt_device *device, int priority, struct hetckpt_queue **queue,
	                    struct hetckpt_error *error);

	/* Required. The queue has ended all its commands, or the device has failed. */
	void (*queue_destroy)(struct hetckpt_queue *queue);

	/*
	 * Required. Host memory must stay as it is until the copy has ended; if it is not
	 * page-locked the call may block until then.
	 */
	int (*copy)(struct hetckpt_queue *queue, const struct hetckpt_copy *copy,
	            struct hetckpt_error *error);

	/* Required. */
	int (*fill)(struct hetckpt_queue *queue, const struct hetckpt_fill *fill,
	            struct hetckpt_error *error);

	/* Required. */
	int (*launch)(struct hetckpt_queue *queue, const struct hetckpt_launch_command *launch,
	              struct hetckpt_error *error);

	/* Required. What follows in queue begins after marker (of any queue) has completed.
	   The marker may be released right after. */
	int (*queue_wait)(struct hetckpt_queue *queue, struct hetckpt_marker *marker,
	                  struct hetckpt_error *error);

	/* Required. Puts a marker behind what is in the queue. The caller releases it. */
	int (*record)(struct hetckpt_queue *queue, struct hetckpt_marker **marker,
	              struct hetckpt_error *error);

	/*
	 * Required. 0: complete, and *when is the device's time at that moment, in
	 * nanoseconds since open (resolution of a microsecond or better). -EBUSY: not yet
	 * (error is not filled). Another code: the queue has failed, what stood before the
	 * marker did not end well; repeated by later markers of the device.
	 */
	int (*marker_query)(struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error);

	/* Required. Blocks until marker_query would not say -EBUSY; returns what it says. */
	int (*marker_wait)(struct hetckpt_marker *marker, uint64_t *when, struct hetckpt_error *error);

	/* Required. Complete or not. */
	void (*marker_release)(struct hetckpt_marker *marker);

	/*
	 * Required. Copies bytes (a multiple of 4, at most 32 KiB) from source to the
	 * 4-aligned device address; with images 2 then as many from behind those, after all
	 * of the first have arrived. Past all queues and while kernels run: it must need
	 * nothing that a running kernel can occupy (a copy engine, or plain stores; not a
	 * kernel of the vendor's memset). Each 32-bit word changes at once. When it returns,
	 * every later poll of every running kernel sees the words. Takes microseconds: pause latency depends on it.
	 */
	int (*poke)(struct hetckpt_device *device, uint64_t address, const void *source, size_t bytes, unsigned images,
	            struct hetckpt_error *error);

	/*
	 * Optional. Sets a limit for launches from now on. Without it, or if the device knows no such
	 * limit, kernels get what they need; the value is kept for devices to come. The core calls it
	 * when no kernel is running, as far as it can choose; may block until those that do have ended.
	 * -ENOMEM: the device is full; -EINVAL: no such value.
	 */
	int (*limit_set)(struct hetckpt_device *device, enum hetckpt_limit limit, uint64_t value,
	                 struct hetckpt_error *error);

	/*
	 * Optional, these four together: device memory that goes to a worker on another device of
	 * this back end without passing through the host.
	 *
	 * share names the pieces that hold what is mapped in [address, address + bytes), ascending;
	 * the first and the last may reach beyond. With open each gets a descriptor. *count is
	 * also set when there are more than room: -ENOSPC, and nothing is named or opened.
	 * -ENOTSUP: the system does not share device memory. The memory stays while a
	 * descriptor or a peer of it exists.
	 */
	int (*share)(struct hetckpt_device *device, uint64_t address, uint64_t bytes, bool open,
	             struct hetckpt_share *shares, size_t room, size_t *count, struct hetckpt_error *error);

	/* Reaches a piece of another worker's (or one's own) device of this back end. The descriptor
	   stays the caller's. May block. An error: this device cannot. */
	int (*peer_open)(struct hetckpt_device *device, const struct hetckpt_share *share,
	                 struct hetckpt_peer **peer, struct hetckpt_error *error);

	/* No queue uses it any more. May block. */
	void (*peer_close)(struct hetckpt_device *device, struct hetckpt_peer *peer);

	/* Copies bytes of the piece, from offset on, to the device address dst. May block until it
	   is done, and then without regard to what stands before it in the queue. */
	int (*peer_copy)(struct hetckpt_queue *queue, struct hetckpt_peer *peer, uint64_t offset,
	                 uint64_t dst, uint64_t bytes, struct hetckpt_error *error);
};

/* ---- Registry (runtime/core/registry.c) -------------------------------- */

#define HETCKPT_BACKENDS_MAX 16u

/*
 * Adds a table, which must stay. -EINVAL: it lacks a required operation, which the
 * line names, or has no name; -EPROTO: version or size is another; -EEXIST: the name
 * is taken; -ENOSPC. Before threads are started.
 */
int hetckpt_backend_register(const struct hetckpt_backend *backend, struct hetckpt_error *error);

/* The registered tables in order of registration; NULL past the end. */
const struct hetckpt_backend *hetckpt_backend_at(unsigned position);

/*
 * Takes "NAME:INDEX" or "NAME" (index 0) apart. -EINVAL: not such a name; -ENODEV: no back
 * end of that name is built in (the line lists those that are).
 */
int hetckpt_backend_find(const char *device, const struct hetckpt_backend **backend,
                         unsigned *index, struct hetckpt_error *error);

#endif
