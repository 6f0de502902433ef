/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * message.h - commands that travel through the ring, application to worker.
 *
 * A command is a struct hetckpt_msg header followed by the body of its type.
 * Commands are vendor-neutral and position-independent, so those that have not
 * been carried out can be written to a snapshot as they are. Handles of streams
 * and events are numbers that the application picks (0 is the default stream);
 * handles of functions are numbers that the worker hands out and that stay valid
 * across workers. Addresses are arena addresses, or page-locked host addresses.
 */
#ifndef HETCKPT_CHANNEL_MESSAGE_H
#define HETCKPT_CHANNEL_MESSAGE_H

#include <stdint.h>

enum hetckpt_msg_type {
	HETCKPT_MSG_NOP = 0,
	/* memory */
	HETCKPT_MSG_MALLOC,          /* reply: address */
	HETCKPT_MSG_FREE,            /* reply; waits for the device as cudaFree does. Without a
	                                reply: in the order of its stream, as cudaFreeAsync */
	HETCKPT_MSG_COPY,            /* reply if reply != none */
	HETCKPT_MSG_FILL,
	HETCKPT_MSG_MEM_INFO,        /* reply: free and total bytes */
	/* modules */
	HETCKPT_MSG_MODULE_LOAD,     /* reply */
	HETCKPT_MSG_MODULE_UNLOAD,
	HETCKPT_MSG_FUNCTION_GET,    /* reply: struct hetckpt_reply_function */
	HETCKPT_MSG_FUNCTION_SET,    /* attribute, e.g. largest dynamic shared memory; reply */
	HETCKPT_MSG_VARIABLE_GET,    /* reply: address and size */
	HETCKPT_MSG_LAUNCH,
	/* streams and events */
	HETCKPT_MSG_STREAM_CREATE,
	HETCKPT_MSG_STREAM_DESTROY,
	HETCKPT_MSG_STREAM_SYNC,     /* reply once everything before it in the stream is done */
	HETCKPT_MSG_STREAM_QUERY,    /* reply at once: 0 or cudaErrorNotReady */
	HETCKPT_MSG_STREAM_WAIT,     /* stream waits for event */
	HETCKPT_MSG_EVENT_CREATE,
	HETCKPT_MSG_EVENT_DESTROY,
	HETCKPT_MSG_EVENT_RECORD,
	HETCKPT_MSG_EVENT_SYNC,      /* reply once recorded work is done */
	HETCKPT_MSG_EVENT_QUERY,     /* reply at once */
	HETCKPT_MSG_EVENT_ELAPSED,   /* reply: milliseconds as float bits */
	HETCKPT_MSG_DEVICE_SYNC,     /* reply once all streams are idle */
	HETCKPT_MSG_DEVICE_INFO,     /* reply: struct hetckpt_reply_device */
	HETCKPT_MSG_HOST_CALL,       /* reply once reached; the stream holds until HOST_DONE. While
	                                a call that was answered is not done, the worker takes
	                                commands however far ahead it is: HOST_DONE may be the
	                                last of a full ring */
	HETCKPT_MSG_HOST_DONE,       /* token's callback has returned */
	HETCKPT_MSG_DEVICE_RESET,    /* free everything the session holds; reply */
	HETCKPT_MSG_OCCUPANCY,       /* reply: resident blocks a multiprocessor */
	HETCKPT_MSG_DEVICE_LIMIT,    /* of cudaDeviceSetLimit; reply once everything before it is done
	                                and launches after it have it */
	HETCKPT_MSG_COUNT
};

#define HETCKPT_NO_REPLY 0xffffffffu

struct hetckpt_msg {
	uint32_t type;   /* enum hetckpt_msg_type */
	uint32_t bytes;  /* header and body, multiple of 16 */
	uint64_t seq;    /* 1, 2, 3, ... */
	uint32_t reply;  /* reply slot, or HETCKPT_NO_REPLY */
	uint32_t stream; /* stream the command belongs to; 0 is the default stream */
};

/* Where an address of a copy lies. */
enum hetckpt_space {
	HETCKPT_SPACE_DEVICE = 0,  /* arena address */
	HETCKPT_SPACE_PINNED = 1,  /* page-locked host memory, same address in worker */
	HETCKPT_SPACE_STAGING = 2  /* offset in the session's staging area, rows packed */
};

struct hetckpt_msg_malloc { uint64_t bytes; uint64_t align; };
struct hetckpt_msg_free { uint64_t address; };

/* A box of depth slices of height rows of width bytes. 1-D: height = depth = 1. */
struct hetckpt_msg_copy {
	uint64_t dst, src;
	uint32_t dst_space, src_space;
	uint64_t width, height, depth;
	uint64_t dst_pitch, dst_slice, src_pitch, src_slice; /* bytes */
};

struct hetckpt_msg_fill {
	uint64_t dst;
	uint64_t width, height;  /* width in elements */
	uint64_t pitch;          /* bytes */
	uint32_t element;        /* 1, 2 or 4 bytes */
	uint32_t value;
};

/* The fat binary itself was handed over as a file descriptor (session.h). */
struct hetckpt_msg_module { uint64_t module; };

struct hetckpt_msg_name {      /* FUNCTION_GET, VARIABLE_GET */
	uint64_t module;
	uint32_t length;           /* of name, without a terminator */
	uint32_t reserved;
	char name[];
};

struct hetckpt_msg_function_set { uint64_t function; uint32_t attribute; int32_t value; };

struct hetckpt_msg_launch {
	uint64_t function;
	uint32_t grid[3], block[3];
	uint32_t dynamic_shared;
	uint32_t flags;            /* HETCKPT_LAUNCH_* */
	uint32_t param_bytes;
	uint32_t reserved;
	unsigned char params[];    /* parameter buffer as the kernel expects it */
};
#define HETCKPT_LAUNCH_COOPERATIVE 1u

struct hetckpt_msg_stream { uint32_t stream; uint32_t flags; int32_t priority; uint32_t event; };
#define HETCKPT_STREAM_NON_BLOCKING 1u /* does not synchronise with the default stream */

struct hetckpt_msg_event { uint32_t event; uint32_t flags; uint32_t stream; uint32_t event2; };
#define HETCKPT_EVENT_NO_TIMING 1u

struct hetckpt_msg_host { uint64_t token; };
struct hetckpt_msg_limit { uint32_t limit; uint32_t reserved; uint64_t value; }; /* cudaLimit */
struct hetckpt_msg_occupancy { uint64_t function; uint32_t threads; uint32_t reserved; uint64_t dynamic_shared; };

/* ---- Replies, at most HETCKPT_REPLY_BYTES ------------------------------ */
#define HETCKPT_REPLY_BYTES 2048u

struct hetckpt_reply_function {
	uint64_t function;
	uint32_t param_bytes, params;
	uint32_t static_shared, max_threads, registers, local_bytes, const_bytes;
	uint32_t max_dynamic_shared;
	uint32_t arch; /* that it was compiled for: 90 for sm_90; 0: not known */
	struct { uint32_t offset, bytes; } param[244];
};

struct hetckpt_reply_device {
	char name[256];
	uint64_t total_bytes, shared_per_block, shared_per_block_optin, shared_per_sm;
	uint32_t sm_count, clock_khz, memory_clock_khz, bus_width, l2_bytes;
	uint32_t max_threads_per_block, max_threads_per_sm, max_blocks_per_sm, regs_per_block, major, minor;
	uint32_t max_grid[3], max_block[3];
};

#endif
