/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * statemap.h - the state map of a module as C structs, the layout of frame groups,
 * and the values in them.
 *
 * The JSON is described in docs/portable-image.md, the frame group in abi.h. A map
 * that was parsed is consistent: every slot lies inside its class, none overlaps
 * another of its safepoint, safepoint ids are 1..N in order. Fields that a reader
 * does not know are ignored.
 *
 * Errors are a negative errno and one line in error[error_size] that names module,
 * kernel and field. A parsed map is immutable, so threads may share it.
 */
#ifndef HETCKPT_STATEMAP_STATEMAP_H
#define HETCKPT_STATEMAP_STATEMAP_H

#include "image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

enum hetckpt_scope { HETCKPT_SCOPE_NONE, HETCKPT_SCOPE_THREAD, HETCKPT_SCOPE_WARP, HETCKPT_SCOPE_BLOCK };

enum hetckpt_type {
	HETCKPT_TYPE_I8,
	HETCKPT_TYPE_I16,
	HETCKPT_TYPE_I32,
	HETCKPT_TYPE_I64,
	HETCKPT_TYPE_F16,
	HETCKPT_TYPE_BF16,
	HETCKPT_TYPE_F32,
	HETCKPT_TYPE_F64,
	HETCKPT_TYPE_PTR
};

enum hetckpt_slot_kind {
	HETCKPT_KIND_VALUE,
	HETCKPT_KIND_GLOBAL,
	HETCKPT_KIND_SHARED,
	HETCKPT_KIND_GENERIC,
	HETCKPT_KIND_PRIVATE
};

/* Slot classes in the order in which they lie in a group. */
enum hetckpt_slot_class { HETCKPT_CLASS_8, HETCKPT_CLASS_4, HETCKPT_CLASS_2, HETCKPT_CLASS_1, HETCKPT_CLASSES };

struct hetckpt_map_slot {
	enum hetckpt_slot_class size_class;
	uint32_t index;           /* in its class */
	enum hetckpt_type type;
	enum hetckpt_slot_kind kind;
	const char *name;         /* source variable, or NULL */
};

/* Array in private memory: unit u of 8 bytes is slot index + u of class 8. */
struct hetckpt_map_private {
	uint32_t object;          /* number in private pointers */
	uint32_t bytes;
	uint32_t index;
	const char *name;         /* or NULL */
};

struct hetckpt_map_safepoint {
	uint32_t id;              /* 1..N */
	const char *kind;         /* "loop", "barrier", ... */
	const char *file;         /* or NULL */
	uint32_t line, column;    /* 0 if unknown */
	const char *function;     /* source function, or NULL */
	uint32_t slots;
	const struct hetckpt_map_slot *slot;
	uint32_t privates;
	const struct hetckpt_map_private *private_array;
};

struct hetckpt_map_param { uint32_t offset, bytes, align; };
struct hetckpt_map_shared { const char *name; uint32_t offset, bytes; };

struct hetckpt_map_kernel {
	const char *name;         /* symbol */
	const char *signature;    /* as in the source; the symbol if unknown */
	bool pausable;            /* false: only name, signature, reason, params and shared memory are set */
	const char *reason;       /* why not pausable, or NULL */
	enum hetckpt_scope scope; /* NONE if not pausable */
	bool polls, waits, dynamic_shared;
	uint32_t params;
	const struct hetckpt_map_param *param;
	uint32_t param_bytes;
	uint32_t static_shared, shared_align;
	uint32_t shared_variables;
	const struct hetckpt_map_shared *shared_variable;
	uint32_t max_threads;     /* a block; 0: no bound */
	uint32_t slots[HETCKPT_CLASSES];
	uint32_t frame_bytes;
	uint32_t safepoints;
	const struct hetckpt_map_safepoint *safepoint; /* [i].id == i + 1 */
	uint8_t hash[16];         /* resume refuses another; zero if not pausable */
};

struct hetckpt_map_variable {
	const char *name;
	uint64_t offset, bytes;   /* in the module's block of variables */
	uint32_t align;
	bool constant;
};

/* The 8-byte word at offset holds the address of variable[target] plus addend. */
struct hetckpt_map_relocation { uint64_t offset; uint32_t target; int64_t addend; };

struct hetckpt_map {
	const char *module;       /* name of the source file */
	uint32_t variables;
	const struct hetckpt_map_variable *variable;
	uint64_t variable_bytes;
	uint32_t relocations;
	const struct hetckpt_map_relocation *relocation;
	uint32_t kernels;
	const struct hetckpt_map_kernel *kernel;
	struct json_t *json;      /* what it was made from; strings point into it */
};

/*
 * Parses a state map of bytes bytes. The map is the caller's.
 * -EINVAL not JSON or a field is wrong, -ENOTSUP another ABI, -ENOMEM.
 */
int hetckpt_map_parse(const char *text, size_t bytes, struct hetckpt_map **out, char *error,
		      size_t error_size);

/* The same for an open image; also checks that the initial data fits the variables. */
int hetckpt_map_parse_image(const struct hetckpt_image *image, struct hetckpt_map **out,
			    char *error, size_t error_size);

