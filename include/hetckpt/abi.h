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

#define HETCKPT_ABI_VERSION 4u

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
 *                       begin, note the block in launch.unstarted
 *
 * The runtime raises every entry word before it raises the first poll word. So once
 * any block has parked no further block can begin, and all that ever park were
 * on the device at one moment. That is what bounds a frame table by what the device can
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
 * has parked threads. Groups are found by open addressing on keys[] with double
 * hashing: a slot is free at 0 and otherwise holds block + 1; it is also the group's
 * index. The i-th slot that a block tries is
 *
 *   (block + i * step) mod capacity,
 *   step = 1 + ((block * 0x9e3779b1u) >> 16) mod max(capacity - 1, 1)
 *
 * A thread that parks claims or finds its block's slot with compare-and-swap, so no thread
 * waits for another. The runtime zeroes keys[] and sets every safepoint id to
 * HETCKPT_SP_DONE before the launch; threads that park overwrite theirs.
 *
 * Blocks begin in order, so those that are unfinished together have numbers that lie
 * close, and nearly all find their first slot free. capacity is at least
 * the number of blocks of the grid, then each has a slot of its own; or it is a prime that
 * exceeds the number of blocks that can have started and not finished when the
 * first one parks (see the pause flag): then a block that looks on comes to every slot. On a GPU
 * that fills the places of single warps this number is more than what its occupancy says.
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
	uint64_t flags;          /*  0: flag lines; 0, for kernels without polls: do not look */
	uint64_t frames;         /*  8: struct hetckpt_frame_table to park into */
	uint64_t resume;         /* 16: struct hetckpt_frame_table to resume from; resume variant only */
	uint64_t list;           /* 24: struct hetckpt_block_ref[count]; resume variant only */
	uint64_t unstarted;      /* 32: uint8_t of each logical block: set to 1 by a block
	                                that saw its entry word raised before it began. (Bytes,
	                                for atomic operations on bits of neighbours wait for
	                                each other, some 4 ns each on an H100.) */
	uint32_t grid[3];        /* 40: logical grid (gridDim) */
	uint32_t base[3];        /* 52: run variant: logical block = base + hardware block */
	uint32_t dynamic_shared; /* 64: bytes */
	uint32_t count;          /* 68: resume variant: blocks in list */
	uint64_t variables;      /* 72: the module's block of variables, 0 if it has none */
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
#define HETCKPT_CPU_PACES 8u          /* loops of a function whose strips are measured */
#define HETCKPT_CPU_PACE_PLANNED 256u /* strips as long as the pass has planned them */

/*
 * A kernel is cut at the points where a thread must wait for others. Such a point is a
 * site; sites are numbered from HETCKPT_CPU_FIRST_SITE in each function. run() carries
 * a range of threads, all at the same site, each to its next site or its end, and notes
 * where it stopped. What a thread asks for at a site is in the function's
 * site table as far as it is constant, and in the block's arrays where it is not. The
 * runtime decides who goes on, puts answers into value[] and extra[], and calls run()
 * with the same number. Whole blocks usually stand at one site, so that a barrier is
 * one call for all threads, in which the loop over threads can be vectorised.
 */
#define HETCKPT_CPU_ENDED 0u          /* the thread returned (or parked and returned) */
#define HETCKPT_CPU_START 1u          /* the thread has not begun */
#define HETCKPT_CPU_FIRST_SITE 2u
#define HETCKPT_CPU_FAULT 0xffffffffu /* trap or failed assertion: block->fault says which */
#define HETCKPT_CPU_MIXED 0xfffffffeu /* of a range: not all threads at one site */

enum hetckpt_cpu_op {
	HETCKPT_CPU_YIELD = 0,   /* spins on memory: run others, then call again */
	HETCKPT_CPU_POLL_BLOCK,  /* block barrier, then the poll word, the same for all */
	HETCKPT_CPU_POLL_WARP,   /* all lanes that have not ended, then the poll word */
	/* block barriers: id, and threads (0: all that have not ended) */
	HETCKPT_CPU_BAR_SYNC,
	HETCKPT_CPU_BAR_ARRIVE,  /* counted, does not wait */
	HETCKPT_CPU_BAR_POPC,
	HETCKPT_CPU_BAR_AND,
	HETCKPT_CPU_BAR_OR,
	/* warp operations: mask */
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
	HETCKPT_CPU_ACTIVEMASK,  /* no mask: every lane that arrives while none can go on */
	HETCKPT_CPU_REDUX_ADD,
	HETCKPT_CPU_REDUX_UMIN,
	HETCKPT_CPU_REDUX_UMAX,
	HETCKPT_CPU_REDUX_SMIN,
	HETCKPT_CPU_REDUX_SMAX,
	HETCKPT_CPU_REDUX_AND,
	HETCKPT_CPU_REDUX_OR,
	HETCKPT_CPU_REDUX_XOR,
	HETCKPT_CPU_OPS
};

/* Operands of a site that are not constant: each thread's is in the block's array. */
#define HETCKPT_CPU_MASK_VARIES 1u
#define HETCKPT_CPU_LANE_VARIES 2u
#define HETCKPT_CPU_CLAMP_VARIES 4u
#define HETCKPT_CPU_WIDE 8u /* not an operand: the value has 64 bits */

