/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * abi.h - the records that compiled kernels and the runtime share.
 *
 * This is the only copy: the compiler pass includes it for offsets, the worker
 * for the same structs, the tools for reading snapshots. Every record is little
 * endian with natural alignment and explicit padding; no target's data layout
 * plays a part. Any change of layout or meaning raises HETCKPT_ABI_VERSION and
 * is described in docs/abi.md.
 */
#ifndef HETCKPT_ABI_H
#define HETCKPT_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HETCKPT_ABI_VERSION 1u

/* ---- Kernel variants ---------------------------------------------------
 * A kernel NAME gets two siblings in the same module:
 *   HETCKPT_RUN_PREFIX NAME      polls; starts blocks [base, base + hardware grid)
 *   HETCKPT_RESUME_PREFIX NAME   polls; hardware block h works on list[h]
 * Both take NAME's parameters and then a struct hetckpt_launch by value,
 * aligned to 8, as their last parameter.
 */
#define HETCKPT_RUN_PREFIX "__hetckpt_run_"
#define HETCKPT_RESUME_PREFIX "__hetckpt_resume_"

/* ---- The pause flag ----------------------------------------------------
 * HETCKPT_FLAG_LINES copies, one every HETCKPT_FLAG_STRIDE bytes; block b reads copy
 * (b mod HETCKPT_FLAG_LINES), where b is the linear logical block id. Replication
 * keeps a million blocks off one line. Each copy has two 32-bit words:
 *
 *   HETCKPT_FLAG_POLL   read at polls: not HETCKPT_FLAG_RUN means park here
 *   HETCKPT_FLAG_ENTRY  read before a block begins: HETCKPT_FLAG_PAUSE means do not
 *                       begin, set the block's bit in launch.unstarted
 *
 * The runtime raises every entry word before it raises the first poll word. So once
 * any block has parked no further block can begin, and all that ever park were
 * resident at one moment. That is what bounds a frame table by what the device can
 * hold at once, whatever the grid. (With one word a block could park, make room, and
 * let in a block whose copy of the word had not been raised yet.)
 */
#define HETCKPT_FLAG_LINES 256u
#define HETCKPT_FLAG_STRIDE 128u
#define HETCKPT_FLAG_BYTES (HETCKPT_FLAG_LINES * HETCKPT_FLAG_STRIDE)
#define HETCKPT_FLAG_POLL 0u  /* byte offset in a copy */
#define HETCKPT_FLAG_ENTRY 4u

/* The words hold, as poll/entry: RUN/RUN, PAUSE/PAUSE, or PAUSE_STARTED/RUN. */
enum hetckpt_flag {
	HETCKPT_FLAG_RUN = 0,          /* keep going */
	HETCKPT_FLAG_PAUSE = 1,        /* park at the next poll; do not start blocks */
	HETCKPT_FLAG_PAUSE_STARTED = 2 /* park at the next poll; do start blocks
	                                  (pauses everywhere still make progress) */
};

/* ---- Safepoint ids -----------------------------------------------------
 * Per thread, in a frame group. Ids of a kernel are 1..N as in its state map.
 */
#define HETCKPT_SP_START 0u         /* the thread has not begun */
#define HETCKPT_SP_DONE 0xffffffffu /* the thread has returned */

/* ---- Frame table -------------------------------------------------------
 * One table a launch, in device memory. It holds one group for each block that
 * has parked threads. Groups are found by open addressing on keys[]: probe
 * slot = hash(block) mod capacity, +1 each step, where a slot is free at 0 and
 * otherwise holds block + 1; the slot is also the group's index. A thread that
 * parks claims or finds its block's slot with compare-and-swap, so no thread
 * waits for another. The runtime zeroes keys[] and sets every safepoint id to
 * HETCKPT_SP_DONE before the launch; threads that park overwrite theirs.
 *
 * capacity >= the number of blocks that can have started and not finished when the
 * first one parks: what is resident at once (see the pause flag).
 *
 *   hash(block) = (block * 0x9e3779b1u) >> 16   (mod capacity)
 */
struct hetckpt_frame_table {
	uint32_t capacity;    /* slots, and groups */
	uint32_t threads;     /* threads a block */
	uint64_t group_bytes; /* stride between groups, multiple of 16 */
	uint64_t keys;        /* device address of uint32_t keys[capacity] */
	uint64_t groups;      /* device address of group 0, 16-aligned */
};