/* Frees a map; NULL is allowed. */
void hetckpt_map_free(struct hetckpt_map *map);

/* NULL if there is none of this symbol. */
const struct hetckpt_map_kernel *hetckpt_map_kernel_find(const struct hetckpt_map *map,
							 const char *name);
const struct hetckpt_map_variable *hetckpt_map_variable_find(const struct hetckpt_map *map,
							     const char *name);

/* NULL for HETCKPT_SP_START, HETCKPT_SP_DONE and ids that the kernel has not. */
const struct hetckpt_map_safepoint *
hetckpt_map_safepoint_find(const struct hetckpt_map_kernel *kernel, uint32_t id);

const char *hetckpt_scope_name(enum hetckpt_scope scope);         /* "none" for NONE */
const char *hetckpt_type_name(enum hetckpt_type type);
const char *hetckpt_slot_kind_name(enum hetckpt_slot_kind kind);
uint32_t hetckpt_type_bytes(enum hetckpt_type type);

/* ---- Frame groups ------------------------------------------------------ */

/* Byte offsets in a group; area[c] is the start of class c. */
struct hetckpt_frame_layout {
	uint32_t threads;
	uint64_t safepoint;                /* always 0 */
	uint64_t area[HETCKPT_CLASSES];
	uint64_t shared;                   /* start of the shared area */
	uint64_t shared_bytes;             /* static, padded to 16, and dynamic; 0 unless block scope */
	uint64_t group_bytes;              /* multiple of 16 */
};

#define HETCKPT_FRAME_MAX_THREADS 65536u

/*
 * Lays out a group for blocks of threads threads and dynamic_shared bytes.
 * -EINVAL if the kernel is not pausable or threads is 0 or over the maximum.
 */
int hetckpt_frame_layout_compute(const struct hetckpt_map_kernel *kernel, uint32_t threads,
				 uint32_t dynamic_shared, struct hetckpt_frame_layout *out);

/* Bytes of a group, 0 where frame_layout_compute fails. */
uint64_t hetckpt_frame_group_bytes(const struct hetckpt_map_kernel *kernel, uint32_t threads,
				   uint32_t dynamic_shared);

/* Offset of a thread's slot in the group. The slot must be of the layout's kernel. */
uint64_t hetckpt_frame_slot_offset(const struct hetckpt_frame_layout *layout,
				   enum hetckpt_slot_class size_class, uint32_t index,
				   uint32_t thread);

/*
 * Readers of a group of layout->group_bytes bytes. Thread must be below
 * layout->threads; a slot is zero-extended to 64 bits.
 */
uint32_t hetckpt_frame_safepoint(const struct hetckpt_frame_layout *layout, const void *group,
				 uint32_t thread);
uint64_t hetckpt_frame_slot_bits(const struct hetckpt_frame_layout *layout, const void *group,
				 const struct hetckpt_map_slot *slot, uint32_t thread);

/* Copies a private array to out[array->bytes]. */
void hetckpt_frame_private_read(const struct hetckpt_frame_layout *layout, const void *group,
				const struct hetckpt_map_private *array, uint32_t thread,
				void *out);

/* ---- Values ------------------------------------------------------------ */

/* A pointer slot taken apart. */
struct hetckpt_pointer {
	enum hetckpt_slot_kind space; /* GLOBAL, SHARED or PRIVATE */
	uint64_t address;             /* global: address; else byte offset in the space */
	uint32_t object;              /* private: number of the array */
};
/* -EINVAL for a tag that has no meaning, or a slot that is no pointer. */
int hetckpt_pointer_decode(const struct hetckpt_map_slot *slot, uint64_t bits,
			   struct hetckpt_pointer *out);

/*
 * A value as text for people: integers signed, floats with the digits that tell
 * every value apart, pointers as "global 0x2000...", "shared+0x40",
 * "private state+0x8". Returns the length as snprintf does. safepoint gives
 * private arrays their names; it may be NULL.
 */
int hetckpt_value_format(const struct hetckpt_map_slot *slot, uint64_t bits,
			 const struct hetckpt_map_safepoint *safepoint, char *text, size_t size);

/*
 * A value as JSON: integer, real, "nan"/"inf"/"-inf", or
 * {"space": .., "address": "0x.."} / {"space": .., "offset": ..[, "object": ..]}.
 * New reference; NULL if out of memory.
 */
struct json_t *hetckpt_value_json(const struct hetckpt_map_slot *slot, uint64_t bits);

/*
 * Everything saved of one thread: {"thread": n, "state": "parked"|"done"|
 * "not started", "safepoint": {...}, "values": [...], "private": [...]}.
 * *out is a new reference. -EINVAL if the group names a safepoint that the kernel
 * does not have (error line set), -ENOMEM.
 */
int hetckpt_thread_json(const struct hetckpt_map_kernel *kernel,
			const struct hetckpt_frame_layout *layout, const void *group,
			uint32_t thread, struct json_t **out, char *error, size_t error_size);

#endif