struct hetckpt_cpu_site {
	uint32_t op;     /* enum hetckpt_cpu_op */
	uint32_t varies; /* HETCKPT_CPU_*_VARIES */
	uint32_t mask;   /* warp operation: lanes that take part; barrier: threads, 0 = all */
	uint32_t lane;   /* shuffle: PTX operand b; barrier: id */
	uint32_t clamp;  /* shuffle: PTX operand c (clamp and segment mask) */
	uint32_t line;   /* source line, 0 if unknown */
};

struct hetckpt_cpu_block;

/* What compiled kernels ask of the runtime. Called on the block's thread. */
struct hetckpt_cpu_services {
	/* CUDA's vprintf: arguments packed at natural alignment; what printf returns. */
	int32_t (*print)(struct hetckpt_cpu_block *b, const char *format, const void *arguments);
	/* A failed assertion; sets b->fault. */
	void (*assertfail)(struct hetckpt_cpu_block *b, uint32_t tid, const char *message,
	                   const char *file, uint32_t line, const char *function);
};

/* One block on one core. The runtime fills it before each block; during run() only
   fault, pace and the contents of the arrays change. Arrays have an element a thread. */
struct hetckpt_cpu_block {
	uint32_t ctaid[3];  /*   0: hardware block id */
	uint32_t ntid[3];   /*  12 */
	uint32_t nctaid[3]; /*  24: hardware grid of this launch */
	uint32_t threads;   /*  36: ntid[0] * ntid[1] * ntid[2] */
	char *shared;       /*  40: static area, padded to 16, then dynamic; 128-aligned */
	char *dynamic;      /*  48: dynamic part of it */
	uint32_t shared_bytes;  /* 56: both parts */
	uint32_t dynamic_bytes; /* 60 */
	char *globals;      /*  64: the module's variables */
	const char *params; /*  72: parameter buffer, 16-aligned, offsets as in the state map;
	                       the launch record follows at the next multiple of 8 */
	const uint32_t *flag;   /* 80: the logical block's copy of the pause flag; never NULL */
	char *frames;       /*  88: threads * frame_bytes, 64-aligned; like all below only for
	                       functions with sites */
	uint32_t *state;    /*  96: out: site, or HETCKPT_CPU_ENDED or _FAULT, see run() */
	uint32_t *value;    /* 104: in: operand; out: result */
	uint32_t *extra;    /* 112: in: high half of a 64-bit operand; out: shuffle in range,
	                       match_all agreed */
	uint32_t *mask;     /* 120: operands that vary, see struct hetckpt_cpu_site */
	uint32_t *lane;     /* 128 */
	uint32_t *clamp;    /* 136 */
	const struct hetckpt_cpu_services *services; /* 144 */
	void *runtime;      /* 152: the runtime's own */
	uint32_t fault;     /* 160: cudaError_t if the launch must fail, else 0 */
	uint32_t together;  /* 164: not 0: all threads have come by the same sites since they
	                       began, so that run() need not compare what should be equal */
	uint32_t pace[HETCKPT_CPU_PACES]; /* 168: how long strips of a loop are, in parts of
	                       HETCKPT_CPU_PACE_PLANNED of what was planned; run() corrects it by the
	                       clock while the flag is down */
};

/* A variant of a kernel. */
struct hetckpt_cpu_function {
	const char *name;
	/*
	 * Runs threads [first, first + count), all at site, in this order. Returns where
	 * all of them are now, and then state[] may not have been written; or
	 * HETCKPT_CPU_MIXED, and state[] says it of each. Without sites, HETCKPT_CPU_FAULT
	 * is returned as soon as a thread faults.
	 */
	uint32_t (*run)(struct hetckpt_cpu_block *b, uint32_t site, uint32_t first, uint32_t count);
	const struct hetckpt_cpu_site *site; /* [sites], of site HETCKPT_CPU_FIRST_SITE + i */
	uint32_t sites;          /* 0: no thread ever waits */
	uint32_t frame_bytes;    /* a thread, multiple of 16 */
	uint32_t static_shared;  /* bytes */
	uint32_t param_bytes;    /* of the parameter buffer, launch record included */
};

/*
 * Runs all threads of count blocks that have no sites, neighbours in x from ctaid[0] on, and leaves
 * ctaid[0] at the block that was run last: a row of each, then the next row, so that
 * memory is read in longer pieces. Returns HETCKPT_CPU_ENDED, or HETCKPT_CPU_FAULT as soon as a thread
 * faults. A second symbol of the code, which may be missing, is an array of these, one a function, NULL
 * for those that cannot: that use shared memory, the pause flag or the runtime's services, or have loops.
 */
#define HETCKPT_CPU_BESIDE_SYMBOL "__hetckpt_cpu_beside"
typedef uint32_t hetckpt_cpu_beside_fn(struct hetckpt_cpu_block *b, uint32_t count);

struct hetckpt_cpu_module {
	uint32_t abi; /* HETCKPT_ABI_VERSION */
	uint32_t functions;
	const struct hetckpt_cpu_function *function;
};

#ifdef __cplusplus
}
#endif

/* ---- Function pointers -------------------------------------------------
 * The address of a device function, as a value, is a number by a hash of the names of file
 * and function: a multiple of HETCKPT_FUNCTION_ALIGN from [HETCKPT_FUNCTION_BASE,
 * + HETCKPT_FUNCTION_BYTES), where no device has memory. It is the same in all code of a
 * module, on every device.
 */
#define HETCKPT_FUNCTION_BASE 0x100000000000ull
#define HETCKPT_FUNCTION_BYTES 0x080000000000ull
#define HETCKPT_FUNCTION_ALIGN 16u

#endif