/*
 * A group, for n = threads a block and the kernel's slot counts c8, c4, c2, c1
 * (each the maximum over its safepoints):
 *
 *   uint32_t safepoint[n]                       padded to 16
 *   uint64_t slot8[c8][n]
 *   uint32_t slot4[c4][n]
 *   uint16_t slot2[c2][n]
 *   uint8_t  slot1[c1][n]                       padded to 16
 *   uint8_t  shared[static_shared padded to 16 + dynamic_shared]   padded to 16;
 *                                               block scope only
 *
 * n is the linear thread id: x + ntid.x * (y + ntid.y * z). Slots of one class are
 * indexed per thread, so threads of one block may stand at different safepoints
 * (thread and warp scope) without their bytes touching.
 */

/* Pointers in a slot of kind "generic" carry a tag in bits 62-63. */
#define HETCKPT_PTR_TAG_SHIFT 62
#define HETCKPT_PTR_GLOBAL 0u  /* the address itself */
#define HETCKPT_PTR_SHARED 1u  /* low 32 bits: offset in the block's shared area */
#define HETCKPT_PTR_PRIVATE 2u /* bits 32-61: object number, low 32: byte offset */

/* ---- Launch record -----------------------------------------------------
 * Last parameter of the run and resume variants, by value. Addresses are device
 * addresses valid on the device that runs the launch.
 */
struct hetckpt_launch {
	uint64_t flags;          /*  0: flag lines */
	uint64_t frames;         /*  8: struct hetckpt_frame_table to park into */
	uint64_t resume;         /* 16: struct hetckpt_frame_table to resume from; resume variant only */
	uint64_t list;           /* 24: struct hetckpt_block_ref[count]; resume variant only */
	uint64_t unstarted;      /* 32: uint32_t bitmap, one bit a logical block: set by a block
	                                that saw its entry word raised before it began */
	uint32_t grid[3];        /* 40: logical grid (gridDim) */
	uint32_t base[3];        /* 52: run variant: logical block = base + hardware block */
	uint32_t dynamic_shared; /* 64: bytes */
	uint32_t count;          /* 68: resume variant: blocks in list */
	uint64_t reserved;       /* 72: zero */
};
#define HETCKPT_LAUNCH_BYTES 80u

/* Work for one hardware block of a resume launch. */
struct hetckpt_block_ref {
	uint32_t block; /* linear logical block id: x + grid.x * (y + grid.y * z) */
	uint32_t group; /* group in the resume table, or HETCKPT_NO_GROUP: from the start */
};
#define HETCKPT_NO_GROUP 0xffffffffu

/* ---- Portable image ----------------------------------------------------
 * A constant named HETCKPT_IMAGE_SYMBOL in the device code: this header, then
 * three zstd frames. It is found in a cubin by its magic, in PTX by its symbol.
 * See docs/portable-image.md.
 */
#define HETCKPT_IMAGE_SYMBOL "__hetckpt_image"
#define HETCKPT_IMAGE_MAGIC "HCKIMAGE" /* 8 bytes, no terminator */

struct hetckpt_image_part {
	uint64_t offset;   /* from the header's start */
	uint64_t bytes;    /* compressed */
	uint64_t raw;      /* decompressed */
};

struct hetckpt_image_header {
	char magic[8];
	uint32_t abi;                     /* HETCKPT_ABI_VERSION */
	uint32_t header_bytes;            /* sizeof(struct hetckpt_image_header) */
	uint64_t total_bytes;             /* header and parts */
	uint8_t hash[16];                 /* XXH3-128, canonical big-endian form, of all bytes after the header */
	struct hetckpt_image_part map;    /* state map, JSON, UTF-8 */
	struct hetckpt_image_part ir;     /* LLVM bitcode, neutral vocabulary */
	struct hetckpt_image_part data;   /* initial contents of the module's variables */
};

/* ---- Kernels compiled for the CPU --------------------------------------
 * The CPU target turns a portable image into a shared object that exports one
 * symbol, HETCKPT_CPU_MODULE_SYMBOL, a struct hetckpt_cpu_module.
 */
#define HETCKPT_CPU_MODULE_SYMBOL "__hetckpt_cpu_module"
#define HETCKPT_CPU_WARP 32u

struct hetckpt_cpu_block;

