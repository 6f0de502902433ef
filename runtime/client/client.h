/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * client.h - what the files of the CUDA runtime share.
 *
 * The library has two floors. Exported functions (CUDA's names) check their arguments,
 * call functions of this header, and pass every result through client_result, which
 * keeps the thread's last error. Functions of this header return a cudaError_t and leave
 * the last error alone.
 *
 * Nothing here may be called by an exported function before client_enter has succeeded.
 */
#ifndef HETCKPT_CLIENT_CLIENT_H
#define HETCKPT_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hetckpt/cuda/cuda_runtime_api.h"
#include "runtime/channel/message.h"

struct hetckpt_session;

/* Symbols are hidden unless marked. */
#define CLIENT_EXPORT __attribute__((visibility("default")))

/* ---- Session (session.c) ----------------------------------------------- */

/*
 * Attaches to the session at the first call. cudaSuccess, or why the session cannot be
 * used; the reason is printed once. Cheap when attached. Also reports an asynchronous
 * error that is waiting (see client_async_error).
 */
cudaError_t client_enter(void);

/* As client_enter, but only true or false, without side effects: is there a session? */
bool client_attached(void);

/* True once the session can no longer be used; prints why, once. *error: what calls return. */
bool client_lost(cudaError_t *error);

/*
 * The asynchronous error that the worker raised, or cudaSuccess. Errors that CUDA forgets
 * once they are returned are forgotten by this call.
 */
cudaError_t client_async_error(void);

/* Errors after which CUDA's context is unusable: every later call returns them. */
bool client_error_stays(cudaError_t error);

struct hetckpt_session *client_session(void);

/* Raised by cudaDeviceReset: what was learned from the worker in an older epoch is void. */
uint32_t client_epoch(void);
void client_epoch_raise(void);

/*
 * A request on the supervisor's socket: {"op": op, fields...}; fields is stolen, fd (< 0:
 * none) stays the caller's. Prints the supervisor's reason when it refuses.
 */
struct json_t;
cudaError_t client_request(const char *op, struct json_t *fields, int fd);

/* ---- Commands (command.c) ---------------------------------------------- */

/*
 * Starts a command with a body of body_bytes: the ring is locked until client_commit.
 * slot: from client_slot_take, or HETCKPT_NO_REPLY. *body is zeroed.
 */
cudaError_t client_begin(uint32_t type, uint32_t stream, uint32_t slot, uint32_t body_bytes, void **body);
void client_commit(void);

/* begin, copy the body, commit; without a reply. */
cudaError_t client_send(uint32_t type, uint32_t stream, const void *body, uint32_t bytes);

/* The same with a reply: waits, copies at most reply_bytes of it; the reply's code is returned.
   tail (tail_bytes, may be 0) follows the body. */
cudaError_t client_call(uint32_t type, uint32_t stream, const void *body, uint32_t bytes,
                        const void *tail, uint32_t tail_bytes, void *reply, uint32_t reply_bytes);

/* Reply slots by hand. Taking waits while all are in use. */
cudaError_t client_slot_take(uint32_t flags, uint32_t *slot);
void client_slot_free(uint32_t slot);
/* Waits for the reply, copies it, frees the slot. */
cudaError_t client_slot_collect(uint32_t slot, void *reply, uint32_t reply_bytes);

/* Staging: a run of chunks, waiting for it if wait. cudaErrorNotReady: none now. */
cudaError_t client_staging_take(uint64_t bytes, bool wait, uint64_t *offset);

/* ---- Errors (error.c) -------------------------------------------------- */

/* Remembers error as the thread's last one unless it is cudaSuccess; returns it. */
cudaError_t client_result(cudaError_t error);

/* Prints "hetckpt: error: ..." the first time that this place is reached. */
#define client_say_once(...)                                                                       \
	do {                                                                                       \
		static _Atomic bool said_;                                                         \
		if (!said_ && !__atomic_exchange_n((bool *)&said_, 1, __ATOMIC_RELAXED))           \
			client_say(__VA_ARGS__);                                                   \
	} while (0)
void client_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A function that the library only names: says so once, returns cudaErrorNotSupported. */
cudaError_t client_missing(const char *name, bool *said);

/* ---- Ranges of memory (range.c) ---------------------------------------- */

enum client_range_kind {
	CLIENT_RANGE_NONE,       /* memory that the runtime does not know: pageable */
	CLIENT_RANGE_DEVICE,
	CLIENT_RANGE_VARIABLE,   /* a __device__ variable */
	CLIENT_RANGE_PINNED,     /* page-locked, same address in the worker */
	CLIENT_RANGE_MANAGED,    /* the same, from cudaMallocManaged */
	CLIENT_RANGE_REGISTERED  /* cudaHostRegister: known, but not mapped in the worker */
};

struct client_range {
	uint64_t address, bytes;
	enum client_range_kind kind;
	unsigned flags;
	uint64_t device_address; /* zero-copy address; 0 none */
	cudaMemPool_t pool;      /* whose count it is in; NULL none */
};

/* The range that contains address; kind NONE (and true or false all the same) if there is none. */
bool client_range_find(uint64_t address, struct client_range *range);
/* cudaErrorMemoryAllocation when there is no memory for the entry. */
cudaError_t client_range_add(const struct client_range *range);
/* Removes the range that starts at address, if it is of that kind; false if there is none. */
bool client_range_remove(uint64_t address, enum client_range_kind kind, struct client_range *removed);
/* Removes all ranges of a kind, the last first; false when none is left. */
bool client_range_pop(enum client_range_kind kind, struct client_range *removed);

/* The arenas of 32 devices. No more: position-independent executables and their heap, which
   holds a program's own buffers, begin at 0x550000000000. */
#define CLIENT_ARENA_BASE 0x200000000000ull
#define CLIENT_ARENA_END (CLIENT_ARENA_BASE + (32ull << 40))
static inline bool client_is_device(uint64_t address)
{
	return address >= CLIENT_ARENA_BASE && address < CLIENT_ARENA_END;
}

/* ---- Device memory (memory.c) and pools of it (pool.c) ------------------ */

/* Allocates range->bytes, sets the addresses and makes the range known. */
cudaError_t client_device_alloc(struct client_range *range);
/* A range that was removed no longer counts in its pool. */
void client_pool_freed(const struct client_range *range);
/* After the ranges of device memory have been removed. */
void client_pools_reset(void);

/* ---- Page-locked memory (pinned.c) ------------------------------------- */

cudaError_t client_pinned_alloc(void **address, size_t bytes, enum client_range_kind kind, unsigned flags);
cudaError_t client_pinned_free(void *address, enum client_range_kind kind);
void client_pinned_reset(void);

/* ---- Buffers on the way to the device (bounce.c) ------------------------ */

/* Small: page-locked memory is part of each snapshot. */
#define CLIENT_BOUNCE_BYTES (256ull << 10)
/* Waits while all are in use. */
cudaError_t client_bounce_take(void **buffer);
/* epoch: when it was taken. */
void client_bounce_give(void *buffer, uint32_t epoch);

/* ---- Streams (stream.c) and events ------------------------------------- */

/* The stream's number, or cudaErrorInvalidResourceHandle; *blocking (may be NULL): it
   synchronises with the default stream. */
cudaError_t client_stream_identify(cudaStream_t stream, uint32_t *number, bool *blocking);

/* The same for a command that is about to be sent: not to a stream that is being captured. */
cudaError_t client_stream_number(cudaStream_t stream, uint32_t *number);

/* What a NULL stream means in the names that end in _ptsz and _ptds. */
static inline cudaStream_t client_per_thread(cudaStream_t stream)
{
	return stream ? stream : cudaStreamPerThread;
}

cudaError_t client_stream_sync(uint32_t number);

/* Recycled objects behind handles; never returned to the allocator, so that a stale handle
   can be read and refused. */
struct client_object {
	uint32_t magic; /* CLIENT_STREAM, CLIENT_EVENT, or 0 when destroyed */
	uint32_t number, flags, epoch;
	int32_t priority;
	_Atomic uint64_t capture; /* of an event: in which capture it was last recorded; 0: none */
	struct client_object *next;
};
#define CLIENT_STREAM 0x4d525453u
#define CLIENT_EVENT 0x544e5645u
struct client_object *client_object_new(uint32_t magic);
void client_object_free(struct client_object *object);
/* The object behind a handle of that kind, or NULL. */
struct client_object *client_object_get(const void *handle, uint32_t magic);
/* A fresh number for a stream or event. */
uint32_t client_number_next(void);

/* ---- Host functions (host_call.c) -------------------------------------- */

/* True in a function that a stream waits for: it may not call CUDA, which could deadlock. */
extern __thread bool client_in_callback;

/* Runs function(data) when the stream reaches this point; the stream waits for it. */
cudaError_t client_host_call(uint32_t stream, void (*function)(void *data), void *data);
/* The same for cudaStreamAddCallback, which is called with an error, too. */
cudaError_t client_host_callback(uint32_t stream, cudaStream_t handle, cudaStreamCallback_t callback,
                                 void *data);

/* ---- Copies (copy.c) --------------------------------------------------- */

/* A box of depth slices of height rows of width bytes; pitches and slices in bytes. */
struct client_copy {
	uint64_t dst, src;
	uint64_t width, height, depth;
	uint64_t dst_pitch, dst_slice, src_pitch, src_slice;
	enum cudaMemcpyKind kind;
};

/* When memory that only the program sees is read or written. */
enum client_order {
	CLIENT_WAIT,     /* before the call returns */
	CLIENT_ASYNC,    /* registered memory when the stream comes to it, other memory at once */
	CLIENT_IN_STREAM /* all of it when the stream comes to it */
};

/* Checks, and copies in stream order; waits as CUDA does unless async. */
cudaError_t client_copy(const struct client_copy *copy, cudaStream_t stream, bool async);
cudaError_t client_copy_check(const struct client_copy *copy);
cudaError_t client_copy_send(const struct client_copy *copy, uint32_t stream, enum client_order order);
/* From CUDA's description of a box. */
cudaError_t client_copy_from_box(struct client_copy *copy, const struct cudaMemcpy3DParms *box);
static inline struct client_copy client_copy_of_flat(void *dst, const void *src, size_t bytes,
                                                     enum cudaMemcpyKind kind)
{
	return (struct client_copy){
		.dst = (uint64_t)dst, .src = (uint64_t)src, .width = bytes, .height = 1, .depth = 1,
		.dst_pitch = bytes, .dst_slice = bytes, .src_pitch = bytes, .src_slice = bytes, .kind = kind,
	};
}
cudaError_t client_copy_flat(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
                             cudaStream_t stream, bool async);

/* ---- Fills (fill.c) ---------------------------------------------------- */

/* depth slices, slice bytes apart, of height rows, pitch bytes apart, of width bytes, with a
   value of element (1, 2 or 4) bytes. */
struct client_fill {
	uint64_t address, width, height, depth, pitch, slice;
	uint32_t element, value;
};
cudaError_t client_fill_check(const struct client_fill *fill);
cudaError_t client_fill_send(const struct client_fill *fill, uint32_t stream, bool async);

/* ---- Modules, kernels and variables (registry.c) ------------------------ */

struct client_function {
	const void *host;     /* what the application calls it */
	const char *name;
	struct client_module *module;
	/* Valid once client_function_get has returned it. */
	uint32_t epoch;
	uint64_t handle;
	uint32_t param_bytes, params;
	struct { uint32_t offset, bytes; } *param;
	uint32_t static_shared, max_threads, registers, local_bytes, const_bytes, arch;
	_Atomic uint32_t max_dynamic_shared;
	_Atomic uint64_t fit; /* the last answer on how many blocks fit (function.c); 0: none */
	struct client_function *next;
};

/* The kernel behind a host pointer, loading its module first.
   cudaErrorInvalidDeviceFunction: not registered. */
cudaError_t client_function_get(const void *host, struct client_function **function);

/* How many blocks of so many threads and bytes of dynamic shared memory a multiprocessor holds at once. */
cudaError_t client_function_fit(struct client_function *function, uint32_t threads, uint32_t dynamic_shared,
                                uint32_t *blocks);

/* Address and size of the variable behind a host pointer. cudaErrorInvalidSymbol. */
cudaError_t client_variable_get(const void *host, uint64_t *address, uint64_t *bytes);

/* ---- Device (device.c) ------------------------------------------------- */

/* Facts about the device, asked once. */
cudaError_t client_device_info(const struct hetckpt_reply_device **info);
/* Fills CUDA 13's structure. */
cudaError_t client_device_properties(struct cudaDeviceProp *prop);
cudaError_t client_device_check(int device);

/* 13000 or 12080: which library this is (api12.c, api13.c). */
extern const int client_cudart_version;

/* ---- Launches (launch.c) ----------------------------------------------- */

struct client_launch {
	const void *function;
	dim3 grid, block;
	void **arguments;
	size_t dynamic_shared;
	uint32_t flags; /* HETCKPT_LAUNCH_* */
};
cudaError_t client_launch(const struct client_launch *launch, cudaStream_t stream);
/* What CUDA refuses at once. */
cudaError_t client_launch_check(const struct client_launch *launch);
/* Without the checks. */
cudaError_t client_launch_send(const struct client_launch *launch, uint32_t stream);

#endif