/* What a step function returns. */
enum hetckpt_cpu_status {
	HETCKPT_CPU_DONE = 0,    /* the thread returned (or parked its frame and returned) */
	HETCKPT_CPU_BARRIER = 1, /* waits at a block barrier; request in block->wait[tid] */
	HETCKPT_CPU_WARP_OP = 2, /* waits for its warp; request in block->wait[tid] */
	HETCKPT_CPU_YIELD = 3,   /* spins on memory: run others, then call again */
	HETCKPT_CPU_TRAP = 4     /* trap or failed assertion: the launch fails */
};

/* What a yielding thread asks for, and where the answer is put. */
struct hetckpt_cpu_wait {
	uint32_t op;     /* enum hetckpt_cpu_op */
	uint32_t id;     /* barrier: number; warp operation: call-site number */
	uint32_t mask;   /* warp operation: lanes that take part; barrier: threads, 0 = all */
	uint32_t arg;    /* shuffle: PTX operand c (clamp and segment mask) */
	uint64_t value;  /* in: this thread's operand; out: its result */
	uint32_t lane;   /* shuffle: PTX operand b */
	uint32_t pred;   /* out: shuffle in range, match_all agreed */
};

enum hetckpt_cpu_op {
	HETCKPT_CPU_BAR_SYNC = 0,
	HETCKPT_CPU_BAR_ARRIVE, /* counted, does not wait: the scheduler calls the thread again at once */
	HETCKPT_CPU_BAR_POPC,
	HETCKPT_CPU_BAR_AND,
	HETCKPT_CPU_BAR_OR,
	HETCKPT_CPU_SYNCWARP,
	HETCKPT_CPU_SHFL_IDX,
	HETCKPT_CPU_SHFL_UP,
	HETCKPT_CPU_SHFL_DOWN,
	HETCKPT_CPU_SHFL_BFLY,
	HETCKPT_CPU_BALLOT,
	HETCKPT_CPU_ANY,
	HETCKPT_CPU_ALL,
	HETCKPT_CPU_UNI,
	HETCKPT_CPU_MATCH_ANY,
	HETCKPT_CPU_MATCH_ALL,
	HETCKPT_CPU_ACTIVEMASK, /* mask 0: every lane that can arrive without anyone passing */
	HETCKPT_CPU_REDUX_ADD,
	HETCKPT_CPU_REDUX_UMIN,
	HETCKPT_CPU_REDUX_UMAX,
	HETCKPT_CPU_REDUX_SMIN,
	HETCKPT_CPU_REDUX_SMAX,
	HETCKPT_CPU_REDUX_AND,
	HETCKPT_CPU_REDUX_OR,
	HETCKPT_CPU_REDUX_XOR
};

/* One block on one core. The runtime fills it before each block. */
struct hetckpt_cpu_block {
	uint32_t ctaid[3];  /* logical block id is computed by the kernel from this, the
	                       hardware block id, and the launch record */
	uint32_t ntid[3];
	uint32_t nctaid[3]; /* hardware grid of this launch */
	uint32_t threads;   /* ntid[0] * ntid[1] * ntid[2] */
	char *shared;       /* static area, padded to 16, then dynamic; 128-aligned */
	char *globals;      /* the module's variables */
	const char *params; /* parameter buffer, offsets as in the state map; the launch
	                       record follows at the next multiple of 8 */
	char *thread_frames;            /* threads * frame_bytes, 64-aligned; step kernels only */
	struct hetckpt_cpu_wait *wait;  /* [threads]; step kernels only */
	char *thread_private;           /* scratch of frame_bytes for a run-to-end kernel; may be NULL if 0 */
	const uint32_t *order;          /* permutation of 0..threads-1 to run in, or NULL for 0, 1, 2, ... */
};

/* A variant of a kernel: exactly one of block and step is set. */
struct hetckpt_cpu_function {
	const char *name;
	/* No thread ever waits: runs all threads of a block to their end.
	   Returns HETCKPT_CPU_DONE or HETCKPT_CPU_TRAP. */
	int (*block)(struct hetckpt_cpu_block *b);
	/* Runs thread tid until it waits or ends; frame is its zeroed frame at first. */
	int (*step)(struct hetckpt_cpu_block *b, char *frame, uint32_t tid);
	uint32_t frame_bytes;    /* a thread, multiple of 16 */
	uint32_t static_shared;  /* bytes */
};

struct hetckpt_cpu_module {
	uint32_t abi; /* HETCKPT_ABI_VERSION */
	uint32_t functions;
	const struct hetckpt_cpu_function *function;
};

#ifdef __cplusplus
}
#endif
#endif
